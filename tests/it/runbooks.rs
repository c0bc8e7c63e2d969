//! The runbooks of `docs/runbooks`, against the real binary behind the host's front door: each scenario in each
//! form that can be run here. Each exit code that their page documents is among them.

pub mod stage;

use keyvault_backup_emulator::{FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec};
use keyvault_backup_needs::needs;

use self::stage::{Shell, app_that_answers, app_that_is_heard};
use crate::{
    plans::{long, purge, two_deleted},
    world::{NIGHT, World},
};

const WHOLE_VAULT: [&str; 7] = ["--source", "kv-a", "--target", "kv-b", "--everything", "--poll", "0.1"];

/// A test of each scenario in each form.
macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {
        mod bash {
            $(
                #[super::needs(runbook_tools)]
                #[tokio::test]
                async fn $name() {
                    super::$name(super::Shell::Bash).await;
                }
            )+
        }

        mod python {
            $(
                #[super::needs(python)]
                #[tokio::test]
                async fn $name() {
                    super::$name(super::Shell::Python).await;
                }
            )+
        }

        mod powershell {
            $(
                #[super::needs(powershell)]
                #[tokio::test]
                async fn $name() {
                    super::$name(super::Shell::PowerShell).await;
                }
            )+
        }
    };
}

scenarios!(
    a_whole_vault_is_restored_and_followed_to_its_end,
    a_plan_that_was_approved_is_carried_out_once,
    a_plan_that_has_moved_is_shown_anew_and_not_carried_out,
    a_plan_shows_every_name_and_what_is_purged,
    the_exit_code_of_a_plan_is_that_of_its_restore,
    what_a_setting_has_elsewhere_is_asked_for_by_name,
    a_refusal_is_shown_with_what_to_do_next,
    what_failed_is_named_and_the_exit_code_says_so,
    what_never_had_a_backup_is_named,
    without_a_terminal_nobody_can_have_agreed,
    a_backup_now_is_followed_to_its_end,
    lists_come_in_one_word_too,
    what_cannot_be_a_name_is_refused_in_words,
    no_answer_is_no_status,
    what_passes_is_tried_again,
    where_nobody_can_say_how_it_ended_the_exit_code_says_so,
);

/// A vault that is backed up, beside an empty one.
async fn backed_up() -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    for name in ["db", "cache"] {
        world.vault.put_secret(name, SecretSpec::new("a sample"));
    }
    world.vault.put_key("signing", KeySpec::ec("P-256"));
    world.night(NIGHT).await;
    world.today();
    world
}

/// The digest of the plan of the whole vault.
async fn agreed(world: &mut World, shell: Shell) -> String {
    let planned = world.runbook(shell, "restore", &[&WHOLE_VAULT[..], &["--what-if"]].concat()).await;
    planned.with(0, &["kv-a into kv-b: 3 to restore, 0 skipped, 0 in the way"]).digest()
}

async fn a_whole_vault_is_restored_and_followed_to_its_end(shell: Shell) {
    let mut world = backed_up().await;
    let ended = world.runbook(shell, "restore", &[&WHOLE_VAULT[..], &["--yes"]].concat()).await;
    let ended = ended.with(0, &["restore: key signing\n    from: 20260110T020000Z-nightly, age: "]);
    let end = "Succeeded: 3 planned = 3 restored + 0 skipped + 0 failed + 0 never backed up\n";
    assert!(ended.said.ends_with(end), "{}", ended.said);
    let copy = world.azure.vault("kv-b").snapshot();
    assert_eq!(copy.differences(&world.vault.snapshot()), Vec::<String>::new());
}

async fn a_plan_that_was_approved_is_carried_out_once(shell: Shell) {
    let mut world = backed_up().await;
    let digest = agreed(&mut world, shell).await;
    let again = ["--plan", &digest, "--repeat", "pipeline-17", "--poll", "0.1"];
    let first = world.runbook(shell, "restore", &again).await.with(0, &["Succeeded"]);
    let second = world.runbook(shell, "restore", &again).await.with(0, &["Succeeded"]);
    assert_eq!(first.said.lines().next(), second.said.lines().next());
}

async fn a_plan_that_has_moved_is_shown_anew_and_not_carried_out(shell: Shell) {
    let mut world = backed_up().await;
    let digest = agreed(&mut world, shell).await;
    world.azure.vault("kv-b").put_secret("db", SecretSpec::new("mine"));
    let ended = world.runbook(shell, "restore", &["--plan", &digest]).await;
    let ended = ended.with(2, &["nothing was restored", "Next: Read the new plan"]);
    let line = "IN THE WAY: secret db\n    because: the target has an object of that name";
    assert!(ended.said.contains(line), "{}", ended.said);
    assert_eq!(world.azure.vault("kv-b").len(Kind::Key), 0);
}

async fn a_plan_shows_every_name_and_what_is_purged(shell: Shell) {
    let mut world = two_deleted().await;
    let [one, two, three] = ['1', '2', '3'].map(long);
    let names = ["--secret", &one, "--secret", &two, "--secret", &three];
    let purging = ["--source", "kv-a", "--on-conflict", "purgeDeleted", "--what-if"];
    let shown = world.runbook(shell, "restore", &[&names[..], &purging].concat()).await.with(0, &[]).said;
    for name in [&one, &two] {
        assert!(shown.lines().any(|line| line == purge(name)), "{shown}");
    }
    // What differs from day to day.
    let steady = |line: &str| match line.split_once(", age: ") {
        Some((before, _)) => before.to_owned(),
        None => line.split("digest ").next().unwrap_or_default().to_owned(),
    };
    insta::assert_snapshot!("plan", shown.lines().map(steady).collect::<Vec<_>>().join("\n"));
    let recovering = ["--source", "kv-a", "--on-conflict", "recoverDeleted", "--what-if"];
    let shown = world.runbook(shell, "restore", &[&names[..], &recovering].concat()).await;
    shown.with(0, &[&format!("recover as deleted, not from the backup: secret {two}\n")]);
}

async fn the_exit_code_of_a_plan_is_that_of_its_restore(shell: Shell) {
    let mut world = backed_up().await;
    let what_if = |names: &'static [&'static str]| {
        [&["--source", "kv-a", "--target", "kv-b", "--what-if", "--poll", "0.1"], names].concat()
    };
    world.azure.vault("kv-b").put_secret("db", SecretSpec::new("mine"));
    let all = world.runbook(shell, "restore", &what_if(&["--secret", "cache"])).await;
    all.with(0, &["1 to restore, 0 skipped, 0 in the way"]);
    let part = world.runbook(shell, "restore", &what_if(&["--everything"])).await;
    part.with(1, &["2 to restore, 0 skipped, 1 in the way"]);
    let none = world.runbook(shell, "restore", &what_if(&["--secret", "db"])).await;
    none.with(2, &["0 to restore, 0 skipped, 1 in the way"]);
}

async fn what_a_setting_has_elsewhere_is_asked_for_by_name(shell: Shell) {
    let mut world = World::with_secrets(2).await;
    world.set("KEYVAULT_BACKUP_PLACES", "kv-a=mistyped/europe");
    world.night(NIGHT).await;
    world.set("KEYVAULT_BACKUP_PLACES", "kv-a=one/europe");
    world.restart_with_settings().await;
    world.today();
    for name in ["secret-0", "secret-1"] {
        assert!(world.vault.remove(Kind::Secret, name));
    }
    let arguments = ["--source", "kv-a", "--everything", "--what-if", "--poll", "0.1"];
    let none = world.runbook(shell, "restore", &arguments).await;
    none.with(2, &["0 to restore, 0 skipped, 2 in the way"]);
    let all = world.runbook(shell, "restore", &[&arguments[..], &["--other-place"]].concat()).await;
    all.with(0, &["2 to restore, 0 skipped, 0 in the way"]);
}

async fn a_refusal_is_shown_with_what_to_do_next(shell: Shell) {
    let mut world = backed_up().await;
    let refused = world.runbook(shell, "restore", &["--source", "kv-x", "--everything", "--yes"]).await;
    refused.with(2, &["kv-x is not a vault of this app.", "Next: Check the name."]);
    let arguments = [&WHOLE_VAULT[..], &["--yes"]].concat();
    let refused = world.runbook_with("a-wrong-key", shell, "restore", &arguments).await;
    refused.with(2, &["does not open this function"]);
}

async fn what_failed_is_named_and_the_exit_code_says_so(shell: Shell) {
    let arguments = [&WHOLE_VAULT[..], &["--yes"]].concat();
    let mut world = backed_up().await;
    let keys = Matcher::from(Operation::Restore).kind(Kind::Key);
    world.fault(keys, FaultKind::Forbidden(Forbidden::ByPolicy));
    let part = world.runbook(shell, "restore", &arguments).await;
    part.with(1, &["PartiallyFailed: 3 planned = 2 restored", "key signing: failed: Forbidden"]);
    let mut world = backed_up().await;
    world.fault(Operation::Restore, FaultKind::Forbidden(Forbidden::ByPolicy));
    let none = world.runbook(shell, "restore", &arguments).await;
    none.with(2, &["Failed: 3 planned = 0 restored", "secret db: failed: Forbidden"]);
}

async fn what_never_had_a_backup_is_named(shell: Shell) {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    for name in ["db", "cache"] {
        world.vault.put_secret(name, SecretSpec::new("a sample"));
    }
    let cache = Matcher::from(Operation::Backup).object("cache");
    world.fault(cache, FaultKind::Forbidden(Forbidden::ByPolicy));
    world.night(NIGHT).await;
    world.today();
    let planned = world.runbook(shell, "restore", &[&WHOLE_VAULT[..], &["--what-if"]].concat()).await;
    planned.with(
        1,
        &["NEVER BACKED UP: secret cache\n", "1 to restore, 0 skipped, 0 in the way, 1 never backed up\n"],
    );
    let ended = world.runbook(shell, "restore", &[&WHOLE_VAULT[..], &["--yes"]].concat()).await;
    ended.with(1, &["PartiallyFailed: 2 planned = 1 restored", "secret cache: never-backed-up: "]);
}

async fn without_a_terminal_nobody_can_have_agreed(shell: Shell) {
    let mut world = backed_up().await;
    world.runbook(shell, "restore", &WHOLE_VAULT).await.with(2, &["3 to restore", "Nothing was restored"]);
    assert!(world.azure.vault("kv-b").is_empty());
}

async fn a_backup_now_is_followed_to_its_end(shell: Shell) {
    let mut world = backed_up().await;
    let arguments = ["--vault", "kv-a", "--secret", "db", "--key", "signing", "--poll", "0.1"];
    let all = world.runbook(shell, "backup", &arguments).await;
    all.with(0, &["Succeeded: 2 listed = 2 backed up"]);
    let keys = Matcher::from(Operation::Backup).kind(Kind::Key);
    world.fault(keys, FaultKind::Forbidden(Forbidden::ByPolicy));
    let part = world.runbook(shell, "backup", &arguments).await;
    part.with(1, &["1 backed up + 0 skipped + 1 failed", "key signing: Forbidden"]);
    let none = ["--vault", "kv-a", "--key", "signing", "--poll", "0.1"];
    world.runbook(shell, "backup", &none).await.with(2, &["Failed: 1 listed = 0 backed up"]);
    world.runbook(shell, "backup", &["--vault", "kv-x"]).await.with(2, &["Next:"]);
}

async fn lists_come_in_one_word_too(shell: Shell) {
    let mut world = backed_up().await;
    for list in
        ["db,cache", r#"["db","cache"]"#, "[db, cache]", " 'db' , \"cache\" ", r#"[ "db" , "cache" ]"#]
    {
        let objects = ["--source", "kv-a", "--target", "kv-b", "--what-if", "--secret", list];
        let shown = world.runbook(shell, "restore", &objects).await;
        shown.with(0, &["restore: secret cache\n", "restore: secret db\n", "2 to restore"]);
    }
    for (kinds, count) in [("key,secret", "3 to restore"), ("[\"key\"]", "1 to restore")] {
        let kinds = ["--source", "kv-a", "--target", "kv-b", "--what-if", "--kind", kinds];
        world.runbook(shell, "restore", &kinds).await.with(0, &[count]);
    }
    let arguments = ["--vault", "kv-a", "--secret", "[db,cache]", "--key", "signing", "--poll", "0.1"];
    world.runbook(shell, "backup", &arguments).await.with(0, &["Succeeded: 3 listed = 3 backed up"]);
}

async fn what_cannot_be_a_name_is_refused_in_words(shell: Shell) {
    let app = "http://127.0.0.1:1";
    let long = "a".repeat(128);
    for list in ["a b", "a,,b", "a,", ",", "[]", "[\"\"]", "kv/a", "[\"a\"", "{\"a\":1}", "é", &long] {
        let ended = shell.alone(app, "restore", &["--source", "kv-a", "--secret", list]).await;
        ended.with(2, &["ecret: \"", "cannot be a name"]);
        let ended = shell.alone(app, "backup", &["--vault", "kv-a", "--key", list]).await;
        ended.with(2, &["cannot be a name"]);
    }
    let ended = shell.alone(app, "restore", &["--source", "kv-a", "--kind", "secret,keys"]).await;
    ended.with(2, &["\"keys\" is no kind: say secret, key or certificate."]);
}

async fn no_answer_is_no_status(shell: Shell) {
    for (runbook, source) in [("restore", "--source"), ("backup", "--vault")] {
        let arguments = [source, "kv-a", "--secret", "db", "--poll", "0.1"];
        let ended = shell.alone("http://user@127.0.0.1:1/?code=x", runbook, &arguments).await;
        let ended = ended.with(2, &["No answer from 127.0.0.1:1: ", "trying again", "Next: check that "]);
        assert!(!ended.all.contains("HTTP 0") && !ended.all.contains("code=x"), "{}", ended.all);
    }
}

/// A plan of nothing, as the app answers it.
const PLAN: &str = r#"{"digest":"d1","source":"kv-a","target":"kv-a","purges":0,"inTheWay":0,"alreadyThere":0,
    "neverBackedUp":0,"foreseen":"Succeeded","steps":[],"left":[]}"#;

async fn what_passes_is_tried_again(shell: Shell) {
    let busy = ("503 Service Unavailable\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT", "");
    let app = app_that_answers(&[("", ""), busy, ("200 OK", PLAN)]).await;
    let host = app.trim_start_matches("http://");
    let arguments = ["--source", "kv-a", "--secret", "db", "--what-if", "--poll", "0.1"];
    let ended = shell.alone(&app, "restore", &arguments).await;
    ended.with(0, &[&format!("No answer from {host}: "), &format!("{host} answers HTTP 503; trying again")]);
}

async fn where_nobody_can_say_how_it_ended_the_exit_code_says_so(shell: Shell) {
    let arguments = ["--source", "kv-a", "--secret", "db", "--yes", "--repeat", "r1", "--poll", "0.1"];
    let app = app_that_answers(&[("200 OK", PLAN)]).await;
    let ended = shell
        .alone(&app, "restore", &arguments)
        .await
        .with(2, &["It is not known whether the restore began"]);
    let again =
        if matches!(shell, Shell::PowerShell) { "-Plan d1 -Repeat r1" } else { "--plan d1 --repeat r1" };
    assert!(ended.all.contains(again), "{}", ended.all);

    let running = r#"{"id":"r-1","state":"Running","numbers":{"restored":0,"failed":0,"pending":1}}"#;
    let gone = ("404 Not Found", "{}");
    let app = app_that_answers(&[("200 OK", PLAN), ("202 Accepted", running), gone]).await;
    let ended = shell.alone(&app, "restore", &arguments).await;
    ended.with(2, &["HTTP 404", "It is not known how ", "/api/restores/r-1"]);

    let begun = (
        "202 Accepted\r\nLocation: /api/backups/runs/r-2",
        r#"{"run":"r-2","links":{"run":"/api/backups/runs/r-2"}}"#,
    );
    let arguments = ["--vault", "kv-a", "--poll", "0.1"];
    let ended = shell.alone(&app_that_answers(&[begun, gone]).await, "backup", &arguments).await;
    ended.with(2, &["It is not known how the run ended", "/api/backups/runs/r-2"]);
    let ended = shell.alone(&app_that_answers(&[]).await, "backup", &arguments).await;
    ended.with(2, &["It is not known whether a run began"]);
}

/// The lines of a Python runbook that both have.
fn shared(runbook: &str) -> &str {
    let (_, rest) = runbook.split_once("# -- The same in").expect("a beginning");
    rest.split_once("# -- End of what is the same").expect("an end").0
}

#[test]
fn what_the_python_runbooks_share_is_the_same_in_both() {
    let [backup, restore] =
        [include_str!("../../docs/runbooks/backup.py"), include_str!("../../docs/runbooks/restore.py")];
    assert_eq!(shared(backup), shared(restore));
}

#[needs(python)]
#[tokio::test]
async fn a_token_of_the_managed_identity_goes_to_the_app_beside_the_key() {
    let world = World::new().await;
    let (app, heard) = app_that_is_heard(&[("200 OK", PLAN)]).await;
    let audience = "https://vault.azure.net";
    let arguments = ["--source", "kv-a", "--secret", "db", "--what-if", "--audience", audience];
    let identity = world.env.iter().filter(|(name, _)| name.starts_with("IDENTITY_"));
    Shell::Python.alone_with(identity, &app, "restore", &arguments).await.with(0, &["digest d1"]);
    let heard = heard.lock().to_lowercase();
    assert!(
        heard.contains("authorization: bearer ey") && heard.contains("x-functions-key: a-key"),
        "{heard}"
    );
    let ended = Shell::Python.alone(&app, "restore", &arguments).await;
    ended.with(2, &["The managed identity gave no token for https://vault.azure.net", "Next: "]);
}

/// What stands for the module that only Azure Automation has.
const AUTOMATION: &str =
    "def get_automation_variable(name): return {'KeyVaultBackupRestoresKey': 'a-key'}[name]";

#[needs(python)]
#[tokio::test]
async fn in_azure_automation_the_key_is_a_variable_and_what_is_not_done_fails_the_job() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("automationassets.py"), AUTOMATION).expect("it is written");
    let automation = [
        ("PYTHONPATH".to_owned(), folder.path().display().to_string()),
        ("KEYVAULT_BACKUP_KEY".to_owned(), String::new()),
    ];
    let (app, heard) = app_that_is_heard(&[("200 OK", PLAN), ("200 OK", PLAN)]).await;
    let arguments = ["--source", "kv-a", "--secret", "db"];
    let what_if = [&arguments[..], &["--what-if"]].concat();
    Shell::Python.alone_with(&automation, &app, "restore", &what_if).await.with(0, &["digest d1"]);
    let asked = Shell::Python.alone_with(&automation, &app, "restore", &arguments).await;
    asked.with(1, &["RuntimeError: Nothing was restored: there is no terminal", "(exit code 2)"]);
    assert!(heard.lock().to_lowercase().contains("x-functions-key: a-key"));
}
