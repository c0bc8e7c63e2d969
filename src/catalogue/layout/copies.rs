//! Names of the copies of HSMs' backups.

use time::OffsetDateTime;

use super::{countdown, counted_down};
use crate::domain::{run::RunId, source::SourceName};

/// The prefix of the records of an HSM's copies, that of the newest backup first.
pub(in crate::catalogue) fn copy_records(hsm: &SourceName) -> String {
    format!("hsm-copies/{hsm}/records/")
}

/// The record of what became of the copy of a backup, sorted as the backup is.
pub(in crate::catalogue) fn copy_record(hsm: &SourceName, opened: OffsetDateTime, run: &RunId) -> String {
    format!("{}{}-{run}", copy_records(hsm), countdown(opened))
}

/// When the backup was opened whose copy a record is about, by the record's name.
pub(in crate::catalogue) fn opened(prefix: &str, name: &str) -> Option<OffsetDateTime> {
    counted_down(name.strip_prefix(prefix)?.split_once('-')?.0)
}

/// The prefix of a copy's blobs, which have the names that they have in the folder.
pub(in crate::catalogue) fn copied_blobs(hsm: &SourceName, run: &RunId) -> String {
    format!("hsm-copies/{hsm}/blobs/{run}/")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn copies_have_names_that_stay() {
        let (hsm, opened) = ("hsm-a".parse().unwrap(), datetime!(2026-11-22 02:00 UTC));
        let run = RunId::nightly(opened);
        assert_eq!(
            copy_record(&hsm, opened, &run),
            "hsm-copies/hsm-a/records/98204687199-20261122T020000Z-nightly"
        );
        let record = copy_record(&hsm, opened, &run);
        assert_eq!(super::opened(&copy_records(&hsm), &record), Some(opened));
        assert_eq!(copied_blobs(&hsm, &run), "hsm-copies/hsm-a/blobs/20261122T020000Z-nightly/");
    }
}
