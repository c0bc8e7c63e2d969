//! What a pass says of its source.

use super::{Choice, Counts, Verification};
use crate::domain::source::SourceKind;

/// What a pass over a source says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// Everything that was looked at is as it was stored.
    Sound,
    /// Something is wrong.
    Wrong,
    /// Nothing is wrong with what was looked at, and something could not be looked at.
    Incomplete,
    /// Nothing was verified, so nothing can be said.
    Nothing(WhyNothing),
}

/// Why nothing was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNothing {
    /// No index names a backup.
    NoBackup,
    /// The sample has none of the backups.
    EmptySample,
    /// The folders of the HSM's backups cannot be seen.
    NotSeen,
}

impl WhyNothing {
    /// The reason in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoBackup => "no index names a backup of it",
            Self::EmptySample => {
                "it has so few backups that the sample took none of them: take a larger one, or all"
            }
            Self::NotSeen => {
                "the folders of its backups cannot be seen: this identity may not read the container of HSMs"
            }
        }
    }
}

impl Counts {
    /// Why a pass with these numbers verified nothing; `None` if it saw something. An empty set gives no verdict, and no more
    /// does what could not be looked at.
    pub fn why_nothing(&self, kind: SourceKind) -> Option<WhyNothing> {
        match kind {
            _ if self.named == 0 => Some(WhyNothing::NoBackup),
            SourceKind::Hsm if self.unverified >= self.named => Some(WhyNothing::NotSeen),
            SourceKind::Vault | SourceKind::Hsm => None,
        }
    }
}

impl Verification {
    /// What the pass says of its source. An empty set gives no verdict.
    pub fn soundness(&self) -> Soundness {
        let counts = &self.counts;
        if !self.findings.is_empty() {
            return Soundness::Wrong;
        }
        if let Some(why) = counts.why_nothing(self.kind) {
            return Soundness::Nothing(why);
        }
        match (self.kind, self.choice) {
            (SourceKind::Vault, Choice::Sample { .. }) if counts.read == 0 && counts.unverified == 0 => {
                Soundness::Nothing(WhyNothing::EmptySample)
            }
            _ if counts.unverified > 0 => Soundness::Incomplete,
            _ => Soundness::Sound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        run::RunId,
        samples::NIGHT,
        verification::{Counts, Fault, Finding, VERIFICATION_FORMAT},
    };

    const SAMPLE: Choice = Choice::Sample { of_10_000: 500, seed: 1 };

    #[test]
    fn an_empty_set_gives_no_verdict_and_what_was_not_seen_is_not_sound() {
        use SourceKind::{Hsm, Vault};
        let nothing = Soundness::Nothing;
        // Named, read, not verified, findings.
        for (kind, choice, [named, read, unverified, findings], expected) in [
            (Vault, Choice::All, [4, 4, 0, 0], Soundness::Sound),
            (Vault, Choice::All, [4, 4, 0, 1], Soundness::Wrong),
            (Vault, Choice::All, [4, 3, 1, 0], Soundness::Incomplete),
            (Vault, Choice::All, [4, 0, 0, 0], Soundness::Sound),
            (Vault, Choice::All, [0, 0, 0, 0], nothing(WhyNothing::NoBackup)),
            // The index cannot be read.
            (Vault, Choice::All, [0, 0, 0, 1], Soundness::Wrong),
            (Vault, SAMPLE, [4, 1, 0, 0], Soundness::Sound),
            (Vault, SAMPLE, [4, 0, 0, 0], nothing(WhyNothing::EmptySample)),
            (Vault, SAMPLE, [4, 0, 1, 0], Soundness::Incomplete),
            (Hsm, SAMPLE, [4, 0, 0, 0], Soundness::Sound),
            (Hsm, Choice::All, [4, 0, 3, 0], Soundness::Incomplete),
            (Hsm, Choice::All, [4, 0, 4, 0], nothing(WhyNothing::NotSeen)),
            (Hsm, Choice::All, [0, 0, 0, 0], nothing(WhyNothing::NoBackup)),
        ] {
            let finding = Finding {
                fault: Fault::Damaged,
                blob: "b".to_owned(),
                run: RunId::nightly(NIGHT),
                kind: None,
                name: None,
                newest: false,
                text: String::new(),
                since: NIGHT,
            };
            let of = Verification {
                v: VERIFICATION_FORMAT,
                kind,
                source: "kv-a".parse().unwrap(),
                started: NIGHT,
                ended: NIGHT,
                choice,
                counts: Counts { named, read, unverified, ..Counts::default() },
                findings: std::iter::repeat_n(finding, findings as usize).collect(),
            };
            assert_eq!(of.soundness(), expected, "{kind} {:?} {:?}", of.choice, of.counts);
        }
    }
}
