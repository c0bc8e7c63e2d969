//! The figures, as the table that is printed.

use std::fmt;

use comfy_table::{CellAlignment, presets::ASCII_MARKDOWN};

/// A table of figures.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<[String; 4]>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// At least this.
    Least(f64),
    /// At most this.
    Most(f64),
    /// Only for information.
    None,
}

impl Table {
    /// Adds a figure that is a ratio.
    pub fn ratio(&mut self, what: impl Into<String>, of: impl Into<String>, ratio: f64, target: Target) {
        self.figure(what, of, ratio, "", target);
    }

    /// Adds a figure with its unit.
    pub fn figure(
        &mut self,
        what: impl Into<String>,
        of: impl Into<String>,
        value: f64,
        unit: &str,
        target: Target,
    ) {
        let (target, met) = match target {
            Target::Least(least) => (format!("≥ {least}{unit}"), value >= least),
            Target::Most(most) => (format!("≤ {most}{unit}"), value <= most),
            Target::None => (String::new(), true),
        };
        let (what, of) = (what.into(), of.into());
        let missed = if met { "" } else { " (missed)" };
        let digits = if value >= 100.0 { 0 } else { 2 };
        let row = [what, of, format!("{value:.digits$}{unit}{missed}"), target];
        eprintln!("  {}", row.join(" | "));
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_preset(ASCII_MARKDOWN).set_header(["figure", "measured", "result", "target"]);
        table.add_rows(&self.rows);
        for index in [2, 3] {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.fmt(f)
    }
}
