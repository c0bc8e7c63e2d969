//! List pages, which have the same shape for every kind of object.

use std::collections::{BTreeMap, HashSet};

use azure_core::http::{RawResponse, Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use futures::{
    Stream, StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    azure::error::{Asked, ServiceError},
    domain::{
        digest::Fingerprint,
        object::{ObjectId, ObjectKind, ObjectName},
        versions::{Attributes, Listed, VersionId},
    },
};

/// Erases the type of the three clients' pages, which have the same shape.
pub(super) fn raw<T: 'static, F: 'static>(
    pages: impl Stream<Item = azure_core::Result<Response<T, F>>> + Send + 'static,
) -> BoxStream<'static, azure_core::Result<RawResponse>>
where
    RawResponse: From<Response<T, F>>,
{
    pages.map_ok(RawResponse::from).boxed()
}

/// Decodes every page with `read`, up to the first error. A list that links back to one of its pages is an error: it
/// would never end.
pub(super) fn decode<T: Send + 'static>(
    asked: Asked,
    pages: azure_core::Result<BoxStream<'static, azure_core::Result<RawResponse>>>,
    read: impl Fn(Item) -> Result<T, String> + Send + 'static,
) -> impl Stream<Item = Result<Vec<T>, ServiceError>> {
    let pages = match pages {
        Ok(pages) => pages,
        Err(error) => stream::once(async { Err(error) }).boxed(),
    };
    let mut followed = HashSet::new();
    let pages = pages.map(move |page| {
        let page = page.map_err(|error| ServiceError::of(asked.clone(), &error))?;
        let nonsense = |text: String| ServiceError::nonsense(asked.clone(), "BadAnswer", text);
        let page: Page =
            serde_json::from_slice(page.body().as_ref()).map_err(|error| nonsense(error.to_string()))?;
        if page.next.is_some_and(|link| !followed.insert(Fingerprint::of(link.as_bytes()))) {
            return Err(nonsense("a page refers to one that was read before".to_owned()));
        }
        page.value.into_iter().map(|item| read(item).map_err(nonsense)).collect()
    });
    // The official pager would continue after a page that makes no sense, so it is dropped.
    stream::unfold(Some(pages), |pages| async {
        let mut pages = pages?;
        let page = pages.next().await?;
        let more = page.is_ok().then_some(pages);
        Some((page, more))
    })
}

/// A list page. One without `value` is an error: the page of a vault without objects has an empty list.
#[derive(Deserialize)]
struct Page {
    value: Vec<Item>,
    #[serde(rename = "nextLink", default)]
    next: Option<String>,
}

/// An item of a list page of any kind. Keys have a `kid` where the others have an `id`.
#[derive(Deserialize)]
pub(super) struct Item {
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
    #[serde(rename = "recoveryLevel", default)]
    recovery_level: Option<String>,
    #[serde(default)]
    exportable: Option<bool>,
}

impl Item {
    /// Whether the recovery level allows a purge. A missing level counts as purgeable.
    pub(super) fn purgeable(&self) -> bool {
        let level = self.attributes.as_ref().and_then(|of| of.recovery_level.as_deref());
        level.is_none_or(|level| level.contains("Purgeable"))
    }

    /// Whether it is enabled. A missing attribute counts as enabled, as elsewhere.
    pub(super) fn enabled(&self) -> bool {
        self.attributes.as_ref().and_then(|of| of.enabled).unwrap_or(true)
    }

    pub(super) fn listed(self, kind: ObjectKind) -> Result<Listed, String> {
        let name = self.segment(2)?.parse::<ObjectName>().map_err(|error| error.to_string())?;
        let managed = self.managed.unwrap_or(false);
        let fingerprint = self.attributes()?.fingerprint();
        Ok(Listed { id: ObjectId::new(kind, name), managed, fingerprint })
    }

    pub(super) fn version(self) -> Result<(VersionId, Attributes), String> {
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
            exportable: of.exportable.unwrap_or(false),
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
