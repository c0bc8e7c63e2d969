//! Findings about the rights of the identity in a vault: missing ones, and ones that it should not have.

use super::{
    Finding, Installation, Report, Severity,
    cause::{Held, words},
    listed, remedy,
};
use crate::domain::cause::{Came, Cause};
use crate::domain::{object::ObjectKind, role::Role, source::SourceName};

/// The outcome of a try for each kind.
pub type Kinds = Vec<(ObjectKind, Came)>;

/// The observations of a vault.
#[derive(Clone, Debug)]
pub struct VaultSeen {
    /// The vault.
    pub name: SourceName,
    /// Listing a page.
    pub lists: Kinds,
    /// Backing up an object, or one that cannot exist where there is none.
    pub backups: Kinds,
    /// Reading the value of a secret that cannot exist.
    pub value: Came,
    /// Purging what cannot exist.
    pub purges: Kinds,
    /// Restoring what is no backup.
    pub restores: Kinds,
}

impl VaultSeen {
    /// Everything that was tried.
    pub fn all(&self) -> impl Iterator<Item = &Came> {
        let kinds = [&self.lists, &self.backups, &self.purges, &self.restores];
        kinds.into_iter().flatten().map(|(_, came)| came).chain([&self.value])
    }
}

/// A right, and what its lack or its presence means.
struct Right {
    what: &'static str,
    /// The name and severity of the finding.
    name: &'static str,
    severity: Severity,
    why: &'static str,
    wanted: bool,
}

/// Judges a vault.
pub fn judge(seen: &VaultSeen, of: &Installation, report: &mut Report) {
    if let Some(finding) = closed(seen) {
        report.findings.push(finding);
        return;
    }
    report.well(seen.name.as_str(), "reach it", "it answers");
    let lists = (&LIST, &seen.lists);
    let rights = match of.role {
        Role::Restore if !is_target(seen) => {
            report.findings.push(not_a_target(seen, of));
            vec![]
        }
        Role::Keeper | Role::Page => vec![(&BACKS_UP, &seen.backups), (&RESTORES, &seen.restores)],
        Role::Backup => vec![lists, (&BACK_UP, &seen.backups), (&RESTORES, &seen.restores)],
        Role::Restore => vec![lists, (&BACKS_UP, &seen.backups), (&RESTORES_MISSING, &seen.restores)],
        Role::All => vec![lists, (&BACK_UP, &seen.backups), (&RESTORES_MISSING, &seen.restores)],
    };
    for (of_role, kinds) in rights {
        right(seen, of, report, of_role, kinds);
    }
    let severity = if of.role == Role::Backup { Severity::Error } else { Severity::Warning };
    let value = vec![(ObjectKind::Secret, seen.value.clone())];
    right(seen, of, report, &Right { severity, ..READS }, &value);
    right(seen, of, report, &Right { severity, ..PURGES }, &seen.purges);
}

const LIST: Right = Right {
    what: "list",
    name: "cannot-list",
    severity: Severity::Error,
    why: "Objects that are not listed are not backed up, and conflicts of a restore are not seen.",
    wanted: true,
};

const BACK_UP: Right = Right {
    what: "back up",
    name: "cannot-back-up",
    severity: Severity::Error,
    why: "Objects of these kinds are not protected.",
    wanted: true,
};

const BACKS_UP: Right = Right {
    what: "back up",
    name: "can-back-up",
    severity: Severity::Info,
    why: "The restore app does not need it: a backup is as good as a copy of the key.",
    wanted: false,
};

const RESTORES: Right = Right {
    what: "restore",
    name: "can-restore",
    severity: Severity::Error,
    why: "An attacker in control of the backup app could restore old versions in place of those in use.",
    wanted: false,
};

const RESTORES_MISSING: Right = Right {
    what: "restore",
    name: "cannot-restore",
    severity: Severity::Warning,
    why: "Nothing of these kinds can be restored into the vault.",
    wanted: true,
};

const READS: Right = Right {
    what: "read the value of",
    name: "reads-values",
    severity: Severity::Error,
    why: "Backups need no value. An attacker in control of the app could read every secret.",
    wanted: false,
};

const PURGES: Right = Right {
    what: "purge",
    name: "can-purge",
    severity: Severity::Error,
    why: "An attacker in control of the app could destroy deleted objects for good.",
    wanted: false,
};

/// The finding that the vault cannot be reached at all.
fn closed(seen: &VaultSeen) -> Option<Finding> {
    // A vault that answers one kind is open, whatever it says of the others.
    let all: Option<Vec<_>> = seen.lists.iter().map(|(_, came)| came.refusal()).collect();
    let (name, cause, failure) =
        all?.into_iter().find_map(|(cause, failure)| Some((cause.closed_name()?, cause, failure)))?;
    Some(Finding {
        name,
        severity: Severity::Error,
        subject: seen.name.to_string(),
        seen: words(failure),
        why: "Nothing in this vault is protected, and nothing can be restored into it.",
        remedy: remedy::open_vault(seen.name.as_str(), cause, failure),
    })
}

/// Whether the vault may be a target of restores. A restore app also has vaults that are only sources; there it has no
/// right.
fn is_target(seen: &VaultSeen) -> bool {
    let mut rights = seen.lists.iter().chain(&seen.restores);
    rights.any(|(_, came)| !matches!(came.held(), Held::No(..)))
}

fn not_a_target(seen: &VaultSeen, of: &Installation) -> Finding {
    let cause = seen.lists.iter().find_map(|(_, came)| came.cause()).unwrap_or(Cause::Rbac);
    Finding {
        name: "not-a-target",
        severity: Severity::Info,
        subject: seen.name.to_string(),
        seen: "the restore app has no right here".to_owned(),
        why: "Nothing can be restored into it. That is as it should be if it is only restored from.",
        remedy: remedy::grant_in_vault(of, seen.name.as_str(), cause),
    }
}

fn right(seen: &VaultSeen, of: &Installation, report: &mut Report, right: &Right, tried: &Kinds) {
    let vault = seen.name.as_str();
    let (mut held, mut missing, mut refusal) = (Vec::new(), Vec::new(), None);
    for (kind, came) in tried {
        match came.held() {
            Held::Yes => held.push(format!("{kind}s")),
            Held::No(cause, failure) => {
                missing.push(format!("{kind}s"));
                refusal = Some((cause, failure));
            }
            Held::Unknown(why) => report.unknown(vault, format!("{} {kind}s", right.what), why),
        }
    }
    let (bad, good) = if right.wanted { (&missing, &held) } else { (&held, &missing) };
    if !good.is_empty() {
        let seen = if right.wanted { "it can" } else { "it cannot" };
        report.well(vault, format!("{} {}", right.what, listed(good)), seen);
    }
    if bad.is_empty() {
        return;
    }
    let what = format!("{} {}", right.what, listed(bad));
    let (seen, remedy) = match refusal {
        Some((cause, failure)) if right.wanted => {
            let remedy_of =
                if right.what == "restore" { remedy::grant_restore } else { remedy::grant_in_vault };
            (format!("the identity cannot {what}: {}", words(&failure)), remedy_of(of, vault, cause))
        }
        _ => {
            let policies = seen.all().any(|came| came.cause() == Some(Cause::Policy));
            (format!("the identity can {what}"), remedy::narrow_in_vault(of, vault, policies))
        }
    };
    let Right { name, severity, why, .. } = *right;
    report.findings.push(Finding { name, severity, subject: vault.to_owned(), seen, why, remedy });
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{first, judged, of, refused},
        *,
    };

    fn each(came: &Came) -> Kinds {
        ObjectKind::ALL.map(|kind| (kind, came.clone())).into()
    }

    /// A vault that lets the identity do what an app with this role is there for, and nothing else.
    fn narrow(role: Role) -> VaultSeen {
        let (no, yes) = (refused(Cause::Rbac), refused(Cause::Malformed));
        let may = |may: bool| each(if may { &yes } else { &no });
        VaultSeen {
            name: "kv-a".parse().unwrap(),
            lists: each(&Came::Done),
            backups: may(role != Role::Restore),
            value: no.clone(),
            purges: may(false),
            restores: may(role != Role::Backup),
        }
    }

    /// A source of the restore app, in which it has no right at all.
    fn only_a_source() -> VaultSeen {
        let no = refused(Cause::Rbac);
        VaultSeen { lists: each(&no), restores: each(&no), ..narrow(Role::Restore) }
    }

    fn judge_it(seen: &VaultSeen, role: Role) -> (Report, Vec<String>) {
        judged(|report| judge(seen, &of(role), report))
    }

    fn findings(seen: &VaultSeen, role: Role) -> Vec<String> {
        judge_it(seen, role).1.into_iter().filter(|line| !line.starts_with("well")).collect()
    }

    #[test]
    fn the_narrowest_rights_that_work_are_well_and_said_to_be() {
        for role in [Role::Backup, Role::Restore, Role::All] {
            let can = |may| if may { "it can" } else { "it cannot" };
            let kinds = "certificates, keys and secrets";
            let expected = [
                "well reach it: it answers".to_owned(),
                format!("well list {kinds}: it can"),
                format!("well back up {kinds}: {}", can(role != Role::Restore)),
                format!("well restore {kinds}: {}", can(role != Role::Backup)),
                "well read the value of secrets: it cannot".to_owned(),
                format!("well purge {kinds}: it cannot"),
            ];
            assert_eq!(judge_it(&narrow(role), role).1, expected, "{role:?}");
        }
    }

    #[test]
    fn rights_that_are_too_wide_show_as_404_and_400() {
        let (gone, bad) = (refused(Cause::NotFound), refused(Cause::Malformed));
        let wide = VaultSeen {
            backups: each(&gone),
            value: gone.clone(),
            purges: each(&gone),
            restores: each(&bad),
            ..narrow(Role::All)
        };
        let table = [
            (Role::Backup, vec!["error can-restore", "error reads-values", "error can-purge"]),
            (Role::Restore, vec!["info can-back-up", "warning reads-values", "warning can-purge"]),
            (Role::All, vec!["warning reads-values", "warning can-purge"]),
        ];
        for (role, expected) in table {
            assert_eq!(findings(&wide, role), expected, "{role:?}");
        }
    }

    #[test]
    fn rights_that_are_missing_leave_something_unprotected() {
        let no = refused(Cause::Rbac);
        let listless = |role| VaultSeen { lists: each(&no), ..narrow(role) };
        let table = [
            (Role::Backup, listless(Role::Backup), vec!["error cannot-list"]),
            (Role::Backup, only_a_source(), vec!["error cannot-list", "error cannot-back-up"]),
            (Role::Restore, listless(Role::Restore), vec!["error cannot-list"]),
            (
                Role::Restore,
                VaultSeen { restores: each(&no), ..narrow(Role::Restore) },
                vec!["warning cannot-restore"],
            ),
            (Role::Restore, only_a_source(), vec!["info not-a-target"]), // nothing has to be restored into it
            (
                Role::All,
                VaultSeen { restores: each(&no), ..narrow(Role::All) },
                vec!["warning cannot-restore"],
            ),
        ];
        for (role, seen, expected) in table {
            assert_eq!(findings(&seen, role), expected, "{role:?}");
        }
    }

    #[test]
    fn a_finding_names_the_kinds_and_the_command_that_fits() {
        let policy = refused(Cause::Policy);
        let mut lists = each(&Came::Done);
        lists[1].1 = policy.clone();
        let some = VaultSeen { lists, ..narrow(Role::Backup) };
        let wide = |no: &Came| VaultSeen { value: Came::Done, purges: each(no), ..narrow(Role::Backup) };
        let restores = VaultSeen { restores: each(&refused(Cause::Rbac)), ..narrow(Role::Restore) };
        let mut purges = each(&refused(Cause::Rbac));
        purges[2].1 = refused(Cause::NotFound);
        let purges = VaultSeen { purges, ..narrow(Role::Backup) };
        let table = [
            (Role::Backup, purges, "the identity can purge secrets", "az role assignment list"),
            (Role::Backup, some, "the identity cannot list keys: code", "az keyvault set-policy"),
            (
                Role::Backup,
                wide(&policy),
                "the identity can read the value of secrets",
                "az keyvault set-policy",
            ),
            (
                Role::Backup,
                wide(&refused(Cause::Rbac)),
                "the identity can read the value of secrets",
                "az role assignment list",
            ),
            (
                Role::Restore,
                restores,
                "the identity cannot restore certificates, keys and secrets: code",
                "az role assignment create",
            ),
            (
                Role::Restore,
                only_a_source(),
                "the restore app has no right here",
                "az role assignment create",
            ),
        ];
        for (role, seen, words, remedy) in table {
            let (report, _) = judge_it(&seen, role);
            let found = &report.findings[0];
            assert!(found.seen.starts_with(words) && first(&found.remedy).starts_with(remedy), "{found:?}");
            assert_eq!(found.subject, "kv-a");
        }
    }

    #[test]
    fn a_vault_is_closed_when_no_kind_can_be_asked_for() {
        let closed = |cause| VaultSeen { lists: each(&refused(cause)), ..narrow(Role::Backup) };
        assert_eq!(judge_it(&closed(Cause::Firewall), Role::Backup).1, ["error network-closed"]);
        assert_eq!(judge_it(&closed(Cause::NoToken), Role::Backup).1, ["error no-token"]);
        let mut one = closed(Cause::Firewall);
        one.lists[2].1 = Came::Done;
        let unknown = findings(&one, Role::Backup);
        assert!(unknown.len() == 2 && unknown[0].starts_with("unknown list certificates"), "{unknown:?}");
    }

    #[test]
    fn what_is_throttled_is_unknown_and_not_well() {
        let busy = VaultSeen { value: refused(Cause::Passing), ..narrow(Role::Backup) };
        assert_eq!(
            findings(&busy, Role::Backup),
            ["unknown read the value of secrets: code: the service's words"]
        );
        // Whether it is a target cannot be told: it may be.
        let silent = VaultSeen { lists: each(&refused(Cause::Passing)), ..only_a_source() };
        assert!(!findings(&silent, Role::Restore).contains(&"info not-a-target".to_owned()));
    }
}
