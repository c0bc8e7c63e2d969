//! Following a job to its end.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    app::App,
    cli::{Failed, output::Format},
    clock::Clock,
    domain::{
        hsm::{HsmJob, Phase},
        run::RunId,
        source::SourceName,
    },
    hsm::start,
};

/// Time between passes. The domain decides which of them poll the service.
const PASS_EVERY: Duration = Duration::from_secs(10);

/// Passes in a row that may fail. The job itself continues meanwhile.
const FAILURES: usize = 30;

/// Reconciles jobs until the last of them has ended. The others end before it.
pub(super) async fn to_the_end(
    app: &App,
    hsm: &SourceName,
    jobs: &[RunId],
    format: Format,
) -> Result<(), Failed> {
    let bar = spinner(format);
    let mut failures = 0;
    loop {
        match start::watch(app, hsm, jobs, &Clock::system()).await {
            Ok(None) => break,
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
    bar.finish_and_clear();
    Ok(())
}

fn text(job: &HsmJob) -> String {
    let what = if job.is_backup() { "Backup" } else { "Restore" };
    match &job.waiting {
        Some(why) => format!("{what} {} waits: {why}", job.id),
        None => format!("{what} {}: {}", job.id, words(&job.phase)),
    }
}

/// A phase in words for a person who waits.
pub(super) const fn words(phase: &Phase) -> &'static str {
    match phase {
        Phase::Due { .. } => "about to begin",
        Phase::Checking { .. } => "the service checks whether it can be done",
        Phase::Checked => "the service says that it can be done",
        Phase::Sending { .. } => "the start is being sent",
        Phase::Running { .. } => "the HSM is working on it",
        Phase::Lost { .. } => "the answer to the start was lost; the job is searched for",
        Phase::Occupied { .. } => "the HSM is busy with something else",
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
