//! The location of a backup, and the HSM's authorization for it.

use std::fmt;

use azure_core::http::Url;

/// The destination of a backup.
#[derive(Clone, Debug)]
pub struct BackupDestination {
    /// The container, `https://ACCOUNT.blob.core.windows.net/CONTAINER`, or a folder in it after a slash: the HSM
    /// creates the backup's own folder there. A query is not sent.
    pub container: Url,
    /// The HSM's authorization to write there.
    pub auth: StorageAuth,
}

impl BackupDestination {
    /// A container, and the HSM's authorization to write there.
    pub fn new(container: Url, auth: StorageAuth) -> Self {
        Self { container, auth }
    }
}

/// The source of a restore: a backup in storage.
#[derive(Clone, Debug)]
pub struct RestoreSource {
    /// The container, `https://ACCOUNT.blob.core.windows.net/CONTAINER`. A query is not sent.
    pub container: Url,
    /// The folder in the container, with any parent folders if it was moved.
    pub folder: String,
    /// The HSM's authorization to read there.
    pub auth: StorageAuth,
}

impl RestoreSource {
    /// A container, a folder in it, and the HSM's authorization to read there.
    pub fn new(container: Url, folder: impl Into<String>, auth: StorageAuth) -> Self {
        Self { container, folder: folder.into(), auth }
    }
}

/// The HSM's authorization for storage.
#[derive(Clone, Debug, Default)]
pub enum StorageAuth {
    /// The user-assigned managed identity that is attached to the HSM.
    #[default]
    ManagedIdentity,
    /// A shared access signature.
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

/// A shared access signature. It does not print, and can only be passed to an HSM.
#[derive(Clone, PartialEq, Eq)]
pub struct SasToken(String);

impl SasToken {
    /// Wraps a token unchanged, with or without a leading question mark; the service was recorded to accept one with
    /// it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// The texts that must not appear anywhere: the token, and its signature, encoded and decoded.
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

/// Anything shorter is not a signature, and would match ordinary words.
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
