//! Floods: 64 requests at once by one right. What begins is on the trail, nobody has more open than one may have, and the
//! other rights do not notice.

use std::time::{Duration, Instant};

use futures::future::join_all;
use keyvault_backup_emulator::{
    FaultKind, Kind, SecretSpec,
    host::{Host, HttpAnswer},
};
use serde_json::{Value, json};

use crate::{
    api::problem,
    hsm_restores::keys,
    hsm_world::HsmWorld,
    trail::writes_of,
    world::{NIGHT, World},
};

const FLOOD: usize = 64;

/// Posts for the holder of a key.
async fn post(host: &Host, key: &str, path: &str, body: &Value) -> HttpAnswer {
    let headers = [("content-type", "application/json"), ("x-functions-key", key)];
    host.http("POST", path, &headers, body.to_string()).await
}

/// Posts 64 times at once with the function's own key.
async fn flood(host: &Host, function: &str, path: &str, body: &Value) -> Vec<HttpAnswer> {
    let key = host.key(function);
    join_all((0..FLOOD).map(|_| post(host, &key, path, body))).await
}

fn with_status(answers: &[HttpAnswer], status: u16) -> Vec<&HttpAnswer> {
    answers.iter().filter(|answer| answer.status == status).collect()
}

/// Two vaults that were backed up; it is today, and a secret of the first is lost.
async fn backed_up() -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    for name in ["lost", "kept"] {
        world.vault.put_secret(name, SecretSpec::new("value"));
    }
    world.night(NIGHT).await;
    world.today();
    lose(&world);
    world
}

fn lose(world: &World) {
    world.vault.delete(Kind::Secret, "lost").expect("it is deleted");
    world.vault.purge(Kind::Secret, "lost").expect("it is purged");
}

fn back_up() -> Value {
    json!({ "vault": "kv-a" })
}

fn lost() -> Value {
    json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "lost" }] })
}

impl World {
    /// What is on the trail of an event, in order.
    async fn told_of(&self, event: &str) -> Vec<String> {
        let told = self.told().await.into_iter().filter(|(of, _)| of == event);
        let mut told: Vec<_> = told.map(|(_, subject)| subject).collect();
        told.sort();
        told
    }

    /// Restores the lost secret, and loses it again. Returns how long the answers took, the longest first.
    async fn restore_lost(&mut self) -> Duration {
        let began = Instant::now();
        let plan = self.plan(lost()).await;
        let answer = self.begin(&plan).await;
        assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("Succeeded")), "{}", answer.text());
        let took = began.elapsed();
        lose(self);
        took
    }
}

#[tokio::test]
async fn of_a_flood_of_backups_as_many_begin_as_may_and_each_is_on_the_trail() {
    let mut world = backed_up().await;
    let host = world.host().await;
    let answers = flood(&host, "Backups", "/api/backups", &back_up()).await;
    let begun: Vec<_> = with_status(&answers, 202);
    assert_eq!(begun.len(), 32, "as many as one caller may have open");
    for refused in with_status(&answers, 429) {
        let detail = problem(refused, 429, "too-many-open");
        assert!(detail.contains("has 32 open backups, and may have 32"), "{detail}");
        let next = refused.json()["next"].as_str().expect("a text").to_owned();
        assert!(next.contains("KEYVAULT_BACKUP_MOST_OPEN_BACKUPS"), "{next}");
        assert_eq!(refused.header("retry-after"), Some("60"));
    }
    assert_eq!(begun.len() + with_status(&answers, 429).len(), FLOOD);
    let mut runs: Vec<_> =
        begun.iter().filter_map(|of| Some(of.json()["run"].as_str()?.to_owned())).collect();
    runs.sort();
    let mut open: Vec<_> =
        world.open_records().iter().filter_map(|name| Some(name.rsplit_once('/')?.1.to_owned())).collect();
    open.sort();
    assert_eq!((&world.told_of("backup-requested").await, &open), (&runs, &runs));
    world.assert_trail_is_whole().await;
    world.settle().await;
    assert_eq!(world.post("/api/backups", back_up()).await.status, 202, "and may again");
}

#[tokio::test]
async fn a_caller_at_its_bound_is_a_finding_and_no_other_caller_is_refused() {
    let mut world = backed_up().await;
    world.set("KEYVAULT_BACKUP_MOST_OPEN_BACKUPS", "2");
    world.restart_with_settings().await;
    let host = world.host().await;
    flood(&host, "Backups", "/api/backups", &back_up()).await;
    let at_bound = world.ok("/api/status").await["atBound"].take();
    assert_eq!(
        (at_bound[0]["what"].as_str(), &at_bound[0]["open"]),
        (Some("backups"), &json!(2)),
        "{at_bound}"
    );
    let preflight = world.ok("/api/status/preflight").await;
    let found =
        preflight["findings"].as_array().expect("a list").iter().find(|of| of["name"] == "too-many-open");
    assert!(found.is_some_and(|of| of["subject"].as_str().is_some_and(|who| who.contains("function key"))));
    let other = post(&host, &host.master_key(), "/api/backups", &back_up()).await;
    assert_eq!(other.status, 202, "{}", other.text());
    let args = ["backup", "--vault", &world.vault.url(), "--secret", "kept"];
    assert_eq!(world.cli(&args).await.status.code(), Some(0), "a person at a terminal has no bound");
    world.settle().await;
    assert_eq!(world.ok("/api/status").await["atBound"], json!([]));
}

#[tokio::test]
async fn of_a_flood_of_restores_each_that_begins_is_on_the_trail_and_the_vault_is_free_after_it() {
    let mut world = backed_up().await;
    let plan = world.plan(lost()).await;
    let host = world.host().await;
    let answers = flood(&host, "Restores", "/api/restores", &json!({ "plan": plan["digest"] })).await;
    let begun = with_status(&answers, 200);
    assert!(!begun.is_empty(), "{:?}", answers[0]);
    let mut begun: Vec<_> =
        begun.iter().filter_map(|of| Some(of.json()["id"].as_str()?.to_owned())).collect();
    begun.sort();
    // 503 is for one that came while the vault was given free: it may try again.
    let strange = answers.iter().find(|of| ![200, 409, 503].contains(&of.status));
    assert!(strange.is_none(), "others find the vault taken, or changed: {strange:?}");
    assert_eq!(world.told_of("restore-started").await, begun);
    assert_eq!((world.told_of("restore-ended").await, world.open_restores()), (begun, vec![]));
    world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn a_caller_may_have_so_many_restores_open_and_a_repeated_request_finds_its_own() {
    let mut of = HsmWorld::backed_up().await;
    of.world.set("KEYVAULT_BACKUP_MOST_OPEN_RESTORES", "1");
    of.world.restart_with_settings().await;
    of.lose("signing");
    let hsm = of.world.plan(keys(&["signing"])).await;
    let first = of.world.begin_under(&hsm, "ticket").await;
    assert_eq!(first.status, 202, "{}", first.text());
    let again = of.world.begin_under(&hsm, "ticket").await;
    assert_eq!((again.status, &again.json()["id"]), (202, &first.json()["id"]));
    of.world.vault.put_secret("lost", SecretSpec::new("value"));
    let output = of.world.cli(&["backup", "--vault", &of.world.vault.url()]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    lose(&of.world);
    let vault = of.world.plan(lost()).await;
    let detail = problem(&of.world.begin_under(&vault, "other").await, 429, "too-many-open");
    assert!(detail.contains("has 1 open restore, and may have 1"), "{detail}");
    assert_eq!(of.followed(&first).await["state"], "Succeeded");
    assert_eq!(of.world.see_through(&vault, "other").await["state"], "Succeeded");
    of.world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn of_a_flood_of_backups_of_an_hsm_as_many_begin_as_may() {
    let mut of = HsmWorld::new().await;
    of.world.today();
    of.world.set("KEYVAULT_BACKUP_MOST_OPEN_BACKUPS", "3");
    let host = of.world.host().await;
    let answers = flood(&host, "Backups", "/api/backups", &json!({ "hsm": "hsm-a" })).await;
    assert_eq!((with_status(&answers, 202).len(), with_status(&answers, 429).len()), (3, FLOOD - 3));
    assert_eq!((of.open().len(), of.world.told_of("hsm-backup-requested").await.len()), (3, 3));
    problem(&of.world.post("/api/backups", back_up()).await, 429, "too-many-open");
    of.world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn while_one_right_cannot_write_its_trail_the_others_work() {
    let mut world = backed_up().await;
    let host = world.host().await;
    // The first use of each right finds the sections before it.
    world.restore_lost().await;
    world.fault(writes_of("audit/backup/"), FaultKind::Hang);
    let work = async {
        world.restore_lost().await;
        assert_eq!(world.get("/api/backups").await.status, 200);
    };
    let order = back_up();
    tokio::select! {
        answers = flood(&host, "Backups", "/api/backups", &order) => panic!("{:?}", answers[0]),
        () = work => {}
    }
    assert!(world.told_of("backup-requested").await.is_empty());
}

#[tokio::test]
async fn while_one_right_is_flooded_the_others_get_their_share() {
    let mut world = backed_up().await;
    world.set("KEYVAULT_BACKUP_MOST_OPEN_BACKUPS", "64");
    world.restart_with_settings().await;
    let host = world.host().await;
    world.restore_lost().await;
    let usual = world.restore_lost().await;
    let order = back_up();
    let (answers, flooded) =
        futures::join!(flood(&host, "Backups", "/api/backups", &order), world.restore_lost());
    assert_eq!(with_status(&answers, 202).len(), FLOOD);
    let share = usual * u32::try_from(2 * FLOOD).expect("a small number");
    assert!(flooded < share, "alone {usual:?}, among {FLOOD} others {flooded:?}");
    world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn a_flood_of_restores_does_not_hold_up_a_backup() {
    let mut world = backed_up().await;
    let plan = world.plan(lost()).await;
    let host = world.host().await;
    let timed = async |world: &mut World| {
        let began = Instant::now();
        let answer = world.post("/api/backups", json!({ "vault": "kv-b" })).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        began.elapsed()
    };
    timed(&mut world).await;
    let usual = timed(&mut world).await;
    let restores = json!({ "plan": plan["digest"] });
    let (_, flooded) =
        futures::join!(flood(&host, "Restores", "/api/restores", &restores), timed(&mut world));
    let share = usual * u32::try_from(2 * FLOOD).expect("a small number");
    assert!(flooded < share, "alone {usual:?}, among {FLOOD} others {flooded:?}");
    world.assert_trail_is_whole().await;
}
