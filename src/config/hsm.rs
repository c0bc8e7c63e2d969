//! The settings of Managed HSMs.

use std::collections::BTreeSet;

use super::{Landing, Needs, Reader};
use crate::{
    azure::managed_hsm::{SasToken, StorageAuth},
    domain::{
        object::ObjectName,
        source::{Source, SourceName},
    },
};

/// The validated settings of Managed HSMs.
#[derive(Clone, Debug)]
pub struct HsmConfig {
    /// The HSMs, each once.
    pub hsms: Vec<Source>,
    /// The container for their backups, and the folders in it.
    pub landing: Option<Landing>,
    /// An HSM's authorization to write backups.
    pub backup_auth: StorageAuth,
    /// An HSM's authorization to read backups.
    pub restore_auth: StorageAuth,
    /// Keys that are also backed up one by one.
    pub keys: Vec<(SourceName, ObjectName)>,
    /// How old the target's newest backup may be for a full restore.
    pub backup_age: time::Duration,
    /// How long a job may take before it is reported.
    pub limit: time::Duration,
    /// Pairs of HSMs that share a security domain.
    pub domains: BTreeSet<(SourceName, SourceName)>,
}

impl HsmConfig {
    /// The SAS tokens of the settings.
    pub fn secrets(&self) -> Vec<SasToken> {
        let token = |auth: &StorageAuth| match auth {
            StorageAuth::Sas(token) => Some(token.clone()),
            StorageAuth::ManagedIdentity => None,
        };
        [&self.backup_auth, &self.restore_auth].into_iter().filter_map(token).collect()
    }

    /// The names of the settings that have a SAS token.
    pub fn sas_settings(&self) -> Vec<&'static str> {
        let both = [(BACKUP_SAS, &self.backup_auth), (RESTORE_SAS, &self.restore_auth)];
        both.into_iter()
            .filter(|(_, auth)| matches!(auth, StorageAuth::Sas(_)))
            .map(|(name, _)| name)
            .collect()
    }
}

const BACKUP_SAS: &str = "KEYVAULT_BACKUP_HSM_BACKUP_SAS";
const RESTORE_SAS: &str = "KEYVAULT_BACKUP_HSM_RESTORE_SAS";

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn hsm(&mut self, vaults: &[Source], needs: Needs) -> HsmConfig {
        let hsms = self.sources("KEYVAULT_BACKUP_HSMS", Source::hsm);
        let required = !hsms.is_empty() && needs >= Needs::Storage;
        HsmConfig {
            keys: self.hsm_keys(&hsms, vaults),
            domains: self.domains(),
            hsms,
            landing: self.landing("KEYVAULT_BACKUP_HSM_CONTAINER", required),
            backup_auth: self.sas(BACKUP_SAS),
            restore_auth: self.sas(RESTORE_SAS),
            backup_age: time::Duration::minutes(
                self.number("KEYVAULT_BACKUP_HSM_BACKUP_AGE_MINUTES", 30_u16, 1, 1440).into(),
            ),
            limit: time::Duration::hours(self.number("KEYVAULT_BACKUP_HSM_LIMIT_HOURS", 6_u16, 1, 72).into()),
        }
    }

    fn hsm_keys(&mut self, hsms: &[Source], vaults: &[Source]) -> Vec<(SourceName, ObjectName)> {
        const NAME: &str = "KEYVAULT_BACKUP_HSM_KEYS";
        let mut keys = Vec::new();
        for part in self.parts(NAME) {
            let split = part.split_once('/').map(|(hsm, key)| (hsm.parse::<SourceName>(), key.parse()));
            match split {
                Some((Ok(hsm), Ok(_))) if vaults.iter().any(|vault| *vault.name() == hsm) => {
                    // Both would have the same names in the catalogue.
                    self.fault(
                        NAME,
                        format_args!("{hsm} is also the name of a vault; use an app of its own for it"),
                    );
                }
                Some((Ok(hsm), Ok(key))) if hsms.iter().any(|known| *known.name() == hsm) => {
                    keys.push((hsm, key));
                }
                Some((Ok(hsm), Ok(_))) => {
                    self.fault(NAME, format_args!("{hsm} is not one of KEYVAULT_BACKUP_HSMS"));
                }
                _ => self.fault(NAME, "expected HSM/KEY"),
            }
        }
        keys
    }

    fn domains(&mut self) -> BTreeSet<(SourceName, SourceName)> {
        const NAME: &str = "KEYVAULT_BACKUP_HSM_DOMAINS";
        let mut domains = BTreeSet::new();
        for part in self.parts(NAME) {
            let split = part.split_once('=').map(|(a, b)| (a.parse::<SourceName>(), b.parse::<SourceName>()));
            match split {
                Some((Ok(a), Ok(b))) => domains.extend([(a.clone(), b.clone()), (b, a)]),
                _ => self.fault(NAME, "expected A=B, the names of two HSMs"),
            }
        }
        domains
    }

    fn sas(&self, name: &str) -> StorageAuth {
        (self.lookup)(name)
            .map_or(StorageAuth::ManagedIdentity, |token| StorageAuth::Sas(SasToken::new(token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings of `hsm-a` and `hsm-b`, beside a vault `kv-a`, with one more, and their faults.
    fn with(name: &str, value: &str) -> (HsmConfig, Vec<String>) {
        let hsms = "https://hsm-a.managedhsm.azure.net https://hsm-b.managedhsm.azure.net";
        let landing = "https://landing.blob.core.windows.net/hsms";
        let lookup = |of: &str| match of {
            _ if of == name => Some(value.to_owned()),
            "KEYVAULT_BACKUP_HSMS" => Some(hsms.to_owned()),
            "KEYVAULT_BACKUP_HSM_CONTAINER" => Some(landing.to_owned()),
            _ => None,
        };
        let mut reader = Reader { lookup, faults: Vec::new() };
        let vault = "https://kv-a.vault.azure.net".parse().unwrap();
        let config = reader.hsm(&[vault], Needs::Serve);
        (config, reader.faults)
    }

    #[test]
    fn a_single_key_is_of_an_hsm_of_the_settings() {
        const NAME: &str = "KEYVAULT_BACKUP_HSM_KEYS";
        for (value, keys, fault) in [
            ("hsm-a/signing, HSM-B/other", &["hsm-a/signing", "hsm-b/other"][..], None),
            ("hsm-c/signing", &[], Some("hsm-c is not one of KEYVAULT_BACKUP_HSMS")),
            ("kv-a/signing", &[], Some("kv-a is also the name of a vault; use an app of its own for it")),
            ("signing", &[], Some("expected HSM/KEY")),
            ("hsm-a/", &[], Some("expected HSM/KEY")),
            ("hsm-a/a/b", &[], Some("expected HSM/KEY")),
            ("hsm-a/a hsm-c/b", &["hsm-a/a"], Some("hsm-c is not one of KEYVAULT_BACKUP_HSMS")),
        ] {
            let (config, faults) = with(NAME, value);
            let found: Vec<_> =
                config.keys.iter().map(|(hsm, key)| format!("{hsm}/{key}").to_lowercase()).collect();
            assert_eq!(found, keys, "{value}");
            let fault = fault.map(|fault| format!("{NAME}: {fault}"));
            assert_eq!(faults, fault.into_iter().collect::<Vec<_>>(), "{value}");
        }
    }

    #[test]
    fn two_hsms_share_a_domain_in_both_directions() {
        let (config, faults) = with("KEYVAULT_BACKUP_HSM_DOMAINS", "hsm-a=hsm-b");
        let pair = |a: &str, b: &str| (a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(config.domains, BTreeSet::from([pair("hsm-a", "hsm-b"), pair("hsm-b", "hsm-a")]));
        assert!(faults.is_empty(), "{faults:?}");
        for wrong in ["hsm-a", "hsm-a=", "=hsm-b", "hsm-a/hsm-b", "hsm-a=hsm-b=hsm-c"] {
            let (config, faults) = with("KEYVAULT_BACKUP_HSM_DOMAINS", wrong);
            assert!(config.domains.is_empty() && faults.len() == 1, "{wrong}: {faults:?}");
        }
    }

    #[test]
    fn a_token_of_the_settings_is_known_as_a_secret() {
        let (config, _) = with("KEYVAULT_BACKUP_HSM_RESTORE_SAS", "sv=1&sig=abc");
        assert_eq!(config.sas_settings(), ["KEYVAULT_BACKUP_HSM_RESTORE_SAS"]);
        assert_eq!(config.secrets().len(), 1);
        assert!(!format!("{config:?}").contains("abc"), "it is not printed");
        let (config, _) = with("", "");
        assert!(config.sas_settings().is_empty() && config.secrets().is_empty());
    }

    #[test]
    fn numbers_have_their_defaults_and_bounds() {
        for (name, value, minutes, hours, faults) in [
            ("", "", 30, 6, 0),
            ("KEYVAULT_BACKUP_HSM_BACKUP_AGE_MINUTES", "1440", 1440, 6, 0),
            ("KEYVAULT_BACKUP_HSM_BACKUP_AGE_MINUTES", "1441", 30, 6, 1),
            ("KEYVAULT_BACKUP_HSM_LIMIT_HOURS", "72", 30, 72, 0),
            ("KEYVAULT_BACKUP_HSM_LIMIT_HOURS", "73", 30, 6, 1),
        ] {
            let (config, found) = with(name, value);
            assert_eq!(
                (config.backup_age.whole_minutes(), config.limit.whole_hours()),
                (minutes, hours),
                "{name} {value}"
            );
            assert_eq!(found.len(), faults, "{found:?}");
        }
    }
}
