//! What an app is for, and the functions that it serves.

/// What an app is for. A role is a wall: an app refuses what is not of its role, whatever else is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Backups.
    Backup,
    /// Restores.
    Restore,
    /// Retention, verification, copies and drills: the only app that deletes.
    Keeper,
    /// The status page for browsers, and nothing else: it reads, and moves no job on.
    Page,
    /// Backups and restores.
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

    /// Whether such an app keeps what is stored: it lets go, verifies, copies and drills.
    pub const fn keeps(self) -> bool {
        matches!(self, Self::Keeper)
    }

    /// The setting's word for it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether such an app serves a function. This is the one table of it; the deployment disables the others.
    pub const fn serves(self, function: Function) -> bool {
        match function {
            Function::NightlyVaultBackup
            | Function::NightlyHsmBackup
            | Function::BackUpObject
            | Function::Backups => self.backs_up(),
            Function::RestoreObject | Function::Restores => self.restores(),
            Function::ApplyRetention
            | Function::VerifyBackups
            | Function::CopyBackups
            | Function::RestoreDrill => self.keeps(),
            Function::Page => matches!(self, Self::Page),
            Function::AdvanceJobs | Function::Status => !matches!(self, Self::Page),
        }
    }
}

/// A folder under `functions/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
pub enum Function {
    /// Starts the night's run of every vault.
    NightlyVaultBackup,
    /// Starts the night's backup of every Managed HSM.
    NightlyHsmBackup,
    /// Backs up one object.
    BackUpObject,
    /// Carries out one step of a restore.
    RestoreObject,
    /// Reconciles open runs, restores and HSM jobs.
    AdvanceJobs,
    /// Lets go and deletes what the policy and the evidence allow, and records yesterday's evidence.
    ApplyRetention,
    /// Reads stored backups again, and records what is wrong.
    VerifyBackups,
    /// Makes further copies of backups.
    CopyBackups,
    /// Restores a sample of each source into its drill vault, and removes it again.
    RestoreDrill,
    /// The HTTP API for backups: see [`crate::api`].
    Backups,
    /// The HTTP API for restores: see [`crate::api`].
    Restores,
    /// The HTTP API for jobs, sources and health: see [`crate::api`].
    Status,
    /// The status page for browsers that sign in: see [`crate::api`].
    Page,
}

impl Function {
    /// The folder's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The function whose route a path of the HTTP API belongs to. The routes are in its `function.json`.
    pub fn of_path(path: &str) -> Option<Self> {
        match path.strip_prefix("/api/")?.split('/').next()? {
            "backups" => Some(Self::Backups),
            "restores" => Some(Self::Restores),
            "status" => Some(Self::Status),
            "page" => Some(Self::Page),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn an_app_does_what_its_role_says() {
        let roles = [Role::Backup, Role::Restore, Role::Keeper, Role::Page, Role::All];
        let does = roles.map(|role| (role.backs_up(), role.restores(), role.keeps()));
        let none = (false, false, false);
        let expected =
            [(true, false, false), (false, true, false), (false, false, true), none, (true, true, false)];
        assert_eq!(does, expected);
        assert_eq!(roles.map(|role| role.as_str().parse()), roles.map(Ok));
    }

    #[test]
    fn a_path_belongs_to_a_function() {
        for (path, function) in [
            ("/api/backups", Some(Function::Backups)),
            ("/api/backups/kv-a/secret/db", Some(Function::Backups)),
            ("/api/restores/plan", Some(Function::Restores)),
            ("/api/status/health", Some(Function::Status)),
            ("/api/page", Some(Function::Page)),
            ("/api/statuses", None),
            ("/api/pages", None),
            ("/BackUpObject", None),
        ] {
            assert_eq!(Function::of_path(path), function, "{path}");
        }
    }

    #[test]
    fn every_function_is_of_some_role_and_only_a_keeper_deletes() {
        for function in Function::VARIANTS {
            let all = Role::Backup.serves(*function) || Role::Restore.serves(*function);
            assert_eq!(Role::All.serves(*function), all, "{function:?}: all is backup and restore");
            assert!(Role::VARIANTS.iter().any(|role| role.serves(*function)), "{function:?}");
        }
        let keeps = |role: &&Role| role.serves(Function::ApplyRetention);
        assert_eq!(Role::VARIANTS.iter().filter(keeps).collect::<Vec<_>>(), [&Role::Keeper]);
    }

    #[test]
    fn an_app_for_browsers_serves_the_page_alone_and_no_other_app_serves_it() {
        for (role, function) in
            Role::VARIANTS.iter().flat_map(|role| Function::VARIANTS.iter().map(move |of| (role, of)))
        {
            let page = (*role == Role::Page, *function == Function::Page);
            assert!(page.0 == page.1 || !role.serves(*function), "{role:?} {function:?}");
        }
        assert!(Role::Page.serves(Function::Page));
    }
}
