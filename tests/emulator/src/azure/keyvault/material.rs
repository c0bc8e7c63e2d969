//! Numbers and certificates that follow from the id of a version.
//!
//! So that a restored version has the material it had before without the emulator keeping any.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};

/// Bytes which look random and follow from a label and an id.
fn bytes(label: &str, id: &str, length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + 32);
    let mut block = 0_u32;
    while out.len() < length {
        out.extend_from_slice(digest(&SHA256, format!("{label} {id} {block}").as_bytes()).as_ref());
        block += 1;
    }
    out.truncate(length);
    out
}

/// The modulus of an RSA key: its top and bottom bits are set as in a real one.
pub(crate) fn modulus(id: &str, bits: u32) -> String {
    let mut bytes = bytes("modulus", id, (bits as usize / 8).max(1));
    if let Some(first) = bytes.first_mut() {
        *first |= 0x80;
    }
    if let Some(last) = bytes.last_mut() {
        *last |= 1;
    }
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A coordinate of an elliptic key.
pub(crate) fn coordinate(axis: &str, id: &str, curve: &str) -> String {
    let length = match curve {
        "P-384" => 48,
        "P-521" => 66,
        _ => 32,
    };
    BASE64_URL_SAFE_NO_PAD.encode(bytes(axis, id, length))
}

/// The bytes of a certificate. They have the right size and are no certificate.
pub(crate) fn certificate(id: &str) -> String {
    BASE64_STANDARD.encode(bytes("certificate", id, 800))
}

/// The request by which a certificate is signed. It has the right size and is none.
pub(crate) fn request(id: &str) -> String {
    BASE64_STANDARD.encode(bytes("request", id, 680))
}

/// The thumbprint of a certificate.
pub(crate) fn thumbprint(id: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes("thumbprint", id, 20))
}

/// The secret of a certificate: what would be its PKCS#12 file.
pub(crate) fn pkcs12(id: &str) -> String {
    BASE64_STANDARD.encode(bytes("pkcs12", id, 2_600))
}
