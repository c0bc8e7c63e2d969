//! What holds for every endpoint: keys, roles, problems, the description.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyvault_backup::api::openapi;
use keyvault_backup_emulator::{FaultKind, Operation};
use serde_json::{Value, json};

use super::problem;
use crate::world::World;

const METHODS: [&str; 2] = ["get", "post"];

/// What the platform sends of somebody with these roles.
pub fn signed_in(roles: &[&str]) -> String {
    signed_in_as("Ada", "00000000-1111", roles)
}

/// What the platform sends of a person with these roles.
pub fn signed_in_as(name: &str, id: &str, roles: &[&str]) -> String {
    let mut claims = vec![json!({ "typ": "oid", "val": id }), json!({ "typ": "name", "val": name })];
    claims.extend(roles.iter().map(|role| json!({ "typ": "roles", "val": role })));
    STANDARD.encode(json!({ "auth_typ": "aad", "claims": claims }).to_string())
}

/// Every documented operation, with its path made concrete.
pub fn operations() -> Vec<(String, String, Value)> {
    let document = serde_json::to_value(openapi::document()).expect("it is JSON");
    let concrete = |path: &str| {
        let path = path
            .replace("{digest}", &"ab".repeat(32))
            .replace("{source}", "kv-a")
            .replace("{kind}", "secret")
            .replace("{name}", "x");
        path.replace("/runs/{id}", "/runs/20260110T020000Z-nightly")
            .replace("/jobs/{id}", "/jobs/kv-a_20260110T020000Z-nightly")
    };
    let paths = document["paths"].as_object().expect("paths").clone();
    let operations = paths.into_iter().flat_map(|(path, item)| {
        let path = concrete(&path);
        let item = item.as_object().expect("an item").clone();
        item.into_iter().map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    });
    operations.filter(|(method, ..)| METHODS.contains(&method.to_lowercase().as_str())).collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the switch that writes the file")]
fn the_description_in_the_repository_is_what_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let made = serde_json::to_string_pretty(&openapi::document()).expect("it is JSON") + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &made).expect("it is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(made == kept, "docs/openapi.json is not up to date; run the tests with BLESS=1");
}

#[tokio::test]
async fn without_the_functions_own_key_nothing_is_answered() {
    let mut world = World::new().await;
    let host = world.host().await;
    for (method, path, _) in operations() {
        let other = if path.starts_with("/api/status") { "Backups" } else { "Status" };
        for headers in [vec![], vec![("x-functions-key", host.key(other))]] {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = host.http(&method, &path, &headers, "").await;
            assert_eq!((answer.status, answer.text().as_str()), (401, ""), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn with_the_platforms_authentication_every_endpoint_needs_a_role() {
    let mut world = World::new().await;
    world.set("WEBSITE_AUTH_ENABLED", "true");
    let nobody = signed_in(&[]);
    for (method, path, _) in operations() {
        let open = ["/api/status/health", "/api/status/openapi.json"].contains(&path.as_str());
        let json = ("content-type", "application/json");
        let body = r#"{"vault":"kv-a"}"#;
        let anonymous = world.call(&method, &path, &[json], body).await;
        let without = world.call(&method, &path, &[json, ("x-ms-client-principal", &nobody)], body).await;
        if open {
            assert_eq!((anonymous.status, without.status), (200, 200), "{path}");
        } else {
            problem(&anonymous, 401, "not-authenticated");
            assert!(problem(&without, 403, "missing-role").contains("Ada"), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_served_is_a_problem_too() {
    let mut world = World::new().await;
    problem(&world.get("/api/backups/a/b/c/d").await, 404, "unknown-path");
    problem(&world.get("/api/status/nothing").await, 404, "unknown-path");
    let detail = problem(&world.get("/api/status/health?colour=red").await, 400, "invalid-parameter");
    assert!(detail.contains("colour") && !detail.contains("red"), "{detail}");
}

#[tokio::test]
async fn the_description_is_served_as_3_1_and_names_problems_everywhere() {
    let mut world = World::new().await;
    let document = world.ok("/api/status/openapi.json").await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    for (method, path, operation) in operations() {
        for (status, answer) in operation["responses"].as_object().expect("answers") {
            let problem = answer["content"]["application/problem+json"].is_object();
            // 401 is the host's and the platform's, which send no problem.
            let ours = status.as_str() >= "400" && status != "401";
            assert_eq!(problem, ours, "{method} {path} {status}");
        }
    }
}

#[tokio::test]
async fn health_says_what_is_out_of_reach() {
    let mut world = World::new().await;
    assert_eq!(world.ok("/api/status/health").await["status"], "Healthy");
    world.fault(Operation::ListBlobs, FaultKind::Status(503));
    let detail = problem(&world.get("/api/status/health").await, 503, "service-unavailable");
    assert!(detail.contains("KEYVAULT_BACKUP_"), "{detail}");
}

#[tokio::test]
async fn every_request_is_logged_once_without_its_key() {
    let mut world = World::new().await;
    let key = world.host().await.key("Status");
    let forged = signed_in(&["Backup.Write"]);
    let path = format!("/api/status/health?code={key}");
    world.call("GET", &path, &[("x-ms-client-principal", &forged)], "").await;
    world.get("/api/status/openapi.json").await;
    let lines: Vec<_> = world.handler_lines().await.into_iter().map(|line| line.text).collect();
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count("GET of /api/status/health by the holder of function key"), 1, "{lines:?}");
    assert_eq!(count("is ignored: the platform's authentication is off"), 1, "{lines:?}");
    assert_eq!(count(&key) + count("Ada") + count(&forged), 0, "{lines:?}");
}
