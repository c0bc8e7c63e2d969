//! The section on drills.

use super::page::{Cell, Page};
use crate::domain::{
    drill::{CleanedUp, Rehearsed, Seconds},
    evidence::{DrillSeen, Report},
    moment::minute,
};

/// Writes a row for each source.
pub(super) fn write(page: &mut Page, report: &Report) {
    let rows: Vec<_> = report
        .sources
        .iter()
        .map(|row| {
            let none = || Cell::number("");
            let not = || [Cell::text("not drilled"), none(), none(), none(), none(), none(), none()];
            let cells = row.drill.as_ref().map_or_else(not, seen);
            let [at, restore, cleanup, objects, age, took, whole] = cells;
            [Cell::text(&row.source), at, restore, cleanup, objects, age, took, whole]
        })
        .collect();
    let heads =
        ["Source", "Began", "Restore", "Cleanup", "Objects#", "Age of backup#", "Took#", "The whole#"];
    page.table(heads, &rows, "No record of the period has a source.");
}

fn seen(of: &DrillSeen) -> [Cell; 7] {
    let time = |of: Option<Seconds>| Cell::number(of.map(|of| of.to_string()).unwrap_or_default());
    let (restore, cleanup) = (of.restore.to_string(), of.cleanup.to_string());
    [
        Cell::when(minute(of.at)),
        if of.restore == Rehearsed::Succeeded { Cell::text(restore) } else { Cell::alarm(restore) },
        if of.cleanup == CleanedUp::Done { Cell::text(cleanup) } else { Cell::alarm(cleanup) },
        Cell::number(of.objects),
        time(of.rpo_seconds),
        time(of.rto_seconds),
        time(of.whole_rto_seconds),
    ]
}
