//! Following a job to its end.

use std::{pin::pin, time::Duration};

use futures::future::{self, Either};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    app::App,
    cli::{
        Exit, Failed,
        interrupt::{interrupted, stopped},
        output::Format,
    },
    clock::Clock,
    domain::{hsm::HsmJob, progress::phase, run::RunId, source::SourceName},
    hsm::start,
};

/// Time between passes. The domain decides which of them poll the service.
const PASS_EVERY: Duration = Duration::from_secs(10);

/// Passes in a row that may fail. The job itself continues meanwhile.
const FAILURES: usize = 30;

/// Reconciles jobs until the last of them has ended; the others end before it. `Some` if it was told to stop before:
/// the exit code.
pub(in crate::cli) async fn to_the_end(
    app: &App,
    hsm: &SourceName,
    jobs: &[RunId],
    format: Format,
) -> Result<Option<Exit>, Failed> {
    let bar = spinner(format);
    let followed = match future::select(pin!(passes(app, hsm, jobs, &bar)), pin!(interrupted())).await {
        Either::Left((ended, _)) => Some(ended),
        Either::Right(_) => None,
    };
    bar.finish_and_clear();
    if let Some(ended) = followed {
        return ended.map(|()| None);
    }
    let job = jobs.last().map_or("", RunId::as_str);
    let what = format!("interrupted: {job} of HSM {hsm} stays open, and its operation in the HSM continues");
    let next = format!(
        "the function app follows it to its end, if there is one; `keyvault-backup show {job} --hsm {hsm}` shows it"
    );
    Ok(Some(stopped(&what, &next, format)))
}

async fn passes(app: &App, hsm: &SourceName, jobs: &[RunId], bar: &ProgressBar) -> Result<(), Failed> {
    let mut failures = 0;
    loop {
        match start::watch(app, hsm, jobs, &Clock::system()).await {
            Ok(None) => return Ok(()),
            Ok(Some(job)) => {
                failures = 0;
                bar.set_message(text(&job));
            }
            Err(error) if failures >= FAILURES => {
                return Err(Failed::new(
                    error.to_string(),
                    format!(
                        "the job continues, and the function app follows it: see `keyvault-backup hsm status --hsm {hsm}`"
                    ),
                ));
            }
            Err(error) => {
                failures += 1;
                bar.set_message(error.to_string());
            }
        }
        tokio::time::sleep(PASS_EVERY).await;
    }
}

fn text(job: &HsmJob) -> String {
    let what = if job.is_backup() { "Backup" } else { "Restore" };
    match &job.waiting {
        Some(why) => format!("{what} {} waits: {why}", job.id),
        None => format!("{what} {}: {}", job.id, phase(&job.phase)),
    }
}

fn spinner(format: Format) -> ProgressBar {
    let target = match format {
        Format::Json => ProgressDrawTarget::hidden(),
        Format::Table | Format::Wide | Format::Tsv => ProgressDrawTarget::stderr(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
    let bar = style.map_or(bar.clone(), |style| bar.with_style(style));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
