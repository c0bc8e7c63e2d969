//! The lease on a target vault: which restore may change it, and until when.
//!
//! A restore takes the lease before its first step and renews it while it works. A lease that is not renewed expires by
//! the clock, and any command may then take the vault, so a holder that died blocks nothing. A holder acts only while
//! it has seen its lease within [`TRUST`], so it has stopped before another one may begin.

use time::{Duration, OffsetDateTime};

use super::{job::OPEN_FOR, restore::RestoreId};

/// Lifetime of a lease after it was taken or renewed. Longer than [`TRUST`] and the longest step together.
pub const LASTS: Duration = Duration::minutes(10);

/// How long a holder may act without reading its lease again.
pub const TRUST: Duration = Duration::MINUTE;

/// Time limit of one attempt at a step.
pub const LONGEST_STEP: Duration = Duration::minutes(7);

/// How long the vault stays taken after its restore was stopped: until the holder has read its lease again and finished
/// the step that it was in. Two restores never work on one vault.
pub const STOPS_WITHIN: Duration = TRUST.saturating_add(LONGEST_STEP);

/// A lease as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The restore that holds it.
    pub restore: RestoreId,
    /// When it expires.
    pub until: OffsetDateTime,
    /// Whether the restore was told to stop: it must not act any more, and the lease is not renewed.
    pub stopped: bool,
}

impl Lease {
    /// A lease that is taken or renewed at `now`.
    pub fn taken(restore: RestoreId, now: OffsetDateTime) -> Self {
        Self { restore, until: now + LASTS, stopped: false }
    }

    /// A lease whose record does not say when it expires. Older programs gave a restore its vault for as long as it was
    /// open.
    pub fn without_end(restore: RestoreId) -> Self {
        let until = restore.asked() + OPEN_FOR;
        Self { restore, until, stopped: false }
    }

    /// The lease after its restore was told to stop.
    #[must_use]
    pub fn stop(self, now: OffsetDateTime) -> Self {
        Self { until: self.until.min(now + STOPS_WITHIN), stopped: true, ..self }
    }

    /// Whether it has expired.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        now >= self.until
    }

    /// Whether it permits this restore to act. A lease that has expired and is still on record was taken by no other
    /// restore: its holder may act once it has renewed it.
    pub fn lets(&self, restore: &RestoreId) -> bool {
        self.restore == *restore && !self.stopped
    }

    /// Whether its holder should renew it.
    pub fn wants_renewal(&self, now: OffsetDateTime) -> bool {
        self.until - now < LASTS - TRUST
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn id(salt: u32) -> RestoreId {
        RestoreId::new(NOW, salt)
    }

    #[test]
    fn a_lease_lets_its_own_restore_act_unless_that_was_stopped() {
        let lease = Lease::taken(id(1), NOW);
        assert!(lease.lets(&id(1)) && !lease.lets(&id(2)) && !lease.clone().stop(NOW).lets(&id(1)));
        assert!(!lease.is_over(NOW + LASTS - Duration::SECOND) && lease.is_over(NOW + LASTS));
    }

    #[test]
    fn a_stopped_lease_ends_soon_and_never_later_than_before() {
        assert_eq!(Lease::taken(id(1), NOW).stop(NOW).until, NOW + STOPS_WITHIN);
        let nearly = NOW + LASTS - Duration::SECOND;
        assert_eq!(Lease::taken(id(1), NOW).stop(nearly).until, NOW + LASTS);
        assert_eq!(STOPS_WITHIN, Duration::minutes(8), "docs/operations.md and the API say so");
        assert!(LASTS - TRUST > TRUST + LONGEST_STEP, "so has one that was begun before a lease ran out");
    }

    #[test]
    fn a_lease_of_an_older_program_ends_with_the_hours_of_its_restore() {
        let lease = Lease::without_end(id(1));
        assert!(!lease.is_over(NOW + OPEN_FOR - Duration::SECOND) && lease.is_over(NOW + OPEN_FOR));
    }

    #[test]
    fn a_lease_is_renewed_once_a_minute() {
        let lease = Lease::taken(id(1), NOW);
        assert!(!lease.wants_renewal(NOW + TRUST) && lease.wants_renewal(NOW + TRUST + Duration::SECOND));
    }
}
