//! What is kept and what may go.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::object::Kind;
use crate::{
    catalogue,
    domain::{retention::Verdict, source::SourceId},
    error::Result,
    retention::{self, SourcePlan},
};

/// The plan of retention: a verdict on every recovery point, with its reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionPlan {
    /// Every source, with its points.
    pub sources: Vec<SourceRetention>,
    /// The sources whose plan cannot be made. They keep everything.
    pub errors: Vec<RetentionError>,
}

/// The plan of retention of one source.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceRetention {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// `vault` or `hsm`.
    #[schema(example = "vault", pattern = "^(vault|hsm)$")]
    kind: String,
    /// The policy.
    #[schema(example = "within=35 days=0 weeks=0 months=12 years=0 gone=400")]
    policy: String,
    /// Why the source keeps everything, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    keeps_everything: Option<String>,
    /// How many points are kept.
    kept: usize,
    /// How many points may go.
    dropped: usize,
    /// The bytes that go with them.
    frees: u64,
    /// How many points would go if a person consented, where they are more than half.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = usize, required = false)]
    needs_consent: Option<usize>,
    /// Runs whose points were let go and are not deleted yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pending: Vec<String>,
    /// The backups that no point names, if they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    strays: Option<Strays>,
    /// In the second place, objects that people forgot in the first one and of which backups are there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    forgotten: Vec<ForgottenThere>,
    /// The points, newest first.
    points: Vec<PointRetention>,
}

/// Backups that no recovery point names: of open runs, and of runs that ended without a manifest. They stay.
#[derive(Debug, Serialize, ToSchema)]
pub struct Strays {
    /// How many there are.
    backups: u64,
    /// Their size.
    bytes: u64,
}

impl From<catalogue::Strays> for Strays {
    fn from(of: catalogue::Strays) -> Self {
        Self { backups: of.backups, bytes: of.bytes }
    }
}

/// A forgotten object of which the second place has backups.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForgottenThere {
    /// Its kind.
    kind: Kind,
    /// Its name.
    name: String,
    /// How many backups.
    backups: usize,
    /// Their size.
    bytes: u64,
    /// Why they stay. Absent if they go with the next `retention apply --second`.
    #[serde(skip_serializing_if = "Option::is_none")]
    stays: Option<String>,
}

impl From<&retention::ForgottenLeft> for ForgottenThere {
    fn from(of: &retention::ForgottenLeft) -> Self {
        Self {
            kind: of.object.kind.into(),
            name: of.object.name.to_string(),
            backups: of.backups,
            bytes: of.bytes,
            stays: of.stays.as_ref().map(ToString::to_string),
        }
    }
}

/// The verdict on one recovery point.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointRetention {
    /// The run that left it.
    #[schema(example = "20261122T020000Z-nightly")]
    pub run: String,
    /// Its time by its own record.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// Its time by storage.
    #[serde(with = "time::serde::rfc3339")]
    pub stored: OffsetDateTime,
    /// `keep` or `drop`.
    #[schema(example = "keep", pattern = "^(keep|drop)$")]
    pub verdict: &'static str,
    /// The stable name of the reason.
    #[schema(example = "within")]
    pub code: &'static str,
    /// The reason in words.
    #[schema(example = "within 35 days")]
    pub reason: String,
    /// The bytes that go with it.
    pub frees: u64,
}

/// A source whose plan cannot be made.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionError {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// Why.
    error: String,
}

impl RetentionPlan {
    /// The plans, and the sources whose plan cannot be made.
    pub fn new<'a>(plans: impl IntoIterator<Item = &'a (SourceId, Result<SourcePlan>)>) -> Self {
        let (mut sources, mut errors) = (Vec::new(), Vec::new());
        for (of, plan) in plans {
            match plan {
                Ok(plan) => sources.push(plan.into()),
                Err(error) => {
                    errors.push(RetentionError { source: of.name.to_string(), error: error.to_string() });
                }
            }
        }
        Self { sources, errors }
    }
}

impl From<&SourcePlan> for SourceRetention {
    fn from(plan: &SourcePlan) -> Self {
        let points: Vec<PointRetention> = plan.points.iter().map(Into::into).collect();
        let dropped = plan.drops().count();
        Self {
            source: plan.source.name.to_string(),
            kind: plan.source.kind.to_string().to_ascii_lowercase(),
            policy: plan.policy.to_string(),
            keeps_everything: plan.standstill.as_ref().map(ToString::to_string),
            kept: points.len() - dropped,
            dropped,
            frees: plan.frees(),
            needs_consent: plan.needs_consent,
            pending: plan.pending.iter().map(ToString::to_string).collect(),
            strays: plan.strays.map(Into::into),
            forgotten: plan.forgotten.iter().map(Into::into).collect(),
            points,
        }
    }
}

impl From<&retention::Planned> for PointRetention {
    fn from(planned: &retention::Planned) -> Self {
        let (verdict, code, reason) = match &planned.verdict {
            Verdict::Keep(reason) => ("keep", reason.code(), reason.to_string()),
            Verdict::Drop(why) => ("drop", why.code(), why.to_string()),
        };
        Self {
            run: planned.point.run.to_string(),
            time: planned.point.named,
            stored: planned.point.stored,
            verdict,
            code,
            reason,
            frees: planned.frees,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        domain::{
            retention::{Candidate, Dropped, PointKind, Policy, Reason, Standstill},
            run::RunId,
            samples::NIGHT,
            source::SourceKind,
        },
        error::Error,
    };

    #[test]
    fn a_plan_counts_what_goes_and_names_the_sources_that_have_none() {
        let of = |kind, name: &str| SourceId { kind, name: name.parse().unwrap() };
        let planned = |days, verdict, frees| {
            let named = NIGHT - time::Duration::days(days);
            let run = RunId::nightly(named);
            let stored = named + time::Duration::HOUR;
            let point = Candidate { run, named, stored, kind: PointKind::Partial };
            retention::Planned { point, verdict, frees }
        };
        let plan = SourcePlan {
            source: of(SourceKind::Hsm, "hsm-a"),
            policy: Policy::default(),
            standstill: Some(Standstill::NeverCovered),
            points: vec![
                planned(0, Verdict::Keep(Reason::Newest), 5),
                planned(40, Verdict::Drop(Dropped::Expired { within: 35 }), 20),
                planned(50, Verdict::Drop(Dropped::FoldedIn), 300),
            ],
            needs_consent: Some(2),
            pending: vec![RunId::nightly(NIGHT - time::Duration::days(60))],
            strays: Some(catalogue::Strays { backups: 3, bytes: 4 }),
            forgotten: Vec::new(),
        };
        let plans = [
            (of(SourceKind::Hsm, "hsm-a"), Ok(plan)),
            (of(SourceKind::Vault, "kv-a"), Err(Error::Refused("no policy".into()))),
        ];
        let shown = serde_json::to_value(RetentionPlan::new(&plans)).unwrap();
        assert_eq!(shown["errors"], json!([{ "source": "kv-a", "error": "no policy" }]));
        let mut source = shown["sources"][0].clone();
        let points = source["points"].take();
        assert_eq!(
            source,
            json!({
                "source": "hsm-a", "kind": "hsm", "policy": Policy::default().to_string(),
                "keepsEverything": "no run has covered the source", "kept": 1, "dropped": 2, "frees": 320,
                "needsConsent": 2, "pending": ["20260923T020000Z-nightly"],
                "strays": { "backups": 3, "bytes": 4 }, "points": null,
            })
        );
        let verdicts: Vec<_> =
            points.as_array().unwrap().iter().map(|of| (&of["verdict"], &of["code"])).collect();
        assert_eq!(json!(verdicts), json!([["keep", "newest"], ["drop", "expired"], ["drop", "folded-in"]]));
        assert_eq!(
            (&points[1]["time"], &points[1]["stored"]),
            (&json!("2026-10-13T02:00:00Z"), &json!("2026-10-13T03:00:00Z"))
        );
    }
}
