//! The status of each Managed HSM.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{OrNever, Reach, Success, Trouble, VerifiedAt};
use crate::{
    api::shapes::{
        drill::{DrillItem, DrilledAt},
        restore::HsmRestore,
        run::RunItem,
    },
    domain::hsm::{Attestation, HsmCopy, HsmJob},
    query::hsms::{HsmState, Run},
};

/// The status of a Managed HSM.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HsmStatus {
    /// The HSM.
    #[schema(example = "hsm-prod")]
    source: String,
    /// The same as `source`, which replaces it.
    #[schema(deprecated, example = "hsm-prod")]
    hsm: String,
    /// Whether it is not overdue, and its last backup ended well.
    ok: bool,
    /// Whether its newest good backup is older than expected, or there is none.
    overdue: bool,
    /// Why it is not well, the most urgent first.
    troubles: Vec<Trouble>,
    /// When the last verification of the folders of its backups began: a time, or `never`.
    #[schema(value_type = String, example = "2026-11-22T05:30:00Z")]
    verified: VerifiedAt,
    /// The range of times as of which it can be restored.
    #[serde(flatten)]
    reach: Reach,
    /// The newest backup that can be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_success: Option<Success>,
    /// What became of the write-once copy of that backup. Absent as long as nothing has.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<CopyOfBackup>,
    /// The time of the state in the newest backup that has a write-once copy.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    newest_copied: Option<OffsetDateTime>,
    /// When people last recorded that they checked its security domain: a time, or `never`.
    #[schema(value_type = String, example = "2026-11-02T09:00:00Z")]
    attested: OrNever,
    /// What they recorded. Absent as long as there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    security_domain: Option<SecurityDomain>,
    /// Since when the second place lacks newer copies of its backups. Absent where it has all, and without a second place.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    second_place_behind_since: Option<OffsetDateTime>,
    /// When the newest drill of it began that took place: a time, `never`, or `unknown` if that cannot be read. Without a drill HSM it is
    /// `never`.
    #[schema(value_type = String, example = "2026-11-02T09:00:00Z")]
    drill: DrilledAt,
    /// What the newest drill of it came to. Absent where there was none, and without a drill HSM.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_drill: Option<DrillItem>,
    /// The newest ended backup, good or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunItem>,
    /// Backups that have not ended.
    running: Vec<RunItem>,
    /// The restore that is under way. During a restore of everything the HSM answers no other requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<HsmRestore>,
}

/// That people checked an HSM's security domain.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecurityDomain {
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// How many of how many keys are needed.
    #[schema(example = "2/3")]
    quorum: String,
    /// The people who checked, as they were named at the terminal.
    people: Vec<String>,
}

impl From<&Attestation> for SecurityDomain {
    fn from(of: &Attestation) -> Self {
        let people = of.people.iter().map(ToString::to_string).collect();
        Self { at: of.at, quorum: of.quorum.to_string(), people }
    }
}

/// What became of the write-once copy of a backup.
#[derive(Debug, Serialize, ToSchema)]
pub struct CopyOfBackup {
    /// `copied`, or `not-copied` if it can have none.
    #[schema(example = "copied", pattern = "^(copied|not-copied)$")]
    state: &'static str,
    /// When this was recorded.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Why it can have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl From<&HsmCopy> for CopyOfBackup {
    fn from(of: &HsmCopy) -> Self {
        let state = if of.is_copied() { "copied" } else { "not-copied" };
        Self { state, at: of.at, why: of.why_not() }
    }
}

impl HsmStatus {
    /// The status of an HSM at `now`.
    pub fn new(
        HsmState { state, good, last, copies, attestation, open }: HsmState,
        now: OffsetDateTime,
    ) -> Self {
        let of_good = |copy: &&HsmCopy| good.as_ref().is_some_and(|good| good.run == copy.run);
        let copy = copies.iter().find(of_good).map(Into::into);
        let (backups, restores): (Vec<_>, Vec<_>) = open.into_iter().partition(HsmJob::is_backup);
        Self {
            source: state.source.to_string(),
            hsm: state.source.to_string(),
            ok: state.is_ok(),
            overdue: state.is_overdue(),
            troubles: state.troubles.iter().map(Into::into).collect(),
            verified: VerifiedAt(state.verified()),
            reach: state.points.into(),
            newest_success: good.map(|good| Success::at(good.run.to_string(), good.taken(), now)),
            copy,
            newest_copied: state.copied,
            attested: OrNever(state.attested),
            security_domain: attestation.as_ref().map(Into::into),
            second_place_behind_since: state.second.and_then(|of| of.behind_since),
            drill: DrilledAt(state.drills.at()),
            last_drill: state.drills.last.as_deref().map(Into::into),
            last_run: last.as_ref().map(Into::into),
            running: backups.into_iter().map(|job| (&Run::Open(Box::new(job))).into()).collect(),
            restore: restores.first().map(Into::into),
        }
    }
}
