//! Supplements: what a run plans for a kind that could be listed only after the plan was stored.
//!
//! A run's plan is written once. For a kind that it leaves out, a later round may store a supplement: the objects that
//! it listed or, when the run ends, that the kind is left out for good. There is at most one for each kind, from its
//! first writer, so plan and supplements together are as fixed as the plan alone, and the run's manifest is a function
//! of them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    object::ObjectKind,
    outcome::Failure,
    plan::{ListedLate, Plan, PlanHeader},
    planned::{Planned, put_in_order, tell_managers_apart},
    run::RunId,
    source::SourceName,
};

/// The version of the stored form that this program writes.
pub const SUPPLEMENT_FORMAT: u32 = 1;

/// Header of a supplement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupplementHeader {
    /// [`SUPPLEMENT_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The vault.
    pub vault: SourceName,
    /// The run.
    pub run: RunId,
    /// The kind, which the run's plan leaves out.
    pub kind: ObjectKind,
    /// The round of the run that begins with the supplement.
    pub round: u32,
    /// When listing the kind began.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Why the kind is left out for good, if it is. Then there are no objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Failure>,
}

/// What a run plans for one kind after its plan was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supplement {
    /// Its header.
    pub header: SupplementHeader,
    /// Every object of the kind, in the order of blob names, each once.
    pub objects: Vec<Planned>,
}

impl Supplement {
    /// The objects of a kind that a round listed.
    pub fn listed(of: &PlanHeader, late: ListedLate, objects: Vec<Planned>) -> Self {
        Self { header: SupplementHeader::new(of, late), objects }
    }

    /// The record that a kind is left out for good, and why.
    pub fn left_out(of: &PlanHeader, late: ListedLate, failure: Failure) -> Self {
        let header = SupplementHeader { left_out: Some(failure), ..SupplementHeader::new(of, late) };
        Self { header, objects: Vec::new() }
    }

    /// Whether the kind was listed.
    pub fn is_listed(&self) -> bool {
        self.header.left_out.is_none()
    }
}

impl SupplementHeader {
    fn new(of: &PlanHeader, ListedLate { kind, round, at }: ListedLate) -> Self {
        let (vault, run) = (of.vault.clone(), of.run.clone());
        Self { v: SUPPLEMENT_FORMAT, vault, run, kind, round, at, left_out: None }
    }
}

impl Plan {
    /// The plan with what later rounds found of the kinds that it leaves out. The order of the supplements does not
    /// matter.
    ///
    /// Managed objects are matched with the certificates that were listed, even hours before or after. One without a
    /// certificate there counts as managed by the vault, which claims no protection that does not exist.
    #[must_use]
    pub fn with(self, supplements: Vec<Supplement>) -> Self {
        let Self { mut header, mut objects } = self;
        let mut grown = false;
        for Supplement { header: SupplementHeader { kind, round, at, left_out, .. }, objects: found } in
            supplements
        {
            let Some(place) = header.unlisted.iter().position(|unlisted| unlisted.kind == kind) else {
                continue;
            };
            if let Some(failure) = left_out {
                let unlisted = &mut header.unlisted[place];
                (unlisted.failure, unlisted.rounds) = (failure, 0);
                continue;
            }
            header.unlisted.remove(place);
            header.listed_late.push(ListedLate { kind, round, at });
            objects.extend(found);
            grown = true;
        }
        if grown {
            header.listed_late.sort_by_key(|late| late.kind);
            put_in_order(&mut objects);
            if header.unlisted.iter().all(|unlisted| unlisted.kind != ObjectKind::Certificate) {
                tell_managers_apart(&mut objects);
            }
            objects.shrink_to_fit();
        }
        Self { header, objects }
    }
}

impl PlanHeader {
    /// The kinds that a supplement may cover: those that some round of the run lists again.
    pub fn open_kinds(&self) -> impl Iterator<Item = ObjectKind> {
        self.listed_in(1)
    }

    /// The round that added the objects of a kind, and when they were listed.
    pub fn listed(&self, kind: ObjectKind) -> ListedLate {
        let late = self.listed_late.iter().find(|late| late.kind == kind).copied();
        late.unwrap_or(ListedLate { kind, round: 1, at: self.planned })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        plan::Unlisted,
        planned::Decision,
        run::Scope,
        samples::{NIGHT, of_kind},
    };
    use ObjectKind::{Certificate, Key, Secret};

    fn objects(of: &[(ObjectKind, &str, Decision)]) -> Vec<Planned> {
        let object = |&(kind, name, decision)| Planned::new(of_kind(kind, name), decision);
        of.iter().map(object).collect()
    }

    /// A plan that left out the certificates and the keys for now.
    fn plan() -> Plan {
        let unlisted = |kind| Unlisted { kind, failure: Failure::ours("Denied", "no"), rounds: 6 };
        let header = PlanHeader {
            unlisted: vec![unlisted(Certificate), unlisted(Key)],
            ..PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(NIGHT), Scope::Vault, NIGHT)
        };
        let found = [(Secret, "sas", Decision::Managed), (Secret, "tls", Decision::Managed)];
        Plan { header, objects: objects(&found) }
    }

    fn late(kind: ObjectKind, round: u32) -> ListedLate {
        ListedLate { kind, round, at: NIGHT + time::Duration::HOUR * round }
    }

    #[test]
    fn what_comes_late_is_planned_as_if_it_had_been_there() {
        let header = plan().header;
        let keys = Supplement::listed(&header, late(Key, 3), objects(&[(Key, "k", Decision::New)]));
        let certificates = objects(&[(Certificate, "tls", Decision::Unchanged)]);
        let certificates = Supplement::listed(&header, late(Certificate, 2), certificates);
        let shown = |plan: &Plan| {
            plan.objects.iter().map(|of| (of.id().to_string(), of.decision)).collect::<Vec<_>>()
        };
        let all = plan().with(vec![keys.clone(), certificates.clone()]);
        let expected = [
            ("certificate tls", Decision::Unchanged),
            ("key k", Decision::New),
            ("secret sas", Decision::VaultManaged),
            ("secret tls", Decision::Managed),
        ];
        assert_eq!(shown(&all), expected.map(|(name, decision)| (name.to_owned(), decision)));
        assert_eq!((all.header.unlisted.len(), all.header.listed(Key)), (0, late(Key, 3)));
        assert_eq!(all.header.listed(Secret), ListedLate { kind: Secret, round: 1, at: NIGHT });
        assert_eq!(plan().with(vec![certificates, keys.clone()]), all, "in any order");
        let some = plan().with(vec![keys]);
        assert_eq!(some.header.open_kinds().collect::<Vec<_>>(), [Certificate]);
        assert_eq!(
            shown(&some)[1..],
            [expected[2].0, expected[3].0].map(|name| (name.to_owned(), Decision::Managed))
        );
    }

    #[test]
    fn what_is_left_out_for_good_is_open_no_longer() {
        let header = plan().header;
        let failure = Failure::ours("Denied", "still no");
        let left_out = Supplement::left_out(&header, late(Key, 6), failure.clone());
        let after = plan().with(vec![left_out]);
        assert_eq!((after.header.open_kinds().count(), &after.objects), (1, &plan().objects));
        assert_eq!(after.header.unlisted[1], Unlisted::for_good(Key, failure));
        assert_eq!(plan().with(vec![]), plan());
    }

    #[test]
    fn a_header_is_stored_in_one_form() {
        let header = Supplement::left_out(&plan().header, late(Key, 6), Failure::ours("Denied", "no")).header;
        let frozen = r#"{"v":1,"vault":"kv-prod","run":"20261122T020000Z-nightly","kind":"key","round":6,"at":"2026-11-22T08:00:00Z","left_out":{"code":"Denied","text":"no"}}"#;
        assert_eq!(serde_json::to_string(&header).unwrap(), frozen);
        assert_eq!(serde_json::from_str::<SupplementHeader>(frozen).unwrap(), header);
    }
}
