//! Names of the records of verifications.

use time::OffsetDateTime;

use super::countdown;
use crate::domain::{
    run::counted_down,
    source::{SourceId, SourceKind, SourceName},
};

/// The prefix of the verifications of a source, the newest first.
pub(in crate::catalogue) fn verifications(kind: SourceKind, source: &SourceName) -> String {
    format!("verifications/{}/{source}/", kind.folder())
}

/// The record of a verification that ended at a time.
pub(in crate::catalogue) fn verification(
    kind: SourceKind,
    source: &SourceName,
    ended: OffsetDateTime,
) -> String {
    format!("{}{}", verifications(kind, source), countdown(ended))
}

/// The prefix of the signs that a verification found something wrong with newest backups of a source, the newest first.
pub(in crate::catalogue) const SUSPECTS: &str = "verifications/suspects/";

/// The sign of a verification. Programs that know signs of vaults alone pass over that of an HSM, because no name of a source has
/// a slash.
pub(in crate::catalogue) fn suspects(kind: SourceKind, source: &SourceName, ended: OffsetDateTime) -> String {
    let of = match kind {
        SourceKind::Vault => "",
        SourceKind::Hsm => "hsms/",
    };
    format!("{SUSPECTS}{}-{of}{source}", countdown(ended))
}

/// The time and the source of a sign.
pub(in crate::catalogue) fn parse_suspects(name: &str) -> Option<(OffsetDateTime, SourceId)> {
    let (ended, of) = name.strip_prefix(SUSPECTS)?.split_once('-')?;
    let (kind, name) = match of.strip_prefix("hsms/") {
        Some(hsm) => (SourceKind::Hsm, hsm),
        None => (SourceKind::Vault, of),
    };
    Some((counted_down(ended)?, SourceId { kind, name: name.parse().ok()? }))
}

/// The record of what had been deleted in storage before the first verification of a vault.
pub(in crate::catalogue) fn deleted_before(vault: &SourceName) -> String {
    format!("retention/{}/{vault}/deleted-before", SourceKind::Vault.folder())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn records_of_verifications_have_names_that_stay() {
        let (source, ended) = ("kv-prod".parse().unwrap(), datetime!(2026-11-22 02:00 UTC));
        let name = verification(SourceKind::Vault, &source, ended);
        assert_eq!(name, "verifications/vaults/kv-prod/98204687199");
        assert!(verification(SourceKind::Hsm, &source, ended).starts_with("verifications/hsms/kv-prod/"));
        for (kind, expected) in
            [(SourceKind::Vault, "98204687199-kv-prod"), (SourceKind::Hsm, "98204687199-hsms/kv-prod")]
        {
            let sign = suspects(kind, &source, ended);
            assert_eq!(sign, format!("verifications/suspects/{expected}"));
            assert_eq!(parse_suspects(&sign), Some((ended, SourceId { kind, name: source.clone() })));
        }
        assert_eq!(deleted_before(&"kv-prod".parse().unwrap()), "retention/vaults/kv-prod/deleted-before");
        assert_eq!(parse_suspects("verifications/suspects/x-kv-prod"), None);
    }
}
