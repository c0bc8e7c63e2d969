//! Attestations: that people checked an HSM's security domain.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::domain::{actor::Actor, source::SourceName};

/// The version of the stored form that this program writes.
pub const ATTESTATION_FORMAT: u32 = 1;

/// How long an attestation counts: the quarter that disaster-recovery.md asks for, and some days to do it in.
pub const ATTESTED_FOR: Duration = Duration::days(100);

/// The most people that an attestation names: as many as there can be keys.
pub const MOST_PEOPLE: usize = 10;

const NAME_LIMIT: usize = 100;

/// That people checked the security domain of an HSM and the holders of its keys. No backup of an HSM can be restored into a new
/// one without them, and nothing of them is known to Azure or to this program: neither the file nor a key is ever read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// [`ATTESTATION_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The HSM.
    pub hsm: SourceName,
    /// How many of the keys are needed, and how many there are.
    pub quorum: Quorum,
    /// The people who checked, as they were named at the terminal.
    pub people: Vec<Person>,
    /// Who recorded it.
    pub by: Actor,
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Attestation {
    /// The people's names, one after the other.
    pub fn names(&self) -> String {
        self.people.iter().map(Person::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// Whether a security domain has to be checked again, if it ever was.
pub fn is_overdue(attested: OffsetDateTime, now: OffsetDateTime) -> bool {
    now - attested > ATTESTED_FOR
}

/// The quorum of a security domain, such as `2/3`: how many of how many private keys decrypt it.
///
/// A security domain is encrypted for 3 to 10 keys, of which at least 2 are needed (documentation, "Security domain in Managed
/// HSM overview" and `az keyvault security-domain download`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quorum {
    needed: u8,
    keys: u8,
}

/// The text is not a quorum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected how many of how many keys are needed, such as 2/3: at least 2, of 3 to 10")]
pub struct QuorumError;

impl FromStr for Quorum {
    type Err = QuorumError;

    fn from_str(text: &str) -> Result<Self, QuorumError> {
        let number = |text: &str| text.parse().map_err(|_| QuorumError);
        let (needed, keys) = text.split_once('/').ok_or(QuorumError)?;
        let (needed, keys) = (number(needed)?, number(keys)?);
        let legal = (3..=10).contains(&keys) && (2..=keys).contains(&needed);
        if legal { Ok(Self { needed, keys }) } else { Err(QuorumError) }
    }
}

impl TryFrom<String> for Quorum {
    type Error = QuorumError;

    fn try_from(text: String) -> Result<Self, QuorumError> {
        text.parse()
    }
}

impl From<Quorum> for String {
    fn from(quorum: Quorum) -> Self {
        quorum.to_string()
    }
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.needed, self.keys)
    }
}

/// A person who checked, as named at a terminal: 1 to 100 characters without commas. It proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Person(String);

/// The text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name of 1 to {NAME_LIMIT} characters without commas")]
pub struct PersonError;

impl Person {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Person {
    type Err = PersonError;

    fn from_str(text: &str) -> Result<Self, PersonError> {
        let text = text.trim();
        // Commas stand between names where several are told.
        let legal = (1..=NAME_LIMIT).contains(&text.chars().count())
            && !text.chars().any(|c| c.is_control() || c == ',');
        if legal { Ok(Self(text.to_owned())) } else { Err(PersonError) }
    }
}

impl TryFrom<String> for Person {
    type Error = PersonError;

    fn try_from(text: String) -> Result<Self, PersonError> {
        text.parse()
    }
}

impl From<Person> for String {
    fn from(person: Person) -> Self {
        person.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::NIGHT;

    #[test]
    fn a_quorum_is_at_least_two_of_three_to_ten() {
        for (text, is_one) in [
            ("2/3", true),
            ("3/3", true),
            ("10/10", true),
            ("2/10", true),
            ("1/3", false),
            ("2/2", false),
            ("4/3", false),
            ("2/11", false),
            ("0/3", false),
            ("-2/3", false),
            ("2 of 3", false),
            ("2/3/4", false),
            ("3", false),
            ("/", false),
        ] {
            assert_eq!(text.parse::<Quorum>().map(|of| of.to_string()).ok(), is_one.then(|| text.to_owned()));
        }
    }

    #[test]
    fn a_person_has_a_name_on_one_line() {
        let long = "a".repeat(NAME_LIMIT + 1);
        for (text, expected) in [
            (" Ada Lovelace ", Some("Ada Lovelace")),
            (&long[1..], Some(&long[1..])),
            (&long, None),
            ("", None),
            (" ", None),
            ("a\nb", None),
            ("Ada, Grace", None),
        ] {
            let parsed = text.parse::<Person>().ok();
            assert_eq!(parsed.as_ref().map(Person::as_str), expected, "{text:?}");
        }
    }

    #[test]
    fn an_attestation_counts_for_a_hundred_days() {
        assert!(!is_overdue(NIGHT, NIGHT + ATTESTED_FOR));
        assert!(is_overdue(NIGHT, NIGHT + ATTESTED_FOR + Duration::SECOND));
    }

    #[test]
    fn an_attestation_keeps_its_stored_form() {
        let stored = concat!(
            r#"{"v":1,"hsm":"hsm-a","quorum":"2/3","people":["Ada","Grace"],"#,
            r#""by":{"via":"terminal"},"at":"2026-11-22T02:00:00Z"}"#
        );
        let of: Attestation = serde_json::from_str(stored).unwrap();
        assert_eq!((of.names().as_str(), of.at), ("Ada, Grace", NIGHT));
        assert_eq!(serde_json::to_string(&of).unwrap(), stored);
    }
}
