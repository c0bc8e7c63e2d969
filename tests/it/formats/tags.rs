//! Entries with packed tags, and with more tags than fit.

use serde_json::{Value, json};

use super::{thaw, write_samples};
use crate::{
    tags::tagged,
    world::{NIGHT, World},
};

async fn sampled() -> World {
    let world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("packed", tagged("core", 80));
    world.vault.put_secret("part", tagged("core", 20_000));
    world
}

/// Writes the samples: a closed run.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_tags() {
    let mut world = sampled().await;
    world.night(NIGHT).await;
    write_samples(&world, &[]);
}

#[tokio::test]
async fn packed_tags_are_read_and_decide() {
    let world = World::with_vaults(&["kv-a", "kv-b"]).await;
    assert_eq!(thaw(&world, "v2-tags"), Vec::<String>::new());
    let (vault, other) = (world.vault.url(), world.azure.vault("kv-b").url());
    let read = async |args: &[&str]| {
        let output = world.cli(&[args, &["--vault", &vault, "--output", "json"]].concat()).await;
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    assert_eq!(read(&["rebuild"]).await["runs"][0]["manifest"], "sound");
    let listed = world.newest("kv-a").lines;
    let of = |at: usize| (&listed[at]["name"], &listed[at]["entry"]["tags_incomplete"]);
    assert_eq!((of(0), of(1)), ((&json!("packed"), &Value::Null), (&json!("part"), &json!(true))));
    let tags = listed[0]["entry"]["tags"].as_object().expect("its tags");
    assert_eq!(tags.len(), 15);
    let tag = tags.iter().map(|(key, value)| format!("{key}={}", value.as_str().expect("text"))).next();
    let plan = read(&["restore", "--into", &other, "--tag", &tag.expect("a tag"), "--what-if"]).await;
    assert_eq!(plan["steps"][0]["name"], "packed", "{plan}");
}
