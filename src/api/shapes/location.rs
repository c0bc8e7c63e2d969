//! Locations of vaults, as they are answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::domain::{location, observed_location};

/// The location of a vault, now or at a backup, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Place)]
pub struct Location {
    /// The tenant, as the vault itself reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// The subscription, from `KEYVAULT_BACKUP_PLACES`.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
    /// The geography, from `KEYVAULT_BACKUP_PLACES`.
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

/// The fact in which two locations are known to differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Elsewhere {
    /// The tenant, as the vault itself reported it. This is final.
    Tenant,
    /// The subscription or the geography, from `KEYVAULT_BACKUP_PLACES`. `otherPlace` lets the service decide.
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

/// A vault that changed its location. Earlier backups restore only into a vault at the earlier location. Reported until
/// a person acknowledges the run that found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Moved {
    /// The run that found it.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// When that run was planned.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// The earlier location.
    from: Location,
    /// The location now.
    to: Location,
}

impl From<&observed_location::Moved> for Moved {
    fn from(of: &observed_location::Moved) -> Self {
        Self { run: of.run.to_string(), since: of.since, from: (&of.from).into(), to: (&of.to).into() }
    }
}
