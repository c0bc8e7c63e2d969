//! The Azure Functions v4 host, as a custom handler sees it, on loopback.
//!
//! [`Host::start`] reads `host.json` and every `function.json`, spawns the real binary with the environment the platform would give it, and
//! waits until it answers. From then on a test is the outside world: it fires timers ([`Host::fire`]), lets the queue listener work
//! ([`Host::pump`]), calls HTTP functions ([`Host::http`], or over a socket after [`Host::listen`]), kills the process ([`Host::kill`]) and reads
//! what came of it ([`Host::invocations`], [`Host::logs`]).
//!
//! Where to read on:
//!
//! 1. `settings` and `function`: the two file formats, with `%SETTING%` resolved; `route` and `cron` are their small languages.
//! 2. `launch` and `process`: one handler process; readiness, exit codes, the three-error rule.
//! 3. `envelope`: the bodies the host posts, including everything it encodes twice.
//! 4. `invocation` and `outputs`: one call, how its answer is judged, what its output bindings do.
//! 5. `timer`, `queues`, `http`: the three triggers; `live`: all of them by the clock.
//!
//! The player is strict where the real host is harmful: an empty answer hangs until the time-out, a time-out kills every invocation in
//! flight, and a string that happens to be base64 is decoded. Every wait has an end.

mod bridge;
mod clock;
mod cron;
mod envelope;
mod error;
mod error_stack;
mod front_door;
mod function;
mod http;
mod invocation;
mod launch;
mod live;
mod logs;
mod outputs;
mod process;
mod queues;
mod route;
mod settings;
mod timer;

use std::{
    collections::HashMap,
    path::{self, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::task::JoinSet;

pub use self::{
    clock::{HostClock, WallClock},
    error::HostError,
    http::HttpAnswer,
    invocation::{Invocation, Outcome},
    logs::{Level, LogLine},
    queues::{PumpReport, QueueMessage, Queues},
    timer::{Firing, TimerStatus},
};
use self::{
    function::{Function, Functions},
    launch::Launch,
    logs::Logs,
    process::Supervisor,
    settings::{Environment, Settings},
};

/// What a host is started with.
pub struct HostOptions {
    /// The folder with `host.json`; function folders lie beside it (as deployed) or under `functions/` (as in a repository).
    pub script_root: PathBuf,
    /// The executable to run instead of the one that `host.json` names.
    pub handler: Option<PathBuf>,
    /// The whole environment of the handler, and what `%SETTING%` is resolved from. Nothing is inherited from this process.
    pub env: Vec<(String, String)>,
    /// The storage account's queues.
    pub queues: Arc<dyn Queues>,
    /// The time that timers, messages and the error stack go by. Time-outs always run in real time.
    pub clock: Arc<dyn HostClock>,
    /// Replaces `functionTimeout` of `host.json`, so that a test of a time-out need not wait half an hour.
    pub function_timeout: Option<Duration>,
    /// Repeats every line the handler prints on standard error.
    pub echo_logs: bool,
}

/// A running host and its one handler process. A clone is another handle to the same host.
///
/// When the last handle is dropped the handler is killed, as the real host does (SIGKILL, no warning), and reaped.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    functions: Vec<Arc<Function>>,
    in_error: Vec<String>,
    supervisor: Arc<Supervisor>,
    logs: Arc<Logs>,
    queues: Arc<dyn Queues>,
    clock: Arc<dyn HostClock>,
    /// Follows redirects, as the host's client for invocations does.
    invoking: reqwest::Client,
    /// Does not, as the host's client for forwarded requests does not.
    forwarding: reqwest::Client,
    keys: HashMap<String, String>,
    started_at: OffsetDateTime,
    last_runs: Mutex<HashMap<String, OffsetDateTime>>,
    history: Mutex<Vec<Arc<Invocation>>>,
    /// The supervisor and the front doors: they end with the host.
    tasks: Mutex<JoinSet<()>>,
}

impl Host {
    /// Reads the settings, starts the handler and returns when it answered `GET /`.
    ///
    /// A handler that exits or stays silent is started again by the host's rules; the error comes when those give up.
    pub async fn start(options: HostOptions) -> Result<Self, HostError> {
        Self::start_with(options, None).await
    }

    /// Starts another instance of the same app: function keys are the app's.
    pub async fn another(&self, options: HostOptions) -> Result<Self, HostError> {
        Self::start_with(options, Some(self.inner.keys.clone())).await
    }

    async fn start_with(
        options: HostOptions,
        keys: Option<HashMap<String, String>>,
    ) -> Result<Self, HostError> {
        let environment = Environment::new(options.env);
        // The handler runs in the script root, where a relative path would mean something else.
        let script_root = path::absolute(&options.script_root).map_err(HostError::Local)?;
        let handler = options.handler.map(path::absolute).transpose().map_err(HostError::Local)?;
        let mut settings = Settings::read(&script_root, &environment)?;
        if let Some(timeout) = options.function_timeout {
            settings.function_timeout = timeout;
        }
        let Functions { sound, in_error } = function::read_all(&script_root, &environment)?;
        let functions = sound.into_iter().map(Arc::new).collect::<Vec<_>>();
        let logs = Arc::new(Logs::new(options.echo_logs, settings.handler.stderr_is_errors));
        let launch = Launch::new(&settings.handler, &script_root, handler, environment);
        let supervisor = Arc::new(Supervisor::new(launch, Arc::clone(&logs), Arc::clone(&options.clock))?);
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&supervisor).supervise());
        let inner = Inner {
            keys: keys.unwrap_or_else(|| http::new_keys(&functions)),
            settings,
            functions,
            in_error,
            logs,
            queues: options.queues,
            started_at: options.clock.now(),
            clock: options.clock,
            invoking: invocation::client(reqwest::redirect::Policy::default())?,
            forwarding: invocation::client(reqwest::redirect::Policy::none())?,
            last_runs: Mutex::default(),
            history: Mutex::default(),
            tasks: Mutex::new(tasks),
            supervisor,
        };
        // The host exists before the handler is ready, so that an error here still kills the process.
        let host = Self { inner: Arc::new(inner) };
        host.inner.supervisor.ready().await.map_err(HostError::Stopped)?;
        Ok(host)
    }

    /// Kills the handler (SIGKILL), as when its instance is lost. It stays down, and is not counted as an error, until [`Host::restart`].
    ///
    /// Calls in flight fail: their connection breaks.
    pub async fn kill(&self) {
        self.inner.supervisor.kill().await;
    }

    /// Starts the handler again on a new port, as a new instance of the host would: with no errors on record.
    ///
    /// Kills the present process first if there is one.
    pub async fn restart(&self) -> Result<(), HostError> {
        self.inner.supervisor.restart().await.map_err(HostError::Stopped)
    }

    /// Every line the handler wrote and every line of the host about it, in order of arrival.
    ///
    /// Lines are read concurrently: one that was written just before an answer may arrive just after it.
    pub fn logs(&self) -> Vec<LogLine> {
        self.inner.logs.all()
    }

    /// Every finished invocation, each attempt on its own, in order of completion.
    pub fn invocations(&self) -> Vec<Invocation> {
        self.inner.history.lock().iter().map(|invocation| Invocation::clone(invocation)).collect()
    }

    /// The process id of the handler, while there is one.
    pub fn pid(&self) -> Option<u32> {
        self.inner.supervisor.pid()
    }

    /// From the latest start of the process to its first answer.
    pub fn start_up(&self) -> Duration {
        self.inner.supervisor.start_up()
    }

    /// How many errors the handler has on record; the third shuts the host down. An exit with 0 or 200 is none.
    pub fn errors(&self) -> u32 {
        self.inner.supervisor.errors()
    }

    /// Why the host shut itself down, when it did: every later call fails.
    pub fn stopped(&self) -> Option<String> {
        self.inner.supervisor.stopped()
    }

    /// The faults of functions that stand still because a binding names a setting that does not exist.
    pub fn in_error(&self) -> &[String] {
        &self.inner.in_error
    }

    /// The names of the functions, sorted.
    pub fn functions(&self) -> Vec<String> {
        self.inner.functions.iter().map(|function| function.name.clone()).collect()
    }
}

impl Inner {
    fn function(&self, name: &str) -> Option<&Arc<Function>> {
        self.functions.iter().find(|function| function.name == name)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.supervisor.shut_down();
    }
}
