//! Rounds: how a run retries objects whose backup failed in a way that may pass.
//!
//! Such a failure is no outcome while the run has rounds left. The newest failure of an object is stored as a note, and
//! the object's message is sent again after growing pauses. An object that is still unanswered after the last round has
//! failed, with the failure in its note.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{BackupJob, LeftOut, SENT_WITHIN, STALLED_AFTER, Unplanned};
use crate::domain::{
    actor::{Actor, Via},
    object::{ObjectId, ObjectKind, ObjectName},
    outcome::Failure,
    plan::{ListedLate, PlanHeader},
    run::is_zero,
};

/// The version of the stored form of a [`Note`] that this program writes.
pub const NOTE_FORMAT: u32 = 1;

/// Pauses before the second and later rounds, counted from the last answer or round. They add up to less than eight
/// hours: the last round of a run at 02:00 begins at 09:45.
pub const PAUSES: [Duration; 5] =
    [STALLED_AFTER, Duration::minutes(30), Duration::hours(1), Duration::hours(2), Duration::hours(4)];

/// Number of rounds of a run, including the first. Messages of which nothing is known, not even a failure, are sent in
/// further rounds until the run expires.
pub const ROUNDS: u32 = 6;

/// How long a run must have been quiet before its notes are read: an ordinary night has no notes, and makes no request
/// for them.
const QUIET: Duration = Duration::minutes(2);

/// How far apart the clocks of two instances may be.
const CLOCKS_APART: Duration = Duration::MINUTE;

/// A round of a run: the messages of its unanswered objects, sent at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Its number, from 1; 0 before the first messages are sent.
    pub number: u32,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub began: OffsetDateTime,
    /// The round that last added objects, if that is not the first: they have all rounds from there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub since: u32,
}

/// The newest failure of an object that may yet be backed up. The next failure overwrites it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// [`NOTE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// Why it could not be backed up.
    pub failure: Failure,
    /// When it failed.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Note {
    /// A note of this failure.
    pub fn new(id: &ObjectId, failure: Failure, at: OffsetDateTime) -> Self {
        Self { v: NOTE_FORMAT, kind: id.kind, name: id.name.clone(), failure: failure.bounded(), at }
    }

    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}

/// Failures of an open run that may pass, as of the last time its notes were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// How many unanswered objects have failed.
    pub objects: u32,
    /// The newest of their failures.
    pub failure: Failure,
    /// When it occurred.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Report on the failures of an open run that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriedAgain<'a> {
    /// How many objects fail. `None` for a run that cannot be planned, and if only `kinds` are open.
    pub objects: Option<u32>,
    /// Kinds that the plan left out and that are listed again.
    pub kinds: &'a [ObjectKind],
    /// The newest failure.
    pub failure: &'a Failure,
    /// When it occurred.
    pub at: OffsetDateTime,
    /// The current round; 0 before there is a plan.
    pub round: u32,
    /// The last round that the run may reach.
    pub last: u32,
    /// When the next attempt begins. `None` if the run ends without one.
    pub next: Option<OffsetDateTime>,
}

/// The observed state of a planned run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many objects its plan backs up.
    pub planned: u32,
    /// How many unanswered objects have nothing to wait for in this round: see [`BackupJob::settles`].
    pub settled: u32,
    /// How many of these have a failure that a person accepted.
    pub accepted: u32,
    /// Whether a later scheduled run, which backs up the same objects, is open.
    pub superseded: bool,
    /// How many rounds list a kind that the plan leaves out: see [`lists`](crate::domain::lists).
    pub list_rounds: u32,
}

impl BackupJob {
    /// The current round, derived from other fields if the record is of an older program.
    pub fn round(&self) -> Round {
        self.round.unwrap_or(Round { number: self.sent.into(), began: self.opened, since: 0 })
    }

    /// Records that the messages of its unanswered objects were sent; `began` is when the sending began.
    pub fn begin_round(&mut self, began: OffsetDateTime, now: OffsetDateTime) {
        let Round { number, since, .. } = self.round();
        self.round = Some(Round { number: number.saturating_add(1), began, since });
        (self.sent, self.progressed) = (true, now);
        // The run has a plan.
        self.unplanned = None;
    }

    /// Records which round last added objects, according to the supplements of its plan.
    pub fn note_supplements(&mut self, header: &PlanHeader) {
        let newest = header.listed_late.iter().map(|late| late.round).max().unwrap_or_default();
        let round = self.round();
        if newest > round.since {
            // The record may not have been written since, or may have been lost.
            self.round = Some(Round { number: round.number.max(newest - 1), since: newest, ..round });
        }
    }

    /// Records what fails as of a pass. Returns whether that changed.
    pub fn note_failing(&mut self, failing: Option<Failing>) -> bool {
        let news = failing != self.failing;
        self.failing = failing;
        news
    }

    /// Its failures that may pass, as of the last pass.
    pub fn tried_again(&self) -> Option<TriedAgain<'_>> {
        let (round, last) = (self.round().number, self.last_round());
        let kinds = self.left_out.as_ref().map_or(&[][..], |of| of.kinds.as_slice());
        let (objects, failure, at, next) = match (&self.failing, &self.unplanned, self.left_out.as_deref()) {
            (Some(Failing { objects, failure, at }), ..) => (Some(*objects), failure, *at, self.next_round()),
            (None, Some(Unplanned { at, failure }), _) => (None, failure, *at, self.planned_again()),
            (None, None, Some(LeftOut { failure, at, .. })) => (None, failure, *at, self.next_round()),
            (None, None, None) => return None,
        };
        Some(TriedAgain { objects, kinds, failure, at, round, last, next })
    }

    /// Whether it makes further rounds of `other` needless: it is a later scheduled run for the same vault, and backs
    /// up what `other` did not. A requested run has one round and supersedes nothing.
    pub fn supersedes(&self, other: &Self) -> bool {
        let later = (self.opened, &self.run) > (other.opened, &other.run);
        self.vault == other.vault && later && !self.has_one_round()
    }

    /// How long it has to be quiet before the next round begins.
    pub(super) fn pause(&self) -> Duration {
        if !self.sent && self.is_for_http() {
            return SENT_WITHIN;
        }
        let passed = self.round().number.saturating_sub(1);
        let place = usize::try_from(passed).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
        PAUSES[place]
    }

    /// Whether a person or a caller waits for it: then a failure in its first round is final.
    pub fn has_one_round(&self) -> bool {
        one_round(self.by.as_ref())
    }

    /// When its next round begins if no result arrives before that. `None` if failed objects have no further round.
    pub fn next_round(&self) -> Option<OffsetDateTime> {
        (self.sent && !self.has_had_its_rounds()).then(|| self.progressed + self.pause())
    }

    /// Whether a failure noted at that time leaves nothing to wait for in this round. An object whose failure is
    /// accepted, and every object of a run without further rounds, has one round.
    pub fn settles(&self, noted: OffsetDateTime, accepted: bool, superseded: bool) -> bool {
        let once = accepted || superseded || self.has_one_round();
        once || noted + CLOCKS_APART >= self.round().began
    }

    /// Whether the current round is the last one for failed objects.
    fn has_had_its_rounds(&self) -> bool {
        self.has_one_round() || self.round().number >= self.last_round()
    }

    /// The last round that it may reach, if it has more than one: objects that were added last have all rounds from
    /// there.
    fn last_round(&self) -> u32 {
        ROUNDS.saturating_add(self.round().since.saturating_sub(1))
    }

    /// Whether no further round would change anything for failed objects.
    pub(super) fn is_in_its_last_round(&self, seen: &Seen) -> bool {
        let unanswered = seen.planned.saturating_sub(self.answered);
        seen.superseded || self.has_had_its_rounds() || seen.accepted >= unanswered
    }

    /// Whether the notes of its unanswered objects are worth a request: only if the run is quiet, and something may be
    /// new or has to be decided.
    pub fn reads_notes(&self, superseded: bool, now: OffsetDateTime) -> bool {
        let quiet = now - self.progressed;
        let last = superseded || self.has_had_its_rounds();
        quiet >= QUIET && (last || quiet <= STALLED_AFTER || quiet >= self.pause() || self.has_expired(now))
    }

    /// Text that says how often an object listed at `came` was tried.
    pub fn tried(&self, came: ListedLate, now: OffsetDateTime) -> Option<String> {
        let rounds = self.round().number.saturating_sub(came.round.saturating_sub(1));
        let began = if came.round > 1 { came.at } else { self.opened };
        let minutes = (now - began).whole_minutes();
        let over = match minutes {
            ..=119 => format!("{minutes} minutes"),
            _ => format!("{} hours", (minutes + 30) / 60),
        };
        (rounds > 1).then(|| format!("tried in {rounds} rounds over {over}"))
    }
}

/// Whether a run requested by `by` has only one round.
pub fn one_round(by: Option<&Actor>) -> bool {
    by.is_some_and(|by| by.via != Via::Timer)
}

impl PlanHeader {
    /// Whether a person has accepted, as of this plan, that an object fails with this failure.
    pub fn accepts_of(&self, id: &ObjectId, failure: &Failure) -> bool {
        self.accepted.iter().any(|of| of.is_of(id, failure, self.planned))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::{
        job::{Need, OPEN_FOR},
        record::{RECORD_LIMIT, record},
        run::{RunId, Scope},
    };

    const START: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);
    const SECOND: Duration = Duration::SECOND;
    const MINUTE: Duration = Duration::MINUTE;

    fn job(by: Actor) -> BackupJob {
        let mut job = BackupJob::open("kv-prod".parse().unwrap(), RunId::nightly(START), by, START);
        job.begin_round(START, START);
        job
    }

    fn seen(settled: u32) -> Seen {
        Seen { planned: 10, settled, ..Seen::default() }
    }

    fn came(round: u32) -> ListedLate {
        ListedLate { kind: ObjectKind::Key, round, at: START + MINUTE * 105 }
    }

    /// The minutes after the start at which a run whose objects all fail sends messages, and the minute it ends.
    fn course(mut job: BackupJob, of: impl Fn(&BackupJob) -> Seen) -> (Vec<i64>, i64) {
        let mut sent = Vec::new();
        for minute in 1.. {
            let now = START + MINUTE * i32::try_from(minute).unwrap();
            match job.need(Some(of(&job)), now) {
                Need::Sending => {
                    job.begin_round(now, now);
                    sent.push(minute);
                }
                Need::GivingUp => return (sent, minute),
                _ => {}
            }
        }
        unreachable!("a run has an end")
    }

    #[test]
    fn rounds_come_at_growing_distances_and_have_an_end() {
        let timer = || job(Actor::TIMER);
        let further = vec![15, 45, 105, 225, 465];
        let (all, hours) = (|_: &BackupJob| seen(10), OPEN_FOR.whole_minutes());
        assert_eq!(course(timer(), all), (further.clone(), 466), "each has failed in each round");
        let lost = further.iter().copied().chain([705, 945, 1185]).collect();
        assert_eq!(course(timer(), |_| seen(9)), (lost, hours), "of one nothing is known");
        let late = |job: &BackupJob| seen(if job.round().number > 7 { 10 } else { 0 });
        assert_eq!(course(timer(), late).1, 946, "the failures come with the last messages");
        for by in [Actor::TERMINAL, Actor::http(None, None)] {
            assert_eq!(course(job(by), all), (vec![], 1), "whoever asked is told at once");
        }
        let accepted = |_: &BackupJob| Seen { accepted: 10, ..seen(10) };
        assert_eq!(course(timer(), accepted), (vec![], 1), "it fails as it may");
        let others = |_: &BackupJob| Seen { accepted: 9, ..seen(10) };
        assert_eq!(course(timer(), others), (further, 466));
        let superseded = |settled| move |_: &BackupJob| Seen { superseded: true, ..seen(settled) };
        assert_eq!(course(timer(), superseded(10)), (vec![], 1));
        assert_eq!(course(timer(), superseded(9)), (vec![], 15), "what is under way may come in");
    }

    /// Its objects have all rounds of a run from there, until the run expires.
    #[test]
    fn a_kind_that_comes_late_has_its_rounds() {
        for (came_in, ends) in [(1, 466), (2, 706), (4, 1186), (6, 1200)] {
            let mut job = job(Actor::TIMER);
            let mut header = PlanHeader::new(job.vault.clone(), job.run.clone(), Scope::Vault, START);
            header.listed_late.push(came(came_in));
            job.note_supplements(&header);
            job.round = job.round.map(|round| Round { number: 1, ..round });
            let (sent, end) = course(job, |_| seen(10));
            assert_eq!((sent.len() <= 8, end), (true, ends), "nine rounds at most: {sent:?}");
        }
        let mut lost = BackupJob { round: None, ..job(Actor::TIMER) };
        let mut header = PlanHeader::new(lost.vault.clone(), lost.run.clone(), Scope::Vault, START);
        header.listed_late.push(came(4));
        lost.note_supplements(&header);
        assert_eq!((lost.round().number, lost.round().since), (3, 4), "of a record that was lost");
    }

    #[test]
    fn a_failure_settles_its_round_and_where_there_is_one_round_for_good() {
        let mut timer = job(Actor::TIMER);
        let round = START + Duration::HOUR;
        timer.begin_round(round, round);
        for (noted, accepted, superseded, settles) in [
            (round, false, false, true),
            (round - MINUTE, false, false, true), // clocks
            (round - MINUTE - SECOND, false, false, false),
            (START, true, false, true),
            (START, false, true, true),
        ] {
            assert_eq!(
                timer.settles(noted, accepted, superseded),
                settles,
                "{noted} {accepted} {superseded}"
            );
        }
        let mut asked = job(Actor::TERMINAL);
        asked.begin_round(round, round);
        assert!(asked.settles(START, false, false));
    }

    #[test]
    fn notes_are_read_where_something_may_be_new() {
        let mut of = job(Actor::TIMER);
        let reads = |job: &BackupJob, minutes: i64| {
            job.reads_notes(false, job.progressed + MINUTE * i32::try_from(minutes).unwrap())
        };
        of.begin_round(START, START);
        assert_eq!(
            [1, 2, 15, 16, 29, 30].map(|minutes| reads(&of, minutes)),
            [false, true, true, false, false, true]
        );
        assert!(of.reads_notes(true, START + MINUTE * 20), "it may be over");
        let asked = job(Actor::TERMINAL);
        assert_eq!([1, 2, 16].map(|minutes| reads(&asked, minutes)), [false, true, true]);
    }

    #[test]
    fn what_is_tried_again_says_when() {
        let mut job = job(Actor::TIMER);
        let planned = |job: &BackupJob, now| job.tried(came(1), now);
        assert_eq!((job.next_round(), planned(&job, START)), (Some(START + STALLED_AFTER), None));
        for _ in 1..ROUNDS {
            job.begin_round(START, START);
        }
        assert_eq!(job.next_round(), None, "that was the last");
        assert_eq!(
            planned(&job, START + MINUTE * 119).as_deref(),
            Some("tried in 6 rounds over 119 minutes")
        );
        assert_eq!(planned(&job, START + MINUTE * 466).as_deref(), Some("tried in 6 rounds over 8 hours"));
        let late = job.tried(came(4), START + MINUTE * 466);
        assert_eq!(late.as_deref(), Some("tried in 3 rounds over 6 hours"));
        assert_eq!(self::job(Actor::TERMINAL).next_round(), None);
        let text = "t".repeat(1000);
        let after = Failure::ours("Busy", &text).after(Some("tried in 6 rounds over 8 hours".into()));
        assert!(after.text.ends_with("ttt (tried in 6 rounds over 8 hours)"), "{after:?}");
        let after =
            Failure::ours("Busy", "鍵".repeat(1000)).after(Some("tried in 6 rounds over 8 hours".into()));
        assert!(after.text.ends_with("鍵 (tried in 6 rounds over 8 hours)"), "{after:?}");
    }

    #[test]
    fn what_is_tried_again_is_told_of_the_lists_and_then_of_the_objects() {
        let (no, at) = (Failure::ours("Denied", "no"), START + MINUTE);
        let mut job = BackupJob { sent: false, round: None, ..job(Actor::TIMER) };
        assert_eq!(job.tried_again(), None);
        job.unplanned = Some(Unplanned { at: START, failure: no.clone() });
        let told = job.tried_again().map(|of| (of.objects, of.round, of.next));
        assert_eq!(told, Some((None, 0, Some(START + MINUTE * 5))));
        job.begin_round(at, at);
        assert_eq!(job.tried_again(), None, "it is planned");
        let failing = Some(Failing { objects: 2, failure: no, at });
        assert!(job.note_failing(failing.clone()) && !job.note_failing(failing));
        let told = job.tried_again().map(|of| (of.objects, of.round, of.next));
        assert_eq!(told, Some((Some(2), 1, Some(at + STALLED_AFTER))));
    }

    #[test]
    fn a_later_run_of_the_schedule_supersedes() {
        let at = |hours: i64, by| {
            let opened = START + Duration::hours(hours);
            BackupJob::open("kv-prod".parse().unwrap(), RunId::nightly(opened), by, opened)
        };
        let night = at(0, Actor::TIMER);
        for (other, supersedes) in [
            (at(1, Actor::TIMER), true),
            (BackupJob { by: None, ..at(1, Actor::TIMER) }, true), // of an older program
            (at(1, Actor::http(None, None)), false),
            (at(1, Actor::TERMINAL), false),
            (at(-1, Actor::TIMER), false),
            (night.clone(), false),
            (BackupJob { vault: "kv-other".parse().unwrap(), ..at(1, Actor::TIMER) }, false),
        ] {
            assert_eq!(other.supersedes(&night), supersedes, "{other:?}");
        }
    }

    #[test]
    fn a_record_of_an_older_program_is_in_its_first_round() {
        let mut old = BackupJob { round: None, ..job(Actor::TIMER) };
        assert_eq!(old.round(), Round { number: 1, began: START, since: 0 });
        old.begin_round(START + MINUTE, START + MINUTE);
        assert_eq!(old.round().number, 2);
        let unsent = BackupJob { sent: false, round: None, ..old };
        assert_eq!((unsent.round().number, unsent.pause()), (0, STALLED_AFTER));
    }

    #[test]
    fn a_note_speaks_of_its_object_and_its_time() {
        let id = ObjectId::new(ObjectKind::Key, "signing".parse().unwrap());
        let note = Note::new(&id, Failure::ours("Forbidden", "no"), START + Duration::SECOND);
        assert_eq!((note.id(), note.at), (id, START + SECOND));
        let json = record(&note).unwrap();
        let frozen = r#"{"v":1,"kind":"key","name":"signing","failure":{"code":"Forbidden","text":"no"},"at":"2026-11-22T02:00:01Z"}"#;
        assert_eq!((json.as_str(), serde_json::from_str::<Note>(frozen).unwrap()), (frozen, note));
    }

    #[test]
    fn the_record_of_a_run_in_a_round_stays_readable() {
        let mut job = BackupJob { covers: true, mark: None, ..job(Actor::TIMER) };
        job.note_failing(Some(Failing { objects: 2, failure: Failure::ours("Denied", "no"), at: START }));
        let frozen = r#"{"v":1,"vault":"kv-prod","run":"20261122T020000Z-nightly","opened":"2026-11-22T02:00:00Z","by":{"via":"timer"},"sent":true,"answered":0,"progressed":"2026-11-22T02:00:00Z","round":{"number":1,"began":"2026-11-22T02:00:00Z"},"covers":true,"failing":{"objects":2,"failure":{"code":"Denied","text":"no"},"at":"2026-11-22T02:00:00Z"}}"#;
        assert_eq!(
            (record(&job).unwrap().as_str(), serde_json::from_str::<BackupJob>(frozen).unwrap()),
            (frozen, job)
        );
    }

    #[test]
    fn whatever_a_service_says_fits_into_the_records() {
        let id = ObjectId::new(ObjectKind::Certificate, "n".repeat(127).parse().unwrap());
        for c in ['x', '"', '\u{1}', 'ü', '鍵', '🔑'] {
            let text = c.to_string().repeat(10_000);
            let said =
                Failure { status: Some(403), request_id: Some(text.clone()), ..Failure::ours(&text, &text) };
            let note = Note::new(&id, said, START);
            let mut job = job(Actor::TIMER);
            job.failing = Some(Failing { objects: u32::MAX, failure: note.failure.clone(), at: START });
            job.left_out = LeftOut::new(ObjectKind::ALL.into(), note.failure.clone(), START);
            assert!(record(&note).unwrap().len() <= RECORD_LIMIT, "{c}");
            assert!(record(&job).unwrap().len() <= RECORD_LIMIT, "{c}");
        }
    }
}
