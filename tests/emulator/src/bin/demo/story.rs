//! How the story is told: short headings, aligned lines, a progress bar on a terminal.

use std::{
    fmt::{self, Display},
    io::{self, IsTerminal as _, Write as _},
    process::Stdio,
    time::{Duration, Instant},
};

use comfy_table::{ContentArrangement, Table, TableComponent, presets::NOTHING};
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

/// Where labels end.
const LABEL: usize = 11;

/// Where tables begin; their cells have a space on the left.
const INDENT: usize = LABEL + 2;

/// Between two lines of progress where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(3);

/// Tells the story on standard output, or on standard error when that is kept for JSON.
#[derive(Debug)]
pub(crate) struct Story {
    json: bool,
    chapters: usize,
}

impl Story {
    /// A story that has not begun.
    pub(crate) fn new(json: bool) -> Self {
        Self { json, chapters: 0 }
    }

    /// Prints the title.
    pub(crate) fn title(&self, text: &str) -> io::Result<()> {
        self.print(text)
    }

    /// Begins a chapter.
    pub(crate) fn chapter(&mut self, title: &str) -> io::Result<()> {
        self.chapters += 1;
        self.print(format_args!("\n{}  {title}", self.chapters))
    }

    /// Prints a line with its label, or with none to go on with the line before.
    pub(crate) fn line(&self, label: &str, text: &str) -> io::Result<()> {
        self.print(format_args!("   {label:<LABEL$}{text}"))
    }

    /// Prints something as it is, for another program's input or after a blank line.
    pub(crate) fn print(&self, text: impl Display) -> io::Result<()> {
        if self.json {
            writeln!(io::stderr().lock(), "{text}")
        } else {
            writeln!(io::stdout().lock(), "{text}")
        }
    }

    /// Where a program that is part of the story writes.
    pub(crate) fn output(&self) -> Stdio {
        if self.json { io::stderr().into() } else { io::stdout().into() }
    }

    /// Progress up to `length`.
    pub(crate) fn progress(&self, label: &'static str, length: usize) -> Progress<'_> {
        let length = length as u64;
        let bar = io::stderr().is_terminal().then(|| {
            let template = format!("   {label:<LABEL$}{{bar:40}} {{human_pos}} of {{human_len}}  {{rate}}");
            let style = ProgressStyle::with_template(&template);
            let bar = ProgressBar::new(length);
            style.map_or(bar.clone(), |style| bar.with_style(style.with_key("rate", rate)))
        });
        Progress { story: self, label, length, bar, told: Instant::now(), shown: 0 }
    }
}

fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    // A bar without its rate is a bar all the same.
    let _ = write!(out, "{:.0}/s", state.per_sec());
}

/// A progress bar, or a line now and then.
#[derive(Debug)]
pub(crate) struct Progress<'s> {
    story: &'s Story,
    label: &'static str,
    length: u64,
    bar: Option<ProgressBar>,
    told: Instant,
    shown: u64,
}

impl Progress<'_> {
    /// Shows how far it got, when so much is left.
    pub(crate) fn left(&mut self, left: usize) -> io::Result<()> {
        let position = self.length.saturating_sub(left as u64);
        if let Some(bar) = &self.bar {
            bar.set_position(position);
        } else if position > self.shown && self.told.elapsed() >= PLAIN_EVERY {
            (self.told, self.shown) = (Instant::now(), position);
            let text = format!("{} of {} so far", HumanCount(position), HumanCount(self.length));
            self.story.line(self.label, &text)?;
        }
        Ok(())
    }

    /// Takes the bar away.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A table in the story's indentation, as wide as it needs.
pub(crate) fn table<const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_style(TableComponent::HeaderLines, '─').set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    let lines = table.lines().map(|line| format!("{:INDENT$}{}", "", line.trim_end()));
    lines.collect::<Vec<_>>().join("\n")
}

/// A number with its thousands set apart.
pub(crate) fn count(number: impl TryInto<u64>) -> String {
    HumanCount(number.try_into().unwrap_or(u64::MAX)).to_string()
}
