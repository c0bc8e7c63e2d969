//! Steps that wait: for a vault that is busy with their name or refuses, or for this program's own means.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::RESTORE_FORMAT;
use crate::domain::{object::ObjectId, outcome::Failure};

/// How long a step may wait for its vault. Recorded traffic shows seven minutes after a purge.
const BUSY_FOR: Duration = Duration::minutes(20);

/// The part of the room that steps which wait get together, while others have not had their turn.
const PART: usize = 4;

/// Why a step has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// What was said.
    pub failure: Failure,
    /// Whether this program's own means said it, which is no word on the object.
    pub ours: bool,
    /// Whether the vault has taken a recovery on.
    pub recovering: bool,
}

/// The record that a step waits. It is written when the step begins to wait, and when that for which it waits changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// [`RESTORE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// Since when the vault, or with `refused` this program's own means, are in the way.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Whether the vault has taken a recovery on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovering: bool,
    /// What this program's own storage, queue or identity said, where the step waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Failure>,
}

impl Waiting {
    /// Begins to wait for a vault.
    pub fn since(now: OffsetDateTime) -> Self {
        Self { v: RESTORE_FORMAT, since: now, recovering: false, refused: None }
    }

    /// The record after one more try that came to nothing. A vault's time begins when our own means no longer are in the
    /// way. A refusal that goes on keeps its first words, so that it is written once.
    #[must_use]
    pub fn after(before: Option<&Self>, by: &Hindrance, now: OffsetDateTime) -> Self {
        let recovering = by.recovering || before.is_some_and(|before| before.recovering);
        let goes_on = before.filter(|before| match &before.refused {
            Some(refused) => by.ours && refused.code == by.failure.code,
            None => !by.ours,
        });
        if let Some(before) = goes_on {
            return Self { recovering, ..before.clone() };
        }
        let refused = by.ours.then(|| by.failure.clone().bounded());
        Self { recovering, refused, ..Self::since(now) }
    }

    /// Whether that was long enough. What our own means refuse is not for the step to end: it goes on within the hours of
    /// its restore.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        self.refused.is_none() && now - self.since >= BUSY_FOR
    }
}

/// How much of some room goes to steps that wait: tries in a minute, or places at work. While `others` have not had their
/// turn it is a part, so that names which a vault is busy with hold up nothing.
pub fn room_to_wait(room: usize, others: usize) -> usize {
    if others == 0 { room } else { (room / PART).max(1) }
}

/// Those of the steps that wait which are tried in a minute that has room for so many. Each has its turn.
pub fn in_turn(waiting: &[ObjectId], room: usize, minute: usize) -> impl Iterator<Item = &ObjectId> {
    let first = minute.wrapping_mul(room).checked_rem(waiting.len()).unwrap_or_default();
    waiting.iter().cycle().skip(first).take(room.min(waiting.len()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::datetime;

    use super::*;
    use crate::domain::object::ObjectKind;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:11:12 UTC);

    fn by(code: &str, ours: bool) -> Hindrance {
        Hindrance { failure: Failure::ours(code, "no"), ours, recovering: false }
    }

    #[test]
    fn a_step_waits_twenty_minutes_for_its_vault_and_longer_for_what_is_ours() {
        let (vault, storage) = (by("Conflict", false), by("Storage/AuthorizationFailure", true));
        let queue = by("Queue/ServerBusy", true);
        let minutes = |minutes: i64| NOW + Duration::minutes(minutes);
        // Who was in the way at which minutes; since when the step waits, whether it ends, and who refused.
        for (tries, since, over, refused) in [
            (&[(0, &vault), (20, &vault)][..], 0, true, None),
            (&[(0, &vault), (19, &vault)], 0, false, None),
            (&[(0, &storage), (600, &storage)], 0, false, Some(&storage)),
            (&[(0, &storage), (5, &queue)], 5, false, Some(&queue)),
            (&[(0, &storage), (600, &vault)], 600, false, None),
            (&[(0, &storage), (600, &vault), (620, &vault)], 600, true, None),
            (&[(0, &vault), (30, &storage)], 30, false, Some(&storage)),
        ] {
            let mut waiting: Option<Waiting> = None;
            for (minute, by) in tries {
                waiting = Some(Waiting::after(waiting.as_ref(), by, minutes(*minute)));
            }
            let (found, last) = (waiting.unwrap(), minutes(tries.last().unwrap().0));
            assert_eq!((found.since, found.is_over(last)), (minutes(since), over), "{tries:?}");
            assert_eq!(found.refused, refused.map(|by| by.failure.clone()), "{tries:?}");
        }
        let recovering = Hindrance { recovering: true, ..vault.clone() };
        let taken_on = Waiting::after(None, &recovering, NOW);
        assert!(Waiting::after(Some(&taken_on), &storage, NOW).recovering, "that stays");
    }

    #[test]
    fn a_vault_that_is_busy_is_waited_for_twenty_minutes() {
        let waiting = Waiting::since(NOW);
        assert_eq!(waiting.since, NOW, "to the second, as it is stored");
        assert!(!waiting.is_over(NOW + BUSY_FOR - Duration::SECOND) && waiting.is_over(NOW + BUSY_FOR));
    }

    #[test]
    fn that_a_vault_recovers_is_stored_only_where_it_does() {
        for (recovering, json) in [
            (false, r#"{"v":1,"since":"2026-11-22T10:11:12Z"}"#),
            (true, r#"{"v":1,"since":"2026-11-22T10:11:12Z","recovering":true}"#),
        ] {
            let waiting = Waiting { recovering, ..Waiting::since(NOW) };
            assert_eq!(serde_json::to_string(&waiting).unwrap(), json);
            assert_eq!(serde_json::from_str::<Waiting>(json).unwrap(), waiting);
        }
    }

    #[test]
    fn steps_that_wait_have_a_part_of_the_room_while_others_want_it() {
        for (room, others, expected) in [(64, 1, 16), (64, 500, 16), (64, 0, 64), (3, 1, 1), (60, 2, 15)] {
            assert_eq!(room_to_wait(room, others), expected, "{room} {others}");
        }
    }

    #[test]
    fn each_step_that_waits_has_its_turn() {
        let names = |count: usize| -> Vec<ObjectId> {
            let name = |number| ObjectId::new(ObjectKind::Key, format!("busy-{number}").parse().unwrap());
            (0..count).map(name).collect()
        };
        assert_eq!((in_turn(&[], 15, 3).count(), in_turn(&names(4), 15, 3).count()), (0, 4));
        let (waiting, mut tried) = (names(100), BTreeSet::new());
        for minute in 0..7 {
            let turn: BTreeSet<_> = in_turn(&waiting, 15, minute).collect();
            assert_eq!(turn.len(), 15, "none is asked for twice");
            tried.extend(turn);
        }
        assert_eq!(tried.len(), 100);
    }

    #[test]
    fn what_a_step_waits_for_is_stored() {
        let refused = Waiting::after(None, &by("Storage/ServerBusy", true), NOW);
        let frozen =
            r#"{"v":1,"since":"2026-11-22T10:11:12Z","refused":{"code":"Storage/ServerBusy","text":"no"}}"#;
        assert_eq!(serde_json::to_string(&refused).unwrap(), frozen);
        assert_eq!(serde_json::from_str::<Waiting>(frozen).unwrap(), refused);
    }
}
