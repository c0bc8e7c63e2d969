//! A vault that lies elsewhere than it did: everything in it is backed up anew, that is told, and what was backed up
//! before is not planned into a place where it does not open.

use keyvault_backup_emulator::{KeySpec, Kind, SecretSpec, VaultOptions};
use serde_json::{Value, json};

use crate::{
    checks::{assert_rebuilt, events},
    world::{NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;
const TENANT: &str = "44444444-eeee-4eee-8eee-444444444444";
const BEFORE: &str = "2026-01-10T12:00:00Z";
const MOVED_IN: &str = "20260112T020000Z-nightly";

/// A world with two secrets and a key in `kv-a`, after two nights, of which the second was a quiet one.
async fn backed_up(places: Option<&str>) -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    if let Some(places) = places {
        world.set("KEYVAULT_BACKUP_PLACES", places);
    }
    for name in ["db", "web"] {
        world.vault.put_secret(name, SecretSpec::new("value").created(NIGHT - DAY * 60));
    }
    world.vault.put_key("signing", KeySpec::ec("P-256").created(NIGHT - DAY * 60));
    assert_eq!(night(&mut world, 0).await, json!(["Succeeded", 3, 0]));
    assert_eq!(
        night(&mut world, 1).await,
        json!(["Succeeded", 0, 3]),
        "nothing became known to be elsewhere"
    );
    world
}

/// A night: how the run in `kv-a` ended, what it backed up, and what was unchanged.
async fn night(world: &mut World, night: i32) -> Value {
    let summary = world.night(NIGHT + DAY * night).await;
    json!([summary["verdict"], summary["numbers"]["backed_up"], summary["numbers"]["unchanged"]])
}

/// Moves `kv-a`, whose app starts anew after that.
async fn configure(world: &mut World, change: impl FnOnce(&mut VaultOptions)) {
    world.vault.configure(change);
    world.restart_with_settings().await;
}

async fn cli(world: &World, args: &[&str]) -> (i32, Value) {
    let url = world.vault.url();
    let output = world.cli(&[args, &["--vault", &url, "--output", "json"]].concat()).await;
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap_or(-1), value)
}

/// A plan of everything: how many objects it restores, and why it leaves the others.
async fn planned(world: &World, args: &[&str]) -> Value {
    let (_, plan) = cli(world, &[&["restore", "--all", "--what-if"], args].concat()).await;
    let list = |name: &str| plan[name].as_array().cloned().unwrap_or_default();
    let mut reasons: Vec<_> = list("left").iter().map(|left| left["reason"].clone()).collect();
    reasons.dedup();
    json!([list("steps").len(), reasons])
}

fn purge_all(world: &World) {
    for (kind, name) in [(Kind::Secret, "db"), (Kind::Secret, "web"), (Kind::Key, "signing")] {
        assert!(world.vault.remove(kind, name));
    }
}

#[tokio::test]
async fn a_vault_of_another_tenant_is_backed_up_anew_at_once_and_that_is_told_until_acknowledged() {
    let mut world = backed_up(None).await;
    configure(&mut world, |options| options.tenant = TENANT.into()).await;
    assert_eq!(night(&mut world, 2).await, json!(["PartiallyFailed", 3, 0]));
    assert_eq!(night(&mut world, 3).await, json!(["PartiallyFailed", 0, 3]), "once");
    let lines = world.handler_lines().await;
    assert_eq!((events(&lines, "vault.moved"), events(&lines, "move.open")), (1, 1));

    let source = world.ok("/api/status").await["sources"][0].take();
    assert_eq!((&source["moved"]["run"], &source["ok"]), (&json!(MOVED_IN), &json!(false)));
    assert_eq!(source["moved"]["to"], json!({ "tenant": TENANT }));
    let preflight = world.ok("/api/status/preflight").await;
    assert!(preflight["findings"].to_string().contains("vault-moved"), "{preflight}");
    let shown = world.cli(&["show", MOVED_IN, "--vault", &world.vault.url()]).await;
    assert!(String::from_utf8_lossy(&shown.stdout).contains("moved from tenant"), "{shown:?}");

    let (code, done) = cli(&world, &["acknowledge", "--run", MOVED_IN, "--reason", "the new tenant"]).await;
    assert_eq!((code, &done["moved"]["to"]["tenant"]), (0, &json!(TENANT)), "{done}");
    let source = world.ok("/api/status").await["sources"][0].take();
    assert_eq!(source["moved"]["acknowledged"]["reason"], "the new tenant");
    assert_eq!(night(&mut world, 4).await, json!(["Succeeded", 0, 3]));
    assert!(world.ok("/api/status").await["sources"][0].get("moved").is_none());
    assert_rebuilt(&world).await;
}

#[tokio::test]
async fn what_was_backed_up_in_another_tenant_is_marked_and_restored_only_there() {
    let mut world = backed_up(None).await;
    configure(&mut world, |options| options.tenant = TENANT.into()).await;
    night(&mut world, 2).await;
    let (_, history) = cli(&world, &["list", "history", "--secret", "db"]).await;
    let apart = history["backups"].as_array().expect("a list").iter().map(|point| point["elsewhere"].clone());
    assert_eq!(apart.collect::<Vec<_>>(), [Value::Null, json!("tenant")]);
    let listed = world.ok("/api/backups/kv-a/secret/db").await;
    assert_eq!(
        (&listed["backups"][1]["elsewhere"], &listed["backups"][0]["place"]["tenant"]),
        (&json!("tenant"), &json!(TENANT))
    );
    let listed = world.ok(&format!("/api/backups?at={BEFORE}")).await;
    assert_eq!(listed["backups"][0]["elsewhere"], "tenant", "where the vault is now counts");

    purge_all(&world);
    assert_eq!(planned(&world, &["--at", BEFORE]).await, json!([0, ["other-tenant"]]));
    assert_eq!(
        planned(&world, &["--at", BEFORE, "--other-place"]).await,
        json!([0, ["other-tenant"]]),
        "final"
    );
    assert_eq!(planned(&world, &[]).await, json!([3, []]));
    let other = world.azure.vault("kv-b").url();
    assert_eq!(planned(&world, &["--into", &other]).await, json!([0, ["other-tenant"]]));
    let (code, done) = cli(&world, &["restore", "--all", "--yes", "--at", BEFORE, "--into", &other]).await;
    assert_eq!((code, &done["numbers"]["restored"]), (0, &json!(3)), "{done}");
}

#[tokio::test]
async fn another_subscription_by_the_settings_is_in_the_way_until_the_service_is_to_decide() {
    let mut world = backed_up(Some("kv-a=one/europe kv-b=one/europe")).await;
    world.set("KEYVAULT_BACKUP_PLACES", "kv-a=two/europe kv-b=one/europe");
    configure(&mut world, |options| options.subscription = "two".into()).await;
    assert_eq!(night(&mut world, 2).await, json!(["PartiallyFailed", 3, 0]));
    assert_eq!(world.newest("kv-a").summary["moved"]["from"]["subscription"], "one");
    purge_all(&world);
    assert_eq!(planned(&world, &["--at", BEFORE]).await, json!([0, ["other-place"]]));
    let (code, done) = cli(&world, &["restore", "--all", "--yes", "--at", BEFORE, "--other-place"]).await;
    assert_eq!((code, &done["numbers"]["failed"]), (2, &json!(3)), "{done}");
    assert!(done.to_string().contains("Cannot decrypt backup blob"), "{done}");
    let (code, _) = cli(&world, &["restore", "--all", "--yes"]).await;
    assert_eq!(code, 0, "what was backed up since is restored");
}

#[tokio::test]
async fn a_setting_that_is_wrong_locks_no_restore_out() {
    let mut world = backed_up(Some("kv-a=mistyped/europe")).await;
    world.set("KEYVAULT_BACKUP_PLACES", "kv-a=one/europe");
    world.restart_with_settings().await;
    purge_all(&world);
    let body = json!({ "source": "kv-a", "everything": true });
    let plan = world.post("/api/restores/plan", body.clone()).await.json();
    assert_eq!((&plan["steps"], &plan["inTheWay"]), (&json!([]), &json!(3)), "{plan}");
    let mut asked = body;
    asked["otherPlace"] = json!(true);
    let plan = world.post("/api/restores/plan", asked).await.json();
    assert_eq!((&plan["inTheWay"], &plan["otherPlace"]), (&json!(0), &json!(true)), "{plan}");
    let (code, done) = cli(&world, &["restore", "--all", "--yes", "--other-place"]).await;
    assert_eq!((code, &done["numbers"]["restored"]), (0, &json!(3)), "{done}");
}

#[tokio::test]
async fn another_region_or_wrapping_key_makes_everything_due_once_and_is_noted() {
    let mut world = backed_up(None).await;
    configure(&mut world, |options| options.region = "northeurope".into()).await;
    assert_eq!(night(&mut world, 2).await, json!(["Succeeded", 3, 0]));
    assert_eq!(world.newest("kv-a").header["hints"], json!(["region"]));
    assert_eq!(night(&mut world, 3).await, json!(["Succeeded", 0, 3]));

    world.vault.configure(|options| options.wrapping_kid = Some("the next one".into()));
    world.vault.update(Kind::Secret, "db", |of| drop(of.tags.insert("touched".into(), "yes".into())));
    assert_eq!(night(&mut world, 4).await, json!(["Succeeded", 1, 2]), "it shows in a backup alone");
    assert_eq!(night(&mut world, 5).await, json!(["Succeeded", 3, 0]));
    assert_eq!(world.newest("kv-a").header["hints"], json!(["wrapping-key"]));
    let (_, shown) = cli(&world, &["show", "20260115T020000Z-nightly"]).await;
    assert_eq!(shown["hints"], json!(["wrapping-key"]));
    assert_eq!(night(&mut world, 6).await, json!(["Succeeded", 0, 3]), "once");
    assert_rebuilt(&world).await;
}
