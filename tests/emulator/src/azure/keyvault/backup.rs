//! The backup blob.
//!
//! Outside it is what the service makes: a length byte, a magic string and a JWE in compact form with the
//! recorded header and sizes. Inside is the whole state of the object, under a key that follows from the id
//! of the wrapping key and the subscription. So a restore needs no memory of the backup, and a blob of
//! another subscription or geography can not be read, as with the service. Nothing about it is secret:
//! whoever has the blob can open it.

use std::fmt;

use aws_lc_rs::{
    cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    digest::{SHA256, digest},
    hmac,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngCore;
use serde::{Deserialize, Serialize};

use super::object::{Attributes, Kind, Material};

pub(crate) mod hsm;

const SECRET_MAGIC: &str = "AzureKeyVaultSecretBackupV1.microsoft.com";
/// Of keys and of certificates: the two can not be told apart.
const KEY_MAGIC: &str = "AzureKeyVaultKeyBackupV1.microsoft.com";
const WRAPPED_KEY_LENGTH: usize = 256;
/// A subscription id in its usual form.
const SUBSCRIPTION_LENGTH: usize = 36;

/// The content of a backup blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// The kind of object.
    pub kind: Kind,
    /// The host name of the vault it was taken from.
    pub vault: String,
    /// The name of the object.
    pub name: String,
    /// All versions, oldest first.
    pub versions: Vec<BackedUpVersion>,
    /// The key and the secret of a certificate.
    #[serde(default)]
    pub managed: Vec<BackedUp>,
}

/// A version in a backup blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpVersion {
    /// The id of the version.
    pub id: String,
    /// Its attributes and tags.
    pub attributes: Attributes,
    /// What it keeps safe.
    pub material: Material,
}

/// Why a blob can not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupError {
    /// The magic string is not one of a vault's backup.
    Version,
    /// It is damaged.
    Corrupt,
    /// It is of another subscription or geography.
    Foreign,
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "Backup blob contains invalid or corrupt version.",
            Self::Corrupt => "Backup blob is corrupt.",
            Self::Foreign => "Cannot decrypt backup blob.",
        })
    }
}

impl std::error::Error for BackupError {}

/// Whom a blob belongs to: what decides where it can be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) kid: String,
    pub(crate) subscription: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    kid: String,
    alg: String,
    enc: String,
}

/// Makes a blob. Two blobs of the same object differ, as the service's do.
pub(crate) fn seal(state: &BackedUp, owner: &Owner) -> Result<Vec<u8>, BackupError> {
    let mut iv = [0; 16];
    rand::rng().fill_bytes(&mut iv);
    let header = Header { kid: owner.kid.clone(), alg: "RSA-OAEP-256".into(), enc: "A256CBC-HS512".into() };
    let header = serde_json::to_vec(&header).map_err(|_| BackupError::Corrupt)?;

    let mut wrapped = [0; WRAPPED_KEY_LENGTH];
    rand::rng().fill_bytes(&mut wrapped);
    wrapped[..SUBSCRIPTION_LENGTH].copy_from_slice(&fixed(&owner.subscription));
    encrypt(&wrapping_key(&owner.kid), &iv, &mut wrapped)?;

    let mut text = serde_json::to_vec(state).map_err(|_| BackupError::Corrupt)?;
    let length = padded_length(state, text.len());
    text.resize(length, b' ');
    let key = content_key(owner);
    encrypt(&key, &iv, &mut text)?;
    let tag = tag(&key, [&header, &wrapped, &iv, &text]);

    let magic = if state.kind == Kind::Secret { SECRET_MAGIC } else { KEY_MAGIC };
    let mut blob = Vec::with_capacity(length * 4 / 3 + 700);
    blob.push(u8::try_from(magic.len()).unwrap_or_default());
    blob.extend_from_slice(magic.as_bytes());
    let parts: [&[u8]; 5] = [&header, &wrapped, &iv, &text, &tag];
    blob.extend_from_slice(parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".").as_bytes());
    Ok(blob)
}

/// Opens a blob, whoever owns it.
pub(crate) fn open(blob: &[u8]) -> Result<(BackedUp, Owner), BackupError> {
    let jwe = strip_magic(blob)?;
    let jwe = std::str::from_utf8(jwe).map_err(|_| BackupError::Corrupt)?;
    let parts: Result<Vec<Vec<u8>>, _> =
        jwe.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part)).collect();
    let parts = parts.map_err(|_| BackupError::Corrupt)?;
    let [header, wrapped, iv, text, sealed_tag]: [Vec<u8>; 5] =
        parts.try_into().map_err(|_| BackupError::Corrupt)?;
    let parsed: Header = serde_json::from_slice(&header).map_err(|_| BackupError::Corrupt)?;
    let iv: [u8; 16] = iv.try_into().map_err(|_| BackupError::Corrupt)?;

    let mut unwrapped = wrapped.clone();
    encrypt(&wrapping_key(&parsed.kid), &iv, &mut unwrapped)?;
    let subscription = unwrapped.get(..SUBSCRIPTION_LENGTH).ok_or(BackupError::Corrupt)?;
    let subscription = std::str::from_utf8(subscription).map_err(|_| BackupError::Corrupt)?;
    let owner = Owner { kid: parsed.kid, subscription: subscription.trim_end().to_owned() };

    let key = content_key(&owner);
    if tag(&key, [&header, &wrapped, &iv, &text]).as_slice() != sealed_tag {
        return Err(BackupError::Corrupt);
    }
    let mut text = text;
    encrypt(&key, &iv, &mut text)?;
    let state = serde_json::from_slice(&text).map_err(|_| BackupError::Corrupt)?;
    Ok((state, owner))
}

fn strip_magic(blob: &[u8]) -> Result<&[u8], BackupError> {
    let (&length, rest) = blob.split_first().ok_or(BackupError::Version)?;
    // Recorded: the service does not speak of the version where there is no whole magic string.
    let (magic, jwe) = rest.split_at_checked(length.into()).ok_or(BackupError::Corrupt)?;
    if magic == SECRET_MAGIC.as_bytes() || magic == KEY_MAGIC.as_bytes() {
        Ok(jwe)
    } else {
        Err(BackupError::Version)
    }
}

/// Sizes near the recorded medians (4, 9 and 32 kilobytes with one version), growing with the versions;
/// multiples of 16 as with CBC.
fn padded_length(state: &BackedUp, at_least: usize) -> usize {
    let (first, more) = match state.kind {
        Kind::Secret => (2_640, 900),
        Kind::Key => (6_160, 2_900),
        Kind::Certificate => (23_700, 9_000),
    };
    (first + more * state.versions.len().saturating_sub(1)).max(at_least).next_multiple_of(16)
}

fn fixed(subscription: &str) -> [u8; SUBSCRIPTION_LENGTH] {
    let mut out = [b' '; SUBSCRIPTION_LENGTH];
    for (to, from) in out.iter_mut().zip(subscription.bytes()) {
        *to = from;
    }
    out
}

fn wrapping_key(kid: &str) -> [u8; 32] {
    sha256(&format!("wrapping {kid}"))
}

fn content_key(owner: &Owner) -> [u8; 32] {
    sha256(&format!("content {} {}", owner.kid, owner.subscription))
}

fn sha256(text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

/// AES in counter mode: the same call encrypts and decrypts.
fn encrypt(key: &[u8; 32], iv: &[u8; 16], data: &mut [u8]) -> Result<(), BackupError> {
    let key = UnboundCipherKey::new(&AES_256, key)
        .and_then(EncryptingKey::ctr)
        .map_err(|_| BackupError::Corrupt)?;
    key.less_safe_encrypt(data, EncryptionContext::Iv128(iv.into())).map_err(|_| BackupError::Corrupt)?;
    Ok(())
}

/// Covers all parts, so that no damage goes unnoticed.
fn tag(key: &[u8; 32], parts: [&[u8]; 4]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> BackedUp {
        let (versions, managed) = (Vec::new(), Vec::new());
        BackedUp { kind: Kind::Key, vault: "v".into(), name: "k".into(), versions, managed }
    }

    #[test]
    fn a_blob_names_its_owner() {
        let state = empty();
        let owner = Owner { kid: "kid".into(), subscription: "s".into() };
        let blob = seal(&state, &owner).unwrap();
        assert_eq!(open(&blob), Ok((state, owner)));
    }

    #[test]
    fn every_damage_is_noticed() {
        let state = empty();
        let blob = seal(&state, &Owner { kid: "kid".into(), subscription: "s".into() }).unwrap();
        for at in (0..blob.len()).step_by(7) {
            let mut damaged = blob.clone();
            damaged[at] ^= 0x04;
            assert!(open(&damaged).is_err(), "byte {at}");
        }
        assert_eq!(open(&blob[..blob.len() / 2]), Err(BackupError::Corrupt));
    }
}
