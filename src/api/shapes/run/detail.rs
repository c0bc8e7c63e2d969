//! A run in one source in full: kinds that could not be listed, and every object without a new backup.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::RunItem;
use crate::{
    api::shapes::{
        actor::By,
        failure::{Failed, Failure},
        object::Kind,
        state::State,
        wait::wait,
    },
    domain::{
        manifest::{Line, ObjectStatus},
        object::ObjectId,
        outcome,
        plan::{ListedLate, Unlisted},
    },
    query::{runs::Report, sources},
};

/// A run in one source, in full.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunInSource {
    /// The run, as lists show it.
    #[serde(flatten)]
    item: RunItem,
    /// The actor that requested it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    /// The progress, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    /// Objects that have a backup as of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    protected: Option<u32>,
    /// Kinds that could not be listed.
    unlisted: Vec<UnlistedKind>,
    /// Kinds that could be listed only while the run was under way: their objects were planned later.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listed_late: Vec<LateKind>,
    /// Why objects failed, the most common reasons first. Kinds that could not be listed are in `unlisted`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failed>,
    /// The objects that failed or disappeared; over HTTP in pages.
    pub(super) objects: Vec<RunObject>,
}

/// What a page of a run's objects ends with.
#[derive(Debug)]
pub struct PageEnd {
    /// Its last object.
    pub last: Option<ObjectId>,
    /// Whether there are more.
    pub more: bool,
}

/// The progress of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct Progress {
    /// The number of objects to back up, once the run is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<usize>,
    /// How many of them had a result at the last pass.
    pub done: u32,
}

impl Progress {
    fn left(&self) -> Option<usize> {
        Some(self.planned?.saturating_sub(usize::try_from(self.done).ok()?))
    }
}

/// A kind that could not be listed.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnlistedKind {
    /// The kind.
    kind: Kind,
    /// Why.
    failure: Failure,
}

/// A kind that could be listed only while the run was under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct LateKind {
    /// The kind.
    kind: Kind,
    /// The round of the run that could list it.
    round: u32,
    /// When that was.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl From<&ListedLate> for LateKind {
    fn from(late: &ListedLate) -> Self {
        Self { kind: late.kind.into(), round: late.round, at: late.at }
    }
}

impl From<&Unlisted> for UnlistedKind {
    fn from(unlisted: &Unlisted) -> Self {
        Self { kind: unlisted.kind.into(), failure: (&unlisted.failure).into() }
    }
}

/// An object without a new backup, and why.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunObject {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// `failed`, or `disappeared`: deleted between listing and backup.
    #[schema(example = "failed", pattern = "^(failed|disappeared)$")]
    #[serde(rename = "fared")]
    status: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    /// When its newest backup was taken, if it has one.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    last_backup: Option<OffsetDateTime>,
}

impl From<&Line> for RunObject {
    fn from(line: &Line) -> Self {
        Self {
            kind: line.kind.into(),
            name: line.name.to_string(),
            status: if line.status == ObjectStatus::Disappeared { "disappeared" } else { "failed" },
            failure: line.failure.as_ref().map(Into::into),
            last_backup: line.entry.as_ref().map(|entry| entry.taken),
        }
    }
}

/// Why an object failed, if it did.
fn failure(line: &Line) -> Option<outcome::Failure> {
    line.failure.clone().filter(|_| line.status == ObjectStatus::Failed)
}

impl RunInSource {
    /// The backup of a whole Managed HSM.
    pub fn of_hsm(item: RunItem, by: By) -> Self {
        Self {
            item,
            by: Some(by),
            progress: None,
            protected: None,
            unlisted: Vec::new(),
            listed_late: Vec::new(),
            failures: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// The run with at most `limit` of its objects after `after`.
    pub fn page(report: sources::Report, after: Option<&ObjectId>, limit: usize) -> (Self, PageEnd) {
        let ids: Vec<_> = report.lines().iter().map(Line::id).collect();
        let from = after.map_or(0, |after| ids.partition_point(|id| id <= after));
        let to = ids.len().min(from.saturating_add(limit));
        let mut run = Self::from(report);
        run.objects.truncate(to);
        run.objects.drain(..from);
        let end = PageEnd { more: to < ids.len(), last: ids.into_iter().take(to).skip(from).last() };
        (run, end)
    }

    /// The seconds until the run is worth another request. `None` once it has ended.
    pub fn wait(&self, now: OffsetDateTime) -> Option<u32> {
        let left = self.progress.as_ref().and_then(Progress::left);
        (self.item.state == State::Running).then(|| wait(left, self.item.started, now))
    }
}

impl From<sources::Report> for RunInSource {
    fn from(report: sources::Report) -> Self {
        match report {
            sources::Report::Objects(report) => (*report).into(),
            sources::Report::Hsm(run) => (&run).into(),
        }
    }
}

impl From<Report> for RunInSource {
    fn from(report: Report) -> Self {
        match report {
            Report::Open { job, planned, listed_late } => Self {
                item: RunItem::open(&job),
                by: job.by.as_ref().map(Into::into),
                progress: Some(Progress { planned, done: job.answered }),
                protected: None,
                unlisted: Vec::new(),
                listed_late: listed_late.iter().map(Into::into).collect(),
                failures: Vec::new(),
                objects: Vec::new(),
            },
            Report::Closed { header, summary, lines } => Self {
                item: RunItem::closed(&header.vault, &summary),
                by: header.by.as_ref().map(Into::into),
                progress: None,
                protected: Some(summary.protected),
                unlisted: header.unlisted.iter().map(Into::into).collect(),
                listed_late: header.listed_late.iter().map(Into::into).collect(),
                failures: Failed::alike(lines.iter().filter_map(failure)),
                objects: lines.iter().map(Into::into).collect(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::Duration;

    use super::*;
    use crate::{
        api::shapes::wait::LATER,
        at_once::FEW,
        domain::{
            actor::Actor,
            job::BackupJob,
            object::ObjectKind,
            plan::PlanHeader,
            run::{RunId, Scope},
            samples::{NIGHT, line, secret},
        },
    };

    fn open(planned: Option<usize>, answered: u32) -> RunInSource {
        let job = BackupJob::open("kv-prod".parse().unwrap(), RunId::nightly(NIGHT), Actor::TIMER, NIGHT);
        let listed_late = vec![ListedLate { kind: ObjectKind::Key, round: 2, at: NIGHT }];
        Report::Open { job: BackupJob { answered, ..job }, planned, listed_late }.into()
    }

    fn failing(name: &str, code: &str) -> Line {
        let failure = Some(outcome::Failure::ours(code, "no"));
        Line { failure, ..line(&secret(name), ObjectStatus::Failed, NIGHT) }
    }

    fn closed(lines: Vec<Line>) -> RunInSource {
        let (run, vault) = (RunId::nightly(NIGHT), "kv-prod".parse().unwrap());
        let numbers = json!({
            "listed": 4, "backed_up": 1, "unchanged": 0, "managed": 0, "disappeared": 1, "failed": 2, "bytes": 10,
            "near_version_limit": 0,
        });
        let summary = json!({
            "v": 2, "run": run, "scope": "vault", "verdict": "PartiallyFailed", "planned": "2026-11-22T02:00:00Z",
            "finished": "2026-11-22T02:10:00Z", "full_pass": "2026-11-22T02:00:00Z", "protected": 3, "lines": 4,
            "numbers": numbers,
        });
        let summary = serde_json::from_value(summary).unwrap();
        let header = Box::new(PlanHeader::new(vault, run, Scope::Vault, NIGHT));
        Report::Closed { header, summary, lines }.into()
    }

    #[test]
    fn an_open_run_is_worth_a_request_soon_while_it_is_young_and_small() {
        for (planned, answered, age, expected) in [
            (Some(1), 0, 0, Some(5)),
            (Some(FEW + 1), 0, 0, Some(LATER)),
            // What counts is what is left.
            (Some(FEW + 2), 2, 0, Some(5)),
            // A message may be answered twice before a pass counts.
            (Some(1), 2, 0, Some(5)),
            (Some(1), 0, 60, Some(LATER)),
            (None, 0, 0, Some(LATER)),
        ] {
            let wait = open(planned, answered).wait(NIGHT + Duration::seconds(age));
            assert_eq!(wait, expected, "{planned:?} {answered} {age}");
        }
        assert_eq!(closed(Vec::new()).wait(NIGHT), None);
    }

    #[test]
    fn an_open_run_has_its_progress_and_no_results() {
        let shown = serde_json::to_value(open(Some(7), 2)).unwrap();
        assert_eq!(shown["progress"], json!({ "planned": 7, "done": 2 }));
        assert_eq!(
            (&shown["state"], &shown["objects"], shown.get("protected")),
            (&json!("Running"), &json!([]), None)
        );
        assert_eq!(shown["listedLate"], json!([{ "kind": "key", "round": 2, "at": "2026-11-22T02:00:00Z" }]));
        let unplanned = serde_json::to_value(open(None, 0)).unwrap();
        assert_eq!(unplanned["progress"], json!({ "done": 0 }));
    }

    #[test]
    fn a_closed_run_sums_up_why_objects_failed() {
        let disappeared = Line {
            failure: Some(outcome::Failure::ours("SecretNotFound", "gone")),
            ..Line::new(secret("away"), ObjectStatus::Disappeared, None)
        };
        let lines =
            vec![failing("a", "Forbidden"), disappeared, failing("b", "Forbidden"), failing("c", "TooMany")];
        let shown = serde_json::to_value(closed(lines)).unwrap();
        let failures: Vec<_> = shown["failures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| json!([of["objects"], of["failure"]["code"]]))
            .collect();
        // What disappeared has not failed.
        assert_eq!(failures, [json!([2, "Forbidden"]), json!([1, "TooMany"])]);
        let objects: Vec<_> = shown["objects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| json!([of["name"], of["fared"], of["lastBackup"]]))
            .collect();
        let night = "2026-11-22T02:00:00Z";
        let expected = [
            ("a", "failed", json!(night)),
            ("away", "disappeared", Value::Null),
            ("b", "failed", json!(night)),
            ("c", "failed", json!(night)),
        ];
        assert_eq!(objects, expected.map(|(name, fared, last)| json!([name, fared, last])));
        assert_eq!(
            (&shown["state"], &shown["protected"], shown.get("progress")),
            (&json!("PartiallyFailed"), &json!(3), None)
        );
        assert_eq!(shown["durationSeconds"], 600);
    }
}
