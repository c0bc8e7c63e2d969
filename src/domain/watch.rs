//! Compares what a run sees with the objects of the previous index.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{
    loss::{Counts, How, Loss, bounded, is_large_part, judge},
    manifest::Line,
    object::ObjectKind,
    plan::PlanHeader,
    run::{Numbers, Scope},
};

/// What a run shows of an object in the previous index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It is not listed.
    Gone,
    /// Its kind could not be listed.
    Unlisted,
    /// It is listed, and is the object that was backed up before.
    Same,
    /// Its name is listed, but belongs to another object.
    Other,
    /// Its name is listed, but whether it is the same object is not known.
    Unclear,
}

/// What the previous index says about an object that existed on its own.
#[derive(Clone, Copy, Debug)]
pub struct Had {
    kind: ObjectKind,
    /// Since when it was already gone.
    gone: Option<OffsetDateTime>,
    /// Whether an earlier run has counted it as returned.
    counted: bool,
    /// Whether there is a backup of it that could distinguish it from another object.
    comparable: bool,
    /// Whether a backup after the previous whole run has shown that it is another object.
    other: bool,
}

impl Had {
    /// The object of a line; `None` if its name belonged to a certificate or to the vault.
    pub fn of(line: &Line) -> Option<Self> {
        let later = line.later.as_ref();
        (!line.status.is_managed()).then(|| Self {
            kind: line.kind,
            gone: line.was_gone(),
            counted: line.gone.or(later.and_then(|later| later.gone)).is_none(),
            comparable: line.entry.is_some(),
            other: later.is_some_and(|later| !later.same),
        })
    }

    /// Combines what is shown of it with what was known before.
    fn judged(&self, shown: Shown) -> Shown {
        match shown {
            Shown::Same | Shown::Unclear if self.other => Shown::Other,
            // Nothing can distinguish them: all that is known is that the name is back.
            Shown::Unclear if self.gone.is_some() && !self.comparable => Shown::Same,
            shown => shown,
        }
    }

    /// Since when it was gone, if it is listed again and nothing shows yet whether it is the same object.
    pub fn unclear_since(&self, shown: Shown) -> Option<OffsetDateTime> {
        self.gone.filter(|_| self.judged(shown) == Shown::Unclear)
    }
}

/// What has become of objects that were gone.
#[derive(Clone, Copy, Debug, Default)]
struct Since {
    back: u32,
    replaced: u32,
    gone: u32,
}

/// Counts what a run sees of the objects in the previous index.
#[derive(Debug, Default)]
pub struct Watch {
    kinds: BTreeMap<ObjectKind, Counts>,
    since: BTreeMap<(OffsetDateTime, ObjectKind), Since>,
    returned: u32,
}

impl Watch {
    /// Counts an object that is listed on its own, whether or not the previous index had it.
    pub fn listed(&mut self, kind: ObjectKind) {
        self.kinds.entry(kind).or_default().listed += 1;
    }

    /// Counts what became of an object in the previous index, whether or not it was already gone.
    pub fn had(&mut self, object: Had, shown: Shown) {
        let shown = object.judged(shown);
        let Some(since) = object.gone else {
            let counts = self.kinds.entry(object.kind).or_default();
            counts.had += 1;
            match shown {
                Shown::Gone => counts.gone += 1,
                Shown::Same => counts.same += 1,
                Shown::Other => counts.other += 1,
                Shown::Unlisted | Shown::Unclear => {}
            }
            return;
        };
        let listed = matches!(shown, Shown::Same | Shown::Other | Shown::Unclear);
        self.returned += u32::from(listed && !object.counted);
        let counts = self.since.entry((since, object.kind)).or_default();
        match shown {
            Shown::Same => counts.back += 1,
            Shown::Other => counts.replaced += 1,
            Shown::Gone | Shown::Unlisted | Shown::Unclear => counts.gone += 1,
        }
    }

    /// Adds the counts of gone and returned objects to a run's numbers.
    pub fn number(&self, numbers: &mut Numbers) {
        numbers.gone = self.source().gone;
        numbers.returned = self.returned;
    }

    /// The losses that are open as of the run, the oldest first: earlier ones that are neither made good nor
    /// acknowledged, and its own.
    pub fn losses(&self, header: &PlanHeader) -> Vec<Loss> {
        let open = header.losses.iter().filter(|loss| !header.acknowledged.contains(&loss.run));
        let mut losses: Vec<Loss> =
            open.map(|loss| self.recounted(loss.clone())).filter(Loss::is_open).collect();
        if header.scope == Scope::Vault {
            losses.extend(self.new_losses(header));
        }
        bounded(losses)
    }

    fn source(&self) -> Counts {
        self.kinds.values().copied().sum()
    }

    /// A loss as of this run. Objects that left the index, or were lost with it, are not back.
    fn recounted(&self, loss: Loss) -> Loss {
        let of_it = self
            .since
            .iter()
            .filter(|((since, kind), _)| *since == loss.since && loss.kind.is_none_or(|of| of == *kind));
        let now = of_it.fold(Since::default(), |all, (_, of)| Since {
            back: all.back + of.back,
            replaced: all.replaced + of.replaced,
            gone: all.gone + of.gone,
        });
        let left = loss.still_gone.saturating_sub(now.back + now.replaced);
        Loss { still_gone: left.max(now.gone), replaced: loss.replaced + now.replaced, ..loss }
    }

    fn new_losses(&self, header: &PlanHeader) -> Vec<Loss> {
        let share = header.gone_share.unwrap_or_default();
        let unlisted = header.unlisted.iter().filter_map(|unlisted| self.kinds.get(&unlisted.kind));
        let unseen = unlisted.map(|counts| counts.had).sum();
        let loss = |kind, how, counts: Counts| Loss {
            run: header.run.clone(),
            since: header.planned,
            kind,
            how,
            of: counts.had,
            gone: counts.gone,
            still_gone: counts.gone,
            replaced: if how == How::Replaced { counts.other } else { 0 },
        };
        let source = self.source();
        if let Some(how) = judge(source, unseen, share) {
            return vec![loss(None, how, source)];
        }
        let kinds = self.kinds.iter().filter(|(_, counts)| is_large_part(**counts, share));
        kinds.map(|(kind, counts)| loss(Some(*kind), How::Part, *counts)).collect()
    }
}

#[cfg(test)]
mod tests;
