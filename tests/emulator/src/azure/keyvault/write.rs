//! Setting, creating and updating objects over REST.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    answer::ok,
    bundle::{bundle, without_value},
    error,
    object::{Attributes, Kind, Material, Version},
    spec::{KeySpec, Properties, SecretSpec},
    vault::Vault,
};
use crate::azure::{call::Call, reply::Reply};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WireProperties {
    pub(crate) enabled: Option<bool>,
    pub(crate) nbf: Option<i64>,
    pub(crate) exp: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    value: Option<String>,
    #[serde(rename = "contentType")]
    content_type: Option<String>,
    kty: Option<String>,
    key_size: Option<u32>,
    crv: Option<String>,
    key_ops: Vec<String>,
    attributes: WireProperties,
    tags: Option<BTreeMap<String, String>>,
}

impl Body {
    fn read(call: &Call) -> Option<Self> {
        serde_json::from_slice(&call.body).ok()
    }

    fn properties(&mut self) -> Properties {
        Properties {
            enabled: self.attributes.enabled.unwrap_or(true),
            not_before: time(self.attributes.nbf),
            expires: time(self.attributes.exp),
            tags: self.tags.take().unwrap_or_default(),
            ..Properties::default()
        }
    }

    fn apply(self, version: &mut Version, now: OffsetDateTime) {
        let attributes: &mut Attributes = &mut version.attributes;
        attributes.enabled = self.attributes.enabled.unwrap_or(attributes.enabled);
        attributes.not_before = time(self.attributes.nbf).or(attributes.not_before);
        attributes.expires = time(self.attributes.exp).or(attributes.expires);
        attributes.updated = now;
        if let Some(tags) = self.tags {
            attributes.tags = tags;
        }
        match &mut version.material {
            Material::Secret { content_type, .. } if self.content_type.is_some() => {
                *content_type = self.content_type;
            }
            Material::Key { operations, .. } if !self.key_ops.is_empty() => *operations = self.key_ops,
            _ => {}
        }
    }
}

/// A moment on the wire.
pub(crate) fn time(seconds: Option<i64>) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds?).ok()
}

/// `PUT /secrets/{name}`.
pub(crate) fn set_secret(vault: &Vault, call: &Call) -> Reply {
    let Some(mut body) = Body::read(call) else { return bad_body() };
    let Some(value) = body.value.take() else { return error::bad_value() };
    let properties = body.properties();
    let spec = SecretSpec { value, content_type: body.content_type, properties };
    let (material, properties) = spec.into_parts();
    added(vault, call, Kind::Secret, material, properties)
}

/// `POST /keys/{name}/create`.
pub(crate) fn create_key(vault: &Vault, call: &Call) -> Reply {
    let Some(mut body) = Body::read(call) else { return bad_body() };
    let properties = body.properties();
    let kty = body.kty.unwrap_or_else(|| "RSA".into());
    let spec = KeySpec { kty, size: body.key_size, curve: body.crv, operations: body.key_ops, properties };
    let spec = if vault.is_hsm() { spec.in_hardware() } else { spec };
    let (material, properties) = spec.into_parts();
    added(vault, call, Kind::Key, material, properties)
}

fn added(vault: &Vault, call: &Call, kind: Kind, material: Material, properties: Properties) -> Reply {
    if let Err(refusal) = vault.create(kind, &call.route.name, material, properties, call.now) {
        return refusal.reply(vault, kind, &call.route.name, call.route.operation);
    }
    let store = vault.store.read();
    match store.get(kind, &call.route.name) {
        Some(object) => ok(&bundle(vault, kind, object, object.newest())),
        None => error::not_found(kind, &call.route.name),
    }
}

/// `PATCH` of the newest or of one version. The answer to the update of a secret has no value.
pub(crate) fn update(vault: &Vault, call: &Call, kind: Kind) -> Reply {
    let Some(body) = Body::read(call) else { return bad_body() };
    let id = call.route.item.as_deref().filter(|id| !id.is_empty());
    let mut store = vault.store.write();
    let Some(object) = store.get_mut(kind, &call.route.name) else {
        return error::not_found(kind, &call.route.name);
    };
    let Some(version) = object.version_mut(id) else {
        return error::not_found(kind, &format!("{}/{}", call.route.name, id.unwrap_or_default()));
    };
    body.apply(version, call.now);
    let (id, attributes) = (version.id.clone(), version.attributes.clone());
    let Some(version) = object.version(&id) else { return error::not_found(kind, &call.route.name) };
    let bundle = without_value(bundle(vault, kind, object, version));
    if kind == Kind::Certificate {
        store.mirror(&call.route.name, &id, &attributes);
    }
    ok(&bundle)
}

fn bad_body() -> Reply {
    error::error(
        StatusCode::BAD_REQUEST,
        "BadParameter",
        None,
        "Request body not specified or not valid JSON",
    )
}
