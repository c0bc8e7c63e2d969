//! `accept`: failures that a person accepts until a date.

use std::io;

use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use super::{
    Done, Exit, Failed, ObjectArgs, OutputArg, PlainVaultArg, app_for, no_hsm,
    output::{self, Format, moment},
};
use crate::{
    acknowledge,
    app::App,
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{
        acknowledged::{self, Acceptance, AcceptanceRecord, Reason, Standing},
        actor::Actor,
        source::{Source, SourceName},
    },
};

/// Accept that an object fails, or list and withdraw acceptances.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct AcceptArgs {
    #[command(subcommand)]
    command: Option<AcceptCommand>,
    /// The vault's URL, `https://NAME.vault.azure.net`
    #[arg(long, value_name = "URL", value_parser = no_hsm, required = true)]
    vault: Option<Source>,
    #[command(flatten)]
    object: ObjectArgs,
    /// The reason, in one line of at most 500 characters
    #[arg(long, value_name = "TEXT", required = true)]
    reason: Option<Reason>,
    /// When the acceptance ends, within two years: a date such as 2027-01-31, included, in UTC; or a time
    #[arg(long, value_name = "DATE", value_parser = acknowledged::until, required = true)]
    until: Option<OffsetDateTime>,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Debug, Subcommand)]
enum AcceptCommand {
    /// List acceptances and their state
    List(ListArgs),
    /// Withdraw an acceptance: the object counts as failed again
    Withdraw(WithdrawArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only this vault's, by its URL; without it, every vault's
    #[arg(long, value_name = "URL", value_parser = no_hsm)]
    vault: Option<Source>,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Debug, Args)]
struct WithdrawArgs {
    #[command(flatten)]
    source: PlainVaultArg,
    #[command(flatten)]
    object: ObjectArgs,
    #[command(flatten)]
    output: OutputArg,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, the storage refuses, or there is nothing to accept or to withdraw.
pub async fn run(args: AcceptArgs) -> Done {
    match args.command {
        Some(AcceptCommand::List(args)) => list(args).await,
        Some(AcceptCommand::Withdraw(args)) => withdraw(args).await,
        None => accept(args).await,
    }
}

async fn accept(args: AcceptArgs) -> Done {
    let id = args.object.one()?;
    let (Some(url), Some(reason), Some(until)) = (&args.vault, args.reason, args.until) else {
        return Err(Failed::new("name the vault, the reason and the end: --vault, --reason, --until"));
    };
    let (app, clock) = (app_for(url, Needs::Storage)?, Clock::system());
    let accepting = acknowledge::accept(&app, url.name(), &id, reason, until, &Actor::TERMINAL, &clock);
    said(&accepting.await?, args.output.output)?;
    Ok(Exit::All)
}

async fn withdraw(args: WithdrawArgs) -> Done {
    let (url, id) = (&args.source.vault, args.object.one()?);
    let app = app_for(url, Needs::Storage)?;
    let record = acknowledge::withdraw(&app, url.name(), &id, &Actor::TERMINAL, &Clock::system()).await?;
    said(&record, args.output.output)?;
    Ok(Exit::All)
}

fn said(record: &AcceptanceRecord, format: Format) -> io::Result<()> {
    if format == Format::Json {
        return output::json(record);
    }
    let (id, source) = (record.id(), &record.source);
    match &record.acceptance {
        Acceptance::Accepted { code, until, .. } => output::line(format_args!(
            "Accepted until {}: {id} of {source} fails with {code}. After that, or with another code, it counts as failed again",
            moment(*until)
        )),
        Acceptance::Withdrawn => output::line(format_args!(
            "Withdrawn: {id} of {source} counts as failed again as long as it fails"
        )),
    }
}

async fn list(args: ListArgs) -> Done {
    let app = match &args.vault {
        Some(vault) => app_for(vault, Needs::Storage)?,
        None => App::build(&Config::read(environment, Needs::Storage)?)?,
    };
    let only = args.vault.as_ref().map(Source::name);
    let listed = acknowledge::list(&app, only, Clock::system().now()).await?;
    print(&listed, only, args.output.output)?;
    Ok(Exit::All)
}

fn print(
    listed: &[(AcceptanceRecord, Standing)],
    only: Option<&SourceName>,
    format: Format,
) -> io::Result<()> {
    if format == Format::Json {
        #[derive(Serialize)]
        struct Listed<'a> {
            #[serde(flatten)]
            record: &'a AcceptanceRecord,
            #[serde(flatten)]
            standing: &'a Standing,
        }
        let listed = listed.iter().map(|(record, standing)| Listed { record, standing });
        return output::json(&listed.collect::<Vec<_>>());
    }
    if listed.is_empty() {
        let of = only.map_or_else(String::new, |source| format!(" of {source}"));
        return output::line(format_args!("No failure{of} was ever accepted"));
    }
    let mut table = output::table(&["vault", "kind", "name", "code", "until", "state", "reason"]);
    for (record, standing) in listed {
        let (code, until, reason) = match &record.acceptance {
            Acceptance::Accepted { code, until, reason } => {
                (code.clone(), moment(*until), reason.to_string())
            }
            Acceptance::Withdrawn => Default::default(),
        };
        let (source, kind, name) =
            (record.source.to_string(), record.kind.to_string(), record.name.to_string());
        table.add_row([source, kind, name, code, until, words(record, standing), reason]);
    }
    output::print(&table)
}

fn words(record: &AcceptanceRecord, standing: &Standing) -> String {
    match standing {
        Standing::InForce => "in force".to_owned(),
        Standing::Withdrawn => format!("withdrawn on {}", moment(record.at)),
        Standing::Expired => "expired: counts as failed again as long as it fails".to_owned(),
        Standing::OtherReason { now } => format!("no longer applies: it now fails with {now}"),
        Standing::NotFailing => "not needed: it does not fail".to_owned(),
    }
}
