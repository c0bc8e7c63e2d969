//! What must be the same in two answers of an HSM.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{conformance::Answer, recorded::Exchange};

/// Headers that have one value.
const FIXED: [&str; 9] = [
    "content-type",
    "cache-control",
    "content-security-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "server",
    "api-supported-versions",
    "retry-after",
];

/// Headers that must be there when they were recorded: some publishers leave some out.
const PRESENT: [&str; 5] = [
    "x-ms-keyvault-region",
    "x-ms-keyvault-network-info",
    "x-ms-server-latency",
    "x-ms-request-id",
    "x-ms-build-version",
];

/// Members whose values the emulator was given, or has by rule. Of the others only the type is compared.
const VALUES: [&str; 12] = [
    "status",
    "statusDetails",
    "code",
    "innererror",
    "enabled",
    "exportable",
    "recoverableDays",
    "recoveryLevel",
    "kty",
    "crv",
    "created",
    "updated",
];

/// Everything in which an answer of the emulator differs from the recorded one.
pub fn deviations(recorded: &Exchange, given: &Answer) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if recorded.status != given.status {
        found.insert(format!("status {}: {}", given.status, given.body));
        return found;
    }
    for name in FIXED {
        let (expected, given) = (recorded.header(name), given.header(name));
        if expected.is_some() && expected != given {
            found.insert(format!("header {name}: {given:?} instead of {expected:?}"));
        }
    }
    for name in PRESENT.into_iter().chain(["azure-asyncoperation"]) {
        if recorded.header(name).is_some() && given.header(name).is_none() {
            found.insert(format!("header {name} is missing"));
        }
    }
    let audience = |header: Option<&str>| header.map(|header| header.rsplit(' ').next().map(str::to_owned));
    if audience(recorded.header("www-authenticate")) != audience(given.header("www-authenticate")) {
        found.insert("challenge".to_owned());
    }
    let made_anew = recorded.asks("POST", &["create"]) || recorded.method == "PATCH";
    match (recorded.json(), serde_json::from_str(&given.body)) {
        (Some(expected), Ok(given)) => values(&mut found, made_anew, "", &expected, &given),
        (None, Err(_)) if recorded.body == given.body => {}
        (expected, _) => {
            found.insert(format!("body {:?} instead of {expected:?} {:?}", given.body, recorded.body));
        }
    }
    found
}

fn values(found: &mut BTreeSet<String>, made_anew: bool, path: &str, expected: &Value, given: &Value) {
    let name = path.rsplit('.').next().unwrap_or_default();
    let timed = made_anew && ["created", "updated"].contains(&name);
    let same = match (expected, given) {
        _ if VALUES.contains(&name) && !timed => expected == given,
        (Value::Object(_), Value::Object(_)) => {
            members(found, made_anew, path, expected, given);
            true
        }
        (Value::Array(expected), Value::Array(given)) if name == "key_ops" => {
            set(expected.iter()) == set(given.iter())
        }
        (Value::Array(expected), Value::Array(given)) => {
            let pairs = sorted(expected).into_iter().zip(sorted(given));
            pairs.for_each(|(expected, given)| {
                values(found, made_anew, &format!("{path}[]"), expected, given);
            });
            expected.len() == given.len()
        }
        (Value::String(expected), Value::String(given)) => texts(name, expected, given),
        (expected, given) => std::mem::discriminant(expected) == std::mem::discriminant(given),
    };
    if !same {
        found.insert(format!("{path}: {given} instead of {expected}"));
    }
}

fn set<'a>(values: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    values.map(ToString::to_string).collect()
}

/// Identifiers of versions are made up anew, so that only times tell which is which.
fn sorted(items: &[Value]) -> Vec<&Value> {
    let mut items: Vec<_> = items.iter().collect();
    items.sort_by_key(|item| item["attributes"]["created"].as_i64());
    items
}

fn members(found: &mut BTreeSet<String>, made_anew: bool, path: &str, expected: &Value, given: &Value) {
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flat_map(|of| of.keys().cloned()).collect()
    };
    for name in names(expected).union(&names(given)) {
        let path = format!("{path}.{name}");
        match (expected.get(name), given.get(name)) {
            (Some(expected), Some(given)) => values(found, made_anew, &path, expected, given),
            (Some(_), None) => drop(found.insert(format!("{path} is missing"))),
            _ => drop(found.insert(format!("{path} is too much"))),
        }
    }
}

/// Whether two texts say the same, apart from hosts, versions, requests and what is secret.
fn texts(name: &str, expected: &str, given: &str) -> bool {
    match name {
        "kid" | "recoveryId" => path(expected) == path(given),
        "message" => masked(expected) == masked(given),
        "value" => expected.get(..60) == given.get(..60),
        _ => true,
    }
}

/// The path of an identifier, less the version.
fn path(id: &str) -> Vec<String> {
    let part = |part: &str| if part.len() == 32 { "{v}".into() } else { part.to_lowercase() };
    id.split('/').skip(3).map(part).collect()
}

/// A message without the id of the request and without hosts.
fn masked(message: &str) -> Vec<String> {
    let words = message.split(" (Activity ID: ").next().unwrap_or_default().split(' ');
    let word = |word: &str| if word.contains("://") { path(word).join("/") } else { word.to_owned() };
    let has_activity = message.contains("(Activity ID: ").to_string();
    words.map(word).chain([has_activity]).collect()
}
