//! What a listing shows beside current blobs.

use std::{collections::BTreeMap, ops::Bound};

use time::OffsetDateTime;

use super::Place;
use crate::azure::{
    call::Call,
    storage::{
        account::{Container, StoredBlob},
        versions::Shown,
    },
};

/// Comes after the ids of all versions.
const LAST: &str = "~";

/// What is asked for, in any case of its letters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Include {
    pub(super) metadata: bool,
    versions: bool,
    deleted: bool,
}

impl Include {
    pub(super) fn of(call: &Call) -> Self {
        let asked = call.query.get("include").unwrap_or_default();
        let has = |what: &str| asked.split(',').any(|part| part.trim().eq_ignore_ascii_case(what));
        Self { metadata: has("metadata"), versions: has("versions"), deleted: has("deleted") }
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
        let start = from.0.as_str().max(prefix);
        let current = container
            .blobs
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, blob)| Shown { name, blob, is_current: true });
        if !self.versions && !self.deleted {
            return Box::new(current.map(|shown| (LAST, shown)));
        }
        let older = container
            .older
            .range((start.to_owned(), String::new())..)
            .take_while(move |((name, _), _)| name.starts_with(prefix))
            .filter(move |((_, id), blob)| self.shows(id, blob, now))
            .map(|((name, _), blob)| Shown { name, blob, is_current: false });
        let key = |shown: &Shown<'a>| shown.blob.version.as_deref().unwrap_or(LAST);
        let all: BTreeMap<_, _> =
            current.chain(older).map(|shown| ((shown.name, key(&shown)), shown)).collect();
        let after = move |(name, key): (&str, &str)| (name, key) >= (from.0.as_str(), from.1.as_str());
        Box::new(
            all.into_iter().filter(move |(place, _)| after(*place)).map(|((_, key), shown)| (key, shown)),
        )
    }

    /// Whether something older is shown: a version with the versions, and what was deleted with the deleted.
    fn shows(self, id: &str, blob: &StoredBlob, now: OffsetDateTime) -> bool {
        let lives_on = blob.deleted.is_none_or(|deleted| self.deleted && now < deleted.until);
        lives_on && (self.versions || id.is_empty())
    }
}
