//! The backup blob.
//!
//! Outside it is what the service makes: a length byte, a magic string and a JWE in compact form with the
//! recorded header and sizes. Inside is the whole state of the object, under a key that follows from the id
//! of the wrapping key and the subscription; a tenant that is not the usual one stands beside it. So a restore needs no
//! memory of the backup, and a blob of another tenant, subscription or geography can not be read, as with the service.
//! Nothing about it is secret: whoever has the blob can open it.

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
use crate::azure::identity::TENANT;

pub(crate) mod hsm;

const SECRET_MAGIC: &str = "AzureKeyVaultSecretBackupV1.microsoft.com";
/// Of keys and of certificates: the two can not be told apart.
const KEY_MAGIC: &str = "AzureKeyVaultKeyBackupV1.microsoft.com";
/// Of forms that the service may have one day. None was ever seen.
const NEXT_SECRET_MAGIC: &str = "AzureKeyVaultSecretBackupV2.microsoft.com";
const NEXT_KEY_MAGIC: &str = "AzureKeyVaultKeyBackupV2.microsoft.com";
const WRAPPED_KEY_LENGTH: usize = 256;
/// The id of a subscription or a tenant in its usual form.
const ID_LENGTH: usize = 36;

/// The content of a backup blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// The kind of object.
    pub kind: Kind,
    /// The host name of the vault it was taken from.
    pub vault: String,
    /// The name of the object.
    pub name: String,
    /// All versions, oldest first, but for a current one that is not the newest, which is the last one, too.
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

impl BackedUp {
    /// Puts the oldest version last, where the current one is.
    pub(crate) fn make_oldest_current(&mut self) {
        let versions = &mut self.versions;
        let oldest = (0..versions.len()).min_by_key(|at| versions[*at].attributes.created);
        if let Some(oldest) = oldest {
            let oldest = versions.remove(oldest);
            versions.push(oldest);
        }
        self.managed.iter_mut().for_each(Self::make_oldest_current);
    }
}

/// The form of a vault's backups. The service opens every one that it ever made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackupForm {
    /// The recorded one.
    #[default]
    Recorded,
    /// Another magic string, and more in the header.
    NextMagic,
    /// The recorded magic string, and another cipher in the header.
    NextCipher,
}

impl BackupForm {
    fn magic(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::NextMagic, Kind::Secret) => NEXT_SECRET_MAGIC,
            (Self::NextMagic, Kind::Key | Kind::Certificate) => NEXT_KEY_MAGIC,
            (Self::Recorded | Self::NextCipher, Kind::Secret) => SECRET_MAGIC,
            (Self::Recorded | Self::NextCipher, Kind::Key | Kind::Certificate) => KEY_MAGIC,
        }
    }

    fn header(self, kid: &str) -> Header {
        let enc = if self == Self::NextCipher { "A256GCM" } else { "A256CBC-HS512" };
        let ver = (self == Self::NextMagic).then_some(2);
        Header { kid: kid.to_owned(), alg: "RSA-OAEP-256".into(), enc: enc.into(), ver }
    }
}

/// Why a blob can not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupError {
    /// The magic string is not one of a vault's backup.
    Version,
    /// It is damaged.
    Corrupt,
    /// It is of another tenant, subscription or geography.
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
    /// Blobs of the usual tenant do not name it: those of before it was kept stay readable.
    pub(crate) tenant: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    kid: String,
    alg: String,
    enc: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ver: Option<u8>,
}

/// Makes a blob. Two blobs of the same object differ, as the service's do.
pub(crate) fn seal(state: &BackedUp, owner: &Owner, form: BackupForm) -> Result<Vec<u8>, BackupError> {
    let mut iv = [0; 16];
    rand::rng().fill_bytes(&mut iv);
    let header = serde_json::to_vec(&form.header(&owner.kid)).map_err(|_| BackupError::Corrupt)?;

    let mut wrapped = [0; WRAPPED_KEY_LENGTH];
    rand::rng().fill_bytes(&mut wrapped);
    wrapped[..ID_LENGTH].copy_from_slice(&fixed(&owner.subscription));
    if owner.tenant != TENANT {
        wrapped[ID_LENGTH..2 * ID_LENGTH].copy_from_slice(&fixed(&owner.tenant));
    }
    encrypt(&wrapping_key(&owner.kid), &iv, &mut wrapped)?;

    let mut text = serde_json::to_vec(state).map_err(|_| BackupError::Corrupt)?;
    let length = padded_length(state, text.len());
    text.resize(length, b' ');
    let key = content_key(owner);
    encrypt(&key, &iv, &mut text)?;
    let tag = tag(&key, [&header, &wrapped, &iv, &text]);

    let magic = form.magic(state.kind);
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
    let id = |at: usize| {
        let id = unwrapped.get(at..at + ID_LENGTH).and_then(|id| std::str::from_utf8(id).ok());
        id.filter(|id| id.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
            .map(|id| id.trim_end().to_owned())
    };
    let subscription = id(0).ok_or(BackupError::Corrupt)?;
    // Chance fills the place of a tenant that is not named.
    let tenant = id(ID_LENGTH).unwrap_or_else(|| TENANT.into());
    let owner = Owner { kid: parsed.kid, subscription, tenant };

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
    if [SECRET_MAGIC, KEY_MAGIC, NEXT_SECRET_MAGIC, NEXT_KEY_MAGIC]
        .iter()
        .any(|known| magic == known.as_bytes())
    {
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

fn fixed(id: &str) -> [u8; ID_LENGTH] {
    let mut out = [b' '; ID_LENGTH];
    for (to, from) in out.iter_mut().zip(id.bytes()) {
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
        let owner = Owner { kid: "kid".into(), subscription: "s".into(), tenant: "t".into() };
        for form in [BackupForm::Recorded, BackupForm::NextMagic, BackupForm::NextCipher] {
            let blob = seal(&state, &owner, form).unwrap();
            assert_eq!(open(&blob), Ok((state.clone(), owner.clone())), "{form:?}");
        }
    }

    #[test]
    fn every_damage_is_noticed() {
        let state = empty();
        let blob = seal(
            &state,
            &Owner { kid: "kid".into(), subscription: "s".into(), tenant: "t".into() },
            BackupForm::Recorded,
        )
        .unwrap();
        for at in (0..blob.len()).step_by(7) {
            let mut damaged = blob.clone();
            damaged[at] ^= 0x04;
            assert!(open(&damaged).is_err(), "byte {at}");
        }
        assert_eq!(open(&blob[..blob.len() / 2]), Err(BackupError::Corrupt));
    }
}
