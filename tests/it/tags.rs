//! Tags that are too long for a blob's metadata, from the vault to a restore by tag.

use keyvault_backup_emulator::{FaultKind, Forbidden, Kind, Matcher, Operation, SecretSpec};
use serde_json::{Map, Value, json};

use crate::world::{BACKUPS, NIGHT, World};

/// Japanese letters in no order, of which so many differ.
fn letters(seed: u32, of: u32) -> String {
    let random = |seed: &u32| Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let letter = |random: u32| char::from_u32(0x4e00 + (random >> 8) % of).expect("a letter");
    std::iter::successors(Some(seed), random).skip(1).take(250).map(letter).collect()
}

fn owner(number: u32) -> String {
    format!("所有者-{number:02}")
}

/// A secret with as many tags as a vault takes, of 250 letters each but for the first.
pub fn tagged(team: &str, of: u32) -> SecretSpec {
    let spec = SecretSpec::new("a value").tag("team", team);
    (1..15).fold(spec, |spec, number| spec.tag(owner(number), letters(number, of)))
}

/// `packed` has tags that fit a record packed, `part` more than that, each of the team `core`; `other` is of another team.
async fn backed_up() -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("packed", tagged("core", 80));
    world.vault.put_secret("part", tagged("core", 20_000));
    world.vault.put_secret("other", tagged("web", 20_000));
    world.vault.put_secret("short", SecretSpec::new("a value").tag("team", "web"));
    world.night(NIGHT).await;
    world
}

impl World {
    /// The name of a tag that the record of `part` does not hold.
    fn left_out(&self) -> String {
        let kept = self.newest("kv-a").line("secret", "part")["entry"]["tags"].clone();
        (1..15).rev().map(owner).find(|key| kept[key].is_null()).expect("a tag that is left out")
    }

    /// Plans a restore of what has a tag into the other vault. Returns the exit code, and what the plan says of each object.
    async fn planned_by(&self, args: &[&str]) -> (i32, Vec<(String, String)>) {
        let (url, other) = (self.vault.url(), self.azure.vault("kv-b").url());
        let all = ["restore", "--vault", &url, "--into", &other, "--what-if", "--output", "json"];
        let output = self.cli(&[&all, args].concat()).await;
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let text = |of: &Value| of.as_str().expect("text").to_owned();
        let of = |list: &str, what: &'static str| {
            let list = shown[list].as_array().expect("a list").clone();
            list.into_iter().map(move |of| (text(&of["name"]), text(&of[what])))
        };
        let said = of("steps", "action").chain(of("left", "reason")).collect();
        (output.status.code().unwrap_or(-1), said)
    }
}

fn said(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, what)| ((*name).to_owned(), (*what).to_owned())).collect()
}

#[tokio::test]
async fn tags_that_fit_packed_are_all_there_and_a_selection_names_what_has_more() {
    let world = backed_up().await;
    let entry = |name| world.newest("kv-a").line("secret", name)["entry"].clone();
    let tags = |name| entry(name)["tags"].as_object().map(Map::len);
    assert_eq!((tags("packed"), &entry("packed")["tags_incomplete"]), (Some(15), &Value::Null));
    assert!(tags("part").is_some_and(|tags| tags < 15) && entry("part")["tags_incomplete"] == true);

    let by_team = world.planned_by(&["--tag", "team=core"]).await;
    assert_eq!(by_team, (0, said(&[("packed", "restore"), ("part", "restore")])), "a short tag is kept");
    let by_owner = format!("{}={}", owner(3), letters(3, 80));
    let (code, planned) = world.planned_by(&["--tag", &by_owner]).await;
    assert_eq!((code, &planned[0]), (0, &("packed".to_owned(), "restore".to_owned())), "{planned:?}");
    let left_out = world.left_out();
    let (code, planned) = world.planned_by(&["--tag", &format!("{left_out}=x")]).await;
    assert_eq!((code, planned), (2, said(&[("other", "tags-unknown"), ("part", "tags-unknown")])));
    let (code, planned) = world.planned_by(&["--tag", &format!("{left_out}=x"), "--tag", "team=core"]).await;
    assert_eq!((code, planned), (2, said(&[("part", "tags-unknown")])), "what is known contradicts");
}

#[tokio::test]
async fn what_has_more_tags_than_a_record_is_in_the_way_until_it_is_named() {
    let mut world = backed_up().await;
    let tags = json!({ world.left_out(): "x", "team": "core" });
    let wish = json!({ "source": "kv-a", "target": "kv-b", "tags": tags });
    let plan = world.plan(wish).await;
    let left = &plan["left"][0];
    assert_eq!(
        (&left["name"], &left["reason"], &left["skipped"]),
        (&json!("part"), &json!("tags-unknown"), &json!(false))
    );
    assert!(left["why"].as_str().is_some_and(|why| why.contains("name it and request no tags")), "{left}");
    assert_eq!((&plan["inTheWay"], &plan["foreseen"]), (&json!(1), &json!("Failed")));
    let named = json!([{ "kind": "secret", "name": "part" }]);
    let plan = world.plan(json!({ "source": "kv-a", "target": "kv-b", "objects": named })).await;
    assert_eq!(world.begin(&plan).await.json()["state"], "Succeeded");
    let tags = world.azure.vault("kv-b").snapshot().differences(&world.vault.snapshot());
    assert!(!tags.iter().any(|difference| difference.contains("part")), "{tags:?}");
}

#[tokio::test]
async fn a_manifest_with_packed_tags_is_made_again_byte_for_byte_and_carried_on() {
    let mut world = backed_up().await;
    let name = world.manifests("kv-a").remove(0);
    let stored = world.backups.blob(BACKUPS, &name).expect("it is stored").bytes;
    world.backups.delete_blob(BACKUPS, &name);
    let vault = world.vault.url();
    assert!(world.cli(&["rebuild", "--vault", &vault]).await.status.success());
    assert_eq!(world.backups.blob(BACKUPS, &name).expect("it is stored again").bytes, stored);
    let before = ["packed", "part"].map(|name| world.newest("kv-a").line("secret", name)["entry"].clone());
    world.night(NIGHT + time::Duration::DAY).await;
    for (name, before) in ["packed", "part"].into_iter().zip(before) {
        let manifest = world.newest("kv-a");
        assert_eq!(
            (manifest.fared("secret", name), &manifest.line("secret", name)["entry"]),
            ("unchanged", &before)
        );
    }
    let rebuilt = world.cli(&["rebuild", "--vault", &vault, "--output", "json"]).await;
    assert_eq!(String::from_utf8_lossy(&rebuilt.stdout).matches("\"sound\":true").count(), 2, "{rebuilt:?}");
}

#[tokio::test]
async fn a_selection_by_tag_names_what_never_had_a_backup_and_so_no_known_tags() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("db", SecretSpec::new("one").tag("team", "core"));
    world.vault.put_secret("refused", SecretSpec::new("two").tag("team", "core"));
    world
        .fault(Matcher::from(Operation::Backup).object("refused"), FaultKind::Forbidden(Forbidden::ByPolicy));
    world.night(NIGHT).await;
    let planned = world.planned_by(&["--tag", "team=core"]).await;
    assert_eq!(planned, (1, said(&[("db", "restore"), ("refused", "never-backed-up")])));
    let nothing = json!({ "source": "kv-a", "tags": { "team": "cor" } });
    let refused = world.post("/api/restores/plan", nothing).await;
    let detail = crate::api::problem(&refused, 422, "nothing-selected");
    assert!(detail.contains("team=core") && detail.contains("secret refused, but it never had"), "{detail}");
}

#[tokio::test]
async fn what_is_named_beside_what_leaves_it_out_is_told_so() {
    let world = backed_up().await;
    for args in [["--secret", "short", "--tag", "team=core"], ["--secret", "short", "--kind", "key"]] {
        let (code, planned) = world.planned_by(&args).await;
        assert_eq!((code, planned), (2, said(&[("short", "not-selected")])), "{args:?}");
    }
    assert!(world.vault.versions(Kind::Secret, "short").len() == 1);
}
