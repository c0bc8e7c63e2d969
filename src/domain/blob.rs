//! The backup blob that Key Vault hands out, and what can be checked of it without the service.
//!
//! Layout, seen in the service's recorded answers: one length byte, an ASCII tag of that length, then a
//! JWE in compact form (RFC 7516: five base64url parts). Certificates carry the key tag. Only the JWE
//! header can be read; names and versions are inside the ciphertext.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use memchr::memchr;
use serde::{Deserialize, Serialize};

use super::{digest::Digest, object::ObjectKind};

const SECRET_TAG: &str = "AzureKeyVaultSecretBackupV1.microsoft.com";
const KEY_TAG: &str = "AzureKeyVaultKeyBackupV1.microsoft.com";

/// The most bytes of a JWE header, decoded. The service's have some hundred.
const HEADER_LIMIT: usize = 2 * 1024;

/// How every JWE header begins, encoded.
const JWE_START: &[u8] = b"eyJ";

/// The bytes of a backup. They are worth as much as the object: they never print.
#[derive(Clone, PartialEq, Eq)]
pub struct BackupBlob(Vec<u8>);

impl BackupBlob {
    /// The bytes, for storing them and for nothing else.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// Checks that the bytes have the shape of a backup of an object of this kind.
    ///
    /// Finds truncation, a wrong kind and text in place of a blob. It cannot find a flipped bit inside
    /// the ciphertext: that takes the digest, or the service.
    pub fn inspect(&self, kind: ObjectKind) -> Result<BlobFacts, BlobFault> {
        // A Managed HSM puts no tag in front (recorded traffic).
        if kind == ObjectKind::Key && self.0.starts_with(JWE_START) {
            return inspect_jwe(&self.0);
        }
        let (&length, rest) = self.0.split_first().ok_or(BlobFault::Empty)?;
        let (tag, jwe) = rest.split_at_checked(length.into()).ok_or(BlobFault::Tag)?;
        let expected = match kind {
            ObjectKind::Secret => SECRET_TAG,
            ObjectKind::Key | ObjectKind::Certificate => KEY_TAG,
        };
        if tag != expected.as_bytes() {
            let known = tag == SECRET_TAG.as_bytes() || tag == KEY_TAG.as_bytes();
            return Err(if known { BlobFault::Kind(kind) } else { BlobFault::Tag });
        }
        inspect_jwe(jwe)
    }
}

impl From<Vec<u8>> for BackupBlob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for BackupBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupBlob({} bytes)", self.0.len())
    }
}

/// What the clear part of a backup says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobFacts {
    /// The service's wrapping key. Two blobs with one `kid` come from one security world.
    pub kid: String,
    /// How the content key is wrapped, such as `RSA-OAEP-256`.
    pub alg: String,
    /// How the content is encrypted, such as `A256CBC-HS512`.
    pub enc: String,
}

/// Why a blob cannot be a backup. None of the texts repeats any of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobFault {
    /// No bytes at all.
    #[error("the backup blob is empty")]
    Empty,
    /// The tag at the start is not one of Key Vault's.
    #[error("the backup blob does not start with a Key Vault tag")]
    Tag,
    /// A backup, but of another kind of object.
    #[error("the backup blob is not that of a {0}")]
    Kind(ObjectKind),
    /// What follows the tag is not five base64url parts.
    #[error("the backup blob is cut off or damaged: {0}")]
    Jwe(&'static str),
}

fn inspect_jwe(jwe: &[u8]) -> Result<BlobFacts, BlobFault> {
    let mut rest = Some(jwe);
    let mut part = || {
        let whole = rest.ok_or(BlobFault::Jwe("it has fewer than five parts"))?;
        // Parts have tens of kilobytes, and a search for one byte looks at many at once.
        let (part, after) = match memchr(b'.', whole) {
            Some(dot) => (&whole[..dot], Some(&whole[dot + 1..])),
            None => (whole, None),
        };
        rest = after;
        Ok(part)
    };
    let (header, key, iv, ciphertext, tag) = (part()?, part()?, part()?, part()?, part()?);
    if rest.is_some() {
        return Err(BlobFault::Jwe("it has more than five parts"));
    }
    let header = BASE64URL.decode(header).map_err(|_| BlobFault::Jwe("its header is not base64url"))?;
    if header.len() > HEADER_LIMIT {
        return Err(BlobFault::Jwe("its header has an impossible length"));
    }
    let facts: BlobFacts =
        serde_json::from_slice(&header).map_err(|_| BlobFault::Jwe("its header is not a JWE header"))?;
    // An HSM encrypts directly, under the key of its security domain.
    let wrapped = decoded_len(key)?;
    if !(matches!(wrapped, 256 | 512) || (facts.alg == "dir" && wrapped == 0)) {
        return Err(BlobFault::Jwe("its wrapped key has an impossible length"));
    }
    if decoded_len(iv)? != 16 {
        return Err(BlobFault::Jwe("its initialisation vector has an impossible length"));
    }
    let length = decoded_len(ciphertext)?;
    if length == 0 || length % 16 != 0 {
        return Err(BlobFault::Jwe("its ciphertext has an impossible length"));
    }
    let expected = if facts.enc.ends_with("HS256") { 16 } else { 32 };
    if decoded_len(tag)? != expected {
        return Err(BlobFault::Jwe("its authentication tag has an impossible length"));
    }
    Ok(facts)
}

/// The decoded length of a base64url part, without decoding it.
#[expect(clippy::needless_bitwise_bool, reason = "without branches it looks at many bytes at once")]
fn decoded_len(part: &[u8]) -> Result<usize, BlobFault> {
    let in_range = |b: u8, from: u8, count: u8| b.wrapping_sub(from) < count;
    let legal = |b: u8| in_range(b, b'0', 10) | in_range(b | 0x20, b'a', 26) | (b == b'-') | (b == b'_');
    if part.len() % 4 == 1 || !part.iter().fold(true, |all, &b| all & legal(b)) {
        return Err(BlobFault::Jwe("a part is not base64url"));
    }
    Ok(part.len() * 3 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(tag: &str, ciphertext: usize) -> Vec<u8> {
        let header = r#"{"kid":"8f6ddf0c","alg":"RSA-OAEP-256","enc":"A256CBC-HS512"}"#;
        let parts = [header.as_bytes(), &[1; 256], &[2; 16], &vec![3; ciphertext], &[4; 32]];
        let jwe = parts.map(|part| BASE64URL.encode(part)).join(".");
        [&[u8::try_from(tag.len()).unwrap()], tag.as_bytes(), jwe.as_bytes()].concat()
    }

    #[test]
    fn reads_the_header_of_a_sound_blob() {
        let facts = BackupBlob(sample(SECRET_TAG, 1600)).inspect(ObjectKind::Secret).unwrap();
        assert_eq!((facts.kid.as_str(), facts.enc.as_str()), ("8f6ddf0c", "A256CBC-HS512"));
        assert!(BackupBlob(sample(KEY_TAG, 16)).inspect(ObjectKind::Certificate).is_ok());
    }

    #[test]
    fn tells_a_wrong_kind_from_damage() {
        let blob = BackupBlob(sample(SECRET_TAG, 16));
        assert_eq!(blob.inspect(ObjectKind::Key), Err(BlobFault::Kind(ObjectKind::Key)));
        assert_eq!(BackupBlob(b"\x05hello".to_vec()).inspect(ObjectKind::Key), Err(BlobFault::Tag));
    }

    #[test]
    fn every_truncation_is_found() {
        let whole = sample(KEY_TAG, 480);
        for length in 0..whole.len() {
            let cut = BackupBlob(whole[..length].to_vec());
            assert!(cut.inspect(ObjectKind::Key).is_err(), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn the_bytes_do_not_print() {
        assert_eq!(format!("{:?}", BackupBlob(b"secret".to_vec())), "BackupBlob(6 bytes)");
    }
}
