//! A kind that cannot be listed when a run is planned is listed again in its rounds, and backed up the same night.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, SecretSpec};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    checks::assert_rebuilt,
    world::{BACKUPS, Manifest, NIGHT, World},
};

const DAY: Duration = Duration::DAY;
const MINUTE: Duration = Duration::MINUTE;
const RUN: &str = "20260110T020000Z-nightly";
const KEYS: &str = "vaults/kv-a/runs/20260110T020000Z-nightly/plan-key.jsonl.gz";

const REFUSED: FaultKind = FaultKind::Forbidden(Forbidden::ByRbac);

impl World {
    /// A night that begins while lists are refused or fail. Returns when it is so old, and the lists are given again.
    async fn without(&mut self, lists: &[Operation], why: &FaultKind, night: OffsetDateTime, age: Duration) {
        for list in lists {
            self.fault(*list, why.clone());
        }
        self.fire(night).await;
        self.until(night + age).await;
        self.azure.faults().clear();
    }

    /// The kinds that the newest run could list late.
    fn late(&self) -> Vec<Value> {
        let late = self.newest("kv-a").header["listed_late"].clone();
        late.as_array().cloned().unwrap_or_default().iter().map(|of| of["kind"].clone()).collect()
    }

    /// How often a list of keys was refused since then.
    fn refused_lists(&self, mark: u64) -> usize {
        let since = self.azure.requests().since(mark);
        since.iter().filter(|entry| entry.operation == Operation::ListKeys && entry.status == 403).count()
    }

    fn backed_up_at(&self, kind: &str, name: &str) -> String {
        self.newest("kv-a").line(kind, name)["entry"]["taken"].as_str().expect("a time").to_owned()
    }
}

/// Whoever refuses it and for however long, as long as it passes within the rounds. What could be listed does not wait.
#[tokio::test]
async fn a_kind_that_is_not_listed_for_hours_is_backed_up_the_same_night() {
    for (why, hours) in [(REFUSED, 5), (FaultKind::Status(501), 3)] {
        let mut world = World::with_each_kind(2).await;
        world.without(&[Operation::ListKeys], &why, NIGHT, Duration::hours(hours)).await;
        assert_eq!(world.manifests("kv-a"), Vec::<String>::new(), "it goes on");
        world.settle().await;
        let Manifest { header, summary, .. } = world.newest("kv-a");
        let numbers = &summary["numbers"];
        assert_eq!(
            json!([summary["verdict"], numbers["listed"], numbers["backed_up"], header["unlisted"]]),
            json!(["Succeeded", 10, 6, null])
        );
        assert_eq!(world.late(), ["key"]);
        assert!(
            world.backed_up_at("secret", "secret-0").as_str() < "2026-01-10T02:30",
            "no kind waits for another"
        );
        world.assert_protected("kv-a");
        assert_rebuilt(&world).await;
    }
}

/// What belongs to a certificate is told by the certificates that come late, and what the base has of each is carried.
#[tokio::test]
async fn kinds_that_come_late_are_planned_against_the_run_before() {
    let mut world = World::with_each_kind(2).await;
    world.night(NIGHT).await;
    world.vault.put_secret("secret-1", SecretSpec::new("another"));
    world.vault.remove(keyvault_backup_emulator::Kind::Certificate, "tls-1");
    let lists = [Operation::ListSecrets, Operation::ListCertificates];
    world.without(&lists, &REFUSED, NIGHT + DAY, Duration::HOUR).await;
    world.settle().await;
    let numbers = world.newest("kv-a").summary["numbers"].clone();
    assert_eq!(
        json!([
            numbers["listed"],
            numbers["backed_up"],
            numbers["unchanged"],
            numbers["gone"],
            numbers["unlisted"]
        ]),
        json!([7, 1, 4, 1, null]),
        "{numbers}"
    );
    assert_eq!((world.late(), &numbers["managed"]), (vec![json!("certificate"), json!("secret")], &json!(2)));
    world.assert_protected("kv-a");
    assert_eq!(world.night(NIGHT + DAY * 2).await["numbers"]["unchanged"], 5);
    assert_rebuilt(&world).await;
}

/// Of the others there is nothing to back up.
#[tokio::test]
async fn a_quiet_run_waits_for_a_kind_in_its_rounds() {
    let mut world = World::with_each_kind(1).await;
    world.night(NIGHT).await;
    world.vault.put_key("new", keyvault_backup_emulator::KeySpec::ec("P-256"));
    world.without(&[Operation::ListKeys], &FaultKind::Status(501), NIGHT + DAY, Duration::hours(4)).await;
    world.settle().await;
    let summary = world.newest("kv-a").summary;
    assert_eq!((&summary["verdict"], &summary["numbers"]["backed_up"]), (&json!("Succeeded"), &json!(1)));
    world.assert_protected("kv-a");
}

/// Three tries before it is planned, and five rounds after that.
#[tokio::test]
async fn a_kind_that_is_never_listed_costs_its_rounds_and_is_left_out() {
    let mut world = World::with_each_kind(1).await;
    world.fault(Operation::ListKeys, REFUSED);
    world.troubled_night(NIGHT).await;
    let over = world.azure.clock().now() - NIGHT;
    assert!(over > Duration::hours(8) && over < Duration::hours(8) + MINUTE * 40, "{over}");
    assert_eq!(world.refused_lists(0), 8, "the bound");
    let Manifest { header, summary, .. } = world.newest("kv-a");
    let unlisted = &header["unlisted"][0];
    assert_eq!(
        json!([summary["verdict"], summary["numbers"]["unlisted"]]),
        json!(["PartiallyFailed", ["key"]])
    );
    assert_eq!(
        (&unlisted["rounds"], &unlisted["failure"]["code"]),
        (&json!(null), &json!("Forbidden/ForbiddenByRbac"))
    );
    let said = unlisted["failure"]["text"].as_str().expect("text");
    assert!(said.ends_with("(listed in 6 rounds)"), "{said}");
    assert_rebuilt(&world).await;
}

/// An identity that was never given one right: the other kinds do not wait, and the night ends soon.
#[tokio::test]
async fn a_refusal_that_stands_keeps_no_night_open() {
    let mut world = World::with_each_kind(1).await;
    world.fault(Operation::ListKeys, REFUSED);
    world.troubled_night(NIGHT).await;
    let (night, mark) = (NIGHT + DAY, world.azure.requests().mark());
    world.vault.put_secret("secret-0", SecretSpec::new("another"));
    let summary = world.night(night).await;
    let over = world.azure.clock().now() - night;
    assert!(over < Duration::hours(2), "{over}");
    assert_eq!(json!([summary["verdict"], summary["numbers"]["backed_up"]]), json!(["PartiallyFailed", 1]));
    assert!(world.backed_up_at("secret", "secret-0").as_str() < "2026-01-11T02:02");
    assert_eq!(world.refused_lists(mark), 4, "the bound");
    // The right is given, in the morning and in time.
    world.without(&[Operation::ListKeys], &REFUSED, NIGHT + DAY * 2, Duration::HOUR).await;
    world.settle().await;
    assert_eq!(
        (world.newest("kv-a").summary["verdict"].clone(), world.late()),
        (json!("Succeeded"), vec![json!("key")])
    );
    world.assert_protected("kv-a");
}

/// Kills the handler at its first request of the round in which a kind comes late, at its second, and so on, a night each,
/// until the round is over before it is killed.
async fn die_while_a_kind_comes_late(how: FaultKind) {
    let mut world = World::with_secrets(1).await;
    for at in 0_usize.. {
        let night = NIGHT + DAY * i32::try_from(at).expect("a small number");
        world.at(night - DAY / 2);
        world.vault.put_key(&format!("key-{at}"), keyvault_backup_emulator::KeySpec::ec("P-256"));
        world.fault(Operation::ListKeys, REFUSED);
        world.fire(night).await;
        world.at(night + MINUTE * 14);
        world.minutes(3).await;
        world.azure.faults().clear();
        world.at(night + MINUTE * 32);
        let met = world.trap(at, how.clone());
        let died = tokio::select! {
            () = world.minutes(2) => false,
            () = met.notified() => true,
        };
        world.azure.faults().clear();
        if died {
            world.host().await.restart().await.expect("it starts again");
        }
        world.settle().await;
        let Manifest { header, summary, .. } = world.newest("kv-a");
        let backups = world.results("kv-a", header["run"].as_str().expect("a name"), "/backup").len();
        assert_eq!(
            json!([summary["verdict"], summary["numbers"]["backed_up"], world.late()]),
            json!(["Succeeded", backups, ["key"]]),
            "killed at request {at}: {summary}"
        );
        if !died {
            assert!(at > 10, "the round has more requests than {at}");
            break;
        }
    }
    world.assert_protected("kv-a");
    assert_rebuilt(&world).await;
}

#[tokio::test]
async fn a_kill_before_a_request_of_the_round_in_which_a_kind_comes_late_loses_nothing() {
    die_while_a_kind_comes_late(FaultKind::Hang).await;
}

#[tokio::test]
async fn a_kill_after_a_request_of_the_round_in_which_a_kind_comes_late_doubles_nothing() {
    die_while_a_kind_comes_late(FaultKind::ResetAfter).await;
}

/// A supplement of another process: it lists the keys while the run ends without them.
fn of_another_process(listed: &[&str]) -> Vec<u8> {
    let header = json!({ "supplement": { "v": 1, "vault": "kv-a", "run": RUN, "kind": "key", "round": 6, "at": "2026-01-10T10:00:00Z" } });
    let objects =
        listed.iter().map(|name| json!({ "object": { "kind": "key", "name": name, "decision": "new" } }));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    for line in [header].into_iter().chain(objects).chain([json!({ "end": listed.len() })]) {
        writeln!(packed, "{line}").expect("memory");
    }
    packed.finish().expect("memory")
}

fn of_a_supplement() -> Matcher {
    Matcher::from(Operation::PutBlob).custom(|subject| subject.object.ends_with("plan-key.jsonl.gz"))
}

#[tokio::test]
async fn a_kind_that_another_process_lists_at_the_last_moment_is_backed_up() {
    let mut world = World::with_each_kind(1).await;
    world.fault(Operation::ListKeys, REFUSED);
    let backups = world.backups.clone();
    world.when(of_a_supplement(), move || {
        backups.put_blob(BACKUPS, KEYS, of_another_process(&["key-0"]), &[]);
    });
    world.troubled_night(NIGHT).await;
    let summary = world.newest("kv-a").summary;
    assert_eq!(json!([summary["verdict"], summary["numbers"]["backed_up"]]), json!(["Succeeded", 3]));
    world.assert_protected("kv-a");
    assert_rebuilt(&world).await;
}

/// What is closed without a kind says so for good: nothing that is listed afterwards changes what it was.
#[tokio::test]
async fn a_run_that_ends_without_a_kind_says_so_before() {
    let mut world = World::with_each_kind(1).await;
    world.fault(Operation::ListKeys, REFUSED);
    world.troubled_night(NIGHT).await;
    assert!(world.backups.blob(BACKUPS, KEYS).is_some());
    let order: Vec<_> = world
        .azure
        .requests()
        .entries()
        .into_iter()
        .filter(|entry| entry.operation != Operation::GetBlob)
        .map(|entry| entry.path)
        .collect();
    let place = |part: &str| order.iter().rposition(|path| path.contains(part)).expect(part);
    assert!(place("plan-key.jsonl.gz") < place("manifests"), "first");
}

#[tokio::test]
async fn a_supplement_that_cannot_be_read_leaves_its_kind_out_and_nothing_else() {
    let mut world = World::with_each_kind(1).await;
    world.fault(Operation::ListKeys, REFUSED);
    world.fire(NIGHT).await;
    world.until(NIGHT + MINUTE * 20).await;
    world.backups.put_blob(BACKUPS, KEYS, b"broken".to_vec(), &[]);
    world.azure.clock().advance(std::time::Duration::from_secs(20 * 3600));
    world.minutes(2).await;
    let Manifest { summary, .. } = world.newest("kv-a");
    assert_eq!(
        json!([
            world.open_runs(),
            summary["scope"],
            summary["numbers"]["backed_up"],
            summary["numbers"]["unlisted"]
        ]),
        json!([0, "vault", 2, ["key"]])
    );
}

/// What was planned before it has its own end.
#[tokio::test]
async fn a_supplement_that_cannot_be_read_costs_no_words_of_what_failed_beside_it() {
    let mut world = World::with_each_kind(1).await;
    world.fault(Operation::ListKeys, REFUSED);
    world.fault(Matcher::from(Operation::Backup).object("secret-0"), REFUSED);
    world.fire(NIGHT).await;
    world.until(NIGHT + MINUTE * 20).await;
    world.backups.put_blob(BACKUPS, KEYS, b"broken".to_vec(), &[]);
    world.azure.clock().advance(std::time::Duration::from_secs(20 * 3600));
    world.minutes(2).await;
    let failure = world.newest("kv-a").line("secret", "secret-0")["failure"].clone();
    assert!(
        failure["text"].as_str().is_some_and(|text| text.contains("Caller is not authorized")),
        "{failure}"
    );
    assert_eq!((world.open_runs(), world.notes()), (0, Vec::new()));
}

/// Our own storage may refuse it for minutes: then it is stored in the same round, or in the next.
#[tokio::test]
async fn a_supplement_that_storage_refuses_costs_a_round_at_most() {
    for (minutes, round) in [(3, 2), (8, 3)] {
        let mut world = World::with_each_kind(1).await;
        world.without(&[Operation::ListKeys], &REFUSED, NIGHT, MINUTE * 25).await;
        world.fault(of_a_supplement(), REFUSED);
        let before = world.azure.faults().fired().len();
        while world.azure.faults().fired().len() == before {
            world.minutes(1).await;
        }
        world.minutes(minutes).await;
        world.azure.faults().clear();
        world.settle().await;
        let Manifest { header, summary, .. } = world.newest("kv-a");
        let late = &header["listed_late"][0];
        assert_eq!(
            json!([summary["verdict"], summary["numbers"]["backed_up"], late["kind"], late["round"]]),
            json!(["Succeeded", 3, "key", round])
        );
        world.assert_protected("kv-a");
        assert_rebuilt(&world).await;
    }
}

/// What a run says for good of a kind is stored before its manifest, however long that takes.
#[tokio::test]
async fn a_run_whose_last_word_on_a_kind_is_refused_by_storage_stays_open_until_it_is_stored() {
    let mut world = World::with_each_kind(1).await;
    for (matcher, why) in [(Matcher::from(Operation::ListKeys), REFUSED), (of_a_supplement(), REFUSED)] {
        world.fault(matcher, why);
    }
    world.fire(NIGHT).await;
    world.until(NIGHT + Duration::hours(9)).await;
    assert_eq!((world.open_runs(), world.manifests("kv-a").len()), (1, 0));
    world.azure.faults().clear();
    world.minutes(2).await;
    let numbers = world.newest("kv-a").summary["numbers"].clone();
    assert_eq!((world.open_runs(), &numbers["unlisted"]), (0, &json!(["key"])), "{numbers}");
    assert_rebuilt(&world).await;
}

#[tokio::test]
async fn a_kind_that_is_listed_again_is_shown() {
    let mut world = World::with_each_kind(1).await;
    world.fault(Operation::ListKeys, REFUSED);
    world.fire(NIGHT).await;
    world.until(NIGHT + MINUTE * 25).await;
    let running = world.ok("/api/status").await["sources"][0]["running"][0]["triedAgain"].take();
    assert_eq!(
        (&running["objects"], &running["kinds"], &running["round"]),
        (&json!(null), &json!(["key"]), &json!(1))
    );
    assert_eq!(running["failure"]["code"], "Forbidden/ForbiddenByRbac");
    let vault = world.vault.url();
    let show = ["show", RUN, "--vault", &vault];
    let shown = world.cli(&show).await;
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(
        text.contains("the keys cannot be listed, tried again at 2026-01-10T02:")
            && text.contains("in round 2 of 6"),
        "{text}"
    );
    world.azure.faults().clear();
    world.until(NIGHT + MINUTE * 34).await;
    let run = world.ok(&format!("/api/backups/runs/{RUN}")).await["sources"][0].clone();
    let late = run["listedLate"][0].clone();
    assert_eq!(
        json!([late["kind"], late["round"], run["numbers"]["backedUp"]]),
        json!(["key", 2, 3]),
        "{run}"
    );
    let shown = world.cli(&show).await;
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("The keys could be listed only at 2026-01-10T02:3"), "{text}");
}

/// A night in which every kind is listed looks for no supplement.
#[tokio::test]
async fn an_ordinary_night_asks_for_no_supplement() {
    let mut world = World::with_each_kind(2).await;
    for days in 0..2 {
        world.night(NIGHT + DAY * days).await;
    }
    assert_eq!(world.azure.requests().count(|entry| entry.path.contains("plan-")), 0);
}

/// A later run of the schedule lists the kind by itself.
#[tokio::test]
async fn a_later_run_of_the_schedule_ends_one_that_only_waits_for_a_kind() {
    let mut world = World::with_each_kind(1).await;
    world.fault(Operation::ListKeys, REFUSED);
    world.fire(NIGHT).await;
    world.until(NIGHT + MINUTE * 40).await;
    assert_eq!((world.open_runs(), world.manifests("kv-a").len()), (1, 0));
    world.fire(NIGHT + Duration::HOUR).await;
    world.minutes(2).await;
    assert_eq!((world.open_runs(), &world.newest("kv-a").header["run"]), (1, &json!(RUN)));
}
