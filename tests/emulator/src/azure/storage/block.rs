//! Blocks, and the blobs that are made of them.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use quick_xml::{Reader, events::Event};

use super::{
    account::{Account, Block, Container},
    blob_write::{NewBlob, created, store},
    condition,
    error::{PROLOGUE, XML, blob_not_found, error, immutable, invalid_query},
    list::element,
    upload::Upload,
};
use crate::azure::{call::Call, reply::Reply, timestamp::http_date};

/// Put Block. The block waits for a block list. Under an immutability policy of the container it is denied where
/// there is a blob by that name (documented, as are Put Blob and Put Block List).
pub(crate) fn put(
    container: &mut Container,
    call: &Call,
    name: &str,
    upload: Upload,
) -> Result<Reply, Reply> {
    let Some(id) = call.query.get("blockid").filter(|id| BASE64_STANDARD.decode(id).is_ok()) else {
        return Err(invalid_query(call));
    };
    if container.append_only && container.blobs.contains_key(name) {
        return Err(immutable(call));
    }
    let waiting = container.blocks.entry(name.to_owned()).or_default();
    let committed = container.blobs.get(name).and_then(|blob| blob.blocks.first());
    let known = waiting.keys().next().map(String::len).or(committed.map(|block| block.id.len()));
    if known.is_some_and(|length| length != id.len()) {
        let message = "The specified blob or block content is invalid."; // ids have one length (documented)
        return Err(error(call, StatusCode::BAD_REQUEST, "InvalidBlobOrBlock", message));
    }
    let mut reply = created();
    upload.confirm(&mut reply);
    waiting.insert(id.to_owned(), upload.bytes);
    Ok(reply)
}

/// Where a block list has a block from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Committed,
    Uncommitted,
    Latest,
}

/// Put Block List. Blocks that are not in the list are forgotten.
pub(crate) fn put_list(
    account: &Account,
    container: &mut Container,
    call: &Call,
    name: &str,
    upload: &Upload,
) -> Result<Reply, Reply> {
    let listed = read(&upload.bytes).ok_or_else(|| {
        error(
            call,
            StatusCode::BAD_REQUEST,
            "InvalidXmlDocument",
            "XML specified is not syntactically valid.",
        )
    })?;
    let (mut content, mut blocks) = (BytesMut::new(), Vec::with_capacity(listed.len()));
    for (from, id) in listed {
        let Some(bytes) = find(container, name, from, &id) else {
            let message = "The specified block list is invalid.";
            return Err(error(call, StatusCode::BAD_REQUEST, "InvalidBlockList", message));
        };
        content.extend_from_slice(&bytes);
        blocks.push(Block { id, length: bytes.len() });
    }
    // The sum of a blob made of blocks is what the client says it is. It is not checked.
    let md5 = call.header("x-ms-blob-content-md5").and_then(|sum| BASE64_STANDARD.decode(sum).ok());
    let content = NewBlob {
        bytes: content.freeze(),
        md5: md5.and_then(|sum| sum.try_into().ok()),
        content_type: call.header("x-ms-blob-content-type"),
        blocks,
    };
    store(account, container, call, name, content)
}

fn find(container: &Container, name: &str, from: From, id: &str) -> Option<Bytes> {
    let waiting = || container.blocks.get(name)?.get(id).cloned();
    let committed = || container.blobs.get(name)?.block(id);
    match from {
        From::Uncommitted => waiting(),
        From::Committed => committed(),
        From::Latest => waiting().or_else(committed),
    }
}

/// Get Block List.
pub(crate) fn get_list(container: &Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    let blob = container.blobs.get(name);
    let waiting = container.blocks.get(name).filter(|blocks| !blocks.is_empty());
    if blob.is_none() && waiting.is_none() {
        return Err(blob_not_found(call));
    }
    if let Some(blob) = blob {
        condition::check_read(call, blob)?;
    }
    let of = call.query.get("blocklisttype").unwrap_or("committed").to_ascii_lowercase();
    if !["committed", "uncommitted", "all"].contains(&of.as_str()) {
        return Err(invalid_query(call));
    }
    let mut body = format!("{PROLOGUE}<BlockList>");
    if of != "uncommitted" {
        let blocks = blob.into_iter().flat_map(|blob| &blob.blocks);
        write(&mut body, "CommittedBlocks", blocks.map(|block| (block.id.as_str(), block.length)));
    }
    if of != "committed" {
        let blocks = waiting.into_iter().flatten();
        write(&mut body, "UncommittedBlocks", blocks.map(|(id, bytes)| (id.as_str(), bytes.len())));
    }
    body.push_str("</BlockList>");
    let mut reply = Reply::new(StatusCode::OK).body(XML, body);
    if let Some(blob) = blob {
        reply.set("etag", &blob.etag);
        reply.set("last-modified", &http_date(blob.last_modified));
        reply.set("x-ms-blob-content-length", &blob.bytes.len().to_string());
    }
    Ok(reply)
}

fn write<'a>(body: &mut String, tag: &str, blocks: impl Iterator<Item = (&'a str, usize)>) {
    let _ = write!(body, "<{tag}>");
    for (id, length) in blocks {
        body.push_str("<Block>");
        element(body, "Name", id);
        element(body, "Size", &length.to_string());
        body.push_str("</Block>");
    }
    let _ = write!(body, "</{tag}>");
}

/// The blocks in a list, in its order.
fn read(body: &[u8]) -> Option<Vec<(From, String)>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut reader = Reader::from_reader(body);
    reader.config_mut().trim_text(true);
    let (mut listed, mut from) = (Vec::new(), None);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                from = match tag.name().as_ref() {
                    b"Latest" => Some(From::Latest),
                    b"Uncommitted" => Some(From::Uncommitted),
                    b"Committed" => Some(From::Committed),
                    _ => None,
                };
            }
            Event::Text(text) => {
                let id = String::from_utf8(text.into_inner().into_owned()).ok()?;
                listed.extend(from.map(|from| (from, id)));
            }
            Event::End(_) => from = None,
            Event::Eof => return Some(listed),
            _ => {}
        }
    }
}
