//! Put Blob From URL: the service itself reads the content of the new blob from another one.
//!
//! As documented: a body is refused, the source is read with the token in `x-ms-copy-source-authorization`, it has at most
//! 5,000 MiB, the properties of the source come along unless that is switched off, and a sum of the source is checked. What
//! the service reports of a source that it cannot read is `CannotVerifyCopySource` with the status of the source (known from
//! reports: of a firewall 403 with the words below, of a missing blob 404, of a missing token 401). The two headers that name the
//! source's own status and code are documented for the newer versions of the service. Inferred: that metadata does not come
//! along, and that the destination's rights are looked at first.

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::{StatusCode, Uri};

use super::{
    account::{Account, StoredBlob, md5},
    blob_write::{NewBlob, store},
    condition::exists,
    container::write,
    error::{error, invalid_header, mandatory_header},
};
use crate::azure::{World, call::Call, hosts::Target, identity::Token, reply::Reply};

/// The most bytes of a source.
const LARGEST: usize = 5000 * 1024 * 1024;

/// Put Blob From URL.
pub(crate) fn put(world: &World, account: &Account, call: &Call, name: &str) -> Result<Reply, Reply> {
    if call.header("x-ms-blob-type").is_none() {
        return Err(mandatory_header(call));
    }
    if !call.body.is_empty() {
        return Err(invalid_header(call, "content-length", &call.body.len().to_string()));
    }
    // The rights and the conditions of the destination, before the source is read.
    write(account, call, |container| match container.blobs.get(name) {
        Some(_) if call.header("if-none-match") == Some("*") => Err(exists(call)),
        _ => Ok(Reply::new(StatusCode::OK)),
    })?;
    let source = source(world, call)?;
    let sum = md5(&source.bytes);
    if let Some(expected) = call.header("x-ms-source-content-md5")
        && expected != BASE64_STANDARD.encode(sum)
    {
        let message = "The MD5 value specified in the request did not match with the MD5 value calculated by the server.";
        return Err(error(call, StatusCode::BAD_REQUEST, "Md5Mismatch", message));
    }
    let keeps = call.header("x-ms-copy-source-blob-properties") != Some("false");
    let of_source = keeps.then_some(source.content_type.as_str());
    let content_type = call.header("x-ms-blob-content-type").or(of_source);
    let content = NewBlob { bytes: source.bytes.clone(), md5: Some(sum), content_type, blocks: Vec::new() };
    let mut reply = write(account, call, |container| store(account, container, call, name, content))?;
    reply.set("content-md5", &BASE64_STANDARD.encode(sum));
    Ok(reply)
}

/// The blob that a request copies, if the token that came for it may read it.
fn source(world: &World, call: &Call) -> Result<StoredBlob, Reply> {
    let address = call.header("x-ms-copy-source").unwrap_or_default();
    let parsed = address.parse::<Uri>().ok();
    let place =
        parsed.as_ref().and_then(|uri| Some((uri.host()?, uri.path().strip_prefix('/')?.split_once('/')?)));
    let Some((host, (container, blob))) = place else {
        return Err(invalid_header(call, "x-ms-copy-source", address));
    };
    let Ok(Target::Blob(account)) = crate::azure::hosts::Host::find(world, host).map(|of| of.target) else {
        return Err(unverified(call, StatusCode::NOT_FOUND, "ResourceNotFound", MISSING));
    };
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (container, blob) = (decode(container), decode(blob));
    let token = call.header("x-ms-copy-source-authorization").and_then(|text| text.strip_prefix("Bearer "));
    let is_for =
        |token: &Token| token.audience == "https://storage.azure.com" || token.audience.ends_with(host);
    let Some(token) = token.and_then(|token| world.identity.token(token)).filter(|token| is_for(token))
    else {
        return Err(unverified(call, StatusCode::UNAUTHORIZED, "NoAuthenticationInformation", NO_TOKEN));
    };
    if account.is_closed_to_copies() {
        return Err(unverified(call, StatusCode::FORBIDDEN, "AuthorizationFailure", CLOSED));
    }
    if !account.guard.may_read(&token.caller, &container) {
        return Err(unverified(call, StatusCode::FORBIDDEN, "AuthorizationPermissionMismatch", NO_RIGHT));
    }
    let containers = account.containers.read();
    let found = containers.get(&container).and_then(|container| container.blobs.get(&blob)).cloned();
    drop(containers);
    let found = found.ok_or_else(|| unverified(call, StatusCode::NOT_FOUND, "BlobNotFound", MISSING))?;
    if call
        .header("x-ms-source-if-match")
        .is_some_and(|tag| tag.trim_matches('"') != found.etag.trim_matches('"'))
    {
        let message = "The source condition specified using HTTP conditional header(s) is not met.";
        return Err(error(call, StatusCode::PRECONDITION_FAILED, "SourceConditionNotMet", message));
    }
    if found.bytes.len() > LARGEST {
        let message = "The request body is too large and exceeds the maximum permissible limit.";
        return Err(error(call, StatusCode::PAYLOAD_TOO_LARGE, "RequestBodyTooLarge", message));
    }
    Ok(found)
}

const CLOSED: &str = "This request is not authorized to perform this operation.";
const NO_RIGHT: &str = "This request is not authorized to perform this operation using this permission.";
const NO_TOKEN: &str = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
const MISSING: &str = "The specified resource does not exist.";

/// What is answered for a source that the service cannot read.
fn unverified(call: &Call, status: StatusCode, code: &str, message: &str) -> Reply {
    let reply = error(call, status, "CannotVerifyCopySource", message);
    reply.header("x-ms-copy-source-status-code", status.as_str()).header("x-ms-copy-source-error-code", code)
}
