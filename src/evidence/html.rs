//! A report as one page: no scripts, nothing from elsewhere, made for A4.

mod drills;
mod page;
mod sections;

use self::page::Page;
use crate::domain::{
    counted::counted,
    evidence::{Report, RunsSeen, Section},
    moment::minute,
};

/// What comes before the text. The policy forbids what the page does not have: scripts, images, requests.
const HEAD: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n",
    include_str!("html/style.css"),
    "</style>\n",
);

/// The fact that a reader must not overlook.
const GAPS: &str = "Days without a record";

/// The page of a report.
pub(super) fn page(report: &Report) -> String {
    let mut page = Page::default();
    page.raw(HEAD);
    page.element("title", format_args!("Backup evidence, {} to {}", report.from, report.to));
    page.raw("</head>\n<body>\n<header>\n");
    page.element("h1", "Backup evidence");
    page.element("p", format_args!("{} to {}, days in UTC", report.from, report.to));
    let names: Vec<_> = report.wanted.iter().map(ToString::to_string).collect();
    let about = if names.is_empty() { "every source".to_owned() } else { names.join(", ") };
    page.element("p", format_args!("About {about}"));
    page.raw("</header>\n<main>\n");
    summary(&mut page, report);
    sections::write(&mut page, report);
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}

/// What a reader must know first, the gaps among it.
fn summary(page: &mut Page, report: &Report) {
    page.element(
        "p",
        "This report is made from the daily evidence records of its period and from nothing else. A day without a record \
         is a gap; nothing is concluded about it from the days beside it.",
    );
    let gaps: Vec<_> = report.gaps().map(|day| day.to_string()).collect();
    let days = counted(report.days.len(), "day");
    let newest = report.sources.iter().filter_map(|row| row.newest).max();
    let mut facts = vec![
        ("Days with a record", format!("{} of {days}", report.recorded())),
        (GAPS, if gaps.is_empty() { "none".to_owned() } else { gaps.join(", ") }),
        ("Sources", report.sources.len().to_string()),
        ("Worst gap between backups", worst(report)),
        ("Never covered", never(report)),
        ("Runs", runs(report)),
        ("Newest backup", newest.map_or_else(|| "none".to_owned(), minute)),
    ];
    if report.unnamed > 0 {
        let unnamed = format!("{} failures, acceptances, events and sections", report.unnamed);
        facts.push(("Counted, not named", unnamed));
    }
    page.facts(&facts, Some(GAPS).filter(|_| !gaps.is_empty()));
    contents(page);
}

fn worst(report: &Report) -> String {
    let worst = report.sources.iter().filter_map(|row| Some((row.worst?, &row.source))).max();
    worst.map_or_else(
        || "no source was covered".to_owned(),
        |((gap, day), source)| format!("{}, {source} on {day}", sections::age(gap)),
    )
}

fn never(report: &Report) -> String {
    let never = report.sources.iter().filter(|row| row.worst.is_none()).map(|row| row.source.to_string());
    let never: Vec<_> = never.collect();
    if never.is_empty() { "no source".to_owned() } else { never.join(", ") }
}

fn runs(report: &Report) -> String {
    let mut all = RunsSeen::default();
    report.sources.iter().for_each(|row| all.add(&row.runs));
    format!("{}, of which {} partially failed and {} failed", all.all(), all.partial, all.failed)
}

fn contents(page: &mut Page) {
    page.raw("<nav>");
    for (section, before) in
        sections::ORDER.iter().zip([""].into_iter().chain(std::iter::repeat(" &middot; ")))
    {
        page.raw(before);
        page.link(*section);
    }
    page.raw("</nav>\n");
}

/// The sections, in a sentence.
fn titles(sections: &[Section]) -> String {
    sections.iter().map(|section| section.title()).collect::<Vec<_>>().join(", ")
}
