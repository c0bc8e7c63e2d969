//! A status with sources in every state, and with texts that try to be more than text.

use std::collections::BTreeMap;

use keyvault_backup::{
    domain::{
        acknowledged::AcceptanceRecord,
        hsm::HsmJob,
        job::BackupJob,
        manifest::Line,
        night::Timer,
        nothing::Points,
        restore::RestoreJob,
        retention::LastPass,
        run::{Numbers, RunId, Verdict},
        source::{SourceId, SourceKind},
        state::{Ended, History, Known, Objects, SourceState, Trouble},
        verification::Verified,
    },
    query::{hsms::HsmState, passes::Passes, restores::Restore, status::Status, vaults::VaultState},
    tell::{Kept, Seen},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, macros::datetime};

pub const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);
const INTERVAL: Duration = Duration::hours(26);

/// What a service says, and how a caller is called.
#[derive(Clone, Copy)]
pub struct Said {
    text: &'static str,
    person: &'static str,
}

/// Texts as they should be.
pub const PLAIN: Said =
    Said { text: "The parameter is incorrect (Request ID: 0f3a9c41).", person: "Ada Lovelace" };

/// Texts that try to be more than text.
pub const HOSTILE: Said = Said { text: EVIL, person: EVIL };

const EVIL: &str =
    "\"><script>alert(1)</script><img src=https://x.example onerror='alert(2)'>\u{202e}\n& <b>";

/// The seen of these sources.
fn seen(vaults: Vec<VaultState>, hsms: Vec<HsmState>, restores: Vec<Restore>) -> Seen {
    let status = Status {
        now: NOW,
        interval: INTERVAL,
        passes: Passes { last: Some(NOW - Duration::minutes(2)), stands_still: false },
        retention: LastPass::Recently(NOW - Duration::hours(5)),
        second: None,
        vaults,
        hsms,
        at_bound: Vec::new(),
        restores,
        poison_messages: Some(0),
        notices: None,
        next_runs: vec![
            (Timer::Vaults, NOW + Duration::hours(16)),
            (Timer::Hsms, NOW + Duration::minutes(930)),
        ],
    };
    let reason = "the newest of its month, of which 12 are kept".to_owned();
    let kept = |of: &SourceState| {
        let oldest = of.points.map(|points| (points.earliest, reason.clone()));
        let points = if oldest.is_some() { 43 } else { 0 };
        let kept = Kept { points, going: usize::from(of.source.as_str().ends_with('1')), oldest };
        (SourceId { kind: of.kind, name: of.source.clone() }, Ok(kept))
    };
    let kept: BTreeMap<_, _> = status.sources().map(kept).collect();
    Seen { status, kept }
}

/// Runs of the last nights, newest first; `verdict` says how the run of so many nights ago ended, if there was one.
fn history(objects: u32, verdict: impl Fn(i64) -> Option<Verdict>) -> History {
    let run = |ago: i64| {
        let began = datetime!(2026-11-22 02:00 UTC) - Duration::days(ago);
        let numbers = Numbers { listed: objects, backed_up: 7, unchanged: objects - 7, ..Numbers::default() };
        let took = Duration::seconds(190);
        let (run, ended) = (RunId::nightly(began), began + took);
        Some(Ended { run, began, ended, took, verdict: verdict(ago)?, numbers: Some(numbers) })
    };
    History::of((0..30).filter_map(run), None, NOW)
}

/// A vault in a state. It has the troubles that are given.
pub fn vault(name: &str, troubles: Vec<Trouble>, known: Known, open: Vec<BackupJob>) -> VaultState {
    let source = name.parse().expect("a name");
    let state = SourceState::of_vault(&source, Ok(&known), open.len(), INTERVAL, NOW);
    let covered = match troubles.first() {
        Some(Trouble::NeverBackedUp) => None,
        Some(Trouble::Overdue { since, .. }) => Some(*since),
        _ => Some(datetime!(2026-11-22 02:00 UTC)),
    };
    let (points, verified) = (
        covered.map(|newest| Points { earliest: datetime!(2025-11-30 02:00 UTC), newest }),
        covered.map(|_| datetime!(2026-11-22 05:30 UTC)),
    );
    let state = SourceState { troubles, covered, points, verified, ..state };
    VaultState { state, open, known: Ok(known) }
}

fn known(objects: Objects, verdict: impl Fn(i64) -> Option<Verdict>) -> Known {
    let listed = u32::try_from(objects.protected).expect("a number").max(7);
    Known { objects, history: history(listed, verdict), ..Known::default() }
}

fn well(name: &str, number: usize) -> VaultState {
    let protected = 40 + number * 37 % 400;
    let objects = Objects {
        protected,
        most_versions: 12,
        gone: number % 4,
        not_verified: number % 3,
        ..Objects::default()
    };
    let worse = i64::try_from(number % 23).expect("a number");
    let verdict = |ago| {
        Some(if number.is_multiple_of(5) && ago == worse + 2 {
            Verdict::PartiallyFailed
        } else {
            Verdict::Succeeded
        })
    };
    vault(name, Vec::new(), known(objects, verdict), Vec::new())
}

fn line(of: &Value) -> Line {
    serde_json::from_value(of.clone()).expect("a line")
}

/// A vault with objects that fail, of which one says something hostile.
fn failing(said: Said) -> VaultState {
    let objects =
        Objects { protected: 412, failing: 3, without_backup: 3, accepted: 1, ..Objects::default() };
    let fails = |name: &str, code: &str, text: &str| {
        line(
            &json!({ "kind": "secret", "name": name, "fared": "failed", "failure": { "code": code, "text": text } }),
        )
    };
    let refused = "Caller is not authorized to perform action on resource. Action: \
                   'Microsoft.KeyVault/vaults/secrets/backup/action'.";
    let mut known =
        known(objects, |ago| Some(if ago < 3 { Verdict::PartiallyFailed } else { Verdict::Succeeded }));
    known.failing = vec![
        fails("payments-api-signing-secret", "ForbiddenByRbac", refused),
        fails("session-salt", "TooManyVersions", "The secret has 612 versions; at most 500 are backed up."),
        fails("webhook-token", "BadParameter", said.text),
    ];
    let record: AcceptanceRecord = serde_json::from_value(json!({
        "v": 1, "source": "kv-payments", "kind": "secret", "name": "legacy-worn", "decision": "accepted",
        "code": "TooManyVersions", "reason": "its users move in spring", "until": "2027-02-01T00:00:00Z",
        "by": { "via": "terminal" }, "at": "2026-11-22T08:00:00Z",
    }))
    .expect("a record");
    known.accepted = vec![(fails("legacy-worn", "TooManyVersions", "612 versions"), record)];
    let job: BackupJob = serde_json::from_value(json!({
        "v": 1, "vault": "kv-payments", "run": "20261122T095000Z-manual-1a2b", "opened": "2026-11-22T09:50:00Z",
        "by": { "via": "http", "principal": { "id": "7d8a7b3e-8f5e-4a7e-9d5c-1f2e3d4c5b6a", "name": said.person } },
        "sent": true, "answered": 211, "progressed": "2026-11-22T09:58:00Z",
    }))
    .expect("a job");
    let troubles = vec![Trouble::Failing { objects: 3, without_backup: 3 }];
    vault("kv-payments", troubles, known, vec![job])
}

fn hsm() -> HsmState {
    let source = "hsm-signing".parse().expect("a name");
    let points = Some(Points { earliest: datetime!(2026-08-01 01:30 UTC), newest: NOW - Duration::hours(8) });
    let state = SourceState::of_hsm(&source, (None, None), 0, points, &Verified::default(), (INTERVAL, NOW));
    let covered = Some(datetime!(2026-11-22 01:34 UTC));
    let mut history = history(7, |_| Some(Verdict::Succeeded));
    history.last.iter_mut().for_each(|last| last.numbers = None);
    let state = SourceState { kind: SourceKind::Hsm, covered, troubles: Vec::new(), history, ..state };
    HsmState { state, good: None, last: None, copies: Vec::new(), attestation: None, open: Vec::new() }
}

fn restores(said: Said) -> Vec<Restore> {
    let digest = "0f3a9c41".repeat(8);
    let vault: RestoreJob = serde_json::from_value(json!({
        "v": 1, "id": "20261121T101112Z-restore-0f3a9c41", "plan": digest, "source": "kv-payments", "target": "kv-drill",
        "by": { "via": "http", "principal": { "id": "7d8a7b3e", "name": said.person } }, "opened": "2026-11-21T10:11:12Z",
        "numbers": { "planned": 40, "restored": 38, "skipped": 1, "failed": 1 }, "steps": 40, "answered": 40,
        "progressed": "2026-11-21T10:19:00Z", "sent": true,
        "ended": { "at": "2026-11-21T10:19:00Z", "verdict": "PartiallyFailed" },
    }))
    .expect("a restore");
    let hsm: HsmJob = serde_json::from_value(json!({
        "v": 1, "id": "20261122T093000Z-restore-77aa01bc", "hsm": "hsm-drill", "by": { "via": "terminal" },
        "opened": "2026-11-22T09:30:00Z", "task": "restore-all", "plan": digest, "source": "hsm-signing",
        "run": "20261122T013000Z-nightly", "folder": "mhsm-hsm-signing-2026112201300012",
        "phase": "running", "job": "1", "since": "2026-11-22T09:31:00Z",
    }))
    .expect("a restore");
    vec![Restore::Hsm(Box::new(hsm)), Restore::Vault(Box::new(vault))]
}

/// Sources in every state, of which one says such texts, and so many that are well.
pub fn mixed(wells: usize, said: Said) -> Seen {
    let since = NOW - Duration::hours(61);
    let overdue = Trouble::Overdue { since, interval: INTERVAL };
    let silent = |ago| (ago > 1).then_some(if ago == 6 { Verdict::Failed } else { Verdict::Succeeded });
    let late = known(Objects { protected: 96, gone: 2, ..Objects::default() }, silent);
    let damaged =
        known(Objects { protected: 230, damaged: 1, ..Objects::default() }, |_| Some(Verdict::Succeeded));
    let mut vaults = vec![
        vault("kv-shop-prod", vec![overdue], late, Vec::new()),
        vault("kv-new-team", vec![Trouble::NeverBackedUp], known(Objects::default(), |_| None), Vec::new()),
        vault("kv-ledger", vec![Trouble::Damaged { objects: 1 }], damaged, Vec::new()),
        failing(said),
    ];
    vaults.extend((0..wells).map(|number| well(&format!("kv-team-{number:03}"), number)));
    seen(vaults, vec![hsm()], restores(said))
}

/// Only sources that are well.
pub fn all_well() -> Seen {
    let names = ["kv-billing", "kv-identity", "kv-ledger", "kv-payments", "kv-shop-prod"];
    let vaults = names.into_iter().enumerate().map(|(number, name)| well(name, number + 3));
    seen(vaults.collect(), vec![hsm()], Vec::new())
}

/// No source.
pub fn nothing() -> Seen {
    seen(Vec::new(), Vec::new(), Vec::new())
}
