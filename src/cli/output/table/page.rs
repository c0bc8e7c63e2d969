//! A table in one format: the columns that it shows, and the texts of their values.

use super::{
    super::{prose::filled, wrapped},
    Column, Format, Kind, Table, When,
};

/// The space between two columns.
const GAP: usize = 2;

/// The least width of a column of prose that is easier to read than a record.
const LEAST_PROSE: usize = 30;

/// The indentation of a record's details.
const INDENT: &str = "    ";

/// The texts of a table.
pub(super) struct Page {
    columns: Vec<Column>,
    subject: usize,
    rows: Vec<Vec<String>>,
}

impl Page {
    /// The texts of a table in a format.
    pub(super) fn of(table: &Table, format: Format) -> Self {
        let texts = |row: &Vec<_>| row.iter().map(|cell: &super::Cell| cell.text(format)).collect();
        let rows: Vec<Vec<String>> = table.rows.iter().map(texts).collect();
        let is_shown = |index: usize, column: &Column| match column.when {
            When::Always => true,
            When::Wide => format != Format::Table,
            When::IfAny => !format.is_for_people() || rows.iter().any(|row| !row[index].is_empty()),
        };
        let shown: Vec<_> =
            table.columns.iter().enumerate().map(|(index, column)| is_shown(index, column)).collect();
        let subject = shown.iter().take(table.subject).filter(|shown| **shown).count();
        Self {
            columns: kept(&shown, table.columns.iter().copied()),
            subject,
            rows: rows.into_iter().map(|row| kept(&shown, row)).collect(),
        }
    }

    /// A header line, then a line for each row, with tabs.
    pub(super) fn tsv(&self) -> String {
        let heading = |column: &Column| column.heading.to_lowercase().replace(' ', "_");
        let headings = self.columns.iter().map(heading).collect::<Vec<_>>().join("\t") + "\n";
        headings + &self.rows.iter().map(|row| row.join("\t") + "\n").collect::<String>()
    }

    /// A table with aligned columns, if it is no wider than this.
    pub(super) fn grid(&self, width: Option<usize>) -> Option<String> {
        let widths = self.widths(width)?;
        let headings: Vec<_> = self.columns.iter().map(|column| column.heading.to_uppercase()).collect();
        Some([&headings].into_iter().chain(&self.rows).map(|row| self.aligned(row, &widths)).collect())
    }

    /// The width of each column, if they fit: prose shares what the others leave, and the narrowest takes its part first.
    fn widths(&self, width: Option<usize>) -> Option<Vec<usize>> {
        let mut widths: Vec<_> = (0..self.columns.len()).map(|index| self.widest(index, letters)).collect();
        let Some(width) = width else { return Some(widths) };
        let (prose, whole): (Vec<_>, Vec<_>) =
            (0..widths.len()).partition(|index| self.columns[*index].kind == Kind::Prose);
        let taken =
            whole.iter().map(|index| widths[*index]).sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let mut left = width.checked_sub(taken)?;
        let mut prose: Vec<_> = prose.into_iter().map(|index| (widths[index], index)).collect();
        prose.sort_unstable();
        for (done, &(wanted, index)) in prose.iter().enumerate() {
            let part = wanted.min(left / (prose.len() - done));
            let longest_word =
                self.widest(index, |text| text.split(' ').map(letters).max().unwrap_or_default());
            if part < wanted.min(LEAST_PROSE).max(longest_word) {
                return None;
            }
            widths[index] = part;
            left -= part;
        }
        Some(widths)
    }

    /// The largest measure of a column's texts, its heading among them.
    fn widest(&self, index: usize, measure: impl Fn(&str) -> usize) -> usize {
        let texts = self.rows.iter().map(|row| &*row[index]).chain([self.columns[index].heading]);
        texts.map(measure).max().unwrap_or_default()
    }

    /// A row as one line, or several where its prose is wrapped.
    fn aligned(&self, row: &[String], widths: &[usize]) -> String {
        let cell = |(index, text): (usize, &String)| {
            if self.columns[index].kind == Kind::Prose {
                filled(text.split_whitespace(), Some(widths[index]))
            } else {
                vec![text.clone()]
            }
        };
        let cells: Vec<_> = row.iter().enumerate().map(cell).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        let line = |line: usize| {
            let mut text = String::new();
            for (index, (lines, width)) in cells.iter().zip(widths).enumerate() {
                let part = lines.get(line).map_or("", String::as_str);
                let space = " ".repeat(width.saturating_sub(letters(part)));
                match self.columns[index].kind {
                    Kind::Number => text.extend([&space, part]),
                    Kind::Whole | Kind::Label | Kind::Prose => text.extend([part, &space]),
                }
                text.push_str(&" ".repeat(GAP));
            }
            text.trim_end().to_owned() + "\n"
        };
        (0..height).map(line).collect()
    }

    /// A record for each row.
    pub(super) fn records(&self, width: Option<usize>) -> String {
        self.rows.iter().map(|row| self.record(row, width)).collect()
    }

    fn record(&self, row: &[String], width: Option<usize>) -> String {
        let cells = self.columns.iter().zip(row).enumerate().filter(|(_, (_, text))| !text.is_empty());
        let (mut subject, mut whole, mut prose) = (Vec::new(), Vec::new(), String::new());
        for (index, (Column { heading, kind, .. }, text)) in cells {
            match kind {
                Kind::Label if index < self.subject => subject.push(format!("{text}:")),
                _ if index < self.subject => subject.push(text.clone()),
                Kind::Prose => prose += &wrapped(&format!("{heading}: {text}"), width, INDENT),
                Kind::Whole | Kind::Label | Kind::Number => whole.push(format!("{heading}: {text},")),
            }
        }
        if let Some(last) = whole.last_mut() {
            last.truncate(last.len() - 1);
        }
        let lines =
            filled(whole.iter().map(String::as_str), width.map(|width| width.saturating_sub(INDENT.len())));
        let whole: String = lines.iter().flat_map(|line| [INDENT, line, "\n"]).collect();
        format!("{}\n{whole}{prose}", subject.join(" "))
    }
}

/// The items of the columns that are shown.
fn kept<T>(shown: &[bool], of: impl IntoIterator<Item = T>) -> Vec<T> {
    of.into_iter().zip(shown).filter_map(|(item, shown)| shown.then_some(item)).collect()
}

fn letters(text: &str) -> usize {
    text.chars().count()
}
