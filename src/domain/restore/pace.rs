//! The pace of restores: the order in which a vault's limits let steps go, and how long they take at least.

use std::time::Duration;

use super::{Action, Step};
use crate::domain::object::ObjectKind;

/// The span of the service's limits, in seconds.
const SPAN: u32 = 10;

/// How many objects of each kind may be restored into one vault in ten seconds.
///
/// Key Vault does not document which limit a restore counts against. It creates objects, so it is held to the limits
/// for creating them, which are far below those for everything else (documentation, "Azure Key Vault service limits":
/// secrets 300, keys 10 to 20 in ten seconds). A recovery creates nothing, and has no pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Secrets.
    pub secrets: u32,
    /// Keys.
    pub keys: u32,
    /// Certificates.
    pub certificates: u32,
}

impl Pace {
    /// So many objects of any kind.
    pub fn of_all(objects: u32) -> Self {
        Self { secrets: objects, keys: objects, certificates: objects }
    }

    /// The objects of a kind in ten seconds, at least one.
    pub fn in_ten_seconds(&self, kind: ObjectKind) -> u32 {
        let of_kind = match kind {
            ObjectKind::Secret => self.secrets,
            ObjectKind::Key => self.keys,
            ObjectKind::Certificate => self.certificates,
        };
        of_kind.max(1)
    }

    /// The objects of a kind in a minute.
    pub fn in_a_minute(&self, kind: ObjectKind) -> usize {
        usize::try_from(self.in_ten_seconds(kind)).unwrap_or(usize::MAX).saturating_mul(6)
    }

    /// When so many objects of a kind have had their turn.
    fn after(&self, kind: ObjectKind, objects: usize) -> Duration {
        let objects = u32::try_from(objects).unwrap_or(u32::MAX);
        Duration::from_secs(u64::from(SPAN)).saturating_mul(objects) / self.in_ten_seconds(kind)
    }

    /// The steps in the order in which their limits let them go, each with the time from now at which it is due. So no kind
    /// waits for another one, and the steps of every kind are done when those of the slowest are. Steps that are due at one
    /// time stay in their order.
    pub fn schedule<'p>(&self, steps: impl IntoIterator<Item = &'p Step>) -> Vec<(Duration, &'p Step)> {
        let mut before = [0; ObjectKind::ALL.len()];
        let due = |step: &'p Step| {
            if !is_paced(step) {
                return (Duration::ZERO, step);
            }
            let of_kind = &mut before[step.kind as usize];
            *of_kind += 1;
            (self.after(step.kind, *of_kind - 1), step)
        };
        let mut scheduled: Vec<_> = steps.into_iter().map(due).collect();
        scheduled.sort_by_key(|(due, _)| *due);
        scheduled
    }

    /// How long steps take at least: as long as those of the kind whose limit takes longest.
    pub fn takes<'p>(&self, steps: impl IntoIterator<Item = &'p Step>) -> Duration {
        let mut counts = [0; ObjectKind::ALL.len()];
        steps.into_iter().filter(|step| is_paced(step)).for_each(|step| counts[step.kind as usize] += 1);
        let of_kind = |kind: ObjectKind| self.after(kind, counts[kind as usize]);
        ObjectKind::ALL.into_iter().map(of_kind).max().unwrap_or_default()
    }
}

fn is_paced(step: &Step) -> bool {
    step.action != Action::Recover
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples::{self, NIGHT};

    const DEFAULT: Pace = Pace { secrets: 300, keys: 10, certificates: 10 };

    fn steps(counts: [usize; 3], action: Action) -> Vec<Step> {
        let of_kind = |(kind, count): (ObjectKind, usize)| {
            let entry = samples::entry(&samples::of_kind(kind, "any"), NIGHT);
            (0..count).map(move |_| Step::new(&entry, action))
        };
        ObjectKind::ALL.into_iter().zip(counts).flat_map(of_kind).collect()
    }

    #[test]
    fn a_vault_takes_as_long_as_its_slowest_kind() {
        for (counts, action, seconds) in [
            ([0, 0, 0], Action::Restore, 0.0),
            ([100, 100, 1000], Action::Restore, 100.0),
            ([1, 0, 0], Action::PurgeAndRestore, 1.0),
            ([5, 5, 1500], Action::Restore, 50.0),
            ([100, 100, 1000], Action::Recover, 0.0),
        ] {
            let steps = steps(counts, action);
            assert_eq!(DEFAULT.takes(&steps), Duration::from_secs_f64(seconds), "{counts:?} {action:?}");
            let due: Vec<_> = DEFAULT.schedule(&steps).into_iter().map(|(due, _)| due).collect();
            assert!(due.is_sorted() && due.iter().all(|due| *due <= DEFAULT.takes(&steps)), "{counts:?}");
        }
        assert_eq!(Pace::of_all(0).takes(&steps([2, 0, 0], Action::Restore)), Duration::from_secs(20));
    }

    /// How long steps take in this order with so many at once, each of which waits for its turn in its place and then
    /// works for a moment.
    fn simulated(pace: Pace, order: &[(Duration, &Step)], places: usize) -> Duration {
        let (mut free, mut turn) = (vec![Duration::ZERO; places], [Duration::ZERO; 3]);
        for (_, step) in order {
            let first = free.iter_mut().min().unwrap();
            let next = &mut turn[step.kind as usize];
            let began = (*first).max(*next);
            *next = began + pace.after(step.kind, 1);
            *first = began + WORK;
        }
        free.into_iter().max().unwrap_or_default()
    }

    const WORK: Duration = Duration::from_millis(300);

    proptest! {
        /// 24 places are those of one instance at the queue, 64 those of a terminal.
        #[test]
        fn no_mix_takes_a_tenth_longer_than_its_slowest_kind(
            counts in [0_usize..300, 0_usize..300, 0_usize..1500],
            keys in 5_u32..40,
            secrets in 100_u32..500,
            places in prop_oneof![Just(24), Just(64)],
        ) {
            let pace = Pace { secrets, keys, certificates: keys };
            let steps = steps(counts, Action::Restore);
            let took = simulated(pace, &pace.schedule(&steps), places);
            prop_assert!(took <= pace.takes(&steps).mul_f64(1.1) + WORK, "{took:?} {:?}", pace.takes(&steps));
        }
    }

    #[test]
    fn one_kind_after_the_other_would_take_longer() {
        let steps = steps([100, 100, 1000], Action::Restore);
        let order: Vec<_> = steps.iter().map(|step| (Duration::ZERO, step)).collect();
        let [queue, terminal] = [24, 64].map(|places| simulated(DEFAULT, &order, places).as_secs());
        assert!(queue > 180 && terminal > 130, "{queue} {terminal}");
    }
}
