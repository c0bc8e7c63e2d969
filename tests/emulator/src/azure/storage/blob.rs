//! Reading and deleting blobs.

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::StatusCode;

use super::{
    account::{Container, md5},
    condition,
    crc64::crc64,
    error::{blob_not_found, error, forbidden, invalid_header, not_on_root},
    immutable, metadata, structured,
    versions::{Deletion, Keeping, Shown},
};
use crate::azure::{call::Call, reply::Reply, timestamp::http_date};

/// Get Blob, whole or a range of it.
pub(crate) fn get(container: &Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    let shown = asked_for(container, call, name)?;
    let blob = shown.blob;
    let total = blob.bytes.len();
    let range = range(call, total).map_err(|RangeOutside| {
        let message = "The range specified is invalid for the current size of the resource.";
        error(call, StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message)
            .header("content-range", &format!("bytes */{total}"))
    })?;
    check_sums(call, range.is_some())?;
    let Some((start, end)) = range else {
        let mut reply = properties(StatusCode::OK, shown);
        set_md5(&mut reply, "content-md5", blob.content_md5);
        reply.body = blob.bytes.clone();
        frame(call, &mut reply);
        return Ok(reply);
    };
    let mut reply = properties(StatusCode::PARTIAL_CONTENT, shown);
    reply.body = blob.bytes.slice(start..end);
    reply.set("content-range", &format!("bytes {start}-{}/{total}", end - 1));
    set_md5(&mut reply, "x-ms-blob-content-md5", blob.content_md5);
    sums_of_range(call, &mut reply)?;
    frame(call, &mut reply);
    Ok(reply)
}

/// Puts the content into a frame with sums where that is asked for.
fn frame(call: &Call, reply: &mut Reply) {
    if call.header("x-ms-structured-body").is_some() {
        reply.set_static("x-ms-structured-body", structured::FORM);
        reply.set("x-ms-structured-content-length", &reply.body.len().to_string());
        reply.body = structured::encode(&reply.body);
    }
}

/// Which sum of a range is wanted.
const SUMS: [&str; 2] = ["x-ms-range-get-content-md5", "x-ms-range-get-content-crc64"];

/// Refuses a sum that is asked for without a range, and both at once (documented; which code that has is inferred).
fn check_sums(call: &Call, has_range: bool) -> Result<(), Reply> {
    let mut asked = SUMS.iter().filter_map(|name| Some((*name, call.header(name)?)));
    match (asked.next(), asked.next()) {
        (_, Some((name, value))) => Err(invalid_header(call, name, value)),
        (Some((name, value)), None) if !has_range => Err(invalid_header(call, name, value)),
        _ => Ok(()),
    }
}

/// The sums of a range, where they are asked for. Ranges of more than four mebibytes have none (documented).
fn sums_of_range(call: &Call, reply: &mut Reply) -> Result<(), Reply> {
    for name in SUMS {
        let Some(value) = call.header(name).filter(|value| value.eq_ignore_ascii_case("true")) else {
            continue;
        };
        if reply.body.len() > 4 * 1024 * 1024 {
            return Err(invalid_header(call, name, value));
        }
        if name.ends_with("md5") {
            let digest = md5(&reply.body);
            set_md5(reply, "content-md5", Some(digest));
        } else {
            reply.set("x-ms-content-crc64", &BASE64_STANDARD.encode(crc64(&reply.body)));
        }
    }
    Ok(())
}

/// The blob or the version that a request reads, if its conditions are met.
fn asked_for<'a>(container: &'a Container, call: &Call, name: &str) -> Result<Shown<'a>, Reply> {
    let current = || {
        let (name, blob) = container.blobs.get_key_value(name)?;
        Some(Shown { name, blob, is_current: true })
    };
    let found = match call.query.get("versionid") {
        Some(id) => container.version(name, id),
        None => current(),
    };
    let Some(shown) = found else {
        condition::check_missing(call)?;
        return Err(blob_not_found(call));
    };
    condition::check_read(call, shown.blob)?;
    Ok(shown)
}

/// Get Blob Properties.
pub(crate) fn head(container: &Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    let shown = asked_for(container, call, name)?;
    let blob = shown.blob;
    let mut reply = properties(StatusCode::OK, shown);
    immutable::show(container, blob, &mut reply);
    set_md5(&mut reply, "content-md5", blob.content_md5);
    if call.method == hyper::Method::HEAD {
        reply.set("content-length", &blob.bytes.len().to_string());
    }
    Ok(reply)
}

/// Delete Blob, or one of its versions.
pub(crate) fn delete(
    container: &mut Container,
    keeping: Keeping,
    call: &Call,
    name: &str,
) -> Result<Reply, Reply> {
    if container.append_only {
        return Err(forbidden(call));
    }
    let version = call.query.get("versionid");
    let found = match version {
        Some(id) => container.version(name, id).map(|shown| shown.blob),
        None => container.blobs.get(name),
    };
    let blob = found.ok_or_else(|| blob_not_found(call))?;
    condition::check_write(call, Some(blob))?;
    immutable::refuse(container, call, blob)?;
    let deletion = match version {
        Some(id) => container.remove_version(keeping, name, id, call.now),
        None => container.remove(keeping, name, call.now),
    };
    let permanent = match deletion {
        Deletion::Permanent => "true",
        Deletion::Kept => "false",
        Deletion::Missing => return Err(blob_not_found(call)),
        Deletion::Current => return Err(not_on_root(call)),
    };
    Ok(Reply::new(StatusCode::ACCEPTED).header("x-ms-delete-type-permanent", permanent))
}

/// Undelete Blob. It does nothing to what is not deleted (documented).
pub(crate) fn undelete(container: &mut Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    if container.undelete(name, call.now) {
        Ok(Reply::new(StatusCode::OK))
    } else {
        Err(blob_not_found(call))
    }
}

fn properties(status: StatusCode, shown: Shown<'_>) -> Reply {
    let blob = shown.blob;
    let mut reply = Reply::new(status);
    if let Some(version) = &blob.version {
        reply.set("x-ms-version-id", version);
        if shown.is_current {
            reply.set_static("x-ms-is-current-version", "true");
        }
    }
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
