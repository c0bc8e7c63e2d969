//! Recorded traffic of the service, as its publishers left it: read here, never copied into the project.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use keyvault_backup::domain::object::ObjectKind;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The file it is from.
    pub file: PathBuf,
    pub method: String,
    pub url: Url,
    pub request: String,
    pub status: u16,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Exchange {
    /// Everything there is. A test that calls it needs the recordings, and is marked so.
    pub fn all() -> Vec<Self> {
        let folder = folder();
        let mut found = distinct(&folder.join("exchanges.jsonl"));
        for sessions in entries(&folder.join("sessions")) {
            found.extend(entries(&sessions).iter().flat_map(|file| session(file)));
        }
        found.extend(entries(&folder.join("newer")).iter().flat_map(|file| session(file)));
        found
    }

    /// Everything recorded of vaults, as opposed to Managed HSMs.
    pub fn of_vaults() -> Vec<Self> {
        Self::all().into_iter().filter(|exchange| !exchange.of_hsm()).collect()
    }

    /// Everything that a Managed HSM was recorded to answer. Some vaults were given the name of one.
    pub fn of_hsms() -> Vec<Self> {
        let is_hsm = |of: &Self| of.of_hsm() && of.header("x-ms-keyvault-service-version").is_none();
        Self::all().into_iter().filter(is_hsm).collect()
    }

    pub fn of_hsm(&self) -> bool {
        self.url.host_str().is_some_and(|host| host.contains("managedhsm"))
    }

    /// The parts of the path.
    pub fn segments(&self) -> Vec<&str> {
        self.url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect()
    }

    /// The kind of object it is about.
    pub fn kind(&self) -> Option<ObjectKind> {
        let first = self.segments().first()?.strip_suffix('s')?.to_owned();
        first.parse().ok()
    }

    /// The name of the object it is about.
    pub fn name(&self) -> &str {
        self.segments().get(1).copied().unwrap_or_default()
    }

    /// Whether it has this method and, after the kind and the name, these parts.
    pub fn asks(&self, method: &str, rest: &[&str]) -> bool {
        self.method == method && self.kind().is_some() && self.segments().get(2..) == Some(rest)
    }

    pub fn is_list(&self) -> bool {
        self.method == "GET" && self.kind().is_some() && self.segments().len() == 1
    }

    pub fn is_versions(&self) -> bool {
        self.asks("GET", &["versions"])
    }

    pub fn is_backup(&self) -> bool {
        self.asks("POST", &["backup"])
    }

    pub fn is_restore(&self) -> bool {
        self.method == "POST" && self.kind().is_some() && self.segments()[1..] == ["restore"]
    }

    /// Whether its publisher left out the middle of a long text.
    pub fn is_cut(&self) -> bool {
        self.body.contains('…')
    }

    /// Whether the request was sent without a token, to learn from the challenge.
    pub fn is_challenge(&self) -> bool {
        self.status == 401 && self.headers.contains_key("www-authenticate")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body, if it is JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }
}

#[expect(clippy::disallowed_methods, reason = "says where data for tests lies")]
fn folder() -> PathBuf {
    std::env::var_os("KEYVAULT_RECORDINGS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recordings"), PathBuf::from)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder of recordings can be read");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    paths
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// One exchange a line, of each operation, status, error code and shape.
fn distinct(file: &Path) -> Vec<Exchange> {
    #[derive(Deserialize)]
    struct Line {
        method: String,
        url: String,
        request_body: Value,
        status: u16,
        response_headers: BTreeMap<String, String>,
        response_body: Value,
    }
    let parse = |line| {
        let line: Line = serde_json::from_str(line).expect("a line is an exchange");
        Some(Exchange {
            file: file.to_owned(),
            method: line.method,
            url: line.url.parse().ok()?,
            request: text(&line.request_body),
            status: line.status,
            headers: line.response_headers,
            body: text(&line.response_body),
        })
    };
    read(file).lines().filter_map(parse).collect()
}

/// A session in any of its publishers' three forms: VCR cassette, recorder of the JS SDK, test proxy.
#[derive(Deserialize)]
struct Session {
    #[serde(default)]
    interactions: Vec<Interaction>,
    #[serde(default)]
    recordings: Vec<Recording>,
    #[serde(default, rename = "Entries")]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Interaction {
    request: VcrRequest,
    response: VcrResponse,
}

#[derive(Deserialize)]
struct VcrRequest {
    method: String,
    uri: String,
    body: Value,
}

#[derive(Deserialize)]
struct VcrResponse {
    body: Value,
    headers: BTreeMap<String, Value>,
    status: VcrStatus,
}

#[derive(Deserialize)]
struct VcrStatus {
    code: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recording {
    method: String,
    url: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
    request_body: Value,
    status: u16,
    response: Value,
    response_headers: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    request_uri: String,
    request_method: String,
    request_body: Value,
    status_code: u16,
    response_headers: BTreeMap<String, Value>,
    response_body: Value,
}

fn session(file: &Path) -> Vec<Exchange> {
    // Python 2 marks its texts with a tag of its own.
    let content = read(file).replace("!!python/unicode ", "");
    let session: Session = if file.extension().is_some_and(|extension| extension == "yaml") {
        serde_yaml_ng::from_str(&content).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    } else {
        serde_json::from_str(&content).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let vcr = session.interactions.into_iter().filter_map(Interaction::exchange);
    let recorder = session.recordings.into_iter().filter_map(Recording::exchange);
    let proxy = session.entries.into_iter().filter_map(Entry::exchange);
    vcr.chain(recorder).chain(proxy).map(|exchange| Exchange { file: file.to_owned(), ..exchange }).collect()
}

impl Interaction {
    fn exchange(self) -> Option<Exchange> {
        let Self { request, response } = self;
        Some(Exchange {
            file: PathBuf::new(),
            method: request.method,
            url: request.uri.parse().ok()?,
            request: text(&request.body),
            status: response.status.code,
            headers: headers(response.headers),
            body: text(response.body.get("string").unwrap_or(&response.body)),
        })
    }
}

impl Recording {
    fn exchange(self) -> Option<Exchange> {
        let mut url: Url = self.url.parse().ok()?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.query);
        }
        Some(Exchange {
            file: PathBuf::new(),
            method: self.method,
            url,
            request: text(&self.request_body),
            status: self.status,
            headers: headers(self.response_headers),
            body: text(&self.response),
        })
    }
}

impl Entry {
    fn exchange(self) -> Option<Exchange> {
        Some(Exchange {
            file: PathBuf::new(),
            method: self.request_method,
            url: self.request_uri.parse().ok()?,
            request: text(&self.request_body),
            status: self.status_code,
            headers: headers(self.response_headers),
            body: text(&self.response_body),
        })
    }
}

/// Headers with names in lower case and the first of their values.
fn headers(recorded: BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let first = |value: Value| text(value.get(0).unwrap_or(&value));
    recorded.into_iter().map(|(name, value)| (name.to_lowercase(), first(value))).collect()
}

/// A body, which is kept as text, as its lines, or as the JSON that it was.
fn text(body: &Value) -> String {
    let lines = || body.as_array()?.iter().map(Value::as_str).collect::<Option<String>>();
    match body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        body => lines().unwrap_or_else(|| body.to_string()),
    }
}
