//! Where a backup lies, and as whom the HSM gets there.

use std::fmt;

use azure_core::http::Url;

/// Where a backup goes.
#[derive(Clone, Debug)]
pub struct BackupDestination {
    /// The container, `https://ACCOUNT.blob.core.windows.net/CONTAINER`, or folders in it after a slash: the HSM makes
    /// the backup's own folder there. A query is not sent.
    pub container: Url,
    /// As whom the HSM writes there.
    pub auth: StorageAuth,
}

impl BackupDestination {
    /// A container, and as whom the HSM writes there.
    pub fn new(container: Url, auth: StorageAuth) -> Self {
        Self { container, auth }
    }
}

/// Where a backup lies.
#[derive(Clone, Debug)]
pub struct RestoreSource {
    /// The container, `https://ACCOUNT.blob.core.windows.net/CONTAINER`. A query is not sent.
    pub container: Url,
    /// The folder in the container, with the folders above it if it was moved into some.
    pub folder: String,
    /// As whom the HSM reads there.
    pub auth: StorageAuth,
}

impl RestoreSource {
    /// A container, a folder in it, and as whom the HSM reads there.
    pub fn new(container: Url, folder: impl Into<String>, auth: StorageAuth) -> Self {
        Self { container, folder: folder.into(), auth }
    }
}

/// As whom the HSM gets to storage.
#[derive(Clone, Debug, Default)]
pub enum StorageAuth {
    /// As the user-assigned managed identity that is attached to it.
    #[default]
    ManagedIdentity,
    /// With a shared access signature.
    Sas(SasToken),
}

impl StorageAuth {
    pub(super) fn sas(&self) -> Option<&SasToken> {
        match self {
            Self::ManagedIdentity => None,
            Self::Sas(token) => Some(token),
        }
    }
}

/// A shared access signature. It does not print, and can only be handed to an HSM.
#[derive(Clone, PartialEq, Eq)]
pub struct SasToken(String);

impl SasToken {
    /// Takes a token as it is, with or without a question mark in front; the service was recorded to take
    /// it with one.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// What must not be seen anywhere: the token, and its signature as it stands and decoded.
    pub(super) fn secrets(&self) -> Vec<String> {
        let token = self.0.trim_start_matches('?');
        let raw = token.split('&').find_map(|pair| pair.strip_prefix("sig="));
        let decoded = azure_core::http::Url::parse(&format!("https://none/?{token}")).ok();
        let decoded = decoded.and_then(|url| {
            url.query_pairs().find(|(name, _)| name == "sig").map(|(_, value)| value.into_owned())
        });
        let secrets = [Some(token.to_owned()), raw.map(str::to_owned), decoded];
        secrets.into_iter().flatten().filter(|secret| secret.len() >= SHORTEST_SECRET).collect()
    }
}

/// What is shorter is no signature, and would be found in words.
const SHORTEST_SECRET: usize = 8;

impl fmt::Debug for SasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SasToken(***)")
    }
}

impl fmt::Display for SasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_print() {
        let token = SasToken::new("?sv=2022-11-02&sig=c2VjcmV0c2VjcmV0%3D");
        let auth = StorageAuth::Sas(token.clone());
        for text in [format!("{token:?} {token} {token:#?}"), format!("{auth:?}")] {
            assert!(!text.contains("sv=") && !text.contains("c2Vj"), "{text}");
        }
    }

    #[test]
    fn a_signature_is_known_in_both_its_forms() {
        let secrets = SasToken::new("?sv=1&sig=c2VjcmV0c2VjcmV0%3D&se=2").secrets();
        assert_eq!(
            secrets,
            ["sv=1&sig=c2VjcmV0c2VjcmV0%3D&se=2", "c2VjcmV0c2VjcmV0%3D", "c2VjcmV0c2VjcmV0="]
        );
    }
}
