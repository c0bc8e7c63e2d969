//! Decisions of people about retention. No app may record one.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::domain::{
    acknowledged::Reason,
    actor::Actor,
    object::{ObjectKind, ObjectName},
    source::{SourceKind, SourceName},
};

/// The version of the stored form that this program writes.
pub const DECISION_FORMAT: u32 = 1;

/// How long a consent counts. After that the plan may be another one, and a person has to see it again.
pub const CONSENT_FOR: Duration = Duration::DAY;

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub enum Act {
    /// A source that is no longer configured may lose points by its policy.
    Release,
    /// The source keeps everything again while it is not configured.
    Withdraw,
    /// More than half of the points may go, once.
    Consent {
        /// How many points the plan would drop.
        points: u32,
    },
    /// No backup of an object that was taken by then may exist any longer.
    Forget {
        /// Its kind. A record has a `kind` of its own, which is the source's.
        #[serde(rename = "object_kind")]
        kind: ObjectKind,
        /// Its name.
        name: ObjectName,
    },
}

impl Act {
    /// Whether it releases a source or takes that back.
    pub const fn is_about_release(&self) -> bool {
        matches!(self, Self::Release | Self::Withdraw)
    }

    /// Its stable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Withdraw => "withdraw",
            Self::Consent { .. } => "consent",
            Self::Forget { .. } => "forget",
        }
    }
}

/// A decision of a person about the retention of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// [`DECISION_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The source.
    pub source: SourceName,
    /// What the source is.
    pub kind: SourceKind,
    /// What was decided.
    #[serde(flatten)]
    pub act: Act,
    /// Why.
    pub reason: Reason,
    /// The person.
    pub by: Actor,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Decision {
    /// Whether, by the newest of these decisions, the source may lose points although it is not configured. A release
    /// ends with the next backup of its source: `newest` is when the newest one was planned.
    pub fn releases(decisions: &[Self], newest: Option<OffsetDateTime>) -> bool {
        let words = decisions.iter().filter(|of| of.act.is_about_release());
        // By their own times: storage lists those of one second in no order.
        let word = words.max_by_key(|of| (of.at, of.act == Act::Withdraw));
        word.is_some_and(|of| of.act == Act::Release && newest.is_none_or(|newest| newest < of.at))
    }

    /// Whether, by these decisions, so many points of the source may go although they are more than half.
    pub fn consents(decisions: &[Self], points: usize, now: OffsetDateTime) -> bool {
        decisions.iter().any(|of| match &of.act {
            Act::Consent { points: most } => {
                points <= *most as usize && (Duration::ZERO..CONSENT_FOR).contains(&(now - of.at))
            }
            Act::Release | Act::Withdraw | Act::Forget { .. } => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::NIGHT;

    fn decided(act: Act, ago: Duration) -> Decision {
        Decision {
            v: DECISION_FORMAT,
            source: "kv-prod".parse().unwrap(),
            kind: SourceKind::Vault,
            act,
            reason: "closed".parse().unwrap(),
            by: Actor::TERMINAL,
            at: NIGHT - ago,
        }
    }

    #[test]
    fn the_newest_word_on_a_source_counts() {
        let of = |act, days| decided(act, Duration::days(days));
        let release = [of(Act::Consent { points: 1 }, 0), of(Act::Release, 1), of(Act::Withdraw, 2)];
        assert!(!Decision::releases(&[], None));
        assert!(Decision::releases(&release, None));
        assert!(!Decision::releases(&[of(Act::Withdraw, 0), of(Act::Release, 1)], None));
        let newest = NIGHT - Duration::DAY;
        assert!(Decision::releases(&release, Some(newest - Duration::SECOND)));
        assert!(!Decision::releases(&release, Some(newest)), "it was backed up again since");
    }

    #[test]
    fn a_consent_is_for_what_was_seen_and_for_a_day() {
        let consent = |ago| [decided(Act::Consent { points: 5 }, ago)];
        let second = Duration::SECOND;
        for (ago, points, expected) in [
            (Duration::ZERO, 5, true),
            (Duration::ZERO, 6, false),
            (CONSENT_FOR - second, 1, true),
            (CONSENT_FOR, 1, false),
            (-second, 1, false),
        ] {
            assert_eq!(Decision::consents(&consent(ago), points, NIGHT), expected, "{ago} {points}");
        }
        assert!(!Decision::consents(&[decided(Act::Release, Duration::ZERO)], 1, NIGHT));
    }

    #[test]
    fn a_decision_keeps_its_stored_form() {
        let stored = r#"{"v":1,"source":"kv-prod","kind":"vault","act":"consent","points":5,"reason":"closed","by":{"via":"terminal"},"at":"2026-11-21T02:00:00Z"}"#;
        let decision = decided(Act::Consent { points: 5 }, Duration::DAY);
        assert_eq!(serde_json::to_string(&decision).unwrap(), stored);
        assert_eq!(serde_json::from_str::<Decision>(stored).unwrap(), decision);
    }

    #[test]
    fn a_decision_about_an_object_keeps_its_stored_form() {
        let stored = r#"{"v":1,"source":"kv-prod","kind":"vault","act":"forget","object_kind":"secret","name":"db","reason":"closed","by":{"via":"terminal"},"at":"2026-11-22T02:00:00Z"}"#;
        let act = Act::Forget { kind: ObjectKind::Secret, name: "db".parse().unwrap() };
        let decision = decided(act, Duration::ZERO);
        assert_eq!(serde_json::to_string(&decision).unwrap(), stored);
        assert_eq!(serde_json::from_str::<Decision>(stored).unwrap(), decision);
    }

    #[test]
    fn of_two_words_in_one_second_the_later_one_counts_and_of_two_at_one_time_the_one_that_keeps() {
        let of = |act, ago| decided(act, Duration::milliseconds(ago));
        // Storage lists the decisions of one second by what they say.
        for (release, withdraw, expected) in [(900, 100, false), (100, 900, true), (500, 500, false)] {
            let listed = [of(Act::Release, release), of(Act::Withdraw, withdraw)];
            assert_eq!(Decision::releases(&listed, None), expected, "{release} {withdraw}");
        }
    }
}
