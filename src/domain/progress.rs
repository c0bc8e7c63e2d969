//! Words for people about ages, and about jobs that have not ended.

use time::Duration;

use super::{
    counted::counted,
    hsm::{HsmJob, Phase},
    job::rounds::TriedAgain,
    moment::second,
    object::ObjectKind,
    wording::on_one_line,
};

/// A duration in its largest unit, as an age.
pub fn age(since: Duration) -> String {
    let (days, hours, minutes) = (since.whole_days(), since.whole_hours(), since.whole_minutes());
    match (days, hours, minutes) {
        (2.., _, _) => format!("{days} days"),
        (_, 2.., _) => format!("{hours} hours"),
        (_, _, 2..) => format!("{minutes} minutes"),
        _ => "just now".to_owned(),
    }
}

/// A time that something took.
pub fn span(took: Duration) -> String {
    match took.whole_minutes() {
        0 | 1 => counted(took.whole_seconds().max(0).unsigned_abs(), "second"),
        _ => age(took),
    }
}

/// The failures of an open run that it will try again, in words.
pub fn tried_again(of: TriedAgain<'_>) -> String {
    let kinds = kinds(of.kinds);
    let what = match of.objects {
        None if of.kinds.is_empty() => "it cannot be listed".to_owned(),
        None => format!("the {kinds} cannot be listed"),
        Some(1) => format!("1 object fails{}", beside(&kinds)),
        Some(objects) => format!("{objects} objects fail{}", beside(&kinds)),
    };
    let next = match (of.next, of.round) {
        (None, _) => String::new(),
        (Some(next), 0) => format!(", tried again at {}", second(next)),
        (Some(next), _) => {
            format!(", tried again at {} in round {} of {}", second(next), of.round + 1, of.last)
        }
    };
    format!("{what}{next}: {}: {}", of.failure.code, on_one_line(&of.failure.text))
}

/// Kinds in words, in the plural.
pub fn kinds(kinds: &[ObjectKind]) -> String {
    kinds.iter().map(|kind| format!("{kind}s")).collect::<Vec<_>>().join(" and ")
}

fn beside(kinds: &str) -> String {
    if kinds.is_empty() { String::new() } else { format!(", and the {kinds} cannot be listed") }
}

/// A phase in words for a person who waits.
pub const fn phase(phase: &Phase) -> &'static str {
    match phase {
        Phase::Due { .. } => "about to begin",
        Phase::Checking { .. } => "the service checks whether it can be done",
        Phase::Checked => "the service says that it can be done",
        Phase::Sending { .. } => "the start is being sent",
        Phase::Running { .. } => "the HSM is working on it",
        Phase::Lost { .. } => "the answer to the start was lost; the job is searched for",
        Phase::Occupied { .. } => "the HSM is busy with something else",
    }
}

/// How far an open job of a Managed HSM has got, and why it waits.
pub fn progress(job: &HsmJob) -> String {
    let waiting = job.waiting.as_deref().map_or_else(String::new, |why| format!(", and waits: {why}"));
    format!("{}{waiting}", phase(&job.phase))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::outcome::Failure;

    #[test]
    fn what_is_tried_again_says_what_when_and_why() {
        let failure = Failure::ours("Forbidden", "no\n  right");
        let (at, next) = (datetime!(2026-11-22 02:20 UTC), datetime!(2026-11-22 03:00 UTC));
        let keys = [ObjectKind::Key];
        let both = [ObjectKind::Key, ObjectKind::Secret];
        for (objects, kinds, round, next, expected) in [
            (None, &[][..], 0, Some(next), "it cannot be listed, tried again at 2026-11-22T03:00:00Z"),
            (None, &[][..], 0, None, "it cannot be listed"),
            (
                None,
                &keys[..],
                1,
                Some(next),
                "the keys cannot be listed, tried again at 2026-11-22T03:00:00Z in round 2 of 5",
            ),
            (
                Some(1),
                &[][..],
                2,
                Some(next),
                "1 object fails, tried again at 2026-11-22T03:00:00Z in round 3 of 5",
            ),
            (Some(2), &keys[..], 5, None, "2 objects fail, and the keys cannot be listed"),
            (Some(0), &both[..], 5, None, "0 objects fail, and the keys and secrets cannot be listed"),
        ] {
            let of = TriedAgain { objects, kinds, failure: &failure, at, round, last: 5, next };
            assert_eq!(tried_again(of), format!("{expected}: Forbidden: no right"));
        }
    }
}
