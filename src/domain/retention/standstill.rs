//! Why a source keeps everything, by its state and by what people decided.

use std::fmt;

use time::OffsetDateTime;

use super::Decision;
use crate::domain::{
    moment::day,
    run::RunId,
    state::{SourceState, Trouble},
};

/// Why a source keeps everything, whatever its policy says. Of several reasons the first in this order is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standstill {
    /// It is no longer configured, and no person has released it.
    NotConfigured,
    /// No run has ever covered it.
    NeverCovered,
    /// The newest run that covers it is older than its interval.
    Overdue {
        /// When that run began.
        since: OffsetDateTime,
    },
    /// The newest run did not cover it.
    NotCovered(RunId),
    /// A run found that many of its objects were gone, and no person has acknowledged that.
    Lost(RunId),
    /// It has moved, and no person has acknowledged that.
    Moved(RunId),
}

impl Standstill {
    /// Of a source that is configured. `uncovered` is its newest run, if that did not cover it.
    pub fn of(state: &SourceState, uncovered: Option<&RunId>) -> Option<Self> {
        let uncovered = uncovered.cloned().map(Self::NotCovered);
        state.troubles.iter().filter_map(Self::by).chain(uncovered).min()
    }

    /// Of a source that is not configured. `newest` is when its newest backup was planned.
    pub fn of_unconfigured(decisions: &[Decision], newest: Option<OffsetDateTime>) -> Option<Self> {
        (!Decision::releases(decisions, newest)).then_some(Self::NotConfigured)
    }

    fn by(trouble: &Trouble) -> Option<Self> {
        match trouble {
            Trouble::Unreadable(_) | Trouble::NeverBackedUp => Some(Self::NeverCovered),
            Trouble::Overdue { since, .. } => Some(Self::Overdue { since: *since }),
            Trouble::Lost { run, .. } => Some(Self::Lost(run.clone())),
            Trouble::LastFailed(run) => Some(Self::NotCovered(run.clone())),
            Trouble::Moved { run, .. } => Some(Self::Moved(run.clone())),
            // The folder lies where the HSM wrote it, copied or not. The second place keeps by its own rules. What a drill could not
            // restore for its backup, verification finds.
            Trouble::CopyMissing(_)
            | Trouble::SecondLate(_)
            | Trouble::SecurityDomainUnchecked(_)
            | Trouble::DrillFailed(_)
            | Trouble::DrillOverdue { .. }
            // A run that could not list a kind is `uncovered`. What fails or is damaged is kept object by object. A pass reads the
            // record of the last verification itself, and stops.
            | Trouble::Unlisted(_)
            | Trouble::Failing { .. }
            | Trouble::Damaged { .. }
            | Trouble::VerificationUnreadable(_) => None,
        }
    }

    /// Its stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not-configured",
            Self::NeverCovered => "never-covered",
            Self::Overdue { .. } => "overdue",
            Self::NotCovered(_) => "not-covered",
            Self::Lost(_) => "many-objects-gone",
            Self::Moved(_) => "vault-moved",
        }
    }
}

impl fmt::Display for Standstill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured => f.write_str("the source is no longer configured"),
            Self::NeverCovered => f.write_str("no run has covered the source"),
            Self::Overdue { since } => {
                write!(f, "the source is overdue: its newest covering run is of {}", day(*since))
            }
            Self::NotCovered(run) => write!(f, "the newest run, {run}, did not cover the source"),
            Self::Lost(run) => {
                write!(f, "run {run} found that many objects were gone, which is not acknowledged")
            }
            Self::Moved(run) => {
                write!(f, "run {run} found that the vault has moved, which is not acknowledged")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::{
        acknowledged::Reason,
        actor::Actor,
        object::ObjectKind,
        retention::{Act, DECISION_FORMAT},
        samples::NIGHT,
        source::SourceKind,
        state::Known,
    };

    fn run(days: i64) -> RunId {
        RunId::nightly(NIGHT + Duration::days(days))
    }

    fn state(troubles: &[Trouble]) -> SourceState {
        let (vault, day) = ("kv-prod".parse().unwrap(), Duration::DAY);
        let known = SourceState::of_vault(&vault, Ok(&Known::default()), 0, day, NIGHT);
        SourceState { troubles: troubles.to_vec(), ..known }
    }

    #[test]
    fn each_trouble_that_leaves_the_newest_state_in_doubt_keeps_everything() {
        let overdue = Trouble::Overdue { since: NIGHT, interval: Duration::DAY };
        let lost = |at| Trouble::Lost { run: run(at), what: String::new() };
        let moved = Trouble::Moved { run: run(1), what: String::new() };
        let unlisted = Trouble::Unlisted(vec![ObjectKind::Key]);
        let failing = Trouble::Failing { objects: 1, without_backup: 1 };
        for (troubles, uncovered, expected) in [
            (vec![], None, None),
            (vec![failing.clone()], None, None),
            (vec![Trouble::SecondLate(NIGHT)], None, None),
            (vec![Trouble::DrillFailed(String::new())], None, None),
            (vec![unlisted], Some(run(0)), Some(Standstill::NotCovered(run(0)))),
            (vec![Trouble::NeverBackedUp], Some(run(0)), Some(Standstill::NeverCovered)),
            (vec![Trouble::Unreadable("torn".into())], None, Some(Standstill::NeverCovered)),
            (vec![lost(0), overdue], None, Some(Standstill::Overdue { since: NIGHT })),
            (vec![Trouble::LastFailed(run(0))], None, Some(Standstill::NotCovered(run(0)))),
            (vec![lost(1)], Some(run(2)), Some(Standstill::NotCovered(run(2)))),
            (vec![moved.clone(), lost(2), lost(1)], None, Some(Standstill::Lost(run(1)))),
            (vec![failing, moved], None, Some(Standstill::Moved(run(1)))),
        ] {
            assert_eq!(Standstill::of(&state(&troubles), uncovered.as_ref()), expected, "{troubles:?}");
        }
    }

    #[test]
    fn what_is_not_configured_keeps_everything_until_a_person_releases_it() {
        let release = Decision {
            v: DECISION_FORMAT,
            source: "kv-prod".parse().unwrap(),
            kind: SourceKind::Vault,
            act: Act::Release,
            reason: "closed".parse::<Reason>().unwrap(),
            by: Actor::TERMINAL,
            at: NIGHT,
        };
        for (decisions, newest, expected) in [
            (&[][..], None, Some(Standstill::NotConfigured)),
            (std::slice::from_ref(&release), None, None),
            (std::slice::from_ref(&release), Some(NIGHT - Duration::SECOND), None),
            (std::slice::from_ref(&release), Some(NIGHT), Some(Standstill::NotConfigured)),
        ] {
            assert_eq!(Standstill::of_unconfigured(decisions, newest), expected, "{newest:?}");
        }
    }
}
