//! The newest restores, open or ended.

use super::time;
use crate::{
    domain::{
        hsm::{HsmJob, Task},
        progress::progress,
        restore::RestoreJob,
        run::Verdict,
        wording::on_one_line,
    },
    html::Markup,
    query::{restores::Restore, status::Status},
};

/// Adds the restores.
pub(super) fn write(page: &mut Markup, of: &Status) {
    page.raw("<section aria-labelledby=\"restores\">\n<h2 id=\"restores\">Restores</h2>\n");
    if of.restores.is_empty() {
        page.raw("<p class=\"none\">There was none.</p>\n</section>\n");
        return;
    }
    page.raw("<ol class=\"restores\">\n");
    for restore in &of.restores {
        page.put("<li><p><b>", restore.id(), "</b> ");
        state(page, restore.verdict());
        page.put("</p>\n<p>", restore.source(), " into ").put("", restore.target(), ", since ");
        time(page, restore.began());
        page.put(", requested by ", restore.by(), "</p>\n<p>");
        match restore {
            Restore::Vault(job) => of_vault(page, job),
            Restore::Hsm(job) => of_hsm(page, job),
        }
        page.raw("</li>\n");
    }
    page.raw("</ol>\n</section>\n");
}

fn state(page: &mut Markup, verdict: Option<Verdict>) {
    page.raw(match verdict {
        None => "<span class=\"state\">",
        Some(Verdict::Succeeded) => "<span class=\"state ok\">",
        Some(Verdict::PartiallyFailed | Verdict::Failed) => "<span class=\"state bad\">",
    });
    match verdict {
        None => page.raw("open"),
        Some(verdict) => page.text(verdict),
    };
    page.raw("</span>");
}

fn of_vault(page: &mut Markup, job: &RestoreJob) {
    let numbers = &job.numbers;
    page.put("", numbers.planned, " planned, ").put("", numbers.restored, " restored, ");
    page.put("", numbers.skipped, " skipped, ").put("", numbers.failed, " failed");
    if numbers.never_backed_up > 0 {
        page.put(", ", numbers.never_backed_up, " never backed up");
    }
    if job.ended.is_none() {
        page.put("; ", job.answered, " of ").put("", job.steps, " steps have an outcome");
    }
    page.raw("</p>\n");
}

fn of_hsm(page: &mut Markup, job: &HsmJob) {
    match &job.task {
        Task::RestoreKeys { keys, outcomes, .. } => {
            page.put("", outcomes.len(), " of ").put("", keys.len(), " keys have an outcome");
        }
        Task::RestoreAll { .. } | Task::Backup { .. } => {
            page.raw("everything");
        }
    }
    match &job.ended {
        None => page.put("; ", progress(job), ""),
        Some(ended) => match &ended.failure {
            Some(failure) => page.put("; ", &failure.code, ": ").text(on_one_line(&failure.text)),
            None => page.raw(""),
        },
    };
    page.raw("</p>\n");
}
