//! Managed HSMs: what they let the identity do, and what they can do themselves.
//!
//! A check of a backup is a job. It tells of two different parties: the start of what the caller may do, the
//! end of what the HSM's own identity may do with the container.

use super::{Came, Cause, Finding, Installation, Purpose, Report, Severity, cause::words, remedy};
use crate::domain::hsm::HsmName;

/// How a check that was started ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It would work.
    Well,
    /// It would not, in the service's words.
    Failed(String),
    /// It had not ended after so many seconds.
    Running(u64),
    /// It could not be asked about.
    Lost(Came),
}

/// What was tried with an HSM.
#[derive(Clone, Debug)]
pub struct HsmSeen {
    /// The HSM.
    pub name: HsmName,
    /// The account of the container that it writes to.
    pub account: String,
    /// That container.
    pub container: String,
    /// Starting a check of a backup.
    pub backup: Came,
    /// How that check ended.
    pub ended: Option<Ended>,
    /// Starting a check of a restore.
    pub restore: Came,
    /// Backing up one key, where the settings name one.
    pub key: Option<Came>,
}

impl HsmSeen {
    fn finding(&self, name: &'static str, seen: String, remedy: String) -> Finding {
        Finding {
            name,
            severity: Severity::Error,
            subject: self.name.to_string(),
            seen,
            why: "The HSM cannot be backed up.",
            remedy,
        }
    }
}

/// Judges an HSM.
pub fn judge(seen: &HsmSeen, of: &Installation, report: &mut Report) {
    let hsm = seen.name.as_str();
    if let Some((cause, failure)) = seen.backup.refusal().filter(|(cause, _)| cause.is_closed()) {
        let name = cause.closed_name();
        report.findings.push(seen.finding(name, words(failure), remedy::open_hsm(hsm, cause)));
        return;
    }
    backup(seen, of, report);
    restore(seen, of, report);
    if let Some((cause, failure)) = seen.key.as_ref().and_then(Came::refusal) {
        let what = "back up single keys";
        if cause.is_missing_right() {
            report.findings.push(seen.finding("cannot-back-up", words(failure), roles(seen, of)));
        } else if cause == Cause::NotFound {
            report.findings.push(Finding {
                why: "A key that is to be backed up by itself is not there.",
                ..seen.finding("key-missing", words(failure), "correct KEYVAULT_BACKUP_HSM_KEYS".to_owned())
            });
        } else {
            report.unknown(hsm, what, words(failure));
        }
    } else if seen.key.is_some() {
        report.well(hsm, "back up single keys", "it can");
    }
}

fn backup(seen: &HsmSeen, of: &Installation, report: &mut Report) {
    let (hsm, what) = (seen.name.as_str(), "back up the whole HSM");
    match (&seen.backup, &seen.ended) {
        (Came::Refused(cause, failure), _) if cause.is_missing_right() => {
            report.findings.push(seen.finding("hsm-role-missing", words(failure), roles(seen, of)));
        }
        (Came::Refused(_, failure), _) => report.unknown(hsm, what, words(failure)),
        (Came::Late(seconds), _) => report.unknown(hsm, what, format!("no answer within {seconds} s")),
        (Came::Done, Some(Ended::Well)) => report.well(hsm, what, "its own check says that it can"),
        (Came::Done, Some(Ended::Failed(said))) => report.findings.push(failed(seen, said)),
        (Came::Done, Some(Ended::Running(seconds))) => {
            report.unknown(hsm, what, format!("its own check was still running after {seconds} s"));
        }
        (Came::Done, Some(Ended::Lost(came))) => {
            let why = came
                .refusal()
                .map_or_else(|| "it was not answered".to_owned(), |(_, failure)| words(failure));
            report.unknown(hsm, what, format!("its own check could not be followed: {why}"));
        }
        (Came::Done, None) => report.unknown(hsm, what, "its own check was not followed"),
    }
}

/// What the HSM says of its way to the container. Only a missing container was ever seen in the service's own
/// answers; the other words are those of storage and of identities.
fn failed(seen: &HsmSeen, said: &str) -> Finding {
    let HsmSeen { name: hsm, account, container, .. } = seen;
    let lower = said.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let (name, remedy) = if says(&["immutable", "immutability"]) {
        (
            "landing-immutable",
            format!(
                "az storage account show --name {account} --query immutableStorageWithVersioning; use an account that was made \
                 without an immutability policy"
            ),
        )
    } else if says(&["identity"]) {
        ("hsm-identity-missing", format!("infra/scripts/hsm-attach.sh --hsm {hsm} --identity {HSM_IDENTITY}"))
    } else if says(&["authoriz", "permission", "forbidden", "denied", "authentication"]) {
        let who = "\"$(az identity list --query \"[?starts_with(name, 'id-kvbackup-hsm')].principalId | [0]\" --output tsv)\"";
        (
            "hsm-storage-refused",
            remedy::grant_on_container(who, "Storage Blob Data Contributor", account, container),
        )
    } else if says(&["resourcenotfound", "notfound", "not found"]) {
        (
            "container-missing",
            format!(
                "az storage container create --account-name {account} --name {container} --auth-mode login"
            ),
        )
    } else {
        (
            "hsm-check-failed",
            format!(
                "az keyvault show --hsm-name {hsm}; look at its identity, and at who may write to {account}/{container}"
            ),
        )
    };
    seen.finding(name, format!("its own check of a backup failed: {said}"), remedy)
}

const HSM_IDENTITY: &str =
    "\"$(az identity list --query \"[?starts_with(name, 'id-kvbackup-hsm')].id | [0]\" --output tsv)\"";

fn restore(seen: &HsmSeen, of: &Installation, report: &mut Report) {
    let (hsm, what) = (seen.name.as_str(), "restore the whole HSM");
    let refused = match &seen.restore {
        Came::Refused(cause, _) if cause.is_missing_right() => true,
        // What is wrong with the request is looked at after the caller's role.
        Came::Done | Came::Refused(Cause::Malformed | Cause::NotFound, _) => false,
        Came::Refused(_, failure) => return report.unknown(hsm, what, words(failure)),
        Came::Late(seconds) => return report.unknown(hsm, what, format!("no answer within {seconds} s")),
    };
    match (of.purpose, refused) {
        (Purpose::Backup, false) => report.findings.push(Finding {
            why: "A full restore wipes an HSM. Whoever takes over the backup app could do that.",
            ..seen.finding("hsm-can-restore", "the identity may restore".to_owned(), {
                let who = remedy::principal(&of.identity);
                format!("az keyvault role assignment list --hsm-name {hsm} --assignee-object-id {who} --output table; then az keyvault role assignment delete --hsm-name {hsm} --ids ID")
            })
        }),
        (Purpose::Restore | Purpose::Both, true) => report.findings.push(Finding {
            severity: Severity::Warning,
            why: "Nothing can be restored into the HSM. That is as it should be outside of a restore.",
            ..seen.finding("hsm-cannot-restore", "the identity may not restore".to_owned(), roles(seen, of))
        }),
        (_, refused) => report.well(hsm, what, if refused { "it cannot" } else { "it can" }),
    }
}

fn roles(seen: &HsmSeen, of: &Installation) -> String {
    let (hsm, who) = (seen.name.as_str(), remedy::principal(&of.identity));
    let option = if of.purpose == Purpose::Backup { "--backup" } else { "--restore" };
    format!("infra/scripts/hsm-roles.sh --hsm {hsm} {option} {who}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hsm_says_of_its_storage_is_told_apart() {
        let seen = HsmSeen {
            name: "hsm-a".parse().unwrap(),
            account: "landing".to_owned(),
            container: "hsm".to_owned(),
            backup: Came::Done,
            ended: None,
            restore: Came::Done,
            key: None,
        };
        for (said, name) in [
            ("ManagedIdentityNotFound", "hsm-identity-missing"),
            ("AuthorizationPermissionMismatch", "hsm-storage-refused"),
            ("ResourceNotFound", "container-missing"),
            ("BlobImmutableDueToPolicy", "landing-immutable"),
            ("Something else", "hsm-check-failed"),
        ] {
            assert_eq!(failed(&seen, said).name, name);
        }
    }
}
