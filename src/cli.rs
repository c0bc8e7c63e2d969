//! The command line.

pub mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::environment;

/// The backup operator for Azure Key Vault.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the Azure Functions host (the default when it starts this program)
    Serve,
}

/// Runs the command that the process was started with.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    let under_host = environment("FUNCTIONS_CUSTOMHANDLER_PORT").is_some();
    match cli.command {
        Some(Command::Serve) => serve::run().await,
        None if under_host => serve::run().await,
        None => ExitCode::from(2),
    }
}
