//! The binary: the custom handler and the command line tool.

use std::process::ExitCode;

use keyvault_backup::cli;

fn main() -> ExitCode {
    cli::main()
}
