//! Filters for objects and for their names, as a person writes them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    manifest::{Line, ObjectStatus},
    object::{ObjectKind, ObjectName},
};

/// The objects of an index to list. Every condition that is set must hold; without any, all objects are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectFilter {
    /// Only this kind.
    pub kind: Option<ObjectKind>,
    /// Only these names.
    pub name: Option<NameFilter>,
    /// Only objects with one of these statuses; any if it is empty.
    pub statuses: Vec<ObjectStatus>,
    /// Only objects whose newest backup was taken, or that were found gone, at this time or later.
    pub since: Option<OffsetDateTime>,
}

impl ObjectFilter {
    /// Whether it takes an object.
    pub fn takes(&self, line: &Line) -> bool {
        let taken = line.entry.as_ref().map(|entry| entry.taken);
        let is_recent = |since| [taken, line.gone, line.returned].into_iter().flatten().any(|at| at >= since);
        self.kind.is_none_or(|kind| kind == line.kind)
            && self.name.as_ref().is_none_or(|name| name.takes(&line.name))
            && (self.statuses.is_empty() || self.statuses.contains(&line.status))
            && self.since.is_none_or(is_recent)
    }
}

/// Matches whole names; `*` stands for any characters, and case does not matter. This is the one grammar for names: of
/// `--name` at a terminal, of `GET /api/backups` and of restore plans.
///
/// It is parsed where it comes in. What a plan stores is read as it is: older programs stored any text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NameFilter(String);

/// The text is not a filter for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no object can have such a name: expected 1 to 127 letters, digits and hyphens, and * for any characters"
)]
pub struct NameFilterError;

impl NameFilter {
    /// The filter, in lower case unless an older program stored it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it takes a name.
    pub fn takes(&self, name: &ObjectName) -> bool {
        matches(&self.0.to_ascii_lowercase(), &name.folded())
    }
}

impl FromStr for NameFilter {
    type Err = NameFilterError;

    fn from_str(text: &str) -> Result<Self, NameFilterError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'*');
        let legal = (1..=127).contains(&text.len()) && text.bytes().all(legal);
        if legal { Ok(Self(text.to_ascii_lowercase())) } else { Err(NameFilterError) }
    }
}

impl fmt::Display for NameFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether a pattern in which `*` stands for any characters matches a whole name. Both are in lower case.
///
/// Each part is matched at the first position where it fits, which leaves the most for the parts after it.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else { return pattern == name };
    let (middle, last) = others.rsplit_once('*').unwrap_or(("", others));
    let Some(rest) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    let after = |rest: &str, part: &str| rest.find(part).map(|at| at + part.len());
    let mut at = 0;
    middle.split('*').all(|part| after(&rest[at..], part).map(|end| at += end).is_some())
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::samples::{NIGHT, line, secret};

    #[test]
    fn an_object_is_taken_if_every_condition_holds() {
        let of = |name: &str, status| line(&secret(name), status, NIGHT);
        let failing = || vec![ObjectStatus::Failed];
        let name = |pattern: &str| Some(pattern.parse().unwrap());
        let gone = Line { gone: Some(NIGHT + Duration::DAY), ..of("db", ObjectStatus::Gone) };
        let never = Line { entry: None, ..of("db", ObjectStatus::Failed) };
        let any = ObjectFilter::default;
        let since = |at| ObjectFilter { since: Some(at), ..any() };
        for (filter, line, expected) in [
            (any(), &never, true),
            (ObjectFilter { kind: Some(ObjectKind::Key), ..any() }, &gone, false),
            (ObjectFilter { name: name("d*"), statuses: failing(), ..any() }, &never, true),
            (ObjectFilter { name: name("x*"), statuses: failing(), ..any() }, &never, false),
            (ObjectFilter { statuses: failing(), ..any() }, &gone, false),
            (ObjectFilter { statuses: vec![ObjectStatus::Failed, ObjectStatus::Gone], ..any() }, &gone, true),
            (since(NIGHT), &of("db", ObjectStatus::Unchanged), true),
            (since(NIGHT + Duration::SECOND), &of("db", ObjectStatus::Unchanged), false),
            (since(NIGHT + Duration::DAY), &gone, true),
            (since(NIGHT + Duration::days(2)), &gone, false),
            (since(NIGHT), &never, false),
        ] {
            assert_eq!(filter.takes(line), expected, "{filter:?} {line:?}");
        }
    }

    #[test]
    fn a_filter_matches_whole_names_in_which_a_star_stands_for_any_characters() {
        let takes = |filter: &str, name: &str| {
            filter.parse::<NameFilter>().unwrap().takes(&name.parse::<ObjectName>().unwrap())
        };
        for (filter, name) in [
            ("db-P*", "DB-pass"),
            ("DB", "db"),
            ("*b-p*", "db-pass"),
            ("db*", "db"),
            ("*s*", "pass"),
            ("d*-*s", "db-pass"),
            ("a*b*b", "abb"),
        ] {
            assert!(takes(filter, name), "{filter} {name}");
        }
        for (filter, name) in
            [("x", "db"), ("d", "db"), ("db*", "a-db"), ("*a*a*a", "aa"), ("ab*ba", "aba"), ("a*b*b", "ab")]
        {
            assert!(!takes(filter, name), "{filter} {name}");
        }
        assert!(
            matches("*", "x") && matches("db", "db") && !matches("db", "db-password") && !matches("a*a", "a")
        );
    }

    #[test]
    fn a_filter_is_what_a_name_can_hold_and_stars_in_lower_case() {
        assert_eq!("*DB-1".parse::<NameFilter>().unwrap().as_str(), "*db-1");
        let long = "x".repeat(127);
        assert!(long.parse::<NameFilter>().is_ok());
        for bad in ["", "a b", "a_b", "é", &format!("{long}x")] {
            assert_eq!(bad.parse::<NameFilter>(), Err(NameFilterError), "{bad}");
        }
    }
}
