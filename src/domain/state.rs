//! The state of a source: what its catalogue and its open jobs say, and what is wrong with it.
//!
//! The one model that everything reads that tells of a source: the API, the terminal and `preflight`. [`Trouble`] is
//! judged here and nowhere else; a source is well if it has none.

use time::{Duration, OffsetDateTime};

use super::{
    hsm::{Copies, HsmBackup, is_overdue},
    nothing::Points,
    second::{InSecond, SecondPass, is_late},
    source::{SourceId, SourceKind, SourceName},
    verification::Verified,
};

mod drilled;
mod history;
mod known;
mod trouble;

pub use self::{
    drilled::{DrilledAt, KnownDrills},
    history::{Ended, History, Night},
    known::{Known, Newest, Objects},
    trouble::{Trouble, TroubleKind},
};

/// When the last verification of a source began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifiedAt {
    /// At this time.
    At(OffsetDateTime),
    /// There was none that saw anything.
    Never,
    /// That cannot be read.
    Unknown,
}

impl VerifiedAt {
    /// The time, or the word for none.
    pub const fn time_or_word(self) -> Result<OffsetDateTime, &'static str> {
        match self {
            Self::At(at) => Ok(at),
            Self::Never => Err("never"),
            Self::Unknown => Err("unknown"),
        }
    }
}

/// The state of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceState {
    /// The source.
    pub source: SourceName,
    /// What it is.
    pub kind: SourceKind,
    /// When the newest backup that covers it began; for a Managed HSM, the time of the state that it holds.
    pub covered: Option<OffsetDateTime>,
    /// The range of times as of which it can be restored.
    pub points: Option<Points>,
    /// The numbers of its objects. A Managed HSM is backed up as a whole and has none.
    pub objects: Option<Objects>,
    /// When the last verification of it began; `None` if none has seen anything. What was stored later is not verified yet.
    pub verified: Option<OffsetDateTime>,
    /// Of a Managed HSM, the time of the state in the newest backup that has a write-once copy.
    pub copied: Option<OffsetDateTime>,
    /// Of a Managed HSM, when people last recorded that they checked its security domain.
    pub attested: Option<OffsetDateTime>,
    /// How many of its backups have not ended.
    pub running: usize,
    /// How many restores into it have not ended, among the newest restores.
    pub restoring: usize,
    /// What is known of it in the second place; `None` where no pass over one has ended.
    pub second: Option<InSecond>,
    /// Its drills, as far as they are known.
    pub drills: KnownDrills,
    /// How its runs ended.
    pub history: History,
    /// What is wrong with it, the most urgent first.
    pub troubles: Vec<Trouble>,
}

impl SourceState {
    /// The state of a vault. `known` is what its catalogue says, or why it cannot be read.
    pub fn of_vault(
        vault: &SourceName,
        known: Result<&Known, String>,
        running: usize,
        interval: Duration,
        now: OffsetDateTime,
    ) -> Self {
        let state = Self::of(vault, SourceKind::Vault, running);
        match known {
            Err(why) => Self { troubles: vec![Trouble::Unreadable(why)], ..state },
            Ok(known) => {
                let covered = known.newest.covered();
                let mut troubles = known.troubles();
                troubles.extend(age(covered, interval, now));
                let (points, verified, history) = (known.points, known.verified.at, known.history.clone());
                Self { covered, points, verified, objects: Some(known.objects), history, ..state }
                    .with(troubles)
            }
        }
    }

    /// The state of a Managed HSM. `good` is its newest backup that can be restored, `last` the last one that has
    /// ended.
    pub fn of_hsm(
        hsm: &SourceName,
        (good, last): (Option<&HsmBackup>, Option<&HsmBackup>),
        running: usize,
        points: Option<Points>,
        verified: &Verified,
        (interval, now): (Duration, OffsetDateTime),
    ) -> Self {
        let covered = good.map(HsmBackup::taken);
        let failed = last.filter(|last| !last.is_good()).map(|last| Trouble::LastFailed(last.run.clone()));
        let is_damaged = good.is_some_and(|good| verified.suspects.has_folder_of(&good.run));
        let damaged = is_damaged.then_some(Trouble::Damaged { objects: 1 });
        let unreadable = verified.unreadable.clone().map(Trouble::VerificationUnreadable);
        let troubles = age(covered, interval, now).into_iter().chain(damaged).chain(unreadable).chain(failed);
        let troubles = troubles.collect();
        Self { covered, points, verified: verified.at, ..Self::of(hsm, SourceKind::Hsm, running) }
            .with(troubles)
    }

    /// The state of a Managed HSM with what is known of its copies. Only a keeper makes them: without a sign of one it is not known
    /// whether there should be any.
    #[must_use]
    pub fn with_copies(self, copies: Copies) -> Self {
        let has_keeper = copies.newest.is_some() || self.verified() != VerifiedAt::Never;
        let missing = copies.missing.filter(|_| has_keeper).map(Trouble::CopyMissing);
        let troubles = self.troubles.iter().cloned().chain(missing).collect();
        Self { copied: copies.newest, ..self }.with(troubles)
    }

    /// The state of a Managed HSM with what people recorded of its security domain. Where they never recorded anything, nobody is
    /// waited for: that is no trouble, and told as `never`.
    #[must_use]
    pub fn with_attestation(self, attested: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        let unchecked = attested.filter(|at| is_overdue(*at, now)).map(Trouble::SecurityDomainUnchecked);
        let troubles = self.troubles.iter().cloned().chain(unchecked).collect();
        Self { attested, ..self }.with(troubles)
    }

    fn of(source: &SourceName, kind: SourceKind, running: usize) -> Self {
        Self {
            source: source.clone(),
            kind,
            covered: None,
            points: None,
            objects: None,
            verified: None,
            copied: None,
            attested: None,
            running,
            restoring: 0,
            second: None,
            drills: KnownDrills::default(),
            history: History::default(),
            troubles: Vec::new(),
        }
    }

    fn with(self, mut troubles: Vec<Trouble>) -> Self {
        troubles.sort();
        Self { troubles, ..self }
    }

    /// The state with what the newest pass over the second place says. `newest` is the newest point in the first.
    #[must_use]
    pub fn with_second(
        self,
        pass: Option<&SecondPass>,
        newest: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Self {
        let second = pass.map(|pass| pass.seen(self.kind, &self.source, newest, now));
        let since = second.and_then(|of| of.behind_since).filter(|since| is_late(*since, now));
        let troubles = self.troubles.iter().cloned().chain(since.map(Trouble::SecondLate)).collect();
        Self { second, ..self }.with(troubles)
    }

    /// The state with what is known of its drills.
    #[must_use]
    pub fn with_drills(self, drills: KnownDrills, now: OffsetDateTime) -> Self {
        // Of a source that no backup covers there is nothing to drill.
        let wrong = if self.covered.is_some() { drills.troubles(now) } else { Vec::new() };
        let troubles = self.troubles.iter().cloned().chain(wrong).collect();
        Self { drills, ..self }.with(troubles)
    }

    /// When the last verification of it began, as far as that is known.
    pub fn verified(&self) -> VerifiedAt {
        let hides = |of: &Trouble| matches!(of, Trouble::Unreadable(_) | Trouble::VerificationUnreadable(_));
        match self.verified {
            Some(at) => VerifiedAt::At(at),
            None if self.troubles.iter().any(hides) => VerifiedAt::Unknown,
            None => VerifiedAt::Never,
        }
    }

    /// The source.
    pub fn id(&self) -> SourceId {
        SourceId { kind: self.kind, name: self.source.clone() }
    }

    /// Whether it is a Managed HSM.
    pub fn is_hsm(&self) -> bool {
        self.kind == SourceKind::Hsm
    }

    /// Whether nothing is wrong with it.
    pub fn is_ok(&self) -> bool {
        self.troubles.is_empty()
    }

    /// Whether its catalogue could be read.
    pub fn is_readable(&self) -> bool {
        !self.troubles.iter().any(|trouble| matches!(trouble, Trouble::Unreadable(_)))
    }

    /// Whether no recent backup is known to cover it.
    pub fn is_overdue(&self) -> bool {
        self.troubles.iter().any(Trouble::is_overdue)
    }
}

fn age(covered: Option<OffsetDateTime>, interval: Duration, now: OffsetDateTime) -> Option<Trouble> {
    match covered {
        None => Some(Trouble::NeverBackedUp),
        Some(since) if now - since > interval => Some(Trouble::Overdue { since, interval }),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
