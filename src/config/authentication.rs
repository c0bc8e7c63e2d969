//! The setting of what has to guard the HTTP functions.

use super::{Config, Needs, Reader};
use crate::domain::role::Role;

/// What has to guard the HTTP functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Authentication {
    /// The platform's own authentication. Without it no caller is answered.
    Required,
    /// Function keys, and the platform's authentication where it is on.
    Keys,
}

impl Config {
    /// Whether the app refuses every caller: authentication is required, and the platform's is not on.
    pub fn refuses_callers(&self) -> bool {
        self.authentication == Some(Authentication::Required) && !self.platform_auth
    }
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    /// `None` where it is not set: then function keys are enough, as before there was this setting.
    pub(super) fn authentication(&mut self) -> Option<Authentication> {
        const NAME: &str = "KEYVAULT_BACKUP_AUTHENTICATION";
        let read = (self.lookup)(NAME)?.trim().parse();
        if read.is_err() {
            self.fault(NAME, "expected required or keys");
        }
        read.ok()
    }

    /// Names what is missing where an app would serve the page. A browser has no function key to send, and without the
    /// platform's authentication any caller can claim to be any person: such an app does not start.
    pub(super) fn guards_the_page(&mut self, role: Role, needs: Needs, of: Option<Authentication>) {
        if role != Role::Page || needs != Needs::Serve {
            return;
        }
        if of != Some(Authentication::Required) {
            self.fault("KEYVAULT_BACKUP_AUTHENTICATION", "an app of the role page needs required");
        }
        if !self.platform_auth() {
            self.fault(
                "WEBSITE_AUTH_ENABLED",
                "the platform's authentication is not on, and nothing else tells who opens the page; see signIn in \
                 docs/install.md",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Needs;

    #[test]
    fn an_app_of_the_page_starts_only_behind_the_platforms_authentication() {
        for (role, needs, authentication, platform, faults) in [
            (Role::Page, Needs::Serve, "required", "true", &[][..]),
            (Role::Page, Needs::Serve, "required", "false", &["WEBSITE_AUTH_ENABLED"]),
            (Role::Page, Needs::Serve, "keys", "true", &["KEYVAULT_BACKUP_AUTHENTICATION"]),
            (Role::Page, Needs::Serve, "", "", &["KEYVAULT_BACKUP_AUTHENTICATION", "WEBSITE_AUTH_ENABLED"]),
            (Role::Page, Needs::Jobs, "", "", &[]),
            (Role::Backup, Needs::Serve, "", "", &[]),
            (Role::All, Needs::Serve, "keys", "", &[]),
        ] {
            let lookup = |name: &str| {
                let value = if name == "WEBSITE_AUTH_ENABLED" { platform } else { authentication };
                Some(value.to_owned()).filter(|it| !it.is_empty())
            };
            let mut reader = Reader { lookup, faults: Vec::new() };
            let of = reader.authentication();
            reader.guards_the_page(role, needs, of);
            let named: Vec<_> = reader.faults.iter().filter_map(|fault| fault.split(':').next()).collect();
            assert_eq!(named, faults, "{role:?} {needs:?} {authentication:?} {platform:?}");
        }
    }

    fn refuses(authentication: &str, platform: &str) -> Result<bool, String> {
        let lookup = |name: &str| match name {
            "KEYVAULT_BACKUP_VAULTS" => Some("https://kv-a.vault.azure.net".to_owned()),
            "KEYVAULT_BACKUP_AUTHENTICATION" => Some(authentication.to_owned()).filter(|it| !it.is_empty()),
            "WEBSITE_AUTH_ENABLED" => Some(platform.to_owned()),
            _ => None,
        };
        let config = Config::read(lookup, Needs::Vaults).map_err(|error| error.to_string())?;
        Ok(config.refuses_callers())
    }

    #[test]
    fn callers_are_refused_where_what_is_required_is_missing() {
        for (authentication, platform, expected) in [
            ("required", "true", false),
            ("required", "True", false),
            ("required", "false", true),
            ("required", "", true),
            (" required ", "1", true),
            ("keys", "false", false),
            ("keys", "true", false),
            ("", "false", false),
        ] {
            assert_eq!(refuses(authentication, platform), Ok(expected), "{authentication:?} {platform:?}");
        }
        for wrong in ["Required", "none", "keys required"] {
            let fault = refuses(wrong, "true").unwrap_err();
            assert!(fault.contains("KEYVAULT_BACKUP_AUTHENTICATION: expected required or keys"), "{fault}");
        }
    }
}
