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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_limit_is_a_whole_number_from_1_to_1000() {
        for (text, expected) in [
            ("1", Some(1)),
            ("100", Some(100)),
            ("1000", Some(1000)),
            ("0", None),
            ("1001", None),
            ("-1", None),
            ("1.0", None),
            ("ten", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(text.parse::<Limit>().ok().map(|Limit(number)| number), expected, "{text:?}");
        }
        assert_eq!(Limit::DEFAULT.0, 100);
    }

    #[test]
    fn a_moment_needs_a_date_a_time_and_an_offset() {
        let ten = datetime!(2026-11-22 10:00 UTC);
        for text in ["2026-11-22T10:00:00Z", "2026-11-22T11:00:00+01:00", "2026-11-22T10:00:00.000Z"] {
            assert_eq!(text.parse::<Moment>().map(|Moment(at)| at), Ok(ten), "{text}");
        }
        for text in
            ["2026-11-22", "2026-11-22T10:00:00", "10:00", "yesterday", "1795341600", "2026-13-01T10:00:00Z"]
        {
            assert_eq!(
                text.parse::<Moment>().map(|Moment(at)| at),
                Err("expected a time such as 2026-11-22T10:00:00Z"),
                "{text}"
            );
        }
    }

    #[derive(Debug, Deserialize)]
    struct Fields {
        #[serde(deserialize_with = "required")]
        needed: Limit,
        #[serde(default, deserialize_with = "optional")]
        maybe: Option<Limit>,
        #[serde(default, deserialize_with = "present")]
        whole: Option<u8>,
    }

    #[test]
    fn a_field_that_may_be_missing_must_not_be_null() {
        let read = |value| serde_json::from_value::<Fields>(value);
        let full = read(json!({ "needed": "7", "maybe": "8", "whole": 9 })).unwrap();
        assert_eq!((full.needed.0, full.maybe.map(|of| of.0), full.whole), (7, Some(8), Some(9)));
        let least = read(json!({ "needed": "7" })).unwrap();
        assert!(least.maybe.is_none() && least.whole.is_none());
        for wrong in [
            json!({}),
            json!({ "needed": null }),
            json!({ "needed": 7 }),
            json!({ "needed": "7", "maybe": null }),
            json!({ "needed": "7", "maybe": "0" }),
            json!({ "needed": "7", "whole": null }),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
