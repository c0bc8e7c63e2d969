//! Losses: many objects of a source are gone at once.
//!
//! A run counts the objects of the previous index that its list no longer shows ([`Watch`](super::watch::Watch)). One
//! function decides when that is a [`Loss`]; a loss stays open from run to run until the objects are back or a person
//! has acknowledged it.

use std::{fmt, iter::Sum};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    object::ObjectKind,
    run::{RunId, is_zero},
};

/// Fewer missing objects than this are no loss, unless nothing of the source is left.
const FEWEST: u32 = 5;

/// The most open losses that are kept apart. A run's summary must fit where a listing shows it.
const MOST: usize = 16;

/// The share of a source, or of one kind in it, that may be gone from one run to the next: in percent, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct GoneShare(u8);

/// The value is not a share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a share: expected a whole number from 0 to 100")]
pub struct GoneShareError;

impl Default for GoneShare {
    fn default() -> Self {
        Self(20)
    }
}

impl TryFrom<u8> for GoneShare {
    type Error = GoneShareError;

    fn try_from(percent: u8) -> Result<Self, GoneShareError> {
        if percent <= 100 { Ok(Self(percent)) } else { Err(GoneShareError) }
    }
}

impl From<GoneShare> for u8 {
    fn from(share: GoneShare) -> Self {
        share.0
    }
}

/// The extent of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum How {
    /// Everything is gone, and the source is empty.
    Emptied,
    /// Nothing is left of what was there, but other objects are: the vault was made anew under its name.
    Replaced,
    /// A large part of the source or of a kind is gone.
    Part,
}

impl How {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Many objects that were gone at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The run that found it.
    pub run: RunId,
    /// When that run was planned: the lines of the missing objects have the same time.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// The kind of object; `None` for the whole source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ObjectKind>,
    /// Its extent.
    pub how: How,
    /// How many objects the previous index had.
    pub of: u32,
    /// How many of them were gone.
    pub gone: u32,
    /// How many of those are gone as of this run.
    pub still_gone: u32,
    /// How many have another object under their name; only an acknowledgement ends such a loss.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replaced: u32,
}

impl Loss {
    /// Whether any of it is still gone or replaced.
    pub(super) fn is_open(&self) -> bool {
        self.still_gone + self.replaced > 0
    }

    /// Combines two losses into one: that of the later run, with what both lack. What the earlier one lacks is no
    /// longer counted when it returns.
    fn with_earlier(self, earlier: &Self) -> Self {
        Self {
            kind: self.kind.filter(|kind| earlier.kind == Some(*kind)),
            of: self.of.max(earlier.of),
            gone: self.gone + earlier.gone,
            still_gone: self.still_gone + earlier.still_gone,
            replaced: self.replaced + earlier.replaced,
            ..self
        }
    }
}

/// Limits losses, oldest first, to as many as a summary holds: the oldest ones are combined.
pub(super) fn bounded(mut losses: Vec<Loss>) -> Vec<Loss> {
    while losses.len() > MOST {
        let earliest = losses.remove(0);
        if let Some(next) = losses.first_mut() {
            *next = next.clone().with_earlier(&earliest);
        }
    }
    losses
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, of, gone, still_gone, replaced, .. } = self;
        let noun = self.kind.map_or("object", ObjectKind::as_str);
        let plural = if *of == 1 { "" } else { "s" };
        match self.how {
            How::Replaced => write!(
                f,
                "run {run} found the vault made anew under its name: none of {of} {noun}{plural} was left"
            ),
            How::Emptied | How::Part => write!(f, "run {run} found {gone} of {of} {noun}{plural} gone"),
        }?;
        write!(f, "; {still_gone} still gone")?;
        if *replaced > 0 { write!(f, ", {replaced} replaced by another of the same name") } else { Ok(()) }
    }
}

/// The counts of one kind, or of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Objects that the previous index still had.
    pub had: u32,
    /// Of those, no longer listed.
    pub gone: u32,
    /// Of those, still the same object.
    pub same: u32,
    /// Of those, another object under the old name.
    pub other: u32,
    /// Objects that are listed now.
    pub listed: u32,
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            had: a.had + b.had,
            gone: a.gone + b.gone,
            same: a.same + b.same,
            other: a.other + b.other,
            listed: a.listed + b.listed,
        })
    }
}

/// Decides whether the missing objects of a source are a loss. `unseen` objects are of kinds that could not be listed.
///
/// That a vault was made anew needs evidence: names that are gone or have another object, and not a single object that
/// is still the same.
pub(super) fn judge(source: Counts, unseen: u32, share: GoneShare) -> Option<How> {
    let all_gone = source.had > 0 && source.gone == source.had;
    let other_vault = source.same == 0 && source.other > unseen;
    match source.listed {
        0 if all_gone => Some(How::Emptied),
        _ if all_gone || other_vault => Some(How::Replaced),
        _ => is_large_part(source, share).then_some(How::Part),
    }
}

pub(super) fn is_large_part(counts: Counts, GoneShare(percent): GoneShare) -> bool {
    counts.gone >= FEWEST && u64::from(counts.gone) * 100 > u64::from(counts.had) * u64::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        form::Clear,
        location::{Fact, Location},
        manifest::{MANIFEST_FORMAT, Summary},
        observed_location::Moved,
        record::{RECORD_LIMIT, record},
        run::Scope,
        run::{Numbers, Verdict},
    };

    fn source(had: u32, gone: u32, same: u32, other: u32, listed: u32) -> Counts {
        Counts { had, gone, same, other, listed }
    }

    #[test]
    fn what_is_a_loss() {
        use How::{Emptied, Part, Replaced};
        let share = GoneShare::default();
        for (counts, unseen, expected) in [
            // A vault that was empty, or in which nothing is missing.
            (source(0, 0, 0, 0, 0), 0, None),
            (source(0, 0, 0, 0, 9), 0, None),
            (source(9, 0, 9, 0, 9), 0, None),
            // Everything is gone: one object is enough.
            (source(1, 1, 0, 0, 0), 0, Some(Emptied)),
            (source(40, 40, 0, 0, 0), 0, Some(Emptied)),
            (source(40, 40, 0, 0, 2), 0, Some(Replaced)),
            // What could not be listed may still be there.
            (source(4, 3, 0, 0, 0), 1, None),
            (source(9, 8, 0, 0, 0), 1, Some(Part)),
            // A few of a small vault.
            (source(3, 2, 1, 0, 1), 0, None),
            (source(5, 4, 1, 0, 1), 0, None),
            (source(6, 5, 1, 0, 1), 0, Some(Part)),
            // More than the share.
            (source(100, 20, 80, 0, 80), 0, None),
            (source(100, 21, 79, 0, 79), 0, Some(Part)),
            // Every name has another object; those that failed say nothing.
            (source(3, 0, 0, 3, 3), 0, Some(Replaced)),
            (source(3, 2, 0, 1, 1), 0, Some(Replaced)),
            (source(3, 0, 0, 1, 3), 0, Some(Replaced)),
            (source(3, 0, 0, 0, 3), 0, None),
            (source(3, 0, 1, 2, 3), 0, None),
            // Those that could not be listed must be fewer than those that have changed hands.
            (source(5, 0, 0, 2, 2), 3, None),
            (source(5, 0, 0, 3, 3), 2, Some(Replaced)),
        ] {
            assert_eq!(judge(counts, unseen, share), expected, "{counts:?}, {unseen} unseen");
        }
    }

    #[test]
    fn the_share_is_a_setting() {
        let loses =
            |gone, percent| is_large_part(source(10, gone, 0, 0, 0), GoneShare::try_from(percent).unwrap());
        assert_eq!([4, 5].map(|gone| loses(gone, 0)), [false, true], "five at least");
        assert_eq!([5, 6].map(|gone| loses(gone, 50)), [false, true]);
        assert!(!loses(10, 100));
        let read = |percent: u8| GoneShare::try_from(percent).map(u8::from);
        assert_eq!([0, 20, 100, 101].map(read), [Ok(0), Ok(20), Ok(100), Err(GoneShareError)]);
        assert_eq!(u8::from(GoneShare::default()), 20);
    }

    fn loss(number: i64) -> Loss {
        let since = OffsetDateTime::from_unix_timestamp(1_800_000_000 + number * 86_400).unwrap();
        let label =
            format!("{}-{}", RunId::nightly(since).as_str().split_once('-').unwrap().0, "x".repeat(32));
        Loss {
            run: label.parse().unwrap(),
            since,
            kind: Some(ObjectKind::Certificate),
            how: How::Replaced,
            of: u32::MAX / 64,
            gone: 10,
            still_gone: 7,
            replaced: 3,
        }
    }

    #[test]
    fn more_losses_than_a_summary_holds_become_one_and_none_is_forgotten() {
        let losses = bounded((0..40).map(loss).collect());
        assert_eq!((losses.len(), losses.last()), (MOST, Some(&loss(39))));
        let counts = |losses: &[Loss]| {
            losses
                .iter()
                .map(|loss| (loss.gone, loss.still_gone, loss.replaced))
                .fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2))
        };
        assert_eq!(counts(&losses), (400, 280, 120));
        assert_eq!(
            losses[0].run,
            loss(24).run,
            "whoever acknowledges the latest of them acknowledges them all"
        );
        let fact = Fact::new(&"x".repeat(99));
        let location = Location { tenant: fact.clone(), subscription: fact.clone(), geography: fact };
        let summary = Summary {
            v: MANIFEST_FORMAT,
            run: losses[0].run.clone(),
            scope: Scope::Objects,
            verdict: Verdict::PartiallyFailed,
            numbers: Numbers {
                listed: u32::MAX,
                backed_up: u32::MAX,
                unchanged: u32::MAX,
                managed: u32::MAX,
                vault_managed: u32::MAX,
                disappeared: u32::MAX,
                failed: u32::MAX,
                accepted: u32::MAX,
                gone: u32::MAX,
                returned: u32::MAX,
                bytes: u64::MAX,
                near_version_limit: u32::MAX,
                unknown_form: u32::MAX,
                unlisted: ObjectKind::ALL.into(),
            },
            late: Some(u32::MAX),
            planned: losses[0].since,
            finished: losses[0].since,
            full_pass: losses[0].since,
            protected: u32::MAX,
            lines: u32::MAX,
            location: Box::new(location.clone()),
            moved: Some(Box::new(Moved {
                run: losses[0].run.clone(),
                since: losses[0].since,
                from: location.clone(),
                to: location,
            })),
            unknown_form: Some(Box::new(Clear {
                tag: Some("x".repeat(64)),
                header: vec!["x".repeat(32); 8],
            })),
            losses,
        };
        assert!(record(&summary).unwrap().len() <= RECORD_LIMIT * 3 / 4, "there is room for more");
    }

    #[test]
    fn losses_of_several_kinds_become_one_of_the_source() {
        use ObjectKind::{Key, Secret};
        for (earlier, later, both) in [
            (Some(Key), Some(Key), Some(Key)),
            (Some(Key), Some(Secret), None),
            (None, Some(Key), None),
            (Some(Key), None, None),
        ] {
            let earlier = Loss { kind: earlier, of: 20, ..loss(1) };
            for (of, most) in [(19, 20), (20, 20), (21, 21)] {
                let both_of = Loss { kind: later, of, ..loss(2) }.with_earlier(&earlier);
                assert_eq!((both_of.kind, both_of.of), (both, most));
            }
        }
    }

    #[test]
    fn a_loss_is_open_as_long_as_something_is_gone_or_replaced() {
        for (still_gone, replaced, open) in [(0, 0, false), (1, 0, true), (0, 1, true)] {
            assert_eq!(Loss { still_gone, replaced, ..loss(0) }.is_open(), open);
        }
    }

    #[test]
    fn programs_read_in_one_place_what_they_read_in_the_other() {
        for how in [How::Emptied, How::Replaced, How::Part] {
            assert_eq!(serde_json::to_value(how).unwrap(), how.name());
        }
    }

    #[test]
    fn a_loss_in_words() {
        let all =
            Loss { of: 1, gone: 1, still_gone: 1, replaced: 0, kind: None, how: How::Emptied, ..loss(0) };
        assert!(all.to_string().ends_with("found 1 of 1 object gone; 1 still gone"), "{all}");
        let part = Loss { how: How::Part, of: 6, gone: 5, still_gone: 2, replaced: 0, ..loss(0) };
        assert!(part.to_string().ends_with("found 5 of 6 certificates gone; 2 still gone"), "{part}");
        let anew = loss(0).to_string();
        assert!(anew.ends_with("was left; 7 still gone, 3 replaced by another of the same name"), "{anew}");
    }
}
