//! Conditional headers, as documented. Where the documentation is silent Azurite was asked.

use hyper::{Method, StatusCode};
use time::OffsetDateTime;

use super::{
    account::StoredBlob,
    error::{condition_not_met, error, invalid_header},
};
use crate::azure::{call::Call, reply::Reply, timestamp::read_http_date};

/// The conditions of a request. Those of tags and leases are not known, and are refused before.
struct Conditions<'a> {
    matches: Option<&'a str>,
    differs: Option<&'a str>,
    modified_since: Option<OffsetDateTime>,
    unmodified_since: Option<OffsetDateTime>,
}

impl<'a> Conditions<'a> {
    fn read(call: &'a Call) -> Result<Self, Reply> {
        let moment = |name: &'static str| {
            let text = call.header(name);
            text.map(|text| read_http_date(text).ok_or_else(|| invalid_header(call, name, text))).transpose()
        };
        Ok(Self {
            matches: call.header("if-match"),
            differs: call.header("if-none-match"),
            modified_since: moment("if-modified-since")?,
            unmodified_since: moment("if-unmodified-since")?,
        })
    }

    /// Whether a request that writes has conditions that go together: one, or the two that are about a change, or
    /// the two that are about none.
    fn is_combined_well(&self) -> bool {
        let change = usize::from(self.differs.is_some()) + usize::from(self.modified_since.is_some());
        let none = usize::from(self.matches.is_some()) + usize::from(self.unmodified_since.is_some());
        change == 0 || none == 0
    }
}

/// Checks the conditions of a request that writes or deletes. The entity tag decides before the date does.
pub(crate) fn check_write(call: &Call, existing: Option<&StoredBlob>) -> Result<(), Reply> {
    let conditions = Conditions::read(call)?;
    if !conditions.is_combined_well() {
        let message = "Multiple condition headers are not supported.";
        return Err(error(call, StatusCode::BAD_REQUEST, "MultipleConditionHeadersNotSupported", message));
    }
    let met = match (existing, conditions.differs, conditions.matches) {
        (Some(_), Some("*"), _) if call.method == Method::PUT => return Err(exists(call)),
        (Some(blob), Some(tag), _) => tag != "*" && !same(tag, &blob.etag),
        (Some(blob), None, Some(tag)) => tag == "*" || same(tag, &blob.etag),
        (Some(blob), None, None) => {
            conditions.modified_since.is_none_or(|since| changed(blob) > since)
                && conditions.unmodified_since.is_none_or(|since| changed(blob) <= since)
        }
        (None, _, matches) => matches.is_none(),
    };
    if met { Ok(()) } else { Err(condition_not_met(call, StatusCode::PRECONDITION_FAILED)) }
}

/// Checks the conditions of a request that reads. Each is looked at; what did not change is answered 304, unless the
/// other of the two conditions about a change says that it did.
pub(crate) fn check_read(call: &Call, blob: &StoredBlob) -> Result<(), Reply> {
    let conditions = Conditions::read(call)?;
    if conditions.differs == Some("*") {
        let message = "The request includes an unsatisfiable condition for this operation.";
        return Err(error(call, StatusCode::BAD_REQUEST, "UnsatisfiableCondition", message));
    }
    let is_there = conditions.matches.is_none_or(|tag| tag == "*" || same(tag, &blob.etag));
    let is_old = conditions.unmodified_since.is_none_or(|since| changed(blob) <= since);
    if !is_there || !is_old {
        return Err(condition_not_met(call, StatusCode::PRECONDITION_FAILED));
    }
    let differs = conditions.differs.map(|tag| !same(tag, &blob.etag));
    let modified = conditions.modified_since.map(|since| changed(blob) > since);
    let said: Vec<bool> = differs.into_iter().chain(modified).collect();
    if said.is_empty() || said.contains(&true) {
        return Ok(());
    }
    Err(condition_not_met(call, StatusCode::NOT_MODIFIED))
}

/// Checks the conditions of a request that reads what is not there.
pub(crate) fn check_missing(call: &Call) -> Result<(), Reply> {
    match call.header("if-match") {
        Some(_) => Err(condition_not_met(call, StatusCode::PRECONDITION_FAILED)),
        None => Ok(()),
    }
}

pub(crate) fn exists(call: &Call) -> Reply {
    error(call, StatusCode::CONFLICT, "BlobAlreadyExists", "The specified blob already exists.")
}

/// The change as headers tell it, which have no fractions of a second.
fn changed(blob: &StoredBlob) -> OffsetDateTime {
    blob.last_modified.replace_nanosecond(0).unwrap_or(blob.last_modified)
}

/// Clients send entity tags with and without quotes.
fn same(a: &str, b: &str) -> bool {
    a.trim_matches('"') == b.trim_matches('"')
}
