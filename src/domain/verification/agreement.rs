//! Whether a manifest agrees with its run's plan and with the backups that the run stored.

use std::{iter::Peekable, slice};

use crate::domain::{
    entry::Entry, manifest::Line, object::ObjectId, plan::Plan, planned::Planned, run::RunId,
};

/// Something about which a manifest and what lies beside it do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// The manifest names a backup of its run that storage does not list.
    Missing(Box<Entry>),
    /// The manifest names a backup of its run, and another entry lies with it.
    Differs(Box<Entry>),
    /// The manifest names a version of a backup of its run, and storage lists another one: it was written again.
    OtherVersion(Box<Entry>),
    /// The plan has an object that the manifest does not account for.
    Unaccounted(ObjectId),
    /// The run stored a backup that its manifest does not name. A late delivery may have stored it after the run closed.
    Unnamed(ObjectId),
}

/// Compares three sorted streams: the lines of a manifest, its run's plan, and the entries that lie with the backups of
/// the run. It holds one object of each at a time.
///
/// The driver calls [`Agreement::with`] for each entry in order, then [`Agreement::finish`].
pub struct Agreement<'p, L: Iterator> {
    run: &'p RunId,
    planned: Peekable<slice::Iter<'p, Planned>>,
    lines: Peekable<L>,
}

impl<'p, E, L: Iterator<Item = Result<Line, E>>> Agreement<'p, L> {
    /// Starts with a run's plan and the lines of its manifest.
    pub fn new(plan: &'p Plan, lines: L) -> Self {
        Self { run: &plan.header.run, planned: plan.objects.iter().peekable(), lines: lines.peekable() }
    }

    /// Takes the next backup that the run stored.
    ///
    /// # Errors
    /// Those of the manifest.
    pub fn with(&mut self, stored: &Entry, mut found: impl FnMut(Disagreement)) -> Result<(), E> {
        let id = stored.id();
        self.before(Some(&id), &mut found)?;
        match self.next_if(|line| line.key() == id.key())? {
            Some(line) => self.compare(&line, Some(stored), &mut found),
            None => found(Disagreement::Unnamed(id)),
        }
        Ok(())
    }

    /// Takes what is left, after the last backup.
    ///
    /// # Errors
    /// Those of the manifest.
    pub fn finish(mut self, mut found: impl FnMut(Disagreement)) -> Result<(), E> {
        self.before(None, &mut found)?;
        self.planned.map(|planned| Disagreement::Unaccounted(planned.id())).for_each(found);
        Ok(())
    }

    /// Compares the lines of objects that sort before `limit`, of which the run stored nothing.
    fn before(&mut self, limit: Option<&ObjectId>, found: &mut impl FnMut(Disagreement)) -> Result<(), E> {
        while let Some(line) = self.next_if(|line| limit.is_none_or(|limit| line.key() < limit.key()))? {
            self.compare(&line, None, found);
        }
        Ok(())
    }

    fn next_if(&mut self, wanted: impl Fn(&ObjectId) -> bool) -> Result<Option<Line>, E> {
        let wanted = |line: &Result<Line, E>| line.as_ref().map_or(true, |line| wanted(&line.id()));
        self.lines.next_if(wanted).transpose()
    }

    fn compare(&mut self, line: &Line, stored: Option<&Entry>, found: &mut impl FnMut(Disagreement)) {
        let id = line.id();
        while let Some(planned) = self.planned.next_if(|planned| planned.key() < id.key()) {
            found(Disagreement::Unaccounted(planned.id()));
        }
        self.planned.next_if(|planned| planned.key() == id.key());
        let mut own = line.entry.iter().chain(line.former.as_deref()).filter(|entry| entry.run == *self.run);
        match (own.next(), stored) {
            (None, None) => {}
            (Some(named), None) => found(Disagreement::Missing(Box::new(named.clone()))),
            (Some(named), Some(stored)) if named.is_entry_of_same_backup(stored) => {
                let versions = named.stored.as_ref().zip(stored.stored.as_ref());
                if versions.is_some_and(|(named, stored)| named.is_replaced_by(stored)) {
                    found(Disagreement::OtherVersion(Box::new(named.clone())));
                }
            }
            (Some(named), Some(_)) => found(Disagreement::Differs(Box::new(named.clone()))),
            (None, Some(_)) => found(Disagreement::Unnamed(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use time::Duration;

    use super::*;
    use crate::domain::{
        digest::Hash,
        manifest::ObjectStatus,
        plan::PlanHeader,
        planned::Decision,
        run::Scope,
        samples::{NIGHT, line, secret},
        stored_version::StoredVersion,
    };

    fn backed_up(name: &str) -> Line {
        line(&secret(name), ObjectStatus::BackedUp, NIGHT)
    }

    fn compared(planned: &[&str], lines: Vec<Line>, stored: &[Entry]) -> Vec<Disagreement> {
        let header = PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(NIGHT), Scope::Vault, NIGHT);
        let objects = planned.iter().map(|name| Planned::new(secret(name), Decision::Changed)).collect();
        let plan = Plan { header, objects };
        let mut found = Vec::new();
        let mut agreement = Agreement::new(&plan, lines.into_iter().map(Ok::<_, Infallible>));
        for entry in stored {
            let Ok(()) = agreement.with(entry, |of| found.push(of));
        }
        let Ok(()) = agreement.finish(|of| found.push(of));
        found
    }

    #[test]
    fn a_manifest_its_plan_and_its_backups_account_for_each_other() {
        let of = |name: &str| backed_up(name).entry.unwrap();
        let lines = || vec![backed_up("a"), backed_up("b"), backed_up("c")];
        let (a, b, c) = (of("a"), of("b"), of("c"));
        let all = [a.clone(), b.clone(), c.clone()];
        assert_eq!(compared(&["a", "b", "c"], lines(), &all), []);
        let carried = line(&secret("b"), ObjectStatus::Unchanged, NIGHT - Duration::DAY);
        assert_eq!(compared(&["a"], vec![backed_up("a"), carried], &all[..1]), [], "a backup of another run");
        let changed = Entry { bytes: b.bytes + 1, ..b.clone() };
        let version = |entry: &Entry, container: &str, version: &str| {
            let (container, version) = (Hash::of(container.as_bytes()), version.to_owned());
            Entry { stored: Some(Box::new(StoredVersion { container, version })), ..entry.clone() }
        };
        let with_versions = || vec![Line { entry: Some(version(&a, "backups", "1")), ..backed_up("a") }];
        let first = version(&a, "backups", "1");
        for stored in [a.clone(), first.clone(), version(&a, "copies", "2")] {
            assert_eq!(compared(&["a"], with_versions(), &[stored]), [], "the same version, or not known");
        }
        let again = version(&a, "backups", "2");
        assert_eq!(compared(&["a"], vec![backed_up("a")], slice::from_ref(&again)), [], "an older manifest");
        assert_eq!(compared(&["a"], with_versions(), &[again]), [Disagreement::OtherVersion(first.into())]);
        for (planned, lines, stored, expected) in [
            (
                &["a", "b", "c"][..],
                lines(),
                vec![a.clone(), c.clone()],
                Disagreement::Missing(b.clone().into()),
            ),
            (&["a", "b", "c"], lines(), vec![a.clone(), b.clone()], Disagreement::Missing(c.clone().into())),
            (
                &["a", "b", "c"],
                lines(),
                vec![a.clone(), changed, c.clone()],
                Disagreement::Differs(b.clone().into()),
            ),
            (&["a"], vec![backed_up("a")], vec![a.clone(), b.clone()], Disagreement::Unnamed(secret("b"))),
            (&["b"], vec![backed_up("b")], vec![a.clone(), b.clone()], Disagreement::Unnamed(secret("a"))),
            (&["a", "b"], vec![backed_up("b")], vec![b.clone()], Disagreement::Unaccounted(secret("a"))),
            (&["a", "b"], vec![backed_up("a")], vec![a.clone()], Disagreement::Unaccounted(secret("b"))),
        ] {
            assert_eq!(compared(planned, lines, &stored), [expected]);
        }
    }
}
