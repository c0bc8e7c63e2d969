//! Drills: what they came to.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{actor::By, object::Kind};
use crate::domain::{
    drill::{self, Drill, DrillSummary, DrilledObject, HsmDrilled, ServiceCheck},
    object::ObjectName,
    restore::StepResult,
    state,
};

/// When the newest drill of a source began, `never`, or `unknown`.
#[derive(Clone, Copy, Debug)]
pub struct DrilledAt(pub state::DrilledAt);

impl Serialize for DrilledAt {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.time_or_word() {
            Ok(at) => time::serde::rfc3339::serialize(&at, to),
            Err(word) => to.serialize_str(word),
        }
    }
}

/// Drills.
#[derive(Debug, Serialize, ToSchema)]
pub struct DrillList {
    /// The drills, those of each source together, the newest first.
    drills: Vec<DrillItem>,
}

impl DrillList {
    /// The list of these drills.
    pub fn new(drills: &[DrillSummary]) -> Self {
        Self { drills: drills.iter().map(Into::into).collect() }
    }
}

/// What a drill came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrillItem {
    /// Its name.
    #[schema(example = "20261206T061500Z-drill-0f3a9c41")]
    id: String,
    /// What the source is.
    #[schema(example = "vault", pattern = "^(vault|hsm)$")]
    kind: &'static str,
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// The drill vault, or the drill HSM; where nothing was restored, the source.
    #[schema(example = "kv-prod-drill")]
    target: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    ended: OffsetDateTime,
    /// How its restore ended. `NotRestored` is of a Managed HSM without a drill HSM: only what storage and the service say of the
    /// backup was looked at.
    #[schema(example = "Succeeded", pattern = "^(Succeeded|Failed|TimedOut|NotRestored)$")]
    restore: String,
    /// Why, unless it succeeded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    why: Vec<DrillReason>,
    /// Whether what it restored is gone from the drill vault. `Kept` is of a drill HSM, which holds it until the next drill.
    #[schema(example = "Done", pattern = "^(Done|Failed|Kept)$")]
    cleanup: String,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    unclean: Option<DrillReason>,
    /// How many objects were drilled.
    objects: u32,
    /// Whether another kept point than the newest was restored.
    older: bool,
    /// How old what was restored was when the drill began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64, example = 14_700.0)]
    rpo_seconds: Option<drill::Seconds>,
    /// How long the sample took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64, example = 4.212)]
    rto_seconds: Option<drill::Seconds>,
    /// What a restore of the whole source would take.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<WholeSource>,
    /// The recovery time that it was judged against.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_rto_seconds: Option<u32>,
    /// The recovery point that it was judged against.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_rpo_seconds: Option<u32>,
}

/// A reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct DrillReason {
    /// Its stable code.
    #[schema(example = "rto-missed")]
    code: String,
    /// What happened.
    text: String,
}

impl From<&drill::Why> for DrillReason {
    fn from(of: &drill::Why) -> Self {
        Self { code: of.code.clone(), text: of.text.clone() }
    }
}

/// What a restore of the whole source would take.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WholeSource {
    /// Secrets that it would bring back.
    secrets: u32,
    /// Keys.
    keys: u32,
    /// Certificates.
    certificates: u32,
    /// How long it would take at the service's limits.
    #[schema(value_type = f64, example = 100.3)]
    rto_seconds: drill::Seconds,
    /// Always `true`: nobody measured it.
    extrapolated: bool,
}

impl From<drill::Whole> for WholeSource {
    fn from(of: drill::Whole) -> Self {
        let drill::Counts { certificates, keys, secrets } = of.objects;
        Self { secrets, keys, certificates, rto_seconds: of.rto_seconds, extrapolated: of.extrapolated }
    }
}

impl From<&DrillSummary> for DrillItem {
    fn from(of: &DrillSummary) -> Self {
        let came = &of.came;
        Self {
            id: of.id.to_string(),
            kind: of.kind.name(),
            source: of.source.to_string(),
            target: of.target.to_string(),
            started: of.started,
            ended: of.ended,
            restore: came.restore.to_string(),
            why: came.why.iter().map(Into::into).collect(),
            cleanup: of.cleanup.to_string(),
            unclean: of.unclean.as_ref().map(Into::into),
            objects: of.objects,
            older: of.older,
            rpo_seconds: came.rpo_seconds,
            rto_seconds: came.rto_seconds,
            whole: came.whole.map(Into::into),
            target_rto_seconds: came.targets.rto_seconds,
            target_rpo_seconds: came.targets.rpo_seconds,
        }
    }
}

/// A drill, with its objects.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrillDetail {
    #[serde(flatten)]
    item: DrillItem,
    /// Who asked for it.
    by: By,
    /// What decided which objects were drawn.
    #[schema(example = "9f1c2a3b4d5e6f70")]
    seed: String,
    /// How many processes worked on it. With more than one, its times have gaps in them.
    parts: u32,
    /// The objects of the sample.
    sample: Vec<SampleObject>,
    /// Objects of the source that could not be restored there, because something stands in the way.
    excluded: u32,
    /// What may be left in the drill vault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: Vec<LeftObject>,
    /// What was not proven.
    not_proven: Vec<String>,
    /// What only the drill of a Managed HSM has.
    #[serde(skip_serializing_if = "Option::is_none")]
    hsm: Option<HsmDrill>,
}

/// What only the drill of a Managed HSM has.
#[derive(Debug, Serialize, ToSchema)]
pub struct HsmDrill {
    /// The run whose backup it is.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// The folder of the backup.
    folder: String,
    /// What the service's own check before a restore said.
    #[schema(example = "possible", pattern = "^(possible|notPossible|notAsked)$")]
    check: &'static str,
    /// The restore. Absent where nothing was restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "20261206T061500Z-restore-0f3a9c41")]
    restore: Option<String>,
    /// The keys that the drill HSM holds since. Absent where they could not be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<Vec<String>>,
    /// What the drill HSM is now, and how to empty it.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<String>,
    /// What was proven without a restore.
    proven: Vec<String>,
}

impl HsmDrill {
    fn of(drill: &Drill, of: &HsmDrilled) -> Self {
        let names = |names: &Vec<ObjectName>| names.iter().map(ToString::to_string).collect();
        Self {
            run: drill.point.as_ref().map(|point| point.run.to_string()).unwrap_or_default(),
            folder: of.folder.clone(),
            check: match of.check {
                ServiceCheck::Possible => "possible",
                ServiceCheck::NotPossible { .. } => "notPossible",
                ServiceCheck::NotAsked { .. } => "notAsked",
            },
            restore: of.restore.as_ref().map(ToString::to_string),
            holds: of.holds.as_ref().map(names),
            now: of.now.clone(),
            proven: of.proven.clone(),
        }
    }
}

/// An object of a sample.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SampleObject {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// The run that took the backup.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// What came of it.
    #[schema(example = "restored", pattern = "^(restored|alreadyThere|differs|failed|notEnded)$")]
    outcome: &'static str,
    /// Why it failed, or how it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// How long it took, from its turn until it was compared. Absent where that was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64, example = 0.312)]
    rto_seconds: Option<drill::Seconds>,
}

/// An object that may be left in a drill vault.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeftObject {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
}

impl From<&DrilledObject> for SampleObject {
    fn from(of: &DrilledObject) -> Self {
        let (outcome, why) = match &of.result {
            None => ("notEnded", None),
            Some(StepResult::Restored | StepResult::Recovered) => ("restored", None),
            Some(StepResult::AlreadyThere) => ("alreadyThere", None),
            Some(result @ StepResult::Differs { .. }) => ("differs", result.difference()),
            Some(StepResult::Failed { failure }) => {
                ("failed", Some(format!("{}: {}", failure.code, failure.text)))
            }
        };
        let (kind, name, run) = (of.kind.into(), of.name.to_string(), of.run.to_string());
        Self { kind, name, run, outcome, why, rto_seconds: of.rto_seconds }
    }
}

impl From<&Drill> for DrillDetail {
    fn from(of: &Drill) -> Self {
        let left = of.left.iter().map(|id| LeftObject { kind: id.kind.into(), name: id.name.to_string() });
        Self {
            item: (&of.summary()).into(),
            by: (&of.by).into(),
            seed: of.seed.to_string(),
            parts: of.parts,
            sample: of.objects.iter().map(Into::into).collect(),
            excluded: of.excluded,
            left: left.collect(),
            not_proven: of.not_proven.clone(),
            hsm: of.hsm.as_ref().map(|hsm| HsmDrill::of(of, hsm)),
        }
    }
}
