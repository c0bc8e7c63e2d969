//! Restores whose handler dies at any moment, among faults, and whose messages get lost.

use keyvault_backup_emulator::{
    CertificateSpec, Delays, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec, Service,
    host::HttpAnswer,
};
use serde_json::{Value, json};

use crate::{
    faults::passing_faults,
    world::{NIGHT, World},
};

/// What is restored each time: a secret that has to be purged, and what is gone.
pub fn wish() -> Value {
    json!({
        "source": "kv-a",
        "objects": [
            { "kind": "secret", "name": "db" },
            { "kind": "key", "name": "signing" },
            { "kind": "certificate", "name": "tls" },
        ],
        "onConflict": "purgeDeleted",
    })
}

/// A vault with every kind, backed up one night; it is today, and the vault takes its time.
pub async fn backed_up() -> World {
    let mut world = World::new().await;
    world.vault.put_secret("db", SecretSpec::new("one"));
    world.vault.put_key("signing", KeySpec::ec("P-256"));
    world.vault.put_certificate("tls", CertificateSpec::new("CN=example.org"));
    world.vault.put_secret("untouched", SecretSpec::new("two"));
    world.night(NIGHT).await;
    // Requests go by the real time, and the driven clock must not run far ahead of them.
    let today = world.today();
    world.at(today - time::Duration::minutes(45));
    world.azure.knobs().set_delays(Delays::realistic());
    world
}

impl World {
    /// Soft-deletes the secret, purges the key and the certificate, and waits until the vault is through.
    pub fn wreck(&self) {
        for (kind, name) in [(Kind::Secret, "db"), (Kind::Key, "signing"), (Kind::Certificate, "tls")] {
            self.vault.delete(kind, name).expect("it is deleted");
        }
        self.pass(1);
        for (kind, name) in [(Kind::Key, "signing"), (Kind::Certificate, "tls")] {
            self.vault.purge(kind, name).expect("it is purged");
        }
        self.pass(1);
    }

    /// Lets minutes go by.
    pub fn pass(&self, minutes: u64) {
        self.azure.clock().advance(std::time::Duration::from_secs(minutes * 60));
    }

    /// Begins as a runbook does: under a key, so that it can be said again.
    pub async fn begin_under(&mut self, plan: &Value, key: &str) -> HttpAnswer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let body = json!({ "plan": plan["digest"] }).to_string();
        self.call("POST", "/api/restores", &headers, &body).await
    }

    /// Begins while the vault denies everything that a step needs: each goes through the queue.
    pub async fn begin_through_the_queue(&mut self, plan: &Value, key: &str) -> HttpAnswer {
        for step in [Operation::ListVersions, Operation::Restore] {
            self.fault(step, FaultKind::Forbidden(Forbidden::ByRbac));
        }
        let started = self.begin_under(plan, key).await;
        self.azure.faults().clear();
        assert_eq!(started.status, 202, "{}", started.text());
        started
    }

    /// Begins and works until it has ended.
    pub async fn see_through(&mut self, plan: &Value, key: &str) -> Value {
        let started = self.begin_under(plan, key).await;
        assert!([200, 202].contains(&started.status), "{}", started.text());
        if started.status == 200 { started.json() } else { self.ended(&started).await }
    }

    /// The audit trail verifies, and tells of each event once.
    pub async fn assert_trail_is_whole(&self) {
        let output = self.cli(&["audit", "verify"]).await;
        assert!(output.status.success(), "{output:?}");
        let mut told = self.told().await;
        let all = told.len();
        told.sort();
        told.dedup();
        assert_eq!(told.len(), all, "something is told twice");
    }

    /// What the audit trail tells: the events, and what they happened to.
    pub async fn told(&self) -> Vec<(String, String)> {
        let output = self.cli(&["audit", "list", "--output", "json"]).await;
        let listed: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let told = |of: &Value| (text(of, "event"), text(of, "restore") + &text(of, "run"));
        listed["records"].as_array().expect("a list").iter().map(told).collect()
    }

    /// The traces of restores that are under way.
    pub fn open_restores(&self) -> Vec<String> {
        let open = |name: &String| name.starts_with("open-restores/") || name.starts_with("restore-targets/");
        self.work.blobs("backup-jobs").into_iter().filter(open).collect()
    }
}

/// Kills the handler at its first request, at its second, and so on, a restore each, until a restore ends
/// before it is killed.
async fn die_at_every_request(how: FaultKind) -> usize {
    let mut world = backed_up().await;
    for at in 0_usize.. {
        if at % 8 == 7 {
            world = backed_up().await;
        }
        let before = world.vault.snapshot();
        world.wreck();
        let key = format!("restore-{at}");
        let plan = world.plan(wish()).await;
        let met = world.trap(at, how.clone());
        let died = tokio::select! {
            _ = world.see_through(&plan, &key) => false,
            () = met.notified() => true,
        };
        world.azure.faults().clear();
        if died {
            world.host().await.restart().await.expect("it starts again");
            world.pass(2);
            let report = world.see_through(&plan, &key).await;
            assert_eq!(report["state"], "Succeeded", "killed at request {at}: {report}");
        }
        // One more look cleans up after a restore that was killed at its very end.
        world.advance().await;
        assert_eq!(
            world.vault.snapshot().differences(&before),
            Vec::<String>::new(),
            "killed at request {at}"
        );
        assert_eq!(world.open_restores(), Vec::<String>::new(), "killed at request {at}");
        if !died {
            world.assert_trail_is_whole().await;
            return at;
        }
    }
    unreachable!("a restore has an end")
}

#[tokio::test]
async fn a_kill_before_any_request_is_served_loses_nothing() {
    assert!(die_at_every_request(FaultKind::Hang).await > 30);
}

#[tokio::test]
async fn a_kill_after_any_request_was_served_loses_nothing() {
    assert!(die_at_every_request(FaultKind::ResetAfter).await > 30);
}

#[tokio::test]
async fn faults_on_every_call_do_not_keep_a_restore_from_its_end() {
    for seed in 1..=3 {
        let mut world = World::with_each_kind(20).await;
        world.night(NIGHT).await;
        world.today();
        let empty = world.azure.vault("kv-empty").url();
        world.set("KEYVAULT_BACKUP_VAULTS", &format!("{} {empty}", world.vault.url()));
        world.set("KEYVAULT_BACKUP_RESTORE_KEYS", "10000");
        world.restart_with_settings().await;
        let plan = world.plan(json!({ "source": "kv-a", "target": "kv-empty", "everything": true })).await;
        world.azure.faults().random(0.1, seed, passing_faults());
        let mut begun = world.begin_under(&plan, "again").await;
        while begun.status >= 500 {
            begun = world.begin_under(&plan, "again").await;
        }
        let id = begun.json()["id"].as_str().expect("a name").to_owned();
        while !world.open_restores().is_empty() {
            world.host().await.pump("RestoreObject").await;
            world.advance().await;
        }
        assert!(world.azure.faults().fired().len() > 20, "there were faults");
        world.azure.faults().clear();
        let report = world.ok(&format!("/api/restores/{id}")).await;
        assert_eq!(report["state"], "Succeeded", "seed {seed}: {report}");
        let copy = world.azure.vault("kv-empty").snapshot();
        assert_eq!(copy.differences(&world.vault.snapshot()), Vec::<String>::new(), "seed {seed}");
        world.assert_trail_is_whole().await;
    }
}

impl World {
    /// Begins to restore forty secrets into an empty vault, and returns the restore's name.
    async fn forty_into_an_empty_vault(&mut self) -> String {
        self.night(NIGHT).await;
        self.today();
        let empty = self.azure.vault("kv-empty").url();
        self.set("KEYVAULT_BACKUP_VAULTS", &format!("{} {empty}", self.vault.url()));
        self.restart_with_settings().await;
        let plan = self.plan(json!({ "source": "kv-a", "target": "kv-empty", "everything": true })).await;
        let begun = self.begin_under(&plan, "once").await;
        assert_eq!(begun.status, 202, "{}", begun.text());
        begun.json()["id"].as_str().expect("a name").to_owned()
    }

    /// Works until no restore is open, and says how long that took.
    async fn end_restores(&mut self) -> time::Duration {
        let began = self.azure.clock().now();
        while !self.open_restores().is_empty() {
            self.host().await.pump("RestoreObject").await;
            self.advance().await;
        }
        self.azure.clock().now() - began
    }
}

/// What our own storage refuses is no word on an object, and what a vault refuses may pass.
#[tokio::test]
async fn refusals_that_may_pass_cost_no_step() {
    let ways = [
        (Matcher::from(Service::Blob), FaultKind::Forbidden(Forbidden::ByRbac)),
        (Matcher::from(Operation::Restore), FaultKind::Forbidden(Forbidden::ByFirewall)),
        (Matcher::from(Service::Vault), FaultKind::Status(501)),
    ];
    for (seed, (on, fault)) in (1..).zip(ways) {
        let mut world = World::with_secrets(40).await;
        let id = world.forty_into_an_empty_vault().await;
        // Of more than one in ten, twenty minutes of tries do not surely pass each request that a step makes.
        world.azure.faults().random_for(on, 0.1, seed, [fault]);
        world.end_restores().await;
        world.azure.faults().clear();
        let report = world.ok(&format!("/api/restores/{id}")).await;
        assert_eq!(
            (&report["state"], &report["numbers"]["restored"]),
            (&json!("Succeeded"), &json!(40)),
            "{report}"
        );
    }
}

/// A right to restore, or to read backups, that is granted ten minutes after the restore was begun.
#[tokio::test]
async fn a_right_that_comes_late_costs_no_step() {
    for right in [Matcher::from(Operation::Restore), backups_are_read()] {
        late_right(right).await;
    }
}

async fn late_right(right: Matcher) {
    let mut world = World::with_secrets(40).await;
    let id = world.forty_into_an_empty_vault().await;
    world.fault(right, FaultKind::Forbidden(Forbidden::ByRbac));
    for _ in 0..10 {
        world.host().await.pump("RestoreObject").await;
        world.advance().await;
    }
    world.azure.faults().clear();
    world.end_restores().await;
    let report = world.ok(&format!("/api/restores/{id}")).await;
    assert_eq!((&report["state"], &report["numbers"]["restored"]), (&json!("Succeeded"), &json!(40)));
}

/// Our own storage decides nothing about an object, however long it refuses within the hours of the restore.
#[tokio::test]
async fn backups_that_cannot_be_read_for_forty_minutes_cost_no_step() {
    let mut world = World::with_secrets(6).await;
    let id = world.forty_into_an_empty_vault().await;
    world.fault(backups_are_read(), FaultKind::Forbidden(Forbidden::ByRbac));
    for _ in 0..40 {
        world.host().await.pump("RestoreObject").await;
        world.advance().await;
    }
    let path = format!("/api/restores/{id}");
    let waits = world.ok(&path).await["objects"][0].take();
    assert_eq!(waits["outcome"], "waiting", "{waits}");
    assert!(waits["failure"]["code"].as_str().is_some_and(|code| code.starts_with("Storage/")), "{waits}");
    // When it is over, the vault has its own time: what it says now is no end of what was waited for before.
    world.azure.faults().clear();
    world.fault(Operation::Restore, FaultKind::Forbidden(Forbidden::ByRbac));
    world.host().await.pump("RestoreObject").await;
    world.advance().await;
    world.azure.faults().clear();
    world.end_restores().await;
    let report = world.ok(&path).await;
    assert_eq!((&report["state"], &report["numbers"]["restored"]), (&json!("Succeeded"), &json!(6)));
}

#[tokio::test]
async fn a_restore_whose_storage_refuses_for_all_its_hours_names_it_at_its_end() {
    let mut world = World::with_secrets(6).await;
    let id = world.forty_into_an_empty_vault().await;
    world.fault(backups_are_read(), FaultKind::Forbidden(Forbidden::ByRbac));
    for _ in 0..21 {
        world.host().await.pump("RestoreObject").await;
        world.pass(59);
        world.advance().await;
    }
    let report = world.ok(&format!("/api/restores/{id}")).await;
    assert_eq!((&report["state"], &report["numbers"]["failed"]), (&json!("Failed"), &json!(6)), "{report}");
    let failure = &report["objects"][0]["failure"];
    assert!(failure["code"].as_str().is_some_and(|code| code.starts_with("Storage/")), "{failure}");
    assert!(failure["text"].as_str().is_some_and(|text| text.contains("this program's own storage")));
}

fn backups_are_read() -> Matcher {
    Matcher::from(Operation::GetBlob).custom(|subject| subject.object.ends_with("/backup"))
}

/// The bound: a message a minute for twenty minutes, and the deliveries of the first one.
#[tokio::test]
async fn what_never_passes_ends_a_step_after_twenty_minutes() {
    for (fault, most) in [(FaultKind::Forbidden(Forbidden::ByRbac), 22), (FaultKind::Status(501), 26)] {
        let mut world = World::with_secrets(40).await;
        let id = world.forty_into_an_empty_vault().await;
        world.fault(Matcher::from(Operation::Restore).object("secret-1"), fault);
        let took = world.end_restores().await;
        assert!(took < time::Duration::minutes(30), "{took}");
        let report = world.ok(&format!("/api/restores/{id}")).await;
        assert_eq!((&report["numbers"]["restored"], &report["numbers"]["failed"]), (&json!(39), &json!(1)));
        let tries = world
            .azure
            .requests()
            .count(|entry| entry.operation == Operation::Restore && entry.object == "secret-1");
        assert!((20..=most).contains(&tries), "{tries}");
    }
}

#[tokio::test]
async fn messages_that_get_lost_are_sent_again() {
    let mut world = backed_up().await;
    let before = world.vault.snapshot();
    world.wreck();
    let plan = world.plan(wish()).await;
    let started = world.begin_through_the_queue(&plan, "lost").await;
    world.work.queue("restore-objects").clear();
    let report = world.ended(&started).await;
    assert_eq!(report["state"], "Succeeded", "{report}");
    assert_eq!(world.vault.snapshot().differences(&before), Vec::<String>::new());
}

#[tokio::test]
async fn a_restore_that_nobody_works_on_ends_with_its_failures() {
    let mut world = backed_up().await;
    world.wreck();
    let plan = world.plan(wish()).await;
    let started = world.begin_through_the_queue(&plan, "given-up").await;
    for _ in 0..21 {
        world.work.queue("restore-objects").clear();
        world.pass(60);
        world.advance().await;
    }
    let report = world.ok(started.header("location").expect("where to follow it")).await;
    assert_eq!((&report["state"], &report["numbers"]["failed"]), (&json!("Failed"), &json!(3)));
    assert_eq!(report["objects"][0]["failure"]["code"], "NoAnswer");
    assert_eq!(world.open_restores(), Vec::<String>::new(), "the vault is free again");
}

#[tokio::test]
async fn a_message_after_the_end_restores_nothing() {
    let mut world = backed_up().await;
    world.wreck();
    let plan = world.plan(wish()).await;
    let started = world.begin_under(&plan, "late").await;
    let id = started.json()["id"].as_str().expect("a name").to_owned();
    assert_eq!(world.ended(&started).await["state"], "Succeeded");
    world.wreck();
    let message = json!({ "version": 1, "restore": id, "kind": "secret", "object": "db" }).to_string();
    let late = world.host().await.deliver("RestoreObject", &message, 1).await;
    assert!(late.succeeded() && late.logs[0].contains("nothing to do"), "{late:?}");
    assert_eq!(world.vault.deleted(Kind::Secret), ["db"], "it is not purged");
}

#[tokio::test]
async fn a_message_of_an_invented_restore_does_nothing() {
    let mut world = backed_up().await;
    world.wreck();
    let message = json!({ "version": 1, "restore": "20261122T101112Z-restore-0f3a9c41", "kind": "secret", "object": "db" });
    let strange = world.host().await.deliver("RestoreObject", &message.to_string(), 1).await;
    assert!(!strange.succeeded());
    assert_eq!(world.vault.deleted(Kind::Secret), ["db"]);
}

#[tokio::test]
async fn a_terminal_that_dies_leaves_its_restore_to_the_handler_when_it_was_handed_over() {
    let mut world = backed_up().await;
    let before = world.vault.snapshot();
    world.wreck();
    world.today();
    let url = world.vault.url();
    let args = ["restore", "--vault", &url, "--secret", "db", "--key", "signing", "--certificate", "tls"];
    let args = [&args[..], &["--on-conflict", "purge-deleted", "--yes", "--hand-over"]].concat();
    let met = world.trap(35, FaultKind::Hang);
    tokio::select! {
        done = world.cli(&args) => panic!("{done:?}"),
        () = met.notified() => {}
    }
    world.azure.faults().clear();
    assert!(!world.open_restores().is_empty(), "it is on record");
    for _ in 0..40 {
        world.host().await.pump("RestoreObject").await;
        world.advance().await;
    }
    assert_eq!(world.open_restores(), Vec::<String>::new());
    assert_eq!(world.vault.snapshot().differences(&before), Vec::<String>::new());
    let jobs = world.cli(&["jobs", "--output", "json"]).await;
    let jobs: Value = serde_json::from_slice(&jobs.stdout).expect("it is JSON");
    assert_eq!(jobs["restores"][0]["state"], "Succeeded", "{jobs}");
}
