//! An installation across versions: what 0.1.0 left goes on under this program, and under an older one, which this one plays for what a
//! later one wrote.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use keyvault_backup_emulator::Kind;

use super::{CLOSED, DAY, refuse, sampled, thaw};
use crate::world::{BACKUPS, NIGHT, World};

/// Every blob of the catalogue: its metadata and bytes, as text.
fn stored(world: &World) -> BTreeMap<String, String> {
    let told = |name: &str| {
        let blob = world.backups.blob(BACKUPS, name).expect("it is stored");
        format!("{:?} {:?}", blob.metadata, blob.bytes)
    };
    world.backups.blobs(BACKUPS).into_iter().map(|name| (name.clone(), told(&name))).collect()
}

/// The storage of 0.1.0, of which a run was open, and its run finished by this program.
async fn upgraded() -> World {
    let mut world = sampled().await;
    let messages = thaw(&world, "v1");
    refuse(&world);
    world.at(NIGHT + DAY);
    for message in &messages {
        assert!(world.host().await.deliver("BackUpObject", message, 5).await.succeeded());
    }
    world.settle().await;
    world
}

/// Gives what a run stored a format of the future.
fn age(world: &World, run: &str) -> usize {
    let newer = |text: &str| {
        let at = text.find("\"v\":")? + 4;
        let end = at + text.get(at..)?.find(|of: char| !of.is_ascii_digit())?;
        Some(format!("{}99{}", &text[..at], &text[end..]))
    };
    let mut aged = 0;
    for name in world.backups.blobs(BACKUPS).iter().filter(|name| name.contains(run)) {
        world.backups.damage_blob(BACKUPS, name, |blob| {
            for (_, text) in &mut blob.metadata {
                if let Some(other) = newer(text) {
                    *text = other;
                    aged += 1;
                }
            }
            let mut text = String::new();
            if GzDecoder::new(&blob.bytes[..]).read_to_string(&mut text).is_ok() {
                let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
                packed.write_all(newer(&text).expect("it says its format").as_bytes()).expect("it is packed");
                blob.bytes = packed.finish().expect("it is packed").into();
                aged += 1;
            }
        });
    }
    aged
}

#[tokio::test]
async fn what_0_1_0_stored_stays_as_it_is_and_is_restored_by_this_program() {
    let mut world = sampled().await;
    thaw(&world, "v1");
    let before = stored(&world);
    drop(world);
    world = upgraded().await;
    world.night(NIGHT + DAY * 2).await;
    let after = stored(&world);
    assert!(before.len() > 5 && before.iter().all(|(name, blob)| after.get(name) == Some(blob)));
    assert!(after.len() > before.len());

    world.vault.remove(Kind::Secret, "db-Password");
    let url = world.vault.url();
    let output = world.cli(&["restore", "--vault", &url, "--secret", "db-password", "--what-if"]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 to restore"), "{output:?}");
    let output = world.cli(&["show", CLOSED, "--vault", &url]).await;
    assert!(output.status.code() == Some(1) && output.stderr.is_empty(), "{output:?}");
}

#[tokio::test]
async fn after_the_way_back_what_a_newer_program_wrote_is_refused_in_words_and_nothing_is_lost() {
    let mut world = upgraded().await;
    world.vault.put_secret("new", keyvault_backup_emulator::SecretSpec::new("a sample"));
    world.night(NIGHT + DAY * 2).await;
    let newest = world.newest("kv-a").summary["run"].as_str().expect("a run").to_owned();
    assert!(age(&world, &newest) >= 3, "plan, manifest and the backup of what is new");
    let before = stored(&world);

    let url = world.vault.url();
    let output = world.cli(&["show", &newest, "--vault", &url]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("install the newer version"), "{output:?}");
    let output = world.cli(&["show", CLOSED, "--vault", &url]).await;
    assert_eq!(output.status.code(), Some(1), "what is older is read as before: {output:?}");

    world.night(NIGHT + DAY * 3).await;
    let manifest = world.newest("kv-a");
    for (kind, name) in
        [("secret", "new"), ("secret", "db-Password"), ("key", "signing"), ("certificate", "tls")]
    {
        assert!(["backed-up", "unchanged"].contains(&manifest.fared(kind, name)), "{kind} {name}");
        crate::checks::open(&world.stored(&manifest.line(kind, name)["entry"]));
    }
    assert_eq!(manifest.fared("secret", "new"), "backed-up", "its backup cannot be read here");
    let after = stored(&world);
    assert!(before.iter().all(|(name, blob)| after.get(name) == Some(blob)), "what is newer stays as it is");
}
