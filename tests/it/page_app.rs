//! The app of the status page for browsers: it shows the page to people with the role, serves nothing else, and can do
//! nothing but read.

use std::{process::Stdio, time::Duration};

use keyvault_backup_emulator::{
    Entry, FaultKind, Forbidden, Matcher, Operation, Rights, SecretSpec, Service,
    host::{Firing, Host, HostOptions},
};

use crate::{
    api::{
        framework::{signed_in, signed_in_as},
        problem,
    },
    hsm_world::{HsmWorld, LANDING},
    preflight::preflight,
    world::{BACKUPS, JOBS, NIGHT, World},
};

/// The identity of the app. A second one stands beside it on Azure, which the program never asks for.
const OWN: &str = "6f2b1c9e-0000-4000-8000-00000000000a";
const PAGE: &str = "/api/page";

/// What the templates set for the app, which knows the sources and the containers of the app that backs up.
fn settings(world: &World, platform: &str) -> HostOptions {
    let options = world.host_options();
    let own = [
        ("KEYVAULT_BACKUP_ROLE", "page"),
        ("KEYVAULT_BACKUP_AUTHENTICATION", "required"),
        ("WEBSITE_AUTH_ENABLED", platform),
        ("KEYVAULT_BACKUP_CLIENT_ID", OWN),
    ];
    let mut env = options.env.clone();
    env.retain(|(name, _)| own.iter().all(|(known, _)| known != name));
    env.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    HostOptions { env, ..options }
}

/// The app behind the platform's sign-in, with its own rights alone.
async fn page_app(world: &World) -> Host {
    world.backups.give(OWN, Rights::of("page", "backups"));
    world.work.give(OWN, Rights::of("page", "host of backup").in_container(JOBS));
    Host::start(settings(world, "true")).await.expect("the app starts")
}

async fn open(host: &Host, principal: &str) -> keyvault_backup_emulator::host::HttpAnswer {
    host.http("GET", PAGE, &[("x-ms-client-principal", principal)], "").await
}

/// The page without what two readings a moment apart may tell differently: digits.
fn lasting(page: &str) -> String {
    page.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// The HSM has a point that may go, so its folder is looked at, too. A run is open, and an object fails.
#[tokio::test]
async fn a_browser_that_signed_in_sees_the_page_of_the_backup_app_and_its_identity_only_reads() {
    let mut of = HsmWorld::new().await;
    of.world.set("KEYVAULT_BACKUP_RETENTION", "within=30 months=0");
    of.world.vault.put_secret("fails", SecretSpec::new("value"));
    of.world.fault(Matcher::from(Operation::Backup).object("fails"), FaultKind::Forbidden(Forbidden::ByRbac));
    of.world.night(NIGHT).await;
    let today = of.world.today();
    for days in [60, 1] {
        of.world.at(today - time::Duration::days(days));
        of.fire_now().await;
        of.settle().await;
    }
    let now = of.world.today();
    of.world.fire(now).await;
    of.world.host().await.pump("BackUpObject").await;
    of.landing.give(OWN, Rights::of("page", "landing"));
    let theirs = of.world.get("/api/status/page").await.text();
    let app = page_app(&of.world).await;
    let mark = of.world.azure.requests().mark();
    let answer = open(&app, &signed_in_as("Ada", "0000-1", &["Backup.Read"])).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none';") && policy.ends_with("sandbox"), "{policy}");
    assert_eq!(lasting(&answer.text()), lasting(&theirs));
    assert!(
        answer.text().contains("lets 1 go") && answer.text().contains("secret fails"),
        "{}",
        answer.text()
    );

    let asked = of.world.azure.requests().since(mark);
    let asked: Vec<_> = asked.iter().filter(|entry| entry.service != Service::Identity).collect();
    assert!(asked.iter().all(|entry| &*entry.caller == OWN), "no other identity");
    for container in [BACKUPS, JOBS, LANDING] {
        let start = format!("/{container}");
        assert!(asked.iter().any(|entry| entry.path.starts_with(&start)), "{container} is read");
    }
    asked.into_iter().for_each(only_looks);
}

/// Checks that a request is within the rights, changes nothing, and reads no backup: then the alert `backup-read`, which does
/// not know this identity, would fire.
fn only_looks(entry: &Entry) {
    assert!(![401, 403].contains(&entry.status), "it tries nothing that it has no right to: {entry:?}");
    assert!(entry.service == Service::Blob && ["GET", "HEAD"].contains(&entry.method.as_str()), "{entry:?}");
    let is_a_backup = entry.path.contains("/objects/") || entry.path.starts_with(&format!("/{LANDING}"));
    assert!(entry.operation != Operation::GetBlob || !is_a_backup, "{entry:?}");
}

#[tokio::test]
async fn the_page_is_for_people_with_the_role_alone() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    let app = page_app(&world).await;
    problem(&app.http("GET", PAGE, &[], "").await, 401, "not-authenticated");
    problem(&open(&app, "bm8=").await, 401, "not-authenticated");
    for roles in [&[][..], &["Backup.Write"], &["Restore.Operator", "Restore.Approver"], &["backup.read"]] {
        let detail = problem(&open(&app, &signed_in(roles)).await, 403, "missing-role");
        assert!(detail.contains("Backup.Read"), "{detail}");
    }
    let logged = app.logs().into_iter().any(|line| line.text.contains("GET of /api/page by"));
    assert!(logged, "who opened it is in the log");
}

#[tokio::test]
async fn an_app_of_the_page_serves_nothing_else() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    let app = page_app(&world).await;
    let everything = signed_in(&["Backup.Read", "Backup.Write", "Restore.Operator", "Restore.Approver"]);
    let mark = world.azure.requests().mark();
    for (function, method, path) in [
        ("Status", "GET", "/api/status"),
        ("Status", "GET", "/api/status/page"),
        ("Status", "GET", "/api/status/health"),
        ("Status", "GET", "/api/status/preflight"),
        ("Backups", "POST", "/api/backups"),
        ("Restores", "POST", "/api/restores/plan"),
    ] {
        let key = app.key(function);
        let headers = [
            ("x-functions-key", key.as_str()),
            ("x-ms-client-principal", everything.as_str()),
            ("content-type", "application/json"),
        ];
        problem(&app.http(method, path, &headers, "{}").await, 403, "other-app");
    }
    for (method, path) in
        [("POST", PAGE), ("DELETE", PAGE), ("GET", "/api/page/kv-a"), ("GET", "/api"), ("GET", "/")]
    {
        let answer = app.http(method, path, &[("x-ms-client-principal", &everything)], "").await;
        assert_eq!(answer.status, 404, "the host has no such route: {method} {path}");
    }
    for timer in ["NightlyVaultBackup", "NightlyHsmBackup", "ApplyRetention", "VerifyBackups", "AdvanceJobs"]
    {
        assert!(!app.fire(timer, Firing::at(NIGHT)).await.succeeded(), "{timer}");
    }
    assert!(world.azure.requests().since(mark).is_empty(), "not even for a token");
}

#[tokio::test]
async fn without_the_platforms_sign_in_an_app_of_the_page_does_not_start() {
    let world = World::with_secrets(1).await;
    for platform in ["false", ""] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_keyvault-backup"));
        command.arg("serve").env_clear().envs(settings(&world, platform).env);
        command.env("FUNCTIONS_CUSTOMHANDLER_PORT", "0").stdout(Stdio::null()).stderr(Stdio::piped());
        let output = tokio::time::timeout(Duration::from_secs(30), command.kill_on_drop(true).output()).await;
        let output = output.expect("it ends").expect("it starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("WEBSITE_AUTH_ENABLED: the platform's authentication is not on"), "{text}");
    }
}

#[tokio::test]
async fn no_other_app_serves_the_page_to_browsers_whatever_a_caller_claims() {
    let forged = signed_in(&["Backup.Read"]);
    for (role, platform) in
        [("backup", "false"), ("restore", "false"), ("keeper", "false"), ("all", "false"), ("all", "true")]
    {
        let mut world = World::with_secrets(1).await;
        for (name, value) in [
            ("KEYVAULT_BACKUP_ROLE", role),
            ("WEBSITE_AUTH_ENABLED", platform),
            ("RETENTION_SCHEDULE", "0 0 4 30 2 *"),
            ("VERIFY_SCHEDULE", "0 30 4 30 2 *"),
        ] {
            world.set(name, value);
        }
        let app = world.host().await;
        let detail = problem(&open(&app, &forged).await, 403, "other-app");
        assert!(detail.ends_with("Page is served by apps of the role page."), "{detail}");
    }
}

#[tokio::test]
async fn a_preflight_with_the_settings_of_the_page_writes_no_probe() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    world.set("KEYVAULT_BACKUP_ROLE", "page");
    let mark = world.azure.requests().mark();
    let (_, report) = preflight(&world).await;
    assert!(report["findings"].is_array(), "{report:#}");
    let asked = world.azure.requests().since(mark);
    let storage = asked.iter().filter(|entry| entry.service == Service::Blob);
    assert!(
        storage.clone().count() > 3
            && storage.clone().all(|entry| entry.method == "GET" || entry.method == "HEAD")
    );
}
