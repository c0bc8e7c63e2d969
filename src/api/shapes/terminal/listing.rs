//! Lists of vaults and of objects.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    api::shapes::{backup::Backup, failure::Failure, object::Kind, run::RunItem, source::Success},
    domain::{
        location::Location,
        manifest::{Line, ObjectStatus},
        plan::PlanHeader,
        source::Source,
        state::Newest,
    },
};

/// Vaults, each with its newest runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Vaults {
    /// The vaults.
    pub vaults: Vec<VaultItem>,
}

/// A vault and its newest runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultItem {
    /// The vault.
    #[schema(example = "kv-prod")]
    source: String,
    /// Its address.
    #[schema(example = "https://kv-prod.vault.azure.net")]
    url: String,
    /// The newest run of the whole vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunItem>,
    /// Objects that have a backup as of that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    protected: Option<u32>,
    /// The newest run of the whole vault that covers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_success: Option<Success>,
}

impl VaultItem {
    /// A vault at `now`.
    pub fn new(source: &Source, newest: &Newest, now: OffsetDateTime) -> Self {
        let Newest { last, covering, .. } = newest;
        Self {
            source: source.name().to_string(),
            url: source.to_string(),
            last_run: last.as_ref().map(|of| RunItem::closed(source.name(), of)),
            protected: last.as_ref().map(|of| of.protected),
            newest_success: covering.as_ref().map(|of| Success::at(of.run.to_string(), of.planned, now)),
        }
    }
}

/// Objects of a vault, with or without a backup.
#[derive(Debug, Serialize, ToSchema)]
pub struct Objects {
    /// The objects.
    pub objects: Vec<ObjectItem>,
}

/// What became of an object in a run.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fared {
    /// It has a new backup.
    BackedUp,
    /// It did not change since its last backup.
    Unchanged,
    /// It belongs to a certificate.
    Managed,
    /// The vault manages it, and Key Vault does not back it up.
    VaultManaged,
    /// It was deleted between listing and backup.
    Disappeared,
    /// It was not backed up.
    Failed,
    /// It is gone from the vault.
    Gone,
    /// Its kind could not be listed.
    Carried,
    /// It was not listed, and was managed when it last was.
    Former,
}

impl From<ObjectStatus> for Fared {
    fn from(status: ObjectStatus) -> Self {
        match status {
            ObjectStatus::BackedUp => Self::BackedUp,
            ObjectStatus::Unchanged => Self::Unchanged,
            ObjectStatus::Managed => Self::Managed,
            ObjectStatus::VaultManaged => Self::VaultManaged,
            ObjectStatus::Disappeared => Self::Disappeared,
            ObjectStatus::Failed => Self::Failed,
            ObjectStatus::Gone => Self::Gone,
            ObjectStatus::Carried => Self::Carried,
            ObjectStatus::Former => Self::Former,
        }
    }
}

/// An object in a run, or as of a time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectItem {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// What became of it in the newest run.
    #[serde(rename = "fared")]
    status: Fared,
    /// Why it has no new backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    /// Whether a person accepted that it fails, as of a run; absent if it does not fail, and in lists of objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<bool>,
    /// When it disappeared.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    gone: Option<OffsetDateTime>,
    /// Its newest backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<Box<Backup>>,
    /// The last backup of an earlier object of its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    former: Option<Box<Backup>>,
}

impl ObjectItem {
    /// An object; `location` is where its vault lies now, if that is to be compared.
    pub fn new(line: &Line, location: Option<&Location>) -> Self {
        let apart = location.and_then(|now| line.entry.as_ref()?.location.apart(now));
        Self {
            kind: line.kind.into(),
            name: line.name.to_string(),
            status: line.status.into(),
            failure: line.failure.as_ref().map(Into::into),
            accepted: None,
            gone: line.gone,
            backup: line.entry.as_ref().map(|entry| Box::new(Backup::new(entry, line.gone, apart))),
            former: line.former.as_ref().map(|entry| Box::new(Backup::new(entry, None, None))),
        }
    }

    /// The same object, of whose newest backup is known when it was last read and found to be what was stored.
    #[must_use]
    pub fn verified(self, verified: Option<OffsetDateTime>) -> Self {
        Self { backup: self.backup.map(|backup| Box::new(backup.verified(verified))), ..self }
    }

    /// An object in a run.
    pub fn in_run(header: &PlanHeader, line: &Line) -> Self {
        let accepted = (line.status == ObjectStatus::Failed).then(|| header.accepts(line));
        Self { accepted, ..Self::new(line, None) }
    }
}
