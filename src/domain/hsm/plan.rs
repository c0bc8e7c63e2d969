//! What a restore of an HSM will do, and what stands in its way.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{HsmBackup, HsmName};
use crate::domain::{digest::Digest, object::ObjectName, run::RunId};

/// The version of the form that this program writes.
pub const HSM_PLAN_FORMAT: u32 = 1;

/// What is restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Everything: what the HSM holds is replaced.
    All,
    /// These keys.
    Keys(Vec<ObjectName>),
}

/// What is asked of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmRequest {
    /// The HSM whose backup is restored.
    pub source: HsmName,
    /// The HSM that it is restored into.
    pub target: HsmName,
    /// The backup of this run; else the newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The newest backup as of this time.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub at: Option<OffsetDateTime>,
    /// What is restored.
    pub what: What,
}

/// What the target has under a key's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHeld {
    /// Nothing.
    Nothing,
    /// A key. The service would say that it succeeded, and restore nothing.
    Live,
    /// A soft-deleted key.
    SoftDeleted,
    /// It cannot be known: the identity may not look.
    Unknown,
}

impl KeyHeld {
    /// What that means for a restore.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Nothing => "the name is free",
            Self::Live => {
                "the HSM has a key of that name, and its versions would not be overwritten; delete and purge it first"
            }
            Self::SoftDeleted => {
                "the HSM has a soft-deleted key of that name; recover it, which may be all you need, or purge it first"
            }
            Self::Unknown => {
                "it cannot be seen whether the HSM has a key of that name; the result will say what was not overwritten"
            }
        }
    }

    /// Whether the key would be restored, as far as can be known.
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Nothing | Self::Unknown)
    }
}

/// One key of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPlan {
    /// The key.
    pub key: ObjectName,
    /// What the target has under its name.
    pub held: KeyHeld,
}

/// The backup of the target that a restore of everything wants first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Safety {
    /// There is one that is young enough.
    Have(RunId),
    /// One is taken first.
    Take,
    /// None is wanted: keys are added, nothing is replaced.
    NotNeeded,
}

/// Why nothing can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HsmObstacle {
    /// There is no good backup, or none that old, or not in that run.
    NoBackup,
    /// Another HSM, and nobody has declared that the two share a security domain.
    OtherDomain,
    /// None of the keys can be restored as things are.
    NoKeyIsFree,
}

impl HsmObstacle {
    /// The obstacle's stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoBackup => "no-backup",
            Self::OtherDomain => "other-security-domain",
            Self::NoKeyIsFree => "no-key-is-free",
        }
    }

    /// What stands in the way, and what would solve it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoBackup => {
                "there is no backup of the HSM that ended well as of that time; `hsm status` shows what there is"
            }
            Self::OtherDomain => {
                "a backup restores only into an HSM with the same security domain; if the two share theirs, say so in \
                 KEYVAULT_BACKUP_HSM_DOMAINS"
            }
            Self::NoKeyIsFree => "every name is taken in the HSM; see at each key what would free it",
        }
    }
}

/// What a restore will do. Printing it changes nothing, and what carries it out decides nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmPlan {
    /// [`HSM_PLAN_FORMAT`] of the program that made it.
    pub v: u32,
    /// What was asked.
    pub hsm: HsmRequest,
    /// The run whose backup is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// When the state in it was taken.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub taken: Option<OffsetDateTime>,
    /// The backup of the target that is wanted first.
    pub safety: Safety,
    /// The keys, when some are restored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyPlan>,
    /// Why nothing can be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<HsmObstacle>,
}

impl HsmPlan {
    /// A digest of what will be done: it changes when the world moves.
    pub fn digest(&self) -> Digest {
        Digest::of_json(self)
    }

    /// Whether everything in the target is replaced.
    pub fn replaces_everything(&self) -> bool {
        self.hsm.what == What::All
    }

    /// The keys that are restored.
    pub fn free_keys(&self) -> impl Iterator<Item = &ObjectName> {
        self.keys.iter().filter(|key| key.held.is_free()).map(|key| &key.key)
    }

    /// What a reader must know before a restore of everything.
    pub const REPLACES: &str = "Everything in the HSM is replaced by the backup: keys, versions and role assignments \
                                that are not in it are lost. Until it has ended, the HSM refuses every other call.";
}

/// What planning is given.
#[derive(Debug)]
pub struct HsmWorld<'a> {
    /// The backup that the request means, if there is one that ended well.
    pub backup: Option<&'a HsmBackup>,
    /// The target's newest good backup.
    pub newest_of_target: Option<&'a HsmBackup>,
    /// How old that may be for a restore of everything.
    pub safety_age: Duration,
    /// Whether the two HSMs share a security domain, as far as the settings say.
    pub same_domain: bool,
    /// What the target has under the names of the keys, in their order.
    pub held: &'a [KeyHeld],
}

/// Plans a restore of an HSM. Pure.
pub fn plan_hsm(request: &HsmRequest, world: &HsmWorld<'_>, now: OffsetDateTime) -> HsmPlan {
    let keys = match &request.what {
        What::All => Vec::new(),
        What::Keys(keys) => {
            keys.iter().zip(world.held).map(|(key, held)| KeyPlan { key: key.clone(), held: *held }).collect()
        }
    };
    let obstacle = if !world.same_domain {
        Some(HsmObstacle::OtherDomain)
    } else if world.backup.is_none() {
        Some(HsmObstacle::NoBackup)
    } else if request.what != What::All && !keys.iter().any(|key| key.held.is_free()) {
        Some(HsmObstacle::NoKeyIsFree)
    } else {
        None
    };
    HsmPlan {
        v: HSM_PLAN_FORMAT,
        hsm: request.clone(),
        run: world.backup.map(|backup| backup.run.clone()),
        folder: world.backup.and_then(|backup| Some(backup.folder.as_ref()?.path.clone())),
        taken: world.backup.map(HsmBackup::taken),
        safety: safety(request, world, now),
        keys,
        obstacle,
    }
}

fn safety(request: &HsmRequest, world: &HsmWorld<'_>, now: OffsetDateTime) -> Safety {
    if request.what != What::All {
        return Safety::NotNeeded;
    }
    match world.newest_of_target {
        Some(backup) if backup.is_young(world.safety_age, now) => Safety::Have(backup.run.clone()),
        _ => Safety::Take,
    }
}
