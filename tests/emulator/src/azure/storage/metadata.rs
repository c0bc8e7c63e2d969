//! Metadata: names and values in `x-ms-meta-` headers.

use hyper::StatusCode;

use super::error::error;
use crate::azure::{call::Call, reply::Reply};

/// In the order sent. Names are in small letters, because HTTP clients send header names so.
pub(crate) type Metadata = Vec<(String, String)>;

const LIMIT: usize = 8 * 1024;
const PREFIX: &str = "x-ms-meta-";

/// Reads the metadata of a request, or says what is wrong with it.
pub(crate) fn read(call: &Call) -> Result<Metadata, Reply> {
    let mut metadata = Metadata::new();
    for (name, value) in &call.headers {
        let Some(name) = name.as_str().strip_prefix(PREFIX) else { continue };
        let value = value.to_str().ok().filter(|_| legal(name));
        let Some(value) = value else {
            let message = "The metadata specified is invalid. It has characters that are not permitted.";
            return Err(error(call, StatusCode::BAD_REQUEST, "InvalidMetadata", message));
        };
        metadata.push((name.to_owned(), value.to_owned()));
    }
    if size(&metadata) > LIMIT {
        let message = "The metadata specified exceeds the maximum permissible limit (8KB).";
        return Err(error(call, StatusCode::BAD_REQUEST, "MetadataTooLarge", message));
    }
    Ok(metadata)
}

fn size(metadata: &Metadata) -> usize {
    metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Names must be identifiers of C#.
fn legal(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Adds metadata to an answer.
pub(crate) fn write(metadata: &Metadata, reply: &mut Reply) {
    for (name, value) in metadata {
        let name = hyper::header::HeaderName::try_from(format!("{PREFIX}{name}"));
        if let (Ok(name), Ok(value)) = (name, value.parse()) {
            reply.headers.insert(name, value);
        }
    }
}
