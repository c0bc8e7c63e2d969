//! What `verify` found.

use std::path::Path;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    api::shapes::object::{Clear, Form, Kind},
    domain::{
        digest::Digest,
        form,
        object::ObjectKind,
        source::{SourceId, SourceKind},
        verification::{Counts, Finding, Soundness, Verification},
    },
    verification::first::FirstVersion,
};

/// What a verification from a terminal found.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyReport {
    /// Each source that was to be verified.
    pub sources: Vec<VerifiedSource>,
}

/// What was found of one source.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifiedSource {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// `vault` or `hsm`.
    #[schema(pattern = "^(vault|hsm)$")]
    kind: &'static str,
    /// What can be said of it.
    state: VerifiedState,
    /// Why nothing was verified. Absent if something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The numbers. Absent if the source could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<VerifiedCounts>,
    /// What is wrong.
    findings: Vec<VerifyFinding>,
}

fn kind(of: SourceKind) -> &'static str {
    match of {
        SourceKind::Vault => "vault",
        SourceKind::Hsm => "hsm",
    }
}

/// What can be said of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum VerifiedState {
    /// Everything that was looked at is as it was stored.
    Sound,
    /// Something is wrong.
    Findings,
    /// Nothing is wrong with what was looked at, and something could not be looked at.
    Incomplete,
    /// Nothing was verified.
    NotVerified,
}

impl From<Soundness> for VerifiedState {
    fn from(of: Soundness) -> Self {
        match of {
            Soundness::Sound => Self::Sound,
            Soundness::Wrong => Self::Findings,
            Soundness::Incomplete => Self::Incomplete,
            Soundness::Nothing(_) => Self::NotVerified,
        }
    }
}

/// The numbers of a verification.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifiedCounts {
    /// Backups that the newest index names; of an HSM, the backups that are kept.
    named: u32,
    /// How many of them are not there, or of another size.
    missing: u32,
    /// Backups that storage has; of an HSM, the blobs in the folders of its backups.
    stored: u32,
    /// Backups that were read whole.
    read: u32,
    /// Their size.
    bytes: u64,
    /// Manifests that were compared with their plans and backups.
    manifests: u32,
    /// Backups that no manifest names.
    strays: u32,
    /// Backups and records that could not be verified.
    unverified: u32,
}

impl From<&Counts> for VerifiedCounts {
    fn from(of: &Counts) -> Self {
        Self {
            named: of.named,
            missing: of.missing,
            stored: of.stored,
            read: of.read,
            bytes: of.bytes,
            manifests: of.manifests,
            strays: of.strays,
            unverified: of.unverified,
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyFinding {
    /// What is wrong: `missing`, `damaged`, `differs`, `rewritten`, `deleted`, `catalogue` or `folder`.
    #[schema(example = "damaged")]
    fault: &'static str,
    /// The blob, or the folder of an HSM's backup.
    blob: String,
    /// The run that left it.
    run: String,
    /// The kind of the object whose backup it is, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    /// The object's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whether it is the newest backup of its object, or of the HSM.
    newest: bool,
    /// What was seen.
    text: String,
    /// When a verification that was recorded first found it; otherwise the time of this one.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// What was stored first. Only with `--first-version`, and only of a backup that was written again or deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_version: Option<FirstVersionFound>,
}

/// What was stored first.
#[derive(Debug, Serialize, ToSchema)]
pub struct FirstVersionFound {
    /// Whether it is whole.
    whole: bool,
    /// What is wrong with it, or why that cannot be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl From<&FirstVersion> for FirstVersionFound {
    fn from(of: &FirstVersion) -> Self {
        match of {
            FirstVersion::Whole => Self { whole: true, text: None },
            FirstVersion::NotWhole(text) => Self { whole: false, text: Some(text.clone()) },
        }
    }
}

impl VerifyFinding {
    fn new(of: &Finding, first: Option<&FirstVersion>) -> Self {
        Self {
            fault: of.fault.name(),
            blob: of.blob.clone(),
            run: of.run.to_string(),
            kind: of.kind.map(Into::into),
            name: of.name.as_ref().map(ToString::to_string),
            newest: of.newest,
            text: of.text.clone(),
            since: of.since,
            first_version: first.map(Into::into),
        }
    }
}

impl VerifiedSource {
    /// What a pass found. `first` has what was stored first of each finding, as far as that was asked for.
    pub fn new(of: &Verification, first: &[Option<FirstVersion>]) -> Self {
        let soundness = of.soundness();
        let first = |at: usize| first.get(at).and_then(Option::as_ref);
        let findings = of.findings.iter().enumerate();
        Self {
            source: of.source.to_string(),
            kind: kind(of.kind),
            state: soundness.into(),
            why: match soundness {
                Soundness::Nothing(why) => Some(why.text().to_owned()),
                _ => None,
            },
            counts: Some((&of.counts).into()),
            findings: findings.map(|(at, finding)| VerifyFinding::new(finding, first(at))).collect(),
        }
    }

    /// A source that could not be looked at, and why.
    pub fn not_verified(of: &SourceId, why: &str) -> Self {
        Self {
            source: of.name.to_string(),
            kind: kind(of.kind),
            state: VerifiedState::NotVerified,
            why: Some(why.to_owned()),
            counts: None,
            findings: Vec::new(),
        }
    }
}

/// What can be said of a backup in a file without a service.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileVerified {
    /// The file.
    #[schema(example = "kv-prod-db-password-20261122T101112Z")]
    file: String,
    /// Its size.
    bytes: u64,
    /// The SHA-256 of the file.
    sha256: String,
    /// The kinds of which it may be a backup. Empty if it is no whole backup of any.
    kinds: Vec<Kind>,
    /// Whether its form is known. Absent if it is no whole backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<Form>,
    /// The part that is not secret, for a backup of an unknown form.
    #[serde(skip_serializing_if = "Option::is_none")]
    clear: Option<Clear>,
    /// Why it is no whole backup. Absent if it may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

impl FileVerified {
    /// A file that may be a backup of these kinds. `unknown` is what may be shown of it if its form is not known.
    pub fn new(
        file: &Path,
        bytes: u64,
        sha256: &Digest,
        kinds: &[ObjectKind],
        unknown: Option<&form::Clear>,
    ) -> Self {
        Self {
            file: file.display().to_string(),
            bytes,
            sha256: sha256.to_string(),
            kinds: kinds.iter().copied().map(Into::into).collect(),
            form: Some(Form::of(unknown)),
            clear: unknown.map(Into::into),
            fault: None,
        }
    }

    /// The file as no whole backup, and why.
    #[must_use]
    pub fn broken(self, fault: &str) -> Self {
        Self { kinds: Vec::new(), form: None, clear: None, fault: Some(fault.to_owned()), ..self }
    }
}
