//! Lists: pages that hold everything exactly once, and filters.

use std::collections::BTreeSet;

use keyvault_backup_emulator::{FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec};
use serde_json::{Value, json};

use super::problem;
use crate::{
    hsm_world::HsmWorld,
    world::{NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;

impl World {
    /// Every item of a list, page by page; `items` finds those of a page. No page has more than `limit`.
    async fn pages(
        &mut self,
        path: &str,
        limit: usize,
        items: impl Fn(&Value) -> Vec<String>,
    ) -> Vec<String> {
        let (mut all, mut after) = (Vec::new(), String::new());
        let ask = if path.contains('?') { '&' } else { '?' };
        for _ in 0..50 {
            let page = self.ok(&format!("{path}{ask}limit={limit}{after}")).await;
            let found = items(&page);
            assert!(found.len() <= limit, "{page}");
            all.extend(found);
            let Some(token) = page["continue"].as_str() else { return all };
            after = format!("&continue={token}");
        }
        panic!("{path} does not end: {all:?}");
    }
}

/// These fields of each item of a list.
fn fields(list: &Value, of: &[&str]) -> Vec<String> {
    let items = list.as_array().expect("a list").iter();
    items.map(|item| of.iter().map(|name| item[name].to_string()).collect::<Vec<_>>().join("/")).collect()
}

/// Three vaults, three nights; `kv-b` fails in the second one, and has so many failing objects.
async fn three_nights(failing: usize) -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b", "kv-c"]).await;
    world.vault.put_secret("a", SecretSpec::new("value"));
    for number in 0..failing {
        world.azure.vault("kv-b").put_secret(&format!("b-{number}"), SecretSpec::new("value"));
    }
    world.azure.vault("kv-c").put_secret("c", SecretSpec::new("value"));
    for night in 0..3_i32 {
        world.azure.faults().clear();
        if night == 1 {
            for number in 0..failing {
                world.azure.vault("kv-b").put_secret(&format!("b-{number}"), SecretSpec::new("changed"));
            }
            let refused = Matcher::from(Operation::Backup).host("kv-b");
            world.fault(refused, FaultKind::Forbidden(Forbidden::ByPolicy));
        }
        world.night(NIGHT + DAY * night).await;
    }
    world
}

#[tokio::test]
async fn pages_of_runs_hold_every_run_exactly_once_newest_first() {
    let mut world = three_nights(1).await;
    let runs = |page: &Value| fields(&page["runs"], &["run", "source"]);
    let whole = runs(&world.ok("/api/backups/runs").await);
    assert_eq!((whole.len(), whole.iter().collect::<BTreeSet<_>>().len()), (9, 9), "{whole:?}");
    for limit in [1, 2, 9] {
        assert_eq!(world.pages("/api/backups/runs", limit, runs).await, whole, "{limit} at once");
    }
    let newest: Vec<_> = whole.iter().map(|run| run[1..9].to_owned()).collect();
    assert_eq!(newest[..3], ["20260112"; 3]);
    assert_eq!(newest[6..], ["20260110"; 3]);
}

#[tokio::test]
async fn runs_are_filtered_by_source_state_and_time() {
    let mut world = three_nights(1).await;
    let since = "since=2026-01-11T00:00:00Z";
    for (filter, expected) in [
        ("state=Failed".to_owned(), 1),
        ("state=Succeeded".to_owned(), 8),
        ("state=Running".to_owned(), 0),
        ("source=kv-b&state=Succeeded".to_owned(), 2),
        (since.to_owned(), 6),
        (format!("{since}&source=https://kv-b.vault.azure.net"), 2),
        (format!("{since}&state=Succeeded"), 5),
        ("since=2026-02-01T00:00:00Z".to_owned(), 0),
    ] {
        let runs = |page: &Value| fields(&page["runs"], &["run", "source"]);
        let found = world.pages(&format!("/api/backups/runs?{filter}"), 2, runs).await;
        assert_eq!(found.len(), expected, "{filter}: {found:?}");
    }
}

#[tokio::test]
async fn the_objects_of_a_run_and_of_a_job_come_in_pages() {
    let mut world = three_nights(5).await;
    let run = "20260111T020000Z-nightly";
    let of_run = |page: &Value| {
        let sources = page["sources"].as_array().expect("a list").iter();
        sources.flat_map(|of| fields(&of["objects"], &["name", "fared"])).collect()
    };
    let expected: Vec<_> = (0..5).map(|number| format!("\"b-{number}\"/\"failed\"")).collect();
    for limit in [2, 5, 100] {
        let found = world.pages(&format!("/api/backups/runs/{run}"), limit, of_run).await;
        assert_eq!(found, expected, "{limit} at once");
    }
    let first = world.ok(&format!("/api/backups/runs/{run}?limit=1")).await;
    let failures = &first["sources"][1]["failures"];
    assert_eq!((first["sources"].as_array().map(Vec::len), &failures[0]["objects"]), (Some(3), &json!(5)));
    let of_job = |page: &Value| fields(&page["objects"], &["name", "fared"]);
    assert_eq!(world.pages(&format!("/api/status/jobs/kv-b_{run}"), 2, of_job).await, expected);
}

#[tokio::test]
async fn the_backups_of_an_object_come_in_pages() {
    let mut world = World::with_secrets(1).await;
    for night in 0..3_i32 {
        world.vault.put_secret("secret-0", SecretSpec::new(format!("value {night}")));
        world.night(NIGHT + DAY * night).await;
    }
    let path = "/api/backups/kv-a/secret/secret-0";
    let backups = |page: &Value| fields(&page["backups"], &["run"]);
    let whole = backups(&world.ok(path).await);
    assert_eq!(whole.len(), 3);
    assert_eq!(world.pages(path, 1, backups).await, whole);
    assert_eq!(world.pages(path, 2, backups).await, whole);

    let reach = |of: &Value| [of["earliestRestorable"].clone(), of["newestRestorable"].clone()];
    let (object, list) = (world.ok(path).await, world.ok("/api/backups?limit=1").await);
    let status = world.ok("/api/status").await;
    let expected = reach(&status["sources"][0]);
    assert!(expected[0].as_str() < expected[1].as_str() && expected[0].is_string(), "{expected:?}");
    assert_eq!((reach(&object), reach(&list["sources"][0])), (expected.clone(), expected));
    let next = world.ok("/api/backups?continue=1~kv-a~secret~a").await;
    assert_eq!(next["sources"], json!([]), "on the first page alone");
    assert_eq!(
        (&list["sources"][0]["source"], &list["sources"][0]["kind"]),
        (&json!("kv-a"), &json!("vault"))
    );
}

/// Two objects that are restored and three that are left out, in every order of the two lists.
#[tokio::test]
async fn what_a_restore_left_out_comes_in_pages_with_its_objects() {
    let mut world = World::with_secrets(5).await;
    world.night(NIGHT).await;
    world.today();
    for name in ["secret-1", "secret-4"] {
        world.vault.remove(Kind::Secret, name);
    }
    let wish = json!({ "source": "kv-a", "everything": true, "onConflict": "skip" });
    plan_in_pages(&mut world, &wish).await;
    let report = world.restored(wish).await;
    let path = format!("/api/restores/{}", report["id"].as_str().expect("a name"));
    let both =
        |page: &Value| [fields(&page["objects"], &["name"]), fields(&page["left"], &["name"])].concat();
    assert_eq!(
        (fields(&report["objects"], &["name"]).len(), fields(&report["left"], &["name"]).len()),
        (2, 3)
    );
    for limit in [1, 2, 5] {
        let paged = world.pages(&path, limit, both).await;
        assert_eq!(
            (paged.len(), paged.iter().collect::<BTreeSet<_>>()),
            (5, both(&report).iter().collect()),
            "{limit} at once"
        );
    }
}

/// Each page has the numbers and the digest of the whole plan.
async fn plan_in_pages(world: &mut World, wish: &Value) {
    let names = |of: &Value| [fields(&of["steps"], &["name"]), fields(&of["left"], &["name"])].concat();
    let numbers =
        |of: &Value| ["digest", "restores", "alreadyThere", "foreseen"].map(|name| of[name].clone());
    let whole = world.plan(wish.clone()).await;
    assert_eq!((names(&whole).len(), &whole["restores"], &whole["continue"]), (5, &json!(2), &Value::Null));
    for limit in [1, 2, 5] {
        let (mut paged, mut after) = (Vec::new(), Some(String::new()));
        while let Some(token) = after {
            let path = format!("/api/restores/plan?limit={limit}{token}");
            let page = world.post(&path, wish.clone()).await.json();
            assert_eq!((numbers(&page), names(&page).len() <= limit), (numbers(&whole), true), "{page}");
            paged.extend(names(&page));
            after = page["continue"].as_str().map(|token| format!("&continue={token}"));
        }
        assert_eq!(paged.len(), 5, "{limit} at once: {paged:?}");
        assert_eq!(paged.iter().collect::<BTreeSet<_>>(), names(&whole).iter().collect());
    }
}

#[tokio::test]
async fn restores_are_filtered_and_paged() {
    let mut of = HsmWorld::backed_up().await;
    of.world.night(NIGHT).await;
    of.world.today();
    of.lose("signing");
    of.restored(json!({ "source": "hsm-a", "scope": "hsm", "keys": ["signing"] })).await;
    for _ in 0..2 {
        let plan = of.world.plan(json!({ "source": "kv-a", "everything": true, "onConflict": "skip" })).await;
        assert_eq!(of.world.begin(&plan).await.status, 200);
    }
    let ids = |page: &Value| fields(&page["restores"], &["id"]);
    let whole = ids(&of.world.ok("/api/restores").await);
    assert_eq!(whole.len(), 3);
    for (filter, expected) in [
        ("source=kv-a", 2),
        ("target=hsm-a", 1),
        ("source=kv-a&target=hsm-a", 0),
        ("state=Succeeded", 3),
        ("state=Running", 0),
        ("since=2020-01-01T00:00:00Z", 3),
        ("since=2100-01-01T00:00:00Z", 0),
    ] {
        let found = of.world.pages(&format!("/api/restores?{filter}"), 1, ids).await;
        assert_eq!(found.len(), expected, "{filter}: {found:?}");
    }
    assert_eq!(of.world.pages("/api/restores", 2, ids).await, whole);
}

#[tokio::test]
async fn the_keys_of_a_restore_come_in_pages() {
    let mut of = HsmWorld::new().await;
    for name in ["other", "third"] {
        of.hsm.put_key(name, KeySpec::rsa(2048));
    }
    of.fire().await;
    of.settle().await;
    of.world.today();
    for name in ["other", "signing", "third"] {
        of.lose(name);
    }
    let wish = json!({ "source": "hsm-a", "scope": "hsm", "keys": ["other", "signing", "third"] });
    let (_, restore) = of.restored(wish).await;
    let id = restore["id"].as_str().expect("a name").to_owned();
    let keys = |page: &Value| fields(&page["keys"], &["name"]);
    for path in [format!("/api/restores/{id}"), format!("/api/status/jobs/{id}")] {
        let whole = keys(&of.world.ok(&path).await);
        assert_eq!(whole.len(), 3, "{restore}");
        assert_eq!(of.world.pages(&path, 1, keys).await, whole, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_filter_is_named_with_what_is_expected() {
    let mut world = World::new().await;
    for (query, named) in [
        ("backups/runs?state=Broken", "`state`: expected one of `Running`, `Succeeded`"),
        ("backups/runs?since=yesterday", "`since`: expected a time such as"),
        ("backups/runs?source=a/b", "`source`: expected 3 to 24"),
        ("backups/runs?continue=x", "`continue`: expected `continue` of the previous answer"),
        ("backups/runs?target=kv-a", "unknown field `target`"),
        ("backups/runs/20260110T020000Z-nightly?continue=x", "`continue`: expected"),
        ("backups/kv-a/secret/x?continue=x", "`continue`: expected"),
        ("backups/kv-a/secret/x?limit=0", "`limit`: expected a whole number"),
        ("restores?state=running", "`state`: expected one of `Running`"),
        ("restores?target=https://kv-a.example.org", "`target`: expected https://NAME.vault.azure.net"),
        ("restores/20260110T020000Z-restore-00000000?continue=x", "`continue`: expected"),
        ("status/jobs/kv-a_20260110T020000Z-nightly?continue=x", "`continue`: expected"),
    ] {
        let detail = problem(&world.get(&format!("/api/{query}")).await, 400, "invalid-parameter");
        assert!(detail.contains(named), "{query}: {detail}");
    }
    problem(&world.get("/api/restores?target=kv-z").await, 404, "unknown-source");
}
