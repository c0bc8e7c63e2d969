//! The settings of notices and of the heartbeat.
//!
//! A value that cannot be used stops nothing: backups matter more than words about them. It is logged at the start, and
//! `preflight` reports it.

use super::{Reader, parts};
use crate::domain::notice::{Target, Unusable};

const NOTIFY: &str = "KEYVAULT_BACKUP_NOTIFY";
const HEARTBEAT: &str = "KEYVAULT_BACKUP_HEARTBEAT";

/// Where to tell what matters.
#[derive(Clone, Debug, Default)]
pub struct Notify {
    /// The targets of notices, each once.
    pub targets: Vec<Target>,
    /// What is called after each clean night.
    pub heartbeat: Option<Target>,
    /// The settings that cannot be used, and why. The texts repeat nothing of their values.
    pub faults: Vec<(&'static str, String)>,
    /// The name of the app, as the platform says it.
    pub from: Option<String>,
}

impl Notify {
    /// Reads only these settings.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        Reader { lookup, faults: Vec::new() }.notify()
    }

    /// Whether there is nothing to tell to.
    pub fn is_off(&self) -> bool {
        self.targets.is_empty() && self.heartbeat.is_none()
    }
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn notify(&self) -> Notify {
        let mut notify = Notify { from: (self.lookup)("WEBSITE_SITE_NAME"), ..Notify::default() };
        let text = (self.lookup)(NOTIFY).unwrap_or_default();
        // A reference to a secret that was not resolved has no addresses in it.
        let unresolved = Target::parse(text.trim()).err() == Some(Unusable::Reference);
        let addresses: Vec<&str> = if unresolved { vec![text.trim()] } else { parts(&text).collect() };
        for (at, address) in addresses.iter().enumerate() {
            match Target::parse(address) {
                Ok(target) if notify.targets.contains(&target) => {}
                Ok(target) => notify.targets.push(target),
                Err(why) => {
                    let which = format!("address {} of {}", at + 1, addresses.len());
                    notify.faults.push((NOTIFY, format!("{which} cannot be used: {why}")));
                }
            }
        }
        match (self.lookup)(HEARTBEAT).as_deref().map(str::trim).map(Target::parse) {
            None => {}
            Some(Ok(target)) => notify.heartbeat = Some(target),
            Some(Err(why)) => notify.faults.push((HEARTBEAT, format!("it cannot be used: {why}"))),
        }
        notify
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(notify: &str, heartbeat: &str) -> Notify {
        let value = |name: &str| match name {
            NOTIFY => Some(notify.to_owned()),
            HEARTBEAT => Some(heartbeat.to_owned()),
            _ => None,
        };
        Notify::read(|name| value(name).filter(|value| !value.trim().is_empty()))
    }

    #[test]
    fn what_can_be_used_is_used_and_the_rest_is_a_fault_that_tells_no_secret() {
        let reference = "@Microsoft.KeyVault(VaultName=kv-a;SecretName=hidden, hidden)";
        for (notify, heartbeat, hosts, faults) in [
            ("", "", &[][..], &[][..]),
            ("https://a.example/hidden, https://b.example/hidden", "", &["a.example", "b.example"], &[]),
            ("https://a.example/hidden\nhttps://a.example/hidden", "", &["a.example"], &[]),
            (
                "https://a.example/hidden http://b.example/hidden",
                "hidden",
                &["a.example"],
                &["address 2 of 2 cannot", "it cannot be used"],
            ),
            (reference, reference, &[], &["address 1 of 1 cannot", "it cannot be used"]),
        ] {
            let read = read(notify, heartbeat);
            assert!(read.targets.iter().map(Target::host).eq(hosts.iter().copied()), "{notify}");
            let begin = |((_, fault), begin): (&(&str, String), &&str)| fault.starts_with(begin);
            assert!(
                read.faults.len() == faults.len() && read.faults.iter().zip(faults).all(begin),
                "{read:?}"
            );
            assert!(!format!("{read:?}").contains("hidden"), "{read:?}");
        }
        assert!(read("", "").is_off() && !read("", "https://a.example/x").is_off());
    }
}
