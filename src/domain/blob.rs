//! The backup blob that Key Vault hands out, and what can be checked of it without the service.
//!
//! Layout, seen in the service's recorded answers: one length byte, an ASCII tag of that length, then a
//! JWE in compact form (RFC 7516: five base64url parts). Certificates carry the key tag. Only the JWE
//! header can be read; names and versions are inside the ciphertext.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use memchr::memchr;
use serde::Deserialize;

use super::{
    digest::Digest,
    form::{BlobFacts, Clear, Form, HEADER_LIMIT, split_tag},
    object::ObjectKind,
};

const SECRET_TAG: &str = "AzureKeyVaultSecretBackupV1.microsoft.com";
const KEY_TAG: &str = "AzureKeyVaultKeyBackupV1.microsoft.com";

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

    /// Judges the form of a backup of an object of this kind.
    ///
    /// What starts like nothing that this program knows is of an unknown form, as is what names another cipher: of those
    /// nothing can be told. A known start with a broken body is no backup: that finds truncation and a wrong kind. It
    /// cannot find a flipped bit inside the ciphertext, which takes the digest, or the service.
    ///
    /// # Errors
    /// Why the bytes cannot be a backup of an object of this kind.
    pub fn judge(&self, kind: ObjectKind) -> Result<Form, BlobFault> {
        let bytes = &self.0;
        if bytes.is_empty() {
            return Err(BlobFault::Empty);
        }
        // A Managed HSM puts no tag in front (recorded traffic).
        if kind == ObjectKind::Key && bytes.starts_with(JWE_START) {
            return self.judge_jwe(bytes);
        }
        if is_cut_start(bytes, kind) {
            return Err(BlobFault::Jwe("it ends before its first part"));
        }
        let tagged = split_tag(bytes).filter(|(tag, _)| TAGS.contains(tag));
        let Some((tag, jwe)) = tagged else { return Ok(Form::Unknown(Clear::of(bytes))) };
        if tag == tag_of(kind) { self.judge_jwe(jwe) } else { Err(BlobFault::Kind(kind)) }
    }

    fn judge_jwe(&self, jwe: &[u8]) -> Result<Form, BlobFault> {
        let facts = inspect_jwe(jwe)?;
        Ok(facts.map_or_else(|| Form::Unknown(Clear::of(&self.0)), Form::Known))
    }
}

/// The tags that are known.
const TAGS: [&[u8]; 2] = [SECRET_TAG.as_bytes(), KEY_TAG.as_bytes()];

fn tag_of(kind: ObjectKind) -> &'static [u8] {
    match kind {
        ObjectKind::Secret => SECRET_TAG.as_bytes(),
        ObjectKind::Key | ObjectKind::Certificate => KEY_TAG.as_bytes(),
    }
}

/// Whether the bytes are the beginning of a known start, and end within it.
fn is_cut_start(bytes: &[u8], kind: ObjectKind) -> bool {
    let tagged = bytes.split_first().is_some_and(|(&length, rest)| {
        let within =
            |tag: &&[u8]| usize::from(length) == tag.len() && tag.starts_with(rest) && rest.len() < tag.len();
        TAGS.iter().any(within)
    });
    tagged || kind == ObjectKind::Key && JWE_START.starts_with(bytes)
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

/// Why a blob cannot be a backup. None of the texts repeats any of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobFault {
    /// No bytes at all.
    #[error("the backup blob is empty")]
    Empty,
    /// A backup, but of another kind of object.
    #[error("the backup blob is not that of a {0}")]
    Kind(ObjectKind),
    /// What follows a known tag is not a whole JWE.
    #[error("the backup blob is cut off or damaged: {0}")]
    Jwe(&'static str),
}

/// A JWE header, as far as every JWE has it.
#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    kid: Option<String>,
}

/// Whether lengths are known that the ciphers of a header give.
fn is_known(header: &Header) -> bool {
    let wraps = ["RSA-OAEP", "RSA-OAEP-256", "dir"];
    let encrypts = ["A128CBC-HS256", "A256CBC-HS512"];
    wraps.contains(&header.alg.as_str()) && encrypts.contains(&header.enc.as_str())
}

/// What the clear part says; `None` where that is not known, and the rest cannot be judged.
fn inspect_jwe(jwe: &[u8]) -> Result<Option<BlobFacts>, BlobFault> {
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
    let header: Header =
        serde_json::from_slice(&header).map_err(|_| BlobFault::Jwe("its header is not a JWE header"))?;
    let lengths = [decoded_len(key)?, decoded_len(iv)?, decoded_len(ciphertext)?, decoded_len(tag)?];
    if lengths[2] == 0 {
        return Err(BlobFault::Jwe("its ciphertext has an impossible length"));
    }
    if !is_known(&header) {
        return Ok(None);
    }
    check_lengths(&header, lengths)?;
    let Header { alg, enc, kid } = header;
    Ok(kid.map(|kid| BlobFacts { kid, alg, enc }))
}

/// Checks the lengths of the parts after the header against those that its ciphers give.
fn check_lengths(header: &Header, [wrapped, iv, ciphertext, tag]: [usize; 4]) -> Result<(), BlobFault> {
    // An HSM encrypts directly, under the key of its security domain.
    if !(matches!(wrapped, 256 | 512) || (header.alg == "dir" && wrapped == 0)) {
        return Err(BlobFault::Jwe("its wrapped key has an impossible length"));
    }
    if iv != 16 {
        return Err(BlobFault::Jwe("its initialisation vector has an impossible length"));
    }
    if ciphertext % 16 != 0 {
        return Err(BlobFault::Jwe("its ciphertext has an impossible length"));
    }
    let expected = if header.enc.ends_with("HS256") { 16 } else { 32 };
    if tag != expected {
        return Err(BlobFault::Jwe("its authentication tag has an impossible length"));
    }
    Ok(())
}

/// The decoded length of a base64url part.
fn decoded_len(part: &[u8]) -> Result<usize, BlobFault> {
    let decoded = BASE64URL.decode(part).map_err(|_| BlobFault::Jwe("a part is not base64url"))?;
    Ok(decoded.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sound JWE, part by part.
    struct Jwe {
        header: String,
        key: usize,
        iv: usize,
        ciphertext: usize,
        tag: usize,
    }

    const RSA: &str = r#"{"kid":"8f6ddf0c","alg":"RSA-OAEP-256","enc":"A256CBC-HS512"}"#;
    const SOUND: Jwe = Jwe { header: String::new(), key: 256, iv: 16, ciphertext: 1600, tag: 32 };

    impl Jwe {
        fn encoded(&self) -> String {
            let header = if self.header.is_empty() { RSA } else { &self.header };
            let lengths = [self.key, self.iv, self.ciphertext, self.tag];
            let parts = lengths.map(|length| BASE64URL.encode(vec![7; length]));
            format!("{}.{}", BASE64URL.encode(header), parts.join("."))
        }

        fn fault(&self) -> Option<&'static str> {
            jwe_fault(&self.encoded())
        }
    }

    fn jwe_fault(jwe: &str) -> Option<&'static str> {
        match inspect_jwe(jwe.as_bytes()) {
            Ok(_) => None,
            Err(BlobFault::Jwe(why)) => Some(why),
            Err(other) => panic!("{other}"),
        }
    }

    fn header(alg: &str, enc: &str) -> String {
        RSA.replace("RSA-OAEP-256", alg).replace("A256CBC-HS512", enc)
    }

    fn tagged(tag: &str, jwe: &str) -> BackupBlob {
        let length = u8::try_from(tag.len()).unwrap();
        BackupBlob([&[length], tag.as_bytes(), jwe.as_bytes()].concat())
    }

    #[test]
    fn reads_the_header_of_a_sound_blob() {
        let blob = tagged(SECRET_TAG, &SOUND.encoded());
        let Form::Known(facts) = blob.judge(ObjectKind::Secret).unwrap() else { panic!("it is known") };
        assert_eq!((facts.kid.as_str(), facts.enc.as_str()), ("8f6ddf0c", "A256CBC-HS512"));
        let bytes = [&[41], SECRET_TAG.as_bytes(), SOUND.encoded().as_bytes()].concat();
        assert_eq!((blob.is_empty(), blob.len(), blob.digest()), (false, bytes.len(), Digest::of(&bytes)));
        assert_eq!(blob.into_bytes(), bytes);
        assert!(BackupBlob(Vec::new()).is_empty());
    }

    /// How a judgement came out, in one word.
    fn judged(blob: &BackupBlob, kind: ObjectKind) -> &'static str {
        match blob.judge(kind) {
            Ok(Form::Known(_)) => "known",
            Ok(Form::Unknown(_)) => "unknown",
            Err(BlobFault::Empty) => "empty",
            Err(BlobFault::Kind(of)) if of == kind => "kind",
            Err(BlobFault::Jwe(_)) => "cut",
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_start_that_is_not_known_is_kept_and_one_that_is_has_to_fit() {
        let (kinds, jwe) = ([ObjectKind::Certificate, ObjectKind::Key, ObjectKind::Secret], SOUND.encoded());
        let table = [
            ("a secret's tag", tagged(SECRET_TAG, &jwe), ["kind", "kind", "known"]),
            ("a key's tag", tagged(KEY_TAG, &jwe), ["known", "known", "kind"]),
            ("an HSM's key", BackupBlob(jwe.clone().into_bytes()), ["unknown", "known", "unknown"]),
            ("another tag", tagged("AzureKeyVaultSecretBackupV2.microsoft.com", &jwe), ["unknown"; 3]),
            (
                "another tag, cut",
                tagged("AzureKeyVaultSecretBackupV2.microsoft.com", &jwe[..40]),
                ["unknown"; 3],
            ),
            ("no tag that one could name", tagged("hello", "there"), ["unknown"; 3]),
            ("a length byte without its tag", BackupBlob(b"\xff".to_vec()), ["unknown"; 3]),
            ("a known tag, cut within it", BackupBlob(tagged(KEY_TAG, "").0[..20].to_vec()), ["cut"; 3]),
            ("a known tag and nothing", tagged(SECRET_TAG, ""), ["kind", "kind", "cut"]),
            (
                "a known tag, and a JWE that is cut short",
                tagged(SECRET_TAG, &jwe[..900]),
                ["kind", "kind", "cut"],
            ),
            ("a known tag, and no JWE", tagged(KEY_TAG, "hello"), ["cut", "cut", "kind"]),
            ("nothing", BackupBlob(Vec::new()), ["empty"; 3]),
        ];
        for (start, blob, expected) in table {
            assert_eq!(kinds.map(|kind| judged(&blob, kind)), expected, "{start}");
        }
    }

    #[test]
    fn a_cipher_that_is_not_known_cannot_be_judged_and_one_that_is_not_whole_is_none() {
        let of = |alg: &str, enc: &str| {
            tagged(SECRET_TAG, &Jwe { header: header(alg, enc), iv: 12, ..SOUND }.encoded())
        };
        let nameless = Jwe { header: r#"{"alg":"RSA-OAEP","enc":"A256CBC-HS512"}"#.into(), ..SOUND };
        let empty = Jwe { header: header("RSA-OAEP", "A256GCM"), ciphertext: 0, ..SOUND };
        for (blob, expected) in [
            (of("RSA-OAEP-256", "A256CBC-HS512"), "cut"), // that cipher gives other lengths
            (of("RSA-OAEP-256", "A256GCM"), "unknown"),
            (of("ECDH-ES+A256KW", "A256CBC-HS512"), "unknown"),
            (tagged(SECRET_TAG, &nameless.encoded()), "unknown"), // without the name of a key
            (tagged(SECRET_TAG, &empty.encoded()), "cut"),
        ] {
            assert_eq!(judged(&blob, ObjectKind::Secret), expected, "{:?}", blob.judge(ObjectKind::Secret));
        }
        let Ok(Form::Unknown(clear)) = of("RSA-OAEP-256", "A256GCM").judge(ObjectKind::Secret) else {
            panic!()
        };
        assert_eq!(clear.to_string(), format!("tag {SECRET_TAG}, header names alg, enc, kid"));
    }

    #[test]
    fn lengths_that_no_encryption_gives_are_found() {
        let key = Some("its wrapped key has an impossible length");
        let iv = Some("its initialisation vector has an impossible length");
        let ciphertext = Some("its ciphertext has an impossible length");
        let tag = Some("its authentication tag has an impossible length");
        let direct = header("dir", "A256CBC-HS512");
        let short = header("RSA-OAEP", "A128CBC-HS256");
        let table = [
            (Jwe { key: 512, ..SOUND }, None),
            (Jwe { key: 257, ..SOUND }, key),
            (Jwe { key: 0, ..SOUND }, key),
            (Jwe { header: direct.clone(), key: 0, ..SOUND }, None), // encrypted under the key of the security domain
            (Jwe { header: direct, key: 1, ..SOUND }, key),
            (Jwe { iv: 15, ..SOUND }, iv),
            (Jwe { iv: 17, ..SOUND }, iv),
            (Jwe { ciphertext: 0, ..SOUND }, ciphertext),
            (Jwe { ciphertext: 15, ..SOUND }, ciphertext),
            (Jwe { ciphertext: 16, ..SOUND }, None),
            (Jwe { ciphertext: 17, ..SOUND }, ciphertext),
            (Jwe { tag: 16, ..SOUND }, tag),
            (Jwe { header: short.clone(), tag: 16, ..SOUND }, None),
            (Jwe { header: short, tag: 32, ..SOUND }, tag),
        ];
        for (jwe, expected) in table {
            assert_eq!(jwe.fault(), expected, "{}", jwe.encoded());
        }
    }

    #[test]
    fn a_header_is_json_of_a_possible_length() {
        let of_length = |length: usize| header(&"a".repeat(length + 12 - RSA.len()), "A256CBC-HS512");
        let table = [
            (of_length(2048), None),
            (of_length(2049), Some("its header has an impossible length")),
            (r#"{"alg":"dir"}"#.into(), Some("its header is not a JWE header")),
        ];
        for (header, expected) in table {
            assert_eq!(Jwe { header: header.clone(), ..SOUND }.fault(), expected, "{header}");
        }
        let broken = SOUND.encoded().replacen("ey", "?y", 1);
        assert_eq!(jwe_fault(&broken), Some("its header is not base64url"));
    }

    #[test]
    fn a_jwe_has_five_parts() {
        let whole = SOUND.encoded();
        assert_eq!(jwe_fault(&format!("{whole}.more")), Some("it has more than five parts"));
        let (four, _) = whole.rsplit_once('.').unwrap();
        assert_eq!(jwe_fault(four), Some("it has fewer than five parts"));
    }

    #[test]
    fn a_part_is_base64url() {
        for length in 0..20 {
            assert_eq!(decoded_len(BASE64URL.encode(vec![7; length]).as_bytes()), Ok(length));
        }
        for bad in ["AAAAA", "A+", "A/", "AA==", "A A", "AÄ"] {
            let fault = Err(BlobFault::Jwe("a part is not base64url"));
            assert_eq!(decoded_len(bad.as_bytes()), fault, "{bad}");
        }
    }

    #[test]
    fn every_truncation_is_found() {
        let whole = tagged(KEY_TAG, &SOUND.encoded()).into_bytes();
        for length in 0..whole.len() {
            let cut = BackupBlob(whole[..length].to_vec());
            assert!(cut.judge(ObjectKind::Key).is_err(), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn the_bytes_do_not_print() {
        assert_eq!(format!("{:?}", BackupBlob(b"secret".to_vec())), "BackupBlob(6 bytes)");
    }
}
