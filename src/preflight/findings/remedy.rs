//! How findings are fixed: commands with the names of this installation, and advice beside them.
//!
//! A command queries what the program does not know, such as a vault's resource group. Text from a service goes into
//! a command only if it has the form of an id or an address.

mod rights;
mod ways;

use std::fmt;

pub use self::{
    rights::{
        grant_drill, grant_in_vault, grant_on_account, grant_on_container, grant_restore, granted,
        narrow_in_vault, narrow_on_container,
    },
    ways::{open_account, open_hsm, open_vault},
};
use super::Identity;

/// How to fix a problem.
///
/// Its text is that of people who read both: the advice, then each command on a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    /// Commands in their order. Each can be copied into a shell as it stands, but for words in capitals, which are to be
    /// replaced. Not a script: some only query, some are alternatives, and the advice says which apply.
    pub commands: Vec<String>,
    /// What to decide, to know or to do beside them, in sentences. It names no source, so that it is one for all.
    pub advice: String,
}

impl Remedy {
    /// A remedy of commands alone.
    pub fn run<const N: usize>(commands: [String; N]) -> Self {
        Self { commands: commands.into(), advice: String::new() }
    }

    /// A remedy that no command is part of.
    pub fn advice(advice: impl Into<String>) -> Self {
        Self::default().and(advice)
    }

    /// The remedy with this advice.
    #[must_use]
    pub fn and(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = Some(&self.advice).filter(|advice| !advice.is_empty());
        let lines: Vec<_> = advice.into_iter().chain(&self.commands).map(String::as_str).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// A word of a command: as it is, or in quotes if a shell would read it otherwise.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The object id of the identity, or a command that finds it.
pub fn principal(identity: &Identity) -> String {
    match identity {
        Identity { object: Some(id), .. } => id.clone(),
        Identity { client: Some(client), .. } => {
            format!("\"$(az ad sp show --id {} --query id --output tsv)\"", quoted(client))
        }
        Identity { signed_in: true, .. } => {
            "\"$(az ad signed-in-user show --query id --output tsv)\"".to_owned()
        }
        Identity { .. } => "PRINCIPAL_ID".to_owned(),
    }
}

fn vault_id(vault: &str) -> String {
    format!("\"$(az keyvault show --name {vault} --query id --output tsv)\"")
}

fn account_id(account: &str) -> String {
    format!("$(az storage account show --name {} --query id --output tsv)", quoted(account))
}

/// Creates a container.
pub fn create_container(account: &str, container: &str) -> String {
    let (account, container) = (quoted(account), quoted(container));
    format!("az storage container create --account-name {account} --name {container} --auth-mode login")
}

/// Creates the container at an address, `https://ACCOUNT.blob…/CONTAINER`.
pub fn create_container_at(address: &url::Url) -> String {
    let account = address.host_str().and_then(|host| host.split('.').next()).unwrap_or_default();
    create_container(account, address.path().trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts that a remedy has all of these parts.
    pub(super) fn assert_has(remedy: &Remedy, parts: &[&str]) {
        let text = remedy.to_string();
        for part in parts {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }

    #[test]
    fn a_word_is_quoted_if_a_shell_would_read_it_otherwise() {
        for (word, expected) in [
            ("kv-a", "kv-a"),
            ("https://kv-a.vault.azure.net", "https://kv-a.vault.azure.net"),
            ("", "''"),
            ("$(reboot)", "'$(reboot)'"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn the_text_has_the_advice_and_then_each_command_on_a_line() {
        let commands = || Remedy::run(["one".to_owned(), "two".to_owned()]);
        for (remedy, expected) in [
            (commands(), "one\ntwo"),
            (commands().and("Decide."), "Decide.\none\ntwo"),
            (Remedy::advice("Decide."), "Decide."),
        ] {
            assert_eq!(remedy.to_string(), expected);
        }
    }

    #[test]
    fn the_identity_is_named_as_well_as_it_is_known() {
        let id = |text: &str| Some(text.to_owned());
        let whole = Identity { client: id("c"), signed_in: true, object: id("o") };
        let table = [
            (whole.clone(), "o"),
            (Identity { object: None, ..whole.clone() }, "az ad sp show --id c"),
            (Identity { object: None, client: None, ..whole }, "az ad signed-in-user show"),
            (Identity::default(), "PRINCIPAL_ID"),
        ];
        for (identity, expected) in table {
            assert!(principal(&identity).contains(expected), "{identity:?}");
        }
    }
}
