//! What a program that wrote plans and manifests of form 1 left: a name that was a secret's and is a certificate's
//! now, and a run that was open when the program was replaced. Under `closed` lies the manifest that the old program
//! would have closed it with.

use std::{fs, io::Read as _};

use flate2::read::GzDecoder;
use keyvault_backup_emulator::{CertificateSpec, SecretSpec};
use serde_json::{Value, json};

use super::{DAY, METADATA, testdata, thaw};
use crate::world::{BACKUPS, NIGHT, World};

const OPEN: &str = "20260112T020000Z-nightly";

/// The vault that the samples speak of, after the upgrade.
async fn upgraded() -> World {
    let world = World::new().await;
    let made = NIGHT - DAY * 30;
    world.vault.put_secret("kept", SecretSpec::new("a plain secret").created(made));
    world.vault.put_certificate("tls", CertificateSpec::default().created(made));
    thaw(&world, "v1-former");
    world.at(NIGHT + DAY * 2);
    world
}

fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).expect("it is whole");
    text
}

#[tokio::test]
async fn a_run_that_was_open_closes_as_the_old_program_would_have_closed_it() {
    let mut world = upgraded().await;
    world.settle().await;
    let name = world.manifests("kv-a").remove(0);
    let path = testdata("v1-former").join("closed").join(&name);
    let blob = world.backups.blob(BACKUPS, &name).expect("it is stored");
    assert_eq!(text(&blob.bytes), text(&fs::read(&path).expect("a sample")));
    let metadata = fs::read(format!("{}{METADATA}", path.display())).expect("a sample");
    let metadata: Value = serde_json::from_slice(&metadata).expect("it is JSON");
    for (key, value) in &blob.metadata {
        assert_eq!(metadata[key], json!(value));
    }

    let rebuilt = world.cli(&["rebuild", "--vault", &world.vault.url(), "--output", "json"]).await;
    let rebuilt: Value = serde_json::from_slice(&rebuilt.stdout).expect("it is JSON");
    let states: Vec<_> =
        rebuilt["runs"].as_array().expect("a list").iter().map(|run| &run["manifest"]).collect();
    assert_eq!(states, ["sound"; 3]);
}

#[tokio::test]
async fn the_old_backup_of_a_name_that_is_managed_now_is_no_backup_of_it() {
    let mut world = upgraded().await;
    world.settle().await;
    for form in [1, 2] {
        let (url, empty) = (world.vault.url(), world.azure.vault("kv-empty").url());
        let read = async |args: &[&str]| {
            let output = world.cli(&[args, &["--vault", &url, "--output", "json"]].concat()).await;
            serde_json::from_slice::<Value>(&output.stdout)
                .unwrap_or_else(|error| panic!("{error}: {output:?}"))
        };
        let objects = read(&["list", "objects", "--name", "tls", "--kind", "secret"]).await;
        let line = &objects["objects"][0];
        assert_eq!(
            (&line["fared"], &line["backup"], &line["former"]["name"]),
            (&json!("managed"), &json!(null), &json!("tls"))
        );
        assert_eq!(
            read(&["list", "history", "--secret", "tls"]).await["backups"].as_array().map(Vec::len),
            Some(1)
        );
        let plan = read(&["restore", "--all", "--into", &empty, "--what-if"]).await;
        let steps = plan["steps"].as_array().expect("a list").iter();
        let tls: Vec<_> = steps.filter(|step| step["name"] == "tls").map(|step| &step["kind"]).collect();
        assert_eq!(tls, ["certificate"], "form {form}");
        assert_eq!(world.newest("kv-a").summary["v"], form);
        world.night(NIGHT + DAY * (2 + form)).await;
    }
    let manifest = world.newest("kv-a");
    assert_eq!(
        (&manifest.summary["v"], &manifest.line("secret", "tls")["former"]["name"]),
        (&json!(2), &json!("tls"))
    );
    assert_ne!(manifest.header["run"], OPEN);
}
