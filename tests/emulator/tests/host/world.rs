//! A script root, a clock that stands still, and queues in memory.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use keyvault_backup_emulator::host::{
    Host, HostClock, HostError, HostOptions, Invocation, QueueMessage, Queues,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use time::{OffsetDateTime, macros::datetime};

use crate::handler::SCRIPT;

pub(crate) const NOW: OffsetDateTime = datetime!(2026-08-22 02:00:00 UTC);

/// What a host is built from. The defaults are those of most tests.
pub(crate) struct World {
    pub(crate) root: TempDir,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) queues: Arc<MemoryQueues>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) host_json: Value,
    pub(crate) timeout: Option<Duration>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(TestClock(Mutex::new(NOW)));
        let queues = Arc::new(MemoryQueues { clock: Arc::clone(&clock), messages: Mutex::default() });
        let host_json = json!({
            "version": "2.0",
            "customHandler": {
                "description": {
                    "defaultExecutablePath": "none",
                    "arguments": ["handler::handler_main", "--ignored", "--exact", "--nocapture"],
                },
                "enableForwardingHttpRequest": true,
                "initializationTimeout": "00:00:10",
            },
            "extensions": { "queues": {
                "batchSize": 4, "newBatchThreshold": 2, "maxDequeueCount": 3, "visibilityTimeout": "00:01:00",
            } },
        });
        let env = [(SCRIPT, "run"), ("SCHEDULE", "0 0 2 * * *"), ("QUEUE", "work")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let world = Self { root: TempDir::new().unwrap(), clock, queues, env, host_json, timeout: None };
        world.function("Nightly", &json!({
            "bindings": [{ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "%SCHEDULE%" }],
            "retry": { "strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:05:00" },
        }));
        world.function("Work", &json!({ "bindings": [
            { "type": "queueTrigger", "direction": "in", "name": "message", "queueName": "%QUEUE%", "connection": "C" },
            { "type": "queue", "direction": "out", "name": "more", "queueName": "more", "connection": "C" },
        ] }));
        world.function("Api", &json!({ "bindings": [
            { "type": "httpTrigger", "direction": "in", "name": "req", "methods": ["get", "post"], "route": "api/{*path}" },
            { "type": "http", "direction": "out", "name": "res" },
        ] }));
        world
    }

    pub(crate) fn function(&self, name: &str, json: &Value) {
        let folder = self.root.path().join("functions").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("function.json"), json.to_string()).unwrap();
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(crate) async fn start(&self) -> Host {
        self.try_start().await.unwrap()
    }

    pub(crate) async fn try_start(&self) -> Result<Host, HostError> {
        let this = std::env::current_exe().unwrap();
        self.start_with(Some(&this)).await
    }

    pub(crate) async fn start_with(&self, handler: Option<&Path>) -> Result<Host, HostError> {
        let (queues, clock) = (Arc::clone(&self.queues), Arc::clone(&self.clock));
        self.start_beside(handler, queues, clock).await
    }

    /// With queues and a clock of the caller's.
    pub(crate) async fn start_beside(
        &self,
        handler: Option<&Path>,
        queues: Arc<dyn Queues>,
        clock: Arc<dyn HostClock>,
    ) -> Result<Host, HostError> {
        fs::write(self.root.path().join("host.json"), self.host_json.to_string()).unwrap();
        let options = HostOptions {
            script_root: self.root.path().to_owned(),
            handler: handler.map(Path::to_owned),
            env: self.env.clone(),
            queues,
            clock,
            function_timeout: self.timeout.or(Some(Duration::from_secs(20))),
            echo_logs: false,
        };
        let start = Host::start(options);
        tokio::time::timeout(Duration::from_secs(40), start).await.expect("starting has an end")
    }

    pub(crate) fn send(&self, message: &Value) {
        self.queues.send("work", &BASE64_STANDARD.encode(message.to_string()));
    }
}

/// Has the queue function carry out one command.
pub(crate) async fn command(host: &Host, command: Value) -> Invocation {
    host.deliver("Work", &command.to_string(), 1).await
}

/// Waits for something that happens on its own, but not for ever.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(15), "not within 15 seconds: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process exists, as a zombie or not.
pub(crate) fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// A clock that stands still.
pub(crate) struct TestClock(Mutex<OffsetDateTime>);

impl HostClock for TestClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock()
    }

    fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

/// Storage queues, as far as the listener can tell.
pub(crate) struct MemoryQueues {
    clock: Arc<TestClock>,
    messages: Mutex<HashMap<String, Vec<QueueMessage>>>,
}

impl MemoryQueues {
    /// The decoded texts of a queue, in order.
    pub(crate) fn texts(&self, queue: &str) -> Vec<String> {
        let decode = |message: &QueueMessage| {
            BASE64_STANDARD
                .decode(&message.text)
                .map_or_else(|_| message.text.clone(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        self.messages.lock().get(queue).into_iter().flatten().map(decode).collect()
    }

    pub(crate) fn first(&self, queue: &str) -> QueueMessage {
        self.messages.lock()[queue][0].clone()
    }
}

impl Queues for MemoryQueues {
    fn receive(&self, queue: &str, max: usize, visibility: Duration) -> Vec<QueueMessage> {
        let now = self.clock.now();
        let mut queues = self.messages.lock();
        let visible =
            queues.get_mut(queue).into_iter().flatten().filter(|message| message.next_visible <= now);
        let take = |message: &mut QueueMessage| {
            message.dequeue_count += 1;
            message.next_visible = now + visibility;
            message.pop_receipt = format!("{}-{}", message.id, message.dequeue_count);
            message.clone()
        };
        visible.take(max).map(take).collect()
    }

    fn delete(&self, queue: &str, id: &str, pop_receipt: &str) -> bool {
        let mut queues = self.messages.lock();
        let Some(messages) = queues.get_mut(queue) else { return false };
        let before = messages.len();
        messages.retain(|message| message.id != id || message.pop_receipt != pop_receipt);
        messages.len() < before
    }

    fn update(&self, queue: &str, id: &str, pop_receipt: &str, visibility: Duration) -> Option<String> {
        let mut queues = self.messages.lock();
        let mut messages = queues.get_mut(queue)?.iter_mut();
        let message = messages.find(|message| message.id == id && message.pop_receipt == pop_receipt)?;
        message.next_visible = self.clock.now() + visibility;
        message.pop_receipt.push('u');
        Some(message.pop_receipt.clone())
    }

    fn send(&self, queue: &str, text: &str) {
        let now = self.clock.now();
        let mut queues = self.messages.lock();
        let messages = queues.entry(queue.to_owned()).or_default();
        messages.push(QueueMessage {
            id: uuid::Uuid::new_v4().to_string(),
            pop_receipt: String::new(),
            dequeue_count: 0,
            insertion: now,
            expiration: now + Duration::from_secs(7 * 86_400),
            next_visible: now,
            text: text.to_owned(),
        });
    }

    fn len(&self, queue: &str) -> usize {
        self.messages.lock().get(queue).map_or(0, Vec::len)
    }

    fn visible(&self, queue: &str) -> usize {
        let now = self.clock.now();
        self.messages
            .lock()
            .get(queue)
            .into_iter()
            .flatten()
            .filter(|message| message.next_visible <= now)
            .count()
    }
}
