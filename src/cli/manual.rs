//! `completion` and `man`: the command line, described for shells and for `man`.

use std::io;

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::aot::{Shell as Generator, generate};
use clap_mangen::Man;

use super::{Cli, Done, Exit, Failed, output::Stream};
use crate::api::shapes::problem::ProblemKind;

/// The shell whose completions are printed.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

impl From<Shell> for Generator {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
            Shell::Powershell => Self::PowerShell,
        }
    }
}

/// The command whose page is printed.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command, such as `list runs`; without one, the whole program
    command: Vec<String>,
}

/// Prints the completions for a shell.
///
/// # Errors
/// When they cannot be printed.
pub fn completion(args: &CompletionArgs) -> Done {
    let (mut command, mut script) = (Cli::command(), Vec::new());
    let name = command.get_name().to_owned();
    generate(Generator::from(args.shell), &mut command, name, &mut script);
    print(&script)
}

/// Prints a manual page, in roff.
///
/// # Errors
/// When there is no such command, or the page cannot be printed.
pub fn page(args: &ManArgs) -> Done {
    let mut cli = Cli::command();
    cli.build();
    let mut command = &cli;
    for name in &args.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            let detail = format!("there is no command `{}`", args.command.join(" "));
            Failed::of(
                ProblemKind::InvalidParameter,
                detail,
                "list the commands with `keyvault-backup --help`",
            )
        })?;
    }
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    print(&page)
}

fn print(bytes: &[u8]) -> Done {
    let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
    Stream::Out.print(text)?;
    Ok(Exit::All)
}
