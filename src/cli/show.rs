//! `show`: what became of every object in a run.

use clap::Args;
use serde_json::json;

use super::{
    Done, Exit, Failed, OutputArg, VaultArg, app_for,
    list::why,
    output::{self, Format},
    report::{summary_line, unlisted_line},
};
use crate::{
    config::Needs,
    domain::{
        manifest::{Fared, Line},
        run::RunId,
    },
};

/// Show a run.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run, such as 20261122T020000Z-nightly
    run: RunId,
    #[command(flatten)]
    vault: VaultArg,
    /// Show every object, and not only those that need attention
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: OutputArg,
}

/// Runs the command. The exit code is the run's: 0 for a run that succeeded.
///
/// # Errors
/// When there is no such run, or it is still open, or its manifest cannot be read.
pub async fn run(args: ShowArgs) -> Done {
    let app = app_for(&args.vault.vault, Needs::Storage)?;
    let (catalogue, vault) = (app.catalogue()?, args.vault.vault.name());
    let Some(found) = catalogue.find(vault, &args.run).await? else {
        let open = catalogue.plan(vault, &args.run).await?.is_some();
        let text =
            if open { "it is still open" } else { "there is no such run; `list runs` shows what there is" };
        return Err(Failed(format!("{} of {}: {text}", args.run, args.vault.vault)));
    };
    let mut manifest = catalogue.manifest(&found.name).await?;
    let unlisted = manifest.header().unlisted.clone();
    let mut lines = Vec::new();
    for line in manifest.by_ref() {
        let line = line?;
        if args.all || needs_attention(&line) {
            lines.push(line);
        }
    }
    let summary = manifest.summary().cloned();
    if args.output.output == Format::Json {
        output::json(&json!({ "summary": summary, "unlisted": unlisted, "objects": lines }))?;
    } else {
        if !lines.is_empty() {
            let mut table = output::table(&["kind", "name", "fared", "why"]);
            for line in &lines {
                table.add_row([line.kind.as_str(), line.name.as_str(), fared(line.fared), &why(line)]);
            }
            output::print(&table)?;
        }
        for unlisted in &unlisted {
            output::line(unlisted_line(unlisted))?;
        }
        if let Some(summary) = &summary {
            output::line(summary_line(summary))?;
        }
    }
    Ok(summary.map_or(Exit::None, |summary| Exit::from(summary.verdict)))
}

fn needs_attention(line: &Line) -> bool {
    matches!(line.fared, Fared::Failed | Fared::Disappeared | Fared::Carried)
        || !why(line).is_empty() && line.fared != Fared::Managed
}

fn fared(fared: Fared) -> &'static str {
    match fared {
        Fared::BackedUp => "backed up",
        Fared::Unchanged => "unchanged",
        Fared::Managed | Fared::VaultManaged => "skipped",
        Fared::Disappeared => "disappeared",
        Fared::Failed => "failed",
        Fared::Gone => "gone",
        Fared::Carried => "not listed",
    }
}
