//! The command line, environment and pipes of the handler process.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use uuid::Uuid;

use super::{
    logs::Logs,
    settings::{Environment, HandlerSettings},
};

/// The ports of handlers. They lie below those from which the system serves connections and listeners on port 0: between
/// the choice of a port and the handler's own bind, no connection of another test takes it.
const PORTS: Range<u16> = 10_000..32_000;

/// What to run.
pub(super) struct Launch {
    executable: PathBuf,
    arguments: Vec<String>,
    directory: PathBuf,
    script_root: PathBuf,
    environment: Environment,
    pub(super) initialization_timeout: Duration,
}

impl Launch {
    /// Without a `handler`: the executable that the settings name.
    pub(super) fn new(
        settings: &HandlerSettings,
        script_root: &Path,
        handler: Option<PathBuf>,
        environment: Environment,
    ) -> Self {
        let under = |folder: &Option<String>| {
            folder.as_ref().map_or_else(|| script_root.to_owned(), |folder| script_root.join(folder))
        };
        let packaged = under(&settings.worker_directory).join(&settings.executable);
        let named = if packaged.exists() { packaged } else { PathBuf::from(&settings.executable) };
        Self {
            executable: handler.unwrap_or(named),
            arguments: settings.arguments.clone(),
            directory: under(&settings.working_directory),
            script_root: script_root.to_owned(),
            environment,
            initialization_timeout: settings.initialization_timeout,
        }
    }

    /// Starts a process on a free port, its output going to the log.
    pub(super) fn spawn(&self, logs: &Arc<Logs>) -> io::Result<(Child, u16)> {
        let port = free_port()?;
        let (stdout, stderr) = logs.streams()?;
        let child = self.command(port).stdout(stdout).stderr(stderr).spawn()?;
        Ok((child, port))
    }

    /// What the host says of a process that could not be started. A missing directory looks like a missing executable.
    pub(super) fn failure(&self, error: &io::Error) -> String {
        let (executable, directory) = (self.executable.display(), self.directory.display());
        format!("Failed to start Worker Channel. Process fileName: {executable}, in {directory}: {error}")
    }

    fn command(&self, port: u16) -> Command {
        let (id, port) = (Uuid::new_v4().to_string(), port.to_string());
        let mut command = Command::new(&self.executable);
        command.args(&self.arguments).current_dir(&self.directory).env_clear().envs(self.environment.iter());
        command.env("FUNCTIONS_CUSTOMHANDLER_PORT", &port).env("FUNCTIONS_HTTPWORKER_PORT", &port);
        command.env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &id).env("FUNCTIONS_HTTPWORKER_ID", &id);
        command.env("FUNCTIONS_APP_ROOT_PATH", &self.script_root);
        command.stdin(Stdio::null());
        command
    }
}

/// A port that is free. Each process begins somewhere else, and gives no port twice before all had their turn.
fn free_port() -> io::Result<u16> {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random()));
    let span = PORTS.end - PORTS.start;
    let ports = (0..span).map(|_| PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % span);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.into_iter().find(is_free).ok_or_else(|| io::Error::other("no port is free for the handler"))
}
