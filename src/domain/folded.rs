//! An index out of several manifests: the newest whole one, and those whose entries it does not have.

use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
};

use time::OffsetDateTime;

use super::{
    manifest::{Fared, Line},
    object::{ObjectId, ObjectKind},
    plan::PlanHeader,
};

/// The newest whole manifest's lines with those of later manifests folded in, sorted.
///
/// A later entry replaces an older one of the same object. Whether the object is still there is for the whole
/// manifest to say, unless the entry was taken after that run was planned: an object that was backed up before,
/// and that the whole manifest does not know, was gone by then, or its kind could not be listed.
pub struct Folded<B: Iterator> {
    base: Peekable<B>,
    later: Peekable<btree_map::IntoIter<ObjectId, Line>>,
    planned: Option<OffsetDateTime>,
    unlisted: Vec<ObjectKind>,
}

impl<E, B: Iterator<Item = Result<Line, E>>> Folded<B> {
    /// `header` is that of the whole manifest; `None` when there is no whole manifest.
    pub fn new(base: B, later: BTreeMap<ObjectId, Line>, header: Option<&PlanHeader>) -> Self {
        let unlisted = header.into_iter().flat_map(|header| &header.unlisted);
        Self {
            base: base.peekable(),
            later: later.into_iter().peekable(),
            planned: header.map(|header| header.planned),
            unlisted: unlisted.map(|unlisted| unlisted.kind).collect(),
        }
    }

    /// When the whole manifest's run was planned, if that was not before the line's entry was taken.
    fn planned_after(&self, line: &Line) -> Option<OffsetDateTime> {
        self.planned.filter(|planned| line.entry.as_ref().is_some_and(|entry| entry.taken <= *planned))
    }

    /// The line of an object that the whole manifest does not know.
    fn unknown(&self, line: Line) -> Line {
        let Some(planned) = self.planned_after(&line) else { return line };
        let (id, gone) = (line.id(), line.gone);
        if self.unlisted.contains(&id.kind) {
            return Line { gone, ..Line::new(id, Fared::Carried, line.entry) };
        }
        Line { gone: gone.or(Some(planned)), ..Line::new(id, Fared::Gone, line.entry) }
    }

    /// The line of an object that both know.
    fn newer(&self, base: Line, fold: Line) -> Line {
        let taken = |line: &Line| line.entry.as_ref().map(|entry| entry.taken);
        if taken(&fold) <= taken(&base) {
            return base;
        }
        if self.planned_after(&fold).is_some() { Line { entry: fold.entry, ..base } } else { fold }
    }
}

/// Keeps the line with the newest entry of each object, for [`Folded`].
pub fn fold_line(later: &mut BTreeMap<ObjectId, Line>, line: Line) {
    let Some(entry) = &line.entry else { return };
    let known = later.get(&line.id()).and_then(|known| known.entry.as_ref());
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
