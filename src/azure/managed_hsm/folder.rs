//! Names of backup folders.

use std::fmt;

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// The name of a backup's folder: `mhsm-NAME-`, a time in UTC, and up to three digits more.
///
/// The documentation has 14 digits, to the second; all recorded names have 16, apparently to a hundredth of a second.
/// The name is for display and sorting. The location of a backup is
/// [`OperationStatus::folder_uri`](super::OperationStatus::folder_uri).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderName {
    name: String,
    hsm: String,
    time: OffsetDateTime,
}

impl FolderName {
    /// The prefix of the names of all folders of an HSM.
    pub fn prefix(hsm: &str) -> String {
        format!("mhsm-{hsm}-")
    }

    /// Parses a name, or the last part of a path or an address. `None` if it is not a folder's name.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split(['?', '#']).next().unwrap_or_default();
        let name = text.trim_end_matches('/').rsplit('/').next()?;
        let (hsm, digits) = name.strip_prefix("mhsm-")?.rsplit_once('-')?;
        let time = time(digits)?;
        (!hsm.is_empty()).then(|| Self { name: name.to_owned(), hsm: hsm.to_owned(), time })
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The name of the HSM.
    pub fn hsm(&self) -> &str {
        &self.hsm
    }

    /// When the backup was made.
    pub fn time(&self) -> OffsetDateTime {
        self.time
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// `YYYYMMDDHHMMSS` and up to three digits of a second's fraction.
fn time(digits: &str) -> Option<OffsetDateTime> {
    let legal = (14..=17).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u8>().ok();
    let year = legal.then(|| digits.get(..4)?.parse::<i32>().ok())??;
    let month = Month::try_from(part(4, 6)?).ok()?;
    let date = Date::from_calendar_date(year, month, part(6, 8)?).ok()?;
    let millisecond = format!("{:0<3}", &digits[14..]).parse::<u16>().ok()?;
    let time = Time::from_hms_milli(part(8, 10)?, part(10, 12)?, part(12, 14)?, millisecond).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn recorded_and_documented_names_are_read() {
        let address = "https://a.blob.core.windows.net/c/mhsm-cli-test-hsm-bcup-000002-2024061904302709";
        let folder = FolderName::parse(address).unwrap();
        assert_eq!(folder.as_str(), "mhsm-cli-test-hsm-bcup-000002-2024061904302709");
        assert_eq!(folder.hsm(), "cli-test-hsm-bcup-000002");
        assert_eq!(folder.time(), datetime!(2024-06-19 04:30:27.09 UTC));
        let documented = FolderName::parse("a/b/mhsm-x-20240619043027/").unwrap();
        assert_eq!(documented.time(), datetime!(2024-06-19 04:30:27 UTC));
    }

    #[test]
    fn other_names_are_none() {
        for text in
            ["", "mhsm-x", "mhsm--20240619043027", "mhsm-x-2024061904302", "mhsm-x-202406190430270912"]
        {
            assert_eq!(FolderName::parse(text), None, "{text}");
        }
        assert_eq!(FolderName::parse("mhsm-x-20241319043027"), None);
        assert_eq!(FolderName::parse("mhsm-x-2024061904302ü"), None);
    }
}
