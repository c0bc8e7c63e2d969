//! The emulator against the service: every recorded exchange that the emulator can repeat is repeated, and
//! its answer held against the recorded one.

pub mod compare;

use std::collections::BTreeMap;

use keyvault_backup::domain::object::ObjectKind;
use keyvault_backup_emulator::{
    Azure, CertificateSpec, Fault, FaultKind, Forbidden, KeySpec, Matcher, Properties, SecretSpec,
    VaultHandle,
};
use keyvault_backup_needs::needs;
use reqwest::Method;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{recorded::Exchange, wire::Wire};

/// What the emulator answered.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

/// Whether the emulator has the operation.
fn is_emulated(exchange: &Exchange) -> bool {
    let version = |part: &str| part.len() == 32 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let Some(kind) = exchange.kind() else { return false };
    match (exchange.method.as_str(), &exchange.segments()[1..]) {
        ("GET", ["issuers" | "contacts", ..]) => false,
        ("GET", [] | [_] | [_, "versions"]) | ("PATCH", [_]) | ("POST", [_, "backup"]) => true,
        ("GET" | "PATCH", [_, id]) => version(id),
        ("PUT", [] | [_]) => kind == ObjectKind::Secret,
        ("POST", [_, "create"]) => kind == ObjectKind::Key,
        _ => false,
    }
}

/// Why an exchange is not repeated.
fn beyond(exchange: &Exchange) -> Option<&'static str> {
    let mentions = |text: &str| exchange.body.contains(text) || exchange.request.contains(text);
    let since = if exchange.status == 403 { [1, 1, 6] } else { [1, 9, 0] };
    let reasons = [
        (
            !is_emulated(exchange),
            "an operation of the other half of an object's life, or one that the emulator does not have",
        ),
        (exchange.service().is_some_and(|version| version < since), "an older generation of the service"),
        (exchange.status == 409, "deletion, which belongs to the other half"),
        (exchange.url.as_str().contains("skiptoken"), "a page that only the recorded link leads to"),
        (mentions("release_policy"), "a release policy"),
        (mentions("sastoken-storage"), "a secret of a managed storage account"),
        (mentions("-HSM\"") || mentions("HardwareKeysNotSupported"), "a key in hardware"),
        (exchange.status == 200 && mentions("/pending\""), "a certificate that is being made"),
    ];
    reasons.into_iter().find_map(|(applies, reason)| applies.then_some(reason))
}

#[needs(recordings)]
#[tokio::test]
async fn the_emulator_answers_as_the_service_does() {
    let all = Exchange::of_vaults();
    let azure = Azure::start().await.expect("the emulator starts");
    let wire = Wire::new(&azure, []);
    let (mut compared, mut left_out) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
    let mut deviations = BTreeMap::<_, usize>::new();
    for (number, exchange) in all.iter().enumerate() {
        if let Some(reason) = beyond(exchange) {
            *left_out.entry(reason).or_default() += 1;
            continue;
        }
        let vault = azure.vault(&format!("conform-{number}"));
        let path = prepare(&azure, &vault, exchange);
        let answer = repeat(&azure, &wire, &vault, exchange, &path).await;
        let operation = format!("{} {}", exchange.operation(), exchange.status);
        for deviation in compare::deviations(exchange, answer.status, &answer.headers, &answer.body) {
            *deviations.entry(format!("{operation}: {deviation}")).or_default() += 1;
        }
        *compared.entry(operation).or_default() += 1;
    }
    eprintln!(
        "compared: {} exchanges: {compared:#?}\nleft out: {left_out:#?}",
        compared.values().sum::<usize>()
    );
    assert!(deviations.is_empty(), "{deviations:#?}");
    for expected in [
        "GET /secrets 200",
        "GET /secrets 401",
        "GET /keys 200",
        "GET /certificates 200",
        "GET /secrets/{n}/versions 200",
        "GET /keys/{n}/versions 200",
        "GET /certificates/{n}/versions 200",
        "POST /secrets/{n}/backup 200",
        "POST /secrets/{n}/backup 404",
        "POST /keys/{n}/backup 200",
        "POST /keys/{n}/backup 400",
        "POST /keys/{n}/backup 404",
        "POST /certificates/{n}/backup 200",
        "GET /secrets/{n} 200",
        "GET /secrets/{n} 403",
        "GET /secrets/{n} 404",
        "PUT /secrets/{n} 200",
        "PUT /secrets 405",
        "POST /keys/{n}/create 200",
    ] {
        assert!(compared.contains_key(expected), "{expected} is recorded and was not compared");
    }
}

impl Exchange {
    /// The method and the path, less the names.
    pub fn operation(&self) -> String {
        let template = |(at, part): (usize, &&str)| match at {
            1 => "/{n}".to_owned(),
            2 if part.len() == 32 => "/{v}".to_owned(),
            _ => format!("/{part}"),
        };
        format!("{} {}", self.method, self.segments().iter().enumerate().map(template).collect::<String>())
    }

    /// The version that the service reported of itself.
    pub fn service(&self) -> Option<[u32; 3]> {
        let mut parts =
            self.header("x-ms-keyvault-service-version")?.split('.').map(|part| part.parse().ok());
        Some([parts.next()??, parts.next()??, parts.next()??])
    }
}

/// Brings a vault into the state that the recorded answer shows. Gives the path to ask for, with the
/// version that the vault has in place of the recorded one.
fn prepare(azure: &Azure, vault: &VaultHandle, exchange: &Exchange) -> String {
    azure.faults().clear();
    azure.knobs().set_page_size(25);
    let path = exchange.url.path().to_owned();
    let (Some(kind), Some(json)) = (exchange.kind(), exchange.json()) else { return path };
    let name = exchange.name();
    match (exchange.status, exchange.method.as_str(), &exchange.segments()[..]) {
        (403, _, _) if exchange.body.contains("SecretDisabled") => {
            vault.put_secret(name, SecretSpec::new("value").disabled());
        }
        (403, _, _) => {
            azure.faults().add(Fault::on(Matcher::any()).reply(FaultKind::Forbidden(Forbidden::ByPolicy)));
        }
        (200, "POST", [_, _, "backup"]) => {
            seed(vault, kind, name, &Value::Null);
        }
        // What is asked for makes the object; only the vault's own settings show in the answer.
        (200, "PUT" | "POST", _) => configure(vault, &json),
        (200, "GET", [_] | [_, _, "versions"]) => seed_page(azure, vault, kind, &json),
        (200, _, [collection, name, _]) => {
            return format!("/{collection}/{name}/{}", seed(vault, kind, name, &json));
        }
        (200, _, _) => {
            seed(vault, kind, name, &json);
        }
        _ => {}
    }
    path
}

/// Puts everything into a vault that a recorded page shows.
fn seed_page(azure: &Azure, vault: &VaultHandle, kind: ObjectKind, page: &Value) {
    let items = page["value"].as_array().expect("a page has items");
    for item in items {
        let id = item["id"].as_str().or(item["kid"].as_str()).expect("an item has an identifier");
        seed(vault, kind, id.split('/').nth(4).expect("an identifier has a name"), item);
    }
    if page["nextLink"].is_string() {
        // The service was recorded to end a page before it was full.
        azure.knobs().set_page_size(items.len());
        seed(vault, kind, "zzz", &Value::Null);
    }
}

/// Gives a vault the retention that an answer shows.
fn configure(vault: &VaultHandle, shown: &Value) {
    let days = shown["attributes"]["recoverableDays"].as_u64().and_then(|days| days.try_into().ok());
    vault.configure(|options| options.recoverable_days = days.unwrap_or(options.recoverable_days));
}

/// Puts a version into a vault that shows like a recorded one. Gives its identifier.
pub fn seed(vault: &VaultHandle, kind: ObjectKind, name: &str, shown: &Value) -> String {
    let of = &shown["attributes"];
    configure(vault, shown);
    let moment = |name: &str| OffsetDateTime::from_unix_timestamp(of[name].as_i64()?).ok();
    let tags = shown["tags"].as_object().into_iter().flatten();
    let properties = Properties {
        enabled: of["enabled"] != false,
        not_before: moment("nbf"),
        expires: moment("exp"),
        created: moment("created"),
        updated: moment("updated"),
        tags: tags.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().into())).collect(),
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let key = &shown["key"];
    if shown["managed"] == true || kind == ObjectKind::Certificate {
        let subject = text(&shown["subject"]).unwrap_or_else(|| "CN=example.com".into());
        let content_type = text(&shown["policy"]["secret_props"]["contentType"]);
        let content_type = content_type.unwrap_or_else(|| CertificateSpec::default().content_type);
        return vault.put_certificate(name, CertificateSpec { subject, content_type, properties });
    }
    if kind == ObjectKind::Secret {
        let content_type = text(&shown["contentType"]);
        return vault.put_secret(name, SecretSpec { content_type, properties, ..SecretSpec::new("value") });
    }
    let operations = key["key_ops"].as_array().into_iter().flatten().filter_map(text).collect();
    let kty = text(&key["kty"]).unwrap_or_else(|| "RSA".into());
    vault.put_key(
        name,
        KeySpec { kty, curve: text(&key["crv"]), operations, properties, ..KeySpec::default() },
    )
}

pub async fn repeat(
    azure: &Azure,
    wire: &Wire,
    vault: &VaultHandle,
    exchange: &Exchange,
    path: &str,
) -> Answer {
    let query = exchange.url.query().filter(|query| query.contains("api-version"));
    let url = format!("{}{path}?{}", vault.url(), query.unwrap_or("api-version=7.4"));
    let method: Method = exchange.method.parse().expect("it is a method");
    let mut request = wire.http.request(method, url).header("x-ms-client-request-id", "a-client");
    if exchange.status != 401 {
        request = request.bearer_auth(azure.identity().issue("https://vault.azure.net", None));
    }
    let request = request.header("content-type", "application/json").body(exchange.request.clone());
    let answer = wire.http.execute(request.build().expect("it is a request")).await;
    let answer = answer.expect("the emulator answers");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, body: answer.text().await.expect("the answer is whole") }
}
