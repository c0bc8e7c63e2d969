//! List Blobs.

use std::fmt::Write;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use hyper::StatusCode;
use quick_xml::escape::escape;
use time::OffsetDateTime;

use super::{
    account::{Account, Container},
    error::{PROLOGUE, XML, invalid_query},
    immutable,
    versions::Shown,
};
use crate::azure::{call::Call, operation::Service, reply::Reply, timestamp::http_date};

mod include;

use include::Include;

/// One page of a flat listing, or of the names up to a delimiter, in the order of the bytes of the names.
pub(crate) fn list(
    account: &Account,
    container: &Container,
    call: &Call,
    page_size: usize,
) -> Result<Reply, Reply> {
    let query = &call.query;
    let from = match query.get("marker").filter(|marker| !marker.is_empty()) {
        Some(marker) => read_marker(marker).ok_or_else(|| invalid_query(call))?,
        None => (query.get("startFrom").unwrap_or_default().to_owned(), String::new()),
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

/// Where a page begins: a name, and the key of one of its versions.
type Place = (String, String);

/// The items of a page, and where the next one begins.
fn page(container: &Container, call: &Call, from: &Place, size: usize) -> (String, Option<Place>) {
    let prefix = call.query.get("prefix").unwrap_or_default();
    let delimiter = call.query.get("delimiter").filter(|delimiter| !delimiter.is_empty());
    let include = Include::of(call);
    let mut items = String::new();
    let mut folder: Option<String> = None;
    let mut count = 0;
    for (key, shown) in include.entries(container, prefix, from, call.now) {
        let name = shown.name;
        if folder.as_deref().is_some_and(|folder| name.starts_with(folder)) {
            continue;
        }
        if count == size {
            return (items, Some((name.to_owned(), key.to_owned())));
        }
        count += 1;
        folder = delimiter.and_then(|delimiter| up_to(name, prefix, delimiter));
        match &folder {
            Some(folder) => write_prefix(&mut items, folder),
            None => write_blob(&mut items, container, shown, include, call.now),
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

fn write_blob(
    out: &mut String,
    container: &Container,
    shown: Shown<'_>,
    include: Include<'_>,
    now: OffsetDateTime,
) {
    let blob = shown.blob;
    out.push_str("<Blob>");
    element(out, "Name", shown.name);
    if blob.deleted.is_some() {
        out.push_str("<Deleted>true</Deleted>");
    }
    if let Some(version) = &blob.version {
        element(out, "VersionId", version);
        if shown.is_current {
            out.push_str("<IsCurrentVersion>true</IsCurrentVersion>");
        }
    }
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
    out.push_str("<ServerEncrypted>true</ServerEncrypted>");
    for (tag, text) in
        immutable::elements(container, blob, include.has("immutabilitypolicy"), include.has("legalhold"))
    {
        element(out, tag, &text);
    }
    if let Some(deleted) = blob.deleted {
        element(out, "DeletedTime", &http_date(deleted.at));
        element(out, "RemainingRetentionDays", &(deleted.until - now).whole_days().to_string());
    }
    out.push_str("</Properties>");
    if include.has("metadata") {
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

/// A marker is opaque to clients. Ours holds the name of the next blob and the key of its version.
fn write_marker((name, version): Place) -> String {
    let inner = BASE64_URL_SAFE_NO_PAD.encode(format!("{name}\0{version}"));
    format!("2!{}!{inner}", inner.len())
}

fn read_marker(marker: &str) -> Option<Place> {
    let inner = BASE64_URL_SAFE_NO_PAD.decode(marker.rsplit('!').next()?).ok()?;
    let inner = String::from_utf8(inner).ok()?;
    let (name, version) = inner.split_once('\0')?;
    Some((name.to_owned(), version.to_owned()))
}
