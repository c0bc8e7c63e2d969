//! What a listing shows beside current blobs.

use std::{collections::BTreeMap, ops::Bound};

use time::OffsetDateTime;

use super::Place;
use crate::azure::{
    call::Call,
    storage::{account::Container, versions::Shown},
};

/// Comes after the ids of all versions.
const LAST: &str = "~";

/// What is asked for, in any case of its letters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Include<'c>(&'c str);

impl<'c> Include<'c> {
    pub(super) fn of(call: &'c Call) -> Self {
        Self(call.query.get("include").unwrap_or_default())
    }

    /// Whether something is asked for.
    pub(super) fn has(self, what: &str) -> bool {
        self.0.split(',').any(|part| part.trim().eq_ignore_ascii_case(what))
    }

    /// What is to be shown from a place on, in the order of the bytes of the names and, of one name, from the oldest
    /// version to the current one. Each comes with the key of its version.
    pub(super) fn entries<'a>(
        self,
        container: &'a Container,
        prefix: &'a str,
        from: &'a Place,
        now: OffsetDateTime,
    ) -> Box<dyn Iterator<Item = (&'a str, Shown<'a>)> + 'a> {
        let (versions, deleted) = (self.has("versions"), self.has("deleted"));
        let start = from.0.as_str().max(prefix);
        let current = container
            .blobs
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, blob)| Shown { name, blob, is_current: true });
        if !versions && !deleted {
            return Box::new(current.map(|shown| (LAST, shown)));
        }
        let older = container
            .older
            .range((start.to_owned(), String::new())..)
            .take_while(move |((name, _), _)| name.starts_with(prefix))
            .filter(move |((_, id), blob)| {
                // A version with the versions, and what was deleted with the deleted.
                let lives_on = blob.deleted.is_none_or(|gone| deleted && now < gone.until);
                lives_on && (versions || id.is_empty())
            })
            .map(|((name, _), blob)| Shown { name, blob, is_current: false });
        let key = |shown: &Shown<'a>| shown.blob.version.as_deref().unwrap_or(LAST);
        let all: BTreeMap<_, _> =
            current.chain(older).map(|shown| ((shown.name, key(&shown)), shown)).collect();
        let after = move |(name, key): (&str, &str)| (name, key) >= (from.0.as_str(), from.1.as_str());
        Box::new(
            all.into_iter().filter(move |(place, _)| after(*place)).map(|((_, key), shown)| (key, shown)),
        )
    }
}
