//! Nightly runs of every vault and HSM, whether their timer fired or not.
//!
//! A timer that fires during an outage is tried four times within a few minutes. `AdvanceJobs` begins what is missing
//! once the outage is over, until the next night is due. The run has the occurrence's name, as if the timer had begun
//! it, and records how late it is.
//!
//! An ordinary night costs no extra request: this process knows that it began the night, or finds it among the open
//! runs, which `AdvanceJobs` reads every minute anyway. Only if neither shows it is the catalogue queried, once.

use std::time::Duration;

use futures::{StreamExt as _, future::BoxFuture, stream};
use time::OffsetDateTime;

use crate::{
    app::App,
    azure::vault::VaultClient,
    backup::{self, Progress, reconcile},
    clock::Clock,
    domain::{
        actor::Actor,
        night::{Part, Timer},
        run::RunId,
        schedule::Timetable,
        source::SourceName,
    },
    error::{Error, Result},
    hsm::{
        self,
        nightly::single_keys,
        start::{self, Opened},
    },
    jobs::Jobs,
};

/// Vaults that are planned concurrently: each holds its list of objects in memory.
const VAULTS_AT_ONCE: usize = 4;

/// HSMs that are started concurrently.
const HSMS_AT_ONCE: usize = 8;

/// The time limit of a pass for each part of a missed night. A run that has begun by then continues by itself.
const WITHIN: Duration = Duration::from_secs(15 * 60);

/// Records that a pass of `AdvanceJobs` runs, and returns whether it may begin missed nights: not the first pass of a
/// process, and none that cannot read which nights have begun. An error is logged, and the pass continues.
pub async fn record_pass(app: &App, clock: &Clock) -> bool {
    let (role, timers) = (app.role(), app.config().schedules.timers());
    let recorded = async {
        let jobs = app.jobs()?;
        let later = jobs.take_up_nights(role.as_str(), &timers, clock.now()).await?;
        // By the system's clock, which the readers of this record compare it with.
        let refuses = app.config().refuses_callers();
        jobs.note_pass(role.as_str(), &timers, refuses, Clock::system().now()).await?;
        Ok(later)
    };
    let recorded: Result<bool> = recorded.await;
    recorded.unwrap_or_else(|error| {
        tracing::warn!("The pass of AdvanceJobs could not be recorded: {error}");
        false
    }) && role.backs_up()
}

/// Starts the run of every configured vault, or continues it where it stopped, and yields each result as it comes. Safe
/// to run twice: see [`backup::start`].
pub fn vaults<'a>(
    app: &'a App,
    run: &'a RunId,
    clock: &'a Clock,
) -> impl futures::Stream<Item = (&'a SourceName, Result<Progress>)> {
    let starts: Vec<_> = app.vaults().map(|of| vault(app, of, run, clock)).collect();
    stream::iter(starts).buffer_unordered(VAULTS_AT_ONCE)
}

/// Starts the run of every configured HSM, or continues it where it stopped. An error in one HSM does not hold up
/// another. Safe to run twice: see [`start::backup`].
pub async fn hsms(app: &App, run: &RunId, clock: &Clock) -> Vec<(SourceName, Result<Opened>)> {
    let names: Vec<SourceName> = app.hsms().names().cloned().collect();
    let starts = names.into_iter().map(|name| async move {
        let (opened, keys) = (whole(app, &name, run, clock).await, keys(app, &name, run, clock).await);
        let opened = opened.and_then(|opened| keys.map(|()| opened));
        (name, opened)
    });
    let starts: Vec<_> = starts.collect();
    stream::iter(starts).buffer_unordered(HSMS_AT_ONCE).collect().await
}

/// Boxed, because the compiler cannot prove in a stream of these futures that they are `Send`.
fn vault<'a>(
    app: &'a App,
    vault: &'a VaultClient,
    run: &'a RunId,
    clock: &'a Clock,
) -> BoxFuture<'a, (&'a SourceName, Result<Progress>)> {
    Box::pin(async move {
        let name = vault.source().name();
        let progress = backup::start(app, vault, run, &Actor::TIMER, clock).await;
        (name, progress.and_then(|done| begun(app, Part::Vault(name.clone()), run, done)))
    })
}

async fn whole(app: &App, hsm: &SourceName, run: &RunId, clock: &Clock) -> Result<Opened> {
    let opened = start::backup(app, hsm, run, &Actor::TIMER, clock).await?;
    begun(app, Part::Hsm(hsm.clone()), run, opened)
}

async fn keys(app: &App, hsm: &SourceName, run: &RunId, clock: &Clock) -> Result<()> {
    single_keys(app, hsm, run, clock).await?;
    begun(app, Part::Keys(hsm.clone()), run, ())
}

fn begun<T>(app: &App, part: Part, run: &RunId, done: T) -> Result<T> {
    app.jobs()?.nights(|nights| nights.has_begun(part, run));
    Ok(done)
}

/// The open jobs that a pass found; `None` if they could not be read.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The open runs.
    pub runs: Option<&'a reconcile::Reconciled>,
    /// The open jobs of HSMs.
    pub hsms: Option<&'a hsm::reconcile::Reconciled>,
}

/// The result of [`catch_up`].
#[derive(Debug, Default)]
pub struct CaughtUp {
    /// The runs that were begun.
    pub begun: Vec<String>,
    /// The errors. The next pass tries again.
    pub errors: Vec<Error>,
}

/// Begins the runs of missed nights.
///
/// The first pass of a process leaves them to the timer, which the host fires by itself after it has missed a time.
/// Safe to run twice, concurrently or later, and beside a timer that fires late: a run has the name of its occurrence,
/// and is opened create-only.
pub async fn catch_up(app: &App, found: Found<'_>, clock: &Clock) -> Result<CaughtUp> {
    let (jobs, mut done) = (app.jobs()?, CaughtUp::default());
    let Some(runs) = found.runs else { return Ok(done) };
    jobs.nights(|nights| {
        for (vault, run) in &runs.found {
            nights.has_begun(Part::Vault(vault.clone()), run);
            nights.has_begun(Part::Keys(vault.clone()), run);
        }
        for (hsm, run) in found.hsms.iter().flat_map(|of| &of.found) {
            nights.has_begun(Part::Hsm(hsm.clone()), run);
        }
    });
    for (timer, table) in app.config().schedules.timers() {
        let Timetable::Known(schedule) = table else { continue };
        let Some(occurrence) = schedule.overdue(clock.now()) else { continue };
        if timer == Timer::Hsms && found.hsms.is_none() {
            continue;
        }
        make_up(app, jobs, (timer, occurrence), clock, &mut done).await;
    }
    Ok(done)
}

/// Begins the parts of a timer's night that have not begun.
async fn make_up(
    app: &App,
    jobs: &Jobs,
    (timer, occurrence): (Timer, OffsetDateTime),
    clock: &Clock,
    done: &mut CaughtUp,
) {
    let run = RunId::nightly(occurrence);
    let unknown = jobs.nights(|nights| nights.unknown(timer, parts(app, timer), occurrence));
    let each = unknown.into_iter().map(|part| {
        let run = &run;
        Box::pin(async move {
            let late = || Error::Deadline { what: format!("run {run}"), seconds: WITHIN.as_secs() };
            let begun = tokio::time::timeout(WITHIN, begin(app, part, run, clock)).await;
            begun.unwrap_or_else(|_| Err(late()))
        })
    });
    let each: Vec<_> = each.collect();
    let before = done.errors.len();
    let mut each = stream::iter(each).buffer_unordered(VAULTS_AT_ONCE);
    while let Some(begun) = each.next().await {
        match begun {
            Ok(begun) => done.begun.extend(begun),
            Err(error) => done.errors.push(error),
        }
    }
    if done.errors.len() == before {
        jobs.nights(|nights| nights.settle(timer, occurrence));
    }
}

fn parts(app: &App, timer: Timer) -> Vec<Part> {
    match timer {
        Timer::Vaults => app.vaults().map(|vault| Part::Vault(vault.source().name().clone())).collect(),
        Timer::Hsms => {
            let hsms = app.hsms();
            let keys = hsms.names().filter(|hsm| !hsms.single_keys(hsm).is_empty());
            hsms.names().cloned().map(Part::Hsm).chain(keys.cloned().map(Part::Keys)).collect()
        }
    }
}

/// Begins a part of a night and returns its name; `None` if it had begun.
async fn begin(app: &App, part: Part, run: &RunId, clock: &Clock) -> Result<Option<String>> {
    let catalogue = app.catalogue()?;
    let has_begun = match &part {
        Part::Vault(source) | Part::Keys(source) => catalogue.is_planned(source, run).await?,
        Part::Hsm(hsm) => catalogue.hsm_backup(hsm, run).await?.is_some(),
    };
    if has_begun {
        return begun(app, part, run, None);
    }
    let name = part.source();
    let text = format!("run {run} of {name}");
    tracing::warn!(
        event = "run.late", vault.name = %name, run.id = %run,
        "The timer did not begin {text}; it begins late, now"
    );
    match &part {
        Part::Vault(name) => vault(app, app.vault(name)?, run, clock).await.1.map(drop)?,
        Part::Hsm(name) => whole(app, name, run, clock).await.map(drop)?,
        Part::Keys(name) => keys(app, name, run, clock).await?,
    }
    Ok(Some(text))
}
