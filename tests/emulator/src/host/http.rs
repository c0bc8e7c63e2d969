//! HTTP triggers: routes, keys, forwarding.

use std::{collections::HashMap, sync::Arc, time::Instant};

use base64::{Engine, prelude::BASE64_URL_SAFE};
use reqwest::{Method, header::HOST};
use serde_json::Value;
use tokio::time::timeout;
use url::{Position, Url};

use super::{
    Host, Inner, Invocation, Outcome, envelope,
    function::{AuthLevel, Function, Trigger},
    invocation::{describe, host_headers},
    outputs,
};

/// The name the master key is kept under. No function can have it.
const MASTER: &str = "_master";

/// What a caller gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn bare(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }
}

/// A request, routed.
pub(super) struct Call {
    pub(super) method: String,
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Which key a caller has shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Auth {
    Anonymous,
    Function,
    Admin,
}

impl Host {
    /// Calls the app as a client does. `path_and_query` begins with `/` and has the route prefix: `/api/backups?code=…`.
    ///
    /// No function on that route and method: 404. No key, or the wrong one: 401. A failed function, or a dead handler: 500 without body.
    /// Otherwise the function's own answer. Headers go through as they are.
    pub async fn http(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> HttpAnswer {
        let headers =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect();
        self.inner.http(method, path_and_query, headers, body.into()).await
    }

    /// The key of a function; empty when there is no function of that name. New with every host.
    pub fn key(&self, function: &str) -> String {
        self.inner.keys.get(function).cloned().unwrap_or_default()
    }

    /// The master key: it opens every function.
    pub fn master_key(&self) -> String {
        self.key(MASTER)
    }
}

impl Inner {
    pub(super) async fn http(
        &self,
        method: &str,
        path: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> HttpAnswer {
        let host = headers.iter().find(|(name, _)| name == "host").map_or("localhost", |(_, host)| host);
        // Parsing also resolves dot segments, as the web server in front of the routes does.
        let Ok(url) = Url::parse(&format!("http://{host}{path}")) else { return HttpAnswer::bare(400) };
        let method = method.to_ascii_uppercase();
        let Some((function, parameters)) = self.route(&method, url.path()) else {
            return HttpAnswer::bare(404);
        };
        let call = Call { method, url, headers, parameters, body };
        let auth = self.authenticate(function, &call);
        if !allowed(function, auth) {
            return HttpAnswer::bare(401);
        }
        if self.settings.forwards && function.forwardable() {
            self.forward(function, &call).await
        } else {
            self.call(function, &call, auth).await
        }
    }

    fn route(&self, method: &str, path: &str) -> Option<(&Function, Vec<(String, String)>)> {
        let prefix = self.settings.route_prefix.trim_matches('/');
        let path = path.trim_start_matches('/');
        // `get` and not slicing: the prefix's length may fall into a character.
        let rest = path
            .get(..prefix.len())
            .filter(|start| start.eq_ignore_ascii_case(prefix))
            .map(|_| &path[prefix.len()..])?;
        if !prefix.is_empty() && !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        let fits = |function: usize| match &*self.functions[function] {
            Function { trigger: Trigger::Http { methods, route, .. }, disabled: false, .. }
                if methods.is_empty() || methods.iter().any(|known| known == method) =>
            {
                Some((function, route.precedence(), route.matches(rest)?))
            }
            _ => None,
        };
        let best = (0..self.functions.len()).filter_map(fits).min_by(|one, other| one.1.cmp(&other.1));
        best.map(|(function, _, parameters)| (&*self.functions[function], parameters))
    }

    /// The header wins over the query: with a wrong header a right `code` does not help.
    fn authenticate(&self, function: &Function, call: &Call) -> Auth {
        let header =
            call.headers.iter().find(|(name, _)| name == "x-functions-key").map(|(_, key)| key.clone());
        let shown = header
            .or_else(|| call.query().find(|(name, _)| name.eq_ignore_ascii_case("code")).map(|(_, key)| key));
        match shown {
            Some(key) if self.keys.get(MASTER) == Some(&key) => Auth::Admin,
            Some(key) if self.keys.get(&function.name) == Some(&key) => Auth::Function,
            Some(_) | None => Auth::Anonymous,
        }
    }

    /// Posts the request in an envelope and maps the output.
    async fn call(&self, function: &Function, call: &Call, auth: Auth) -> HttpAnswer {
        let Trigger::Http { binding, .. } = &function.trigger else { return HttpAnswer::bare(404) };
        let envelope = envelope::http(&function.name, binding, self.clock.now(), call, auth);
        let invocation = self.invoke(function, envelope).await;
        match function.response_binding() {
            Some(binding) if invocation.succeeded() => outputs::response(&invocation.outputs, binding),
            Some(_) | None => HttpAnswer::bare(500),
        }
    }

    /// Passes the request on as it is. Any answer is a success.
    async fn forward(&self, function: &Function, call: &Call) -> HttpAnswer {
        let mut invocation = Invocation::new(&function.name, Value::Null);
        let began = Instant::now();
        let answer = match self.supervisor.ready().await {
            Err(reason) => Err(Outcome::Failed(reason)),
            Ok(instance) => {
                let pass = self.pass(instance.port, call, &invocation.id);
                if let Ok(answer) = timeout(self.settings.function_timeout, pass).await {
                    answer.map_err(Outcome::Failed)
                } else {
                    self.time_out(instance).await;
                    Err(Outcome::TimedOut)
                }
            }
        };
        invocation.duration = began.elapsed();
        match &answer {
            Ok(answer) => (invocation.status, invocation.body) = (Some(answer.status), answer.text()),
            Err(outcome) => invocation.outcome = outcome.clone(),
        }
        self.record(invocation);
        answer.unwrap_or_else(|_| HttpAnswer::bare(500))
    }

    async fn pass(&self, port: u16, call: &Call, invocation_id: &str) -> Result<HttpAnswer, String> {
        let url = format!("http://127.0.0.1:{port}{}", &call.url[Position::BeforePath..Position::AfterQuery]);
        let method = Method::from_bytes(call.method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = self.forwarding.request(method, url);
        for (name, value) in call.headers.iter().filter(|(name, _)| !is_connection_header(name)) {
            request = request.header(name, value);
        }
        if !call.headers.iter().any(|(name, _)| name == "host") {
            request = request.header(HOST, "localhost");
        }
        if !call.body.is_empty() {
            request = request.body(call.body.clone());
        }
        let request = host_headers(request, invocation_id).build().map_err(|error| describe(&error))?;
        let response = self.forwarding.execute(request).await.map_err(|error| describe(&error))?;
        let status = response.status().as_u16();
        let text =
            |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().filter(|(name, _)| !is_connection_header(name.as_str()));
        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = response.bytes().await.map_err(|error| describe(&error))?.to_vec();
        Ok(HttpAnswer { status, headers, body })
    }
}

impl Call {
    pub(super) fn query(&self) -> impl Iterator<Item = (String, String)> {
        self.url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// The body as the envelope has it: text, or base64 for bytes; none when it is empty.
    pub(super) fn text(&self) -> Option<String> {
        let media_type =
            self.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
        let bytes =
            media_type.starts_with("application/octet-stream") || media_type.starts_with("multipart/");
        match self.body.as_slice() {
            [] => None,
            body if bytes => Some(base64::prelude::BASE64_STANDARD.encode(body)),
            body => Some(String::from_utf8_lossy(body).into_owned()),
        }
    }
}

/// They belong to one connection; the body's length is set anew.
fn is_connection_header(name: &str) -> bool {
    matches!(name, "connection" | "keep-alive" | "transfer-encoding" | "content-length")
}

fn allowed(function: &Function, auth: Auth) -> bool {
    match &function.trigger {
        Trigger::Http { level: AuthLevel::Anonymous, .. } => true,
        Trigger::Http { level: AuthLevel::Function, .. } => auth != Auth::Anonymous,
        Trigger::Http { level: AuthLevel::Admin, .. } => auth == Auth::Admin,
        Trigger::Timer { .. } | Trigger::Queue { .. } => false,
    }
}

/// A key for every function, and the master key.
pub(super) fn new_keys(functions: &[Arc<Function>]) -> HashMap<String, String> {
    let key = || BASE64_URL_SAFE.encode(rand::random::<[u8; 40]>());
    let names = functions.iter().map(|function| function.name.as_str()).chain([MASTER]);
    names.map(|name| (name.to_owned(), key())).collect()
}
