//! Compares an object in a target with what its backup recorded.

use serde::{Deserialize, Serialize};

use super::Step;
use crate::domain::versions::{Attributes, Current, VersionId, VersionsSeen};

/// What a comparison covers, and what it cannot cover.
pub const COVERED: &str = "Compared: which versions there are, their order, which of them is current, and what lists \
     show of each: enabled or not, times, tags, content type, thumbprint, whether a key may be exported. Not compared, \
     because the rights to list and to restore do not show it: values and key material, what a key may be used for, \
     its rotation and release policy, a certificate's policy and issuer.";

/// How an object in the target differs from its backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "in")]
pub enum Difference {
    /// It has other versions.
    Versions {
        /// Number of versions in the backup.
        recorded: u32,
        /// Number of versions in the target.
        found: u32,
    },
    /// It has the versions, but lists show other attributes or tags of them.
    Attributes,
    /// It has the versions as they were, but another one is current.
    Current {
        /// The version that was current at the backup.
        recorded: VersionId,
        /// The version that is current now, as far as that shows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<VersionId>,
    },
}

impl Difference {
    /// Describes the difference and what to do about it.
    pub fn text(&self) -> String {
        match self {
            Self::Versions { recorded, found } => format!(
                "its versions are not those of its backup ({recorded} recorded, {found} found): it was changed after it \
                 was restored, or while it was backed up"
            ),
            Self::Attributes => {
                "its versions are there, but attributes or tags are not as they were recorded: it was \
                 changed after it was restored, or while it was backed up"
                    .to_owned()
            }
            Self::Current { recorded, found } => {
                let found = found.as_ref().map_or("another one".to_owned(), ToString::to_string);
                format!(
                    "its versions are there as they were, but the current one is {found}, and was {recorded} at the \
                     backup: a request that names no version gets {found}; name {recorded} where it is used, or make a \
                     new version of it"
                )
            }
        }
    }
}

/// Compares the versions in a target with those that a step restores, and `current` with the version that was current.
/// `None` if nothing differs.
pub fn compare(step: &Step, versions: Vec<(VersionId, Attributes)>, current: &Current) -> Option<Difference> {
    let is_current = *current == Current::Unknown
        || versions.iter().any(|of| current.fits(of) && was_current(step, of, &versions));
    let found = match current {
        Current::Named(named) => Some(named.clone()),
        current => current.among(&versions).map(|(id, _)| id.clone()),
    };
    let count = u32::try_from(versions.len()).unwrap_or(u32::MAX);
    let seen = VersionsSeen::of(versions, &Current::Named(step.newest.clone()));
    let other_versions = Some(Difference::Versions { recorded: step.versions, found: count });
    let Some(seen) = seen else { return other_versions };
    let as_recorded =
        seen.states == step.version_states && (step.order.is_none() || seen.order == step.order);
    // Steps of older plans do not record identifiers and attributes separately.
    let same_versions = step.version_ids.map_or(as_recorded, |ids| ids == seen.ids);
    match (same_versions && count == step.versions, as_recorded, is_current) {
        (false, ..) => other_versions,
        (true, false, _) => Some(Difference::Attributes),
        (true, true, false) => Some(Difference::Current { recorded: step.newest.clone(), found }),
        (true, true, true) => None,
    }
}

/// Whether a version may have been the current one at the backup: the recorded one or, if that was only assumed to be
/// current because it was the newest, one that was made in the same second.
fn was_current(step: &Step, version: &(VersionId, Attributes), versions: &[(VersionId, Attributes)]) -> bool {
    let recorded = versions.iter().find(|(id, _)| *id == step.newest);
    version.0 == step.newest
        || (step.order.is_none() && recorded.is_some_and(|(_, of)| of.created == version.1.created))
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::{digest::Digest, object::ObjectKind, restore::Action, run::RunId};

    type Versions = Vec<(VersionId, Attributes)>;

    fn id(text: &str) -> VersionId {
        text.parse().unwrap()
    }

    /// Two versions: `a`, and `b`, which is newer.
    fn two() -> Versions {
        [("a", 10), ("b", 20)]
            .map(|(name, at)| {
                let at = OffsetDateTime::from_unix_timestamp(at).ok();
                (id(name), Attributes { enabled: true, created: at, updated: at, ..Attributes::default() })
            })
            .into()
    }

    /// A step whose backup saw these versions, with this one as the current one.
    fn step(versions: Versions, current: &Current) -> Step {
        let seen = VersionsSeen::of(versions, current).unwrap();
        let taken = OffsetDateTime::UNIX_EPOCH;
        Step {
            kind: ObjectKind::Key,
            name: "k".parse().unwrap(),
            action: Action::Restore,
            run: RunId::nightly(taken),
            taken,
            sha256: Digest::of(b""),
            versions: seen.count,
            newest: seen.newest,
            version_ids: Some(seen.ids),
            version_states: seen.states,
            order: seen.order,
            unknown_form: None,
            instead_of: None,
        }
    }

    fn changed(change: impl FnOnce(&mut Versions)) -> Versions {
        let mut versions = two();
        change(&mut versions);
        versions
    }

    #[test]
    fn what_differs_is_said() {
        let named = |version: &str| Current::Named(id(version));
        let shown = |at: usize| Current::Shown(two()[at].1.fingerprint());
        let current = |recorded: &str, found: Option<&str>| {
            Some(Difference::Current { recorded: id(recorded), found: found.map(id) })
        };
        let versions = |found| Some(Difference::Versions { recorded: 2, found });
        let (newest, oldest, unknown) =
            (step(two(), &named("b")), step(two(), &named("a")), step(two(), &Current::Unknown));
        let more = changed(|of| of.push((id("c"), of[0].1.clone())));
        let others = changed(|of| of[0].0 = id("c"));
        let tagged = changed(|of| drop(of[0].1.tags.insert("a".into(), "b".into())));
        let exportable = changed(|of| of[1].1.exportable = true);
        let updated = changed(|of| of[0].1.updated = of[1].1.updated);
        let cases = [
            (&newest, two(), named("b"), None),
            (&newest, two(), shown(1), None),
            (&newest, two(), Current::Unknown, None),
            (&newest, two(), named("a"), current("b", Some("a"))),
            (&newest, two(), shown(0), current("b", Some("a"))),
            (&newest, two(), named("x"), current("b", Some("x"))),
            (&newest, two(), Current::Shown(newest.version_states), current("b", None)),
            (&oldest, two(), named("a"), None),
            (&oldest, two(), named("b"), current("a", Some("b"))),
            (&unknown, two(), named("b"), None),
            (&unknown, two(), named("a"), current("b", Some("a"))),
            (&newest, Vec::new(), Current::Unknown, versions(0)),
            (&newest, more, named("b"), versions(3)),
            (&newest, others, named("b"), versions(2)),
            (&newest, tagged, named("b"), Some(Difference::Attributes)),
            (&newest, exportable.clone(), named("b"), Some(Difference::Attributes)),
            (&unknown, exportable, named("b"), None),
            (&newest, updated, named("b"), None),
        ];
        for (number, (step, versions, current, difference)) in cases.into_iter().enumerate() {
            assert_eq!(compare(step, versions, &current), difference, "case {number}");
        }
    }

    #[test]
    fn any_of_the_newest_may_have_been_current_where_that_was_not_known() {
        let mut twins = two();
        twins[0].1 = twins[1].1.clone();
        let step = step(twins.clone(), &Current::Unknown);
        for current in ["a", "b"] {
            assert_eq!(compare(&step, twins.clone(), &Current::Named(id(current))), None, "{current}");
        }
    }

    #[test]
    fn steps_of_older_plans_are_compared_by_what_they_have() {
        let old = Step { version_ids: None, order: None, ..step(two(), &Current::Unknown) };
        let tagged = changed(|of| drop(of[0].1.tags.insert("a".into(), "b".into())));
        assert_eq!(compare(&old, two(), &Current::Unknown), None);
        let other = Some(Difference::Versions { recorded: 2, found: 2 });
        assert_eq!(compare(&old, tagged, &Current::Unknown), other);
    }
}
