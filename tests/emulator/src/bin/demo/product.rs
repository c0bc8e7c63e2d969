//! The product, run as a user would run it.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::{process::Command, time::timeout};

use super::{Result, story::Story};

const NAME: &str = "keyvault-backup";

/// A command that takes longer hangs.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
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
