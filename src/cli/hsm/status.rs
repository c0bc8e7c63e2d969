//! `hsm status`: recorded backups and open jobs.

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{app_for, follow::words, report::failure_text};
use crate::{
    app::App,
    cli::{
        Done, Exit,
        output::{self, Cell, Column, Format, Table},
        report::lateness,
    },
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{
        hsm::{HsmBackup, HsmJob},
        source::Source,
    },
    query::{
        hsms::{self, HsmState, Run},
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
}

/// Runs the command. An unknown HSM is refused.
pub(super) async fn run(args: StatusArgs, format: Format) -> Done {
    let app = match &args.hsm {
        Some(hsm) => app_for(hsm)?,
        None => App::build(&Config::read(environment, Needs::Backup)?)?,
    };
    let now = Clock::system().now();
    let doing = hsms::all(&app, app.hsms().names().cloned(), now).await?;
    let runs = hsms::newest(&app, None, args.limit).await?;
    let backups: Vec<_> = runs
        .iter()
        .filter_map(|run| match run {
            Run::Ended(backup) => Some(backup.as_ref()),
            Run::Open(_) => None,
        })
        .collect();
    let jobs: Vec<_> = doing.iter().flat_map(|of| &of.open).collect();
    if let Some(hsm) = args.hsm.as_ref().filter(|_| runs.is_empty() && jobs.is_empty()) {
        nothing::refuse_unknown_hsm(&app, hsm.name()).await?;
    }
    if format.is_json() {
        let hsms: Vec<_> = doing.iter().map(json_of).collect();
        output::json(&json!({ "hsms": hsms, "backups": backups, "jobs": jobs }))?;
        return Ok(Exit::All);
    }
    table(&backups, &jobs, now).print(format)?;
    if jobs.is_empty() {
        output::aside(format, "There are no open jobs.")?;
    }
    for of in doing.iter().filter(|of| of.state.is_overdue()) {
        output::aside(
            format,
            format_args!("HSM {} is overdue: it has no recent good backup.", of.state.source),
        )?;
    }
    Ok(Exit::All)
}

fn json_of(of: &HsmState) -> serde_json::Value {
    json!({
        "hsm": of.state.source, "ok": of.state.is_ok(), "overdue": of.state.is_overdue(),
        "newest": of.good.as_ref().map(|good| &good.run),
    })
}

/// The open jobs, and then the backups that have ended.
fn table(backups: &[&HsmBackup], jobs: &[&HsmJob], now: OffsetDateTime) -> Table {
    let details = [
        Column::number("age"),
        Column::number("late").if_any(),
        Column::name("state"),
        Column::name("folder"),
        Column::number("size"),
        Column::prose("why"),
    ];
    let mut table = Table::new(&[Column::name("hsm"), Column::name("job")], &details);
    for job in jobs {
        let waiting = job.waiting.as_deref().map_or_else(String::new, |why| format!(", and waits: {why}"));
        let why = format!("{}{waiting}", words(&job.phase));
        let [hsm, id] = [job.hsm.to_string(), job.id.to_string()].map(Cell::from);
        let (since, late) = ((now - job.opened).into(), lateness(job.id.late(job.opened)));
        table.push([hsm, id, since, late, "open".into(), Cell::Nothing, Cell::Nothing, why.into()]);
    }
    for backup in backups {
        let folder = backup.folder.as_ref();
        let size = folder.map_or(Cell::Nothing, |of| Cell::Bytes(of.bytes));
        let failure = backup.failure.as_ref().map(|failure| failure_text(Some(failure)));
        let [hsm, run, verdict] =
            [backup.hsm.to_string(), backup.run.to_string(), backup.verdict.to_string()].map(Cell::from);
        let (since, late) = ((now - backup.taken()).into(), lateness(backup.late()));
        let why = failure.or_else(|| backup.note.clone());
        table.push([
            hsm,
            run,
            since,
            late,
            verdict,
            folder.map(|of| of.path.as_str()).into(),
            size,
            why.into(),
        ]);
    }
    table
}
