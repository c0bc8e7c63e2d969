//! The sources of backups: vaults and Managed HSMs.
//!
//! Both are named by one rule and hold objects at an address of their own, so that the keys of an HSM are backed up one
//! by one as a vault's are. Only an HSM is also backed up as a whole: see [`hsm`](super::hsm).

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    cloud::{Cloud, name_in},
    object::{NameError, quoted},
};

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A vault.
    Vault,
    /// A Managed HSM.
    Hsm,
}

impl SourceKind {
    /// Its name in logs, labels and options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Hsm => "hsm",
        }
    }

    /// The name of the folder that holds what is stored about such sources.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Vault => "vaults",
            Self::Hsm => "hsms",
        }
    }

    /// The domain of such sources in a cloud.
    fn domain(self, cloud: &Cloud) -> &'static str {
        match self {
            Self::Vault => cloud.vault,
            Self::Hsm => cloud.hsm,
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vault => "vault",
            Self::Hsm => "HSM",
        })
    }
}

/// The name of a source, in lower case: 3 to 24 letters, digits and hyphens, of which the first is a letter.
///
/// Unique within a cloud among sources of its kind; a vault and an HSM may share a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let legal = (3..=24).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && text.starts_with(|c: char| c.is_ascii_alphabetic());
        if legal { Ok(Self(text.to_ascii_lowercase().into())) } else { Err(NameError::Source(quoted(text))) }
    }
}

impl TryFrom<String> for SourceName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0.as_ref().into()
    }
}

impl fmt::Debug for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A source by its kind and its name, for a vault and an HSM may share a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId {
    /// What it is.
    pub kind: SourceKind,
    /// Its name.
    pub name: SourceName,
}

impl SourceId {
    /// These vaults, and after them these HSMs.
    pub fn all(vaults: Vec<SourceName>, hsms: Vec<SourceName>) -> Vec<Self> {
        let of = |kind| move |name| Self { kind, name };
        vaults
            .into_iter()
            .map(of(SourceKind::Vault))
            .chain(hsms.into_iter().map(of(SourceKind::Hsm)))
            .collect()
    }
}

impl From<&Source> for SourceId {
    fn from(source: &Source) -> Self {
        Self { kind: source.kind, name: source.name.clone() }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// A source: its address says what it is and what it is called.
///
/// Parsed from `https://NAME` and the domain of vaults or of HSMs in one of the clouds, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    kind: SourceKind,
    name: SourceName,
    host: String,
}

impl Source {
    /// Parses the URL of a vault.
    ///
    /// # Errors
    /// When it is not one, also when it is an HSM's.
    pub fn vault(text: &str) -> Result<Self, NameError> {
        Self::of_kind(SourceKind::Vault, text).ok_or_else(|| NameError::VaultUrl(quoted(text)))
    }

    /// Parses the URL of a Managed HSM.
    ///
    /// # Errors
    /// When it is not one, also when it is a vault's.
    pub fn hsm(text: &str) -> Result<Self, NameError> {
        Self::of_kind(SourceKind::Hsm, text).ok_or_else(|| NameError::HsmUrl(quoted(text)))
    }

    /// A source by its name in a cloud.
    pub fn new(kind: SourceKind, name: SourceName, cloud: &Cloud) -> Self {
        let host = format!("{name}.{}", kind.domain(cloud));
        Self { kind, name, host }
    }

    fn of_kind(kind: SourceKind, text: &str) -> Option<Self> {
        let host = text.strip_prefix("https://")?;
        let host = host.strip_suffix('/').unwrap_or(host).to_ascii_lowercase();
        let name = name_in(&host, |cloud| kind.domain(cloud))?.parse().ok()?;
        Some(Self { kind, name, host })
    }

    /// Whether it is a Managed HSM.
    pub fn is_hsm(&self) -> bool {
        self.kind == SourceKind::Hsm
    }

    /// The source's name.
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// The source's host name.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for Source {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::vault(text).or_else(|_| Self::hsm(text)).map_err(|_| NameError::SourceUrl(quoted(text)))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cloud::CLOUDS;

    #[test]
    fn names_are_those_that_azure_allows() {
        for (good, expected) in [("KV-1", "kv-1"), ("abc", "abc"), (&"a".repeat(24), &"a".repeat(24))] {
            let name: SourceName = good.parse().unwrap();
            assert_eq!(
                (name.as_str(), format!("{name:?}"), format!("{name:7}|").trim_end_matches('|').len()),
                (expected, expected.into(), expected.len().max(7))
            );
            assert_eq!(String::from(name), expected);
        }
        for bad in ["", "kv", &"a".repeat(25), "1kv", "-kv", "kv_1", "kv.1", "kvé"] {
            assert_eq!(bad.parse::<SourceName>(), Err(NameError::Source(bad.into())));
        }
    }

    #[test]
    fn an_address_says_what_a_source_is_and_how_it_is_called() {
        for cloud in CLOUDS {
            for (domain, is_hsm) in [(cloud.vault, false), (cloud.hsm, true)] {
                for text in [format!("https://KV-a.{domain}"), format!("https://kv-a.{domain}/")] {
                    let source: Source = text.parse().unwrap();
                    assert_eq!((source.is_hsm(), source.name().as_str()), (is_hsm, "kv-a"), "{text}");
                    assert_eq!(source.to_string(), format!("https://{}", source.host()));
                    assert_eq!(source.host(), format!("kv-a.{domain}"));
                    assert_eq!((Source::vault(&text).is_ok(), Source::hsm(&text).is_ok()), (!is_hsm, is_hsm));
                }
            }
        }
    }

    #[test]
    fn a_vault_and_an_hsm_of_one_name_are_two_sources() {
        let name: SourceName = "prod".parse().unwrap();
        let both = SourceId::all(vec![name.clone()], vec![name]);
        assert_eq!(both.iter().map(ToString::to_string).collect::<Vec<_>>(), ["vault prod", "HSM prod"]);
        for (id, domain) in both.iter().zip(["vault.azure.net", "managedhsm.azure.net"]) {
            let source: Source = format!("https://prod.{domain}").parse().unwrap();
            assert_eq!(SourceId::from(&source), *id);
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_address() {
        for domain in ["vault.azure.net", "managedhsm.azure.net"] {
            for bad in [
                format!("http://kv-a.{domain}"),
                format!("https://kv-a.{domain}.evil.example"),
                format!("https://kv-a.{domain}:8443"),
                format!("https://kv-a.{domain}/secrets"),
                format!("https://a.b.{domain}"),
                format!("https://user@kv-a.{domain}"),
                format!("https://{domain}"),
            ] {
                assert_eq!(bad.parse::<Source>(), Err(NameError::SourceUrl(bad.clone())));
                assert_eq!(Source::vault(&bad), Err(NameError::VaultUrl(bad.clone())));
                assert_eq!(Source::hsm(&bad), Err(NameError::HsmUrl(bad.clone())));
            }
        }
    }
}
