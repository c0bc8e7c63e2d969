//! What restores stored and sent when format 1 was current: an open one, ended ones, and the trail.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use keyvault_backup::domain::{actor::Actor, digest::Digest, restore::RestoreId};
use keyvault_backup_emulator::{
    CertificateSpec, Delays, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec,
    host::LogLine,
};
use serde_json::{Value, json};

use super::{thaw, write_samples};
use crate::{
    api::problem,
    world::{BACKUPS, JOBS, NIGHT, World},
};

const SAMPLES: &str = "v1-restore";

/// The vaults that the samples speak of, as they were before anything was lost.
async fn sampled() -> World {
    let world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let made = NIGHT - time::Duration::days(30);
    for name in ["db", "there", "touched"] {
        world.vault.put_secret(name, SecretSpec::new("a sample").tag("team", "Schlüssel").created(made));
    }
    world.vault.put_key("signing", KeySpec::ec("P-256").created(made));
    world.vault.put_certificate("tls", CertificateSpec::default().created(made));
    world
}

/// Writes the samples: an ended restore with nearly every outcome, one that recovered, and an open one with a
/// step that waits and a message that is not answered.
#[tokio::test]
#[ignore = "writes the samples, once for each version of the formats"]
async fn freeze() {
    let mut world = sampled().await;
    world.night(NIGHT).await;
    world.today();
    let order = json!({ "vault": "kv-a", "objects": [{ "kind": "secret", "name": "db" }] });
    assert_eq!(world.post("/api/backups", order).await.status, 200);
    world.every_outcome().await;
    world.vault.delete(Kind::Certificate, "tls").expect("it is deleted");
    let plan = world.plan(json!({ "source": "kv-a", "name": "tls", "onConflict": "recoverDeleted" })).await;
    assert_eq!(world.begin(&plan).await.json()["state"], "Succeeded");
    world.stop_half_way().await;
    let messages: Vec<_> = world.work.queue("restore-objects").peek_all().into_iter().map(text_of).collect();
    write_samples(&world, &messages);
}

fn text_of(message: impl std::borrow::Borrow<keyvault_backup_emulator::QueueMessage>) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    String::from_utf8(STANDARD.decode(&message.borrow().text).expect("base64")).expect("text")
}

impl World {
    async fn every_outcome(&mut self) {
        let plan = self.plan(json!({ "source": "kv-a", "target": "kv-b", "everything": true })).await;
        let started = self.begin_through_the_queue(&plan, "ended").await;
        let other = self.azure.vault("kv-b");
        let backup = self.vault.backup(Kind::Secret, "there").expect("it is there");
        other.restore(&backup).expect("it is restored");
        let keys = Matcher::from(Operation::Restore).kind(Kind::Key);
        self.fault(keys, FaultKind::Forbidden(Forbidden::ByPolicy));
        self.when(Matcher::from(Operation::ListVersions).object("touched"), move || {
            other.update(Kind::Secret, "touched", |of| drop(of.tags.insert("by".into(), "another".into())));
        });
        assert_eq!(self.ended(&started).await["state"], "PartiallyFailed");
        self.azure.faults().clear();
    }

    async fn stop_half_way(&mut self) {
        self.azure.knobs().set_delays(Delays::longest());
        for (kind, name) in [(Kind::Secret, "db"), (Kind::Key, "signing")] {
            self.vault.delete(kind, name).expect("it is deleted");
        }
        self.pass(10);
        self.vault.purge(Kind::Key, "signing").expect("it is purged");
        self.pass(10);
        let objects = json!([{ "kind": "secret", "name": "db" }, { "kind": "key", "name": "signing" }]);
        let plan =
            self.plan(json!({ "source": "kv-a", "objects": objects, "onConflict": "purgeDeleted" })).await;
        let id = self.begin_through_the_queue(&plan, "open").await.json()["id"].take();
        let message = json!({ "version": 1, "restore": id, "kind": "secret", "object": "db" });
        let waits = self.host().await.deliver("RestoreObject", &message.to_string(), 1).await;
        assert!(waits.logs[0].contains("busy"), "{waits:?}");
    }

    /// The samples in a world whose vaults are as they were when the open restore stopped.
    async fn thawed() -> (Self, Vec<String>) {
        let world = sampled().await;
        let messages = thaw(&world, SAMPLES);
        world.at(world.sample_open().asked());
        for (kind, name) in [(Kind::Secret, "db"), (Kind::Key, "signing")] {
            world.vault.delete(kind, name).expect("it is deleted");
        }
        world.vault.purge(Kind::Key, "signing").expect("it is purged");
        world.at(world.sample_open().asked() + time::Duration::minutes(30));
        (world, messages)
    }

    fn sample(&self, start: &str) -> String {
        let found = self.work.blobs(JOBS).into_iter().find(|name| name.starts_with(start));
        found.unwrap_or_else(|| panic!("there is a sample of {start}"))
    }

    fn sample_open(&self) -> RestoreId {
        self.sample("open-restores/").split_once('/').expect("a name").1.parse().expect("a restore")
    }

    /// The record of the restore that ended with nearly every outcome.
    fn sample_ended(&self) -> (String, String) {
        let failed = |name: &String| {
            name.starts_with("restores/")
                && self
                    .work
                    .blob(JOBS, name)
                    .is_some_and(|blob| blob.metadata[0].1.contains("PartiallyFailed"))
        };
        let name = self.work.blobs(JOBS).into_iter().find(failed).expect("there is one");
        let id = name.split_once('-').expect("a name").1.to_owned();
        (name, id)
    }

    /// Makes a record one of a newer program.
    fn age(&self, container: &str, name: &str) {
        let storage = if container == BACKUPS { &self.backups } else { &self.work };
        let newer = |text: &str| text.replacen("\"v\":1", "\"v\":9", 1);
        storage.damage_blob(container, name, |blob| {
            for (_, text) in &mut blob.metadata {
                *text = newer(text);
            }
            if name.starts_with("restore-plans/") {
                let mut json = String::new();
                GzDecoder::new(&blob.bytes[..]).read_to_string(&mut json).expect("it is whole");
                let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
                packed.write_all(newer(&json).as_bytes()).expect("it is packed");
                blob.bytes = packed.finish().expect("it is packed").into();
            } else {
                blob.bytes = newer(&String::from_utf8_lossy(&blob.bytes)).into_bytes().into();
            }
        });
    }

    /// Puts the sample of a claim where this host's function key looks for it.
    async fn claim(&mut self, key: &str) -> String {
        let caller = Actor::http(Some(&self.host().await.key("Restores")), None).key.expect("a key");
        let digest = Digest::of_fields([caller.to_string().as_bytes(), key.as_bytes()]);
        let (_, id) = self.sample_ended();
        let claims = self.work.blobs(JOBS).into_iter().filter(|name| name.starts_with("restore-keys/"));
        let claims: Vec<_> = claims.map(|name| self.work.blob(JOBS, &name).expect("it is there")).collect();
        let claim = claims.iter().map(|blob| &blob.metadata[0].1).find(|claim| claim.contains(&id));
        let name = format!("restore-keys/{digest}");
        self.work.put_blob(JOBS, &name, "", &[("claim", claim.expect("a claim of it"))]);
        name
    }

    /// Asks again for the restore that ended.
    async fn repeat(&mut self, key: &str) -> keyvault_backup_emulator::host::HttpAnswer {
        let record = self.work.blob(JOBS, &self.sample_ended().0).expect("it is there").metadata[0].1.clone();
        let job: Value = serde_json::from_str(&record).expect("it is JSON");
        self.begin_under(&json!({ "digest": job["plan"] }), key).await
    }
}

/// That a restore has ended well, and nothing is left open.
async fn ended(world: &mut World, id: &RestoreId) {
    let report = world.ok(&format!("/api/restores/{id}")).await;
    assert_eq!(
        (&report["state"], &report["numbers"]["restored"]),
        (&json!("Succeeded"), &json!(2)),
        "{report}"
    );
    assert_eq!(world.open_restores(), Vec::<String>::new());
}

#[tokio::test]
async fn an_open_restore_is_taken_up_and_ended() {
    let (mut world, _) = World::thawed().await;
    let id = world.sample_open();
    for _ in 0..3 {
        world.advance().await;
        world.host().await.pump("RestoreObject").await;
    }
    ended(&mut world, &id).await;
    assert_eq!(world.vault.versions(Kind::Secret, "db").len(), 1);
    world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn an_open_restore_is_ended_by_the_app_that_restores_with_its_own_rights_alone() {
    let (mut world, messages) = World::thawed().await;
    let id = world.sample_open();
    world.only("restore");
    for message in messages {
        let done = world.host().await.deliver("RestoreObject", &message, 1).await;
        assert!(done.succeeded(), "{done:?}");
    }
    for _ in 0..3 {
        world.advance().await;
    }
    ended(&mut world, &id).await;
    world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn a_message_is_understood() {
    let (mut world, messages) = World::thawed().await;
    assert_eq!(messages.len(), 2);
    for message in messages {
        let done = world.host().await.deliver("RestoreObject", &message, 1).await;
        assert!(done.logs[0].contains("restored"), "{done:?}");
    }
}

#[tokio::test]
async fn an_ended_restore_is_shown_with_each_outcome() {
    let (mut world, _) = World::thawed().await;
    let (_, id) = world.sample_ended();
    let report = world.ok(&format!("/api/restores/{id}")).await;
    let outcome = |name: &str| {
        let objects = report["objects"].as_array().expect("a list");
        objects.iter().find(|of| of["name"] == name).expect("it is there")["outcome"].clone()
    };
    let outcomes = ["db", "there", "touched", "signing", "tls"].map(outcome);
    assert_eq!(outcomes, ["restored", "alreadyThere", "differs", "failed", "restored"]);
    let all = world.ok("/api/restores").await;
    let mut states: Vec<_> =
        all["restores"].as_array().expect("a list").iter().filter_map(|of| of["state"].as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["PartiallyFailed", "Running", "Succeeded"]);
    world.claim("ended").await;
    assert_eq!(world.repeat("ended").await.json()["id"], json!(id), "the key still stands for it");
    world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn a_newer_job_is_refused_and_a_list_passes_it_over() {
    let (mut world, _) = World::thawed().await;
    let id = world.sample_open();
    let record = world
        .work
        .blobs(JOBS)
        .into_iter()
        .find(|name| name.ends_with(id.as_str()) && name.starts_with("restores/"));
    world.age(JOBS, &record.expect("it has a record"));
    problem(&world.get(&format!("/api/restores/{id}")).await, 500, "newer-format");
    let look = world.advance().await;
    assert!(!look.succeeded() && look.body.contains("install the newer version"), "{}", look.body);
    assert!(!world.open_restores().is_empty(), "the newer program ends it");
    let all = world.ok("/api/restores").await;
    assert_eq!(all["restores"].as_array().map(Vec::len), Some(2));
    // A line of the log may come after its answer.
    let says = |line: &LogLine| line.text.contains("is passed over") && line.text.contains(id.as_str());
    for _ in 0..1000 {
        if world.handler_lines().await.iter().any(says) {
            return;
        }
        world.advance().await;
    }
    panic!("the log does not say that it is passed over");
}

#[tokio::test]
async fn a_newer_plan_or_outcome_is_refused() {
    for start in ["restore-plans/", "restore-steps/"] {
        let (mut world, _) = World::thawed().await;
        let (_, id) = world.sample_ended();
        let ours =
            |name: &String| name.starts_with(start) && (start == "restore-plans/" || name.contains(&id));
        for name in world.work.blobs(JOBS).iter().filter(|name| ours(name)) {
            world.age(JOBS, name);
        }
        let detail = problem(&world.get(&format!("/api/restores/{id}")).await, 500, "newer-format");
        assert!(detail.contains(start) && detail.contains("format 9"), "{detail}");
    }
}

#[tokio::test]
async fn a_newer_waiting_record_or_message_fails_its_delivery() {
    let (mut world, messages) = World::thawed().await;
    let waits = world.work.blobs(JOBS).into_iter().find(|name| name.ends_with("/waiting")).expect("a sample");
    world.age(JOBS, &waits);
    world.azure.knobs().set_delays(Delays::longest());
    let message = messages.iter().find(|message| message.contains("\"db\"")).expect("a message").clone();
    let newer = message.replacen("\"version\":1", "\"version\":9", 1);
    for message in [message, newer] {
        let refused = world.host().await.deliver("RestoreObject", &message, 1).await;
        assert!(!refused.succeeded() && refused.body.contains("install the newer version"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_newer_claim_restores_nothing() {
    let (mut world, _) = World::thawed().await;
    let claim = world.claim("ended").await;
    world.age(JOBS, &claim);
    problem(&world.repeat("ended").await, 500, "newer-format");
}

#[tokio::test]
async fn a_newer_audit_record_is_no_fault_that_is_passed_over() {
    let (world, _) = World::thawed().await;
    let last = world.backups.blobs(BACKUPS).into_iter().rfind(|name| name.starts_with("audit/"));
    let last = last.expect("there is a trail");
    world.backups.damage_blob(BACKUPS, &last, |blob| {
        let newer = String::from_utf8_lossy(&blob.bytes).replacen("\"v\":1", "\"v\":9", 1);
        blob.bytes = newer.into_bytes().into();
    });
    let output = world.cli(&["audit", "verify"]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&last) && text.contains("install the newer version"), "{text}");
}
