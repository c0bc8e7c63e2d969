//! What the program says of itself: completions for shells, and a manual page for each command.

use std::{path::Path, process::Command};

use crate::{Result, archive::Entry, program::PROGRAM};

/// A shell as the program names it, and the file that the shell looks for.
const SHELLS: [(&str, &str); 4] = [
    ("bash", "keyvault-backup"),
    ("zsh", "_keyvault-backup"),
    ("fish", "keyvault-backup.fish"),
    ("powershell", "keyvault-backup.ps1"),
];

/// Completions and manual pages, by a program that runs here.
///
/// # Errors
/// When it does not run, or does not print them.
pub(crate) fn of(program: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (shell, file) in SHELLS {
        let script = printed(program, &["completion", shell])?;
        entries.push(Entry::file(format!("completions/{shell}/{file}"), script));
    }
    let mut commands = vec![Vec::<String>::new()];
    while let Some(command) = commands.pop() {
        let words = command.iter().map(String::as_str);
        let page = printed(program, &["man"].into_iter().chain(words.clone()).collect::<Vec<_>>())?;
        let name = [PROGRAM].into_iter().chain(words).collect::<Vec<_>>().join("-");
        // `help` names every command once more.
        let below = command.last().is_none_or(|last| last != "help");
        for other in referred(&String::from_utf8_lossy(&page), &name).into_iter().filter(|_| below) {
            commands.push(command.iter().cloned().chain([other]).collect());
        }
        entries.push(Entry::file(format!("man/man1/{name}.1"), page));
    }
    Ok(entries)
}

/// The commands that the page of another one refers to.
fn referred(page: &str, of: &str) -> Vec<String> {
    let start = format!("{of}-").replace('-', "\\-");
    let lines = page.lines();
    let names = lines.filter_map(|line| line.strip_prefix(&start)?.strip_suffix("(1)"));
    names.map(|name| name.replace("\\-", "-")).collect()
}

fn printed(program: &Path, args: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| format!("{} cannot be run here: {error}", program.display()))?;
    if !output.status.success() || output.stdout.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{} {}: {said}", program.display(), args.join(" ")));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_refers_to_the_commands_below_it() {
        let page =
            "keyvault\\-backup\\-list(1)\nLists\nkeyvault\\-backup\\-hsm\\-restore\\-key(1)\nother(1)\n";
        assert_eq!(referred(page, "keyvault-backup"), ["list", "hsm-restore-key"]);
        assert_eq!(referred(page, "keyvault-backup-hsm"), ["restore-key"]);
    }
}
