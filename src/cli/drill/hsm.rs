//! `drill run --hsm`: the drill of a Managed HSM.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::Args;

use crate::{
    api::shapes::problem::ProblemKind,
    app::App,
    cli::{
        Done, Exit, Failed,
        hsm::{follow, report as hsm_report},
        output::{self, Format, Stream},
    },
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{
        actor::Actor,
        drill::{Drill, DrillHsm, Drills, OpenHsmDrill, Targets, Why},
        hsm::HsmJob,
        outcome::Failure,
        run::RunId,
        source::{Source, SourceName},
    },
    drill::hsm::{self, Prepared},
    jobs::StoredHsmDrill,
};

/// Which HSM is drilled, and where.
#[derive(Debug, Args)]
pub(super) struct HsmArgs {
    /// The Managed HSM, by its name
    #[arg(long, value_name = "HSM")]
    hsm: Option<SourceName>,
    /// The drill HSM, in which everything is replaced; the settings declare it, and this names it a second time
    #[arg(long, value_name = "HSM", requires = "hsm")]
    into: Option<SourceName>,
    /// The backup of this run; the newest good one by default
    #[arg(long, value_name = "RUN", requires = "hsm")]
    run: Option<RunId>,
    /// The drill HSM's name, to go ahead without a question
    #[arg(long, value_name = "HSM", requires = "into")]
    confirm: Option<SourceName>,
}

/// What is asked for.
struct Asked {
    source: SourceName,
    into: Option<SourceName>,
    run: Option<RunId>,
    confirm: Option<SourceName>,
}

/// Drills an HSM, or looks at its backup if it has no drill HSM.
pub(super) async fn run(args: HsmArgs, format: Format) -> Done {
    let HsmArgs { hsm: Some(source), into, run, confirm } = args else {
        return Err(Failed::new("nothing says what to drill", "name a source with --vault or --hsm"));
    };
    let asked = Asked { source, into, run, confirm };
    let config = Config::read(environment, Needs::Jobs)?;
    match (config.drills.hsms.get(&asked.source), &asked.into) {
        (None, None) => look(&config, &asked, format).await,
        (Some(of), Some(into)) if of.hsm.name() == into => drill(&config.drills, of, &asked, format).await,
        (Some(of), _) => Err(Failed::new(
            format!("{} is drilled in {}, and that is not what --into says", asked.source, of.hsm.name()),
            format!("say --into {}; everything in it is replaced", of.hsm.name()),
        )),
        (None, Some(into)) => Err(Failed::new(
            format!("{into} is not declared as the drill HSM of {}", asked.source),
            format!("set KEYVAULT_BACKUP_DRILL_HSMS to {}=URL, or leave out --into", asked.source),
        )),
    }
}

/// The program for one HSM alone, which is no source then.
fn app_for(hsm: &Source) -> Result<App, Failed> {
    let lookup = |name: &str| match name {
        "KEYVAULT_BACKUP_HSMS" => Some(hsm.to_string()),
        "KEYVAULT_BACKUP_VAULTS" | "KEYVAULT_BACKUP_HSM_KEYS" => None,
        name if name.starts_with("KEYVAULT_BACKUP_DRILL_") => None,
        name => environment(name),
    };
    Ok(App::build(&Config::read(lookup, Needs::Jobs)?)?)
}

async fn look(config: &Config, asked: &Asked, format: Format) -> Done {
    let Some(hsm) = config.hsm.hsms.iter().find(|hsm| *hsm.name() == asked.source) else {
        return Err(Failed::new(
            format!("{} is not one of KEYVAULT_BACKUP_HSMS", asked.source),
            "name a Managed HSM that is backed up",
        ));
    };
    let (app, clock) = (app_for(hsm)?, Clock::system());
    let record =
        Box::pin(hsm::look(&app, &asked.source, asked.run.as_ref(), &Actor::TERMINAL, &clock)).await?;
    told(&record, format)
}

async fn drill(drills: &Drills, of: &DrillHsm, asked: &Asked, format: Format) -> Done {
    let (app, target) = (app_for(&of.hsm)?, of.hsm.name());
    let stored = match hsm::open(&app, target).await? {
        Some(open) if open.of.source != asked.source => {
            return Err(Failed::new(
                format!("drill {} of {} is under way in {target}", open.of.id, open.of.source),
                format!("end it with `keyvault-backup drill run --hsm {} --into {target}`", open.of.source),
            ));
        }
        Some(open) => {
            output::note(format!("drill {} is under way, and goes on", open.of.id));
            open
        }
        None => match begun(&app, drills, target, asked, format).await? {
            Some(stored) => stored,
            None => return Ok(Exit::None),
        },
    };
    to_the_end(&app, stored, of.targets, format).await
}

/// Shows what would be done, asks, and begins. `None` if nobody agreed.
async fn begun(
    app: &App,
    drills: &Drills,
    target: &SourceName,
    asked: &Asked,
    format: Format,
) -> Result<Option<StoredHsmDrill>, Failed> {
    let clock = Clock::system();
    let sources: Vec<SourceName> =
        drills.hsms.iter().filter(|(_, of)| of.hsm.name() == target).map(|(name, _)| name.clone()).collect();
    let pair = (&asked.source, target);
    let prepared = Box::pin(hsm::prepare(app, pair, asked.run.clone(), &sources, &clock)).await?;
    let prepared = prepared.map_err(|why| refused(target, &why))?;
    shown(&prepared, format)?;
    if asked.confirm.as_ref() != Some(target) && !typed(target)? {
        return Ok(None);
    }
    let stored = hsm::begin(app, &prepared, &Actor::TERMINAL, &clock).await?;
    Ok(Some(Box::pin(hsm::restore(app, stored, &prepared.plan, &clock)).await?))
}

fn refused(target: &SourceName, why: &Why) -> Failed {
    Failed::new(
        format!("nothing was drilled: {}", why.text),
        format!("nothing in {target} was changed; mend that, and run the command again ({})", why.code),
    )
}

fn shown(prepared: &Prepared, format: Format) -> io::Result<()> {
    if !format.is_for_people() {
        return Ok(());
    }
    hsm_report::show(&prepared.plan, format, Stream::beside(format))?;
    let (target, keys) = (&prepared.plan.hsm.target, output::count(prepared.keys.len(), "key"));
    output::note(format!("HSM {target} holds {keys} now, which the restore wipes"));
    Ok(())
}

/// Asks for the drill HSM's name.
fn typed(target: &SourceName) -> Result<bool, Failed> {
    if !io::stdin().is_terminal() {
        return Err(Failed::of(
            ProblemKind::ConfirmationNeeded,
            "nothing was drilled: there is no terminal to ask on",
            format!("add --confirm {target} to go ahead"),
        ));
    }
    let question = format!("Everything in {target} will be replaced. Type its name to go ahead: ");
    Stream::Err.print(&question)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let agreed = answer.trim() == target.as_str();
    if !agreed {
        output::note("nothing was drilled: that is not its name");
    }
    Ok(agreed)
}

/// Follows the restore of a drill to its end, and puts on record what it came to.
async fn to_the_end(app: &App, stored: StoredHsmDrill, targets: Targets, format: Format) -> Done {
    let (drill, clock) = (stored.of, Clock::system());
    let Some(job) = hsm::restore_of(app, &drill).await? else {
        let why = Failure::ours("NotBegun", "the terminal that ran the drill ended before its restore began");
        return told(&hsm::give_up(app, &drill, &why, &clock).await?, format);
    };
    let job = match job.ended {
        Some(_) => job,
        None => match followed(app, &drill.target, &job, format).await? {
            Ok(job) => job,
            Err(stopped) => return Ok(stopped),
        },
    };
    let drill = OpenHsmDrill { restore: job.restore(), ..drill };
    let Some(end) = &job.ended else {
        return Err(Failed::new(format!("{} left no record", job.id), "run the command again"));
    };
    told(&hsm::close(app, &drill, end, targets, &Clock::system()).await?, format)
}

async fn followed(
    app: &App,
    target: &SourceName,
    job: &HsmJob,
    format: Format,
) -> Result<Result<HsmJob, Exit>, Failed> {
    let ids = [RunId::safety(&job.id), job.id.clone()];
    if let Some(stopped) = follow::to_the_end(app, target, &ids, format).await? {
        return Ok(Err(stopped));
    }
    let ended = match job.restore() {
        Some(id) => app.jobs()?.hsm_restore(&id).await?,
        None => None,
    };
    let none = || Failed::new(format!("{} left no record", job.id), "run the command again");
    ended.map(Ok).ok_or_else(none)
}

fn told(record: &Drill, format: Format) -> Done {
    super::print(record, format)?;
    Ok(super::exit(&record.summary()))
}
