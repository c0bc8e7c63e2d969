//! A source: its facts, its last nights, what is wrong with it and what to do.

use time::OffsetDateTime;

use super::{
    super::{Kept, Seen},
    advice::advice,
    nights, sentence, time,
};
use crate::{
    domain::{
        acknowledged::Acceptance,
        hsm::HsmJob,
        job::BackupJob,
        manifest::Line,
        moment::minute,
        night::Timer,
        progress::{age, progress, span, tried_again},
        state::{Ended, Known, SourceState},
        wording::on_one_line,
    },
    html::Markup,
    preflight::findings::sources::about,
};

/// Adds a source, the first of which has the number 0.
pub(super) fn write(page: &mut Markup, of: &Seen, state: &SourceState, number: usize) {
    page.raw(if state.is_ok() { "<li class=\"source well\">" } else { "<li class=\"source bad\">" });
    page.put("<article aria-labelledby=\"s", number, "\">\n<div class=\"row\">\n");
    page.put("<div class=\"name\"><h3 id=\"s", number, "\">").put("", &state.source, "</h3>");
    page.put("<span class=\"kind\">", state.kind, "</span> ");
    let code = state.troubles.first().map_or("ok", |trouble| trouble.code());
    page.put("<span class=\"state\">", code, "</span></div>\n<dl>\n");
    newest(page, of, state);
    objects(page, state);
    reach(page, state);
    page.raw("</dl>\n<div class=\"history\">");
    if !state.history.nights.is_empty() {
        nights::write(page, &state.history);
        page.put("<span>", nights::words(&state.history), "</span>");
    }
    page.raw("</div>\n</div>\n");
    troubles(page, state);
    let vault = of.status.vaults.iter().find(|of| !state.is_hsm() && of.state.source == state.source);
    let hsm = of.status.hsms.iter().find(|of| state.is_hsm() && of.state.source == state.source);
    vault.iter().flat_map(|of| &of.open).for_each(|job| run(page, job));
    hsm.iter().flat_map(|of| &of.open).for_each(|job| hsm_job(page, job));
    if let Some(Ok(known)) = vault.map(|of| of.known.as_ref()) {
        failing(page, known);
        accepted(page, known);
    }
    beside(page, of, state);
    page.raw("</article></li>\n");
}

fn newest(page: &mut Markup, of: &Seen, state: &SourceState) {
    let (now, interval) = (of.status.now, of.status.interval);
    page.raw("<div><dt>Newest backup</dt><dd>");
    let Some(covered) = state.covered else {
        page.raw(if state.is_readable() {
            "<b class=\"bad\">never</b>"
        } else {
            "<b class=\"bad\">unknown</b>"
        });
        page.put("<span>", interval.whole_hours(), " hours are allowed</span></dd></div>\n");
        return;
    };
    page.raw(if state.is_overdue() { "<b class=\"bad\">" } else { "<b>" });
    page.text(age(now - covered)).put("</b><span>of ", interval.whole_hours(), " hours</span>");
    page.raw("<span class=\"below\">");
    time(page, covered);
    page.raw("</span>");
    let share = (now - covered).whole_seconds() * 100 / interval.whole_seconds().max(1);
    page.raw(if state.is_overdue() { "<svg class=\"share late\"" } else { "<svg class=\"share\"" });
    page.raw(" viewBox=\"0 0 100 3\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
    page.put(
        "<rect class=\"all\" width=\"100\" height=\"3\"/><rect width=\"",
        share.clamp(1, 100),
        "\" height=\"3\"/></svg>",
    );
    page.raw("</dd></div>\n");
}

fn objects(page: &mut Markup, state: &SourceState) {
    page.raw("<div><dt>Protected</dt><dd>");
    let Some(of) = &state.objects else {
        let is_readable = state.is_readable();
        page.raw(if is_readable { "<b>as a whole</b>" } else { "<b class=\"bad\">unknown</b>" });
        if let Some(copied) = state.copied {
            page.put(" <span>write-once copy of ", minute(copied), "</span>");
        }
        match state.attested {
            Some(at) => page.put(" <span>security domain checked on ", at.date(), "</span>"),
            None => page.raw(" <span>security domain never checked</span>"),
        };
        page.raw("</dd></div>\n");
        return;
    };
    page.put("<b>", of.protected, "</b>");
    let bad = [(of.damaged, "damaged"), (of.failing, "failing"), (of.without_backup, "never backed up")];
    let others = [(of.accepted, "accepted"), (of.gone, "gone"), (of.not_verified, "not verified yet")];
    for (count, what) in bad.into_iter().filter(|(count, _)| *count > 0) {
        page.put(" <span class=\"bad\">", count, " ").put("", what, "</span>");
    }
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        page.put(" <span>", count, " ").put("", what, "</span>");
    }
    page.raw("</dd></div>\n");
}

fn reach(page: &mut Markup, of: &SourceState) {
    page.raw("<div><dt>Back to</dt><dd>");
    let none = if of.is_readable() { "nothing yet" } else { "unknown" };
    day(page, of.points.map(|points| points.earliest).ok_or(none));
    page.raw("</dd></div>\n<div><dt>Verified</dt><dd>");
    day(page, of.verified().time_or_word());
    page.raw("</dd></div>\n");
    if let Some(second) = of.second {
        page.raw("<div><dt>Second place</dt><dd>");
        if second.behind_since.is_some() {
            page.put("<b class=\"bad\">", age(second.behind), "</b><span>behind</span>");
        } else {
            page.raw("<b>has it all</b>");
        }
        if second.lacking > 0 {
            page.put("<span class=\"below\">", second.lacking, " points lack something</span>");
        }
    }

    if of.drills.interval.is_some() {
        page.raw("<div><dt>Drilled</dt><dd>");
        day(page, of.drills.at().time_or_word());
        page.raw("</dd></div>\n");
    }
}

/// Adds the day of a time, with the time beside it, or the word for none.
fn day(page: &mut Markup, at: Result<OffsetDateTime, &'static str>) {
    let at = match at {
        Ok(at) => at,
        Err(none) => {
            page.put("<b>", none, "</b>");
            return;
        }
    };
    let text = minute(at);
    let (day, clock) = text.split_once(' ').unwrap_or((&text, ""));
    page.put("<b>", day, "</b>").put("<span class=\"below\">", clock, "</span>");
}

fn troubles(page: &mut Markup, of: &SourceState) {
    if of.is_ok() {
        return;
    }
    page.raw("<ul class=\"troubles\">\n");
    for trouble in &of.troubles {
        let (why, remedy) = about(trouble, of, of.source.as_str());
        page.put("<li><p><strong>", sentence(trouble), ".</strong> ").put("", why, "</p>\n");
        for command in &remedy.commands {
            page.put("<p><code>", command, "</code></p>\n");
        }
        if !remedy.advice.is_empty() {
            page.raw("<p>").marked(&remedy.advice).raw("</p>\n");
        }
        page.raw("</li>\n");
    }
    page.raw("</ul>\n");
}

fn run(page: &mut Markup, job: &BackupJob) {
    page.put("<p class=\"now\"><b>Running:</b> ", &job.run, " since ");
    time(page, job.opened);
    if let Some(by) = &job.by {
        page.put(", requested by ", by, "");
    }
    page.put("; ", job.answered, " objects have an outcome");
    if let Some(again) = job.tried_again() {
        page.put("; ", tried_again(again), "");
    }
    page.raw("</p>\n");
}

fn hsm_job(page: &mut Markup, job: &HsmJob) {
    page.raw(if job.is_backup() {
        "<p class=\"now\"><b>Running:</b> "
    } else {
        "<p class=\"now\"><b>Restoring:</b> "
    });
    page.text(&job.id).raw(" since ");
    time(page, job.opened);
    page.put(", requested by ", &job.by, "; ").put("", progress(job), "</p>\n");
}

fn failing(page: &mut Markup, of: &Known) {
    if of.failing.is_empty() {
        return;
    }
    page.put(
        "<details open><summary>Failing objects: ",
        of.objects.failing,
        "</summary>\n<ul class=\"failing\">\n",
    );
    for line in &of.failing {
        object(page, line);
        if let Some(failure) = &line.failure {
            page.put("<p>", &failure.code, ": ").put("", on_one_line(&failure.text), "</p>\n");
            page.raw("<p class=\"do\">").marked(advice(&failure.code)).raw("</p>\n");
        }
        page.raw("</li>\n");
    }
    more(page, of.objects.failing, of.failing.len());
    page.raw("</ul></details>\n");
}

fn object(page: &mut Markup, line: &Line) {
    page.put("<li><p><b>", line.kind, " ").put("", &line.name, "</b> ");
    match &line.entry {
        Some(entry) => {
            page.raw("<span>older backup of ");
            time(page, entry.taken);
            page.raw("</span></p>\n");
        }
        None => {
            page.raw("<span class=\"bad\">never backed up</span></p>\n");
        }
    }
}

fn accepted(page: &mut Markup, of: &Known) {
    if of.accepted.is_empty() {
        return;
    }
    page.put(
        "<details><summary>Accepted failures: ",
        of.objects.accepted,
        "</summary>\n<ul class=\"failing\">\n",
    );
    for (line, record) in &of.accepted {
        object(page, line);
        if let Acceptance::Accepted { reason, until, .. } = &record.acceptance {
            page.put("<p>Until ", until.date(), ": ").put("", on_one_line(&reason.to_string()), "</p>\n");
        }
        page.raw("</li>\n");
    }
    more(page, of.objects.accepted, of.accepted.len());
    page.raw("</ul></details>\n");
}

fn more(page: &mut Markup, all: usize, shown: usize) {
    if all > shown {
        page.put("<li>and ", all - shown, " more</li>\n");
    }
}

/// Adds what is good to know beside the facts: the last run, the next one, and what retention keeps.
fn beside(page: &mut Markup, of: &Seen, state: &SourceState) {
    page.raw("<p class=\"beside\">");
    if let Some(last) = &state.history.last {
        last_run(page, last);
    }
    let timer = if state.is_hsm() { Timer::Hsms } else { Timer::Vaults };
    let next = of.status.next_runs.iter().find(|(of, _)| *of == timer);
    match next {
        Some((_, at)) => {
            page.raw("<span>Next run ");
            time(page, *at);
            page.raw(".</span> ");
        }
        None => {
            page.raw("<span>When the next run begins is not known here.</span> ");
        }
    }
    match of.kept.get(&state.id()) {
        Some(Ok(kept)) => keeps(page, kept),
        Some(Err(why)) if of.unknown_kept().is_none() => {
            page.put("<span>What retention keeps is not known: ", why, ".</span>");
        }
        Some(Err(_)) | None => {}
    }
    if state.restoring > 0 {
        page.put(" <span>Open restores into it: ", state.restoring, ".</span>");
    }
    page.raw("</p>\n");
}

fn last_run(page: &mut Markup, of: &Ended) {
    page.put("<span>Last run ", &of.run, ": ").text(of.verdict);
    if let Some(numbers) = &of.numbers {
        page.put(", ", numbers.listed, " listed").put(", ", numbers.backed_up, " backed up");
        page.put(", ", numbers.skipped(), " skipped").put(", ", numbers.failed, " failed");
    }
    page.put(", took ", span(of.took), ".</span> ");
}

fn keeps(page: &mut Markup, of: &Kept) {
    page.put("<span>Retention keeps ", of.points, "").raw(if of.points == 1 { " point" } else { " points" });
    if of.going > 0 {
        page.put(" and lets ", of.going, " go");
    }
    if let Some((at, reason)) = &of.oldest {
        page.put("; the oldest, of ", at.date(), ": ").text(reason);
    }
    page.raw(".</span>");
}
