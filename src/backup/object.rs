//! Backing up one object.

use tracing::{info, warn};

use super::last;
use crate::{
    app::App,
    attempt::{Attempt, in_time},
    azure::{
        container::Written,
        error::{Asked, Meaning, Operation, Service, ServiceError},
    },
    clock::Clock,
    domain::{
        entry::{Entry, Taken},
        fate::Fate,
        job::rounds::{Note, one_round},
        message::Message,
        object::ObjectId,
        outcome::{Failure, Outcome, OutcomeKind},
        plan::{Plan, PlanHeader},
        planned::{Decision, Planned},
        versions::{Current, TOO_MANY_VERSIONS, VERSIONS_LIMIT, VERSIONS_WARNING, VersionsSeen},
    },
    error::{Error, Result},
};

/// How long the first attempt of a message trusts that a run seen open is still open. Checking for every message would
/// cost one more request per object.
const BELIEVED_OPEN: time::Duration = time::Duration::MINUTE;

/// The result of backing up one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A new backup is stored.
    BackedUp {
        /// Its size.
        bytes: u64,
    },
    /// The run had a backup of it already.
    Already,
    /// The run is closed; its manifest has the object's result.
    Closed,
    /// The object was deleted after it was listed; recorded.
    Disappeared,
    /// Failed transiently; recorded as a note. The run's next round tries it again.
    Failing(Failure),
    /// Recorded as failed.
    Failed(Failure),
}

/// Backs up the object that a message asks for, if the plan of its run backs it up.
///
/// A transient failure is no outcome. It is returned as an error while the message has deliveries left that may help;
/// then it is recorded as a note, and the run's rounds continue: see [`rounds`](crate::domain::job::rounds).
///
/// Safe to run twice, concurrently or later, as [`back_up_planned`] is. A copy of a message that arrives after its run
/// closed changes nothing, with one exception: the first delivery of a copy within a minute of the close may store a
/// backup of an object that had failed. No manifest names that backup, and `rebuild` reports it.
///
/// # Errors
/// When there is no such run, or its plan does not back the object up: this program did not send such a message, and
/// records nothing for it. Otherwise transient failures, while a delivery may help, and a note that cannot be written.
pub async fn back_up(app: &App, message: &Message, attempt: Attempt, clock: &Clock) -> Result<Done> {
    app.vault(&message.vault)?;
    let catalogue = app.catalogue()?;
    let unknown = || Error::Refused(format!("there is no run {} of vault {}", message.run, message.vault));
    let known = catalogue.known_run(&message.vault, &message.run, message.kind).await?.ok_or_else(unknown)?;
    let planned = planned(&known.plan, message)?;
    let believed = if attempt == Attempt::First { BELIEVED_OPEN } else { time::Duration::ZERO };
    if catalogue.was_closed(&known, believed, clock.now()).await? {
        return Ok(Done::Closed);
    }
    let header = &known.plan.header;
    let work = Box::pin(try_planned(app, header, planned, clock));
    match in_time(format!("the backup of {}", planned.id()), work).await {
        Err(error) if error.fate().may_pass() && !is_redelivered(header, error.fate(), attempt) => {
            note(app, header, planned, error.failure(), clock).await
        }
        Ok(done) => {
            Box::pin(last::close(app, &known.plan, clock)).await;
            Ok(done)
        }
        error => error,
    }
}

/// Whether the remaining deliveries of a message are used. A right or network rule that is being changed takes longer
/// than they last, so they help only in a run with one round, which has nothing after them.
fn is_redelivered(header: &PlanHeader, fate: Fate, attempt: Attempt) -> bool {
    let soon = fate == Fate::Retry || one_round(header.by.as_ref());
    attempt != Attempt::Last && soon
}

/// The plan's entry for the object that a message asks for.
fn planned<'p>(plan: &'p Plan, message: &Message) -> Result<&'p Planned> {
    let (id, header) = (message.id(), &plan.header);
    let planned = plan.find(&id).filter(|planned| planned.decision.backs_up());
    planned.ok_or_else(|| {
        Error::Refused(format!("run {} of vault {} does not back up {id}", header.run, header.vault))
    })
}

/// Backs up an object of an open run's plan for a caller that waits: the last attempt records every failure as final.
///
/// Safe to run twice, concurrently or later: the backup is written create-only under its run, in one request with its
/// entry.
///
/// # Errors
/// Transient failures, until the last attempt.
pub async fn back_up_planned(
    app: &App,
    header: &PlanHeader,
    planned: &Planned,
    attempt: Attempt,
    clock: &Clock,
) -> Result<Done> {
    match try_planned(app, header, planned, clock).await {
        Err(error) if attempt == Attempt::Last => {
            record(app, header, &planned.id(), OutcomeKind::Failed, error.failure(), clock).await
        }
        done => done,
    }
}

/// Tries to back up an object of an open run's plan.
///
/// Safe to run twice, concurrently or later: the backup is written create-only under its run, in one request
/// with its entry. A final failure is recorded and returned as a result.
///
/// # Errors
/// Transient failures.
async fn try_planned(app: &App, header: &PlanHeader, planned: &Planned, clock: &Clock) -> Result<Done> {
    let (kind, failure) = match take(app, header, planned, clock).await {
        Ok(done) => return Ok(done),
        Err(Untaken::Gone(failure)) if planned.decision == Decision::Asked => (OutcomeKind::Failed, failure),
        Err(Untaken::Gone(failure)) => (OutcomeKind::Disappeared, failure),
        Err(Untaken::Error(error)) if error.fate().may_pass() => return Err(error),
        Err(Untaken::Error(error) | Untaken::Refused(error)) => (OutcomeKind::Failed, error.failure()),
    };
    record(app, header, &planned.id(), kind, failure, clock).await
}

/// Records a transient failure as a note.
async fn note(
    app: &App,
    header: &PlanHeader,
    planned: &Planned,
    failure: Failure,
    clock: &Clock,
) -> Result<Done> {
    let (id, note) = (&planned.id(), Note::new(&planned.id(), failure, clock.now()));
    app.jobs()?.note_failing(&header.vault, &header.run, &note).await?;
    let failure = note.failure;
    warn!(
        vault.name = %header.vault, run.id = %header.run, object.kind = %id.kind, object.name = %id.name,
        failure.code = %failure.code, failure.status = failure.status, failure.request_id = failure.request_id,
        "{id} of vault {} could not be backed up; the run tries it again: {}: {}",
        header.vault, failure.code, failure.text,
    );
    Ok(Done::Failing(failure))
}

/// Why there is no backup.
enum Untaken {
    /// The vault does not know the object any more.
    Gone(Failure),
    /// Refused for good, although the answer looks transient.
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

/// Whether the vault itself answered that the object does not exist. A 404 from elsewhere says nothing about the
/// object.
fn is_gone(error: &ServiceError) -> bool {
    let codes = ["SecretNotFound", "KeyNotFound", "CertificateNotFound"];
    let asked = error.asked.service == Service::Vault && error.meaning == Meaning::NotFound;
    asked && codes.contains(&error.failure.code.as_str())
}

async fn take(app: &App, header: &PlanHeader, planned: &Planned, clock: &Clock) -> Result<Done, Untaken> {
    let (vault, id) = (app.vault(&header.vault)?, &planned.id());
    let read = clock.now();
    let versions = vault.versions(id).await?;
    let current = Current::listed(planned.shown, header.listed(id.kind).at, &versions);
    let Some(seen) = VersionsSeen::of(versions, &current) else {
        let text = if planned.decision == Decision::Asked {
            let (kind, vault) = (id.kind, &header.vault);
            format!(
                "the vault has no such object; `az keyvault {kind} list-deleted --vault-name {vault}` shows deleted \
                 ones"
            )
        } else {
            "the vault has no version of it left: it was deleted after it was listed".to_owned()
        };
        return Err(Untaken::Gone(Failure::ours("NotFound", text)));
    };
    if seen.count >= VERSIONS_WARNING {
        warn!(
            vault.name = %header.vault, object.kind = %id.kind, object.name = %id.name, object.versions = seen.count,
            "{id} of vault {} has {} versions; Key Vault does not back up an object with more than {VERSIONS_LIMIT}",
            header.vault, seen.count,
        );
    }
    let handed = vault.backup(id).await.map_err(|error| too_many(error, seen.count))?;
    let asked = || Asked::vault(Operation::BackUp, format!("back up {id} in vault {}", header.vault));
    let form = handed
        .blob
        .judge(id.kind)
        .map_err(|fault| ServiceError::nonsense(asked(), "InvalidBackupBlob", fault.to_string()))?;
    let entry = Entry::from(Taken {
        vault: &header.vault,
        id,
        run: &header.run,
        blob: &handed.blob,
        form,
        region: handed.region,
        location: app.location(&header.vault),
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
            tell_unknown(&entry);
            Ok(Done::BackedUp { bytes: entry.bytes })
        }
    }
}

/// Logs that a backup has an unknown form.
fn tell_unknown(entry: &Entry) {
    let Some(clear) = entry.form.unknown() else { return };
    warn!(
        event = "backup.form_unknown", vault.name = %entry.vault, run.id = %entry.run, object.kind = %entry.kind,
        object.name = %entry.name, backup.clear = %clear,
        "The backup of {} of vault {} is stored, but has a form that this program does not know: {clear}. Install \
         the newest version",
        entry.id(), entry.vault,
    );
}

/// Turns a failure above the version limit into a final one: there the service fails in ways that look like an outage.
/// Answers about rights, throttling or a missing object keep their own reason.
fn too_many(mut error: ServiceError, versions: u32) -> Untaken {
    let other = match error.meaning {
        Meaning::Unavailable | Meaning::Network | Meaning::Nonsense => false,
        Meaning::Refused | Meaning::Busy | Meaning::Exists | Meaning::NotFound => is_gone(&error),
        Meaning::Denied
        | Meaning::Forbidden
        | Meaning::Unauthorized
        | Meaning::Throttled
        | Meaning::NoToken
        | Meaning::Stopped
        | Meaning::NotSent => true,
    };
    if versions <= VERSIONS_LIMIT || other {
        return error.into();
    }
    let code = std::mem::replace(&mut error.failure.code, TOO_MANY_VERSIONS.to_owned());
    error.failure.text = format!(
        "it has {versions} versions, and Key Vault backs up at most {VERSIONS_LIMIT}; versions cannot be \
         deleted, so move its users to a new name. The service said: {code}: {}",
        error.failure.text
    );
    Untaken::Refused(error.into())
}

/// Records the outcome of an object without a backup. Safe to run twice: the first record stays.
pub(super) async fn record(
    app: &App,
    header: &PlanHeader,
    id: &ObjectId,
    kind: OutcomeKind,
    failure: Failure,
    clock: &Clock,
) -> Result<Done> {
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
    use std::future::pending;

    use time::macros::datetime;

    use super::*;
    use crate::domain::{actor::Actor, run::RunId, run::Scope};

    #[tokio::test(start_paused = true)]
    async fn a_try_that_takes_too_long_is_stopped() {
        let tried = in_time("it".into(), pending::<Result<()>>()).await;
        assert!(matches!(tried, Err(Error::Deadline { .. })), "{tried:?}");
    }

    #[test]
    fn deliveries_are_used_where_they_may_help() {
        let at = datetime!(2026-11-22 02:00 UTC);
        let of = |by| PlanHeader {
            by,
            ..PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(at), Scope::Vault, at)
        };
        let (timer, asked) = (of(Some(Actor::TIMER)), of(Some(Actor::http(None, None))));
        for (header, fate, attempt, expected) in [
            (&timer, Fate::Retry, Attempt::First, true),
            (&timer, Fate::Retry, Attempt::Again, true),
            (&timer, Fate::Retry, Attempt::Last, false),
            (&timer, Fate::Later, Attempt::First, false),
            (&of(None), Fate::Later, Attempt::First, false),
            (&asked, Fate::Later, Attempt::Again, true),
            (&asked, Fate::Later, Attempt::Last, false),
        ] {
            assert_eq!(is_redelivered(header, fate, attempt), expected, "{fate:?} {attempt:?}");
        }
    }
}
