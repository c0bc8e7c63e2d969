//! What goes wrong between the handler and the services, and what becomes of it.

use std::time::Duration;

use keyvault_backup_emulator::{
    CertificateSpec, Fault, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec, Service,
    host::Firing,
};
use serde_json::{Value, json};

use crate::{
    checks::assert_adds_up,
    world::{NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;

/// The backups of an object.
pub fn backup_of(name: &str) -> Matcher {
    Matcher::from(Operation::Backup).object(name)
}

fn text<'v>(line: &'v Value, field: &str) -> &'v str {
    line["failure"][field].as_str().unwrap_or_default()
}

/// Every way in which a call can go wrong and that may pass.
pub fn passing_faults() -> Vec<FaultKind> {
    vec![
        FaultKind::Throttled { retry_after: None },
        FaultKind::Throttled { retry_after: Some(1) },
        FaultKind::Unauthorized,
        FaultKind::Status(500),
        FaultKind::Status(503),
        FaultKind::ResetBefore,
        FaultKind::ResetAfter,
        FaultKind::TruncatedBody,
        FaultKind::Slow(Duration::from_millis(50)),
    ]
}

/// One call in ten goes wrong, whatever it asks for.
async fn a_run_among_random_faults(seed: u64) -> World {
    let mut world = World::with_each_kind(70).await;
    world.azure.faults().random(0.1, seed, passing_faults());
    world.fire_with_retries(NIGHT).await;
    world.settle().await;
    world.assert_protected("kv-a");
    let summary = world.newest("kv-a").summary;
    assert_eq!((&summary["verdict"], &summary["numbers"]["backed_up"]), (&json!("Succeeded"), &json!(210)));
    assert_eq!(world.manifests("kv-a").len(), 1);
    assert!(world.poisoned().is_empty());
    assert!(world.azure.faults().fired().len() > 50, "there were faults");
    world
}

#[tokio::test]
async fn random_faults_lose_nothing() {
    a_run_among_random_faults(1).await;
}

#[tokio::test]
async fn other_random_faults_lose_nothing() {
    a_run_among_random_faults(2).await;
}

/// The same run, for what it leaves in the log.
#[tokio::test]
async fn a_faulty_run_writes_nothing_secret_and_one_json_object_a_line() {
    let mut world = a_run_among_random_faults(3).await;
    world.azure.faults().clear();
    world.fault(backup_of("secret-0"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.night(NIGHT + DAY * 7).await;
    let invocations: Vec<_> =
        world.host().await.invocations().into_iter().map(|invocation| invocation.id).collect();
    let mut of_invocations = 0;
    for line in world.handler_lines().await {
        for secret in ["eyJ", "Bearer", "value-", "AzureKeyVaultSecretBackupV1", "AzureKeyVaultKeyBackupV1"] {
            assert!(!line.text.contains(secret), "{secret} in {}", line.text);
        }
        let record: Value = serde_json::from_str(&line.text).expect("each line is one JSON object");
        let is_error = record["level"] == "ERROR";
        assert_eq!(is_error, line.level != keyvault_backup_emulator::host::Level::Information, "{record}");
        if let Some(id) = record["span"]["invocation.id"].as_str() {
            assert!(invocations.iter().any(|known| known == id), "{record}");
            assert_eq!(record["span"]["trace.id"], id.replace('-', ""), "{record}");
            of_invocations += 1;
        } else {
            assert!(
                record["message"].as_str().is_some_and(|text| text.contains("answers on port")),
                "{record}"
            );
        }
    }
    assert!(of_invocations > 400, "{of_invocations}");
}

#[tokio::test]
async fn a_throttled_object_is_backed_up_on_its_next_delivery() {
    let mut world = World::with_secrets(2).await;
    let throttled = FaultKind::Throttled { retry_after: None };
    world.azure.faults().add(Fault::on(backup_of("secret-1")).times(5).reply(throttled));
    let summary = world.night(NIGHT).await;
    assert_eq!((&summary["verdict"], &summary["numbers"]["backed_up"]), (&json!("Succeeded"), &json!(2)));
    let deliveries = world.host().await.invocations();
    let failed: Vec<_> = deliveries.iter().filter(|delivery| !delivery.succeeded()).collect();
    assert_eq!(failed.len(), 1, "one delivery met all the throttling");
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let mut world = World::with_secrets(1).await;
    let throttled = FaultKind::Throttled { retry_after: Some(2) };
    world.azure.faults().add(Fault::on(backup_of("secret-0")).times(1).reply(throttled));
    assert_eq!(world.night(NIGHT).await["verdict"], "Succeeded");
    let requests = world.azure.requests().entries();
    let at: Vec<_> =
        requests.iter().filter(|entry| entry.operation == Operation::Backup).map(|e| e.at).collect();
    assert!(at[at.len() - 1] - at[at.len() - 2] >= time::Duration::seconds(2), "{at:?}");
}

#[tokio::test]
async fn refusals_are_recorded_in_the_words_of_the_service() {
    let mut world = World::with_secrets(4).await;
    let reasons = [
        ("secret-0", Forbidden::ByPolicy, "ForbiddenByPolicy", "permission on key vault"),
        ("secret-1", Forbidden::ByRbac, "ForbiddenByRbac", "Caller is not authorized"),
        ("secret-2", Forbidden::ByFirewall, "ForbiddenByFirewall", "Client address is not authorized"),
    ];
    for (name, reason, ..) in reasons {
        world.fault(backup_of(name), FaultKind::Forbidden(reason));
    }
    let summary = world.night(NIGHT).await;
    assert_eq!((&summary["verdict"], &summary["numbers"]["failed"]), (&json!("PartiallyFailed"), &json!(3)));
    let manifest = world.newest("kv-a");
    for (name, _, code, words) in reasons {
        let line = manifest.line("secret", name);
        assert_eq!(
            (line["fared"].as_str(), text(line, "code")),
            (Some("failed"), &*format!("Forbidden/{code}"))
        );
        assert!(text(line, "text").contains(words), "{line}");
        assert_eq!((&line["failure"]["status"], text(line, "request_id").len()), (&json!(403), 36), "{line}");
        assert_eq!(
            world.answered(Operation::Backup, name, 403),
            6,
            "a right may be on its way: one in each round"
        );
        assert!(text(line, "text").ends_with("(tried in 6 rounds over 8 hours)"), "{line}");
    }
}

#[tokio::test]
async fn a_lasting_outage_of_one_object_is_recorded_after_the_last_round() {
    let mut world = World::with_secrets(2).await;
    // 501 is an outage like 500, but one that the client does not wait for.
    world.fault(backup_of("secret-1"), FaultKind::Status(501));
    let summary = world.night(NIGHT).await;
    assert_eq!((&summary["verdict"], &summary["numbers"]["failed"]), (&json!("PartiallyFailed"), &json!(1)));
    assert_eq!(world.newest("kv-a").line("secret", "secret-1")["failure"]["status"], 501);
    assert_eq!(world.answered(Operation::Backup, "secret-1", 501), 30, "five deliveries in six rounds");
    assert!(world.poisoned().is_empty());
}

#[tokio::test]
async fn what_is_not_a_backup_is_never_stored() {
    let mut world = World::with_each_kind(3).await;
    let answer =
        |body: &str| FaultKind::Body { status: 200, content_type: "application/json", body: body.into() };
    world.fault(backup_of("secret-0"), answer(r#"{"value":""}"#));
    world.fault(backup_of("secret-2"), answer("{}"));
    world.fault(backup_of("key-0"), answer("<html>Service maintenance</html>"));
    // A secret's tag in a key's backup.
    let tag = "KUF6dXJlS2V5VmF1bHRTZWNyZXRCYWNrdXBWMS5taWNyb3NvZnQuY29t";
    // And in a secret's, with nothing behind it.
    world.fault(backup_of("secret-1"), answer(&json!({ "value": tag }).to_string()));
    world.fault(backup_of("key-1"), answer(&json!({ "value": tag }).to_string()));
    let summary = world.night(NIGHT).await;
    assert_eq!((&summary["numbers"]["failed"], &summary["numbers"]["backed_up"]), (&json!(5), &json!(4)));
    let manifest = world.newest("kv-a");
    for (kind, name, code) in [
        ("secret", "secret-0", "InvalidBackupBlob"),
        ("secret", "secret-1", "InvalidBackupBlob"),
        ("secret", "secret-2", "BadAnswer"),
        ("key", "key-0", "BadAnswer"),
        ("key", "key-1", "InvalidBackupBlob"),
    ] {
        let line = manifest.line(kind, name);
        assert_eq!((line["fared"].as_str(), text(line, "code")), (Some("failed"), code), "{line}");
    }
    assert_eq!(world.results("kv-a", "20260110T020000Z-nightly", "/backup").len(), 4);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut world = World::with_secrets(3).await;
    let evil = world.azure.vault("evil");
    for (name, host) in [("secret-0", evil.url()), ("secret-1", world.vault.url())] {
        let to = format!("{host}/secrets/secret-2/backup?api-version=2025-07-01");
        let headers = vec![("location".to_owned(), to)];
        world.fault(backup_of(name), FaultKind::Raw { status: 307, headers, body: Vec::new().into() });
    }
    let numbers = world.night(NIGHT).await["numbers"].take();
    assert_eq!((&numbers["backed_up"], &numbers["failed"]), (&json!(1), &json!(2)));
    assert_eq!(world.newest("kv-a").line("secret", "secret-0")["failure"]["status"], 307);
    assert_eq!(world.azure.requests().count(|entry| entry.host.contains("evil")), 0);
    assert_eq!(world.answered(Operation::Backup, "secret-2", 200), 1, "its own");
}

#[tokio::test]
async fn an_object_that_disappears_after_it_was_listed_is_no_failure() {
    let mut world = World::with_secrets(3).await;
    let vault = world.vault.clone();
    world.when(Matcher::from(Operation::ListVersions).object("secret-0"), move || {
        vault.remove(Kind::Secret, "secret-0");
    });
    let vault = world.vault.clone();
    world.when(backup_of("secret-1"), move || {
        vault.remove(Kind::Secret, "secret-1");
    });
    let summary = world.night(NIGHT).await;
    assert_eq!((&summary["verdict"], &summary["numbers"]["disappeared"]), (&json!("Succeeded"), &json!(2)));
    assert_eq!(world.newest("kv-a").fared("secret", "secret-1"), "disappeared");
    world.assert_protected("kv-a");
    assert_eq!(world.night(NIGHT + DAY).await["numbers"]["listed"], 1);
}

#[tokio::test]
async fn a_rotation_in_the_middle_is_backed_up_again() {
    let mut world = World::with_secrets(2).await;
    let vault = world.vault.clone();
    world.when(backup_of("secret-0"), move || {
        vault.put_secret("secret-0", SecretSpec::new("rotated"));
    });
    world.night(NIGHT).await;
    let seen = world.newest("kv-a").line("secret", "secret-0")["entry"]["versions"].clone();
    assert_eq!(seen, 1, "the entry records what was seen before the backup");
    let second = world.night(NIGHT + DAY).await;
    assert_eq!((&second["numbers"]["backed_up"], &second["numbers"]["unchanged"]), (&json!(1), &json!(1)));
    assert_eq!(world.newest("kv-a").line("secret", "secret-0")["entry"]["versions"], 2);
    world.assert_protected("kv-a");
}

#[tokio::test]
async fn too_many_versions_fail_alone_and_many_are_warned_about() {
    let mut world = World::with_secrets(1).await;
    for (name, versions) in [("busy", 400), ("worn-out", 501)] {
        world.at(NIGHT - DAY);
        for number in 0..versions {
            world.vault.put_secret(name, SecretSpec::new(format!("value {number}")));
        }
    }
    let summary = world.night(NIGHT).await;
    let numbers = &summary["numbers"];
    assert_eq!(
        json!([summary["verdict"], numbers["backed_up"], numbers["failed"], numbers["near_version_limit"]]),
        json!(["PartiallyFailed", 2, 1, 1])
    );
    let line = world.newest("kv-a").line("secret", "worn-out").clone();
    assert!(
        text(&line, "text").contains("501 versions") && text(&line, "text").contains("The service said"),
        "{line}"
    );
    let warned = |line: &keyvault_backup_emulator::host::LogLine| line.text.contains("400 versions");
    assert!(world.handler_lines().await.iter().any(warned));
}

#[tokio::test]
async fn a_service_that_falls_silent_is_asked_again() {
    let mut world = World::with_secrets(2).await;
    world.set("KEYVAULT_BACKUP_REQUEST_TIMEOUT", "1");
    for operation in
        [Operation::Token, Operation::ListKeys, Operation::Backup, Operation::PutBlob, Operation::ListBlobs]
    {
        world.azure.faults().add(Fault::on(operation).times(1).reply(FaultKind::Hang));
    }
    assert_eq!(world.night(NIGHT).await["verdict"], "Succeeded");
    world.assert_protected("kv-a");
    assert_eq!(world.azure.faults().fired().len(), 5);
}

#[tokio::test]
async fn a_run_that_backs_up_nothing_has_failed() {
    let mut world = World::with_each_kind(2).await;
    world.fault(Operation::Backup, FaultKind::Forbidden(Forbidden::ByFirewall));
    let summary = world.night(NIGHT).await;
    assert_eq!((&summary["verdict"], &summary["numbers"]["failed"]), (&json!("Failed"), &json!(6)));
    assert_adds_up(&summary);

    world.fault(Service::Vault, FaultKind::Forbidden(Forbidden::ByFirewall));
    let summary = world.troubled_night(NIGHT + DAY).await;
    assert_eq!(
        (&summary["verdict"], &summary["numbers"]["unlisted"]),
        (&json!("Failed"), &json!(["certificate", "key", "secret"]))
    );
}

#[tokio::test]
async fn a_failing_timer_is_told_to_the_host_which_fires_it_again() {
    let mut world = World::with_secrets(1).await;
    world.azure.faults().add(Fault::on(Operation::ListSecrets).times(1).reply(FaultKind::Status(501)));
    let fired = world.host().await.fire("NightlyVaultBackup", Firing::at(NIGHT).retries(true)).await;
    assert!(fired.succeeded(), "{fired:?}");
    world.settle().await;
    assert_eq!(world.manifests("kv-a").len(), 1);
    assert_eq!(world.newest("kv-a").summary["run"], "20260110T020000Z-nightly");
}

#[tokio::test]
async fn a_certificate_that_fails_is_not_protected_by_its_twins() {
    let mut world = World::new().await;
    world.vault.put_certificate("tls", CertificateSpec::default());
    world.vault.put_key("other", KeySpec::rsa(2048));
    world.fault(Operation::Backup, FaultKind::Forbidden(Forbidden::ByPolicy));
    let summary = world.night(NIGHT).await;
    assert_eq!((&summary["verdict"], &summary["numbers"]["managed"]), (&json!("Failed"), &json!(2)));
}
