//! Evidence: the record of each day, and reports that are made of nothing else.

use std::{collections::BTreeMap, fs, path::Path};

use keyvault_backup_emulator::{
    FaultKind, Forbidden, Matcher, Operation, SecretSpec,
    host::{Firing, Invocation},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{
    api::problem,
    checks::events,
    retention::{Kept, keeper_of},
    trail::writes_of,
    world::{BACKUPS, NIGHT},
};

const DAY: Duration = Duration::DAY;

/// When the keeper's pass is that makes the record of the day of [`NIGHT`].
const PASS: OffsetDateTime = datetime!(2026-01-11 04:00 UTC);

impl Kept {
    /// A keeper's pass at a time, whatever comes of it.
    async fn pass_at(&self, at: OffsetDateTime) -> Invocation {
        self.world.at(at);
        self.keeper.fire("ApplyRetention", Firing::at(at)).await
    }

    /// The record of a day of January 2026.
    fn record(&self, day: u8) -> Option<Value> {
        let blob = self.world.backups.blob(BACKUPS, &format!("evidence/2026/01/{day:02}"))?;
        Some(serde_json::from_slice(&blob.bytes).expect("it is JSON"))
    }

    /// Puts something else in the place of a record's part.
    fn rewrite(&self, day: u8, change: impl FnOnce(&mut Value)) {
        let mut record = self.record(day).expect("there is a record");
        change(&mut record);
        let name = format!("evidence/2026/01/{day:02}");
        self.world.backups.put_blob(BACKUPS, &name, record.to_string(), &[]);
    }

    /// The report of these days of January 2026 in a folder: the exit code, and the files.
    async fn report(&self, from: u8, to: u8, more: &[&str]) -> (Option<i32>, BTreeMap<String, String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let into = folder.path().join("made");
        let [from, to] = [from, to].map(|day| format!("2026-01-{day:02}"));
        let args = ["evidence", "--from", &from, "--to", &to, "--output", into.to_str().expect("text")];
        let output = self.world.cli(&[&args, more].concat()).await;
        assert!(output.stderr.is_empty(), "{output:?}");
        (output.status.code(), files(&into))
    }
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("text");
        (name, fs::read_to_string(entry.path()).expect("text"))
    };
    entries.map(|entry| read(entry.expect("an entry"))).collect()
}

/// A night, and the record of its day.
async fn recorded() -> Kept {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.world.night(NIGHT).await;
    assert!(kept.pass_at(PASS).await.succeeded());
    kept
}

#[tokio::test]
async fn each_night_the_keeper_records_the_day_before_and_what_is_recorded_stays() {
    let mut kept = recorded().await;
    let record = kept.record(10).expect("there is a record");
    let [source] = &record["sources"].as_array().expect("a list")[..] else { panic!("{record}") };
    assert_eq!(
        (&source["source"], &source["kind"], &source["configured"]),
        (&json!("kv-a"), &json!("vault"), &json!(true))
    );
    assert_eq!(source["newest"], "2026-01-10T02:00:00Z", "{source}");
    assert_eq!(source["gap"], 22 * 3600, "it was first covered at two o'clock");
    let numbers = &source["coverage"]["numbers"];
    assert_eq!(
        (&numbers["listed"], &source["runs"]["succeeded"], &source["runs"]["backed_up"]),
        (&json!(2), &json!(1), &json!(2))
    );
    assert!(source["policy"].as_str().is_some_and(|policy| policy.starts_with("within=30")), "{source}");
    assert!(source.get("verification").is_none() && source.get("failures").is_none(), "{source}");
    assert_eq!((&record["day"], &record["made"]), (&json!("2026-01-10"), &json!("2026-01-11T04:00:00Z")));

    let before = kept.world.stored_below("evidence/");
    kept.world.night(NIGHT + DAY).await;
    assert!(kept.pass_at(PASS + Duration::HOUR).await.succeeded());
    assert_eq!(kept.world.stored_below("evidence/"), before, "a second pass changes nothing");
    assert!(kept.pass_at(PASS + DAY).await.succeeded());
    let source = &kept.record(11).expect("there is a record")["sources"][0];
    let gap = source["gap"].as_u64().expect("a number");
    assert!((24 * 3600..25 * 3600).contains(&gap), "from one night until the next was stored: {source}");
    assert_eq!(source["coverage"]["numbers"]["unchanged"], 2, "{source}");
}

#[tokio::test]
async fn a_past_period_gives_the_same_bytes_each_time() {
    let mut kept = recorded().await;
    kept.world.night(NIGHT + DAY).await;
    assert!(kept.pass_at(PASS + DAY).await.succeeded());
    let (code, made) = kept.report(10, 11, &[]).await;
    assert_eq!(code, Some(0));
    let names: Vec<_> = made.keys().map(String::as_str).collect();
    assert_eq!(names, ["SHA256SUMS", "evidence.csv", "evidence.html", "evidence.json"]);
    for line in made["SHA256SUMS"].lines() {
        let (sha256, name) = line.split_once("  ").expect("a digest and a name");
        assert_eq!(data_encoding::HEXLOWER.encode(&Sha256::digest(&made[name])), sha256, "{name}");
    }
    let lines: Vec<_> =
        made["evidence.csv"].lines().map(|line| line.split(',').collect::<Vec<_>>()).collect();
    assert_eq!((lines.len(), lines[1][..4].join(" ")), (3, "2026-01-10 recorded kv-a vault".to_owned()));
    let json: Value = serde_json::from_str(&made["evidence.json"]).expect("it is JSON");
    assert_eq!(
        (&json["recorded"], &json["gaps"], &json["sources"][0]["runs"]["succeeded"]),
        (&json!(2), &json!([]), &json!(2))
    );

    kept.world.night(NIGHT + DAY * 2).await;
    kept.world.vault.put_secret("later", SecretSpec::new("value"));
    assert!(kept.pass_at(PASS + DAY * 9).await.succeeded());
    assert_eq!(kept.report(10, 11, &[]).await, (Some(0), made.clone()), "what happens later changes nothing");
    let path = "/api/status/evidence?from=2026-01-10&to=2026-01-11";
    assert_eq!(kept.world.get(path).await.text(), made["evidence.json"]);
    for (format, media_type) in [("html", "text/html; charset=utf-8"), ("csv", "text/csv; charset=utf-8")] {
        let answer = kept.world.get(&format!("{path}&format={format}")).await;
        assert_eq!(answer.header("content-type"), Some(media_type));
        assert_eq!(answer.text(), made[&format!("evidence.{format}")]);
    }
}

#[tokio::test]
async fn a_day_without_a_record_is_a_gap_that_is_counted_and_never_filled() {
    let mut kept = recorded().await;
    kept.world.night(NIGHT + DAY).await;
    kept.world.night(NIGHT + DAY * 2).await;
    assert!(kept.pass_at(PASS + DAY * 2).await.succeeded());
    assert_eq!((kept.record(11), kept.record(12).is_some()), (None, true), "only yesterday is recorded");
    let (code, made) = kept.report(10, 12, &[]).await;
    assert_eq!(code, Some(1));
    let json: Value = serde_json::from_str(&made["evidence.json"]).expect("it is JSON");
    assert_eq!((&json["recorded"], &json["gaps"]), (&json!(2), &json!(["2026-01-11"])));
    assert_eq!(json["sources"][0]["days"], 2, "nothing is said of the day between");
    assert!(made["evidence.csv"].contains("2026-01-11,missing,,"), "{}", made["evidence.csv"]);
    assert!(made["evidence.html"].contains(">no record<"), "{}", made["evidence.html"]);
    assert_eq!(kept.report(1, 5, &[]).await, (Some(2), BTreeMap::new()), "nothing to make a report of");
    kept.world.backups.put_blob(BACKUPS, "evidence/2026/01/12", "{\"v\":2}", &[]);
    let (_, made) = kept.report(10, 12, &[]).await;
    let json: Value = serde_json::from_str(&made["evidence.json"]).expect("it is JSON");
    assert_eq!(json["gaps"], json!(["2026-01-11", "2026-01-12"]));
    assert_eq!(json["days"][2]["record"], "unreadable", "{json}");
}

#[tokio::test]
async fn what_is_in_a_record_is_text_and_nothing_else() {
    let kept = recorded().await;
    let hostile = "<script>alert(1)</script><img src=x onerror='x'>\"\u{202e}";
    kept.rewrite(10, |record| {
        let source = &mut record["sources"][0];
        let hold = json!({ "ticket": hostile, "scope": hostile, "reason": hostile, "by": hostile, "at": "2026-01-10T01:00:00Z" });
        source["holds"] = json!([hold]);
        source["policy"] = json!(hostile);
        source["troubles"] = json!([{ "code": format!("=cmd|'{hostile}"), "text": hostile }]);
        source["unread"] = json!([hostile]);
        record["program"] = json!(hostile);
        record["trail"]["events"] = json!([{
            "at": "2026-01-10T01:00:00Z", "by": { "via": "http", "principal": { "id": hostile, "name": hostile } },
            "event": "failure-accepted", "text": hostile,
        }]);
        record["trail"]["heads"] = json!([format!("{hostile}:1:{}", "0".repeat(64))]);
    });
    let (code, made) = kept.report(10, 10, &[]).await;
    let page = &made["evidence.html"];
    assert!(code == Some(0) && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    for markup in ["<script", "<img", "onerror='", "\u{202e}", "http://", "https://", "url("] {
        assert!(!page.contains(markup), "{markup} in {page}");
    }
    assert!(made["evidence.csv"].contains("\"'=cmd|'"), "{}", made["evidence.csv"]);
}

#[tokio::test]
async fn the_status_at_a_terminal_says_that_the_app_is_of_another_version() {
    let kept = recorded().await;
    // The tool cannot be told another time.
    let yesterday = (kept.world.today() - DAY).date().to_string();
    let mut record = kept.record(10).expect("there is a record");
    record["day"] = json!(yesterday);
    for (app, next) in [
        (record["program"].clone(), None),
        (json!("99.0.0 (abc1234)"), Some("install its version here")),
        (json!("0.0.9"), Some("give the app the package")),
    ] {
        record["program"] = app.clone();
        let name = format!("evidence/{}", yesterday.replace('-', "/"));
        kept.world.backups.put_blob(BACKUPS, &name, record.to_string(), &[]);
        let output = kept.world.cli(&["status"]).await;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let words = format!("recorded {yesterday} is version {}", app.as_str().expect("text"));
        assert_eq!(said.contains(&words), next.is_some(), "{said}");
        assert!(said.contains(next.unwrap_or("kv-a")), "{said}");
    }
}

#[tokio::test]
async fn neither_retention_nor_evidence_holds_up_the_other() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.world.night(NIGHT).await;
    kept.world.fault(writes_of("evidence/"), FaultKind::Forbidden(Forbidden::ByRbac));
    let pass = kept.pass_at(PASS).await;
    assert!(!pass.succeeded() && pass.body.contains("evidence of yesterday"), "{pass:?}");
    assert_eq!(kept.world.stored_below("retention/passes/").len(), 1, "retention was applied all the same");
    kept.world.azure.faults().clear();
    kept.world.set("KEYVAULT_BACKUP_FULL_PASS_DAYS", "40");
    kept.keeper = keeper_of(&kept.world).await;
    let pass = kept.pass_at(PASS + Duration::HOUR).await;
    assert!(!pass.succeeded() && pass.body.contains("KEYVAULT_BACKUP_RETENTION"), "{pass:?}");
    let record = kept.record(10).expect("there is a record all the same");
    assert_eq!(record["sources"][0].get("policy"), None, "no policy could be applied: {record}");
}

#[tokio::test]
async fn what_failed_and_what_became_of_it_is_recorded() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    for secret in ["secret-0", "secret-1"] {
        let refused = Matcher::from(Operation::Backup).object(secret);
        kept.world.fault(refused, FaultKind::Forbidden(Forbidden::ByRbac));
    }
    kept.world.night(NIGHT).await;
    kept.world.azure.faults().clear();
    let refused = Matcher::from(Operation::Backup).object("secret-1");
    kept.world.fault(refused, FaultKind::Forbidden(Forbidden::ByRbac));
    assert!(kept.pass_at(PASS).await.succeeded());
    let source = &kept.record(10).expect("there is a record")["sources"][0];
    let failures = source["failures"].as_array().expect("a list");
    assert!(failures.len() == 2 && failures.iter().all(|of| of["became"] == "open"), "{source}");
    assert!(source.get("gap").is_none() && source["troubles"][0]["code"] == "never-backed-up", "{source}");
    kept.world.night(NIGHT + DAY).await;
    assert!(kept.pass_at(PASS + DAY).await.succeeded());
    let source = &kept.record(11).expect("there is a record")["sources"][0];
    assert_eq!(source["failures"].as_array().map(Vec::len), Some(1), "{source}");
    let (_, made) = kept.report(10, 11, &["--source", "kv-a"]).await;
    let json: Value = serde_json::from_str(&made["evidence.json"]).expect("it is JSON");
    let days: Vec<_> = json["failures"].as_array().expect("a list").iter().map(|of| &of["days"]).collect();
    assert_eq!(
        (days, &json["sources"][0]["uncoveredDays"]),
        (vec![&json!(1), &json!(2)], &json!(1)),
        "{json}"
    );
}

#[tokio::test]
async fn what_retention_let_go_is_recorded_with_its_reason() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(5).await;
    let now = kept.now();
    assert!(kept.pass_at(now + DAY).await.succeeded());
    let records = kept.world.stored_below("evidence/");
    let newest: Value =
        serde_json::from_slice(records.values().last().expect("a record")).expect("it is JSON");
    let dropped = newest["sources"][0]["dropped"].as_array().expect("points were let go");
    assert!(dropped.iter().all(|of| of["why"].as_str().is_some_and(|why| !why.is_empty())), "{newest}");
    assert!(newest["retention"].as_str().is_some(), "it was applied on that day: {newest}");
    assert_eq!(records.len(), 6, "retention lets none of the records go");
}

#[tokio::test]
async fn the_newest_records_of_the_trail_are_logged_each_day_and_recorded() {
    let mut kept = Kept::with(1, "within=30 months=0").await;
    // Requests over HTTP are of the real time.
    let today = kept.world.today();
    for _ in 0..2 {
        assert_eq!(kept.world.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
    }
    assert!(kept.pass_at(today + DAY).await.succeeded());
    let (_, found) = kept.world.verified().await;
    let section = &found["sections"][0];
    let text = |of: &Value| of.as_str().expect("text").to_owned();
    let head = format!("{}:2:{}", text(&section["section"]), text(&section["head"]["sha256"]));
    let logs = kept.keeper.logs();
    assert_eq!(
        events(&logs.iter().filter(|line| line.function_console).cloned().collect::<Vec<_>>(), "audit.head"),
        1
    );
    assert!(logs.iter().any(|line| line.text.contains(&head)), "{head}");
    let records = kept.world.stored_below("evidence/");
    let record: Value =
        serde_json::from_slice(records.values().next().expect("a record")).expect("it is JSON");
    assert_eq!(
        (&record["trail"]["heads"], &record["trail"]["records"]),
        (&json!([head]), &json!(2)),
        "{record}"
    );
    let output = kept.world.cli(&["audit", "verify", "--expect", &head]).await;
    assert_eq!(output.status.code(), Some(0), "what is logged is what --expect takes: {output:?}");
}

#[tokio::test]
async fn a_report_is_of_days_that_have_ended_and_of_sources_that_its_records_have() {
    let mut kept = recorded().await;
    let of = |query: &str| format!("/api/status/evidence?{query}");
    for (query, why) in [
        ("from=2026-01-10&to=2999-01-01", "`to`: the period is longer"),
        ("from=2026-01-11&to=2026-01-10", "`to`: the period ends before"),
        ("from=2026-01-10&to=x", "`to`: expected a day"),
        ("from=2026-01-10&to=2026-01-10&format=pdf", "`format`: expected one of"),
    ] {
        let detail = problem(&kept.world.get(&of(query)).await, 400, "invalid-parameter");
        assert!(detail.starts_with(why), "{query}: {detail}");
    }
    let unknown = kept.world.get(&of("from=2026-01-10&to=2026-01-10&source=kv-x")).await;
    assert!(unknown.status != 200 && unknown.text().contains("kv-x"), "{}", unknown.text());
    let today = kept.world.today();
    let path = of(&format!("from=2026-01-10&to={}", today.date()));
    let detail = problem(&kept.world.get(&path).await, 400, "invalid-parameter");
    assert!(detail.contains("has not ended"), "{detail}");
}
