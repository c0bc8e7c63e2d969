//! Managed HSMs.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keyvault_backup_emulator::{
    Azure, Fault, FaultKind, HsmHandle, HsmOperationKind, KeySpec, Kind, Matcher, Operation, Service,
    StorageHandle,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, HSM, Http, answer, send};

/// A world in which everything works: an HSM with a key, an identity, and a container it may use.
struct Stage {
    azure: Azure,
    hsm: HsmHandle,
    storage: StorageHandle,
    http: Http,
}

impl Stage {
    async fn new() -> Self {
        let azure = Azure::start().await.unwrap();
        let (hsm, storage) = (azure.hsm("h1"), azure.storage("backups"));
        storage.create_container("hsm");
        hsm.attach_identity(true);
        hsm.grant(&format!("{}/hsm", storage.blob_url()));
        hsm.put_key("k1", KeySpec::rsa(2048));
        hsm.set_operation_polls(1);
        let http = Http::new(&azure).await;
        Self { azure, hsm, storage, http }
    }

    async fn send(&self, request: &str, body: Value) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        let url = format!("{}{path}?api-version=2025-07-01", self.hsm.url());
        let method = method.parse::<Method>().unwrap();
        answer(self.http.request(method, &url).body(body.to_string())).await
    }

    async fn ask(&self, request: &str) -> Answer {
        self.send(request, Value::Null).await
    }

    fn container(&self) -> Value {
        json!({"storageResourceUri": format!("{}/hsm", self.storage.blob_url()), "useManagedIdentity": true})
    }

    async fn start_backup(&self) -> Answer {
        self.send("POST /backup", self.container()).await
    }

    async fn start_restore(&self, folder: &str) -> Answer {
        let body = json!({"sasTokenParameters": self.container(), "folderToRestore": folder});
        self.send("PUT /restore", body).await
    }

    async fn restore_key(&self, folder: &str) -> Answer {
        let body = json!({"sasTokenParameters": self.container(), "folder": folder});
        self.send("PUT /keys/k1/restore", body).await
    }

    async fn poll(&self, started: &Answer) -> Value {
        let url = started.header("azure-asyncoperation");
        answer(self.http.request(Method::GET, url)).await.json()
    }

    /// Takes a backup. Gives its folder.
    async fn back_up(&self) -> String {
        assert_eq!(self.start_backup().await.status, StatusCode::ACCEPTED);
        self.hsm.finish_operations();
        self.hsm.operations().pop().unwrap().folder.unwrap()
    }
}

fn message(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_request_without_a_good_token_is_challenged() {
    let stage = Stage::new().await;
    let url = format!("{}/keys?api-version=7.4", stage.hsm.url());
    let plain = answer(stage.http.client.get(&url)).await;
    assert_eq!((plain.status, plain.text.as_str()), (StatusCode::UNAUTHORIZED, "OK"));
    assert!(plain.header("www-authenticate").ends_with(&format!("resource=\"{HSM}\"")));
    let vaults = stage.azure.identity().issue("https://vault.azure.net", None);
    let wrong = answer(stage.http.client.get(&url).bearer_auth(vaults)).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(send(stage.http.client.get("https://unknown.managedhsm.azure.net/keys")).await.is_err());
    let china = stage.azure.hsm("h2.managedhsm.azure.cn").url();
    assert_eq!(china, "https://h2.managedhsm.azure.cn");
}

#[tokio::test]
async fn a_job_takes_so_many_polls() {
    let stage = Stage::new().await;
    stage.hsm.set_operation_polls(2);
    let started = stage.start_backup().await;
    assert_eq!((started.status, started.header("retry-after")), (StatusCode::ACCEPTED, "10"));
    assert_eq!(started.json()["status"], "InProgress");
    for expected in ["InProgress", "InProgress", "Succeeded", "Succeeded"] {
        assert_eq!(stage.poll(&started).await["status"], expected);
    }
}

#[tokio::test]
async fn a_job_that_is_never_polled_ends_by_itself() {
    let azure = Azure::start().await.unwrap();
    let (hsm, storage, http) = (azure.hsm("h1"), azure.storage("backups"), Http::new(&azure).await);
    storage.create_container("hsm");
    hsm.attach_identity(true);
    hsm.grant(&format!("{}/hsm", storage.blob_url()));
    let stage = Stage { azure, hsm, storage, http };
    stage.start_backup().await;
    assert_eq!(stage.start_backup().await.status, StatusCode::CONFLICT);
    stage.azure.clock().advance(Duration::from_secs(11));
    assert_eq!(stage.start_backup().await.status, StatusCode::ACCEPTED);
    assert_eq!(stage.storage.blobs("hsm").len(), 1);
}

#[tokio::test]
async fn a_job_takes_so_long() {
    let stage = Stage::new().await;
    stage.hsm.set_operation_seconds(11);
    let started = stage.start_backup().await;
    stage.azure.clock().advance(Duration::from_secs(10));
    assert_eq!(stage.poll(&started).await["status"], "InProgress");
    stage.azure.clock().advance(Duration::from_secs(60));
    let ended = stage.poll(&started).await;
    assert_eq!(ended["status"], "Succeeded");
    assert_eq!(ended["endTime"].as_i64().unwrap() - ended["startTime"].as_i64().unwrap(), 11);
}

#[tokio::test]
async fn a_backup_is_a_folder_of_several_blobs() {
    let stage = Stage::new().await;
    for number in 0..150 {
        stage.hsm.put_key(&format!("more-{number}"), KeySpec::ec("P-256"));
    }
    let folder = stage.back_up().await;
    let digits = folder.strip_prefix("mhsm-h1-").unwrap();
    assert!(digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit()), "{folder}");
    let expected = ["backup", "keys/00000", "keys/00001"].map(|name| format!("{folder}/{name}"));
    assert_eq!(stage.storage.blobs("hsm"), expected);
    assert_ne!(stage.back_up().await, folder);
}

#[tokio::test]
async fn a_backup_goes_under_the_folders_that_are_named_and_a_restore_names_them_with_its_folder() {
    let stage = Stage::new().await;
    let mut to = stage.container();
    to["storageResourceUri"] = json!(format!("{}/hsm/prod/a", stage.storage.blob_url()));
    let started = stage.send("POST /backup", to.clone()).await;
    stage.hsm.finish_operations();
    let uri = stage.poll(&started).await["azureStorageBlobContainerUri"].as_str().unwrap().to_owned();
    let folder = uri.split_once("/hsm/").unwrap().1;
    assert!(folder.starts_with("prod/a/mhsm-h1-"), "{uri}");
    assert!(stage.storage.blobs("hsm").iter().all(|name| name.starts_with(folder)));
    let body = json!({"sasTokenParameters": to, "folderToRestore": folder});
    assert_eq!(stage.send("PUT /restore", body).await.status, StatusCode::NOT_IMPLEMENTED);
    let restored = stage.start_restore(folder).await;
    stage.hsm.finish_operations();
    assert_eq!(stage.poll(&restored).await["status"], "Succeeded");
    to["storageResourceUri"] = json!(format!("{}/hsm-2/prod", stage.storage.blob_url()));
    let elsewhere = stage.send("POST /backup", to).await;
    stage.hsm.finish_operations();
    assert_eq!(stage.poll(&elsewhere).await["status"], "Failed", "its role is in another container");
}

#[tokio::test]
async fn a_backup_keeps_what_there_was_at_its_start() {
    let stage = Stage::new().await;
    let before = stage.hsm.keys();
    stage.start_backup().await;
    stage.hsm.put_key("later", KeySpec::rsa(2048));
    stage.hsm.finish_operations();
    let folder = stage.hsm.operations().pop().unwrap().folder.unwrap();
    stage.hsm.delete_key("later").unwrap();
    stage.start_restore(&folder).await;
    stage.hsm.finish_operations();
    assert_eq!(before.differences(&stage.hsm.keys()), [""; 0]);
    assert_eq!(stage.ask("GET /deletedkeys/later").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_job_runs_at_a_time() {
    let stage = Stage::new().await;
    let folder = stage.back_up().await;
    stage.start_backup().await;
    for refused in [stage.start_backup().await, stage.start_restore(&folder).await] {
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "Conflict"));
        assert_eq!(message(&refused), "Another backup operation is in progress");
    }
    assert_eq!(stage.ask("GET /keys").await.status, StatusCode::OK);
    assert_eq!((stage.hsm.starts_sent().backups, stage.hsm.starts_sent().restores), (2, 0));
}

#[tokio::test]
async fn a_restore_keeps_the_hsm_from_everything_else() {
    let stage = Stage::new().await;
    stage.hsm.set_cooldown(Duration::from_secs(20));
    let folder = stage.back_up().await;
    let started = stage.restore_key(&folder).await;
    for request in ["GET /keys", "DELETE /keys/k1", "POST /backup", "POST /keys/k1/backup"] {
        let refused = stage.ask(request).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{request}");
        assert!(message(&refused).starts_with("User triggered Restore operation is in progress."));
    }
    assert_eq!(stage.poll(&started).await["status"], "InProgress");
    assert_eq!(stage.poll(&started).await["status"], "Succeeded");
    assert_eq!(stage.ask("GET /keys").await.status, StatusCode::CONFLICT);
    stage.azure.clock().advance(Duration::from_secs(20));
    assert_eq!(stage.ask("GET /keys").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_full_restore_wants_a_recent_backup_of_its_own() {
    let stage = Stage::new().await;
    let refused = stage.start_restore("x").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(message(&refused).contains("30 minutes"));
    stage.hsm.require_recent_backup(None);
    let started = stage.start_restore("x").await;
    stage.poll(&started).await;
    let ended = stage.poll(&started).await;
    assert_eq!(
        (&ended["status"], &ended["statusDetails"]),
        (&json!("Failed"), &json!("Invalid backup provided"))
    );
    assert!(!ended.as_object().unwrap().contains_key("azureStorageBlobContainerUri"));
}

#[tokio::test]
async fn checks_come_with_7_6_and_start_no_job() {
    let stage = Stage::new().await;
    let url = format!("{}/prebackup?api-version=7.5", stage.hsm.url());
    let early = answer(stage.http.request(Method::POST, &url).body(stage.container().to_string())).await;
    assert_eq!(early.status, StatusCode::BAD_REQUEST);
    let check = stage.send("POST /prebackup", stage.container()).await;
    assert_eq!(stage.start_backup().await.status, StatusCode::ACCEPTED);
    assert_eq!(stage.poll(&check).await["status"], "Succeeded");
    assert_eq!(stage.hsm.operations()[0].kind, HsmOperationKind::BackupCheck);
}

#[tokio::test]
async fn keys_are_in_hardware_and_their_backups_in_the_security_domain() {
    let stage = Stage::new().await;
    let made = stage.send("POST /keys/k2/create", json!({"kty": "RSA"})).await.json();
    assert_eq!((&made["key"]["kty"], &made["attributes"]["hsmPlatform"]), (&json!("RSA-HSM"), &Value::Null));
    let backup = stage.ask("POST /keys/k2/backup").await.json();
    let blob = BASE64_URL_SAFE_NO_PAD.decode(backup["value"].as_str().unwrap()).unwrap();
    assert!(blob.starts_with(b"eyJhbGciOiJkaXIi"));
    assert_eq!(stage.ask("DELETE /keys/k2").await.status, StatusCode::OK);
    assert_eq!(stage.ask("DELETE /deletedkeys/k2").await.status, StatusCode::NO_CONTENT);
    stage.hsm.set_security_domain("another");
    let refused = stage.send("POST /keys/restore", backup.clone()).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "MalformedBackupBlob"));
    stage.hsm.set_security_domain("security domain of h1.managedhsm.azure.net");
    let restored = stage.send("POST /keys/restore", backup).await.json();
    assert_eq!(restored["key"]["kid"], made["key"]["kid"]);
}

#[tokio::test]
async fn the_last_page_of_a_list_has_no_link() {
    let stage = Stage::new().await;
    stage.azure.knobs().set_page_size(1);
    stage.hsm.put_key("k2", KeySpec::rsa(2048));
    let first = stage.ask("GET /keys").await.json();
    let next = first["nextLink"].as_str().unwrap();
    let last = stage.http.get(next).await.json();
    assert_eq!(last["value"].as_array().unwrap().len(), 1);
    assert!(!last.as_object().unwrap().contains_key("nextLink"));
}

#[tokio::test]
async fn refusals_are_in_the_words_of_an_hsm() {
    let stage = Stage::new().await;
    for (request, status, code, words) in [
        ("GET /keys/none", 404, "KeyNotFound", "Key not found: https://h1.managedhsm.azure.net/keys/none ("),
        ("GET /deletedkeys/none", 404, "KeyNotFound", "azure.net/deletedkeys/none (Activity ID: "),
        ("POST /keys/a!b/backup", 400, "BadParameter", "Invalid key identifier or name (Activity ID: "),
        ("GET /secrets", 501, "NotImplemented", "the route GET /secrets. (Activity ID: "),
        ("GET /backup/none/pending", 404, "NotFound", "The given jobId is not found"),
    ] {
        let refused = stage.ask(request).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (status, code), "{request}");
        assert!(message(&refused).contains(words), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_key_that_the_backup_lacks_fails_its_restore() {
    let stage = Stage::new().await;
    let folder = stage.back_up().await;
    let body = json!({"sasTokenParameters": stage.container(), "folder": folder});
    stage.send("PUT /keys/none/restore", body).await;
    stage.hsm.finish_operations();
    let job = &stage.hsm.operations()[1];
    assert_eq!(
        (job.status, job.details.as_deref()),
        ("Failed", Some("The given key or its versions NOT found"))
    );
    let shown = stage.ask(&format!("GET /restore/{}/pending", job.id)).await.json();
    assert_eq!(shown["error"]["code"], "No key versions are updated");
}

#[tokio::test]
async fn a_storage_that_refuses_is_quoted_over_many_lines() {
    let stage = Stage::new().await;
    stage.hsm.revoke(&format!("{}/hsm", stage.storage.blob_url()));
    stage.start_backup().await;
    stage.hsm.finish_operations();
    let shown = stage.ask(&format!("GET /backup/{}/pending", stage.hsm.operations()[0].id)).await.json();
    let code = "AuthorizationPermissionMismatch";
    assert_eq!((&shown["status"], &shown["statusDetails"]), (&json!("Failed"), &json!(code)));
    assert_eq!(shown["error"]["code"], code);
    let message = shown["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("\r\n") && message.contains("<Error><Code>AuthorizationPermissionMismatch</Code>"),
        "{message}"
    );
}

#[tokio::test]
async fn faults_know_hsms() {
    let stage = Stage::new().await;
    let matchers = [
        Matcher::from(Operation::StartBackup),
        Matcher::any().service(Service::Hsm).host("h1"),
        Matcher::any().kind(Kind::Key).object("k1"),
    ];
    for matcher in matchers {
        stage.azure.faults().add(Fault::on(matcher).times(1).reply(FaultKind::Status(500)));
    }
    assert_eq!(stage.start_backup().await.code(), "UnknownError");
    assert_eq!(stage.ask("GET /keys").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(stage.restore_key("x").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    for (kind, taken) in [(FaultKind::ResetBefore, 0), (FaultKind::ResetAfter, 1)] {
        stage.azure.faults().add(Fault::on(Operation::StartBackup).times(1).reply(kind));
        let url = format!("{}/backup?api-version=7.6", stage.hsm.url());
        let request = stage.http.request(Method::POST, &url).body(stage.container().to_string());
        assert!(send(request).await.is_err());
        assert_eq!(stage.hsm.starts_sent().backups, taken);
    }
}

#[tokio::test]
async fn a_restored_key_is_found_by_its_name() {
    let stage = Stage::new().await;
    let backup = stage.ask("POST /keys/k1/backup").await.json();
    stage.azure.faults().add(
        Fault::on(Operation::Restore)
            .reply(FaultKind::Forbidden(keyvault_backup_emulator::Forbidden::ByRbac)),
    );
    let refused = stage.send("POST /keys/restore", backup).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "AccessDenied"));
    assert_eq!(stage.azure.faults().fired()[0].object, "k1");
}
