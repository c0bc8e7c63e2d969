//! `hsm restore` and `hsm restore-key`: plan, show the plan, ask, restore, report.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::Args;
use time::OffsetDateTime;

use super::{HsmArg, app_for, app_in_second, follow, left_no_record, report};
use crate::{
    api::shapes::{problem::ProblemKind, restore::HsmRestoreReport},
    app::App,
    cli::{
        Done, Exit, Failed, ask,
        list::moment_of,
        output::{self, Column, Format, Stream, Table},
    },
    clock::Clock,
    domain::{
        actor::Actor,
        hsm::{HsmJob, HsmPlan, HsmRequest, What},
        object::ObjectName,
        restore::RestoreId,
        run::RunId,
        source::{Source, SourceName},
    },
    guard,
    query::restores,
    restore::submit::{Start, submit_agreed},
};

/// The arguments that both commands share.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Common {
    #[command(flatten)]
    hsm: HsmArg,
    /// The HSM whose backup is restored, by its name; the same one by default
    #[arg(long, value_name = "NAME")]
    from: Option<SourceName>,
    /// The backup of this run; the newest good one by default
    #[arg(long, value_name = "RUN", conflicts_with = "at")]
    run: Option<RunId>,
    /// The newest good backup that had ended by this time, such as `2026-11-22T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment_of)]
    at: Option<OffsetDateTime>,
    /// Restore from the copy of that run, which `hsm copy-back` put under `restored/`
    #[arg(long, requires = "run")]
    restored: bool,
    /// Know the backup by its record in the second place, and record there what is done; follows the job to its end
    #[arg(long, requires = "restored")]
    second: bool,
    /// Print the plan, and do nothing
    #[arg(long)]
    what_if: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Follow the job to its end; without this, only the function app does
    #[arg(long)]
    wait: bool,
}

/// Replace everything in a Managed HSM by a backup.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    common: Common,
    /// The HSM's name, to go ahead without a question; together with --yes
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

/// Restore single keys from a Managed HSM's backup.
#[derive(Debug, Args)]
pub struct RestoreKeyArgs {
    #[command(flatten)]
    common: Common,
    /// A key's name; may be repeated
    #[arg(long, value_name = "NAME", required = true)]
    key: Vec<ObjectName>,
}

/// Runs `hsm restore`.
pub(super) async fn run(args: RestoreArgs, format: Format) -> Done {
    let hsm = args.common.hsm.hsm.clone();
    if args.confirm.as_ref().is_some_and(|confirm| confirm != hsm.name().as_str()) {
        let name = hsm.name();
        return Err(Failed::of(
            ProblemKind::ConfirmationNeeded,
            format!("nothing was restored: --confirm does not say {name}"),
            format!("to replace everything in {name}, say --confirm {name}"),
        ));
    }
    let agreed = args.confirm.is_some() && args.common.yes;
    restore(args.common, What::All, agreed, format, || typed(&hsm)).await
}

/// Runs `hsm restore-key`.
pub(super) async fn run_keys(args: RestoreKeyArgs, format: Format) -> Done {
    let (mut keys, yes) = (args.key, args.common.yes);
    keys.sort();
    keys.dedup();
    let question = format!("Restore {} into {}?", output::count(keys.len(), "key"), args.common.hsm.hsm);
    restore(args.common, What::Keys(keys), yes, format, || terminal().and_then(|()| ask(&question))).await
}

async fn restore(
    args: Common,
    what: What,
    agreed: bool,
    format: Format,
    question: impl FnOnce() -> Result<bool, Failed>,
) -> Done {
    let app = if args.second { app_in_second(&args.hsm.hsm)? } else { app_for(&args.hsm.hsm)? };
    let target = args.hsm.hsm.name().clone();
    let source = args.from.unwrap_or_else(|| target.clone());
    let request = HsmRequest { source, target, run: args.run, at: args.at, restored: args.restored, what };
    let plan = crate::hsm::plan(&app, &request, &Clock::system()).await?;
    guard::warning(&app, &request.source, &request.target).into_iter().for_each(output::note);
    if args.what_if || plan.obstacle.is_some() {
        report::plan(&plan, format)?;
        return Ok(plan.at_best().into());
    }
    if !agreed && !format.is_for_people() {
        terminal()?;
    }
    if format.is_for_people() || !agreed {
        report::show(&plan, format, Stream::beside(format))?;
    }
    if !agreed && !question()? {
        return Ok(Exit::None);
    }
    let (hsm, id) = (&plan.hsm.target, begin(&app, &plan).await?);
    // No app knows what is on record in the second place, so none follows a job about it.
    if args.wait || args.second {
        to_the_end(&app, hsm, &id, format).await
    } else {
        under_way(&app, hsm, &id, format).await
    }
}

/// Carries the plan out, as the HTTP API does.
async fn begin(app: &App, plan: &HsmPlan) -> Result<RunId, Failed> {
    let target = &plan.hsm.target;
    let (why, next) = match Box::pin(submit_agreed(app, plan, Actor::TERMINAL, &Clock::system())).await? {
        Start::Started(restore) => return Ok(restore.id()),
        Start::Moved(_) => (
            "the HSM or its backups have changed since the plan was shown".to_owned(),
            "run the command again, and read the new plan".to_owned(),
        ),
        Start::Taken(other, _) => (
            format!("restore {other} is running on HSM {target}"),
            format!("wait until it ends: see `keyvault-backup hsm status --hsm {target}`"),
        ),
        Start::NoPlan | Start::KeyUsed(_) | Start::Unconfirmed(_) | Start::Hopeless(..) => (
            "the plan can no longer be carried out".to_owned(),
            "run the command again, and read the new plan".to_owned(),
        ),
    };
    Err(Failed::new(format!("nothing was restored: {why}"), next))
}

async fn under_way(app: &App, hsm: &SourceName, id: &RunId, format: Format) -> Done {
    if format.is_json() {
        output::json(&HsmRestoreReport::from(&job(app, id).await?))?;
        return Ok(Exit::All);
    }
    let sentence = format!(
        "Restore {id} of HSM {hsm} has begun; the function app follows it, and `hsm status` shows it."
    );
    let mut table = Table::new(&[Column::name("target"), Column::name("restore")], &[Column::name("state")]);
    table.push([hsm.to_string().into(), id.to_string().into(), "Running".into()]);
    output::one(format, sentence, &table)?;
    Ok(Exit::All)
}

async fn to_the_end(app: &App, hsm: &SourceName, id: &RunId, format: Format) -> Done {
    if let Some(stopped) = follow::to_the_end(app, hsm, &[RunId::safety(id), id.clone()], format).await? {
        return Ok(stopped);
    }
    let ended = job(app, id).await?;
    report::restore(&ended, format)?;
    Ok(ended.ended.map_or(Exit::None, |end| end.verdict.into()))
}

/// The record of a restore.
async fn job(app: &App, id: &RunId) -> Result<HsmJob, Failed> {
    let restore: RestoreId = id.clone().try_into().map_err(|_| left_no_record(id))?;
    restores::of_hsm(app, &restore).await?.ok_or_else(|| left_no_record(id))
}

/// Asks for the HSM's name.
fn typed(hsm: &Source) -> Result<bool, Failed> {
    terminal()?;
    let question = format!("Everything in {hsm} will be replaced. Type the HSM's name to go ahead: ");
    Stream::Err.print(&question)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let agreed = answer.trim() == hsm.name().as_str();
    if !agreed {
        output::note("nothing was restored: that is not its name");
    }
    Ok(agreed)
}

fn terminal() -> Result<(), Failed> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    let text = "nothing was restored: there is no terminal to ask on";
    Err(Failed::of(
        ProblemKind::ConfirmationNeeded,
        text,
        "add --yes to go ahead, and --confirm NAME if everything is replaced",
    ))
}
