//! The one handler process: start, readiness, exit codes, the three-error rule, SIGKILL.

use std::{
    io,
    process::{Child, ExitStatus},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{HostClock, HostError, Level, error_stack::ErrorStack, launch::Launch, logs::Logs};

/// How often the host looks whether a handler answers.
const PROBE_INTERVAL: Duration = Duration::from_millis(5);
/// How often the player looks whether the process has ended.
const EXIT_INTERVAL: Duration = Duration::from_millis(10);
/// How long the host waits for a killed process.
const KILL_WAIT: Duration = Duration::from_secs(1);
/// An exit code that asks for a restart and is no error.
const INTENTIONAL_RESTART: i32 = 200;

/// A process that answered once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instance {
    pub(super) port: u16,
    generation: u64,
}

#[derive(Clone, Debug)]
enum Phase {
    Starting,
    /// Also when it has exited with 0: the host does not notice.
    Running(Instance),
    /// Killed by the test.
    Down,
    Stopped(String),
}

/// What is to follow the end of the present process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intent {
    /// Whatever the exit code says.
    Rules,
    Restart,
    StayDown,
}

struct Slot {
    child: Option<Child>,
    intent: Intent,
    generation: u64,
    /// The host is gone: nothing is to be spawned any more.
    closed: bool,
}

enum Verdict {
    Restart,
    Stay,
    Down,
    Stop(String),
}

enum Attempt {
    Ready(Instance),
    Exited(ExitStatus, Intent),
    Late,
    Impossible(io::Error),
}

/// Keeps the process by the host's rules. Only [`Supervisor::supervise`] spawns, so there is never more than one.
pub(super) struct Supervisor {
    launch: Launch,
    logs: Arc<Logs>,
    clock: Arc<dyn HostClock>,
    client: reqwest::Client,
    phase: watch::Sender<Phase>,
    slot: Mutex<Slot>,
    errors: ErrorStack,
    start_up: Mutex<Duration>,
}

impl Supervisor {
    pub(super) fn new(launch: Launch, logs: Arc<Logs>, clock: Arc<dyn HostClock>) -> Result<Self, HostError> {
        Ok(Self {
            launch,
            logs,
            clock,
            client: super::invocation::client(reqwest::redirect::Policy::none())?,
            phase: watch::Sender::new(Phase::Starting),
            slot: Mutex::new(Slot { child: None, intent: Intent::Restart, generation: 0, closed: false }),
            errors: ErrorStack::default(),
            start_up: Mutex::default(),
        })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.slot.lock().child.as_ref().map(Child::id)
    }

    pub(super) fn start_up(&self) -> Duration {
        *self.start_up.lock()
    }

    pub(super) fn errors(&self) -> u32 {
        self.errors.len()
    }

    pub(super) fn stopped(&self) -> Option<String> {
        match &*self.phase.borrow() {
            Phase::Stopped(reason) => Some(reason.clone()),
            Phase::Starting | Phase::Running(_) | Phase::Down => None,
        }
    }

    /// Whether the host takes messages: not after a kill, when nobody would work on them.
    pub(super) fn listens(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Starting | Phase::Running(_))
    }

    /// The process to call. Waits while it starts, as long as the host would; after that the host shuts down.
    pub(super) async fn ready(&self) -> Result<Instance, String> {
        if let Phase::Running(instance) = &*self.phase.borrow() {
            return Ok(*instance);
        }
        let limit = self.launch.initialization_timeout.saturating_mul(4);
        let mut phases = self.phase.subscribe();
        let phase = match timeout(limit, phases.wait_for(|phase| !matches!(phase, Phase::Starting))).await {
            Ok(Ok(phase)) => phase.clone(),
            Ok(Err(_)) | Err(_) => self.stop("Initialization timed out and host is shutting down".into()),
        };
        match phase {
            Phase::Running(instance) => Ok(instance),
            Phase::Stopped(reason) => Err(reason),
            Phase::Down | Phase::Starting => Err("The handler was killed".into()),
        }
    }

    /// Starts the process and starts it again, until it is aborted.
    pub(super) async fn supervise(self: Arc<Self>) {
        loop {
            if self.take_restart() {
                self.bring_up().await;
            }
            sleep(EXIT_INTERVAL).await;
            if let Some((exit, intent)) = self.reap() {
                self.follow_up(self.verdict(exit, intent));
            }
        }
    }

    /// Kills the process for a function that timed out, unless it has been replaced since. The supervisor starts the next one.
    pub(super) fn condemn(&self, instance: Instance) {
        let mut slot = self.slot.lock();
        if slot.generation == instance.generation && matches!(*self.phase.borrow(), Phase::Running(_)) {
            slot.intent = Intent::Restart;
            self.logs.host(Level::Error, "Restarting the handler: a function timed out.");
            self.phase.send_replace(Phase::Starting);
            kill(&mut slot);
        }
    }

    /// Kills the process and waits until it is gone.
    pub(super) async fn kill(&self) {
        {
            let mut slot = self.slot.lock();
            slot.intent = Intent::StayDown;
            kill(&mut slot);
        }
        let began = Instant::now();
        while self.pid().is_some() && began.elapsed() < KILL_WAIT {
            sleep(EXIT_INTERVAL).await;
        }
        self.down();
    }

    /// Kills what is there and asks the supervisor for a new process.
    pub(super) async fn restart(&self) -> Result<(), String> {
        self.kill().await;
        self.errors.clear();
        {
            let mut slot = self.slot.lock();
            slot.intent = Intent::Restart;
            self.phase.send_replace(Phase::Starting);
        }
        self.ready().await.map(drop)
    }

    /// The end of the host: kills the process and reaps it, so that no zombie is left.
    pub(super) fn shut_down(&self) {
        let mut slot = self.slot.lock();
        slot.closed = true;
        kill(&mut slot);
        let began = Instant::now();
        while let Some(child) = &mut slot.child {
            if !matches!(child.try_wait(), Ok(None)) || began.elapsed() > KILL_WAIT {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        slot.child = None;
    }

    fn take_restart(&self) -> bool {
        let mut slot = self.slot.lock();
        let wanted = slot.child.is_none() && slot.intent == Intent::Restart;
        if wanted {
            slot.intent = Intent::Rules;
        }
        wanted
    }

    async fn bring_up(&self) {
        self.phase.send_replace(Phase::Starting);
        let verdict = match self.attempt().await {
            Attempt::Ready(instance) => {
                self.phase.send_replace(Phase::Running(instance));
                return;
            }
            Attempt::Exited(exit, intent) => self.verdict(exit, intent),
            Attempt::Late => self.count_error("The handler did not answer within initializationTimeout."),
            Attempt::Impossible(_) if self.slot.lock().intent == Intent::StayDown => Verdict::Down,
            Attempt::Impossible(error) => Verdict::Stop(self.launch.failure(&error)),
        };
        self.follow_up(verdict);
    }

    /// Under the lock: a kill or a restart that was asked for meanwhile has the last word.
    fn follow_up(&self, verdict: Verdict) {
        if let Verdict::Stop(reason) = verdict {
            self.stop(reason);
            return;
        }
        let mut slot = self.slot.lock();
        match verdict {
            Verdict::Restart if slot.intent == Intent::Rules => {
                slot.intent = Intent::Restart;
                self.phase.send_replace(Phase::Starting);
            }
            Verdict::Down if slot.intent != Intent::Restart => self.down(),
            Verdict::Restart | Verdict::Down | Verdict::Stay | Verdict::Stop(_) => {}
        }
    }

    async fn attempt(&self) -> Attempt {
        let began = Instant::now();
        let instance = match self.spawn() {
            Ok(instance) => instance,
            Err(error) => return Attempt::Impossible(error),
        };
        while let Some(left) = self.launch.initialization_timeout.checked_sub(began.elapsed()) {
            if self.answers(instance.port, left).await {
                *self.start_up.lock() = began.elapsed();
                return Attempt::Ready(instance);
            }
            match self.reap() {
                // Exit code 0 is not noticed even here: the host goes on probing a dead port.
                Some((exit, Intent::Rules)) if exit.code() == Some(0) => {}
                Some((exit, intent)) => return Attempt::Exited(exit, intent),
                None => {}
            }
            sleep(PROBE_INTERVAL).await;
        }
        kill(&mut self.slot.lock());
        Attempt::Late
    }

    fn spawn(&self) -> io::Result<Instance> {
        let mut slot = self.slot.lock();
        if slot.closed || slot.intent == Intent::StayDown {
            return Err(io::Error::other("the host is gone"));
        }
        let (child, port) = self.launch.spawn(&self.logs)?;
        slot.child = Some(child);
        slot.generation += 1;
        Ok(Instance { port, generation: slot.generation })
    }

    /// Any answer will do, even a broken one. Only a refused connection means "not yet".
    async fn answers(&self, port: u16, limit: Duration) -> bool {
        let url = format!("http://127.0.0.1:{port}/");
        let Ok(request) = self.client.get(url).timeout(limit).build() else { return false };
        match self.client.execute(request).await {
            Ok(_) => true,
            Err(error) => !error.is_connect() && !error.is_timeout(),
        }
    }

    /// Takes the process that ended, and what was to follow.
    fn reap(&self) -> Option<(ExitStatus, Intent)> {
        let mut slot = self.slot.lock();
        let exit = slot.child.as_mut()?.try_wait().ok()??;
        slot.child = None;
        Some((exit, std::mem::replace(&mut slot.intent, Intent::Rules)))
    }

    fn verdict(&self, exit: ExitStatus, intent: Intent) -> Verdict {
        match (intent, exit.code()) {
            (Intent::Restart, _) | (Intent::Rules, Some(INTENTIONAL_RESTART)) => Verdict::Restart,
            (Intent::StayDown, _) => Verdict::Down,
            (Intent::Rules, Some(0)) => Verdict::Stay,
            (Intent::Rules, _) => self.count_error(&format!("The handler ended: {exit}.")),
        }
    }

    fn count_error(&self, what: &str) -> Verdict {
        let reason = format!("{what} {}", self.logs.last_errors());
        self.logs.host(Level::Error, reason.trim_end());
        if self.errors.push(self.clock.now()) {
            return Verdict::Restart;
        }
        Verdict::Stop(format!(
            "Exceeded http worker restart retry count. Shutting down Functions Host. {}",
            reason.trim_end()
        ))
    }

    /// A host that has shut down stays so.
    fn down(&self) {
        self.phase.send_if_modified(|phase| {
            let running = !matches!(phase, Phase::Stopped(_));
            if running {
                *phase = Phase::Down;
            }
            running
        });
    }

    fn stop(&self, reason: String) -> Phase {
        self.logs.host(Level::Error, reason.clone());
        let mut slot = self.slot.lock();
        slot.intent = Intent::StayDown;
        kill(&mut slot);
        let phase = Phase::Stopped(reason);
        self.phase.send_replace(phase.clone());
        phase
    }
}

/// SIGKILL. The process may be gone already, which is what is wanted.
fn kill(slot: &mut Slot) {
    if let Some(child) = &mut slot.child {
        drop(child.kill());
    }
}
