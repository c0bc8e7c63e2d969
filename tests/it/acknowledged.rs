//! What a person answers for: failures that are accepted, losses that are acknowledged.

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, SecretSpec};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::world::{BACKUPS, World};

mod losses;
mod rounds;

pub const DAY: Duration = Duration::DAY;
const WHY: &str = "its users move in spring";

/// A vault with a secret that Key Vault will never back up again, and one that is well; last night's run has ended.
async fn worn() -> World {
    let mut world = World::new().await;
    for number in 0..501 {
        world.vault.put_secret("worn", SecretSpec::new(number.to_string()));
    }
    world.vault.put_secret("well", SecretSpec::new("value"));
    let today = world.today();
    world.night(today).await;
    world
}

/// A date so many days from now.
fn on(days: i64) -> String {
    (now() + DAY * i32::try_from(days).expect("days")).date().to_string()
}

#[expect(clippy::disallowed_methods, reason = "the tool cannot be told another time")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

impl World {
    /// Runs a command on the configured vault and returns its exit code and what it printed.
    async fn person(&self, args: &[&str]) -> (i32, Value) {
        let vault = self.vault.url();
        let output = self.cli(&[args, &["--vault", &vault, "--output", "json"]].concat()).await;
        let text = if output.status.success() { &output.stdout } else { &output.stderr };
        let text = String::from_utf8_lossy(text);
        (output.status.code().unwrap_or(-1), serde_json::from_str(&text).unwrap_or_else(|_| json!(text)))
    }

    /// Accepts the failure of a secret for thirty days.
    async fn accept(&self, secret: &str) -> Value {
        let (code, record) =
            self.person(&["accept", "--secret", secret, "--reason", WHY, "--until", &on(30)]).await;
        assert_eq!(code, 0, "{record}");
        record
    }

    /// The source in `GET /api/status`.
    async fn source(&mut self) -> Value {
        self.ok("/api/status").await["sources"][0].take()
    }

    /// Whether the source is ok, and how many fail and are accepted.
    async fn state(&mut self) -> (bool, u64, u64) {
        let of = self.source().await;
        let total = |name: &str| of[name]["total"].as_u64().expect("a number");
        (of["ok"] == true, total("failing"), total("accepted"))
    }

    /// The only record of an acceptance, and its blob's name.
    fn record(&self) -> (String, Value) {
        let all = self.backups.blobs(BACKUPS);
        let name = all.into_iter().find(|name| name.starts_with("acknowledged/")).expect("a record");
        let stored = self.backups.blob(BACKUPS, &name).expect("it is stored").metadata.remove(0).1;
        (name, serde_json::from_str(&stored).expect("it is JSON"))
    }

    /// Stores such a record.
    fn put_record(&self, name: &str, record: &Value) {
        self.backups.put_blob(BACKUPS, name, Vec::new(), &[("accepted", &record.to_string())]);
    }

    /// What has become of the only acceptance.
    async fn standing(&self) -> Value {
        self.person(&["accept", "list"]).await.1["acceptances"][0].take()
    }
}

#[tokio::test]
async fn an_accepted_failure_is_no_trouble_and_stays_in_sight() {
    let mut world = worn().await;
    assert_eq!(world.state().await, (false, 1, 0));
    let record = world.accept("worn").await;
    assert_eq!((&record["code"], &record["reason"]), (&json!("TooManyVersions"), &json!(WHY)));
    let of = world.source().await;
    let accepted = &of["accepted"]["objects"][0];
    assert_eq!((&of["ok"], &of["lastRun"]["state"]), (&json!(true), &json!("PartiallyFailed")));
    assert_eq!((&accepted["name"], &accepted["reason"]), (&json!("worn"), &json!(WHY)));
    assert_eq!(accepted["until"], record["until"]);
    assert_eq!(world.standing().await["standing"], "in-force");
    let listed = world.cli(&["accept", "list"]).await;
    assert!(String::from_utf8_lossy(&listed.stdout).contains("in force"), "{listed:?}");
}

#[tokio::test]
async fn with_another_reason_it_is_a_failure_again() {
    let mut world = worn().await;
    world.accept("worn").await;
    world.fault(Matcher::from(Operation::Backup).object("worn"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.night(now() + DAY).await;
    let of = world.source().await;
    assert_eq!((&of["ok"], &of["accepted"]["total"]), (&json!(false), &json!(0)));
    assert_eq!(of["failing"]["objects"][0]["failure"]["code"], "Forbidden/ForbiddenByRbac");
    let listed = world.standing().await;
    assert_eq!(
        (&listed["standing"], &listed["now"]),
        (&json!("other-reason"), &json!("Forbidden/ForbiddenByRbac"))
    );
    world.azure.faults().clear();
    world.night(now() + DAY * 2).await;
    assert_eq!(world.state().await, (true, 0, 1), "it fails as was accepted");
}

#[tokio::test]
async fn when_the_time_is_over_it_is_a_failure_again() {
    let mut world = worn().await;
    world.accept("worn").await;
    let (name, mut record) = world.record();
    world.backups.delete_blob(BACKUPS, &name);
    record["until"] = (now() - Duration::SECOND).format(&Rfc3339).expect("a time").into();
    world.put_record(&name, &record);
    assert_eq!(world.state().await, (false, 1, 0));
    assert_eq!(world.standing().await["standing"], "expired");
}

#[tokio::test]
async fn what_is_withdrawn_is_a_failure_again_and_can_be_accepted_anew() {
    let mut world = worn().await;
    world.accept("worn").await;
    let (code, record) = world.person(&["accept", "withdraw", "--secret", "WORN"]).await;
    assert_eq!((code, &record["decision"]), (0, &json!("withdrawn")));
    assert_eq!(world.state().await, (false, 1, 0));
    assert_eq!(world.standing().await["standing"], "withdrawn");
    let (code, said) = world.person(&["accept", "withdraw", "--secret", "worn"]).await;
    assert!(code == 2 && said.to_string().contains("othing is accepted of secret worn"), "{said}");
    world.accept("worn").await;
    assert_eq!(world.state().await, (true, 0, 1));
    let (whole, trail) = world.recorded().await;
    assert!(whole, "{trail:?}");
    assert_eq!(trail, ["failure-accepted", "acceptance-withdrawn", "failure-accepted"]);
}

impl World {
    /// The line that was logged when a run closed. It may come after the answer.
    async fn closed(&mut self, run: &Value) -> Value {
        for _ in 0..1000 {
            let lines = self.handler_lines().await.into_iter();
            let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
            if let Some(line) = lines.find(|line| line["event"] == "run.closed" && line["run.id"] == *run) {
                return line;
            }
            self.advance().await;
        }
        panic!("the log does not say that run {run} has closed");
    }

    /// A night so many days from now: its verdict, how many failed and are accepted, and whether that is clean.
    async fn night_in(&mut self, days: i64) -> (String, u64, u64, bool) {
        let run = self.night(now() + DAY * i32::try_from(days).expect("days")).await;
        let numbers = run["numbers"].clone();
        let number = |name: &str| numbers[name].as_u64().unwrap_or_default();
        let line = self.closed(&run["run"]).await;
        assert_eq!(line["run.failed"], numbers["failed"], "{line}");
        assert_eq!(line["run.accepted"], number("accepted"), "{line}");
        let verdict = run["verdict"].as_str().expect("text").to_owned();
        (verdict, number("failed"), number("accepted"), line["run.clean"] == true)
    }
}

fn partial(accepted: u64) -> (String, u64, u64, bool) {
    ("PartiallyFailed".to_owned(), 1, accepted, accepted == 1)
}

#[tokio::test]
async fn nights_with_an_accepted_failure_stay_partial_and_are_clean() {
    let mut world = worn().await;
    assert_eq!(world.night_in(1).await, partial(0));
    world.accept("worn").await;
    assert_eq!(world.night_in(2).await, partial(1));
    world.fault(Matcher::from(Operation::Backup).object("worn"), FaultKind::Forbidden(Forbidden::ByRbac));
    assert_eq!(world.night_in(3).await, partial(0));
    world.azure.faults().clear();
    assert_eq!(world.night_in(4).await, partial(1));
    assert_eq!(world.night_in(40).await, partial(0), "the time is over");
    assert_eq!(world.newest("kv-a").header["accepted"], json!(null));
}

#[tokio::test]
async fn a_night_after_a_withdrawal_is_not_clean() {
    let mut world = worn().await;
    world.accept("worn").await;
    assert_eq!(world.night_in(1).await, partial(1));
    assert_eq!(world.person(&["accept", "withdraw", "--secret", "worn"]).await.0, 0);
    assert_eq!(world.night_in(2).await, partial(0));
}

#[tokio::test]
async fn a_run_says_what_was_accepted_as_of_it() {
    let mut world = worn().await;
    world.accept("worn").await;
    world.night_in(1).await;
    let run = world.newest("kv-a").header["run"].as_str().expect("text").to_owned();
    let vault = world.vault.url();
    for (args, words) in [(["show", &run], "failed, accepted"), (["list", "runs"], "ACCEPTED")] {
        let output = world.cli(&[&args[..], &["--vault", &vault]].concat()).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(words), "{said}");
    }
    let detail = world.ok(&format!("/api/backups/runs/{run}")).await;
    assert_eq!(detail["sources"][0]["numbers"]["accepted"], 1);
}

#[tokio::test]
async fn a_manifest_is_made_again_whatever_was_decided_since() {
    let mut world = worn().await;
    world.accept("worn").await;
    assert_eq!(world.night_in(1).await, partial(1));
    assert_eq!(world.person(&["accept", "withdraw", "--secret", "worn"]).await.0, 0);
    let name = world.manifests("kv-a").remove(0);
    let before = world.backups.blob(BACKUPS, &name).expect("it is stored");
    world.backups.delete_blob(BACKUPS, &name);
    let (code, said) = world.person(&["rebuild"]).await;
    assert_eq!(code, 0, "{said}");
    let after = world.backups.blob(BACKUPS, &name).expect("it is stored again");
    assert_eq!((after.bytes, after.metadata), (before.bytes, before.metadata));
}

#[tokio::test]
async fn where_nothing_fails_nothing_is_asked() {
    let mut world = World::with_secrets(3).await;
    let asked = |world: &World| world.azure.requests().count(|entry| entry.path.contains("acknowledged"));
    for days in 0..3 {
        world.night_in(days).await;
        world.ok("/api/status").await;
    }
    assert_eq!(asked(&world), 0);
    world.fault(Matcher::from(Operation::Backup).object("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.vault.put_secret("secret-1", SecretSpec::new("rotated"));
    world.night_in(3).await;
    assert_eq!(asked(&world), 0, "nothing failed in the run before");
    world.night_in(4).await;
    assert_eq!(asked(&world), 1);
}

impl World {
    /// Whether the audit trail is whole, and its events.
    async fn recorded(&self) -> (bool, Vec<String>) {
        let listed = self.cli(&["audit", "list", "--output", "json"]).await;
        let listed: Value = serde_json::from_slice(&listed.stdout).expect("it is JSON");
        let events = listed["records"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|record| record["event"].as_str().expect("text").to_owned());
        (self.cli(&["audit", "verify"]).await.status.success(), events.collect())
    }
}

#[tokio::test]
async fn what_cannot_be_accepted_is_refused_in_words() {
    let mut world = worn().await;
    let before = world.backups.blobs(BACKUPS);
    let accept = |secret, reason, until| ["accept", "--secret", secret, "--reason", reason, "--until", until];
    let tomorrow = on(1);
    let cases = [
        (
            accept("well", WHY, &tomorrow),
            "does not fail, so there is nothing to accept; what fails there: secret worn",
        ),
        (accept("typo", WHY, &tomorrow), "typo of kv-a is not in the catalogue"),
        (accept("worn", WHY, "2020-01-31"), "it has passed; give a date in the future"),
        (accept("worn", WHY, "2099-01-31"), "more than 2 years away"),
        (accept("worn", WHY, "tomorrow"), "expected a date such as 2027-01-31"),
        (accept("worn", " ", &tomorrow), "one line of 1 to 500 characters"),
        (accept("worn", "two\nlines", &tomorrow), "one line of 1 to 500 characters"),
    ];
    for (args, words) in cases {
        let (code, said) = world.person(&args).await;
        assert!(code == 2 && said.to_string().contains(words), "{words}: {said}");
    }
    world.set("KEYVAULT_BACKUP_HSMS", "https://hsm-a.managedhsm.azure.net");
    for hsm in ["https://hsm-a.managedhsm.azure.net", "hsm-a"] {
        let args = ["accept", "--vault", hsm, "--key", "k", "--reason", WHY, "--until", &tomorrow];
        let output = world.cli(&args).await;
        assert!(String::from_utf8_lossy(&output.stderr).contains("it is a Managed HSM"), "{output:?}");
    }
    assert_eq!(world.backups.blobs(BACKUPS), before, "nothing is recorded");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_silences_nothing() {
    let mut world = worn().await;
    world.accept("worn").await;
    let (name, record) = world.record();
    let newest = |text: &str| {
        let mut newer = name.clone();
        newer.replace_range(name.len() - 2.., "00");
        let text: Value = serde_json::from_str(text).unwrap_or_else(|_| json!({ "v": 1 }));
        (newer, text)
    };
    let mut of_another = record.clone();
    of_another["name"] = json!("well");
    for text in [r#"{"v":1}"#, r#"{"v":2,"decision":"accepted"}"#, &of_another.to_string()] {
        let (newer, text) = newest(text);
        world.put_record(&newer, &text);
        assert_eq!(world.state().await, (false, 1, 0), "{text}");
        world.backups.delete_blob(BACKUPS, &newer);
        assert_eq!(world.state().await, (true, 0, 1));
    }
}

/// The code of a part of the program.
fn code(part: &str) -> String {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![root.join(format!("{part}.rs")), root.join(part)];
    let mut code = String::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).expect("a folder").map(|file| file.expect("a file").path()));
        } else {
            code += &std::fs::read_to_string(path).expect("text");
        }
    }
    code
}

#[tokio::test]
async fn no_key_of_a_function_silences_anything() {
    let mut world = worn().await;
    let paths = [
        "/api/status",
        "/api/status/acknowledged",
        "/api/status/accept",
        "/api/backups/accepted",
        "/api/backups/acknowledge",
    ];
    for path in paths {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let body =
                json!({ "source": "kv-a", "run": "20261122T020000Z-nightly", "reason": WHY }).to_string();
            let answer = world.call(method, path, &[("content-type", "application/json")], &body).await;
            assert!([404, 405].contains(&answer.status), "{method} {path}: {}", answer.text());
        }
    }
    let document = world.ok("/api/status/openapi.json").await;
    let described = document["paths"].as_object().expect("paths").iter();
    let writes: Vec<_> = described
        .flat_map(|(path, methods)| {
            methods.as_object().expect("methods").keys().map(move |method| (method.as_str(), path.as_str()))
        })
        .filter(|(method, _)| *method != "get")
        .collect();
    let known = |path: &str| path.starts_with("/api/backups") || path.starts_with("/api/restores");
    let silencing = |path: &str| path.contains("acknowledg") || path.contains("accept");
    assert!(writes.len() > 2, "{writes:?}");
    assert!(writes.iter().all(|(_, path)| known(path) && !silencing(path)), "{writes:?}");
    assert!(world.backups.blobs(BACKUPS).iter().all(|name| !name.starts_with("acknowledged/")));
    for part in ["api", "triggers", "backup", "restore", "hsm", "jobs"] {
        let code = code(part);
        for writer in ["acknowledge::", "create_acknowledgement", "create_acceptance"] {
            assert!(!code.contains(writer), "{part} calls {writer}");
        }
    }
}
