//! A run's manifest: how a plan, its results and the index before it become the index after it.

use std::iter::Peekable;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    entry::Entry,
    object::{ObjectId, ObjectKind, ObjectName},
    outcome::{Failure, Outcome, OutcomeKind},
    plan::{Decision, Plan, PlanHeader, Planned},
    planned,
    run::{Numbers, RunId, Scope, Verdict},
    versions::VERSIONS_WARNING,
};

/// The version of the stored form that this program writes.
pub const MANIFEST_FORMAT: u32 = 1;

/// How long an object that is gone from its vault stays in the index. Its backups stay as long as the
/// storage keeps them; older ones are found by asking for an earlier time.
pub const KEEP_GONE: Duration = Duration::days(400);

/// How far the clock of whoever takes a backup may be behind the planner's.
const CLOCKS_APART: Duration = Duration::minutes(5);

/// What a run's manifest says of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fared {
    /// A new backup; the entry is this run's.
    BackedUp,
    /// Skipped; the entry is an earlier run's.
    Unchanged,
    /// Skipped; it belongs to a certificate.
    Managed,
    /// Skipped; managed by the vault, and by none of its certificates. Key Vault does not back it up.
    VaultManaged,
    /// Skipped; deleted between listing and backup. The entry, if any, is an earlier run's.
    Disappeared,
    /// Not backed up. The entry, if any, is an earlier run's.
    Failed,
    /// Not listed: gone from the vault. The entry is its last backup.
    Gone,
    /// Not listed because its kind could not be. The entry is an earlier run's.
    Carried,
}

/// One line of a manifest: one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// How it fared.
    pub fared: Fared,
    /// Its newest backup as of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// Why it has no new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Since when it is gone.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub gone: Option<OffsetDateTime>,
}

impl Line {
    pub(super) fn new(id: ObjectId, fared: Fared, entry: Option<Entry>) -> Self {
        Self { kind: id.kind, name: id.name, fared, entry, failure: None, gone: None }
    }

    /// The object it speaks of.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}

/// What a manifest says of the run as a whole. Also kept where a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// [`MANIFEST_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// The whole vault or some objects.
    pub scope: Scope,
    /// How it ended.
    pub verdict: Verdict,
    /// Its numbers.
    pub numbers: Numbers,
    /// When the plan was made.
    #[serde(with = "time::serde::rfc3339")]
    pub planned: OffsetDateTime,
    /// When the last result came in.
    #[serde(with = "time::serde::rfc3339")]
    pub finished: OffsetDateTime,
    /// When everything was last backed up regardless of changes.
    #[serde(with = "time::serde::rfc3339")]
    pub full_pass: OffsetDateTime,
    /// Objects that have a backup, those gone from the vault included.
    pub protected: u32,
    /// Lines in the manifest: fewer found means a damaged manifest.
    pub lines: u32,
}

/// What came of a planned object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "almost all are entries")]
pub enum ObjectResult {
    /// A stored backup.
    Entry(Entry),
    /// A record that there is none.
    Outcome(Outcome),
}

impl ObjectResult {
    /// The object it speaks of.
    pub fn id(&self) -> ObjectId {
        match self {
            Self::Entry(entry) => entry.id(),
            Self::Outcome(outcome) => outcome.id(),
        }
    }
}

/// Makes a manifest's lines out of three sorted streams: the plan, the results, the index before.
///
/// It holds one object of each at a time, so a vault of any size closes in the same memory. The driver
/// calls [`Merge::before`] until it is exhausted, then [`Merge::with`], for each result in order; then
/// `before(None)` until it is exhausted, then [`Merge::finish`]. The lines are a function of the three
/// streams alone, which is why a manifest can be rebuilt.
pub struct Merge<'p, B: Iterator> {
    header: &'p PlanHeader,
    plan: Peekable<planned::Iter<'p>>,
    base: Peekable<B>,
    numbers: Numbers,
    finished: OffsetDateTime,
    protected: u32,
    lines: u32,
}

impl<'p, E, B: Iterator<Item = Result<Line, E>>> Merge<'p, B> {
    /// Starts with a plan and the index before it, sorted by object.
    pub fn new(plan: &'p Plan, base: B) -> Self {
        let unlisted = plan.header.unlisted.iter().map(|unlisted| unlisted.kind).collect();
        Self {
            header: &plan.header,
            plan: plan.objects.iter().peekable(),
            base: base.peekable(),
            numbers: Numbers { unlisted, ..Numbers::default() },
            finished: plan.header.planned,
            protected: 0,
            lines: 0,
        }
    }

    /// The next line for an object that sorts before `limit` and has no result, or `None`.
    ///
    /// # Errors
    /// Those of the index before.
    pub fn before(&mut self, limit: Option<&ObjectId>) -> Result<Option<Line>, E> {
        loop {
            let planned = self.plan.peek().map(|planned| planned.id.clone());
            let Some(id) = [planned, self.base_id()?].into_iter().flatten().min() else { return Ok(None) };
            if limit.is_some_and(|limit| id >= *limit) {
                return Ok(None);
            }
            let planned = self.plan.next_if(|planned| planned.id == id);
            let entry = self.base_line(&id)?;
            let line = match planned {
                Some(planned) => Some(self.without_result(&planned, entry.and_then(|line| line.entry))),
                None => entry.and_then(|line| self.unplanned(line)),
            };
            if let Some(line) = line {
                return Ok(Some(self.count(line)));
            }
        }
    }

    /// The line of an object that has a result.
    ///
    /// # Errors
    /// Those of the index before.
    pub fn with(&mut self, result: ObjectResult) -> Result<Line, E> {
        let id = result.id();
        self.plan.next_if(|planned| planned.id == id);
        let old = self.base_line(&id)?.and_then(|line| line.entry);
        let line = match result {
            // It does not show what the plan saw.
            ObjectResult::Entry(entry) if self.header.planned - entry.taken > CLOCKS_APART => {
                let text =
                    "its backup in this run is older than the run's plan; the next run takes a new one";
                let failure = Some(Failure::ours("TakenBeforePlanned", text));
                Line { failure, ..Line::new(id, Fared::Failed, old) }
            }
            ObjectResult::Entry(entry) => {
                self.finished = self.finished.max(entry.taken);
                Line::new(id, Fared::BackedUp, Some(entry))
            }
            ObjectResult::Outcome(outcome) => {
                self.finished = self.finished.max(outcome.at);
                let fared = match outcome.outcome {
                    OutcomeKind::Failed => Fared::Failed,
                    OutcomeKind::Disappeared => Fared::Disappeared,
                };
                Line { failure: Some(outcome.failure), ..Line::new(id, fared, old) }
            }
        };
        Ok(self.count(line))
    }

    /// The run as a whole, after the last line.
    pub fn finish(self) -> Summary {
        Summary {
            v: MANIFEST_FORMAT,
            run: self.header.run.clone(),
            scope: self.header.scope,
            verdict: self.numbers.verdict(),
            numbers: self.numbers,
            planned: self.header.planned,
            finished: self.finished,
            full_pass: self.header.full_pass,
            protected: self.protected,
            lines: self.lines,
        }
    }

    fn base_id(&mut self) -> Result<Option<ObjectId>, E> {
        match self.base.peek() {
            Some(Ok(line)) => Ok(Some(line.id())),
            Some(Err(_)) => self.base.next().transpose().map(|_| None),
            None => Ok(None),
        }
    }

    fn base_line(&mut self, id: &ObjectId) -> Result<Option<Line>, E> {
        if self.base_id()?.as_ref() == Some(id) { self.base.next().transpose() } else { Ok(None) }
    }

    fn without_result(&self, planned: &Planned, old: Option<Entry>) -> Line {
        let id = planned.id.clone();
        match (planned.decision, old) {
            (Decision::Managed, old) => Line::new(id, Fared::Managed, old),
            (Decision::VaultManaged, old) => Line::new(id, Fared::VaultManaged, old),
            (Decision::Unchanged, Some(entry)) => Line::new(id, Fared::Unchanged, Some(entry)),
            (Decision::Unchanged, None) => {
                let text = "its earlier backup is no longer in the catalogue; the next run takes a new one";
                let failure = Some(Failure::ours("EntryLost", text));
                Line { failure, ..Line::new(id, Fared::Failed, None) }
            }
            (_, old) => {
                let text = format!("run {} has no outcome for it", self.header.run);
                Line { failure: Some(Failure::ours("NoOutcome", text)), ..Line::new(id, Fared::Failed, old) }
            }
        }
    }

    /// The line of an object that the index knew and the vault did not list. `None` drops it.
    fn unplanned(&self, line: Line) -> Option<Line> {
        let id = line.id();
        let entry = line.entry?;
        if self.numbers.unlisted.contains(&id.kind) {
            return Some(Line { gone: line.gone, ..Line::new(id, Fared::Carried, Some(entry)) });
        }
        let since = line.gone.unwrap_or(self.header.planned);
        (self.header.planned - since <= KEEP_GONE)
            .then(|| Line { gone: Some(since), ..Line::new(id, Fared::Gone, Some(entry)) })
    }

    fn count(&mut self, line: Line) -> Line {
        self.lines += 1;
        self.protected += u32::from(line.entry.is_some());
        let numbers = &mut self.numbers;
        let counter = match line.fared {
            Fared::BackedUp => &mut numbers.backed_up,
            Fared::Unchanged => &mut numbers.unchanged,
            Fared::Managed => &mut numbers.managed,
            Fared::VaultManaged => &mut numbers.vault_managed,
            Fared::Disappeared => &mut numbers.disappeared,
            Fared::Failed => &mut numbers.failed,
            Fared::Gone | Fared::Carried => return line,
        };
        *counter += 1;
        numbers.listed += 1;
        if let Some(entry) = &line.entry {
            numbers.near_version_limit += u32::from(entry.versions >= VERSIONS_WARNING);
            numbers.bytes += if line.fared == Fared::BackedUp { entry.bytes } else { 0 };
        }
        line
    }
}
