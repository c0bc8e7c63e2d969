//! Fields that several requests share, and decoders for fields.

use std::{fmt::Display, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error as _};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The maximum number of items in an answer: 1 to 1000.
#[derive(Clone, Copy, Debug)]
pub struct Limit(pub usize);

impl Limit {
    /// The limit of a request that gives none.
    pub const DEFAULT: Self = Self(100);
}

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number| (1..=1000).contains(number));
        number.map(Self).ok_or("expected a whole number from 1 to 1000")
    }
}

/// A time in RFC 3339 format.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub OffsetDateTime);

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = OffsetDateTime::parse(text, &Rfc3339);
        time.map(Self).map_err(|_| "expected a time such as 2026-11-22T10:00:00Z")
    }
}

/// Decodes an optional field from text, for `deserialize_with`.
///
/// # Errors
/// The value's own.
pub fn optional<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// Decodes a required field from text, for `deserialize_with`.
///
/// # Errors
/// The value's own.
pub fn required<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// Decodes a field that may be missing but must not be null.
///
/// # Errors
/// The value's own.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
