//! The audit trail, listed and verified.

use crate::{
    app::App,
    catalogue::Checked,
    domain::{audit::Record, digest::Digest},
    error::Result,
};

/// What verification says of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// Every record is there, as it was written.
    Whole,
    /// A record is missing or was changed.
    Damaged,
    /// It has no records, so it is neither.
    Empty,
}

/// The trail, verified.
#[derive(Debug)]
pub struct Verified {
    /// What was found.
    pub checked: Checked,
    /// The expected records that are not there.
    pub gone: Vec<Digest>,
}

impl Verified {
    /// What this says of the trail.
    pub fn soundness(&self) -> Soundness {
        soundness(self.checked.records, self.checked.faults.len(), self.gone.len())
    }
}

/// A trail from which an expected record is gone is damaged even if nothing is left of it.
fn soundness(records: u32, faults: usize, gone: usize) -> Soundness {
    match (records, faults + gone) {
        (0, 0) => Soundness::Empty,
        (_, 0) => Soundness::Whole,
        (_, _) => Soundness::Damaged,
    }
}

/// Verifies the whole trail. The records with the `expected` digests must still be there.
///
/// # Errors
/// When the trail cannot be read.
pub async fn verify(app: &App, expected: &[Digest]) -> Result<Verified> {
    let checked = app.audit()?.verify(|_, _| {}).await?;
    let gone = expected.iter().filter(|digest| !checked.has(digest)).copied().collect();
    Ok(Verified { checked, gone })
}

/// The readable records, oldest first, and the number of faults of the trail.
///
/// # Errors
/// As [`verify`].
pub async fn records(app: &App) -> Result<(Vec<Record>, usize)> {
    let mut records = Vec::new();
    let checked = app.audit()?.verify(|_, record| records.push(record)).await?;
    records.sort_by_key(|record| record.at);
    Ok((records, checked.faults.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_is_whole_if_it_has_records_and_nothing_is_wrong_with_them() {
        for (records, faults, gone, expected) in [
            (0, 0, 0, Soundness::Empty),
            (1, 0, 0, Soundness::Whole),
            (9, 1, 0, Soundness::Damaged),
            (9, 0, 1, Soundness::Damaged),
            (0, 0, 1, Soundness::Damaged),
            (0, 1, 0, Soundness::Damaged),
        ] {
            assert_eq!(soundness(records, faults, gone), expected, "{records} {faults} {gone}");
        }
    }
}
