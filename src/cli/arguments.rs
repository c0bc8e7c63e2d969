//! The arguments of the process, and their errors.

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use super::{
    Cli, Exit, Failed,
    output::{Format, one_line},
};
use crate::api::shapes::problem::ProblemKind;

/// Parses the arguments of a command. Help and errors are printed here; then the exit code is returned.
///
/// # Errors
/// The exit code of a process that has nothing else to do.
pub(super) fn parse(arguments: &[OsString]) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(arguments).map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            drop(error.print());
            return Exit::All.into();
        }
        if wants_json(arguments) {
            failed(&error, arguments).tell(Format::Json);
        } else {
            drop(error.print());
        }
        Exit::None.into()
    })
}

/// Whether the arguments ask for JSON, as far as they can be read.
fn wants_json(arguments: &[OsString]) -> bool {
    let texts: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let apart = texts.windows(2).any(|pair| matches!(&*pair[0], "-o" | "--output") && pair[1] == "json");
    apart || texts.iter().any(|text| matches!(&**text, "-ojson" | "-o=json" | "--output=json"))
}

/// An error in the arguments, without what clap adds for people.
fn failed(error: &clap::Error, arguments: &[OsString]) -> Failed {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let detail = text.split("\n\nUsage:").next().and_then(|text| text.split("\n\nFor more").next());
    let next = format!("run `{} --help`, which describes the arguments", named(arguments));
    Failed::of(ProblemKind::InvalidParameter, one_line(detail.unwrap_or(text)), next)
}

/// The command that the arguments name, such as `keyvault-backup list runs`.
fn named(arguments: &[OsString]) -> String {
    let mut command = Cli::command();
    let mut name = command.get_name().to_owned();
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        if let Some(inner) = command.find_subcommand(argument).cloned() {
            name = format!("{name} {argument}");
            command = inner;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn json_is_seen_even_where_the_arguments_are_wrong() {
        for (text, expected) in [
            ("x list --nonsense -o json", true),
            ("x --output json", true),
            ("x --output=json list", true),
            ("x -ojson list", true),
            ("x list -o table json", false),
            ("x list -o", false),
        ] {
            assert_eq!(wants_json(&arguments(text)), expected, "{text}");
        }
    }

    #[test]
    fn help_is_that_of_the_command() {
        for (text, expected) in [
            ("x list runs --nonsense", "keyvault-backup list runs"),
            ("x -o json show nosuchrun", "keyvault-backup show"),
            ("x nonsense", "keyvault-backup"),
        ] {
            assert_eq!(named(&arguments(text)), expected, "{text}");
        }
    }
}
