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

/// What is to be put, with its MD5. Made before the container is locked: the sum takes longer than the rest.
pub(crate) struct Upload {
    bytes: Bytes,
    md5: [u8; 16],
}

impl Upload {
    /// Takes the body of a request and holds it against the sums that came with it.
    pub(crate) fn read(call: &Call) -> Result<Self, Reply> {
        let upload = Self { bytes: call.body.clone(), md5: md5(&call.body) };
        for header in ["content-md5", "x-ms-blob-content-md5"] {
            let Some(sum) = call.header(header) else { continue };
            match BASE64_STANDARD.decode(sum) {
                Ok(sum) if sum == upload.md5 => {}
                Ok(sum) if sum.len() == 16 => return Err(md5_mismatch(call)),
                _ => return Err(invalid_md5(call)),
            }
        }
        Ok(upload)
    }
}

/// Put Blob.
pub(crate) fn put(
    account: &Account,
    container: &mut Container,
    call: &Call,
    name: &str,
    upload: Upload,
) -> Result<Reply, Reply> {
    if call.header("x-ms-blob-type").is_none_or(|kind| kind != "BlockBlob") {
        let message = "The value for one of the HTTP headers is not in the correct format.";
        return Err(error(call, StatusCode::BAD_REQUEST, "InvalidHeaderValue", message));
    }
    let content_type = call.header("x-ms-blob-content-type").or_else(|| call.header("content-type"));
    let mut reply = store(
        account,
        container,
        call,
        name,
        NewBlob { bytes: upload.bytes, md5: Some(upload.md5), content_type },
    )?;
    reply.set("content-md5", &BASE64_STANDARD.encode(upload.md5));
    Ok(reply)
}

/// Put Block. The block waits for a block list. Under an immutability policy of the container it is denied where
/// there is a blob by that name (documented, as are Put Blob and Put Block List).
pub(crate) fn put_block(
    container: &mut Container,
    call: &Call,
    name: &str,
    upload: Upload,
) -> Result<Reply, Reply> {
    let Some(id) = call.query.get("blockid").filter(|id| BASE64_STANDARD.decode(id).is_ok()) else {
        let message = "Value for one of the query parameters specified in the request URI is invalid.";
        return Err(error(call, StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", message));
    };
    if container.append_only && container.blobs.contains_key(name) {
        return Err(immutable(call));
    }
    container.blocks.entry(name.to_owned()).or_default().insert(id.to_owned(), upload.bytes);
    let mut reply = created();
    reply.set("content-md5", &BASE64_STANDARD.encode(upload.md5));
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
    // The sum of a blob made of blocks is what the client says it is. Nobody checks it.
    let md5 = call.header("x-ms-blob-content-md5").and_then(|sum| BASE64_STANDARD.decode(sum).ok());
    let content = NewBlob {
        bytes: content.freeze(),
        md5: md5.and_then(|sum| sum.try_into().ok()),
        content_type: call.header("x-ms-blob-content-type"),
    };
    let reply = store(account, container, call, name, content)?;
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

/// The content of a blob that is to be stored.
struct NewBlob<'a> {
    bytes: Bytes,
    md5: Option<[u8; 16]>,
    content_type: Option<&'a str>,
}

fn store(
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
    let blob = StoredBlob {
        metadata: metadata::read(call)?,
        content_type: content.content_type.unwrap_or("application/octet-stream").to_owned(),
        content_encoding: call.header("x-ms-blob-content-encoding").map(str::to_owned),
        content_md5: content.md5,
        etag: account.etag(),
        created: existing.map_or(call.now, |blob| blob.created),
        last_modified: call.now,
        bytes: content.bytes,
    };
    let reply = written(&blob);
    container.blobs.insert(name.to_owned(), blob);
    Ok(reply)
}

fn md5_mismatch(call: &Call) -> Reply {
    let message =
        "The MD5 value specified in the request did not match with the MD5 value calculated by the server.";
    error(call, StatusCode::BAD_REQUEST, "Md5Mismatch", message)
}

fn invalid_md5(call: &Call) -> Reply {
    let message =
        "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64-encoded.";
    error(call, StatusCode::BAD_REQUEST, "InvalidMd5", message)
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
