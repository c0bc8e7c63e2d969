//! Output of commands: tables, JSON, and the formats of values in tables.

mod records;

use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets::NOTHING};
use serde::Serialize;
use time::{Duration, OffsetDateTime, UtcOffset, macros::format_description};

pub use self::records::{Records, wrapped};
use crate::config::environment;
pub use crate::domain::wording::on_one_line as one_line;

/// The format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON value, for programs.
    Json,
}

/// The stream for text to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error, when standard output has the JSON.
    Err,
}

impl Stream {
    /// The stream for text beside results of this format.
    pub const fn beside(format: Format) -> Self {
        match format {
            Format::Table => Self::Out,
            Format::Json => Self::Err,
        }
    }

    /// Its width: the terminal's; without one, that of `COLUMNS`. `None` allows lines of any length.
    pub fn width(self) -> Option<usize> {
        let mut table = Table::new();
        let terminal = match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Err => {
                table.use_stderr();
                io::stderr().is_terminal()
            }
        };
        let width = if terminal { table.width() } else { columns() };
        width.filter(|width| *width > 0).map(usize::from)
    }

    /// Prints lines.
    ///
    /// # Errors
    /// When it is closed.
    pub fn print(self, lines: &str) -> io::Result<()> {
        match self {
            Self::Out => io::stdout().lock().write_all(lines.as_bytes()),
            Self::Err => io::stderr().lock().write_all(lines.as_bytes()),
        }
    }
}

/// The value of `COLUMNS`.
fn columns() -> Option<u16> {
    environment("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0)
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// When standard output is closed.
pub fn json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)
}

/// Prints a line of text.
///
/// # Errors
/// When standard output is closed.
pub fn line(text: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints a table.
///
/// # Errors
/// When standard output is closed.
pub fn print(table: &Table) -> io::Result<()> {
    line(table.trim_fmt())
}

/// A table with these headings. Columns whose headings start with `#` have numbers.
///
/// It is as wide as the terminal; without one, as wide as `COLUMNS` says, or as it needs.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_style(TableComponent::HeaderLines, '─');
    if let Some(columns) = columns().filter(|_| !io::stdout().is_terminal()) {
        table.set_width(columns);
    }
    table.set_header(headings.iter().map(|heading| heading.trim_start_matches('#')));
    for (index, heading) in headings.iter().enumerate() {
        if heading.starts_with('#')
            && let Some(column) = table.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A time to the second, in UTC.
pub fn moment(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// A duration in its largest unit, as an age.
pub fn age(since: Duration) -> String {
    let (days, hours, minutes) = (since.whole_days(), since.whole_hours(), since.whole_minutes());
    match (days, hours, minutes) {
        (2.., _, _) => format!("{days} days"),
        (_, 2.., _) => format!("{hours} hours"),
        (_, _, 2..) => format!("{minutes} minutes"),
        _ => "just now".to_owned(),
    }
}

/// A number with its noun, which is in the plural unless the number is 1.
pub fn count(of: impl TryInto<u64>, noun: &str) -> String {
    match of.try_into().unwrap_or_default() {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

/// A number of bytes for people.
pub fn bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_the_largest_unit_that_says_enough() {
        let ages = [30, 150, 3 * 3600, 47 * 3600, 49 * 3600].map(|seconds| age(Duration::seconds(seconds)));
        assert_eq!(ages, ["just now", "2 minutes", "3 hours", "47 hours", "2 days"]);
    }
}
