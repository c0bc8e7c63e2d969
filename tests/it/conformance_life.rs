//! The emulator against the service, for the other half of an object's life: deleted, listed, recovered,
//! purged, restored, and in the way of others meanwhile.

mod sessions;

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keyvault_backup::domain::object::ObjectKind;
use keyvault_backup_emulator::{Azure, Delays, Kind, Operation, VaultHandle};
use keyvault_backup_needs::needs;
use serde_json::{Value, json};

use crate::{
    conformance::{Answer, compare, repeat, seed},
    recorded::Exchange,
    wire::Wire,
};

/// What an exchange is about.
#[derive(Clone, Copy)]
struct Step {
    operation: Operation,
    kind: ObjectKind,
}

impl Step {
    fn of(exchange: &Exchange) -> Option<Self> {
        let segments = exchange.segments();
        let (collection, rest) = segments.split_first()?;
        let kind = Self::kind_of(exchange)?;
        let deleted = collection.starts_with("deleted");
        let operation = match (exchange.method.as_str(), deleted, rest) {
            ("DELETE", false, [_]) => Operation::DeleteObject,
            ("GET", true, []) => Operation::ListDeleted,
            ("GET", true, [_]) => Operation::GetDeleted,
            ("POST", true, [_, "recover"]) => Operation::Recover,
            ("DELETE", true, [_]) => Operation::Purge,
            ("POST", false, ["restore"]) => Operation::Restore,
            ("PUT", false, [_]) if exchange.status == 409 => Operation::SetSecret,
            ("POST", false, [_, "create"]) if exchange.status == 409 && kind == ObjectKind::Key => {
                Operation::CreateKey
            }
            _ => return None,
        };
        Some(Self { operation, kind })
    }

    /// The kind of a live or of a deleted object.
    fn kind_of(exchange: &Exchange) -> Option<ObjectKind> {
        let collection = *exchange.segments().first()?;
        collection.strip_prefix("deleted").unwrap_or(collection).strip_suffix('s')?.parse().ok()
    }

    /// The kind as the emulator calls it.
    fn kind(self) -> Kind {
        Self::emulated(self.kind)
    }

    fn emulated(kind: ObjectKind) -> Kind {
        match kind {
            ObjectKind::Secret => Kind::Secret,
            ObjectKind::Key => Kind::Key,
            ObjectKind::Certificate => Kind::Certificate,
        }
    }
}

/// Why an exchange is not repeated.
fn beyond(exchange: &Exchange) -> Option<&'static str> {
    let mentions = |text: &str| exchange.body.contains(text);
    // What conflicts and refusals of requests say has not changed since, but for what is named below.
    let since = if matches!(exchange.status, 204 | 400 | 409) { [1, 1, 0] } else { [1, 9, 0] };
    let unfinished = mentions("/pending\"") || (mentions("\"policy\"") && !mentions("\"cer\""));
    let reasons = [
        (exchange.service().is_none_or(|version| version < since), "an older generation of the service"),
        (mentions("Conflict while restoring"), "the words of an older generation"),
        (exchange.status >= 400 && exchange.is_cut(), "a message that its publisher cut"),
        (exchange.status == 400 && exchange.request.contains('…'), "a request that its publisher cut"),
        (mentions("-HSM\""), "a key in hardware"),
        (exchange.status == 200 && unfinished, "a certificate that is being made"),
    ];
    reasons.into_iter().find_map(|(applies, reason)| applies.then_some(reason))
}

#[needs(recordings)]
#[tokio::test]
async fn the_emulator_deletes_and_restores_as_the_service_does() {
    let all = Exchange::of_vaults();
    let azure = Azure::start().await.expect("the emulator starts");
    let wire = Wire::new(&azure, []);
    let (mut compared, mut left_out) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
    let mut deviations = BTreeMap::<_, usize>::new();
    for (number, exchange) in all.iter().enumerate() {
        let Some(step) = Step::of(exchange) else { continue };
        if let Some(reason) = beyond(exchange) {
            *left_out.entry(reason).or_default() += 1;
            continue;
        }
        let vault = azure.vault(&format!("life-{number}"));
        let request = prepare(&azure, &vault, exchange, step).unwrap_or_else(|| exchange.request.clone());
        let asked = Exchange { request, ..exchange.clone() };
        let answer = repeat(&azure, &wire, &vault, &asked, exchange.url.path()).await;
        let operation = match step.operation {
            Operation::Restore => format!("POST /{}s/restore {}", step.kind, exchange.status),
            _ => format!("{} {}", exchange.operation(), exchange.status),
        };
        let mut found = compare::deviations(exchange, answer.status, &answer.headers, &answer.body);
        if retention(exchange.json()) != retention(answer.json()) {
            found.insert("the time until the purge".to_owned());
        }
        for deviation in found {
            *deviations.entry(format!("{operation}: {deviation}")).or_default() += 1;
        }
        *compared.entry(operation).or_default() += 1;
    }
    eprintln!(
        "compared: {} exchanges: {compared:#?}\nleft out: {left_out:#?}",
        compared.values().sum::<usize>()
    );
    assert!(deviations.is_empty(), "{deviations:#?}");
    for expected in EXPECTED {
        assert!(compared.contains_key(expected), "{expected} is recorded and was not compared");
    }
}

const EXPECTED: [&str; 29] = [
    "DELETE /secrets/{n} 200",
    "DELETE /secrets/{n} 403",
    "DELETE /keys/{n} 200",
    "DELETE /certificates/{n} 200",
    "DELETE /certificates/{n} 404",
    "GET /deletedkeys 200",
    "GET /deletedcertificates 200",
    "GET /deletedsecrets/{n} 200",
    "GET /deletedsecrets/{n} 403",
    "GET /deletedsecrets/{n} 404",
    "GET /deletedkeys/{n} 200",
    "GET /deletedcertificates/{n} 200",
    "POST /deletedsecrets/{n}/recover 400",
    "POST /deletedsecrets/{n}/recover 409",
    "POST /deletedkeys/{n}/recover 409",
    "POST /deletedcertificates/{n}/recover 200",
    "POST /deletedcertificates/{n}/recover 404",
    "DELETE /deletedsecrets/{n} 204",
    "DELETE /deletedkeys/{n} 409",
    "DELETE /deletedcertificates/{n} 204",
    "DELETE /deletedcertificates/{n} 400",
    "PUT /secrets/{n} 409",
    "POST /keys/{n}/create 409",
    "POST /secrets/restore 200",
    "POST /secrets/restore 400",
    "POST /secrets/restore 409",
    "POST /keys/restore 200",
    "POST /keys/restore 409",
    "POST /certificates/restore 409",
];

impl Answer {
    fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }
}

/// For how long what was deleted can be recovered.
fn retention(answer: Option<Value>) -> Option<i64> {
    let answer = answer?;
    Some(answer["scheduledPurgeDate"].as_i64()? - answer["deletedDate"].as_i64()?)
}

/// Brings a vault into the state that the recorded answer shows. Gives the request to make in place of the
/// recorded one, where its publisher left that out or it has a blob which only the service can read.
fn prepare(azure: &Azure, vault: &VaultHandle, exchange: &Exchange, step: Step) -> Option<String> {
    azure.faults().clear();
    azure.knobs().set_page_size(25);
    azure.knobs().set_delays(Delays::default());
    let (name, json) = (exchange.name(), exchange.json().unwrap_or_default());
    match (step.operation, exchange.status) {
        (_, 401 | 404) | (Operation::Restore, 400) => {}
        (Operation::Restore, status) => return Some(back_up(vault, step, &json, status == 200)),
        (Operation::ListDeleted, _) => seed_page(azure, vault, step, &json),
        (Operation::DeleteObject, 403) => {
            seed(vault, ObjectKind::Certificate, name, &Value::Null);
        }
        (Operation::DeleteObject, _) | (_, 400) => {
            seed(vault, step.kind, name, &json);
        }
        (_, status) => {
            let disabled = json!({"attributes": {"enabled": false}});
            seed(vault, step.kind, name, if status == 403 { &disabled } else { &json });
            if exchange.body.contains("ObjectIsBeingDeleted") {
                azure.knobs().set_delays(Delays::longest());
            }
            vault.delete(step.kind(), name).expect("it is live");
        }
    }
    let hidden = exchange.request.is_empty() && step.operation == Operation::CreateKey;
    hidden.then(|| json!({"kty": "RSA"}).to_string())
}

/// Puts all deleted objects into a vault that a recorded page shows.
fn seed_page(azure: &Azure, vault: &VaultHandle, step: Step, page: &Value) {
    let items = page["value"].as_array().expect("a page has items");
    for item in items {
        let name = item["id"].as_str().or(item["kid"].as_str()).and_then(|id| id.split('/').nth(4));
        seed(vault, step.kind, name.expect("an identifier has a name"), item);
        vault.delete(step.kind(), name.expect("it was seeded")).expect("it is live");
    }
    let Some(link) = page["nextLink"].as_str() else { return };
    // An empty page is one of names that are not free yet after a purge.
    let full = !items.is_empty();
    azure.knobs().set_page_size(items.len().max(1));
    azure.knobs().set_delays(Delays { purge: Delays::longest().purge, ..Delays::default() });
    for name in ["zzz-1", "zzz-2"] {
        seed(vault, step.kind, name, &Value::Null);
        vault.delete(step.kind(), name).expect("it is live");
        assert!(full || vault.purge(step.kind(), name).is_ok(), "it leads on: {link}");
    }
}

/// A restore of what the recorded answer shows, or names in its message. A vault which is to do it does not
/// have it any more.
fn back_up(vault: &VaultHandle, step: Step, answer: &Value, free: bool) -> String {
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    let id = answer["id"].as_str().or(answer["key"]["kid"].as_str()).or(message.split('\'').nth(1));
    let name = id.and_then(|id| id.split('/').nth(4)).expect("an answer names its object");
    seed(vault, step.kind, name, answer);
    let blob = vault.backup(step.kind(), name).expect("it was seeded");
    assert!(!free || vault.remove(step.kind(), name), "it is live");
    json!({"value": BASE64_URL_SAFE_NO_PAD.encode(blob)}).to_string()
}
