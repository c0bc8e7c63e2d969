//! One call of a function, from the POST to its outcome.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::stream;
use reqwest::{
    Body, Client, Response,
    header::{CONTENT_TYPE, USER_AGENT},
    redirect::Policy,
};
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{Inner, Level, function::Function, outputs};

/// The version this host claims to be.
const HOST_VERSION: &str = "4.1052.200";
/// Between a time-out and the end of the process.
const GRACE: Duration = Duration::from_secs(2);

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The host took the answer. For a forwarded HTTP call: any answer at all.
    Succeeded,
    /// The host did not, or there was none. The text is its reason.
    Failed(String),
    /// `functionTimeout` passed. The handler has been killed, and all other invocations with it.
    TimedOut,
}

/// One attempt at running a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The function's name.
    pub function: String,
    /// The invocation id, as sent in `X-Azure-Functions-InvocationId`. Every attempt has a new one.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The handler's status code, if it answered.
    pub status: Option<u16>,
    /// The handler's answer as text, whatever the host made of it.
    pub body: String,
    /// `Logs` of the answer. None of a failed invocation: the host throws them away.
    pub logs: Vec<String>,
    /// `Outputs` of the answer; null when there are none.
    pub outputs: Value,
    /// What was posted; null for a forwarded HTTP call. It may hold keys and tokens, as the real one does.
    pub request: Value,
    /// From the start of the call to its outcome.
    pub duration: Duration,
}

impl Invocation {
    /// Whether the host counts it as a success.
    pub fn succeeded(&self) -> bool {
        self.outcome == Outcome::Succeeded
    }

    pub(super) fn new(function: &str, request: Value) -> Self {
        Self {
            function: function.to_owned(),
            id: Uuid::new_v4().to_string(),
            outcome: Outcome::Succeeded,
            status: None,
            body: String::new(),
            logs: Vec::new(),
            outputs: Value::Null,
            request,
            duration: Duration::ZERO,
        }
    }

    /// An invocation that cannot even begin.
    pub(super) fn impossible(function: &str, reason: &str) -> Self {
        Self { outcome: Outcome::Failed(reason.to_owned()), ..Self::new(function, Value::Null) }
    }
}

/// A client for the handler: no proxy (the environment may name one), no certificates (there is no TLS here).
pub(super) fn client(redirects: Policy) -> reqwest::Result<Client> {
    Client::builder().no_proxy().tls_certs_only([]).redirect(redirects).build()
}

impl Inner {
    /// Posts an envelope and judges the answer. The outcome is on record when this returns.
    pub(super) async fn invoke(&self, function: &Function, envelope: Value) -> Arc<Invocation> {
        let mut invocation = Invocation::new(&function.name, envelope);
        let began = Instant::now();
        let call = async {
            let instance = self.supervisor.ready().await?;
            let limited =
                timeout(self.settings.function_timeout, self.post(instance.port, &mut invocation)).await;
            Ok(limited.map_err(|_| instance))
        };
        invocation.outcome = match call.await {
            Ok(Ok(Ok(()))) => {
                self.bind_outputs(function, &invocation.outputs);
                Outcome::Succeeded
            }
            Ok(Ok(Err(reason))) | Err(reason) => Outcome::Failed(reason),
            Ok(Err(instance)) => {
                self.time_out(instance).await;
                Outcome::TimedOut
            }
        };
        invocation.duration = began.elapsed();
        self.record(invocation)
    }

    /// What follows a time-out: a grace, then SIGKILL for the whole process.
    pub(super) async fn time_out(&self, instance: super::process::Instance) {
        let limit = self.settings.function_timeout;
        self.logs.host(Level::Error, format!("Timeout value of {limit:?} exceeded by function"));
        // Shortened with a shortened time-out.
        sleep(GRACE.min(limit / 2)).await;
        self.supervisor.condemn(instance);
    }

    pub(super) fn record(&self, invocation: Invocation) -> Arc<Invocation> {
        if let Outcome::Failed(reason) = &invocation.outcome {
            self.logs.host(
                Level::Error,
                format!("Executed '{}' (Failed, Id={}): {reason}", invocation.function, invocation.id),
            );
        }
        let invocation = Arc::new(invocation);
        self.history.lock().push(Arc::clone(&invocation));
        invocation
    }

    /// Never returns when the answer is empty or null: the host waits for a result that nobody will set.
    async fn post(&self, port: u16, invocation: &mut Invocation) -> Result<(), String> {
        let url = format!("http://127.0.0.1:{port}/{}", invocation.function);
        // A stream has no length, so it is sent in chunks, as the host's serializer does.
        let body = Bytes::from(invocation.request.to_string());
        let request =
            self.invoking.post(url).body(Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>(body)])));
        let request =
            host_headers(request.header(CONTENT_TYPE, "application/json; charset=utf-8"), &invocation.id);
        let request = request.header("traceparent", traceparent(&invocation.id));
        let request = request.build().map_err(|error| describe(&error))?;
        let response = self.invoking.execute(request).await.map_err(|error| describe(&error))?;
        match read(response, invocation).await? {
            Some(answer) => accept(&answer, invocation),
            None => pending().await,
        }
    }
}

/// The `traceparent` that the host's client adds to what it posts while the host is traced. A real trace has an id of
/// its own; here it is made from the invocation's.
fn traceparent(invocation_id: &str) -> String {
    format!("00-{}-d3f54c84c7034d76-00", invocation_id.replace('-', ""))
}

/// The three headers the host sets on everything it sends.
pub(super) fn host_headers(request: reqwest::RequestBuilder, invocation_id: &str) -> reqwest::RequestBuilder {
    request
        .header("X-Azure-Functions-HostVersion", HOST_VERSION)
        .header("X-Azure-Functions-InvocationId", invocation_id)
        .header(USER_AGENT, format!("Azure-Functions-Host/{HOST_VERSION}"))
}

/// An error with its causes: on its own, reqwest's says only that sending failed.
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The answer as JSON; none when it is empty or null.
async fn read(response: Response, invocation: &mut Invocation) -> Result<Option<Value>, String> {
    let status = response.status();
    invocation.status = Some(status.as_u16());
    let media_type = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let no_length = response.content_length() == Some(0);
    let body = response.bytes().await.map_err(|error| describe(&error))?;
    invocation.body = String::from_utf8_lossy(&body).into_owned();
    if !status.is_success() {
        return Err(format!("Response status code does not indicate success: {}.", status.as_u16()));
    }
    if no_length {
        return Ok(None);
    }
    let plain = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(plain.as_str(), "application/json" | "text/json") {
        return Err(format!("UnsupportedMediaTypeException: {media_type:?}"));
    }
    if invocation.body.trim().is_empty() {
        return Ok(None);
    }
    let answer: Value = serde_json::from_str(&invocation.body)
        .map_err(|error| format!("Invalid JSON in the answer: {error}"))?;
    Ok(Some(answer).filter(|answer| !answer.is_null()))
}

/// Takes `Outputs` and `Logs`; names match in any case, other members are ignored.
fn accept(answer: &Value, invocation: &mut Invocation) -> Result<(), String> {
    let Value::Object(answer) = answer else { return Err("The answer is not a JSON object".into()) };
    match outputs::member(answer, "Outputs") {
        Some(outputs @ Value::Object(_)) => invocation.outputs = outputs.clone(),
        Some(Value::Null) | None => {}
        Some(_) => return Err("Outputs is not an object".into()),
    }
    invocation.logs = logs(answer)?;
    Ok(())
}

fn logs(answer: &Map<String, Value>) -> Result<Vec<String>, String> {
    let line = |value: &Value| match value {
        Value::String(line) => Ok(line.clone()),
        Value::Null => Ok(String::new()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => Err("Logs holds something other than strings".into()),
    };
    match outputs::member(answer, "Logs") {
        Some(Value::Array(lines)) => lines.iter().map(line).collect(),
        Some(Value::Null) | None => Ok(Vec::new()),
        Some(_) => Err("Logs is not a list".into()),
    }
}
