//! A run's name, its numbers and its verdict.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use time::{
    Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset, format_description::BorrowedFormatItem,
    macros::format_description,
};

use super::{object::ObjectKind, schedule::LATE_AFTER};

const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// How long after its planning a run may close. A newer whole run may have missed a manifest of this age, because
/// it was planned before the older run closed.
pub const CLOSES_WITHIN: Duration = Duration::hours(26);

/// The name of a run: its occurrence to the second, and what started it.
///
/// `20261122T020000Z-nightly` is the run that the schedule asks for at 02:00 on that day. Another start for the same
/// occurrence names the same run, and finds its plan instead of making a second one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(Arc<str>);

/// The text is not the name of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a run: expected a name such as 20261122T020000Z-nightly")]
pub struct RunIdError;

impl RunId {
    /// The run of a schedule's occurrence.
    pub fn nightly(occurrence: OffsetDateTime) -> Self {
        Self::new(occurrence, "nightly")
    }

    /// A run that was requested. `salt` distinguishes runs that are requested within one second.
    pub fn manual(asked: OffsetDateTime, salt: u32) -> Self {
        Self::new(asked, &format!("manual-{salt:04x}"))
    }

    /// The run of what a verification that ended at a time found wrong.
    pub fn verification(ended: OffsetDateTime) -> Self {
        Self::new(ended, "verification")
    }

    /// The name of a restore, which has the same shape.
    pub(super) fn restore(asked: OffsetDateTime, salt: u32) -> Self {
        Self::new(asked, &format!("restore-{salt:08x}"))
    }

    /// The name of a drill, which has the same shape.
    pub(super) fn drill(began: OffsetDateTime, salt: u32) -> Self {
        Self::new(began, &format!("drill-{salt:08x}"))
    }

    /// The run that backs up an HSM before this restore of it.
    pub fn safety(restore: &Self) -> Self {
        let (stamp, label) = restore.0.split_once('-').unwrap_or((&restore.0, ""));
        Self(format!("{stamp}-{}", label.replace("restore", "safety")).into())
    }

    /// Whether it is the backup that a restore of an HSM takes of its target first.
    pub fn is_safety(&self) -> bool {
        self.0.split_once('-').is_some_and(|(_, label)| label.starts_with("safety-"))
    }

    fn new(at: OffsetDateTime, label: &str) -> Self {
        let stamp = at.to_offset(UtcOffset::UTC).format(STAMP).unwrap_or_default();
        Self(format!("{stamp}-{label}").into())
    }

    /// The time in the name.
    pub fn occurrence(&self) -> Option<OffsetDateTime> {
        let (stamp, _) = self.0.split_once('-')?;
        PrimitiveDateTime::parse(stamp, STAMP).ok().map(PrimitiveDateTime::assume_utc)
    }

    /// The schedule's occurrence that asks for it, if it is a scheduled run.
    pub fn scheduled(&self) -> Option<OffsetDateTime> {
        self.0.ends_with("Z-nightly").then(|| self.occurrence()).flatten()
    }

    /// How many seconds after its occurrence it was begun, if it is a scheduled run and was begun late.
    pub fn late(&self, begun: OffsetDateTime) -> Option<u32> {
        let late = begun - self.scheduled()?;
        (late >= LATE_AFTER).then(|| u32::try_from(late.whole_seconds()).unwrap_or(u32::MAX))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let (stamp, label) = text.split_once('-').ok_or(RunIdError)?;
        PrimitiveDateTime::parse(stamp, STAMP).map_err(|_| RunIdError)?;
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let legal = (1..=32).contains(&label.len()) && label.bytes().all(legal);
        if legal { Ok(Self(text.into())) } else { Err(RunIdError) }
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<Self, RunIdError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(run: RunId) -> Self {
        run.0.as_ref().into()
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Digits that sort the newest time first. A container can only be listed forward: what is stored under them is listed
/// newest first, and finding the newest takes one request however many there are.
pub fn countdown(time: OffsetDateTime) -> String {
    format!("{:011}", FAR_FUTURE - time.unix_timestamp())
}

/// The time of a [`countdown`].
pub fn counted_down(digits: &str) -> Option<OffsetDateTime> {
    let digits = digits.parse::<i64>().ok().filter(|_| digits.len() == 11)?;
    OffsetDateTime::from_unix_timestamp(FAR_FUTURE - digits).ok()
}

const FAR_FUTURE: i64 = 99_999_999_999;

/// What a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Scope {
    /// The whole vault: its manifest is the vault's index at that time.
    Vault,
    /// Some objects, by name: its manifest holds only these, and the next whole run folds it in.
    Objects,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum Verdict {
    /// Every listed object is backed up or rightly skipped.
    Succeeded,
    /// Some objects failed, or some could not be listed.
    PartiallyFailed,
    /// Nothing is protected by this run.
    Failed,
}

/// A run's numbers. [`Numbers::add_up`] holds for every manifest that was ever written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Objects that the vault listed, or that were requested by name.
    pub listed: u32,
    /// Objects with a new, checked backup.
    pub backed_up: u32,
    /// Skipped: nothing changed since the last backup.
    pub unchanged: u32,
    /// Skipped: the key or secret of a certificate, which the certificate's backup contains.
    pub managed: u32,
    /// Skipped: managed by the vault, and by none of its certificates. Key Vault does not back it up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vault_managed: u32,
    /// Skipped: deleted between listing and backup.
    pub disappeared: u32,
    /// Not backed up.
    pub failed: u32,
    /// How many of those a person accepts as they are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accepted: u32,
    /// Bytes of new backups.
    pub bytes: u64,
    /// Objects with so many versions that the service will soon refuse to back them up.
    pub near_version_limit: u32,
    /// Objects whose newest backup has a form that the program that took it did not know.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown_form: u32,
    /// Objects that the previous index had and the vault no longer lists. Not in `listed`; kinds that could not be
    /// listed are not counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gone: u32,
    /// Objects that were gone and are listed again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub returned: u32,
    /// Kinds that could not be listed; their objects are not in `listed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlisted: Vec<ObjectKind>,
}

impl Numbers {
    /// How many were skipped, for any reason.
    pub fn skipped(&self) -> u32 {
        self.unchanged + self.managed + self.vault_managed + self.disappeared
    }

    /// Whether listed = backed up + skipped + failed.
    pub fn add_up(&self) -> bool {
        self.listed == self.backed_up + self.skipped() + self.failed
    }

    /// Whether a run of a whole vault with these numbers covers it: the run saw everything that the vault holds, and
    /// names what it could not back up. An object that fails on its own does not make a vault overdue.
    pub fn covers(&self) -> bool {
        self.unlisted.is_empty() && self.verdict() != Verdict::Failed
    }

    /// The verdict by these numbers alone. An open loss makes it worse: see [`Summary`](super::manifest::Summary).
    ///
    /// A run with nothing listed, nothing failed and no kind unlisted has succeeded: three lists that each ended with a
    /// last page are evidence that there was nothing to back up. A list that did not end is in `unlisted`, and a
    /// requested object that does not exist has failed. Losses, which compare with the previous run, show whether
    /// something should have been there.
    pub fn verdict(&self) -> Verdict {
        // What belongs to a certificate is as protected as the certificate, which is counted itself.
        let protected = self.backed_up + self.unchanged > 0;
        match (self.failed == 0 && self.unlisted.is_empty(), protected) {
            (true, _) => Verdict::Succeeded,
            (false, true) => Verdict::PartiallyFailed,
            (false, false) => Verdict::Failed,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_occurrence_names_one_run_in_every_time_zone() {
        let run = RunId::nightly(datetime!(2026-11-22 03:00:00.25 +01:00));
        assert_eq!(run.as_str(), "20261122T020000Z-nightly");
        assert_eq!(run, RunId::nightly(datetime!(2026-11-22 02:00 UTC)));
        assert_eq!(run.as_str().parse(), Ok(run));
    }

    #[test]
    fn a_name_says_when_and_what_started_it() {
        let at = datetime!(2026-11-22 02:00 UTC);
        let restore = RunId::restore(at, 0x00c0_ffee);
        let table = [
            (RunId::nightly(at), "20261122T020000Z-nightly"),
            (RunId::manual(at, 0x2a), "20261122T020000Z-manual-002a"),
            (restore.clone(), "20261122T020000Z-restore-00c0ffee"),
            (RunId::safety(&restore), "20261122T020000Z-safety-00c0ffee"),
        ];
        for (run, name) in table {
            assert_eq!((run.as_str(), run.to_string(), format!("{run:?}")), (name, name.into(), name.into()));
            assert_eq!((run.occurrence(), name.parse()), (Some(at), Ok(run.clone())));
            assert_eq!(String::from(run), name);
        }
    }

    #[test]
    fn only_what_a_schedule_asks_for_is_ever_late() {
        let at = datetime!(2026-11-22 02:00 UTC);
        let (nightly, minutes) = (RunId::nightly(at), time::Duration::minutes);
        let table = [
            (&nightly, minutes(0), None),
            (&nightly, minutes(-90), None),
            (&nightly, minutes(10) - time::Duration::SECOND, None),
            (&nightly, minutes(10), Some(600)),
            (&nightly, minutes(600), Some(36_000)),
            (&RunId::manual(at, 1), minutes(600), None),
            (&"20261122T020000Z-not-nightly".parse().unwrap(), minutes(600), None),
        ];
        for (run, after, expected) in table {
            assert_eq!(run.late(at + after), expected, "{run} {after}");
        }
    }

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        let label = |length| format!("20261122T020000Z-{}", "x".repeat(length));
        let good = [label(1), label(32), "20261122T020000Z-a-1".into()];
        let bad = [label(0), label(33), String::new(), "nightly".into(), "20261322T020000Z-nightly".into()];
        let worse =
            ["20261122T020000Z", "20261122T020000Z-../x", "20261122T020000Z-A", "20261122T020000Z-a_b"];
        for name in good {
            assert!(name.parse::<RunId>().is_ok(), "{name}");
        }
        for name in bad.iter().map(String::as_str).chain(worse) {
            assert_eq!(name.parse::<RunId>(), Err(RunIdError), "{name}");
        }
    }

    #[test]
    fn what_is_newer_is_listed_first() {
        let at = datetime!(2026-11-22 02:00 UTC);
        assert!(countdown(at + time::Duration::SECOND) < countdown(at));
        assert_eq!(countdown(OffsetDateTime::UNIX_EPOCH), "99999999999");
        assert_eq!(counted_down(&countdown(at)), Some(at));
        assert_eq!((counted_down("1"), counted_down("9999999999x")), (None, None));
        assert_eq!(countdown(at).len(), 11, "as text they sort as numbers only in one length");
    }

    #[test]
    fn scopes_and_verdicts_are_shown_as_they_are_stored() {
        let stored = |value: &dyn fmt::Display, json: serde_json::Value| assert_eq!(json, value.to_string());
        for scope in [Scope::Vault, Scope::Objects] {
            stored(&scope, serde_json::to_value(scope).unwrap());
        }
        for verdict in [Verdict::Succeeded, Verdict::PartiallyFailed, Verdict::Failed] {
            stored(&verdict, serde_json::to_value(verdict).unwrap());
        }
    }

    #[test]
    fn listed_is_backed_up_and_skipped_and_failed() {
        let numbers = Numbers {
            listed: 63,
            backed_up: 1,
            unchanged: 2,
            managed: 4,
            vault_managed: 8,
            disappeared: 16,
            failed: 32,
            ..Numbers::default()
        };
        assert_eq!(numbers.skipped(), 30);
        assert!(numbers.add_up());
        assert!(!Numbers { listed: 62, ..numbers }.add_up());
    }

    #[test]
    fn a_number_that_older_programs_did_not_know_is_stored_only_when_there_is_something_to_count() {
        let stored = |vault_managed| {
            let numbers = Numbers { vault_managed, ..Numbers::default() };
            serde_json::to_value(numbers).unwrap().get("vault_managed").cloned()
        };
        assert_eq!((stored(0), stored(1)), (None, Some(1.into())));
    }

    #[test]
    fn a_verdict_never_hides_a_failure() {
        let mut numbers = Numbers { listed: 2, unchanged: 2, ..Numbers::default() };
        assert_eq!(numbers.verdict(), Verdict::Succeeded);
        numbers.unlisted.push(ObjectKind::Key);
        assert_eq!((numbers.verdict(), numbers.covers()), (Verdict::PartiallyFailed, false));
        let some = Numbers { listed: 2, unchanged: 1, failed: 1, ..Numbers::default() };
        assert_eq!((some.verdict(), some.covers()), (Verdict::PartiallyFailed, true));
        let none = Numbers { listed: 1, failed: 1, ..Numbers::default() };
        assert_eq!((none.verdict(), none.covers()), (Verdict::Failed, false));
    }
}
