//! Why a source is not well.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::domain::{
    hsm::{ATTESTED_FOR, Missing},
    moment::minute,
    object::ObjectKind,
    run::RunId,
};

/// Why a source is not well. The order is that of urgency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, strum::EnumDiscriminants)]
#[strum_discriminants(name(TroubleKind), derive(strum::VariantArray), doc = "The kinds of trouble.")]
pub enum Trouble {
    /// Its catalogue cannot be read, so nothing is known; the reason.
    Unreadable(String),
    /// No backup has ever covered it.
    NeverBackedUp,
    /// The newest backup that covers it began too long ago.
    Overdue {
        /// When it began.
        since: OffsetDateTime,
        /// How old it may be.
        interval: Duration,
    },
    /// The last verification found newest backups missing or damaged, and nothing has replaced them yet.
    Damaged {
        /// Of how many objects; of a Managed HSM, one.
        objects: usize,
    },
    /// The record of the last verification cannot be read, so what it found is not known; the reason.
    VerificationUnreadable(String),
    /// A run found that many objects were gone, and no person has acknowledged that.
    Lost {
        /// The run.
        run: RunId,
        /// What was lost.
        what: String,
    },
    /// The newest run could not list these kinds.
    Unlisted(Vec<ObjectKind>),
    /// Objects whose newest backup could not be taken, without those whose failure a person has accepted.
    Failing {
        /// How many there are.
        objects: usize,
        /// How many of them never had a backup.
        without_backup: usize,
    },
    /// The last backup of a Managed HSM failed.
    LastFailed(RunId),
    /// Backups of a Managed HSM have no write-once copy, and none that is newer has.
    CopyMissing(Missing),
    /// The vault has moved, and no person has acknowledged that.
    Moved {
        /// The run that found it.
        run: RunId,
        /// From where to where.
        what: String,
    },
    /// The second place lacks something newer for more than a day, since this time.
    SecondLate(OffsetDateTime),
    /// The security domain of a Managed HSM was last checked too long ago, at this time.
    SecurityDomainUnchecked(OffsetDateTime),
    /// The newest drill failed, or left something behind, or cannot be read; what is wrong.
    DrillFailed(String),
    /// No drill has taken place for too long.
    DrillOverdue {
        /// When the newest one began, if there was one.
        since: Option<OffsetDateTime>,
        /// How old it may be.
        interval: Duration,
    },
}

impl Trouble {
    /// Its stable name, as in the API and in findings of `preflight`.
    pub fn code(&self) -> &'static str {
        TroubleKind::from(self).code()
    }

    /// Whether something of the source may not be protected. Of any other trouble it is known that an older state can be
    /// restored.
    pub const fn is_error(&self) -> bool {
        !matches!(
            self,
            Self::LastFailed(_)
                | Self::CopyMissing(_)
                | Self::Moved { .. }
                | Self::SecondLate(_)
                | Self::SecurityDomainUnchecked(_)
                | Self::DrillFailed(_)
                | Self::DrillOverdue { .. }
        )
    }

    /// Whether no recent backup is known to cover the source.
    pub const fn is_overdue(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::NeverBackedUp | Self::Overdue { .. })
    }
}

impl TroubleKind {
    /// Its stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "catalogue-unreadable",
            Self::NeverBackedUp => "never-backed-up",
            Self::Overdue => "overdue",
            Self::Damaged => "backups-damaged",
            Self::VerificationUnreadable => "verification-unreadable",
            Self::Lost => "many-objects-gone",
            Self::Unlisted => "kinds-unlisted",
            Self::Failing => "objects-failing",
            Self::LastFailed => "last-backup-failed",
            Self::CopyMissing => "hsm-copy-missing",
            Self::Moved => "vault-moved",
            Self::SecondLate => "second-place-late",
            Self::SecurityDomainUnchecked => "security-domain-unchecked",
            Self::DrillFailed => "drill-failed",
            Self::DrillOverdue => "drill-overdue",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "its catalogue cannot be read: {why}"),
            Self::NeverBackedUp => f.write_str("no backup covers it yet"),
            Self::Overdue { since, interval } => write!(
                f,
                "the newest backup that covers it is of {}; {} hours are allowed",
                minute(*since),
                interval.whole_hours()
            ),
            Self::Damaged { objects: 1 } => {
                f.write_str("verification found a newest backup missing or damaged")
            }
            Self::Damaged { objects } => {
                write!(f, "verification found the newest backups of {objects} objects missing or damaged")
            }
            Self::VerificationUnreadable(why) => {
                write!(
                    f,
                    "the record of its last verification cannot be read, so what that found is not known: {why}"
                )
            }
            Self::Lost { what, .. } | Self::Moved { what, .. } => f.write_str(what),
            Self::Unlisted(kinds) => {
                f.write_str("the newest run could not list its ")?;
                kinds.iter().enumerate().try_for_each(|(at, kind)| {
                    let between = if at == 0 { "" } else { " and " };
                    write!(f, "{between}{kind}s")
                })
            }
            Self::Failing { objects, without_backup } => {
                let verb = if *objects == 1 { "1 object fails" } else { &format!("{objects} objects fail") };
                match without_backup {
                    0 => write!(f, "{verb}; each has an older backup"),
                    all if all == objects => write!(f, "{verb} and never had a backup"),
                    some => write!(f, "{verb}, of which {some} never had a backup"),
                }
            }
            Self::SecondLate(since) => {
                write!(f, "the second place lacks newer backups of it since {}", minute(*since))
            }
            Self::DrillFailed(what) => write!(f, "its newest drill failed: {what}"),
            Self::DrillOverdue { since, interval } => {
                match since {
                    Some(since) => write!(f, "its newest drill is of {}", minute(*since))?,
                    None => f.write_str("no drill of it has taken place yet")?,
                }
                write!(f, "; {} days are allowed", interval.whole_days())
            }
            Self::SecurityDomainUnchecked(at) => write!(
                f,
                "people last recorded on {} that they checked its security domain; {} days are allowed",
                minute(*at),
                ATTESTED_FOR.whole_days()
            ),
            Self::LastFailed(run) => write!(f, "its last backup, {run}, failed"),
            Self::CopyMissing(Missing { since, why }) => {
                write!(f, "no backup of {} or later has a write-once copy", minute(*since))?;
                why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
            }
        }
    }
}
