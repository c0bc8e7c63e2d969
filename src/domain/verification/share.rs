//! A share of the backups of a source.

use std::{fmt, str::FromStr};

/// A share of the backups of a source: 0.01% to 100%, in steps of 0.01%.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u16);

/// The text is not a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a share: expected a percentage from 0.01% to 100%, such as 5% or 0.25%")]
pub struct ShareError;

impl Share {
    /// How many in ten thousand.
    pub const fn of_10_000(self) -> u16 {
        self.0
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let number = text.strip_suffix('%').ok_or(ShareError)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|of| of.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || part.len() > 2 {
            return Err(ShareError);
        }
        let hundredths: u16 = format!("{part:0<2}").parse().map_err(|_| ShareError)?;
        let whole: u16 = whole.parse().map_err(|_| ShareError)?;
        let share = whole.checked_mul(100).and_then(|share| share.checked_add(hundredths));
        share.filter(|share| (1..=10_000).contains(share)).map(Self).ok_or(ShareError)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, part) if part % 10 == 0 => write!(f, "{whole}.{}%", part / 10),
            (whole, part) => write!(f, "{whole}.{part:02}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_in_hundredths() {
        for (text, expected) in [
            ("5%", Some(500)),
            ("0.01%", Some(1)),
            ("0.5%", Some(50)),
            ("2.25%", Some(225)),
            ("99.99%", Some(9999)),
            ("100%", Some(10_000)),
            ("100.00%", Some(10_000)),
            ("0%", None),
            ("0.00%", None),
            ("0.001%", None),
            ("100.01%", None),
            ("655.37%", None),
            ("70000%", None),
            ("5", None),
            ("%", None),
            (".5%", None),
            ("5.%", None),
            ("+5%", None),
            ("-5%", None),
            ("5 %", None),
            ("five%", None),
        ] {
            let found = text.parse::<Share>();
            assert_eq!(found.map(Share::of_10_000).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_share_is_written_as_it_is_read() {
        for text in ["5%", "0.01%", "0.5%", "2.25%", "100%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
    }
}
