//! The plan of a run: what is backed up, what is skipped, and why.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    acknowledged::Accepted,
    actor::Actor,
    digest::Fingerprint,
    index::Index,
    loss::{GoneShare, Loss},
    manifest::Line,
    object::{ObjectId, ObjectKind, VaultName},
    observed_location::{Hint, Moved, ObservedLocation},
    outcome::Failure,
    planned::PlannedObjects,
    run::{RunId, Scope, is_zero},
    supplement::ListedLate,
    versions::Listed,
};

/// The version of the stored form that this program writes.
pub const PLAN_FORMAT: u32 = 2;

/// What happens to a listed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Backed up: there is no backup of it yet.
    New,
    /// Backed up: it changed since its last backup.
    Changed,
    /// Backed up: it changed so shortly before its last backup that a later change may not show.
    Unsettled,
    /// Backed up: the last run should have, and could not, or has a backup of a form that is not known.
    Missed,
    /// Backed up although nothing shows a change, because listing does not show changes of older versions.
    FullPass,
    /// Backed up because somebody asked for this very object.
    Asked,
    /// Skipped: nothing changed since its last backup.
    Unchanged,
    /// Skipped: it belongs to a certificate, whose backup contains it. The service refuses its backup.
    Managed,
    /// Skipped: managed by the vault, and by none of its certificates, such as a token of a managed storage
    /// account. The service refuses its backup, and no other backup contains it.
    VaultManaged,
}

impl Decision {
    /// Whether the object is backed up.
    pub fn backs_up(self) -> bool {
        !matches!(self, Self::Unchanged | Self::Managed | Self::VaultManaged)
    }
}

/// One object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Which object.
    #[serde(flatten)]
    pub id: ObjectId,
    /// What happens to it.
    pub decision: Decision,
    /// The run of the newest backup under its name so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<RunId>,
    /// What the list showed of it, if it is backed up: which of its versions is current shows nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Fingerprint>,
}

/// A kind of object that a vault would not list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlisted {
    /// The kind.
    pub kind: ObjectKind,
    /// What the service said.
    pub failure: Failure,
    /// How many rounds of the run list it, the first one included; 0 where no later one does. See [`lists`](super::lists).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rounds: u32,
}

impl Unlisted {
    /// A kind that is left out for good.
    pub fn for_good(kind: ObjectKind, failure: Failure) -> Self {
        Self { kind, failure, rounds: 0 }
    }
}

/// What a plan says of the run as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHeader {
    /// [`PLAN_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The vault.
    pub vault: VaultName,
    /// The run.
    pub run: RunId,
    /// Who asked for it. Plans of older programs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// How many seconds after its occurrence the run was opened, if it was late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<u32>,
    /// The whole vault or some objects.
    pub scope: Scope,
    /// When the plan was made. Manifests are ordered by this time.
    #[serde(with = "time::serde::rfc3339")]
    pub planned: OffsetDateTime,
    /// When everything was last backed up regardless of changes; now, when this run does.
    #[serde(with = "time::serde::rfc3339")]
    pub full_pass: OffsetDateTime,
    /// The name of the newest whole manifest, whose entries are carried forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The names of later manifests, whose entries are folded in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<String>,
    /// The names of manifests that could not be read, and are passed over by whoever reads this run's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Kinds that could not be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlisted: Vec<Unlisted>,
    /// Kinds that a later round could list. Never stored with a plan: supplements say so, see [`Plan::with`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed_late: Vec<ListedLate>,
    /// How much may be gone since the run before. Plans of some objects, and of older programs, do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_share: Option<GoneShare>,
    /// The losses that were open as of the run before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// The failures that people accept as of this plan. Read where something failed in the run before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Accepted>,
    /// The runs whose losses somebody has acknowledged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<RunId>,
    /// What is known of where the vault lies. Plans of some objects, and of older programs, do not say.
    #[serde(rename = "whereabouts", default, skip_serializing_if = "Option::is_none")]
    pub observed_location: Option<Box<ObservedLocation>>,
    /// That the vault lies elsewhere than it did, as this run or an earlier one saw, until a person acknowledges that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Box<Moved>>,
    /// What else made everything due.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
}

impl PlanHeader {
    /// The header of a plan that starts from nothing and backs up everything.
    pub fn new(vault: VaultName, run: RunId, scope: Scope, planned: OffsetDateTime) -> Self {
        Self {
            v: PLAN_FORMAT,
            vault,
            run,
            by: None,
            late: None,
            scope,
            planned,
            full_pass: planned,
            base: None,
            folds: Vec::new(),
            unread: Vec::new(),
            unlisted: Vec::new(),
            listed_late: Vec::new(),
            gone_share: None,
            losses: Vec::new(),
            accepted: Vec::new(),
            acknowledged: Vec::new(),
            observed_location: None,
            moved: None,
            hints: Vec::new(),
        }
    }

    /// Whether this run backs up everything regardless of changes.
    pub fn is_full_pass(&self) -> bool {
        self.full_pass == self.planned
    }

    /// Whether a line of the run's manifest is a failure that a person accepts as of this plan.
    pub fn accepts(&self, line: &Line) -> bool {
        self.accepted.iter().any(|of| of.covers(line, self.planned))
    }

    /// Whether the run's manifest already holds what another one says, as far as that could be read.
    pub fn covers(&self, manifest: &str) -> bool {
        let mut known = self.base.iter().chain(&self.folds).chain(&self.unread);
        known.any(|name| name == manifest)
    }
}

/// A run's plan. Stored create-only: the first one made for a run is the run's plan for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it says of the run.
    pub header: PlanHeader,
    /// Every object, in the order of blob names, each once.
    pub objects: PlannedObjects,
}

impl Plan {
    /// The objects to back up.
    pub fn to_back_up(&self) -> impl Iterator<Item = Planned> {
        self.objects.iter().filter(|object| object.decision.backs_up())
    }
}

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
    objects: PlannedObjects,
}

impl<'i> Planner<'i> {
    /// Starts with what is known of the vault.
    pub fn new(index: &'i Index, full_pass: bool) -> Self {
        Self { index, full_pass, objects: PlannedObjects::default() }
    }

    /// Decides about one object.
    pub fn add(&mut self, listed: Listed) {
        self.objects.push(&decide(listed, self.index, self.full_pass));
    }

    /// The objects of one kind that was listed alone. What manages them shows beside the other kinds: see [`Plan::with`].
    pub fn finish_kind(mut self) -> PlannedObjects {
        self.objects.sort();
        self.objects.shrink_to_fit();
        self.objects
    }

    /// The plan, without the kinds that were not listed to their ends.
    pub fn finish(mut self, unlisted: &[Unlisted]) -> PlannedObjects {
        for unlisted in unlisted {
            self.objects.drop_kind(unlisted.kind);
        }
        self.objects.sort();
        // Without the whole list of certificates nobody knows what belongs to none.
        if unlisted.iter().all(|unlisted| unlisted.kind != ObjectKind::Certificate) {
            self.objects.tell_managers_apart();
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
    Planned { id: object.id, decision, previous, shown }
}

/// The plan for objects that somebody named.
pub fn plan_objects(mut asked: Vec<ObjectId>, index: &Index) -> PlannedObjects {
    asked.sort();
    asked.dedup();
    let plan = |id| {
        let previous = index.get(&id).map(|known| known.run);
        Planned { id, decision: Decision::Asked, previous, shown: None }
    };
    asked.into_iter().map(plan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        manifest::ObjectStatus,
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
        let shown: Vec<_> = objects.iter().map(|of| (of.id.to_string(), of.decision)).collect();
        let expected =
            [("key k", Decision::New), ("secret db", Decision::Unchanged), ("secret new", Decision::New)];
        assert_eq!(shown, expected.map(|(name, decision)| (name.to_owned(), decision)));
        let plan = Plan { header: header(NIGHT), objects };
        assert_eq!(
            plan.to_back_up().map(|of| of.id.to_string()).collect::<Vec<_>>(),
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
            planner.finish(&unlisted).iter().map(|of| (of.id.kind, of.decision)).collect::<Vec<_>>()
        };
        let certificate = (Certificate, Decision::New);
        let (of_certificate, of_vault) = ((Key, Decision::Managed), (Secret, Decision::VaultManaged));
        assert_eq!(decisions(None), [certificate, of_certificate, of_vault]);
        assert_eq!(decisions(Some(Key)), [certificate, of_vault]);
        let undecided = [of_certificate, (Secret, Decision::Managed)];
        assert_eq!(decisions(Some(Certificate)), undecided, "nobody knows what belongs to no certificate");
    }

    #[test]
    fn objects_that_somebody_named_are_planned_once_each() {
        let index = index(ObjectStatus::BackedUp, |_| {});
        let planned = plan_objects(vec![secret("new"), secret("db"), secret("DB")], &index);
        let shown: Vec<_> = planned.iter().map(|of| (of.id, of.decision, of.previous)).collect();
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

    #[test]
    fn a_plan_starts_from_nothing_and_with_everything_until_it_is_told_more() {
        let of = header(NIGHT);
        assert!(of.is_full_pass() && !of.covers("a") && of.by.is_none());
        let later = PlanHeader { full_pass: NIGHT - Duration::DAY, ..header(NIGHT) };
        assert!(!later.is_full_pass());
    }

    #[test]
    fn a_manifest_covers_what_it_is_made_of_and_what_could_not_be_read() {
        let of = PlanHeader {
            base: Some("a".into()),
            folds: vec!["b".into()],
            unread: vec!["c".into()],
            ..header(NIGHT)
        };
        assert_eq!(["a", "b", "c", "d"].map(|name| of.covers(name)), [true, true, true, false]);
    }
}
