//! What keeps a restore from being carried out although it is possible: a guard of the settings.

use time::OffsetDateTime;

use super::RestoreId;
use crate::domain::{actor::Actor, digest::Digest, outcome::Failure, source::SourceName};

/// The guard that bars a restore, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// The settings do not allow this pair.
    #[error(
        "a restore from {from} into {into} is not one that KEYVAULT_BACKUP_RESTORE_PAIRS allows; restore into a target \
         that it allows, or have the pair {from}={into} added to it"
    )]
    Pair {
        /// The source.
        from: SourceName,
        /// The target.
        into: SourceName,
    },
    /// The plan needs the approval of a second person, and has none that counts.
    #[error("{lacking}; have the plan {plan} approved with POST /api/restores/plan/{plan}/approval")]
    NotApproved {
        /// The plan.
        plan: Digest,
        /// What is lacking.
        lacking: Lacking,
    },
    /// The caller cannot approve the plan.
    #[error("the plan {plan} cannot be approved: {unfit}")]
    NotApprovable {
        /// The plan.
        plan: Digest,
        /// Why.
        unfit: Unfit,
    },
}

/// What a plan lacks that needs an approval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// It was not approved.
    #[error("the plan needs the approval of a second person, and has none")]
    Approval,
    /// The person who approved it is the one who carries it out, or is not known.
    #[error("the plan was not approved by another person than the one who carries it out")]
    SecondPerson,
    /// The person who approved it is one who planned it.
    #[error("the plan was approved by a person who planned it, too")]
    Outsider,
    /// The approval has ended.
    #[error("the approval of the plan has ended at {0}")]
    Time(OffsetDateTime),
    /// The approval was used.
    #[error("the approval of the plan was used by restore {0}")]
    Unused(RestoreId),
}

impl Lacking {
    /// The guard that bars a plan for it.
    pub fn of(self, plan: &Digest) -> Barred {
        Barred::NotApproved { plan: *plan, lacking: self }
    }
}

/// Why a caller cannot approve a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The settings ask for no approval of such a plan.
    #[error("by KEYVAULT_BACKUP_APPROVALS it needs no approval")]
    NotNeeded,
    /// The caller is not a person or program that signed in.
    #[error("the caller is not signed in with Microsoft Entra ID")]
    Unnamed,
    /// The caller planned it.
    #[error("you planned it; it takes a person who did not")]
    Planner,
    /// It is not known who planned it.
    #[error(
        "it is not known who planned it; plan it again with POST /api/restores/plan, which gives it the same digest"
    )]
    NoPlanner,
}

impl Unfit {
    /// Why a caller cannot approve a plan that these planned; `None` if the caller can.
    pub fn of_caller(by: &Actor, planners: &[Actor]) -> Option<Self> {
        if by.principal.is_none() {
            return Some(Self::Unnamed);
        }
        if planners.is_empty() {
            return Some(Self::NoPlanner);
        }
        planners.iter().any(|planner| !planner.is_another_person_than(by)).then_some(Self::Planner)
    }

    /// The guard that bars an approval for it.
    pub fn of(self, plan: &Digest) -> Barred {
        Barred::NotApprovable { plan: *plan, unfit: self }
    }
}

impl Barred {
    /// The stable name of the guard, as records and logs have it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Pair { .. } => "PairNotAllowed",
            Self::NotApproved { .. } => "NotApproved",
            Self::NotApprovable { .. } => "NotApprovable",
        }
    }

    /// The failure of a step that is barred.
    pub fn failure(&self) -> Failure {
        Failure::ours(self.code(), self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Principal;

    #[test]
    fn a_person_approves_what_only_other_persons_planned() {
        let person = |id: &str| Actor::http(Some("key"), Some(Principal { id: id.into(), name: None }));
        let unnamed = Actor::http(Some("key"), None);
        for (by, planners, expected) in [
            (person("ada"), vec![person("otto")], None),
            (person("ada"), vec![person("otto"), person("bea")], None),
            (person("ada"), vec![], Some(Unfit::NoPlanner)),
            (person("ada"), vec![person("otto"), person("ADA")], Some(Unfit::Planner)),
            (person("ada"), vec![unnamed.clone()], Some(Unfit::Planner)),
            (unnamed, vec![person("otto")], Some(Unfit::Unnamed)),
        ] {
            assert_eq!(Unfit::of_caller(&by, &planners), expected, "{by} {planners:?}");
        }
    }
}
