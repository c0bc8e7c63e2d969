//! Plans of restores, as they are answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    object::{Clear, Form, Kind},
    page::ObjectPage,
    state::State,
};
use crate::{
    domain::{
        digest::Digest,
        object::ObjectId,
        restore::{self, OnConflict, OnDamaged, RestoreNumbers, RestorePlan},
    },
    restore::any_plan,
};

pub mod hsm;

pub use self::hsm::HsmPlan;

/// A plan: of a vault, or of an HSM, which has `replacesEverything`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AnyRestorePlan)]
pub enum AnyPlan {
    /// Of a vault.
    Vault(Box<Plan>),
    /// Of an HSM.
    Hsm(Box<HsmPlan>),
}

impl AnyPlan {
    /// A plan with the page of its objects after `after`. The plan of an HSM has no pages.
    pub fn page(
        digest: Digest,
        plan: any_plan::Plan,
        takes: Duration,
        (after, limit): (Option<ObjectId>, usize),
        now: OffsetDateTime,
    ) -> Self {
        match plan {
            any_plan::Plan::Vault(plan) => {
                Self::Vault(Box::new(Plan::page(digest, *plan, takes, (after, limit), now)))
            }
            any_plan::Plan::Hsm(plan) => Self::Hsm(Box::new(HsmPlan::new(digest, &plan, now))),
        }
    }
}

/// The action for an object.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Its backup is restored under a free name.
    Restore,
    /// The soft-deleted object is recovered; its backup is not used.
    Recover,
    /// The soft-deleted object is purged for good, then its backup restored.
    PurgeAndRestore,
}

impl From<restore::Action> for Action {
    fn from(action: restore::Action) -> Self {
        match action {
            restore::Action::Restore => Self::Restore,
            restore::Action::Recover => Self::Recover,
            restore::Action::PurgeAndRestore => Self::PurgeAndRestore,
        }
    }
}

/// What happens to a name that is taken in the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OnConflict)]
pub enum Conflict {
    /// The object is not restored, and that is a failure.
    #[default]
    Fail,
    /// The object is skipped.
    Skip,
    /// A soft-deleted object is recovered as it was when it was deleted; its backup is not used.
    RecoverDeleted,
    /// A soft-deleted object is purged for good, then its backup restored. Only for objects in `objects`.
    PurgeDeleted,
}

impl From<Conflict> for OnConflict {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Fail => Self::Fail,
            Conflict::Skip => Self::Skip,
            Conflict::RecoverDeleted => Self::RecoverDeleted,
            Conflict::PurgeDeleted => Self::PurgeDeleted,
        }
    }
}

impl From<OnConflict> for Conflict {
    fn from(conflict: OnConflict) -> Self {
        match conflict {
            OnConflict::Fail => Self::Fail,
            OnConflict::Skip => Self::Skip,
            OnConflict::RecoverDeleted => Self::RecoverDeleted,
            OnConflict::PurgeDeleted => Self::PurgeDeleted,
        }
    }
}

/// What happens when the backup of an object is damaged or gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OnDamaged)]
pub enum Damaged {
    /// The object is not restored, and that is a failure.
    #[default]
    Fail,
    /// The newest older backup that is whole is restored; its step has `insteadOf`.
    Older,
}

impl From<Damaged> for OnDamaged {
    fn from(damaged: Damaged) -> Self {
        match damaged {
            Damaged::Fail => Self::Fail,
            Damaged::Older => Self::Older,
        }
    }
}

impl From<OnDamaged> for Damaged {
    fn from(damaged: OnDamaged) -> Self {
        match damaged {
            OnDamaged::Fail => Self::Fail,
            OnDamaged::Older => Self::Older,
        }
    }
}

/// One object that is restored.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestoreStep)]
pub struct Step {
    kind: Kind,
    name: String,
    action: Action,
    /// The run that took the backup.
    run: String,
    /// When the backup was taken.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    taken: OffsetDateTime,
    /// The age of the backup.
    #[schema(minimum = 0)]
    age_seconds: i64,
    /// How many versions are restored.
    versions: u32,
    /// Whether the backup's form is known. No object is purged for a backup of an unknown form.
    form: Form,
    /// The part that is not secret, for a backup of an unknown form.
    #[serde(skip_serializing_if = "Option::is_none")]
    clear: Option<Clear>,
    /// The run of the newer backup that is damaged or gone, in whose place this one is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead_of: Option<String>,
}

/// One object that is not restored.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestoreLeft)]
pub struct Excluded {
    kind: Kind,
    name: String,
    /// Names the reason. Stable: programs may compare it.
    #[schema(example = "soft-deleted")]
    reason: String,
    /// What prevents the restore, and what would solve it.
    why: &'static str,
    /// Whether the object is skipped, and is not a conflict. Objects that never had a backup count as skipped here, and
    /// have their own number, `neverBackedUp`.
    skipped: bool,
}

impl Excluded {
    /// An excluded object of a plan with backups as of `at`.
    pub(in crate::api::shapes) fn new(excluded: &restore::Excluded, at: Option<OffsetDateTime>) -> Self {
        Self {
            kind: excluded.kind.into(),
            name: excluded.name.to_string(),
            reason: excluded.reason.name().into(),
            why: excluded.why(at),
            skipped: excluded.skipped,
        }
    }
}

/// The plan of a restore: the dry run. Each selected object is in `steps` or in `left`. Where they come in pages, the
/// numbers are those of the whole plan.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestorePlan)]
pub struct Plan {
    /// The name of the plan. It changes when anything in the plan changes.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    digest: String,
    source: String,
    target: String,
    /// Backups as of this time; the newest ones when it is absent.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    at: Option<OffsetDateTime>,
    /// Whether what was stored first of each backup is restored, although it was written again or deleted in storage.
    first_version: bool,
    on_conflict: Conflict,
    on_damaged: Damaged,
    /// Whether the service decides about backups that are, by the settings, of another subscription or geography.
    other_place: bool,
    /// How many objects are restored.
    restores: usize,
    /// How long they take at least, in whole seconds: the limits of the target for creating objects allow no more.
    takes_seconds: u64,
    /// How many of them would first be purged permanently.
    purges: usize,
    /// How many objects conflict and would count as failed.
    in_the_way: usize,
    /// How many objects in the target already equal their backup.
    already_there: u32,
    /// How many objects of the source never had a successful backup.
    never_backed_up: u32,
    /// How the restore ends if each of its steps succeeds.
    foreseen: State,
    /// The objects that are restored.
    steps: Vec<Step>,
    /// The objects that are not restored, or need no restore.
    #[serde(rename = "left")]
    excluded: Vec<Excluded>,
    /// The token for the next objects, if there are more.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// Seconds, of which a begun one counts.
fn whole_seconds(takes: Duration) -> u64 {
    takes.as_secs() + u64::from(takes.subsec_nanos() > 0)
}

impl Plan {
    /// A whole plan as it is answered at `now`. Its steps take at least as long as `takes`.
    pub fn new(digest: Digest, plan: RestorePlan, takes: Duration, now: OffsetDateTime) -> Self {
        Self::page(digest, plan, takes, (None, usize::MAX), now)
    }

    /// A page of a plan's objects, excluded ones among them: at most `limit` after `after`, in the order of kinds and
    /// names.
    pub fn page(
        digest: Digest,
        plan: RestorePlan,
        takes: Duration,
        (after, limit): (Option<ObjectId>, usize),
        now: OffsetDateTime,
    ) -> Self {
        let in_the_way = plan.conflicts().count();
        let best = RestoreNumbers::at_best(&plan);
        let step = |step: restore::Step| Step {
            kind: step.kind.into(),
            name: step.name.to_string(),
            action: step.action.into(),
            run: step.run.to_string(),
            taken: step.taken,
            age_seconds: age_seconds(now, step.taken),
            versions: step.versions,
            form: Form::of(step.unknown_form.as_deref()),
            clear: step.unknown_form.as_deref().map(Into::into),
            instead_of: step.instead_of.map(String::from),
        };
        let purges = plan.steps.iter().filter(|step| step.action == restore::Action::PurgeAndRestore).count();
        let restores = plan.steps.len();
        let ids =
            plan.steps.iter().map(restore::Step::id).chain(plan.excluded.iter().map(restore::Excluded::id));
        let page = ObjectPage::new(ids, after, limit);
        let left = plan.excluded.iter().filter(|of| page.has(&of.id()));
        Self {
            digest: digest.to_string(),
            source: plan.request.source.to_string(),
            target: plan.request.target.to_string(),
            at: plan.request.at,
            first_version: plan.request.first_version,
            on_conflict: plan.request.on_conflict.into(),
            on_damaged: plan.request.on_damaged.into(),
            other_place: plan.request.other_place,
            restores,
            takes_seconds: whole_seconds(takes),
            purges,
            in_the_way,
            already_there: best.already_there,
            never_backed_up: best.never_backed_up,
            foreseen: best.verdict().into(),
            excluded: left.map(|of| Excluded::new(of, plan.request.at)).collect(),
            steps: plan.steps.into_iter().filter(|of| page.has(&of.id())).map(step).collect(),
            after: page.next(),
        }
    }
}

/// The age of a backup in seconds, never negative.
fn age_seconds(now: OffsetDateTime, then: OffsetDateTime) -> i64 {
    (now - then).whole_seconds().max(0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::Duration;

    use super::*;
    use crate::domain::samples::NIGHT;

    fn step(name: &str, action: &str) -> Value {
        json!({
            "kind": "secret", "name": name, "action": action, "run": "20261122T020000Z-nightly",
            "taken": "2026-11-22T02:00:00Z", "sha256": Digest::of(b"blob"), "versions": 1, "newest": "newest",
            "version_states": crate::domain::samples::fingerprint("states"),
        })
    }

    fn left(name: &str, reason: restore::Reason, skipped: bool) -> restore::Excluded {
        let id = crate::domain::samples::secret(name);
        restore::Excluded { kind: id.kind, name: id.name, reason, skipped }
    }

    fn plan(steps: &[(&str, &str)], excluded: Vec<restore::Excluded>) -> Value {
        let request = json!({
            "source": "kv-prod", "target": "kv-drill", "on_conflict": "fail",
            "selection": { "objects": [], "kinds": [], "pattern": null, "tags": {} },
        });
        let steps =
            steps.iter().map(|(name, action)| serde_json::from_value(step(name, action)).unwrap()).collect();
        let plan = RestorePlan { v: 1, request: serde_json::from_value(request).unwrap(), steps, excluded };
        serde_json::to_value(Plan::new(
            plan.digest(),
            plan,
            std::time::Duration::from_millis(1100),
            NIGHT + Duration::hours(3),
        ))
        .unwrap()
    }

    #[test]
    fn a_plan_counts_what_it_would_do_and_what_is_in_the_way() {
        use restore::Reason::{AlreadyThere, Live, NeverBackedUp};
        let excluded = vec![
            left("there", AlreadyThere, true),
            left("taken", Live, false),
            left("skipped", Live, true),
            left("never", NeverBackedUp, true),
        ];
        let steps =
            [("a", "restore"), ("b", "purge-and-restore"), ("c", "recover"), ("d", "purge-and-restore")];
        let shown = plan(&steps, excluded);
        let numbers = ["purges", "inTheWay", "alreadyThere", "neverBackedUp"].map(|name| &shown[name]);
        assert_eq!(numbers, [&json!(2), &json!(1), &json!(1), &json!(1)], "{shown}");
        assert_eq!(shown["foreseen"], "PartiallyFailed");
        let actions: Vec<_> = shown["steps"].as_array().unwrap().iter().map(|of| &of["action"]).collect();
        assert_eq!(actions, ["restore", "purgeAndRestore", "recover", "purgeAndRestore"]);
        let left: Vec<_> =
            shown["left"].as_array().unwrap().iter().map(|of| json!([of["name"], of["skipped"]])).collect();
        assert_eq!(
            left,
            [
                json!(["there", true]),
                json!(["taken", false]),
                json!(["skipped", true]),
                json!(["never", true])
            ]
        );
    }

    #[test]
    fn the_foreseen_end_is_the_best_one() {
        use restore::Reason::{AlreadyThere, Live};
        for (steps, excluded, expected) in [
            (&[("a", "restore")][..], vec![], "Succeeded"),
            (&[("a", "restore")], vec![left("b", AlreadyThere, true)], "Succeeded"),
            (&[("a", "restore")], vec![left("b", Live, false)], "PartiallyFailed"),
            (&[], vec![left("b", Live, false)], "Failed"),
        ] {
            assert_eq!(plan(steps, excluded)["foreseen"], expected, "{steps:?}");
        }
    }

    #[test]
    fn an_age_is_in_seconds_and_never_negative() {
        assert_eq!(plan(&[("a", "restore")], Vec::new())["steps"][0]["ageSeconds"], 3 * 3600);
        // The clock of the app that took the backup was ahead.
        assert_eq!(age_seconds(NIGHT, NIGHT + Duration::MINUTE), 0);
    }
}
