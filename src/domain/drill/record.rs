//! What a drill came to, as it is put on record.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{DrillId, HsmDrilled, OpenDrill, Point, Rehearsed, Seconds, Seed, Targets, Verdict, Whole, Why};
use crate::domain::{
    actor::Actor,
    object::{ObjectId, ObjectKind, ObjectName},
    record::{count, cut},
    restore::StepResult,
    run::RunId,
    source::{SourceId, SourceKind, SourceName},
};

/// The version of the stored form that this program writes.
pub const DRILL_FORMAT: u32 = 1;

/// What no drill of a vault proves, because its rights do not show it.
pub const NOT_PROVEN: [&str; 4] = [
    "values and key material: they are never read",
    "that a key can be used, its operations, rotation and release policy",
    "a certificate's policy and issuer",
    "that the restore of the whole source takes as long as extrapolated: only the sample was restored",
];

/// The most bytes of a reason in a summary.
const WHY_BYTES: usize = 1500;

/// Whether what a drill restored is gone from its vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum CleanedUp {
    /// Nothing is left there.
    Done,
    /// Something may be left there, which blocks the next drill of the vault.
    Failed,
    /// It stays: a drill HSM holds what was restored until the next drill, or until a person empties it.
    Kept,
}

/// What a drill came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// [`DRILL_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The drill.
    pub id: DrillId,
    /// Vault or Managed HSM.
    pub kind: SourceKind,
    /// The source.
    pub source: SourceName,
    /// The drill vault.
    pub target: SourceName,
    /// Who asked for it.
    pub by: Actor,
    /// How many drills of the source there were before.
    pub number: u32,
    /// What decided which objects were drawn.
    pub seed: Seed,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// How the restore ended, what it took, and what it was judged against.
    #[serde(flatten)]
    pub came: Came,
    /// What came of the cleaning up.
    pub cleanup: CleanedUp,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclean: Option<Why>,
    /// What may be left in the drill vault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<ObjectId>,
    /// The recovery point that was restored; `None` where the drill did not come so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// How many processes worked on it. With more than one, its times have gaps in them.
    pub parts: u32,
    /// The objects of the sample.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<DrilledObject>,
    /// How many objects of the source could not be restored there, because something stands in the way.
    #[serde(default, skip_serializing_if = "crate::domain::run::is_zero")]
    pub excluded: u32,
    /// What was not proven.
    pub not_proven: Vec<String>,
    /// What only the drill of a Managed HSM has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsm: Option<Box<HsmDrilled>>,
}

/// How a drill's restore ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Came {
    /// How it ended.
    pub restore: Rehearsed,
    /// Why, unless it succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<Why>,
    /// How long the sample took, from the first restore to the last comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<Seconds>,
    /// How old what was restored was when the drill began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_seconds: Option<Seconds>,
    /// What a restore of the whole source would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Whole>,
    /// What it was judged against.
    #[serde(default, skip_serializing_if = "Targets::are_unset")]
    pub targets: Targets,
}

/// One object of the sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledObject {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// The run that took the backup.
    pub run: RunId,
    /// What came of it; `None` if it did not end in time.
    #[serde(flatten)]
    pub result: Option<StepResult>,
    /// How long it took, from its turn until it was compared; `None` where that was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<Seconds>,
}

/// What a listing shows of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillSummary {
    /// [`DRILL_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The drill.
    pub id: DrillId,
    /// Vault or Managed HSM.
    pub kind: SourceKind,
    /// The source.
    pub source: SourceName,
    /// The drill vault.
    pub target: SourceName,
    /// How many drills of the source there were before.
    pub number: u32,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// How the restore ended, what it took, and what it was judged against.
    #[serde(flatten)]
    pub came: Came,
    /// What came of the cleaning up.
    pub cleanup: CleanedUp,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclean: Option<Why>,
    /// How many objects were restored; 0 where the drill did not come so far.
    pub objects: u32,
    /// Whether another kept point than the newest was restored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub older: bool,
}

impl Drill {
    /// The record of a drill that has a verdict. `None` for one that has none.
    pub fn of(drill: &OpenDrill, cleanup: CleanedUp, now: OffsetDateTime) -> Option<Self> {
        let Verdict { restore, why, rto_seconds, rpo_seconds, whole, targets, .. } = drill.verdict.clone()?;
        let plan = drill.plan.as_ref();
        let object = |of: &super::Drilled| DrilledObject {
            kind: of.step.kind,
            name: of.step.name.clone(),
            run: of.step.run.clone(),
            result: of.result.clone(),
            rto_seconds: of.seconds,
        };
        let failed = cleanup == CleanedUp::Failed;
        Some(Self {
            v: DRILL_FORMAT,
            id: drill.id.clone(),
            kind: drill.kind,
            source: drill.source.clone(),
            target: drill.target.clone(),
            by: drill.by.clone(),
            number: drill.number,
            seed: drill.seed,
            started: drill.started,
            ended: now,
            came: Came { restore, why, rto_seconds, rpo_seconds, whole, targets },
            cleanup,
            unclean: drill.unclean.clone().filter(|_| failed),
            left: if failed { drill.names.clone() } else { Vec::new() },
            point: plan.map(|plan| plan.point.clone()),
            parts: drill.parts,
            objects: plan.map(|plan| plan.objects.iter().map(object).collect()).unwrap_or_default(),
            excluded: plan.map_or(0, |plan| plan.excluded),
            not_proven: NOT_PROVEN.map(str::to_owned).into(),
            hsm: None,
        })
    }

    /// The source.
    pub fn of_source(&self) -> SourceId {
        SourceId { kind: self.kind, name: self.source.clone() }
    }

    /// What a listing shows of it.
    pub fn summary(&self) -> DrillSummary {
        let short = |why: &Why| Why { text: cut(why.text.clone(), WHY_BYTES), ..why.clone() };
        DrillSummary {
            v: self.v,
            id: self.id.clone(),
            kind: self.kind,
            source: self.source.clone(),
            target: self.target.clone(),
            number: self.number,
            started: self.started,
            ended: self.ended,
            came: Came { why: self.came.why.iter().take(3).map(short).collect(), ..self.came.clone() },
            cleanup: self.cleanup,
            unclean: self.unclean.as_ref().map(short),
            objects: count(
                self.hsm.as_ref().and_then(|of| of.holds.as_ref()).map_or(self.objects.len(), Vec::len),
            ),
            older: self.point.as_ref().is_some_and(|point| point.at.is_some()),
        }
    }
}

impl DrillSummary {
    /// Whether it took place: something was restored.
    pub const fn took_place(&self) -> bool {
        match self.kind {
            SourceKind::Vault => self.objects > 0,
            // What an HSM holds is not known where its keys cannot be listed.
            SourceKind::Hsm => self.came.rto_seconds.is_some(),
        }
    }

    /// Whether it failed, or left something behind.
    pub fn is_bad(&self) -> bool {
        let is_bad = match self.came.restore {
            Rehearsed::Succeeded => false,
            Rehearsed::NotRestored => !self.came.why.is_empty(),
            Rehearsed::Failed | Rehearsed::TimedOut => true,
        };
        is_bad || self.cleanup == CleanedUp::Failed
    }

    /// What is wrong with it, in words.
    pub fn what_is_wrong(&self) -> String {
        let restore = self.came.why.first().map(|why| why.text.clone());
        let left = (self.cleanup == CleanedUp::Failed).then(|| {
            let why = self.unclean.as_ref().map(|why| format!(": {}", why.text)).unwrap_or_default();
            format!("what it restored may be left in vault {}{why}", self.target)
        });
        restore.into_iter().chain(left).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::{RECORD_LIMIT, record};

    /// A record of the first form, as it is stored. It stays readable.
    const FORM_1: &str = r#"{"v":1,"id":"20261206T061500Z-drill-0f3a9c41","kind":"vault","source":"kv-prod","target":"kv-prod-drill","by":{"via":"timer"},"number":3,"seed":"0f3a9c4100000000","started":"2026-12-06T06:15:00Z","ended":"2026-12-06T07:20:00Z","restore":"Failed","why":[{"code":"rto-missed","text":"a restore of the whole source would take 1.7 min, extrapolated; its target is 1.0 min"}],"rto_seconds":4.212,"rpo_seconds":15300.0,"whole":{"certificates":1,"keys":101,"secrets":7,"rto_seconds":100.3,"extrapolated":true},"targets":{"rto_seconds":60},"cleanup":"Failed","unclean":{"code":"Forbidden","text":"no right to purge"},"left":[{"kind":"secret","name":"db"}],"point":{"run":"20261206T020000Z-nightly","taken":"2026-12-06T02:00:00Z"},"parts":2,"objects":[{"kind":"key","name":"signing","run":"20261201T020000Z-nightly","result":"already-there"},{"kind":"secret","name":"db","run":"20261206T020000Z-nightly","result":"restored","rto_seconds":0.312}],"excluded":2,"not_proven":["values"]}"#;

    fn drill() -> Drill {
        serde_json::from_str(FORM_1).unwrap()
    }

    #[test]
    fn a_record_is_stored_as_ever() {
        assert_eq!(serde_json::to_string(&drill()).unwrap(), FORM_1);
        assert_eq!(
            drill().of_source(),
            SourceId { kind: SourceKind::Vault, name: "kv-prod".parse().unwrap() }
        );
    }

    #[test]
    fn a_summary_says_what_is_wrong_and_fits_into_metadata() {
        let drill = drill();
        let summary = drill.summary();
        assert_eq!(
            (summary.objects, summary.older, summary.took_place(), summary.is_bad()),
            (2, false, true, true)
        );
        let wrong = summary.what_is_wrong();
        assert!(
            wrong.contains(
                "its target is 1.0 min; what it restored may be left in vault kv-prod-drill: no right"
            ),
            "{wrong}"
        );
        let stored = record(&summary).unwrap();
        assert_eq!(serde_json::from_str::<DrillSummary>(&stored).unwrap(), summary);
        let long = Why::new("objects-failed", "ü".repeat(5000));
        let came = Came { why: vec![long.clone(); 9], ..drill.came.clone() };
        let longest = Drill { came, unclean: Some(long), ..drill }.summary();
        assert!(record(&longest).unwrap().len() <= RECORD_LIMIT);
    }

    #[test]
    fn a_drill_is_bad_for_its_restore_or_for_what_it_left() {
        for (restore, cleanup, bad) in [
            (Rehearsed::Succeeded, CleanedUp::Done, false),
            (Rehearsed::Succeeded, CleanedUp::Failed, true),
            (Rehearsed::Failed, CleanedUp::Done, true),
            (Rehearsed::TimedOut, CleanedUp::Done, true),
        ] {
            let drill = drill();
            let came = Came { restore, ..drill.came.clone() };
            let summary = Drill { came, cleanup, ..drill }.summary();
            assert_eq!(summary.is_bad(), bad, "{restore} {cleanup}");
            assert!(!DrillSummary { objects: 0, ..summary }.took_place());
        }
    }
}
