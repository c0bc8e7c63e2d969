//! Approvals: a plan that a second person has to agree to before it is carried out.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Barred, RestoreId, barred::Lacking};
use crate::domain::{actor::Actor, digest::Digest, source::SourceName};

/// The version of the stored form of approvals that this program writes.
pub const APPROVAL_FORMAT: u32 = 1;

/// Which plans need an approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum Approvals {
    /// No plan.
    #[default]
    None,
    /// Plans of restores into an HSM, of all of it or of single keys.
    Hsm,
    /// Plans of restores into another vault or HSM than the source.
    CrossVault,
    /// Every plan.
    All,
}

impl Approvals {
    /// Whether a plan needs an approval. `into_hsm` is whether the target is an HSM.
    pub fn need(self, source: &SourceName, target: &SourceName, into_hsm: bool) -> bool {
        match self {
            Self::None => false,
            Self::Hsm => into_hsm,
            Self::CrossVault => source != target,
            Self::All => true,
        }
    }
}

/// The approval of a plan, which one restore may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// [`APPROVAL_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The plan.
    pub plan: Digest,
    /// The person who approved it.
    pub by: Actor,
    /// When it was approved.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// When the approval ends, unless a restore has begun by it.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// The restore that began by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<RestoreId>,
}

impl Approval {
    /// An approval that nothing has used.
    pub fn new(plan: Digest, by: Actor, at: OffsetDateTime, holds: Duration) -> Self {
        Self { v: APPROVAL_FORMAT, plan, by, at, until: at + holds, used: None }
    }

    /// Whether a restore may begin by it.
    pub fn stands(&self, now: OffsetDateTime) -> bool {
        self.used.is_none() && now < self.until
    }

    /// Bars a restore of a plan that `by` begins at a time, unless this approval lets it begin: it is of that plan, by
    /// another person, has not ended, and was not used by another restore.
    ///
    /// # Errors
    /// [`Barred::NotApproved`].
    pub fn lets(
        &self,
        plan: &Digest,
        by: &Actor,
        restore: &RestoreId,
        at: OffsetDateTime,
    ) -> Result<(), Barred> {
        let lacking = if self.plan != *plan {
            Lacking::Approval
        } else if !self.by.is_another_person_than(by) {
            Lacking::SecondPerson
        } else if let Some(other) = self.used.as_ref().filter(|used| *used != restore) {
            Lacking::Unused(other.clone())
        } else if at >= self.until {
            Lacking::Time(self.until)
        } else {
            return Ok(());
        };
        Err(lacking.of(plan))
    }
}

/// That a person planned a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planner {
    /// [`APPROVAL_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The person.
    pub by: Actor,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::actor::Principal;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn person(id: &str) -> Actor {
        Actor::http(Some("key"), Some(Principal { id: id.into(), name: None }))
    }

    #[test]
    fn which_plans_need_a_second_person() {
        use Approvals::{All, CrossVault, Hsm, None};
        let [a, b]: [SourceName; 2] = ["kv-a", "kv-b"].map(|name| name.parse().unwrap());
        // For each: a vault into itself, into another one, an HSM into itself, into another one.
        for (approvals, word, expected) in [
            (None, "none", [false, false, false, false]),
            (Hsm, "hsm", [false, false, true, true]),
            (CrossVault, "cross-vault", [false, true, false, true]),
            (All, "all", [true, true, true, true]),
        ] {
            let need = [(&a, false), (&b, false), (&a, true), (&b, true)];
            assert_eq!(need.map(|(target, hsm)| approvals.need(&a, target, hsm)), expected, "{word}");
            assert_eq!(word.parse(), Ok(approvals));
        }
    }

    #[test]
    fn an_approval_lets_one_restore_of_its_plan_begin_in_time_by_another_person() {
        let [plan, other] = [b"a", b"b"].map(|bytes| Digest::of(bytes));
        let [first, second] = [1, 2].map(|salt| RestoreId::new(NOW, salt));
        let fresh = Approval::new(plan, person("approver"), NOW, Duration::hours(8));
        let used = Approval { used: Some(first.clone()), ..fresh.clone() };
        let end = NOW + Duration::hours(8);
        for (approval, plan, by, restore, at, expected) in [
            (&fresh, plan, person("operator"), &first, NOW, Ok(())),
            (&fresh, plan, person("operator"), &first, end - Duration::SECOND, Ok(())),
            (&fresh, plan, person("operator"), &first, end, Err(Lacking::Time(end))),
            (&fresh, other, person("operator"), &first, NOW, Err(Lacking::Approval)),
            (&fresh, plan, person("approver"), &first, NOW, Err(Lacking::SecondPerson)),
            (&fresh, plan, Actor::http(Some("key"), None), &first, NOW, Err(Lacking::SecondPerson)),
            (&used, plan, person("operator"), &first, NOW, Ok(())),
            (&used, plan, person("operator"), &second, NOW, Err(Lacking::Unused(first.clone()))),
        ] {
            let expected = expected.map_err(|lacking: Lacking| lacking.of(&plan));
            assert_eq!(approval.lets(&plan, &by, restore, at), expected, "{by} {at}");
        }
        let unnamed = Approval { by: Actor::http(Some("key"), None), ..fresh.clone() };
        assert!(unnamed.lets(&plan, &person("operator"), &first, NOW).is_err());
        assert_eq!(
            [fresh.stands(end - Duration::SECOND), fresh.stands(end), used.stands(NOW)],
            [true, false, false]
        );
    }

    #[test]
    fn approvals_and_planners_keep_their_stored_forms() {
        let by = r#"{"via":"http","key":"2c70e12b","principal":{"id":"ada"}}"#;
        let restore = RestoreId::new(NOW, 1);
        let unused = Approval::new(Digest::of(b"a"), person("ada"), NOW, Duration::hours(8));
        let used = Approval { used: Some(restore.clone()), ..unused.clone() };
        let plan = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        for (approval, end) in [(unused, String::new()), (used, format!(r#","used":"{restore}""#))] {
            let stored = format!(
                r#"{{"v":1,"plan":"{plan}","by":{by},"at":"2026-11-22T10:00:00Z","until":"2026-11-22T18:00:00Z"{end}}}"#
            );
            assert_eq!(serde_json::to_string(&approval).unwrap(), stored);
            assert_eq!(serde_json::from_str::<Approval>(&stored).unwrap(), approval);
        }
        let planner = Planner { v: APPROVAL_FORMAT, by: person("ada") };
        let stored = format!(r#"{{"v":1,"by":{by}}}"#);
        assert_eq!(serde_json::to_string(&planner).unwrap(), stored);
        assert_eq!(serde_json::from_str::<Planner>(&stored).unwrap(), planner);
    }
}
