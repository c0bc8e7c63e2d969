//! Steps that wait: for a vault that is busy with their name or refuses, or for this program's own means.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::RESTORE_FORMAT;
use crate::domain::outcome::Failure;

/// How long a step may wait for its vault. Recorded traffic shows seven minutes after a purge.
const BUSY_FOR: Duration = Duration::minutes(20);

/// Waiting steps together get one part in this many of the room while other steps have not had their turn.
const PART: usize = 4;

/// Why a step has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// The failure that makes it wait.
    pub failure: Failure,
    /// Whether it comes from this program's own means, and so says nothing about the object.
    pub ours: bool,
    /// Whether the vault has accepted a recovery.
    pub recovering: bool,
}

/// The record of a waiting step. It is written when the step begins to wait, and when the reason for waiting changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// [`RESTORE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// Since when the vault, or with `refused` this program's own means, have been in the way.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Whether the vault has accepted a recovery.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovering: bool,
    /// The failure of this program's own storage, queue or identity, if the step waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Failure>,
}

impl Waiting {
    /// A step that begins to wait for a vault.
    pub fn since(now: OffsetDateTime) -> Self {
        Self { v: RESTORE_FORMAT, since: now, recovering: false, refused: None }
    }

    /// The record after one more failed attempt. The time limit for a vault starts when this program's own means are no
    /// longer in the way. A continuing refusal keeps its first failure, so that it is written once.
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

    /// Whether the step has waited too long. A refusal by this program's own means does not end the step: it continues
    /// until its restore expires.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        self.refused.is_none() && now - self.since >= BUSY_FOR
    }
}

/// How much of some room goes to waiting steps: attempts in a minute, or places for concurrent work. It is a part while
/// `others` have not had their turn, so that names with which a vault is busy hold up nothing.
pub fn room_to_wait(room: usize, others: usize) -> usize {
    if others == 0 { room } else { (room / PART).max(1) }
}

/// The waiting steps that are tried in a minute with this much room. Each step gets its turn.
pub fn in_turn<T>(waiting: &[T], room: usize, minute: usize) -> impl Iterator<Item = &T> {
    let first = minute.wrapping_mul(room).checked_rem(waiting.len()).unwrap_or_default();
    waiting.iter().cycle().skip(first).take(room.min(waiting.len()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::datetime;

    use super::*;
    use crate::domain::object::{ObjectId, ObjectKind};

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:11:12 UTC);

    fn by(code: &str, ours: bool) -> Hindrance {
        Hindrance { failure: Failure::ours(code, "no"), ours, recovering: false }
    }

    #[test]
    fn a_step_waits_twenty_minutes_for_its_vault_and_longer_for_what_is_ours() {
        let (vault, storage) = (by("Conflict", false), by("Storage/AuthorizationFailure", true));
        let queue = by("Queue/ServerBusy", true);
        let minutes = |minutes: i64| NOW + Duration::minutes(minutes);
        // What was in the way at which minutes; since when the step waits, whether it ends, and what refused.
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
        assert_eq!((in_turn::<ObjectId>(&[], 15, 3).count(), in_turn(&names(4), 15, 3).count()), (0, 4));
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
