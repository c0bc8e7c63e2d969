//! By which right something is done. Rights do not stand in each other's way: each has sections of its own on the
//! audit trail.

use std::fmt;

/// A right that makes things happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// The right to start backups.
    Backup,
    /// The right to restore.
    Restore,
    /// What a person may do at a terminal, with rights of their own.
    Terminal,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 3] = [Self::Backup, Self::Restore, Self::Terminal];

    /// The right's name, as it stands in names of blobs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Terminal => "terminal",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sections_of_the_trail_keep_their_names() {
        assert_eq!(Right::ALL.map(Right::as_str), ["backup", "restore", "terminal"]);
        assert_eq!(format!("{:9}|", Right::Restore), "restore  |");
    }
}
