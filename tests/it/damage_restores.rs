//! Damage to what restores store: a clear error, nothing lost, and the vault is free again in the end.

use keyvault_backup_emulator::Kind;
use serde_json::{Value, json};

use crate::{
    api::problem,
    hsm_restores::keys,
    hsm_world::HsmWorld,
    restore_crashes::{backed_up, wish},
    world::{BACKUPS, JOBS, World},
};

/// A restore of three objects that has just begun, and where to follow it.
async fn begun() -> (World, Value, String) {
    let mut world = backed_up().await;
    world.wreck();
    let plan = world.plan(wish()).await;
    let started = world.begin_through_the_queue(&plan, "ticket").await;
    let path = started.header("location").expect("where to follow it").to_owned();
    (world, plan, path)
}

impl World {
    /// The blob under way whose name starts and ends so.
    fn under_way(&self, start: &str, end: &str) -> String {
        let mut names = self.work.blobs(JOBS).into_iter();
        let found = names.find(|name| name.starts_with(start) && name.ends_with(end));
        found.unwrap_or_else(|| panic!("there is a blob {start}…{end}"))
    }

    /// Makes the record in a blob's metadata unreadable, and returns the blob's name.
    fn spoil(&self, start: &str, end: &str) -> String {
        let name = self.under_way(start, end);
        self.work.damage_blob(JOBS, &name, |blob| {
            for (_, text) in &mut blob.metadata {
                text.truncate(text.len() / 2);
            }
        });
        name
    }

    /// Works for so many minutes.
    async fn work_on(&mut self, minutes: usize) {
        for _ in 0..minutes {
            self.host().await.pump("RestoreObject").await;
            self.advance().await;
        }
    }

    async fn verify(&self) -> (Option<i32>, String) {
        let output = self.cli(&["audit", "verify"]).await;
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[tokio::test]
async fn a_plan_that_is_damaged_ends_its_restore_and_nothing_is_purged() {
    let (mut world, plan, path) = begun().await;
    let name = world.under_way("restore-plans/", "json.gz");
    world.work.flip_bit(JOBS, &name);
    world.host().await.restart().await.expect("it starts again");
    world.work_on(1).await;
    let report = world.ok(&path).await;
    assert_eq!((&report["state"], &report["numbers"]["failed"]), (&json!("Failed"), &json!(3)), "{report}");
    assert_eq!(report["problem"]["type"], "urn:keyvault-backup:problem:damaged-catalogue");
    assert!(report["problem"]["detail"].as_str().is_some_and(|text| text.contains(&name)), "{report}");
    assert_eq!(world.vault.deleted(Kind::Secret), ["db"]);
    problem(&world.begin_under(&plan, "again").await, 500, "damaged-catalogue");
    assert_eq!(world.open_restores(), Vec::<String>::new());
    world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn what_was_restored_before_its_plan_was_damaged_counts() {
    let (mut world, _, path) = begun().await;
    world.host().await.pump("RestoreObject").await;
    world.work.flip_bit(JOBS, &world.under_way("restore-plans/", "json.gz"));
    world.advance().await;
    let restore = &world.ok("/api/restores").await["restores"][0];
    let numbers = restore["numbers"].clone();
    assert_eq!(
        (&restore["state"], &numbers["restored"], &numbers["failed"]),
        (&json!("PartiallyFailed"), &json!(2), &json!(1))
    );
    assert_eq!(world.ok(&path).await["numbers"], numbers);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_read_is_a_failure_and_named() {
    let (mut world, _, path) = begun().await;
    world.host().await.pump("RestoreObject").await;
    let name = world.spoil("restore-steps/", "signing/outcome");
    world.work_on(30).await;
    let report = world.ok(&path).await;
    assert_eq!(
        (&report["state"], &report["numbers"]["failed"]),
        (&json!("PartiallyFailed"), &json!(1)),
        "{report}"
    );
    let failed = report["objects"].as_array().expect("a list").iter().find(|of| of["outcome"] == "failed");
    let failure = &failed.expect("one failed")["failure"];
    assert_eq!(failure["code"], "RecordUnreadable");
    assert!(failure["text"].as_str().is_some_and(|text| text.contains(&name)), "{failure}");
}

#[tokio::test]
async fn a_job_record_that_cannot_be_read_is_named_and_gives_the_vault_free_in_the_end() {
    let (mut world, _, path) = begun().await;
    let name = world.spoil("restores/", "");
    let look = world.advance().await;
    assert!(!look.succeeded() && look.body.contains(&name), "{}", look.body);
    assert!(problem(&world.get(&path).await, 500, "damaged-catalogue").contains(&name));
    assert_eq!(world.host().await.pump("RestoreObject").await.failed, 3);
    assert_eq!(world.vault.deleted(Kind::Secret), ["db"], "nothing is done without its record");
    world.pass(21 * 60);
    assert!(world.advance().await.succeeded());
    let plan = world.plan(wish()).await;
    let report = world.see_through(&plan, "another").await;
    assert_eq!(report["numbers"]["planned"], 3, "{report}");
}

#[tokio::test]
async fn a_key_that_was_used_for_nobody_knows_what_restores_nothing() {
    let (mut world, plan, _) = begun().await;
    let name = world.spoil("restore-keys/", "");
    assert!(problem(&world.begin_under(&plan, "ticket").await, 500, "damaged-catalogue").contains(&name));
    let records = world.work.blobs(JOBS).iter().filter(|name| name.starts_with("restores/")).count();
    assert_eq!(records, 1);
}

#[tokio::test]
async fn a_vault_whose_holder_cannot_be_read_is_still_taken() {
    let (mut world, plan, _) = begun().await;
    world.spoil("restore-targets/", "");
    problem(&world.begin_under(&plan, "another").await, 409, "target-taken");
    world.work_on(30).await;
    assert_eq!(world.ok("/api/restores").await["restores"][0]["state"], "Succeeded");
    let plan = world.plan(json!({ "source": "kv-a", "everything": true })).await;
    assert_eq!(world.begin_under(&plan, "third").await.status, 200, "and free when that has ended");
}

#[tokio::test]
async fn a_step_does_not_wait_for_ever_when_its_waiting_record_is_damaged() {
    let (mut world, _, path) = begun().await;
    world.host().await.pump("RestoreObject").await;
    world.spoil("restore-steps/", "db/waiting");
    world.work_on(30).await;
    assert_ne!(world.ok(&path).await["state"], "Running");
    assert_eq!(world.open_restores(), Vec::<String>::new());
}

#[tokio::test]
async fn an_audit_record_that_was_changed_is_named() {
    let (mut world, ..) = begun().await;
    let first = world.trail().remove(0); // before the end, whose section may have a name that sorts first
    world.work_on(30).await;
    world.backups.damage_blob(BACKUPS, &first, |blob| {
        let text = String::from_utf8_lossy(&blob.bytes).replace("\"steps\":3", "\"steps\":1");
        blob.bytes = text.into_bytes().into();
    });
    let (code, text) = world.verify().await;
    assert!(code == Some(1) && text.contains(&first) && text.contains("was changed"), "{text}");
}

#[tokio::test]
async fn an_audit_record_that_is_gone_is_named() {
    let (mut world, ..) = begun().await;
    let first = world.trail().remove(0); // before the end, whose section may have a name that sorts first
    world.work_on(30).await;
    world.backups.delete_blob(BACKUPS, &first);
    let (code, text) = world.verify().await;
    assert!(code == Some(1) && text.contains(&first) && text.contains("is missing"), "{text}");
}

#[tokio::test]
async fn an_audit_record_that_cannot_be_read_is_named_and_the_trail_goes_on() {
    let (mut world, ..) = begun().await;
    let first = world.trail().remove(0);
    world.backups.flip_bit(BACKUPS, &first);
    world.backups.damage_blob(BACKUPS, &first, |blob| blob.bytes = blob.bytes.slice(..20));
    world.work_on(30).await;
    let (code, text) = world.verify().await;
    assert!(code == Some(1) && text.contains(&first) && text.contains("cannot be read"), "{text}");
    assert_eq!(world.trail().len(), 2, "the end is on the trail");
}

#[tokio::test]
async fn an_hsm_whose_holder_cannot_be_read_is_still_taken() {
    let mut of = HsmWorld::backed_up().await;
    of.lose("signing");
    let everything = json!({ "hsm": "hsm-a", "everything": true });
    let (all, key) = (of.world.plan(everything).await, of.world.plan(keys(&["signing"])).await);
    let first = of.begin(&all).await;
    of.world.spoil("hsm-targets/", "");
    problem(&of.begin(&key).await, 409, "target-taken");
    assert_eq!(of.followed(&first).await["state"], "Succeeded");
}

#[tokio::test]
async fn one_ended_restore_of_an_hsm_that_cannot_be_read_does_not_hide_the_others() {
    let mut of = HsmWorld::backed_up().await;
    for _ in 0..2 {
        of.lose("signing");
        of.restored(keys(&["signing"])).await;
    }
    let name = of.world.under_way("hsm-restores/", "");
    of.world.work.damage_blob(JOBS, &name, |blob| blob.bytes = blob.bytes.slice(..20));
    let list = of.world.ok("/api/restores").await;
    assert_eq!(list["restores"].as_array().map(Vec::len), Some(1), "{list}");
}
