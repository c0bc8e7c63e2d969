//! The location of a vault, which decides where its backups can be restored.
//!
//! Key Vault opens a backup only in the subscription and the geography that it comes from. The location is known from
//! three sources of unequal weight. The vault itself names its tenant in the challenge of its first answer.
//! Subscription and geography come from the settings, and settings may be wrong. The region that an answer names, and
//! the service's key that wraps a backup, are hints: the meaning of a change is not documented.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::record::cut;

/// The most bytes of a fact in a record. Tenants and subscriptions have 36.
const FACT_LIMIT: usize = 64;

/// One known value: never empty, of bounded length, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fact(String);

impl Fact {
    /// The fact in a text; `None` if the text is empty.
    pub fn new(text: &str) -> Option<Self> {
        let text = cut(text.trim().to_ascii_lowercase(), FACT_LIMIT);
        (!text.is_empty()).then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where a vault is, or was at a backup, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The tenant, according to the vault itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Fact>,
    /// The Azure subscription, according to the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Fact>,
    /// The Azure geography, according to the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geography: Option<Fact>,
}

/// The most regions that are distinguished: more of them say no more than two.
const MOST_REGIONS: usize = 4;

/// The regions that the answers of one vault have named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions(BTreeSet<Fact>);

impl Regions {
    /// Records that an answer named this region.
    pub fn name(&mut self, region: Fact) {
        if self.0.len() < MOST_REGIONS {
            self.0.insert(region);
        }
    }

    /// The region, if all answers named the same one.
    pub fn one(&self) -> Option<&Fact> {
        self.0.first().filter(|_| self.0.len() == 1)
    }

    /// The region that is known from now on; `before` was known before these answers. A vault that answered from
    /// several regions has no known one; answers that name none change nothing.
    pub fn known(&self, before: Option<Fact>) -> Option<Fact> {
        if self.0.is_empty() { before } else { self.one().cloned() }
    }
}

/// How two locations are known to differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apart {
    /// The service itself named another tenant.
    Tenant,
    /// The settings name another subscription or geography.
    Settings,
}

impl Apart {
    /// A short description of the difference.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Tenant => "taken in another tenant",
            Self::Settings => "taken in another subscription or geography, by the settings",
        }
    }
}

impl Location {
    /// How the two are known to differ. A fact that is missing on either side is no difference.
    pub fn apart(&self, other: &Self) -> Option<Apart> {
        let differ = |a: &Option<Fact>, b: &Option<Fact>| matches!((a, b), (Some(a), Some(b)) if a != b);
        if differ(&self.tenant, &other.tenant) {
            return Some(Apart::Tenant);
        }
        let settings =
            differ(&self.subscription, &other.subscription) || differ(&self.geography, &other.geography);
        settings.then_some(Apart::Settings)
    }

    /// What is known here, completed with what `other` knows.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let or = |a: &Option<Fact>, b: &Option<Fact>| a.as_ref().or(b.as_ref()).cloned();
        Self {
            tenant: or(&self.tenant, &other.tenant),
            subscription: or(&self.subscription, &other.subscription),
            geography: or(&self.geography, &other.geography),
        }
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts =
            [("tenant", &self.tenant), ("subscription", &self.subscription), ("geography", &self.geography)];
        let facts = facts.into_iter().filter_map(|(name, fact)| Some(format!("{name} {}", fact.as_ref()?)));
        let facts = facts.collect::<Vec<_>>();
        f.write_str(
            if facts.is_empty() { "an unknown location".to_owned() } else { facts.join(", ") }.as_str(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(tenant: &str, subscription: &str, geography: &str) -> Location {
        let [tenant, subscription, geography] = [tenant, subscription, geography].map(Fact::new);
        Location { tenant, subscription, geography }
    }

    #[test]
    fn two_places_differ_by_what_is_known_of_both() {
        for (a, b, expected) in [
            (location("", "", ""), location("t", "s", "g"), None),
            (location("t", "s", "g"), location("t", "s", "g"), None),
            (location("t", "s", ""), location("T", " S ", "g"), None),
            (location("t", "", ""), location("u", "", ""), Some(Apart::Tenant)),
            (location("t", "s", "g"), location("u", "r", "g"), Some(Apart::Tenant)),
            (location("t", "s", "g"), location("t", "r", "g"), Some(Apart::Settings)),
            (location("", "s", "g"), location("t", "", "h"), Some(Apart::Settings)),
        ] {
            assert_eq!((a.apart(&b), b.apart(&a)), (expected, expected), "{a} and {b}");
        }
    }

    #[test]
    fn what_is_not_known_now_is_as_it_was_known_before() {
        let before = location("t", "s", "");
        assert_eq!(location("u", "", "g").or(&before), location("u", "s", "g"));
        assert!(location("", " ", "").is_unknown() && !before.is_unknown());
        assert_eq!(before.to_string(), "tenant t, subscription s");
    }

    #[test]
    fn a_vault_that_answers_from_several_regions_is_in_none_that_is_known() {
        for (named, before, one, known) in [
            ("", "", "", ""),
            ("", "a", "", "a"),
            ("a", "", "a", "a"),
            ("a a A", "a", "a", "a"),
            ("b", "a", "b", "b"),
            ("a b", "a", "", ""),
            ("a b c d e f a", "", "", ""),
        ] {
            let mut regions = Regions::default();
            named.split_whitespace().filter_map(Fact::new).for_each(|region| regions.name(region));
            let found = (regions.one().cloned(), regions.known(Fact::new(before)));
            assert_eq!(found, (Fact::new(one), Fact::new(known)), "{named:?} after {before:?}");
            assert!(regions.0.len() <= MOST_REGIONS, "{named:?}");
        }
    }

    #[test]
    fn a_fact_has_its_bound() {
        assert_eq!(Fact::new(&"é".repeat(99)).unwrap().as_str().chars().count(), 10);
        assert_eq!(Fact::new(&"x".repeat(99)).unwrap().to_string(), "x".repeat(64));
    }
}
