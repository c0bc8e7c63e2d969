//! Output of commands: the formats of results, the streams, and values in words.
//!
//! A result is printed by one renderer, [`Table`]; JSON has the shapes of the HTTP API. A reader that goes away, as
//! `head` does, is no error: the rest is not printed, and the command ends as it would have.

mod cell;
mod prose;
mod table;

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write},
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use terminal_size::{Width, terminal_size_of};

pub use self::{
    cell::Cell,
    prose::wrapped,
    table::{Column, Table},
};
use crate::config::environment;
pub use crate::domain::{
    counted::counted as count, moment::second as moment, progress::age, wording::on_one_line as one_line,
};

/// The format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: names and dates whole, digests short, prose wrapped
    Table,
    /// As `table`, with every column, digests and addresses in full
    Wide,
    /// One JSON value in the shapes of the HTTP API; an error is one JSON object on standard error
    Json,
    /// A header line, then one line a row, values separated by tabs and in full
    Tsv,
}

impl Format {
    /// Whether a person reads it.
    pub const fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// Whether it is JSON.
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Json)
    }
}

/// The format of results, for every command.
#[derive(Clone, Copy, Debug, Args)]
pub struct OutputArg {
    /// Print the result as table, wide, json or tsv
    #[arg(short, long, value_name = "FORMAT", value_enum, global = true, default_value_t = Format::Table, hide_possible_values = true)]
    pub output: Format,
}

/// The stream for text to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error, when standard output is for a program.
    Err,
}

impl Stream {
    /// The stream for text beside results of this format.
    pub const fn beside(format: Format) -> Self {
        if format.is_for_people() { Self::Out } else { Self::Err }
    }

    /// Its width: the terminal's; without one, that of `COLUMNS`. `None` allows lines of any length.
    pub fn width(self) -> Option<usize> {
        let terminal = match self {
            Self::Out => io::stdout().is_terminal().then(|| terminal_size_of(io::stdout())),
            Self::Err => io::stderr().is_terminal().then(|| terminal_size_of(io::stderr())),
        };
        let width = match terminal {
            Some(size) => size.map(|(Width(width), _)| width),
            None => environment("COLUMNS").and_then(|columns| columns.parse().ok()),
        };
        width.filter(|width| *width > 0).map(usize::from)
    }

    /// Prints text.
    ///
    /// # Errors
    /// When it cannot be written, for another reason than that its reader is gone.
    pub fn print(self, text: &str) -> io::Result<()> {
        let print = |mut to: Box<dyn Write>| to.write_all(text.as_bytes()).and_then(|()| to.flush());
        unless_closed(print(match self {
            Self::Out => Box::new(io::stdout().lock()),
            Self::Err => Box::new(io::stderr().lock()),
        }))
    }
}

/// The result of writing, where a reader that is gone is no error.
fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// Those of [`Stream::print`].
pub fn json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = serde_json::to_writer(&mut out, value).map_err(io::Error::from);
    unless_closed(written.and_then(|()| writeln!(out)).and_then(|()| out.flush()))
}

/// Prints an error as one line of JSON on standard error. That it cannot be written changes nothing.
pub fn json_error(value: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(value) {
        note(text);
    }
}

/// Prints a line of text on standard output.
///
/// # Errors
/// Those of [`Stream::print`].
pub fn line(text: impl Display) -> io::Result<()> {
    Stream::Out.print(&format!("{text}\n"))
}

/// Prints prose beside a result, wrapped, for people. A program gets the result alone.
///
/// # Errors
/// Those of [`Stream::print`].
pub fn aside(format: Format, text: impl Display) -> io::Result<()> {
    let width = Stream::Out.width();
    let wrapped = |line: &str| if line.is_empty() { "\n".to_owned() } else { wrapped(line, width, "") };
    let lines = text.to_string().lines().map(wrapped).collect::<String>();
    beside(format, lines.trim_end())
}

/// As [`aside`], for lines that are copied: they are not wrapped.
///
/// # Errors
/// Those of [`Stream::print`].
pub fn beside(format: Format, text: impl Display) -> io::Result<()> {
    if format.is_for_people() { line(text) } else { Ok(()) }
}

/// Prints a result of one row: people read it as a sentence.
///
/// # Errors
/// Those of [`Stream::print`].
pub fn one(format: Format, sentence: impl Display, table: &Table) -> io::Result<()> {
    if format.is_for_people() { aside(format, sentence) } else { table.print(format) }
}

/// Prints a line for a person on standard error. That it cannot be written changes nothing.
pub fn note(text: impl Display) {
    drop(Stream::Err.print(&format!("{text}\n")));
}

/// A number of bytes for people.
pub fn bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn ages_are_in_the_largest_unit_that_says_enough() {
        let ages = [30, 150, 3 * 3600, 47 * 3600, 49 * 3600].map(|seconds| age(Duration::seconds(seconds)));
        assert_eq!(ages, ["just now", "2 minutes", "3 hours", "47 hours", "2 days"]);
    }

    #[test]
    fn a_reader_that_is_gone_is_no_error_and_a_full_disk_is_one() {
        for (kind, is_error) in [(io::ErrorKind::BrokenPipe, false), (io::ErrorKind::StorageFull, true)] {
            assert_eq!(unless_closed(Err(kind.into())).is_err(), is_error, "{kind}");
        }
    }
    #[test]
    fn an_age_changes_its_unit_at_two() {
        for (seconds, expected) in [
            (-60, "just now"),
            (0, "just now"),
            (119, "just now"),
            (120, "2 minutes"),
            (7199, "119 minutes"),
            (7200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
            (86_400 * 400, "400 days"),
        ] {
            assert_eq!(age(Duration::seconds(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn a_noun_agrees_with_its_number() {
        for (number, expected) in
            [(0, "0 objects"), (1, "1 object"), (2, "2 objects"), (25_000, "25000 objects")]
        {
            assert_eq!(count(number, "object"), expected);
        }
    }

    #[test]
    fn a_moment_is_in_utc_to_the_second_and_is_taken_as_an_argument() {
        use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};
        for (at, expected) in [
            (datetime!(2026-11-22 02:00 UTC), "2026-11-22T02:00:00Z"),
            (datetime!(2026-11-22 00:30:59.999 -2), "2026-11-22T02:30:59Z"),
            (datetime!(2026-01-01 00:00 +14), "2025-12-31T10:00:00Z"),
        ] {
            assert_eq!(moment(at), expected);
            assert!(OffsetDateTime::parse(expected, &Rfc3339).is_ok());
        }
    }

    #[test]
    fn text_for_people_is_beside_a_result_for_a_program() {
        for (format, people, stream) in [
            (Format::Table, true, Stream::Out),
            (Format::Wide, true, Stream::Out),
            (Format::Json, false, Stream::Err),
            (Format::Tsv, false, Stream::Err),
        ] {
            assert_eq!((format.is_for_people(), Stream::beside(format)), (people, stream), "{format:?}");
            assert_eq!(format.is_json(), format == Format::Json);
        }
    }
}
