//! The number of jobs that one caller may have open at once, by each right.

use std::{collections::BTreeMap, fmt};

use super::{actor::Actor, right::Right};

/// The most jobs that one caller may have open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Backups.
    pub backups: u32,
    /// Restores.
    pub restores: u32,
}

impl Bounds {
    /// The bound of a right. A person at a terminal has none.
    pub const fn of(&self, right: Right) -> Option<u32> {
        match right {
            Right::Backup => Some(self.backups),
            Right::Restore => Some(self.restores),
            Right::Terminal => None,
        }
    }

    /// The callers that cannot open another job by a right until one of theirs ends, each with its number of open jobs.
    pub fn met<'a>(&self, right: Right, openers: impl IntoIterator<Item = &'a Actor>) -> Vec<AtBound> {
        let Some(most) = self.of(right) else { return Vec::new() };
        let mut open: BTreeMap<String, AtBound> = BTreeMap::new();
        for (caller, by) in openers.into_iter().filter_map(|by| Some((by.caller()?, by))) {
            let first = || AtBound { by: by.clone(), right, open: 0, most };
            open.entry(caller).or_insert_with(first).open += 1;
        }
        open.into_values().filter(|of| of.open >= most).collect()
    }
}

/// A caller with as many open jobs as it may have, or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtBound {
    /// The caller.
    pub by: Actor,
    /// The right.
    pub right: Right,
    /// How many jobs it has open.
    pub open: u32,
    /// How many it may have open.
    pub most: u32,
}

impl AtBound {
    /// The noun for the jobs that are counted.
    pub const fn what(&self) -> &'static str {
        match self.right {
            Right::Restore => "restores",
            Right::Backup | Right::Terminal => "backups",
        }
    }

    /// The setting that limits them.
    pub const fn setting(&self) -> &'static str {
        match self.right {
            Right::Restore => "KEYVAULT_BACKUP_MOST_OPEN_RESTORES",
            Right::Backup | Right::Terminal => "KEYVAULT_BACKUP_MOST_OPEN_BACKUPS",
        }
    }
}

impl fmt::Display for AtBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.open == 1 { self.what().trim_end_matches('s') } else { self.what() };
        write!(f, "{} has {} open {what}, and may have {}", self.by, self.open, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Principal;

    fn signed_in(id: &str, key: &str) -> Actor {
        Actor::http(Some(key), Some(Principal { id: id.to_owned(), name: None }))
    }

    #[test]
    fn each_caller_has_its_own_bound_and_schedules_and_terminals_have_none() {
        let (one, other) = (Actor::http(Some("one"), None), Actor::http(Some("other"), None));
        let (ada, bob) = (signed_in("ada", "shared"), signed_in("bob", "shared"));
        let open = [&one, &one, &other, &ada, &ada, &bob, &Actor::TIMER, &Actor::TIMER, &Actor::TERMINAL];
        let bounds = Bounds { backups: 2, restores: 3 };
        let met = bounds.met(Right::Backup, open.into_iter().chain([&Actor::TERMINAL]));
        let by: Vec<_> = met.iter().map(|of| (&of.by, of.open, of.most)).collect();
        assert_eq!(by.len(), 2, "{by:?}");
        assert!(by.contains(&(&one, 2, 2)) && by.contains(&(&ada, 2, 2)), "{by:?}");
        assert_eq!(bounds.met(Right::Restore, open), []);
        assert_eq!(bounds.met(Right::Terminal, open), []);
    }

    #[test]
    fn a_bound_that_is_exceeded_is_met() {
        let by = Actor::http(None, None);
        let met = Bounds { backups: 1, restores: 1 }.met(Right::Restore, [&by, &by]);
        assert_eq!(met[0].to_string(), "an HTTP caller has 2 open restores, and may have 1");
    }
}
