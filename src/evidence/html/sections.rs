//! The sections of the page, each of one table.

use time::OffsetDateTime;

use super::{
    drills,
    page::{Cell, Page},
};
use crate::domain::{
    day::Day,
    evidence::{
        AcceptedRow, DayRow, DayState, EventRow, HeadRow, MAPPING, NOT_SHOWN, Report, Section, Sort,
        SourceRow, VerificationSeen,
    },
    hsm::Person,
    moment::minute,
    source::SourceKind,
};

/// The sections in their order.
pub(super) const ORDER: [Section; 16] = [
    Section::Sources,
    Section::Failures,
    Section::Accepted,
    Section::Verification,
    Section::SecurityDomains,
    Section::SecondPlace,
    Section::Drills,
    Section::Decisions,
    Section::Restores,
    Section::Policies,
    Section::Holds,
    Section::Retention,
    Section::Days,
    Section::Trail,
    Section::Mapping,
    Section::NotShown,
];

/// Writes every section.
pub(super) fn write(page: &mut Page, report: &Report) {
    for section in ORDER {
        page.section(section, about(section));
        match section {
            Section::Days => days(page, report),
            Section::Sources => sources(page, report),
            Section::Failures => failures(page, report),
            Section::Accepted => accepted(page, report),
            Section::Verification => verification(page, report),
            Section::SecurityDomains => security_domains(page, report),
            Section::SecondPlace => second_place(page, report),
            Section::Drills => drills::write(page, report),
            Section::Decisions => events(page, report, &[Sort::Decision]),
            Section::Restores => events(page, report, &[Sort::Approval, Sort::Restore]),
            Section::Policies => policies(page, report),
            Section::Holds => holds(page, report),
            Section::Retention => retention(page, report),
            Section::Trail => trail(page, report),
            Section::Mapping => mapping(page),
            Section::NotShown => not_shown(page),
        }
    }
}

const fn about(section: Section) -> &'static str {
    match section {
        Section::Days => {
            "Covered: sources that a backup covered at the end of the day. The digest is that of the stored record."
        }
        Section::Sources => {
            "Newest backup: when the newest backup that covers the source began, by the last record. Worst gap: the \
             greatest age that it reached."
        }
        Section::Failures => {
            "What failed in runs of these days, and what had become of it on the last day with it."
        }
        Section::Accepted => {
            "Failures of objects that a person accepted for a time, in force at the end of a day."
        }
        Section::Verification => {
            "What the last verification by the end of the period saw of the stored backups."
        }
        Section::SecurityDomains => {
            "When people last recorded that they had checked the security domain of a Managed HSM and the holders of its keys."
        }

        Section::SecondPlace => {
            "What the second place had of each source by the end of the period, as the last pass of copies saw it. Behind: for how long \
             something newer was missing there."
        }

        Section::Drills => {
            "What the newest drill by the end of the period came to. The whole: what a restore of the source would take, extrapolated."
        }
        Section::Decisions => "What people accepted, acknowledged, held and released, by the audit trail.",
        Section::Restores => {
            "What the audit trail says of restores, and of plans that needed a second person."
        }
        Section::Policies => "What the settings of the keeper said on these days.",
        Section::Holds => "In force in the period, and kept whatever the policy says.",
        Section::Retention => {
            "Points that were let go. They are deleted later, if nothing speaks against it."
        }
        Section::Trail => {
            "The newest record of each section of each day. The command audit verify, with --expect SECTION:NUMBER:SHA256, finds out \
             whether the trail still has it."
        }
        Section::Mapping => {
            "Where this report has something on a requirement. This is a mapping. It does not claim that a requirement \
             is met."
        }
        Section::NotShown => "",
    }
}

fn days(page: &mut Page, report: &Report) {
    let rows: Vec<_> = report.days.iter().map(day).collect();
    page.table(
        ["Day", "Record made", "Covered#", "Retention applied", "Trail records#", "SHA-256"],
        &rows,
        "",
    );
}

fn day(row: &DayRow) -> [Cell; 6] {
    match &row.state {
        DayState::Recorded { made, sha256, covered: (covered, all), retention, trail, .. } => [
            Cell::when(row.day),
            Cell::when(minute(*made)),
            Cell::number(format_args!("{covered} of {all}")),
            Cell::when(moment(*retention, "not on this day")),
            Cell::number(trail),
            Cell::code(sha256),
        ],
        DayState::Gap { unreadable } => [
            Cell::when(row.day),
            Cell::alarm(if unreadable.is_some() { "unreadable record" } else { "no record" }),
            Cell::number(""),
            Cell::text(""),
            Cell::number(""),
            Cell::text(unreadable.as_deref().unwrap_or_default()),
        ],
    }
}

fn sources(page: &mut Page, report: &Report) {
    let rows: Vec<_> = report.sources.iter().map(source).collect();
    let heads = [
        "Source",
        "Days#",
        "Newest backup",
        "Worst gap",
        "Runs#",
        "Partial#",
        "Failed#",
        "Objects#",
        "Open failures#",
        "Days with trouble#",
    ];
    page.table(heads, &rows, "No record of the period has a source.");
}

fn source(row: &SourceRow) -> [Cell; 10] {
    let worst = match row.worst {
        Some((gap, day)) if row.uncovered == 0 => Cell::when(format_args!("{}, {day}", age(gap))),
        Some((gap, day)) => {
            Cell::alarm(format_args!("{}, {day}; not covered on {} days before", age(gap), row.uncovered))
        }
        None => Cell::alarm("never covered"),
    };
    [
        Cell::text(&row.source),
        Cell::number(row.days),
        Cell::when(moment(row.newest, "none")),
        worst,
        Cell::number(row.runs.all()),
        Cell::count(row.runs.partial.into()),
        Cell::count(row.runs.failed.into()),
        Cell::number(row.protected.map(|of| of.to_string()).unwrap_or_default()),
        Cell::count(row.open.into()),
        Cell::count(row.troubled.into()),
    ]
}

fn failures(page: &mut Page, report: &Report) {
    let rows: Vec<_> = report
        .failures
        .iter()
        .map(|row| {
            let whole = || "the whole HSM".to_owned();
            [
                Cell::text(&row.source),
                Cell::text(row.object.as_ref().map_or_else(whole, ToString::to_string)),
                Cell::text(&row.code),
                Cell::when(span(row.first, row.last)),
                Cell::number(row.days),
                Cell::text(row.became.words()),
                Cell::when(moment(row.last_backup, "none")),
            ]
        })
        .collect();
    let heads = ["Source", "Object", "Code", "From, to", "Days#", "On the last day", "Last backup"];
    page.table(heads, &rows, "Nothing failed in the runs of the days with a record.");
}

fn accepted(page: &mut Page, report: &Report) {
    let row = |row: &AcceptedRow| {
        let of = &row.accepted;
        [
            Cell::text(&row.source),
            Cell::text(&of.object),
            Cell::text(&of.code),
            Cell::text(format_args!("{} by {}", minute(of.at), of.by)),
            Cell::when(minute(of.until)),
            Cell::when(span(row.first, row.last)),
            Cell::text(&of.reason),
        ]
    };
    let rows: Vec<_> = report.accepted.iter().map(row).collect();
    let heads = ["Source", "Object", "Code", "Accepted", "Until", "In force", "Reason"];
    page.table(heads, &rows, "No failure was accepted on the days with a record.");
}

fn verification(page: &mut Page, report: &Report) {
    let rows: Vec<_> = report
        .sources
        .iter()
        .map(|row| {
            let none = || Cell::number("");
            let not = || [Cell::text("not verified"), none(), none(), none(), none()];
            let seen = |of: &VerificationSeen| {
                let (named, read) = (Cell::number(of.named), Cell::number(of.read));
                [Cell::when(minute(of.at)), named, read, Cell::count(of.missing), Cell::count(of.damaged)]
            };
            let [at, named, read, missing, damaged] = row.verification.as_ref().map_or_else(not, seen);
            [Cell::text(&row.source), at, named, read, missing, damaged]
        })
        .collect();
    let heads = ["Source", "Ended", "Named#", "Read#", "Missing#", "Damaged#"];
    page.table(heads, &rows, "No record of the period has a source.");
}

fn security_domains(page: &mut Page, report: &Report) {
    let rows: Vec<_> = report
        .sources
        .iter()
        .filter(|row| row.source.kind == SourceKind::Hsm)
        .map(|row| {
            let [at, quorum, people] = match &row.attestation {
                Some(of) => {
                    let names: Vec<_> = of.people.iter().map(Person::as_str).collect();
                    [Cell::when(minute(of.at)), Cell::text(of.quorum), Cell::text(names.join(", "))]
                }
                None => [Cell::alarm("never"), Cell::text(""), Cell::text("")],
            };
            [Cell::text(&row.source), at, quorum, people]
        })
        .collect();
    page.table(["HSM", "Checked", "Quorum", "By"], &rows, "No record of the period has a Managed HSM.");
}

fn second_place(page: &mut Page, report: &Report) {
    let row = |row: &SourceRow| {
        let of = row.second.as_ref()?;
        let behind = if of.behind == 0 { Cell::text("has it all") } else { Cell::text(age(of.behind)) };
        let newest = Cell::when(moment(of.newest, "nothing"));
        Some([
            Cell::text(&row.source),
            Cell::when(minute(of.at)),
            newest,
            behind,
            Cell::count(of.lacking.into()),
        ])
    };
    let rows: Vec<_> = report.sources.iter().filter_map(row).collect();
    let heads = ["Source", "Pass", "Newest point there", "Behind", "Points lacking something#"];
    page.table(heads, &rows, "No record of the period has a second place.");
}

fn events(page: &mut Page, report: &Report, sorts: &[Sort]) {
    let wanted = report.events.iter().filter(|row| sorts.contains(&row.sort));
    let row = |row: &EventRow| [Cell::when(minute(row.at)), Cell::text(&row.by), Cell::text(&row.text)];
    let rows: Vec<_> = wanted.map(row).collect();
    page.table(["Recorded", "By", "What"], &rows, "The records of the period have none.");
}

fn policies(page: &mut Page, report: &Report) {
    let rows: Vec<_> = report
        .policies
        .iter()
        .map(|row| {
            let policy = row
                .policy
                .as_ref()
                .map_or_else(|| Cell::alarm("none that can be applied: everything is kept"), Cell::text);
            [Cell::text(&row.source), policy, Cell::when(span(row.first, row.last)), Cell::number(row.days)]
        })
        .collect();
    page.table(["Source", "Policy", "From, to", "Days#"], &rows, "No record of the period has a source.");
}

fn holds(page: &mut Page, report: &Report) {
    let rows: Vec<_> = report
        .holds
        .iter()
        .map(|row| {
            [
                Cell::text(&row.source),
                Cell::text(&row.hold.ticket),
                Cell::text(&row.hold.scope),
                Cell::text(format_args!("{} by {}", minute(row.hold.at), row.hold.by)),
                Cell::when(span(row.first, row.last)),
                Cell::text(&row.hold.reason),
            ]
        })
        .collect();
    let heads = ["Source", "Ticket", "On", "Set", "In force", "Reason"];
    page.table(heads, &rows, "There was no hold on the days with a record.");
}

fn retention(page: &mut Page, report: &Report) {
    let rows: Vec<_> = report
        .drops
        .iter()
        .map(|row| {
            [
                Cell::text(&row.source),
                Cell::number(row.runs.len()),
                Cell::text(&row.why),
                Cell::when(span(row.first, row.last)),
            ]
        })
        .collect();
    let none = "Nothing was let go on the days with a record.";
    page.table(["Source", "Points#", "Why", "From, to"], &rows, none);
}

fn trail(page: &mut Page, report: &Report) {
    let row = |row: &HeadRow| {
        let head = &row.head;
        [Cell::when(row.day), Cell::code(&head.section), Cell::number(head.number), Cell::code(head.sha256)]
    };
    let rows: Vec<_> = report.heads.iter().map(row).collect();
    let none = "The trail was not written to on the days with a record.";
    page.table(["Day", "Section", "Number#", "SHA-256"], &rows, none);
}

fn mapping(page: &mut Page) {
    let rows = MAPPING.map(|row| {
        [
            Cell::text(row.requirement),
            Cell::text(row.about),
            Cell::text(super::titles(row.sections)),
            Cell::text(row.lacks),
        ]
    });
    page.table(["Requirement", "About", "Sections", "Not in this report"], &rows, "");
}

fn not_shown(page: &mut Page) {
    page.raw("<ul>\n");
    for text in NOT_SHOWN {
        page.element("li", text);
    }
    page.raw("</ul>\n");
}

fn moment(at: Option<OffsetDateTime>, none: &str) -> String {
    at.map_or_else(|| none.to_owned(), minute)
}

fn span(first: Day, last: Day) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// An age in seconds, in words.
pub(super) fn age(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    if hours < 48 { format!("{hours} h {minutes} min") } else { format!("{} d {} h", hours / 24, hours % 24) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_hours_and_from_two_days_on_in_days() {
        for (seconds, expected) in [
            (0, "0 h 0 min"),
            (90_059, "25 h 0 min"),
            (172_799, "47 h 59 min"),
            (172_800, "2 d 0 h"),
            (266_400, "3 d 2 h"),
        ] {
            assert_eq!(age(seconds), expected);
        }
    }

    #[test]
    fn every_section_stands_once_in_the_order() {
        use strum::VariantArray as _;
        let missing: Vec<_> = Section::VARIANTS.iter().filter(|section| !ORDER.contains(section)).collect();
        assert_eq!((missing, ORDER.len()), (vec![], Section::VARIANTS.len()));
    }
}
