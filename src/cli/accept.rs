//! `accept`: failures that a person accepts until a date.

use std::io;

use clap::{Args, Subcommand};
use time::OffsetDateTime;

use super::{
    Done, Exit, Failed, ObjectArgs, PlainVaultArg, app_for, no_hsm,
    output::{self, Cell, Column, Format, Table, moment},
};
use crate::{
    acknowledge,
    api::shapes::terminal::{AcceptanceItem, Acceptances},
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
    /// The vault: its name, or its URL `https://NAME.vault.azure.net`
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = no_hsm, required = true)]
    vault: Option<Source>,
    #[command(flatten)]
    object: ObjectArgs,
    /// The reason, in one line of at most 500 characters
    #[arg(long, value_name = "TEXT", required = true)]
    reason: Option<Reason>,
    /// When the acceptance ends, within two years: a date such as 2027-01-31, included, in UTC; or a time
    #[arg(long, value_name = "DATE", value_parser = acknowledged::until, required = true)]
    until: Option<OffsetDateTime>,
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
    /// Only this vault's, by its name or URL; without it, every vault's
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = no_hsm)]
    vault: Option<Source>,
}

#[derive(Debug, Args)]
struct WithdrawArgs {
    #[command(flatten)]
    source: PlainVaultArg,
    #[command(flatten)]
    object: ObjectArgs,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, the storage refuses, or there is nothing to accept or to withdraw.
pub async fn run(args: AcceptArgs, format: Format) -> Done {
    match args.command {
        Some(AcceptCommand::List(args)) => list(args, format).await,
        Some(AcceptCommand::Withdraw(args)) => withdraw(args, format).await,
        None => accept(args, format).await,
    }
}

async fn accept(args: AcceptArgs, format: Format) -> Done {
    let id = args.object.one()?;
    let (Some(url), Some(reason), Some(until)) = (&args.vault, args.reason, args.until) else {
        return Err(Failed::new(
            "an acceptance has a vault, a reason and an end",
            "name them with --vault, --reason and --until",
        ));
    };
    let (app, clock) = (app_for(url, Needs::Storage)?, Clock::system());
    let accepting = acknowledge::accept(&app, url.name(), &id, reason, until, &Actor::TERMINAL, &clock);
    said(&accepting.await?, format)?;
    Ok(Exit::All)
}

async fn withdraw(args: WithdrawArgs, format: Format) -> Done {
    let (url, id) = (&args.source.vault, args.object.one()?);
    let app = app_for(url, Needs::Storage)?;
    let record = acknowledge::withdraw(&app, url.name(), &id, &Actor::TERMINAL, &Clock::system()).await?;
    said(&record, format)?;
    Ok(Exit::All)
}

fn said(record: &AcceptanceRecord, format: Format) -> io::Result<()> {
    if format.is_json() {
        return output::json(&AcceptanceItem::from(record));
    }
    let (id, source) = (record.id(), &record.source);
    let sentence = match &record.acceptance {
        Acceptance::Accepted { code, until, .. } => format!(
            "Accepted until {}: {id} of {source} fails with {code}. After that, or with another code, it counts as failed again",
            moment(*until)
        ),
        Acceptance::Withdrawn => {
            format!("Withdrawn: {id} of {source} counts as failed again as long as it fails")
        }
    };
    let mut table = Table::new(&SUBJECT, &DETAILS);
    table.push(row(record));
    output::one(format, sentence, &table)
}

const SUBJECT: [Column; 3] = [Column::name("source"), Column::name("kind"), Column::name("name")];
const DETAILS: [Column; 3] = [Column::name("code"), Column::name("until"), Column::prose("reason")];

fn row(record: &AcceptanceRecord) -> [Cell; 6] {
    let [source, kind, name] =
        [record.source.to_string(), record.kind.to_string(), record.name.to_string()].map(Cell::from);
    let (code, until, reason) = match &record.acceptance {
        Acceptance::Accepted { code, until, reason } => {
            (Some(code.as_str()), Some(*until), Some(reason.to_string()))
        }
        Acceptance::Withdrawn => (None, None, None),
    };
    [source, kind, name, code.into(), until.into(), reason.into()]
}

async fn list(args: ListArgs, format: Format) -> Done {
    let app = match &args.vault {
        Some(vault) => app_for(vault, Needs::Storage)?,
        None => App::build(&Config::read(environment, Needs::Storage)?)?,
    };
    let only = args.vault.as_ref().map(Source::name);
    let listed = acknowledge::list(&app, only, Clock::system().now()).await?;
    print(&listed, only, format)?;
    Ok(Exit::All)
}

fn print(
    listed: &[(AcceptanceRecord, Standing)],
    only: Option<&SourceName>,
    format: Format,
) -> io::Result<()> {
    if format.is_json() {
        return output::json(&Acceptances { acceptances: listed.iter().map(Into::into).collect() });
    }
    let mut table = Table::new(&SUBJECT, &[&DETAILS[..], &[Column::prose("state")]].concat());
    for (record, standing) in listed {
        let [source, kind, name, code, until, reason] = row(record);
        table.push([source, kind, name, code, until, reason, words(record, standing).into()]);
    }
    table.print(format)?;
    if listed.is_empty() {
        let of = only.map_or_else(String::new, |source| format!(" of {source}"));
        output::aside(format, format_args!("No failure{of} was ever accepted"))?;
    }
    Ok(())
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
