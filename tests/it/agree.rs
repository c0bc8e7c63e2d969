//! Each list in its formats: one result, so JSON, TSV and the table agree.

use std::collections::BTreeSet;

use keyvault_backup_emulator::{FaultKind, Forbidden, KeySpec, Kind, SecretSpec};
use serde_json::Value;
use time::Duration;

use crate::{
    faults::backup_of,
    world::{NIGHT, World},
};

/// What a command printed in one format. It may tell of trouble by its exit code, but not fail.
async fn printed(world: &World, args: &[&str], format: &str) -> String {
    let output = world.cli(&[args, &["-o", format]].concat()).await;
    assert!(
        output.stderr.is_empty() && output.status.code().is_some_and(|code| code < 2),
        "{args:?}: {output:?}"
    );
    String::from_utf8(output.stdout).expect("it is text")
}

/// A list as lines with tabs: the names of the columns, and the rows.
fn parsed(tsv: &str) -> (Vec<&str>, Vec<Vec<&str>>) {
    let mut lines = tsv.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let rows: Vec<_> = lines.collect();
    for row in &rows {
        assert_eq!(row.len(), header.len(), "each row has each column: {tsv}");
    }
    (header, rows)
}

/// The values of one column.
fn column<'a>(tsv: &'a str, name: &str) -> Vec<&'a str> {
    let (header, rows) = parsed(tsv);
    let at = header.iter().position(|column| *column == name);
    let at = at.unwrap_or_else(|| panic!("there is a column {name}: {header:?}"));
    rows.iter().map(|row| row[at]).collect()
}

/// A field of each item of a list in JSON, as text.
fn field(json: &Value, list: &str, pointer: &str) -> Vec<String> {
    let text = |of: &Value| match of.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    json[list].as_array().unwrap_or_else(|| panic!("{list} is a list: {json}")).iter().map(text).collect()
}

/// Compares a command's formats: each pair names a column and where JSON has its value. Returns the number of rows.
async fn agree(world: &World, args: &[&str], list: &str, pairs: &[(&str, &str)]) -> usize {
    let json: Value = serde_json::from_str(&printed(world, args, "json").await).expect("it is JSON");
    let (tsv, table) = (printed(world, args, "tsv").await, printed(world, args, "table").await);
    for (name, pointer) in pairs {
        assert_eq!(column(&tsv, name), field(&json, list, pointer), "{args:?}: {name}");
    }
    let first = pairs.first().map(|(name, _)| *name).expect("there is a pair");
    for value in column(&tsv, first) {
        assert!(table.contains(value), "{args:?}: {value} is in the table: {table}");
    }
    parsed(&tsv).1.len()
}

/// A vault in its third night, with objects in every state, a restore, and what people decided.
async fn lived_in() -> World {
    let mut world = World::with_secrets(4).await;
    world.vault.put_key("signing", KeySpec::rsa(2048));
    world.fault(backup_of("secret-0"), FaultKind::Forbidden(Forbidden::ByPolicy));
    world.night(NIGHT).await;
    world.vault.remove(Kind::Secret, "secret-1");
    world.vault.put_secret("secret-2", SecretSpec::new("another"));
    for night in 1..3 {
        world.night(NIGHT + Duration::DAY * night).await;
    }
    world
}

#[tokio::test]
async fn the_objects_of_a_vault() {
    let world = lived_in().await;
    let objects = ["list", "objects", "--vault", "kv-a"];
    let pairs = [
        ("name", "/name"),
        ("kind", "/kind"),
        ("run", "/backup/run"),
        ("sha-256", "/backup/sha256"),
        ("size", "/backup/bytes"),
        ("versions", "/backup/versions"),
    ];
    for (more, rows) in [
        (&[][..], 5),
        (&["--failing"], 1),
        (&["--gone"], 1),
        (&["--failing", "--gone"], 2),
        (&["--kind", "key"], 1),
    ] {
        assert_eq!(agree(&world, &[&objects[..], more].concat(), "objects", &pairs).await, rows, "{more:?}");
    }
    let tsv = printed(&world, &objects, "tsv").await;
    let states: BTreeSet<_> =
        column(&tsv, "state").into_iter().map(|state| state.split(':').next()).collect();
    assert_eq!(states, BTreeSet::from([Some(""), Some("failed"), Some("gone from the vault")]));
}

#[tokio::test]
async fn the_runs_of_a_vault_newest_first() {
    let world = lived_in().await;
    let runs = ["list", "runs", "--vault", "kv-a"];
    let pairs = [
        ("run", "/run"),
        ("verdict", "/state"),
        ("listed", "/numbers/listed"),
        ("backed_up", "/numbers/backedUp"),
        ("failed", "/numbers/failed"),
        ("gone", "/numbers/gone"),
        ("size", "/numbers/bytes"),
    ];
    assert_eq!(agree(&world, &runs, "runs", &pairs).await, 3);
    let tsv = printed(&world, &runs, "tsv").await;
    let newest = column(&tsv, "run");
    assert!(newest.is_sorted_by(|later, earlier| later > earlier), "{newest:?}");
    for limit in ["1", "2"] {
        let some = printed(&world, &[&runs[..], &["--limit", limit]].concat(), "tsv").await;
        assert_eq!(column(&some, "run"), newest[..limit.parse::<usize>().expect("a number")]);
    }
}

#[tokio::test]
async fn the_history_of_an_object() {
    let world = lived_in().await;
    let history = ["list", "history", "--vault", "kv-a", "--secret", "secret-2"];
    let pairs = [
        ("taken", "/taken"),
        ("run", "/run"),
        ("sha-256", "/sha256"),
        ("newest_version", "/newestVersion"),
        ("versions", "/versions"),
        ("size", "/bytes"),
    ];
    let rows = agree(&world, &history, "backups", &pairs[1..]).await;
    let tsv = printed(&world, &history, "tsv").await;
    let versions: BTreeSet<_> = column(&tsv, "newest_version").into_iter().collect();
    assert_eq!((rows, versions.len()), (2, 2), "each change is a point: {tsv}");
}

#[tokio::test]
async fn what_a_restore_leaves_in_every_list() {
    let world = lived_in().await;
    world.today();
    let done = world.cli(&["restore", "--vault", "kv-a", "--secret", "secret-1", "--gone", "--yes"]).await;
    assert!(done.status.code().is_some_and(|code| code < 2), "{done:?}");
    let restores =
        agree(&world, &["jobs"], "restores", &[("job", "/id"), ("source", "/source"), ("target", "/target")])
            .await;
    assert_eq!(restores, 1);
    let tsv = printed(&world, &["audit", "list"], "tsv").await;
    let trail: Value =
        serde_json::from_str(&printed(&world, &["audit", "list"], "json").await).expect("it is JSON");
    let events = field(&trail, "records", "/event");
    assert_eq!(events, ["restore-started", "restore-ended"], "{trail}");
    assert!(
        column(&tsv, "what")
            .iter()
            .zip(["restore ", "restore "])
            .all(|(what, begins)| what.starts_with(begins)),
        "{tsv}"
    );
}

#[tokio::test]
async fn the_state_of_each_source() {
    let world = lived_in().await;
    world.today();
    let pairs = [
        ("source", "/source"),
        ("state", "/troubles/0/type"),
        ("protected", "/objects/protected"),
        ("failing", "/objects/failing"),
        ("gone", "/objects/gone"),
        ("restorable_since", "/earliestRestorable"),
    ];
    assert_eq!(agree(&world, &["status"], "sources", &pairs).await, 1);
}

#[tokio::test]
async fn what_differs_from_the_newest_backup() {
    let world = lived_in().await;
    world.vault.remove(Kind::Secret, "secret-3");
    world.vault.put_secret("fresh", SecretSpec::new("value"));
    let pairs = [
        ("name", "/name"),
        ("kind", "/kind"),
        ("change", "/change"),
        ("run", "/backup/run"),
        ("sha-256", "/backup/sha256"),
    ];
    let differing = agree(&world, &["diff", "--vault", "kv-a"], "objects", &pairs).await;
    let all = agree(&world, &["diff", "--vault", "kv-a", "--all"], "objects", &pairs).await;
    assert!(differing >= 2 && all > differing, "{differing} of {all}");
}
