//! `function.json`: one trigger, its outputs, its retry policy.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    HostError,
    cron::Schedule,
    route::Route,
    settings::{Environment, Retry, UNRESOLVED, flag, get, text},
};

/// One function folder.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) trigger: Trigger,
    pub(super) outputs: Vec<Output>,
    pub(super) retry: Option<Retry>,
    /// A disabled function is neither fired nor reachable.
    pub(super) disabled: bool,
}

/// What starts a function.
#[derive(Debug)]
pub(super) enum Trigger {
    Timer { binding: String, schedule: Schedule, monitor: bool },
    Queue { binding: String, queue: String, binary: bool },
    Http { binding: String, methods: Vec<String>, route: Route, level: AuthLevel },
}

/// What the host does with a value in `Outputs`.
#[derive(Debug)]
pub(super) enum Output {
    Queue { binding: String, queue: String, binary: bool },
    Http { binding: String },
}

/// The key an HTTP function asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthLevel {
    Anonymous,
    Function,
    Admin,
}

impl Function {
    /// Whether requests may be passed on as they are: exactly one HTTP trigger in and one HTTP response out.
    pub(super) fn forwardable(&self) -> bool {
        matches!((&self.trigger, self.outputs.as_slice()), (Trigger::Http { .. }, [Output::Http { .. }]))
    }

    /// The name of the HTTP output binding.
    pub(super) fn response_binding(&self) -> Option<&str> {
        self.outputs.iter().find_map(|output| match output {
            Output::Http { binding } => Some(binding.as_str()),
            Output::Queue { .. } => None,
        })
    }

    fn parse(name: &str, json: &Value, environment: &Environment) -> Result<Self, String> {
        let legal = name.len() <= 128
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '-'))
            && !name.eq_ignore_ascii_case("host");
        if !legal {
            return Err("the folder's name is not a function's name".into());
        }
        let bindings = get(json, &["bindings"]).and_then(Value::as_array).ok_or("bindings is missing")?;
        let mut triggers = Vec::new();
        let mut outputs = Vec::new();
        for binding in bindings {
            match text(binding, &["direction"]).as_deref() {
                Some("out") => outputs.push(output(binding, environment)?),
                Some("in") | None => triggers.push(trigger(name, binding, environment)?),
                Some(other) => return Err(format!("direction {other} is not known")),
            }
        }
        let [trigger] = <[Trigger; 1]>::try_from(triggers)
            .map_err(|_| "a function has exactly one input here: its trigger")?;
        let function = Self {
            name: name.to_owned(),
            trigger,
            outputs,
            retry: Retry::parse(json)?,
            disabled: is_disabled(name, json, environment),
        };
        if matches!(function.trigger, Trigger::Http { .. })
            && function.response_binding().is_none_or(|binding| binding == "$return")
        {
            return Err("an httpTrigger without an http output of its own name is not played".into());
        }
        Ok(function)
    }
}

/// The functions of an app, sorted by name.
pub(super) struct Functions {
    pub(super) sound: Vec<Function>,
    /// The faults of functions whose bindings name settings that do not exist: they stand still, and the others run.
    pub(super) in_error: Vec<String>,
}

/// Reads every function beside `host.json`, or under `functions/`.
pub(super) fn read_all(script_root: &Path, environment: &Environment) -> Result<Functions, HostError> {
    let nested = script_root.join("functions");
    let root = if nested.is_dir() && !nested.join("function.json").exists() {
        nested
    } else {
        script_root.to_owned()
    };
    let mut files =
        function_files(&root).map_err(|error| HostError::Settings(format!("{}: {error}", root.display())))?;
    files.sort();
    if files.is_empty() {
        return Err(HostError::Settings(format!("{}: no function found", root.display())));
    }
    let mut functions = Functions { sound: Vec::new(), in_error: Vec::new() };
    for path in &files {
        match read(path, environment) {
            Ok(function) => functions.sound.push(function),
            Err(HostError::Settings(fault)) if fault.ends_with(UNRESOLVED) => functions.in_error.push(fault),
            Err(error) => return Err(error),
        }
    }
    match functions.in_error.first() {
        Some(fault) if functions.sound.is_empty() => Err(HostError::Settings(fault.clone())),
        _ => Ok(functions),
    }
}

/// Only immediate sub-folders count.
fn function_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root)? {
        let file = entry?.path().join("function.json");
        if file.is_file() {
            files.push(file);
        }
    }
    Ok(files)
}

fn read(path: &Path, environment: &Environment) -> Result<Function, HostError> {
    let wrong = |fault: String| HostError::Settings(format!("{}: {fault}", path.display()));
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let json = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let name = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    Function::parse(&name, &json, environment).map_err(wrong)
}

fn trigger(function: &str, json: &Value, environment: &Environment) -> Result<Trigger, String> {
    let binding = name(json)?;
    match text(json, &["type"]).unwrap_or_default().as_str() {
        "timerTrigger" => {
            let schedule = environment.resolve(&text(json, &["schedule"]).ok_or("schedule is missing")?)?;
            let monitor = flag(json, &["useMonitor"]).unwrap_or(true);
            Ok(Trigger::Timer { binding, schedule: Schedule::parse(&schedule)?, monitor })
        }
        "queueTrigger" => {
            Ok(Trigger::Queue { binding, queue: queue_name(json, environment)?, binary: is_binary(json) })
        }
        "httpTrigger" => {
            let route = text(json, &["route"]).unwrap_or_else(|| function.to_owned());
            Ok(Trigger::Http {
                binding,
                methods: methods(json),
                route: Route::parse(&route)?,
                level: level(json)?,
            })
        }
        other => Err(format!("binding type {other:?} is not played")),
    }
}

fn output(json: &Value, environment: &Environment) -> Result<Output, String> {
    let binding = name(json)?;
    match text(json, &["type"]).unwrap_or_default().as_str() {
        "http" => Ok(Output::Http { binding }),
        "queue" => {
            Ok(Output::Queue { binding, queue: queue_name(json, environment)?, binary: is_binary(json) })
        }
        other => Err(format!("output type {other:?} is not played")),
    }
}

fn name(json: &Value) -> Result<String, String> {
    text(json, &["name"]).ok_or_else(|| "a binding has no name".into())
}

fn queue_name(json: &Value, environment: &Environment) -> Result<String, String> {
    let name =
        environment.resolve(&text(json, &["queueName"]).ok_or("queueName is missing")?)?.to_ascii_lowercase();
    let legal = (3..=63).contains(&name.len())
        && name.chars().all(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || next == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--");
    if legal { Ok(name) } else { Err(format!("{name:?} is not a queue's name")) }
}

fn is_binary(json: &Value) -> bool {
    text(json, &["dataType"]).is_some_and(|kind| kind.eq_ignore_ascii_case("binary"))
}

/// Empty: every method.
fn methods(json: &Value) -> Vec<String> {
    let methods = get(json, &["methods"]).and_then(Value::as_array);
    methods.into_iter().flatten().filter_map(Value::as_str).map(str::to_ascii_uppercase).collect()
}

fn level(json: &Value) -> Result<AuthLevel, String> {
    match text(json, &["authLevel"]).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "function" => Ok(AuthLevel::Function),
        "anonymous" => Ok(AuthLevel::Anonymous),
        "admin" => Ok(AuthLevel::Admin),
        other => Err(format!("authLevel {other} is not played")),
    }
}

/// By an app setting (the dot is not a legal character everywhere, so both spellings count), or by the file itself.
fn is_disabled(name: &str, json: &Value, environment: &Environment) -> bool {
    let on = |value: &str| value.eq_ignore_ascii_case("true") || value == "1";
    let setting = |key: String| environment.get(&key).is_some_and(on);
    setting(format!("AzureWebJobs.{name}.Disabled"))
        || setting(format!("AzureWebJobs_{name}_Disabled"))
        || text(json, &["disabled"])
            .is_some_and(|value| on(&value) || environment.get(&value).is_some_and(on))
}
