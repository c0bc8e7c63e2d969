//! Deleting, recovering, purging and restoring over REST.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hyper::StatusCode;
use serde::Deserialize;

use super::{
    super::{
        answer::ok,
        backup::{self, BackupError},
        bundle::{bundle, deleted_bundle, without_value},
        error,
        object::Kind,
        vault::Vault,
    },
    bin::Stage,
    refusal::Refusal,
};
use crate::azure::{World, call::Call, reply::Reply};

/// `DELETE /{kind}/{name}`.
pub(crate) fn delete(world: &World, vault: &Vault, call: &Call, kind: Kind) -> Reply {
    match vault.delete(kind, &call.route.name, call.now, world.knobs.delays()) {
        Ok(departed) => ok(&deleted_bundle(vault, kind, &departed)),
        Err(refusal) => refused(&refusal, vault, call, kind),
    }
}

/// `GET /deleted{kind}/{name}`.
pub(crate) fn get(vault: &Vault, call: &Call, kind: Kind) -> Reply {
    let store = vault.store.read();
    let name = &call.route.name;
    let Some(departed) = store.departed(kind, name).filter(|departed| departed.stage == Stage::Deleted)
    else {
        return error::deleted_not_found(kind, name);
    };
    if kind == Kind::Secret && !departed.object.newest().attributes.enabled {
        return error::disabled();
    }
    ok(&deleted_bundle(vault, kind, departed))
}

/// `POST /deleted{kind}/{name}/recover`.
pub(crate) fn recover(world: &World, vault: &Vault, call: &Call, kind: Kind) -> Reply {
    match vault.recover(kind, &call.route.name, call.now, world.knobs.delays()) {
        Ok(object) => ok(&without_value(bundle(vault, kind, &object, object.newest()))),
        Err(refusal) => refused(&refusal, vault, call, kind),
    }
}

/// `DELETE /deleted{kind}/{name}`.
pub(crate) fn purge(world: &World, vault: &Vault, call: &Call, kind: Kind) -> Reply {
    match vault.purge(kind, &call.route.name, call.now, world.knobs.delays()) {
        Ok(()) => Reply::new(StatusCode::NO_CONTENT),
        Err(refusal) => refused(&refusal, vault, call, kind),
    }
}

fn refused(refusal: &Refusal, vault: &Vault, call: &Call, kind: Kind) -> Reply {
    refusal.reply(vault, kind, &call.route.name, call.route.operation)
}

#[derive(Deserialize)]
struct Backup {
    value: String,
}

impl Backup {
    /// The blob. What is not base64url is no blob either: that answer is inferred.
    fn blob(&self) -> Result<Vec<u8>, BackupError> {
        BASE64_URL_SAFE_NO_PAD.decode(self.value.trim_end_matches('=')).map_err(|_| BackupError::Corrupt)
    }
}

/// `POST /{kind}/restore`. The answer for a secret has no value.
pub(crate) fn restore(world: &World, vault: &Vault, call: &Call, kind: Kind) -> Reply {
    if let Some(limits) = world.knobs.restore_limits()
        && !vault.admit_restore(kind, call.now, limits.of(kind))
    {
        return error::throttled(limits.retry_after);
    }
    let Ok(body) = serde_json::from_slice::<Backup>(&call.body) else { return error::bad_value() };
    match body.blob().map_err(Refusal::from).and_then(|blob| vault.restore(&blob, Some(kind))) {
        Ok((kind, object)) => ok(&without_value(bundle(vault, kind, &object, object.newest()))),
        Err(refusal) => refused(&refusal, vault, call, kind),
    }
}

/// The name of the object in the body of a restore, which names none in its path. Faults and the log use it.
pub(crate) fn restored_name(body: &[u8]) -> Option<String> {
    let blob = serde_json::from_slice::<Backup>(body).ok()?.blob().ok()?;
    Some(backup::open(&blob).ok()?.0.name)
}

/// The same where only the owner can read the blob.
pub(crate) fn own_restored_name(vault: &Vault, body: &[u8]) -> Option<String> {
    let blob = serde_json::from_slice::<Backup>(body).ok()?.blob().ok()?;
    Some(vault.open(&blob).ok()?.name)
}
