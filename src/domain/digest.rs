//! SHA-256 digests, whole and shortened, which are displayed and stored as hexadecimal text.

use std::{fmt, io, str::FromStr};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The first `N` bytes of a SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash<const N: usize>([u8; N]);

/// The digest of a stored blob.
pub type Digest = Hash<32>;

/// Enough of a digest to distinguish two states of one object.
pub type Fingerprint = Hash<16>;

impl<const N: usize> Hash<N> {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::cut(&Sha256::digest(bytes))
    }

    /// The digest of a value as JSON, without holding the JSON in memory. A value that cannot be JSON has the digest of
    /// what could be written.
    pub fn of_json(value: &impl Serialize) -> Self {
        let mut hasher = io::BufWriter::new(Sha256::new());
        let written = serde_json::to_writer(&mut hasher, value).map_err(io::Error::from);
        let hasher = written.and_then(|()| hasher.into_inner().map_err(io::IntoInnerError::into_error));
        Self::cut(&hasher.unwrap_or_default().finalize())
    }

    /// The digest of several fields. Each is preceded by its length, so that two different lists do not collide.
    pub fn of_fields<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for field in fields {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        Self::cut(&hasher.finalize())
    }

    fn cut(digest: &[u8]) -> Self {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&digest[..N]);
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for Hash<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl<const N: usize> fmt::Debug for Hash<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error of a text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0} hexadecimal digits")]
pub struct NotADigest(usize);

impl<const N: usize> FromStr for Hash<N> {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; N];
        if text.len() != 2 * N {
            return Err(NotADigest(2 * N));
        }
        HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut bytes).map_err(|_| NotADigest(2 * N))?;
        Ok(Self(bytes))
    }
}

impl<const N: usize> TryFrom<String> for Hash<N> {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl<const N: usize> From<Hash<N>> for String {
    fn from(hash: Hash<N>) -> Self {
        HEXLOWER.encode(&hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_prints_and_travels_as_hexadecimal() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let empty = Digest::of(b"");
        assert_eq!((empty.to_string(), format!("{empty:?}")), (text.into(), text.into()));
        assert_eq!((String::from(empty), text.parse()), (text.into(), Ok(empty)));
        assert_eq!(HEXLOWER.encode(empty.as_bytes()), text);
        assert_eq!(Fingerprint::of(b"").to_string(), text[..32], "the start of it");
        assert_eq!(text.to_uppercase().parse(), Ok(empty));
        for bad in ["", &text[1..], &text[..62], &text.replace('e', "g"), &format!("0x{}", &text[2..])] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_two_lists_of_fields_have_one_digest() {
        let digest = |fields: &[&str]| Digest::of_fields(fields.iter().map(|field| field.as_bytes()));
        let lists: [&[&str]; 5] = [&[], &[""], &["ab"], &["a", "b"], &["", "ab"]];
        let distinct: std::collections::BTreeSet<_> = lists.iter().map(|fields| digest(fields)).collect();
        assert_eq!(distinct.len(), lists.len());
    }

    #[test]
    fn a_value_has_the_digest_of_its_json() {
        assert_eq!(Digest::of_json(&["x", "y"]), Digest::of(br#"["x","y"]"#));
    }
}
