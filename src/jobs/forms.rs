//! The stored forms of jobs and plans: records in metadata or in the blob, plans as compressed JSON.

use std::io::{BufReader, BufWriter, IntoInnerError, Read as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::damaged;
use crate::{
    azure::container::{Item, Metadata},
    domain::{
        object::ObjectId,
        outcome::Failure,
        restore::{PLAN_FORMAT, RESTORE_FORMAT, RestorePlan, StepOutcome, StepResult},
    },
    error::{Error, Result},
    stored,
};

/// The largest plan that is read, unpacked. One of 25,000 objects has about 15 MiB.
const PLAN_LIMIT: u64 = 256 * 1024 * 1024;

/// Reads the record in a blob's metadata.
///
/// # Errors
/// [`Error::TooNew`] if a newer program wrote it, [`Error::Damaged`] if it cannot be read.
pub(super) fn record_in<T: DeserializeOwned>(
    name: &str,
    metadata: &Metadata,
    key: &str,
    known: u32,
) -> Result<T> {
    stored::read_metadata(name, metadata, key, known)?.ok_or_else(|| damaged(name, &"its record is gone"))
}

pub(super) fn outcome_in(item: &Item, object: &ObjectId, asked: OffsetDateTime) -> Result<StepOutcome> {
    match record_in::<StepOutcome>(&item.name, &item.metadata, "outcome", RESTORE_FORMAT) {
        Ok(outcome) if outcome.id() == *object => Ok(outcome),
        Ok(_) | Err(Error::Damaged { .. }) => {
            let text = format!("its outcome cannot be read: blob {} is damaged", item.name);
            let result = StepResult::Failed { failure: Failure::ours("RecordUnreadable", text) };
            Ok(StepOutcome::new(object, result, asked))
        }
        Err(error) => Err(error),
    }
}

pub(super) fn read<T: DeserializeOwned>(metadata: &Metadata, key: &str) -> Option<T> {
    serde_json::from_str(metadata.get(key)?).ok()
}

/// Packs a plan. Packing and unpacking stream, because a large plan has many megabytes as text.
pub(super) fn pack(plan: &RestorePlan) -> std::io::Result<Vec<u8>> {
    let mut encoder = BufWriter::new(GzEncoder::new(Vec::new(), Compression::fast()));
    serde_json::to_writer(&mut encoder, plan)?;
    encoder.into_inner().map_err(IntoInnerError::into_error)?.finish()
}

/// Reads a packed plan.
pub(super) fn unpack(name: &str, bytes: &[u8]) -> Result<RestorePlan> {
    let unreadable = |error| damaged(name, &format_args!("it cannot be read: {error}"));
    let text = || BufReader::new(GzDecoder::new(bytes).take(PLAN_LIMIT));
    stored::refuse_newer(name, serde_json::from_reader(text()).map_err(unreadable)?, PLAN_FORMAT)?;
    serde_json::from_reader(text()).map_err(unreadable)
}
