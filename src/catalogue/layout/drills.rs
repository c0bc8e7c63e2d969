//! Names of the records of drills.

use time::OffsetDateTime;

use super::countdown;
use crate::domain::{
    drill::DrillId,
    source::{SourceKind, SourceName},
};

/// The prefix of the drills of a source, the newest first.
pub(in crate::catalogue) fn drills(kind: SourceKind, source: &SourceName) -> String {
    format!("drills/{}/{source}/", kind.folder())
}

/// The name from which a listing of a source's drills shows those that began by a time.
pub(in crate::catalogue) fn drills_from(kind: SourceKind, source: &SourceName, by: OffsetDateTime) -> String {
    format!("{}{}", drills(kind, source), countdown(by))
}

/// The record of a drill that began at a time.
pub(in crate::catalogue) fn drill(
    kind: SourceKind,
    source: &SourceName,
    began: OffsetDateTime,
    id: &DrillId,
) -> String {
    format!("{}{}-{id}", drills(kind, source), countdown(began))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn records_of_drills_have_names_that_stay() {
        let (source, began) = ("kv-prod".parse().unwrap(), datetime!(2026-11-22 02:00 UTC));
        let name = drill(SourceKind::Vault, &source, began, &DrillId::new(began, 0x0f3a_9c41));
        assert_eq!(name, "drills/vaults/kv-prod/98204687199-20261122T020000Z-drill-0f3a9c41");
        assert!(name.starts_with(&drills(SourceKind::Vault, &source)));
        assert_eq!(drills(SourceKind::Hsm, &source), "drills/hsms/kv-prod/");
    }
}
