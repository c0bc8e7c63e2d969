//! A run's manifest: one line for each object, and a summary of the run.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    entry::Entry,
    form::Clear,
    location::Location,
    loss::Loss,
    object::{ObjectId, ObjectKind, ObjectName},
    observed_location::Moved,
    outcome::{Failure, Outcome},
    run::{Numbers, RunId, Scope, Verdict},
};

/// Version of the stored form that this program writes. A manifest has the version of its plan: a run whose plan is of
/// form 1 gets a manifest of form 1.
///
/// Form 1 stored the last backup of an earlier object of the same name as the entry of a `managed` line.
pub const MANIFEST_FORMAT: u32 = 2;

/// How long an object that is gone from its vault stays in the index, unless the policy says otherwise. Once it has left
/// the index, asking for an earlier time finds it for as long as retention keeps a point that names it.
pub const KEEP_GONE: Duration = Duration::days(400);

/// Status of one object in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectStatus {
    /// A new backup was taken; the entry is this run's.
    BackedUp,
    /// Skipped because it did not change; the entry is an earlier run's.
    Unchanged,
    /// Skipped because it belongs to a certificate.
    Managed,
    /// Skipped because the vault manages it, and none of the vault's certificates does. Key Vault does not back it up.
    VaultManaged,
    /// Skipped because it was deleted between listing and backup. The entry, if any, is an earlier run's.
    Disappeared,
    /// Not backed up. The entry, if any, is an earlier run's.
    Failed,
    /// Not listed: gone from the vault. The entry, if any, is its last backup.
    Gone,
    /// Not listed because its kind could not be listed. The entry, if any, is an earlier run's.
    Carried,
    /// Not listed, and managed when last listed: no object of its own has this name. Kept for its `former` entry alone.
    Former,
}

impl ObjectStatus {
    /// Whether the vault had it as an object of its own when it was last listed.
    pub fn is_listed(self) -> bool {
        !matches!(self, Self::Disappeared | Self::Gone) && !self.is_managed()
    }

    /// Whether the name belongs to a part of a certificate or of the vault instead of an object of its own.
    pub fn is_managed(self) -> bool {
        matches!(self, Self::Managed | Self::VaultManaged | Self::Former)
    }
}

/// One line of a manifest: one object.
///
/// `entry` describes the object as it is now; `former` is a backup of an earlier object of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// Its status in the run.
    #[serde(rename = "fared")]
    pub status: ObjectStatus,
    /// The newest backup of the object as it is now: the one that is restored, listed, and counted as protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// The last backup of an earlier object of this name, such as a secret whose name a certificate now has. It is not
    /// restored from this line and not counted; an object's history and later plans still find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Box<Entry>>,
    /// Why it has no new backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Since when it has been gone.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub gone: Option<OffsetDateTime>,
    /// Since when it had been gone before it reappeared, until a run of the whole vault has determined whether it is
    /// the same object.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub returned: Option<OffsetDateTime>,
    /// What a backup after the whole manifest shows, if manifests were folded. Not stored.
    #[serde(skip)]
    pub later: Option<Later>,
}

/// What a backup after a whole manifest shows about an object in that manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Later {
    /// Since when the object was gone, as of the manifest.
    pub gone: Option<OffsetDateTime>,
    /// Whether the backup is of the same object as the manifest's line.
    pub same: bool,
}

impl Line {
    /// A line with an object, a status and an entry, and nothing else.
    pub fn new(id: ObjectId, status: ObjectStatus, entry: Option<Entry>) -> Self {
        let (kind, name) = (id.kind, id.name);
        Self {
            kind,
            name,
            status,
            entry,
            former: None,
            failure: None,
            gone: None,
            returned: None,
            later: None,
        }
    }

    /// Converts a line read from a manifest of form `v` to the current form.
    #[must_use]
    pub fn of_form(mut self, v: u32) -> Self {
        if v < 2 && self.status.is_managed() {
            self.former = self.entry.take().map(Box::new);
        }
        self
    }

    /// Converts the line to form 1.
    #[must_use]
    pub(super) fn in_form_1(mut self) -> Self {
        if self.last_backup() != self.entry.as_ref() {
            self.entry = self.former.take().map(|former| *former);
        }
        Self { former: None, ..self }
    }

    /// Since when the object is gone, or was gone before it was last listed or backed up, unless that is settled.
    pub(super) fn was_gone(&self) -> Option<OffsetDateTime> {
        self.gone.or(self.returned).or(self.later.and_then(|later| later.gone))
    }

    /// The line updated by `fold`, the line of a later backup.
    #[must_use]
    pub(super) fn followed_by(self, fold: Self) -> Self {
        let same = match (&self.entry, &fold.entry) {
            (Some(before), Some(after)) => after.continues(before),
            _ => true,
        };
        Self { returned: self.returned, later: Some(Later { gone: self.gone, same }), ..fold }
    }

    /// The newest backup under this name, even if it is of an earlier object.
    pub fn last_backup(&self) -> Option<&Entry> {
        let newest = |entry: &&Entry| entry.taken;
        self.former.as_deref().into_iter().chain(&self.entry).max_by_key(newest)
    }

    /// Takes over the newer backups of `other`, and keeps what this line says about the object's state.
    #[must_use]
    pub(super) fn with_backup_of(self, other: Self) -> Self {
        if self.status.is_managed() {
            let former = other.former.or(other.entry.map(Box::new));
            return Self { former, ..self };
        }
        Self { entry: other.entry.or(self.entry), former: other.former.or(self.former), ..self }
    }

    /// The object that the line describes.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }

    /// Whether the object should have been backed up and was not.
    pub fn is_failing(&self) -> bool {
        self.status == ObjectStatus::Failed
    }
}

/// Summary of a run. Also stored where listings show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The form of the plan, and so of the manifest: [`MANIFEST_FORMAT`] if this program made the plan.
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// The whole vault or some objects.
    pub scope: Scope,
    /// The verdict. An open loss worsens it but does not keep the run from covering its vault: everything that exists
    /// is backed up.
    pub verdict: Verdict,
    /// Its numbers.
    pub numbers: Numbers,
    /// How many seconds after its occurrence the run was opened, if it was late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<u32>,
    /// When the plan was made.
    #[serde(with = "time::serde::rfc3339")]
    pub planned: OffsetDateTime,
    /// When the last result arrived.
    #[serde(with = "time::serde::rfc3339")]
    pub finished: OffsetDateTime,
    /// When everything was last backed up regardless of changes.
    #[serde(with = "time::serde::rfc3339")]
    pub full_pass: OffsetDateTime,
    /// Objects that have a backup, including those gone from the vault.
    pub protected: u32,
    /// Number of lines in the manifest. Fewer lines than this mean that the manifest is damaged.
    pub lines: u32,
    /// Losses found by this run or an earlier one that are neither made good nor acknowledged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// The vault's location, as far as it was known.
    #[serde(rename = "place", default, skip_serializing_if = "Location::is_unknown")]
    pub location: Box<Location>,
    /// A move of the vault found by this run or an earlier one and not acknowledged yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Box<Moved>>,
    /// What may be shown of the first backup of an unknown form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_form: Option<Box<Clear>>,
}

impl Summary {
    /// Whether the run needs no attention: it succeeded, or a person has accepted every failure in it and no loss or
    /// move is open. A run that failed as a whole is never clean: it protects nothing, so there is nothing to accept.
    pub fn is_clean(&self) -> bool {
        let answered = self.numbers.failed == self.numbers.accepted && self.numbers.unlisted.is_empty();
        match self.verdict {
            Verdict::Succeeded => true,
            Verdict::PartiallyFailed => answered && self.losses.is_empty() && self.moved.is_none(),
            Verdict::Failed => false,
        }
    }
}

/// The verdict by the numbers, and at best partially failed while a loss or a move is open.
pub(super) fn verdict(numbers: &Numbers, losses: &[Loss], moved: Option<&Moved>) -> Verdict {
    match numbers.verdict() {
        Verdict::Succeeded if !losses.is_empty() || moved.is_some() => Verdict::PartiallyFailed,
        verdict => verdict,
    }
}

/// The result of a planned object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "almost all are entries")]
pub enum ObjectResult {
    /// A stored backup.
    Entry(Entry),
    /// A record of why there is none.
    Outcome(Outcome),
}

impl ObjectResult {
    /// The object that the result is about.
    pub fn id(&self) -> ObjectId {
        match self {
            Self::Entry(entry) => entry.id(),
            Self::Outcome(outcome) => outcome.id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        digest::Fingerprint,
        loss::How,
        samples::{NIGHT, line, secret},
    };

    fn before(status: ObjectStatus) -> Line {
        line(&secret("db"), status, NIGHT)
    }

    #[test]
    fn of_form_1_what_a_managed_line_carries_is_of_an_earlier_object() {
        for status in [ObjectStatus::Managed, ObjectStatus::VaultManaged] {
            let read = before(status).of_form(1);
            assert_eq!((read.entry, read.former), (None, before(status).entry.map(Box::new)));
        }
        assert_eq!(before(ObjectStatus::Gone).of_form(1), before(ObjectStatus::Gone));
        assert_eq!(before(ObjectStatus::Managed).of_form(2), before(ObjectStatus::Managed));
    }

    #[test]
    fn the_last_backup_under_a_name_is_the_newest_whatever_had_the_name() {
        let newer = line(&secret("db"), ObjectStatus::BackedUp, NIGHT + Duration::DAY).entry;
        let both = Line { former: newer.clone().map(Box::new), ..before(ObjectStatus::Failed) };
        let former = Line { entry: None, ..both.clone() };
        assert_eq!(both.last_backup(), newer.as_ref());
        assert_eq!(former.last_backup(), newer.as_ref());
        assert_eq!(before(ObjectStatus::Failed).last_backup(), before(ObjectStatus::Failed).entry.as_ref());
    }

    #[test]
    fn a_later_backup_leaves_since_when_its_object_was_gone_and_tells_whether_it_is_that_object() {
        let other = |line: Line| {
            let newest = "another".parse().unwrap();
            let change = |entry| Entry { newest, fingerprint: Fingerprint::of(b"another"), ..entry };
            Line { entry: line.entry.map(change), ..line }
        };
        let gone = Line { gone: Some(NIGHT), ..before(ObjectStatus::Gone) };
        let returned = Line { returned: Some(NIGHT), ..before(ObjectStatus::Unchanged) };
        let never = Line { entry: None, ..before(ObjectStatus::Failed) };
        let later = line(&secret("db"), ObjectStatus::BackedUp, NIGHT + Duration::DAY);
        // The line and the later backup's line; since when it was gone or had been, and whether it is the same object.
        for (line, fold, since, before, same) in [
            (&gone, later.clone(), Some(NIGHT), None, true),
            (&returned, later.clone(), None, Some(NIGHT), true),
            (&gone, other(later.clone()), Some(NIGHT), None, false),
            (&never, other(later), None, None, true),
        ] {
            let followed = line.clone().followed_by(fold.clone());
            assert_eq!(
                (followed.gone, followed.returned, followed.was_gone()),
                (None, before, since.or(before))
            );
            assert_eq!(followed.later, Some(Later { gone: since, same }));
            assert_eq!((followed.status, followed.entry), (ObjectStatus::BackedUp, fold.entry));
        }
    }

    #[test]
    fn a_newer_backup_is_that_of_what_has_the_name_or_of_what_had_it() {
        let (old, new) = (
            before(ObjectStatus::Gone).entry,
            line(&secret("db"), ObjectStatus::BackedUp, NIGHT + Duration::DAY),
        );
        let boxed = |entry: &Option<Entry>| entry.clone().map(Box::new);
        let nothing = Line { entry: None, ..new.clone() };
        let of_former = Line { former: boxed(&new.entry), entry: None, ..new.clone() };
        let kept = Line { former: boxed(&old), entry: None, ..before(ObjectStatus::Managed) };
        // The line and the other line; the expected entry and former entry.
        for (line, other, entry, former) in [
            (before(ObjectStatus::Carried), &new, &new.entry, None),
            (before(ObjectStatus::Carried), &nothing, &old, None),
            (before(ObjectStatus::Carried), &of_former, &old, boxed(&new.entry)),
            (Line { former: boxed(&old), ..before(ObjectStatus::Carried) }, &new, &new.entry, boxed(&old)),
            (kept.clone(), &new, &None, boxed(&new.entry)),
            (kept, &of_former, &None, boxed(&new.entry)),
        ] {
            let found = line.clone().with_backup_of(other.clone());
            assert_eq!((&found.entry, &found.former), (entry, &former), "{line:?} {other:?}");
            assert_eq!(found.status, line.status, "what it says of the object's state stays");
        }
    }

    #[test]
    fn only_what_should_have_been_backed_up_and_was_not_is_failing() {
        use ObjectStatus::{
            BackedUp, Carried, Disappeared, Failed, Former, Gone, Managed, Unchanged, VaultManaged,
        };
        let others = [BackedUp, Unchanged, Managed, VaultManaged, Disappeared, Gone, Carried, Former];
        assert!(before(Failed).is_failing() && !others.into_iter().any(|status| before(status).is_failing()));
    }

    #[test]
    fn what_is_gone_or_a_part_of_something_else_was_not_listed_as_an_object_of_its_own() {
        use ObjectStatus::{
            BackedUp, Carried, Disappeared, Failed, Former, Gone, Managed, Unchanged, VaultManaged,
        };
        let listed = |of: [ObjectStatus; 4]| of.iter().all(|status| status.is_listed());
        assert!(listed([BackedUp, Unchanged, Failed, Carried]));
        assert!(![Managed, VaultManaged, Disappeared, Gone, Former].iter().any(|of| of.is_listed()));
    }

    #[test]
    fn an_open_loss_is_no_success_and_makes_nothing_better() {
        let loss = Loss {
            run: RunId::nightly(NIGHT),
            since: NIGHT,
            kind: None,
            how: How::Emptied,
            of: 9,
            gone: 9,
            still_gone: 9,
            replaced: 0,
        };
        let of = |backed_up, failed| Numbers {
            listed: backed_up + failed,
            backed_up,
            failed,
            ..Numbers::default()
        };
        for (numbers, without, with) in [
            (of(1, 0), Verdict::Succeeded, Verdict::PartiallyFailed),
            (of(1, 1), Verdict::PartiallyFailed, Verdict::PartiallyFailed),
            (of(0, 1), Verdict::Failed, Verdict::Failed),
        ] {
            assert_eq!(
                (verdict(&numbers, &[], None), verdict(&numbers, std::slice::from_ref(&loss), None)),
                (without, with)
            );
        }
    }

    #[test]
    fn nobody_has_to_look_at_a_run_whose_every_failure_somebody_answers_for() {
        let run = |numbers: Numbers, losses: Vec<Loss>| Summary {
            v: MANIFEST_FORMAT,
            run: RunId::nightly(NIGHT),
            scope: Scope::Vault,
            verdict: numbers.verdict(),
            numbers,
            late: None,
            planned: NIGHT,
            finished: NIGHT,
            full_pass: NIGHT,
            protected: 0,
            lines: 0,
            losses,
            location: Box::default(),
            moved: None,
            unknown_form: None,
        };
        let loss = Loss {
            run: RunId::nightly(NIGHT),
            since: NIGHT,
            kind: None,
            gone: 9,
            of: 9,
            how: How::Emptied,
            still_gone: 9,
            replaced: 0,
        };
        let of = |backed_up, failed, accepted| Numbers { backed_up, failed, accepted, ..Numbers::default() };
        let unlisted = Numbers { unlisted: vec![ObjectKind::Key], ..of(1, 1, 1) };
        let table = [
            (run(of(1, 0, 0), vec![]), true),
            (run(of(1, 1, 1), vec![]), true),
            (run(of(1, 2, 1), vec![]), false),
            (run(of(1, 1, 1), vec![loss]), false),
            (run(unlisted, vec![]), false),
            (run(of(0, 1, 1), vec![]), false), // nothing is protected
        ];
        for (summary, expected) in table {
            assert_eq!(summary.is_clean(), expected, "{summary:?}");
        }
    }
}
