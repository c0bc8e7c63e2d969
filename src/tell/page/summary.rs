//! Whether everything is well, what is not first, and what concerns no single source.

use super::{super::Seen, sentence, time};
use crate::{
    domain::{counted::counted, night::Timer, progress::age, state::Objects},
    html::Markup,
    preflight::findings::sources::about,
    query::{passes, status::Status},
};

const WELL: &str = "<svg class=\"sign\" viewBox=\"0 0 48 48\" aria-hidden=\"true\"><circle cx=\"24\" cy=\"24\" r=\"22\"/><path d=\"M14 25l7 7 14-15\"/></svg>\n";
const NOT_WELL: &str = "<svg class=\"sign\" viewBox=\"0 0 48 48\" aria-hidden=\"true\"><circle cx=\"24\" cy=\"24\" r=\"22\"/><path d=\"M24 12v16M24 35v.5\"/></svg>\n";

/// Whether everything is well, in a few words.
pub(super) fn headline(of: &Status) -> String {
    let (all, bad) = (of.sources().count(), of.sources().filter(|source| !source.is_ok()).count());
    match (all, bad) {
        (0, _) => "Nothing is backed up".to_owned(),
        (_, 0) if of.is_ok() => "Everything is well".to_owned(),
        (_, 0) => "Jobs stand still".to_owned(),
        (1, _) => "The only source is not well".to_owned(),
        (_, 1) => format!("1 of {all} sources is not well"),
        _ => format!("{bad} of {all} sources are not well"),
    }
}

/// Adds the head of the page: the answer, and what to do first.
pub(super) fn write(page: &mut Markup, of: &Seen) {
    let status = &of.status;
    let is_ok = status.is_ok();
    page.raw(if is_ok { "<header class=\"well\">\n" } else { "<header class=\"bad\">\n" });
    page.raw(if is_ok { WELL } else { NOT_WELL }).raw("<div>\n");
    page.put("<h1>", headline(status), "</h1>\n");
    first(page, status);
    page.raw("</div>\n</header>\n");
}

fn first(page: &mut Markup, of: &Status) {
    let worst = of.by_urgency().into_iter().next();
    if of.passes.stands_still {
        page.put("<p>First: ", passes::words(of.passes.last), ".</p>\n");
    } else if let Some((source, trouble)) = worst.and_then(|of| Some((of, of.troubles.first()?))) {
        let (_, remedy) = about(trouble, source, source.source.as_str());
        page.put("<p>First: <a href=\"#s0\">", &source.source, "</a>: ").put("", trouble, ".</p>\n");
        if let Some(command) = remedy.commands.first() {
            page.put("<p><code>", command, "</code></p>\n");
        }
    } else if worst.is_some() {
        let (all, hours) = (counted(of.sources().count(), "source"), of.interval.whole_hours());
        page.put("<p>", all, ", each covered by a backup of the last ").put("", hours, " hours.</p>\n");
    } else {
        page.raw("<p>The settings name no source, and the catalogue has none.</p>\n");
        page.raw("<p><code>keyvault-backup backup --vault NAME</code></p>\n");
    }
}

/// Adds the facts about the installation.
pub(super) fn facts(page: &mut Markup, seen: &Seen) {
    let of = &seen.status;
    page.raw("<section aria-labelledby=\"installation\">\n<h2 id=\"installation\">Installation</h2>\n<dl class=\"tiles\">\n");
    objects(page, of);
    page.raw("<div><dt>Timers</dt><dd>");
    match of.passes.last {
        _ if of.passes.stands_still => page.raw("<b class=\"bad\">stand still</b>"),
        Some(_) => page.raw("<b>move</b>"),
        None => page.raw("<b>not known yet</b>"),
    };
    match of.passes.last {
        Some(last) => page.put("<span>AdvanceJobs came ", ago(age(of.now - last)), "</span></dd></div>\n"),
        None => page.raw("<span>AdvanceJobs has not come</span></dd></div>\n"),
    };
    page.raw("<div><dt>Retention</dt><dd>");
    page.raw(if of.retention.is_applied() { "<b>applied</b>" } else { "<b>nothing is deleted</b>" });
    page.put("<span>", sentence(of.retention), ".</span>");
    if let Some(why) = seen.unknown_kept() {
        page.put("<span>What it keeps is not known: ", why, ".</span>");
    }
    page.raw("</dd></div>\n");
    for (timer, at) in &of.next_runs {
        page.raw(match timer {
            Timer::Vaults => "<div><dt>Next run of vaults</dt><dd><b>",
            Timer::Hsms => "<div><dt>Next run of HSMs</dt><dd><b>",
        });
        page.put("in ", age(*at - of.now), "</b><span>");
        time(page, *at);
        page.raw("</span></dd></div>\n");
    }
    if let Some(messages) = of.poison_messages.filter(|messages| *messages > 0) {
        page.put(
            "<div><dt>Given up by the host</dt><dd><b class=\"bad\">",
            counted(messages, "message"),
            "</b>",
        );
        page.raw("<span>see <code>poison-message</code> in docs/operations.md</span></dd></div>\n");
    }
    for bound in &of.at_bound {
        page.put("<div><dt>At its bound</dt><dd><b>", bound.open, " open ").put("", bound.what(), "</b>");
        page.put("<span>", &bound.by, "</span></dd></div>\n");
    }
    page.raw("</dl>\n</section>\n");
}

/// Adds the objects of all vaults whose catalogues can be read.
fn objects(page: &mut Markup, of: &Status) {
    let each = || of.sources().filter_map(|source| source.objects);
    let all: Objects = each().sum();
    page.put("<div><dt>Protected</dt><dd><b>", counted(all.protected, "object"), "</b><span>");
    let others =
        [(all.damaged, "damaged"), (all.failing, "failing"), (all.accepted, "accepted"), (all.gone, "gone")];
    let others: Vec<_> = others
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let others = if others.is_empty() { "none failing".to_owned() } else { others.join(", ") };
    let unread = of.sources().filter(|source| !source.is_readable()).count();
    page.text(if each().next().is_some() { others.as_str() } else { "no catalogue of a vault was read" });
    if unread > 0 {
        page.put("; ", counted(unread, "catalogue"), " cannot be read");
    }
    page.raw("</span></dd></div>\n");
}

/// How long ago something was, by its age in words.
fn ago(age: String) -> String {
    if age == "just now" { age } else { format!("{age} ago") }
}
