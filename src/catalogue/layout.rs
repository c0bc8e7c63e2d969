//! Where everything lies. No other module knows a blob name.
//!
//! ```text
//! vaults/VAULT/runs/RUN/plan.jsonl.gz                      what the run is to do, first
//! vaults/VAULT/runs/RUN/objects/KIND/NAME/backup           a backup, its entry in its metadata
//! vaults/VAULT/runs/RUN/objects/KIND/NAME/outcome          a record that there is no backup, and why
//! vaults/VAULT/manifests/COUNTDOWN-RUN.jsonl.gz            what came of the run, last
//! hsms/HSM/backups/COUNTDOWN-RUN                           what came of a backup of a whole HSM
//! audit/DAY/NUMBER                                         a record of the audit trail
//! preflight/DAY                                            a probe of the preflight
//! ```
//!
//! COUNTDOWN is [`countdown`]: the newest comes first in a listing. Object names stand in lower case, because Key
//! Vault does not tell names apart by case. Every blob is written once.

use time::{Date, OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use crate::domain::{
    audit::Place,
    hsm::HsmName,
    object::{ObjectId, VaultName},
    run::{RunId, countdown},
};

pub(super) const AUDIT: &str = "audit/";

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

pub(super) fn audit(place: Place) -> String {
    format!("{AUDIT}{}/{:08}", place.day.format(DAY).unwrap_or_default(), place.number)
}

pub(super) fn parse_audit(name: &str) -> Option<Place> {
    let (day, number) = name.strip_prefix(AUDIT)?.split_once('/')?;
    Some(Place { day: Date::parse(day, DAY).ok()?, number: number.parse().ok()? })
}

/// A probe of a day: there is at most one, where it cannot be deleted.
pub fn probe(day: Date) -> String {
    format!("preflight/{}", day.format(DAY).unwrap_or_default())
}

pub(super) fn runs(vault: &VaultName) -> String {
    format!("vaults/{vault}/runs/")
}

pub(super) fn plan(vault: &VaultName, run: &RunId) -> String {
    format!("vaults/{vault}/runs/{run}/plan.jsonl.gz")
}

pub(super) fn objects(vault: &VaultName, run: &RunId) -> String {
    format!("vaults/{vault}/runs/{run}/objects/")
}

pub(super) fn object(vault: &VaultName, run: &RunId, id: &ObjectId, leaf: Leaf) -> String {
    let leaf = leaf.as_str();
    format!("vaults/{vault}/runs/{run}/objects/{}/{}/{leaf}", id.kind, id.name.folded())
}

pub(super) fn manifests(vault: &VaultName) -> String {
    format!("vaults/{vault}/manifests/")
}

pub(super) fn manifest(vault: &VaultName, planned: OffsetDateTime, run: &RunId) -> String {
    format!("{}-{run}.jsonl.gz", manifests_from(vault, planned))
}

/// Where a listing has to start to show the manifests of runs planned at this time or before.
pub(super) fn manifests_from(vault: &VaultName, planned: OffsetDateTime) -> String {
    format!("{}{}", manifests(vault), countdown(planned))
}

pub(super) fn hsm_backups(hsm: &HsmName) -> String {
    format!("hsms/{hsm}/backups/")
}

/// By the time at which the job was opened.
pub(super) fn hsm_backup(hsm: &HsmName, opened: OffsetDateTime, run: &RunId) -> String {
    format!("{}{}-{run}", hsm_backups(hsm), countdown(opened))
}

/// The two things that can lie under an object's name. The backup comes first in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    Backup,
    Outcome,
}

impl Leaf {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Outcome => "outcome",
        }
    }
}

/// The object and the leaf of a blob under [`objects`].
pub(super) fn parse_object(prefix: &str, name: &str) -> Option<(ObjectId, Leaf)> {
    let mut parts = name.strip_prefix(prefix)?.split('/');
    let id = ObjectId::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let leaf = match parts.next()? {
        "backup" => Leaf::Backup,
        "outcome" => Leaf::Outcome,
        _ => return None,
    };
    parts.next().is_none().then_some((id, leaf))
}

/// The run that a blob under [`runs`] belongs to.
pub(super) fn parse_run(prefix: &str, name: &str) -> Option<RunId> {
    name.strip_prefix(prefix)?.split('/').next()?.parse().ok()
}

/// The run that a manifest speaks of.
pub(super) fn parse_manifest(prefix: &str, name: &str) -> Option<RunId> {
    name.strip_prefix(prefix)?.strip_suffix(".jsonl.gz")?.split_once('-')?.1.parse().ok()
}

/// The vault and the run of a manifest's blob.
pub(super) fn parse_manifest_name(name: &str) -> Option<(VaultName, RunId)> {
    let vault = name.strip_prefix("vaults/")?.split('/').next()?.parse().ok()?;
    let run = parse_manifest(&manifests(&vault), name)?;
    Some((vault, run))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn names_round_trip() {
        let vault: VaultName = "kv-prod".parse().unwrap();
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
    fn the_newest_manifest_sorts_first() {
        let vault: VaultName = "kv-prod".parse().unwrap();
        let name = |at| manifest(&vault, at, &RunId::nightly(at));
        assert!(name(datetime!(2026-11-23 02:00 UTC)) < name(datetime!(2026-11-22 02:00 UTC)));
        assert!(name(datetime!(2099-01-01 0:00 UTC)) < name(datetime!(1999-01-01 0:00 UTC)));
    }
}
