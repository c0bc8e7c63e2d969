//! The record of what was told, and what follows from it for the state of things.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    Notice, Severity,
    outbox::Outbox,
    restores::{KnownPlan, KnownRestore},
};
use crate::domain::{
    moment::minute,
    state::{SourceState, Trouble},
};

/// The version of the stored form that this program writes.
pub const NOTICES_FORMAT: u32 = 1;

/// How long something has to be well before that is told. What goes wrong again sooner has never been well.
pub const SETTLE: Duration = Duration::minutes(30);

/// Two parts of an installation tell, each by its own record, so that apps of different roles never tell the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Part {
    /// Sources, passes, the weekly summary and the heartbeat: the app that backs up.
    Sources,
    /// Restores and their approvals: the app that restores.
    Restores,
}

impl Part {
    /// Its name in storage.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What was told, and what is still to be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// [`NOTICES_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// Names the write, so that a process recognizes its own.
    pub writer: String,
    /// When the state was last read. `None` before the first time.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub at: Option<OffsetDateTime>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) troubles: Vec<KnownTrouble>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) restores: Vec<KnownRestore>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) plans: Vec<KnownPlan>,
    /// The Monday of the last summary.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<OffsetDateTime>,
    /// The last clean night.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(super) night: Option<OffsetDateTime>,
    /// What is still to be delivered.
    #[serde(default)]
    pub outbox: Outbox,
}

/// A trouble that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownTrouble {
    subject: String,
    code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occasion: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// Since when it has not been seen.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    gone: Option<OffsetDateTime>,
}

/// Something that can be well or not: a source, or the passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its kind and name, as in `vault kv-prod`: unique among subjects.
    pub name: String,
    /// What is wrong with it, as those say who judge it.
    pub wrong: Vec<Wrong>,
}

/// Something that is wrong with a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Its stable name.
    pub code: String,
    /// What makes two of one code different troubles; `None` where one follows the other as the same trouble.
    pub occasion: Option<String>,
    /// How much it matters.
    pub severity: Severity,
    /// What is known.
    pub text: String,
    /// What to do.
    pub advice: String,
}

impl From<&SourceState> for Subject {
    fn from(state: &SourceState) -> Self {
        let wrong = state.troubles.iter().map(|trouble| Wrong {
            code: trouble.code().to_owned(),
            occasion: match trouble {
                Trouble::Lost { run, .. } | Trouble::Moved { run, .. } => Some(run.to_string()),
                _ => None,
            },
            severity: if trouble.is_error() { Severity::Error } else { Severity::Warning },
            text: trouble.to_string(),
            advice: format!(
                "`keyvault-backup preflight --{} {}` says how to fix it.",
                state.kind.name(),
                state.source
            ),
        });
        Self { name: state.id().to_string(), wrong: wrong.collect() }
    }
}

impl Told {
    /// Whether the state was never read before.
    pub fn is_new(&self) -> bool {
        self.at.is_none()
    }

    /// The notices of the present state of all subjects: what has begun to be wrong, and what has been well for
    /// [`SETTLE`] after something was told of it. A subject that is not among them is forgotten: nothing is known of it.
    pub fn subjects(&mut self, subjects: &[Subject], now: OffsetDateTime) -> Vec<Notice> {
        self.troubles.retain(|known| subjects.iter().any(|of| of.name == known.subject));
        for known in &mut self.troubles {
            let is_seen = subjects.iter().any(|of| known.is_in(of));
            known.gone = if is_seen { None } else { known.gone.or(Some(now)) };
        }
        let mut notices = Vec::new();
        for subject in subjects {
            notices.extend(self.begun(subject, now));
        }
        notices.extend(self.recovered(now));
        notices
    }

    fn begun(&mut self, subject: &Subject, now: OffsetDateTime) -> Vec<Notice> {
        let mut notices = Vec::new();
        for wrong in &subject.wrong {
            let known = KnownTrouble {
                subject: subject.name.clone(),
                code: wrong.code.clone(),
                occasion: wrong.occasion.clone(),
                since: now,
                gone: None,
            };
            if self.troubles.iter().any(|of| of.is_same(&known)) {
                continue;
            }
            let key = [subject.name.as_str(), wrong.occasion.as_deref().unwrap_or_default()];
            let title = format!("{}: {}", subject.name, wrong.code);
            let notice = Notice::new(&wrong.code, &key, now, wrong.severity, &title, &wrong.text);
            notices.push(notice.of(&subject.name).advising(wrong.advice.clone()));
            self.troubles.push(known);
        }
        notices
    }

    /// Tells of subjects that are well again, and forgets single troubles that are over.
    fn recovered(&mut self, now: OffsetDateTime) -> Vec<Notice> {
        let is_over = |known: &KnownTrouble| known.gone.is_some_and(|gone| now - gone >= SETTLE);
        let mut by_subject: BTreeMap<&str, Vec<&KnownTrouble>> = BTreeMap::new();
        for known in &self.troubles {
            by_subject.entry(&known.subject).or_default().push(known);
        }
        let well = by_subject.into_iter().filter(|(_, troubles)| troubles.iter().all(|known| is_over(known)));
        let notices = well.filter_map(|(subject, troubles)| {
            let since = troubles.iter().filter_map(|known| known.gone).max()?;
            let codes: BTreeSet<_> = troubles.iter().map(|known| known.code.as_str()).collect();
            let codes: Vec<_> = codes.into_iter().collect();
            let text =
                format!("Nothing is wrong with it since {}. It had: {}.", minute(since), codes.join(", "));
            let title = format!("{subject}: recovered");
            Some(Notice::new("recovered", &[subject], now, Severity::Good, &title, &text).of(subject))
        });
        let notices = notices.collect();
        // A trouble that is over while another one stays is over without a word.
        self.troubles.retain(|known| !is_over(known));
        notices
    }

    /// The notice that no pass had read the state for `longest` or more, so that nothing was moved on and nothing told.
    pub fn after_a_pause(&self, longest: Duration, now: OffsetDateTime) -> Option<Notice> {
        let last = self.at.filter(|last| now - *last >= longest)?;
        let text = format!(
            "No pass of AdvanceJobs read the state between {} and {}: in that time nothing may have moved, and nothing \
             was told. Passes run again.",
            minute(last),
            minute(now)
        );
        let notice = Notice::new(
            "passes-paused",
            &[],
            now,
            Severity::Warning,
            "Passes had stopped for a while",
            &text,
        );
        Some(notice.advising("See app-not-starting in docs/operations.md."))
    }
}

impl KnownTrouble {
    fn is_in(&self, subject: &Subject) -> bool {
        let is_it = |wrong: &Wrong| wrong.code == self.code && wrong.occasion == self.occasion;
        self.subject == subject.name && subject.wrong.iter().any(is_it)
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.subject, &self.code, &self.occasion) == (&other.subject, &other.code, &other.occasion)
    }
}
