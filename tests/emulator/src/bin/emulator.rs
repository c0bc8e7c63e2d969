//! `cargo emulator`: Azure on loopback, for a terminal.
//!
//! Prints what to set in another terminal, so that `az`, an SDK or this project's binary talks to it, and
//! runs until Ctrl-C. The names are those of the commands in the project's README.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use keyvault_backup_emulator::terminal::{self, Arguments};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => ". --port and --identity-port take others, and 0 a free one",
                _ => "",
            };
            eprintln!("{error}{hint}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> io::Result<()> {
    let azure = terminal::start(arguments).await?;
    let mut out = io::stdout().lock();
    out.write_all(terminal::explain(&azure, arguments).as_bytes())?;
    out.flush()?;
    drop(out);
    tokio::signal::ctrl_c().await
}
