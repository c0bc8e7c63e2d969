//! What the records of a period say together.

use std::collections::BTreeMap;

use super::{
    AcceptedRow, Became, CoverageRow, DayRow, DayState, DropRow, EventRow, Evidence, FailureRow, HeadRow,
    HoldRow, HoldSeen, PolicyRow, RunsSeen, SourceEvidence, SourceRow,
};
use crate::domain::{
    day::Day,
    digest::Digest,
    object::ObjectId,
    record::count,
    source::{SourceId, SourceName},
};

/// The longest period of one report, in days: a year and a month.
const LONGEST: i64 = 400;

/// What storage has of a day.
#[derive(Clone, Debug)]
pub enum DayRecord {
    /// Its record, and the digest of the stored bytes.
    Found(Box<Evidence>, Digest),
    /// Nothing.
    Missing,
    /// A record that cannot be read, and why.
    Unreadable(String),
}

/// Why there is no report of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Its end comes before its start.
    #[error("the period ends before it begins; expected `from` on or before `to`")]
    Backwards,
    /// It is too long.
    #[error("the period is longer than {LONGEST} days; make several reports")]
    Long,
    /// It has a day that has not ended.
    #[error("the period has a day that has not ended; the newest day of a report is yesterday, in UTC")]
    Open,
}

/// Checks a period, of which both ends are part.
///
/// # Errors
/// [`PeriodError`].
pub fn period(from: Day, to: Day, today: Day) -> Result<(), PeriodError> {
    match from.through(to) {
        ..=0 => Err(PeriodError::Backwards),
        days if days > LONGEST => Err(PeriodError::Long),
        _ if to >= today => Err(PeriodError::Open),
        _ => Ok(()),
    }
}

/// A report, by the records of its period alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// The sources that it is about; all if there are none.
    pub wanted: Vec<SourceName>,
    /// Every day of the period, in order.
    pub days: Vec<DayRow>,
    /// Every source on every day with a record.
    pub coverage: Vec<CoverageRow>,
    /// Every source.
    pub sources: Vec<SourceRow>,
    /// What failed.
    pub failures: Vec<FailureRow>,
    /// Failures that were accepted.
    pub accepted: Vec<AcceptedRow>,
    /// What people decided, approvals, and restores.
    pub events: Vec<EventRow>,
    /// Holds.
    pub holds: Vec<HoldRow>,
    /// What retention let go.
    pub drops: Vec<DropRow>,
    /// Policies.
    pub policies: Vec<PolicyRow>,
    /// The newest record of each section of the trail.
    pub heads: Vec<HeadRow>,
    /// How many failures, acceptances, events and sections the records count without naming them.
    pub unnamed: u32,
}

impl Report {
    /// The report of a period about these sources, or about all. `records` has every day of the period, in order.
    pub fn new(wanted: Vec<SourceName>, records: Vec<(Day, DayRecord)>) -> Option<Self> {
        let (from, to) = (records.first()?.0, records.last()?.0);
        let mut gathered = Gathered { wanted, ..Gathered::default() };
        for (day, record) in records {
            gathered.take(day, record);
        }
        Some(gathered.finish(from, to))
    }

    /// How many days have a record.
    pub fn recorded(&self) -> usize {
        self.days.iter().filter(|day| !day.is_gap()).count()
    }

    /// The days without one.
    pub fn gaps(&self) -> impl Iterator<Item = Day> {
        self.days.iter().filter(|day| day.is_gap()).map(|day| day.day)
    }
}

type FailureKey = (SourceId, Option<ObjectId>, String);

/// What has been gathered of the days so far.
#[derive(Default)]
struct Gathered {
    wanted: Vec<SourceName>,
    days: Vec<DayRow>,
    coverage: Vec<CoverageRow>,
    sources: BTreeMap<SourceId, SourceRow>,
    failures: BTreeMap<FailureKey, FailureRow>,
    accepted: Vec<AcceptedRow>,
    events: Vec<EventRow>,
    holds: BTreeMap<(SourceId, HoldSeen), HoldRow>,
    drops: BTreeMap<(SourceId, String, String), DropRow>,
    policies: BTreeMap<SourceId, Vec<PolicyRow>>,
    heads: Vec<HeadRow>,
    unnamed: u32,
}

impl Gathered {
    fn take(&mut self, day: Day, record: DayRecord) {
        let state = match record {
            DayRecord::Missing => DayState::Gap { unreadable: None },
            DayRecord::Unreadable(why) => DayState::Gap { unreadable: Some(why) },
            DayRecord::Found(evidence, sha256) => self.evidence(day, *evidence, sha256),
        };
        self.days.push(DayRow { day, state });
    }

    fn wants(&self, source: &SourceName) -> bool {
        self.wanted.is_empty() || self.wanted.contains(source)
    }

    fn evidence(&mut self, day: Day, evidence: Evidence, sha256: Digest) -> DayState {
        let Evidence { made, program, sources, trail, retention, .. } = evidence;
        let sources: Vec<_> = sources.into_iter().filter(|of| self.wants(&of.source)).collect();
        let covered = (count(sources.iter().filter(|of| of.newest.is_some()).count()), count(sources.len()));
        self.unnamed += trail.more_events + trail.more_heads;
        for event in trail.events {
            // Some events name no source, and may be about any.
            if event.about.is_empty() || event.about.iter().any(|source| self.wants(source)) {
                let sort = event.sort();
                let (at, by, text) = (event.at, event.by, event.text);
                self.events.push(EventRow { sort, at, by, event: event.event, text });
            }
        }
        self.heads.extend(trail.heads.into_iter().map(|head| HeadRow { day, head }));
        for of in sources {
            self.source(day, of);
        }
        DayState::Recorded { made, program, sha256, covered, retention, trail: trail.records }
    }

    fn source(&mut self, day: Day, of: SourceEvidence) {
        let id = of.id();
        self.sources.entry(id.clone()).or_insert_with(|| SourceRow::new(&id)).add(day, &of);
        self.failures(day, &id, &of);
        self.accepted(day, &id, &of);
        for hold in &of.holds {
            let row = || HoldRow { source: id.clone(), hold: hold.clone(), first: day, last: day };
            self.holds.entry((id.clone(), hold.clone())).or_insert_with(row).last = day;
        }
        for dropped in &of.dropped {
            let (code, why) = (dropped.code.clone(), dropped.why.clone());
            let key = (id.clone(), code.clone(), why.clone());
            let row = || DropRow { source: id.clone(), code, why, first: day, last: day, runs: Vec::new() };
            let row = self.drops.entry(key).or_insert_with(row);
            row.last = day;
            row.runs.push(dropped.run.clone());
        }
        self.policy(day, &id, &of);
        self.coverage.push(CoverageRow { day, of });
    }

    fn failures(&mut self, day: Day, id: &SourceId, of: &SourceEvidence) {
        self.unnamed += of.more_failures;
        for failure in &of.failures {
            let (object, code) = (failure.object.clone(), failure.code.clone());
            let key = (id.clone(), object.clone(), code.clone());
            let row = || FailureRow {
                source: id.clone(),
                object,
                code,
                first: day,
                last: day,
                days: 0,
                became: failure.became,
                last_backup: None,
            };
            let row = self.failures.entry(key).or_insert_with(row);
            row.days += u32::from(row.days == 0 || row.last != day);
            (row.last, row.became, row.last_backup) = (day, failure.became, failure.last_backup);
        }
    }

    fn accepted(&mut self, day: Day, id: &SourceId, of: &SourceEvidence) {
        self.unnamed += of.more_accepted;
        for accepted in &of.accepted {
            let known = self.accepted.iter_mut().find(|row| row.source == *id && row.accepted == *accepted);
            match known {
                Some(row) => row.last = day,
                None => self.accepted.push(AcceptedRow {
                    source: id.clone(),
                    accepted: accepted.clone(),
                    first: day,
                    last: day,
                }),
            }
        }
    }

    /// A policy that comes back after another one has a row of its own.
    fn policy(&mut self, day: Day, id: &SourceId, of: &SourceEvidence) {
        let rows = self.policies.entry(id.clone()).or_default();
        match rows.last_mut().filter(|row| row.policy == of.policy) {
            Some(row) => (row.last, row.days) = (day, row.days + 1),
            None => rows.push(PolicyRow {
                source: id.clone(),
                policy: of.policy.clone(),
                first: day,
                last: day,
                days: 1,
            }),
        }
    }

    fn finish(mut self, from: Day, to: Day) -> Report {
        self.accepted.sort_by(|a, b| {
            (&a.source, &a.accepted.object, a.accepted.at).cmp(&(
                &b.source,
                &b.accepted.object,
                b.accepted.at,
            ))
        });
        // Processes write sections of their own; to a reader the order is that of time.
        self.events.sort_by(|a, b| (a.sort, a.at, &a.event, &a.text).cmp(&(b.sort, b.at, &b.event, &b.text)));
        Report {
            from,
            to,
            wanted: self.wanted,
            days: self.days,
            coverage: self.coverage,
            sources: self.sources.into_values().collect(),
            failures: self.failures.into_values().collect(),
            accepted: self.accepted,
            events: self.events,
            holds: self.holds.into_values().collect(),
            drops: self.drops.into_values().collect(),
            policies: self.policies.into_values().flatten().collect(),
            heads: self.heads,
            unnamed: self.unnamed,
        }
    }
}

impl SourceRow {
    fn new(source: &SourceId) -> Self {
        Self {
            source: source.clone(),
            days: 0,
            uncovered: 0,
            troubled: 0,
            newest: None,
            worst: None,
            runs: RunsSeen::default(),
            protected: None,
            open: 0,
            dropped: 0,
            deleted: 0,
            verification: None,
            attestation: None,
            second: None,
            drill: None,
            unread: 0,
        }
    }

    fn add(&mut self, day: Day, of: &SourceEvidence) {
        self.days += 1;
        self.uncovered += u32::from(of.gap.is_none());
        self.troubled += u32::from(!of.troubles.is_empty());
        self.newest = of.newest;
        // Of two days with one gap the first counts.
        if let Some(gap) = of.gap.filter(|gap| self.worst.is_none_or(|(worst, _)| *gap > worst)) {
            self.worst = Some((gap, day));
        }
        self.runs.add(&of.runs);
        self.protected = of.coverage.as_ref().map(|of| of.protected).or(self.protected);
        let open = of.failures.iter().filter(|failure| failure.became == Became::Open).count();
        // A record names the open ones first, so there are more of them only if it names no others.
        let more = if open == of.failures.len() { of.more_failures } else { 0 };
        self.open += count(open) + more;
        self.dropped += count(of.dropped.len());
        self.deleted += count(of.deleted.len());
        self.verification = of.verification.clone().or(self.verification.take());
        self.attestation = of.attestation.clone().or(self.attestation.take());
        self.second = of.second.clone().or(self.second.take());
        self.drill = of.drill.clone().or(self.drill.take());
        self.unread += count(of.unread.len());
    }
}

#[cfg(test)]
mod tests;
