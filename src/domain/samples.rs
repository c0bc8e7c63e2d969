//! Values for the domain's own tests.

use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};

use super::{
    actor::Actor,
    digest::Fingerprint,
    entry::Entry,
    hsm::{BACKUP_FORMAT, Folder, HsmBackup},
    manifest::{Line, ObjectStatus, Summary},
    object::{ObjectId, ObjectKind},
    run::{Numbers, RunId, Scope, Verdict},
};

/// The time of the runs in these tests.
pub(crate) const NIGHT: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);

/// What a list shows of an object in one of its states.
pub(crate) fn fingerprint(state: &str) -> Fingerprint {
    Fingerprint::of(state.as_bytes())
}

pub(crate) fn secret(name: &str) -> ObjectId {
    of_kind(ObjectKind::Secret, name)
}

pub(crate) fn of_kind(kind: ObjectKind, name: &str) -> ObjectId {
    ObjectId::new(kind, name.parse().unwrap())
}

/// A backup of an object in the state `before`, by the nightly run of that time. It is read like a stored one, so
/// fields of later forms have their defaults.
pub(crate) fn entry(id: &ObjectId, taken: OffsetDateTime) -> Entry {
    let digest = |text: &str| super::digest::Digest::of(text.as_bytes());
    let stored = json!({
        "v": 1, "vault": "kv-prod", "kind": id.kind, "name": id.name, "run": RunId::nightly(taken),
        "taken": taken.format(&Rfc3339).unwrap(), "sha256": digest("blob"), "bytes": 1000,
        "kid": "k", "alg": "RSA-OAEP-256", "enc": "A256CBC-HS512",
        "versions": 1, "newest": "0123456789abcdef0123456789abcdef", "version_ids": fingerprint("ids"),
        "version_states": fingerprint("states"), "fingerprint": fingerprint("before"), "enabled": true,
    });
    serde_json::from_value(stored).unwrap()
}

/// A manifest's line with that backup.
pub(crate) fn line(id: &ObjectId, status: ObjectStatus, taken: OffsetDateTime) -> Line {
    Line::new(id.clone(), status, Some(entry(id, taken)))
}

/// The summary of a run of a whole vault that found nothing to back up.
pub(crate) fn summary(planned: OffsetDateTime) -> Summary {
    Summary {
        v: 2,
        run: RunId::nightly(planned),
        scope: Scope::Vault,
        verdict: Verdict::Succeeded,
        numbers: Numbers::default(),
        late: None,
        planned,
        finished: planned,
        full_pass: planned,
        protected: 1,
        lines: 1,
        losses: Vec::new(),
        location: Box::default(),
        moved: None,
        unknown_form: None,
    }
}

/// A backup of a whole HSM that can be restored.
pub(crate) fn hsm_backup(opened: OffsetDateTime) -> HsmBackup {
    let folder =
        Folder { path: "f".into(), uri: None, time: None, blobs: 1, bytes: 1, written: None, sum: None };
    HsmBackup {
        v: BACKUP_FORMAT,
        hsm: "hsm-a".parse().unwrap(),
        run: RunId::nightly(opened),
        by: Actor::TIMER,
        opened,
        started: None,
        ended: opened,
        job: None,
        verdict: Verdict::Succeeded,
        folder: Some(folder),
        found: false,
        note: None,
        failure: None,
    }
}
