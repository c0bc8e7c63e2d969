//! Objects of open runs that fail transiently: their notes are counted in each pass, and recorded as failures at the
//! end.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, future::BoxFuture, pin_mut, stream};

use super::{
    object::{self, Done},
    send,
};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        job::BackupJob,
        job::rounds::{Failing, Note, Seen},
        object::ObjectId,
        outcome::{Failure, OutcomeKind},
        plan::{Plan, PlanHeader},
        planned::{Decision, Planned},
        record::count,
        run::Scope,
    },
    error::Result,
};

/// Failures that are recorded concurrently.
const AT_ONCE: usize = 16;

/// A summary of a run's notes about its unanswered objects.
#[derive(Default)]
pub struct Notes {
    /// The number of objects with nothing to wait for in this round.
    settled: u32,
    /// The objects whose failure a person has accepted: they are not sent again.
    pub accepted: BTreeSet<ObjectId>,
    /// The number of objects with a note, and the newest failure.
    pub failing: Option<Failing>,
}

impl Notes {
    /// Reads the notes of a run. If there are any, also deletes the notes that late messages left for earlier runs of
    /// the vault.
    pub async fn read(
        app: &App,
        plan: &Plan,
        job: &BackupJob,
        unanswered: &[&Planned],
        superseded: bool,
        clock: &Clock,
    ) -> Result<Self> {
        let mut read = Self::default();
        let pages = app.jobs()?.failing(&job.vault, &job.run);
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            for note in page {
                if is_among(unanswered, &note) {
                    read.add(note, plan, job, superseded);
                }
            }
        }
        if read.failing.is_some() {
            app.jobs()?.forget_strays(&job.vault, clock.now()).await?;
        }
        Ok(read)
    }

    fn add(&mut self, note: Note, plan: &Plan, job: &BackupJob, superseded: bool) {
        let id = note.id();
        let accepted = plan.header.accepts_of(&id, &note.failure);
        self.settled += u32::from(job.settles(note.at, accepted, superseded));
        if accepted {
            self.accepted.insert(id);
        }
        let objects = self.failing.as_ref().map_or(0, |failing| failing.objects) + 1;
        let newest = self.failing.take().filter(|failing| failing.at >= note.at);
        let newest = newest.unwrap_or(Failing { objects, failure: note.failure, at: note.at });
        self.failing = Some(Failing { objects, ..newest });
    }

    /// `seen` with the figures of these notes.
    pub fn seen(&self, seen: Seen) -> Seen {
        let accepted = count(self.accepted.len());
        Seen { settled: self.settled, accepted, ..seen }
    }
}

/// Whether a note is about one of these objects, which are in order.
fn is_among(objects: &[&Planned], note: &Note) -> bool {
    let id = note.id();
    objects.binary_search_by(|of| of.key().cmp(&id.key())).is_ok()
}

/// Whether a run would cover its vault if it ended now.
pub async fn covers(app: &App, plan: &Plan) -> Result<bool> {
    let PlanHeader { vault, run, scope, unlisted, .. } = &plan.header;
    if *scope != Scope::Vault || !unlisted.is_empty() {
        return Ok(false);
    }
    let unchanged = plan.objects.iter().any(|planned| planned.decision == Decision::Unchanged);
    Ok(unchanged || app.catalogue()?.has_backups(vault, run).await?)
}

/// Records a failure for every unanswered object: that of its note, if it has one.
///
/// Safe to run twice: the first record stays.
pub async fn give_up(app: &App, plan: &Plan, job: &BackupJob, clock: &Clock) -> Result<()> {
    let unanswered = send::unanswered(app, plan).await?;
    let mut told = BTreeSet::new();
    let pages = app.jobs()?.failing(&job.vault, &job.run);
    pin_mut!(pages);
    while let Some(page) = pages.try_next().await? {
        let notes: Vec<Note> = page.into_iter().filter(|note| is_among(&unanswered, note)).collect();
        told.extend(notes.iter().map(Note::id));
        let failed = notes
            .into_iter()
            .map(|note| (note.id(), note.failure.after(job.tried(plan.header.listed(note.kind), note.at))));
        record(app, plan, failed, clock).await?;
    }
    let text = "its message had no result; the poison queue and the log may say why";
    let silent = unanswered.iter().map(|planned| planned.id()).filter(|id| !told.contains(id));
    record(app, plan, silent.map(|id| (id, Failure::ours("NoAnswer", text))), clock).await
}

async fn record(
    app: &App,
    plan: &Plan,
    failed: impl Iterator<Item = (ObjectId, Failure)>,
    clock: &Clock,
) -> Result<()> {
    let records = failed.map(|(id, failure)| one(app, plan, id, failure, clock));
    let records: Vec<_> = records.collect();
    let mut records = stream::iter(records).buffer_unordered(AT_ONCE);
    while records.try_next().await?.is_some() {}
    Ok(())
}

/// Boxed, because the compiler cannot prove in a stream of these futures that they are `Send`.
fn one<'a>(
    app: &'a App,
    plan: &'a Plan,
    id: ObjectId,
    failure: Failure,
    clock: &'a Clock,
) -> BoxFuture<'a, Result<Done>> {
    Box::pin(async move { object::record(app, &plan.header, &id, OutcomeKind::Failed, failure, clock).await })
}
