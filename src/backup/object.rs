//! Backing up one object.

use tracing::{info, warn};

use crate::{
    app::App,
    attempt::Attempt,
    azure::{
        container::Written,
        error::{Asked, Meaning, Operation, Service, ServiceError},
    },
    clock::Clock,
    domain::{
        entry::{Entry, Taken},
        job::rounds::Note,
        object::ObjectId,
        outcome::{Failure, Outcome, OutcomeKind},
        plan::PlanHeader,
        planned::{Decision, Planned},
        versions::{Current, TOO_MANY_VERSIONS, VERSIONS_LIMIT, VERSIONS_WARNING, VersionsSeen},
    },
    error::{Error, Result},
};

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
pub(super) async fn try_planned(
    app: &App,
    header: &PlanHeader,
    planned: &Planned,
    clock: &Clock,
) -> Result<Done> {
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
pub(super) async fn note(
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
