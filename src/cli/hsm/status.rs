//! `hsm status`: recorded backups and open jobs.

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{app_for, follow::words, report::failure_text};
use crate::{
    app::App,
    cli::{
        Done, Exit, Failed, OutputArg,
        output::{self, Format, age, bytes},
        report::late,
    },
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{
        hsm::{HsmBackup, HsmJob},
        source::{Source, SourceName},
    },
    error::Error,
    query::{
        hsms::{self, Doing, Run},
        nothing,
    },
};

/// Show recorded backups and open jobs.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only this HSM, by its URL; every configured one by default
    #[arg(long, value_name = "URL", value_parser = Source::hsm)]
    hsm: Option<Source>,
    /// The most backups to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    #[command(flatten)]
    output: OutputArg,
}

impl StatusArgs {
    pub(super) fn format(&self) -> Format {
        self.output.output
    }
}

/// Runs the command. An unknown HSM is refused.
pub(super) async fn run(args: StatusArgs) -> Done {
    let app = match &args.hsm {
        Some(hsm) => app_for(hsm)?,
        None => App::build(&Config::read(environment, Needs::Backup)?)?,
    };
    let (doing, runs) = (hsms::all(&app).await?, hsms::newest(&app, None, args.limit).await?);
    let backups: Vec<_> = runs
        .iter()
        .filter_map(|run| match run {
            Run::Ended(backup) => Some(backup.as_ref()),
            Run::Open(_) => None,
        })
        .collect();
    let jobs: Vec<_> = doing.iter().flat_map(|of| &of.open).collect();
    if let Some(hsm) = args.hsm.as_ref().filter(|_| runs.is_empty() && jobs.is_empty()) {
        refuse_unknown(&app, hsm.name()).await?;
    }
    let now = Clock::system().now();
    if args.output.output == Format::Json {
        let hsms: Vec<_> = doing.iter().map(|of| json_of(of, app.interval(), now)).collect();
        output::json(&json!({ "hsms": hsms, "backups": backups, "jobs": jobs }))?;
        return Ok(Exit::All);
    }
    print_backups(&backups, now)?;
    print_jobs(&jobs, now)?;
    for of in doing.iter().filter(|of| of.is_overdue(app.interval(), now)) {
        output::line(format_args!("HSM {} is overdue: it has no recent good backup.", of.hsm))?;
    }
    Ok(Exit::All)
}

/// Refuses an HSM that the catalogue does not know.
async fn refuse_unknown(app: &App, hsm: &SourceName) -> Result<(), Failed> {
    match nothing::unknown_hsm(app, hsm).await? {
        Some(nothing) => Err(Error::from(nothing).into()),
        None => Ok(()),
    }
}

fn json_of(of: &Doing, interval: time::Duration, now: OffsetDateTime) -> serde_json::Value {
    json!({
        "hsm": of.hsm, "ok": of.is_ok(interval, now), "overdue": of.is_overdue(interval, now),
        "newest": of.good.as_ref().map(|good| &good.run),
    })
}

fn print_backups(backups: &[&HsmBackup], now: OffsetDateTime) -> std::io::Result<()> {
    let mut table = output::table(&["hsm", "backup", "age", "ended", "folder", "#size", "why"]);
    for backup in backups {
        let (folder, size) = backup.folder.as_ref().map_or_else(
            || (String::new(), String::new()),
            |folder| (folder.path.clone(), bytes(folder.bytes)),
        );
        let note = || backup.note.as_deref().map_or_else(String::new, output::one_line);
        let why = backup.failure.as_ref().map_or_else(note, |failure| failure_text(Some(failure)));
        table.add_row([
            backup.hsm.to_string(),
            format!("{}{}", backup.run, late(backup.late())),
            age(now - backup.taken()),
            backup.verdict.to_string(),
            folder,
            size,
            why,
        ]);
    }
    output::print(&table)
}

fn print_jobs(jobs: &[&HsmJob], now: OffsetDateTime) -> std::io::Result<()> {
    if jobs.is_empty() {
        return output::line("There are no open jobs.");
    }
    let mut table = output::table(&["hsm", "open job", "age", "phase", "waits because"]);
    for job in jobs {
        table.add_row([
            job.hsm.to_string(),
            format!("{}{}", job.id, late(job.id.late(job.opened))),
            age(now - job.opened),
            words(&job.phase).to_owned(),
            job.waiting.as_deref().map_or_else(String::new, output::one_line),
        ]);
    }
    output::print(&table)
}
