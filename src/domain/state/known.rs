//! What the catalogue says of a vault.

use std::iter::Sum;

use time::OffsetDateTime;

use super::{History, Trouble};
use crate::domain::{
    acknowledged::{AcceptanceRecord, Acknowledged, Acknowledgement},
    form::Clear,
    loss::Loss,
    manifest::{Line, ObjectStatus, Summary},
    nothing::Points,
    object::ObjectId,
    observed_location::Moved,
    run::{RunId, Scope},
    verification::Verified,
    versions::VERSIONS_WARNING,
};

/// The newest runs of a whole vault.
#[derive(Clone, Debug, Default)]
pub struct Newest {
    /// The newest of all.
    pub last: Option<Summary>,
    /// The newest that covers the vault, as [`Numbers::covers`](crate::domain::run::Numbers::covers) says.
    pub covering: Option<Summary>,
    /// When the newest open run began that already covers the vault and stays open only for its failing objects.
    pub held: Option<OffsetDateTime>,
    /// When storage wrote the manifest of the covering run, where its clock counts too.
    pub stored: Option<OffsetDateTime>,
}

impl Newest {
    /// The newest of these runs, which are given newest first; each with when storage wrote its manifest, where that
    /// clock counts too.
    pub fn of<'a>(runs: impl IntoIterator<Item = (&'a Summary, Option<OffsetDateTime>)>) -> Self {
        let mut whole = runs.into_iter().filter(|(run, _)| run.scope == Scope::Vault).peekable();
        let last = whole.peek().map(|(run, _)| (*run).clone());
        let covering = whole.find(|(run, _)| run.numbers.covers());
        let stored = covering.and_then(|(_, stored)| stored);
        Self { last, covering: covering.map(|(run, _)| run.clone()), held: None, stored }
    }

    /// When the newest run began that covers the vault: by the earlier of two clocks, where two count, for one that is
    /// ahead must not hide that nothing runs.
    pub fn covered(&self) -> Option<OffsetDateTime> {
        let began = |run: &Summary| self.stored.map_or(run.planned, |stored| stored.min(run.planned));
        self.covering.as_ref().map(began).max(self.held)
    }

    /// The newest run, if it did not cover the vault.
    pub fn uncovered(&self) -> Option<&RunId> {
        self.last.as_ref().filter(|last| !last.numbers.covers()).map(|last| &last.run)
    }

    /// Whether the newest run tells of something that a person may have acknowledged.
    pub fn has_findings(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.losses.is_empty() || last.moved.is_some())
    }
}

/// The numbers of a vault's objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Objects that have a backup and were there when they were last listed, without those under `damaged`.
    pub protected: usize,
    /// How many of these have a backup that was taken since the last verification began. Zero if there was none.
    pub not_verified: usize,
    /// Objects whose newest backup the last verification found missing or damaged.
    pub damaged: usize,
    /// Objects whose newest backup could not be taken, without the accepted ones.
    pub failing: usize,
    /// How many of these never had a backup.
    pub without_backup: usize,
    /// Objects whose newest backup could not be taken, and whose failure a person has accepted.
    pub accepted: usize,
    /// Objects that are gone from the vault and have a backup.
    pub gone: usize,
    /// Objects whose newest backup has an unknown form.
    pub unknown_forms: usize,
    /// When the oldest of the newest backups of protected objects was taken.
    pub oldest: Option<OffsetDateTime>,
    /// The most versions that an object had at its newest backup. Zero if none has a backup.
    pub most_versions: u32,
}

/// The numbers of several vaults together.
impl Sum for Objects {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), |all, of| Self {
            protected: all.protected + of.protected,
            not_verified: all.not_verified + of.not_verified,
            damaged: all.damaged + of.damaged,
            failing: all.failing + of.failing,
            without_backup: all.without_backup + of.without_backup,
            accepted: all.accepted + of.accepted,
            gone: all.gone + of.gone,
            unknown_forms: all.unknown_forms + of.unknown_forms,
            oldest: [all.oldest, of.oldest].into_iter().flatten().min(),
            most_versions: all.most_versions.max(of.most_versions),
        })
    }
}

/// What the catalogue says of a vault.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its newest runs.
    pub newest: Newest,
    /// How its runs of the whole vault ended.
    pub history: History,
    /// What the last verification says.
    pub verified: Verified,
    /// The range of times as of which it can be restored.
    pub points: Option<Points>,
    /// The numbers of its objects.
    pub objects: Objects,
    /// The first of the objects that fail.
    pub failing: Vec<Line>,
    /// The first of those whose failure is accepted.
    pub accepted: Vec<(Line, AcceptanceRecord)>,
    /// The losses as of the newest run, each with its acknowledgement.
    pub losses: Vec<(Loss, Option<Acknowledgement>)>,
    /// The vault's move as of the newest run, with its acknowledgement.
    pub moved: Option<(Box<Moved>, Option<Acknowledgement>)>,
    /// Objects with many versions at their newest backup, and how many.
    pub many_versions: Vec<(ObjectId, u32)>,
    /// The first of the objects whose newest backup has an unknown form, and the part of it that may be shown.
    pub unknown_forms: Vec<(ObjectId, Clear)>,
}

impl Known {
    /// What the newest runs say. `acknowledged` is what people have put on record; it is needed for
    /// [findings](Newest::has_findings).
    pub fn of(newest: Newest, acknowledged: Option<&Acknowledged>) -> Self {
        let word = |run: &RunId| acknowledged.and_then(|of| of.loss(run)).cloned();
        let last = newest.last.as_ref();
        let losses = last.map(|last| last.losses.clone()).unwrap_or_default();
        let losses = losses.into_iter().map(|loss| (loss.clone(), word(&loss.run))).collect();
        let moved = last.and_then(|last| last.moved.clone()).map(|moved| (moved.clone(), word(&moved.run)));
        Self { newest, losses, moved, ..Self::default() }
    }

    /// Counts a line of the index. Of each sort of object the first `most` are kept.
    ///
    /// `acknowledged` is what people have put on record, as of `now`; it is needed for lines that fail.
    pub fn note(
        &mut self,
        line: Line,
        acknowledged: Option<&Acknowledged>,
        most: usize,
        now: OffsetDateTime,
    ) {
        if let Some(entry) = &line.entry
            && !line.status.is_managed()
        {
            if line.status == ObjectStatus::Gone {
                self.objects.gone += 1;
                return;
            }
            if self.verified.suspects.has(entry) {
                self.objects.damaged += 1;
            } else {
                self.objects.protected += 1;
                self.objects.oldest = Some(self.objects.oldest.map_or(entry.taken, |at| at.min(entry.taken)));
                self.objects.not_verified += usize::from(self.verified.at.is_some_and(|at| entry.taken > at));
            }
            self.objects.most_versions = self.objects.most_versions.max(entry.versions);
            if entry.versions >= VERSIONS_WARNING {
                self.many_versions.push((line.id(), entry.versions));
            }
            if let Some(clear) = entry.form.unknown() {
                self.objects.unknown_forms += 1;
                keep(&mut self.unknown_forms, most, || (line.id(), clear.clone()));
            }
        }
        if !line.is_failing() {
            return;
        }
        if let Some(record) = acknowledged.and_then(|of| of.covering(&line, now)) {
            self.objects.accepted += 1;
            keep(&mut self.accepted, most, || (line, record.clone()));
            return;
        }
        self.objects.failing += 1;
        self.objects.without_backup += usize::from(line.entry.is_none());
        keep(&mut self.failing, most, || line);
    }

    /// What is wrong with the vault, apart from the age of its newest backup.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let lost = self.losses.iter().filter(|(_, acknowledged)| acknowledged.is_none());
        let lost = lost.map(|(loss, _)| Trouble::Lost { run: loss.run.clone(), what: loss.to_string() });
        let moved = self.moved.iter().filter(|(_, acknowledged)| acknowledged.is_none());
        let moved =
            moved.map(|(moved, _)| Trouble::Moved { run: moved.run.clone(), what: moved.to_string() });
        let unlisted = self.newest.last.as_ref().map(|last| &last.numbers.unlisted);
        let unlisted = unlisted.filter(|kinds| !kinds.is_empty()).cloned().map(Trouble::Unlisted);
        let Objects { failing, without_backup, damaged, .. } = self.objects;
        let damaged = (damaged > 0).then_some(Trouble::Damaged { objects: damaged });
        let failing = (failing > 0).then_some(Trouble::Failing { objects: failing, without_backup });
        let unreadable = self.verified.unreadable.clone().map(Trouble::VerificationUnreadable);
        lost.chain(moved).chain(unlisted).chain(failing).chain(damaged).chain(unreadable).collect()
    }
}

fn keep<T>(list: &mut Vec<T>, most: usize, item: impl FnOnce() -> T) {
    if list.len() < most {
        list.push(item());
    }
}
