//! Findings about containers.

use time::OffsetDateTime;

use super::{
    Finding, Installation, Report, Severity,
    cause::{Held, words},
    remedy::{self, Remedy, quoted},
};
use crate::azure::container::probe::Protection;
use crate::domain::{
    cause::{Came, Cause},
    role::Role,
};

/// The purpose of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Backups: written once, never deleted by the app.
    Backups,
    /// Running jobs: written, replaced and deleted.
    Jobs,
    /// Backups of whole HSMs: written by HSMs, read by the app.
    Landing,
    /// Copies of backups in an account of others: read, and added to, by the keeper.
    Second,
}

/// The observations of a container.
#[derive(Clone, Debug)]
pub struct ContainerSeen {
    /// Its purpose.
    pub used: Use,
    /// The storage account.
    pub account: String,
    /// The container.
    pub container: String,
    /// Asking for its properties.
    pub reached: Came,
    /// Listing a page.
    pub read: Came,
    /// Writing the probe, create-only.
    pub written: Option<Came>,
    /// Deleting the probe.
    pub deleted: Option<Came>,
    /// Writing the probe once more, over itself.
    pub changed: Option<Came>,
    /// Its write protection.
    pub protection: Protection,
}

impl ContainerSeen {
    fn subject(&self) -> String {
        format!("{}/{}", self.account, self.container)
    }

    /// The role that an app should have.
    fn role(&self, of: Role) -> &'static str {
        match self.used {
            _ if of == Role::Page => "Storage Blob Data Reader",
            Use::Backups | Use::Second => "custom Key Vault Backup Blob Writer",
            Use::Jobs => "Storage Blob Data Contributor",
            Use::Landing => "Storage Blob Data Reader",
        }
    }

    fn why(&self) -> &'static str {
        match self.used {
            Use::Backups => "Without it nothing is stored, and nothing can be restored.",
            Use::Jobs => "Without it no run and no restore is begun or ended.",
            Use::Landing => "Without it no pass can see whether an HSM's backup is there.",
            Use::Second => "Without it nothing is copied into the second place.",
        }
    }

    fn finding(&self, name: &'static str, seen: String, remedy: Remedy) -> Finding {
        Finding { name, severity: Severity::Error, subject: self.subject(), seen, why: self.why(), remedy }
    }
}

const BY_FIX: &str =
    "If the setting names the right container, `keyvault-backup preflight --fix` makes it as well.";

/// Judges a container.
pub fn judge(seen: &ContainerSeen, of: &Installation, now: OffsetDateTime, report: &mut Report) {
    let subject = seen.subject();
    if let Some((cause, failure)) = seen.reached.refusal() {
        if let Some(name) = cause.closed_name() {
            report.findings.push(seen.finding(
                name,
                words(failure),
                remedy::open_account(&seen.account, cause),
            ));
            return;
        }
        if cause == Cause::NotFound {
            let (account, container) = (&seen.account, &seen.container);
            let make = Remedy::run([remedy::create_container(account, container)]);
            let make = match seen.used {
                Use::Backups | Use::Jobs => make.and(BY_FIX),
                Use::Landing => make,
                Use::Second => make.and(
                    "Its owners do: `infra/second-place.bicep` makes the container and grants the role.",
                ),
            };
            report.findings.push(seen.finding("container-missing", words(failure), make));
            return;
        }
    }
    able(seen, of, report, "container-unreadable", "read", Some(&seen.read));
    able(seen, of, report, "container-unwritable", "write", seen.written.as_ref());
    match seen.used {
        Use::Backups => {
            undeletable(seen, of, report);
            protected(seen, now, report);
        }
        Use::Second => {
            undeletable(seen, of, report);
            unchangeable(seen, of, report);
            protected(seen, now, report);
        }
        Use::Jobs => able(seen, of, report, "jobs-undeletable", "delete", seen.deleted.as_ref()),
        Use::Landing => unprotected(seen, report, &subject),
    }
}

fn able(
    seen: &ContainerSeen,
    of: &Installation,
    report: &mut Report,
    name: &'static str,
    verb: &str,
    came: Option<&Came>,
) {
    let Some(came) = came else { return };
    let subject = seen.subject();
    match came.held() {
        Held::Yes => report.well(&subject, verb, "it can"),
        Held::No(_, failure) => {
            let who = remedy::principal(&of.identity);
            let grant = remedy::grant_on_container(&who, seen.role(of.role), &seen.account, &seen.container);
            report.findings.push(seen.finding(name, words(&failure), grant));
        }
        Held::Unknown(_) if came.cause() == Some(Cause::Immutable) => {
            report.findings.push(Finding {
                severity: Severity::Error,
                ..seen.finding(name, "write protection keeps it from that".to_owned(), unprotect(seen))
            });
        }
        Held::Unknown(why) => report.unknown(&subject, verb, why),
    }
}

/// Nothing in the container of backups may be deleted by the app.
fn undeletable(seen: &ContainerSeen, of: &Installation, report: &mut Report) {
    let Some(came) = &seen.deleted else { return };
    let (subject, narrow) =
        (seen.subject(), || remedy::narrow_on_container(of, &seen.account, &seen.container));
    let why = "An attacker in control of the app could delete all its backups.";
    match came.held() {
        Held::No(..) => report.well(&subject, "delete backups", "it cannot"),
        Held::Yes => report.findings.push(Finding {
            why,
            ..seen.finding("backups-deletable", "the probe could be deleted".to_owned(), narrow())
        }),
        Held::Unknown(_) if came.cause() == Some(Cause::Immutable) => report.findings.push(Finding {
            severity: Severity::Warning,
            why: "Only write protection prevents it; once that ends, an attacker in the app could delete backups.",
            ..seen.finding(
                "delete-right",
                "the identity may delete; write protection stops it for now".to_owned(),
                narrow(),
            )
        }),
        Held::Unknown(why) => report.unknown(&subject, "delete backups", why),
    }
}

/// Nothing in the second place may be changed by the app: what is written over a copy takes its place.
fn unchangeable(seen: &ContainerSeen, of: &Installation, report: &mut Report) {
    let Some(came) = &seen.changed else { return };
    let (subject, what) = (seen.subject(), "change backups");
    // To an identity that may add, storage may say that the name is taken.
    if came.refusal().is_some_and(|(_, failure)| failure.code == "BlobAlreadyExists") {
        report.well(&subject, what, "it cannot");
        return;
    }
    let found = |severity, seen_as: &str| Finding {
        severity,
        why: "An attacker in control of the keeper could put something else in the place of every copy.",
        ..seen.finding(
            "backups-changeable",
            seen_as.to_owned(),
            remedy::narrow_on_container(of, &seen.account, &seen.container),
        )
    };
    match came.held() {
        Held::No(..) => report.well(&subject, what, "it cannot"),
        Held::Yes => report.findings.push(found(Severity::Error, "the probe could be written again")),
        Held::Unknown(_) if came.cause() == Some(Cause::Immutable) => report.findings.push(found(
            Severity::Warning,
            "the identity may change blobs; write protection stops it for now",
        )),
        Held::Unknown(why) => report.unknown(&subject, what, why),
    }
}

fn protected(seen: &ContainerSeen, now: OffsetDateTime, report: &mut Report) {
    let (subject, what) = (seen.subject(), "write protection");
    let Protection { container, versions, until, locked } = seen.protection;
    match (until, container, versions) {
        (Some(until), ..) if until > now => {
            report.well(&subject, what, format!("the probe is protected until {}", until.date()));
            if locked == Some(false) {
                report.findings.push(Finding {
                    severity: Severity::Info,
                    why: "An administrator can still shorten the protection, or take it off.",
                    ..seen.finding("protection-unlocked", "the policy is not locked".to_owned(), lock(seen))
                });
            }
        }
        (_, Some(true), _) => report.well(&subject, what, "the container has a policy"),
        (None, Some(false), Some(true)) if seen.deleted.is_none() => {
            report.unknown(&subject, what, "the probe that would show it could not be written");
        }
        (Some(_), ..) | (None, Some(false), Some(_)) => report.findings.push(Finding {
            severity: Severity::Warning,
            why: "Every identity that can write to the account or administers it can destroy the backups.",
            ..seen.finding(
                "no-write-protection",
                "neither the container nor the probe is protected".to_owned(),
                Remedy::advice(
                    "Deploy infra/ with `retention.immutabilityDays` into an account of its own: an account gets write \
                     protection for versions only when it is made.",
                ),
            )
        }),
        _ => report.unknown(&subject, what, "the service does not show it here"),
    }
}

fn lock(seen: &ContainerSeen) -> Remedy {
    let account = quoted(&seen.account);
    Remedy::run([format!(
        "infra/scripts/lock-immutability.sh --account {account} --group \"$(az storage account show --name {account} --query \
         resourceGroup --output tsv)\""
    )])
    .and("This cannot be undone.")
}

/// An HSM refuses to write into a container with write protection.
fn unprotected(seen: &ContainerSeen, report: &mut Report, subject: &str) {
    match (seen.protection.container, seen.protection.versions) {
        (Some(true), _) | (_, Some(true)) => report.findings.push(Finding {
            why: "Managed HSM refuses to back up into an account with an immutability policy.",
            ..seen.finding(
                "landing-immutable",
                "the container is write-protected".to_owned(),
                unprotect(seen),
            )
        }),
        (Some(false), _) => report.well(subject, "no write protection", "there is none"),
        (None, _) => report.unknown(subject, "no write protection", "the service does not show it here"),
    }
}

fn unprotect(seen: &ContainerSeen) -> Remedy {
    let (account, container) = (quoted(&seen.account), quoted(&seen.container));
    Remedy::run([format!(
        "az storage container immutability-policy show --account-name {account} --container-name {container}"
    )])
    .and("Use a container without a policy, in an account that was made without one.")
}

#[cfg(test)]
mod tests;
