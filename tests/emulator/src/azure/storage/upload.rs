//! What is to be put, and the sums that came with it.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hyper::StatusCode;

use super::{
    account::md5,
    crc64::crc64,
    error::{error, invalid_header},
    structured,
};
use crate::azure::{call::Call, reply::Reply};

/// The content of an upload, with its sums. Made before the container is locked: they take longer than the rest.
pub(crate) struct Upload {
    pub(crate) bytes: Bytes,
    pub(crate) md5: [u8; 16],
    crc64: [u8; 8],
    structured: bool,
}

impl Upload {
    /// Takes the body of a request out of its frame and holds it against the sums that came with it.
    pub(crate) fn read(call: &Call) -> Result<Self, Reply> {
        let (bytes, structured) = content(call)?;
        let upload = Self { md5: md5(&bytes), crc64: crc64(&bytes), bytes, structured };
        let transfer = ["content-md5", "x-ms-content-crc64"].map(|name| call.header(name));
        if let [Some(_), Some(crc64)] = transfer {
            return Err(invalid_header(call, "x-ms-content-crc64", crc64)); // one or the other (documented)
        }
        for name in ["content-md5", "x-ms-blob-content-md5"] {
            check(call, name, &upload.md5, md5_mismatch, invalid_md5)?;
        }
        check(call, "x-ms-content-crc64", &upload.crc64, crc64_mismatch, |call| {
            invalid_header(call, "x-ms-content-crc64", call.header("x-ms-content-crc64").unwrap_or_default())
        })?;
        Ok(upload)
    }

    /// Says in an answer what was received.
    pub(crate) fn confirm(&self, reply: &mut Reply) {
        reply.set("content-md5", &BASE64_STANDARD.encode(self.md5));
        reply.set("x-ms-content-crc64", &BASE64_STANDARD.encode(self.crc64));
        if self.structured {
            reply.set_static("x-ms-structured-body", structured::FORM);
        }
    }
}

/// The body, out of the frame that it may be in.
fn content(call: &Call) -> Result<(Bytes, bool), Reply> {
    let Some(form) = call.header("x-ms-structured-body") else { return Ok((call.body.clone(), false)) };
    if form != structured::FORM {
        return Err(invalid_header(call, "x-ms-structured-body", form));
    }
    let length = call.header("x-ms-structured-content-length");
    let content = structured::decode(call.body.clone()).map_err(|fault| match fault {
        structured::Fault::Sum => crc64_mismatch(call),
        structured::Fault::Form => {
            let message = "The structured message in the body of the request is not valid."; // ours
            error(call, StatusCode::BAD_REQUEST, "InvalidInput", message)
        }
    })?;
    match length {
        Some(length) if length != content.len().to_string() => {
            Err(invalid_header(call, "x-ms-structured-content-length", length))
        }
        _ => Ok((content, true)),
    }
}

fn check(
    call: &Call,
    name: &'static str,
    own: &[u8],
    mismatch: fn(&Call) -> Reply,
    invalid: impl FnOnce(&Call) -> Reply,
) -> Result<(), Reply> {
    let Some(sum) = call.header(name) else { return Ok(()) };
    match BASE64_STANDARD.decode(sum) {
        Ok(sum) if sum == own => Ok(()),
        Ok(sum) if sum.len() == own.len() => Err(mismatch(call)),
        _ => Err(invalid(call)),
    }
}

fn md5_mismatch(call: &Call) -> Reply {
    let message =
        "The MD5 value specified in the request did not match with the MD5 value calculated by the server.";
    error(call, StatusCode::BAD_REQUEST, "Md5Mismatch", message)
}

fn invalid_md5(call: &Call) -> Reply {
    let message =
        "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64-encoded.";
    error(call, StatusCode::BAD_REQUEST, "InvalidMd5", message)
}

fn crc64_mismatch(call: &Call) -> Reply {
    let message = "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.";
    error(call, StatusCode::BAD_REQUEST, "Crc64Mismatch", message)
}
