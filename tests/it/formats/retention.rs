//! What older programs stored, under retention and with the rights that each app has: it is listed, planned, kept,
//! restored from, and let go when newer backups take its place.

use keyvault_backup_emulator::{
    Keeping, KeySpec, Kind,
    host::{Firing, Host},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{CLOSED, DAY, OPEN, refuse, sampled, thaw};
use crate::{
    checks::open,
    world::{BACKUPS, NIGHT, World},
};

/// The folders of samples with a vault's catalogue.
const CATALOGUES: [&str; 11] = [
    "v1",
    "v1-acknowledged",
    "v1-former",
    "v1-later",
    "v1-restore",
    "v2-forms",
    "v2-late",
    "v2-lists",
    "v2-places",
    "v2-roles",
    "v2-tags",
];

impl World {
    /// A keeper beside the app that backs up, each with its own rights alone.
    async fn with_a_keeper(&mut self) -> Host {
        self.only("backup");
        self.backups.keep(Keeping { versions: true, deleted_days: None });
        self.with_keeper("within=30 months=0").await
    }
}

async fn pass(world: &World, keeper: &Host, at: OffsetDateTime) {
    world.at(at);
    let pass = keeper.fire("ApplyRetention", Firing::at(at)).await;
    assert!(pass.succeeded(), "{pass:?}");
}

#[tokio::test]
async fn every_catalogue_of_samples_is_listed_planned_and_kept() {
    for samples in CATALOGUES {
        let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
        let keeper = world.with_a_keeper().await;
        thaw(&world, samples);
        let manifests = ["kv-a", "kv-b"].map(|vault| world.manifests(vault).len());
        let listed = world.json(&["list", "runs", "--vault", &world.vault.url()]).await;
        assert_eq!(listed["runs"].as_array().map(Vec::len), Some(manifests[0]), "{samples}: {listed}");
        let plan = world.json(&["retention", "plan"]).await;
        let sources = plan["sources"].as_array().expect("a list");
        let points: Vec<_> = sources.iter().filter_map(|of| of["points"].as_array()).flatten().collect();
        assert_eq!(
            (points.len(), &plan["errors"]),
            (manifests.iter().sum(), &json!([])),
            "{samples}: {plan}"
        );
        // Nobody has backed up for long, so everything is kept; and every point can be read.
        let is_kept = |point: &&Value| point["verdict"] == "keep" && point["code"] != "unreadable";
        assert!(points.iter().all(is_kept), "{samples}: {plan}");
        let before = world.stored_below("vaults/");
        let now = world.today();
        for days in [0, 3] {
            pass(&world, &keeper, now + DAY * days).await;
        }
        assert_eq!(world.stored_below("vaults/"), before, "{samples}");
    }
}

/// What the samples of form 1 have backups of.
const OBJECTS: [(Kind, &str); 3] =
    [(Kind::Secret, "db-Password"), (Kind::Key, "signing"), (Kind::Certificate, "tls")];

/// The backup of an object in the samples.
fn sample(world: &World, kind: Kind, name: &str) -> Vec<u8> {
    let name = format!("vaults/kv-a/runs/{CLOSED}/objects/{}/{}/backup", kind.noun(), name.to_lowercase());
    world.backups.blob(BACKUPS, &name).expect("a sample").bytes.to_vec()
}

/// The samples of form 1 in a world with a keeper whose vault has these very objects, and their messages.
async fn thawed() -> (World, Host, Vec<String>) {
    let mut world = sampled().await;
    let keeper = world.with_a_keeper().await;
    let messages = thaw(&world, "v1");
    for (kind, name) in OBJECTS {
        assert!(world.vault.remove(kind, name), "{name}");
        world.vault.restore(&sample(&world, kind, name)).expect("it is restored");
    }
    (world, keeper, messages)
}

#[tokio::test]
async fn an_old_catalogue_is_restored_from() {
    let (world, _, _) = thawed().await;
    world.today();
    let empty = world.azure.vault("kv-empty");
    let (from, into) = (world.vault.url(), empty.url());
    let done = world.json(&["restore", "--vault", &from, "--all", "--into", &into, "--yes"]).await;
    assert_eq!((&done["numbers"]["restored"], &done["numbers"]["failed"]), (&json!(3), &json!(0)), "{done}");
    let restored = empty.snapshot();
    for (kind, name) in OBJECTS {
        let restored = restored.get(kind, name).expect("it is restored");
        assert_eq!(restored.versions, open(&sample(&world, kind, name)).versions, "{name}");
    }
}

#[tokio::test]
async fn an_old_open_run_is_finished_and_old_points_go_when_newer_ones_take_their_place() {
    let (mut world, keeper, messages) = thawed().await;
    refuse(&world);
    world.vault.put_key("new", KeySpec::ec("P-256"));
    world.at(NIGHT + DAY);
    for message in &messages {
        let done = world.host().await.deliver("BackUpObject", message, 5).await;
        assert!(done.succeeded(), "{done:?}");
    }
    world.settle().await;
    world.azure.faults().clear();
    assert_eq!(world.newest("kv-a").summary["run"], OPEN);
    pass(&world, &keeper, NIGHT + DAY + Duration::hours(2)).await;
    for night in 1..=8 {
        let at = NIGHT + DAY * 10 * night;
        world.night(at).await;
        pass(&world, &keeper, at + Duration::hours(2)).await;
    }
    let gone = |name: &String| name.contains(CLOSED) || name.contains(OPEN);
    assert!(!world.manifests("kv-a").iter().any(gone), "{:?}", world.manifests("kv-a"));
    let of_old = world.stored_below(&format!("vaults/kv-a/runs/{CLOSED}/"));
    assert!(of_old.keys().all(|name| !name.ends_with("/backup")), "{:?}", of_old.keys());
    let good = world.vault.snapshot();
    world.today();
    let empty = world.azure.vault("kv-empty");
    let (from, into) = (world.vault.url(), empty.url());
    let done = world.json(&["restore", "--vault", &from, "--all", "--into", &into, "--yes"]).await;
    assert_eq!((&done["numbers"]["restored"], &done["numbers"]["failed"]), (&json!(5), &json!(0)), "{done}");
    assert_eq!(empty.snapshot().differences(&good), Vec::<String>::new());
}
