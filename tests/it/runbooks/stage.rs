//! Runs a runbook as a person does, in either of its forms, and plays apps that answer badly.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    process::Command,
};

use crate::world::World;

/// How often a test looks whether there is something to work on.
const TICK: Duration = Duration::from_millis(20);

/// The forms of a runbook.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::enum_variant_names, reason = "PowerShell is a name")]
pub enum Shell {
    Bash,
    Python,
    PowerShell,
}

/// A program in the environment of a fresh login: nothing that the tests were started with reaches it.
#[expect(clippy::disallowed_methods, reason = "the machine says where its programs are")]
pub fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

impl Shell {
    /// A runbook, with its arguments as bash takes them.
    fn command(self, runbook: &str, arguments: &[&str]) -> Command {
        let script = |of: &str| -> PathBuf {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks").join(format!("{runbook}.{of}"))
        };
        match self {
            Self::Bash => {
                let mut command = clean("bash");
                command.arg(script("sh")).args(arguments);
                command
            }
            Self::Python => {
                let mut command = clean("python3");
                command.arg(script("py")).args(arguments);
                command
            }
            Self::PowerShell => {
                let mut command = clean("pwsh");
                command.args(["-NoProfile", "-NonInteractive", "-File"]).arg(script("ps1"));
                command.args(arguments.iter().map(|argument| parameter(argument)));
                command.env("POWERSHELL_UPDATECHECK", "Off").env("POWERSHELL_TELEMETRY_OPTOUT", "1");
                command
            }
        }
    }

    /// Runs a runbook to its end against this app, which works meanwhile or not.
    pub async fn alone(self, app: &str, runbook: &str, arguments: &[&str]) -> Ended {
        self.alone_with(&[], app, runbook, arguments).await
    }

    /// As [`Shell::alone`], with these variables besides.
    pub async fn alone_with(
        self,
        variables: impl IntoIterator<Item = &(String, String)>,
        app: &str,
        runbook: &str,
        arguments: &[&str],
    ) -> Ended {
        let mut command = self.command(runbook, arguments);
        called(&mut command, app, "a-key");
        command.envs(variables.into_iter().map(|(name, value)| (name, value)));
        Ended::of("a-key", command.output().await.expect("it starts"))
    }
}

/// An option of the bash runbooks as a parameter of the PowerShell ones.
fn parameter(argument: &str) -> String {
    let Some(option) = argument.strip_prefix("--") else { return argument.to_owned() };
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    let name: String = option.split('-').map(capital).collect();
    if name == "WhatIf" { "-WhatIfOnly".to_owned() } else { format!("-{name}") }
}

fn called(command: &mut Command, app: &str, key: &str) {
    command.env("KEYVAULT_BACKUP_URL", app).env("KEYVAULT_BACKUP_KEY", key);
    command.kill_on_drop(true).stdin(Stdio::null());
}

/// How a runbook ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub said: String,
    /// All that it wrote.
    pub all: String,
}

impl Ended {
    fn of(key: &str, output: Output) -> Self {
        let [said, complained] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("it is text"));
        let all = format!("{said}{complained}");
        assert!(!all.contains(key), "the key is shown");
        Self { code: output.status.code(), said, all }
    }

    /// Checks the exit code, and that all of this was written somewhere.
    pub fn with(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all);
        for text in texts {
            assert!(self.all.contains(text), "{text:?} is missing: {}", self.all);
        }
        self
    }

    /// The digest of the plan that was shown.
    pub fn digest(&self) -> String {
        let digest = self.said.lines().find_map(|line| line.strip_prefix("digest "));
        digest.expect("a plan was shown").trim().to_owned()
    }
}

impl World {
    /// Runs a runbook with the key of its function, while the host works.
    pub async fn runbook(&mut self, shell: Shell, runbook: &str, arguments: &[&str]) -> Ended {
        let function = if runbook == "backup" { "Backups" } else { "Restores" };
        let key = self.host().await.key(function);
        self.runbook_with(&key, shell, runbook, arguments).await
    }

    /// Runs a runbook with this key, while the host works.
    pub async fn runbook_with(
        &mut self,
        key: &str,
        shell: Shell,
        runbook: &str,
        arguments: &[&str],
    ) -> Ended {
        let app = self.host().await.listen(0).await.expect("a port");
        let mut command = shell.command(runbook, arguments);
        called(&mut command, &format!("http://{app}"), key);
        Ended::of(key, self.beside(command).await)
    }

    /// Runs a command to its end, while the host works.
    pub async fn beside(&mut self, mut command: Command) -> Output {
        command.kill_on_drop(true).stdin(Stdio::null());
        let mut output = std::pin::pin!(command.output());
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                output = &mut output => return output.expect("it starts"),
                _ = tick.tick() => self.work_if_any().await,
            }
        }
    }

    /// The clock stands still while there is nothing to do.
    async fn work_if_any(&mut self) {
        if self.open_restores().is_empty() && self.open_records().is_empty() {
            return;
        }
        let host = self.host().await;
        for function in ["RestoreObject", "BackUpObject"] {
            host.pump(function).await;
        }
        self.advance().await;
    }
}

/// An app that gives these answers, one for each call, and hangs up on all others. An empty one is none, too.
pub async fn app_that_answers(answers: &[(&str, &str)]) -> String {
    app_that_is_heard(answers).await.0
}

/// As [`app_that_answers`], with what it is sent.
#[expect(clippy::disallowed_methods, reason = "it answers while the runbook runs, and ends with the test")]
pub async fn app_that_is_heard(answers: &[(&str, &str)]) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answers: Vec<_> = answers.iter().map(|(head, body)| answer(head, body)).collect();
    let heard = Arc::new(Mutex::new(String::new()));
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        while let Ok((mut call, _)) = listener.accept().await {
            let mut request = vec![0; 8192];
            let length = call.read(&mut request).await.unwrap_or_default();
            all.lock().push_str(&String::from_utf8_lossy(&request[..length]));
            let _ = call.write_all(answers.next().unwrap_or_default().as_bytes()).await;
        }
    });
    (format!("http://{address}"), heard)
}

fn answer(head: &str, body: &str) -> String {
    if head.is_empty() {
        return String::new();
    }
    let length = body.len();
    format!(
        "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
