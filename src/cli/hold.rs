//! `hold`: what a person keeps for a ticket, whatever retention's policy says.

use clap::{ArgGroup, Args, Subcommand};
use time::OffsetDateTime;

use super::{
    Done, Exit, Failed, ObjectArgs,
    list::moment_of,
    output::{self, Column, Format, Table, count},
    retention::{Only, app},
};
use crate::{
    api::shapes::terminal::{self as shapes, HoldItem, Holds},
    clock::Clock,
    domain::{
        acknowledged::Reason,
        actor::Actor,
        retention::{Hold, HoldScope, Ticket},
        run::RunId,
        source::SourceKind,
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
}

/// Which legal holds are lifted.
#[derive(Debug, Args)]
pub struct LiftArgs {
    #[command(flatten)]
    only: Only,
    /// The ticket
    #[arg(long, value_name = "TICKET")]
    ticket: Ticket,
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
    let (app, of, scope) = (app()?, args.only.one()?, args.scope()?);
    let what = (scope, args.ticket, args.reason);
    let (hold, number) = people::hold(&app, &of, what, &Actor::TERMINAL, Clock::system().now()).await?;
    let legal = legal::set(&app, &of, &hold).await?;
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
    if let Some(why) = &legal.why {
        output::aside(
            format,
            format_args!("The storage refused it for {}: {why}", count(legal.refused, "blob")),
        )?;
    }
    Ok(())
}

async fn lift(args: LiftArgs, format: Format) -> Done {
    let (app, of) = (app()?, args.only.one()?);
    let legal = legal::lift(&app, &of, &args.ticket).await?;
    if format.is_json() {
        output::json(&shapes::LegalHolds::from(&legal))?;
    } else {
        say(&legal, "The storage's own legal hold is lifted from", format)?;
    }
    Ok(if legal.refused > 0 { Exit::Part } else { Exit::All })
}

async fn list(args: ListArgs, format: Format) -> Done {
    let app = app()?;
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
    let (app, of) = (app()?, args.only.one()?);
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
    let flag = if of.kind == SourceKind::Hsm { "hsm" } else { "vault" };
    output::beside(
        format,
        format_args!("  keyvault-backup hold lift --{flag} {} --ticket {}", of.name, args.ticket),
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
