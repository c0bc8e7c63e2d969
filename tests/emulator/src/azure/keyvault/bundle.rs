//! Objects as the service writes them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    life::bin::Departed,
    making::{is_unfinished, rest::pending_id},
    material,
    object::{Attributes, Kind, Material, Object, Version},
    vault::{Vault, VaultOptions},
};

/// The attributes of a version on the wire.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireAttributes {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    created: i64,
    updated: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recoverable_days: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exportable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hsm_platform: Option<&'static str>,
}

impl WireAttributes {
    fn new(attributes: &Attributes) -> Self {
        Self {
            enabled: attributes.enabled,
            nbf: attributes.not_before.map(OffsetDateTime::unix_timestamp),
            exp: attributes.expires.map(OffsetDateTime::unix_timestamp),
            created: attributes.created.unix_timestamp(),
            updated: attributes.updated.unix_timestamp(),
            recovery_level: None,
            recoverable_days: None,
            exportable: None,
            hsm_platform: None,
        }
    }

    fn recoverable(mut self, options: &VaultOptions) -> Self {
        self.recovery_level = Some(options.recovery_level());
        self.recoverable_days = Some(options.recoverable_days);
        self
    }

    /// A Managed HSM does not name its platform.
    fn key(mut self, vault: &Vault) -> Self {
        self.exportable = Some(false);
        self.hsm_platform = (!vault.is_hsm()).then_some("0");
        self
    }
}

/// An object or a version in a list.
#[derive(Debug, Serialize)]
pub(crate) struct Item<'a> {
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x5t: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed: Option<bool>,
    attributes: WireAttributes,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

impl<'a> Item<'a> {
    /// `version` adds the version to the id, as lists of versions do.
    pub(crate) fn new(
        vault: &Vault,
        options: &VaultOptions,
        kind: Kind,
        object: &Object,
        item: &'a Version,
        version: bool,
    ) -> Self {
        let id = identifier(vault, kind, &object.name, version.then_some(item.id.as_str()));
        let attributes = WireAttributes::new(&item.attributes);
        // Lists of certificates were recorded without the recovery level.
        let attributes = match kind {
            Kind::Secret => attributes.recoverable(options),
            Kind::Key => attributes.recoverable(options).key(vault),
            Kind::Certificate => attributes,
        };
        let (content_type, subject) = match &item.material {
            Material::Secret { content_type, .. } => (content_type.as_deref(), None),
            Material::Certificate { subject, .. } => (None, Some(subject.as_str())),
            Material::Key { .. } => (None, None),
        };
        let is_key = kind == Kind::Key;
        Self {
            content_type,
            kid: is_key.then(|| id.clone()),
            id: (!is_key).then_some(id),
            x5t: (kind == Kind::Certificate && !is_unfinished(object.making.as_ref(), item))
                .then(|| material::thumbprint(&item.id)),
            managed: object.managed.then_some(true),
            attributes,
            tags: &item.attributes.tags,
            subject,
        }
    }
}

/// A deleted object in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletedItem<'a> {
    recovery_id: String,
    deleted_date: i64,
    scheduled_purge_date: i64,
    #[serde(flatten)]
    item: Item<'a>,
}

impl<'a> DeletedItem<'a> {
    pub(crate) fn new(vault: &Vault, options: &VaultOptions, kind: Kind, departed: &'a Departed) -> Self {
        let (object, version) = (&departed.object, departed.object.newest());
        let mut item = Item::new(vault, options, kind, object, version, false);
        // Unlike the list of live certificates, that of deleted ones was recorded with the recovery level and
        // without the subject.
        item.attributes = item.attributes.recoverable(options);
        item.subject = None;
        Self {
            recovery_id: recovery_id(vault, kind, &object.name),
            deleted_date: departed.deleted_at.unix_timestamp(),
            scheduled_purge_date: departed.purge_at.unix_timestamp(),
            item,
        }
    }
}

/// The URL that names a deleted object.
fn recovery_id(vault: &Vault, kind: Kind, name: &str) -> String {
    format!("https://{}/deleted{}/{name}", vault.host, kind.collection())
}

/// The URL that names an object or a version.
pub(crate) fn identifier(vault: &Vault, kind: Kind, name: &str, version: Option<&str>) -> String {
    let (host, collection) = (&vault.host, kind.collection());
    match version {
        Some(version) => format!("https://{host}/{collection}/{name}/{version}"),
        None => format!("https://{host}/{collection}/{name}"),
    }
}

/// A version with everything a `GET` shows.
pub(crate) fn bundle(vault: &Vault, kind: Kind, object: &Object, version: &Version) -> Value {
    let options = vault.options.read();
    let mut attributes = WireAttributes::new(&version.attributes).recoverable(&options);
    if kind == Kind::Key {
        attributes = attributes.key(vault);
    }
    let mut bundle = match &version.material {
        Material::Secret { value, content_type } => {
            secret(vault, object, version, value, content_type.as_deref())
        }
        Material::Key { .. } => json!({"key": json_web_key(vault, object, version)}),
        Material::Certificate { subject, content_type } => {
            certificate(vault, object, version, subject, content_type)
        }
    };
    bundle["attributes"] = json!(attributes);
    if !version.attributes.tags.is_empty() {
        bundle["tags"] = json!(version.attributes.tags);
    }
    if object.managed {
        bundle["managed"] = Value::Bool(true);
    }
    if object.making.is_some() {
        bundle["pending"] = json!({"id": pending_id(vault, &object.name)});
    }
    if let (true, Value::Object(members)) = (is_unfinished(object.making.as_ref(), version), &mut bundle) {
        members.retain(|member, _| !["kid", "sid", "x5t", "cer"].contains(&member.as_str())); // none is there yet
    }
    bundle
}

/// A deleted object with everything a `GET` shows: the newest version, with what became of it and without the
/// value of a secret.
pub(crate) fn deleted_bundle(vault: &Vault, kind: Kind, departed: &Departed) -> Value {
    let object = &departed.object;
    let mut bundle = without_value(bundle(vault, kind, object, object.newest()));
    bundle["recoveryId"] = recovery_id(vault, kind, &object.name).into();
    bundle["deletedDate"] = departed.deleted_at.unix_timestamp().into();
    bundle["scheduledPurgeDate"] = departed.purge_at.unix_timestamp().into();
    bundle
}

/// Only a `GET` and what sets a secret show its value.
pub(crate) fn without_value(mut bundle: Value) -> Value {
    if let Value::Object(members) = &mut bundle {
        members.remove("value");
    }
    bundle
}

fn secret(
    vault: &Vault,
    object: &Object,
    version: &Version,
    value: &str,
    content_type: Option<&str>,
) -> Value {
    let mut secret =
        json!({"value": value, "id": identifier(vault, Kind::Secret, &object.name, Some(&version.id))});
    if let Some(content_type) = content_type {
        secret["contentType"] = content_type.into();
    }
    if object.managed {
        secret["kid"] = identifier(vault, Kind::Key, &object.name, Some(&version.id)).into();
    }
    secret
}

fn json_web_key(vault: &Vault, object: &Object, version: &Version) -> Value {
    let Material::Key { kty, size, curve, operations } = &version.material else { return Value::Null };
    let mut key = json!({"kid": identifier(vault, Kind::Key, &object.name, Some(&version.id)), "kty": kty, "key_ops": operations});
    if let Some(curve) = curve {
        key["crv"] = curve.as_str().into();
        key["x"] = material::coordinate("x", &version.id, curve).into();
        key["y"] = material::coordinate("y", &version.id, curve).into();
    } else if kty.starts_with("RSA") {
        key["n"] = material::modulus(&version.id, size.unwrap_or(2048)).into();
        key["e"] = "AQAB".into();
    }
    key
}

fn certificate(
    vault: &Vault,
    object: &Object,
    version: &Version,
    subject: &str,
    content_type: &str,
) -> Value {
    let id = |kind| identifier(vault, kind, &object.name, Some(&version.id));
    json!({
        "id": id(Kind::Certificate), "kid": id(Kind::Key), "sid": id(Kind::Secret),
        "x5t": material::thumbprint(&version.id), "cer": material::certificate(&version.id),
        "policy": {
            "id": format!("{}/policy", identifier(vault, Kind::Certificate, &object.name, None)),
            "key_props": {"exportable": true, "kty": "RSA", "key_size": 2048, "reuse_key": false},
            "secret_props": {"contentType": content_type},
            "x509_props": {
                "subject": subject, "ekus": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
                "key_usage": ["digitalSignature", "keyEncipherment"], "validity_months": 12, "basic_constraints": {"ca": false},
            },
            "lifetime_actions": [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "AutoRenew"}}],
            "issuer": {"name": "Self"},
            "attributes": {
                "enabled": true, "created": version.attributes.created.unix_timestamp(), "updated": version.attributes.updated.unix_timestamp(),
            },
        },
    })
}
