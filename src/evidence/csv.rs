//! A report as CSV, by RFC 4180.

use crate::domain::{
    evidence::{Became, CoverageRow, DayRow, DayState, Report},
    moment::second,
    run::Numbers,
    source::SourceKind,
};

const COLUMNS: usize = 34;

const HEADER: [&str; COLUMNS] = [
    "day",
    "record",
    "source",
    "kind",
    "configured",
    "newestBackup",
    "worstGapSeconds",
    "listed",
    "backedUp",
    "skipped",
    "failed",
    "accepted",
    "gone",
    "protected",
    "runsSucceeded",
    "runsPartiallyFailed",
    "runsFailed",
    "runsLate",
    "newBackups",
    "newBytes",
    "failures",
    "failuresOpen",
    "troubles",
    "holds",
    "pointsLetGo",
    "pointsDeleted",
    "policy",
    "verifiedAt",
    "verifiedMissing",
    "verifiedDamaged",
    "securityDomainChecked",
    "unread",
    "secondPlaceNewest",
    "secondPlaceBehindSeconds",
];

/// The table of a report.
pub(super) fn table(report: &Report) -> String {
    let mut out = line(&HEADER);
    let mut coverage = report.coverage.iter().peekable();
    for day in &report.days {
        if day.is_gap() {
            out.push_str(&line(&gap(day)));
        }
        while let Some(row) = coverage.next_if(|row| row.day == day.day) {
            out.push_str(&line(&cells(row)));
        }
    }
    out
}

fn gap(row: &DayRow) -> [String; COLUMNS] {
    let mut cells = std::array::from_fn(|_| String::new());
    cells[0] = row.day.to_string();
    cells[1] = match &row.state {
        DayState::Gap { unreadable: Some(_) } => "unreadable".to_owned(),
        _ => "missing".to_owned(),
    };
    cells
}

fn cells(row: &CoverageRow) -> [String; COLUMNS] {
    let of = &row.of;
    let numbers = of.coverage.as_ref().map(|of| &of.numbers);
    let number = |of: Option<u32>| of.map(|of| of.to_string()).unwrap_or_default();
    let open = of.failures.iter().filter(|failure| failure.became == Became::Open).count();
    let verified = of.verification.as_ref();
    let kind = if of.kind == SourceKind::Vault { "vault" } else { "hsm" };
    let troubles: Vec<_> = of.troubles.iter().map(|trouble| trouble.code.as_str()).collect();
    [
        row.day.to_string(),
        "recorded".to_owned(),
        of.source.to_string(),
        kind.to_owned(),
        of.configured.to_string(),
        of.newest.map(second).unwrap_or_default(),
        of.gap.map(|gap| gap.to_string()).unwrap_or_default(),
        number(numbers.map(|of| of.listed)),
        number(numbers.map(|of| of.backed_up)),
        number(numbers.map(Numbers::skipped)),
        number(numbers.map(|of| of.failed)),
        number(numbers.map(|of| of.accepted)),
        number(numbers.map(|of| of.gone)),
        number(of.coverage.as_ref().map(|of| of.protected)),
        of.runs.succeeded.to_string(),
        of.runs.partial.to_string(),
        of.runs.failed.to_string(),
        of.runs.late.to_string(),
        of.runs.backed_up.to_string(),
        of.runs.bytes.to_string(),
        (of.failures.len() + of.more_failures as usize).to_string(),
        open.to_string(),
        troubles.join(" "),
        of.holds.len().to_string(),
        of.dropped.len().to_string(),
        of.deleted.len().to_string(),
        of.policy.clone().unwrap_or_default(),
        verified.map(|of| second(of.at)).unwrap_or_default(),
        verified.map(|of| of.missing.to_string()).unwrap_or_default(),
        verified.map(|of| of.damaged.to_string()).unwrap_or_default(),
        of.attestation.as_ref().map(|of| second(of.at)).unwrap_or_default(),
        of.unread.len().to_string(),
        of.second.as_ref().and_then(|of| of.newest).map(second).unwrap_or_default(),
        of.second.as_ref().map(|of| of.behind.to_string()).unwrap_or_default(),
    ]
}

fn line<T: AsRef<str>>(cells: &[T; COLUMNS]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| quoted(cell.as_ref())).collect();
    format!("{}\r\n", cells.join(","))
}

/// A value as a cell. A spreadsheet takes none for a formula.
fn quoted(text: &str) -> String {
    let shown =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if shown.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", shown.replace('"', "\"\"")) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        for (text, expected) in [
            ("kv-a", "kv-a"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("-1", "'-1"),
            ("", ""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
