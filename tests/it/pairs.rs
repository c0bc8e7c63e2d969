//! Which source may be restored into which target: asked for when a plan is made, when it is submitted, and when the app
//! carries out what the queue or a record asks for.

use keyvault_backup_emulator::{FaultKind, Forbidden, Operation, SecretSpec};
use serde_json::{Value, json};

use crate::{
    api::problem,
    hsm_world::{HsmWorld, everything},
    preflight::names,
    world::{NIGHT, World},
};

const PAIRS: &str = "KEYVAULT_BACKUP_RESTORE_PAIRS";

/// Two vaults, the first backed up with one secret, and what may be restored.
async fn backed_up(pairs: &str) -> World {
    backed_up_with(|world| world.set(PAIRS, pairs)).await
}

/// Two vaults, the first backed up with one secret, under settings.
pub async fn backed_up_with(set: impl FnOnce(&mut World)) -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("db", SecretSpec::new("value"));
    set(&mut world);
    world.night(NIGHT).await;
    world.today();
    world
}

/// A request for everything of the first vault.
pub fn into(target: &str) -> Value {
    json!({ "source": "kv-a", "target": target, "everything": true })
}

impl World {
    /// Narrows what may be restored, and starts the app anew.
    async fn narrow(&mut self, pairs: &str) {
        self.set(PAIRS, pairs);
        self.restart_with_settings().await;
    }

    /// How many restores were requested of vaults so far.
    fn asked(&self) -> u64 {
        self.azure.requests().total(Operation::Restore)
    }
}

#[tokio::test]
async fn a_plan_of_a_pair_that_is_not_allowed_is_refused_and_the_other_way_round_too() {
    let mut world = backed_up("kv-a=kv-a, kv-b=kv-a").await;
    let detail = problem(&world.post("/api/restores/plan", into("kv-b")).await, 403, "pair-not-allowed");
    assert!(detail.contains("kv-a into kv-b") && detail.contains(PAIRS), "{detail}");
    assert_eq!(world.plan(into("kv-a")).await["target"], "kv-a");
    world.narrow("kv-a=kv-b").await;
    assert_eq!(world.restored(into("kv-b")).await["state"], "Succeeded");
}

#[tokio::test]
async fn without_the_setting_every_source_goes_into_every_target_as_before() {
    let mut world = backed_up("").await;
    assert_eq!(world.restored(into("kv-b")).await["state"], "Succeeded");
}

#[tokio::test]
async fn a_plan_from_before_the_pair_was_taken_away_is_not_carried_out() {
    let mut world = backed_up("kv-a=kv-b").await;
    let plan = world.plan(into("kv-b")).await;
    world.narrow("none").await;
    problem(&world.begin(&plan).await, 403, "pair-not-allowed");
    assert_eq!(world.asked(), 0);
    assert_eq!(world.ok("/api/restores").await["restores"], json!([]), "nothing was begun");
}

/// The queue's messages say which step, and not who may: so the step asks again.
#[tokio::test]
async fn a_message_carries_out_nothing_that_is_not_allowed() {
    let mut world = backed_up("kv-a=kv-b").await;
    world.fault(Operation::Restore, FaultKind::Forbidden(Forbidden::ByRbac));
    let plan = world.plan(into("kv-b")).await;
    let started = world.begin(&plan).await;
    assert_eq!(started.status, 202, "{}", started.text());
    world.azure.faults().clear();
    let asked = world.asked();
    world.narrow("kv-b=kv-a").await;
    let id = started.json()["id"].clone();
    let message = json!({ "version": 1, "restore": id, "kind": "secret", "object": "db" });
    let done = world.host().await.deliver("RestoreObject", &message.to_string(), 1).await;
    assert!(done.succeeded() && done.logs[0].contains("failed: PairNotAllowed"), "{done:?}");
    let report = world.ended(&started).await;
    assert_eq!(
        (&report["state"], &report["objects"][0]["failure"]["code"]),
        (&json!("Failed"), &json!("PairNotAllowed"))
    );
    assert_eq!(world.asked(), asked, "the vault was asked for nothing");
}

#[tokio::test]
async fn a_person_at_a_terminal_is_warned_and_not_held_up() {
    let world = backed_up("kv-a=kv-a").await;
    let (from, to) = (world.vault.url(), world.azure.vault("kv-b").url());
    let restore = ["restore", "--vault", &from, "--into", &to, "--all", "--yes"];
    let output = world.cli(&restore).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(told.contains("does not allow a restore from kv-a into kv-b"), "{told}");
    let allowed = world.cli(&["restore", "--vault", &from, "--all", "--what-if"]).await;
    assert!(!String::from_utf8_lossy(&allowed.stderr).contains(PAIRS), "{allowed:?}");
}

#[tokio::test]
async fn an_hsm_is_restored_by_its_pair_alone_also_when_its_turn_comes() {
    let mut of = HsmWorld::backed_up().await;
    of.world.narrow("none").await;
    problem(&of.world.post("/api/restores/plan", everything()).await, 403, "pair-not-allowed");
    of.world.narrow("hsm-a=hsm-a").await;
    let plan = of.world.plan(everything()).await;
    let begun = of.begin(&plan).await;
    of.world.narrow("none").await;
    let report = of.followed(&begun).await;
    assert_eq!(
        (&report["state"], &report["hsm"]["failure"]["code"]),
        (&json!("Failed"), &json!("PairNotAllowed")),
        "{report}"
    );
    assert_eq!(of.hsm.starts_sent().restores, 0, "its safety backup was taken, and nothing was restored");
}

#[tokio::test]
async fn several_targets_for_every_source_are_told() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.set("KEYVAULT_BACKUP_ROLE", "restore");
    let name = "restore-pairs-unset";
    let report = world.ok("/api/status/preflight").await;
    assert!(names(&report).contains(&name), "{report:#}");
    world.narrow("kv-a=kv-b").await;
    let report = world.ok("/api/status/preflight").await;
    assert!(!names(&report).contains(&name), "{report:#}");
}
