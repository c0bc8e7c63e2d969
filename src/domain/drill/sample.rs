//! Which objects a drill restores, and as of when.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Seed;
use crate::domain::{
    digest::Hash,
    object::{ObjectId, ObjectKind},
    restore::Step,
};

/// How many objects there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Certificates.
    pub certificates: u32,
    /// Keys.
    pub keys: u32,
    /// Secrets.
    pub secrets: u32,
}

impl Counts {
    /// Of these steps.
    pub fn of<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Self {
        let mut counts = Self::default();
        for step in steps {
            *match step.kind {
                ObjectKind::Certificate => &mut counts.certificates,
                ObjectKind::Key => &mut counts.keys,
                ObjectKind::Secret => &mut counts.secrets,
            } += 1;
        }
        counts
    }

    /// Of one kind.
    pub const fn of_kind(&self, kind: ObjectKind) -> u32 {
        match kind {
            ObjectKind::Certificate => self.certificates,
            ObjectKind::Key => self.keys,
            ObjectKind::Secret => self.secrets,
        }
    }

    /// Of all kinds.
    pub const fn all(&self) -> u32 {
        self.certificates.saturating_add(self.keys).saturating_add(self.secrets)
    }
}

/// The steps of a sample: those that are always drilled, and so many more of each kind, drawn by the seed.
///
/// What is drawn depends on the seed and the names alone: with the seed, anybody can draw it again. Every object has the
/// same chance.
pub fn chosen(steps: Vec<Step>, seed: Seed, of_each_kind: u32, always: &[ObjectId]) -> Vec<Step> {
    let mut drawn = BTreeSet::new();
    for kind in ObjectKind::ALL {
        let mut of_kind: Vec<_> = steps.iter().filter(|step| step.kind == kind).map(Step::id).collect();
        of_kind.retain(|id| !always.contains(id));
        of_kind.sort_by_cached_key(|id| lot(seed, &format!("{kind} {}", id.name.folded())));
        drawn.extend(of_kind.into_iter().take(of_each_kind.try_into().unwrap_or(usize::MAX)));
    }
    steps.into_iter().filter(|step| always.contains(&step.id()) || drawn.contains(&step.id())).collect()
}

/// Which of so many older points the drill with this number restores; `None` for the newest.
pub fn other_point(number: u32, every: u32, seed: Seed, older: usize) -> Option<usize> {
    let is_turn = every > 0 && number > 0 && number.is_multiple_of(every);
    let drawn = lot(seed, "point").checked_rem(u64::try_from(older).unwrap_or(u64::MAX))?;
    usize::try_from(drawn).ok().filter(|_| is_turn)
}

fn lot(seed: Seed, what: &str) -> u64 {
    let drawn: Hash<8> = Hash::of(format!("{seed} {what}").as_bytes());
    u64::from_be_bytes(*drawn.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        restore::Action,
        samples::{self, NIGHT},
    };

    fn steps(kind: ObjectKind, count: usize) -> Vec<Step> {
        let of = |at| samples::entry(&samples::of_kind(kind, &format!("o-{at}")), NIGHT);
        let mut steps: Vec<_> = (0..count).map(|at| Step::new(&of(at), Action::Restore)).collect();
        steps.sort_by_key(Step::id);
        steps
    }

    fn seed(number: u32) -> Seed {
        Seed::of(&number.to_be_bytes())
    }

    fn ids(steps: &[Step]) -> Vec<ObjectId> {
        steps.iter().map(Step::id).collect()
    }

    #[test]
    fn so_many_of_each_kind_and_what_is_always_drilled() {
        let all = || [steps(ObjectKind::Key, 2), steps(ObjectKind::Secret, 50)].concat();
        let always =
            [samples::of_kind(ObjectKind::Secret, "O-7"), samples::of_kind(ObjectKind::Secret, "gone")];
        for (of_each, always, keys, secrets) in [
            (0, &[][..], 0, 0),
            (0, &always, 0, 1),
            (3, &[], 2, 3),
            (3, &always, 2, 4),
            (100, &always, 2, 50),
        ] {
            let sample = chosen(all(), seed(7), of_each, always);
            let counts = Counts::of(&sample);
            assert_eq!((counts.keys, counts.secrets, counts.all()), (keys, secrets, keys + secrets));
            assert!(ids(&sample).is_sorted(), "in the order of the objects");
        }
    }

    #[test]
    fn the_seed_alone_decides_and_every_object_has_its_chance() {
        let draw = |number| ids(&chosen(steps(ObjectKind::Secret, 20), seed(number), 2, &[]));
        assert_eq!(draw(1), draw(1));
        let backwards: Vec<_> = steps(ObjectKind::Secret, 20).into_iter().rev().collect();
        let drawn: BTreeSet<_> = ids(&chosen(backwards, seed(1), 2, &[])).into_iter().collect();
        assert_eq!(drawn, draw(1).into_iter().collect());
        let all: BTreeSet<_> = (0..200).flat_map(draw).collect();
        assert_eq!(all.len(), 20, "each was drawn in one of 200 drills");
    }

    #[test]
    fn every_so_many_drills_it_is_the_turn_of_an_older_point() {
        for (number, every, older, is_older) in [
            (4, 4, 3, true),
            (8, 4, 3, true),
            (5, 4, 3, false),
            (0, 4, 3, false),
            (4, 4, 0, false),
            (4, 0, 3, false),
            (1, 1, 1, true),
        ] {
            let point = other_point(number, every, seed(9), older);
            assert_eq!(point.is_some(), is_older, "{number} {every} {older}");
            assert!(point.is_none_or(|point| point < older));
        }
        let points: BTreeSet<_> = (0..100).filter_map(|at| other_point(4, 4, seed(at), 5)).collect();
        assert_eq!(points.len(), 5);
    }
}
