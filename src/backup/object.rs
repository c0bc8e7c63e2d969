//! Backing up one object.

use tracing::{info, warn};

use crate::{
    app::App,
    azure::{
        container::Written,
        error::{Meaning, ServiceError},
        vault::VaultClient,
    },
    clock::Clock,
    domain::{
        entry::{Entry, Taken},
        job::STALLED_AFTER,
        message::Message,
        outcome::{Failure, Fate, Outcome, OutcomeKind},
        versions::{OVER_THE_LIMIT, VERSIONS_LIMIT, VERSIONS_WARNING, VersionsSeen},
    },
    error::{Error, Result},
};

/// Which try this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The first, with more to come.
    First,
    /// A later one, with more to come.
    Again,
    /// The last: whatever goes wrong now is recorded.
    Last,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A new backup is stored.
    BackedUp {
        /// Its size.
        bytes: u64,
    },
    /// There was a backup already, or the run is closed.
    Already,
    /// The object is gone; recorded.
    Disappeared,
    /// Recorded as failed.
    Failed(Failure),
}

/// Backs up one planned object.
///
/// Safe to run twice, at once or later: the backup is written create-only under its run, in one request
/// with its entry. A failure that may pass is returned as an error until the last attempt; any other
/// failure, and the last one, is recorded and is then an answer like any other.
pub async fn back_up(app: &App, message: &Message, attempt: Attempt, clock: &Clock) -> Result<Done> {
    let vault = app.vault(&message.vault)?;
    // A message that comes twice may come late. A closed run's manifest must stay the whole truth.
    let late = attempt != Attempt::First || clock.now() - message.planned >= STALLED_AFTER;
    if late && app.catalogue()?.is_closed_at(&message.vault, message.planned, &message.run).await? {
        return Ok(Done::Already);
    }
    match take(app, vault, message, clock).await {
        Ok(done) => Ok(done),
        Err(Untaken::Gone(failure)) => {
            let kind = if message.asked { OutcomeKind::Failed } else { OutcomeKind::Disappeared };
            record(app, message, kind, failure, clock).await
        }
        Err(Untaken::Error(error)) if error.fate() == Fate::Retry && attempt != Attempt::Last => Err(error),
        Err(Untaken::Error(error) | Untaken::Refused(error)) => {
            record(app, message, OutcomeKind::Failed, error.failure(), clock).await
        }
    }
}

/// Why there is no backup.
enum Untaken {
    /// The vault does not know the object any more.
    Gone(Failure),
    /// Refused, and trying again will not help although the answer looks as if it might.
    Refused(Error),
    /// Anything else.
    Error(Error),
}

impl<E: Into<Error>> From<E> for Untaken {
    fn from(error: E) -> Self {
        match error.into() {
            Error::Service(error) if is_gone(&error) => Self::Gone(*error.failure),
            error => Self::Error(error),
        }
    }
}

/// The vault itself says that the object is not there. A 404 of anything else says nothing of the object.
fn is_gone(error: &ServiceError) -> bool {
    let codes = ["SecretNotFound", "KeyNotFound", "CertificateNotFound"];
    error.meaning == Meaning::NotFound && codes.contains(&error.failure.code.as_str())
}

async fn take(app: &App, vault: &VaultClient, message: &Message, clock: &Clock) -> Result<Done, Untaken> {
    let id = message.id();
    let read = clock.now();
    let versions = vault.versions(&id).await?;
    let Some(seen) = VersionsSeen::of(versions) else {
        let text = if message.asked {
            "the vault has no such object; `az keyvault ... list-deleted` shows deleted ones"
        } else {
            "the vault has no version of it any more: it was deleted after it was listed"
        };
        return Err(Untaken::Gone(Failure::ours("NotFound", text)));
    };
    if seen.count >= VERSIONS_WARNING {
        warn!(
            vault.name = %message.vault, object.kind = %id.kind, object.name = %id.name, object.versions = seen.count,
            "{id} in vault {} has {} versions; above {VERSIONS_LIMIT} Key Vault does not back it up",
            message.vault, seen.count,
        );
    }
    let handed = vault.backup(&id).await.map_err(|error| too_many(error, seen.count))?;
    let what = || format!("back up {id} in vault {}", message.vault);
    let wrapping = handed
        .blob
        .inspect(id.kind)
        .map_err(|fault| ServiceError::nonsense(what(), "InvalidBackupBlob", fault.to_string()))?;
    let entry = Entry::from(Taken {
        vault: &message.vault,
        id: &id,
        run: &message.run,
        blob: &handed.blob,
        wrapping,
        region: handed.region,
        seen,
        read,
        taken: clock.now(),
        previous: message.previous.clone(),
    });
    match app.catalogue()?.create_backup(&entry, handed.blob).await? {
        Written::AlreadyThere => Ok(Done::Already),
        Written::Created => {
            info!(
                vault.name = %entry.vault, run.id = %entry.run, object.kind = %entry.kind, object.name = %entry.name,
                object.versions = entry.versions, backup.bytes = entry.bytes,
                "Backed up {id} of vault {}", entry.vault,
            );
            Ok(Done::BackedUp { bytes: entry.bytes })
        }
    }
}

/// Above the limit the service fails in ways that look like an outage; it will not get better.
fn too_many(mut error: ServiceError, versions: u32) -> Untaken {
    if versions <= VERSIONS_LIMIT || is_gone(&error) {
        return error.into();
    }
    error.failure.text = format!(
        "it has {versions} versions, {OVER_THE_LIMIT} {VERSIONS_LIMIT}; versions cannot be \
         deleted, so move its users to a new name. The service said: {}",
        error.failure.text
    );
    Untaken::Refused(error.into())
}

async fn record(
    app: &App,
    message: &Message,
    kind: OutcomeKind,
    failure: Failure,
    clock: &Clock,
) -> Result<Done> {
    let id = message.id();
    let outcome = Outcome::new(&id, kind, failure, clock.now());
    app.catalogue()?.create_outcome(&message.vault, &message.run, &outcome).await?;
    if kind == OutcomeKind::Disappeared {
        info!(
            vault.name = %message.vault, run.id = %message.run, object.kind = %id.kind, object.name = %id.name,
            "{id} of vault {} was deleted after it was listed", message.vault,
        );
        return Ok(Done::Disappeared);
    }
    let failure = outcome.failure;
    tracing::error!(
        vault.name = %message.vault, run.id = %message.run, object.kind = %id.kind, object.name = %id.name,
        failure.code = %failure.code, failure.status = failure.status, failure.request_id = failure.request_id,
        "{id} of vault {} was not backed up: {}: {}", message.vault, failure.code, failure.text,
    );
    Ok(Done::Failed(failure))
}
