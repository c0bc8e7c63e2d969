//! `show` of every kind of job, by its name.

use keyvault_backup_emulator::{FaultKind, Forbidden, Kind, Operation};
use serde_json::{Value, json};

use crate::{
    hsm_world::{HsmWorld, everything},
    world::{NIGHT, World},
};

const RUN: &str = "20260110T020000Z-nightly";

async fn show(world: &World, args: &[&str]) -> (Option<i32>, Value) {
    let output = world.cli(&[&["show", "-o", "json"], args].concat()).await;
    let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    (output.status.code(), serde_json::from_slice(text).unwrap_or_else(|_| panic!("{output:?}")))
}

async fn told(world: &World, args: &[&str]) -> String {
    let output = world.cli(&[&["show"], args].concat()).await;
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_run_that_one_source_has_needs_no_vault() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("db", keyvault_backup_emulator::SecretSpec::new("value"));
    world.night(NIGHT).await;
    let (code, problem) = show(&world, &[RUN]).await;
    let next = problem["next"].as_str().expect("a text");
    assert!(code == Some(2) && next.contains(&format!("show {RUN} --vault kv-a")), "{problem}");
    for args in [&[RUN, "--vault", "kv-a"][..], &[&format!("kv-a_{RUN}")]] {
        assert_eq!(show(&world, args).await.1["source"], "kv-a");
    }
    for (vaults, expected) in [("https://kv-a.vault.azure.net", Some(0)), ("", Some(2))] {
        world.set("KEYVAULT_BACKUP_VAULTS", vaults);
        assert_eq!(show(&world, &[RUN]).await.0, expected, "{vaults}");
    }
}

#[tokio::test]
async fn an_open_run_is_shown_with_its_progress() {
    let mut world = World::with_secrets(2).await;
    world.fire(NIGHT).await;
    let (code, shown) = show(&world, &[RUN]).await;
    assert_eq!(
        (code, &shown["state"], &shown["progress"]["planned"]),
        (Some(0), &json!("Running"), &json!(2))
    );
    let text = told(&world, &[RUN]).await;
    assert!(text.contains("is still open; it backs up 2 objects, of which 0 had a result"), "{text}");
}

#[tokio::test]
async fn a_restore_into_a_vault_is_shown_with_the_outcome_of_each_object() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    world.vault.remove(Kind::Secret, "secret-0");
    let done = world.cli(&["restore", "--vault", "kv-a", "--all", "--yes", "-o", "json"]).await;
    let id = serde_json::from_slice::<Value>(&done.stdout).expect("JSON")["id"].take();
    let id = id.as_str().expect("a name");
    let (code, shown) = show(&world, &[id]).await;
    assert_eq!(
        (code, &shown["state"], &shown["objects"][0]["outcome"]),
        (Some(0), &json!("Succeeded"), &json!("restored"))
    );
    let text = told(&world, &[id, "--all"]).await;
    assert!(
        text.contains("restored") && text.contains("secret-0") && text.contains("2 planned = 1 restored"),
        "{text}"
    );
    let (code, problem) = show(&world, &["20200101T000000Z-restore-00000000"]).await;
    let next = problem["next"].as_str().unwrap_or_default();
    assert!(
        code == Some(2)
            && next.contains("`keyvault-backup jobs`")
            && next.contains("KEYVAULT_BACKUP_JOBS_CONTAINER"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_restore_says_why_its_objects_failed() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    world.vault.remove(Kind::Secret, "secret-0");
    world.fault(Operation::Restore, FaultKind::Forbidden(Forbidden::ByRbac));
    let wanted = json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "secret-0" }] });
    let report = world.restored(wanted).await;
    let text = told(&world, &[report["id"].as_str().expect("a name")]).await;
    assert!(text.contains("secret-0") && text.contains("ForbiddenByRbac"), "{text}");
}

#[tokio::test]
async fn a_backup_of_an_hsm_is_shown_while_it_runs_and_after() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    of.world.advance().await;
    let (code, shown) = show(&of.world, &[RUN]).await;
    assert_eq!((code, &shown["state"], &shown["source"]), (Some(0), &json!("Running"), &json!("hsm-a")));
    assert!(told(&of.world, &[RUN]).await.contains("of HSM hsm-a is still open: "));
    of.settle().await;
    let (code, shown) = show(&of.world, &[RUN, "--hsm", "hsm-a"]).await;
    assert_eq!(
        (code, &shown["state"], &shown["hsm"]["blobs"].is_u64()),
        (Some(0), &json!("Succeeded"), &true)
    );
}

#[tokio::test]
async fn a_restore_of_an_hsm_is_shown() {
    let mut of = HsmWorld::backed_up().await;
    of.wreck();
    let (_, report) = of.restored(everything()).await;
    let id = report["id"].as_str().expect("a name");
    let (code, shown) = show(&of.world, &[id]).await;
    assert_eq!((code, &shown["state"], &shown["id"]), (Some(0), &json!("Succeeded"), &json!(id)), "{shown}");
    assert!(told(&of.world, &[id]).await.contains("Succeeded"));
}

#[tokio::test]
async fn a_name_and_an_option_of_two_sources_are_refused() {
    let world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let output = world.cli(&["show", &format!("kv-a_{RUN}"), "--vault", "kv-b"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(2) && said.contains("The name says kv-a, and the option kv-b"),
        "{output:?}"
    );
}
