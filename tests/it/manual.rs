//! Completions, manual pages and the version.

use keyvault_backup_needs::needs;

use crate::world::World;

/// What a command prints, where nothing is set.
async fn printed(args: &[&str]) -> String {
    let mut world = World::new().await;
    world.env.clear();
    let output = world.cli(args).await;
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn every_shell_has_completions_of_every_command() {
    for (shell, mark) in [
        ("bash", "COMPREPLY"),
        ("zsh", "#compdef"),
        ("fish", "complete -c"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = printed(&["completion", shell]).await;
        assert!(
            script.contains(mark) && script.contains("abandon") && script.contains("on-conflict"),
            "{shell}"
        );
    }
}

#[needs(runbook_tools)]
#[tokio::test]
async fn bash_completes_a_command() {
    let asked = "source \"$1\"; COMP_WORDS=(keyvault-backup comp); COMP_CWORD=1; \
                 _keyvault__backup keyvault-backup comp keyvault-backup; echo \"${COMPREPLY[@]}\"";
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("completion");
    std::fs::write(&script, printed(&["completion", "bash"]).await).expect("it is written");
    let output = tokio::process::Command::new("bash").args(["-c", asked, "bash"]).arg(script).output().await;
    let output = output.expect("bash is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "completion\n", "{output:?}");
}

#[tokio::test]
async fn the_program_and_each_command_have_a_manual_page() {
    let page = printed(&["man"]).await;
    assert!(page.contains(".TH keyvault-backup 1") && page.contains("keyvault\\-backup\\-diff(1)"), "{page}");
    let page = printed(&["man", "list", "runs"]).await;
    assert!(page.contains("keyvault\\-backup\\-list\\-runs") && page.contains("\\-\\-limit"), "{page}");
}

#[tokio::test]
async fn the_version_begins_with_that_of_the_package() {
    let version = printed(&["--version"]).await;
    assert!(version.starts_with(concat!("keyvault-backup ", env!("CARGO_PKG_VERSION"))), "{version}");
}
