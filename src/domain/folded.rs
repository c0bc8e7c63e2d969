//! An index folded from several manifests: the newest whole one, and others with entries that it does not have.

use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
};

use time::OffsetDateTime;

use super::{
    manifest::{Line, ObjectStatus},
    object::{ObjectId, ObjectKind},
    plan::{ListedLate, PlanHeader},
};

/// The lines of the newest whole manifest with those of other manifests folded in, sorted.
///
/// A newer entry replaces an older one of the same object. The whole manifest decides whether an object still exists,
/// unless the entry was taken after that run was planned: an object that was backed up earlier and is not in the whole
/// manifest was gone by then, or its kind could not be listed.
pub struct Folded<B: Iterator> {
    base: Peekable<B>,
    later: Peekable<btree_map::IntoIter<ObjectId, Line>>,
    planned: Option<OffsetDateTime>,
    late: Vec<ListedLate>,
    unlisted: Vec<ObjectKind>,
}

impl<E, B: Iterator<Item = Result<Line, E>>> Folded<B> {
    /// `header` is the header of the whole manifest, or `None` if there is none.
    pub fn new(base: B, later: BTreeMap<ObjectId, Line>, header: Option<&PlanHeader>) -> Self {
        let unlisted = header.into_iter().flat_map(|header| &header.unlisted);
        Self {
            base: base.peekable(),
            later: later.into_iter().peekable(),
            planned: header.map(|header| header.planned),
            late: header.map(|header| header.listed_late.clone()).unwrap_or_default(),
            unlisted: unlisted.map(|unlisted| unlisted.kind).collect(),
        }
    }

    /// When the whole manifest's run was planned, if it listed the line's kind no earlier than the line's backup was
    /// taken.
    fn planned_after(&self, line: &Line) -> Option<OffsetDateTime> {
        let late = self.late.iter().find(|late| late.kind == line.kind).map(|late| late.at);
        let listed = late.or(self.planned)?;
        self.planned.filter(|_| line.last_backup().is_some_and(|entry| entry.taken <= listed))
    }

    /// The line of an object that is not in the whole manifest.
    fn unknown(&self, line: Line) -> Line {
        let Some(planned) = self.planned_after(&line) else { return line };
        let unlisted = self.unlisted.contains(&line.kind);
        let gone = if unlisted { line.gone } else { line.gone.or(Some(planned)) };
        let status = match (line.status.is_managed(), unlisted) {
            (true, _) => ObjectStatus::Former,
            (false, true) => ObjectStatus::Carried,
            (false, false) => ObjectStatus::Gone,
        };
        Line { status, gone, failure: None, ..line }
    }

    /// The line of an object that is in both.
    fn newer(&self, base: Line, fold: Line) -> Line {
        let taken = |line: &Line| line.last_backup().map(|entry| entry.taken);
        if taken(&fold) <= taken(&base) {
            return base;
        }
        if self.planned_after(&fold).is_some() { base.with_backup_of(fold) } else { base.followed_by(fold) }
    }
}

/// Keeps the line with the newest backup of each object, as input for [`Folded`].
pub fn fold_line(later: &mut BTreeMap<ObjectId, Line>, line: Line) {
    let Some(entry) = line.last_backup() else { return };
    let known = later.get(&line.id()).and_then(Line::last_backup);
    if known.is_none_or(|known| known.taken <= entry.taken) {
        later.insert(line.id(), line);
    }
}

impl<E, B: Iterator<Item = Result<Line, E>>> Iterator for Folded<B> {
    type Item = Result<Line, E>;

    fn next(&mut self) -> Option<Self::Item> {
        let base = match self.base.peek() {
            Some(Err(_)) => return self.base.next(),
            Some(Ok(line)) => Some(line.id()),
            None => None,
        };
        match (base, self.later.peek().map(|(id, _)| id)) {
            (Some(base), Some(later)) if base == *later => {
                let (_, fold) = self.later.next()?;
                self.base.next().map(|line| line.map(|line| self.newer(line, fold)))
            }
            (base, Some(later)) if base.as_ref().is_none_or(|base| *later < *base) => {
                self.later.next().map(|(_, line)| Ok(self.unknown(line)))
            }
            _ => self.base.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::{
        outcome::Failure,
        plan::Unlisted,
        run::{RunId, Scope},
        samples::{NIGHT, line, of_kind, secret},
    };

    const MINUTE: Duration = Duration::MINUTE;

    /// A line whose backup was taken this long after the whole run was planned.
    fn taken(status: ObjectStatus, after: Duration) -> Line {
        line(&secret("db"), status, NIGHT + after)
    }

    fn former(status: ObjectStatus, after: Duration) -> Line {
        let line = taken(status, after);
        Line { former: line.entry.map(Box::new), entry: None, ..line }
    }

    fn header(unlisted: Option<ObjectKind>) -> PlanHeader {
        let run = RunId::nightly(NIGHT);
        let mut header = PlanHeader::new("kv-prod".parse().unwrap(), run, Scope::Vault, NIGHT);
        let unlisted = unlisted.map(|kind| Unlisted::for_good(kind, Failure::ours("Forbidden", "")));
        header.unlisted = unlisted.into_iter().collect();
        header
    }

    fn folded(base: Vec<Line>, later: Vec<Line>, header: Option<&PlanHeader>) -> Vec<Line> {
        let mut folds = BTreeMap::new();
        for line in later {
            fold_line(&mut folds, line);
        }
        let base = base.into_iter().map(Ok::<_, ()>);
        Folded::new(base, folds, header).collect::<Result<_, _>>().unwrap()
    }

    /// An object's status, when its newest backup was taken, and since when it is gone.
    fn state(line: &Line) -> (ObjectStatus, Option<Duration>, Option<OffsetDateTime>) {
        (line.status, line.last_backup().map(|entry| entry.taken - NIGHT), line.gone)
    }

    #[test]
    fn an_object_that_the_whole_manifest_does_not_know_was_gone_by_then_or_came_later() {
        let failure = || Some(Failure::ours("Forbidden", ""));
        let at = Some(NIGHT - Duration::DAY);
        let earlier = || Line { gone: at, failure: failure(), ..taken(ObjectStatus::BackedUp, -MINUTE) };
        let (whole, unlisted) = (header(None), header(Some(ObjectKind::Secret)));
        let table = [
            (None, taken(ObjectStatus::BackedUp, -MINUTE), ObjectStatus::BackedUp, None),
            (Some(&whole), taken(ObjectStatus::BackedUp, MINUTE), ObjectStatus::BackedUp, None),
            (Some(&whole), taken(ObjectStatus::BackedUp, Duration::ZERO), ObjectStatus::Gone, Some(NIGHT)),
            (Some(&whole), earlier(), ObjectStatus::Gone, Some(NIGHT - Duration::DAY)),
            (Some(&whole), former(ObjectStatus::Managed, -MINUTE), ObjectStatus::Former, Some(NIGHT)),
            (Some(&unlisted), taken(ObjectStatus::BackedUp, MINUTE), ObjectStatus::BackedUp, None),
            (Some(&unlisted), taken(ObjectStatus::BackedUp, -MINUTE), ObjectStatus::Carried, None),
            (Some(&unlisted), earlier(), ObjectStatus::Carried, Some(NIGHT - Duration::DAY)),
            (Some(&unlisted), former(ObjectStatus::Managed, -MINUTE), ObjectStatus::Former, None),
        ];
        for (header, later, status, gone) in table {
            let found = folded(vec![], vec![later.clone()], header);
            let backup = later.last_backup().map(|entry| entry.taken - NIGHT);
            assert_eq!(found.iter().map(state).collect::<Vec<_>>(), [(status, backup, gone)], "{later:?}");
            let failed = found[0].failure.is_some();
            assert!(!failed, "why it had none then says nothing of now");
        }
    }

    #[test]
    fn of_two_backups_the_newer_counts_and_the_newer_word_on_the_state() {
        let gone = |after| Line { gone: Some(NIGHT), ..taken(ObjectStatus::Gone, after) };
        let failed = || Line { entry: None, ..taken(ObjectStatus::Failed, MINUTE) };
        let (hour, zero) = (Duration::HOUR, Duration::ZERO);
        // The line of the whole manifest, the later line, and the expected result.
        let table = [
            (
                taken(ObjectStatus::Unchanged, -hour),
                taken(ObjectStatus::BackedUp, -hour * 2),
                ObjectStatus::Unchanged,
                -hour,
                None,
            ),
            (
                taken(ObjectStatus::Unchanged, -hour),
                taken(ObjectStatus::BackedUp, -hour),
                ObjectStatus::Unchanged,
                -hour,
                None,
            ),
            (
                taken(ObjectStatus::Unchanged, -hour),
                taken(ObjectStatus::BackedUp, -MINUTE),
                ObjectStatus::Unchanged,
                -MINUTE,
                None,
            ),
            (
                taken(ObjectStatus::Unchanged, -hour),
                taken(ObjectStatus::BackedUp, MINUTE),
                ObjectStatus::BackedUp,
                MINUTE,
                None,
            ),
            (gone(-hour), taken(ObjectStatus::BackedUp, zero), ObjectStatus::Gone, zero, Some(NIGHT)),
            (gone(-hour), taken(ObjectStatus::BackedUp, MINUTE), ObjectStatus::BackedUp, MINUTE, None),
            (
                former(ObjectStatus::Managed, -hour),
                taken(ObjectStatus::BackedUp, -MINUTE),
                ObjectStatus::Managed,
                -MINUTE,
                None,
            ),
            (
                former(ObjectStatus::Managed, -hour),
                taken(ObjectStatus::BackedUp, MINUTE),
                ObjectStatus::BackedUp,
                MINUTE,
                None,
            ),
            (failed(), taken(ObjectStatus::BackedUp, -MINUTE), ObjectStatus::Failed, -MINUTE, None),
        ];
        for (base, later, status, after, gone) in table {
            let found = folded(vec![base.clone()], vec![later.clone()], Some(&header(None)));
            let expected = [(status, Some(after), gone)];
            assert_eq!(found.iter().map(state).collect::<Vec<_>>(), expected, "{base:?} {later:?}");
            assert_eq!(found[0].entry.is_some(), !status.is_managed(), "no backup of it as it is now");
        }
    }

    #[test]
    fn of_several_later_manifests_the_newest_backup_of_an_object_counts() {
        let (old, new) = (taken(ObjectStatus::BackedUp, MINUTE), taken(ObjectStatus::BackedUp, MINUTE * 2));
        let without = Line { entry: None, ..taken(ObjectStatus::Failed, MINUTE * 3) };
        for later in [vec![old.clone(), new.clone()], vec![new.clone(), old, without]] {
            assert_eq!(folded(vec![], later, Some(&header(None))), vec![new.clone()]);
        }
        let manual = Line { status: ObjectStatus::Unchanged, ..new.clone() };
        assert_eq!(folded(vec![], vec![new, manual.clone()], None), [manual], "of one second the later line");
    }

    #[test]
    fn the_lines_come_out_in_order_and_a_fault_ends_them() {
        let of = |name: &str, after| line(&secret(name), ObjectStatus::BackedUp, NIGHT + after);
        let key = line(&of_kind(ObjectKind::Key, "z"), ObjectStatus::BackedUp, NIGHT + MINUTE);
        let base = [of("b", -MINUTE), of("d", -MINUTE)];
        let later = vec![of("a", MINUTE), of("b", MINUTE), of("e", MINUTE), key];
        let names = |lines: Vec<Line>| lines.iter().map(|line| line.id().to_string()).collect::<Vec<_>>();
        let expected = ["key z", "secret a", "secret b", "secret d", "secret e"];
        assert_eq!(names(folded(base.to_vec(), later, Some(&header(None)))), expected);
        let mut broken = Folded::new([Err("damaged")].into_iter(), BTreeMap::new(), None);
        assert_eq!(broken.next(), Some(Err("damaged")));
    }
}
