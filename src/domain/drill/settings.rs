//! What the settings say of drills.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::domain::{
    object::ObjectId,
    source::{Source, SourceKind, SourceName},
};

/// What the settings say of drills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drills {
    /// The sources that have a drill vault.
    pub of: BTreeMap<SourceName, DrillOf>,
    /// The HSMs that have a drill HSM.
    pub hsms: BTreeMap<SourceName, DrillHsm>,
    /// How old the newest drill of an HSM may be that has a drill HSM.
    pub hsm_interval: Duration,
    /// How many objects of each kind are drawn.
    pub sample: u32,
    /// Every so many drills of a source, another kept point than the newest is restored; 0 for never.
    pub older_every: u32,
    /// How old the newest drill of a source may be.
    pub interval: Duration,
}

/// What the settings say of one HSM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillHsm {
    /// The HSM that its drills restore into.
    pub hsm: Source,
    /// What its drills are judged against.
    pub targets: Targets,
}

/// What the settings say of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillOf {
    /// The vault that its drills restore into.
    pub vault: Source,
    /// The objects that are part of every sample.
    pub always: Vec<ObjectId>,
    /// What its drills are judged against.
    pub targets: Targets,
}

/// How long a restore of the whole source may take, and how old what it restores may be; not judged where not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// The recovery time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<u32>,
    /// The recovery point, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_seconds: Option<u32>,
}

impl Targets {
    /// Whether there is none.
    pub(super) fn are_unset(&self) -> bool {
        *self == Self::default()
    }
}

impl Drills {
    /// No drills.
    pub const fn none() -> Self {
        Self {
            of: BTreeMap::new(),
            hsms: BTreeMap::new(),
            hsm_interval: Duration::days(100),
            sample: 5,
            older_every: 4,
            interval: Duration::days(8),
        }
    }

    /// How old the newest drill of a source may be; `None` where it has no drill vault and no drill HSM.
    pub fn interval_of(&self, kind: SourceKind, source: &SourceName) -> Option<Duration> {
        match kind {
            SourceKind::Vault => self.of.contains_key(source).then_some(self.interval),
            SourceKind::Hsm => self.hsms.contains_key(source).then_some(self.hsm_interval),
        }
    }

    /// The drill vaults, each once.
    pub fn vaults(&self) -> Vec<&Source> {
        let mut names = BTreeSet::new();
        self.of.values().map(|of| &of.vault).filter(|vault| names.insert(vault.name())).collect()
    }

    /// The sources that drill in a vault, in order.
    pub fn sources_in<'a>(&'a self, vault: &'a SourceName) -> impl Iterator<Item = &'a SourceName> {
        self.of.iter().filter(move |(_, of)| of.vault.name() == vault).map(|(source, _)| source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_of_several_sources_is_there_once() {
        let vault = |name: &str| Source::vault(&format!("https://{name}.vault.azure.net")).unwrap();
        let of = |name| DrillOf { vault: vault(name), always: Vec::new(), targets: Targets::default() };
        let sources = [("kv-a", "kv-drill"), ("kv-b", "kv-other"), ("kv-c", "kv-drill")];
        let of = sources.map(|(source, drill)| (source.parse().unwrap(), of(drill))).into();
        let drills = Drills { of, ..Drills::none() };
        assert_eq!(drills.vaults(), [&vault("kv-drill"), &vault("kv-other")]);
        let drill = "kv-drill".parse().unwrap();
        let names: Vec<_> = drills.sources_in(&drill).map(SourceName::as_str).collect();
        assert_eq!(names, ["kv-a", "kv-c"]);
    }
}
