//! What a Managed HSM seals: a JWE in compact form without a magic string, with the recorded header, bound to
//! the security domain.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngCore;
use serde::{Serialize, de::DeserializeOwned};

use super::{BackedUp, BackupError, encrypt, sha256, tag};

const HEADER: &str = r#"{"alg":"dir","enc":"A256CBC-HS512","kid":"backup-protection-key"}"#;

/// Near the recorded sizes of keys with one version, which were all alike.
const KEY_LENGTH: usize = 18_000;

/// Makes the backup of a key.
pub(crate) fn seal(state: &BackedUp, domain: &str) -> Result<Vec<u8>, BackupError> {
    seal_value(state, domain, KEY_LENGTH)
}

/// Opens the backup of a key of the same security domain.
pub(crate) fn open(blob: &[u8], domain: &str) -> Result<BackedUp, BackupError> {
    open_value(blob, domain)
}

/// Seals anything. Two seals of the same value differ.
pub(crate) fn seal_value(
    value: &impl Serialize,
    domain: &str,
    at_least: usize,
) -> Result<Vec<u8>, BackupError> {
    let mut iv = [0; 16];
    rand::rng().fill_bytes(&mut iv);
    let mut text = serde_json::to_vec(value).map_err(|_| BackupError::Corrupt)?;
    let length = text.len().max(at_least).next_multiple_of(16);
    text.resize(length, b' ');
    let key = key(domain);
    encrypt(&key, &iv, &mut text)?;
    let tag = tag(&key, [HEADER.as_bytes(), b"", &iv, &text]);
    // No key is wrapped, so the second part is empty.
    let parts: [&[u8]; 5] = [HEADER.as_bytes(), b"", &iv, &text, &tag];
    Ok(parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".").into_bytes())
}

/// Opens what was sealed under the same security domain. What was not is not told from what is damaged, as
/// by the service.
pub(crate) fn open_value<T: DeserializeOwned>(blob: &[u8], domain: &str) -> Result<T, BackupError> {
    let jwe = std::str::from_utf8(blob).map_err(|_| BackupError::Foreign)?;
    let parts: Result<Vec<Vec<u8>>, _> =
        jwe.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part)).collect();
    let parts: [Vec<u8>; 5] =
        parts.map_err(|_| BackupError::Foreign)?.try_into().map_err(|_| BackupError::Foreign)?;
    let [header, wrapped, iv, mut text, sealed_tag] = parts;
    let iv: [u8; 16] = iv.try_into().map_err(|_| BackupError::Foreign)?;
    let key = key(domain);
    if tag(&key, [&header, &wrapped, &iv, &text]).as_slice() != sealed_tag {
        return Err(BackupError::Foreign);
    }
    encrypt(&key, &iv, &mut text)?;
    serde_json::from_slice(&text).map_err(|_| BackupError::Foreign)
}

fn key(domain: &str) -> [u8; 32] {
    sha256(&format!("security domain {domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_security_domain_opens_a_seal() {
        let sealed = seal_value(&vec!["key"], "ours", 100).unwrap();
        assert!(sealed.starts_with(b"eyJhbGciOiJkaXIi"));
        assert_eq!(open_value::<Vec<String>>(&sealed, "ours").unwrap(), ["key"]);
        assert_eq!(open_value::<Vec<String>>(&sealed, "theirs"), Err(BackupError::Foreign));
        assert_eq!(open_value::<Vec<String>>(&sealed[..90], "ours"), Err(BackupError::Foreign));
    }
}
