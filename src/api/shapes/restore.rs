//! Restores, as they are answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    actor::By,
    failure::{Failed, Failure},
    object::Kind,
    page::ObjectPage,
    plan::Excluded,
    problem::{Problem, ProblemBody},
    state::State,
    wait::wait,
};
use crate::{
    domain::{
        object::ObjectId,
        outcome,
        restore::{self, RestoreJob, RestoreNumbers, StepResult},
    },
    query::restores,
    restore::follow::{Followed, Progress},
};

pub mod hsm;

pub use self::hsm::{HsmRestore, HsmRestoreReport};

/// A restore: of a vault, or of an HSM, which has `hsm`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum AnyRestore {
    /// Of a vault.
    Vault(Box<Restore>),
    /// Of an HSM.
    Hsm(Box<HsmRestore>),
}

impl AnyRestore {
    /// The restore, with the reasons why objects failed if it is of a vault. That of an HSM has its own.
    pub fn new(restore: restores::Restore, failures: Vec<outcome::Failure>) -> Self {
        match restore {
            restores::Restore::Vault(job) => Self::Vault(Box::new(Restore::from(*job).with(failures))),
            of @ restores::Restore::Hsm(_) => of.into(),
        }
    }

    /// The seconds until the restore is worth another request. `None` once it has ended.
    pub fn wait(&self, now: OffsetDateTime) -> Option<u32> {
        match self {
            Self::Vault(restore) => restore.wait(now),
            Self::Hsm(restore) => restore.wait(),
        }
    }
}

impl From<restores::Restore> for AnyRestore {
    fn from(restore: restores::Restore) -> Self {
        match restore {
            restores::Restore::Vault(job) => Self::Vault(Box::new((*job).into())),
            restores::Restore::Hsm(job) => Self::Hsm(Box::new((&*job).into())),
        }
    }
}

/// A restore in full: of a vault, or of an HSM, which has `hsm`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum AnyRestoreReport {
    /// Of a vault.
    Vault(Box<RestoreReport>),
    /// Of an HSM.
    Hsm(Box<HsmRestoreReport>),
}

impl AnyRestoreReport {
    /// The seconds until the restore is worth another request. `None` once it has ended.
    pub fn wait(&self, now: OffsetDateTime) -> Option<u32> {
        match self {
            Self::Vault(report) => report.restore.wait(now),
            Self::Hsm(report) => report.wait(),
        }
    }
}

/// Restores, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restores {
    /// The restores.
    pub restores: Vec<AnyRestore>,
    /// The token for the next page, if there may be one.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A restore's numbers: planned = restored + skipped + failed + neverBackedUp + pending.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestoreNumbers)]
pub struct Numbers {
    /// Objects that were selected.
    planned: u32,
    /// Objects in the target that equal their backup because a step restored them or found them there.
    restored: u32,
    /// Objects that are left alone: already there, with a taken name that the request skips, or gone from the source
    /// and not selected by name.
    skipped: u32,
    /// Skipped objects that already equal their backup.
    already_there: u32,
    /// Conflicts, and steps that failed.
    failed: u32,
    /// Objects of the source that never had a successful backup. They keep a restore from ending `Succeeded`.
    never_backed_up: u32,
    /// Steps that have not ended.
    pending: u32,
}

impl From<RestoreNumbers> for Numbers {
    fn from(of: RestoreNumbers) -> Self {
        let RestoreNumbers { planned, restored, skipped, already_there, failed, never_backed_up } = of;
        let pending = planned.saturating_sub(restored + skipped + failed + never_backed_up);
        Self { planned, restored, skipped, already_there, failed, never_backed_up, pending }
    }
}

/// A restore.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    #[schema(example = "20261122T101112Z-restore-0f3a9c41")]
    id: String,
    state: State,
    source: String,
    target: String,
    /// The digest of its plan.
    plan: String,
    by: By,
    /// When it was requested.
    #[serde(with = "time::serde::rfc3339")]
    started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    finished: Option<OffsetDateTime>,
    /// The same as `started`, which replaces it.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(deprecated, value_type = String, format = DateTime)]
    opened: OffsetDateTime,
    /// The same as `finished`, which replaces it.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(deprecated, value_type = String, format = DateTime)]
    ended: Option<OffsetDateTime>,
    numbers: Numbers,
    /// Why objects failed, the most common reasons first. Not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failed>,
}

impl Restore {
    /// The restore, with the reasons why objects failed.
    #[must_use]
    pub fn with(self, failures: Vec<outcome::Failure>) -> Self {
        Self { failures: Failed::alike(failures), ..self }
    }

    /// The seconds until the restore is worth another request. `None` once it has ended.
    pub fn wait(&self, now: OffsetDateTime) -> Option<u32> {
        let left = usize::try_from(self.numbers.pending).ok();
        (self.state == State::Running).then(|| wait(left, Some(self.started), now))
    }
}

impl From<RestoreJob> for Restore {
    fn from(job: RestoreJob) -> Self {
        Self {
            id: job.id.to_string(),
            state: job.ended.as_ref().map_or(State::Running, |ended| ended.verdict.into()),
            source: job.source.to_string(),
            target: job.target.to_string(),
            plan: job.plan.to_string(),
            by: (&job.by).into(),
            started: job.opened,
            finished: job.ended.as_ref().map(|ended| ended.at),
            opened: job.opened,
            ended: job.ended.map(|ended| ended.at),
            numbers: job.numbers.into(),
            failures: Vec::new(),
        }
    }
}

/// The outcome of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Not started.
    Pending,
    /// The vault is busy with the name or refuses the request, or this program's own storage, queue or identity fails,
    /// as `failure` says; the step is retried within minutes.
    Waiting,
    /// Restored, and equal to the record of its backup: its versions, their order, which of them is current, and of
    /// each what lists show (enabled or not, times, tags, content type, thumbprint, whether a key may be exported). Not
    /// compared, because the rights to list and to restore do not show it: values and key material, what a key may be
    /// used for, its rotation and release policy, a certificate's policy and issuer.
    Restored,
    /// Already there, and equal to the record of its backup as for `restored`.
    AlreadyThere,
    /// Recovered from soft-deletion. Its backup is not used, and nothing is compared.
    Recovered,
    /// Restored, but different from the record of its backup; `difference` says how. Counts as failed.
    Differs,
    /// Not restored.
    Failed,
}

/// One object of a restore.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredObject {
    kind: Kind,
    name: String,
    outcome: Outcome,
    /// How it differs from its backup, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

impl RestoredObject {
    /// An object whose step has ended.
    pub fn ended(id: &ObjectId, result: &StepResult) -> Self {
        Self::new(id, &Progress::Ended(result.clone()))
    }

    fn new(id: &ObjectId, progress: &Progress) -> Self {
        let (outcome, failure) = match progress {
            Progress::Pending => (Outcome::Pending, None),
            Progress::Waiting(refused) => (Outcome::Waiting, refused.as_ref().map(Into::into)),
            Progress::Ended(StepResult::Restored) => (Outcome::Restored, None),
            Progress::Ended(StepResult::AlreadyThere) => (Outcome::AlreadyThere, None),
            Progress::Ended(StepResult::Recovered) => (Outcome::Recovered, None),
            Progress::Ended(StepResult::Differs { .. }) => (Outcome::Differs, None),
            Progress::Ended(StepResult::Failed { failure }) => (Outcome::Failed, Some(failure.into())),
        };
        let difference = match progress {
            Progress::Ended(result) => result.difference(),
            Progress::Pending | Progress::Waiting(_) => None,
        };
        Self { kind: id.kind.into(), name: id.name.to_string(), outcome, difference, failure }
    }
}

/// A restore with the outcome of each object.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreReport {
    #[serde(flatten)]
    restore: Restore,
    /// The objects of its plan, in order.
    objects: Vec<RestoredObject>,
    /// The token for the next objects, if there are more.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// The objects that the plan excludes. Both lists come in pages together, in the order of kinds and names.
    #[serde(rename = "left")]
    excluded: Vec<Excluded>,
    /// Why the plan of an ended restore cannot be read. Its numbers are valid; `objects` holds only those with a
    /// recorded outcome, and `left` is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

impl RestoreReport {
    /// A page of a restore's objects, excluded ones among them: at most `limit` after `after`.
    pub fn new(followed: Followed, after: Option<ObjectId>, limit: usize) -> Self {
        let failures = followed.failures();
        let Followed { job, steps, excluded, at, without_plan } = followed;
        let ids = steps.keys().cloned().chain(excluded.iter().map(restore::Excluded::id));
        let page = ObjectPage::new(ids, after, limit);
        let objects = steps.iter().filter(|(id, _)| page.has(id));
        let mut left: Vec<_> = excluded.iter().filter(|of| page.has(&of.id())).collect();
        left.sort_by_cached_key(|of| of.id());
        Self {
            objects: objects.map(|(id, progress)| RestoredObject::new(id, progress)).collect(),
            excluded: left.into_iter().map(|of| Excluded::new(of, at)).collect(),
            after: page.next(),
            restore: Restore::from(job).with(failures),
            problem: without_plan.map(|error| Problem::from(error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use time::Duration;

    use super::*;
    use crate::{
        api::shapes::wait::LATER,
        domain::{
            digest::Digest,
            restore::{Difference, Excluded as Left, Reason},
            samples::{NIGHT, secret},
        },
    };

    fn job(numbers: RestoreNumbers, verdict: Option<&str>) -> RestoreJob {
        let ended = verdict.map(|verdict| json!({ "at": "2026-11-22T02:10:00Z", "verdict": verdict }));
        let read = json!({
            "v": 1, "id": "20261122T020000Z-restore-0f3a9c41", "plan": Digest::of(b"plan"), "source": "kv-prod",
            "target": "kv-drill", "by": { "via": "terminal" }, "opened": "2026-11-22T02:00:00Z", "numbers": numbers,
            "steps": 3, "answered": 0, "progressed": "2026-11-22T02:00:00Z", "sent": true, "ended": ended,
        });
        serde_json::from_value(read).unwrap()
    }

    fn left(name: &str) -> Left {
        let id = secret(name);
        Left { kind: id.kind, name: id.name, reason: Reason::Live, skipped: false }
    }

    fn followed(steps: BTreeMap<ObjectId, Progress>) -> Followed {
        let job = job(RestoreNumbers::default(), None);
        Followed { job, steps, excluded: vec![left("taken")], at: None, without_plan: None }
    }

    #[test]
    fn what_is_neither_done_nor_left_is_pending() {
        let numbers = RestoreNumbers {
            planned: 10,
            restored: 3,
            skipped: 2,
            already_there: 1,
            failed: 1,
            never_backed_up: 1,
        };
        assert_eq!(Numbers::from(numbers).pending, 3);
        // Records of older programs may count an object twice.
        assert_eq!(Numbers::from(RestoreNumbers { planned: 6, ..numbers }).pending, 0);
    }

    #[test]
    fn only_an_open_restore_is_worth_another_request() {
        let numbers = RestoreNumbers { planned: 1, ..RestoreNumbers::default() };
        for (verdict, age, expected) in [
            (None, 0, Some(5)),
            (None, 60, Some(LATER)),
            (Some("Succeeded"), 0, None),
            (Some("PartiallyFailed"), 0, None),
            (Some("Failed"), 0, None),
        ] {
            let restore = Restore::from(job(numbers, verdict));
            assert_eq!(restore.wait(NIGHT + Duration::seconds(age)), expected, "{verdict:?} {age}");
            assert_eq!(restore.ended.is_some(), verdict.is_some());
        }
    }

    #[test]
    fn each_progress_of_an_object_is_one_outcome() {
        let refused = outcome::Failure::ours("Busy", "being deleted");
        let differs = StepResult::Differs { difference: Some(Difference::Attributes) };
        for (progress, outcome, fails, differs) in [
            (Progress::Pending, "pending", false, false),
            (Progress::Waiting(None), "waiting", false, false),
            (Progress::Waiting(Some(refused.clone())), "waiting", true, false),
            (Progress::Ended(StepResult::Restored), "restored", false, false),
            (Progress::Ended(StepResult::AlreadyThere), "alreadyThere", false, false),
            (Progress::Ended(StepResult::Recovered), "recovered", false, false),
            (Progress::Ended(differs), "differs", false, true),
            (Progress::Ended(StepResult::Failed { failure: refused }), "failed", true, false),
        ] {
            let shown = serde_json::to_value(RestoredObject::new(&secret("db"), &progress)).unwrap();
            assert_eq!(
                (&shown["kind"], &shown["name"], &shown["outcome"]),
                (&json!("secret"), &json!("db"), &json!(outcome))
            );
            assert_eq!(
                (shown.get("failure").is_some(), shown.get("difference").is_some()),
                (fails, differs),
                "{shown}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_pages_of_a_restore_have_each_object_once(count in 0_usize..12, limit in 1_usize..14) {
            let steps = || (0..count).map(|at| (secret(&format!("s{at:02}")), Progress::Pending)).collect();
            let (mut names, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = RestoreReport::new(followed(steps()), after.clone(), limit);
                prop_assert!(page.objects.len() + page.excluded.len() <= limit);
                names.extend(page.objects.iter().map(|of| of.name.clone()));
                names.extend(page.excluded.iter().map(|_| "taken".to_owned()));
                pages += 1;
                let Some(next) = page.after else { break };
                let (_, last) = next.split_once('/').unwrap();
                prop_assert_eq!(Some(last), names.last().map(String::as_str));
                after = Some(secret(last));
            }
            // What is left out comes in its place among the others: here after all of them.
            let steps = (0..count).map(|at| format!("s{at:02}"));
            prop_assert_eq!(names, steps.chain(["taken".to_owned()]).collect::<Vec<_>>());
            prop_assert_eq!(pages, (count + 1).div_ceil(limit), "no page is empty");
        }
    }

    #[test]
    fn a_restore_without_its_plan_says_so_and_keeps_its_numbers() {
        let numbers = RestoreNumbers { planned: 3, restored: 2, failed: 1, ..RestoreNumbers::default() };
        let damaged = crate::error::Error::Damaged { blob: "blob x".into(), text: "it is empty".into() };
        let followed = Followed {
            job: job(numbers, Some("PartiallyFailed")),
            excluded: Vec::new(),
            without_plan: Some(damaged),
            ..followed(BTreeMap::from([(secret("db"), Progress::Ended(StepResult::Restored))]))
        };
        let shown: Value = serde_json::to_value(RestoreReport::new(followed, None, 100)).unwrap();
        assert_eq!((&shown["numbers"]["restored"], &shown["state"]), (&json!(2), &json!("PartiallyFailed")));
        assert_eq!(shown["problem"]["type"], "urn:keyvault-backup:problem:damaged-catalogue");
        assert_eq!(shown["objects"].as_array().map(Vec::len), Some(1));
    }
}
