//! Plans and restores as they are answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    super::{
        forms::{Clear, Form},
        problem::{Problem, ProblemBody},
        shapes::{By, Failure, Kind, State},
    },
    ask::{Conflict, age_seconds},
};
use crate::{
    domain::{
        digest::Digest,
        object::ObjectId,
        restore::{self, RestoreJob, RestoreNumbers, RestorePlan, StepResult},
    },
    restore::follow::{Followed, Progress},
};

/// What is done for an object.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Its backup is restored under a free name.
    Restore,
    /// The soft-deleted object is recovered; its backup is not used.
    Recover,
    /// The soft-deleted object is purged for good, then its backup restored.
    PurgeAndRestore,
}

impl From<restore::Action> for Action {
    fn from(action: restore::Action) -> Self {
        match action {
            restore::Action::Restore => Self::Restore,
            restore::Action::Recover => Self::Recover,
            restore::Action::PurgeAndRestore => Self::PurgeAndRestore,
        }
    }
}

/// One object that is restored.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestoreStep)]
pub struct Step {
    kind: Kind,
    name: String,
    action: Action,
    /// The run that took the backup.
    run: String,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    taken: OffsetDateTime,
    /// How old it is.
    #[schema(minimum = 0)]
    age_seconds: i64,
    /// How many versions come back.
    versions: u32,
    /// Whether the backup's form is known. Nothing is purged in favour of one that is not.
    form: Form,
    /// What may be shown of it where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    clear: Option<Clear>,
}

/// One object that is not restored.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestoreLeft)]
pub struct Excluded {
    kind: Kind,
    name: String,
    /// Names the reason. Stable: programs may compare it.
    #[schema(example = "soft-deleted")]
    reason: String,
    /// What stands in the way, and what would solve it.
    why: &'static str,
    /// Whether it is left as it is, rather than in the way. What was never backed up is, too, and has a number of its
    /// own.
    skipped: bool,
}

impl Excluded {
    fn new(excluded: &restore::Excluded, at: Option<OffsetDateTime>) -> Self {
        Self {
            kind: excluded.kind.into(),
            name: excluded.name.to_string(),
            reason: excluded.reason.name().into(),
            why: excluded.why(at),
            skipped: excluded.skipped,
        }
    }
}

/// What a restore will do: the dry run. Each object that was asked for is in `steps` or in `left`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestorePlan)]
pub struct Plan {
    /// Names the plan. It changes when anything changes in what would be done.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    digest: String,
    source: String,
    target: String,
    /// Backups as of this time; the newest when there is none.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    at: Option<OffsetDateTime>,
    on_conflict: Conflict,
    /// Whether the service decides about backups that the settings say are of another subscription or geography.
    other_place: bool,
    /// How many objects would be purged for good first.
    purges: usize,
    /// How many objects stand in the way and would count as failed.
    in_the_way: usize,
    /// How many objects the target has already as their backup has them.
    already_there: u32,
    /// How many objects the source has of which no backup ever succeeded.
    never_backed_up: u32,
    /// How the restore ends if each of its steps succeeds.
    foreseen: State,
    /// What is done.
    steps: Vec<Step>,
    /// What is not.
    #[serde(rename = "left")]
    excluded: Vec<Excluded>,
}

impl Plan {
    /// A plan as it is answered `now`.
    pub fn new(digest: Digest, plan: RestorePlan, now: OffsetDateTime) -> Self {
        let in_the_way = plan.conflicts().count();
        let best = RestoreNumbers::at_best(&plan);
        let step = |step: restore::Step| Step {
            kind: step.kind.into(),
            name: step.name.to_string(),
            action: step.action.into(),
            run: step.run.to_string(),
            taken: step.taken,
            age_seconds: age_seconds(now, step.taken),
            versions: step.versions,
            form: Form::of(step.unknown_form.as_deref()),
            clear: step.unknown_form.as_deref().map(Into::into),
        };
        let purges = plan.steps.iter().filter(|step| step.action == restore::Action::PurgeAndRestore).count();
        Self {
            digest: digest.to_string(),
            source: plan.request.source.to_string(),
            target: plan.request.target.to_string(),
            at: plan.request.at,
            on_conflict: plan.request.on_conflict.into(),
            other_place: plan.request.other_place,
            purges,
            in_the_way,
            already_there: best.already_there,
            never_backed_up: best.never_backed_up,
            foreseen: best.verdict().into(),
            excluded: plan.excluded.iter().map(|excluded| Excluded::new(excluded, plan.request.at)).collect(),
            steps: plan.steps.into_iter().map(step).collect(),
        }
    }
}

/// A restore's numbers: planned = restored + skipped + failed + neverBackedUp + pending.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestoreNumbers)]
pub struct Numbers {
    /// Objects that were asked for.
    planned: u32,
    /// Objects that a step brought into the target, or found there, as their backup has them.
    restored: u32,
    /// Objects that are left as they are: there already, of a name that is taken and that the request skips, or gone
    /// from the source without being asked for.
    skipped: u32,
    /// Those of the skipped that the target has as the backup has them.
    already_there: u32,
    /// Objects that stood in the way, and steps that failed.
    failed: u32,
    /// Objects that the source has, and of which no backup ever succeeded. They keep a restore from ending `Succeeded`.
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
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    opened: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    ended: Option<OffsetDateTime>,
    numbers: Numbers,
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
            opened: job.opened,
            ended: job.ended.map(|ended| ended.at),
            numbers: job.numbers.into(),
        }
    }
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Its turn has not come.
    Pending,
    /// The vault is busy with its name or refuses it, or this program's own storage, queue or identity does, which `failure`
    /// names; it is tried again within minutes.
    Waiting,
    /// It is there as its backup recorded it: its versions, their order, which of them is current, and of each what
    /// lists show (enabled or not, times, tags, content type, thumbprint, whether a key may be exported). Not compared,
    /// because the rights to list and to restore do not show it: values and key material, what a key may be used for,
    /// its rotation and release policy, a certificate's policy and issuer.
    Restored,
    /// It was there already, compared like one that is restored.
    AlreadyThere,
    /// The soft-deleted object is in use again. Its backup is not used, and nothing is compared.
    Recovered,
    /// It is there, and not as its backup recorded it; `difference` says more. Counts as failed.
    Differs,
    /// It is not restored.
    Failed,
}

/// One object of a restore.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredObject {
    kind: Kind,
    name: String,
    outcome: Outcome,
    /// In what it differs from its backup, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

impl RestoredObject {
    fn new(id: &ObjectId, progress: &Progress) -> Self {
        let (outcome, failure) = match progress {
            Progress::Pending => (Outcome::Pending, None),
            Progress::Waiting(refused) => (Outcome::Waiting, refused.as_ref().map(Into::into)),
            Progress::Ended(StepResult::Restored) => (Outcome::Restored, None),
            Progress::Ended(StepResult::AlreadyThere) => (Outcome::AlreadyThere, None),
            Progress::Ended(StepResult::Recovered) => (Outcome::Recovered, None),
            Progress::Ended(StepResult::Differs(_)) => (Outcome::Differs, None),
            Progress::Ended(StepResult::Failed(failure)) => (Outcome::Failed, Some(failure.into())),
        };
        let difference = match progress {
            Progress::Ended(result) => result.difference(),
            Progress::Pending | Progress::Waiting(_) => None,
        };
        Self { kind: id.kind.into(), name: id.name.to_string(), outcome, difference, failure }
    }
}

/// A restore with what became of each object.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreReport {
    #[serde(flatten)]
    restore: Restore,
    /// The objects of its plan, in order.
    objects: Vec<RestoredObject>,
    /// There are more objects: ask again with this.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// What the plan leaves. Only in the first part.
    #[serde(rename = "left")]
    excluded: Vec<Excluded>,
    /// Why the plan of a restore that has ended cannot be read. Its numbers stand; `objects` holds only those that
    /// came to an end of their own, and `left` nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

impl RestoreReport {
    /// A part of a restore's objects: at most `limit` after `after`.
    pub fn new(followed: Followed, after: Option<&ObjectId>, limit: usize) -> Self {
        let Followed { job, steps, excluded, at, without_plan } = followed;
        let of = |excluded: &restore::Excluded| Excluded::new(excluded, at);
        let mut rest = steps.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        let objects: Vec<_> = rest.by_ref().take(limit).collect();
        let last = objects.last().map(|(id, _)| format!("{}/{}", id.kind, id.name));
        Self {
            after: rest.next().and(last),
            objects: objects.into_iter().map(|(id, progress)| RestoredObject::new(id, progress)).collect(),
            excluded: if after.is_none() { excluded.iter().map(of).collect() } else { Vec::new() },
            restore: Restore::from(job),
            problem: without_plan.map(|error| Problem::from(error).into()),
        }
    }
}
