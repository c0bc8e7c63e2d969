//! What becomes of objects after their deletion.

mod making;
mod refused;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keyvault_backup_emulator::{
    Azure, CertificateSpec, Delays, KeySpec, Kind, Operation, Refusal, SecretSpec, VaultHandle,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use time::{Duration as Span, OffsetDateTime, macros::datetime};

use crate::client::{Answer, Http, answer};

const NOON: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

struct Stage {
    azure: Azure,
    vault: VaultHandle,
    http: Http,
}

impl Stage {
    async fn new() -> Self {
        let azure = Azure::start().await.unwrap();
        azure.clock().set(NOON);
        let (vault, http) = (azure.vault("v1"), Http::new(&azure).await);
        Self { azure, vault, http }
    }

    fn after(&self, seconds: u64) {
        self.azure.clock().advance(Duration::from_secs(seconds));
    }

    async fn ask(&self, request: &str) -> Answer {
        self.send(request, Value::Null).await
    }

    async fn send(&self, request: &str, body: Value) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}{path}{separator}api-version=2025-07-01", self.vault.url());
        let method = method.parse::<Method>().unwrap();
        answer(self.http.request(method, &url).body(body.to_string())).await
    }

    async fn restore(&self, kind: Kind, blob: &[u8]) -> Answer {
        let body = json!({"value": BASE64_URL_SAFE_NO_PAD.encode(blob)});
        self.send(&format!("POST /{}/restore", kind.collection()), body).await
    }
}

impl Answer {
    /// The status, the inner code or else the code, and the message.
    fn refusal(&self) -> (u16, String, String) {
        let json = self.json();
        let error = &json["error"];
        let code = error["innererror"]["code"].as_str().unwrap_or(error["code"].as_str().unwrap());
        (self.status.as_u16(), code.to_owned(), error["message"].as_str().unwrap().to_owned())
    }

    fn refuses(&self, status: u16, code: &str, message: &str) {
        assert_eq!(self.refusal(), (status, code.to_owned(), message.to_owned()));
    }

    fn conflicts(&self) {
        let (status, code, message) = self.refusal();
        assert_eq!((status, code.as_str()), (409, "Conflict"));
        assert!(message.starts_with("There was a conflict restoring the "), "{message}");
    }
}

/// A vault with every kind, versions, tags, times, something disabled and something expired.
fn fill(vault: &VaultHandle) {
    let old = NOON - Span::days(400);
    vault.put_secret("s", SecretSpec::new("one").tag("a", "b").created(old));
    vault.put_secret("s", SecretSpec::new("two").content_type("text/plain").disabled());
    vault.put_secret("Expired", SecretSpec::new("x").not_before(old).expires(NOON - Span::days(1)));
    vault.put_key("k", KeySpec::ec("P-384").tag("c", "d"));
    vault.put_key("k", KeySpec::rsa(3072));
    vault.put_certificate("c", CertificateSpec::new("CN=a").tag("e", "f").created(old).updated(NOON));
    vault.put_certificate("c", CertificateSpec::new("CN=b").disabled());
    vault.update(Kind::Secret, "c", |attributes| attributes.tags.clear());
}

const OBJECTS: [(Kind, &str); 4] =
    [(Kind::Secret, "s"), (Kind::Secret, "Expired"), (Kind::Key, "k"), (Kind::Certificate, "c")];

#[tokio::test]
async fn a_vault_is_restored_into_an_empty_one_as_it_was() {
    let stage = Stage::new().await;
    fill(&stage.vault);
    let (before, other) = (stage.vault.snapshot(), stage.azure.vault("v2"));
    assert_eq!(before.objects.len(), 6);
    let blobs = OBJECTS.map(|(kind, name)| (kind, stage.vault.backup(kind, name).unwrap()));
    stage.after(5_000);
    for ((kind, blob), (_, name)) in blobs.iter().zip(OBJECTS) {
        assert_eq!(other.restore(blob), Ok((*kind, name.to_owned())));
    }
    assert_eq!(other.snapshot(), before);
    assert!(before.differences(&other.snapshot()).is_empty());

    // And in place, over REST, after a purge.
    for (kind, name) in OBJECTS {
        stage.vault.delete(kind, name).unwrap();
        stage.vault.purge(kind, name).unwrap();
    }
    assert!(stage.vault.is_empty());
    for (kind, blob) in &blobs {
        let restored = stage.restore(*kind, blob).await;
        assert_eq!(restored.status, StatusCode::OK, "{}", restored.text);
        assert_eq!(restored.json()["value"], Value::Null, "no answer has the value of a secret");
    }
    assert_eq!(before.differences(&stage.vault.snapshot()), Vec::<String>::new());
    stage.vault.put_secret("s", SecretSpec::new("three"));
    other.remove(Kind::Key, "k");
    other.put_key("l", KeySpec::default());
    assert_eq!(before.differences(&stage.vault.snapshot()), ["secret s has other versions"]);
    assert_eq!(before.differences(&other.snapshot()), ["key k is missing", "key l is too much"]);
}

#[tokio::test]
async fn a_deleted_object_is_shown_and_recovered() {
    let stage = Stage::new().await;
    stage.vault.configure(|options| options.recoverable_days = 7);
    fill(&stage.vault);
    stage.vault.update(Kind::Secret, "s", |attributes| attributes.enabled = true);
    let before = stage.vault.snapshot();
    let deleted = stage.ask("DELETE /secrets/S").await.json();
    assert_eq!(deleted["recoveryId"], format!("{}/deletedsecrets/s", stage.vault.url()));
    let moment = |name: &str| deleted[name].as_i64().unwrap();
    assert!((0..60).contains(&(moment("deletedDate") - NOON.unix_timestamp())));
    assert_eq!(moment("scheduledPurgeDate") - moment("deletedDate"), 7 * 86_400);
    assert_eq!((&deleted["contentType"], &deleted["value"]), (&json!("text/plain"), &Value::Null));
    assert_eq!(stage.ask("GET /deletedsecrets/s").await.json(), deleted);
    assert_eq!(stage.vault.deleted(Kind::Secret), ["s"]);
    stage.ask("GET /secrets/s").await.refusal();
    assert!(stage.vault.backup(Kind::Secret, "s").is_none());

    let recovered = stage.ask("POST /deletedsecrets/s/recover").await;
    assert_eq!((recovered.status, &recovered.json()["recoveryId"]), (StatusCode::OK, &Value::Null));
    assert_eq!(stage.vault.snapshot(), before);
    stage.ask("POST /deletedsecrets/s/recover").await.refuses(
        400,
        "RequestNotAllowedOnNonDeletedObject",
        "Secret exists already: s",
    );
    stage.ask("DELETE /deletedcertificates/c").await.refuses(
        400,
        "ObjectMustBeDeletedPriorToBeingPurged",
        "Certificate must be deleted prior to being purged.",
    );
    stage.ask("GET /deletedkeys/k").await.refuses(404, "KeyNotFound", "Deleted Key not found: k");
    for request in ["DELETE /keys/no", "DELETE /deletedkeys/no", "POST /deletedkeys/no/recover"] {
        let (status, code, message) = stage.ask(request).await.refusal();
        assert_eq!((status, code.as_str()), (404, "KeyNotFound"), "{request}");
        assert!(message.starts_with("A key with (name/id) no was not found in this key vault. If you"));
    }

    stage.vault.update(Kind::Secret, "s", |attributes| attributes.enabled = false);
    assert_eq!(stage.ask("DELETE /secrets/s").await.status, StatusCode::OK);
    assert_eq!(stage.ask("GET /deletedsecrets/s").await.refusal().1, "SecretDisabled");
}

#[tokio::test]
async fn a_certificate_takes_its_key_and_its_secret_along() {
    let stage = Stage::new().await;
    fill(&stage.vault);
    let before = stage.vault.snapshot();
    for collection in ["keys", "secrets"] {
        let (status, code, _) = stage.ask(&format!("DELETE /{collection}/c")).await.refusal();
        assert!(status == 403 && code.ends_with("ManagedByKeyVault"), "{code}");
    }
    assert_eq!(stage.ask("DELETE /certificates/c").await.status, StatusCode::OK);
    for kind in Kind::ALL {
        assert_eq!(stage.vault.deleted(kind), ["c"]);
        assert!(stage.vault.versions(kind, "c").is_empty());
    }
    assert_eq!(stage.vault.purge(Kind::Secret, "c"), Err(Refusal::Managed));
    assert_eq!(stage.ask("POST /deletedkeys/c/recover").await.refusal().1, "KeyManagedByKeyVault");
    assert_eq!(stage.ask("POST /deletedcertificates/c/recover").await.status, StatusCode::OK);
    assert_eq!(stage.vault.snapshot(), before);

    let blob = stage.vault.backup(Kind::Certificate, "c").unwrap();
    stage.vault.delete(Kind::Certificate, "c").unwrap();
    assert_eq!(stage.ask("DELETE /deletedcertificates/c").await.status, StatusCode::NO_CONTENT);
    assert!(Kind::ALL.into_iter().all(|kind| stage.vault.deleted(kind).is_empty()));
    stage.vault.put_key("c", KeySpec::default());
    stage.restore(Kind::Certificate, &blob).await.conflicts();
}

#[tokio::test]
async fn deletion_recovery_and_purge_take_their_time() {
    let stage = Stage::new().await;
    stage.azure.knobs().set_delays(Delays::realistic());
    stage.vault.put_secret("s", SecretSpec::new("x"));
    let blob = stage.vault.backup(Kind::Secret, "s").unwrap();
    let set = || stage.send("PUT /secrets/s", json!({"value": "y"}));

    stage.vault.delete(Kind::Secret, "s").unwrap();
    let busy = "ObjectIsBeingDeleted";
    assert_eq!(stage.ask("GET /secrets/s").await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.ask("GET /deletedsecrets/s").await.status, StatusCode::NOT_FOUND);
    let again = "Secret s is currently being deleted and cannot be re-created; retry later.";
    set().await.refuses(409, busy, again);
    stage.ask("DELETE /deletedsecrets/s").await.refuses(409, busy, "Secret is currently being deleted.");
    let recover = stage.ask("POST /deletedsecrets/s/recover").await;
    recover.refuses(409, busy, "Secret s is currently being deleted.");
    stage.restore(Kind::Secret, &blob).await.conflicts();
    stage.after(17);
    assert_eq!(stage.ask("GET /deletedsecrets/s").await.status, StatusCode::OK);
    stage.restore(Kind::Secret, &blob).await.conflicts();
    set().await.refuses(
        409,
        "ObjectIsDeletedButRecoverable",
        "Secret s is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only \
         be recovered or purged.",
    );

    assert_eq!(stage.ask("POST /deletedsecrets/s/recover").await.status, StatusCode::OK);
    assert_eq!(set().await.refusal().1, "ObjectIsBeingRecovered");
    stage.after(11);
    let again = stage.ask("POST /deletedsecrets/s/recover").await;
    again.refuses(400, "RequestNotAllowedOnNonDeletedObject", "Secret exists already: s");
    assert_eq!(stage.ask("GET /secrets/s").await.status, StatusCode::NOT_FOUND);
    stage.after(20);
    assert_eq!(stage.ask("GET /secrets/s").await.json()["value"], "x");

    stage.vault.delete(Kind::Secret, "s").unwrap();
    stage.after(17);
    assert_eq!(stage.ask("DELETE /deletedsecrets/s").await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.ask("GET /deletedsecrets/s").await.status, StatusCode::NOT_FOUND);
    stage.restore(Kind::Secret, &blob).await.conflicts();
    stage.after(20);
    assert_eq!(stage.restore(Kind::Secret, &blob).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_protected_vault_purges_when_the_time_has_come() {
    let stage = Stage::new().await;
    stage.vault.configure(|options| options.purge_protection = true);
    stage.vault.put_key("k", KeySpec::default());
    let deleted = stage.ask("DELETE /keys/k").await.json();
    assert_eq!(deleted["attributes"]["recoveryLevel"], "Recoverable");
    stage.ask("DELETE /deletedkeys/k").await.refuses(
        403,
        "Forbidden",
        "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically \
         purge it after the retention period has passed.\r\nVault: v1;location=westeurope",
    );
    stage.after(89 * 86_400);
    assert_eq!(stage.vault.deleted(Kind::Key), ["k"]);
    stage.after(86_400);
    assert!(stage.vault.deleted(Kind::Key).is_empty());
    assert_eq!(stage.vault.recover(Kind::Key, "k"), Err(Refusal::NotFound));
}

#[tokio::test]
async fn deleted_objects_are_listed_in_pages() {
    let stage = Stage::new().await;
    for n in 0..7 {
        stage.vault.put_certificate(&format!("c-{n}"), CertificateSpec::default());
        stage.vault.delete(Kind::Certificate, &format!("c-{n}")).unwrap();
    }
    // What a purge leaves takes its place in a page without being seen.
    stage.azure.knobs().set_delays(Delays::longest());
    stage.vault.purge(Kind::Certificate, "c-2").unwrap();
    stage.vault.purge(Kind::Certificate, "c-3").unwrap();
    for (collection, id) in [("certificates", "id"), ("keys", "kid"), ("secrets", "id")] {
        let (mut next, mut sizes, mut names) = (
            Some(format!("{}/deleted{collection}?api-version=7.4&maxresults=2", stage.vault.url())),
            vec![],
            vec![],
        );
        while let Some(url) = next {
            let page = stage.http.get(&url).await.json();
            let items = page["value"].as_array().unwrap();
            sizes.push(items.len());
            names.extend(items.iter().map(|item| {
                assert!(item["recoveryId"].as_str().unwrap().contains(&format!("/deleted{collection}/c-")));
                item[id].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
            }));
            next = page["nextLink"].as_str().map(str::to_owned);
        }
        assert_eq!(sizes, [2, 0, 2, 1]);
        assert_eq!(names, ["c-0", "c-1", "c-4", "c-5", "c-6"]);
    }
    assert_eq!(stage.azure.requests().total(Operation::ListDeleted), 12);
}

#[tokio::test]
async fn a_certificate_and_a_plain_object_of_its_name_exclude_each_other() {
    let stage = Stage::new().await;
    let (vault, other) = (&stage.vault, stage.azure.vault("v2"));
    vault.put_certificate("c", CertificateSpec::default());
    let certificate = vault.backup(Kind::Certificate, "c").unwrap();
    for (kind, put) in [(Kind::Secret, "PUT /secrets/c"), (Kind::Key, "POST /keys/c/create")] {
        let plain = |vault: &VaultHandle| match kind {
            Kind::Secret => vault.put_secret("c", SecretSpec::new("x")),
            _ => vault.put_key("c", KeySpec::default()),
        };
        let body = json!({"value": "x", "kty": "RSA"});
        let refused = stage.send(put, body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "Forbidden"));
        plain(&other);
        let blob = other.backup(kind, "c").unwrap();
        stage.restore(kind, &blob).await.conflicts();
        assert!(matches!(other.restore(&certificate), Err(Refusal::NameTaken { .. })));
        vault.delete(Kind::Certificate, "c").unwrap();
        stage.restore(kind, &blob).await.conflicts();
        assert_eq!(stage.send(put, body).await.status, StatusCode::CONFLICT);
        other.delete(kind, "c").unwrap();
        assert!(matches!(other.restore(&certificate), Err(Refusal::NameTaken { .. })));
        other.purge(kind, "c").unwrap();
        vault.recover(Kind::Certificate, "c").unwrap();
    }
    other.restore(&certificate).unwrap();

    // What a test puts there takes the place of what excludes it.
    vault.put_secret("c", SecretSpec::new("x"));
    assert_eq!((vault.len(Kind::Certificate), vault.len(Kind::Key)), (0, 0));
    assert!(vault.backup(Kind::Secret, "c").is_some(), "it is a plain one");
    vault.put_certificate("c", CertificateSpec::default());
    assert_eq!((vault.versions(Kind::Secret, "c").len(), vault.backup(Kind::Secret, "c")), (1, None));
    vault.delete(Kind::Certificate, "c").unwrap();
    vault.put_key("c", KeySpec::default());
    assert_eq!((vault.deleted(Kind::Certificate).len(), vault.deleted(Kind::Secret).len()), (0, 0));
}

#[tokio::test]
async fn a_restore_can_bring_an_older_version_back_as_the_current_one() {
    let stage = Stage::new().await;
    fill(&stage.vault);
    let other = stage.azure.vault("v2");
    other.configure(|options| options.oldest_current = true);
    for (kind, name) in [(Kind::Secret, "s"), (Kind::Key, "k"), (Kind::Certificate, "c")] {
        other.restore(&stage.vault.backup(kind, name).unwrap()).unwrap();
        let mut versions = stage.vault.versions(kind, name);
        versions.rotate_left(1);
        assert_eq!(other.versions(kind, name), versions, "{name}");
    }
    assert_eq!(other.versions(Kind::Secret, "c"), other.versions(Kind::Certificate, "c"));
    assert!(other.attributes(Kind::Secret, "s").unwrap().enabled, "the list shows the current one");
    // It stays so in a backup.
    let again = stage.azure.vault("v3");
    again.restore(&other.backup(Kind::Secret, "s").unwrap()).unwrap();
    assert_eq!(again.versions(Kind::Secret, "s"), other.versions(Kind::Secret, "s"));
}
