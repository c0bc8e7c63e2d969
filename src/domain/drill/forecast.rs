//! How long a restore of the whole source would take, from what its sample took.

use serde::{Deserialize, Serialize};

use super::{Counts, Seconds};
use crate::domain::{object::ObjectKind, restore::Pace};

/// Steps that one instance carries out at once when it works through its queue: `batchSize` and `newBatchThreshold` of
/// `host.json`.
const PLACES: f64 = 24.0;

/// What a restore of the whole source would take. Extrapolated, not measured: each kind at the service's limits, which this
/// program keeps to, and each object as long as those of the sample took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// The objects that a restore of the source would bring back.
    #[serde(flatten)]
    pub objects: Counts,
    /// How long it would take, in seconds.
    pub rto_seconds: Seconds,
    /// Always `true`: nobody measured it.
    pub extrapolated: bool,
}

impl Whole {
    /// Of so many objects, where each of the sample took so many seconds from its turn until it was compared.
    ///
    /// The last object of the slowest kind has its turn when that kind's limit lets it go, and is done as long after that as an
    /// object takes. Where objects take so long that one instance cannot keep up with the limits, its places are the limit.
    pub fn of(objects: Counts, pace: &Pace, sample: &[Seconds]) -> Self {
        let of_kind = |kind| {
            let before = objects.of_kind(kind).saturating_sub(1);
            f64::from(before) * 10.0 / f64::from(pace.in_ten_seconds(kind))
        };
        let paced = ObjectKind::ALL.into_iter().map(of_kind).fold(0.0, f64::max);
        let mean = sample.iter().map(|of| f64::from(*of)).sum::<f64>()
            / f64::from(u32::try_from(sample.len().max(1)).unwrap_or(u32::MAX));
        let busy = f64::from(objects.all().saturating_sub(1)) * mean / PLACES;
        let last = if objects.all() == 0 { 0.0 } else { mean };
        Self { objects, rto_seconds: (paced.max(busy) + last).into(), extrapolated: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Pace = Pace { secrets: 300, keys: 10, certificates: 10 };

    #[test]
    fn the_slowest_kind_and_one_object_more() {
        let counts = |certificates, keys, secrets| Counts { certificates, keys, secrets };
        for (objects, sample, expected) in [
            (counts(0, 0, 0), &[][..] as &[f64], 0.0),
            (counts(0, 0, 0), &[3.0], 0.0),
            (counts(0, 1, 0), &[0.5], 0.5),
            (counts(0, 101, 0), &[0.2, 0.4], 100.3),
            (counts(101, 50, 900), &[0.3], 100.3),
            (counts(0, 0, 3001), &[0.1], 100.1),
            // Each takes so long that 24 at once are slower than the limit.
            (counts(0, 0, 2401), &[2.0], 202.0),
        ] {
            let sample: Vec<Seconds> = sample.iter().copied().map(Seconds::from).collect();
            let whole = Whole::of(objects, &DEFAULT, &sample);
            assert_eq!(whole.rto_seconds, Seconds::from(expected), "{objects:?} {sample:?}: {whole:?}");
            assert!(whole.extrapolated);
        }
    }
}
