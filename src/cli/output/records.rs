//! Rows that are printed in full: as a table if it fits, as a record for each row if it does not.

use comfy_table::ContentArrangement;

use super::table;

/// The indentation of a record's details.
const INDENT: &str = "    ";

/// Rows with an action, its subject, and details.
///
/// No cell is ever cut, and no line is broken within action and subject. If a table would be wider than the output,
/// each row becomes a record:
///
/// ```text
/// restore: secret db-password
///     from: 2026-11-22 02:00:00Z, age: 3 days, versions: 2
/// ```
#[derive(Clone, Debug)]
pub struct Records {
    headings: Vec<&'static str>,
    subject: usize,
    rows: Vec<Vec<String>>,
}

impl Records {
    /// No rows yet. The headings in `subject` are those of the action and its subject, with which a record begins.
    /// Columns whose headings start with `#` have numbers.
    pub fn new(subject: &[&'static str], details: &[&'static str]) -> Self {
        Self { headings: [subject, details].concat(), subject: subject.len(), rows: Vec::new() }
    }

    /// Adds a row: a cell for each heading.
    pub fn push<const N: usize>(&mut self, row: [String; N]) {
        self.rows.push(row.into());
    }

    /// The rows for an output of this width; `None` allows lines of any length.
    pub fn text(&self, width: Option<usize>) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let table = self.table();
        let fits = |width| table.lines().all(|line| line.chars().count() <= width);
        if width.is_none_or(fits) { table } else { self.records(width) }
    }

    /// A record for each row, even if a table would fit.
    pub fn records(&self, width: Option<usize>) -> String {
        self.rows.iter().map(|row| self.record(row, width)).collect()
    }

    fn table(&self) -> String {
        let mut table = table(&self.headings);
        table.set_content_arrangement(ContentArrangement::Disabled).add_rows(&self.rows);
        table.trim_fmt() + "\n"
    }

    fn record(&self, row: &[String], width: Option<usize>) -> String {
        let (subject, details) = row.split_at(self.subject.min(row.len()));
        let (what, whom) =
            subject.split_first().map_or(("", String::new()), |(what, whom)| (what, whom.join(" ")));
        let headings = self.headings.iter().skip(self.subject).map(|heading| heading.trim_start_matches('#'));
        let details = headings.zip(details).filter(|(_, cell)| !cell.is_empty());
        let details: Vec<_> = details.map(|(heading, cell)| format!("{heading}: {cell}")).collect();
        format!("{what}: {whom}\n{}", wrapped(&details.join(", "), width, INDENT))
    }
}

/// A text as lines that begin with `indent`, broken only at spaces: a word that is too long has a line of its own.
pub fn wrapped(text: &str, width: Option<usize>, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let wanted = indent.len() + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && width.is_some_and(|width| wanted > width) {
            lines.extend([indent, &line, "\n"]);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.extend([indent, &line, "\n"]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Records {
        let mut rows = Records::new(&["action", "kind", "name"], &["#versions", "because"]);
        rows.push(["restore", "secret", "a", "12", ""].map(str::to_owned));
        rows.push(["skipped", "key", "b", "1", "it is there"].map(str::to_owned));
        rows
    }

    #[test]
    fn a_table_that_fits_is_a_table() {
        let table = rows().text(None);
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert_eq!(rows().text(widest), table);
        insta::assert_snapshot!(table);
    }

    #[test]
    fn one_that_does_not_is_a_record_for_each_row() {
        let widest = rows().text(None).lines().map(|line| line.chars().count()).max().unwrap_or_default();
        let records =
            "restore: secret a\n    versions: 12\nskipped: key b\n    versions: 1, because: it is there\n";
        assert_eq!(rows().text(Some(widest - 1)), records);
        assert_eq!(rows().records(None), records);
    }

    #[test]
    fn without_rows_there_are_no_headings() {
        assert_eq!(Records::new(&["action"], &[]).text(None), "");
    }

    #[test]
    fn a_line_is_broken_at_spaces_alone() {
        let cases = [
            ("one two", None, "> one two\n"),
            ("one two", Some(9), "> one two\n"),
            ("one two", Some(8), "> one\n> two\n"),
            ("a-name-of-many-letters is whole", Some(10), "> a-name-of-many-letters\n> is whole\n"),
            ("", Some(10), ""),
        ];
        for (text, width, lines) in cases {
            assert_eq!(wrapped(text, width, "> "), lines, "{text} {width:?}");
        }
    }
}
