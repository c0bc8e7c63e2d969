//! `show`: a run or a restore by its name, open or ended.

mod run;

use std::str::FromStr;

use clap::Args;

use super::{
    Done, Exit, Failed, FromArg, app_for_in,
    hsm::report as hsm_report,
    output::{self, Format},
    restore::followed,
};
use crate::{
    api::shapes::{links::split_job_id, problem::ProblemKind, run::RunInSource},
    app::App,
    config::{Needs, named},
    domain::{
        object::NameError,
        restore::RestoreId,
        run::RunId,
        second::{Lacks, Place},
        source::{Source, SourceName},
    },
    query::{
        hsms, nothing, runs,
        sources::{self, Report},
    },
    restore::follow::{self, Found},
};

/// Show a run or a restore.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run or restore, such as 20261122T020000Z-nightly, 20261122T101112Z-restore-0f3a9c41 or
    /// kv-prod_20261122T020000Z-nightly
    #[arg(value_name = "NAME")]
    job: JobName,
    /// The vault of the run, by its name or URL, or the HSM of a run of its single keys; needed if several sources
    /// have a run of that name
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = named::source)]
    vault: Option<Source>,
    /// The HSM of a backup of the whole HSM, by its name or URL
    #[arg(long, value_name = "HSM", alias = "hsm-name", value_parser = named::hsm, conflicts_with = "vault")]
    hsm: Option<Source>,
    /// Show every object, not only those that need attention
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    from: FromArg,
}

/// The name of a run or a restore, perhaps with its source.
#[derive(Clone, Debug)]
struct JobName {
    source: Option<SourceName>,
    id: RunId,
    /// Whether the name says that it is the backup of a whole HSM.
    of_hsm: bool,
}

impl FromStr for JobName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((source, id, of_hsm)) = split_job_id(text) else {
            return Ok(Self { source: None, id: run_of(text)?, of_hsm: false });
        };
        let source = source.parse().map_err(|error: NameError| error.to_string())?;
        Ok(Self { source: Some(source), id: run_of(id)?, of_hsm })
    }
}

/// Parses the name of a run.
pub(super) fn run_of(text: &str) -> Result<RunId, String> {
    text.parse().map_err(|error| {
        format!(
            "{error}; `keyvault-backup list runs --vault VAULT` lists runs, `keyvault-backup jobs` restores"
        )
    })
}

/// Runs the command. The exit code is that of the run or restore; 0 while it is open.
///
/// # Errors
/// When there is none of that name, or runs of several sources have it, or it cannot be read.
pub async fn run(args: ShowArgs, format: Format) -> Done {
    let app = match args.vault.as_ref().or(args.hsm.as_ref()) {
        Some(source) => app_for_in(source, Needs::Jobs, args.from)?,
        None => args.from.app(Needs::Jobs)?,
    };
    match RestoreId::try_from(args.job.id.clone()) {
        Ok(_) if args.from.place() == Place::Second => Err(Failed::new(
            "restores are recorded in the jobs container of the first place alone",
            "leave out --from; `keyvault-backup audit list --from second` has the restores that began from the second place",
        )),
        Ok(restore) => Box::pin(show_restore(&app, &restore, args.all, format)).await,
        Err(_) => Box::pin(show_run(&app, &args, format)).await,
    }
}

async fn show_restore(app: &App, id: &RestoreId, all: bool, format: Format) -> Done {
    match follow::find(app, id).await? {
        Some(Found::Vault(found)) => Ok(followed::print(*found, all, format)?),
        Some(Found::Hsm(job)) => {
            hsm_report::restore(&job, format)?;
            Ok(job.ended.as_ref().map_or(Exit::All, |ended| ended.verdict.into()))
        }
        None => Err(Failed::of(
            ProblemKind::NotFound,
            format!("there is no restore {id}"),
            "list the restores with `keyvault-backup jobs`, those of HSMs with `keyvault-backup hsm status`; a restore that \
             an app carried out is in the jobs container of that app, which KEYVAULT_BACKUP_JOBS_CONTAINER names",
        )),
    }
}

impl ShowArgs {
    /// The source that the arguments name.
    fn only(&self) -> Option<&SourceName> {
        self.vault.as_ref().or(self.hsm.as_ref()).map(Source::name).or(self.job.source.as_ref())
    }
}

async fn show_run(app: &App, args: &ShowArgs, format: Format) -> Done {
    if let (Some(option), Some(source)) = (args.vault.as_ref().or(args.hsm.as_ref()), &args.job.source)
        && option.name() != source
    {
        return Err(Failed::of(
            ProblemKind::InvalidParameter,
            format!("the name says {source}, and the option {}", option.name()),
            "name one source",
        ));
    }
    let among = if let Some(only) = args.only() {
        vec![only.clone()]
    } else {
        let (vaults, hsms) = sources::all(app).await?;
        vaults.union(&hsms).cloned().collect()
    };
    let wanted = |line: &_| args.all || run::needs_attention(line);
    let mut found = sources::found(app, &args.job.id, &among, wanted).await?;
    if args.hsm.is_some() || args.job.of_hsm {
        found.retain(|(_, report)| matches!(report, Report::Hsm(_)));
    } else if args.only().is_some() {
        // A vault's name stands for single objects where there are any.
        found.truncate(1);
    }
    match (found.pop(), &found[..]) {
        (Some((source, report)), []) => {
            let lacking = app.catalogue()?.lacking(&source).await?;
            print(report, lacking.get(&args.job.id), format)
        }
        (Some(last), others) => Err(several(&args.job.id, others.iter().chain([&last]))),
        (None, _) => Err(none(app, args).await?),
    }
}

/// Prints a run. `lacks` says what it was copied without into the second place, if anything.
fn print(report: Report, lacks: Option<&Lacks>, format: Format) -> Done {
    match report {
        Report::Objects(report) => run::print(*report, lacks, format),
        Report::Hsm(hsms::Run::Ended(backup)) => {
            hsm_report::backup(&backup, format)?;
            Ok(backup.verdict.into())
        }
        Report::Hsm(open) if format.is_json() => {
            output::json(&RunInSource::from(&open))?;
            Ok(Exit::All)
        }
        Report::Hsm(hsms::Run::Open(job)) => {
            hsm_report::open(&job, format)?;
            Ok(Exit::All)
        }
    }
}

fn several<'a>(id: &RunId, found: impl Iterator<Item = &'a (SourceName, Report)>) -> Failed {
    let option = |(source, report): &(SourceName, Report)| match report {
        Report::Objects(_) => format!("--vault {source}"),
        Report::Hsm(_) => format!("--hsm {source}"),
    };
    let options: Vec<_> = found.map(option).collect();
    let one = options.first().cloned().unwrap_or_default();
    Failed::new(
        format!("several sources have a run {id}: {}", options.join(", ")),
        format!("name one of them, as in `keyvault-backup show {id} {one}`"),
    )
}

/// Why there is no such run.
async fn none(app: &App, args: &ShowArgs) -> Result<Failed, Failed> {
    let id = &args.job.id;
    if let Some(hsm) = &args.hsm {
        nothing::refuse_unknown_hsm(app, hsm.name()).await?;
        let next = format!("list its backups with `keyvault-backup hsm status --hsm {}`", hsm.name());
        return Ok(Failed::of(
            ProblemKind::NotFound,
            format!("{id} of {}: there is no such run", hsm.name()),
            next,
        ));
    }
    let Some(vault) = args.only() else {
        let next = "list the runs of a vault with `keyvault-backup list runs --vault VAULT`; one that is not configured \
                    can be named with --vault";
        return Ok(Failed::of(ProblemKind::NotFound, format!("no source has a run {id}"), next));
    };
    let (kind, text, next) = if runs::is_planned(app, vault, id).await? {
        let next = format!("end it with `keyvault-backup rebuild --vault {vault}`");
        (ProblemKind::NotPossible, "it was begun, and its record is gone", next)
    } else {
        nothing::refuse_unknown(app, vault).await?;
        let next = format!("list the runs with `keyvault-backup list runs --vault {vault}`");
        (ProblemKind::NotFound, "there is no such run", next)
    };
    Ok(Failed::of(kind, format!("{id} of {vault}: {text}"), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{actor::Actor, job::BackupJob, samples::NIGHT};

    #[test]
    fn a_job_is_named_with_or_without_its_source() {
        for (text, source, id) in [
            ("20261122T020000Z-nightly", None, "20261122T020000Z-nightly"),
            ("kv-prod_20261122T020000Z-nightly", Some("kv-prod"), "20261122T020000Z-nightly"),
            ("20261122T101112Z-restore-0f3a9c41", None, "20261122T101112Z-restore-0f3a9c41"),
        ] {
            let named: JobName = text.parse().unwrap();
            assert_eq!((named.source.as_ref().map(SourceName::as_str), named.id.as_str()), (source, id));
        }
        for wrong in
            ["", "nightly", "kv-prod", "kv-prod_", "_20261122T020000Z-nightly", "k_20261122T020000Z-nightly"]
        {
            assert!(wrong.parse::<JobName>().is_err(), "{wrong:?}");
        }
        let told = "nosuchrun".parse::<JobName>().unwrap_err();
        assert!(told.contains("list runs --vault VAULT") && told.contains("jobs"), "{told}");
    }

    #[test]
    fn of_several_sources_one_is_named_as_an_option() {
        let run = RunId::nightly(NIGHT);
        let found: Vec<_> = ["kv-a", "kv-b"]
            .map(|vault| {
                let vault: SourceName = vault.parse().unwrap();
                let job = BackupJob::open(vault.clone(), run.clone(), Actor::TIMER, NIGHT);
                let report = runs::Report::Open { job, planned: None, listed_late: Vec::new() };
                (vault, Report::Objects(Box::new(report)))
            })
            .into();
        let told = format!("{:?}", several(&run, found.iter()));
        assert!(told.contains("--vault kv-a, --vault kv-b"), "{told}");
        assert!(told.contains("`keyvault-backup show 20261122T020000Z-nightly --vault kv-a`"), "{told}");
    }
}
