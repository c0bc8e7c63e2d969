//! Notices of restores, and of plans that wait for an approval.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Notice, Severity, Told};
use crate::domain::{digest::Digest, run::Verdict};

/// How much longer than the last reading restores and plans are looked back for: clocks of two machines differ.
const OVERLAP: Duration = Duration::HOUR;

/// A restore as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its name.
    pub id: String,
    /// When it began.
    pub began: OffsetDateTime,
    /// The source and the target.
    pub pair: (String, String),
    /// Who asked for it.
    pub by: String,
    /// How it ended; `None` while it is open.
    pub ended: Option<Verdict>,
}

/// A plan that was asked for and needs an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The plan.
    pub plan: Digest,
    /// When it was asked for.
    pub at: OffsetDateTime,
    /// The source and the target.
    pub pair: (String, String),
    /// Who planned it.
    pub by: String,
    /// Whether it has an approval.
    pub approved: bool,
}

/// A restore that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownRestore {
    id: String,
    #[serde(with = "time::serde::rfc3339")]
    began: OffsetDateTime,
    open: bool,
}

/// A plan that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownPlan {
    plan: Digest,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl Told {
    /// The time since which restores and plans may be new.
    pub fn looks_back_to(&self, now: OffsetDateTime) -> OffsetDateTime {
        self.at.unwrap_or(now) - OVERLAP
    }

    /// The names of the restores that were open when they were last seen.
    pub fn open_restores(&self) -> impl Iterator<Item = &str> {
        self.restores.iter().filter(|of| of.open).map(|of| of.id.as_str())
    }

    /// The notices of restores that have begun or ended. `seen` has those that began since
    /// [`looks_back_to`](Self::looks_back_to), and those of [`open_restores`](Self::open_restores). At the first time
    /// only open ones are told.
    pub fn restores(&mut self, seen: &[Restored], now: OffsetDateTime) -> Vec<Notice> {
        let (is_first, since) = (self.is_new(), self.looks_back_to(now));
        let mut notices = Vec::new();
        for restore in seen {
            let open = restore.ended.is_none();
            if let Some(known) = self.restores.iter_mut().find(|known| known.id == restore.id) {
                notices.extend((known.open && !open).then(|| ended(restore, now)).flatten());
                known.open &= open;
                continue;
            }
            notices.extend(match restore.ended {
                None => Some(started(restore, now)),
                Some(_) if is_first => None,
                Some(_) => ended(restore, now),
            });
            self.restores.push(KnownRestore { id: restore.id.clone(), began: restore.began, open });
        }
        self.restores.retain(|known| known.open || known.began >= since);
        notices
    }

    /// The notices of plans that wait for an approval. `seen` has those that were asked for since
    /// [`looks_back_to`](Self::looks_back_to).
    pub fn plans(&mut self, seen: &[Asked], now: OffsetDateTime) -> Vec<Notice> {
        let since = self.looks_back_to(now);
        let mut notices = Vec::new();
        for asked in seen {
            if self.plans.iter().any(|known| known.plan == asked.plan) {
                continue;
            }
            notices.extend((!asked.approved).then(|| waiting(asked, now)));
            self.plans.push(KnownPlan { plan: asked.plan, at: asked.at });
        }
        self.plans.retain(|known| known.at >= since);
        notices
    }
}

fn words((source, target): &(String, String)) -> String {
    if source == target { format!("into {target}") } else { format!("of {source} into {target}") }
}

fn started(restore: &Restored, now: OffsetDateTime) -> Notice {
    let (pair, title) = (words(&restore.pair), format!("Restore started: {}", restore.pair.1));
    let text = format!("The restore {} {pair} was started by {}.", restore.id, restore.by);
    let notice = Notice::new("restore-started", &[&restore.id], now, Severity::Info, &title, &text);
    notice.of(&restore.pair.1).advising(show(restore))
}

fn ended(restore: &Restored, now: OffsetDateTime) -> Option<Notice> {
    let verdict = restore.ended?;
    let severity = match verdict {
        Verdict::Succeeded => Severity::Good,
        Verdict::PartiallyFailed => Severity::Warning,
        Verdict::Failed => Severity::Error,
    };
    let title = format!("Restore ended: {}, {verdict}", restore.pair.1);
    let text =
        format!("The restore {} {}, started by {}: {verdict}.", restore.id, words(&restore.pair), restore.by);
    let notice = Notice::new("restore-ended", &[&restore.id], now, severity, &title, &text);
    Some(notice.of(&restore.pair.1).advising(show(restore)))
}

fn show(restore: &Restored) -> String {
    format!("`keyvault-backup show {}` shows it.", restore.id)
}

fn waiting(asked: &Asked, now: OffsetDateTime) -> Notice {
    let (pair, target) = (words(&asked.pair), &asked.pair.1);
    let plan = asked.plan.to_string();
    let text =
        format!("{} planned a restore {pair} that a second person has to approve: plan {plan}.", asked.by);
    let notice = Notice::new(
        "approval-asked",
        &[&plan],
        now,
        Severity::Info,
        "A restore waits for an approval",
        &text,
    );
    notice.of(target).advising("Read the plan, then approve it or not: see docs/http-api.md.")
}
