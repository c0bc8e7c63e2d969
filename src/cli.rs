//! The command line: the same use cases as the functions, for an engineer at a terminal.
//!
//! Results go to standard output, as a table or as one JSON value; progress and errors go to standard
//! error. The exit code is 0 when everything succeeded, 1 when part of it did, 2 when nothing did.

pub mod audit;
pub mod backup;
pub mod file;
pub mod hsm;
pub mod jobs;
pub mod list;
pub mod output;
pub mod preflight;
pub mod rebuild;
pub mod report;
pub mod restore;
pub mod serve;
pub mod show;

use std::{
    io::{self, BufRead as _, Write as _},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use tokio::runtime::Builder;

use self::output::Format;
use crate::{
    app::App,
    config::{Config, ConfigError, Needs, environment},
    domain::{
        object::{NameError, ObjectId, ObjectKind, ObjectName, VaultUrl},
        run::Verdict,
    },
    error::Error,
    telemetry,
};

/// The backup operator for Azure Key Vault.
///
/// Settings are environment variables that start with `KEYVAULT_BACKUP_`; the README lists them.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the Azure Functions host (the default when the host starts this program)
    Serve,
    /// Back up a vault, or some of its objects
    Backup(backup::BackupArgs),
    /// List vaults, runs, objects, or the backups of one object
    #[command(subcommand)]
    List(list::List),
    /// Show what became of every object in a run
    Show(show::ShowArgs),
    /// Restore backups into a vault
    Restore(restore::RestoreArgs),
    /// Back up and restore Managed HSMs
    #[command(subcommand)]
    Hsm(hsm::HsmCommand),
    /// List what is under way, and the last restores
    Jobs(jobs::JobsArgs),
    /// Check settings, rights, storage, clocks and ages, and say what mends what is wrong
    Preflight(preflight::PreflightArgs),
    /// Check or list the audit trail
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Write the manifests that are missing, from plans and blobs alone
    Rebuild(rebuild::RebuildArgs),
}

/// Runs the command that the process was started with.
///
/// On one thread: the work is waiting for Azure. A thread for each processor would keep a heap of its own and
/// spend more on waking the others than it gains.
pub fn main() -> ExitCode {
    let alone = std::env::args_os().len() == 1;
    let under_host = alone && environment("FUNCTIONS_CUSTOMHANDLER_PORT").is_some();
    let command = if under_host { Command::Serve } else { Cli::parse().command };
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(command)),
        Err(error) => {
            eprintln!("error: the program cannot start: {error}");
            Exit::None.into()
        }
    }
}

async fn run(command: Command) -> ExitCode {
    if !matches!(command, Command::Serve) {
        telemetry::for_terminal(environment("RUST_LOG").as_deref());
    }
    let done = match command {
        Command::Serve => return serve::run().await,
        Command::Backup(args) => Box::pin(backup::run(args)).await,
        Command::List(list) => Box::pin(list::run(list)).await,
        Command::Show(args) => Box::pin(show::run(args)).await,
        Command::Restore(args) => Box::pin(restore::run(args)).await,
        Command::Hsm(command) => Box::pin(hsm::run(command)).await,
        Command::Jobs(args) => Box::pin(jobs::run(args)).await,
        Command::Preflight(args) => Box::pin(preflight::run(args)).await,
        Command::Audit(command) => Box::pin(audit::run(command)).await,
        Command::Rebuild(args) => Box::pin(rebuild::run(args)).await,
    };
    match done {
        Ok(exit) => exit.into(),
        Err(Failed(text)) => {
            eprintln!("error: {text}");
            Exit::None.into()
        }
    }
}

/// How much of what was asked for was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything: exit code 0.
    All,
    /// Part of it: exit code 1.
    Part,
    /// Nothing: exit code 2.
    None,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::All => Self::SUCCESS,
            Exit::Part => Self::from(1),
            Exit::None => Self::from(2),
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

/// The text of what went wrong, for the last line on standard error.
#[derive(Debug)]
pub struct Failed(String);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// What a command returns.
pub type Done = Result<Exit, Failed>;

/// A vault by its URL.
#[derive(Clone, Debug, Args)]
pub struct VaultArg {
    /// The vault's URL, `https://NAME.vault.azure.net`
    #[arg(long, value_name = "URL")]
    pub vault: VaultUrl,
}

/// One object or several, by kind and name.
#[derive(Clone, Debug, Args)]
pub struct ObjectArgs {
    /// A secret's name; may be repeated
    #[arg(long, value_name = "NAME")]
    secret: Vec<ObjectName>,
    /// A key's name; may be repeated
    #[arg(long, value_name = "NAME")]
    key: Vec<ObjectName>,
    /// A certificate's name; may be repeated
    #[arg(long, value_name = "NAME")]
    certificate: Vec<ObjectName>,
}

impl ObjectArgs {
    /// The objects, in the order of kinds.
    pub fn objects(&self) -> Vec<ObjectId> {
        let of =
            |kind, names: &[ObjectName]| names.iter().map(|name| ObjectId::new(kind, name.clone())).collect();
        let kinds: [Vec<_>; 3] = [
            of(ObjectKind::Certificate, &self.certificate),
            of(ObjectKind::Key, &self.key),
            of(ObjectKind::Secret, &self.secret),
        ];
        kinds.concat()
    }

    /// The one object.
    ///
    /// # Errors
    /// When there are none or several.
    pub fn one(&self) -> Result<ObjectId, Failed> {
        let mut objects = self.objects();
        match (objects.pop(), objects.is_empty()) {
            (Some(object), true) => Ok(object),
            _ => Err(Failed("name one object, with --secret, --key or --certificate".into())),
        }
    }
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Args)]
pub struct OutputArg {
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// The program for one vault named on the command line: that one counts as configured, and no other.
///
/// # Errors
/// When settings are missing or wrong.
pub fn app_for(vault: &VaultUrl, needs: Needs) -> Result<App, Failed> {
    let lookup = |name: &str| match name {
        "KEYVAULT_BACKUP_VAULTS" => Some(vault.to_string()),
        name => environment(name),
    };
    Ok(App::build(&Config::read(lookup, needs)?)?)
}

/// The program for a vault and another one that it is restored into.
///
/// # Errors
/// When settings are missing or wrong.
pub fn app_for_both(source: &VaultUrl, target: &VaultUrl, needs: Needs) -> Result<App, Failed> {
    let lookup = |name: &str| match name {
        "KEYVAULT_BACKUP_VAULTS" if source == target => Some(source.to_string()),
        "KEYVAULT_BACKUP_VAULTS" => Some(format!("{source} {target}")),
        name => environment(name),
    };
    Ok(App::build(&Config::read(lookup, needs)?)?)
}

/// Asks a question on the terminal. Anything but yes is no.
///
/// # Errors
/// When the terminal is gone.
pub fn ask(question: &str) -> Result<bool, Failed> {
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Parsed by clap through [`std::str::FromStr`].
impl From<NameError> for Failed {
    fn from(error: NameError) -> Self {
        Self(error.to_string())
    }
}
