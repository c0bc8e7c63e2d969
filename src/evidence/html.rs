//! A report as one page: no scripts, nothing from elsewhere, made for A4.

mod page;
mod sections;

use self::page::Page;
use crate::domain::{
    evidence::{Report, RunsSeen, Section},
    moment::minute,
    wording::counted,
};

/// What comes before the text. The policy forbids what the page does not have: scripts, images, requests.
const HEAD: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n",
    include_str!("html/style.css"),
    "</style>\n",
);

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
    let (of, recorded) = (counted(report.days.len(), "day"), report.recorded());
    let worst = report.sources.iter().filter_map(|row| Some((row.worst?, &row.source))).max();
    let mut facts = vec![
        ("Days with a record", format!("{recorded} of {of}")),
        ("Days without a record", if gaps.is_empty() { "none".to_owned() } else { gaps.join(", ") }),
        ("Sources", report.sources.len().to_string()),
    ];
    let never: Vec<_> =
        report.sources.iter().filter(|row| row.worst.is_none()).map(|row| row.source.to_string()).collect();
    facts.push((
        "Worst gap between backups",
        worst.map_or_else(
            || "no source was covered".to_owned(),
            |((gap, day), source)| format!("{}, {source} on {day}", sections::age(gap)),
        ),
    ));
    if !never.is_empty() {
        facts.push(("Never covered", never.join(", ")));
    }
    let runs =
        |number: fn(&RunsSeen) -> u32| -> u32 { report.sources.iter().map(|row| number(&row.runs)).sum() };
    let (all, partial, failed) = (runs(|of| of.all()), runs(|of| of.partial), runs(|of| of.failed));
    facts.push(("Runs", format!("{all}, of which {partial} partially failed and {failed} failed")));
    let newest = report.sources.iter().filter_map(|row| row.newest).max();
    facts.push(("Newest backup", newest.map_or_else(|| "none".to_owned(), minute)));
    if report.unnamed > 0 {
        facts.push(("Counted, not named", format!("{} failures, events and sections", report.unnamed)));
    }
    page.facts(&facts, if gaps.is_empty() { None } else { Some("Days without a record") });
    contents(page);
}

fn contents(page: &mut Page) {
    page.raw("<p>");
    for (section, before) in
        sections::ORDER.iter().zip([""].into_iter().chain(std::iter::repeat(" &middot; ")))
    {
        page.raw(before);
        page.link(*section);
    }
    page.raw("</p>\n");
}

/// The sections, in a sentence.
fn titles(sections: &[Section]) -> String {
    sections.iter().map(|section| section.title()).collect::<Vec<_>>().join(", ")
}
