//! Findings about Managed HSMs: the rights of the identity, and those of the HSMs themselves.
//!
//! A check of a backup is a job that concerns two parties: its start shows what the caller may do, its end what the
//! HSM's own identity may do with the container.

use time::OffsetDateTime;

use super::{
    Finding, Installation, Report, Severity,
    cause::words,
    grants,
    hsm_seen::{Ended, HsmSeen},
    remedy::{self, Remedy, quoted},
};
use crate::domain::{
    cause::{Came, Cause},
    role::Role,
    wording::says,
};

/// Judges an HSM.
pub fn judge(seen: &HsmSeen, of: &Installation, now: OffsetDateTime, report: &mut Report) {
    let hsm = seen.name.as_str();
    if let Some((cause, failure)) = seen.backup.refusal()
        && let Some(name) = cause.closed_name()
    {
        report.findings.push(seen.finding(name, words(failure), remedy::open_hsm(hsm, cause, failure)));
        return grants::judge(seen, None, of, now, report);
    }
    let may = restore(seen, of, report);
    grants::judge(seen, may, of, now, report);
    backup(seen, may, of, report);
    key(seen, of, report);
}

fn key(seen: &HsmSeen, of: &Installation, report: &mut Report) {
    let (hsm, what) = (seen.name.as_str(), "back up single keys");
    if let Some((cause, failure)) = seen.key.as_ref().and_then(Came::refusal) {
        if cause.is_missing_right() && of.role == Role::Restore {
            report.well(hsm, what, NOT_ITS_WORK);
        } else if cause.is_missing_right() {
            report.findings.push(seen.finding("cannot-back-up", words(failure), roles(seen, of)));
        } else if cause == Cause::NotFound {
            report.findings.push(Finding {
                why: "A key that is to be backed up by itself is not there.",
                ..seen.finding(
                    "key-missing",
                    words(failure),
                    Remedy::advice("Correct KEYVAULT_BACKUP_HSM_KEYS."),
                )
            });
        } else {
            report.unknown(hsm, what, words(failure));
        }
    } else if seen.key.is_some() {
        report.well(hsm, what, "it can");
    }
}

/// The app that restores backs an HSM up only before it replaces it, and has no right here until then.
const NOT_ITS_WORK: &str = "it cannot, and does so only for a restore";

/// Judges the right to back up, of an identity that may restore or not.
fn backup(seen: &HsmSeen, may: Option<bool>, of: &Installation, report: &mut Report) {
    let (hsm, what) = (seen.name.as_str(), "back up the whole HSM");
    match (&seen.backup, &seen.ended) {
        (Came::Refused(cause, _), _)
            if cause.is_missing_right() && of.role == Role::Restore && may == Some(false) =>
        {
            report.well(hsm, what, NOT_ITS_WORK);
        }
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

/// Judges what the HSM says about its access to the container. Only a missing container was ever seen in the service's
/// own answers; the other words are those of storage and of identities.
fn failed(seen: &HsmSeen, said: &str) -> Finding {
    let HsmSeen { name: hsm, container, .. } = seen;
    let account = &quoted(&seen.account);
    let says = |words: &[&str]| says(said, words);
    let (name, remedy) = if says(&["immutable", "immutability"]) {
        (
            "landing-immutable",
            Remedy::run([format!(
                "az storage account show --name {account} --query immutableStorageWithVersioning"
            )])
            .and("Use an account that was made without an immutability policy."),
        )
    } else if says(&["identity"]) {
        (
            "hsm-identity-missing",
            Remedy::run([format!("infra/scripts/hsm-attach.sh --hsm {hsm} --identity {HSM_IDENTITY}")]),
        )
    } else if says(&["authorizationfailure", "publicaccessnotpermitted", "using this network"]) {
        // Of an address that is kept out; of a missing right storage says Mismatch.
        (
            "hsm-storage-closed",
            Remedy::run([format!("az storage account show --name {account} --query networkRuleSet")])
                .and("Its firewall has to let Azure's trusted services by, of which the HSM is one."),
        )
    } else if says(&["authoriz", "permission", "forbidden", "denied", "authentication"]) {
        let who = "\"$(az identity list --query \"[?starts_with(name, 'id-kvbackup-hsm')].principalId | [0]\" --output tsv)\"";
        (
            "hsm-storage-refused",
            remedy::grant_on_container(who, "Storage Blob Data Contributor", &seen.account, container),
        )
    } else if says(&["resourcenotfound", "notfound", "not found"]) {
        ("container-missing", Remedy::run([remedy::create_container(&seen.account, container)]))
    } else {
        (
            "hsm-check-failed",
            Remedy::run([format!("az keyvault show --hsm-name {hsm}")])
                .and("Check its identity, and which identities may write to the container of its backups."),
        )
    };
    seen.finding(name, format!("its own check of a backup failed: {said}"), remedy)
}

const HSM_IDENTITY: &str =
    "\"$(az identity list --query \"[?starts_with(name, 'id-kvbackup-hsm')].id | [0]\" --output tsv)\"";

/// Judges whether the identity may restore, and says so if that is known.
fn restore(seen: &HsmSeen, of: &Installation, report: &mut Report) -> Option<bool> {
    let (hsm, what) = (seen.name.as_str(), "restore the whole HSM");
    let refused = match &seen.restore {
        Came::Refused(cause, _) if cause.is_missing_right() => true,
        // The service checks the request after the caller's role.
        Came::Done | Came::Refused(Cause::Malformed | Cause::NotFound, _) => false,
        Came::Refused(_, failure) => {
            report.unknown(hsm, what, words(failure));
            return None;
        }
        Came::Late(seconds) => {
            report.unknown(hsm, what, format!("no answer within {seconds} s"));
            return None;
        }
    };
    match (of.role, refused) {
        (Role::Backup, false) => report.findings.push(Finding {
            why: "A full restore wipes an HSM. An attacker in control of the backup app could do that.",
            ..seen.finding("hsm-can-restore", "the identity may restore".to_owned(), {
                let who = remedy::principal(&of.identity);
                Remedy::run([
                    format!("az keyvault role assignment list --hsm-name {hsm} --assignee-object-id {who} --output table"),
                    format!("az keyvault role assignment delete --hsm-name {hsm} --ids ID"),
                ])
                .and("Take away the assignment that allows it. ID is its id in the list.")
            })
        }),
        (Role::Restore | Role::All, true) => report.findings.push(Finding {
            severity: if of.role == Role::Restore { Severity::Info } else { Severity::Warning },
            why: "Nothing can be restored into the HSM. That is as it should be outside of a restore.",
            ..seen.finding("hsm-cannot-restore", "the identity may not restore".to_owned(), roles(seen, of))
        }),
        (_, refused) => report.well(hsm, what, if refused { "it cannot" } else { "it can" }),
    }
    Some(!refused)
}

fn roles(seen: &HsmSeen, of: &Installation) -> Remedy {
    let (hsm, who) = (seen.name.as_str(), remedy::principal(&of.identity));
    remedy::granted(match of.role {
        Role::Backup => format!("infra/scripts/hsm-roles.sh --hsm {hsm} --backup {who}"),
        _ => grants::script(seen, &who, "--grant-restore --hours 4"),
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{first, judged, of, refused, seen},
        *,
    };
    use crate::domain::{hsm::RestoreGrant, samples::NIGHT};

    fn lines(seen: &HsmSeen, role: Role) -> Vec<String> {
        let mut lines = judged(|report| judge(seen, &of(role), NIGHT, report)).1;
        lines.retain(|line| line != NONE && line != "warning hsm-restore-standing");
        lines
    }

    const NONE: &str = "well rights to restore that are on record: none";
    const CAN_BACK_UP: &str = "well back up the whole HSM: its own check says that it can";
    const CANNOT_RESTORE: &str = "well restore the whole HSM: it cannot";

    #[test]
    fn an_hsm_that_cannot_be_reached_is_one_finding() {
        for (cause, name) in [(Cause::Firewall, "error network-closed"), (Cause::NoToken, "error no-token")] {
            let closed = HsmSeen { backup: refused(cause), restore: refused(cause), ..seen() };
            assert_eq!(lines(&closed, Role::Backup), [name]);
        }
    }

    #[test]
    fn a_backup_is_as_good_as_the_check_of_it() {
        let words = "code: the service's words";
        let what = "back up the whole HSM";
        let ended = |ended| (Came::Done, Some(ended));
        let table = [
            (ended(Ended::Well), CAN_BACK_UP.to_owned()),
            (ended(Ended::Failed("ResourceNotFound".into())), "error container-missing".into()),
            (
                ended(Ended::Running(60)),
                format!("unknown {what}: its own check was still running after 60 s"),
            ),
            (
                ended(Ended::Lost(refused(Cause::Passing))),
                format!("unknown {what}: its own check could not be followed: {words}"),
            ),
            (
                ended(Ended::Lost(Came::Late(25))),
                format!("unknown {what}: its own check could not be followed: it was not answered"),
            ),
            ((Came::Done, None), format!("unknown {what}: its own check was not followed")),
            ((refused(Cause::Rbac), None), "error hsm-role-missing".into()),
            ((refused(Cause::Passing), None), format!("unknown {what}: {words}")),
            ((Came::Late(25), None), format!("unknown {what}: no answer within 25 s")),
        ];
        for ((backup, ended), expected) in table {
            let mut found = lines(&HsmSeen { backup, ended, ..seen() }, Role::Backup);
            found.retain(|line| line != CANNOT_RESTORE);
            assert_eq!(found, [expected]);
        }
    }

    #[test]
    fn the_right_to_restore_is_a_fault_of_one_app_and_the_work_of_the_other() {
        let can = "well restore the whole HSM: it can";
        let unknown = "unknown restore the whole HSM: code: the service's words";
        let late = "unknown restore the whole HSM: no answer within 25 s";
        let (no, malformed) = (refused(Cause::Rbac), refused(Cause::Malformed));
        let table = [
            (Role::Backup, no.clone(), CANNOT_RESTORE),
            (Role::Backup, Came::Done, "error hsm-can-restore"),
            (Role::Backup, malformed.clone(), "error hsm-can-restore"),
            (Role::Backup, refused(Cause::NotFound), "error hsm-can-restore"),
            (Role::Restore, no.clone(), "info hsm-cannot-restore"),
            (Role::All, no, "warning hsm-cannot-restore"),
            (Role::Restore, malformed, can),
            (Role::All, Came::Done, can),
            (Role::Restore, refused(Cause::Passing), unknown),
            (Role::Restore, Came::Late(25), late),
        ];
        for (role, restore, expected) in table {
            let mut found = lines(&HsmSeen { restore, ..seen() }, role);
            found.retain(|line| line != CAN_BACK_UP);
            assert_eq!(found, [expected], "{role:?}");
        }
    }

    #[test]
    fn an_app_that_restores_needs_no_right_to_back_up_until_it_may_restore() {
        let (no, missing) = (refused(Cause::Rbac), "error hsm-role-missing");
        let (well, unknown) =
            (format!("well back up the whole HSM: {NOT_ITS_WORK}"), refused(Cause::Passing));
        for (role, restore, expected) in [
            (Role::Restore, no.clone(), well.as_str()),
            (Role::Restore, Came::Done, missing),
            (Role::Restore, unknown, missing),
            (Role::All, no.clone(), missing),
            (Role::Backup, no.clone(), missing),
        ] {
            let found = lines(&HsmSeen { backup: no.clone(), restore, ..seen() }, role);
            assert!(found.iter().any(|line| line == expected), "{role:?}: {found:?}");
            assert_eq!(found.iter().any(|line| line == missing), expected == missing, "{role:?}: {found:?}");
        }
        let key = HsmSeen { key: Some(no), ..seen() };
        let well = format!("well back up single keys: {NOT_ITS_WORK}");
        assert!(lines(&key, Role::Restore).contains(&well), "{:?}", lines(&key, Role::Restore));
    }

    #[test]
    fn what_is_on_record_is_told_also_of_an_hsm_that_cannot_be_reached() {
        let over = RestoreGrant { principal: "OTHER".to_owned(), until: NIGHT };
        let closed = HsmSeen { backup: refused(Cause::Firewall), grants: Some(Ok(vec![over])), ..seen() };
        assert_eq!(lines(&closed, Role::Backup), ["error network-closed", "error hsm-restore-overdue"]);
    }

    #[test]
    fn a_single_key_is_there_and_may_be_backed_up() {
        let what = "back up single keys";
        let table = [
            (Came::Done, format!("well {what}: it can")),
            (refused(Cause::Denied), "error cannot-back-up".into()),
            (refused(Cause::NotFound), "error key-missing".into()),
            (refused(Cause::Passing), format!("unknown {what}: code: the service's words")),
        ];
        for (key, expected) in table {
            let mut found = lines(&HsmSeen { key: Some(key), ..seen() }, Role::Backup);
            found.retain(|line| line != CANNOT_RESTORE && line != CAN_BACK_UP);
            assert_eq!(found, [expected]);
        }
    }

    #[test]
    fn each_finding_says_why_it_matters_and_what_mends_it() {
        let (no, gone) = (refused(Cause::Rbac), refused(Cause::NotFound));
        let roles = "infra/scripts/hsm-roles.sh --hsm hsm-a";
        let wipe = "A full restore wipes an HSM.";
        let table = [
            (
                Role::Backup,
                HsmSeen { backup: no.clone(), ..seen() },
                "The HSM cannot",
                format!("{roles} --backup WHO"),
            ),
            (
                Role::Restore,
                seen(),
                "Nothing can be restored",
                format!("{roles} --restore WHO --account records --container kept --grant-restore --hours 4"),
            ),
            (
                Role::Backup,
                HsmSeen { restore: Came::Done, ..seen() },
                wipe,
                "az keyvault role assignment list".into(),
            ),
            (
                Role::Backup,
                HsmSeen { key: Some(gone), ..seen() },
                "A key that",
                "Correct KEYVAULT_BACKUP_HSM_KEYS".into(),
            ),
            (
                Role::Backup,
                HsmSeen { key: Some(no), ..seen() },
                "The HSM cannot",
                format!("{roles} --backup WHO"),
            ),
        ];
        for (role, seen, why, remedy) in table {
            let (report, _) = judged(|report| judge(&seen, &of(role), NIGHT, report));
            let found = &report.findings[0];
            assert_eq!(found.subject, "hsm-a");
            assert!(found.why.starts_with(why) && first(&found.remedy).starts_with(&remedy), "{found:?}");
        }
    }

    #[test]
    fn what_the_hsm_says_of_its_storage_is_told_apart() {
        for (said, name, remedy) in [
            ("ManagedIdentityNotFound", "hsm-identity-missing", "infra/scripts/hsm-attach.sh --hsm hsm-a"),
            ("AuthorizationPermissionMismatch", "hsm-storage-refused", "az role assignment create"),
            (
                "This request is not authorized (403) to perform this operation using this permission.",
                "hsm-storage-refused",
                "az role",
            ),
            (
                "AuthorizationFailure: This request is not authorized",
                "hsm-storage-closed",
                "az storage account show --name landing",
            ),
            ("PublicAccessNotPermitted", "hsm-storage-closed", "az storage account show --name landing"),
            (
                "The specified container does not exist (ContainerNotFound): not found",
                "container-missing",
                "az storage container create",
            ),
            (
                "ResourceNotFound",
                "container-missing",
                "az storage container create --account-name landing --name hsm",
            ),
            ("BlobImmutableDueToPolicy", "landing-immutable", "az storage account show --name landing"),
            ("Something else", "hsm-check-failed", "az keyvault show --hsm-name hsm-a"),
        ] {
            let found = failed(&seen(), said);
            assert_eq!(found.name, name);
            assert!(first(&found.remedy).starts_with(remedy) && found.seen.ends_with(said), "{found:?}");
        }
    }
}
