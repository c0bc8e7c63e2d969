//! Taking a drill further, until it has ended or waits for its vault.

use super::{
    clean, close,
    held::{Held, Step},
    plan, restore,
};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        drill::{CleanedUp, Drill, DrillOf, Next, OpenDrill, Targets, judge},
        source::SourceName,
    },
    error::{Error, Result},
    jobs::StoredDrill,
};

/// How far a drill has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Went {
    /// It has ended; of several in one vault, these.
    Ended(Vec<Drill>),
    /// It waits for its vault, after these have ended.
    Waits(Vec<Drill>, Box<OpenDrill>),
}

impl Went {
    /// The drills that have ended.
    pub fn ended(&self) -> &[Drill] {
        match self {
            Self::Ended(ended) | Self::Waits(ended, _) => ended,
        }
    }
}

/// Takes over a drill on which no process is at work.
///
/// # Errors
/// [`Error::Busy`] if one is.
pub(super) async fn take(app: &App, stored: StoredDrill, clock: &Clock) -> Result<StoredDrill> {
    let OpenDrill { id, source, target, .. } = &stored.of;
    let busy = Error::Busy(format!("another process works on drill {id} of {source} in vault {target}"));
    if !stored.of.is_left(clock.now()) {
        return Err(busy);
    }
    let mut taken = stored;
    taken.of = taken.of.taken_over(clock.now());
    app.jobs()?.save_drill(&taken).await?.ok_or(busy)
}

/// Takes a drill further. If it waits, any process may take it over at once.
///
/// # Errors
/// Those of storage, and [`Error::Busy`] if another process has taken it over. The next pass goes on.
pub(super) async fn advance(app: &App, stored: StoredDrill, clock: &Clock) -> Result<Went> {
    let mut held = Held::new(app.jobs()?, stored, clock);
    let mut ended = Vec::new();
    loop {
        let step = match held.of().next(clock.now()) {
            Next::Plan => plan::plan(app, &mut held).await?,
            Next::Restore => restore::restore(app, &mut held).await?,
            Next::Judge => {
                let verdict = judge(held.of(), targets(app, held.of()), &app.config().restores, clock.now());
                held.of_mut().verdict = Some(verdict);
                held.save().await?;
                Step::Done
            }
            Next::CleanUp => clean::clean_up(app, &mut held).await?,
            Next::Close(cleanup) => {
                ended.extend(put_on_record(app, &held, cleanup).await?);
                let Some(next) = then(app, &held).await? else {
                    app.jobs()?.close_drill(held.of()).await?;
                    return Ok(Went::Ended(ended));
                };
                *held.of_mut() = next;
                held.save().await?;
                Step::Done
            }
        };
        if step == Step::Waits {
            held.of_mut().working = false;
            held.save().await?;
            return Ok(Went::Waits(ended, Box::new(held.of().clone())));
        }
    }
}

fn targets(app: &App, drill: &OpenDrill) -> Targets {
    app.config().drills.of.get(&drill.source).map(|of| of.targets).unwrap_or_default()
}

async fn put_on_record(app: &App, held: &Held<'_>, cleanup: CleanedUp) -> Result<Option<Drill>> {
    let Some(record) = Drill::of(held.of(), cleanup, held.clock.now()) else { return Ok(None) };
    app.catalogue()?.create_drill(&record).await?;
    close::log(&record);
    Ok(Some(record))
}

/// The drill that follows in the same vault.
async fn then(app: &App, held: &Held<'_>) -> Result<Option<OpenDrill>> {
    let OpenDrill { then, target, by, .. } = held.of();
    let is_here = |source: &&SourceName| {
        app.config().drills.of.get(source).is_some_and(|of: &DrillOf| of.vault.name() == target)
    };
    let Some(at) = then.iter().position(|source| is_here(&source)) else { return Ok(None) };
    match super::begin::new(app, &then[at], target, by, held.clock).await {
        // A record of a former drill that cannot be read keeps no vault busy for ever.
        Err(error) if error.is_unreadable() => {
            tracing::error!(event = "drill.stopped", "No drill of {} begins: {error}", then[at]);
            Ok(None)
        }
        next => Ok(Some(OpenDrill { then: then[at + 1..].to_vec(), ..next? })),
    }
}
