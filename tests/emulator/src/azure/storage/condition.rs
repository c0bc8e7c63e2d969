//! Conditional headers.

use hyper::{Method, StatusCode};

use super::{
    account::StoredBlob,
    error::{condition_not_met, error},
};
use crate::azure::{call::Call, reply::Reply};

/// Checks `If-Match` and `If-None-Match` of a request that writes.
pub(crate) fn check_write(call: &Call, existing: Option<&StoredBlob>) -> Result<(), Reply> {
    let matches = |tag: &str| existing.is_some_and(|blob| same(tag, &blob.etag));
    if let Some(tag) = call.header("if-none-match") {
        if tag == "*" && existing.is_some() {
            return Err(error(
                call,
                StatusCode::CONFLICT,
                "BlobAlreadyExists",
                "The specified blob already exists.",
            ));
        }
        if tag != "*" && matches(tag) {
            return Err(condition_not_met(call, StatusCode::PRECONDITION_FAILED));
        }
    }
    match call.header("if-match") {
        Some(tag) if !(matches(tag) || tag == "*" && existing.is_some()) => {
            Err(condition_not_met(call, StatusCode::PRECONDITION_FAILED))
        }
        _ => Ok(()),
    }
}

/// Checks `If-Match` and `If-None-Match` of a request that reads.
pub(crate) fn check_read(call: &Call, blob: &StoredBlob) -> Result<(), Reply> {
    if call.header("if-match").is_some_and(|tag| tag != "*" && !same(tag, &blob.etag)) {
        return Err(condition_not_met(call, StatusCode::PRECONDITION_FAILED));
    }
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    if reads && call.header("if-none-match").is_some_and(|tag| tag == "*" || same(tag, &blob.etag)) {
        return Err(condition_not_met(call, StatusCode::NOT_MODIFIED));
    }
    Ok(())
}

/// Clients send entity tags with and without quotes.
fn same(a: &str, b: &str) -> bool {
    a.trim_matches('"') == b.trim_matches('"')
}
