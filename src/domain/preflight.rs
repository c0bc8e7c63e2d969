//! What is wrong with an installation, and what mends it. Pure: what was tried comes in, findings go out.
//!
//! Rights are told from answers to requests that can do nothing: they name an object that cannot exist. Azure
//! looks at the caller's rights before it looks for the object, so 403 says that the right is missing, and 404
//! or 400 that it is there.
//!
//! A check ends in one of three ways: well, a [`Finding`], or unknown, with the reason. Nothing counts as well
//! that was not seen.

pub mod cause;
pub mod hsms;
pub mod queues;
pub mod remedy;
pub mod rest;
pub mod storage;
pub mod vaults;

use std::fmt;

use serde::Serialize;

pub use self::cause::{Came, Cause};
use super::outcome::Failure;

/// What checks of the settings are about.
const SETTINGS: &str = "settings";

/// What checks of the clock are about. Even a refusal says what time it is.
const MACHINE: &str = "this machine";

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; nothing has to be done.
    Info,
    /// Something is weaker than it should be, or will fail.
    Warning,
    /// Something is not protected, or a guard is missing.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong, as one of the names in `docs/preflight.md`. Names never change.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: a vault, an HSM, a container, a queue, a setting.
    pub subject: String,
    /// What was seen.
    pub seen: String,
    /// Why it matters.
    pub why: &'static str,
    /// What mends it, made for this installation.
    pub remedy: String,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    /// What it is about.
    pub subject: String,
    /// What was asked.
    pub what: String,
    /// What was seen, or why nothing is known.
    pub seen: String,
}

/// What a preflight found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What is not as it should be, the worst first.
    pub findings: Vec<Finding>,
    /// What could not be found out.
    pub unknown: Vec<Look>,
    /// What is as it should be.
    pub well: Vec<Look>,
}

impl Report {
    /// Whether nothing has to be done. Says nothing about what is unknown.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Info)
    }

    /// Whether nothing but the settings could be looked at.
    pub fn is_blind(&self) -> bool {
        const CLOSED: [&str; 4] = ["host-unknown", "host-unreachable", "network-closed", "no-token"];
        self.well.iter().all(|look| look.subject == SETTINGS || look.subject == MACHINE)
            && !self.findings.iter().any(|found| {
                found.severity > Severity::Info && found.subject != SETTINGS && !CLOSED.contains(&found.name)
            })
    }

    /// Puts the worst first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.subject.cmp(&b.subject)));
        self
    }

    fn well(&mut self, subject: &str, what: impl Into<String>, seen: impl Into<String>) {
        self.well.push(Look { subject: subject.to_owned(), what: what.into(), seen: seen.into() });
    }

    fn unknown(&mut self, subject: &str, what: impl Into<String>, seen: impl Into<String>) {
        self.unknown.push(Look { subject: subject.to_owned(), what: what.into(), seen: seen.into() });
    }
}

/// What the app is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Backups.
    Backup,
    /// Restores.
    Restore,
    /// Both.
    Both,
}

/// As whom the program asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The client id of the user-assigned identity, if that is what it has.
    pub client: Option<String>,
    /// Whether it is whoever is signed in at a terminal.
    pub signed_in: bool,
    /// The object id, where a refusal named it.
    pub object: Option<String>,
}

impl Identity {
    /// Takes the object id from a refusal that names the caller.
    pub fn learn(&mut self, failure: &Failure) {
        let named = failure.text.split("oid=").nth(1).map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || c == '-')).unwrap_or(rest.len());
            &rest[..end]
        });
        // It becomes part of a command: nothing but an id may.
        self.object = self.object.take().or_else(|| named.filter(|id| id.len() == 36).map(str::to_owned));
    }
}

/// The installation that is looked at.
#[derive(Clone, Debug)]
pub struct Installation {
    /// What the app is there for.
    pub purpose: Purpose,
    /// As whom it asks.
    pub identity: Identity,
}

/// `one`, `one and two`, `one, two and three`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_is_learned_from_a_text() {
        let id = "22222222-bbbb-4bbb-8bbb-222222222222";
        for (text, known) in [
            (format!("Caller: appid=x;oid={id};iss=https://sts"), Some(id)),
            ("Caller: oid=$(reboot)".to_owned(), None),
            ("nobody".to_owned(), None),
        ] {
            let mut identity = Identity::default();
            identity.learn(&Failure::ours("Forbidden", text));
            assert_eq!(identity.object.as_deref(), known);
        }
    }

    #[test]
    fn lists_read_as_people_write_them() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(
            [listed(&items[..1]), listed(&items[..2]), listed(&items)],
            ["a", "a and b", "a, b and c"]
        );
    }
}
