//! Reading and deleting blobs.

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::StatusCode;
use time::{Duration, OffsetDateTime};

use super::{
    account::{Container, StoredBlob, md5},
    condition,
    error::{blob_not_found, error, forbidden, immutable},
    metadata,
};
use crate::azure::{call::Call, reply::Reply, timestamp::http_date};

/// Get Blob, whole or a range of it.
pub(crate) fn get(container: &Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    let blob = container.blobs.get(name).ok_or_else(|| blob_not_found(call))?;
    condition::check_read(call, blob)?;
    let total = blob.bytes.len();
    let Some((start, end)) = range(call, total).map_err(|RangeOutside| {
        let message = "The range specified is invalid for the current size of the resource.";
        error(call, StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message)
            .header("content-range", &format!("bytes */{total}"))
    })?
    else {
        let mut reply = properties(StatusCode::OK, blob);
        set_md5(&mut reply, "content-md5", blob.content_md5);
        reply.body = blob.bytes.clone();
        return Ok(reply);
    };
    let mut reply = properties(StatusCode::PARTIAL_CONTENT, blob);
    reply.body = blob.bytes.slice(start..end);
    reply.set("content-range", &format!("bytes {start}-{}/{total}", end - 1));
    set_md5(&mut reply, "x-ms-blob-content-md5", blob.content_md5);
    if call.header("x-ms-range-get-content-md5").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        let digest = md5(&reply.body);
        set_md5(&mut reply, "content-md5", Some(digest));
    }
    Ok(reply)
}

/// Get Blob Properties.
pub(crate) fn head(container: &Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    let blob = container.blobs.get(name).ok_or_else(|| blob_not_found(call))?;
    condition::check_read(call, blob)?;
    let mut reply = properties(StatusCode::OK, blob);
    show_protection(container, blob, &mut reply);
    set_md5(&mut reply, "content-md5", blob.content_md5);
    if call.method == hyper::Method::HEAD {
        reply.set("content-length", &blob.bytes.len().to_string());
    }
    Ok(reply)
}

/// Delete Blob.
pub(crate) fn delete(container: &mut Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    if container.append_only {
        return Err(forbidden(call));
    }
    let blob = container.blobs.get(name).ok_or_else(|| blob_not_found(call))?;
    condition::check_read(call, blob)?;
    if protected_until(container, blob).is_some_and(|until| until > call.now) {
        return Err(immutable(call));
    }
    container.blobs.remove(name);
    Ok(Reply::new(StatusCode::ACCEPTED).header("x-ms-delete-type-permanent", "true"))
}

fn protected_until(container: &Container, blob: &StoredBlob) -> Option<OffsetDateTime> {
    Some(blob.created + Duration::days(container.protection?.days.into()))
}

fn show_protection(container: &Container, blob: &StoredBlob, reply: &mut Reply) {
    if let (Some(of), Some(until)) = (container.protection, protected_until(container, blob)) {
        reply.set("x-ms-immutability-policy-until-date", &http_date(until));
        reply.set_static("x-ms-immutability-policy-mode", if of.locked { "locked" } else { "unlocked" });
    }
}

fn properties(status: StatusCode, blob: &StoredBlob) -> Reply {
    let mut reply = Reply::new(status);
    reply.set("content-type", &blob.content_type);
    if let Some(encoding) = &blob.content_encoding {
        reply.set("content-encoding", encoding);
    }
    reply.set("etag", &blob.etag);
    reply.set("last-modified", &http_date(blob.last_modified));
    reply.set("x-ms-creation-time", &http_date(blob.created));
    for (name, value) in [
        ("accept-ranges", "bytes"),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-lease-state", "available"),
        ("x-ms-lease-status", "unlocked"),
        ("x-ms-server-encrypted", "true"),
    ] {
        reply.set_static(name, value);
    }
    metadata::write(&blob.metadata, &mut reply);
    reply
}

fn set_md5(reply: &mut Reply, name: &'static str, md5: Option<[u8; 16]>) {
    if let Some(md5) = md5 {
        reply.set(name, &BASE64_STANDARD.encode(md5));
    }
}

/// The range begins behind the end of the blob.
struct RangeOutside;

/// Start and end, the end not included.
fn range(call: &Call, total: usize) -> Result<Option<(usize, usize)>, RangeOutside> {
    let header = call.header("x-ms-range").or_else(|| call.header("range"));
    let Some((start, end)) =
        header.and_then(|range| range.strip_prefix("bytes=")).and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let Ok(start) = start.parse::<usize>() else { return Ok(None) };
    if start >= total {
        return Err(RangeOutside);
    }
    let end = end.parse::<usize>().map_or(total, |end| end.saturating_add(1).min(total));
    Ok(Some((start, end.max(start))))
}
