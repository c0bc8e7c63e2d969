//! What the identity can do in a vault, and what it should not be able to.

use super::{
    Came, Cause, Finding, Installation, Purpose, Report, Severity,
    cause::{Held, words},
    listed, remedy,
};
use crate::domain::object::{ObjectKind, VaultName};

/// What was tried for each kind.
pub type Kinds = Vec<(ObjectKind, Came)>;

/// What was tried in a vault.
#[derive(Clone, Debug)]
pub struct VaultSeen {
    /// The vault.
    pub name: VaultName,
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
    if of.purpose == Purpose::Restore && !is_target(seen) {
        report.findings.push(not_a_target(seen, of));
    } else {
        right(seen, of, report, &LIST, &seen.lists);
        let restores = [RESTORES, RESTORES_MISSING];
        match of.purpose {
            Purpose::Backup => {
                right(seen, of, report, &BACK_UP, &seen.backups);
                right(seen, of, report, &restores[0], &seen.restores);
            }
            Purpose::Restore => {
                right(seen, of, report, &BACKS_UP, &seen.backups);
                right(seen, of, report, &restores[1], &seen.restores);
            }
            Purpose::Both => {
                right(seen, of, report, &BACK_UP, &seen.backups);
                right(seen, of, report, &restores[1], &seen.restores);
            }
        }
    }
    let severity = if of.purpose == Purpose::Backup { Severity::Error } else { Severity::Warning };
    let value = vec![(ObjectKind::Secret, seen.value.clone())];
    right(seen, of, report, &Right { severity, ..READS }, &value);
    right(seen, of, report, &Right { severity, ..PURGES }, &seen.purges);
}

const LIST: Right = Right {
    what: "list",
    name: "cannot-list",
    severity: Severity::Error,
    why: "What is not listed is not backed up, and what stands in the way of a restore is not seen.",
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
    why: "Whoever takes over the backup app could put old versions in place of those in use.",
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
    why: "Backups need no value. Whoever takes over the app could read every secret.",
    wanted: false,
};

const PURGES: Right = Right {
    what: "purge",
    name: "can-purge",
    severity: Severity::Error,
    why: "Whoever takes over the app could destroy what was deleted, for good.",
    wanted: false,
};

/// Nothing behind the host can be asked.
fn closed(seen: &VaultSeen) -> Option<Finding> {
    // A vault that answers one kind is open, whatever it says of the others.
    let all: Option<Vec<_>> = seen.lists.iter().map(|(_, came)| came.refusal()).collect();
    let (cause, failure) = all?.into_iter().find(|(cause, _)| cause.is_closed())?;
    let name = cause.closed_name();
    Some(Finding {
        name,
        severity: Severity::Error,
        subject: seen.name.to_string(),
        seen: words(failure),
        why: "Nothing in this vault is protected, and nothing can be restored into it.",
        remedy: remedy::open_vault(seen.name.as_str(), cause, failure),
    })
}

/// A restore app knows vaults by name that it only restores from; there it has no right at all.
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
            let mend = if right.what == "restore" { remedy::grant_restore } else { remedy::grant_in_vault };
            (format!("the identity cannot {what}: {}", words(&failure)), mend(of, vault, cause))
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
    use super::*;
    use crate::domain::{outcome::Failure, preflight::Identity};

    fn refused(cause: Cause) -> Came {
        Came::Refused(cause, Failure::ours("code", ""))
    }

    fn each(came: &Came) -> Kinds {
        ObjectKind::ALL.map(|kind| (kind, came.clone())).into()
    }

    fn healthy() -> VaultSeen {
        let no = refused(Cause::Rbac);
        VaultSeen {
            name: "kv-a".parse().unwrap(),
            lists: each(&Came::Done),
            backups: each(&Came::Done),
            value: no.clone(),
            purges: each(&no),
            restores: each(&no),
        }
    }

    fn names(seen: &VaultSeen, purpose: Purpose) -> Vec<&'static str> {
        let (of, mut report) = (Installation { purpose, identity: Identity::default() }, Report::default());
        judge(seen, &of, &mut report);
        report.findings.iter().map(|finding| finding.name).collect()
    }

    #[test]
    fn the_narrowest_rights_that_work_are_well() {
        assert!(names(&healthy(), Purpose::Backup).is_empty());
        let (no, yes) = (refused(Cause::Rbac), refused(Cause::Malformed));
        let target = VaultSeen { restores: each(&yes), backups: each(&no), ..healthy() };
        assert!(names(&target, Purpose::Restore).is_empty());
    }

    #[test]
    fn rights_that_are_too_wide_show_as_404_and_400() {
        let (gone, bad) = (refused(Cause::NotFound), refused(Cause::Malformed));
        let wide = VaultSeen { value: gone.clone(), purges: each(&gone), restores: each(&bad), ..healthy() };
        assert_eq!(names(&wide, Purpose::Backup), ["can-restore", "reads-values", "can-purge"]);
        assert_eq!(names(&wide, Purpose::Restore), ["can-back-up", "reads-values", "can-purge"]);
    }

    #[test]
    fn a_source_of_the_restore_app_is_no_fault() {
        let no = refused(Cause::Rbac);
        let source = VaultSeen { lists: each(&no), backups: each(&no), ..healthy() };
        assert_eq!(names(&source, Purpose::Restore), ["not-a-target"]);
        assert_eq!(names(&source, Purpose::Backup), ["cannot-list", "cannot-back-up"]);
    }

    #[test]
    fn what_is_throttled_is_unknown_and_not_well() {
        let (of, mut report) =
            (Installation { purpose: Purpose::Backup, identity: Identity::default() }, Report::default());
        let busy = refused(Cause::Passing);
        judge(&VaultSeen { value: busy, ..healthy() }, &of, &mut report);
        assert!(report.findings.is_empty() && report.unknown.len() == 1, "{report:?}");
    }
}
