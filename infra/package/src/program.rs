//! What the platform needs of a program, seen before it is deployed: a wrong one starts nowhere and says little.

use crate::{Result, target::Target};

/// The program's name, which `host.json` names too.
pub const PROGRAM: &str = "keyvault-backup";

/// The newest C library that may be asked for.
pub(crate) const GLIBC: (u32, u32) = (2, 28);

/// Checks that it is a 64-bit program for Linux on this target's machine that an old C library will do for. Of programs for other
/// systems nothing is known.
pub(crate) fn check(bytes: &[u8], target: Target) -> Result<()> {
    if !target.is_linux() {
        return Ok(());
    }
    if bytes.get(..5) != Some(b"\x7fELF\x02") || bytes.get(18..20) != Some(&target.machine()) {
        return Err(format!("the program is not for {target}"));
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
        let check = |versions: &[&str]| check(&program(versions), Target::of_functions());
        assert_eq!(check(&["GLIBC_2.2.5", "GLIBC_2.28", "GLIBC_PRIVATE"]), Ok(()));
        let fault = check(&["GLIBC_2.28", "GLIBC_2.34"]).unwrap_err();
        assert!(fault.contains("2.34"), "{fault}");
    }

    #[test]
    fn other_machines_are_refused() {
        let (here, there) = (Target::of_functions(), Target::named("aarch64-unknown-linux-gnu").unwrap());
        assert!(check(b"#!/bin/sh\n", here).is_err());
        let mut arm = program(&[]);
        arm[18] = 0xb7;
        assert!(check(&arm, here).is_err() && check(&arm, there).is_ok());
        assert!(check(&program(&[]), there).is_err());
    }
}
