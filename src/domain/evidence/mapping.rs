//! What the parts of a report are relevant to, and what a report does not show.

/// A section of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Section {
    /// Every day of the period.
    Days,
    /// Every source.
    Sources,
    /// What failed.
    Failures,
    /// Failures that people accepted.
    Accepted,
    /// What verification saw.
    Verification,
    /// What people recorded of the security domains of Managed HSMs.
    SecurityDomains,
    /// What the second place had.
    SecondPlace,
    /// What drills came to.
    Drills,
    /// What people accepted, acknowledged, held and released.
    Decisions,
    /// Plans, approvals and restores.
    Restores,
    /// Policies of retention.
    Policies,
    /// Holds.
    Holds,
    /// What retention let go.
    Retention,
    /// The newest records of the audit trail.
    Trail,
    /// What the sections are relevant to.
    Mapping,
    /// What the report does not show.
    NotShown,
}

impl Section {
    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Days => "Days",
            Self::Sources => "Sources",
            Self::Failures => "Failures",
            Self::Accepted => "Accepted failures",
            Self::Verification => "Verification",
            Self::SecurityDomains => "Security domains",
            Self::SecondPlace => "Second place",
            Self::Drills => "Drills",
            Self::Decisions => "Decisions of people",
            Self::Restores => "Restores and approvals",
            Self::Policies => "Policies of retention",
            Self::Holds => "Holds",
            Self::Retention => "What retention let go",
            Self::Trail => "Audit trail",
            Self::Mapping => "Mapping to requirements",
            Self::NotShown => "What this report does not show",
        }
    }

    /// Its name in links.
    pub fn anchor(self) -> &'static str {
        self.into()
    }
}

/// A row of the mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The requirement.
    pub requirement: &'static str,
    /// What it asks about.
    pub about: &'static str,
    /// The sections of the report that have something on it.
    pub sections: &'static [Section],
    /// What the report lacks for it.
    pub lacks: &'static str,
}

const NO_TESTS: &str = "tests of restores of sources that have no drill; of all others, more than a sample";

/// Which sections of a report are relevant to which requirement. It is a mapping, and claims no compliance.
pub const MAPPING: [Mapped; 8] = {
    use Section::{
        Accepted, Days, Decisions, Drills, Failures, Holds, Policies, Restores, Retention, SecondPlace,
        SecurityDomains, Sources, Trail, Verification,
    };
    [
        Mapped {
            requirement: "ISO/IEC 27001:2022, A.8.13",
            about: "Information backup: copies by a policy, maintained and tested",
            sections: &[Days, Sources, Failures, Verification, Drills, SecondPlace, Policies, Retention],
            lacks: NO_TESTS,
        },
        Mapped {
            requirement: "SOC 2, A1.2",
            about: "Backup processes and recovery infrastructure are operated and monitored",
            sections: &[Days, Sources, Failures, Accepted, Verification, Decisions],
            lacks: "the infrastructure itself",
        },
        Mapped {
            requirement: "SOC 2, A1.3",
            about: "Recovery procedures are tested",
            sections: &[Drills, Restores],
            lacks: NO_TESTS,
        },
        Mapped {
            requirement: "DORA, Regulation (EU) 2022/2554, Article 12",
            about: "Policies and procedures for backup, restoration and recovery",
            sections: &[Sources, Failures, Drills, SecondPlace, Policies, Holds, Retention, Restores],
            lacks: NO_TESTS,
        },
        Mapped {
            requirement: "PCI DSS 4.0, 3.6",
            about: "Keys that protect stored account data are secured",
            sections: &[Decisions, Restores, SecurityDomains, Trail],
            lacks: "who may read or restore backups: see the page on security",
        },
        Mapped {
            requirement: "PCI DSS 4.0, 3.7",
            about: "Key management covers the life cycle of keys",
            sections: &[Sources, Policies, Holds, Retention],
            lacks: "what a vault does with its keys itself",
        },
        Mapped {
            requirement: "NIST SP 800-53 Rev. 5, CP-9",
            about: "System backup, its protection and its tests",
            sections: &[Days, Sources, Failures, Verification, Drills, SecondPlace, Trail],
            lacks: NO_TESTS,
        },
        Mapped {
            requirement: "NIST SP 800-53 Rev. 5, CP-10",
            about: "System recovery and reconstitution",
            sections: &[Sources, Drills, Restores, SecurityDomains],
            lacks: NO_TESTS,
        },
    ]
};

/// What a report does not show.
pub const NOT_SHOWN: [&str; 8] = [
    "That a restore works, of sources for which the section on drills has nothing. A drill restores a sample and reads no value; what \
     the whole would take is extrapolated.",
    "What happened on a day without a record. Such a day is a gap, and the days beside it say nothing about it.",
    "That the records are genuine. They are written once and the keeper cannot change or delete them, but nothing signs \
     them: whoever may add under evidence/ can add the record of a day that has none.",
    "That a security domain opens anything. Of it there is what people said at a terminal; no program sees the file or a key.",
    "Who sat at a terminal. The audit trail says that a terminal did something; the storage's own log has the identity.",
    "Objects that a source did not list to this program, and sources that are neither configured nor have backups.",
    "That backups can still be read, of sources for which the section on verification has nothing.",
    "That the audit trail is whole. The command audit verify --expect compares it with the heads in this report, \
     which proves something if the report was kept elsewhere.",
];

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn no_row_claims_compliance() {
        for row in MAPPING {
            let text = format!("{} {} {}", row.requirement, row.about, row.lacks).to_lowercase();
            for word in ["complian", "compliant", "certif", "fulfil", "satisf", "meets"] {
                assert!(!text.contains(word), "{text}");
            }
        }
        let missing = |section: &Section| !MAPPING.iter().any(|row| row.sections.contains(section));
        let unmapped: Vec<_> = Section::VARIANTS.iter().filter(|section| missing(section)).collect();
        assert_eq!(unmapped, [&Section::Mapping, &Section::NotShown]);
        assert!(NOT_SHOWN[0].starts_with("That a restore works"));
    }
}
