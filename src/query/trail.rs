//! The audit trail, listed and verified.

use crate::{
    app::App,
    catalogue::Checked,
    domain::audit::{Expected, Met, Record},
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
    pub gone: Vec<Expected>,
    /// The expected records in whose places there are others.
    pub changed: Vec<Expected>,
}

impl Verified {
    /// What this says of the trail.
    pub fn soundness(&self) -> Soundness {
        let unmet = self.gone.len() + self.changed.len();
        soundness(self.checked.records, self.checked.faults.len(), unmet)
    }
}

/// A trail from which an expected record is gone is damaged even if nothing is left of it.
fn soundness(records: u32, faults: usize, unmet: usize) -> Soundness {
    match (records, faults + unmet) {
        (0, 0) => Soundness::Empty,
        (_, 0) => Soundness::Whole,
        (_, _) => Soundness::Damaged,
    }
}

/// Verifies the whole trail. What is `expected` must still be there.
///
/// # Errors
/// When the trail cannot be read.
pub async fn verify(app: &App, expected: &[Expected]) -> Result<Verified> {
    let checked = app.audit()?.verify(|_, _| {}).await?;
    let (mut gone, mut changed) = (Vec::new(), Vec::new());
    for expected in expected {
        let met = match expected {
            Expected::Digest(digest) if checked.has(digest) => Met::Same,
            Expected::Digest(_) => Met::Gone,
            Expected::Head(head) => checked.met(head),
        };
        match met {
            Met::Same => {}
            Met::Gone => gone.push(expected.clone()),
            Met::Changed => changed.push(expected.clone()),
        }
    }
    Ok(Verified { checked, gone, changed })
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
        for (records, faults, unmet, expected) in [
            (0, 0, 0, Soundness::Empty),
            (1, 0, 0, Soundness::Whole),
            (9, 1, 0, Soundness::Damaged),
            (9, 0, 1, Soundness::Damaged),
            (0, 0, 1, Soundness::Damaged),
            (0, 1, 0, Soundness::Damaged),
        ] {
            assert_eq!(soundness(records, faults, unmet), expected, "{records} {faults} {unmet}");
        }
    }
}
