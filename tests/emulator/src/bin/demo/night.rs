//! One night, from the timer to the closed run.

use std::time::{Duration, Instant};

use keyvault_backup_emulator::{Entry, Operation, Service, host::Firing};
use serde::Serialize;
use serde_json::Value;
use time::{OffsetDateTime, macros::format_description};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Result,
    scene::listed,
    stage::Stage,
    story::{Progress, Story, count},
};

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(100);

/// A minute of the stage's clock between two looks at open runs; after a day of them something is wrong.
const LOOKS: usize = 24 * 60;

/// What is left out between two looks at a run that only waits for its next round.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(9 * 60);

/// A night in numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Night {
    pub(crate) listed: usize,
    pub(crate) backed_up: usize,
    pub(crate) skipped: usize,
    pub(crate) failed: usize,
    pub(crate) seconds: f64,
}

impl Night {
    /// The numbers as a sum.
    pub(crate) fn sum(&self) -> String {
        let Self { listed, backed_up, skipped, failed, seconds } = self;
        let sum = [listed, backed_up, skipped, failed].map(|number| count(*number));
        format!("{:>6} = {:>9} + {:>7} + {:>6}    in {seconds:.1} s", sum[0], sum[1], sum[2], sum[3])
    }
}

/// The name of the run that the schedule asks for at this time.
pub(crate) fn run_of(occurrence: OffsetDateTime) -> Result<String> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z-nightly");
    Ok(occurrence.format(format)?)
}

/// Plays a night and tells of it.
///
/// # Errors
/// When the run does not end, or its numbers are not those of the vault and the storage.
pub(crate) async fn play(story: &Story, stage: &Stage, occurrence: OffsetDateTime) -> Result<Night> {
    stage.azure.clock().set(occurrence);
    let hsms = stage.host.fire("NightlyHsmBackup", Firing::at(occurrence)).await;
    if !hsms.succeeded() {
        return Err(format!("the timer's function for HSMs failed: {}", hsms.body).into());
    }
    let (mark, began) = (stage.azure.requests().mark(), Instant::now());
    let fired = stage.host.fire("NightlyVaultBackup", Firing::at(occurrence)).await;
    if !fired.succeeded() {
        return Err(format!("the timer's function failed: {}", fired.body).into());
    }
    let sent = stage.waiting();
    let planned = began.elapsed().as_secs_f64();
    let text =
        format!("{} listed, {} to back up  ({planned:.1} s)", count(listed(&stage.vault)), count(sent));
    story.line("Timer", &text)?;
    let redelivered = work(story, stage, sent).await?;
    let seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    story.line("Queue", &format!("{} messages worked off, {redelivered} delivered again", count(sent)))?;
    let hours = (stage.azure.clock().now() - occurrence).whole_hours();
    if hours > 0 {
        story.line(
            "Rounds",
            &format!("what may pass was tried again, over {hours} hours of the vault's clock"),
        )?;
    }
    story.line("Requests", &requests(&stage.azure.requests().since(mark)))?;
    numbers(stage, &run_of(occurrence)?, seconds).await
}

/// Lets the queue and `AdvanceJobs` work until the run is closed. Returns how often a delivery failed.
async fn work(story: &Story, stage: &Stage, sent: usize) -> Result<usize> {
    let mut failed = 0;
    let mut progress = story.progress("Queue", sent);
    for _ in 0..LOOKS {
        failed += minute(stage, "BackUpObject", &mut progress).await?;
        if !stage.open() {
            progress.end();
            return Ok(failed);
        }
        if stage.waiting() == 0 {
            // What is left may pass, and is tried again at growing distances.
            stage.azure.clock().advance(BETWEEN_ROUNDS);
        }
    }
    Err("the run is still open after a day".into())
}

/// Works the queue of a function off, then has `AdvanceJobs` look, a minute later. Returns how often a delivery
/// failed.
pub(crate) async fn minute(stage: &Stage, function: &str, progress: &mut Progress<'_>) -> Result<usize> {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pump = Box::pin(stage.host.pump(function));
    let failed = loop {
        tokio::select! {
            report = &mut pump => break report.failed,
            _ = tick.tick() => progress.left(stage.waiting())?,
        }
    };
    stage.azure.clock().advance(Duration::from_secs(60));
    let look = stage.host.fire("AdvanceJobs", Firing::at(stage.azure.clock().now())).await;
    if look.succeeded() { Ok(failed) } else { Err(format!("AdvanceJobs failed: {}", look.body).into()) }
}

/// What the services were asked, in a line.
pub(crate) fn requests(entries: &[Entry]) -> String {
    let number =
        |wanted: &dyn Fn(&Entry) -> bool| count(entries.iter().filter(|entry| wanted(entry)).count());
    let pages = [Operation::ListSecrets, Operation::ListKeys, Operation::ListCertificates];
    format!(
        "{} to the vaults, {} of them list pages, {} refused with 429; {} to storage",
        number(&|entry| entry.service == Service::Vault),
        number(&|entry| pages.contains(&entry.operation) && entry.status == 200),
        number(&|entry| entry.service == Service::Vault && entry.status == 429),
        number(&|entry| matches!(entry.service, Service::Blob | Service::Queue)),
    )
}

/// The run's own numbers, held against the vault and the storage.
async fn numbers(stage: &Stage, run: &str, seconds: f64) -> Result<Night> {
    let shown = stage.tool.json(&["show", run, "--vault", &stage.vault.url()]).await?;
    let said = &shown["numbers"];
    let number = |name: &str| {
        let value = said.get(name).and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok());
        value.ok_or(format!("the run says nothing of `{name}`"))
    };
    let skipped = number("unchanged")? + number("managed")? + number("disappeared")?;
    let (listed_there, stored) = (listed(&stage.vault), stage.stored(run).len());
    let night = Night {
        listed: number("listed")?,
        backed_up: number("backedUp")?,
        skipped,
        failed: number("failed")?,
        seconds,
    };
    if night.listed != night.backed_up + night.skipped + night.failed {
        return Err(format!("the numbers do not add up: {night:?}").into());
    }
    if (night.listed, night.backed_up) != (listed_there, stored) {
        return Err(
            format!("the vault has {listed_there} objects, {stored} are stored, but {night:?}").into()
        );
    }
    Ok(night)
}
