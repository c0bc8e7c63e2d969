//! The platforms that there are release files for.

use std::fmt;

use crate::Result;

/// The machines of Azure Functions.
const FUNCTIONS: &str = "x86_64-unknown-linux-gnu";

/// Every platform that has an archive of the command line tool.
pub const TARGETS: [&str; 5] = [
    FUNCTIONS,
    "aarch64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
];

/// A platform, as Rust names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(&'static str);

impl Target {
    /// That of the machines of Azure Functions.
    #[must_use]
    pub fn of_functions() -> Self {
        Self(FUNCTIONS)
    }

    /// # Errors
    /// When there are no release files for it.
    pub fn named(name: &str) -> Result<Self> {
        let known = TARGETS.into_iter().find(|known| *known == name);
        known
            .map(Self)
            .ok_or_else(|| format!("there is no release for {name}, only for {}", TARGETS.join(", ")))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }

    pub(crate) fn is_linux(self) -> bool {
        self.0.contains("-linux-")
    }

    pub(crate) fn is_windows(self) -> bool {
        self.0.contains("-windows-")
    }

    /// A program's file.
    pub(crate) fn file(self, program: &str) -> String {
        format!("{program}{}", if self.is_windows() { ".exe" } else { "" })
    }

    /// How the machine is numbered in an ELF file.
    pub(crate) fn machine(self) -> [u8; 2] {
        if self.0.starts_with("x86_64-") { [0x3e, 0x00] } else { [0xb7, 0x00] }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}
