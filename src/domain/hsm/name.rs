//! The name and address of a Managed HSM.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::domain::{
    cloud::name_in,
    object::{NameError, VaultName, VaultUrl, quoted},
};

/// The name of a Managed HSM, in lower case. The rules are those for vaults; the two may share a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HsmName(VaultName);

impl HsmName {
    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name under which backups of the HSM's individual keys are stored in the catalogue.
    pub fn as_vault(&self) -> &VaultName {
        &self.0
    }
}

/// The HSM with the name of a source. Does not check that it exists.
impl From<VaultName> for HsmName {
    fn from(name: VaultName) -> Self {
        Self(name)
    }
}

impl FromStr for HsmName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self).map_err(|_| NameError::Hsm(quoted(text)))
    }
}

impl fmt::Debug for HsmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for HsmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The address of a Managed HSM: `https://NAME` and one of the clouds' suffixes, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HsmUrl {
    name: HsmName,
    host: String,
}

impl HsmUrl {
    /// The HSM's name.
    pub fn name(&self) -> &HsmName {
        &self.name
    }

    /// The HSM's host name.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl VaultUrl {
    /// The address of a Managed HSM, whose keys are backed up one by one as a vault's keys are.
    pub fn of_hsm(url: &HsmUrl) -> Self {
        Self { name: url.name().as_vault().clone(), host: url.host().to_owned() }
    }
}

impl FromStr for HsmUrl {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::HsmUrl(quoted(text));
        let host = text.strip_prefix("https://").ok_or_else(wrong)?;
        let host = host.strip_suffix('/').unwrap_or(host).to_ascii_lowercase();
        let name = name_in(&host, |cloud| cloud.hsm).ok_or_else(wrong)?;
        let name = name.parse().map_err(|_| wrong())?;
        Ok(Self { name, host })
    }
}

impl fmt::Display for HsmUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cloud::CLOUDS;

    #[test]
    fn addresses_are_exact() {
        for cloud in CLOUDS.map(|cloud| cloud.hsm) {
            for (text, slash) in [("https://HSM-a", ""), ("https://hsm-a", "/")] {
                let url: HsmUrl = format!("{text}.{cloud}{slash}").parse().unwrap();
                assert_eq!((url.name().as_str(), url.host()), ("hsm-a", &*format!("hsm-a.{cloud}")));
                assert_eq!(url.to_string(), format!("https://hsm-a.{cloud}"));
            }
        }
        for bad in [
            "http://hsm-a.managedhsm.azure.net",
            "https://hsm-a.managedhsm.azure.net.evil.example",
            "https://hsm-a.managedhsm.azure.net:8443",
            "https://hsm-a.managedhsm.azure.net/keys",
            "https://hsm-a.vault.azure.net",
            "https://a.b.managedhsm.azure.net",
        ] {
            let error = bad.parse::<HsmUrl>().unwrap_err();
            assert!(matches!(&error, NameError::HsmUrl(text) if text == bad), "{error}");
        }
    }

    #[test]
    fn names_are_those_of_vaults_and_errors_speak_of_hsms() {
        let name: HsmName = "HSM-a".parse().unwrap();
        assert_eq!((name.as_str(), name.as_vault().as_str()), ("hsm-a", "hsm-a"));
        assert_eq!(format!("{name:?}|{name:7}|"), "hsm-a|hsm-a  |", "logs have the name and nothing else");
        assert_eq!("1hsm".parse::<HsmName>(), Err(NameError::Hsm("1hsm".into())));
    }

    #[test]
    fn the_keys_of_an_hsm_are_those_of_a_vault_at_its_address() {
        let url = VaultUrl::of_hsm(&"https://hsm-a.managedhsm.azure.net".parse().unwrap());
        assert_eq!((url.name().as_str(), url.host()), ("hsm-a", "hsm-a.managedhsm.azure.net"));
    }
}
