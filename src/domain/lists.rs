//! Lists: how a run handles a kind of object that cannot be listed for now.
//!
//! It waits for the kind a short time, so that most passing trouble makes no difference. Then it continues without the
//! kind, if another one could be listed, and lists it again in each of its rounds; objects that are listed late are
//! planned as a [`supplement`](super::supplement). A refusal for which the previous run left the kind out as well
//! stands: the run does not wait for the kind and lists it in its first rounds only, so that a right that was never
//! granted does not keep every night's run open.

use time::{Duration, OffsetDateTime};

use super::{
    actor::Via,
    fate::{Fate, Meaning},
    job::BackupJob,
    job::rounds::{ROUNDS, Seen},
    object::ObjectKind,
    outcome::Failure,
    plan::{PlanHeader, Unlisted},
};

/// How long a run waits for a kind that may yet be listed before it continues without it, if another kind can be
/// listed: one kind in trouble must not hold up the whole vault. A run requested over HTTP waits as long for a right; a
/// run started at a terminal does not wait for one.
pub const LISTED_WITHIN: Duration = Duration::minutes(15);

/// How long a requested run waits for a kind whose service does not answer: it has no rounds to list it again.
pub const ASKED_LISTED_WITHIN: Duration = Duration::hours(2);

/// Number of rounds that list a kind whose refusal stands, including the first. They take less than two hours.
pub const STANDING_ROUNDS: u32 = 4;

/// The shortest and the longest pause between two attempts to plan a run.
const PLANNED_AGAIN: (Duration, Duration) = (Duration::minutes(5), Duration::minutes(40));

/// Why a kind cannot be listed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What follows from the failure itself.
    pub fate: Fate,
    /// Whether the previous run left the kind out for the same answer.
    pub stands: bool,
}

impl Trouble {
    /// The trouble with a kind; `before` is what the previous whole run left out. An outage never stands: one on the
    /// night before says nothing about this one.
    pub fn new(
        fate: Fate,
        meaning: Meaning,
        failure: &Failure,
        kind: ObjectKind,
        before: &[Unlisted],
    ) -> Self {
        let answered = fate == Fate::Later || meaning == Meaning::Nonsense;
        let said = |of: &Unlisted| of.kind == kind && of.failure.code == failure.code;
        Self { fate, stands: answered && before.iter().any(said) }
    }
}

impl BackupJob {
    /// Whether planning waits for a kind with this trouble.
    pub fn waits_for_lists(&self, Trouble { fate, stands }: Trouble, now: OffsetDateTime) -> bool {
        !stands && now - self.opened < self.listed_within(fate)
    }

    fn listed_within(&self, fate: Fate) -> Duration {
        match (fate, self.by.as_ref().map(|by| by.via)) {
            (Fate::Fail, _) | (Fate::Later, Some(Via::Terminal)) => Duration::ZERO,
            (Fate::Retry, Some(Via::Http | Via::Terminal)) => ASKED_LISTED_WITHIN,
            (Fate::Retry | Fate::Later, _) => LISTED_WITHIN,
        }
    }

    /// Whether planning waits, until the run expires, while no kind can be listed because of a failure of this fate.
    pub fn waits_on(&self, fate: Fate) -> bool {
        match fate {
            Fate::Retry => true,
            Fate::Later => !self.has_one_round(),
            Fate::Fail => false,
        }
    }

    /// How many rounds of the run, including the first, list a kind that its plan leaves out for this trouble. 0 if no
    /// later round does.
    pub fn list_rounds(&self, Trouble { fate, stands }: Trouble) -> u32 {
        match (fate.may_pass() && !self.has_one_round(), stands) {
            (false, _) => 0,
            (true, false) => ROUNDS,
            (true, true) => STANDING_ROUNDS,
        }
    }

    /// Whether a further round lists what the plan left out. If a later scheduled run is open, that run lists it.
    pub(super) fn lists_again(&self, seen: &Seen) -> bool {
        !seen.superseded && self.round().number < seen.list_rounds
    }

    /// When the run is planned again after a planner ended without a plan: after 5 minutes, then after another 10, 20
    /// and 40, and at once when it need not wait for a kind any longer.
    pub(super) fn planned_again(&self) -> Option<OffsetDateTime> {
        let at = self.unplanned.as_ref()?.at;
        let (shortest, longest) = PLANNED_AGAIN;
        let next = at + (shortest + (at - self.opened).max(Duration::ZERO)).min(longest);
        let waited = self.opened + self.listed_within(Fate::Retry);
        Some(if at < waited { next.min(waited) } else { next })
    }
}

impl Unlisted {
    /// Text that says how often the kind was listed by this round.
    pub fn listed(&self, round: u32) -> Option<String> {
        let rounds = round.min(self.rounds);
        (rounds > 1).then(|| format!("listed in {rounds} rounds"))
    }
}

impl PlanHeader {
    /// The kinds that this round lists again.
    pub fn listed_in(&self, round: u32) -> impl Iterator<Item = ObjectKind> {
        self.unlisted.iter().filter(move |of| of.rounds >= round).map(|of| of.kind)
    }

    /// How many rounds list a kind that the plan leaves out: the maximum over all kinds.
    pub fn list_rounds(&self) -> u32 {
        self.unlisted.iter().map(|of| of.rounds).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::{
        actor::Actor,
        job::{Need, OPEN_FOR, Unplanned},
        run::{RunId, Scope},
    };

    const START: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);
    const SECOND: Duration = Duration::SECOND;
    const MINUTE: Duration = Duration::MINUTE;

    fn job(by: Actor) -> BackupJob {
        BackupJob::open("kv-prod".parse().unwrap(), RunId::nightly(START), by, START)
    }

    fn trouble(fate: Fate) -> Trouble {
        Trouble { fate, stands: false }
    }

    #[test]
    fn a_run_waits_for_a_kind_that_may_yet_be_listed() {
        let http = Actor::http(None, None);
        for (by, fate, within) in [
            (Actor::TIMER, Fate::Retry, LISTED_WITHIN),
            (Actor::TIMER, Fate::Later, LISTED_WITHIN),
            (Actor::TIMER, Fate::Fail, Duration::ZERO),
            (http.clone(), Fate::Retry, ASKED_LISTED_WITHIN),
            (http, Fate::Later, LISTED_WITHIN),
            (Actor::TERMINAL, Fate::Retry, ASKED_LISTED_WITHIN),
            (Actor::TERMINAL, Fate::Later, Duration::ZERO),
        ] {
            let job = job(by);
            assert!(!job.waits_for_lists(trouble(fate), START + within), "{job:?} {fate:?}");
            assert!(within.is_zero() || job.waits_for_lists(trouble(fate), START + within - SECOND));
            assert!(!job.waits_for_lists(Trouble { fate, stands: true }, START));
        }
    }

    #[test]
    fn a_kind_that_is_left_out_is_listed_in_the_rounds_there_are() {
        let http = Actor::http(None, None);
        for (by, fate, fresh, standing) in [
            (Actor::TIMER, Fate::Retry, ROUNDS, STANDING_ROUNDS),
            (Actor::TIMER, Fate::Later, ROUNDS, STANDING_ROUNDS),
            (Actor::TIMER, Fate::Fail, 0, 0),
            (http, Fate::Later, 0, 0),
            (Actor::TERMINAL, Fate::Retry, 0, 0),
        ] {
            let rounds = [false, true].map(|stands| job(by.clone()).list_rounds(Trouble { fate, stands }));
            assert_eq!(rounds, [fresh, standing], "{by:?} {fate:?}");
        }
    }

    #[test]
    fn what_the_run_before_was_answered_as_well_stands() {
        let (denied, down) = (Failure::ours("Denied", "no"), Failure::ours("501", "down"));
        let before = [
            Unlisted::for_good(ObjectKind::Key, denied.clone()),
            Unlisted::for_good(ObjectKind::Secret, down.clone()),
        ];
        let other = Failure::ours("Firewall", "no");
        for (fate, meaning, failure, kind, stands) in [
            (Fate::Later, Meaning::Denied, &denied, ObjectKind::Key, true),
            (Fate::Later, Meaning::Denied, &denied, ObjectKind::Certificate, false),
            (Fate::Later, Meaning::Denied, &other, ObjectKind::Key, false),
            (Fate::Retry, Meaning::Unavailable, &down, ObjectKind::Secret, false),
            (Fate::Retry, Meaning::Nonsense, &down, ObjectKind::Secret, true),
        ] {
            let found = Trouble::new(fate, meaning, failure, kind, &before);
            assert_eq!(found, Trouble { fate, stands }, "{meaning:?} {kind}");
        }
    }

    /// The minutes after the start at which a run lists again, and the minute it ends, if all objects are answered.
    fn course(list_rounds: u32, superseded: bool) -> (Vec<i64>, i64) {
        let (mut job, mut listed) = (job(Actor::TIMER), Vec::new());
        job.begin_round(START, START);
        let seen = Seen { superseded, list_rounds, ..Seen::default() };
        for minute in 0..=OPEN_FOR.whole_minutes() {
            let now = START + Duration::minutes(minute);
            match job.need(Some(seen), now) {
                Need::Sending => {
                    job.begin_round(now, now);
                    listed.push(minute);
                }
                Need::NoOp => {}
                _ => return (listed, minute),
            }
        }
        unreachable!("it has an end")
    }

    #[test]
    fn a_run_whose_only_open_matter_is_a_kind_ends_with_its_rounds() {
        assert_eq!(course(ROUNDS, false), (vec![15, 45, 105, 225, 465], 466));
        assert_eq!(course(STANDING_ROUNDS, false), (vec![15, 45, 105], 106));
        assert_eq!(course(0, false), (vec![], 0));
        assert_eq!(course(ROUNDS, true), (vec![], 0), "the later run lists it");
    }

    #[test]
    fn a_planner_that_failed_is_followed_by_another_at_growing_distances() {
        let mut job = BackupJob { sent: false, round: None, ..job(Actor::TIMER) };
        let mut tries = Vec::new();
        for minute in 0..240 {
            let now = START + MINUTE * minute;
            if minute == 0 || job.need(None, now) == Need::Planning {
                job.unplanned = Some(Unplanned { at: now, failure: Failure::ours("Denied", "no") });
                tries.push(minute);
            }
        }
        assert_eq!(tries, [0, 5, 15, 35, 75, 115, 155, 195, 235]);
    }

    #[test]
    fn the_header_says_which_kinds_a_round_lists() {
        let of = |kind, rounds| Unlisted { kind, failure: Failure::ours("Denied", "no"), rounds };
        let header = PlanHeader {
            unlisted: vec![of(ObjectKind::Key, 6), of(ObjectKind::Secret, 4), of(ObjectKind::Certificate, 0)],
            ..PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(START), Scope::Vault, START)
        };
        let listed = |round| header.listed_in(round).collect::<Vec<_>>();
        assert_eq!((listed(4).len(), listed(6), listed(7)), (2, vec![ObjectKind::Key], vec![]));
        assert_eq!((header.list_rounds(), header.open_kinds().count()), (6, 2));
        let said = [1, 3, 6].map(|round| header.unlisted[1].listed(round));
        assert_eq!(said, [None, Some("listed in 3 rounds".into()), Some("listed in 4 rounds".into())]);
    }
}
