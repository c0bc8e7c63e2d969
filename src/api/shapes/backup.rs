//! Stored backups.

use std::str::FromStr;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    location::{Elsewhere, Location},
    object::{Clear, Form, Kind},
};
use crate::{
    domain::{entry::Entry, hsm::HsmBackup, location::Apart, object::ObjectId},
    query::objects::Mark,
};

/// The form of [`Token`] that this program makes.
const TOKEN_FORM: &str = "1";

/// One stored backup of one object.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// The vault that gave it.
    #[schema(example = "kv-prod")]
    source: String,
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    taken: OffsetDateTime,
    /// The run that took it.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// Its size.
    bytes: u64,
    /// The SHA-256 of the stored bytes.
    sha256: String,
    /// How many versions of the object it holds.
    versions: u32,
    /// The newest of them.
    newest_version: String,
    /// Whether that one was enabled.
    enabled: bool,
    /// When that one expires.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    expires: Option<OffsetDateTime>,
    /// Whether its form was known.
    form: Form,
    /// What may be shown of it where its form was not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    clear: Option<Clear>,
    /// Since when the object is gone from its vault.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    gone: Option<OffsetDateTime>,
    /// Where its vault was then, as far as that was known.
    #[serde(rename = "place", skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
    /// In what its vault lies elsewhere now, if that is known: the backup does not restore there.
    #[serde(skip_serializing_if = "Option::is_none")]
    elsewhere: Option<Elsewhere>,
}

impl Backup {
    /// A backup of an object that is `gone`, or whose vault lies elsewhere, as far as that is known.
    pub fn new(entry: &Entry, gone: Option<OffsetDateTime>, apart: Option<Apart>) -> Self {
        Self {
            source: entry.vault.to_string(),
            kind: entry.kind.into(),
            name: entry.name.to_string(),
            taken: entry.taken,
            run: entry.run.to_string(),
            bytes: entry.bytes,
            sha256: entry.sha256.to_string(),
            versions: entry.versions,
            newest_version: entry.newest.to_string(),
            enabled: entry.enabled,
            expires: entry.expires,
            form: Form::of(entry.form.unknown()),
            clear: entry.form.unknown().map(Into::into),
            gone,
            location: (!entry.location.is_unknown()).then(|| (&*entry.location).into()),
            elsewhere: apart.map(Into::into),
        }
    }
}

/// Some of the objects that have a backup.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backups {
    /// The newest backup of each, in the order of sources, kinds and names.
    pub backups: Vec<Backup>,
    /// The newest good backup of each whole Managed HSM. In the first part only, and only without `kind` and
    /// `name`.
    pub hsms: Vec<Stored>,
    /// There are more: ask for them with this.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The backups of one object.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Each is a point the object can be restored to; the newest comes first.
    pub backups: Vec<Backup>,
}

/// A backup of a whole HSM that can be restored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HsmBackup)]
pub struct Stored {
    /// The HSM.
    #[schema(example = "hsm-prod")]
    source: String,
    /// The run that took it.
    #[schema(example = "20261122T010000Z-nightly")]
    run: String,
    /// When the state in it was taken.
    #[serde(with = "time::serde::rfc3339")]
    taken: OffsetDateTime,
    /// The folder in the container.
    #[schema(example = "mhsm-hsm-prod-2026112201000042")]
    folder: String,
    /// How many blobs it holds.
    blobs: u32,
    /// How large they are.
    bytes: u64,
}

impl Stored {
    /// A backup that has a folder.
    pub fn new(backup: &HsmBackup) -> Option<Self> {
        let folder = backup.folder.as_ref()?;
        Some(Self {
            source: backup.hsm.to_string(),
            run: backup.run.to_string(),
            taken: backup.taken(),
            folder: folder.path.clone(),
            blobs: folder.blobs,
            bytes: folder.bytes,
        })
    }
}

/// Where a listing goes on.
#[derive(Debug)]
pub struct Token(pub Mark);

impl Token {
    /// The token, for the next request.
    pub fn text(&self) -> String {
        let Mark { vault, id } = &self.0;
        format!("{TOKEN_FORM}~{vault}~{}~{}", id.kind, id.name)
    }
}

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut parts = text.split('~');
            (parts.next()? == TOKEN_FORM).then_some(())?;
            let vault = parts.next()?.parse().ok()?;
            let id = ObjectId::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            parts.next().is_none().then_some(Self(Mark { vault, id }))
        };
        read().ok_or("expected `continue` of the answer before, as it came")
    }
}
