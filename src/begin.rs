//! Nothing begins that is not on the audit trail: the record comes first, then what it tells of. And no caller has more
//! open than it may have.
//!
//! When the trail cannot be written, nothing has begun. When what is on the trail cannot be recorded itself, the trail has
//! a request too many, which does no harm; whoever asked is told that nothing runs, or that it is not known.

use crate::{
    app::App,
    clock::Clock,
    domain::{actor::Actor, audit::Event, restore::RestoreId, right::Right},
    error::{Error, Result},
    jobs::{Claim, Turn},
};

/// The name of a restore that is to begin.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub id: RestoreId,
    telling: Telling,
}

/// How the start of a restore comes on the trail.
#[derive(Clone, Debug)]
enum Telling {
    /// As any other event: the name is this process's alone.
    Alone,
    /// In the words of who used the key first, which any process may write: they are the same record.
    AsClaimed(Actor),
    /// Unless it is there: an older program, which took the key, may have told of it.
    IfUntold,
}

impl Name {
    /// A name that nobody else has.
    pub fn new(clock: &Clock) -> Self {
        Self { id: RestoreId::new(clock.now(), fastrand::u32(..)), telling: Telling::Alone }
    }

    /// The name that an idempotency key stands for. Others may begin a restore of this name, or have died when they did.
    pub fn of(claim: Claim) -> Self {
        Self { id: claim.restore, telling: claim.by.map_or(Telling::IfUntold, Telling::AsClaimed) }
    }

    /// Puts on the trail that the restore begins. Safe to run twice. Of a claim that names who asked there is one record,
    /// however many processes tell at once; older claims do not, and two processes at once may each leave one.
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

/// Waits for the caller's turn to open a job by a right, and keeps it until the answer is dropped.
///
/// A caller's open jobs are counted in its turn, so one process never opens more than the bound. Several may, by what
/// they open at the same moment.
///
/// # Errors
/// [`Error::TooMany`] when the caller has as many open jobs as it may have.
pub async fn may(app: &App, right: Right, by: &Actor) -> Result<Option<Turn>> {
    let jobs = app.jobs()?;
    let Some(turn) = jobs.turn(right, by).await else { return Ok(None) };
    let openers = jobs.openers(right, app.hsms().names().next().is_some()).await?;
    let own = openers.iter().filter(|opener| opener.caller() == by.caller());
    match app.config().bounds.met(right, own).pop() {
        Some(met) => Err(Error::TooMany(Box::new(met))),
        None => Ok(Some(turn)),
    }
}

/// Puts on the trail that something begins now.
///
/// # Errors
/// [`Error::NotBegun`]: nothing has begun, and nothing may.
pub async fn told(app: &App, by: &Actor, event: Event, clock: &Clock) -> Result<()> {
    app.audit()?.append(by, event, clock.now()).await.map_err(unwritten)
}

fn unwritten(error: Error) -> Error {
    not_begun("nothing was begun, because the audit trail, which comes first, cannot be written", error, true)
}

/// The same, unless the trail tells of it already.
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

/// The error of something that is on the trail, and that could not be recorded itself.
pub fn unrecorded(what: &str) -> impl Fn(Error) -> Error {
    move |error| {
        let surely = error.leaves_nothing();
        let text = if surely {
            format!("nothing was begun: {what} is on the audit trail, and cannot be recorded itself")
        } else {
            format!("look for {what} before you ask again: whether it has begun is not known")
        };
        not_begun(&text, error, surely)
    }
}

fn not_begun(text: &str, because: Error, surely: bool) -> Error {
    Error::NotBegun { text: text.to_owned(), surely, because: Box::new(because) }
}
