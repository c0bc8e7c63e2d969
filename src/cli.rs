//! The command line: the same use cases as the functions, for an engineer at a terminal.
//!
//! Results go to standard output, in the format of `--output`; progress and errors go to standard error. The exit code is 0 if everything succeeded, 1 if part of it did, 2 if nothing did, 130 if the command was
//! told to stop.

pub mod accept;
pub mod acknowledge;
mod arguments;
pub mod audit;
pub mod backup;
pub mod diff;
pub mod drill;
pub mod evidence;
mod failed;
pub mod file;
mod from;
pub mod hold;
pub mod hsm;
pub mod interrupt;
pub mod jobs;
pub mod list;
pub mod manual;
pub mod metrics;
pub mod notify;
pub mod output;
pub mod preflight;
pub mod rebuild;
pub mod report;
pub mod restore;
pub mod retention;
pub mod serve;
pub mod show;
pub mod status;
mod subject;
pub mod verify;
mod written;

use std::{
    io::{self, BufRead as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use self::output::{Format, OutputArg};
pub use self::{
    failed::Failed,
    from::FromArg,
    subject::{ObjectArgs, PlainVaultArg, SourceArg, VaultArg},
};
use crate::{
    app::App,
    config::{Needs, environment, environment_of},
    domain::{run::Verdict, source::Source},
    telemetry,
};

/// The backup operator for Azure Key Vault.
///
/// Settings are environment variables that start with `KEYVAULT_BACKUP_`; docs/settings.md lists them.
#[derive(Debug, Parser)]
#[command(version = env!("PROGRAM_VERSION"), about, max_term_width = 100, arg_required_else_help = true)]
#[command(after_long_help = FORMATS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArg,
}

/// The formats, which the help of each command only names.
const FORMATS: &str = "\
Formats:
  table  For people: names and dates whole, digests short, prose wrapped
  wide   As table, with every column, digests and addresses in full
  json   One JSON value in the shapes of the HTTP API; an error is one JSON
         object on standard error
  tsv    A header line, then one line a row, values separated by tabs and in
         full";

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the Azure Functions host (the default when the host starts this program)
    Serve,
    /// Back up a vault, or some of its objects
    Backup(backup::BackupArgs),
    /// Show whether every source is well, and if not, what is wrong first
    Status(status::StatusArgs),
    /// List vaults, runs, objects, or the backups of one object
    #[command(subcommand)]
    List(list::List),
    /// Show a run or a restore, open or ended
    Show(show::ShowArgs),
    /// Compare a live vault with a recovery point: what a restore would change
    Diff(diff::DiffArgs),
    /// Restore backups into a vault
    Restore(restore::RestoreArgs),
    /// Back up and restore Managed HSMs
    #[command(subcommand)]
    Hsm(hsm::HsmCommand),
    /// List open backup runs, and restores
    Jobs(jobs::JobsArgs),
    /// Check settings, rights, storage, clocks and ages, and say how to fix each fault
    Preflight(preflight::PreflightArgs),
    /// Print the status as numbers, in the text form of OpenMetrics
    Metrics(metrics::MetricsArgs),
    /// Test whether notices arrive
    #[command(subcommand)]
    Notify(notify::NotifyCommand),
    // Its help says more than one line.
    Verify(verify::VerifyArgs),
    /// Rehearse restores in a vault made for them, and show what came of it
    #[command(subcommand)]
    Drill(drill::DrillCommand),
    /// Show what is kept and what may go, and let it go
    #[command(subcommand)]
    Retention(retention::RetentionCommand),
    /// Keep something for a ticket, whatever the policy says
    #[command(subcommand)]
    Hold(hold::HoldCommand),
    /// Acknowledge a loss that a run found, or that a vault has moved
    Acknowledge(acknowledge::AcknowledgeArgs),
    /// Accept until a date that an object fails; list and withdraw acceptances
    Accept(accept::AcceptArgs),
    /// Check or list the audit trail
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Write what the daily evidence records of a period say: a page, JSON, CSV, and their digests
    Evidence(evidence::EvidenceArgs),
    /// Write missing manifests, from plans and blobs alone
    Rebuild(rebuild::RebuildArgs),
    /// Print the completions for a shell
    Completion(manual::CompletionArgs),
    /// Print the manual page of the program, or of a command
    #[command(hide = true)]
    Man(manual::ManArgs),
}

/// Runs the command in the process's arguments.
///
/// On one thread, because the work is waiting for Azure: a thread for each processor would keep a heap of its own and
/// spend more on waking the others than it gains.
pub fn main() -> ExitCode {
    let alone = std::env::args_os().len() == 1;
    let under_host = alone && environment("FUNCTIONS_CUSTOMHANDLER_PORT").is_some();
    let (command, format) = if under_host {
        (Command::Serve, Format::Table)
    } else {
        match arguments::parse(&std::env::args_os().collect::<Vec<_>>()) {
            Ok(Cli { command, output }) => (command, output.output),
            Err(code) => return code,
        }
    };
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(command, format)),
        Err(error) => {
            let failed = Failed::new(format!("the program cannot start: {error}"), "run the command again");
            failed.tell(format);
            Exit::None.into()
        }
    }
}

async fn run(command: Command, format: Format) -> ExitCode {
    if !matches!(command, Command::Serve) {
        // With JSON, standard error has at most one error.
        telemetry::for_terminal(environment("RUST_LOG").filter(|_| !format.is_json()).as_deref());
    }
    if matches!(command, Command::Serve) {
        return serve::run().await;
    }
    let only_reads = command.only_reads();
    let work = Box::pin(carry_out(command, format));
    let done = if only_reads { interrupt::or_nothing_changed(work, format).await } else { work.await };
    match done {
        Ok(exit) => exit.into(),
        Err(failed) => {
            failed.tell(format);
            Exit::None.into()
        }
    }
}

async fn carry_out(command: Command, format: Format) -> Done {
    match command {
        Command::Serve => Ok(Exit::None),
        Command::Backup(args) => Box::pin(backup::run(args, format)).await,
        Command::Status(args) => Box::pin(status::run(args, format)).await,
        Command::List(list) => Box::pin(list::run(list, format)).await,
        Command::Show(args) => Box::pin(show::run(args, format)).await,
        Command::Diff(args) => Box::pin(diff::run(args, format)).await,
        Command::Restore(args) => Box::pin(restore::run(args, format)).await,
        Command::Hsm(command) => Box::pin(hsm::run(command, format)).await,
        Command::Jobs(args) => Box::pin(jobs::run(args, format)).await,
        Command::Preflight(args) => Box::pin(preflight::run(args, format)).await,
        Command::Metrics(args) => Box::pin(metrics::run(args)).await,
        Command::Notify(command) => Box::pin(notify::run(command, format)).await,
        Command::Verify(args) => Box::pin(verify::run(args, format)).await,
        Command::Drill(command) => Box::pin(drill::run(command, format)).await,
        Command::Retention(command) => Box::pin(retention::run(command, format)).await,
        Command::Hold(command) => Box::pin(hold::run(command, format)).await,
        Command::Acknowledge(args) => Box::pin(acknowledge::run(args, format)).await,
        Command::Accept(args) => Box::pin(accept::run(args, format)).await,
        Command::Audit(command) => Box::pin(audit::run(command, format)).await,
        Command::Evidence(args) => Box::pin(evidence::run(args, format)).await,
        Command::Rebuild(args) => Box::pin(rebuild::run(args, format)).await,
        Command::Completion(args) => manual::completion(&args),
        Command::Man(args) => manual::page(&args),
    }
}

impl Command {
    /// Whether it changes nothing, so that it can be stopped at any moment.
    fn only_reads(&self) -> bool {
        match self {
            Self::List(_) | Self::Show(_) | Self::Diff(_) | Self::Audit(_) => true,
            Self::Verify(args) => args.only_reads(),
            Self::Jobs(args) => args.only_reads(),
            Self::Preflight(args) => args.only_reads(),
            Self::Accept(args) => args.only_reads(),
            Self::Status(args) => args.only_reads(),
            Self::Hsm(command) => command.only_reads(),
            Self::Drill(command) => command.only_reads(),
            Self::Retention(command) => command.only_reads(),
            Self::Hold(command) => command.only_reads(),
            Self::Serve
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Acknowledge(_)
            | Self::Notify(_)
            | Self::Evidence(_)
            | Self::Metrics(_)
            | Self::Rebuild(_)
            | Self::Completion(_)
            | Self::Man(_) => false,
        }
    }
}

/// How much of a command succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything: exit code 0.
    All,
    /// Part of it: exit code 1.
    Part,
    /// Nothing: exit code 2.
    None,
    /// It was told to stop, and stopped in order: exit code 130, as in shells after Ctrl-C.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::All => Self::SUCCESS,
            Exit::Part => Self::from(1),
            Exit::None => Self::from(2),
            Exit::Interrupted => Self::from(130),
        }
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Succeeded => Self::All,
            Verdict::PartiallyFailed => Self::Part,
            Verdict::Failed => Self::None,
        }
    }
}

/// The result of a command.
pub type Done = Result<Exit, Failed>;

/// The program for one vault or HSM named on the command line, as the only configured one.
///
/// # Errors
/// When settings are missing or wrong.
pub fn app_for(vault: &Source, needs: Needs) -> Result<App, Failed> {
    app_for_in(vault, needs, FromArg::default())
}

/// The same, in a place.
///
/// # Errors
/// As [`app_for`].
pub fn app_for_in(vault: &Source, needs: Needs, from: FromArg) -> Result<App, Failed> {
    app_for_both(vault, vault, needs, from)
}

/// The program for a vault or an HSM, and another one into which it is restored.
///
/// # Errors
/// When settings are missing or wrong.
pub fn app_for_both(source: &Source, target: &Source, needs: Needs, from: FromArg) -> Result<App, Failed> {
    let both = [Some(source), Some(target).filter(|target| *target != source)];
    let (hsms, vaults): (Vec<_>, Vec<_>) = both.into_iter().flatten().partition(|source| source.is_hsm());
    let named = |urls: &[&Source]| urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let lookup = |name: &str| match name {
        "KEYVAULT_BACKUP_VAULTS" => Some(named(&vaults)).filter(|_| !vaults.is_empty()),
        "KEYVAULT_BACKUP_HSMS" if !hsms.is_empty() => Some(named(&hsms)),
        // The keys may be of HSMs that were not named.
        "KEYVAULT_BACKUP_HSM_KEYS" if !hsms.is_empty() => None,
        name => environment_of(name, &[source.name(), target.name()]),
    };
    from.app_with(lookup, needs)
}

/// Asks a question on the terminal. Any answer but yes counts as no.
///
/// # Errors
/// When the terminal is gone.
pub fn ask(question: &str) -> Result<bool, Failed> {
    output::Stream::Err.print(&format!("{question} [y/N] "))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
