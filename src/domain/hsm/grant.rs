//! The right to restore an HSM, as people put it on record: the HSM's own assignments do not end by themselves.

use time::OffsetDateTime;

/// A right to restore an HSM whose end is on record, and whose revocation is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreGrant {
    /// The object id of the identity that has it.
    pub principal: String,
    /// When it is to be revoked.
    pub until: OffsetDateTime,
}

/// The rights that are not revoked, by records in the order of their times. A record has an end if it grants, and none if
/// it revokes; of one identity the last record counts.
pub fn open_grants(records: impl IntoIterator<Item = (String, Option<OffsetDateTime>)>) -> Vec<RestoreGrant> {
    let mut open: Vec<RestoreGrant> = Vec::new();
    for (principal, until) in records {
        open.retain(|grant| grant.principal != principal);
        open.extend(until.map(|until| RestoreGrant { principal, until }));
    }
    open
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::samples::NIGHT;

    /// Records, oldest first, and the grants that are open after them.
    type Case<'a> = (&'a [(&'a str, Option<OffsetDateTime>)], &'a [(&'a str, OffsetDateTime)]);

    #[test]
    fn of_one_identity_the_last_record_counts_and_of_several_each() {
        let (soon, later) = (NIGHT + Duration::HOUR, NIGHT + Duration::DAY);
        let table: [Case<'_>; 6] = [
            (&[], &[]),
            (&[("a", Some(soon))], &[("a", soon)]),
            (&[("a", Some(later)), ("a", Some(soon))], &[("a", soon)]),
            (&[("a", Some(soon)), ("a", None)], &[]),
            (&[("a", None), ("a", Some(soon))], &[("a", soon)]),
            (&[("a", Some(soon)), ("b", Some(later)), ("a", None)], &[("b", later)]),
        ];
        for (records, expected) in table {
            let open = open_grants(records.iter().map(|(of, until)| ((*of).to_owned(), *until)));
            let open: Vec<_> = open.iter().map(|of| (of.principal.as_str(), of.until)).collect();
            assert_eq!(open, expected, "{records:?}");
        }
    }
}
