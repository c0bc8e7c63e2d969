//! The outcomes of a restore of keys, for each key and as a whole.

use serde::{Deserialize, Serialize};

use crate::domain::{object::ObjectName, outcome::Failure, run::Verdict};

/// How many keys' failures are named in the failure of their restore.
const SAID: usize = 3;

/// The outcome of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyOutcome {
    /// The key.
    pub key: ObjectName,
    /// The result.
    #[serde(flatten)]
    pub result: KeyResult,
}

impl KeyOutcome {
    /// The verdict on a restore of this many keys. A restore that brought nothing back, or had no key, has failed.
    pub fn verdict(keys: usize, outcomes: &[Self]) -> Verdict {
        let restored = outcomes.iter().filter(|of| matches!(of.result, KeyResult::Restored { .. })).count();
        let in_part = |of: &Self| matches!(of.result, KeyResult::NotOverwritten { restored: 1.., .. });
        match restored {
            0 if !outcomes.iter().any(in_part) => Verdict::Failed,
            restored if restored >= keys => Verdict::Succeeded,
            _ => Verdict::PartiallyFailed,
        }
    }

    /// Why a restore whose keys all had their turn did not succeed; `None` if all of them are back. It has the error
    /// code of the failed keys, if they share one, and the text of the first of them.
    pub fn failure(outcomes: &[Self]) -> Option<Failure> {
        let failed = outcomes.iter().filter_map(|of| Some((&of.key, of.result.failure()?)));
        let failed: Vec<_> = failed.collect();
        let (_, first) = failed.first()?;
        let alike = failed.iter().all(|(_, failure)| failure.code == first.code);
        let code = if alike { first.code.as_str() } else { "KeysFailed" };
        let said = failed.iter().take(SAID).map(|(key, of)| format!("{key}: {}: {}", of.code, of.text));
        let said = said.collect::<Vec<_>>().join("; ");
        let more = failed.len().saturating_sub(SAID);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let is = if failed.len() == 1 { "is" } else { "are" };
        let text = format!("{} of {} keys {is} not back whole: {said}{more}", failed.len(), outcomes.len());
        Some(Failure { status: first.status.filter(|_| alike), ..Failure::ours(code, text) })
    }
}

/// The result of restoring a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum KeyResult {
    /// All of it is back.
    Restored {
        /// What the service counted as restored.
        counted: u64,
    },
    /// The service reported success, but also that it left this much as it was.
    NotOverwritten {
        /// What it counted as restored.
        restored: u64,
        /// What it could not overwrite.
        left: u64,
    },
    /// It was not restored.
    Failed {
        /// Why it failed.
        failure: Failure,
    },
}

impl KeyResult {
    /// Why the key is not back, or not whole; `None` if it is.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Restored { .. } => None,
            Self::NotOverwritten { restored, left } => Some(Failure::ours(
                "NotOverwritten",
                format!(
                    "the service counts {restored} restored and {left} that were there; delete and purge the key first"
                ),
            )),
            Self::Failed { failure } => Some(failure.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_which_nothing_came_back_have_failed() {
        let outcome = |result| KeyOutcome { key: "k".parse().unwrap(), result };
        let back = || outcome(KeyResult::Restored { counted: 2 });
        let in_part = || outcome(KeyResult::NotOverwritten { restored: 1, left: 1 });
        let left = || outcome(KeyResult::NotOverwritten { restored: 0, left: 2 });
        let failed = || outcome(KeyResult::Failed { failure: Failure::ours("Code", "a text") });
        for (keys, outcomes, expected) in [
            (0, vec![], Verdict::Failed),
            (2, vec![], Verdict::Failed),
            (1, vec![left()], Verdict::Failed),
            (2, vec![left(), failed()], Verdict::Failed),
            (1, vec![in_part()], Verdict::PartiallyFailed),
            (2, vec![back(), left()], Verdict::PartiallyFailed),
            (2, vec![failed(), back()], Verdict::PartiallyFailed),
            (2, vec![back()], Verdict::PartiallyFailed),
            (2, vec![back(), back()], Verdict::Succeeded),
        ] {
            assert_eq!(KeyOutcome::verdict(keys, &outcomes), expected, "{keys} {outcomes:?}");
        }
    }

    #[test]
    fn keys_that_are_not_back_say_why_with_the_code_that_they_have_in_common() {
        let outcome = |key: &str, result| KeyOutcome { key: key.parse().unwrap(), result };
        let refused = |code: &str| KeyResult::Failed { failure: Failure::ours(code, "a text") };
        let left = || KeyResult::NotOverwritten { restored: 0, left: 2 };
        let back = || KeyResult::Restored { counted: 2 };
        let all = ["a", "b", "c", "d"].map(|key| outcome(key, refused("Code")));
        for (outcomes, code, says) in [
            (
                vec![outcome("a", refused("Code")), outcome("b", back())],
                "Code",
                "1 of 2 keys is not back whole: a: Code: a text",
            ),
            (vec![outcome("a", left())], "NotOverwritten", "0 restored and 2 that were there"),
            (
                vec![outcome("a", refused("One")), outcome("b", left())],
                "KeysFailed",
                "2 of 2 keys are not back whole: a: One",
            ),
            (all.to_vec(), "Code", "c: Code: a text; and 1 more"),
        ] {
            let failure = KeyOutcome::failure(&outcomes).unwrap();
            assert_eq!(failure.code, code, "{failure:?}");
            assert!(failure.text.contains(says), "{failure:?}");
        }
        assert_eq!(KeyOutcome::failure(&[outcome("a", back())]), None);
    }
}
