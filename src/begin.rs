//! The rules for beginning a job: its request is on the audit trail first, and no caller has more open jobs than
//! allowed.
//!
//! If the trail cannot be written, nothing has begun. If the trail is written and the job cannot be recorded, the trail
//! has one request too many, which does no harm; the caller is told that nothing runs, or that this is not known.

use crate::{
    app::App,
    clock::Clock,
    domain::{actor::Actor, audit::Event, digest::Digest, restore::RestoreId, right::Right, run::RunId},
    error::{Error, Result},
    jobs::{Claim, Turn},
};

/// A plan of a restore that a caller submits to be carried out.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The plan, by its digest.
    pub plan: Digest,
    /// The digest of the caller's idempotency key.
    pub key: Option<Digest>,
    /// The name of the HSM whose content is to be replaced. Plans of vaults do not need it.
    pub confirm: Option<String>,
    /// The caller.
    pub by: Actor,
}

/// The result of opening a restore.
#[derive(Debug)]
pub enum Opened<T> {
    /// The restore holds its target and is recorded, or has ended already.
    Ours(T),
    /// Another restore holds the target.
    Taken(RestoreId),
}

impl<T> Opened<T> {
    /// The same result, with another form of the restore.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Opened<U> {
        match self {
            Self::Ours(restore) => Opened::Ours(form(restore)),
            Self::Taken(other) => Opened::Taken(other),
        }
    }
}

/// The name of a restore that is to begin.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub id: RestoreId,
    telling: Telling,
}

/// How the start of a restore is written to the trail.
#[derive(Clone, Debug)]
enum Telling {
    /// As any other event: no other process uses the name.
    Alone,
    /// As the actor that used the key first. Any process may write this record, and all write the same one.
    AsClaimed(Actor),
    /// Unless it is there already: an older program that claimed the key may have written it.
    IfUntold,
}

impl Name {
    /// A new name that no other restore has.
    pub fn new(clock: &Clock) -> Self {
        Self { id: RestoreId::new(clock.now(), fastrand::u32(..)), telling: Telling::Alone }
    }

    /// The name that an idempotency key stands for. Another process may be beginning a restore of this name, or may
    /// have died while doing so.
    pub fn of(claim: Claim) -> Self {
        Self { id: claim.restore, telling: claim.by.map_or(Telling::IfUntold, Telling::AsClaimed) }
    }

    /// Records on the trail that the restore begins. Safe to run twice. For a claim that names its actor there is one
    /// record, however many processes write it concurrently. Older claims name none; for them, two concurrent processes
    /// may each leave a record.
    ///
    /// # Errors
    /// As [`told`].
    pub async fn tell(&self, app: &App, by: &Actor, event: Event, clock: &Clock) -> Result<()> {
        match &self.telling {
            Telling::Alone => told(app, by, event, clock).await,
            Telling::IfUntold => told_once(app, by, event, clock).await,
            Telling::AsClaimed(by) => {
                app.audit()?.append_once(by, event, self.id.asked()).await.map_err(unwritten)
            }
        }
    }
}

/// Waits for the caller's turn to open a job by a right, and keeps it until the returned [`Turn`] is dropped.
///
/// `None` for an actor without a bound. A caller's open jobs are counted during its turn, so one process never exceeds the bound. Several processes may, by
/// the jobs that they open at the same moment.
///
/// # Errors
/// [`Error::TooMany`] when the caller has as many open jobs as are allowed.
pub async fn may(app: &App, right: Right, by: &Actor) -> Result<Option<Turn>> {
    let jobs = app.jobs()?;
    let Some(turn) = jobs.turn(right, by).await else { return Ok(None) };
    let openers = jobs.openers(right, !app.hsms().is_empty()).await?;
    let own = openers.iter().filter(|opener| opener.caller() == by.caller());
    match app.config().bounds.met(right, own).pop() {
        Some(met) => Err(Error::TooMany(Box::new(met))),
        None => Ok(Some(turn)),
    }
}

/// Names to try for a run. A second try needs two requests in one second that draw the same one of 2^32 numbers.
const NAMES: usize = 4;

/// The names to try, one after the other, for a run that is requested now.
pub fn names(clock: &Clock) -> impl Iterator<Item = RunId> {
    std::iter::repeat_with(|| RunId::manual(clock.now(), fastrand::u32(..))).take(NAMES)
}

/// The error when other runs have all of the [`names`].
pub fn all_taken() -> Error {
    Error::Refused("too many runs were requested in this second; send the request again".into())
}

/// Records on the trail that a job begins now.
///
/// # Errors
/// [`Error::NotBegun`]: nothing has begun, and nothing may.
pub async fn told(app: &App, by: &Actor, event: Event, clock: &Clock) -> Result<()> {
    app.audit()?.append(by, event, clock.now()).await.map_err(unwritten)
}

fn unwritten(error: Error) -> Error {
    not_begun("nothing was begun, because the audit trail, which comes first, cannot be written", error, true)
}

/// Records on the trail that a job begins now, unless the trail has that event already.
///
/// # Errors
/// As [`told`].
pub async fn told_once(app: &App, by: &Actor, event: Event, clock: &Clock) -> Result<()> {
    let is_told = app.audit()?.tells_of(&event).await;
    let unread = "nothing was begun, because the audit trail, which comes first, cannot be read";
    if is_told.map_err(|error| not_begun(unread, error, true))? {
        return Ok(());
    }
    told(app, by, event, clock).await
}

/// The error of a job that is on the trail but could not be recorded.
pub fn unrecorded(what: &str) -> impl Fn(Error) -> Error {
    move |error| {
        let surely = error.leaves_nothing();
        let text = if surely {
            format!("nothing was begun: {what} is on the audit trail, but could not be recorded")
        } else {
            format!("it is not known whether {what} has begun; check that before you send the request again")
        };
        not_begun(&text, error, surely)
    }
}

fn not_begun(text: &str, because: Error, surely: bool) -> Error {
    Error::NotBegun { text: text.to_owned(), surely, because: Box::new(because) }
}
