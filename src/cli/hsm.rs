//! `hsm`: backups and restores of Managed HSMs.
//!
//! The jobs are those of the function app: with `--wait` this process reconciles its job more often than the app
//! does, and either can continue the job if the other dies.

mod attest;
mod backup;
mod check;
mod copy_back;
pub(super) mod follow;
pub(super) mod report;
mod restore;
mod status;

use clap::{Args, Subcommand};

use super::{
    Done, Failed,
    from::{self, FromArg},
    output::Format,
};
use crate::{
    app::App,
    config::{Needs, environment_of, named},
    domain::{run::RunId, source::Source},
};

/// The commands for Managed HSMs.
#[derive(Debug, Subcommand)]
pub enum HsmCommand {
    /// Back up a whole Managed HSM now
    Backup(backup::BackupArgs),
    /// Replace everything in a Managed HSM by a backup
    Restore(restore::RestoreArgs),
    /// Restore single keys from a Managed HSM's backup
    RestoreKey(restore::RestoreKeyArgs),
    /// Show recorded backups and open jobs
    Status(status::StatusArgs),
    /// Put the write-once copy of a backup back into the container that HSMs restore from
    CopyBack(copy_back::CopyBackArgs),
    /// Record that people checked an HSM's security domain and the holders of its keys
    Attest(attest::AttestArgs),
    /// Ask the service whether a backup or a restore could be made; changes nothing
    Check(check::CheckArgs),
}

impl HsmCommand {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Check(_))
    }
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, or the HSM or the storage cannot be used.
pub async fn run(command: HsmCommand, format: Format) -> Done {
    match command {
        HsmCommand::Backup(args) => Box::pin(backup::run(args, format)).await,
        HsmCommand::Restore(args) => Box::pin(restore::run(args, format)).await,
        HsmCommand::RestoreKey(args) => Box::pin(restore::run_keys(args, format)).await,
        HsmCommand::Status(args) => Box::pin(status::run(args, format)).await,
        HsmCommand::CopyBack(args) => Box::pin(copy_back::run(args, format)).await,
        HsmCommand::Attest(args) => Box::pin(attest::run(args, format)).await,
        HsmCommand::Check(args) => Box::pin(check::run(args, format)).await,
    }
}

/// An HSM by its name or URL.
#[derive(Clone, Debug, Args)]
struct HsmArg {
    /// The HSM: its name, or its URL `https://NAME.managedhsm.azure.net`
    #[arg(long, value_name = "HSM", alias = "hsm-name", value_parser = named::hsm)]
    hsm: Source,
}

/// The error of a job that has ended and that the catalogue does not have.
fn left_no_record(id: &RunId) -> Failed {
    Failed::new(
        format!("{id} left no record"),
        "see what the catalogue has with `keyvault-backup hsm status`; the storage account's log names who deletes there",
    )
}

/// The program for one HSM named on the command line, as the only configured one.
fn app_for(hsm: &Source) -> Result<App, Failed> {
    app_for_in(hsm, FromArg::default())
}

/// The same, in a place.
fn app_for_in(hsm: &Source, from: FromArg) -> Result<App, Failed> {
    from.app_with(|name| setting(hsm, name), Needs::Jobs)
}

/// The same, in the second place, with jobs in the container that is set for them.
fn app_in_second(hsm: &Source) -> Result<App, Failed> {
    from::second(|name| setting(hsm, name), Needs::Jobs)
}

fn setting(hsm: &Source, name: &str) -> Option<String> {
    match name {
        "KEYVAULT_BACKUP_HSMS" => Some(hsm.to_string()),
        "KEYVAULT_BACKUP_VAULTS" | "KEYVAULT_BACKUP_HSM_KEYS" => None,
        name => environment_of(name, &[hsm.name()]),
    }
}
