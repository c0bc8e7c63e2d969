//! How long a caller waits before it asks for a job again.

use time::{Duration, OffsetDateTime};

use crate::at_once::FEW;

/// `Retry-After` of a young job of [a few](FEW) objects, in seconds: as long as an idle queue is left alone.
const SOON: u32 = 5;

/// `Retry-After` of any other job, in seconds: open jobs are reconciled every minute.
pub const LATER: u32 = 30;

/// How long a job of a few objects counts as young. One that is older waits for something.
const YOUNG: Duration = Duration::MINUTE;

/// The seconds until a job is worth another request. `objects` is how many it has left to do, if that is known.
pub fn wait(objects: Option<usize>, opened: Option<OffsetDateTime>, now: OffsetDateTime) -> u32 {
    let few = objects.is_some_and(|objects| objects <= FEW);
    let young = opened.is_some_and(|opened| now - opened < YOUNG);
    if few && young { SOON } else { LATER }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NIGHT: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);

    #[test]
    fn a_few_objects_are_worth_a_request_soon_and_a_job_that_waits_is_not() {
        let second = Duration::SECOND;
        for (objects, opened, expected) in [
            (Some(FEW), Some(NIGHT), SOON),
            (Some(FEW + 1), Some(NIGHT), LATER),
            (None, Some(NIGHT), LATER),
            (Some(1), Some(NIGHT - YOUNG + second), SOON),
            (Some(1), Some(NIGHT - YOUNG), LATER),
            (Some(1), None, LATER),
        ] {
            assert_eq!(wait(objects, opened, NIGHT), expected, "{objects:?} {opened:?}");
        }
    }
}
