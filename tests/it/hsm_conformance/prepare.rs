//! Bringing an emulated HSM into the state that a recorded answer shows.

use keyvault_backup_emulator::{Azure, HsmHandle, KeySpec, Operation, Properties};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{conformance::Answer, hsm_recordings::operation, recorded::Exchange, wire::Wire};

/// What to ask for in place of what was asked for.
pub struct Asked {
    pub path: String,
    pub body: String,
}

const SAS: &str = "?sv=2022-11-02&sp=rwdlacu&se=2999-01-01&sig=none";

/// Puts everything there that the answer shows. Gives the request, with the emulator's own ids in it.
pub async fn prepare(azure: &Azure, wire: &Wire, hsm: &HsmHandle, exchange: &Exchange) -> Asked {
    let path = exchange.url.path().to_owned();
    let asked = |path: String| Asked { path, body: exchange.request.clone() };
    let Some(json) = exchange.json().filter(|_| exchange.status != 401) else {
        if exchange.method == "DELETE" && exchange.status == 204 {
            hsm.put_key(exchange.name(), KeySpec::rsa(2048));
            hsm.delete_key(exchange.name()).expect("it is there");
        }
        return asked(path);
    };
    match operation(exchange) {
        Some(Operation::BackupStatus | Operation::RestoreStatus) => {
            let job = job(azure, wire, hsm, exchange, &json).await;
            return asked(path.replace(exchange.name(), &job));
        }
        Some(Operation::StartRestore) => hsm.require_recent_backup(None),
        Some(_) => {}
        None => {
            keys(azure, wire, hsm, exchange, &json).await;
            // A version that is asked for has another id here.
            if let Some(version) = exchange.segments().get(2).filter(|part| part.len() == 32) {
                let shown = hsm.keys().objects.into_values().next();
                let own = shown.and_then(|key| Some(key.versions.last()?.id.clone())).unwrap_or_default();
                return asked(path.replace(version, &own));
            }
            return asked(path);
        }
    }
    Asked { path, body: start_body(exchange) }
}

/// The recorded request, with a token that can be read where the publisher hid one that could.
fn start_body(exchange: &Exchange) -> String {
    let mut body: Value = serde_json::from_str(&exchange.request).expect("a start has a body");
    if exchange.status == 202 {
        for at in ["/token", "/sasTokenParameters/token"] {
            if let Some(token) = body.pointer_mut(at) {
                *token = SAS.into();
            }
        }
    }
    body.to_string()
}

async fn keys(azure: &Azure, wire: &Wire, hsm: &HsmHandle, exchange: &Exchange, json: &Value) {
    let name = exchange.name();
    let segments = exchange.segments();
    let days =
        json.pointer("/attributes/recoverableDays").or(json.pointer("/value/0/attributes/recoverableDays"));
    hsm.set_recoverable_days(days.and_then(Value::as_u64).and_then(|days| days.try_into().ok()).unwrap_or(7));
    match (exchange.status, exchange.method.as_str(), &segments[..]) {
        (200, "GET", ["keys"]) => {
            json["value"].as_array().into_iter().flatten().for_each(|item| put(hsm, item));
        }
        (200, "GET", ["deletedkeys"]) => {
            for item in json["value"].as_array().into_iter().flatten() {
                put(hsm, item);
                hsm.delete_key(&key_name(item)).expect("it is there");
            }
        }
        (200, "GET", ["keys", _, "versions"]) => {
            json["value"].as_array().into_iter().flatten().for_each(|item| put(hsm, item));
        }
        (200, "POST", ["keys", _, "create"]) => {}
        (200, "POST", ["keys", _, "backup"]) => drop(hsm.put_key(name, KeySpec::rsa(2048))),
        (200, _, ["deletedkeys", ..]) => {
            put(hsm, json);
            hsm.delete_key(name).expect("it is there");
        }
        (200, ..) => put(hsm, json),
        (409, ..) => {
            hsm.put_key(name, KeySpec::rsa(2048));
            hsm.set_operation_seconds(60);
            start(azure, wire, hsm, "PUT /restore", "7.2", storage(azure, true)).await;
        }
        _ => {}
    }
}

fn key_name(shown: &Value) -> String {
    let id = shown["kid"].as_str().or(shown["key"]["kid"].as_str()).expect("a key has an identifier");
    id.split('/').nth(4).expect("an identifier has a name").to_owned()
}

/// Puts a version of a key there that shows like a recorded one.
fn put(hsm: &HsmHandle, shown: &Value) {
    let of = &shown["attributes"];
    let moment = |name: &str| OffsetDateTime::from_unix_timestamp(of[name].as_i64()?).ok();
    let properties = Properties {
        enabled: of["enabled"] != false,
        created: moment("created"),
        updated: moment("updated"),
        ..Properties::default()
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let operations = shown["key"]["key_ops"].as_array().into_iter().flatten().filter_map(text).collect();
    let kty = text(&shown["key"]["kty"]).unwrap_or_else(|| "RSA".into());
    let curve = text(&shown["key"]["crv"]);
    hsm.put_key(&key_name(shown), KeySpec { kty, curve, operations, properties, ..KeySpec::default() });
}

/// A job that stands as the recorded one. Gives its id.
async fn job(azure: &Azure, wire: &Wire, hsm: &HsmHandle, exchange: &Exchange, json: &Value) -> String {
    let details = json["statusDetails"].as_str().unwrap_or_default();
    hsm.require_recent_backup(None);
    hsm.set_operation_polls(usize::from(json["status"] == "InProgress"));
    // Only the oldest recordings have an error of nulls.
    let version = if json["error"].is_object() && json["error"]["code"].is_null() { "7.2" } else { "7.6" };
    let is_backup = operation(exchange) == Some(Operation::BackupStatus);
    let mut storage = storage(azure, details != "ResourceNotFound");
    if details == "Invalid Request" {
        storage["token"] = "invalid".into();
        let path = if is_backup { "POST /prebackup" } else { "PUT /prerestore" };
        return start(azure, wire, hsm, path, version, storage).await;
    }
    if is_backup {
        // A check that succeeds has no folder.
        let is_check = json["status"] == "Succeeded" && json["azureStorageBlobContainerUri"].is_null();
        let path = if is_check { "POST /prebackup" } else { "POST /backup" };
        return start(azure, wire, hsm, path, version, storage).await;
    }
    let number = |text: &str| text.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok());
    let counts: Vec<_> = details.split(", ").filter_map(number).collect();
    // One is counted more than there are versions.
    for _ in 1..counts.iter().sum::<usize>().max(2) {
        hsm.put_key("key", KeySpec::rsa(2048));
    }
    start(azure, wire, hsm, "POST /backup", version, storage.clone()).await;
    hsm.finish_operations();
    if counts.first() > counts.last() {
        hsm.delete_key("key").expect("it is there");
        hsm.purge_key("key").expect("it is deleted");
    }
    let path = if counts.is_empty() { "PUT /restore" } else { "PUT /keys/key/restore" };
    if details.starts_with("Invalid") {
        storage["folder"] = "nowhere".into();
    }
    start(azure, wire, hsm, path, version, storage).await
}

fn storage(azure: &Azure, is_there: bool) -> Value {
    let storage = azure.storage("backups");
    storage.create_container("hsm");
    let container = if is_there { "hsm" } else { "nowhere" };
    json!({"storageResourceUri": format!("{}/{container}", storage.blob_url()), "token": SAS})
}

/// Starts a job. A restore is from the newest backup unless the storage names a folder.
async fn start(
    azure: &Azure,
    wire: &Wire,
    hsm: &HsmHandle,
    request: &str,
    version: &str,
    storage: Value,
) -> String {
    let (method, path) = request.split_once(' ').expect("it has a path");
    hsm.require_recent_backup(None);
    let newest = hsm.operations().into_iter().rev().find_map(|job| job.folder).unwrap_or_default();
    let folder = storage["folder"].as_str().map_or(newest, str::to_owned);
    let body = match method {
        "POST" => storage,
        _ => json!({"sasTokenParameters": storage, "folderToRestore": folder, "folder": folder}),
    };
    let request = wire
        .http
        .request(
            method.parse().expect("it is a method"),
            format!("{}{path}?api-version={version}", hsm.url()),
        )
        .bearer_auth(azure.identity().issue("https://managedhsm.azure.net", None))
        .body(body.to_string());
    let answer = wire.http.execute(request.build().expect("it is a request")).await;
    let answer = answer.expect("the emulator answers").text().await.expect("the answer is whole");
    let answer: Value = serde_json::from_str(&answer).expect("it is JSON");
    answer["jobId"].as_str().unwrap_or_else(|| panic!("{path}: {answer}")).to_owned()
}

impl Answer {
    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
