//! Putting blobs, and their metadata.

use bytes::Bytes;
use hyper::StatusCode;

use super::{
    account::{Account, Block, Container, StoredBlob},
    condition,
    error::{blob_not_found, immutable, mandatory_header},
    immutable as protection, metadata,
    upload::Upload,
};
use crate::azure::{call::Call, reply::Reply, timestamp::http_date};

/// Put Blob.
pub(crate) fn put(
    account: &Account,
    container: &mut Container,
    call: &Call,
    name: &str,
    upload: &Upload,
) -> Result<Reply, Reply> {
    if call.header("x-ms-blob-type").is_none() {
        return Err(mandatory_header(call));
    }
    let content_type = call.header("x-ms-blob-content-type").or_else(|| call.header("content-type"));
    let mut reply = store(
        account,
        container,
        call,
        name,
        NewBlob { bytes: upload.bytes.clone(), md5: Some(upload.md5), content_type, blocks: Vec::new() },
    )?;
    upload.confirm(&mut reply);
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
    let blob = container.blobs.get(name).ok_or_else(|| blob_not_found(call))?;
    condition::check_write(call, Some(blob))?;
    if container.append_only {
        return Err(immutable(call));
    }
    protection::refuse(container, call, blob)?;
    let changed = StoredBlob { metadata, etag: account.etag(), last_modified: call.now, ..blob.clone() };
    container.put(account, name, changed, call.now);
    Ok(Reply { status: StatusCode::OK, ..written(container, name) })
}

/// The content of a blob that is to be stored.
pub(crate) struct NewBlob<'a> {
    pub(crate) bytes: Bytes,
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) blocks: Vec<Block>,
}

/// Makes a blob, with what the headers of the request say of it. Blocks that wait are forgotten.
pub(crate) fn store(
    account: &Account,
    container: &mut Container,
    call: &Call,
    name: &str,
    content: NewBlob<'_>,
) -> Result<Reply, Reply> {
    let existing = container.blobs.get(name);
    let immutable_there = existing.is_some() && container.append_only;
    if !(immutable_there && container.policy_first) {
        condition::check_write(call, existing)?;
    }
    if immutable_there {
        return Err(immutable(call));
    }
    let (policy, legal_hold) = protection::of_upload(call)?;
    let blob = StoredBlob {
        metadata: metadata::read(call)?,
        content_type: content.content_type.unwrap_or("application/octet-stream").to_owned(),
        content_encoding: call.header("x-ms-blob-content-encoding").map(str::to_owned),
        content_md5: content.md5,
        etag: account.etag(),
        created: existing.map_or(call.now, |blob| blob.created),
        last_modified: call.now,
        bytes: content.bytes,
        version: None,
        policy,
        legal_hold,
        deleted: None,
        blocks: content.blocks,
    };
    container.put(account, name, blob, call.now);
    container.blocks.remove(name);
    Ok(written(container, name))
}

/// The beginning of an answer to what was put.
pub(crate) fn created() -> Reply {
    let mut reply = Reply::new(StatusCode::CREATED);
    reply.set_static("x-ms-request-server-encrypted", "true");
    reply
}

fn written(container: &Container, name: &str) -> Reply {
    let mut reply = created();
    if let Some(blob) = container.blobs.get(name) {
        reply.set("etag", &blob.etag);
        reply.set("last-modified", &http_date(blob.last_modified));
        if let Some(version) = &blob.version {
            reply.set("x-ms-version-id", version);
        }
    }
    reply
}
