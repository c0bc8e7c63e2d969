//! What kept points name, and whether a backup that none of them names may go.

use std::collections::{BTreeSet, HashMap, HashSet};

use time::{Date, OffsetDateTime};

use super::{Hold, Policy, Unproved};
use crate::domain::{
    digest::Fingerprint,
    entry::Entry,
    location::Location,
    manifest::{Line, ObjectStatus},
    moment::day,
    object::ObjectId,
    run::{CLOSES_WITHIN, RunId},
    verification::{Address, Suspects},
};

/// A good backup that takes the place of older ones, once it was seen in storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The run that took it.
    pub run: RunId,
    /// Its size.
    pub bytes: u64,
    taken: OffsetDateTime,
    versions: u32,
    newest: Fingerprint,
    fingerprint: Fingerprint,
    ties: Box<[Fingerprint]>,
}

impl Successor {
    fn of(entry: &Entry) -> Self {
        Self {
            run: entry.run.clone(),
            bytes: entry.bytes,
            taken: entry.taken,
            versions: entry.versions,
            newest: Fingerprint::of(entry.newest.as_str().as_bytes()),
            fingerprint: entry.fingerprint,
            ties: entry.ties.clone().into(),
        }
    }

    /// Whether it is a later backup of the same object, by the rule of [`Entry::continues`].
    fn continues(&self, before: &Self) -> bool {
        self.fingerprint == before.fingerprint
            || self.ties.contains(&before.fingerprint)
            || self.newest == before.newest
            || self.versions > before.versions
    }
}

/// What is decided about a backup that a dropped point names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling<'a> {
    /// A kept point names it.
    Named,
    /// It may go if this one is seen in storage, whole and alone.
    Succeeded(&'a Successor),
    /// It may go: its object has been gone for as long as the policy says.
    LongGone,
    /// It may not go.
    Stays(Unproved),
}

/// The backups that newer points were judged with, as far as an older point can name them.
///
/// Points are judged from the newest to the oldest, and a point names nothing that was taken after it closed. So what is
/// held are the backups of about one point, at about twenty bytes each, however many points there are.
#[derive(Default)]
pub struct Judged(BTreeSet<(i64, u64)>);

impl Judged {
    /// Forgets what no point of this time can name, nor one before it.
    pub fn go_back_to(&mut self, named: OffsetDateTime) {
        let closed = named + CLOSES_WITHIN;
        drop(self.0.split_off(&(closed.unix_timestamp() + 1, 0)));
    }

    /// Whether a backup was judged with a newer point.
    pub fn has(&self, backup: &Entry) -> bool {
        self.0.contains(&Self::key(backup))
    }

    /// Adds a backup.
    pub fn insert(&mut self, backup: &Entry) {
        self.0.insert(Self::key(backup));
    }

    fn key(backup: &Entry) -> (i64, u64) {
        (backup.taken.unix_timestamp(), Address::of_entry(backup).number())
    }
}

/// What the kept points of a source name.
///
/// Memory is about ten bytes for each backup and a hundred for each object, however many points there are.
#[derive(Default)]
pub struct Kept {
    /// By 64 bits of a digest: a backup that counts as named and is not is kept.
    named: HashSet<u64>,
    /// The newest good backup of each object; of a name that several objects had in turn, that of each of them.
    successors: HashMap<Fingerprint, Vec<Successor>>,
    /// The objects that the newest index knows.
    known: HashSet<Fingerprint>,
    /// The newest run of which the manifest cannot be read, and when it can last have closed.
    unread: Option<(RunId, OffsetDateTime)>,
    /// The backups about which a finding of a verification is open: they take nothing's place.
    suspects: Suspects,
}

/// What rulings depend on, beside the kept points.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The policy of the source.
    pub policy: &'a Policy,
    /// The holds on the source.
    pub holds: &'a [Hold],
    /// Where the source is now. A backup that is known to be from elsewhere takes nothing's place.
    pub location: &'a Location,
    /// The time.
    pub now: OffsetDateTime,
}

impl Kept {
    /// Nothing yet, where these backups are not good.
    pub fn beside(suspects: &Suspects) -> Self {
        Self { suspects: suspects.clone(), ..Self::default() }
    }

    /// Adds a line of a kept point.
    pub fn name(&mut self, line: &Line, location: &Location) {
        for entry in line.entry.iter().chain(line.former.as_deref()) {
            self.named.insert(Address::of_entry(entry).number());
            if is_good(entry, location) && !self.suspects.has(entry) {
                self.succeed(address(&line.id()), entry);
            }
        }
    }

    fn succeed(&mut self, object: Fingerprint, entry: &Entry) {
        // Almost every name had one object: room for four would be a fifth of what a plan holds.
        let known = self.successors.entry(object).or_insert_with(|| Vec::with_capacity(1));
        if known.iter().any(|known| known.taken == entry.taken && known.run == entry.run) {
            return;
        }
        let new = Successor::of(entry);
        if !known.iter().any(|known| known.taken >= new.taken && known.continues(&new)) {
            known.retain(|known| known.taken > new.taken || !new.continues(known));
            known.push(new);
        }
    }

    /// Adds an object that the newest index knows.
    pub fn know(&mut self, object: &ObjectId) {
        self.known.insert(address(object));
    }

    /// Records that a point cannot be read: it may name every backup that was taken before it closed.
    pub fn cannot_read(&mut self, run: &RunId, closed: OffsetDateTime) {
        if self.unread.as_ref().is_none_or(|(_, known)| *known < closed) {
            self.unread = Some((run.clone(), closed));
        }
    }

    /// Rules on each backup that a line of a dropped point names. `named` is that point's time.
    ///
    /// Points are judged from the newest to the oldest, and one that is kept after all is added by [`Kept::name`]
    /// before the next one is judged; so of several points that name a backup the newest one stays for it.
    pub fn judge<'a>(
        &'a self,
        line: &'a Line,
        named: OffsetDateTime,
        terms: Terms<'_>,
    ) -> impl Iterator<Item = (&'a Entry, Ruling<'a>)> {
        let entries = line.entry.iter().chain(line.former.as_deref());
        entries.map(move |entry| (entry, self.rule(line, entry, named, terms)))
    }

    fn rule(&self, line: &Line, entry: &Entry, named: OffsetDateTime, terms: Terms<'_>) -> Ruling<'_> {
        if self.named.contains(&Address::of_entry(entry).number()) {
            return Ruling::Named;
        }
        if let Some(hold) = terms.holds.iter().find(|hold| hold.holds_object(line.kind, &line.name)) {
            return Ruling::Stays(Unproved::Held(hold.ticket.to_string()));
        }
        if let Some((run, closed)) = &self.unread
            && entry.taken <= *closed
        {
            return Ruling::Stays(Unproved::Unread(run.clone()));
        }
        let (address, this) = (address(&line.id()), Successor::of(entry));
        let newer =
            self.successors.get(&address).into_iter().flatten().filter(|newer| newer.taken > this.taken);
        let (same, others): (Vec<_>, Vec<_>) = newer.partition(|newer| newer.continues(&this));
        match same.into_iter().max_by_key(|newer| newer.taken) {
            Some(newer) => Ruling::Succeeded(newer),
            None if !others.is_empty() => until(named, terms, |until| Unproved::Replaced { until }),
            None if line.status == ObjectStatus::Gone && !self.known.contains(&address) => {
                until(line.gone.unwrap_or(named), terms, |until| Unproved::Gone { until })
            }
            None if self.known.contains(&address) => Ruling::Stays(Unproved::NoNewerGood),
            None => Ruling::Stays(Unproved::Unexplained),
        }
    }
}

/// A ruling on the last backup of an object that has been gone since a time.
fn until(since: OffsetDateTime, terms: Terms<'_>, why: impl Fn(Date) -> Unproved) -> Ruling<'static> {
    let until = since + terms.policy.keeps_gone();
    if until <= terms.now { Ruling::LongGone } else { Ruling::Stays(why(day(until))) }
}

/// Whether a backup can take another one's place: it is of a known form, and from where its source is now.
fn is_good(entry: &Entry, location: &Location) -> bool {
    entry.form.unknown().is_none() && entry.bytes > 0 && entry.location.apart(location).is_none()
}

fn address(id: &ObjectId) -> Fingerprint {
    Fingerprint::of_fields([id.kind.as_str().as_bytes(), id.name.folded().as_bytes()])
}

#[cfg(test)]
mod tests;
