//! Much of a vault is gone at once: that is told, and stays told.

use keyvault_backup_emulator::{FaultKind, KeySpec, Kind, Matcher, Operation, SecretSpec};
use serde_json::{Value, json};

use crate::{
    checks::{assert_rebuilt, events},
    world::{NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;

/// A world with so many secrets, after its first night.
async fn backed_up(secrets: usize) -> World {
    let mut world = World::with_secrets(secrets).await;
    assert_eq!(world.night(NIGHT).await["verdict"], "Succeeded");
    world
}

/// Takes the secrets of these numbers out of the vault, for good.
fn remove(world: &World, numbers: std::ops::Range<usize>) {
    for number in numbers {
        assert!(world.vault.remove(Kind::Secret, &format!("secret-{number}")));
    }
}

fn put(world: &World, name: &str, numbers: std::ops::Range<usize>) {
    for number in numbers {
        world.vault.put_secret(&format!("{name}-{number}"), SecretSpec::new("value"));
    }
}

/// What a summary says of losses: verdict, gone, returned, and of each loss how, gone, of, and what is open of it.
fn told(summary: &Value) -> Value {
    let number = |name: &str| summary["numbers"][name].as_u64().unwrap_or(0);
    let losses = summary["losses"].as_array().cloned().unwrap_or_default();
    let loss = |loss: &Value| {
        let open = (&loss["still_gone"], loss["replaced"].as_u64().unwrap_or(0));
        json!([loss["how"], loss["gone"], loss["of"], open.0, open.1])
    };
    json!([
        summary["verdict"],
        number("gone"),
        number("returned"),
        losses.iter().map(loss).collect::<Vec<_>>()
    ])
}

#[tokio::test]
async fn a_vault_that_is_emptied_is_not_well_for_as_long_as_it_is() {
    let mut world = backed_up(8).await;
    world.vault.put_key("kept-to-the-end", KeySpec::ec("P-256"));
    world.night(NIGHT + DAY).await;
    remove(&world, 0..8);
    world.vault.remove(Kind::Key, "kept-to-the-end");
    let first = world.night(NIGHT + DAY * 2).await;
    assert_eq!(told(&first), json!(["PartiallyFailed", 9, 0, [["emptied", 9, 9, 9, 0]]]));
    let lines = world.handler_lines().await;
    assert_eq!((events(&lines, "loss.found"), events(&lines, "loss.open")), (1, 0));
    for night in 3..33 {
        let quiet = world.night(NIGHT + DAY * night).await;
        assert_eq!(
            told(&quiet),
            json!(["PartiallyFailed", 0, 0, [["emptied", 9, 9, 9, 0]]]),
            "night {night}"
        );
    }
    let lines = world.handler_lines().await;
    assert_eq!((events(&lines, "loss.found"), events(&lines, "loss.open")), (1, 30));

    let shown = world.cli(&["show", "20260120T020000Z-nightly", "--vault", &world.vault.url()]).await;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.status.code() == Some(1) && text.contains("found 9 of 9 objects gone; 9 still gone"),
        "{text}"
    );
    let runs = world.cli(&["list", "runs", "--vault", &world.vault.url()]).await;
    assert!(String::from_utf8_lossy(&runs.stdout).contains("GONE"), "{runs:?}");
    let last = world.ok("/api/status").await["sources"][0]["lastRun"].take();
    assert_eq!(
        last["losses"][0],
        json!({
            "run": "20260112T020000Z-nightly", "since": "2026-01-12T02:00:00Z", "how": "emptied",
            "of": 9, "gone": 9, "stillGone": 9, "replaced": 0,
        })
    );
    let run = world.ok("/api/backups/runs/20260112T020000Z-nightly").await["sources"][0].take();
    assert_eq!(
        (&run["numbers"]["gone"], &run["numbers"]["returned"], &run["state"]),
        (&json!(9), &json!(0), &json!("PartiallyFailed"))
    );
    assert_rebuilt(&world).await;
}

#[tokio::test]
async fn empty_lists_are_a_vault_that_is_emptied_until_they_are_not() {
    let mut world = backed_up(6).await;
    let empty =
        || FaultKind::Body { status: 200, content_type: "application/json", body: r#"{"value":[]}"#.into() };
    for list in [Operation::ListSecrets, Operation::ListKeys, Operation::ListCertificates] {
        world.fault(list, empty());
    }
    let summary = world.night(NIGHT + DAY).await;
    assert_eq!(told(&summary), json!(["PartiallyFailed", 6, 0, [["emptied", 6, 6, 6, 0]]]));
    world.azure.faults().clear();
    let summary = world.night(NIGHT + DAY * 2).await;
    assert_eq!(told(&summary), json!(["Succeeded", 0, 6, []]));
    assert_rebuilt(&world).await;
}

#[tokio::test]
async fn a_vault_that_is_made_anew_is_told_from_one_that_is_emptied() {
    let mut world = backed_up(6).await;
    remove(&world, 0..6);
    put(&world, "other", 0..4);
    let summary = world.night(NIGHT + DAY).await;
    assert_eq!(told(&summary), json!(["PartiallyFailed", 6, 0, [["replaced", 6, 6, 6, 0]]]));
    assert_rebuilt(&world).await;
}

#[tokio::test]
async fn a_vault_that_is_made_anew_with_the_old_names_is_a_loss_although_nothing_is_gone() {
    let mut world = backed_up(6).await;
    remove(&world, 0..6);
    put(&world, "secret", 0..6);
    // One of them cannot be backed up tonight, and says nothing.
    world.fault(Matcher::from(Operation::Backup).object("secret-5"), FaultKind::Status(400));
    let anew = json!(["PartiallyFailed", 0, 0, [["replaced", 0, 6, 0, 5]]]);
    assert_eq!(told(&world.night(NIGHT + DAY).await), anew);
    world.azure.faults().clear();
    for night in 2..12 {
        assert_eq!(told(&world.night(NIGHT + DAY * night).await), anew, "night {night}");
    }
    assert_rebuilt(&world).await;
}

#[tokio::test]
async fn objects_that_stay_the_same_or_grow_are_no_new_vault() {
    let mut world = backed_up(1).await;
    world.vault.put_secret("secret-0", SecretSpec::new("rotated"));
    let quiet = json!(["Succeeded", 0, 0, []]);
    assert_eq!(told(&world.night(NIGHT + DAY).await), quiet, "a vault of one, rotated");
    world.vault.update(Kind::Secret, "secret-0", |of| drop(of.tags.insert("a".into(), "b".into())));
    assert_eq!(told(&world.night(NIGHT + DAY * 2).await), quiet, "and tagged");
    // A full pass backs it up although nothing changed.
    assert_eq!(told(&world.night(NIGHT + DAY * 7).await), quiet);
}

#[tokio::test]
async fn how_much_may_be_gone() {
    let mut world = backed_up(100).await;
    remove(&world, 0..19);
    assert_eq!(told(&world.night(NIGHT + DAY).await), json!(["Succeeded", 19, 0, []]));
    // 20 of the 81 that were left, in the light of a larger share.
    world.set("KEYVAULT_BACKUP_GONE_SHARE", "25");
    world.restart_with_settings().await;
    remove(&world, 19..39);
    assert_eq!(told(&world.night(NIGHT + DAY * 2).await), json!(["Succeeded", 20, 0, []]));
    remove(&world, 39..59);
    let told_of = told(&world.night(NIGHT + DAY * 3).await);
    assert_eq!(told_of, json!(["PartiallyFailed", 20, 0, [["part", 20, 61, 20, 0]]]));
    assert_rebuilt(&world).await;

    let mut world = backed_up(100).await;
    remove(&world, 0..25);
    let told_of = told(&world.night(NIGHT + DAY).await);
    assert_eq!(told_of, json!(["PartiallyFailed", 25, 0, [["part", 25, 100, 25, 0]]]));
}

#[tokio::test]
async fn a_small_vault_may_lose_all_but_one_and_a_small_kind_of_a_large_one_may_not() {
    let mut world = backed_up(3).await;
    remove(&world, 0..2);
    assert_eq!(told(&world.night(NIGHT + DAY).await), json!(["Succeeded", 2, 0, []]));
    remove(&world, 2..3);
    let last = json!(["PartiallyFailed", 1, 0, [["emptied", 1, 1, 1, 0]]]);
    assert_eq!(told(&world.night(NIGHT + DAY * 2).await), last);

    let mut world = World::with_secrets(60).await;
    for number in 0..6 {
        world.vault.put_key(&format!("key-{number}"), KeySpec::ec("P-256"));
    }
    world.night(NIGHT).await;
    for number in 0..5 {
        world.vault.remove(Kind::Key, &format!("key-{number}"));
    }
    let summary = world.night(NIGHT + DAY).await;
    assert_eq!(told(&summary), json!(["PartiallyFailed", 5, 0, [["part", 5, 6, 5, 0]]]));
    assert_eq!(summary["losses"][0]["kind"], "key");
}

/// One of them comes back by a restore and is backed up on demand, one as another object; the rest are restored.
#[tokio::test]
async fn a_loss_ends_when_the_very_objects_are_back() {
    for remade in [false, true] {
        let mut world = backed_up(6).await;
        let blobs: Vec<_> = (0..6)
            .map(|number| world.vault.backup(Kind::Secret, &format!("secret-{number}")).expect("a backup"))
            .collect();
        remove(&world, 0..6);
        // An HTTP request goes by the real time, and comes after the night.
        let night = world.today() - time::Duration::HOUR;
        assert_eq!(
            told(&world.night(night).await),
            json!(["PartiallyFailed", 6, 0, [["emptied", 6, 6, 6, 0]]])
        );

        let vault = world.vault.clone();
        let bring_back = |number: usize| drop(vault.restore(&blobs[number]).expect("it is restored"));
        if remade {
            put(&world, "secret", 0..1);
        } else {
            bring_back(0);
        }
        let body = json!({ "vault": "kv-a", "objects": [{ "kind": "secret", "name": "secret-0" }] });
        assert_eq!(world.post("/api/backups", body).await.status, 200);
        bring_back(1);
        let left = if remade { json!([["emptied", 6, 6, 4, 1]]) } else { json!([["emptied", 6, 6, 4, 0]]) };
        assert_eq!(told(&world.night(night + DAY).await), json!(["PartiallyFailed", 0, 2, left]), "{remade}");

        (2..6).for_each(bring_back);
        let left = if remade {
            json!(["PartiallyFailed", 0, 4, [["emptied", 6, 6, 0, 1]]])
        } else {
            json!(["Succeeded", 0, 4, []])
        };
        assert_eq!(told(&world.night(night + DAY * 2).await), left, "{remade}");
        assert_rebuilt(&world).await;
    }
}

/// What returned may be the object of before or another one: until a backup tells, it is not back.
#[tokio::test]
async fn what_returned_and_could_not_be_backed_up_is_not_back_yet() {
    let mut world = backed_up(6).await;
    let blob = world.vault.backup(Kind::Secret, "secret-0").expect("a backup");
    remove(&world, 0..6);
    let lost = json!(["PartiallyFailed", 6, 0, [["emptied", 6, 6, 6, 0]]]);
    assert_eq!(told(&world.night(NIGHT + DAY).await), lost);
    world.vault.restore(&blob).expect("it is restored");
    world.vault.update(Kind::Secret, "secret-0", |of| drop(of.tags.insert("a".into(), "b".into())));
    put(&world, "secret", 1..2);
    world.fault(Matcher::from(Operation::Backup), FaultKind::Status(400));
    let night = told(&world.night(NIGHT + DAY * 2).await);
    assert_eq!(night, json!(["Failed", 0, 2, [["emptied", 6, 6, 6, 0]]]), "neither is known to be back");
    let night = told(&world.night(NIGHT + DAY * 3).await);
    assert_eq!(night, json!(["Failed", 0, 0, [["emptied", 6, 6, 6, 0]]]), "both are counted once");
    world.azure.faults().clear();
    let told_of = json!(["PartiallyFailed", 0, 0, [["emptied", 6, 6, 4, 1]]]);
    assert_eq!(told(&world.night(NIGHT + DAY * 4).await), told_of);
    assert_rebuilt(&world).await;
}

#[tokio::test]
async fn a_loss_outlives_the_manifest_that_first_told_of_it() {
    let mut world = backed_up(6).await;
    remove(&world, 0..6);
    let lost = json!(["emptied", 6, 6, 6, 0]);
    assert_eq!(told(&world.night(NIGHT + DAY).await)[3], json!([lost]));
    world.ruin_newest("kv-a");
    // The index is that of the first night, from which they are gone anew.
    let night = told(&world.night(NIGHT + DAY * 2).await);
    assert_eq!(night, json!(["PartiallyFailed", 6, 0, [lost, lost]]));
    let losses = world.newest("kv-a").summary["losses"].clone();
    let runs = [&losses[0]["run"], &losses[1]["run"]];
    assert_eq!(runs, ["20260111T020000Z-nightly", "20260112T020000Z-nightly"]);
    assert_eq!(told(&world.night(NIGHT + DAY * 3).await), json!(["PartiallyFailed", 0, 0, [lost, lost]]));
}

#[tokio::test]
async fn a_loss_outlives_the_index_that_is_lost_while_a_run_is_open() {
    let mut world = backed_up(6).await;
    remove(&world, 0..6);
    let lost = json!(["emptied", 6, 6, 6, 0]);
    assert_eq!(told(&world.night(NIGHT + DAY).await)[3], json!([lost]));
    put(&world, "other", 0..1);
    world.fire(NIGHT + DAY * 2).await;
    world.ruin_newest("kv-a");
    world.settle().await;
    assert_eq!(told(&world.newest("kv-a").summary), json!(["PartiallyFailed", 0, 0, [lost]]));
    let lines = world.newest("kv-a").lines.len();
    assert_eq!(lines, 1, "it closes without what was gone");
    assert_eq!(told(&world.night(NIGHT + DAY * 3).await), json!(["PartiallyFailed", 0, 0, [lost]]));
}
