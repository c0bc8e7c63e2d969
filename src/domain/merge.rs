//! Merges a plan, its results and the previous index into the next index.

use std::{iter::Peekable, slice};

use time::{Duration, OffsetDateTime};

use super::{
    form::Clear,
    manifest::{Line, ObjectResult, ObjectStatus, Summary, verdict},
    object::ObjectId,
    outcome::{Failure, OutcomeKind},
    plan::{Plan, PlanHeader},
    planned::{Decision, Planned},
    run::Numbers,
    versions::VERSIONS_WARNING,
    watch::{Had, Shown, Watch},
};

/// How far the clock of the process that takes a backup may be behind the planner's.
const CLOCKS_APART: Duration = Duration::minutes(5);

/// Produces a manifest's lines from three sorted streams: the plan, the results, and the previous index.
///
/// It holds one object of each at a time, so a vault of any size is closed in the same memory. The driver calls
/// [`Merge::before`] until it returns `None`, then [`Merge::with`], for each result in order; then `before(None)` until
/// it returns `None`, then [`Merge::finish`]. The lines are a function of the three streams alone, so a manifest can be
/// rebuilt. They have the form of the plan: the plan of an older program yields byte for byte what that program would
/// have written.
pub struct Merge<'p, B: Iterator> {
    header: &'p PlanHeader,
    plan: Peekable<slice::Iter<'p, Planned>>,
    base: Peekable<B>,
    numbers: Numbers,
    finished: OffsetDateTime,
    protected: u32,
    lines: u32,
    unknown_form: Option<Box<Clear>>,
    watch: Watch,
}

impl<'p, E, B: Iterator<Item = Result<Line, E>>> Merge<'p, B> {
    /// Starts with a plan and the previous index, sorted by object.
    pub fn new(plan: &'p Plan, base: B) -> Self {
        let unlisted = plan.header.unlisted.iter().map(|unlisted| unlisted.kind).collect();
        Self {
            header: &plan.header,
            plan: plan.objects.iter().peekable(),
            base: base.peekable(),
            numbers: Numbers { unlisted, ..Numbers::default() },
            finished: plan.header.planned,
            protected: 0,
            lines: 0,
            unknown_form: None,
            watch: Watch::default(),
        }
    }

    /// The next line of an object that sorts before `limit` and has no result; `None` after the last one.
    ///
    /// # Errors
    /// Those of the previous index.
    pub fn before(&mut self, limit: Option<&ObjectId>) -> Result<Option<Line>, E> {
        loop {
            let planned = self.plan.peek().map(|planned| planned.id());
            let Some(id) = [planned, self.base_id()?].into_iter().flatten().min() else { return Ok(None) };
            if limit.is_some_and(|limit| id >= *limit) {
                return Ok(None);
            }
            let planned = self.plan.next_if(|planned| planned.key() == id.key());
            let old = self.base_line(&id)?;
            let had = self.had(old.as_ref());
            let shown = match planned {
                Some(planned) => shown(planned.decision),
                None if self.numbers.unlisted.contains(&id.kind) => Shown::Unlisted,
                None => Shown::Gone,
            };
            let line = match planned {
                Some(planned) => Some(self.without_result(planned, old)),
                None => old.and_then(|line| self.unplanned(line)),
            };
            self.note(had, shown);
            if let Some(line) = line {
                return Ok(Some(self.count(marked(line, had, shown))));
            }
        }
    }

    /// The line of an object that has a result.
    ///
    /// # Errors
    /// Those of the previous index.
    pub fn with(&mut self, result: ObjectResult) -> Result<Line, E> {
        let id = result.id();
        let planned = self.plan.next_if(|planned| planned.key() == id.key());
        let old = self.base_line(&id)?;
        let had = self.had(old.as_ref());
        let mut shown = planned.map_or(Shown::Unclear, |planned| shown(planned.decision));
        let line = match result {
            // The backup does not show what the plan saw.
            ObjectResult::Entry(entry) if self.header.planned - entry.taken > CLOCKS_APART => {
                let text =
                    "its backup in this run is older than the run's plan; the next run takes a new one";
                let failure = Some(Failure::ours("TakenBeforePlanned", text));
                Line { failure, ..carry(id, ObjectStatus::Failed, old) }
            }
            // A former entry is left out: this entry names it as the previous backup.
            ObjectResult::Entry(entry) => {
                self.finished = self.finished.max(entry.taken);
                if let (Shown::Unclear, Some(old)) = (shown, old.and_then(|old| old.entry)) {
                    shown = if entry.continues(&old) { Shown::Same } else { Shown::Other };
                }
                Line::new(id, ObjectStatus::BackedUp, Some(entry))
            }
            ObjectResult::Outcome(outcome) => {
                self.finished = self.finished.max(outcome.at);
                let status = match outcome.outcome {
                    OutcomeKind::Failed => ObjectStatus::Failed,
                    OutcomeKind::Disappeared => ObjectStatus::Disappeared,
                };
                Line { failure: Some(outcome.failure), ..carry(id, status, old) }
            }
        };
        self.note(had, shown);
        Ok(self.count(marked(line, had, shown)))
    }

    /// The run's summary, after the last line.
    pub fn finish(mut self) -> Summary {
        self.watch.number(&mut self.numbers);
        let losses = self.watch.losses(self.header);
        Summary {
            v: self.header.v,
            run: self.header.run.clone(),
            scope: self.header.scope,
            verdict: verdict(&self.numbers, &losses, self.header.moved.as_deref()),
            numbers: self.numbers,
            late: self.header.late,
            planned: self.header.planned,
            finished: self.finished,
            full_pass: self.header.full_pass,
            protected: self.protected,
            lines: self.lines,
            losses,
            location: Box::new(
                self.header.observed_location.as_ref().map(|of| of.location.clone()).unwrap_or_default(),
            ),
            moved: self.header.moved.clone(),
            unknown_form: self.unknown_form,
        }
    }

    /// What the previous index had of an object. A manifest of form 1 does not record what is gone.
    fn had(&self, old: Option<&Line>) -> Option<Had> {
        old.filter(|_| !self.is_form_1()).and_then(Had::of)
    }

    fn note(&mut self, had: Option<Had>, shown: Shown) {
        if let Some(had) = had {
            self.watch.had(had, shown);
        }
    }

    fn is_form_1(&self) -> bool {
        self.header.v < 2
    }

    fn base_id(&mut self) -> Result<Option<ObjectId>, E> {
        match self.base.peek() {
            Some(Ok(line)) => Ok(Some(line.id())),
            Some(Err(_)) => self.base.next().transpose().map(|_| None),
            None => Ok(None),
        }
    }

    fn base_line(&mut self, id: &ObjectId) -> Result<Option<Line>, E> {
        if self.base_id()?.as_ref() != Some(id) {
            return Ok(None);
        }
        let line = self.base.next().transpose()?;
        Ok(if self.is_form_1() { line.map(Line::in_form_1) } else { line })
    }

    fn without_result(&self, planned: &Planned, old: Option<Line>) -> Line {
        let id = planned.id();
        let has_entry = old.as_ref().is_some_and(|old| old.entry.is_some());
        match planned.decision {
            Decision::Managed => self.managed(id, ObjectStatus::Managed, old),
            Decision::VaultManaged => self.managed(id, ObjectStatus::VaultManaged, old),
            Decision::Unchanged if has_entry => carry(id, ObjectStatus::Unchanged, old),
            Decision::Unchanged => {
                let text = "its earlier backup is no longer in the catalogue; the next run takes a new one";
                let failure = Some(Failure::ours("EntryLost", text));
                Line { failure, ..carry(id, ObjectStatus::Failed, old) }
            }
            _ => {
                let text = format!("run {} has no outcome for it", self.header.run);
                Line {
                    failure: Some(Failure::ours("NoOutcome", text)),
                    ..carry(id, ObjectStatus::Failed, old)
                }
            }
        }
    }

    /// The line of an object that belongs to a certificate or to the vault: earlier backups under its name are not
    /// backups of it.
    fn managed(&self, id: ObjectId, status: ObjectStatus, old: Option<Line>) -> Line {
        let line = carry(id, status, old);
        if self.is_form_1() {
            line
        } else {
            Line { former: line.last_backup().cloned().map(Box::new), entry: None, ..line }
        }
    }

    /// The line of an object that is in the previous index and that the vault did not list. `None` drops it.
    fn unplanned(&self, line: Line) -> Option<Line> {
        let managed = line.status.is_managed() && !self.is_form_1();
        let nothing_to_keep = (managed || self.is_form_1()) && line.last_backup().is_none();
        let unlisted = self.numbers.unlisted.contains(&line.kind);
        let (gone, returned) = if unlisted {
            (line.gone, line.was_gone().filter(|_| line.gone.is_none()))
        } else {
            (Some(line.was_gone().unwrap_or(self.header.planned)), None)
        };
        let long_gone =
            !unlisted && gone.is_some_and(|since| self.header.planned - since > self.header.keeps_gone());
        let status = match (managed, unlisted) {
            (true, _) => ObjectStatus::Former,
            (false, true) => ObjectStatus::Carried,
            (false, false) => ObjectStatus::Gone,
        };
        (!nothing_to_keep && !long_gone).then(|| Line {
            gone,
            returned,
            ..carry(line.id(), status, Some(line))
        })
    }

    fn count(&mut self, line: Line) -> Line {
        self.lines += 1;
        if matches!(line.status, ObjectStatus::BackedUp | ObjectStatus::Unchanged | ObjectStatus::Failed) {
            self.watch.listed(line.kind);
        }
        self.protected += u32::from(line.entry.is_some());
        let numbers = &mut self.numbers;
        let counter = match line.status {
            ObjectStatus::BackedUp => &mut numbers.backed_up,
            ObjectStatus::Unchanged => &mut numbers.unchanged,
            ObjectStatus::Managed => &mut numbers.managed,
            ObjectStatus::VaultManaged => &mut numbers.vault_managed,
            ObjectStatus::Disappeared => &mut numbers.disappeared,
            ObjectStatus::Failed => {
                numbers.accepted += u32::from(self.header.accepts(&line));
                &mut numbers.failed
            }
            ObjectStatus::Gone | ObjectStatus::Carried | ObjectStatus::Former => return line,
        };
        *counter += 1;
        numbers.listed += 1;
        if let Some(entry) = &line.entry {
            numbers.near_version_limit += u32::from(entry.versions >= VERSIONS_WARNING);
            numbers.bytes += if line.status == ObjectStatus::BackedUp { entry.bytes } else { 0 };
            if let Some(clear) = entry.form.unknown() {
                numbers.unknown_form += 1;
                self.unknown_form.get_or_insert_with(|| Box::new(clear.clone()));
            }
        }
        line
    }
}

/// What the list shows of an object that was planned.
fn shown(decision: Decision) -> Shown {
    match decision {
        Decision::Unchanged | Decision::FullPass | Decision::Missed | Decision::Unsettled => Shown::Same,
        Decision::Managed | Decision::VaultManaged => Shown::Other,
        Decision::New | Decision::Changed | Decision::Asked => Shown::Unclear,
    }
}

/// Adds since when the line's object was gone, until that is settled.
fn marked(line: Line, had: Option<Had>, shown: Shown) -> Line {
    let unclear = had.and_then(|had| had.unclear_since(shown));
    Line { returned: unclear.or(line.returned), ..line }
}

/// A line with the backups of an older line.
fn carry(id: ObjectId, status: ObjectStatus, old: Option<Line>) -> Line {
    let (entry, former) = old.map(|old| (old.entry, old.former)).unwrap_or_default();
    Line { former, ..Line::new(id, status, entry) }
}

#[cfg(test)]
mod tests;
