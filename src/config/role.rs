//! What an app is there for.

use super::Reader;

/// What an app is there for. The functions that are on say the same; `AdvanceJobs` is on in both apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Backups.
    Backup,
    /// Restores.
    Restore,
    /// Both.
    All,
}

impl Role {
    /// The setting's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::All => "all",
        }
    }
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn role(&mut self) -> Role {
        const NAME: &str = "KEYVAULT_BACKUP_ROLE";
        match (self.lookup)(NAME).as_deref() {
            Some("backup") => Role::Backup,
            Some("restore") => Role::Restore,
            Some("all") | None => Role::All,
            Some(_) => {
                self.fault(NAME, "expected backup, restore or all");
                Role::All
            }
        }
    }
}
