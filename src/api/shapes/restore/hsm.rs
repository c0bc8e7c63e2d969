//! Managed HSM restores, as they are answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    api::shapes::{actor::By, failure::Failure, hsm::Phase, state::State, wait::LATER},
    domain::{
        hsm::{HsmJob, KeyOutcome, KeyResult, Task},
        object::ObjectId,
    },
};

/// A restore of an HSM.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HsmRestore {
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
    /// Facts that only restores of HSMs have.
    hsm: HsmFacts,
}

/// Facts that only the restore of an HSM has.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HsmRestoreFacts)]
pub struct HsmFacts {
    /// Whether everything in the target is replaced; otherwise keys are added.
    replaces_everything: bool,
    /// The run whose backup is restored.
    run: String,
    /// The backup's folder.
    folder: String,
    /// The phase, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    /// Why it waits, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<String>,
    /// The run that first backs up the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_backup: Option<String>,
    /// The service's name for the operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

impl HsmRestore {
    /// The seconds until the restore is worth another request. `None` once it has ended.
    pub fn wait(&self) -> Option<u32> {
        (self.state == State::Running).then_some(LATER)
    }
}

impl HsmRestoreReport {
    /// The restore with at most `limit` of its keys after `after`.
    pub fn page(job: &HsmJob, after: Option<&ObjectId>, limit: usize) -> Self {
        let mut report = Self::from(job);
        let place = |after: &ObjectId| report.keys.iter().position(|key| key.name == after.name.as_str());
        let from = after.and_then(place).map_or(0, |place| place + 1);
        let more = report.keys.len() > from.saturating_add(limit);
        report.keys.drain(..from);
        report.keys.truncate(limit);
        let last = report.keys.last().filter(|_| more).map(|key| format!("key/{}", key.name));
        Self { after: last, ..report }
    }

    /// As for [`HsmRestore`].
    pub fn wait(&self) -> Option<u32> {
        self.restore.wait()
    }
}

impl From<&HsmJob> for HsmRestore {
    fn from(job: &HsmJob) -> Self {
        let (all, plan, source, run, folder, safety) = match &job.task {
            Task::RestoreAll { plan, source, run, folder, safety } => {
                (true, plan.to_string(), source, run.to_string(), folder.clone(), safety.as_ref())
            }
            Task::RestoreKeys { plan, source, run, folder, .. } => {
                (false, plan.to_string(), source, run.to_string(), folder.clone(), None)
            }
            Task::Backup { .. } => (false, String::new(), &job.hsm, String::new(), String::new(), None),
        };
        let open = job.ended.is_none();
        Self {
            id: job.id.to_string(),
            state: job.ended.as_ref().map_or(State::Running, |ended| ended.verdict.into()),
            source: source.to_string(),
            target: job.hsm.to_string(),
            plan,
            by: (&job.by).into(),
            started: job.opened,
            finished: job.ended.as_ref().map(|ended| ended.at),
            opened: job.opened,
            ended: job.ended.as_ref().map(|ended| ended.at),
            hsm: HsmFacts {
                replaces_everything: all,
                run,
                folder,
                phase: open.then(|| (&job.phase).into()),
                waiting: job.waiting.clone().filter(|_| open),
                safety_backup: safety.map(ToString::to_string),
                operation: job.operation().map(str::to_owned),
                failure: job.ended.as_ref().and_then(|ended| ended.failure.as_ref()).map(Into::into),
            },
        }
    }
}

/// A restore of an HSM with the outcome of each key.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HsmRestoreReport {
    #[serde(flatten)]
    restore: HsmRestore,
    /// The keys, in order, if single keys are restored.
    keys: Vec<RestoredKey>,
    /// The token for the next keys, if there are more.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// One key of a restore.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredKey {
    name: String,
    outcome: KeyState,
    /// The number that the service reports as restored. Its unit is not documented; it is not versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<u64>,
    /// The number that the service reports as not overwritten, because it was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_overwritten: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// The outcome of a key.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeyState {
    /// Not started.
    Pending,
    /// Restored completely.
    Restored,
    /// Some or all of it was left as it was, because the key was there.
    NotOverwritten,
    /// Not restored.
    Failed,
}

impl From<&KeyOutcome> for RestoredKey {
    fn from(outcome: &KeyOutcome) -> Self {
        let (state, restored, not_overwritten, failure) = match &outcome.result {
            KeyResult::Restored { counted } => (KeyState::Restored, Some(*counted), Some(0), None),
            KeyResult::NotOverwritten { restored, left } => {
                (KeyState::NotOverwritten, Some(*restored), Some(*left), None)
            }
            KeyResult::Failed { failure } => (KeyState::Failed, None, None, Some(failure.into())),
        };
        Self { name: outcome.key.to_string(), outcome: state, restored, not_overwritten, failure }
    }
}

impl From<&HsmJob> for HsmRestoreReport {
    fn from(job: &HsmJob) -> Self {
        let mut shown = Vec::new();
        if let Task::RestoreKeys { keys, outcomes, .. } = &job.task {
            shown.extend(outcomes.iter().map(RestoredKey::from));
            shown.extend(keys.iter().skip(outcomes.len()).map(|key| RestoredKey {
                name: key.to_string(),
                outcome: KeyState::Pending,
                restored: None,
                not_overwritten: None,
                failure: None,
            }));
        }
        Self { restore: job.into(), keys: shown, after: None }
    }
}
