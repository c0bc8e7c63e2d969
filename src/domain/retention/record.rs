//! The record of a point that is let go. It is written before anything is deleted.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Candidate, Dropped, Policy};
use crate::domain::{
    actor::Actor,
    run::RunId,
    source::{SourceId, SourceKind, SourceName},
};

/// The version of the stored form that this program writes.
pub const DROP_FORMAT: u32 = 1;

/// How long a point that is let go stays in storage before anything of it is deleted: longer than a restore may be
/// open that was planned from it, which the keeper cannot see.
pub const fn pause(kind: SourceKind) -> time::Duration {
    match kind {
        SourceKind::Vault => time::Duration::hours(48),
        SourceKind::Hsm => time::Duration::days(7),
    }
}

/// What is recorded of a point that is let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// [`DROP_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The source.
    pub source: SourceName,
    /// What the source is.
    pub kind: SourceKind,
    /// The run that left the point.
    pub run: RunId,
    /// The point's time by its own record.
    #[serde(with = "time::serde::rfc3339")]
    pub named: OffsetDateTime,
    /// The point's time by storage.
    #[serde(with = "time::serde::rfc3339")]
    pub stored: OffsetDateTime,
    /// Why it may go: the stable name of the reason.
    pub code: String,
    /// Why it may go, in words.
    pub why: String,
    /// The policy in force.
    pub policy: String,
    /// The actor.
    pub by: Actor,
    /// When this was decided.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Drop {
    /// The record of a point that is let go now.
    pub fn new(
        source: &SourceId,
        point: &Candidate,
        (why, policy): (&Dropped, &Policy),
        by: &Actor,
        at: OffsetDateTime,
    ) -> Self {
        Self {
            v: DROP_FORMAT,
            source: source.name.clone(),
            kind: source.kind,
            run: point.run.clone(),
            named: point.named,
            stored: point.stored,
            code: why.code().to_owned(),
            why: why.to_string(),
            policy: policy.to_string(),
            by: by.clone(),
            at,
        }
    }

    /// Until when nothing of the point is deleted: by the later of two clocks. `stored` is when storage wrote the
    /// record.
    pub fn pause_ends(&self, stored: Option<OffsetDateTime>) -> OffsetDateTime {
        stored.map_or(self.at, |stored| stored.max(self.at)) + pause(self.kind)
    }
}

/// The container of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Store {
    /// The container of the catalogue.
    Backups,
    /// The container into which HSMs are backed up.
    HsmBackups,
}

/// A version of a blob that goes with a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedBlob {
    /// The container.
    pub store: Store,
    /// The blob's name.
    pub name: String,
    /// The version; absent on an account without versioning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The tag of its state.
    pub etag: String,
    /// Its size.
    pub bytes: u64,
    /// The run of the newer backup that takes its place, if it is a backup of an object that still exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<RunId>,
}

/// What happened to a point, in the order in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Mark {
    /// It was let go: it is no longer offered, and nothing of it is deleted yet.
    Dropped,
    /// It is offered again, because something of it may not go after all.
    Reinstated,
    /// Its blobs are being deleted.
    Sweeping,
    /// Everything that may go with it is deleted.
    Swept,
}

impl Mark {
    /// Whether a point whose newest mark this is must not be offered.
    pub const fn hides(self) -> bool {
        !matches!(self, Self::Reinstated)
    }

    /// Whether there is something left to do.
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Dropped | Self::Sweeping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{hsm, samples::NIGHT};

    #[test]
    fn the_pause_is_longer_than_a_restore_may_be_open() {
        let hsm = hsm::WAITS_FOR + crate::domain::job::OPEN_FOR + hsm::RUNS_FOR * 2;
        assert!(pause(SourceKind::Hsm) > hsm, "{hsm}");
        assert!(pause(SourceKind::Vault) >= time::Duration::hours(48));
    }

    #[test]
    fn the_pause_ends_by_the_later_of_two_clocks() {
        let hour = time::Duration::HOUR;
        let source = |kind| SourceId { kind, name: "prod".parse().unwrap() };
        let point = Candidate::of_run(&RunId::nightly(NIGHT), None, None, None);
        for kind in [SourceKind::Vault, SourceKind::Hsm] {
            let why = (&Dropped::FoldedIn, &Policy::default());
            let record = Drop::new(&source(kind), &point, why, &Actor::TERMINAL, NIGHT);
            for (stored, expected) in
                [(None, NIGHT), (Some(NIGHT - hour), NIGHT), (Some(NIGHT + hour), NIGHT + hour)]
            {
                assert_eq!(record.pause_ends(stored), expected + pause(kind), "{kind} {stored:?}");
            }
        }
    }

    #[test]
    fn a_point_is_hidden_from_its_drop_until_it_is_offered_again() {
        let marks = [Mark::Dropped, Mark::Reinstated, Mark::Sweeping, Mark::Swept];
        assert_eq!(marks.map(Mark::hides), [true, false, true, true]);
        assert_eq!(marks.map(Mark::is_pending), [true, false, true, false]);
        assert_eq!(marks.map(|mark| mark.to_string().parse()), marks.map(Ok));
    }
}
