//! What is told outside: once, whatever dies or refuses, and without a word about where.

use keyvault_backup_emulator::{
    FaultKind, Forbidden, Matcher, Operation, SecretSpec, Webhook,
    host::{Firing, Host},
};
use serde_json::{Value, json};
use time::Duration;

use crate::world::{DAILY, JOBS, NIGHT, World};

const NOTIFY: &str = "KEYVAULT_BACKUP_NOTIFY";
const HEARTBEAT: &str = "KEYVAULT_BACKUP_HEARTBEAT";
const RECORD: &str = "notices/sources";
/// A part of an address that must be shown nowhere.
const HIDDEN: &str = "hidden-0f3a9c41";

/// A world with one secret, and a receiver of its notices.
async fn telling() -> (World, Webhook) {
    let mut world = World::with_secrets(1).await;
    let hook = Webhook::start().await.expect("a port");
    world.set(NOTIFY, &hook.url(HIDDEN));
    (world, hook)
}

/// The codes of the notices that arrived, message by message.
fn told(hook: &Webhook) -> Vec<Vec<String>> {
    let codes = |notices: &Value| -> Vec<String> {
        let all = notices.as_array().expect("a list").iter();
        all.map(|notice| notice["code"].as_str().expect("a code").to_owned()).collect()
    };
    bodies(hook).iter().map(|body| codes(&body["notices"])).collect()
}

fn bodies(hook: &Webhook) -> Vec<Value> {
    hook.received().iter().map(|of| serde_json::from_str(&of.body).expect("it is JSON")).collect()
}

/// Writes of the record of notices.
fn writes() -> Matcher {
    Matcher::from(Operation::PutBlob).object(format!("{JOBS}/{RECORD}"))
}

impl World {
    /// Passes every five minutes for so long.
    pub async fn passes_for(&mut self, minutes: i64) {
        for _ in 0..minutes / 5 {
            self.at(self.azure.clock().now() + Duration::minutes(4));
            let passed = self.advance().await;
            assert!(passed.succeeded(), "{passed:?}");
        }
    }

    /// The requests for blobs of a pass so many minutes after the last one, and how many of them are listings.
    async fn storage_of_a_pass(&mut self, minutes: i64) -> (usize, usize) {
        self.at(self.azure.clock().now() + Duration::minutes(minutes - 1));
        let mark = self.azure.requests().mark();
        self.advance().await;
        let requests = self.azure.requests().since(mark);
        let blobs = requests.iter().filter(|entry| entry.host.contains(".blob."));
        let lists = blobs.clone().filter(|entry| entry.operation == Operation::ListBlobs);
        (blobs.count(), lists.count())
    }

    fn notices_record(&self) -> Value {
        let blob = self.work.blob(JOBS, RECORD).expect("there is a record");
        serde_json::from_slice(&blob.bytes).expect("it is JSON")
    }

    /// Every line that was ever logged.
    async fn logged(&mut self) -> String {
        self.host().await.logs().iter().map(|line| line.text.clone() + "\n").collect()
    }
}

#[tokio::test]
async fn a_trouble_is_told_once_and_so_is_its_end() {
    let (mut world, hook) = telling().await;
    world.passes_for(20).await;
    assert_eq!(told(&hook), [["never-backed-up"]]);
    world.night(world.azure.clock().now()).await;
    world.passes_for(60).await;
    assert_eq!(told(&hook), [["never-backed-up"], ["recovered"]]);
    let first = &bodies(&hook)[0]["notices"][0];
    assert_eq!((&first["source"], &first["severity"]), (&json!("vault kv-a"), &json!("error")));
    assert!(hook.received().iter().all(|of| !of.headers.contains_key("authorization")));
}

#[tokio::test]
async fn many_troubles_at_the_first_start_are_one_message() {
    let names: Vec<String> = (0..7).map(|number| format!("kv-{number}")).collect();
    let mut world = World::with_vaults(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let hook = Webhook::start().await.expect("a port");
    world.set(NOTIFY, &hook.url(HIDDEN));
    world.passes_for(10).await;
    assert_eq!(told(&hook), [vec!["never-backed-up"; 7]]);
}

#[tokio::test]
async fn two_instances_tell_once() {
    let (mut world, hook) = telling().await;
    let one = world.host().await;
    let two = one.another(world.host_options()).await.expect("it starts");
    for _ in 0..4 {
        world.at(world.azure.clock().now() + Duration::minutes(5));
        let fire = |host: &Host| {
            let (host, now) = (host.clone(), world.azure.clock().now());
            async move { host.fire("AdvanceJobs", Firing::at(now)).await }
        };
        futures::join!(fire(&one), fire(&two));
    }
    assert_eq!(told(&hook), [["never-backed-up"]]);
}

/// The first write decides, the second claims, the third records the delivery.
#[tokio::test]
async fn a_death_between_decision_and_delivery_tells_once_and_loses_nothing() {
    for (at, how, messages) in [
        (0, FaultKind::Hang, 1),
        (0, FaultKind::ResetAfter, 1),
        (1, FaultKind::Hang, 1),
        (1, FaultKind::ResetAfter, 1),
        (2, FaultKind::ResetAfter, 1),
        // It died after the answer of the target and before the record of it: the id is the same.
        (2, FaultKind::Hang, 2),
    ] {
        let (mut world, hook) = telling().await;
        let (host, met) = (world.host().await, world.trap_on(writes(), at, how.clone()));
        tokio::select! {
            _ = world.advance() => panic!("it dies"),
            () = met.notified() => host.restart().await.expect("it starts again"),
        }
        world.azure.faults().clear();
        world.passes_for(30).await;
        let ids: Vec<_> = bodies(&hook).iter().map(|body| body["notices"][0]["id"].clone()).collect();
        assert_eq!(ids.len(), messages, "{at} {how:?}");
        assert!(
            ids.iter().all(|id| *id == ids[0]) && world.notices_record()["outbox"].get("posts").is_none()
        );
    }
}

#[tokio::test]
async fn a_target_that_refuses_changes_no_run_and_shows_in_the_status_by_its_host() {
    let (mut world, hook) = telling().await;
    hook.answers(404, "no_service");
    world.passes_for(5).await;
    assert_eq!(world.night(world.azure.clock().now()).await["verdict"], "Succeeded");
    let status = world.get("/api/status").await.json();
    let of = &status["notices"];
    assert_eq!((&of["undelivered"], &of["targets"][0]["host"]), (&json!(1), &json!("127.0.0.1")));
    assert_eq!(of["targets"][0]["lastFailure"], "it answered 404 no_service");
    let shown = world.cli(&["status"]).await;
    let shown = String::from_utf8_lossy(&shown.stderr).into_owned() + &String::from_utf8_lossy(&shown.stdout);
    assert!(shown.contains("Not yet delivered to 127.0.0.1 since 2026-01-10"), "{shown}");
    hook.answers(302, "");
    world.passes_for(65).await;
    assert!(hook.received().iter().all(|of| of.path == format!("/{HIDDEN}")), "no redirect is followed");
    hook.answers(200, "");
    world.passes_for(65).await;
    let tries = told(&hook).concat().iter().filter(|code| *code == "never-backed-up").count();
    assert_eq!(tries, 3, "a refusal is tried again each hour");
    assert_eq!(world.get("/api/status").await.json()["notices"]["undelivered"], 0);
}

#[tokio::test]
async fn an_address_is_in_no_log_record_or_answer() {
    let (mut world, hook) = telling().await;
    world.set("RUST_LOG", "trace");
    world.set(HEARTBEAT, &format!("http://{HIDDEN}@example.com/{HIDDEN}"));
    world.set(
        NOTIFY,
        &format!("{} https://nowhere.invalid/{HIDDEN}?sig={HIDDEN} ftp://x/{HIDDEN}", hook.url(HIDDEN)),
    );
    hook.answers(500, HIDDEN);
    world.passes_for(10).await;
    hook.answers(200, HIDDEN);
    world.passes_for(10).await;
    let logged = world.logged().await;
    assert!(
        logged.contains("notify.failed")
            && logged.contains("notify.sent")
            && logged.contains("nowhere.invalid")
    );
    assert!(
        !logged.contains(HIDDEN),
        "{}",
        logged.lines().find(|line| line.contains(HIDDEN)).unwrap_or_default()
    );
    assert!(!world.notices_record().to_string().contains(HIDDEN));
    assert!(!world.get("/api/status").await.text().contains(HIDDEN));
    let report = world.cli(&["preflight", "-o", "json"]).await;
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(report.contains("notify-unusable") && !report.contains(HIDDEN), "{report}");
}

/// 12 January 2026 is a Monday.
#[tokio::test]
async fn the_summary_comes_on_monday_and_a_pause_of_passes_is_told() {
    let (mut world, hook) = telling().await;
    world.night(NIGHT).await;
    world.passes_for(10).await;
    world.at(NIGHT + Duration::DAY * 2 + Duration::hours(6) - Duration::minutes(5));
    world.passes_for(20).await;
    assert_eq!(told(&hook).concat(), ["passes-paused", "overdue", "weekly-summary"]);
    let summary = &bodies(&hook)[2]["notices"][0];
    assert_eq!(
        summary["text"],
        "Objects: 1 protected, 0 failing, 0 damaged, 0 accepted.\nThe oldest newest backup is of kv-a: 2026-01-10 02:00Z.\nkv-a: overdue."
    );
}

#[tokio::test]
async fn the_heartbeat_is_called_once_for_a_clean_night_and_for_no_other() {
    let mut world = World::with_secrets(1).await;
    let hook = Webhook::start().await.expect("a port");
    world.set("VAULT_BACKUP_SCHEDULE", DAILY);
    world.set(HEARTBEAT, &hook.url(HIDDEN));
    world.at(NIGHT - Duration::minutes(30));
    world.passes_for(20).await;
    assert!(hook.received().is_empty(), "no night was");
    hook.answers(503, "");
    world.night(NIGHT).await;
    world.passes_for(15).await;
    hook.answers(200, "");
    let tried = hook.received().len();
    world.passes_for(60).await;
    assert!(tried > 0 && hook.received().len() == tried + 1, "until it succeeds, and then no more");
    assert!(hook.received().iter().all(|of| of.method == "GET" && of.body.is_empty()));
    world.vault.put_secret("refused", SecretSpec::new("value"));
    world
        .fault(Matcher::from(Operation::Backup).object("refused"), FaultKind::Forbidden(Forbidden::ByPolicy));
    world.night(NIGHT + Duration::DAY).await;
    world.passes_for(60).await;
    assert_eq!(hook.received().len(), tried + 1, "an object fails");
}

#[tokio::test]
async fn a_restore_is_told_when_it_starts_and_when_it_ends() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    let hook = Webhook::start().await.expect("a port");
    world.set(NOTIFY, &hook.url(HIDDEN));
    world.today();
    world.restart_with_settings().await;
    world.vault.remove(keyvault_backup_emulator::Kind::Secret, "secret-0");
    let request = json!({ "source": "kv-a", "target": "kv-a", "everything": true });
    world.passes_for(5).await;
    assert_eq!(world.restored(request).await["state"], "Succeeded");
    world.passes_for(10).await;
    let restores: Vec<_> =
        told(&hook).into_iter().flatten().filter(|code| code.starts_with("restore")).collect();
    assert_eq!(restores.last().expect("it is told"), "restore-ended");
    world.passes_for(10).await;
    assert_eq!(told(&hook).into_iter().flatten().filter(|code| code == "restore-ended").count(), 1);
}

#[tokio::test]
async fn a_test_goes_to_every_target_and_says_what_came_back() {
    let (mut world, hook) = telling().await;
    let refusing = Webhook::start().await.expect("a port");
    refusing.answers(403, "invalid_token");
    for (targets, code, words) in [
        (hook.url(HIDDEN), 0, "200"),
        (format!("{} slack+{}", hook.url(HIDDEN), refusing.url(HIDDEN)), 1, "403 invalid_token"),
        (refusing.url(HIDDEN), 2, "403 invalid_token"),
        (String::new(), 2, NOTIFY),
        ("nonsense".to_owned(), 2, "address 1 of 1"),
    ] {
        world.set(NOTIFY, &targets);
        let output = world.cli(&["notify", "test"]).await;
        let shown =
            [output.stdout, output.stderr].map(|of| String::from_utf8_lossy(&of).into_owned()).concat();
        assert_eq!(output.status.code(), Some(code), "{shown}");
        assert!(shown.contains(words) && !shown.contains(HIDDEN), "{shown}");
    }
    assert_eq!(told(&hook), [["test"], ["test"]]);
}

/// As `tests/testdata/v1-notices` has it: one trouble is told, and one message waits.
#[tokio::test]
async fn the_first_form_of_the_record_is_read() {
    let (mut world, hook) = telling().await;
    let path = crate::formats::testdata("v1-notices").join("sources.json");
    let frozen = std::fs::read_to_string(path).expect("the sample");
    // The target's name in the record is the digest of its address.
    let digest = sha(&hook.url(HIDDEN));
    world.work.put_blob(JOBS, RECORD, frozen.replace("TARGET", &digest), &[]);
    world.passes_for(10).await;
    assert_eq!(told(&hook), [["overdue"]], "what waits is sent, and what was told is not told again");
}

fn sha(text: &str) -> String {
    keyvault_backup::domain::digest::Fingerprint::of(text.as_bytes()).to_string()
}

#[tokio::test]
async fn an_instance_that_tells_nothing_reads_and_writes_nothing_for_it() {
    let mut world = World::with_secrets(1).await;
    world.passes_for(10).await;
    assert!(world.work.blob(JOBS, RECORD).is_none());
    let asked =
        world.azure.requests().entries().iter().any(|entry| format!("{entry:?}").contains("notices/"));
    assert!(!asked);
}

/// What docs/cost.md says of it: the requests to storage of a pass that reads the state, less those of one that does not.
#[tokio::test]
async fn reading_the_state_costs_a_few_requests_for_each_source() {
    for (vaults, most) in [(&["kv-a"][..], (29, 19)), (&["kv-a", "kv-b", "kv-c"], (45, 31))] {
        let mut world = World::with_vaults(vaults).await;
        let hook = Webhook::start().await.expect("a port");
        world.set(NOTIFY, &hook.url(HIDDEN));
        world.vault.put_secret("secret", SecretSpec::new("value"));
        world.night(NIGHT).await;
        world.passes_for(60).await;
        let between = world.storage_of_a_pass(1).await;
        let reading = world.storage_of_a_pass(5).await;
        let (requests, lists) = (reading.0 - between.0, reading.1 - between.1);
        assert!((1..=most.0).contains(&requests) && lists <= most.1, "{vaults:?}: {requests} {lists}");
    }
}
