//! Runs in full.

use serde::Serialize;
use utoipa::ToSchema;

use super::ObjectItem;
use crate::{
    api::shapes::{
        actor::By,
        run::{LateKind, RunItem, UnlistedKind},
    },
    domain::{
        manifest::{Line, ObjectStatus, Summary},
        object::ObjectId,
        observed_location::Hint,
        outcome::Failure,
        plan::PlanHeader,
        run::RunId,
    },
};

/// A run in one source, in full: as `RunInSource`, with every status of an object.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// The run, as lists show it.
    #[serde(flatten)]
    item: RunItem,
    /// The actor that requested it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    /// Objects that have a backup as of this run.
    protected: u32,
    /// Kinds that could not be listed.
    unlisted: Vec<UnlistedKind>,
    /// Kinds that could be listed only while the run was under way: their objects were planned later.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listed_late: Vec<LateKind>,
    /// Why everything was due although nothing showed a change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<DueBecause>,
    /// The objects that need attention, or, with `--all`, every object.
    objects: Vec<ObjectItem>,
}

/// Why everything was due.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DueBecause {
    /// The vault answers from another region.
    Region,
    /// Newer backups are wrapped by another key of the service.
    WrappingKey,
}

impl From<Hint> for DueBecause {
    fn from(hint: Hint) -> Self {
        match hint {
            Hint::Region => Self::Region,
            Hint::WrappingKey => Self::WrappingKey,
        }
    }
}

impl RunReport {
    /// A run that has ended, with some of its objects.
    pub fn new<'a>(
        header: &PlanHeader,
        summary: &Summary,
        lines: impl IntoIterator<Item = &'a Line>,
    ) -> Self {
        Self {
            item: RunItem::closed(&header.vault, summary),
            by: header.by.as_ref().map(Into::into),
            protected: summary.protected,
            unlisted: header.unlisted.iter().map(Into::into).collect(),
            listed_late: header.listed_late.iter().map(Into::into).collect(),
            hints: header.hints.iter().copied().map(Into::into).collect(),
            objects: lines.into_iter().map(|line| ObjectItem::in_run(header, line)).collect(),
        }
    }

    /// The same, copied into the second place without so many of its backups.
    #[must_use]
    pub fn copied_without(mut self, backups: Option<u32>) -> Self {
        self.item.copied_without = backups;
        self
    }

    /// A run that a terminal has just carried out, with the objects that failed.
    pub fn of_failures(header: &PlanHeader, summary: &Summary, failures: &[(ObjectId, Failure)]) -> Self {
        let line = |(id, failure): &(ObjectId, Failure)| Line {
            failure: Some(failure.clone()),
            ..Line::new(id.clone(), ObjectStatus::Failed, None)
        };
        let lines: Vec<_> = failures.iter().map(line).collect();
        Self::new(header, summary, &lines)
    }
}

/// The manifests of a vault, checked against its blobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rebuilt {
    /// The vault.
    #[schema(example = "kv-prod")]
    pub source: String,
    /// Its runs.
    pub runs: Vec<CheckedManifest>,
}

/// The manifest of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckedManifest {
    /// The run.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// Whether nothing is wrong with it.
    sound: bool,
    /// What was found, and what was done.
    #[schema(example = "sound")]
    manifest: &'static str,
}

impl CheckedManifest {
    /// A manifest, and what was found.
    pub fn new(run: &RunId, sound: bool, manifest: &'static str) -> Self {
        Self { run: run.to_string(), sound, manifest }
    }
}
