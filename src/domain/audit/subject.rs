//! What events are about.

use time::OffsetDateTime;

use crate::domain::{
    acknowledged::Reason,
    digest::{Digest, Hash},
    object::ObjectId,
    run::RunId,
    source::SourceName,
};

/// What an event is about. Each kind of event occurs once for its subject.
#[derive(PartialEq, Eq)]
pub(super) enum Subject<'a> {
    /// A run or a restore, by its name.
    Named(&'a str),
    /// The loss that a run found in one source, with a reason. Runs of several sources may have the same name, and
    /// another reason is another event.
    Loss(&'a SourceName, &'a RunId, &'a Reason),
    /// What a decision of a person about a source is about, and its time.
    Decided(&'a SourceName, &'a str, OffsetDateTime),
    /// A plan and the time of a decision about it.
    Plan(&'a Digest, OffsetDateTime),
    /// An object and the time of a decision about it.
    Object(&'a SourceName, &'a ObjectId, OffsetDateTime),
}

impl Subject<'_> {
    /// The time before which nothing is recorded about it.
    pub(super) fn since(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Named(name) => name.parse::<RunId>().ok().and_then(|run| run.occurrence()),
            Self::Loss(_, run, _) => run.occurrence(),
            Self::Object(_, _, decided) | Self::Decided(_, _, decided) | Self::Plan(_, decided) => {
                Some(*decided)
            }
        }
    }

    /// The subject as a text that is unique to it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Named(name) => (*name).to_owned(),
            Self::Loss(source, run, reason) => {
                let words: Hash<4> = Hash::of(reason.to_string().as_bytes());
                format!("{source}-{run}-{words}")
            }
            Self::Decided(source, what, decided) => {
                let words: Hash<4> = Hash::of(what.as_bytes());
                format!("{source}-{words}-{}", decided.unix_timestamp())
            }
            Self::Plan(plan, decided) => {
                let start: Hash<8> = Hash::of(plan.as_bytes());
                format!("{start}-{}", decided.unix_timestamp())
            }
            Self::Object(source, id, decided) => {
                format!("{source}-{}-{}-{}", id.kind, id.name.folded(), decided.unix_timestamp())
            }
        }
    }
}
