//! What an app is for.

/// What an app is for. The functions that are on say the same; `AdvanceJobs` is on in both apps.
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
