//! The reasons that retention gives for what it keeps and for what it lets go.

use std::fmt;

use time::Date;

use super::{Standstill, policy::Pick};
use crate::domain::{object::ObjectId, run::RunId};

/// Why a backup may not go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproved {
    /// No newer good backup of the object is named by a kept point.
    NoNewerGood,
    /// The newer one was not seen in storage, whole and alone.
    NotSeen(RunId),
    /// The object is gone, for less time than the policy says.
    Gone {
        /// The day after which it may go.
        until: Date,
    },
    /// Another object has its name, for less time than the policy says.
    Replaced {
        /// The day after which it may go.
        until: Date,
    },
    /// The index does not know the object, and no run saw it leave.
    Unexplained,
    /// A hold.
    Held(String),
    /// A point that cannot be read may need it.
    Unread(RunId),
    /// Storage keeps it until this day.
    Immutable(Date),
    /// It has more versions in storage than the one that was written.
    Overwritten,
}

impl Unproved {
    /// Its stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoNewerGood => "last-good",
            Self::NotSeen(_) => "newer-not-seen",
            Self::Gone { .. } => "gone",
            Self::Replaced { .. } => "replaced",
            Self::Unexplained => "unexplained",
            Self::Held(_) => "held",
            Self::Unread(_) => "unreadable",
            Self::Immutable(_) => "immutable",
            Self::Overwritten => "overwritten",
        }
    }
}

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNewerGood => f.write_str("of which no newer good backup is known"),
            Self::NotSeen(run) => write!(f, "whose newer backup, of {run}, was not seen whole in storage"),
            Self::Gone { until } => write!(f, "which is gone from its vault; until {until}"),
            Self::Replaced { until } => write!(f, "whose name another object has; until {until}"),
            Self::Unexplained => f.write_str("which the index does not know, although no run saw it leave"),
            Self::Held(hold) => write!(f, "which is under hold {hold}"),
            Self::Unread(run) => write!(f, "which {run} may name, and that cannot be read"),
            Self::Immutable(until) => write!(f, "which storage keeps until {until}"),
            Self::Overwritten => f.write_str("which was written again in storage after its backup"),
        }
    }
}

/// Why a recovery point is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The policy picks it.
    Picked(Pick),
    /// It belongs to the newest state of its source.
    Newest,
    /// A hold.
    Held(String),
    /// Its source keeps everything.
    Source(Standstill),
    /// It cannot be read.
    Unreadable,
    /// A kept point is a change of it.
    FoldedInto(RunId),
    /// It is the newest point that names this backup, which may not go.
    Names {
        /// The object.
        object: Box<ObjectId>,
        /// Why its backup may not go.
        why: Unproved,
    },
    /// A blob that would go with it may not go.
    Blob(Unproved),
    /// More than half of the source's points would go, and no person has consented.
    MoreThanHalf,
    /// In the second place: nothing on record there says that the first place has deleted it.
    NotDeletedInFirst,
    /// In the second place: it is not long enough ago that the record arrived that the first place has deleted it.
    DeletedInFirst {
        /// The day after which it may go.
        until: Date,
    },
}

impl Reason {
    /// Its stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Picked(Pick::Within { .. }) => "within",
            Self::Picked(Pick::Counted { .. }) => "counted",
            Self::Newest => "newest",
            Self::Held(_) => "held",
            Self::Source(why) => why.code(),
            Self::Unreadable => "unreadable",
            Self::FoldedInto(_) => "partial",
            Self::Names { why, .. } | Self::Blob(why) => why.code(),
            Self::MoreThanHalf => "more-than-half",
            Self::NotDeletedInFirst => "not-deleted-in-first",
            Self::DeletedInFirst { .. } => "deleted-in-first-lately",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Picked(pick) => pick.fmt(f),
            Self::Newest => f.write_str("the newest state of the source"),
            Self::Held(hold) => write!(f, "hold {hold}"),
            Self::Source(why) => why.fmt(f),
            Self::Unreadable => f.write_str("it cannot be read"),
            Self::FoldedInto(run) => write!(f, "{run}, which is kept, folded it in"),
            Self::Names { object, why } => write!(f, "has the backup of {object}, {why}"),
            Self::Blob(why) => write!(f, "has a blob {why}"),
            Self::MoreThanHalf => {
                f.write_str("more than half of the points would go, and no person has consented")
            }
            Self::NotDeletedInFirst => f.write_str("no record says that the first place has deleted it"),
            Self::DeletedInFirst { until } => {
                write!(f, "the first place has deleted it; the second keeps it until {until}")
            }
        }
    }
}

/// Why a point is let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The policy does not pick it.
    Expired {
        /// The days for which the policy keeps everything.
        within: u32,
    },
    /// It never covered its source, and is older than the policy keeps everything.
    NeverCovered {
        /// The days.
        within: u32,
    },
    /// The nights that folded it in are gone.
    FoldedIn,
    /// In the second place: the first place has deleted it, and the record of that arrived before so many days.
    DeletedInFirst {
        /// The days.
        within: u32,
    },
}

impl Dropped {
    /// Its stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "expired",
            Self::NeverCovered { .. } => "never-covered",
            Self::FoldedIn => "folded-in",
            Self::DeletedInFirst { .. } => "deleted-in-first",
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { within } => write!(f, "older than {within} days, and no count has it"),
            Self::NeverCovered { within } => {
                write!(f, "older than {within} days, and did not cover its source")
            }
            Self::FoldedIn => f.write_str("the nights that folded it in are gone"),
            Self::DeletedInFirst { within } => {
                write!(f, "the first place has deleted it, which is known here for more than {within} days")
            }
        }
    }
}
