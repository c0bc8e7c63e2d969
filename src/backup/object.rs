//! Backing up one object.

use std::time::Duration;

use tracing::{info, warn};

use crate::{
    app::App,
    azure::{
        container::Written,
        error::{Meaning, ServiceError},
    },
    clock::Clock,
    domain::{
        entry::{Entry, Taken},
        message::Message,
        outcome::{Failure, Fate, Outcome, OutcomeKind},
        plan::{Decision, Plan, PlanHeader, Planned},
        versions::{OVER_THE_LIMIT, VERSIONS_LIMIT, VERSIONS_WARNING, VersionsSeen},
    },
    error::{Error, Result},
};

/// How long a run that was seen open is believed to be open by the first try of a message. A look at every
/// message would be one request more for each object.
const BELIEVED_OPEN: time::Duration = time::Duration::MINUTE;

/// How long one try of a message may take, whatever the time-outs of its requests: long enough for the slowest
/// backup with its retries. The host's patience is longer by what it takes to record that this was too short.
pub const TRY_WITHIN: Duration = Duration::from_secs(7 * 60);

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

impl Attempt {
    /// Tries for as long as a try may take. That the last one took longer is recorded, by `record`: nobody is left
    /// to do it.
    ///
    /// # Errors
    /// [`Error::Deadline`] for a try that has others after it, and those of the work.
    pub async fn in_time<T, R: Future<Output = Result<T>>>(
        self,
        what: String,
        work: impl Future<Output = Result<T>>,
        record: impl FnOnce(Failure) -> R,
    ) -> Result<T> {
        if let Ok(done) = tokio::time::timeout(TRY_WITHIN, work).await {
            return done;
        }
        let late = Error::Deadline { what, seconds: TRY_WITHIN.as_secs() };
        if self == Self::Last { record(late.failure()).await } else { Err(late) }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A new backup is stored.
    BackedUp {
        /// Its size.
        bytes: u64,
    },
    /// There was a backup already.
    Already,
    /// The run is closed; what came of the object stands in its manifest.
    Closed,
    /// The object is gone; recorded.
    Disappeared,
    /// Recorded as failed.
    Failed(Failure),
}

/// Backs up the object that a message asks for, if the plan of its run backs it up.
///
/// Safe to run twice, at once or later, as [`back_up_planned`] is. A copy of a message that comes when its run
/// is closed changes nothing. Only one that comes within a minute of that and is the copy's first delivery may
/// store a backup of an object that had failed; no manifest names it, and `rebuild` tells of it.
///
/// # Errors
/// When there is no such run, or its plan does not back the object up: such a message was not sent by this
/// program, and nothing is recorded for it. Otherwise as [`back_up_planned`].
pub async fn back_up(app: &App, message: &Message, attempt: Attempt, clock: &Clock) -> Result<Done> {
    app.vault(&message.vault)?;
    let catalogue = app.catalogue()?;
    let unknown = || Error::Refused(format!("there is no run {} of vault {}", message.run, message.vault));
    let known = catalogue.known_run(&message.vault, &message.run).await?.ok_or_else(unknown)?;
    let planned = planned(&known.plan, message)?;
    let believed = if attempt == Attempt::First { BELIEVED_OPEN } else { time::Duration::ZERO };
    if catalogue.was_closed(&known, believed, clock.now()).await? {
        return Ok(Done::Closed);
    }
    let header = &known.plan.header;
    let work = Box::pin(back_up_planned(app, header, &planned, attempt, clock));
    let late = |failure| record(app, header, &planned, OutcomeKind::Failed, failure, clock);
    attempt.in_time(format!("the backup of {}", planned.id), work, late).await
}

/// What a plan says of the object that a message asks for.
fn planned(plan: &Plan, message: &Message) -> Result<Planned> {
    let (id, header) = (message.id(), &plan.header);
    let planned = plan.objects.find(&id).filter(|planned| planned.decision.backs_up());
    planned.ok_or_else(|| {
        Error::Refused(format!("run {} of vault {} does not back up {id}", header.run, header.vault))
    })
}

/// Backs up an object of an open run's plan.
///
/// Safe to run twice, at once or later: the backup is written create-only under its run, in one request
/// with its entry. A failure that may pass is returned as an error until the last attempt; any other
/// failure, and the last one, is recorded and is then an answer like any other.
pub async fn back_up_planned(
    app: &App,
    header: &PlanHeader,
    planned: &Planned,
    attempt: Attempt,
    clock: &Clock,
) -> Result<Done> {
    let (kind, failure) = match take(app, header, planned, clock).await {
        Ok(done) => return Ok(done),
        Err(Untaken::Gone(failure)) if planned.decision == Decision::Asked => (OutcomeKind::Failed, failure),
        Err(Untaken::Gone(failure)) => (OutcomeKind::Disappeared, failure),
        Err(Untaken::Error(error)) if error.fate() == Fate::Retry && attempt != Attempt::Last => {
            return Err(error);
        }
        Err(Untaken::Error(error) | Untaken::Refused(error)) => (OutcomeKind::Failed, error.failure()),
    };
    record(app, header, planned, kind, failure, clock).await
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

async fn take(app: &App, header: &PlanHeader, planned: &Planned, clock: &Clock) -> Result<Done, Untaken> {
    let (vault, id) = (app.vault(&header.vault)?, &planned.id);
    let read = clock.now();
    let versions = vault.versions(id).await?;
    let Some(seen) = VersionsSeen::of(versions) else {
        let text = if planned.decision == Decision::Asked {
            let (kind, vault) = (id.kind, &header.vault);
            format!(
                "the vault has no such object; `az keyvault {kind} list-deleted --vault-name {vault}` shows deleted ones"
            )
        } else {
            "the vault has no version of it any more: it was deleted after it was listed".to_owned()
        };
        return Err(Untaken::Gone(Failure::ours("NotFound", text)));
    };
    if seen.count >= VERSIONS_WARNING {
        warn!(
            vault.name = %header.vault, object.kind = %id.kind, object.name = %id.name, object.versions = seen.count,
            "{id} in vault {} has {} versions; above {VERSIONS_LIMIT} Key Vault does not back it up",
            header.vault, seen.count,
        );
    }
    let handed = vault.backup(id).await.map_err(|error| too_many(error, seen.count))?;
    let what = || format!("back up {id} in vault {}", header.vault);
    let wrapping = handed
        .blob
        .inspect(id.kind)
        .map_err(|fault| ServiceError::nonsense(what(), "InvalidBackupBlob", fault.to_string()))?;
    let entry = Entry::from(Taken {
        vault: &header.vault,
        id,
        run: &header.run,
        blob: &handed.blob,
        wrapping,
        region: handed.region,
        seen,
        read,
        taken: clock.now(),
        previous: planned.previous.clone(),
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
    header: &PlanHeader,
    planned: &Planned,
    kind: OutcomeKind,
    failure: Failure,
    clock: &Clock,
) -> Result<Done> {
    let id = &planned.id;
    let outcome = Outcome::new(id, kind, failure, clock.now());
    app.catalogue()?.create_outcome(&header.vault, &header.run, &outcome).await?;
    if kind == OutcomeKind::Disappeared {
        info!(
            vault.name = %header.vault, run.id = %header.run, object.kind = %id.kind, object.name = %id.name,
            "{id} of vault {} was deleted after it was listed", header.vault,
        );
        return Ok(Done::Disappeared);
    }
    let failure = outcome.failure;
    tracing::error!(
        vault.name = %header.vault, run.id = %header.run, object.kind = %id.kind, object.name = %id.name,
        failure.code = %failure.code, failure.status = failure.status, failure.request_id = failure.request_id,
        "{id} of vault {} was not backed up: {}: {}", header.vault, failure.code, failure.text,
    );
    Ok(Done::Failed(failure))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn that_the_last_try_took_too_long_is_recorded() {
        let tried = async |attempt: Attempt| {
            attempt.in_time("it".into(), pending::<Result<String>>(), |failure| ready(Ok(failure.code))).await
        };
        assert_eq!(tried(Attempt::Last).await.unwrap(), "Deadline");
        for attempt in [Attempt::First, Attempt::Again] {
            assert!(matches!(tried(attempt).await, Err(Error::Deadline { .. })));
        }
    }
}
