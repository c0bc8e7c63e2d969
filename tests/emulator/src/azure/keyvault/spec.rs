//! What tests put into a vault.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::object::{Attributes, Material};

/// The attributes of a version that is to be made. What is left out takes the service's default.
#[derive(Debug, Clone)]
pub struct Properties {
    /// Whether it may be used. True at first.
    pub enabled: bool,
    /// Not before.
    pub not_before: Option<OffsetDateTime>,
    /// When it expires.
    pub expires: Option<OffsetDateTime>,
    /// When it was made. The clock's present moment if left out.
    pub created: Option<OffsetDateTime>,
    /// When it was last changed. When it was made if left out.
    pub updated: Option<OffsetDateTime>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            enabled: true,
            not_before: None,
            expires: None,
            created: None,
            updated: None,
            tags: BTreeMap::new(),
        }
    }
}

impl Properties {
    pub(crate) fn attributes(self, now: OffsetDateTime) -> Attributes {
        let created = self.created.unwrap_or(now);
        Attributes {
            enabled: self.enabled,
            not_before: self.not_before,
            expires: self.expires,
            created,
            updated: self.updated.unwrap_or(created),
            tags: self.tags,
        }
    }
}

/// A version of a secret.
#[derive(Debug, Clone, Default)]
pub struct SecretSpec {
    /// The value.
    pub value: String,
    /// Its content type.
    pub content_type: Option<String>,
    /// Attributes and tags.
    pub properties: Properties,
}

impl SecretSpec {
    /// A secret with a value and nothing else.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }

    /// Sets the content type.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    pub(crate) fn into_parts(self) -> (Material, Properties) {
        (Material::Secret { value: self.value, content_type: self.content_type }, self.properties)
    }
}

/// A version of a key.
#[derive(Debug, Clone)]
pub struct KeySpec {
    /// `RSA`, `RSA-HSM`, `EC`, `EC-HSM`, `oct-HSM`.
    pub kty: String,
    /// Bits of an RSA or symmetric key. 2048 for RSA if left out.
    pub size: Option<u32>,
    /// The curve of an elliptic key. P-256 if left out.
    pub curve: Option<String>,
    /// What it may be used for. Everything its type can do if empty.
    pub operations: Vec<String>,
    /// Attributes and tags.
    pub properties: Properties,
}

impl Default for KeySpec {
    fn default() -> Self {
        Self {
            kty: "RSA".into(),
            size: None,
            curve: None,
            operations: Vec::new(),
            properties: Properties::default(),
        }
    }
}

impl KeySpec {
    /// An RSA key of some size.
    pub fn rsa(size: u32) -> Self {
        Self { size: Some(size), ..Self::default() }
    }

    /// An elliptic key.
    pub fn ec(curve: impl Into<String>) -> Self {
        Self { kty: "EC".into(), curve: Some(curve.into()), ..Self::default() }
    }

    /// A Managed HSM has keys in hardware only, whatever was asked for (recorded).
    pub(crate) fn in_hardware(mut self) -> Self {
        if !self.kty.ends_with("-HSM") {
            self.kty.push_str("-HSM");
        }
        self
    }

    pub(crate) fn into_parts(self) -> (Material, Properties) {
        let elliptic = self.kty.starts_with("EC");
        let operations: &[&str] = match (self.operations.is_empty(), elliptic) {
            (false, _) => &[],
            (true, true) => &["sign", "verify"],
            (true, false) => &["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"],
        };
        let material = Material::Key {
            size: if elliptic { None } else { Some(self.size.unwrap_or(2048)) },
            curve: elliptic.then(|| self.curve.unwrap_or_else(|| "P-256".into())),
            operations: if operations.is_empty() {
                self.operations
            } else {
                operations.iter().map(|&o| o.into()).collect()
            },
            kty: self.kty,
        };
        (material, self.properties)
    }
}

/// A version of a certificate.
#[derive(Debug, Clone)]
pub struct CertificateSpec {
    /// The subject.
    pub subject: String,
    /// The content type of its secret.
    pub content_type: String,
    /// Attributes and tags.
    pub properties: Properties,
}

impl Default for CertificateSpec {
    fn default() -> Self {
        Self {
            subject: "CN=example.com".into(),
            content_type: "application/x-pkcs12".into(),
            properties: Properties::default(),
        }
    }
}

impl CertificateSpec {
    pub(crate) fn into_parts(self) -> (Material, Properties) {
        (Material::Certificate { subject: self.subject, content_type: self.content_type }, self.properties)
    }

    /// A self-signed certificate for a subject such as `CN=example.com`.
    pub fn new(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..Self::default() }
    }
}

macro_rules! property_setters {
    ($($spec:ty),*) => {$(
        impl $spec {
            /// Adds a tag.
            #[must_use]
            pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.properties.tags.insert(name.into(), value.into());
                self
            }

            /// Switches it off.
            #[must_use]
            pub fn disabled(mut self) -> Self {
                self.properties.enabled = false;
                self
            }

            /// Sets the moment before which it is not valid.
            #[must_use]
            pub fn not_before(mut self, at: OffsetDateTime) -> Self {
                self.properties.not_before = Some(at);
                self
            }

            /// Sets when it expires.
            #[must_use]
            pub fn expires(mut self, at: OffsetDateTime) -> Self {
                self.properties.expires = Some(at);
                self
            }

            /// Sets when it was made.
            #[must_use]
            pub fn created(mut self, at: OffsetDateTime) -> Self {
                self.properties.created = Some(at);
                self
            }

            /// Sets when it was last changed.
            #[must_use]
            pub fn updated(mut self, at: OffsetDateTime) -> Self {
                self.properties.updated = Some(at);
                self
            }
        }
    )*};
}

property_setters!(SecretSpec, KeySpec, CertificateSpec);
