//! `cargo bench --bench vault_backup`: how fast, how polite and how small a vault's backup is, its restore, and retention.
//!
//! Everything is a ratio within one run, because absolute figures belong to a machine. The emulator and the
//! host player run in this process; the product is the release binary, a process of its own, and so is the
//! [`bare`] client that it is held against: this program again, with `bare` as its first argument.
//!
//! `--quick` takes fewer objects: enough to see that the benchmark works, too few to believe its figures.
//! `--only TEXT` runs the sections whose name contains a text. `--package ZIP` starts the program of a package, where it
//! is the start that is measured.

#![expect(unreachable_pub, reason = "one crate; nothing outside it sees its items")]

mod bare;
mod drill;
mod memory;
mod night;
mod pace;
mod restore;
mod retention;
mod second;
mod size;
mod speed;
mod stage;
mod start;
mod status;
mod table;
mod told;
mod verification;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;

use self::{size::Size, table::Table};

/// Anything that goes wrong ends the benchmark.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the backup of a vault.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fewer objects
    #[arg(long)]
    quick: bool,
    /// Only the sections whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Measures the start of the program in this package
    #[arg(long)]
    package: Option<PathBuf>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let done = match arguments.next().as_deref() {
        Some("bare") => bare::main(arguments).await,
        Some("bare-restore") => bare::main_restore(arguments).await,
        _ => Box::pin(measure(&Arguments::parse())).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let size = if arguments.quick { Size::QUICK } else { Size::FULL };
    let mut table = Table::default();
    let wanted = |section: &str| {
        let wanted = section.contains(&arguments.only);
        if wanted {
            eprintln!("{section} ...");
        }
        wanted
    };
    if wanted("start") {
        start::measure(&mut table, &size, arguments.package.as_deref()).await?;
    }
    if wanted("speed without latency") {
        speed::measure(&mut table, &size, &speed::LOOPBACK).await?;
    }
    if wanted("speed with latency") {
        speed::measure(&mut table, &size, &speed::REALISTIC).await?;
    }
    if wanted("second night") {
        night::measure(&mut table, &size).await?;
    }
    if wanted("pace") {
        pace::measure(&mut table, &size).await?;
    }
    if wanted("memory") {
        memory::measure(&mut table, &size).await?;
    }
    if wanted("restore") {
        restore::measure(&mut table, &size).await?;
    }
    if wanted("mix") {
        restore::mix::measure(&mut table, &size).await?;
    }
    if wanted("drill") {
        drill::measure(&mut table, &size).await?;
    }
    if wanted("status") {
        status::measure(&mut table, &size).await?;
    }
    if wanted("told") {
        told::measure(&mut table, &size).await?;
    }
    if wanted("retention") {
        retention::measure(&mut table, &size).await?;
    }
    if wanted("copies") {
        second::measure(&mut table, &size).await?;
    }
    if wanted("verification") {
        verification::measure(&mut table, &size).await?;
    }
    println!("{table}");
    Ok(())
}
