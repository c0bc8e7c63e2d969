//! Findings about the right to restore an HSM, which is to end with the restore that it was given for.
//!
//! An app cannot read an HSM's assignments. It knows whether it may restore itself, because it tries, and what people put
//! on record.

use time::OffsetDateTime;

use super::{
    Finding, Installation, Report, Severity,
    hsm_seen::HsmSeen,
    remedy::{self, Remedy, quoted},
};
use crate::domain::{hsm::RestoreGrant, moment::minute, role::Role};

const WHAT: &str = "rights to restore that are on record";

/// Judges the rights on record, and the one that the identity has: `may` says whether it may restore, if that is known.
pub(super) fn judge(
    seen: &HsmSeen,
    may: Option<bool>,
    of: &Installation,
    now: OffsetDateTime,
    report: &mut Report,
) {
    let hsm = seen.name.as_str();
    let grants = match &seen.grants {
        // Without a container of backups there is no record.
        None => return,
        Some(Err(why)) => return report.unknown(hsm, WHAT, why.as_str()),
        Some(Ok(grants)) => grants,
    };
    // The app of this identity knows better than the record.
    let own_and_gone = |grant: &&RestoreGrant| {
        may == Some(false)
            && of.role == Role::Restore
            && of.identity.object.as_ref() == Some(&grant.principal)
    };
    let (gone, open): (Vec<_>, Vec<_>) = grants.iter().partition(own_and_gone);
    if open.is_empty() && may == Some(true) && of.role == Role::Restore {
        report.findings.push(standing(seen, of));
    } else if open.is_empty() {
        report.well(
            hsm,
            WHAT,
            if gone.is_empty() { "none" } else { "one, and the identity does not have it any more" },
        );
    }
    report.findings.extend(open.iter().map(|grant| on_record(seen, grant, now)));
}

fn on_record(seen: &HsmSeen, grant: &RestoreGrant, now: OffsetDateTime) -> Finding {
    let RestoreGrant { principal, until } = grant;
    let revoke = Remedy::run([script(seen, principal, "--revoke-restore")]);
    if now < *until {
        let remedy = revoke.and("When the restore is done, take the right away.");
        let words = format!("{principal} was given the right to restore until {}", minute(*until));
        return Finding {
            severity: Severity::Info,
            why: "A full restore wipes the HSM. The right does not end by itself.",
            ..seen.finding("hsm-restore-granted", words, remedy)
        };
    }
    Finding {
        why: "A full restore wipes the HSM. The right does not end by itself, and an attacker in control of the restore \
              app could use it.",
        ..seen.finding(
            "hsm-restore-overdue",
            format!(
                "{principal} was given the right to restore until {}, and no revocation is on record",
                minute(*until)
            ),
            revoke.and("If it was taken away in another way, this puts that on record."),
        )
    }
}

fn standing(seen: &HsmSeen, of: &Installation) -> Finding {
    let words = "the identity may restore, and no end of that is on record";
    let remedy = Remedy::run([script(seen, &remedy::principal(&of.identity), "--revoke-restore")]).and(
        "Earlier versions of deploy.sh granted this for good. It is needed only for the time of a restore.",
    );
    Finding {
        severity: Severity::Warning,
        why: "A full restore wipes the HSM. An attacker in control of the restore app could do that at any time.",
        ..seen.finding("hsm-restore-standing", words.to_owned(), remedy)
    }
}

/// The command that grants or revokes the right to restore.
pub(super) fn script(seen: &HsmSeen, who: &str, act: &str) -> String {
    let (account, container) = seen.records.as_ref().map_or(("ACCOUNT", "backups"), |(a, c)| (a, c));
    let (hsm, account, container) = (&seen.name, quoted(account), quoted(container));
    format!(
        "infra/scripts/hsm-roles.sh --hsm {hsm} --restore {who} --account {account} --container {container} {act}"
    )
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::{
        super::samples::{first, judged, of, seen},
        *,
    };
    use crate::domain::samples::NIGHT;

    fn grant(principal: &str, until: OffsetDateTime) -> RestoreGrant {
        RestoreGrant { principal: principal.to_owned(), until }
    }

    /// The role of the app, whether it may restore, the grants on record, and what is reported.
    type Case<'a> = (Role, Option<bool>, Vec<RestoreGrant>, Vec<&'a str>);

    #[test]
    fn a_right_is_to_end_and_to_be_revoked() {
        let (soon, over) = (NIGHT + Duration::SECOND, NIGHT);
        let (none, granted) = (format!("well {WHAT}: none"), "info hsm-restore-granted");
        let (overdue, standing) = ("error hsm-restore-overdue", "warning hsm-restore-standing");
        let gone = format!("well {WHAT}: one, and the identity does not have it any more");
        let mine = |until| vec![grant("WHO", until)];
        let (backup, restore) = (Role::Backup, Role::Restore);
        let table: Vec<Case<'_>> = vec![
            (backup, Some(false), vec![], vec![&none]),
            (backup, Some(false), mine(soon), vec![granted]),
            (backup, Some(false), mine(over), vec![overdue]),
            (backup, None, mine(over), vec![overdue]),
            (restore, Some(false), vec![], vec![&none]),
            (restore, Some(true), vec![], vec![standing]),
            (restore, None, vec![], vec![&none]),
            (restore, Some(true), mine(soon), vec![granted]),
            (restore, Some(true), mine(over), vec![overdue]),
            (restore, Some(false), mine(over), vec![&gone]),
            (restore, None, mine(over), vec![overdue]),
            (restore, Some(false), vec![grant("OTHER", over)], vec![overdue]),
            (restore, Some(true), vec![grant("OTHER", over), grant("WHO", soon)], vec![overdue, granted]),
            (Role::All, Some(true), vec![], vec![&none]),
            (Role::All, Some(false), mine(over), vec![overdue]),
        ];
        for (role, may, grants, expected) in table {
            let seen = HsmSeen { grants: Some(Ok(grants.clone())), ..seen() };
            let (_, lines) = judged(|report| judge(&seen, may, &of(role), NIGHT, report));
            assert_eq!(lines, expected, "{role:?} {may:?} {grants:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_known_and_without_a_container_there_is_no_record() {
        let unread = HsmSeen { grants: Some(Err("no answer".to_owned())), ..seen() };
        let (_, lines) = judged(|report| judge(&unread, Some(true), &of(Role::Restore), NIGHT, report));
        assert_eq!(lines, [format!("unknown {WHAT}: no answer")]);
        let none = HsmSeen { grants: None, ..seen() };
        let (_, lines) = judged(|report| judge(&none, Some(true), &of(Role::Restore), NIGHT, report));
        assert!(lines.is_empty(), "{lines:?}");
    }

    #[test]
    fn each_finding_has_the_command_that_revokes() {
        let over = grant("OTHER", NIGHT);
        for (grants, who) in [(vec![over], "OTHER"), (vec![], "WHO")] {
            let seen = HsmSeen { grants: Some(Ok(grants)), ..seen() };
            let (report, _) = judged(|report| judge(&seen, Some(true), &of(Role::Restore), NIGHT, report));
            let command = format!(
                "infra/scripts/hsm-roles.sh --hsm hsm-a --restore {who} --account records --container kept --revoke-restore"
            );
            assert_eq!(first(&report.findings[0].remedy), command);
        }
    }
}
