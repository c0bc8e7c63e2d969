//! What must be the same in two answers, field by field.

use std::collections::BTreeSet;

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use crate::recorded::Exchange;

/// Headers that have one value.
const FIXED: [&str; 6] = [
    "content-type",
    "cache-control",
    "pragma",
    "expires",
    "strict-transport-security",
    "x-content-type-options",
];

/// Headers that must be there when they were recorded: some publishers leave some out.
const PRESENT: [&str; 5] = [
    "x-ms-keyvault-region",
    "x-ms-keyvault-service-version",
    "x-ms-keyvault-network-info",
    "x-ms-request-id",
    "x-ms-client-request-id",
];

/// Members whose values the emulator was given, or has by rule. Of the others only the type is compared.
const VALUES: [&str; 13] = [
    "contentType",
    "enabled",
    "nbf",
    "exp",
    "managed",
    "kty",
    "key_ops",
    "tags",
    "recoveryLevel",
    "recoverableDays",
    "exportable",
    "hsmPlatform",
    "code",
];

/// Members that depend on what a certificate was made from, which the emulator does not model.
const POLICY: [&str; 5] = ["sans", "ekus", "key_usage", "basic_constraints", "lifetime_actions"];

/// Members that came with later versions of the service than some recordings are of.
const LATER: [&str; 2] = ["exportable", "hsmPlatform"];

/// Everything in which an answer of the emulator differs from the recorded one.
pub fn deviations(recorded: &Exchange, status: u16, headers: &HeaderMap, body: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if recorded.status != status {
        found.insert(format!("status {status}: {body}"));
        return found;
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    for name in FIXED {
        let expected = recorded.header(name);
        if expected.is_some() && expected != header(name) {
            found.insert(format!("header {name}: {:?} instead of {expected:?}", header(name)));
        }
    }
    for name in PRESENT {
        if recorded.header(name).is_some() && header(name).is_none() {
            found.insert(format!("header {name} is missing"));
        }
    }
    let (expected, given) = (recorded.header("www-authenticate"), header("www-authenticate"));
    if expected.map(challenge) != given.map(challenge) {
        found.insert(format!("challenge {given:?} instead of {expected:?}"));
    }
    match (recorded.json(), serde_json::from_str(body)) {
        (Some(expected), Ok(given)) => {
            Comparison { recorded, found: &mut found }.values("", &expected, &given);
        }
        (None, Err(_)) if recorded.body.starts_with("<!DOCTYPE html>") => {
            if !body.starts_with("<!DOCTYPE html>") || !body.contains("Runtime Error") {
                found.insert(format!("page {body}"));
            }
        }
        (None, Err(_)) if recorded.body.is_empty() && body.is_empty() => {}
        (expected, _) => {
            found.insert(format!("body {body} instead of {expected:?}"));
        }
    }
    found
}

/// A challenge without the parts that differ from tenant to tenant and from year to year.
fn challenge(header: &str) -> (String, bool) {
    let parts: Vec<_> = header.split('"').collect();
    let authority = parts.get(1).is_some_and(|url| url.starts_with("https://login."));
    let others = parts.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, part)| *part);
    (others.collect(), authority)
}

struct Comparison<'a> {
    recorded: &'a Exchange,
    found: &'a mut BTreeSet<String>,
}

impl Comparison<'_> {
    fn values(&mut self, path: &str, expected: &Value, given: &Value) {
        let name = path.rsplit('.').next().unwrap_or_default();
        let same = match (expected, given) {
            _ if VALUES.contains(&name) => expected == given,
            (Value::Object(_), Value::Object(_)) => {
                self.members(path, expected, given);
                true
            }
            (Value::Array(expected), Value::Array(given)) => {
                self.items(path, expected, given);
                true
            }
            (Value::String(expected), Value::String(given)) => texts(name, expected, given),
            (expected, given) => std::mem::discriminant(expected) == std::mem::discriminant(given),
        };
        if !same {
            self.found.insert(format!("{path}: {given} instead of {expected}"));
        }
    }

    fn members(&mut self, path: &str, expected: &Value, given: &Value) {
        let names = |value: &Value| value.as_object().into_iter().flat_map(|of| of.keys().cloned()).collect();
        let (all, given_names): (BTreeSet<String>, BTreeSet<String>) = (names(expected), names(given));
        for name in all.union(&given_names).filter(|name| !POLICY.contains(&name.as_str())) {
            let path = format!("{path}.{name}");
            match (expected.get(name), given.get(name)) {
                (Some(expected), Some(given)) => self.values(&path, expected, given),
                (None, Some(_)) if LATER.contains(&name.as_str()) && self.is_early() => {}
                // Whoever sets no tags in so many words gets them back in so many words.
                (Some(tags), None) if name == "tags" && *tags == Value::Object(Map::default()) => {}
                (expected, _) => {
                    let what = if expected.is_some() { "missing" } else { "too much" };
                    self.found.insert(format!("{path} is {what}"));
                }
            }
        }
    }

    /// Compares as many items as were recorded; the emulator's page may have one more behind it.
    fn items(&mut self, path: &str, expected: &[Value], given: &[Value]) {
        if expected.len() != given.len() {
            self.found.insert(format!("{path} has {} items instead of {}", given.len(), expected.len()));
        }
        let (mut expected, mut given) = (expected.to_vec(), given.to_vec());
        // Identifiers of versions are made up anew, so that only their times tell which is which.
        let versions = self.recorded.is_versions();
        let key = |item: &Value| {
            let id = if item["id"].is_null() { &item["kid"] } else { &item["id"] };
            let id = id.as_str().and_then(|id| id.split('/').nth(4)).unwrap_or_default().to_lowercase();
            (if versions { item["attributes"]["created"].as_i64() } else { None }, id)
        };
        expected.sort_by_key(key);
        given.sort_by_key(key);
        for (expected, given) in expected.iter().zip(&given) {
            self.values(&format!("{path}[]"), expected, given);
        }
    }

    fn is_early(&self) -> bool {
        self.recorded.service() < Some([1, 9, 1900])
    }
}

/// Whether two texts say the same, apart from hosts, versions, tokens and what is secret.
fn texts(name: &str, expected: &str, given: &str) -> bool {
    match name {
        "id" | "kid" | "sid" | "recoveryId" => path(expected) == path(given),
        "message" => masked(expected) == masked(given),
        "nextLink" => link(expected) == link(given),
        _ => true,
    }
}

/// The path of an identifier, less the version.
fn path(id: &str) -> Vec<String> {
    let part = |part: &str| if part.len() == 32 { "{v}".into() } else { part.to_lowercase() };
    id.split('/').skip(3).map(part).collect()
}

/// A message without quoted callers and vaults, and without the hosts and versions of quoted identifiers.
fn masked(message: &str) -> String {
    let mask = |(at, part): (usize, &str)| {
        let quoted = at % 2 == 1;
        if quoted && (part.contains("appid=") || part.contains(";location=")) {
            "…".to_owned()
        } else if quoted && part.contains("://") {
            path(part).join("/")
        } else {
            part.to_owned()
        }
    };
    message.split('\'').enumerate().map(mask).collect::<Vec<_>>().join("'")
}

/// A link without its host and the text of its token.
fn link(link: &str) -> Vec<String> {
    let (_, rest) = link.split_once("://").unwrap_or_default();
    let parts = rest.find([':', '/']).map_or("", |end| &rest[end..]).split(['?', '&']);
    parts
        .map(|part| part.strip_prefix("$skiptoken=eyJ").map_or(part, |_| "$skiptoken=eyJ").to_owned())
        .collect()
}
