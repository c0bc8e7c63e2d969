//! Restores that are refused, throttled or broken.

use keyvault_backup_emulator::{
    BackupError, Fault, FaultKind, Kind, Matcher, Operation, Refusal, RestoreLimits, SecretSpec,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{OBJECTS, Stage, fill};

#[tokio::test]
async fn blobs_that_do_not_fit_are_refused() {
    let stage = Stage::new().await;
    fill(&stage.vault);
    let [secret, _, key, certificate] = OBJECTS.map(|(kind, name)| stage.vault.backup(kind, name).unwrap());
    let (version, corrupt, code) = (
        "Backup blob contains invalid or corrupt version.",
        "Backup blob is corrupt.",
        "Malformed backup blob",
    );
    let mut damaged = key.clone();
    damaged[4_000] ^= 1;
    for (kind, blob, message) in [
        (Kind::Key, &[0; 120][..], version),
        (Kind::Key, b"doesnotexist", corrupt),
        (Kind::Key, &damaged, corrupt),
        (Kind::Key, &secret, version),
        (Kind::Secret, &key, version),
        (Kind::Key, &certificate, corrupt),
        (Kind::Certificate, &key, corrupt),
    ] {
        stage.restore(kind, blob).await.refuses(400, code, message);
    }
    for body in [json!({}), json!({"value": 1}), Value::Null] {
        assert_eq!(stage.send("POST /keys/restore", body).await.code(), "BadParameter");
    }
    let id = format!("{}/keys/k/{}", stage.vault.url(), stage.vault.versions(Kind::Key, "k")[1]);
    let taken = stage.restore(Kind::Key, &key).await;
    taken.conflicts();
    assert!(taken.json()["error"].get("innererror").is_none() && taken.text.contains(&format!("'{id}'")));

    let other = stage.azure.vault("v2");
    other.configure(|options| options.subscription = "44444444-dddd-4ddd-8ddd-444444444444".into());
    assert_eq!(other.restore(&secret), Err(Refusal::Blob(BackupError::Foreign)));
    other.configure(|options| {
        options.subscription = stage.vault.options().subscription;
        options.geography = "asiapacific".into();
    });
    assert_eq!(other.restore(&secret), Err(Refusal::Blob(BackupError::Foreign)));
    let tenant = other.options().tenant;
    other.configure(|options| {
        options.geography = stage.vault.options().geography;
        options.tenant = "44444444-eeee-4eee-8eee-444444444444".into();
    });
    assert_eq!(other.restore(&secret), Err(Refusal::Blob(BackupError::Foreign)));
    other.configure(|options| {
        options.geography = "asiapacific".into();
        options.tenant = tenant;
    });
    stage.vault.configure(|options| options.geography = "asiapacific".into());
    stage.restore(Kind::Secret, &secret).await.refuses(400, "BadParameter", "Cannot decrypt backup blob.");
    other.restore(&stage.vault.backup(Kind::Secret, "s").unwrap()).unwrap();
}

#[tokio::test]
async fn restores_have_a_limit_of_their_own() {
    let stage = Stage::new().await;
    fill(&stage.vault);
    let limits = RestoreLimits { keys: 1, retry_after: Some(4), ..RestoreLimits::documented() };
    stage.azure.knobs().set_restore_limits(limits);
    let [secret, _, key, _] = OBJECTS.map(|(kind, name)| stage.vault.backup(kind, name).unwrap());
    stage.vault.remove(Kind::Key, "k");
    assert_eq!(stage.restore(Kind::Key, &key).await.status, StatusCode::OK);
    stage.after(5);
    let throttled = stage.restore(Kind::Key, &key).await;
    assert_eq!((throttled.code().as_str(), throttled.header("retry-after")), ("Throttled", "4"));
    stage.restore(Kind::Secret, &secret).await.conflicts();
    stage.after(5);
    stage.restore(Kind::Key, &key).await.conflicts();
    stage.azure.knobs().set_restore_limits(None);
    stage.restore(Kind::Key, &key).await.conflicts();
}

#[tokio::test]
async fn faults_reach_every_step() {
    let stage = Stage::new().await;
    stage.vault.put_secret("s", SecretSpec::new("x"));
    stage.vault.put_secret("t", SecretSpec::new("x"));
    let [s, t] = ["s", "t"].map(|name| stage.vault.backup(Kind::Secret, name).unwrap());
    for (operation, request) in [
        (Operation::DeleteObject, "DELETE /secrets/s"),
        (Operation::GetDeleted, "GET /deletedsecrets/s"),
        (Operation::Recover, "POST /deletedsecrets/s/recover"),
        (Operation::DeleteObject, "DELETE /secrets/s"),
        (Operation::ListDeleted, "GET /deletedsecrets"),
        (Operation::Purge, "DELETE /deletedsecrets/s"),
    ] {
        stage.azure.faults().add(Fault::on(operation).times(1).reply(FaultKind::Status(503)));
        assert_eq!(stage.ask(request).await.status, StatusCode::SERVICE_UNAVAILABLE, "{request}");
        assert!(stage.ask(request).await.status.is_success(), "{request}");
    }
    // The object of a restore is the one in the blob.
    let rule = Fault::on(Matcher::any().operation(Operation::Restore).kind(Kind::Secret).object("s"));
    stage.azure.faults().add(rule.times(1).reply(FaultKind::Throttled { retry_after: None }));
    stage.restore(Kind::Secret, &t).await.conflicts();
    assert_eq!(stage.restore(Kind::Secret, &s).await.code(), "Throttled");
    assert_eq!(stage.restore(Kind::Secret, &s).await.status, StatusCode::OK);
    let entries = stage.azure.requests().entries();
    let restored = entries.iter().filter(|entry| entry.operation == Operation::Restore);
    assert_eq!(restored.map(|entry| entry.object.as_str()).collect::<Vec<_>>(), ["t", "s", "s"]);
}
