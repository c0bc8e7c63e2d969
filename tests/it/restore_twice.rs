//! Steps of a restore whose messages come twice, and names that the vault is busy with.

use std::collections::BTreeSet;

use futures::future::join_all;
use keyvault_backup_emulator::{Delays, Fault, FaultKind, Kind, Operation, SecretSpec};
use serde_json::{Value, json};

use crate::world::{JOBS, NIGHT, World};

const EACH: usize = 8;

impl World {
    /// So many of each kind, backed up, all of them deleted.
    async fn deleted(each: usize) -> Self {
        Self::deleted_at(each, 1000).await
    }

    /// As [`World::deleted`], where so many keys may be restored in ten seconds.
    async fn deleted_at(each: usize, keys: u32) -> Self {
        let mut world = Self::with_each_kind(each).await;
        world.set("KEYVAULT_BACKUP_RESTORE_KEYS", &keys.to_string());
        world.night(NIGHT).await;
        world.today();
        for number in 0..each {
            for (kind, name) in [(Kind::Secret, "secret"), (Kind::Key, "key"), (Kind::Certificate, "tls")] {
                world.vault.delete(kind, &format!("{name}-{number}")).expect("it is deleted");
            }
        }
        world.pass(30);
        world
    }

    async fn all(&mut self, on_conflict: &str) -> Value {
        let kinds = [("secret", "secret"), ("key", "key"), ("certificate", "tls")];
        let of = |(kind, name)| {
            let each = self.vault.deleted(Kind::Certificate).len();
            (0..each).map(move |number| json!({ "kind": kind, "name": format!("{name}-{number}") }))
        };
        let objects: Vec<Value> = kinds.into_iter().flat_map(of).collect();
        self.plan(json!({ "source": "kv-a", "objects": objects, "onConflict": on_conflict })).await
    }

    /// Delivers each message in the queue of restores twice, all at once, as often as there are any.
    async fn deliver_twice(&mut self) {
        let (host, queue) = (self.host().await, self.work.queue("restore-objects"));
        let texts: Vec<String> = queue.peek_all().into_iter().map(|message| decoded(&message.text)).collect();
        queue.clear();
        let twice = texts.iter().chain(&texts);
        join_all(twice.map(|text| host.deliver("RestoreObject", text, 1))).await;
    }

    /// Works with two copies of each message until the restore has ended.
    async fn end_twice(&mut self, begun: &Value) -> Value {
        let path = format!("/api/restores/{}", begun["id"].as_str().expect("a name"));
        for _ in 0..60 {
            self.deliver_twice().await;
            self.advance().await;
            let report = self.ok(&path).await;
            if report["state"] != "Running" {
                return report;
            }
        }
        panic!("it does not end");
    }
}

fn decoded(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    String::from_utf8(STANDARD.decode(text).expect("it is base64")).expect("it is text")
}

/// However long the vault takes, nothing fails that is there in the end.
async fn two_copies_of_each_message(on_conflict: &str) {
    for delays in [Delays::default(), Delays::realistic()] {
        let mut world = World::deleted(EACH).await;
        world.azure.knobs().set_delays(delays);
        let plan = world.all(on_conflict).await;
        let begun = world.begin_under(&plan, "twice").await.json();
        let report = world.end_twice(&begun).await;
        assert_eq!(
            json!([report["state"], report["numbers"]["failed"]]),
            json!(["Succeeded", 0]),
            "{report}"
        );
    }
}

#[tokio::test]
async fn two_copies_of_each_message_recover_everything() {
    two_copies_of_each_message("recoverDeleted").await;
}

#[tokio::test]
async fn two_copies_of_each_message_purge_and_restore_everything() {
    two_copies_of_each_message("purgeDeleted").await;
}

/// One key and one certificate in ten seconds: the plan says how long seven take, and what is not due for a while takes nobody's place.
#[tokio::test]
async fn a_message_is_hidden_until_shortly_before_its_step_is_due() {
    let mut world = World::deleted_at(7, 1).await;
    let plan = world.all("purgeDeleted").await;
    assert_eq!(plan["takesSeconds"], 70, "{plan}");
    world.begin_under(&plan, "paced").await;
    let queue = world.work.queue("restore-objects");
    assert_eq!((queue.len(), queue.visible_len()), (21, 7 + 2 + 2));
    world.azure.clock().advance(std::time::Duration::from_secs(11));
    assert_eq!((queue.len(), queue.visible_len()), (21, 7 + 3 + 3));
}

/// What took the name after the restore began is another object: recovered is only what was deleted.
#[tokio::test]
async fn an_object_of_that_name_is_no_recovery() {
    let mut world = World::deleted(1).await;
    let plan = world.all("recoverDeleted").await;
    let begun = world.begin_through_the_queue(&plan, "another").await.json();
    world.vault.purge(Kind::Secret, "secret-0").expect("it is purged");
    world.vault.put_secret("secret-0", SecretSpec::new("another"));
    let report = world.end_twice(&begun).await;
    let objects = report["objects"].as_array().expect("a list");
    let secret = objects.iter().find(|of| of["name"] == "secret-0").expect("it is there");
    assert_eq!(
        (&report["state"], &secret["outcome"]),
        (&json!("PartiallyFailed"), &json!("differs")),
        "{report}"
    );
}

/// What was deleted in another vault is not what was backed up: it is recovered all the same, since it was asked for.
#[tokio::test]
async fn what_a_vault_took_on_is_recovered_whatever_the_backup_is_of() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let other = world.azure.vault("kv-b");
    for vault in [&world.vault, &other] {
        vault.put_secret("secret", SecretSpec::new("value"));
    }
    world.night(NIGHT).await;
    world.today();
    other.delete(Kind::Secret, "secret").expect("it is deleted");
    world.azure.knobs().set_delays(Delays::realistic());
    let objects = json!([{ "kind": "secret", "name": "secret" }]);
    let wish =
        json!({ "source": "kv-a", "target": "kv-b", "objects": objects, "onConflict": "recoverDeleted" });
    let plan = world.plan(wish).await;
    let begun = world.begin_under(&plan, "other").await.json();
    let report = world.end_twice(&begun).await;
    assert_eq!(
        (&report["state"], &report["objects"][0]["outcome"]),
        (&json!("Succeeded"), &json!("recovered"))
    );
}

/// Nothing tells that the restore went through, and there is no try after it: what the vault shows is the end.
#[tokio::test]
async fn a_last_try_whose_answer_is_lost_looks_at_what_came_of_it() {
    let mut world = World::deleted(1).await;
    world.vault.purge(Kind::Secret, "secret-0").expect("it is purged");
    world.pass(10);
    let plan =
        world.plan(json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "secret-0" }] })).await;
    let begun = world.begin_under(&plan, "lost").await.json();
    world.work.queue("restore-objects").clear();
    world.azure.faults().add(Fault::on(Operation::Restore).times(1).reply(FaultKind::TruncatedBody));
    world.fault(Operation::Restore, FaultKind::Status(503));
    let message =
        json!({ "version": 1, "restore": begun["id"], "kind": "secret", "object": "secret-0" }).to_string();
    for minutes in [0, 21] {
        world.pass(minutes);
        let last = world.host().await.deliver("RestoreObject", &message, 5).await;
        assert!(last.succeeded(), "{last:?}");
    }
    world.azure.faults().clear();
    world.advance().await;
    let report = world.ok(&format!("/api/restores/{}", begun["id"].as_str().expect("a name"))).await;
    assert_eq!(report["state"], "Succeeded", "{report}");
}

/// An engineer purged some of them a moment ago, as docs/http-api.md says, and the vault takes its longest. The others come back
/// at once: more names are busy than the host takes messages.
#[tokio::test]
async fn names_that_an_engineer_purged_are_waited_for_and_hold_up_nothing() {
    const BUSY: usize = 40;
    let mut world = World::with_each_kind(2).await;
    for number in 0..BUSY {
        world.vault.put_secret(&format!("busy-{number}"), SecretSpec::new("value"));
    }
    world.night(NIGHT + time::Duration::DAY).await;
    world.today();
    for name in (0..BUSY).map(|number| format!("busy-{number}")) {
        world.vault.delete(Kind::Secret, &name).expect("it is deleted");
    }
    world.vault.remove(Kind::Key, "key-0");
    world.vault.remove(Kind::Secret, "secret-0");
    world.azure.knobs().set_delays(Delays::longest());
    for name in (0..BUSY).map(|number| format!("busy-{number}")) {
        world.vault.purge(Kind::Secret, &name).expect("it is purged");
    }
    let mut names =
        vec![json!({ "kind": "key", "name": "key-0" }), json!({ "kind": "secret", "name": "secret-0" })];
    names.extend((0..BUSY).map(|number| json!({ "kind": "secret", "name": format!("busy-{number}") })));
    let plan = world.plan(json!({ "source": "kv-a", "objects": names })).await;
    let begun = world.begin_under(&plan, "waits").await;
    let path = format!("/api/restores/{}", begun.json()["id"].as_str().expect("a name"));
    world.host().await.pump("RestoreObject").await;
    world.advance().await;
    let numbers = world.ok(&path).await["numbers"].clone();
    assert_eq!(json!([numbers["restored"], numbers["failed"], numbers["pending"]]), json!([2, 0, BUSY]));
    let report = world.ended(&begun).await;
    assert_eq!(
        (&report["state"], &report["numbers"]["restored"]),
        (&json!("Succeeded"), &json!(BUSY + 2)),
        "{report}"
    );
}

/// At a pace of one a second, hundreds of names that the vault is busy with get a part of the minute, in turn, and all of
/// it when nothing else is left.
#[tokio::test]
async fn names_that_are_waited_for_get_a_part_of_the_minute() {
    const BUSY: usize = 200;
    let mut world = World::with_secrets(BUSY + 3).await;
    world.night(NIGHT).await;
    world.today();
    world.set("KEYVAULT_BACKUP_RESTORE_SECRETS", "10");
    let empty = world.azure.vault("kv-empty").url();
    world.set("KEYVAULT_BACKUP_VAULTS", &format!("{} {empty}", world.vault.url()));
    world.restart_with_settings().await;
    let plan = world.plan(json!({ "source": "kv-a", "target": "kv-empty", "everything": true })).await;
    let begun = world.begin_under(&plan, "part").await.json();
    let id = begun["id"].as_str().expect("a name").to_owned();
    let steps = plan["steps"].as_array().expect("a list");
    let names: Vec<_> = steps.iter().filter_map(|step| step["name"].as_str()).collect();
    let (busy, free) = names.split_at(BUSY);
    let queue = world.work.queue("restore-objects");
    queue.clear();
    let since = begun["opened"].as_str().expect("a time");
    for name in busy {
        let blob = format!("restore-steps/{id}/secret/{name}/waiting");
        let waiting = json!({ "v": 1, "since": since }).to_string();
        world.work.put_blob(JOBS, &blob, "", &[("waiting", &waiting)]);
    }
    let mut asked = BTreeSet::new();
    for _ in 0..14 {
        world.advance().await;
        let now: BTreeSet<_> = queue.peek_all().iter().map(|message| decoded(&message.text)).collect();
        assert_eq!(now.len(), 15, "a quarter of a minute's sixty");
        queue.clear();
        asked.extend(now);
    }
    assert_eq!(asked.len(), BUSY, "each has had its turn");
    for name in free {
        let message = json!({ "version": 1, "restore": id, "kind": "secret", "object": name }).to_string();
        assert!(world.host().await.deliver("RestoreObject", &message, 1).await.succeeded());
    }
    world.advance().await;
    assert_eq!(queue.peek_all().len(), 60, "there is nothing else to do");
}
