//! How restores are stored: records in metadata, plans as compressed JSON.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, de::DeserializeOwned};
use time::OffsetDateTime;

use super::damaged;
use crate::{
    azure::container::{Item, Metadata},
    domain::{
        object::ObjectId,
        outcome::Failure,
        restore::{RESTORE_FORMAT, RestorePlan, StepOutcome, StepResult},
    },
    error::{Error, Result},
};

/// The largest plan that is read, unpacked. One of 25,000 objects has some 15 MiB.
const PLAN_LIMIT: u64 = 256 * 1024 * 1024;

/// The record in a blob's metadata.
///
/// # Errors
/// [`Error::TooNew`] for a newer program's, [`Error::Damaged`] for one that cannot be read.
pub(super) fn record_in<T: DeserializeOwned>(name: &str, metadata: &Metadata, key: &str) -> Result<T> {
    let text = metadata.get(key).ok_or_else(|| damaged(name, &"its record is gone"))?;
    parse(name, text.as_bytes(), RESTORE_FORMAT)
}

/// Reads JSON of a known format.
pub(super) fn parse<T: DeserializeOwned>(name: &str, json: &[u8], known: u32) -> Result<T> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u64,
    }
    let unreadable = |error| damaged(name, &format_args!("its record cannot be read: {error}"));
    match serde_json::from_slice(json).map_err(unreadable)? {
        Versioned { v } if v > known.into() => {
            Err(Error::TooNew { what: format!("blob {name}"), found: v, known })
        }
        Versioned { .. } => serde_json::from_slice(json).map_err(unreadable),
    }
}

pub(super) fn outcome_in(item: &Item, object: &ObjectId, asked: OffsetDateTime) -> Result<StepOutcome> {
    match record_in::<StepOutcome>(&item.name, &item.metadata, "outcome") {
        Ok(outcome) if outcome.id() == *object => Ok(outcome),
        Ok(_) | Err(Error::Damaged { .. }) => {
            let text = format!("what came of it cannot be read: blob {} is damaged", item.name);
            let result = StepResult::Failed(Failure::ours("RecordUnreadable", text));
            Ok(StepOutcome::new(object, result, asked))
        }
        Err(error) => Err(error),
    }
}

pub(super) fn read<T: DeserializeOwned>(metadata: &Metadata, key: &str) -> Option<T> {
    serde_json::from_str(metadata.get(key)?).ok()
}

pub(super) fn pack(plan: &RestorePlan) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&serde_json::to_vec(plan)?)?;
    encoder.finish()
}

pub(super) fn unpack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut json = Vec::new();
    GzDecoder::new(bytes).take(PLAN_LIMIT).read_to_end(&mut json)?;
    Ok(json)
}
