//! `host.json`, with the overrides the environment may give.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;

use super::HostError;

/// The handler's environment: what the platform calls app settings.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    variables: Vec<(String, String)>,
}

impl Environment {
    pub(super) fn new(variables: Vec<(String, String)>) -> Self {
        Self { variables }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The last value wins, as it does in a process's environment built from a list.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Replaces every `%NAME%`. An unknown name is an error, as in bindings.
    pub(super) fn resolve(&self, text: &str) -> Result<String, String> {
        self.replace(text, |name| Err(format!("'%{name}%' {UNRESOLVED}")))
    }

    /// Replaces every `%NAME%`. An unknown name becomes nothing, as in the command line.
    fn expand(&self, text: &str) -> String {
        self.replace(text, |_| Ok(String::new())).unwrap_or_default()
    }

    fn replace(
        &self,
        text: &str,
        unknown: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once('%') {
            let Some((name, after)) = tail.split_once('%') else { break };
            result.push_str(before);
            match self.get(name) {
                Some(value) => result.push_str(value),
                None => result.push_str(&unknown(name)?),
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(result)
    }
}

/// How the fault of a binding ends that names a setting which does not exist.
pub(super) const UNRESOLVED: &str = "does not resolve to a value";

/// The part of `host.json` that the player acts on.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) function_timeout: Duration,
    pub(super) retry: Option<Retry>,
    pub(super) handler: HandlerSettings,
    /// Whether HTTP requests are passed on as they are, where a function allows it.
    pub(super) forwards: bool,
    pub(super) queues: QueueSettings,
    pub(super) route_prefix: String,
}

/// `customHandler`.
#[derive(Debug)]
pub(super) struct HandlerSettings {
    pub(super) executable: String,
    pub(super) arguments: Vec<String>,
    pub(super) working_directory: Option<String>,
    pub(super) worker_directory: Option<String>,
    pub(super) initialization_timeout: Duration,
    pub(super) stderr_is_errors: bool,
}

/// `extensions.queues`.
#[derive(Debug)]
pub(super) struct QueueSettings {
    pub(super) batch_size: usize,
    pub(super) new_batch_threshold: usize,
    pub(super) max_dequeue_count: u32,
    pub(super) visibility_timeout: Duration,
    pub(super) max_polling_interval: Duration,
    /// Whether message texts are base64 on the wire.
    pub(super) base64: bool,
}

/// A retry policy, of a function or of the whole host.
#[derive(Clone, Debug)]
pub(super) struct Retry {
    pub(super) max: u32,
    pub(super) least: Duration,
    pub(super) most: Duration,
}

impl Retry {
    /// The pause before retry number `retry` (from 1). The real host adds a jitter to an exponential pause.
    pub(super) fn delay(&self, retry: u32) -> Duration {
        self.least.saturating_mul(2_u32.saturating_pow(retry.saturating_sub(1))).min(self.most)
    }

    /// Reads `retry` of a `host.json` or a `function.json`.
    pub(super) fn parse(owner: &Value) -> Result<Option<Self>, String> {
        let Some(retry) = get(owner, &["retry"]) else { return Ok(None) };
        let max = number(retry, &["maxRetryCount"])?.ok_or("retry.maxRetryCount is missing")?;
        let max = u32::try_from(max).map_err(|_| "retry.maxRetryCount: retrying for ever is not played")?;
        let span = |key| span(retry, &[key])?.ok_or(format!("retry.{key} is missing"));
        let (least, most) = match text(retry, &["strategy"]).as_deref() {
            Some("fixedDelay") => (span("delayInterval")?, span("delayInterval")?),
            Some("exponentialBackoff") => (span("minimumInterval")?, span("maximumInterval")?),
            other => return Err(format!("retry.strategy: {other:?} is not known")),
        };
        Ok(Some(Self { max, least, most }))
    }
}

impl Settings {
    /// Reads `host.json` in the script root.
    pub(super) fn read(script_root: &Path, environment: &Environment) -> Result<Self, HostError> {
        let path = script_root.join("host.json");
        let wrong = |fault: String| HostError::Settings(format!("{}: {fault}", path.display()));
        let bytes = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let mut json = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        apply_overrides(&mut json, environment);
        Self::parse(&json, environment).map_err(wrong)
    }

    fn parse(json: &Value, environment: &Environment) -> Result<Self, String> {
        /// No time-out at all is `HttpClient`'s longest.
        const UNBOUNDED: Duration = Duration::from_millis(i32::MAX as u64);
        if text(json, &["version"]).as_deref() != Some("2.0") {
            return Err("version is not 2.0".into());
        }
        let function_timeout = match text(json, &["functionTimeout"]).as_deref() {
            None => Duration::from_secs(30 * 60),
            Some("-1") => UNBOUNDED,
            Some(value) => parse_span(value).ok_or(format!("functionTimeout: {value} is not a time span"))?,
        };
        Ok(Self {
            function_timeout,
            retry: Retry::parse(json)?,
            handler: handler(json, environment)?,
            forwards: flag(json, &["customHandler", "enableForwardingHttpRequest"]).unwrap_or(false),
            queues: queues(json)?,
            route_prefix: text(json, &["extensions", "http", "routePrefix"]).unwrap_or_else(|| "api".into()),
        })
    }
}

fn handler(json: &Value, environment: &Environment) -> Result<HandlerSettings, String> {
    let json = get(json, &["customHandler"]).ok_or("customHandler is missing")?;
    let of = |key| text(json, &["description", key]);
    let executable = of("defaultExecutablePath").filter(|path| !path.is_empty());
    let mut line = list(json, &["description", "arguments"])?;
    if let Some(path) = of("defaultWorkerPath").filter(|path| !path.is_empty()) {
        line.push(format!("\"{path}\""));
    }
    line.extend(list(json, &["description", "workerArguments"])?);
    Ok(HandlerSettings {
        executable: environment
            .expand(&executable.ok_or("customHandler.description.defaultExecutablePath is missing")?),
        arguments: split(&environment.expand(&line.join(" "))),
        working_directory: of("workingDirectory").filter(|path| !path.is_empty()),
        worker_directory: of("workerDirectory").filter(|path| !path.is_empty()),
        initialization_timeout: span(json, &["initializationTimeout"])?.unwrap_or(Duration::from_secs(30)),
        stderr_is_errors: flag(json, &["description", "useStdErrorStreamForErrorsOnly"]).unwrap_or(true),
    })
}

fn queues(json: &Value) -> Result<QueueSettings, String> {
    let json = get(json, &["extensions", "queues"]).unwrap_or(&Value::Null);
    let count = |key: &str, default: i64, range: std::ops::RangeInclusive<i64>| {
        let value = number(json, &[key])?.unwrap_or(default);
        let value = range.contains(&value).then(|| u32::try_from(value).ok()).flatten();
        value.ok_or(format!("extensions.queues.{key} is out of range"))
    };
    let batch_size = count("batchSize", 16, 1..=32)?;
    let threshold = count("newBatchThreshold", i64::from(batch_size / 2), 0..=1000)?;
    Ok(QueueSettings {
        batch_size: batch_size as usize,
        new_batch_threshold: threshold as usize,
        max_dequeue_count: count("maxDequeueCount", 5, 1..=1000)?,
        visibility_timeout: span(json, &["visibilityTimeout"])?.unwrap_or(Duration::ZERO),
        max_polling_interval: span(json, &["maxPollingInterval"])?.unwrap_or(Duration::from_secs(60)),
        base64: !text(json, &["messageEncoding"])
            .is_some_and(|encoding| encoding.eq_ignore_ascii_case("none")),
    })
}

/// `AzureFunctionsJobHost__a__b=x` replaces `a.b` of `host.json`.
fn apply_overrides(json: &mut Value, environment: &Environment) {
    for (name, value) in environment.iter() {
        let Some(path) = name.strip_prefix("AzureFunctionsJobHost__") else { continue };
        let mut target = &mut *json;
        for key in path.split("__") {
            if !target.is_object() {
                *target = Value::Object(serde_json::Map::new());
            }
            let known = target
                .as_object()
                .and_then(|map| map.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned());
            target = &mut target[known.as_deref().unwrap_or(key)];
        }
        *target = value.into();
    }
}

/// Looks a key up as .NET's configuration does: without regard to case.
pub(super) fn get<'a>(json: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(json, |json, key| {
        let (_, value) = json.as_object()?.iter().find(|(known, _)| known.eq_ignore_ascii_case(key))?;
        Some(value)
    })
}

/// A scalar as text: in .NET's configuration everything is.
pub(super) fn text(json: &Value, path: &[&str]) -> Option<String> {
    match get(json, path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn flag(json: &Value, path: &[&str]) -> Option<bool> {
    text(json, path).map(|text| text.eq_ignore_ascii_case("true"))
}

fn number(json: &Value, path: &[&str]) -> Result<Option<i64>, String> {
    let parse =
        |text: String| text.parse().map_err(|_| format!("{}: {text} is not a number", path.join(".")));
    text(json, path).map(parse).transpose()
}

fn span(json: &Value, path: &[&str]) -> Result<Option<Duration>, String> {
    let parse =
        |text: String| parse_span(&text).ok_or(format!("{}: {text} is not a time span", path.join(".")));
    text(json, path).map(parse).transpose()
}

/// A list, or a JSON list in a string (how an environment variable gives one).
fn list(json: &Value, path: &[&str]) -> Result<Vec<String>, String> {
    let wrong = || format!("{} is not a list of strings", path.join("."));
    match get(json, path) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| wrong()),
        Some(list) => serde_json::from_value(list.clone()).map_err(|_| wrong()),
    }
}

/// `[d.]hh:mm[:ss[.fffffff]]`, never negative.
pub(super) fn parse_span(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once(':')?.0.split_once('.') {
        Some((days, _)) => (days.parse::<u32>().ok()?, &text[days.len() + 1..]),
        None => (0, text),
    };
    let mut parts = clock.split(':');
    let mut next = |limit: u32| parts.next()?.parse::<u32>().ok().filter(|value| *value < limit);
    let (hours, minutes) = (next(24)?, next(60)?);
    let seconds = match parts.next() {
        Some(seconds) => seconds.parse::<f64>().ok().filter(|seconds| (0.0..60.0).contains(seconds))?,
        None => 0.0,
    };
    let whole = u64::from(days) * 86_400 + u64::from(hours) * 3_600 + u64::from(minutes) * 60;
    parts.next().is_none().then(|| Duration::from_secs(whole) + Duration::from_secs_f64(seconds))
}

/// Cuts a command line at blanks outside double quotes. The host joins the arguments with blanks and quotes nothing.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 0 {
            words.extend(part.split_whitespace().map(str::to_owned));
        } else {
            words.push(part.to_owned());
        }
    }
    words
}
