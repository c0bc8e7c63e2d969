//! Versions of this program, as they are recorded: `0.1.0`, or `0.1.0 (abc1234)` with the commit.

use std::{cmp::Ordering, fmt};

use super::day::Day;

/// The app is of another version than the program that looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVersion {
    /// What the app recorded of itself.
    pub app: String,
    /// The day of that record.
    pub day: Day,
    /// The program that looks.
    pub here: String,
}

impl OtherVersion {
    /// `None` where both are of the same version, whatever their commits. Versions that are no numbers differ by their text.
    #[must_use]
    pub fn of(app: &str, day: Day, here: &str) -> Option<Self> {
        // What is stored may hold anything, and this goes to a terminal.
        let app: String = app.chars().filter(|of| of.is_ascii_graphic() || *of == ' ').take(40).collect();
        (number(&app) != number(here)).then(|| Self { app, day, here: here.to_owned() })
    }

    fn order(&self) -> Option<Ordering> {
        Some(parts(number(&self.app))?.cmp(&parts(number(&self.here))?))
    }
}

impl fmt::Display for OtherVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = match self.order() {
            Some(Ordering::Greater) => "it may store what this one refuses to read: install its version here",
            Some(Ordering::Less) => "give the app the package of this one",
            _ => "use the same version in both places",
        };
        let Self { app, day, here } = self;
        write!(
            formatter,
            "The app that recorded {day} is version {app}, and this program {here}: {next} (docs/upgrade.md)."
        )
    }
}

fn number(version: &str) -> &str {
    version.split_once(' ').map_or(version, |(number, _)| number)
}

/// Major, minor and patch.
fn parts(number: &str) -> Option<[u64; 3]> {
    let parts: Vec<u64> = number.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    parts.try_into().ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_commit_is_no_version_and_numbers_are_compared_as_numbers() {
        let day = Day::of(datetime!(2026-01-10 12:00 UTC));
        for (app, here, expected) in [
            ("0.1.0", "0.1.0", None),
            ("0.1.0 (abc1234)", "0.1.0 (def5678, changed)", None),
            ("0.2.0 (abc1234)", "0.1.0", Some("install its version here")),
            ("0.10.0", "0.9.1", Some("install its version here")),
            ("0.1.0", "0.1.1", Some("give the app the package of this one")),
            ("1.0.0-rc.1", "1.0.0", Some("the same version in both places")),
            ("\u{1b}[31m\u{202e}\n", "1.0.0", Some("is version [31m, and")),
            ("", "1.0.0", Some("the same version in both places")),
        ] {
            let said = OtherVersion::of(app, day, here).map(|of| of.to_string());
            assert_eq!(said.is_some(), expected.is_some(), "{app}, {here}: {said:?}");
            assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{app}, {here}");
        }
    }
}
