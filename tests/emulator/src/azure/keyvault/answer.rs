//! Requests to a vault, answered.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::{
    backup::{BackedUp, BackedUpVersion, Owner},
    bundle::bundle,
    error::{self, JSON},
    life::rest,
    list,
    making::rest as making,
    object::{Kind, Object, Store},
    vault::Vault,
    write,
};
use crate::azure::{
    World,
    call::Call,
    faults::Forbidden,
    operation::Operation,
    reply::Reply,
    route::{Route, is_at_vault},
};

/// The version that the service reports of itself in a header.
const SERVICE_VERSION: &str = "1.9.2724.1";

/// Answers a request that carries a good token.
pub(crate) fn answer(world: &World, vault: &Vault, call: &Call) -> Reply {
    if call.query.get("api-version").is_none_or(str::is_empty) {
        // Recorded traffic has no request without a version. The words are ours.
        return error::error(StatusCode::BAD_REQUEST, "BadParameter", None, "api-version must be specified");
    }
    if !legal_name(&call.route.name) {
        return error::illegal_name();
    }
    if call.route.operation == Operation::Other && !is_at_vault(&call.method, call.uri.path()) {
        return unknown(&format!("the route {}", Route::words(call)));
    }
    let Some(kind) = call.route.kind else { return error::method_not_allowed(call.method.as_str()) };
    vault.settle(call.now);
    let refusal = refusal(vault, call, kind);
    if let Some(reason) = refusal {
        return forbidden(vault, call, reason);
    }
    match call.route.operation {
        Operation::ListSecrets | Operation::ListKeys | Operation::ListCertificates => {
            list::objects(vault, call, kind, world.knobs.page_size())
        }
        Operation::ListVersions => list::versions(vault, call, kind, world.knobs.page_size()),
        Operation::GetObject => get(vault, call, kind),
        Operation::Backup => back_up(world, vault, call, kind),
        Operation::SetSecret => write::set_secret(vault, call),
        Operation::CreateKey => write::create_key(vault, call),
        Operation::CreateCertificate => making::create(world, vault, call),
        Operation::GetPending => making::get(vault, call),
        Operation::CancelPending => making::cancel(vault, call),
        Operation::DeletePending => making::delete(vault, call),
        Operation::UpdateObject => write::update(vault, call, kind),
        Operation::Restore => rest::restore(world, vault, call, kind),
        Operation::DeleteObject => rest::delete(world, vault, call, kind),
        Operation::ListDeleted => list::deleted(vault, call, kind, world.knobs.page_size()),
        Operation::GetDeleted => rest::get(vault, call, kind),
        Operation::Recover => rest::recover(world, vault, call, kind),
        Operation::Purge => rest::purge(world, vault, call, kind),
        _ => error::method_not_allowed(call.method.as_str()),
    }
}

/// Letters, digits and dashes. Requests without a name have an empty one.
fn legal_name(name: &str) -> bool {
    name.len() <= 127 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Answers with JSON.
pub(crate) fn ok(body: &Value) -> Reply {
    Reply::new(StatusCode::OK).body(JSON, body.to_string())
}

fn get(vault: &Vault, call: &Call, kind: Kind) -> Reply {
    let store = vault.store.read();
    let name = &call.route.name;
    let id = call.route.item.as_deref().filter(|id| !id.is_empty());
    let found = store.get(kind, name).and_then(|object| {
        let version = id.map_or(Some(object.newest()), |id| object.version(&id.to_ascii_lowercase()));
        Some((object, version?))
    });
    let Some((object, version)) = found else {
        return error::not_found(kind, &asked_for(kind, name, id));
    };
    if kind == Kind::Secret && !version.attributes.enabled {
        return error::disabled();
    }
    let mut bundle = bundle(vault, kind, object, version);
    if let (Kind::Certificate, Some(_), Value::Object(members)) = (kind, id, &mut bundle) {
        members.remove("policy"); // the policy belongs to the certificate, not to one of its versions
    }
    ok(&bundle)
}

/// How errors name what a `GET` asked for: certificates with "versions" in between, the others without.
fn asked_for(kind: Kind, name: &str, version: Option<&str>) -> String {
    match version {
        None => name.to_owned(),
        Some(id) if kind == Kind::Certificate => format!("{name}/versions/{id}"),
        Some(id) => format!("{name}/{id}"),
    }
}

fn back_up(world: &World, vault: &Vault, call: &Call, kind: Kind) -> Reply {
    let store = vault.store.read();
    let name = &call.route.name;
    let Some(object) = store.get(kind, name) else { return error::not_found(kind, name) };
    if object.managed {
        return error::managed(kind);
    }
    if object.is_unfinished() {
        // What the service does is not known.
        return unknown("the backup of a certificate that is being made");
    }
    let (versions, limit) = (object.versions().len(), world.knobs.max_versions_for_backup());
    if versions > limit {
        return error::too_many_versions(kind, name, versions, limit);
    }
    let state = state(vault, &store, kind, object);
    drop(store);
    match vault.seal(&state) {
        Ok(blob) => backup_reply(&blob),
        Err(_) => error::status_reply(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// What the emulator does not know, it refuses.
pub(crate) fn unknown(what: &str) -> Reply {
    let message = format!("The emulator does not know {what}.");
    error::error(StatusCode::NOT_IMPLEMENTED, "NotImplemented", None, &message)
}

fn backup_reply(blob: &[u8]) -> Reply {
    let mut body = String::with_capacity(blob.len() * 4 / 3 + 20);
    body.push_str("{\"value\":\"");
    BASE64_URL_SAFE_NO_PAD.encode_string(blob, &mut body);
    body.push_str("\"}");
    Reply::new(StatusCode::OK).body(JSON, body)
}

/// What goes into the backup of an object; of a certificate, its key and its secret, too.
pub(crate) fn state(vault: &Vault, store: &Store, kind: Kind, object: &Object) -> BackedUp {
    let twins = if kind == Kind::Certificate { &[Kind::Key, Kind::Secret][..] } else { &[] };
    let twins = twins.iter().filter_map(|&kind| Some((kind, store.get(kind, &object.name)?)));
    let managed = twins.map(|(kind, twin)| state(vault, store, kind, twin)).collect();
    let versions = object.versions().iter().map(|version| BackedUpVersion {
        id: version.id.clone(),
        attributes: version.attributes.clone(),
        material: version.material.clone(),
    });
    BackedUp {
        kind,
        vault: vault.host.clone(),
        name: object.name.clone(),
        versions: versions.collect(),
        managed,
    }
}

/// Whose backups a vault takes and makes.
pub(crate) fn owner(vault: &Vault) -> Owner {
    let options = vault.options.read();
    Owner { kid: options.kid(), subscription: options.subscription.clone(), tenant: options.tenant.clone() }
}

/// Flips one byte in the middle of the blob in a backup's answer. It stays valid JSON and valid base64url.
pub(crate) fn damage_backup(reply: &mut Reply) {
    let Ok(answer) = serde_json::from_slice::<Value>(&reply.body) else { return };
    let Some(mut blob) = answer["value"].as_str().and_then(|value| BASE64_URL_SAFE_NO_PAD.decode(value).ok())
    else {
        return;
    };
    let middle = blob.len() / 2;
    if let Some(byte) = blob.get_mut(middle) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    reply.body = Bytes::from(json!({"value": BASE64_URL_SAFE_NO_PAD.encode(blob)}).to_string());
}

/// The 401 that tells a client where to get a token and for whom.
pub(crate) fn challenge(vault: &Vault, message: &str) -> Reply {
    let tenant = vault.options.read().tenant.clone();
    let (authority, resource) = (vault.cloud.authority(), vault.cloud.vault_audience());
    let header = format!("Bearer authorization=\"{authority}/{tenant}\", resource=\"{resource}\"");
    error::error(StatusCode::UNAUTHORIZED, "Unauthorized", None, message).header("www-authenticate", &header)
}

/// The 429 of a vault that has served what it may in this second.
pub(crate) fn rate_limited(world: &World, vault: &Vault, call: &Call) -> Option<Reply> {
    let limit = world.knobs.rate_limit()?;
    (!vault.admit(call.now, limit.requests_per_second)).then(|| error::throttled(limit.retry_after))
}

/// Why a call may not do what it asks for, if it may not.
fn refusal(vault: &Vault, call: &Call, kind: Kind) -> Option<Forbidden> {
    let options = vault.options.read();
    let caller = call.token.as_ref().map_or("", |token| &*token.caller);
    options.callers.get(caller).or(options.access.as_ref())?.refusal(kind, action(call))
}

/// A 403 in answer to a call.
pub(crate) fn forbidden(vault: &Vault, call: &Call, reason: Forbidden) -> Reply {
    let principal = call.token.as_ref().map(|token| token.principal()).unwrap_or_default();
    error::forbidden(vault, &principal, reason, call.route.kind, &call.route.name, action(call))
}

/// What a request does, in the words of access policies.
fn action(call: &Call) -> &'static str {
    match call.route.operation {
        Operation::ListSecrets
        | Operation::ListKeys
        | Operation::ListCertificates
        | Operation::ListVersions
        | Operation::ListDeleted => "list",
        Operation::Backup => "backup",
        Operation::Restore => "restore",
        Operation::SetSecret => "set",
        Operation::CreateKey | Operation::CreateCertificate => "create",
        Operation::UpdateObject | Operation::CancelPending => "update",
        Operation::DeleteObject | Operation::DeletePending => "delete",
        Operation::Recover => "recover",
        Operation::Purge => "purge",
        _ => "get",
    }
}

/// Adds the headers that every answer of a vault has.
pub(crate) fn decorate(vault: &Vault, call: &Call, reply: &mut Reply) {
    if !reply.headers.contains_key("cache-control") {
        reply.set_static("cache-control", "no-cache");
        reply.set_static("pragma", "no-cache");
        reply.set_static("expires", "-1");
        reply.set("x-ms-keyvault-region", &vault.options.read().region);
        reply.set_static("x-ms-keyvault-service-version", SERVICE_VERSION);
        reply.set_static(
            "x-ms-keyvault-network-info",
            "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;",
        );
        reply.set("x-ms-request-id", &call.request_id);
        if let Some(id) = call.headers.get("x-ms-client-request-id") {
            reply.headers.insert("x-ms-client-request-id", id.clone());
        }
    }
    reply.set_static("strict-transport-security", "max-age=31536000;includeSubDomains");
    reply.set_static("x-content-type-options", "nosniff");
}
