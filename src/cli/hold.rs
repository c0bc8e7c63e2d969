//! `hold`: what a person keeps for a ticket, whatever retention's policy says.

use clap::{ArgGroup, Args, Subcommand};
use time::OffsetDateTime;

use super::{
    Done, Exit, Failed, ObjectArgs,
    list::moment_of,
    output::{self, Column, Format, Table, count},
    retention::{InSecond, Only, flag},
};
use crate::{
    api::shapes::terminal::{self as shapes, HoldItem, Holds},
    clock::Clock,
    domain::{
        acknowledged::Reason,
        actor::Actor,
        retention::{Hold, HoldScope, Ticket},
        run::RunId,
    },
    retention::{
        legal::{self, LegalHolds},
        people,
    },
};

/// Holds.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Keep a source, an object, a run or a time span until the hold is released
    Set(SetArgs),
    /// List holds
    List(ListArgs),
    /// Release the holds of a ticket
    Release(ReleaseArgs),
    /// Lift the storage's own legal holds of a ticket whose holds are released
    Lift(LiftArgs),
}

impl HoldCommand {
    /// Whether it changes nothing.
    pub(super) const fn only_reads(&self) -> bool {
        matches!(self, Self::List(_))
    }
}

/// What is held.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["run", "from"]))]
pub struct SetArgs {
    #[command(flatten)]
    only: Only,
    #[command(flatten)]
    object: ObjectArgs,
    /// What one run left
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// What runs since this time left, such as `2026-11-22T10:00:00Z`; with `--to`
    #[arg(long, value_name = "TIME", value_parser = moment_of, requires = "to")]
    from: Option<OffsetDateTime>,
    /// Until this time
    #[arg(long, value_name = "TIME", value_parser = moment_of, requires = "from")]
    to: Option<OffsetDateTime>,
    /// The ticket: letters, digits, hyphens and underscores
    #[arg(long, value_name = "TICKET")]
    ticket: Ticket,
    /// The reason, in one line of at most 500 characters
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    #[command(flatten)]
    place: InSecond,
}

impl SetArgs {
    fn scope(&self) -> Result<HoldScope, Failed> {
        let objects = self.object.objects();
        let several = || {
            Failed::new(
                "a hold is on one thing",
                "name one object, or --run, or --from and --to, or none of them",
            )
        };
        match (objects.as_slice(), &self.run, self.from.zip(self.to)) {
            ([], None, None) => Ok(HoldScope::Source),
            ([object], None, None) => Ok(HoldScope::Object { kind: object.kind, name: object.name.clone() }),
            ([], Some(run), None) => Ok(HoldScope::Run { run: run.clone() }),
            ([], None, Some((from, to))) if from <= to => Ok(HoldScope::Span { from, to }),
            ([], None, Some(_)) => Err(Failed::new("--from is later than --to", "exchange the two times")),
            _ => Err(several()),
        }
    }
}

/// Which holds are listed.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    only: Only,
    /// Also holds that are released
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: InSecond,
}

/// Which holds are released.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    only: Only,
    /// The ticket
    #[arg(long, value_name = "TICKET")]
    ticket: Ticket,
    /// Only the hold of this number, where a ticket has several
    #[arg(long, value_name = "N")]
    number: Option<u32>,
    /// The reason, in one line of at most 500 characters
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    #[command(flatten)]
    place: InSecond,
}

/// Which legal holds are lifted.
#[derive(Debug, Args)]
pub struct LiftArgs {
    #[command(flatten)]
    only: Only,
    /// The ticket
    #[arg(long, value_name = "TICKET")]
    ticket: Ticket,
    #[command(flatten)]
    place: InSecond,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, the storage refuses, or there is nothing to release.
pub async fn run(command: HoldCommand, format: Format) -> Done {
    match command {
        HoldCommand::Set(args) => set(args, format).await,
        HoldCommand::List(args) => list(args, format).await,
        HoldCommand::Release(args) => release(args, format).await,
        HoldCommand::Lift(args) => lift(args, format).await,
    }
}

async fn set(args: SetArgs, format: Format) -> Done {
    let (app, of, scope) = (args.place.app()?, args.only.one()?, args.scope()?);
    let what = (scope, args.ticket, args.reason);
    let (hold, number) = people::hold(&app, &of, what, &Actor::TERMINAL, Clock::system().now()).await?;
    let legal = legal::set(&app, &of, &hold).await;
    let item = HoldItem::new(&hold, number, false).with(&legal);
    if format.is_json() {
        output::json(&item)?;
        return Ok(Exit::All);
    }
    let sentence = format!(
        "Held for {}: {} of {} is kept until `hold release` names this ticket.",
        hold.ticket, item.on, hold.source
    );
    output::one(format, sentence, &table(&[(hold, number, false)]))?;
    say(&legal, "The storage's own legal hold is on", format)?;
    Ok(Exit::All)
}

/// What became of the storage's own legal holds.
fn say(legal: &LegalHolds, what: &str, format: Format) -> Result<(), Failed> {
    output::aside(format, format_args!("{what} {}.", count(legal.done, "blob")))?;
    match &legal.why {
        None => {}
        Some(why) if legal.refused == 0 => {
            output::aside(format, format_args!("Which blobs there are is not known: {why}"))?;
        }
        Some(why) => output::aside(
            format,
            format_args!("The storage refused it for {}: {why}", count(legal.refused, "blob")),
        )?,
    }
    Ok(())
}

async fn lift(args: LiftArgs, format: Format) -> Done {
    let (app, of) = (args.place.app()?, args.only.one()?);
    let legal = legal::lift(&app, &of, &args.ticket, Clock::system().now()).await?;
    if format.is_json() {
        output::json(&shapes::LegalHolds::from(&legal))?;
    } else {
        say(&legal, "The storage's own legal hold is lifted from", format)?;
    }
    Ok(if legal.refused > 0 { Exit::Part } else { Exit::All })
}

async fn list(args: ListArgs, format: Format) -> Done {
    let app = args.place.app()?;
    let mut holds = people::holds(&app, args.only.of().as_ref()).await?;
    holds.retain(|(.., released)| args.all || !released);
    if format.is_json() {
        let item = |(hold, number, released): &(Hold, u32, bool)| HoldItem::new(hold, *number, *released);
        output::json(&Holds { holds: holds.iter().map(item).collect() })?;
        return Ok(Exit::All);
    }
    table(&holds).print(format)?;
    if holds.is_empty() {
        output::aside(format, "There is no hold.")?;
    }
    Ok(Exit::All)
}

async fn release(args: ReleaseArgs, format: Format) -> Done {
    let (app, of) = (args.place.app()?, args.only.one()?);
    let which = (&args.ticket, args.number);
    let released =
        people::release(&app, &of, which, args.reason, &Actor::TERMINAL, Clock::system().now()).await?;
    let released: Vec<_> = released.into_iter().map(|(hold, number)| (hold, number, true)).collect();
    if format.is_json() {
        let item = |(hold, number, released): &(Hold, u32, bool)| HoldItem::new(hold, *number, *released);
        output::json(&Holds { holds: released.iter().map(item).collect() })?;
        return Ok(Exit::All);
    }
    let sentence = format!("Released: {} of {} on {}.", count(released.len(), "hold"), args.ticket, of.name);
    output::one(format, sentence, &table(&released))?;
    output::aside(
        format,
        "Where the storage's own legal hold is on the blobs, it stays until it is lifted:",
    )?;
    output::beside(
        format,
        format_args!("  keyvault-backup hold lift --{} {} --ticket {}", flag(&of), of.name, args.ticket),
    )?;
    Ok(Exit::All)
}

fn table(holds: &[(Hold, u32, bool)]) -> Table {
    let subject = [Column::name("source"), Column::name("ticket"), Column::number("number")];
    let details =
        [Column::name("on"), Column::name("since"), Column::label("state"), Column::prose("reason")];
    let mut table = Table::new(&subject, &details);
    for (hold, number, released) in holds {
        let state = if *released { "released" } else { "in force" };
        table.push([
            hold.source.to_string().into(),
            hold.ticket.to_string().into(),
            (*number).into(),
            hold.scope.to_string().into(),
            hold.at.into(),
            state.into(),
            hold.reason.to_string().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use time::macros::datetime;

    use super::*;
    use crate::domain::{object::ObjectKind, source::SourceKind};

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        command: HoldCommand,
    }

    fn parse(args: &str) -> Result<HoldCommand, clap::Error> {
        Ok(Cli::try_parse_from(["x"].into_iter().chain(args.split_whitespace()))?.command)
    }

    /// What `hold set` with these arguments is on, or the word that a person reads.
    fn on(args: &str) -> Result<HoldScope, String> {
        let args = format!("set --vault kv-a --ticket T --reason r {args}");
        match parse(&args) {
            Ok(HoldCommand::Set(args)) => args.scope().map_err(|error| format!("{error:?}")),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_hold_is_on_the_one_thing_that_is_named() {
        let (from, to) = (datetime!(2026-11-01 00:00 UTC), datetime!(2026-11-22 10:00 UTC));
        let object = |kind, name: &str| HoldScope::Object { kind, name: name.parse().unwrap() };
        for (args, expected) in [
            ("", HoldScope::Source),
            ("--secret db", object(ObjectKind::Secret, "db")),
            ("--key db", object(ObjectKind::Key, "db")),
            (
                "--run 20261122T020000Z-nightly",
                HoldScope::Run { run: RunId::nightly(datetime!(2026-11-22 02:00 UTC)) },
            ),
            ("--from 2026-11-01T00:00:00Z --to 2026-11-22T10:00:00Z", HoldScope::Span { from, to }),
            ("--from 2026-11-01T00:00:00Z --to 2026-11-01T00:00:00Z", HoldScope::Span { from, to: from }),
        ] {
            assert_eq!(on(args), Ok(expected), "{args}");
        }
        for (args, expected) in [
            ("--secret a --secret b", "Name one object"),
            ("--secret a --key a", "Name one object"),
            ("--secret a --run 20261122T020000Z-nightly", "Name one object"),
            ("--secret a --from 2026-11-01T00:00:00Z --to 2026-11-22T10:00:00Z", "Name one object"),
            ("--from 2026-11-22T10:00:00Z --to 2026-11-22T09:59:59Z", "Exchange the two times"),
            ("--from 2026-11-01T00:00:00Z", "--to"),
            ("--to 2026-11-01T00:00:00Z", "--from"),
            (
                "--run 20261122T020000Z-nightly --from 2026-11-01T00:00:00Z --to 2026-11-22T10:00:00Z",
                "cannot be used",
            ),
            ("--hsm hsm-a", "cannot be used"),
        ] {
            let refused = on(args).expect_err(args);
            assert!(refused.contains(expected), "{args}: {refused}");
        }
    }

    #[test]
    fn only_a_list_of_holds_changes_nothing() {
        for (args, expected) in [
            ("list --all", true),
            ("set --vault kv-a --ticket T --reason r", false),
            ("release --vault kv-a --ticket T --reason r", false),
            ("lift --vault kv-a --ticket T", false),
        ] {
            assert_eq!(parse(args).unwrap().only_reads(), expected, "{args}");
        }
    }

    #[test]
    fn a_list_tells_the_holds_of_one_ticket_apart() {
        let source = "kv-a".parse().unwrap();
        let at = datetime!(2026-11-22 02:00 UTC);
        let hold = Hold::unreadable(SourceKind::Vault, &source, "INC-1".parse().unwrap(), at);
        let text = table(&[(hold.clone(), 1, true), (hold, 2, false)]).text(Format::Tsv, None);
        let rows: Vec<_> = text.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>()).collect();
        let row = |number, state| {
            vec![
                "kv-a",
                "INC-1",
                number,
                "everything",
                "2026-11-22T02:00:00Z",
                state,
                "its record cannot be read",
            ]
        };
        assert_eq!(rows, [row("1", "released"), row("2", "in force")]);
    }
}
