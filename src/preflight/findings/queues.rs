//! Findings about queues and their poison queues.

use super::{
    Finding, Installation, Report, Severity,
    cause::words,
    remedy::{self, Remedy, quoted},
};
use crate::domain::cause::{Came, Cause};

/// The observations of a queue.
#[derive(Clone, Debug)]
pub struct QueueSeen {
    /// The storage account.
    pub account: String,
    /// The queue.
    pub name: String,
    /// The approximate number of its messages, or why that is not known.
    pub waiting: Result<i64, Came>,
    /// The approximate number of messages in its poison queue, or why that is not known.
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
        why: "Without it the functions carry out no planned backup or restore.",
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
                    Remedy::run([format!(
                        "az storage queue create --account-name {} --name {name} --auth-mode login",
                        quoted(account)
                    )]),
                )),
                cause if cause.is_missing_right() => Some((
                    "queue-unreadable",
                    remedy::grant_on_account(of, "Storage Queue Data Reader", account),
                )),
                cause => cause.closed_name().map(|name| (name, remedy::open_account(account, cause))),
            };
            match made {
                Some((name, remedy)) => report.findings.push(finding(name, words(failure), remedy)),
                None => report.unknown(&subject, "read", words(failure)),
            }
        }
    }
    given_up(seen, report);
}

/// Judges the poison queue, which does not exist before its first message.
fn given_up(seen: &QueueSeen, report: &mut Report) {
    let QueueSeen { account, name, .. } = seen;
    let subject = format!("{account}/{name}-poison");
    match &seen.poisoned {
        Ok(count @ 1..) => report.findings.push(Finding {
            name: "poisoned",
            severity: Severity::Warning,
            subject,
            seen: format!("messages that were given up: about {count}"),
            why: "Objects they name may lack a backup or a restore; see `poison-message` in docs/operations.md.",
            remedy: Remedy::run([format!(
                "az storage message peek --queue-name {name}-poison --account-name {} --auth-mode login --num-messages 32",
                quoted(account)
            )]),
        }),
        // A failure that concerns both queues is reported for the first.
        Err(Came::Late(seconds)) if seen.waiting.is_ok() => {
            report.unknown(&subject, "read", format!("no answer within {seconds} s"));
        }
        Err(Came::Refused(cause, failure)) if seen.waiting.is_ok() && *cause != Cause::NotFound => {
            report.unknown(&subject, "read", words(failure));
        }
        Ok(_) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{judged, of, refused},
        *,
    };
    use crate::domain::role::Role;

    fn seen(waiting: Result<i64, Came>, poisoned: Result<i64, Came>) -> (Report, Vec<String>) {
        let seen = QueueSeen { account: "work".into(), name: "objects".into(), waiting, poisoned };
        judged(|report| judge(&seen, &of(Role::Backup), report))
    }

    #[test]
    fn a_queue_that_cannot_be_read_is_a_finding_or_unknown() {
        let not_found = || Err(refused(Cause::NotFound));
        let words = "unknown read: code: the service's words";
        let table = [
            (Ok(3), "well read: about 3 messages wait"),
            (not_found(), "error queue-missing"),
            (Err(refused(Cause::Denied)), "error queue-unreadable"),
            (Err(refused(Cause::Firewall)), "error network-closed"),
            (Err(refused(Cause::NoToken)), "error no-token"),
            (Err(refused(Cause::Passing)), words),
            (Err(Came::Late(25)), "unknown read: no answer within 25 s"),
        ];
        for (waiting, expected) in table {
            let (report, lines) = seen(waiting, not_found());
            assert_eq!(lines, [expected]);
            assert!(report.findings.iter().all(|found| found.subject == "work/objects"), "{report:?}");
        }
    }

    #[test]
    fn what_was_given_up_is_a_finding_and_unknown_where_it_cannot_be_seen() {
        let table = [
            (Ok(2), Some("warning poisoned")),
            (Ok(0), None),
            (Err(refused(Cause::NotFound)), None),
            (Err(refused(Cause::Denied)), Some("unknown read: code: the service's words")),
            (Err(Came::Late(25)), Some("unknown read: no answer within 25 s")),
        ];
        for (poisoned, expected) in table {
            let (report, lines) = seen(Ok(0), poisoned);
            assert_eq!(lines.first().map(String::as_str).filter(|line| !line.starts_with("well")), expected);
            assert!(report.findings.iter().all(|found| found.subject == "work/objects-poison"), "{report:?}");
        }
        let denied = || Err(refused(Cause::Denied));
        assert_eq!(seen(denied(), denied()).1, ["error queue-unreadable"], "it is said once");
    }
}
