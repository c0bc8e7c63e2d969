//! List Blobs.

use std::{fmt::Write, ops::Bound};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use hyper::StatusCode;
use quick_xml::escape::escape;

use super::{
    account::{Account, Container, StoredBlob},
    error::{PROLOGUE, XML, error},
};
use crate::azure::{call::Call, operation::Service, reply::Reply, timestamp::http_date};

/// One page of a flat listing, or of the names up to a delimiter, in the order of the bytes of the names.
pub(crate) fn list(
    account: &Account,
    container: &Container,
    call: &Call,
    page_size: usize,
) -> Result<Reply, Reply> {
    let query = &call.query;
    let from = match query.get("marker").filter(|marker| !marker.is_empty()) {
        Some(marker) => read_marker(marker).ok_or_else(|| invalid_marker(call))?,
        None => query.get("startFrom").unwrap_or_default().to_owned(),
    };
    let size = query.number::<usize>("maxresults").unwrap_or(page_size).clamp(1, page_size);
    let (items, next) = page(container, call, &from, size);

    let mut body = String::with_capacity(items.len() + 500);
    body.push_str(PROLOGUE);
    let endpoint = format!("https://{}{}/", account.name, account.cloud.suffix(Service::Blob));
    let name = escape(&call.route.name);
    let _ = write!(body, "<EnumerationResults ServiceEndpoint=\"{endpoint}\" ContainerName=\"{name}\">");
    for tag in ["Prefix", "Marker", "MaxResults", "Delimiter"] {
        if let Some(value) = query.get(tag) {
            element(&mut body, tag, value);
        }
    }
    body.push_str("<Blobs>");
    body.push_str(&items);
    body.push_str("</Blobs>");
    element(&mut body, "NextMarker", &next.map(write_marker).unwrap_or_default());
    body.push_str("</EnumerationResults>");
    Ok(Reply::new(StatusCode::OK).body(XML, body))
}

/// The items of a page, and the name that the next one begins with.
fn page<'a>(container: &'a Container, call: &Call, from: &str, size: usize) -> (String, Option<&'a str>) {
    let prefix = call.query.get("prefix").unwrap_or_default();
    let delimiter = call.query.get("delimiter").filter(|delimiter| !delimiter.is_empty());
    let include = call.query.get("include").unwrap_or_default();
    let metadata = include.split(',').any(|part| part == "metadata");
    let blobs = container.blobs.range::<str, _>((Bound::Included(from.max(prefix)), Bound::Unbounded));
    let mut items = String::new();
    let mut folder: Option<String> = None;
    let mut count = 0;
    for (name, blob) in blobs.take_while(|(name, _)| name.starts_with(prefix)) {
        if folder.as_deref().is_some_and(|folder| name.starts_with(folder)) {
            continue;
        }
        if count == size {
            return (items, Some(name));
        }
        count += 1;
        folder = delimiter.and_then(|delimiter| up_to(name, prefix, delimiter));
        match &folder {
            Some(folder) => write_prefix(&mut items, folder),
            None => write_blob(&mut items, name, blob, metadata),
        }
    }
    (items, None)
}

fn up_to(name: &str, prefix: &str, delimiter: &str) -> Option<String> {
    let rest = name.get(prefix.len()..)?;
    let at = rest.find(delimiter)?;
    name.get(..prefix.len() + at + delimiter.len()).map(str::to_owned)
}

fn write_prefix(out: &mut String, prefix: &str) {
    out.push_str("<BlobPrefix>");
    element(out, "Name", prefix);
    out.push_str("</BlobPrefix>");
}

fn write_blob(out: &mut String, name: &str, blob: &StoredBlob, metadata: bool) {
    out.push_str("<Blob>");
    element(out, "Name", name);
    out.push_str("<Properties>");
    element(out, "Creation-Time", &http_date(blob.created));
    element(out, "Last-Modified", &http_date(blob.last_modified));
    element(out, "Etag", blob.etag.trim_matches('"'));
    element(out, "Content-Length", &blob.bytes.len().to_string());
    element(out, "Content-Type", &blob.content_type);
    element(out, "Content-Encoding", blob.content_encoding.as_deref().unwrap_or_default());
    out.push_str("<Content-Language />");
    element(out, "Content-MD5", &blob.content_md5.map(|md5| BASE64_STANDARD.encode(md5)).unwrap_or_default());
    out.push_str(
        "<Cache-Control /><Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>",
    );
    out.push_str("<AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>");
    out.push_str("<ServerEncrypted>true</ServerEncrypted></Properties>");
    if metadata {
        out.push_str("<Metadata>");
        for (name, value) in &blob.metadata {
            element(out, name, value);
        }
        out.push_str("</Metadata>");
    }
    out.push_str("<OrMetadata /></Blob>");
}

/// An element with text. The service writes empty ones in the short form.
pub(crate) fn element(out: &mut String, tag: &str, text: &str) {
    if text.is_empty() {
        let _ = write!(out, "<{tag} />");
        return;
    }
    out.push('<');
    out.push_str(tag);
    out.push('>');
    out.push_str(&escape(text));
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

/// A marker is opaque to clients. Ours holds the name of the next blob.
fn write_marker(next: &str) -> String {
    let inner = BASE64_URL_SAFE_NO_PAD.encode(next);
    format!("2!{}!{inner}", inner.len())
}

fn read_marker(marker: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(marker.rsplit('!').next()?).ok()?).ok()
}

fn invalid_marker(call: &Call) -> Reply {
    let message = "Value for one of the query parameters specified in the request URI is invalid.";
    error(call, StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", message)
}
