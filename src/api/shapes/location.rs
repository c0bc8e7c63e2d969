//! Where vaults lie.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::domain::{location, observed_location};

/// Where a vault lies or lay, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Place)]
pub struct Location {
    /// The tenant, as the vault itself says.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// The subscription, as `KEYVAULT_BACKUP_PLACES` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
    /// The geography, as `KEYVAULT_BACKUP_PLACES` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    geography: Option<String>,
}

impl From<&location::Location> for Location {
    fn from(of: &location::Location) -> Self {
        let text = |fact: &Option<location::Fact>| fact.as_ref().map(ToString::to_string);
        Self {
            tenant: text(&of.tenant),
            subscription: text(&of.subscription),
            geography: text(&of.geography),
        }
    }
}

/// In what two places are known to differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Elsewhere {
    /// Another tenant, by what the vault itself said: this is final.
    Tenant,
    /// Another subscription or geography, by `KEYVAULT_BACKUP_PLACES`: `otherPlace` has the service decide.
    Settings,
}

impl From<location::Apart> for Elsewhere {
    fn from(apart: location::Apart) -> Self {
        match apart {
            location::Apart::Tenant => Self::Tenant,
            location::Apart::Settings => Self::Settings,
        }
    }
}

/// A vault that lies elsewhere than it did. What was backed up before restores only into a vault where it was. It stays
/// until a person has acknowledged the run that saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Moved {
    /// The run that saw it.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// When that run was planned.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// Where the vault was.
    from: Location,
    /// Where it is.
    to: Location,
}

impl From<&observed_location::Moved> for Moved {
    fn from(of: &observed_location::Moved) -> Self {
        Self { run: of.run.to_string(), since: of.since, from: (&of.from).into(), to: (&of.to).into() }
    }
}
