//! Names of what people recorded about the right to restore an HSM. `infra/scripts/hsm-roles.sh` writes them.

use time::{
    OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description,
};

use crate::domain::source::SourceName;

const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// The prefix of the records about an HSM, in the order of their times.
pub(in crate::catalogue) fn restore_grants(hsm: &SourceName) -> String {
    format!("attestations/hsm-restore/{hsm}/")
}

/// The identity that a record is about, and the end of its right, which a revocation does not have. The name says all.
pub(in crate::catalogue) fn parse_restore_grant(
    prefix: &str,
    name: &str,
) -> Option<(String, Option<OffsetDateTime>)> {
    let mut parts = name.strip_prefix(prefix)?.splitn(3, '.');
    let (at, principal, act) = (parts.next()?, parts.next()?, parts.next()?);
    stamp(at)?;
    // It becomes part of a command.
    let is_id = !principal.is_empty() && principal.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let until = match act {
        "revoked" => None,
        _ => Some(stamp(act.strip_prefix("until-")?)?),
    };
    is_id.then(|| (principal.to_owned(), until))
}

fn stamp(text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text, STAMP).ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_record_has_the_identity_and_the_end_and_nothing_else_is_one() {
        let prefix = restore_grants(&"hsm-a".parse().unwrap());
        let grant = Some(("a-1".to_owned(), Some(datetime!(2026-11-22 06:00 UTC))));
        for (name, expected) in [
            ("20261122T020000Z.a-1.until-20261122T060000Z", grant),
            ("20261122T020000Z.a-1.revoked", Some(("a-1".to_owned(), None))),
            ("20261122T020000Z.a-1.until-tomorrow", None),
            ("20261122T020000Z.a-1.lifted", None),
            ("20261122T020000Z.a-1.revoked.txt", None),
            ("20261122T020000Z.a 1.revoked", None),
            ("20261122T020000Z..revoked", None),
            ("some-day.a-1.revoked", None),
            ("20261122T020000Z.a-1", None),
        ] {
            assert_eq!(parse_restore_grant(&prefix, &format!("{prefix}{name}")), expected, "{name}");
        }
        assert_eq!(parse_restore_grant(&prefix, "attestations/hsm-restore/hsm-b/x"), None);
    }
}
