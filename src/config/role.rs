//! The setting of the app's role.

use super::Reader;
use crate::domain::role::Role;

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn role(&mut self) -> Role {
        const NAME: &str = "KEYVAULT_BACKUP_ROLE";
        match (self.lookup)(NAME).as_deref() {
            None => Role::All,
            Some(text) => text.parse().unwrap_or_else(|_| {
                self.fault(NAME, "expected backup, restore, keeper, page or all");
                Role::All
            }),
        }
    }
}
