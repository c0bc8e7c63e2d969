//! The product: built as a user would build it, and run as a user would run it.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::AsyncReadExt as _,
    process::Command,
    time::{Instant, timeout},
};

use super::{Result, story::Story};

const NAME: &str = "keyvault-backup";

/// A build that takes longer is worth a line.
const SOON: Duration = Duration::from_secs(1);

/// A command that takes longer hangs.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Builds the product's binary in the profile of this one, and returns its path.
pub(crate) async fn build(story: &Story) -> Result<PathBuf> {
    let began = Instant::now();
    let profile = profile()?;
    let mut cargo = Command::new(cargo_of_this_run());
    cargo
        .args(["build", "--quiet", "--bin", NAME, "--profile", &profile])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(repository())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut building = cargo.spawn()?;
    let mut messages = building.stdout.take().ok_or("cargo has no output")?;
    let mut text = String::new();
    let mut reading = Box::pin(messages.read_to_string(&mut text));
    if let Ok(read) = timeout(SOON, &mut reading).await {
        read?;
    } else {
        story
            .line("Program", &format!("building {NAME} ({profile} profile); the first time takes a while"))?;
        reading.await?;
    }
    let status = building.wait().await?;
    let product = text.lines().find_map(executable);
    let product = product.filter(|_| status.success()).ok_or("cargo could not build the product")?;
    if began.elapsed() >= SOON {
        story.line("", &format!("built in {:.0} s", began.elapsed().as_secs_f64()))?;
    } else {
        story.line("Program", &format!("{NAME}, the real binary ({profile} profile)"))?;
    }
    Ok(product)
}

/// The cargo that runs this program.
#[expect(clippy::disallowed_methods, reason = "cargo says in the environment which one it is")]
fn cargo_of_this_run() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The profile that this program was built in, which is the name of its folder except for `dev`.
fn profile() -> Result<String> {
    let folder = env::current_exe()?.parent().and_then(Path::file_name).map(OsString::from);
    let folder = folder.and_then(|name| name.into_string().ok()).ok_or("this program is nowhere")?;
    Ok(if folder == "debug" { "dev".to_owned() } else { folder })
}

/// The path in the message that says that the binary is built.
fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let ours = message["target"]["name"] == NAME;
    message["executable"].as_str().filter(|_| ours).map(PathBuf::from)
}

/// The command line tool with its environment.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) path: PathBuf,
    pub(crate) env: Vec<(String, String)>,
}

impl Tool {
    /// Runs it as part of the story: the command line first, then whatever it prints.
    pub(crate) async fn show(&self, story: &Story, arguments: &[&str]) -> Result<ExitStatus> {
        story.print(format_args!("\n$ {NAME} {}", arguments.join(" ")))?;
        let status = self.command(arguments).stdout(story.output()).status();
        Ok(timeout(COMMAND_LIMIT, status).await??)
    }

    /// Runs it for its JSON.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.command(arguments).args(["--output", "json"]).output();
        let output = timeout(COMMAND_LIMIT, output).await??;
        let said = || String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(serde_json::from_slice(&output.stdout).map_err(|error| format!("{error}: {}", said()))?)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).env_clear().envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}
