//! Plans of Managed HSM restores, as they are answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::age_seconds;
use crate::{
    api::shapes::state::State,
    domain::{
        digest::Digest,
        hsm::{self, Safety},
    },
};

/// The plan of a Managed HSM restore: the dry run.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HsmRestorePlan)]
pub struct HsmPlan {
    /// The name of the plan. It changes when anything in the plan changes.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    digest: String,
    /// The HSM whose backup is restored.
    source: String,
    /// The HSM that it is restored into.
    target: String,
    /// The run whose backup is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The backup's folder in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    /// What the folder holds now, compared with the record of the backup. Plans of older programs do not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<Contents>,
    /// The time of the state in the backup.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    taken: Option<OffsetDateTime>,
    /// The age of that state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    age_seconds: Option<i64>,
    /// Whether everything in the target is replaced. Then starting needs `confirm`.
    replaces_everything: bool,
    /// What replacing everything means.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
    /// The backup of the target that a restore of everything needs first.
    safety_backup: SafetyBackup,
    /// The keys, when some are restored.
    keys: Vec<KeyPlan>,
    /// Why nothing can be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<Obstacle>,
    /// How the restore ends if each of its steps succeeds.
    foreseen: State,
}

/// What the folder of a backup holds now, as a listing shows it: the content of the blobs can be read by an HSM alone.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HsmFolderContents)]
pub struct Contents {
    /// How the folder compares with the record.
    state: ContentsState,
    /// What the state means, and which blobs differ if the record has their names.
    why: String,
    /// How many blobs there are.
    blobs: u32,
    /// How large they are.
    bytes: u64,
    /// How many blobs the backup wrote.
    recorded_blobs: u32,
    /// How large they were.
    recorded_bytes: u64,
}

/// How a folder compares with the record of its backup.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HsmFolderState)]
pub enum ContentsState {
    /// The same number of blobs and bytes, and none written since; the same names and MD5s, if the record has them.
    AsRecorded,
    /// More blobs or bytes, a blob written since, or another MD5. A warning.
    Changed,
    /// Fewer blobs or bytes, or a blob that is missing or smaller. It replaces no HSM; single keys are still tried.
    Incomplete,
    /// The folder is gone.
    Gone,
    /// The folder is there, and the record has no sizes to compare with.
    NotRecorded,
    /// This app may not read the folder. A warning.
    NotSeen,
}

impl From<&hsm::Contents> for Contents {
    fn from(of: &hsm::Contents) -> Self {
        let state = match of.state {
            hsm::ContentsState::AsRecorded => ContentsState::AsRecorded,
            hsm::ContentsState::Changed => ContentsState::Changed,
            hsm::ContentsState::Incomplete => ContentsState::Incomplete,
            hsm::ContentsState::Gone => ContentsState::Gone,
            hsm::ContentsState::NotRecorded => ContentsState::NotRecorded,
            hsm::ContentsState::NotSeen => ContentsState::NotSeen,
        };
        let (recorded_blobs, recorded_bytes) = (of.recorded_blobs, of.recorded_bytes);
        Self { state, why: of.text(), blobs: of.blobs, bytes: of.bytes, recorded_blobs, recorded_bytes }
    }
}

/// A backup of the target before it is replaced.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SafetyBackup {
    /// Whether a recent one exists, one is taken first, or none is needed.
    state: SafetyState,
    /// The run of the recent one.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
}

/// Whether a recent backup of the target exists.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SafetyState {
    /// A recent one exists.
    Have,
    /// One is taken first.
    Take,
    /// Nothing is replaced.
    NotNeeded,
}

/// One key of a plan.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = HsmKeyPlan)]
pub struct KeyPlan {
    /// The key.
    name: String,
    /// What the HSM holds under the key's name.
    held: Held,
    /// What that means for the restore.
    why: &'static str,
    /// Whether it will be restored.
    restored: bool,
}

/// What an HSM holds under a key's name.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HsmKeyHeld)]
pub enum Held {
    /// Nothing.
    Nothing,
    /// A key.
    Live,
    /// A soft-deleted key.
    SoftDeleted,
    /// The identity may not read it.
    Unknown,
}

impl From<hsm::KeyHeld> for Held {
    fn from(held: hsm::KeyHeld) -> Self {
        match held {
            hsm::KeyHeld::Nothing => Self::Nothing,
            hsm::KeyHeld::Live => Self::Live,
            hsm::KeyHeld::SoftDeleted => Self::SoftDeleted,
            hsm::KeyHeld::Unknown => Self::Unknown,
        }
    }
}

/// Why nothing can be restored.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = HsmObstacle)]
pub struct Obstacle {
    /// The name of the obstacle. Stable: programs may compare it.
    #[schema(example = "other-security-domain")]
    name: &'static str,
    /// What prevents the restore, and what would solve it.
    why: &'static str,
}

impl HsmPlan {
    /// A plan as it is answered at `now`.
    pub fn new(digest: Digest, plan: &hsm::HsmPlan, now: OffsetDateTime) -> Self {
        let (state, run) = match &plan.safety {
            Safety::Have(run) => (SafetyState::Have, Some(run.to_string())),
            Safety::Take => (SafetyState::Take, None),
            Safety::NotNeeded => (SafetyState::NotNeeded, None),
        };
        let key = |of: &hsm::KeyPlan| KeyPlan {
            name: of.key.to_string(),
            held: of.held.into(),
            why: of.held.text(),
            restored: of.held.is_free(),
        };
        let all = plan.replaces_everything();
        Self {
            digest: digest.to_string(),
            source: plan.hsm.source.to_string(),
            target: plan.hsm.target.to_string(),
            run: plan.run.as_ref().map(ToString::to_string),
            folder: plan.folder.clone(),
            contents: plan.contents.as_ref().map(Into::into),
            taken: plan.taken,
            age_seconds: plan.taken.map(|taken| age_seconds(now, taken)),
            replaces_everything: all,
            warning: all.then_some(hsm::HsmPlan::REPLACES),
            safety_backup: SafetyBackup { state, run },
            keys: plan.keys.iter().map(key).collect(),
            foreseen: plan.at_best().into(),
            obstacle: plan.obstacle.map(|of| Obstacle { name: of.name(), why: of.text() }),
        }
    }
}
