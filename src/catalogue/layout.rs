//! Blob names of the backup container. No other module knows one.
//!
//! ```text
//! vaults/VAULT/runs/RUN/plan.jsonl.gz                      the run's plan, written first
//! vaults/VAULT/runs/RUN/plan-KIND.jsonl.gz                 its supplement for a kind that was listed late
//! vaults/VAULT/runs/RUN/objects/KIND/NAME/backup           a backup, its entry in its metadata
//! vaults/VAULT/runs/RUN/objects/KIND/NAME/outcome          a record that there is no backup, and why
//! vaults/VAULT/manifests/COUNTDOWN-RUN.jsonl.gz            the run's manifest, written last
//! vaults/VAULT/manifests/COUNTDOWN-KIND-NAME.forgotten     a decision to forget an object, for the next night
//! hsms/HSM/backups/COUNTDOWN-RUN                           the record of a backup of a whole HSM
//! acknowledged/SOURCE/losses/RUN                           the acknowledgement of the loss that the run saw
//! acknowledged/SOURCE/accepted/KIND/NAME/COUNTDOWN         a decision to accept a failure, or no longer to
//! audit/RIGHT/DAY/WRITER/NUMBER.EVENT.SUBJECT.SHA256       a record of the audit trail
//! audit/DAY/NUMBER                                         a record by an older program
//! attestations/hsm-restore/HSM/TIME.ID.ACT                 that a person granted or revoked a right to restore
//! attestations/security-domain/HSM/COUNTDOWN               that people checked an HSM's security domain
//! preflight/DAY                                            a probe of the preflight
//! retention/KIND/SOURCE/points/RUN/NUMBER                  what retention did about a point, in order
//! retention/copies/VAULT/COUNTDOWN-RUN.jsonl.gz            a second copy of a manifest whose predecessor goes
//! retention/KIND/SOURCE/forgotten/COUNTDOWN-KIND-NAME      that nothing is left of what was to be forgotten
//! retention/people/KIND/SOURCE/COUNTDOWN.ACT               a release or a consent by a person
//! retention/people/KIND/SOURCE/COUNTDOWN.forget-KIND-NAME  a decision to forget an object
//! retention/vaults/VAULT/deleted-before                    what storage had deleted by age before the first verification
//! retention/passes/COUNTDOWN                               that a pass of retention ended well for every source
//! holds/KIND/SOURCE/TICKET/NUMBER.ACT                      a hold, and its release
//! verifications/KIND/SOURCE/COUNTDOWN                      what a verification came to, with its findings
//! verifications/suspects/COUNTDOWN-VAULT                   that it found something wrong with newest backups
//! hsm-copies/HSM/records/COUNTDOWN-RUN                     what became of the copy of an HSM's backup
//! hsm-copies/HSM/blobs/RUN/NAME                            a blob of such a copy
//! drills/KIND/SOURCE/COUNTDOWN-DRILL                       what a drill came to
//! evidence/YEAR/MONTH/DAY                                  the record of a day
//! second/COUNTDOWN                                         how far the second place was when a pass of copies ended
//! second/lacking/VAULT/RUN                                 in the second place: what a point was copied without
//! owners/NAME                                              in the second place: what its owners decide and do there
//! ```
//!
//! What the owners of the second place decide and do there has the names that it would have in the first place, under `owners/`,
//! where the keeper may add nothing.
//!
//! COUNTDOWN is [`countdown`]: the newest comes first in a listing. Object names are in lower case, because Key Vault
//! ignores case in names. Every blob is written once.

use time::{Date, OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

mod attestations;
mod copies;
mod drills;
mod grants;
mod retention;
mod rooms;
mod verifications;

pub(super) use self::attestations::{attestation, attestations};
pub(super) use self::copies::{copied_blobs, copy_record, copy_records, opened};
pub(super) use self::drills::{drill, drills, drills_from};
pub(super) use self::grants::{parse_restore_grant, restore_grants};
pub(super) use self::retention::{
    PASSES, copies, copy, forget_done, forgets_done, forgotten, hold, holds, holds_of, mark, marks,
    parse_forget, parse_forgotten, parse_hold, parse_mark, pass, pass_time, people, person,
};
pub use self::rooms::Room;
pub(super) use self::rooms::is_copy;
pub(super) use self::verifications::{
    SUSPECTS, deleted_before, parse_suspects, suspects, verification, verifications,
};
use crate::domain::{
    audit::{Event, Section},
    day::Day,
    digest::Digest,
    object::{ObjectId, ObjectKind},
    right::Right,
    run::{RunId, countdown, counted_down},
    source::SourceName,
};

pub(super) const AUDIT: &str = "audit/";

/// The prefix of vaults, and of HSMs' keys that are backed up one by one.
pub(super) const VAULTS: &str = "vaults/";

/// The prefix of whole HSMs.
pub(super) const HSMS: &str = "hsms/";

/// The prefix of what people acknowledged and accepted.
const ACKNOWLEDGED: &str = "acknowledged/";

/// The most characters of a subject in a name.
const SUBJECT: usize = 200;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// The prefix of the older programs' trail: its days begin with a digit, and rights do not.
pub(super) const OLD_AUDIT: &str = "audit/2";

/// The name from which a listing of the older programs' trail shows a day and those after it.
pub(super) fn old_audit_from(day: Date) -> String {
    format!("{AUDIT}{day}/")
}

/// Whether a name is that of an older program's record.
pub(super) fn is_old_audit(name: &str) -> bool {
    let parts = name.strip_prefix(AUDIT).and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(day, number)| Date::parse(day, DAY).is_ok() && number.parse::<u32>().is_ok())
}

/// The sections of a right.
pub(super) fn audit_of(right: Right) -> String {
    format!("{AUDIT}{right}/")
}

/// The name from which a listing of a right's sections shows those of a day and after it.
pub(super) fn audit_from(right: Right, day: Date) -> String {
    format!("{}{day}/", audit_of(right))
}

/// The day on which a section began, by its name.
pub(super) fn section_day(section: &str) -> Option<Date> {
    Date::parse(section.strip_prefix(AUDIT)?.split('/').nth(1)?, DAY).ok()
}

/// The name of a section's record. It contains the record's digest, so a list of names is enough to link to it.
pub(super) fn audit(section: &Section, number: u32, event: &Event, sha256: &Digest) -> String {
    let (folder, writer) = (audit_from(section.right, section.day), section.writer);
    let (name, subject) = (event.name(), plain(&event.subject_text()));
    format!("{folder}{writer:016x}/{number:08}.{name}.{subject}.{sha256}")
}

/// The parsed name of a section's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordName<'a> {
    /// Its section.
    pub(super) section: &'a str,
    /// The day on which its section began.
    pub(super) day: Date,
    /// Its number in the section.
    pub(super) number: u32,
    /// The name of its event.
    pub(super) event: &'a str,
    subject: &'a str,
    /// The digest of the record as written.
    pub(super) sha256: Digest,
}

impl RecordName<'_> {
    /// Whether the record is of an event.
    pub(super) fn tells_of(&self, event: &Event) -> bool {
        self.event == event.name() && self.subject == plain(&event.subject_text())
    }
}

/// Parses the name of a section's record. Any right is accepted: another program may know more rights than this one.
pub(super) fn parse_audit(name: &str) -> Option<RecordName<'_>> {
    let (section, record) = name.rsplit_once('/')?;
    let mut folder = section.strip_prefix(AUDIT)?.split('/');
    let (_right, day, writer) = (folder.next()?, folder.next()?, folder.next()?);
    let day = Date::parse(day, DAY).ok()?;
    u64::from_str_radix(writer, 16).ok()?;
    let mut parts = record.split('.');
    let (number, event, subject, sha256) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let number = number.parse().ok()?;
    let whole = folder.next().is_none() && parts.next().is_none();
    whole.then_some(RecordName { section, day, number, event, subject, sha256: sha256.parse().ok()? })
}

/// A subject with only the characters that a name may have.
fn plain(subject: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    subject.chars().take(SUBJECT).map(plain).collect()
}

/// The prefix of what a run left beside its manifest.
pub(super) fn run(vault: &SourceName, run: &RunId) -> String {
    format!("{VAULTS}{vault}/runs/{run}/")
}

/// The name of a day's preflight probe. It cannot be deleted, so there is at most one a day.
pub fn probe(day: Date) -> String {
    format!("preflight/{day}")
}

/// The prefix of the records of passes over the second place.
pub(super) const SECOND: &str = "second/";

/// The record of a pass over the second place that ended at a time.
pub(super) fn second_pass(ended: OffsetDateTime) -> String {
    format!("{SECOND}{}", countdown(ended))
}

/// The prefix, in the second place, of what its owners decide and do there.
pub(super) fn of_owners(name: &str) -> String {
    format!("owners/{name}")
}

/// The prefix of the records, in the second place, of what the points of a vault were copied without.
pub(super) fn lacking(vault: &SourceName) -> String {
    format!("{SECOND}lacking/{vault}/")
}

/// The name of the record of a day.
pub(super) fn evidence(day: Day) -> String {
    format!("evidence/{}", day.to_string().replace('-', "/"))
}

/// The prefix of everything of a vault.
pub(super) fn source(vault: &SourceName) -> String {
    format!("{VAULTS}{vault}/")
}

/// The first part of a name after a prefix.
pub(super) fn room<'n>(prefix: &str, name: &'n str) -> Option<&'n str> {
    Some(name.strip_prefix(prefix)?.split_once('/')?.0)
}

/// The name from which a listing shows what follows everything in a room: `0` comes after `/`.
pub(super) fn after_room(prefix: &str, room: &str) -> String {
    format!("{prefix}{room}0")
}

pub(super) fn runs(vault: &SourceName) -> String {
    format!("{VAULTS}{vault}/runs/")
}

pub(super) fn plan(vault: &SourceName, run: &RunId) -> String {
    format!("{VAULTS}{vault}/runs/{run}/plan.jsonl.gz")
}

pub(super) fn supplement(vault: &SourceName, run: &RunId, kind: ObjectKind) -> String {
    format!("{VAULTS}{vault}/runs/{run}/plan-{kind}.jsonl.gz")
}

pub(super) fn objects(vault: &SourceName, run: &RunId) -> String {
    format!("{VAULTS}{vault}/runs/{run}/objects/")
}

pub(super) fn object(vault: &SourceName, run: &RunId, id: &ObjectId, leaf: Leaf) -> String {
    format!("{VAULTS}{vault}/runs/{run}/objects/{}/{}/{leaf}", id.kind, id.name.folded())
}

/// The prefix of everything that the runs of a vault left.
pub(super) fn vault(vault: &SourceName) -> String {
    format!("{VAULTS}{vault}/")
}

pub(super) fn manifests(vault: &SourceName) -> String {
    format!("{VAULTS}{vault}/manifests/")
}

pub(super) fn manifest(vault: &SourceName, planned: OffsetDateTime, run: &RunId) -> String {
    format!("{}-{run}.jsonl.gz", manifests_from(vault, planned))
}

/// When the run of a manifest was planned, by the manifest's name.
pub(super) fn planned(vault: &SourceName, name: &str) -> Option<OffsetDateTime> {
    counted_down(name.strip_prefix(&manifests(vault))?.get(..11)?)
}

/// The name from which a listing shows the manifests of runs planned at this time or before.
pub(super) fn manifests_from(vault: &SourceName, planned: OffsetDateTime) -> String {
    format!("{}{}", manifests(vault), countdown(planned))
}

pub(super) fn hsm_backups(hsm: &SourceName) -> String {
    format!("{HSMS}{hsm}/backups/")
}

/// The record of an HSM's backup, sorted by the time at which its job was opened.
pub(super) fn hsm_backup(hsm: &SourceName, opened: OffsetDateTime, run: &RunId) -> String {
    format!("{}{}-{run}", hsm_backups(hsm), countdown(opened))
}

/// The prefix of acknowledgements and acceptances of one source, or of all.
pub(super) fn acknowledged(source: Option<&SourceName>) -> String {
    source.map_or_else(|| ACKNOWLEDGED.to_owned(), |source| format!("{ACKNOWLEDGED}{source}/"))
}

pub(super) fn loss(source: &SourceName, run: &RunId) -> String {
    format!("{ACKNOWLEDGED}{source}/losses/{run}")
}

/// The record of a decision, sorted by its time. No two decisions about one object are of the same second.
pub(super) fn acceptance(source: &SourceName, id: &ObjectId, at: OffsetDateTime) -> String {
    format!("{ACKNOWLEDGED}{source}/accepted/{}/{}/{}", id.kind, id.name.folded(), countdown(at))
}

/// The subject of a blob under [`acknowledged`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    Loss(RunId),
    Object(ObjectId),
}

/// The source and the subject of a blob under [`acknowledged`].
pub(super) fn parse_acknowledged(name: &str) -> Option<(SourceName, About)> {
    let mut parts = name.strip_prefix(ACKNOWLEDGED)?.split('/');
    let source = parts.next()?.parse().ok()?;
    let about = match parts.next()? {
        "losses" => About::Loss(parts.next()?.parse().ok()?),
        "accepted" => {
            let id = ObjectId::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            parts.next()?;
            About::Object(id)
        }
        _ => return None,
    };
    parts.next().is_none().then_some((source, about))
}

/// The two kinds of blob under an object's name. The backup comes first in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Leaf {
    Backup,
    Outcome,
}

/// The object and the leaf of a blob under [`objects`].
pub(super) fn parse_object(prefix: &str, name: &str) -> Option<(ObjectId, Leaf)> {
    let mut parts = name.strip_prefix(prefix)?.split('/');
    let id = ObjectId::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let leaf = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((id, leaf))
}

/// The run that a blob under [`runs`] belongs to.
pub(super) fn parse_run(prefix: &str, name: &str) -> Option<RunId> {
    name.strip_prefix(prefix)?.split('/').next()?.parse().ok()
}

/// The run of a manifest.
pub(super) fn parse_manifest(prefix: &str, name: &str) -> Option<RunId> {
    name.strip_prefix(prefix)?.strip_suffix(".jsonl.gz")?.split_once('-')?.1.parse().ok()
}

/// The vault and the run of a manifest's blob.
pub(super) fn parse_manifest_name(name: &str) -> Option<(SourceName, RunId)> {
    let vault = name.strip_prefix(VAULTS)?.split('/').next()?.parse().ok()?;
    let run = parse_manifest(&manifests(&vault), name)?;
    Some((vault, run))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn names_round_trip() {
        let vault: SourceName = "kv-prod".parse().unwrap();
        let run: RunId = "20261122T020000Z-nightly".parse().unwrap();
        let id = ObjectId::new("secret".parse().unwrap(), "db-Password".parse().unwrap());
        let name = object(&vault, &run, &id, Leaf::Backup);
        assert_eq!(name, "vaults/kv-prod/runs/20261122T020000Z-nightly/objects/secret/db-password/backup");
        assert_eq!(parse_object(&objects(&vault, &run), &name), Some((id, Leaf::Backup)));
        assert_eq!(parse_run(&runs(&vault), &name).as_ref(), Some(&run));
        let name = manifest(&vault, datetime!(2026-11-22 02:00 UTC), &run);
        assert_eq!(parse_manifest(&manifests(&vault), &name).as_ref(), Some(&run));
        assert_eq!(parse_manifest_name(&name), Some((vault, run)));
    }

    #[test]
    fn what_people_said_has_places_that_stay() {
        let source: SourceName = "kv-prod".parse().unwrap();
        let run: RunId = "20261122T020000Z-nightly".parse().unwrap();
        let name = loss(&source, &run);
        assert_eq!(name, "acknowledged/kv-prod/losses/20261122T020000Z-nightly");
        assert_eq!(parse_acknowledged(&name), Some((source.clone(), About::Loss(run))));
        let id = ObjectId::new("key".parse().unwrap(), "Signing".parse().unwrap());
        let name = acceptance(&source, &id, datetime!(2026-11-22 10:00 UTC));
        assert_eq!(name, "acknowledged/kv-prod/accepted/key/signing/98204658399");
        assert_eq!(parse_acknowledged(&name), Some((source.clone(), About::Object(id.clone()))));
        assert!(
            acceptance(&source, &id, datetime!(2026-11-22 10:00:01 UTC)) < name,
            "the newest comes first"
        );
        assert!(name.starts_with(&acknowledged(Some(&source))) && name.starts_with(&acknowledged(None)));
        for bad in [
            "acknowledged/kv-prod/losses/x",
            "acknowledged/kv-prod/accepted/key/signing",
            "acknowledged/kv-prod/x/y",
        ] {
            assert_eq!(parse_acknowledged(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_newest_pass_over_the_second_place_comes_first() {
        assert_eq!(second_pass(datetime!(2026-11-22 03:20 UTC)), "second/98204682399");
    }

    #[test]
    fn the_record_of_a_day_has_a_name_that_stays() {
        assert_eq!(evidence("2026-11-02".parse().unwrap()), "evidence/2026/11/02");
    }

    #[test]
    fn names_of_audit_records_round_trip() {
        let section = Section { right: Right::Backup, day: time::macros::date!(2026 - 11 - 22), writer: 7 };
        let run: RunId = "20261122T020000Z-manual-0f3a".parse().unwrap();
        let event = Event::BackupRequested { vault: "kv-prod".parse().unwrap(), run, objects: 0 };
        let (sha256, name) = (Digest::of(b"x"), audit(&section, 3, &event, &Digest::of(b"x")));
        let folder = "audit/backup/2026-11-22/0000000000000007";
        assert_eq!(name, format!("{folder}/00000003.backup-requested.20261122T020000Z-manual-0f3a.{sha256}"));
        let parsed = parse_audit(&name).unwrap();
        assert!(parsed.section == folder && parsed.sha256 == sha256 && parsed.tells_of(&event));
        assert_eq!((section_day(folder), section_day("audit")), (Some(section.day), None));
        assert_eq!((parsed.day, parsed.number, parsed.event), (section.day, 3, "backup-requested"));
        assert!(name.starts_with(&audit_from(Right::Backup, section.day)));
        let old = "audit/2026-11-22/00000001";
        assert!(is_old_audit(old) && old.starts_with(OLD_AUDIT) && parse_audit(old).is_none());
        assert!(!is_old_audit(&name) && !name.starts_with(OLD_AUDIT));
    }

    #[test]
    fn the_newest_manifest_sorts_first() {
        let vault: SourceName = "kv-prod".parse().unwrap();
        let name = |at| manifest(&vault, at, &RunId::nightly(at));
        assert!(name(datetime!(2026-11-23 02:00 UTC)) < name(datetime!(2026-11-22 02:00 UTC)));
        assert!(name(datetime!(2099-01-01 0:00 UTC)) < name(datetime!(1999-01-01 0:00 UTC)));
    }
}
