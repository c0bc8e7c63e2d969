//! How an HSM gets to storage.

use std::sync::Arc;

use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};
use url::Url;

use super::{device::State, job::Failure};
use crate::azure::{World, call::Query, storage::Account};

/// What the service says of a token in which it finds no expiry, whatever the token is (recorded).
pub(crate) const MALFORMED: &str =
    "The customer provided SAS token is malformed. The SAS token does not contain the expiry field";

/// Where a request wants the HSM to go.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    /// `https://ACCOUNT.blob…/CONTAINER`, or folders in the container after a slash.
    pub(crate) uri: String,
    /// The token; `None` is for the HSM's identity.
    pub(crate) sas: Option<String>,
}

/// What the HSM wants to do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Read,
    Write,
}

/// A container that was reached.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) account: Arc<Account>,
    pub(crate) container: String,
    /// The folders in the container that the request names, with a slash at their end; empty for none.
    pub(crate) above: String,
}

impl Storage {
    /// Whether a token is one at all. That is looked at before a backup or a restore is taken on.
    pub(crate) fn is_well_formed(&self) -> bool {
        self.sas.as_ref().is_none_or(|sas| Token::parse(sas).expires.is_some())
    }

    /// Goes there. A container that is not there and a storage that refuses were recorded; which of its codes
    /// the storage gives is inferred.
    pub(crate) fn reach(
        &self,
        world: &World,
        state: &State,
        need: Need,
        now: OffsetDateTime,
    ) -> Result<Place, Failure> {
        match &self.sas {
            Some(sas) => Token::parse(sas).admit(need, now)?,
            None => self.admit_identity(state, now)?,
        }
        let place = self.place(world).ok_or(Failure::silent("ResourceNotFound"))?;
        let containers = place.account.containers.read();
        let container = containers.get(&place.container).ok_or(Failure::silent("ResourceNotFound"))?;
        if need == Need::Write && (container.append_only || container.protection.is_some()) {
            // Documented as not supported.
            let message = "This operation is not permitted as the blob is immutable due to a policy.";
            return Err(Failure::of_storage(409, "BlobImmutableDueToPolicy", message, now));
        }
        drop(containers);
        Ok(place)
    }

    fn admit_identity(&self, state: &State, now: OffsetDateTime) -> Result<(), Failure> {
        if !state.has_identity {
            return Err(Failure::silent("ManagedIdentityNotFound"));
        }
        // A role is given in the container, and holds for all folders of it.
        let holds = |grant: &String| {
            let rest = self.uri.strip_prefix(grant.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if state.grants.iter().any(holds) { Ok(()) } else { Err(denied(now)) }
    }

    /// Whether folders stand after the container.
    pub(crate) fn names_folders(&self) -> bool {
        let path = Url::parse(&self.uri).map(|uri| uri.path().trim_matches('/').contains('/'));
        path.is_ok_and(|names| names)
    }

    fn place(&self, world: &World) -> Option<Place> {
        let uri = Url::parse(&self.uri).ok()?;
        let account = world.find_account(uri.host_str()?)?;
        let path = uri.path().trim_matches('/');
        let (container, folders) = path.split_once('/').unwrap_or((path, ""));
        let above = if folders.is_empty() { String::new() } else { format!("{folders}/") };
        Some(Place { account, container: container.to_owned(), above })
    }
}

/// What storage says to whom it knows and does not let do this.
fn denied(now: OffsetDateTime) -> Failure {
    let message = "This request is not authorized to perform this operation using this permission.";
    Failure::of_storage(403, "AuthorizationPermissionMismatch", message, now)
}

/// A shared access signature. Its signature is not checked.
struct Token {
    expires: Option<OffsetDateTime>,
    permissions: String,
    is_signed: bool,
}

impl Token {
    fn parse(text: &str) -> Self {
        let query = Query::parse(Some(text.trim_start_matches('?')));
        Self {
            expires: query.get("se").and_then(moment),
            permissions: query.get("sp").unwrap_or_default().to_owned(),
            is_signed: query.get("sig").is_some_and(|signature| !signature.is_empty()),
        }
    }

    fn admit(&self, need: Need, now: OffsetDateTime) -> Result<(), Failure> {
        let Some(expires) = self.expires else {
            return Err(Failure::said("Invalid Request", "BadRequest", MALFORMED));
        };
        if !self.is_signed || expires <= now {
            let message = "Server failed to authenticate the request. Make sure the value of Authorization header is formed \
                           correctly including the signature.";
            return Err(Failure::of_storage(403, "AuthenticationFailed", message, now));
        }
        let needed = if need == Need::Write { "crdw" } else { "rl" };
        if needed.chars().all(|permission| self.permissions.contains(permission)) {
            return Ok(());
        }
        Err(denied(now))
    }
}

/// A time in a token: with or without the time of the day.
fn moment(text: &str) -> Option<OffsetDateTime> {
    let date = || Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| Some(date()?.midnight().assume_utc()))
}
