//! Putting blobs: whole, in blocks, and their metadata.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use quick_xml::{Reader, events::Event};

use super::{
    account::{Account, Container, StoredBlob, md5},
    condition,
    error::{blob_not_found, error, immutable},
    metadata,
};
use crate::azure::{call::Call, reply::Reply, timestamp::http_date};

/// Put Blob.
pub(crate) fn put(
    account: &Account,
    container: &mut Container,
    call: &Call,
    name: &str,
) -> Result<Reply, Reply> {
    if call.header("x-ms-blob-type").is_none_or(|kind| kind != "BlockBlob") {
        return Err(error(
            call,
            StatusCode::BAD_REQUEST,
            "InvalidHeaderValue",
            "The value for one of the HTTP headers is not in the correct format.",
        ));
    }
    check_md5(call)?;
    let digest = md5(&call.body);
    let mut reply = store(account, container, call, name, call.body.clone(), Some(digest))?;
    reply.set("content-md5", &BASE64_STANDARD.encode(digest));
    Ok(reply)
}

/// Put Block. The block waits for a block list.
pub(crate) fn put_block(container: &mut Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    check_md5(call)?;
    let Some(id) = call.query.get("blockid").filter(|id| BASE64_STANDARD.decode(id).is_ok()) else {
        let message = "Value for one of the query parameters specified in the request URI is invalid.";
        return Err(error(call, StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", message));
    };
    container.blocks.entry(name.to_owned()).or_default().insert(id.to_owned(), call.body.clone());
    let mut reply = created();
    reply.set("content-md5", &BASE64_STANDARD.encode(md5(&call.body)));
    Ok(reply)
}

/// Put Block List. Blocks that are not in the list are forgotten.
pub(crate) fn put_block_list(
    account: &Account,
    container: &mut Container,
    call: &Call,
    name: &str,
) -> Result<Reply, Reply> {
    let ids = block_ids(&call.body).ok_or_else(|| {
        error(
            call,
            StatusCode::BAD_REQUEST,
            "InvalidXmlDocument",
            "XML specified is not syntactically valid.",
        )
    })?;
    let blocks = container.blocks.get(name);
    let mut content = BytesMut::new();
    for id in &ids {
        let Some(block) = blocks.and_then(|blocks| blocks.get(id)) else {
            return Err(error(
                call,
                StatusCode::BAD_REQUEST,
                "InvalidBlockList",
                "The specified block list is invalid.",
            ));
        };
        content.extend_from_slice(block);
    }
    let reply = store(account, container, call, name, content.freeze(), None)?;
    container.blocks.remove(name);
    Ok(reply)
}

/// Set Blob Metadata.
pub(crate) fn set_metadata(
    account: &Account,
    container: &mut Container,
    call: &Call,
    name: &str,
) -> Result<Reply, Reply> {
    let metadata = metadata::read(call)?;
    let blob = container.blobs.get_mut(name).ok_or_else(|| blob_not_found(call))?;
    condition::check_write(call, Some(blob))?;
    if container.append_only {
        return Err(immutable(call));
    }
    blob.metadata = metadata;
    blob.etag = account.etag();
    blob.last_modified = call.now;
    Ok(Reply { status: StatusCode::OK, ..written(blob) })
}

fn store(
    account: &Account,
    container: &mut Container,
    call: &Call,
    name: &str,
    bytes: Bytes,
    digest: Option<[u8; 16]>,
) -> Result<Reply, Reply> {
    let existing = container.blobs.get(name);
    condition::check_write(call, existing)?;
    if existing.is_some() && container.append_only {
        return Err(immutable(call));
    }
    let given = call
        .header("x-ms-blob-content-md5")
        .and_then(|md5| BASE64_STANDARD.decode(md5).ok())
        .and_then(|md5| md5.try_into().ok());
    let content_type =
        call.header("x-ms-blob-content-type").or_else(|| digest.and_then(|_| call.header("content-type")));
    let blob = StoredBlob {
        metadata: metadata::read(call)?,
        content_type: content_type.unwrap_or("application/octet-stream").to_owned(),
        content_encoding: call.header("x-ms-blob-content-encoding").map(str::to_owned),
        content_md5: given.or(digest),
        etag: account.etag(),
        created: existing.map_or(call.now, |blob| blob.created),
        last_modified: call.now,
        bytes,
    };
    let reply = written(&blob);
    container.blobs.insert(name.to_owned(), blob);
    Ok(reply)
}

fn check_md5(call: &Call) -> Result<(), Reply> {
    let Some(header) = call.header("content-md5") else { return Ok(()) };
    match BASE64_STANDARD.decode(header) {
        Ok(expected) if expected == md5(&call.body) => Ok(()),
        Ok(expected) if expected.len() == 16 => {
            let message = "The MD5 value specified in the request did not match with the MD5 value calculated by the server.";
            Err(error(call, StatusCode::BAD_REQUEST, "Md5Mismatch", message))
        }
        _ => Err(error(
            call,
            StatusCode::BAD_REQUEST,
            "InvalidMd5",
            "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64-encoded.",
        )),
    }
}

fn created() -> Reply {
    let mut reply = Reply::new(StatusCode::CREATED);
    reply.set_static("x-ms-request-server-encrypted", "true");
    reply
}

fn written(blob: &StoredBlob) -> Reply {
    let mut reply = created();
    reply.set("etag", &blob.etag);
    reply.set("last-modified", &http_date(blob.last_modified));
    reply
}

/// The ids in a block list, whatever list they are to be taken from.
fn block_ids(body: &[u8]) -> Option<Vec<String>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut reader = Reader::from_reader(body);
    reader.config_mut().trim_text(true);
    let mut ids = Vec::new();
    let mut inside = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                inside = matches!(tag.name().as_ref(), b"Latest" | b"Uncommitted" | b"Committed");
            }
            Event::Text(text) if inside => ids.push(String::from_utf8(text.into_inner().into_owned()).ok()?),
            Event::End(_) => inside = false,
            Event::Eof => return Some(ids),
            _ => {}
        }
    }
}
