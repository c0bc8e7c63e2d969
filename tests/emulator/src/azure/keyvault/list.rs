//! Lists and their pages.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    bundle::{DeletedItem, Item},
    error::JSON,
    life::bin::{Departed, Stage},
    object::{Kind, Version},
    vault::Vault,
};
use crate::azure::{call::Call, reply::Reply};

#[derive(Serialize)]
struct Page<T> {
    value: Vec<T>,
    /// `null` on the last page of a vault's list, and not there on that of an HSM's.
    #[serde(rename = "nextLink", skip_serializing_if = "Option::is_none")]
    next_link: Option<Value>,
}

/// `GET /{kind}`.
pub(crate) fn objects(vault: &Vault, call: &Call, kind: Kind, page_size: usize) -> Reply {
    let store = vault.store.read();
    let options = vault.options.read();
    let size = requested_size(call, page_size);
    let marker = marker(call).unwrap_or_default();
    let after = marker.split('/').nth(1).unwrap_or_default();
    // Certificates of which nothing is there yet are shown to who asks for them.
    let pending = call.query.is("includePending", "true");
    let shown = store.after(kind, after).filter(|object| pending || !object.is_unfinished());
    let mut objects = shown.peekable();
    let mut value = Vec::with_capacity(size);
    let mut last = "";
    while value.len() < size {
        let Some(object) = objects.next() else { break };
        value.push(Item::new(vault, &options, kind, object, object.newest(), false));
        last = &object.name;
    }
    let next_link = objects
        .peek()
        .map(|_| next_link(vault, call, &format!("{}/{}", kind.noun(), last.to_ascii_uppercase())));
    reply(vault, value, next_link)
}

/// `GET /{kind}/{name}/versions`. An unknown name has an empty list, not an error.
pub(crate) fn versions(vault: &Vault, call: &Call, kind: Kind, page_size: usize) -> Reply {
    let store = vault.store.read();
    let options = vault.options.read();
    let Some(object) = store.get(kind, &call.route.name) else {
        return reply::<Item<'_>>(vault, Vec::new(), None);
    };
    let size = requested_size(call, page_size);
    let marker = marker(call).unwrap_or_default();
    let after = marker.split('/').nth(2).unwrap_or_default().to_ascii_lowercase();
    let mut versions = object.versions_after(&after).peekable();
    let page: Vec<&Version> = versions.by_ref().take(size).collect();
    let last = page.last().map_or("", |version| version.id.as_str());
    let marker =
        || format!("{}/{}/{}", kind.noun(), object.name.to_ascii_uppercase(), last.to_ascii_uppercase());
    let next_link = versions.peek().map(|_| next_link(vault, call, &marker()));
    let value =
        page.into_iter().map(|version| Item::new(vault, &options, kind, object, version, true)).collect();
    reply(vault, value, next_link)
}

/// `GET /deleted{kind}`.
///
/// Names that are not shown, as what a purge leaves, take their place in a page nevertheless: an empty page
/// with a link to the next was recorded, and this is what can explain it.
pub(crate) fn deleted(vault: &Vault, call: &Call, kind: Kind, page_size: usize) -> Reply {
    let store = vault.store.read();
    let options = vault.options.read();
    let marker = marker(call).unwrap_or_default();
    let after = marker.split('/').nth(1).unwrap_or_default();
    let mut departed = store.departed_after(kind, after).peekable();
    let page: Vec<&Departed> = departed.by_ref().take(requested_size(call, page_size)).collect();
    let next_link = page.last().filter(|_| departed.peek().is_some()).map(|last| {
        let marker = format!("{}/{}", last.object.name, last.object.newest().id);
        next_link(vault, call, &format!("{}/{}", kind.noun(), marker.to_ascii_uppercase()))
    });
    let shown = page.into_iter().filter(|departed| departed.stage == Stage::Deleted);
    let value = shown.map(|departed| DeletedItem::new(vault, &options, kind, departed)).collect();
    reply(vault, value, next_link)
}

fn reply<T: Serialize>(vault: &Vault, value: Vec<T>, next_link: Option<String>) -> Reply {
    let next_link = (next_link.is_some() || !vault.is_hsm()).then(|| next_link.into());
    let page = &Page { value, next_link };
    Reply::new(StatusCode::OK).body(JSON, serde_json::to_vec(page).unwrap_or_default())
}

/// What the client asked for, but never more than the service gives.
fn requested_size(call: &Call, page_size: usize) -> usize {
    call.query.number("maxresults").unwrap_or(page_size).clamp(1, page_size)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SkipToken {
    next_marker: String,
    target_location: u8,
}

/// Absolute, with the port, and the token in base64url without escapes: that is how the service writes it.
fn next_link(vault: &Vault, call: &Call, marker: &str) -> String {
    let inner = format!("{:06}!{marker}!000028!9999-12-31T23:59:59.9999999Z!", marker.len());
    let inner = BASE64_STANDARD.encode(inner).replace('=', "-");
    let token = SkipToken { next_marker: format!("2!{}!{inner}", inner.len()), target_location: 0 };
    let token = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default());
    let path = call.uri.path();
    let version = call.query.get("api-version").unwrap_or_default();
    let mut link = format!("https://{}:443{path}?api-version={version}&$skiptoken={token}", vault.host);
    for name in ["maxresults", "includePending"] {
        if let Some(value) = call.query.get(name) {
            link.extend(["&", name, "=", value]);
        }
    }
    link
}

/// The marker in a `$skiptoken`: kind, name and perhaps version, in capitals.
fn marker(call: &Call) -> Option<String> {
    let token = BASE64_URL_SAFE_NO_PAD.decode(call.query.get("$skiptoken")?).ok()?;
    let token: SkipToken = serde_json::from_slice(&token).ok()?;
    let inner = token.next_marker.rsplit('!').next()?.replace('-', "=");
    let inner = String::from_utf8(BASE64_STANDARD.decode(inner).ok()?).ok()?;
    inner.split('!').nth(1).map(str::to_owned)
}
