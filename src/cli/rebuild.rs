//! `rebuild`: rebuilds the catalogue from the blobs.

use clap::Args;

use super::{
    Done, Exit, Failed, FromArg, VaultArg, app_for_in,
    output::{self, Column, Format, Table},
};
use crate::{
    api::shapes::terminal::{CheckedManifest, Rebuilt},
    backup::rebuild::{self, Found},
    clock::Clock,
    config::Needs,
    domain::run::RunId,
    query::nothing,
};

/// Write missing manifests, and check the others. The exit code is 1 if a manifest is wrong or cannot be checked.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    #[command(flatten)]
    vault: VaultArg,
    #[command(flatten)]
    from: FromArg,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong or the storage cannot be used.
pub async fn run(args: RebuildArgs, format: Format) -> Done {
    let app = app_for_in(&args.vault.vault, Needs::Backup, args.from)?;
    let mut found = Vec::new();
    let hear = |run: &RunId, state| found.push((run.clone(), state));
    rebuild::vault(&app, args.vault.vault.name(), &Clock::system(), hear).await?;
    if found.is_empty() {
        let name = args.vault.vault.name();
        nothing::refuse_unknown(&app, name).await?;
        return Err(Failed::new(
            format!("the runs of {name} have no blobs any more, so nothing could be checked"),
            format!("begin a run with `keyvault-backup backup --vault {name}`"),
        ));
    }
    let sound = found.iter().all(|(_, state)| state.is_sound());
    if format.is_json() {
        let run = |(run, state): &(RunId, Found)| CheckedManifest::new(run, state.is_sound(), words(*state));
        let source = args.vault.vault.name().to_string();
        output::json(&Rebuilt { source, runs: found.iter().map(run).collect() })?;
    } else {
        let mut table = Table::new(&[Column::name("run")], &[Column::prose("manifest")]);
        for (run, state) in &found {
            table.push([run.as_str().into(), words(*state).into()]);
        }
        table.print(format)?;
    }
    Ok(if sound { Exit::All } else { Exit::Part })
}

fn words(found: Found) -> &'static str {
    match found {
        Found::Sound => "sound",
        Found::Rebuilt => "written again",
        Found::Open => "still open",
        Found::Ended => "written now: the run was open for too long",
        Found::Dropped => "let go by retention",
        Found::PlanLost => "there, but its plan is lost, so it cannot be checked",
        Found::Damaged => "damaged; left as it is, and its plan and blobs are read instead",
        Found::Differs => "differs from the blobs; left as it is",
    }
}
