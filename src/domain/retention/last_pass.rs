//! Whether retention is applied: without a keeper nothing is ever deleted.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::domain::moment::day;

/// How old the newest pass may be. Passes are nightly, and one may fail.
const LATE_AFTER: Duration = Duration::days(2);

/// Whether retention is applied to every source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastPass {
    /// It never was: there may be no keeper.
    Never,
    /// The newest pass that ended well for every source is older than it should be.
    Late(OffsetDateTime),
    /// It is.
    Recently(OffsetDateTime),
}

impl LastPass {
    /// What the newest pass says.
    pub fn of(last: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        match last {
            None => Self::Never,
            Some(last) if now - last > LATE_AFTER => Self::Late(last),
            Some(last) => Self::Recently(last),
        }
    }

    /// When the newest pass ended.
    pub const fn last(self) -> Option<OffsetDateTime> {
        match self {
            Self::Never => None,
            Self::Late(last) | Self::Recently(last) => Some(last),
        }
    }

    /// Whether something is deleted once it may go.
    pub const fn is_applied(self) -> bool {
        matches!(self, Self::Recently(_))
    }
}

impl fmt::Display for LastPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("no keeper has applied retention to every source yet"),
            Self::Late(last) => {
                write!(f, "the keeper last applied retention to every source on {}", day(*last))
            }
            Self::Recently(last) => {
                write!(f, "the keeper applied retention to every source on {}", day(*last))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::NIGHT;

    #[test]
    fn retention_is_applied_if_a_pass_ended_in_the_last_two_days() {
        let ago = |ago| LastPass::of(Some(NIGHT - ago), NIGHT);
        assert_eq!(LastPass::of(None, NIGHT), LastPass::Never);
        assert_eq!(ago(LATE_AFTER), LastPass::Recently(NIGHT - LATE_AFTER));
        assert_eq!(ago(LATE_AFTER + Duration::SECOND), LastPass::Late(NIGHT - LATE_AFTER - Duration::SECOND));
        let applied = [LastPass::Never, ago(LATE_AFTER * 2), ago(Duration::ZERO)].map(LastPass::is_applied);
        assert_eq!(applied, [false, false, true]);
    }
}
