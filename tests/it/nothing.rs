//! What selects nothing, and what brings nothing back: the terminal, the HTTP API and the runbook agree on each.

use keyvault_backup_emulator::{
    CertificateSpec, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec,
};
use keyvault_backup_needs::needs;
use serde_json::{Value, json};
use time::Duration;

use crate::{
    api::problem,
    runbooks::stage::Shell,
    world::{NIGHT, World},
};

/// A restore as a person asks for it in each of the three ways.
struct Asked {
    terminal: &'static [&'static str],
    http: Value,
    runbook: &'static [&'static str],
}

fn asked(terminal: &'static [&'static str], http: Value, runbook: &'static [&'static str]) -> Asked {
    Asked { terminal, http, runbook }
}

/// How a restore may end, and the exit code that says so.
const ENDS: [(&str, i32); 3] = [("Succeeded", 0), ("PartiallyFailed", 1), ("Failed", 2)];

/// A vault with every kind, backed up one night, beside an empty one; and it is today.
async fn backed_up() -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("secret-1", SecretSpec::new("one").tag("team", "core"));
    world.vault.put_secret("secret-2", SecretSpec::new("two"));
    world.vault.put_key("signing", KeySpec::ec("P-256"));
    world.vault.put_certificate("tls", CertificateSpec::new("CN=example.org"));
    world.night(NIGHT).await;
    world.today();
    world
}

impl World {
    /// Asks at the terminal for a restore of `kv-a` into itself. Returns the exit code, the result, and the error.
    async fn at_terminal(&self, args: &[&str]) -> (i32, Value, Value) {
        let url = self.vault.url();
        let output =
            self.cli(&[&["restore", "--vault", &url, "--yes", "--output", "json"], args].concat()).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        let (result, error) =
            (json(&String::from_utf8_lossy(&output.stdout)), json(error.lines().last().unwrap_or_default()));
        (output.status.code().unwrap_or(-1), result, error)
    }

    async fn by_runbook(&mut self, args: &[&str]) -> (i32, String) {
        let args = [&["--source", "kv-a", "--yes", "--poll", "0.1"], args].concat();
        let ended = self.runbook(Shell::Bash, "restore", &args).await;
        (ended.code.unwrap_or(-1), ended.all)
    }

    /// Asks in all three ways for what matches nothing, and looks for the words in each answer.
    async fn refuses(&mut self, asked: Asked, words: &[&str]) {
        let mut wish = asked.http;
        wish["source"] = "kv-a".into();
        let detail = problem(&self.post("/api/restores/plan", wish).await, 422, "nothing-selected");
        let (code, result, error) = self.at_terminal(asked.terminal).await;
        assert_eq!(
            (code, &result, &error["type"]),
            (2, &Value::Null, &json!("urn:keyvault-backup:problem:nothing-selected"))
        );
        let (runbook_code, said) = self.by_runbook(asked.runbook).await;
        assert_eq!(runbook_code, 2, "{said}");
        for word in words {
            let terminal = error["detail"].as_str().expect("a text");
            assert!(
                [&*detail, terminal, &said].iter().all(|text| text.contains(word)),
                "{word}: {detail}\n{error}\n{said}"
            );
        }
        assert!(self.open_restores().is_empty() && self.ok("/api/restores").await["restores"] == json!([]));
    }

    /// Asks in all three ways for what can be planned, and looks how each ends.
    async fn ends(&mut self, asked: Asked, state: &str) -> Value {
        let mut wish = asked.http;
        wish["source"] = "kv-a".into();
        let plan = self.plan(wish).await;
        let ended = self.begin(&plan).await;
        assert_eq!(
            (ended.status, &plan["foreseen"], &ended.json()["state"]),
            (200, &json!(state), &json!(state)),
            "{}",
            ended.text()
        );
        let (code, result, _) = self.at_terminal(asked.terminal).await;
        let (what_if, plan, _) = self.at_terminal(&[asked.terminal, &["--what-if"]].concat()).await;
        assert_eq!(plan["foreseen"], state, "{plan}");
        let (runbook_code, said) = self.by_runbook(asked.runbook).await;
        let runbook_what_if = self.by_runbook(&[asked.runbook, &["--what-if"]].concat()).await.0;
        let (_, expected) = ENDS.into_iter().find(|(end, _)| *end == state).expect("an end");
        assert_eq!([code, what_if, runbook_code, runbook_what_if], [expected; 4], "{result}\n{said}");
        assert_eq!(result["state"], state);
        assert!(said.contains(&format!("{state}: ")), "{said}");
        ended.json()
    }

    fn empty_the_vault(&self) {
        for (kind, name) in self.vault.snapshot().objects.keys() {
            if self.vault.delete(*kind, name).is_ok() {
                self.vault.purge(*kind, name).expect("it is purged");
            }
        }
    }
}

fn everything() -> Asked {
    asked(&["--all"], json!({ "everything": true }), &["--everything"])
}

#[needs(runbook_tools)]
#[tokio::test]
async fn a_selection_that_matches_nothing_has_no_plan_and_names_what_there_is() {
    let mut world = backed_up().await;
    let points = "Its only recovery point is of 2026-01-10T02:0";
    for (asked, words) in [
        (
            asked(&["--name", "secert-*"], json!({ "name": "secert-*" }), &["--name", "secert-*"]),
            ["secret secret-1, secret secret-2", points],
        ),
        (
            asked(
                &["--secret", "sining"],
                json!({ "objects": [{ "kind": "secret", "name": "sining" }] }),
                &["--secret", "sining"],
            ),
            ["Nearest in name: key signing", points],
        ),
        (
            asked(
                &["--kind", "key", "--name", "tls"],
                json!({ "kinds": ["key"], "name": "tls" }),
                &["--kind", "key", "--name", "tls"],
            ),
            ["key tls, but it belongs to a certificate", points],
        ),
        (
            asked(
                &["--all", "--at", "2026-01-09T00:00:00Z"],
                json!({ "everything": true, "at": "2026-01-09T00:00:00Z" }),
                &["--everything", "--at", "2026-01-09T00:00:00Z"],
            ),
            ["There was no backup of vault kv-a as of 2026-01-09T00:00:00Z", points],
        ),
    ] {
        world.refuses(asked, &words).await;
    }
    // The runbook has no tags.
    let detail = problem(
        &world.post("/api/restores/plan", json!({ "source": "kv-a", "tags": { "team": "cor" } })).await,
        422,
        "nothing-selected",
    );
    assert!(detail.contains("team=core"), "{detail}");
    let (code, _, error) = world.at_terminal(&["--tag", "team=cor"]).await;
    assert!(code == 2 && error["detail"].as_str().is_some_and(|text| text.contains("team=core")), "{error}");
}

/// As a person reads it. No time was asked for, so none is spoken of.
#[tokio::test]
async fn a_wrong_name_at_a_terminal_is_answered_with_the_nearest_and_without_a_time() {
    let world = backed_up().await;
    for (wrong, nearest) in [("sining", "key signing"), ("secert-1", "secret secret-1")] {
        let output = world.cli(&["restore", "--vault", &world.vault.url(), "--secret", wrong]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{output:?}");
        assert!(said.contains(&format!("Nothing of vault kv-a matches secret {wrong}. ")), "{said}");
        assert!(said.contains(&format!("Nearest in name: {nearest}")) && !said.contains("as of"), "{said}");
        assert!(said.ends_with("Correct the request: the name, the kind, the tags or the time.\n"), "{said}");
    }
}

#[tokio::test]
async fn the_time_that_a_refusal_names_can_be_asked_for() {
    let mut world = backed_up().await;
    let early = json!({ "source": "kv-a", "everything": true, "at": "2026-01-09T00:00:00Z" });
    let refused = world.post("/api/restores/plan", early).await.json();
    let next = refused["next"].as_str().and_then(|next| next.strip_prefix("Ask for ")).expect("a time");
    let at = next.strip_suffix(" or later.").expect("a time");
    let plan = world.plan(json!({ "source": "kv-a", "target": "kv-b", "everything": true, "at": at })).await;
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn a_vault_of_which_there_is_no_catalogue_is_told_from_others_before_it_is_asked() {
    let world = backed_up().await;
    let (other, typo) = (world.azure.vault("kv-b").url(), "https://kv-aa.vault.azure.net");
    let mark = world.azure.requests().mark();
    for args in [&["--vault", typo][..], &["--vault", typo, "--into", &other]] {
        let args = [&["restore", "--all", "--yes"], args].concat();
        let output = world.cli(&args).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("knows nothing of vault kv-aa"), "{said}");
        assert!(said.contains("nearest in name: kv-a, kv-b.\nCheck the name of the source."), "{said}");
    }
    let asked = world.azure.requests().since(mark);
    assert!(asked.iter().all(|entry| entry.service != keyvault_backup_emulator::Service::Vault));
}

#[tokio::test]
async fn a_vault_that_is_not_configured_is_answered_with_the_nearest() {
    let mut world = backed_up().await;
    let wish = json!({ "source": "kv-aa", "everything": true });
    let detail = problem(&world.post("/api/restores/plan", wish).await, 404, "unknown-source");
    assert!(detail.contains("nearest in name: kv-a, kv-b"), "{detail}");
    let wish = json!({ "source": "kv-b", "everything": true });
    let detail = problem(&world.post("/api/restores/plan", wish).await, 422, "nothing-selected");
    assert!(detail.contains("No run of vault kv-b has left a backup"), "{detail}");
}

#[needs(runbook_tools)]
#[tokio::test]
async fn a_restore_of_what_is_gone_without_being_asked_for_has_failed() {
    let mut world = backed_up().await;
    world.empty_the_vault();
    let order = json!({ "vault": "kv-a" });
    assert_eq!(world.post("/api/backups", order).await.status, 202);
    world.settle().await;
    let ended = world.ends(everything(), "Failed").await;
    assert_eq!((&ended["numbers"]["planned"], &ended["numbers"]["skipped"]), (&json!(4), &json!(4)));
    let report = world.ok(&format!("/api/restores/{}", ended["id"].as_str().expect("a name"))).await;
    assert!(
        report["left"].as_array().expect("a list").iter().all(|left| left["reason"] == "gone"),
        "{report}"
    );
    let (_, said) = world.by_runbook(&["--everything"]).await;
    assert!(said.contains("certificate tls: gone: ") && said.contains("secret secret-2: gone: "), "{said}");
}

#[needs(runbook_tools)]
#[tokio::test]
async fn names_that_are_all_in_the_way_bring_nothing_back_whether_they_are_skipped_or_not() {
    let mut world = backed_up().await;
    world.vault.put_secret("secret-1", SecretSpec::new("mine"));
    let fail = asked(&["--name", "secret-1"], json!({ "name": "secret-1" }), &["--name", "secret-1"]);
    world.ends(fail, "Failed").await;
    let skip = asked(
        &["--name", "secret-1", "--on-conflict", "skip"],
        json!({ "name": "secret-1", "onConflict": "skip" }),
        &["--name", "secret-1", "--on-conflict", "skip"],
    );
    world.ends(skip, "Failed").await;
    let some = asked(
        &["--all", "--on-conflict", "skip"],
        json!({ "everything": true, "onConflict": "skip" }),
        &["--everything", "--on-conflict", "skip"],
    );
    world.ends(some, "Succeeded").await;
}

#[needs(runbook_tools)]
#[tokio::test]
async fn what_is_there_already_and_equal_is_success_however_often_it_is_asked_for() {
    let mut world = backed_up().await;
    let ended = world.ends(everything(), "Succeeded").await;
    assert_eq!((&ended["numbers"]["alreadyThere"], &ended["numbers"]["restored"]), (&json!(4), &json!(0)));
}

#[needs(runbook_tools)]
#[tokio::test]
async fn what_never_had_a_backup_is_a_plan_that_cannot_succeed() {
    let mut world = World::with_vaults(&["kv-a"]).await;
    world.vault.put_secret("db", SecretSpec::new("one"));
    world.vault.put_secret("refused", SecretSpec::new("two"));
    world
        .fault(Matcher::from(Operation::Backup).object("refused"), FaultKind::Forbidden(Forbidden::ByPolicy));
    world.night(NIGHT).await;
    world.today();
    let ended = world.ends(everything(), "PartiallyFailed").await;
    assert_eq!(
        ["planned", "restored", "skipped", "failed", "neverBackedUp", "pending"]
            .map(|of| ended["numbers"][of].clone()),
        [2, 0, 1, 0, 1, 0]
    );
    let pattern = asked(&["--name", "ref*"], json!({ "name": "ref*" }), &["--name", "ref*"]);
    world.ends(pattern, "Failed").await;
    let named = asked(
        &["--secret", "refused"],
        json!({ "objects": [{ "kind": "secret", "name": "refused" }] }),
        &["--secret", "refused"],
    );
    let ended = world.ends(named, "Failed").await;
    assert_eq!(ended["numbers"]["neverBackedUp"], 1, "{ended}");
}

#[tokio::test]
async fn one_known_object_beside_unknown_ones_is_a_plan() {
    let mut world = backed_up().await;
    world.vault.delete(Kind::Secret, "secret-1").expect("it is deleted");
    world.vault.purge(Kind::Secret, "secret-1").expect("it is purged");
    let objects = json!([{ "kind": "secret", "name": "secret-1" }, { "kind": "secret", "name": "typo" }, { "kind": "key", "name": "secret-2" }]);
    let plan = world.plan(json!({ "source": "kv-a", "objects": objects })).await;
    assert_eq!((&plan["foreseen"], &plan["inTheWay"]), (&json!("PartiallyFailed"), &json!(2)), "{plan}");
    let reasons: Vec<_> =
        plan["left"].as_array().expect("a list").iter().map(|left| left["reason"].clone()).collect();
    assert_eq!(reasons, ["other-kind", "no-backup"]);
    let done = world.begin(&plan).await.json();
    assert_eq!(
        (&done["state"], &done["numbers"]["restored"]),
        (&json!("PartiallyFailed"), &json!(1)),
        "{done}"
    );
}

async fn listed(world: &World, args: &[&str]) -> (i32, String, Value) {
    let output = world.cli(&[&["list"], args, &["--output", "json"]].concat()).await;
    let error = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
    let error = serde_json::from_str(&error).unwrap_or(Value::Null);
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned(), error)
}

#[tokio::test]
async fn a_list_of_what_is_not_known_is_refused_in_words_or_as_json() {
    let world = backed_up().await;
    let (known, typo) = (world.vault.url(), "https://kv-aa.vault.azure.net".to_owned());
    let (known, typo) = (known.as_str(), typo.as_str());
    for (args, word) in [
        (&["objects", "--vault", typo][..], "nearest in name: kv-a"),
        (&["runs", "--vault", typo], "nearest in name: kv-a"),
        (&["history", "--vault", typo, "--secret", "secret-1"], "nearest in name: kv-a"),
        (&["objects", "--vault", known, "--name", "secert"], "secret secret-1"),
        (&["objects", "--vault", known, "--name", "secret"], "secret secret-1"),
        (&["objects", "--vault", known, "--at", "2026-01-09T00:00:00Z"], "Ask for 2026-01-10"),
        (&["history", "--vault", known, "--secret", "signing"], "key signing"),
        (&["history", "--vault", known, "--key", "tls"], "no backup of key tls"),
    ] {
        let (code, result, error) = listed(&world, args).await;
        assert_eq!((code, result.as_str()), (2, ""), "{args:?}");
        let told = format!("{} {}", error["detail"], error["next"]);
        assert!(told.contains(word) && error["type"].is_string(), "{args:?}: {error}");
        let output = world.cli(&[&["list"], args].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.stdout.is_empty() && said.starts_with("error: ") && said.contains(word), "{said}");
    }
    for args in [
        &["objects", "--vault", known, "--kind", "secret", "--name", "*CRET-2"][..],
        &["runs", "--vault", known],
    ] {
        assert_eq!(listed(&world, args).await.0, 0, "{args:?}");
    }
}

#[tokio::test]
async fn a_known_vault_may_have_an_empty_list() {
    let mut world = World::new().await;
    world.night(NIGHT).await;
    let url = world.vault.url();
    for args in [&["objects", "--vault", &url][..], &["objects", "--vault", &url, "--kind", "key"]] {
        assert_eq!(listed(&world, args).await, (0, "{\"objects\":[]}\n".to_owned(), Value::Null), "{args:?}");
    }
    let (code, _, error) = listed(&world, &["objects", "--vault", &url, "--name", "db"]).await;
    assert!(
        code == 2 && error["detail"].as_str().is_some_and(|text| text.contains("No run of vault kv-a")),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_is_sound_whole_or_there_where_nothing_was_looked_at() {
    let world = backed_up().await;
    let typo = "https://kv-aa.vault.azure.net";
    for args in [&["rebuild", "--vault", typo][..], &["show", "20260110T020000Z-nightly", "--vault", typo]] {
        let output = world.cli(args).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("nearest in name: kv-a"), "{said}");
    }
    let output = world.cli(&["audit", "verify"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("there is no record"), "{said}");
}

#[tokio::test]
async fn the_history_of_what_is_not_there_names_the_nearest_over_http() {
    let mut world = backed_up().await;
    let detail = problem(&world.get("/api/backups/kv-a/secret/secert-1").await, 404, "not-found");
    assert!(detail.contains("secret secret-1") && detail.contains("recovery point"), "{detail}");
    let detail = problem(&world.get("/api/backups/kv-a/key/tls").await, 404, "not-found");
    assert!(detail.contains("no backup of key tls"), "{detail}");
    let early = NIGHT - Duration::DAY;
    let at = early.format(&time::format_description::well_known::Rfc3339).expect("a time");
    let page = world.ok(&format!("/api/backups?source=kv-a&at={at}")).await;
    assert_eq!(page["backups"], json!([]), "a filter that takes nothing is no failure: a page may be empty");
}
