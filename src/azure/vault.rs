//! One vault's data plane: list, list versions, back up.

use std::{collections::BTreeMap, sync::Arc};

use azure_core::http::{RawResponse, Response, headers::HeaderName};
use azure_security_keyvault_certificates::{CertificateClient, CertificateClientOptions};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    Connection,
    error::ServiceError,
    limiter::{Limiter, Paced},
};
use crate::domain::{
    blob::BackupBlob,
    object::{ObjectId, ObjectKind, ObjectName, VaultUrl},
    versions::{Attributes, Listed, VersionId},
};

const REGION: HeaderName = HeaderName::from_static("x-ms-keyvault-region");

/// A client of one vault. Cheap to clone; its clones share connections, tokens and pace.
#[derive(Clone)]
pub struct VaultClient {
    url: VaultUrl,
    secrets: Arc<SecretClient>,
    keys: Arc<KeyClient>,
    certificates: Arc<CertificateClient>,
    limiter: Arc<Limiter>,
}

/// A backup as the vault handed it out.
#[derive(Debug)]
pub struct Handed {
    /// The bytes.
    pub blob: BackupBlob,
    /// The Azure region that answered.
    pub region: Option<String>,
}

impl VaultClient {
    /// A client that calls the vault at no more than `ceiling` requests a second.
    ///
    /// # Errors
    /// When the official client refuses the URL.
    pub fn new(url: &VaultUrl, connection: &Connection, ceiling: u32) -> azure_core::Result<Self> {
        let limiter = Limiter::new(ceiling);
        let endpoint = url.to_string();
        let options = || connection.client_options(vec![Arc::new(Paced(Arc::clone(&limiter)))]);
        let version = || connection.api_version.clone();
        let credential = || Arc::clone(&connection.credential);
        let secrets = SecretClientOptions {
            api_version: version(),
            client_options: options(),
            ..SecretClientOptions::default()
        };
        let keys = KeyClientOptions {
            api_version: version(),
            client_options: options(),
            ..KeyClientOptions::default()
        };
        let certificates = CertificateClientOptions {
            api_version: version(),
            client_options: options(),
            ..CertificateClientOptions::default()
        };
        Ok(Self {
            url: url.clone(),
            secrets: Arc::new(SecretClient::new(&endpoint, credential(), Some(secrets))?),
            keys: Arc::new(KeyClient::new(&endpoint, credential(), Some(keys))?),
            certificates: Arc::new(CertificateClient::new(&endpoint, credential(), Some(certificates))?),
            limiter,
        })
    }

    /// The vault's address.
    pub fn url(&self) -> &VaultUrl {
        &self.url
    }

    /// The pace at which this process calls the vault.
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// Every object of a kind, page by page, to the last page. A page has at most 25 objects.
    ///
    /// The stream ends after its first error. A page that refers to another host than the vault's is an
    /// error: the transport does not call it.
    pub fn list(&self, kind: ObjectKind) -> impl Stream<Item = Result<Vec<Listed>, ServiceError>> + use<> {
        let what = format!("list the {kind}s of vault {}", self.url.name());
        let pages: azure_core::Result<BoxStream<'static, _>> = match kind {
            ObjectKind::Secret => {
                self.secrets.list_secret_properties(None).map(|pager| raw(pager.into_pages()))
            }
            ObjectKind::Key => self.keys.list_key_properties(None).map(|pager| raw(pager.into_pages())),
            ObjectKind::Certificate => {
                self.certificates.list_certificate_properties(None).map(|pager| raw(pager.into_pages()))
            }
        };
        decode(what, pages, move |item: Item| item.listed(kind))
    }

    /// Every version of an object.
    ///
    /// # Errors
    /// As the service answers. An object that is gone has no versions: the service answers 200 and an
    /// empty list, or 404.
    pub async fn versions(&self, id: &ObjectId) -> Result<Vec<(VersionId, Attributes)>, ServiceError> {
        let what = format!("list the versions of {id} in vault {}", self.url.name());
        let name = id.name.as_str();
        let pages: azure_core::Result<BoxStream<'static, _>> = match id.kind {
            ObjectKind::Secret => {
                self.secrets.list_secret_properties_versions(name, None).map(|pager| raw(pager.into_pages()))
            }
            ObjectKind::Key => {
                self.keys.list_key_properties_versions(name, None).map(|pager| raw(pager.into_pages()))
            }
            ObjectKind::Certificate => self
                .certificates
                .list_certificate_properties_versions(name, None)
                .map(|pager| raw(pager.into_pages())),
        };
        decode(what, pages, Item::version).try_concat().await
    }

    /// The backup of an object with all its versions. Reads only: safe to send again.
    ///
    /// # Errors
    /// As the service answers; also when the answer holds no blob.
    pub async fn backup(&self, id: &ObjectId) -> Result<Handed, ServiceError> {
        let what = || format!("back up {id} in vault {}", self.url.name());
        let name = id.name.as_str();
        let (blob, region) = match id.kind {
            ObjectKind::Secret => self.secrets.backup_secret(name, None).await.and_then(|answer| {
                let region = region(&answer);
                Ok((answer.into_model()?.value, region))
            }),
            ObjectKind::Key => self.keys.backup_key(name, None).await.and_then(|answer| {
                let region = region(&answer);
                Ok((answer.into_model()?.value, region))
            }),
            ObjectKind::Certificate => {
                self.certificates.backup_certificate(name, None).await.and_then(|answer| {
                    let region = region(&answer);
                    Ok((answer.into_model()?.value, region))
                })
            }
        }
        .map_err(|error| ServiceError::of(what(), &error))?;
        let blob =
            blob.ok_or_else(|| ServiceError::nonsense(what(), "BadAnswer", "the answer holds no backup"))?;
        Ok(Handed { blob: blob.into(), region })
    }
}

fn region<T, F>(answer: &Response<T, F>) -> Option<String> {
    answer.headers().get_optional_string(&REGION)
}

/// The three clients' pages differ in type and not in shape.
fn raw<T: 'static, F: 'static>(
    pages: impl Stream<Item = azure_core::Result<Response<T, F>>> + Send + 'static,
) -> BoxStream<'static, azure_core::Result<RawResponse>>
where
    RawResponse: From<Response<T, F>>,
{
    pages.map_ok(RawResponse::from).boxed()
}

/// Decodes every page with `read`, up to the first error.
fn decode<T: Send + 'static>(
    what: String,
    pages: azure_core::Result<BoxStream<'static, azure_core::Result<RawResponse>>>,
    read: impl Fn(Item) -> Result<T, String> + Send + 'static,
) -> impl Stream<Item = Result<Vec<T>, ServiceError>> {
    let pages = match pages {
        Ok(pages) => pages,
        Err(error) => futures::stream::once(async { Err(error) }).boxed(),
    };
    pages.map(move |page| {
        let page = page.map_err(|error| ServiceError::of(what.clone(), &error))?;
        let nonsense = |text: String| ServiceError::nonsense(what.clone(), "BadAnswer", text);
        let page: Page =
            serde_json::from_slice(page.body().as_ref()).map_err(|error| nonsense(error.to_string()))?;
        page.value.into_iter().map(|item| read(item).map_err(nonsense)).collect()
    })
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    value: Vec<Item>,
}

/// An item of a list page, whatever its kind: keys have a `kid` where others have an `id`.
#[derive(Deserialize)]
struct Item {
    #[serde(alias = "kid")]
    id: String,
    #[serde(default)]
    managed: Option<bool>,
    #[serde(default)]
    attributes: Option<ItemAttributes>,
    #[serde(rename = "contentType", default)]
    content_type: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    x5t: Option<String>,
}

#[derive(Deserialize, Default)]
struct ItemAttributes {
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    exp: Option<i64>,
    #[serde(default)]
    created: Option<i64>,
    #[serde(default)]
    updated: Option<i64>,
}

impl Item {
    fn listed(self, kind: ObjectKind) -> Result<Listed, String> {
        let name = self.segment(2)?.parse::<ObjectName>().map_err(|error| error.to_string())?;
        let managed = self.managed.unwrap_or(false);
        let fingerprint = self.attributes()?.fingerprint();
        Ok(Listed { id: ObjectId::new(kind, name), managed, fingerprint })
    }

    fn version(self) -> Result<(VersionId, Attributes), String> {
        let version = self.segment(3)?.parse().map_err(|_| "a version has no identifier".to_owned())?;
        Ok((version, self.attributes()?))
    }

    /// A segment of the identifier's path, `/secrets/NAME/VERSION`; the host before it is not needed.
    fn segment(&self, index: usize) -> Result<&str, String> {
        let path = self.id.splitn(4, '/').nth(3).unwrap_or_default();
        path.split('/').nth(index - 1).ok_or_else(|| "an item has no usable identifier".to_owned())
    }

    fn attributes(self) -> Result<Attributes, String> {
        let of = self.attributes.unwrap_or_default();
        let thumbprint =
            self.x5t.map(|x5t| BASE64URL.decode(x5t).map_err(|_| "x5t is not base64url".to_owned()));
        Ok(Attributes {
            enabled: of.enabled.unwrap_or(true),
            created: moment(of.created)?,
            updated: moment(of.updated)?,
            not_before: moment(of.nbf)?,
            expires: moment(of.exp)?,
            content_type: self.content_type,
            tags: self.tags.unwrap_or_default(),
            thumbprint: thumbprint.transpose()?,
        })
    }
}

fn moment(seconds: Option<i64>) -> Result<Option<OffsetDateTime>, String> {
    let moment = |seconds| {
        OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| "a time is out of range".to_owned())
    };
    seconds.map(moment).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(json: &str) -> Item {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn items_of_every_kind_are_read() {
        let key = item(
            r#"{"kid":"https://v.vault.azure.net/keys/k1","attributes":{"enabled":true,"created":1},"managed":true}"#,
        );
        let listed = key.listed(ObjectKind::Key).unwrap();
        assert_eq!((listed.id.to_string().as_str(), listed.managed), ("key k1", true));
        let version = item(
            r#"{"id":"https://v.vault.azure.net:443/secrets/s/0123","x5t":"K18xSdveNM3KO5GCNzrlvCtwRHs"}"#,
        );
        assert_eq!(version.version().unwrap().0.as_str(), "0123");
    }

    #[test]
    fn an_item_that_cannot_be_named_is_an_error_and_not_a_gap() {
        for bad in
            ["", "https://v.vault.azure.net", "https://v.vault.azure.net/secrets/", "https://v/secrets/a%20b"]
        {
            let json = serde_json::json!({ "id": bad }).to_string();
            assert!(item(&json).listed(ObjectKind::Secret).is_err(), "{bad}");
        }
    }
}
