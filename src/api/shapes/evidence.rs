//! A report of evidence.

pub mod lists;
pub mod rows;

use serde::Serialize;
use utoipa::ToSchema;

use self::{
    lists::{
        EvidenceAcceptance, EvidenceDrop, EvidenceEvent, EvidenceFailure, EvidenceHead, EvidenceHold,
        EvidencePolicy,
    },
    rows::{EvidenceCoverage, EvidenceDay, EvidenceSource},
};
use crate::domain::evidence::{MAPPING, Mapped, NOT_SHOWN, Report, Section};

/// What the daily evidence records of a period say. Nothing else is in it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceReport {
    /// The first day of the period, in UTC.
    #[schema(example = "2026-11-01", format = Date)]
    from: String,
    /// The last day.
    #[schema(example = "2026-11-30", format = Date)]
    to: String,
    /// The sources that it is about; all if there are none.
    about: Vec<String>,
    /// How many days have a record.
    recorded: usize,
    /// The days without a record that can be read. Nothing is concluded about them.
    gaps: Vec<String>,
    /// How many failures, acceptances, events and sections of the trail the records count without naming them.
    unnamed: u32,
    /// Every source over the period.
    sources: Vec<EvidenceSource>,
    /// What failed.
    failures: Vec<EvidenceFailure>,
    /// Failures that were accepted.
    accepted: Vec<EvidenceAcceptance>,
    /// Decisions of people, approvals and restores, by the audit trail.
    events: Vec<EvidenceEvent>,
    /// The policies of retention.
    policies: Vec<EvidencePolicy>,
    /// The holds.
    holds: Vec<EvidenceHold>,
    /// What retention let go.
    let_go: Vec<EvidenceDrop>,
    /// Every day of the period.
    days: Vec<EvidenceDay>,
    /// Every source on every day with a record.
    coverage: Vec<EvidenceCoverage>,
    /// The newest record of each section of the audit trail.
    heads: Vec<EvidenceHead>,
    /// Where the report has something on a requirement. It does not claim that one is met.
    mapping: Vec<EvidenceMapping>,
    /// What the report does not show.
    not_shown: Vec<&'static str>,
}

/// Where a report has something on a requirement.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceMapping {
    /// The requirement.
    #[schema(example = "ISO/IEC 27001:2022, A.8.13")]
    requirement: &'static str,
    /// What it asks about.
    about: &'static str,
    /// The headings of the sections of the page.
    sections: Vec<&'static str>,
    /// What the report lacks for it.
    lacks: &'static str,
}

impl From<Mapped> for EvidenceMapping {
    fn from(of: Mapped) -> Self {
        let sections = of.sections.iter().copied().map(Section::title).collect();
        Self { requirement: of.requirement, about: of.about, sections, lacks: of.lacks }
    }
}

impl From<&Report> for EvidenceReport {
    fn from(of: &Report) -> Self {
        Self {
            from: of.from.to_string(),
            to: of.to.to_string(),
            about: of.wanted.iter().map(ToString::to_string).collect(),
            recorded: of.recorded(),
            gaps: of.gaps().map(|day| day.to_string()).collect(),
            unnamed: of.unnamed,
            sources: of.sources.iter().map(Into::into).collect(),
            failures: of.failures.iter().map(Into::into).collect(),
            accepted: of.accepted.iter().map(Into::into).collect(),
            events: of.events.iter().map(Into::into).collect(),
            policies: of.policies.iter().map(Into::into).collect(),
            holds: of.holds.iter().map(Into::into).collect(),
            let_go: of.drops.iter().map(Into::into).collect(),
            days: of.days.iter().map(Into::into).collect(),
            coverage: of.coverage.iter().map(Into::into).collect(),
            heads: of.heads.iter().map(Into::into).collect(),
            mapping: MAPPING.into_iter().map(Into::into).collect(),
            not_shown: NOT_SHOWN.to_vec(),
        }
    }
}

impl EvidenceReport {
    /// The report as a file. The same report gives the same bytes.
    ///
    /// # Errors
    /// If it cannot be JSON.
    pub fn text(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}
