//! `accept`: failures that a person accepts until a date.

use std::io;

use clap::{Args, Subcommand};
use time::OffsetDateTime;

use super::{
    Done, Exit, Failed, ObjectArgs, PlainVaultArg, app_for,
    output::{self, Cell, Column, Format, Table, moment},
    subject::no_hsm,
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

impl AcceptArgs {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self.command, Some(AcceptCommand::List(_)))
    }
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
            "Accepted until {}: {id} of {source} fails with {code}. After that, or with another code, it counts as failed again.",
            moment(*until)
        ),
        Acceptance::Withdrawn => {
            format!("Withdrawn: {id} of {source} counts as failed again as long as it fails.")
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
        output::aside(format, format_args!("No failure{of} was ever accepted."))?;
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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use time::macros::datetime;

    use super::*;
    use crate::{cli::output::Format, domain::object::ObjectKind};

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: AcceptArgs,
    }

    const AT: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);

    fn record(acceptance: Acceptance) -> AcceptanceRecord {
        AcceptanceRecord {
            v: 1,
            source: "kv-prod".parse().unwrap(),
            kind: ObjectKind::Secret,
            name: "db".parse().unwrap(),
            acceptance,
            by: Actor::TERMINAL,
            at: AT,
        }
    }

    #[test]
    fn an_acceptance_needs_a_vault_a_reason_and_an_end_and_its_list_none_of_them() {
        let whole = "--vault kv-prod --secret db --reason why --until 2099-01-31";
        for (args, accepted) in [
            (whole, true),
            ("--vault-name kv-prod --secret db --reason why --until 2099-01-31T10:00:00Z", true),
            ("--secret db --reason why --until 2099-01-31", false),
            ("--vault kv-prod --secret db --until 2099-01-31", false),
            ("--vault kv-prod --secret db --reason why", false),
            ("--vault kv-prod --secret db --reason why --until soon", false),
            ("--vault https://hsm-a.managedhsm.azure.net --key k --reason why --until 2099-01-31", false),
            ("list", true),
            ("list --vault kv-prod", true),
            ("list --reason why", false),
            ("withdraw --vault kv-prod --secret db", true),
            ("withdraw --secret db", false),
        ] {
            let words = ["accept"].into_iter().chain(args.split(' '));
            assert_eq!(Command::try_parse_from(words).is_ok(), accepted, "{args}");
        }
    }

    #[test]
    fn the_state_says_whether_the_failure_counts() {
        let withdrawn = record(Acceptance::Withdrawn);
        for (standing, expected) in [
            (Standing::InForce, "in force"),
            (Standing::Withdrawn, "withdrawn on 2026-11-22T02:00:00Z"),
            (Standing::Expired, "expired: counts as failed again as long as it fails"),
            (
                Standing::OtherReason { now: "Throttled".into() },
                "no longer applies: it now fails with Throttled",
            ),
            (Standing::NotFailing, "not needed: it does not fail"),
        ] {
            assert_eq!(words(&withdrawn, &standing), expected);
        }
    }

    #[test]
    fn a_withdrawal_has_neither_code_nor_end() {
        let accepted =
            Acceptance::Accepted { code: "Forbidden".into(), reason: "why".parse().unwrap(), until: AT };
        for (acceptance, expected) in [
            (accepted, ["kv-prod", "secret", "db", "Forbidden", "2026-11-22T02:00:00Z", "why"]),
            (Acceptance::Withdrawn, ["kv-prod", "secret", "db", "", "", ""]),
        ] {
            let mut table = Table::new(&SUBJECT, &DETAILS);
            table.push(row(&record(acceptance)));
            let tsv = table.text(Format::Tsv, None);
            assert_eq!(
                tsv.lines().nth(1).map(|line| line.split('\t').collect::<Vec<_>>()),
                Some(expected.to_vec())
            );
        }
    }
}
