//! The functions, each a few lines: decode, call one use case, say what came of it.

use std::{future::Future, str::FromStr, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream};
use serde::de::DeserializeOwned;
use time::{OffsetDateTime, Time};

use super::{
    LONG_DEADLINE, MAX_DELIVERIES, OBJECT_DEADLINE,
    envelope::{EnvelopeError, Invocation, Timer},
};
use crate::{
    app::App,
    azure::vault::VaultClient,
    backup::{
        self, Progress, advance,
        object::{self, Attempt, Done},
    },
    clock::Clock,
    config::Role,
    domain::{
        asker::Asker,
        hsm::Task,
        message::{MESSAGE_FORMAT, Message},
        object::VaultName,
        restore::{RESTORE_FORMAT, RestoreMessage, StepResult},
        run::RunId,
    },
    error::{Error, Result},
    hsm::{self, start::Opened},
    restore::{self, object::Done as Restored},
};

/// Vaults that are planned at once: each holds its list of objects in memory.
const VAULTS_AT_ONCE: usize = 4;

/// How far ahead of its time a timer may fire and still serve its next occurrence. A later "next" means
/// that somebody fired it by hand.
const EARLY: time::Duration = time::Duration::MINUTE;

/// What this program believes the host of a queue message. The host merges a message's own fields over what it
/// says itself, whatever their case.
const SAID_BY_THE_HOST: [&str; 2] = ["DequeueCount", "sys"];

/// A folder under `functions/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Starts the night's run of every vault.
    NightlyVaultBackup,
    /// Starts the night's backup of every Managed HSM.
    NightlyHsmBackup,
    /// Backs up one object.
    BackUpObject,
    /// Carries out one step of a restore.
    RestoreObject,
    /// Moves open runs and restores on.
    AdvanceJobs,
    /// The HTTP API for backups: see [`crate::api`].
    Backups,
    /// The HTTP API for restores: see [`crate::api`].
    Restores,
    /// The HTTP API for jobs, sources and health: see [`crate::api`].
    Status,
}

impl Function {
    /// Every function.
    pub const ALL: [Self; 8] = [
        Self::NightlyVaultBackup,
        Self::NightlyHsmBackup,
        Self::BackUpObject,
        Self::RestoreObject,
        Self::AdvanceJobs,
        Self::Backups,
        Self::Restores,
        Self::Status,
    ];

    /// The folder's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NightlyVaultBackup => "NightlyVaultBackup",
            Self::NightlyHsmBackup => "NightlyHsmBackup",
            Self::BackUpObject => "BackUpObject",
            Self::RestoreObject => "RestoreObject",
            Self::AdvanceJobs => "AdvanceJobs",
            Self::Backups => "Backups",
            Self::Restores => "Restores",
            Self::Status => "Status",
        }
    }
}

impl FromStr for Function {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|function| function.as_str() == text).ok_or(())
    }
}

impl From<EnvelopeError> for Error {
    fn from(error: EnvelopeError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Runs a function within its deadline and says in one line what came of it.
///
/// # Errors
/// What should make the host count the invocation as failed: for a queue message, another delivery.
pub async fn run(app: &App, function: Function, invocation: &Invocation) -> Result<String> {
    match function {
        Function::NightlyVaultBackup => {
            within(LONG_DEADLINE, function, nightly_vault_backup(app, invocation)).await
        }
        Function::NightlyHsmBackup => {
            within(LONG_DEADLINE, function, nightly_hsm_backup(app, invocation)).await
        }
        Function::BackUpObject => within(OBJECT_DEADLINE, function, back_up_object(app, invocation)).await,
        Function::RestoreObject => within(OBJECT_DEADLINE, function, restore_object(app, invocation)).await,
        Function::AdvanceJobs => within(LONG_DEADLINE, function, advance_jobs(app, invocation)).await,
        Function::Backups | Function::Restores | Function::Status => {
            Err(Error::Refused("`enableForwardingHttpRequest` in host.json must be true".into()))
        }
    }
}

async fn within<T>(limit: Duration, function: Function, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Deadline { what: function.as_str().to_owned(), seconds: limit.as_secs() };
    tokio::time::timeout(limit, Box::pin(work)).await.map_err(late)?
}

async fn nightly_vault_backup(app: &App, invocation: &Invocation) -> Result<String> {
    let run = run_of(invocation.timer("timer")?, invocation.clock.now());
    let starts: Vec<_> = app.vaults().map(|vault| start(app, vault, &run, &invocation.clock)).collect();
    let mut starts = stream::iter(starts).buffer_unordered(VAULTS_AT_ONCE);
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    while let Some((vault, progress)) = starts.next().await {
        match progress {
            Ok(Progress::Sent { objects }) => said.push(format!("{vault}: {objects} messages sent")),
            Ok(Progress::Closed(summary)) => said.push(format!("{vault}: {}", summary.verdict)),
            Err(error) => failed.push(format!("{vault}: {error}")),
        }
    }
    outcome(format!("run {run}: {}", said.join("; ")), &failed)
}

async fn nightly_hsm_backup(app: &App, invocation: &Invocation) -> Result<String> {
    let run = run_of(invocation.timer("timer")?, invocation.clock.now());
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    for (hsm, opened) in Box::pin(hsm::nightly::nightly(app, &run, &invocation.clock)).await {
        match opened {
            Ok(Opened::Open(_)) => said.push(format!("{hsm}: open")),
            Ok(Opened::Ended(backup)) => said.push(format!("{hsm}: {}", backup.verdict)),
            Err(error) => failed.push(format!("{hsm}: {error}")),
        }
    }
    outcome(format!("run {run}: {}", said.join("; ")), &failed)
}

/// Boxed, because the compiler cannot see through a stream of these futures that they may change threads.
fn start<'a>(
    app: &'a App,
    vault: &'a VaultClient,
    run: &'a RunId,
    clock: &'a Clock,
) -> BoxFuture<'a, (&'a VaultName, Result<Progress>)> {
    Box::pin(async move { (vault.url().name(), backup::start(app, vault, run, &Asker::TIMER, clock).await) })
}

/// The run that a firing asks for.
///
/// The occurrence, not the time of firing, names it: a retry and a late firing name the same run. A timer
/// that somebody fired by hand shows its next occurrence, which must stay free for the schedule.
fn run_of(timer: Timer, now: OffsetDateTime) -> RunId {
    match timer.next {
        Some(next) if next <= now + EARLY => RunId::nightly(next),
        _ => {
            let minute = Time::from_hms(now.hour(), now.minute(), 0).unwrap_or(Time::MIDNIGHT);
            RunId::manual(now.replace_time(minute), 0)
        }
    }
}

async fn back_up_object(app: &App, invocation: &Invocation) -> Result<String> {
    let message: Message = decode(&invocation.text("message")?, MESSAGE_FORMAT)?;
    let done = object::back_up(app, &message, attempt(invocation), &invocation.clock).await?;
    let id = message.id();
    Ok(match done {
        Done::BackedUp { bytes } => format!("{id}: backed up, {bytes} bytes"),
        Done::Already => format!("{id}: nothing to do, its backup is there"),
        Done::Closed => format!("{id}: nothing to do, run {} is closed", message.run),
        Done::Disappeared => format!("{id}: deleted after it was listed"),
        Done::Failed(failure) => format!("{id}: failed: {}", failure.code),
    })
}

async fn restore_object(app: &App, invocation: &Invocation) -> Result<String> {
    let message: RestoreMessage = decode(&invocation.text("message")?, RESTORE_FORMAT)?;
    let done = restore::object::restore(app, &message, attempt(invocation), &invocation.clock).await?;
    let id = message.id();
    Ok(match done {
        Restored::Ended(StepResult::Failed(failure)) => format!("{id}: failed: {}", failure.code),
        Restored::Ended(_) => format!("{id}: restored"),
        Restored::Already => format!("{id}: nothing to do, it was done before"),
        Restored::Waiting => format!("{id}: the vault is busy with it; it is tried again"),
    })
}

fn attempt(invocation: &Invocation) -> Attempt {
    match invocation.delivery {
        0 | 1 => Attempt::First,
        delivery if delivery < MAX_DELIVERIES => Attempt::Again,
        _ => Attempt::Last,
    }
}

/// Decodes a message. One that cannot be decoded fails its invocation, so that the host keeps it in the
/// poison queue; a newer program may understand what this one does not.
pub fn decode<M: DeserializeOwned>(text: &str, known: u32) -> Result<M> {
    let malformed = |error: serde_json::Error| {
        // The text may repeat a part of the message, which may be of any length.
        let text: String = error.to_string().chars().filter(|c| !c.is_control()).take(200).collect();
        Error::Refused(format!("the message cannot be decoded: {text}"))
    };
    let value: serde_json::Value = serde_json::from_str(text).map_err(malformed)?;
    let has = |name: &&&str| {
        value.as_object().is_some_and(|of| of.keys().any(|key| key.eq_ignore_ascii_case(name)))
    };
    if let Some(name) = SAID_BY_THE_HOST.iter().find(has) {
        return Err(Error::Refused(format!(
            "the message has a field {name}, which hides what the host says of it"
        )));
    }
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(found) if found > known.into() => {
            Err(Error::TooNew { what: "the message".into(), found, known })
        }
        _ => serde_json::from_value(value).map_err(malformed),
    }
}

/// The three go side by side: a vault or an HSM that does not answer holds up its own jobs alone.
async fn advance_jobs(app: &App, invocation: &Invocation) -> Result<String> {
    let (role, clock) = (app.role(), &invocation.clock);
    let runs = async {
        let done = |of: advance::Advanced| {
            (format!("{} runs closed, {} still open", of.closed.len(), of.open), of.errors)
        };
        if role == Role::Restore { None } else { Some(advance::advance(app, clock).await.map(done)) }
    };
    let restores = async {
        let done = |of: restore::advance::Advanced| {
            (format!("{} restores ended, {} still open", of.ended.len(), of.open), of.errors)
        };
        if role == Role::Backup { None } else { Some(restore::advance::advance(app, clock).await.map(done)) }
    };
    let hsms = async {
        let done = |of: hsm::advance::Advanced| {
            (format!("{} HSM jobs ended, {} still open", of.ended, of.open), of.errors)
        };
        Some(hsm::advance::advance(app, wanted(role), clock).await.map(done))
    };
    let (runs, restores, hsms) = futures::join!(Box::pin(runs), Box::pin(restores), Box::pin(hsms));
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    for part in [runs, restores, hsms].into_iter().flatten() {
        match part {
            Ok((text, errors)) => {
                said.push(text);
                failed.extend(errors.iter().map(ToString::to_string));
            }
            Err(error) => failed.push(error.to_string()),
        }
    }
    outcome(said.join("; "), &failed)
}

/// Each app looks after its own jobs. The backup that a restore wants first belongs to the restore.
fn wanted(role: Role) -> impl Fn(&Task) -> bool {
    move |task| match role {
        Role::All => true,
        Role::Backup => matches!(task, Task::Backup { safety_for: None }),
        Role::Restore => !matches!(task, Task::Backup { safety_for: None }),
    }
}

fn outcome(said: String, failed: &[String]) -> Result<String> {
    if failed.is_empty() {
        Ok(said)
    } else {
        Err(Error::Refused(format!("{said}; failed: {}", failed.join("; "))))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:11:12 UTC);

    fn run(next: Option<OffsetDateTime>) -> String {
        run_of(Timer { next, past_due: false }, NOW).to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn an_invocation_never_outlasts_its_deadline() {
        let never = within(OBJECT_DEADLINE, Function::BackUpObject, std::future::pending::<Result<()>>());
        let error = never.await.unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{error}");
    }

    #[test]
    fn the_occurrence_names_the_run() {
        assert_eq!(run(Some(datetime!(2026-11-22 02:00 UTC))), "20261122T020000Z-nightly");
        assert_eq!(run(Some(datetime!(2026-11-22 10:11:13 UTC))), "20261122T101113Z-nightly");
    }

    #[test]
    fn firing_by_hand_leaves_the_next_occurrence_to_the_schedule() {
        assert_eq!(run(Some(datetime!(2026-11-23 02:00 UTC))), "20261122T101100Z-manual-0000");
        assert_eq!(run(None), "20261122T101100Z-manual-0000");
    }

    #[test]
    fn a_newer_message_is_told_from_a_broken_one() {
        assert!(matches!(
            decode::<Message>(r#"{"version":2,"x":1}"#, 1),
            Err(Error::TooNew { found: 2, .. })
        ));
        assert!(matches!(decode::<Message>(r#"{"version":1}"#, 1), Err(Error::Refused(_))));
    }
}
