//! The functions. Each decodes its invocation, calls one use case, and reports the result.

use std::{future::Future, pin::pin, time::Duration};

use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use time::{OffsetDateTime, Time};

use super::{
    LONG_DEADLINE, MAX_DELIVERIES, OBJECT_DEADLINE,
    envelope::{EnvelopeError, Invocation, Timer},
};
pub use crate::domain::role::Function;
use crate::{
    app::App,
    attempt::Attempt,
    backup::{Progress, message, object::Done, reconcile},
    copies,
    domain::{
        actor::Actor,
        hsm::Task,
        message::{MESSAGE_FORMAT, Message},
        restore::{RESTORE_FORMAT, RestoreMessage, StepResult},
        role::Role,
        run::RunId,
        source::SourceId,
        verification::Verification,
    },
    drill::{self, Went},
    error::{Error, Result},
    evidence,
    hsm::{self, start::Opened},
    nights::{self, Found},
    notify,
    restore::{self, object::Done as Restored},
    retention::{self, Applied},
    second, suspects, verification,
};

/// How early a timer may fire and still serve its next occurrence. A later "next" means that a person fired it
/// by hand.
const EARLY: time::Duration = time::Duration::MINUTE;

/// Metadata of a queue message that this program takes from the host. The host merges a message's own fields over
/// them, in any case of letters.
const SAID_BY_THE_HOST: [&str; 2] = ["DequeueCount", "sys"];

impl From<EnvelopeError> for Error {
    fn from(error: EnvelopeError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Runs a function within its deadline and returns its result in one line.
///
/// # Errors
/// Those for which the host should count the invocation as failed; a queue message is then delivered again.
pub async fn run(app: &App, function: Function, invocation: &Invocation) -> Result<String> {
    if !app.role().serves(function) {
        let role = app.role().as_str();
        tracing::error!(
            event = "role.refused",
            app.role = role,
            "{} is not a function of an app of the role {role}; disable it here",
            function.as_str()
        );
        return Err(Error::Refused(format!(
            "an app of the role {role} does not serve {}",
            function.as_str()
        )));
    }
    match function {
        Function::ApplyRetention => within(LONG_DEADLINE, function, apply_retention(app, invocation)).await,
        Function::VerifyBackups => within(LONG_DEADLINE, function, verify_backups(app, invocation)).await,
        Function::CopyBackups => within(LONG_DEADLINE, function, copy_backups(app, invocation)).await,
        Function::RestoreDrill => within(LONG_DEADLINE, function, restore_drill(app, invocation)).await,
        Function::NightlyVaultBackup => {
            within(LONG_DEADLINE, function, nightly_vault_backup(app, invocation)).await
        }
        Function::NightlyHsmBackup => {
            within(LONG_DEADLINE, function, nightly_hsm_backup(app, invocation)).await
        }
        Function::BackUpObject => within(OBJECT_DEADLINE, function, back_up_object(app, invocation)).await,
        Function::RestoreObject => within(OBJECT_DEADLINE, function, restore_object(app, invocation)).await,
        Function::AdvanceJobs => within(LONG_DEADLINE, function, advance_jobs(app, invocation)).await,
        Function::Backups | Function::Restores | Function::Status | Function::Page => {
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
    let mut starts = pin!(nights::vaults(app, &run, &invocation.clock));
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    while let Some((vault, progress)) = starts.next().await {
        match progress {
            Ok(Progress::Sent { objects }) => said.push(format!("{vault}: messages sent: {objects}")),
            Ok(Progress::Closed(summary)) => said.push(format!("{vault}: {}", summary.verdict)),
            Err(error) => failed.push(format!("{vault}: {error}")),
        }
    }
    outcome(&format!("run {run}: "), &said, &failed)
}

async fn nightly_hsm_backup(app: &App, invocation: &Invocation) -> Result<String> {
    let run = run_of(invocation.timer("timer")?, invocation.clock.now());
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    for (hsm, opened) in Box::pin(nights::hsms(app, &run, &invocation.clock)).await {
        match opened {
            Ok(Opened::Open(_)) => said.push(format!("{hsm}: open")),
            Ok(Opened::Ended(backup)) => said.push(format!("{hsm}: {}", backup.verdict)),
            Err(error) => failed.push(format!("{hsm}: {error}")),
        }
    }
    outcome(&format!("run {run}: "), &said, &failed)
}

/// Applies retention to every source, and makes the record of evidence of yesterday. Neither holds up the other. What a
/// deadline or a kill leaves undone of retention, the next firing does.
async fn apply_retention(app: &App, invocation: &Invocation) -> Result<String> {
    invocation.timer("timer")?;
    let clock = &invocation.clock;
    let applied = Box::pin(retention::apply::all(app, &Actor::TIMER, clock));
    let (applied, recorded) = futures::join!(applied, Box::pin(evidence::record::record(app, clock)));
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    match &recorded {
        Ok(recorded) if recorded.is_new => said.push(format!("evidence of {}: recorded", recorded.day)),
        Ok(_) => {}
        Err(error) => {
            tracing::error!(
                event = "evidence.failed",
                "The record of evidence of yesterday is not made: {error}"
            );
            failed.push(format!("evidence of yesterday: {error}"));
        }
    }
    match applied {
        Ok(applied) => told(applied, &mut said, &mut failed),
        Err(error) => failed.push(error.to_string()),
    }
    outcome("", &said, &failed)
}

fn told(applied: Vec<(SourceId, Result<Applied>)>, said: &mut Vec<String>, failed: &mut Vec<String>) {
    for (of, applied) in applied {
        match applied {
            Ok(done) => said.push(format!(
                "{}: let go {}, deleted {}, offered again {}",
                of.name,
                done.dropped.len(),
                done.swept.len(),
                done.reinstated.len()
            )),
            Err(error) => failed.push(format!("{}: {error}", of.name)),
        }
    }
}

/// Verifies every source, and tells how old its newest drill is. What a deadline or a kill leaves undone, `AdvanceJobs` and the next firing do.
async fn verify_backups(app: &App, invocation: &Invocation) -> Result<String> {
    invocation.timer("timer")?;
    let done = verification::all(app, &invocation.clock).await?;
    drill::age::tell(app, &invocation.clock).await?;
    verified(done)
}

/// Makes the copies that are missing. What a deadline or a kill leaves undone, the next firing does.
async fn copy_backups(app: &App, invocation: &Invocation) -> Result<String> {
    invocation.timer("timer")?;
    let copies::Copied { said, failed } = Box::pin(copies::all(app, &invocation.clock)).await;
    outcome("", &said, &failed)
}

/// Drills every source that has a drill vault. What a deadline or a kill leaves undone, `AdvanceJobs` does.
async fn restore_drill(app: &App, invocation: &Invocation) -> Result<String> {
    invocation.timer("timer")?;
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    for (vault, went) in drill::all(app, &Actor::TIMER, &invocation.clock).await {
        match went {
            Ok(went) => said.push(drilled(&went)),
            Err(Error::Busy(why)) => said.push(why),
            Err(error) => failed.push(format!("{vault}: {error}")),
        }
    }
    outcome("", &said, &failed)
}

/// The text about the drills in one vault.
fn drilled(went: &Went) -> String {
    let ended =
        went.ended().iter().map(|of| format!("{}: {}, cleanup {}", of.source, of.came.restore, of.cleanup));
    let waits = match went {
        Went::Ended(_) => None,
        Went::Waits(_, open) => Some(format!("{}: waits for vault {}", open.source, open.target)),
    };
    ended.chain(waits).collect::<Vec<_>>().join("; ")
}

/// The text about verifications.
fn verified(done: Vec<(SourceId, Result<Verification>)>) -> Result<String> {
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    for (of, verified) in done {
        match verified {
            Ok(Verification { counts, findings, .. }) => said.push(format!(
                "{}: {} of {} there, {} read, {} findings",
                of.name,
                counts.named - counts.missing,
                counts.named,
                counts.read,
                findings.len()
            )),
            Err(Error::Busy(why)) => said.push(why),
            Err(error) => failed.push(format!("{}: {error}", of.name)),
        }
    }
    outcome("", &said, &failed)
}

/// The run that a firing of a timer names.
///
/// The name comes from the occurrence, not from the time of firing: a retry and a late firing name the same run. A
/// timer that a person fired by hand shows its next occurrence, which must stay free for the schedule.
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
    let asked: Message = decode(&invocation.text("message")?, MESSAGE_FORMAT)?;
    let done = message::back_up(app, &asked, attempt(invocation), &invocation.clock).await?;
    let id = asked.id();
    Ok(match done {
        Done::BackedUp { bytes } => format!("{id}: backed up, {bytes} bytes"),
        Done::Already => format!("{id}: nothing to do, it is backed up already"),
        Done::Closed => format!("{id}: nothing to do, run {} is closed", asked.run),
        Done::Disappeared => format!("{id}: deleted after it was listed"),
        Done::Failing(failure) => format!("{id}: to be tried again: {}", failure.code),
        Done::Failed(failure) => format!("{id}: failed: {}", failure.code),
    })
}

async fn restore_object(app: &App, invocation: &Invocation) -> Result<String> {
    let message: RestoreMessage = decode(&invocation.text("message")?, RESTORE_FORMAT)?;
    let done = restore::object::restore(app, &message, attempt(invocation), &invocation.clock).await?;
    let id = message.id();
    Ok(match done {
        Restored::Ended(StepResult::Failed { failure }) => format!("{id}: failed: {}", failure.code),
        Restored::Ended(_) => format!("{id}: restored"),
        Restored::Already => format!("{id}: nothing to do, its step has ended already"),
        Restored::Waiting(failure) => format!("{id}: to be tried again: {}", failure.code),
        Restored::Displaced => {
            format!(
                "{id}: nothing to do, the restore no longer holds the vault, or a terminal carries it out"
            )
        }
    })
}

fn attempt(invocation: &Invocation) -> Attempt {
    match invocation.delivery {
        0 | 1 => Attempt::First,
        delivery if delivery < MAX_DELIVERIES => Attempt::Again,
        _ => Attempt::Last,
    }
}

/// Decodes a message. A message that cannot be decoded fails its invocation, so that the host keeps it in the
/// poison queue; a newer program may understand it.
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

/// Reconciles runs, restores and HSM jobs concurrently: a vault or an HSM that does not answer holds up only its own
/// jobs. Then begins the runs of missed nights, if the open jobs could be read.
async fn advance_jobs(app: &App, invocation: &Invocation) -> Result<String> {
    let (role, clock) = (app.role(), &invocation.clock);
    let catches_up = nights::record_pass(app, clock).await;
    let runs = async { if role.backs_up() { Some(reconcile::reconcile(app, clock).await) } else { None } };
    let restores =
        async { if role.restores() { Some(restore::reconcile::reconcile(app, clock).await) } else { None } };
    let hsms = hsm::reconcile::reconcile(app, wanted(role), clock);
    let (runs, restores, hsms) = futures::join!(Box::pin(runs), Box::pin(restores), Box::pin(hsms));
    let mut passed = Passed::default();
    let found = Found { runs: runs.as_ref().and_then(|of| of.as_ref().ok()), hsms: hsms.as_ref().ok() };
    // After the reconciled runs: one that closes now may have replaced what was found wrong.
    let suspects = if role.backs_up() { Some(Box::pin(suspects::back_up(app, clock)).await) } else { None };
    let verified = if role.keeps() { Some(verification::go_on(app, clock).await) } else { None };
    let drills = if role.keeps() { Some(Box::pin(drill::go_on(app, clock)).await) } else { None };
    let copied = if role.keeps() { Some(Box::pin(second::go_on(app, clock)).await) } else { None };
    let late = if catches_up { Some(Box::pin(nights::catch_up(app, found, clock)).await) } else { None };
    // Last: it tells of the state that this pass leaves.
    let told = Box::pin(notify::pass(app, clock)).await;
    passed.part(runs, |of| (format!("runs closed: {}, still open: {}", of.closed, of.open), of.errors));
    passed.part(restores, |of| (format!("restores ended: {}, still open: {}", of.ended, of.open), of.errors));
    passed
        .part(Some(hsms), |of| (format!("HSM jobs ended: {}, still open: {}", of.ended, of.open), of.errors));
    passed.part(suspects, |of| (listed("begun again", &of.runs), of.errors));
    passed.part(verified, |of| {
        let errors = of.into_iter().filter_map(|(_, verified)| verified.err());
        (String::new(), errors.filter(|error| !matches!(error, Error::Busy(_))).collect())
    });
    passed.part(drills, |of| {
        let said: Vec<_> = of.iter().filter_map(|(_, went)| went.as_ref().ok()).map(drilled).collect();
        let errors = of.into_iter().filter_map(|(_, went)| went.err());
        (said.join("; "), errors.filter(|error| !matches!(error, Error::Busy(_))).collect())
    });
    passed.part(copied, |of| of.map_or_else(Default::default, |of| (of.words(), of.failures())));
    passed.part(late, |of| (listed("begun late", &of.begun), of.errors));
    if told.sent > 0 {
        passed.said.push(format!("messages sent: {}", told.sent));
    }
    outcome("", &passed.said, &passed.failed)
}

/// What was done to some runs, in words; nothing if there are none.
fn listed(what: &str, runs: &[String]) -> String {
    if runs.is_empty() { String::new() } else { format!("{what}: {}", runs.join(", ")) }
}

/// The results of a pass's parts.
#[derive(Default)]
struct Passed {
    said: Vec<String>,
    failed: Vec<String>,
}

impl Passed {
    fn part<T>(&mut self, part: Option<Result<T>>, words: impl Fn(T) -> (String, Vec<Error>)) {
        match part {
            Some(Ok(of)) => {
                let (text, errors) = words(of);
                self.said.push(text);
                self.failed.extend(errors.iter().map(ToString::to_string));
            }
            Some(Err(error)) => self.failed.push(error.to_string()),
            None => {}
        }
    }
}

/// Selects the HSM jobs that an app of a role reconciles. A safety backup belongs to its restore.
fn wanted(role: Role) -> impl Fn(&Task) -> bool {
    move |task| match role {
        Role::All => true,
        Role::Keeper | Role::Page => false,
        Role::Backup => matches!(task, Task::Backup { safety_for: None }),
        Role::Restore => !matches!(task, Task::Backup { safety_for: None }),
    }
}

/// The text of an invocation: its successes and its failures, each only if there are any.
fn outcome(head: &str, said: &[String], failed: &[String]) -> Result<String> {
    let done = said.iter().filter(|said| !said.is_empty()).cloned().collect::<Vec<_>>().join("; ");
    if failed.is_empty() {
        return Ok(format!("{head}{}", if done.is_empty() { "nothing to do" } else { &done }));
    }
    let done = if done.is_empty() { done } else { format!("{done}; ") };
    Err(Error::Refused(format!("{head}{done}failed: {}", failed.join("; "))))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:11:12 UTC);

    fn run(next: Option<OffsetDateTime>) -> String {
        run_of(Timer { next }, NOW).to_string()
    }

    #[test]
    fn what_an_invocation_says_has_no_empty_half() {
        let words = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        for (said, failed, expected) in [
            ("done", "", "run R: done"),
            ("a b", "c d", "run R: a; b; failed: c; d"),
            ("", "c", "run R: failed: c"),
            ("", "", "run R: nothing to do"),
        ] {
            let told = outcome("run R: ", &words(said), &words(failed));
            assert_eq!(told.unwrap_or_else(|error| error.to_string()), expected);
        }
        let unsaid = outcome("", &[String::new()], &words("c"));
        assert_eq!(unsaid.unwrap_err().to_string(), "failed: c");
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
