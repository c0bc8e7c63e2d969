//! Structured bodies: content in segments, each with its sum, and the sum of all at the end.
//!
//! Read as the official clients write them: everything in the order of little ends; a head of version, length of all,
//! flags and number of segments; before each segment its number and length.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::crc64::crc64;

/// The longest segment of an answer. Ours: a reader takes what the head says.
const SEGMENT: usize = 4 * 1024 * 1024;

/// The only form that is known, as the header names it.
pub(crate) const FORM: &str = "XSM/1.0; properties=crc64";

const VERSION: u8 = 1;
const WITH_CRC64: u16 = 1;

/// Why a body is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Form,
    Sum,
}

/// The content of a body whose sums are right.
pub(crate) fn decode(mut body: Bytes) -> Result<Bytes, Fault> {
    let whole = body.len() as u64;
    let head = (number::<1>(&mut body)?, number::<8>(&mut body)?, number::<2>(&mut body)?);
    if head != (VERSION.into(), whole, WITH_CRC64.into()) {
        return Err(Fault::Form);
    }
    let mut content = BytesMut::new();
    for expected in 1..=number::<2>(&mut body)? {
        let (at, length) = (number::<2>(&mut body)?, number::<8>(&mut body)?);
        let length = usize::try_from(length).map_err(|_| Fault::Form)?;
        if at != expected || body.len() < length {
            return Err(Fault::Form);
        }
        let segment = body.split_to(length);
        sum(&mut body, &segment)?;
        content.extend_from_slice(&segment);
    }
    sum(&mut body, &content)?;
    if body.is_empty() { Ok(content.freeze()) } else { Err(Fault::Form) }
}

/// Content in a body with sums.
pub(crate) fn encode(content: &[u8]) -> Bytes {
    let segments = content.chunks(SEGMENT);
    let length = 13 + content.len() + segments.len() * 18 + 8;
    let mut body = BytesMut::with_capacity(length);
    body.put_u8(VERSION);
    body.put_u64_le(length as u64);
    body.put_u16_le(WITH_CRC64);
    body.put_uint_le(segments.len() as u64, 2);
    for (number, segment) in (1..).zip(segments) {
        body.put_uint_le(number, 2);
        body.put_u64_le(segment.len() as u64);
        body.extend_from_slice(segment);
        body.extend_from_slice(&crc64(segment));
    }
    body.extend_from_slice(&crc64(content));
    body.freeze()
}

fn number<const N: usize>(body: &mut Bytes) -> Result<u64, Fault> {
    if body.len() < N {
        return Err(Fault::Form);
    }
    Ok(body.get_uint_le(N))
}

/// Takes a sum off the body and holds it against what it is of.
fn sum(body: &mut Bytes, of: &[u8]) -> Result<(), Fault> {
    let given = number::<8>(body)?;
    if given.to_le_bytes() == crc64(of) { Ok(()) } else { Err(Fault::Sum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_bodies_with_right_sums_have_content() {
        let long = Bytes::from(vec![7; SEGMENT + 1]);
        for content in [Bytes::new(), Bytes::from_static(b"one two"), long] {
            assert_eq!(decode(encode(&content)), Ok(content));
        }
        let good = encode(b"one two").to_vec();
        for (at, fault) in
            [(0, Fault::Form), (1, Fault::Form), (13, Fault::Form), (24, Fault::Sum), (31, Fault::Sum)]
        {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(decode(bad.into()), Err(fault), "byte {at}");
        }
        assert_eq!(decode(Bytes::copy_from_slice(&good[..good.len() - 1])), Err(Fault::Form));
    }
}
