//! Random histories: whatever happens, what is kept restores, and only evidence lets anything go.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use time::{Duration, OffsetDateTime};

use super::{Candidate, Kept, PointKind, Policy, Reason, Ruling, Terms, Verdict, plan};
use crate::domain::{
    digest::Fingerprint,
    entry::Entry,
    form::{Clear, Form},
    location::Location,
    manifest::{Line, ObjectStatus},
    object::ObjectId,
    run::{CLOSES_WITHIN, RunId},
    samples::{NIGHT, entry, secret},
};

/// What happens to one object before a night.
#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    New,
    Unknown,
    Fails,
    Leaves,
    Returns,
}

/// One night: whether it covers, whether its manifest can be read, and what happened to each object.
#[derive(Clone, Debug)]
struct Night {
    days: u8,
    covers: bool,
    readable: bool,
    changes: [Change; 3],
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => Just(Change::Nothing),
        4 => Just(Change::New),
        1 => Just(Change::Unknown),
        2 => Just(Change::Fails),
        1 => Just(Change::Leaves),
        1 => Just(Change::Returns),
    ]
}

fn night() -> impl Strategy<Value = Night> {
    let days = prop_oneof![6 => 1_u8..3, 1 => 3_u8..60];
    let (covers, readable) = (prop::bool::weighted(0.9), prop::bool::weighted(0.95));
    let changes = [change(), change(), change()];
    (days, covers, readable, changes).prop_map(|(days, covers, readable, changes)| Night {
        days,
        covers,
        readable,
        changes,
    })
}

/// A catalogue in memory: manifests by their run, and the backups that are stored.
#[derive(Default)]
struct Catalogue {
    points: Vec<(Candidate, Vec<Line>)>,
    stored: BTreeSet<(RunId, ObjectId)>,
    versions: [u32; 3],
    now: Option<OffsetDateTime>,
}

impl Catalogue {
    fn live(&mut self, night: &Night) {
        let at = self.now.map_or(NIGHT, |now| now + Duration::days(night.days.into()));
        self.now = Some(at);
        let run = RunId::nightly(at);
        let before: BTreeMap<ObjectId, Line> = self
            .points
            .iter()
            .rev()
            .find(|(point, _)| point.kind != PointKind::Unreadable)
            .map(|(_, lines)| lines.iter().map(|line| (line.id(), line.clone())).collect())
            .unwrap_or_default();
        let mut lines = Vec::new();
        for (number, change) in night.changes.iter().enumerate() {
            let id = secret(&format!("s{number}"));
            lines.extend(self.line(&id, number, *change, before.get(&id), at));
        }
        let kind =
            if night.readable { PointKind::Whole { covers: night.covers } } else { PointKind::Unreadable };
        self.points.push((Candidate { run, named: at, stored: at + Duration::HOUR, kind }, lines));
    }

    fn line(
        &mut self,
        id: &ObjectId,
        number: usize,
        change: Change,
        before: Option<&Line>,
        at: OffsetDateTime,
    ) -> Option<Line> {
        let known = before.and_then(|line| line.entry.clone());
        let was_gone = before.and_then(|line| line.gone);
        let with = |status, entry| Some(Line::new(id.clone(), status, entry));
        match change {
            Change::Leaves => before.map(|line| Line {
                gone: was_gone.or(Some(at)),
                ..Line::new(line.id(), ObjectStatus::Gone, known)
            }),
            Change::Nothing | Change::Fails if was_gone.is_some() => before.cloned(),
            Change::Nothing if known.is_some() => with(ObjectStatus::Unchanged, known),
            Change::Fails => with(ObjectStatus::Failed, known),
            Change::Nothing | Change::New | Change::Unknown | Change::Returns => {
                // An object that returns may be another one, with fewer versions.
                self.versions[number] =
                    if matches!(change, Change::Returns) { 1 } else { self.versions[number] + 1 };
                let versions = self.versions[number];
                let state = Fingerprint::of(format!("{at}{versions}").as_bytes());
                let newest = format!("{:032x}", at.unix_timestamp()).parse().unwrap();
                let form = if matches!(change, Change::Unknown) {
                    Form::Unknown(Clear::default())
                } else {
                    entry(id, at).form
                };
                let entry = Entry { versions, newest, fingerprint: state, form, ..entry(id, at) };
                self.stored.insert((entry.run.clone(), id.clone()));
                with(ObjectStatus::BackedUp, Some(entry))
            }
        }
    }

    /// A pass of retention that deletes at once. Returns what it let go.
    fn pass(&mut self, policy: &Policy) -> usize {
        let Some(now) = self.now.map(|now| now + Duration::hours(2)) else { return 0 };
        let location = Location::default();
        let terms = Terms { policy, holds: &[], location: &location, now };
        self.points.sort_by_key(|(point, _)| std::cmp::Reverse(point.named));
        let candidates: Vec<_> = self.points.iter().map(|(point, _)| point.clone()).collect();
        let mut verdicts = plan(&candidates, policy, None, &[], now);
        let mut kept = Kept::default();
        for ((point, lines), verdict) in self.points.iter().zip(&verdicts) {
            match verdict {
                Verdict::Keep(_) if point.kind == PointKind::Unreadable => {
                    kept.cannot_read(&point.run, point.named + CLOSES_WITHIN);
                }
                Verdict::Keep(reason) => name(&mut kept, lines, *reason == Reason::Newest),
                Verdict::Drop(_) => {}
            }
        }
        for ((point, lines), verdict) in self.points.iter().zip(&mut verdicts) {
            if !verdict.drops() {
                continue;
            }
            let stays = lines.iter().find_map(|line| {
                kept.judge(line, point.named, terms).find_map(|(_, ruling)| match ruling {
                    Ruling::Stays(why) => Some(Reason::Names { object: Box::new(line.id()), why }),
                    _ => None,
                })
            });
            if let Some(reason) = stays {
                *verdict = Verdict::Keep(reason);
                name(&mut kept, lines, false);
            }
        }
        let mut going = Vec::new();
        for ((point, lines), _) in self.points.iter().zip(&verdicts).filter(|(_, verdict)| verdict.drops()) {
            for line in lines {
                for (entry, ruling) in kept.judge(line, point.named, terms) {
                    assert!(!matches!(ruling, Ruling::Stays(_)), "what stays keeps its point");
                    if ruling != Ruling::Named {
                        going.push((entry.run.clone(), line.id()));
                    }
                }
            }
        }
        for key in going {
            self.stored.remove(&key);
        }
        let mut verdicts = verdicts.into_iter();
        let before = self.points.len();
        self.points.retain(|_| verdicts.next().is_some_and(|verdict| !verdict.drops()));
        self.points.sort_by_key(|(point, _)| point.named);
        before - self.points.len()
    }

    /// Every backup that an offered point names and that can be read is stored.
    fn restores(&self) -> bool {
        let named = self.points.iter().filter(|(point, _)| point.kind != PointKind::Unreadable);
        let mut entries = named.flat_map(|(_, lines)| lines).filter_map(|line| line.entry.as_ref());
        entries.all(|entry| self.stored.contains(&(entry.run.clone(), entry.id())))
    }
}

fn name(kept: &mut Kept, lines: &[Line], is_newest: bool) {
    for line in lines {
        kept.name(line, &Location::default());
        if is_newest {
            kept.know(&line.id());
        }
    }
}

/// The newest good backup of each object of which there is any, among everything that was ever taken.
fn newest_good(points: &[(Candidate, Vec<Line>)]) -> BTreeMap<ObjectId, Entry> {
    let mut newest: BTreeMap<ObjectId, Entry> = BTreeMap::new();
    let lines =
        points.iter().filter(|(point, _)| point.kind != PointKind::Unreadable).flat_map(|(_, lines)| lines);
    for entry in lines.filter_map(|line| line.entry.as_ref()).filter(|entry| entry.form.unknown().is_none()) {
        let known = newest.get(&entry.id());
        if known.is_none_or(|known| known.taken < entry.taken) {
            newest.insert(entry.id(), entry.clone());
        }
    }
    newest
}

fn policy() -> impl Strategy<Value = Policy> {
    (3_u32..12, 0_u32..3, 0_u32..3, 0_u32..3).prop_map(|(within, days, weeks, months)| Policy {
        within,
        days,
        weeks,
        months,
        ..Policy::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_happens_what_is_kept_restores_and_the_last_good_backup_is_kept(
        nights in prop::collection::vec(night(), 1..40),
        policy in policy(),
    ) {
        let mut catalogue = Catalogue::default();
        let mut every = Vec::new();
        for night in &nights {
            catalogue.live(night);
            every.extend(catalogue.points.last().cloned());
            catalogue.pass(&policy);
            prop_assert!(catalogue.restores(), "{:?}", catalogue.points);
            prop_assert!(!catalogue.points.is_empty());
            for (id, entry) in newest_good(&every) {
                // None of these histories is long enough for what is gone to go.
                prop_assert!(catalogue.stored.contains(&(entry.run.clone(), id.clone())), "{id} of {}", entry.run);
            }
            prop_assert_eq!(catalogue.pass(&policy), 0, "a second pass lets nothing more go");
        }
    }
}

#[test]
fn an_ordinary_history_lets_points_go() {
    let mut catalogue = Catalogue::default();
    let policy: Policy = "within=5 months=0".parse().unwrap();
    let mut dropped = 0;
    for _ in 0..40 {
        let changes = [Change::New, Change::Nothing, Change::Nothing];
        catalogue.live(&Night { days: 1, covers: true, readable: true, changes });
        dropped += catalogue.pass(&policy);
    }
    assert!(dropped > 30 && catalogue.points.len() < 10 && catalogue.restores(), "{dropped}");
    assert_eq!(
        catalogue.stored.len(),
        catalogue.points.len() + 2,
        "each change has its backup, the others one"
    );
}
