//! What a plan knows about its vault's location, and what has changed.
//!
//! A known location that becomes another known one is a finding and makes everything due: earlier backups cannot be
//! restored there. A fact that is unknown, or known for the first time, is no change. A new region or a new wrapping
//! key makes everything due once and is recorded: it may mean that older backups no longer open.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    digest::Fingerprint,
    location::{Fact, Location},
    run::RunId,
};

/// The most wrapping keys that one vault is assumed to have. With more of them, such as one for each backup, a new one
/// means nothing.
pub const MOST_KIDS: usize = 8;

/// The most new keys that count as one change: one for each kind of object.
const MOST_NEW_KIDS: usize = 3;

/// What is known about a vault's location, as of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedLocation {
    /// Its location.
    #[serde(rename = "place", default, skip_serializing_if = "Location::is_unknown")]
    pub location: Location,
    /// The region that its lists named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Fact>,
    /// Digests of the wrapping keys that its backups named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kids: Vec<Fingerprint>,
}

impl ObservedLocation {
    /// What a plan records; `None` if nothing is known.
    pub fn known(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// A hint that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hint {
    /// The vault's answers name another region.
    Region,
    /// Newer backups are wrapped by another key of the service.
    WrappingKey,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Region => "the vault answers from another region",
            Self::WrappingKey => "newer backups are wrapped by another key of the service",
        })
    }
}

/// A move: a vault that is not where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The run that found it.
    pub run: RunId,
    /// When that run was planned.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Where the vault was.
    pub from: Location,
    /// Where it is.
    pub to: Location,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, from, to, .. } = self;
        write!(
            f,
            "run {run} found the vault moved from {from} to {to}; earlier backups can be restored only into a vault \
             at the old location"
        )
    }
}

/// What a plan concludes from what it observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// What is known from now on.
    pub now: ObservedLocation,
    /// Where the vault was, if it has moved.
    pub from: Option<Location>,
    /// Other changes that make everything due.
    pub hints: Vec<Hint>,
}

impl Compared {
    /// Compares what was known with what a plan observes: location and region as the vault says now, and the wrapping
    /// keys of the newest backups.
    pub fn new(before: &ObservedLocation, seen: &ObservedLocation) -> Self {
        let location = seen.location.or(&before.location);
        let from = before.location.apart(&seen.location).map(|_| before.location.clone());
        let (kids, rewrapped) = follow_kids(&before.kids, &seen.kids);
        let region = matches!((&before.region, &seen.region), (Some(before), Some(seen)) if before != seen);
        let hints = [(region, Hint::Region), (rewrapped, Hint::WrappingKey)];
        let hints = hints.into_iter().filter_map(|(changed, hint)| changed.then_some(hint)).collect();
        let region = seen.region.as_ref().or(before.region.as_ref()).cloned();
        Self { now: ObservedLocation { location, region, kids }, from, hints }
    }

    /// Whether everything is due.
    pub fn everything_is_due(&self) -> bool {
        self.from.is_some() || !self.hints.is_empty()
    }
}

/// The wrapping keys that are known from now on, and whether a new one appeared beside old ones.
///
/// A key counts as new once: objects that are backed up with an older key again, as in a vault that uses two, are not
/// due for it again.
fn follow_kids(before: &[Fingerprint], seen: &[Fingerprint]) -> (Vec<Fingerprint>, bool) {
    if seen.len() > MOST_KIDS {
        return (Vec::new(), false);
    }
    let new = seen.iter().filter(|kid| !before.contains(kid)).count();
    let rewrapped = !before.is_empty() && (1..=MOST_NEW_KIDS).contains(&new) && new < seen.len();
    let sorted = |mut kids: Vec<Fingerprint>| {
        kids.sort_unstable();
        kids.dedup();
        kids
    };
    let all = sorted([before, seen].concat());
    (if all.len() > MOST_KIDS { sorted(seen.to_vec()) } else { all }, rewrapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kids(names: &str) -> Vec<Fingerprint> {
        let mut kids: Vec<_> =
            names.split_whitespace().map(|name| Fingerprint::of(name.as_bytes())).collect();
        kids.sort_unstable();
        kids
    }

    fn at(tenant: &str, subscription: &str, region: &str, names: &str) -> ObservedLocation {
        let [tenant, subscription, region] = [tenant, subscription, region].map(Fact::new);
        let location = Location { tenant, subscription, geography: None };
        ObservedLocation { location, region, kids: kids(names) }
    }

    #[test]
    fn everything_is_due_when_one_known_fact_became_another() {
        use Hint::{Region, WrappingKey};
        let known = at("t", "s", "r", "a");
        for (before, seen, moved, hints) in [
            (at("", "", "", ""), known.clone(), false, vec![]), // known for the first time
            (known.clone(), known.clone(), false, vec![]),
            (known.clone(), at("", "", "", ""), false, vec![]), // not known tonight
            (known.clone(), at("u", "s", "r", "a"), true, vec![]),
            (known.clone(), at("t", "x", "r", "a"), true, vec![]),
            (known.clone(), at("t", "s", "q", "a"), false, vec![Region]),
            (known.clone(), at("t", "s", "r", "a b"), false, vec![WrappingKey]),
            (known.clone(), at("u", "", "q", "a b"), true, vec![Region, WrappingKey]),
        ] {
            let compared = Compared::new(&before, &seen);
            assert_eq!(compared.from, moved.then_some(before.location), "{seen:?}");
            assert_eq!(compared.everything_is_due(), moved || !hints.is_empty(), "{seen:?}");
            assert_eq!(compared.hints, hints, "{seen:?}");
        }
    }

    #[test]
    fn a_place_that_is_unknown_for_a_while_is_still_compared() {
        let [known, unknown, other] = [at("t", "s", "r", ""), at("", "", "", ""), at("t", "x", "", "")];
        let now = Compared::new(&known, &unknown).now;
        assert_eq!(now, known);
        let compared = Compared::new(&now, &other);
        assert_eq!((compared.from, compared.now), (Some(known.location), at("t", "x", "r", "")));
    }

    /// What the newest backups of a vault name night by night, and whether everything is due in the night after.
    #[test]
    fn a_new_wrapping_key_makes_everything_due_once() {
        let steady = ["a", "a", "a"];
        let rotated = ["a", "a b", "b", "b", "b"];
        // Whatever is backed up comes out with the one or the other.
        let two = ["a b", "a b", "b", "a b", "a", "a b"];
        let second = ["a", "a b", "a b", "a", "a b"];
        let one_object = ["a", "b", "c"];
        // One for each backup: of many objects none is compared, of a few hardly any.
        let many = ["a b c d e f g h i", "b c d e f g h i j", "c d e f g h i j k"];
        for (nights, due) in [
            (&steady[..], "..."),
            (&rotated, ".!..."),
            (&two, "......"),
            (&second, ".!..."),
            (&one_object, "..."),
            (&many, "..."),
            (&["a b c d", "a b c e", "f g h i", "f g h i"], ".!.."),
            (&["a b c", "a b d", "e f g", "e f g"], ".!.."),
            (&["a b c d e f g h", "a b c d e f g i", "a i", "a i"], ".!.."),
        ] {
            let mut known = ObservedLocation::default();
            let nights = nights.iter().map(|names| {
                let compared = Compared::new(&known, &at("", "", "", names));
                known = compared.now.clone();
                if compared.everything_is_due() { '!' } else { '.' }
            });
            assert_eq!(nights.collect::<String>(), due);
        }
    }
}
