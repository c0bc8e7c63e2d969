//! Findings: what is wrong with an installation, and how to fix it. Pure: observations in, findings out.
//!
//! Rights are inferred from answers to requests that can do nothing, because they name an object that cannot exist.
//! Azure checks the caller's rights before it searches for the object, so 403 means that the right is missing, and 404
//! or 400 that the caller has it.
//!
//! A check ends in one of three ways: well, with a [`Finding`], or unknown, with the reason. Nothing counts as well
//! that was not observed.

pub(super) mod cause;
pub mod drills;
mod grants;
pub mod group;
pub mod guards;
pub mod hsm_seen;
pub mod hsms;
pub mod queues;
pub mod remedy;
pub mod rest;
#[cfg(test)]
mod samples;
pub mod sources;
pub mod storage;
pub mod vaults;

use self::{
    group::{Group, grouped},
    remedy::Remedy,
};
use crate::domain::{outcome::Failure, role::Role};

/// The subject of checks of the settings.
const SETTINGS: &str = "settings";

/// The subject of checks of the clock. Even a refusal says what time it is.
const MACHINE: &str = "this machine";

/// Findings that are possible without access to any service: about the connection, the settings, or the clock.
const OF_NO_SERVICE: [&str; 16] = [
    "host-unknown",
    "host-unreachable",
    "network-closed",
    "certificate-untrusted",
    "no-token",
    "other-tenant",
    "token-refused",
    "sas-in-use",
    "source-twice",
    "container-shared",
    "authentication-unset",
    "platform-auth-off",
    "restore-pairs-unset",
    "schedule-unclear",
    "notify-unusable",
    "clock-skew",
];

/// The severity of a finding, from the least to the greatest.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display, strum::EnumString, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Good to know; nothing has to be done.
    Info,
    /// Something is weaker than it should be, or will fail.
    Warning,
    /// Something is not protected, or a guard is missing.
    Error,
}

/// A problem with the installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The problem, as one of the names in `docs/preflight.md`. Names never change.
    pub name: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// The vault, HSM, container, queue or setting concerned.
    pub subject: String,
    /// The observation.
    pub seen: String,
    /// Why it matters.
    pub why: &'static str,
    /// How to fix it, with the names of this installation.
    pub remedy: Remedy,
}

/// A check that gave no finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The vault, HSM, container, queue or setting concerned.
    pub subject: String,
    /// The question that was checked.
    pub what: String,
    /// The observation, or why nothing is known.
    pub seen: String,
}

/// The result of a preflight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The problems, the worst first.
    pub findings: Vec<Finding>,
    /// The checks without a result.
    pub unknown: Vec<Check>,
    /// The checks without a problem.
    pub well: Vec<Check>,
}

impl Report {
    /// Whether anything but the settings was checked, every check has a result, and nothing has to be done.
    pub fn is_well(&self) -> bool {
        let all_known = !self.is_blind() && self.unknown.is_empty();
        all_known && self.findings.iter().all(|finding| finding.severity == Severity::Info)
    }

    /// Whether nothing but the settings and the clock could be checked.
    pub fn is_blind(&self) -> bool {
        self.well.iter().all(|check| check.subject == SETTINGS || check.subject == MACHINE)
            && !self
                .findings
                .iter()
                .any(|found| found.severity > Severity::Info && !OF_NO_SERVICE.contains(&found.name))
    }

    /// The findings of at least this severity, by cause.
    pub fn groups(&self, at_least: Severity) -> Vec<Group> {
        let mut groups = grouped(&self.findings);
        groups.retain(|group| group.severity >= at_least);
        groups
    }

    /// Puts the worst first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.subject.cmp(&b.subject)));
        self
    }

    fn well(&mut self, subject: &str, what: impl Into<String>, seen: impl Into<String>) {
        self.well.push(Check { subject: subject.to_owned(), what: what.into(), seen: seen.into() });
    }

    fn unknown(&mut self, subject: &str, what: impl Into<String>, seen: impl Into<String>) {
        self.unknown.push(Check { subject: subject.to_owned(), what: what.into(), seen: seen.into() });
    }
}

/// The identity that the program uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The client id of the user-assigned identity, if that is what it has.
    pub client: Option<String>,
    /// Whether it is the account that is signed in at a terminal.
    pub signed_in: bool,
    /// The object id, if a refusal named it.
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

/// The installation that is checked.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The role of the app.
    pub role: Role,
    /// The identity that it uses.
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
    use super::{samples::finding, *};

    #[test]
    fn only_an_id_is_learned_from_a_text() {
        let id = "22222222-bbbb-4bbb-8bbb-222222222222";
        let table = [
            (format!("Caller: appid=x;oid={id};iss=https://sts"), Some(id)),
            (format!("Caller: oid={id}"), Some(id)),
            (format!("Caller: oid={id}0"), None),
            ("Caller: oid=$(reboot)".to_owned(), None),
            (format!("Caller: oid=$(reboot){id}"), None),
            ("nobody".to_owned(), None),
        ];
        for (text, known) in table {
            let mut identity = Identity::default();
            identity.learn(&Failure::ours("Forbidden", &text));
            assert_eq!(identity.object.as_deref(), known, "{text}");
        }
        let mut identity = Identity { object: Some("the first".into()), ..Identity::default() };
        identity.learn(&Failure::ours("Forbidden", format!("oid={id}")));
        assert_eq!(identity.object.as_deref(), Some("the first"));
    }

    #[test]
    fn where_nothing_was_seen_nothing_is_well() {
        use Severity::{Error, Info, Warning};
        // What was seen well, what was found, whether nothing was seen, whether all is well.
        let table = [
            (None, None, true, false),
            (Some(SETTINGS), None, true, false),
            (Some(MACHINE), None, true, false),
            (Some("kv-a"), None, false, true),
            (Some("kv-a"), Some(finding("not-a-target", Info, "kv-a")), false, true),
            (Some("kv-a"), Some(finding("can-purge", Warning, "kv-a")), false, false),
            (Some("kv-a"), Some(finding("network-closed", Error, "kv-b")), false, false),
            (None, Some(finding("not-a-target", Info, "kv-a")), true, false),
            (None, Some(finding("can-purge", Warning, "kv-a")), false, false),
            (None, Some(finding("network-closed", Error, "kv-a")), true, false),
            (None, Some(finding("sas-in-use", Warning, "KEYVAULT_BACKUP_HSM_SAS")), true, false),
            (Some(SETTINGS), Some(finding("clock-skew", Warning, MACHINE)), true, false),
        ];
        for (well, found, blind, is_well) in table {
            let mut report = Report { findings: found.into_iter().collect(), ..Report::default() };
            if let Some(subject) = well {
                report.well(subject, "a check", "fine");
            }
            assert_eq!((report.is_blind(), report.is_well()), (blind, is_well), "{report:?}");
            report.unknown("kv-c", "list secrets", "no answer within 25 s");
            assert_eq!((report.is_blind(), report.is_well()), (blind, false), "{report:?}");
        }
    }

    #[test]
    fn the_worst_comes_first_then_by_subject() {
        use Severity::{Error, Info, Warning};
        let findings = vec![
            finding("a", Info, "kv-a"),
            finding("b", Error, "kv-b"),
            finding("c", Warning, "kv-a"),
            finding("d", Error, "kv-a"),
        ];
        let sorted = Report { findings, ..Report::default() }.sorted();
        assert_eq!(sorted.findings.iter().map(|found| found.name).collect::<String>(), "dbca");
    }

    #[test]
    fn only_what_is_shown_depends_on_the_least_severity() {
        use Severity::{Error, Info, Warning};
        let findings = [("a", Error), ("b", Warning), ("c", Info)];
        let findings = findings.map(|(name, severity)| finding(name, severity, "kv-a")).into();
        let report = Report { findings, ..Report::default() };
        for (at_least, expected) in [(Info, "abc"), (Warning, "ab"), (Error, "a")] {
            let names: String = report.groups(at_least).iter().map(|group| group.name).collect();
            assert_eq!((names.as_str(), report.is_well()), (expected, false));
        }
    }

    #[test]
    fn lists_read_as_people_write_them() {
        let items = ["a", "b", "c"].map(str::to_owned);
        let texts = [0, 1, 2, 3].map(|count| listed(&items[..count]));
        assert_eq!(texts, ["", "a", "a and b", "a, b and c"]);
    }
}
