//! The one renderer of results: a table if it fits, a record for each row if it does not, or lines with tabs.

mod page;

use std::io;

use self::page::Page;
use super::{Cell, Format, Stream};

/// How a column is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Whole, on one line.
    Whole,
    /// As [`Kind::Whole`]; a record puts a colon behind it.
    Label,
    /// Whole, aligned to the right.
    Number,
    /// Wrapped at spaces.
    Prose,
}

/// In which tables a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    /// Not in `table`.
    Wide,
    /// Not where no row has a value, for people.
    IfAny,
}

/// A column: its heading, and how its values are printed.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    heading: &'static str,
    kind: Kind,
    when: When,
}

impl Column {
    const fn new(heading: &'static str, kind: Kind) -> Self {
        Self { heading, kind, when: When::Always }
    }

    /// Names, states, dates, digests: what is copied or compared. Never broken, never cut.
    pub const fn name(heading: &'static str) -> Self {
        Self::new(heading, Kind::Whole)
    }

    /// What happens to the subject: a name with which a record begins.
    pub const fn label(heading: &'static str) -> Self {
        Self::new(heading, Kind::Label)
    }

    /// Numbers and sizes.
    pub const fn number(heading: &'static str) -> Self {
        Self::new(heading, Kind::Number)
    }

    /// Reasons and messages, which may be wrapped at spaces.
    pub const fn prose(heading: &'static str) -> Self {
        Self::new(heading, Kind::Prose)
    }

    /// The column, for all formats but `table`.
    #[must_use]
    pub const fn wide(self) -> Self {
        Self { when: When::Wide, ..self }
    }

    /// The column, which people do not see where it is empty.
    #[must_use]
    pub const fn if_any(self) -> Self {
        Self { when: When::IfAny, ..self }
    }
}

/// A result in rows and columns.
///
/// No value is ever cut, and only prose is broken, at spaces. If even then the columns do not fit, each row becomes a
/// record, which begins with its subject:
///
/// ```text
/// restore: secret db-password
///     from: 2026-11-22T02:00:00Z, age: 3 days, versions: 2
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    subject: usize,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows. The columns in `subject` say what a row is about.
    pub fn new(subject: &[Column], details: &[Column]) -> Self {
        Self { columns: [subject, details].concat(), subject: subject.len(), rows: Vec::new() }
    }

    /// Adds a row: a value for each column.
    pub fn push<const N: usize>(&mut self, row: [Cell; N]) {
        self.rows.push(row.into());
    }

    /// Prints the rows on standard output.
    ///
    /// # Errors
    /// Those of [`Stream::print`].
    pub fn print(&self, format: Format) -> io::Result<()> {
        Stream::Out.print(&self.text(format, Stream::Out.width()))
    }

    /// The rows for an output of this width; `None` allows lines of any length. Without rows people see nothing.
    pub fn text(&self, format: Format, width: Option<usize>) -> String {
        let page = Page::of(self, format);
        match format {
            Format::Tsv => page.tsv(),
            _ if self.rows.is_empty() => String::new(),
            _ => page.grid(width).unwrap_or_else(|| page.records(width)),
        }
    }

    /// A record for each row, even if a table would fit.
    pub fn records(&self, format: Format, width: Option<usize>) -> String {
        Page::of(self, format).records(width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The widths of a small terminal, of a large one, and of a job's log.
    const WIDTHS: [(&str, Option<usize>); 3] = [("80", Some(80)), ("120", Some(120)), ("log", None)];

    const SUBJECT: [Column; 3] = [Column::label("action"), Column::name("kind"), Column::name("name")];
    const DETAILS: [Column; 4] = [
        Column::number("versions"),
        Column::name("SHA-256").wide(),
        Column::name("form").if_any(),
        Column::prose("because"),
    ];

    fn rows(name: impl Fn(&str) -> String) -> Table {
        let mut rows = Table::new(&SUBJECT, &DETAILS);
        let (digest, why) = (
            "ab".repeat(32),
            "the target has an object of that name, and Key Vault does not restore over one",
        );
        let mut push = |action: &str, kind: &str, of: &str, versions: u32, why: &str| {
            let cells = [action.into(), kind.into(), name(of).into(), versions.into()];
            let [action, kind, name, versions] = cells;
            rows.push([
                action,
                kind,
                name,
                versions,
                Cell::Digest(digest.clone()),
                Cell::Nothing,
                why.into(),
            ]);
        };
        push("restore", "secret", "a", 12, "");
        push("skipped", "certificate", "b", 1, why);
        rows
    }

    fn short(last: &str) -> String {
        format!("db-{last}")
    }

    /// A name of 127 letters; the last of them tells it from others.
    fn long(last: &str) -> String {
        format!("{:x<1$}{last}", "payments-production-westeurope-", 127 - last.len())
    }

    #[test]
    fn a_table_that_fits_is_a_table_and_one_that_does_not_a_record_for_each_row() {
        for (size, width) in WIDTHS {
            for format in [Format::Table, Format::Wide] {
                let name = format!("short-{format:?}-{size}").to_lowercase();
                insta::assert_snapshot!(name, rows(short).text(format, width));
                let name = format!("long-{format:?}-{size}").to_lowercase();
                insta::assert_snapshot!(name, rows(long).text(format, width));
            }
        }
        insta::assert_snapshot!("tsv", rows(long).text(Format::Tsv, Some(80)));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_but_for_what_must_be_whole() {
        for width in 40..=140 {
            for name in [short, long] {
                let text = rows(name).text(Format::Table, Some(width));
                for line in
                    text.lines().filter(|line| !line.contains(&name("a")) && !line.contains(&name("b")))
                {
                    assert!(line.chars().count() <= width, "{width}: {line}");
                }
                assert!(["a", "b"].iter().all(|last| text.contains(&name(last))), "{text}");
            }
        }
    }

    #[test]
    fn without_rows_people_see_nothing_and_programs_the_headings() {
        let none = Table::new(&SUBJECT, &DETAILS);
        assert_eq!(
            (none.text(Format::Table, None), none.text(Format::Wide, None)),
            (String::new(), String::new())
        );
        assert_eq!(none.text(Format::Tsv, None), "action\tkind\tname\tversions\tsha-256\tform\tbecause\n");
    }
}
