//! The values in a table.

use time::{Duration, OffsetDateTime};

use super::{Format, age, bytes, moment, one_line};
use crate::domain::{digest::Digest, source::Source};

/// The letters of a digest that `table` prints: enough to tell two apart.
const SHORT: usize = 12;

/// A value. For people it is rounded to what they need; `tsv` prints it in full, in one unit.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Nothing.
    Nothing,
    /// A name, words or prose.
    Text(String),
    /// A number.
    Number(u64),
    /// A number of bytes; in full without a unit.
    Bytes(u64),
    /// A time, to the second, in UTC.
    Moment(OffsetDateTime),
    /// A span in its largest unit; in full in seconds.
    Age(Duration),
    /// A digest; short in `table`.
    Digest(String),
    /// A source: by its name in `table`, by its address otherwise.
    Source(Source),
}

impl Cell {
    /// Its text in a format, on one line and without control characters.
    pub(super) fn text(&self, format: Format) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) if text.contains(char::is_control) => {
                one_line(&text.replace(char::is_control, " "))
            }
            Self::Bytes(number) if format.is_for_people() => bytes(*number),
            Self::Number(number) | Self::Bytes(number) => number.to_string(),
            Self::Moment(at) => moment(*at),
            Self::Age(since) if format.is_for_people() => age(*since),
            Self::Age(since) => since.whole_seconds().to_string(),
            Self::Digest(digest) if format == Format::Table => digest.chars().take(SHORT).collect(),
            Self::Text(text) | Self::Digest(text) => text.clone(),
            Self::Source(source) if format == Format::Table => source.name().to_string(),
            Self::Source(source) => source.to_string(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<OffsetDateTime> for Cell {
    fn from(at: OffsetDateTime) -> Self {
        Self::Moment(at)
    }
}

impl From<Duration> for Cell {
    fn from(since: Duration) -> Self {
        Self::Age(since)
    }
}

impl From<&Digest> for Cell {
    fn from(digest: &Digest) -> Self {
        Self::Digest(digest.to_string())
    }
}

impl From<&Source> for Cell {
    fn from(source: &Source) -> Self {
        Self::Source(source.clone())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn each_format_has_its_own_text() {
        let digest = Digest::of(b"");
        let source: Source = "https://kv-prod.vault.azure.net".parse().unwrap();
        for (cell, [table, wide, tsv]) in [
            (Cell::Nothing, ["", "", ""]),
            ("a\tb\nc\u{1b}[1m".into(), ["a b c [1m"; 3]),
            ("Forbidden: no  right".into(), ["Forbidden: no  right"; 3]),
            (7.into(), ["7"; 3]),
            (Cell::Bytes(2048), ["2.00 KiB", "2.00 KiB", "2048"]),
            (datetime!(2026-11-22 03:00:00.5 +1).into(), ["2026-11-22T02:00:00Z"; 3]),
            (Duration::hours(3).into(), ["3 hours", "3 hours", "10800"]),
            ((&digest).into(), [&digest.to_string()[..12], &digest.to_string(), &digest.to_string()]),
            (
                (&source).into(),
                ["kv-prod", "https://kv-prod.vault.azure.net", "https://kv-prod.vault.azure.net"],
            ),
        ] {
            let texts = [Format::Table, Format::Wide, Format::Tsv].map(|format| cell.text(format));
            assert_eq!(texts, [table, wide, tsv], "{cell:?}");
        }
    }
}
