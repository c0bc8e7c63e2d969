//! Names that are not live: what was deleted, and what a purge leaves of it for a while.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::super::object::{Kind, Object};

/// Where a name is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Deleted, but not shown as deleted yet.
    Deleting,
    /// Can be recovered or purged.
    Deleted,
    /// Recovered, but not live yet.
    Recovering,
    /// Purged, but the name can not be used again yet.
    Purged,
}

/// An object that is not live.
#[derive(Debug, Clone)]
pub(crate) struct Departed {
    pub(crate) object: Object,
    pub(crate) stage: Stage,
    /// When the stage ends by itself.
    pub(crate) until: OffsetDateTime,
    pub(crate) deleted_at: OffsetDateTime,
    /// When the service purges it by itself.
    pub(crate) purge_at: OffsetDateTime,
}

/// What has become of an object at some moment.
enum Fate {
    Stays(Departed),
    Lives(Object),
    IsGone,
}

impl Departed {
    fn at(mut self, now: OffsetDateTime) -> Fate {
        if self.stage == Stage::Deleting && self.until <= now {
            self.stage = Stage::Deleted;
            self.until = self.purge_at;
        }
        match self.stage {
            _ if now < self.until => Fate::Stays(self),
            Stage::Recovering => Fate::Lives(self.object),
            _ => Fate::IsGone,
        }
    }
}

/// All objects of a vault that are not live, by kind and by name in capitals.
#[derive(Debug, Default)]
pub(crate) struct Bin {
    names: [BTreeMap<String, Departed>; 3],
    /// Nothing changes by itself before that.
    next: Option<OffsetDateTime>,
}

impl Bin {
    pub(crate) fn get(&self, kind: Kind, name: &str) -> Option<&Departed> {
        self.names[kind.index()].get(&name.to_ascii_uppercase())
    }

    pub(crate) fn remove(&mut self, kind: Kind, name: &str) -> Option<Departed> {
        self.names[kind.index()].remove(&name.to_ascii_uppercase())
    }

    /// Those whose name, in capitals, comes after another.
    pub(crate) fn after(&self, kind: Kind, name: &str) -> impl Iterator<Item = &Departed> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.names[kind.index()].range::<str, _>((Excluded(name), Unbounded)).map(|(_, departed)| departed)
    }

    /// Takes an object in. Gives it back if it is live at once.
    pub(crate) fn put(&mut self, kind: Kind, departed: Departed, now: OffsetDateTime) -> Option<Object> {
        match departed.at(now) {
            Fate::Stays(departed) => {
                self.next = Some(self.next.map_or(departed.until, |next| next.min(departed.until)));
                self.names[kind.index()].insert(departed.object.name.to_ascii_uppercase(), departed);
                None
            }
            Fate::Lives(object) => Some(object),
            Fate::IsGone => None,
        }
    }

    pub(crate) fn is_due(&self, now: OffsetDateTime) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// Does what is due. Gives the objects that are live again.
    pub(crate) fn settle(&mut self, now: OffsetDateTime) -> Vec<(Kind, Object)> {
        let mut live = Vec::new();
        self.next = None;
        for kind in Kind::ALL {
            for (_, departed) in std::mem::take(&mut self.names[kind.index()]) {
                live.extend(self.put(kind, departed, now).map(|object| (kind, object)));
            }
        }
        live
    }
}
