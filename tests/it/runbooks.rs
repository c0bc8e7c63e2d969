//! The runbooks of `docs/runbooks`, against the real binary behind the host's front door.

use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use keyvault_backup_emulator::{FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec};

use crate::world::{NIGHT, World};

/// How often a test looks whether there is something to work on.
const TICK: Duration = Duration::from_millis(20);

const WHOLE_VAULT: [&str; 7] = ["--source", "kv-a", "--target", "kv-b", "--everything", "--poll", "0.1"];

/// Whether everything that the runbooks need is there; says so if not.
pub fn tools() -> bool {
    let missing = |tool: &&&str| Command::new(tool).arg("--version").output().is_err();
    let missing = ["bash", "curl", "jq"].iter().find(missing);
    missing.inspect(|tool| eprintln!("{tool} is not installed: the runbooks were not tried")).is_none()
}

/// A vault that is backed up, beside an empty one; or nothing where a tool that the runbooks need is missing.
async fn backed_up() -> Option<World> {
    if !tools() {
        return None;
    }
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    for name in ["db", "cache"] {
        world.vault.put_secret(name, SecretSpec::new("a sample"));
    }
    world.vault.put_key("signing", KeySpec::ec("P-256"));
    world.night(NIGHT).await;
    world.today();
    Some(world)
}

impl World {
    /// Runs a runbook as a person does, while the host works.
    async fn runbook(&mut self, name: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let function = if name == "backup.sh" { "Backups" } else { "Restores" };
        let key = self.host().await.key(function);
        self.runbook_with(&key, name, arguments).await
    }

    async fn runbook_with(
        &mut self,
        key: &str,
        name: &str,
        arguments: &[&str],
    ) -> (Option<i32>, String, String) {
        let app = self.host().await.listen(0).await.expect("a port");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks").join(name);
        let mut command = tokio::process::Command::new("bash");
        command.arg(script).args(arguments);
        command.env("KEYVAULT_BACKUP_URL", format!("http://{app}")).env("KEYVAULT_BACKUP_KEY", key);
        ended(key, self.beside(command).await)
    }

    /// Runs a command to its end, while the host works.
    pub async fn beside(&mut self, mut command: tokio::process::Command) -> Output {
        command.kill_on_drop(true).stdin(std::process::Stdio::null());
        command.env("no_proxy", "*").env("NO_PROXY", "*").env_remove("KEYVAULT_BACKUP_TOKEN");
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

    /// The digest of the plan of the whole vault, as the runbook shows it.
    async fn agreed(&mut self) -> String {
        let (code, shown, _) = self.runbook("restore.sh", &[&WHOLE_VAULT[..], &["--what-if"]].concat()).await;
        assert!(code == Some(0) && shown.contains("3 to restore"), "{shown}");
        shown.trim().rsplit_once("digest ").expect("a digest").1.to_owned()
    }
}

fn ended(key: &str, output: Output) -> (Option<i32>, String, String) {
    let [said, complained] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("it is text"));
    assert!(!said.contains(key) && !complained.contains(key), "the key is shown");
    (output.status.code(), said, complained)
}

#[tokio::test]
async fn a_whole_vault_is_restored_and_followed_to_its_end() {
    let Some(mut world) = backed_up().await else { return };
    let (code, said, complained) =
        world.runbook("restore.sh", &[&WHOLE_VAULT[..], &["--yes"]].concat()).await;
    assert_eq!(code, Some(0), "{said}{complained}");
    assert!(
        said.contains("20260110T020000Z-nightly") && said.contains("kv-a into kv-b: 3 to restore"),
        "{said}"
    );
    assert!(said.ends_with("Succeeded: 3 planned = 3 restored + 0 skipped + 0 failed\n"), "{said}");
    let copy = world.azure.vault("kv-b").snapshot();
    assert_eq!(copy.differences(&world.vault.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn a_plan_that_was_approved_is_carried_out_once() {
    let Some(mut world) = backed_up().await else { return };
    let digest = world.agreed().await;
    let again = ["--plan", &digest, "--repeat", "pipeline-17", "--poll", "0.1"];
    let (code, first, complained) = world.runbook("restore.sh", &again).await;
    assert_eq!(code, Some(0), "{first}{complained}");
    let (code, second, _) = world.runbook("restore.sh", &again).await;
    assert_eq!((code, first.lines().next()), (Some(0), second.lines().next()));
}

#[tokio::test]
async fn a_plan_that_has_moved_is_shown_anew_and_not_carried_out() {
    let Some(mut world) = backed_up().await else { return };
    let digest = world.agreed().await;
    world.azure.vault("kv-b").put_secret("db", SecretSpec::new("mine"));
    let (code, said, complained) = world.runbook("restore.sh", &["--plan", &digest]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(
        complained.contains("nothing was restored") && complained.contains("Next: Read the new plan"),
        "{complained}"
    );
    assert!(said.contains("IN THE WAY: secret db: the target has an object of that name"), "{said}");
    assert_eq!(world.azure.vault("kv-b").len(Kind::Key), 0);
}

#[tokio::test]
async fn a_refusal_is_shown_with_what_to_do_next() {
    let Some(mut world) = backed_up().await else { return };
    let (code, _, complained) =
        world.runbook("restore.sh", &["--source", "kv-x", "--everything", "--yes"]).await;
    assert_eq!(code, Some(2));
    assert!(complained.contains("kv-x is not a vault of this app.\nNext: Check the name."), "{complained}");
    let arguments = [&WHOLE_VAULT[..], &["--yes"]].concat();
    let (code, _, complained) = world.runbook_with("a-wrong-key", "restore.sh", &arguments).await;
    assert!(code == Some(2) && complained.contains("does not open this function"), "{complained}");
}

#[tokio::test]
async fn what_failed_is_named_and_the_exit_code_says_so() {
    let Some(mut world) = backed_up().await else { return };
    let keys = Matcher::from(Operation::Restore).kind(Kind::Key);
    world.fault(keys, FaultKind::Forbidden(Forbidden::ByPolicy));
    let (code, said, complained) =
        world.runbook("restore.sh", &[&WHOLE_VAULT[..], &["--yes"]].concat()).await;
    assert!(
        code == Some(1) && said.contains("PartiallyFailed: 3 planned = 2 restored"),
        "{said}{complained}"
    );
    assert!(complained.contains("key signing: failed: Forbidden"), "{complained}");
}

#[tokio::test]
async fn without_a_terminal_nobody_can_have_agreed() {
    let Some(mut world) = backed_up().await else { return };
    let (code, said, complained) = world.runbook("restore.sh", &WHOLE_VAULT).await;
    assert!(code == Some(2) && said.contains("3 to restore") && complained.contains("--yes"), "{complained}");
    assert!(world.azure.vault("kv-b").is_empty());
}

#[tokio::test]
async fn a_backup_now_is_followed_to_its_end() {
    let Some(mut world) = backed_up().await else { return };
    let arguments = ["--vault", "kv-a", "--secret", "db", "--key", "signing", "--poll", "0.1"];
    let (code, said, complained) = world.runbook("backup.sh", &arguments).await;
    assert!(code == Some(0) && said.contains("Succeeded: 2 listed = 2 backed up"), "{said}{complained}");
    let keys = Matcher::from(Operation::Backup).kind(Kind::Key);
    world.fault(keys, FaultKind::Forbidden(Forbidden::ByPolicy));
    let (code, said, complained) = world.runbook("backup.sh", &arguments).await;
    assert!(code == Some(1) && said.contains("1 backed up + 0 skipped + 1 failed"), "{said}{complained}");
    assert!(complained.contains("key signing: Forbidden"), "{complained}");
    let (code, _, complained) = world.runbook("backup.sh", &["--vault", "kv-x"]).await;
    assert!(code == Some(2) && complained.contains("Next:"), "{complained}");
}
