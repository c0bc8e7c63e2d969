//! Deciding about every object that a vault lists.

use time::{Duration, OffsetDateTime};

use super::{
    index::Index,
    object::{ObjectId, ObjectKind},
    plan::Unlisted,
    planned::{Decision, Planned, put_in_order, tell_managers_apart},
    versions::Listed,
};

/// Whether everything is due to be backed up regardless of changes: never done, or `every` ago.
///
/// An hour is let off, so that a nightly schedule's jitter does not move the pass to the next night.
pub fn full_pass_is_due(last: Option<OffsetDateTime>, every: Duration, now: OffsetDateTime) -> bool {
    last.is_none_or(|last| now - last >= every - Duration::HOUR)
}

/// Decides about everything that a vault lists, object by object.
///
/// What is listed is not kept: the list of a large vault, freed in one piece, would make the allocator hold
/// on to more from then on. The result is sorted, and an object that two pages listed appears once.
pub struct Planner<'i> {
    index: &'i Index,
    full_pass: bool,
    objects: Vec<Planned>,
}

impl<'i> Planner<'i> {
    /// Starts with what is known of the vault.
    pub fn new(index: &'i Index, full_pass: bool) -> Self {
        Self { index, full_pass, objects: Vec::new() }
    }

    /// Decides about one object.
    pub fn add(&mut self, listed: Listed) {
        self.objects.push(decide(listed, self.index, self.full_pass));
    }

    /// The objects of one kind that was listed alone. What manages them shows beside the other kinds: see
    /// [`Plan::with`](super::plan::Plan::with).
    pub fn finish_kind(mut self) -> Vec<Planned> {
        put_in_order(&mut self.objects);
        self.objects.shrink_to_fit();
        self.objects
    }

    /// The plan, without the kinds that were not listed to their ends.
    pub fn finish(mut self, unlisted: &[Unlisted]) -> Vec<Planned> {
        for unlisted in unlisted {
            self.objects.retain(|of| of.kind != unlisted.kind);
        }
        put_in_order(&mut self.objects);
        // Without the whole list of certificates it is unknown what belongs to none.
        if unlisted.iter().all(|unlisted| unlisted.kind != ObjectKind::Certificate) {
            tell_managers_apart(&mut self.objects);
        }
        self.objects.shrink_to_fit();
        self.objects
    }
}

fn decide(object: Listed, index: &Index, full_pass: bool) -> Planned {
    let known = index.get(&object.id);
    let decision = match &known {
        _ if object.managed => Decision::Managed,
        None => Decision::New,
        Some(known) if known.former => Decision::New,
        Some(known) if !known.has_fingerprint(object.fingerprint) => Decision::Changed,
        Some(_) if full_pass => Decision::FullPass,
        Some(known) if known.missed => Decision::Missed,
        Some(known) if known.unsettled => Decision::Unsettled,
        Some(_) => Decision::Unchanged,
    };
    let previous = known.filter(|_| decision != Decision::Managed).map(|known| known.run);
    let shown = decision.backs_up().then_some(object.fingerprint);
    Planned { previous, shown, ..Planned::new(object.id, decision) }
}

/// The plan for objects that a request names.
pub fn plan_objects(mut asked: Vec<ObjectId>, index: &Index) -> Vec<Planned> {
    asked.sort();
    asked.dedup();
    let plan = |id| {
        let previous = index.get(&id).map(|known| known.run);
        Planned { previous, ..Planned::new(id, Decision::Asked) }
    };
    asked.into_iter().map(plan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        manifest::Line,
        manifest::ObjectStatus,
        outcome::Failure,
        plan::{Plan, PlanHeader},
        run::{RunId, Scope},
        samples::{NIGHT, fingerprint, line, of_kind, secret},
    };

    fn listed(id: &ObjectId, look: &str, managed: bool) -> Listed {
        Listed { id: id.clone(), managed, fingerprint: fingerprint(look) }
    }

    /// An index that knows one object, of the night before.
    fn index(status: ObjectStatus, change: impl FnOnce(&mut Line)) -> Index {
        let mut line = line(&secret("db"), status, NIGHT - Duration::DAY);
        change(&mut line);
        let mut index = Index::default();
        index.insert(&line);
        index
    }

    fn with_entry(change: impl FnOnce(&mut crate::domain::entry::Entry)) -> Index {
        index(ObjectStatus::BackedUp, |line| change(line.entry.as_mut().unwrap()))
    }

    fn header(planned: OffsetDateTime) -> PlanHeader {
        PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(NIGHT), Scope::Vault, planned)
    }

    #[test]
    fn an_object_is_backed_up_for_the_first_reason_there_is() {
        let known = || index(ObjectStatus::BackedUp, |_| {});
        let unsettled = || with_entry(|entry| entry.unsettled = true);
        let missed = || index(ObjectStatus::Failed, |line| line.entry.as_mut().unwrap().unsettled = true);
        let former = || index(ObjectStatus::Managed, |line| line.former = line.entry.take().map(Box::new));
        let tied = || with_entry(|entry| entry.ties = vec![fingerprint("tied")]);
        // What is known, what listing shows, whether it is a full pass.
        let table = [
            (Index::default(), "before", false, Decision::New),
            (former(), "before", false, Decision::New), // a backup of what had the name before
            (known(), "after", false, Decision::Changed),
            (known(), "after", true, Decision::Changed),
            (known(), "before", true, Decision::FullPass),
            (missed(), "before", true, Decision::FullPass),
            (missed(), "before", false, Decision::Missed),
            (unsettled(), "after", false, Decision::Changed),
            (unsettled(), "before", false, Decision::Unsettled),
            (tied(), "tied", false, Decision::Unchanged),
            (known(), "before", false, Decision::Unchanged),
        ];
        for (index, look, full_pass, expected) in table {
            let planned = decide(listed(&secret("db"), look, false), &index, full_pass);
            assert_eq!(planned.decision, expected, "{look} {full_pass}");
            let previous = index.get(&secret("db")).map(|_| RunId::nightly(NIGHT - Duration::DAY));
            assert_eq!(planned.previous, previous, "{expected:?}");
            let shown = (expected != Decision::Unchanged).then(|| fingerprint(look));
            assert_eq!(planned.shown, shown, "{expected:?}");
            let managed = decide(listed(&secret("db"), look, true), &index, full_pass);
            assert_eq!(
                (managed.decision, managed.previous, managed.shown),
                (Decision::Managed, None, None),
                "whatever is known of it"
            );
        }
    }

    #[test]
    fn all_but_what_is_unchanged_or_managed_is_backed_up() {
        use Decision::{Asked, Changed, FullPass, Managed, Missed, New, Unchanged, Unsettled, VaultManaged};
        for decision in [New, Changed, Unsettled, Missed, FullPass, Asked] {
            assert!(decision.backs_up(), "{decision:?}");
        }
        for decision in [Unchanged, Managed, VaultManaged] {
            assert!(!decision.backs_up(), "{decision:?}");
        }
    }

    #[test]
    fn a_plan_has_each_object_once_and_in_order() {
        let index = index(ObjectStatus::BackedUp, |_| {});
        let mut planner = Planner::new(&index, false);
        for (id, look) in
            [(secret("new"), "before"), (secret("db"), "before"), (of_kind(ObjectKind::Key, "k"), "x")]
        {
            planner.add(listed(&id, look, false));
            planner.add(listed(&id, look, false)); // pages may overlap
        }
        let objects = planner.finish(&[]);
        let shown: Vec<_> = objects.iter().map(|of| (of.id().to_string(), of.decision)).collect();
        let expected =
            [("key k", Decision::New), ("secret db", Decision::Unchanged), ("secret new", Decision::New)];
        assert_eq!(shown, expected.map(|(name, decision)| (name.to_owned(), decision)));
        let plan = Plan { header: header(NIGHT), objects };
        assert_eq!(
            plan.to_back_up().map(|of| of.id().to_string()).collect::<Vec<_>>(),
            ["key k", "secret new"]
        );
    }

    #[test]
    fn a_kind_that_was_not_listed_to_its_end_is_not_in_the_plan() {
        use ObjectKind::{Certificate, Key, Secret};
        let decisions = |unlisted: Option<ObjectKind>| {
            let index = Index::default();
            let mut planner = Planner::new(&index, false);
            planner.add(listed(&of_kind(ObjectKind::Certificate, "tls"), "x", false));
            planner.add(listed(&of_kind(ObjectKind::Key, "tls"), "x", true));
            planner.add(listed(&secret("sas"), "x", true));
            let failure = Failure::ours("Forbidden", "");
            let unlisted: Vec<_> =
                unlisted.map(|kind| Unlisted::for_good(kind, failure)).into_iter().collect();
            planner.finish(&unlisted).iter().map(|of| (of.kind, of.decision)).collect::<Vec<_>>()
        };
        let certificate = (Certificate, Decision::New);
        let (of_certificate, of_vault) = ((Key, Decision::Managed), (Secret, Decision::VaultManaged));
        assert_eq!(decisions(None), [certificate, of_certificate, of_vault]);
        assert_eq!(decisions(Some(Key)), [certificate, of_vault]);
        let undecided = [of_certificate, (Secret, Decision::Managed)];
        assert_eq!(decisions(Some(Certificate)), undecided, "it is not known what belongs to no certificate");
    }

    #[test]
    fn objects_that_somebody_named_are_planned_once_each() {
        let index = index(ObjectStatus::BackedUp, |_| {});
        let planned = plan_objects(vec![secret("new"), secret("db"), secret("DB")], &index);
        let shown: Vec<_> = planned.into_iter().map(|of| (of.id(), of.decision, of.previous)).collect();
        let last = Some(RunId::nightly(NIGHT - Duration::DAY));
        assert_eq!(shown, [(secret("db"), Decision::Asked, last), (secret("new"), Decision::Asked, None)]);
    }

    #[test]
    fn a_full_pass_is_due_when_it_never_was_or_was_so_long_ago_but_for_an_hour() {
        let week = Duration::days(7);
        let due = |ago| full_pass_is_due(Some(NIGHT - ago), week, NIGHT);
        assert!(full_pass_is_due(None, week, NIGHT));
        assert!(due(week - Duration::HOUR) && !due(week - Duration::HOUR - Duration::SECOND));
    }
}
