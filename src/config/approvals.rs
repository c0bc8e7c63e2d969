//! The settings of approvals.

use super::{Authentication, Needs, Reader};
use crate::domain::{restore::Approvals, role::Role};

const NAME: &str = "KEYVAULT_BACKUP_APPROVALS";

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    /// Which plans need an approval. Only the platform's authentication tells two people apart, so an app that restores
    /// does not start with approvals and without it.
    pub(super) fn approvals(
        &mut self,
        role: Role,
        needs: Needs,
        authentication: Option<Authentication>,
    ) -> Approvals {
        let Some(text) = (self.lookup)(NAME) else { return Approvals::None };
        let Ok(approvals) = text.trim().parse() else {
            self.fault(NAME, "expected none, hsm, cross-vault or all");
            return Approvals::All;
        };
        let served = needs == Needs::Serve && role.restores();
        if served && approvals != Approvals::None && authentication != Some(Authentication::Required) {
            self.fault(
                NAME,
                "approvals need Microsoft Entra ID, which tells people apart; set KEYVAULT_BACKUP_AUTHENTICATION to \
                 required, or this to none",
            );
        }
        approvals
    }

    pub(super) fn approval_for(&mut self) -> time::Duration {
        time::Duration::hours(self.number("KEYVAULT_BACKUP_APPROVAL_HOURS", 8_u16, 1, 168).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, role: Role, needs: Needs, of: Option<Authentication>) -> (Approvals, Vec<String>) {
        let value = Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut reader = Reader { lookup: |_: &str| value.clone(), faults: Vec::new() };
        let approvals = reader.approvals(role, needs, of);
        (approvals, reader.faults)
    }

    #[test]
    fn an_app_that_restores_takes_approvals_only_with_the_authentication_that_they_need() {
        use Authentication::{Keys, Required};
        for (text, role, needs, of, is_fault) in [
            ("all", Role::Restore, Needs::Serve, Some(Required), false),
            ("all", Role::Restore, Needs::Serve, Some(Keys), true),
            ("hsm", Role::All, Needs::Serve, None, true),
            ("cross-vault", Role::All, Needs::Serve, None, true),
            ("none", Role::Restore, Needs::Serve, None, false),
            ("", Role::Restore, Needs::Serve, None, false),
            // What is not of an app's role does not stop its work; a terminal is not bound.
            ("all", Role::Backup, Needs::Serve, None, false),
            ("all", Role::Keeper, Needs::Serve, Some(Keys), false),
            ("all", Role::All, Needs::Backup, None, false),
            ("ALL", Role::Restore, Needs::Serve, Some(Required), true),
            ("two", Role::Backup, Needs::Backup, None, true),
        ] {
            let (_, faults) = read(text, role, needs, of);
            assert_eq!(!faults.is_empty(), is_fault, "{text} {role:?} {of:?}: {faults:?}");
        }
        assert_eq!(read("", Role::All, Needs::Serve, None).0, Approvals::None);
    }
}
