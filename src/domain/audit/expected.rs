//! What must still be on the trail, by what was printed or logged of it before.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::domain::digest::Digest;

/// The newest record that a section had at some time. Its text is `SECTION:NUMBER:SHA256`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Head {
    /// The section's name, as `audit verify` prints it.
    pub section: String,
    /// The record's number in the section.
    pub number: u32,
    /// The digest of the record's bytes.
    pub sha256: Digest,
}

/// The text is not what can be expected of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the SHA-256 of a record, or SECTION:NUMBER:SHA256, as `audit verify` prints them")]
pub struct ExpectedError;

impl FromStr for Head {
    type Err = ExpectedError;

    fn from_str(text: &str) -> Result<Self, ExpectedError> {
        let mut parts = text.rsplitn(3, ':');
        let (sha256, number, section) = (parts.next(), parts.next(), parts.next());
        let sha256 = sha256.and_then(|sha256| sha256.parse().ok()).ok_or(ExpectedError)?;
        let number = number.and_then(|number| number.parse().ok()).ok_or(ExpectedError)?;
        let section = section.filter(|section| !section.is_empty()).ok_or(ExpectedError)?;
        Ok(Self { section: section.trim_end_matches('/').to_owned(), number, sha256 })
    }
}

impl TryFrom<String> for Head {
    type Error = ExpectedError;

    fn try_from(text: String) -> Result<Self, ExpectedError> {
        text.parse()
    }
}

impl From<Head> for String {
    fn from(head: Head) -> Self {
        head.to_string()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.section, self.number, self.sha256)
    }
}

/// What must still be on the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A record with this digest, in any section.
    Digest(Digest),
    /// A section that reaches as far, with this record there.
    Head(Head),
}

impl FromStr for Expected {
    type Err = ExpectedError;

    fn from_str(text: &str) -> Result<Self, ExpectedError> {
        text.parse().map(Self::Digest).or_else(|_| text.parse().map(Self::Head))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Head(head) => head.fmt(f),
        }
    }
}

/// What the trail says to an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// It is as expected.
    Same,
    /// The record is not there: the section is gone, or has become shorter.
    Gone,
    /// There is another record in its place.
    Changed,
}

impl Head {
    /// What its section says to it. `records` are those of the section: the number of each, and the digest of its bytes.
    pub fn met(&self, records: &[(u32, Digest)]) -> Met {
        let mut of_number = records.iter().filter(|(number, _)| *number == self.number);
        if of_number.clone().any(|(_, sha256)| *sha256 == self.sha256) {
            return Met::Same;
        }
        if of_number.next().is_some() { Met::Changed } else { Met::Gone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: &str = "audit/backup/2026-11-22/0000000000000007";

    fn head(number: u32, of: &[u8]) -> Head {
        Head { section: SECTION.to_owned(), number, sha256: Digest::of(of) }
    }

    #[test]
    fn what_was_printed_is_expected_as_it_stands() {
        let (head, digest) = (head(2, b"b"), Digest::of(b"b"));
        assert_eq!(head.to_string(), format!("{SECTION}:2:{digest}"));
        assert_eq!(head.to_string().parse(), Ok(Expected::Head(head.clone())));
        assert_eq!(digest.to_string().parse(), Ok(Expected::Digest(digest)));
        assert_eq!(format!("{SECTION}/:00000002:{digest}").parse(), Ok(Expected::Head(head.clone())));
        for expected in [Expected::Head(head), Expected::Digest(digest)] {
            assert_eq!(expected.to_string().parse(), Ok(expected));
        }
        for bad in
            ["", "abc", &format!("2:{digest}"), &format!(":2:{digest}"), &format!("{SECTION}:x:{digest}")]
        {
            assert_eq!(bad.parse::<Expected>(), Err(ExpectedError), "{bad}");
        }
    }

    #[test]
    fn a_section_reaches_as_far_with_the_same_record_or_is_gone_or_changed() {
        let (one, two, other) = ((1, Digest::of(b"a")), (2, Digest::of(b"b")), (2, Digest::of(b"x")));
        for (records, expected) in [
            (vec![one, two], Met::Same),
            (vec![one, two, (3, Digest::of(b"c"))], Met::Same),
            (vec![one, other, two], Met::Same),
            (vec![one, other], Met::Changed),
            (vec![one], Met::Gone),
            (vec![one, (3, Digest::of(b"b"))], Met::Gone),
            (vec![], Met::Gone),
        ] {
            assert_eq!(head(2, b"b").met(&records), expected, "{records:?}");
        }
    }
}
