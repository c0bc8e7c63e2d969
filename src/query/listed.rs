//! Runs of every source, page by page.

use std::cmp::Reverse;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;

use super::{SOURCES_AT_ONCE, hsms, runs, sources::Run};
use crate::{
    app::App,
    domain::{
        hsm::{HsmBackup, HsmJob},
        job::BackupJob,
        run::Verdict,
        source::SourceName,
    },
    error::Result,
};

/// The state of a run or of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not ended.
    Open,
    /// It has ended.
    Ended(Verdict),
    /// It has ended, and its record has lost its summary.
    Unreadable,
}

/// The runs to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only this source's.
    pub source: Option<SourceName>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those that began at this time or later.
    pub since: Option<OffsetDateTime>,
}

/// The place of a run in the order of all: newest first, then by source and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// When it began.
    pub began: Reverse<OffsetDateTime>,
    /// Its source.
    pub source: SourceName,
    /// Whether it is of a whole HSM.
    pub whole: bool,
    /// Its name.
    pub run: String,
}

/// Some of the runs, newest first.
#[derive(Debug)]
pub struct Page {
    /// The runs.
    pub runs: Vec<Run>,
    /// The last of them, if there are more.
    pub next: Option<Mark>,
}

/// Lists up to `limit` runs of the configured sources after `after`.
///
/// # Errors
/// Those of storage.
pub async fn page(app: &App, wanted: &Wanted, after: Option<&Mark>, limit: usize) -> Result<Page> {
    // Open jobs first: one that ends meanwhile has its record before it is closed.
    let (jobs, hsm_jobs) = futures::try_join!(runs::open_jobs(app), hsms::open_jobs(app))?;
    let search = Search { app, wanted, after, limit };
    let named = app.sources().into_iter().filter(|name| wanted.source.as_ref().is_none_or(|of| of == *name));
    let each: Vec<_> = named.map(|source| search.source(source, &jobs, &hsm_jobs)).collect();
    let found: Vec<_> = stream::iter(each).buffered(SOURCES_AT_ONCE).try_collect().await?;
    let mut runs: Vec<_> = found.into_iter().flatten().collect();
    runs.sort_by_cached_key(Run::mark);
    let more = runs.len() > limit;
    runs.truncate(limit);
    let next = runs.last().filter(|_| more).map(Run::mark);
    Ok(Page { runs, next })
}

struct Search<'a> {
    app: &'a App,
    wanted: &'a Wanted,
    after: Option<&'a Mark>,
    limit: usize,
}

impl Search<'_> {
    /// The runs of a source, at least one more than the page takes if there are as many.
    async fn source(&self, source: &SourceName, jobs: &[BackupJob], hsm_jobs: &[HsmJob]) -> Result<Vec<Run>> {
        let mut found = self.objects(source, jobs).await?;
        if self.app.hsms().get(source).is_ok() {
            found.extend(self.whole(source, hsm_jobs).await?);
        }
        found.retain(|run| self.takes(run));
        Ok(found)
    }

    async fn objects(&self, source: &SourceName, jobs: &[BackupJob]) -> Result<Vec<Run>> {
        let run = |run| Run::Objects(Box::new(run));
        let closed = |found| run(runs::Run::Closed(source.clone(), found));
        let mut taken = 0;
        let from = self.after.map(|after| after.began.0);
        let manifests = self.app.catalogue()?.manifests(source, from, |found| {
            found.last().is_some_and(|last| self.is_last(&closed(last.clone()), &mut taken))
        });
        let manifests = manifests.await?;
        let open = jobs.iter().filter(|job| job.vault == *source);
        let open = open.filter(|job| manifests.iter().all(|closed| closed.run != job.run));
        let open: Vec<_> = open.cloned().map(|job| run(runs::Run::Open(job))).collect();
        Ok(open.into_iter().chain(manifests.into_iter().map(closed)).collect())
    }

    async fn whole(&self, hsm: &SourceName, jobs: &[HsmJob]) -> Result<Vec<Run>> {
        let ended = |backup: HsmBackup| Run::Hsm(hsms::Run::Ended(Box::new(backup)));
        let (mut taken, mut backups) = (0, Vec::new());
        for backup in self.app.catalogue()?.offered_hsm_backups(hsm).await? {
            let is_last = self.is_last(&ended(backup.clone()), &mut taken);
            backups.push(backup);
            if is_last {
                break;
            }
        }
        let open = jobs.iter().filter(|job| job.hsm == *hsm && job.is_backup());
        let open = open.filter(|job| backups.iter().all(|ended| ended.run != job.id));
        let open: Vec<_> = open.cloned().map(|job| Run::Hsm(hsms::Run::Open(Box::new(job)))).collect();
        Ok(open.into_iter().chain(backups.into_iter().map(ended)).collect())
    }

    /// Whether no run after this one is needed, of runs that come newest first. Counts those that are wanted.
    fn is_last(&self, run: &Run, taken: &mut usize) -> bool {
        *taken += usize::from(self.takes(run));
        *taken > self.limit || self.wanted.since.is_some_and(|since| run.mark().began.0 < since)
    }

    fn takes(&self, run: &Run) -> bool {
        let mark = run.mark();
        self.after.is_none_or(|after| mark > *after)
            && self.wanted.since.is_none_or(|since| mark.began.0 >= since)
            && self.wanted.state.is_none_or(|state| run.state() == state)
    }
}

impl Run {
    /// Its place in the order of all runs.
    pub fn mark(&self) -> Mark {
        let (source, whole, run) = match self {
            Self::Objects(run) => match &**run {
                runs::Run::Open(job) => (&job.vault, false, &job.run),
                runs::Run::Closed(source, found) => (source, false, &found.run),
            },
            Self::Hsm(hsms::Run::Open(job)) => (&job.hsm, true, &job.id),
            Self::Hsm(hsms::Run::Ended(backup)) => (&backup.hsm, true, &backup.run),
        };
        let began = Reverse(self.began().unwrap_or(OffsetDateTime::UNIX_EPOCH));
        Mark { began, source: source.clone(), whole, run: run.to_string() }
    }

    /// Its state.
    pub fn state(&self) -> State {
        match self {
            Self::Objects(run) => match &**run {
                runs::Run::Open(_) => State::Open,
                runs::Run::Closed(_, found) => {
                    found.summary.as_ref().map_or(State::Unreadable, |of| State::Ended(of.verdict))
                }
            },
            Self::Hsm(hsms::Run::Open(_)) => State::Open,
            Self::Hsm(hsms::Run::Ended(backup)) => State::Ended(backup.verdict),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::{
        catalogue::ManifestRef,
        domain::{
            actor::Actor,
            run::RunId,
            samples::{NIGHT, hsm_backup, summary},
        },
    };

    fn open(vault: &str, ago: i64) -> Run {
        let at = NIGHT - Duration::days(ago);
        let job = BackupJob::open(vault.parse().unwrap(), RunId::nightly(at), Actor::TIMER, at);
        Run::Objects(Box::new(runs::Run::Open(job)))
    }

    fn closed(vault: &str, ago: i64, verdict: Option<Verdict>) -> Run {
        let at = NIGHT - Duration::days(ago);
        let summary = verdict.map(|verdict| crate::domain::manifest::Summary { verdict, ..summary(at) });
        let found = ManifestRef { name: String::new(), run: RunId::nightly(at), stored: None, summary };
        Run::Objects(Box::new(runs::Run::Closed(vault.parse().unwrap(), found)))
    }

    fn whole(ago: i64) -> Run {
        Run::Hsm(hsms::Run::Ended(Box::new(hsm_backup(NIGHT - Duration::days(ago)))))
    }

    #[test]
    fn runs_are_in_one_order_newest_first_then_by_source_and_the_keys_before_the_whole_hsm() {
        let expected = [
            open("kv-b", 0),
            closed("hsm-a", 1, Some(Verdict::Succeeded)),
            whole(1),
            closed("kv-a", 1, None), // by its name: its summary is lost
            open("kv-b", 1),
            closed("kv-a", 2, Some(Verdict::Failed)),
        ];
        let marks: Vec<_> = expected.iter().map(Run::mark).collect();
        let mut sorted = marks.clone();
        sorted.reverse();
        sorted.sort();
        assert_eq!(sorted, marks);
        let mut different = marks.clone();
        different.dedup();
        assert_eq!(different.len(), marks.len(), "no two runs share a mark, or a page would skip one");
    }

    #[test]
    fn a_run_is_in_the_state_that_its_record_says() {
        for (run, expected) in [
            (open("kv-a", 0), State::Open),
            (closed("kv-a", 0, Some(Verdict::Failed)), State::Ended(Verdict::Failed)),
            (closed("kv-a", 0, Some(Verdict::Succeeded)), State::Ended(Verdict::Succeeded)),
            (closed("kv-a", 0, None), State::Unreadable),
            (whole(0), State::Ended(Verdict::Succeeded)),
        ] {
            assert_eq!(run.state(), expected);
        }
    }
}
