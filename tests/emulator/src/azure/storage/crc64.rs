//! The CRC64 of storage: reflected, with all bits set before and flipped after.

const POLYNOMIAL: u64 = 0x9A6C_9329_AC4B_C9B5;

const TABLE: [u64; 256] = table();

const fn table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u64;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
}

/// The sum as it goes over the wire: eight bytes, the lowest first.
pub(crate) fn crc64(bytes: &[u8]) -> [u8; 8] {
    let step = |sum: u64, byte: &u8| (sum >> 8) ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)];
    (!bytes.iter().fold(u64::MAX, step)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_this_sum() {
        assert_eq!(u64::from_le_bytes(crc64(b"123456789")), 0xAE8B_1486_0A79_9888);
        assert_eq!(crc64(b""), [0; 8]);
    }
}
