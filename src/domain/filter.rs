//! A filter for names, as a person writes it.

use std::str::FromStr;

use super::object::ObjectName;

/// Takes names that contain a text, or, if it has a `*`, which stands for any characters, names that it
/// matches as a whole. Case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFilter(String);

/// The text is not a filter for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 127 letters, digits, hyphens and *")]
pub struct NameFilterError;

impl NameFilter {
    /// The filter, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it takes a name.
    pub fn takes(&self, name: &ObjectName) -> bool {
        let name = name.folded();
        if self.0.contains('*') { matches(&self.0, &name) } else { name.contains(&self.0) }
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

/// Whether a pattern in which `*` stands for any characters matches a whole name. Both are in lower case.
///
/// Each part is matched at the first position where it fits, which leaves the most for the parts after it.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else { return pattern == name };
    let (middle, last) = others.rsplit_once('*').unwrap_or(("", others));
    let Some(rest) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    let after = |rest: &str, part: &str| rest.find(part).map(|at| at + part.len());
    let mut at = 0;
    middle.split('*').all(|part| after(&rest[at..], part).map(|end| at += end).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_a_text_for_a_part() {
        let takes = |filter: &str, name: &str| {
            filter.parse::<NameFilter>().unwrap().takes(&name.parse::<ObjectName>().unwrap())
        };
        for (filter, name) in
            [("b-P", "DB-pass"), ("db*", "db"), ("*s*", "pass"), ("d*-*s", "db-pass"), ("a*b*b", "abb")]
        {
            assert!(takes(filter, name), "{filter} {name}");
        }
        for (filter, name) in
            [("x", "db"), ("db*", "a-db"), ("*a*a*a", "aa"), ("ab*ba", "aba"), ("a*b*b", "ab")]
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
