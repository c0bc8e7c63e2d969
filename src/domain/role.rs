//! What an app is for.

/// What an app is for. The functions that are on say the same; `AdvanceJobs` is on in both apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Backups.
    Backup,
    /// Restores.
    Restore,
    /// Both.
    All,
}

impl Role {
    /// Whether such an app backs up.
    pub const fn backs_up(self) -> bool {
        matches!(self, Self::Backup | Self::All)
    }

    /// Whether such an app restores.
    pub const fn restores(self) -> bool {
        matches!(self, Self::Restore | Self::All)
    }

    /// The setting's word for it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_does_what_its_role_says() {
        let does = [Role::Backup, Role::Restore, Role::All].map(|role| (role.backs_up(), role.restores()));
        assert_eq!(does, [(true, false), (false, true), (true, true)]);
    }
}
