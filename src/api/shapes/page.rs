//! The tokens of lists that come in pages. To callers they are opaque: the value of `continue` in the previous answer.

use std::{cmp::Reverse, str::FromStr};

use time::OffsetDateTime;

use crate::{
    domain::object::ObjectId,
    query::{listed, objects},
};

/// The form of the tokens that this program makes.
const FORM: &str = "1";

/// The error of everything that is no token.
const EXPECTED: &str = "expected `continue` of the previous answer, unchanged";

/// The last object of a page of several sources.
#[derive(Debug)]
pub struct Token(pub objects::Mark);

impl Token {
    /// The token as text.
    pub fn text(&self) -> String {
        let objects::Mark { vault, id } = &self.0;
        format!("{FORM}~{vault}~{}~{}", id.kind, id.name)
    }
}

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let [source, kind, name] = parts(text)?;
            let id = ObjectId::new(kind.parse().ok()?, name.parse().ok()?);
            Some(Self(objects::Mark { vault: source.parse().ok()?, id }))
        };
        read().ok_or(EXPECTED)
    }
}

/// The last object of a page of one source, restore or job.
#[derive(Debug)]
pub struct ObjectToken(pub ObjectId);

impl ObjectToken {
    /// The token as text.
    pub fn text(&self) -> String {
        format!("{}/{}", self.0.kind, self.0.name)
    }
}

impl FromStr for ObjectToken {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (kind, name) = text.split_once('/')?;
            Some(Self(ObjectId::new(kind.parse().ok()?, name.parse().ok()?)))
        };
        read().ok_or(EXPECTED)
    }
}

/// A page of objects that stand in several lists, in the order of kinds and names.
#[derive(Debug)]
pub struct ObjectPage {
    after: Option<ObjectId>,
    last: Option<ObjectId>,
    more: bool,
}

impl ObjectPage {
    /// The page that begins after `after` and has at most `limit` of these objects.
    pub fn new(objects: impl IntoIterator<Item = ObjectId>, after: Option<ObjectId>, limit: usize) -> Self {
        let mut rest: Vec<_> =
            objects.into_iter().filter(|id| after.as_ref().is_none_or(|after| id > after)).collect();
        rest.sort_unstable();
        let more = rest.len() > limit;
        rest.truncate(limit);
        Self { after, last: rest.pop(), more }
    }

    /// Whether an object is on it.
    pub fn has(&self, id: &ObjectId) -> bool {
        self.after.as_ref().is_none_or(|after| id > after)
            && self.last.as_ref().is_some_and(|last| id <= last)
    }

    /// The token for the next page, if there is one.
    pub fn next(self) -> Option<String> {
        self.last.filter(|_| self.more).map(|id| ObjectToken(id).text())
    }
}

/// The last run of a page.
#[derive(Debug)]
pub struct RunToken(pub listed::Mark);

impl RunToken {
    /// The token as text.
    pub fn text(&self) -> String {
        let listed::Mark { began: Reverse(began), source, whole, run } = &self.0;
        let scope = if *whole { "hsm" } else { "objects" };
        format!("{FORM}~{}~{source}~{scope}~{run}", began.unix_timestamp_nanos())
    }
}

impl FromStr for RunToken {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let [began, source, scope, run] = parts(text)?;
            let (began, source) = (Reverse(nanoseconds(began)?), source.parse().ok()?);
            Some(Self(listed::Mark { began, source, whole: scope == "hsm", run: run.to_owned() }))
        };
        read().ok_or(EXPECTED)
    }
}

/// When the last backup of a page was taken.
#[derive(Clone, Copy, Debug)]
pub struct TakenToken(pub OffsetDateTime);

impl TakenToken {
    /// The token as text.
    pub fn text(self) -> String {
        format!("{FORM}~{}", self.0.unix_timestamp_nanos())
    }
}

impl FromStr for TakenToken {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let [taken] = parts(text)?;
            nanoseconds(taken).map(Self)
        };
        read().ok_or(EXPECTED)
    }
}

fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    let parts: Vec<_> = text.strip_prefix(FORM)?.strip_prefix('~')?.split('~').collect();
    parts.try_into().ok()
}

fn nanoseconds(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{domain::object::ObjectKind, query::objects::Mark};

    fn mark(vault: &str, kind: ObjectKind, name: &str) -> Mark {
        Mark { vault: vault.parse().unwrap(), id: ObjectId::new(kind, name.parse().unwrap()) }
    }

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_written(
            vault in "[a-z][a-z0-9]{2,22}", kind in 0..ObjectKind::ALL.len(), name in "[A-Za-z0-9-]{1,127}",
        ) {
            let mark = mark(&vault, ObjectKind::ALL[kind], &name);
            let text = Token(mark.clone()).text();
            prop_assert_eq!(text.parse::<Token>().unwrap().0, mark);
        }

        #[test]
        fn no_text_makes_reading_a_token_panic(text in ".*") {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.text(), text);
            }
        }
    }

    #[test]
    fn a_page_takes_the_next_objects_of_all_lists() {
        let ids =
            |names: &[&str]| names.iter().map(|name| mark("kv-prod", ObjectKind::Secret, name).id).collect();
        let (one, other): (Vec<_>, Vec<_>) = (ids(&["d", "a"]), ids(&["c", "b"]));
        let all: Vec<_> = ids(&["a", "b", "c", "d"]);
        for (after, limit, expected, next) in [
            (None, 4, &all[..], None),
            (None, 3, &all[..3], Some("secret/c")),
            (Some("b"), 1, &all[2..3], Some("secret/c")),
            (Some("b"), 2, &all[2..], None),
            (Some("bb"), 9, &all[2..], None),
            (Some("d"), 1, &[], None),
        ] {
            let after = after.map(|name| mark("kv-prod", ObjectKind::Secret, name).id);
            let page = ObjectPage::new(one.iter().chain(&other).cloned(), after, limit);
            let shown: Vec<_> = all.iter().filter(|id| page.has(id)).cloned().collect();
            assert_eq!(shown, expected, "{page:?}");
            assert_eq!(page.next().as_deref(), next);
        }
    }

    #[test]
    fn a_token_that_was_changed_is_refused() {
        let text = Token(mark("kv-prod", ObjectKind::Secret, "db")).text();
        assert_eq!(text, "1~kv-prod~secret~db");
        for wrong in [
            "",
            "1",
            "1~kv-prod",
            "1~kv-prod~secret",
            "1~kv-prod~secret~",
            "1~kv-prod~secret~db~",
            "1~kv-prod~secret~db~x",
            "2~kv-prod~secret~db",
            "~kv-prod~secret~db",
            "1~~secret~db",
            "1~kv-prod~secrets~db",
            "1~kv_prod~secret~db",
            "1~kv-prod~secret~d/b",
            " 1~kv-prod~secret~db",
        ] {
            assert!(wrong.parse::<Token>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is() {
        for text in ["1~kv-a~secret~db", "1~kv-a~key~a-b"] {
            assert_eq!(text.parse::<Token>().unwrap().text(), text);
        }
        for text in ["1~1768010400000000001~kv-a~objects~20260110T020000Z-nightly", "1~0~hsm-a~hsm~x"] {
            assert_eq!(text.parse::<RunToken>().unwrap().text(), text);
        }
        assert_eq!("1~1768010400000000001".parse::<TakenToken>().unwrap().text(), "1~1768010400000000001");
        assert_eq!("secret/db".parse::<ObjectToken>().unwrap().text(), "secret/db");
        for text in
            ["", "1", "1~", "2~kv-a~secret~db", "1~kv-a~secret~db~", "1~x~kv-a~hsm~x", "secret/", "1~1~1"]
        {
            let read = [text.parse::<Token>().is_ok(), text.parse::<RunToken>().is_ok()];
            let other = [text.parse::<TakenToken>().is_ok(), text.parse::<ObjectToken>().is_ok()];
            assert_eq!((read, other), ([false; 2], [false; 2]), "{text}");
        }
    }
}
