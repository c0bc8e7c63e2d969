//! What guards the HTTP functions: the authentication that the settings require.

use serde_json::Value;

use super::{
    framework::{operations, signed_in},
    problem,
};
use crate::{
    preflight::{names, preflight},
    world::{NIGHT, World},
};

const HEALTH: &str = "/api/status/health";

/// A world whose app requires the platform's authentication, and whether that is on.
async fn requiring(platform: &str) -> World {
    let mut world = World::with_secrets(1).await;
    world.set("KEYVAULT_BACKUP_AUTHENTICATION", "required");
    world.set("WEBSITE_AUTH_ENABLED", platform);
    world
}

#[tokio::test]
async fn without_the_authentication_that_is_required_nothing_but_health_is_answered() {
    let mut world = requiring("false").await;
    let forged = signed_in(&["Backup.Read", "Backup.Write", "Restore.Operator"]);
    let headers = [("content-type", "application/json"), ("x-ms-client-principal", forged.as_str())];
    for (method, path, _) in operations() {
        let answer = world.call(&method, &path, &headers, r#"{"vault":"kv-a"}"#).await;
        if path == HEALTH {
            assert_eq!(answer.status, 200, "{}", answer.text());
        } else {
            problem(&answer, 503, "authentication-missing");
        }
    }
    assert!(world.open_records().is_empty(), "nothing was begun");
    let logged = world.handler_lines().await.into_iter().filter(|line| {
        line.text.contains("/api/backups is refused: KEYVAULT_BACKUP_AUTHENTICATION requires")
    });
    assert_eq!(logged.count(), 2, "once for GET and once for POST");
    assert_eq!(world.night(NIGHT).await["verdict"], "Succeeded", "the schedule needs no caller");
}

#[tokio::test]
async fn with_it_callers_are_answered_by_their_roles() {
    let mut world = requiring("true").await;
    let reader = signed_in(&["Backup.Read"]);
    let with = [("x-ms-client-principal", reader.as_str())];
    assert_eq!(world.call("GET", "/api/backups", &with, "").await.status, 200);
    problem(&world.get("/api/backups").await, 401, "not-authenticated");
}

#[tokio::test]
async fn an_app_that_refuses_its_callers_is_found_from_a_terminal() {
    let mut world = requiring("false").await;
    world.today();
    world.advance().await;
    let (_, report) = preflight(&world).await;
    let found = |report: &Value| names(report).contains(&"authentication-missing");
    assert!(found(&report), "{report:#}");
    world.set("WEBSITE_AUTH_ENABLED", "true");
    world.restart_with_settings().await;
    world.advance().await;
    let (_, report) = preflight(&world).await;
    assert!(!found(&report), "{report:#}");
}

#[tokio::test]
async fn an_app_that_is_not_told_goes_by_keys_and_says_so() {
    let mut world = World::with_secrets(1).await;
    world.set("KEYVAULT_BACKUP_AUTHENTICATION", "");
    assert_eq!(world.get("/api/backups").await.status, 200);
    let report = world.ok("/api/status/preflight").await;
    assert!(names(&report).contains(&"authentication-unset"), "{report:#}");
    world.set("KEYVAULT_BACKUP_AUTHENTICATION", "keys");
    world.restart_with_settings().await;
    let report = world.ok("/api/status/preflight").await;
    assert!(!names(&report).contains(&"authentication-unset"), "{report:#}");
}
