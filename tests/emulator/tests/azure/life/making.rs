//! Certificates that are being made.

use keyvault_backup_emulator::{CertificateSpec, Delays, Kind, SecretSpec};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Stage;

fn policy(issuer: &str) -> Value {
    json!({"policy": {"x509_props": {"subject": "CN=a"}, "issuer": {"name": issuer}}, "tags": {"a": "b"}})
}

async fn names(stage: &Stage, request: &str) -> Vec<String> {
    let page = stage.ask(request).await.json();
    let id = |item: &Value| {
        item["id"].as_str().or(item["kid"].as_str()).unwrap().rsplit('/').next().unwrap().to_owned()
    };
    page["value"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn a_certificate_is_hidden_until_it_is_made_and_its_key_is_not() {
    let stage = Stage::new().await;
    stage.azure.knobs().set_delays(Delays::realistic());
    let begun = stage.send("POST /certificates/c/create", policy("Self")).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
    let request = begun.json()["request_id"].as_str().unwrap().to_owned();
    assert!(
        begun.header("location").ends_with(&format!("/pending?api-version=2025-07-01&request_id={request}"))
    );
    assert_eq!(stage.ask("GET /certificates/c/pending").await.json()["status"], "inProgress");
    assert!(names(&stage, "GET /certificates").await.is_empty());
    assert_eq!(names(&stage, "GET /certificates?includePending=true").await, ["c"]);
    assert_eq!(
        (names(&stage, "GET /keys").await, names(&stage, "GET /secrets").await.len()),
        (vec!["c".into()], 0)
    );
    let early = stage.ask("GET /certificates/c").await.json();
    assert_eq!((&early["attributes"]["enabled"], &early["cer"]), (&json!(false), &Value::Null));
    stage.send("POST /certificates/c/create", policy("Self")).await.refuses(
        409,
        "Conflict",
        "A new key vault certificate can not be created or imported while a pending key vault certificate's status is inProgress.",
    );
    assert_eq!(stage.ask("POST /certificates/c/backup").await.status, StatusCode::NOT_IMPLEMENTED);

    stage.after(8);
    let made = stage.ask("GET /certificates/c/pending").await.json();
    assert_eq!(made["status"], "completed");
    assert_eq!(made["target"], format!("{}/certificates/c", stage.vault.url()));
    assert_eq!(names(&stage, "GET /certificates").await, ["c"]);
    assert_eq!(names(&stage, "GET /secrets").await, ["c"]);
    let shown = stage.ask("GET /certificates/c").await.json();
    assert_eq!((&shown["attributes"]["enabled"], &shown["tags"]["a"]), (&json!(true), &json!("b")));
    assert!(shown["cer"].is_string() && shown["pending"]["id"].is_string());
    assert_eq!(stage.ask("POST /certificates/c/backup").await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_version_is_made_beside_the_one_that_is_there() {
    let stage = Stage::new().await;
    stage.azure.knobs().set_delays(Delays::realistic());
    let first = stage.vault.put_certificate("c", CertificateSpec::default());
    assert!(stage.vault.make_certificate("c", CertificateSpec::new("CN=b")));
    assert_eq!(stage.vault.versions(Kind::Certificate, "c"), [first.as_str()]);
    assert_eq!(names(&stage, "GET /certificates").await, ["c"]);
    stage.after(8);
    for kind in Kind::ALL {
        assert_eq!(stage.vault.versions(kind, "c").len(), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_not_signed_here_waits_and_can_be_given_up() {
    let stage = Stage::new().await;
    stage.send("POST /certificates/c/create", policy("Unknown")).await;
    stage.after(90_000);
    assert_eq!(stage.ask("GET /certificates/c/pending").await.json()["status"], "inProgress");
    let cancelled =
        stage.send("PATCH /certificates/c/pending", json!({"cancellation_requested": true})).await;
    assert_eq!(cancelled.json()["cancellation_requested"], true);
    assert_eq!(stage.ask("DELETE /certificates/c/pending").await.status, StatusCode::OK);
    stage.ask("GET /certificates/c/pending").await.refuses(
        404,
        "PendingCertificateNotFound",
        "Pending certificate not found: c",
    );
    assert!(stage.vault.is_empty());
    let message = "Property policy.x509_props has invalid value. Invalid X.500 distinguished name\r\n";
    let mut bad = policy("Self");
    bad["policy"]["x509_props"]["subject"] = "Self".into();
    stage.send("POST /certificates/c/create", bad).await.refuses(400, "BadParameter", message);
}

#[tokio::test]
async fn a_certificate_and_its_twins_always_have_their_times() {
    let stage = Stage::new().await;
    stage.vault.put_certificate("c", CertificateSpec::default());
    stage.vault.put_secret("s", SecretSpec::new("x"));
    for kind in Kind::ALL {
        let attributes = stage.vault.attributes(kind, "c").unwrap();
        assert_eq!((attributes.created - attributes.not_before.unwrap()).whole_seconds(), 600, "{kind:?}");
        assert_eq!(attributes.expires.unwrap().year(), attributes.created.year() + 1);
    }
    assert_eq!(stage.vault.attributes(Kind::Secret, "s").unwrap().expires, None);
}
