//! Rights: what an actor may cause. Each right has its own sections of the audit trail, so that rights do not block
//! each other.

/// A right that allows an actor to cause something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Right {
    /// The right to start backups.
    Backup,
    /// The right to restore.
    Restore,
    /// Everything that a person does at a terminal, with that person's own rights.
    Terminal,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 3] = [Self::Backup, Self::Restore, Self::Terminal];

    /// The right's name, as in names of blobs.
    pub fn as_str(self) -> &'static str {
        self.into()
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
