//! What the platform needs of a program, seen before it is deployed: a wrong one starts nowhere and says little.

use crate::Result;

/// The newest C library that may be asked for.
pub(crate) const GLIBC: (u32, u32) = (2, 28);

/// Checks that it is a 64-bit program for x86-64 Linux that an old C library will do for.
pub(crate) fn check(bytes: &[u8]) -> Result<()> {
    const X86_64: &[u8] = &[0x3e, 0x00];
    if bytes.get(..5) != Some(b"\x7fELF\x02") || bytes.get(18..20) != Some(X86_64) {
        return Err("the program is not for 64-bit x86 Linux".to_owned());
    }
    match glibc(bytes) {
        Some(version) if version > GLIBC => Err(format!(
            "the program needs glibc {}.{}, and may need {}.{}",
            version.0, version.1, GLIBC.0, GLIBC.1
        )),
        _ => Ok(()),
    }
}

/// The newest version among the names of symbol versions.
fn glibc(bytes: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"\0GLIBC_";
    let starts = bytes.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    starts.filter_map(|(at, _)| version(bytes.get(at + MARK.len()..)?)).max()
}

fn version(bytes: &[u8]) -> Option<(u32, u32)> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (major, rest) = std::str::from_utf8(bytes.get(..end)?).ok()?.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The beginning of a program, and a table with these names of symbol versions.
    pub(crate) fn program(versions: &[&str]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(18, 0);
        bytes.extend([0x3e, 0x00]);
        bytes.resize(4096, 7);
        for version in versions {
            bytes.extend(format!("\0{version}\0").bytes());
        }
        bytes
    }

    #[test]
    fn an_old_c_library_is_enough() {
        assert_eq!(check(&program(&["GLIBC_2.2.5", "GLIBC_2.28", "GLIBC_PRIVATE"])), Ok(()));
        let fault = check(&program(&["GLIBC_2.28", "GLIBC_2.34"])).unwrap_err();
        assert!(fault.contains("2.34"), "{fault}");
    }

    #[test]
    fn other_machines_are_refused() {
        assert!(check(b"#!/bin/sh\n").is_err());
        let mut arm = program(&[]);
        arm[18] = 0xb7;
        assert!(check(&arm).is_err());
    }
}
