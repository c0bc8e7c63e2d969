//! Reading records in blobs, which another version of this program may have written.
//!
//! A record of a newer format is refused before it is decoded: what it would seem to say may be wrong.

use serde::de::DeserializeOwned;

use crate::{
    azure::container::Metadata,
    domain::record::Format,
    error::{Error, Result, damaged},
};

/// Reads JSON of a known format.
///
/// # Errors
/// [`Error::TooNew`] if a newer program wrote it, [`Error::Damaged`] if it cannot be read.
pub fn read<T: DeserializeOwned>(blob: &str, json: &[u8], known: u32) -> Result<T> {
    refuse_newer(blob, serde_json::from_slice(json).map_err(unreadable(blob))?, known)?;
    serde_json::from_slice(json).map_err(unreadable(blob))
}

/// Reads the record in a blob's metadata; `None` if there is none.
///
/// # Errors
/// As [`read`].
pub fn read_metadata<T: DeserializeOwned>(
    blob: &str,
    metadata: &Metadata,
    key: &str,
    known: u32,
) -> Result<Option<T>> {
    metadata.get(key).map(|text| read(blob, text.as_bytes(), known)).transpose()
}

/// Refuses a format that a newer program wrote.
///
/// # Errors
/// [`Error::TooNew`].
pub fn refuse_newer(blob: &str, format: Format, known: u32) -> Result<()> {
    match format.newer_than(known) {
        Some(found) => Err(Error::TooNew { what: format!("blob {blob}"), found, known }),
        None => Ok(()),
    }
}

fn unreadable(blob: &str) -> impl Fn(serde_json::Error) -> Error {
    move |error| damaged(blob, &format_args!("its record cannot be read: {error}"))
}
