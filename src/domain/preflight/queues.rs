//! Queues, and what was given up beside them.

use super::{Came, Cause, Finding, Installation, Purpose, Report, Severity, cause::words, remedy};

/// What was seen of a queue.
#[derive(Clone, Debug)]
pub struct QueueSeen {
    /// The storage account.
    pub account: String,
    /// The queue.
    pub name: String,
    /// About how many messages there are, or why that is not known.
    pub waiting: Result<i64, Came>,
    /// The same of the poison queue beside it.
    pub poisoned: Result<i64, Came>,
}

/// Judges a queue.
pub fn judge(seen: &QueueSeen, of: &Installation, report: &mut Report) {
    let QueueSeen { account, name, .. } = seen;
    let subject = format!("{account}/{name}");
    let finding = |name, seen, remedy| Finding {
        name,
        severity: Severity::Error,
        subject: subject.clone(),
        seen,
        why: "Without it nothing that is planned is carried out by the functions.",
        remedy,
    };
    match &seen.waiting {
        Ok(count) => report.well(&subject, "read", format!("about {count} messages wait")),
        Err(Came::Done) => {}
        Err(Came::Late(seconds)) => report.unknown(&subject, "read", format!("no answer within {seconds} s")),
        Err(Came::Refused(cause, failure)) => {
            let cause = *cause;
            let made = match cause {
                Cause::NotFound => Some((
                    "queue-missing",
                    format!(
                        "az storage queue create --account-name {account} --name {name} --auth-mode login"
                    ),
                )),
                cause if cause.is_missing_right() => Some((
                    "queue-unreadable",
                    remedy::grant_on_account(of, "Storage Queue Data Reader", account),
                )),
                cause if cause.is_closed() => {
                    Some((cause.closed_name(), remedy::open_account(account, cause)))
                }
                _ => None,
            };
            match made {
                Some((name, remedy)) => report.findings.push(finding(name, words(failure), remedy)),
                None => report.unknown(&subject, "read", words(failure)),
            }
        }
    }
    if let Ok(count @ 1..) = seen.poisoned {
        report.findings.push(Finding {
            name: "poisoned",
            severity: Severity::Warning,
            subject: format!("{account}/{name}-poison"),
            seen: format!("about {count} messages were given up"),
            why: "Objects they name may lack a backup or a restore; see `poison-message` in docs/operations.md.",
            remedy: format!(
                "az storage message peek --queue-name {name}-poison --account-name {account} --auth-mode login --num-messages 32"
            ),
        });
    }
}

/// Whether an app with this purpose uses the queue of backups, and that of restores.
pub fn queues_of(purpose: Purpose) -> [bool; 2] {
    [purpose != Purpose::Restore, purpose != Purpose::Backup]
}
