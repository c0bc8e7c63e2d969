//! `hsm status`: recorded backups and open jobs.

use clap::Args;
use time::OffsetDateTime;

use super::{app_for, report::failure_text};
use crate::{
    api::shapes::{source::HsmStatus, terminal::HsmStatuses},
    app::App,
    cli::{
        Done, Exit,
        output::{self, Cell, Column, Format, Table},
        report::lateness,
    },
    clock::Clock,
    config::{Config, Needs, environment, named},
    domain::{
        hsm::{HsmBackup, HsmCopy, HsmJob},
        progress::progress,
        source::Source,
    },
    query::{
        hsms::{self, Run},
        nothing, second,
    },
};

/// Show recorded backups and open jobs.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only this HSM, by its name or URL; every configured one by default
    #[arg(long, value_name = "HSM", alias = "hsm-name", value_parser = named::hsm)]
    hsm: Option<Source>,
    /// The most backups to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

/// Runs the command. An unknown HSM is refused.
pub(super) async fn run(args: StatusArgs, format: Format) -> Done {
    let app = match &args.hsm {
        Some(hsm) => app_for(hsm)?,
        None => App::build(&Config::read(environment, Needs::Jobs)?)?,
    };
    let now = Clock::system().now();
    let pass = second::last_pass(&app).await?;
    let doing = hsms::all(&app, app.hsms().names().cloned(), pass.as_ref(), now).await?;
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
        let hsms = doing.into_iter().map(|of| HsmStatus::new(of, now)).collect();
        output::json(&HsmStatuses { hsms, runs: runs.iter().map(Into::into).collect() })?;
        return Ok(Exit::All);
    }
    let copies: Vec<_> = doing.iter().flat_map(|of| &of.copies).collect();
    table(&backups, &copies, &jobs, now).print(format)?;
    if jobs.is_empty() {
        output::aside(format, "There are no open jobs.")?;
    }
    for of in &doing {
        for trouble in &of.state.troubles {
            output::aside(format, format_args!("HSM {}: {trouble}.", of.state.source))?;
        }
    }
    Ok(Exit::All)
}

/// The open jobs, and then the backups that have ended.
fn table(backups: &[&HsmBackup], copies: &[&HsmCopy], jobs: &[&HsmJob], now: OffsetDateTime) -> Table {
    let details = [
        Column::number("age"),
        Column::number("late").if_any(),
        Column::name("state"),
        Column::name("folder"),
        Column::number("size"),
        Column::name("copied").if_any(),
        Column::prose("why"),
    ];
    let mut table = Table::new(&[Column::name("hsm"), Column::name("job")], &details);
    for job in jobs {
        let why = progress(job);
        let [hsm, id] = [job.hsm.to_string(), job.id.to_string()].map(Cell::from);
        let (since, late) = ((now - job.opened).into(), lateness(job.id.late(job.opened)));
        table.push([
            hsm,
            id,
            since,
            late,
            "open".into(),
            Cell::Nothing,
            Cell::Nothing,
            Cell::Nothing,
            why.into(),
        ]);
    }
    for backup in backups {
        let folder = backup.folder.as_ref();
        let size = folder.map_or(Cell::Nothing, |of| Cell::Bytes(of.bytes));
        let failure = backup.failure.as_ref().map(|failure| failure_text(Some(failure)));
        let [hsm, run, verdict] =
            [backup.hsm.to_string(), backup.run.to_string(), backup.verdict.to_string()].map(Cell::from);
        let (since, late) = ((now - backup.taken()).into(), lateness(backup.late()));
        let copy = copies.iter().find(|copy| copy.hsm == backup.hsm && copy.run == backup.run);
        let not_copied = || copy?.why_not().map(|why| format!("no copy: {why}"));
        let why = failure.or_else(|| backup.note.clone()).or_else(not_copied);
        table.push([
            hsm,
            run,
            since,
            late,
            verdict,
            folder.map(|of| of.path.as_str()).into(),
            size,
            copy.map_or(Cell::Nothing, |copy| if copy.is_copied() { copy.at.into() } else { "never".into() }),
            why.into(),
        ]);
    }
    table
}
