//! What a restore of an HSM will do, and what stands in its way.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{super::source::SourceName, Contents, ContentsState, HsmBackup};
use crate::domain::{
    digest::Digest,
    object::ObjectName,
    run::{RunId, Verdict},
};

/// The version of the form that this program writes.
pub const HSM_PLAN_FORMAT: u32 = 1;

/// What to restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Everything: the contents of the HSM are replaced.
    All,
    /// These keys.
    Keys(Vec<ObjectName>),
}

/// The request for a restore of an HSM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmRequest {
    /// The HSM whose backup is restored.
    pub source: SourceName,
    /// The HSM that it is restored into.
    pub target: SourceName,
    /// The run whose backup is restored; without it the newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Restore the newest backup as of this time.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub at: Option<OffsetDateTime>,
    /// Restore from the copy of that run's backup, which `hsm copy-back` put under `restored/`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restored: bool,
    /// What to restore.
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
    /// Unknown, because the identity may not read it.
    Unknown,
}

impl KeyHeld {
    /// What that means for a restore, and what to do.
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
                "whether the HSM has a key of that name is not known; the result will say what was not overwritten"
            }
        }
    }

    /// Whether the key would be restored, as far as is known.
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

/// The backup of the target that a restore of everything needs first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Safety {
    /// There is one that is recent enough.
    Have(RunId),
    /// One is taken first.
    Take,
    /// None is needed: keys are added, and nothing is replaced.
    NotNeeded,
}

/// Why nothing can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum HsmObstacle {
    /// There is no good backup, or none that old, or not in that run. Such a request is refused and told what exists;
    /// only plans of the first programs were stored with it.
    NoBackup,
    /// The target is another HSM, and the settings do not say that the two share a security domain.
    #[strum(serialize = "other-security-domain")]
    OtherDomain,
    /// None of the keys can be restored as things are.
    NoKeyIsFree,
    /// The container no longer holds anything of the backup.
    FolderGone,
    /// Everything would be replaced by a backup that is incomplete.
    FolderIncomplete,
    /// No copy of the backup is on record.
    NoCopy,
    /// The copy was not brought back, or is gone again.
    NotBroughtBack,
}

impl HsmObstacle {
    /// The obstacle's stable name over HTTP.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What stands in the way, and how to solve it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoBackup => {
                "there is no successful backup of the HSM as of that time; `hsm status` lists the backups"
            }
            Self::OtherDomain => {
                "a backup restores only into an HSM with the same security domain; if the two share theirs, say so in \
                 KEYVAULT_BACKUP_HSM_DOMAINS"
            }
            Self::FolderGone => {
                "the container holds nothing of that backup any more; choose another one with --run or `run`, or bring the \
                 folder back: the landing account has soft delete and versions"
            }
            Self::FolderIncomplete => {
                "something of that backup is missing, and what the HSM holds would be replaced by the rest; bring it back, as \
                 the landing account has soft delete and versions, or choose another backup with --run or `run`"
            }
            Self::NoCopy => {
                "no copy of that backup is on record; restore from its own folder, or choose another backup with --run or `run`"
            }
            Self::NotBroughtBack => {
                "nothing of the copy is under restored/ in the container; a person puts it there with `keyvault-backup hsm copy-back`"
            }
            Self::NoKeyIsFree => "every name is taken in the HSM; see at each key what would free it",
        }
    }
}

/// What a restore will do. Printing it changes nothing, and the code that carries it out decides nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmPlan {
    /// [`HSM_PLAN_FORMAT`] of the program that made it.
    pub v: u32,
    /// The request.
    pub hsm: HsmRequest,
    /// The run whose backup is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The time of the state in it.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub taken: Option<OffsetDateTime>,
    /// What the folder holds now. Absent in plans of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// The backup of the target that is needed first.
    pub safety: Safety,
    /// The keys, when some are restored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyPlan>,
    /// Why nothing can be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<HsmObstacle>,
}

impl HsmPlan {
    /// A digest of what will be done: it changes if the source or the target changes.
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

    /// The verdict if everything that can be restored is. Whether a live key is what the backup holds cannot be
    /// determined, so its name counts as taken; a plan without a key restores nothing.
    pub fn at_best(&self) -> Verdict {
        if self.obstacle.is_none() && self.replaces_everything() {
            return Verdict::Succeeded;
        }
        match (self.obstacle, self.free_keys().count()) {
            (Some(_), _) | (None, 0) => Verdict::Failed,
            (None, free) if free == self.keys.len() => Verdict::Succeeded,
            _ => Verdict::PartiallyFailed,
        }
    }

    /// Warning for a person before a restore of everything.
    pub const REPLACES: &str = "Everything in the HSM is replaced by the backup: keys, versions and role assignments \
                                that are not in it are lost. Until it has ended, the HSM refuses every other call.";
}

/// What planning needs to know.
#[derive(Debug)]
pub struct HsmWorld<'a> {
    /// The backup that the request means, if it succeeded.
    pub backup: Option<&'a HsmBackup>,
    /// The target's newest good backup.
    pub newest_of_target: Option<&'a HsmBackup>,
    /// How old it may be for a restore of everything.
    pub safety_age: Duration,
    /// Whether the two HSMs share a security domain, according to the settings.
    pub same_domain: bool,
    /// The folder to restore from, if it is not that of the backup's record.
    pub brought_back: Option<String>,
    /// What the folder holds now.
    pub contents: Option<Contents>,
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
    } else if let Some(obstacle) = unusable(request, world) {
        Some(obstacle)
    } else if request.what != What::All && !keys.iter().any(|key| key.held.is_free()) {
        Some(HsmObstacle::NoKeyIsFree)
    } else {
        None
    };
    HsmPlan {
        v: HSM_PLAN_FORMAT,
        hsm: request.clone(),
        run: world.backup.map(|backup| backup.run.clone()),
        folder: world.backup.and_then(|backup| {
            if request.restored {
                world.brought_back.clone()
            } else {
                Some(backup.folder.as_ref()?.path.clone())
            }
        }),
        taken: world.backup.map(HsmBackup::taken),
        contents: world.contents.clone(),
        safety: safety(request, world, now),
        keys,
        obstacle,
    }
}

/// An incomplete folder must not replace what an HSM holds. Restoring keys only adds to it: a key that cannot be read
/// fails, and nothing is lost.
fn unusable(request: &HsmRequest, world: &HsmWorld<'_>) -> Option<HsmObstacle> {
    let Some(contents) = &world.contents else { return request.restored.then_some(HsmObstacle::NoCopy) };
    match contents.state {
        ContentsState::Gone if request.restored => Some(HsmObstacle::NotBroughtBack),
        ContentsState::Gone => Some(HsmObstacle::FolderGone),
        ContentsState::Incomplete if request.what == What::All => Some(HsmObstacle::FolderIncomplete),
        ContentsState::AsRecorded
        | ContentsState::Changed
        | ContentsState::Incomplete
        | ContentsState::NotRecorded
        | ContentsState::NotSeen => None,
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

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::{
        actor::Actor,
        hsm::{BACKUP_FORMAT, Folder},
    };

    const NOW: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);
    const AGE: Duration = Duration::HOUR;

    fn request(keys: Option<&[&str]>) -> HsmRequest {
        let names = |keys: &[&str]| keys.iter().map(|key| key.parse().unwrap()).collect();
        let what = keys.map_or(What::All, |keys| What::Keys(names(keys)));
        let (source, target) = ("hsm-a".parse().unwrap(), "hsm-b".parse().unwrap());
        HsmRequest { source, target, run: None, at: None, restored: false, what }
    }

    fn backup(age: Duration) -> HsmBackup {
        let time = Some(NOW - age);
        HsmBackup {
            v: BACKUP_FORMAT,
            hsm: "hsm-a".parse().unwrap(),
            run: RunId::nightly(NOW - age),
            by: Actor::TIMER,
            opened: NOW - age,
            started: None,
            ended: NOW,
            job: None,
            verdict: Verdict::Succeeded,
            folder: Some(Folder {
                path: "its-folder".into(),
                uri: None,
                time,
                blobs: 1,
                bytes: 1,
                written: None,
                sum: None,
            }),
            found: false,
            note: None,
            failure: None,
        }
    }

    /// A world in which everything can be restored.
    fn world<'a>(backup: &'a HsmBackup, held: &'a [KeyHeld]) -> HsmWorld<'a> {
        HsmWorld {
            backup: Some(backup),
            newest_of_target: Some(backup),
            safety_age: AGE,
            same_domain: true,
            brought_back: None,
            contents: None,
            held,
        }
    }

    #[test]
    fn a_plan_names_the_backup_that_it_restores() {
        let backup = backup(AGE);
        let plan = plan_hsm(&request(None), &world(&backup, &[]), NOW);
        assert_eq!(plan.run, Some(RunId::nightly(NOW - AGE)));
        assert_eq!((plan.folder.as_deref(), plan.taken), (Some("its-folder"), Some(NOW - AGE)));
        assert_eq!((plan.obstacle, plan.replaces_everything()), (None, true));
        let none = plan_hsm(&request(None), &HsmWorld { backup: None, ..world(&backup, &[]) }, NOW);
        assert_eq!((none.run, none.folder, none.taken), (None, None, None));
    }

    #[test]
    fn an_obstacle_is_what_has_to_be_solved_first() {
        use HsmObstacle::{NoBackup, NoKeyIsFree, OtherDomain};
        use KeyHeld::{Live, Nothing, SoftDeleted, Unknown};
        let (everything, two) = (request(None), request(Some(&["a", "b"])));
        let free = [Nothing, Nothing];
        let taken = [Live, SoftDeleted];
        let table = [
            (&everything, true, true, free, None),
            (&everything, true, false, free, Some(NoBackup)),
            (&everything, false, true, free, Some(OtherDomain)),
            (&everything, false, false, free, Some(OtherDomain)),
            (&two, true, true, free, None),
            (&two, true, true, [Live, Nothing], None),
            (&two, true, true, [SoftDeleted, Unknown], None),
            (&two, true, true, taken, Some(NoKeyIsFree)),
            (&two, true, false, taken, Some(NoBackup)),
            (&two, false, true, taken, Some(OtherDomain)),
        ];
        let backup = backup(AGE);
        for (request, same_domain, has_backup, held, expected) in table {
            let world =
                HsmWorld { same_domain, backup: has_backup.then_some(&backup), ..world(&backup, &held) };
            assert_eq!(plan_hsm(request, &world, NOW).obstacle, expected, "{request:?} {world:?}");
        }
    }

    #[test]
    fn what_stands_in_the_way_has_a_name_for_programs_and_a_way_out_for_people() {
        let table = [
            (HsmObstacle::NoBackup, "no-backup", "`hsm status`"),
            (HsmObstacle::OtherDomain, "other-security-domain", "KEYVAULT_BACKUP_HSM_DOMAINS"),
            (HsmObstacle::NoKeyIsFree, "no-key-is-free", "see at each key"),
            (HsmObstacle::FolderGone, "folder-gone", "choose another one"),
            (HsmObstacle::FolderIncomplete, "folder-incomplete", "bring it back"),
            (HsmObstacle::NoCopy, "no-copy", "from its own folder"),
            (HsmObstacle::NotBroughtBack, "not-brought-back", "`keyvault-backup hsm copy-back`"),
        ];
        for (obstacle, name, way_out) in table {
            assert_eq!(obstacle.name(), name);
            assert!(obstacle.text().contains(way_out), "{}", obstacle.text());
        }
        for (held, way_out) in [(KeyHeld::Live, "delete and purge"), (KeyHeld::SoftDeleted, "recover it")] {
            assert!(held.text().contains(way_out), "{}", held.text());
        }
    }

    #[test]
    fn nothing_is_replaced_by_a_folder_of_which_something_is_missing() {
        use ContentsState::{AsRecorded, Changed, Gone, Incomplete, NotRecorded, NotSeen};
        use HsmObstacle::{FolderGone, FolderIncomplete};
        let backup = backup(AGE);
        for (state, of_all, of_keys) in [
            (AsRecorded, None, None),
            (Changed, None, None),
            (Incomplete, Some(FolderIncomplete), None),
            (Gone, Some(FolderGone), Some(FolderGone)),
            (NotRecorded, None, None),
            (NotSeen, None, None),
        ] {
            let recorded = backup.folder.clone().unwrap();
            let contents = Some(Contents { state, ..Contents::of(&recorded, None) });
            for (request, expected) in [(request(None), of_all), (request(Some(&["a"])), of_keys)] {
                let world = HsmWorld { contents: contents.clone(), ..world(&backup, &[KeyHeld::Nothing]) };
                let plan = plan_hsm(&request, &world, NOW);
                assert_eq!((plan.obstacle, &plan.contents), (expected, &contents), "{state:?} {request:?}");
            }
        }
    }

    #[test]
    fn a_restore_from_a_copy_names_the_folder_into_which_it_was_brought_back() {
        use ContentsState::{AsRecorded, Gone, Incomplete};
        use HsmObstacle::{FolderIncomplete, NoCopy, NotBroughtBack};
        let backup = backup(AGE);
        for (state, expected) in [
            (Some(AsRecorded), None),
            (Some(Incomplete), Some(FolderIncomplete)),
            (Some(Gone), Some(NotBroughtBack)),
            (None, Some(NoCopy)),
        ] {
            let recorded = backup.folder.clone().unwrap();
            let contents = state.map(|state| Contents { state, ..Contents::of(&recorded, None) });
            let brought_back = state.map(|_| "restored/its-folder".to_owned());
            let world = HsmWorld { brought_back: brought_back.clone(), contents, ..world(&backup, &[]) };
            let plan = plan_hsm(&HsmRequest { restored: true, ..request(None) }, &world, NOW);
            assert_eq!((plan.obstacle, plan.folder), (expected, brought_back), "{state:?}");
            let usual = plan_hsm(&request(None), &world, NOW);
            assert_eq!(usual.folder.as_deref(), Some("its-folder"));
        }
    }

    #[test]
    fn the_keys_whose_names_are_free_are_restored() {
        use KeyHeld::{Live, Nothing, SoftDeleted, Unknown};
        let backup = backup(AGE);
        let held = [Live, Nothing, SoftDeleted, Unknown];
        let plan = plan_hsm(&request(Some(&["a", "b", "c", "d"])), &world(&backup, &held), NOW);
        assert_eq!(plan.keys.iter().map(|key| key.held).collect::<Vec<_>>(), held);
        assert_eq!(plan.free_keys().map(ObjectName::as_str).collect::<Vec<_>>(), ["b", "d"]);
        assert!(!plan.replaces_everything());
    }

    #[test]
    fn a_plan_comes_at_best_to_what_its_free_names_allow() {
        use KeyHeld::{Live, Nothing, SoftDeleted, Unknown};
        let (everything, two, none) = (request(None), request(Some(&["a", "b"])), request(Some(&[])));
        let (free, taken) = ([Nothing, Unknown], [Live, SoftDeleted]);
        let table: [(_, _, &[KeyHeld], _); 7] = [
            (&everything, true, &[], Verdict::Succeeded),
            (&everything, false, &[], Verdict::Failed),
            (&two, true, &free, Verdict::Succeeded),
            (&two, true, &[Live, Nothing], Verdict::PartiallyFailed),
            (&two, true, &taken, Verdict::Failed),
            (&two, false, &free, Verdict::Failed),
            (&none, true, &[], Verdict::Failed),
        ];
        let backup = backup(AGE);
        for (request, same_domain, held, expected) in table {
            let world = HsmWorld { same_domain, ..world(&backup, held) };
            assert_eq!(plan_hsm(request, &world, NOW).at_best(), expected, "{request:?} {world:?}");
        }
        let without = HsmPlan { obstacle: None, ..plan_hsm(&two, &world(&backup, &taken), NOW) };
        assert_eq!(without.at_best(), Verdict::Failed, "whatever a stored plan leaves out");
    }

    #[test]
    fn a_restore_of_everything_wants_a_young_backup_of_its_target_first() {
        let (young, old) = (backup(AGE - Duration::SECOND), backup(AGE));
        let (everything, one) = (request(None), request(Some(&["a"])));
        let table = [
            (&everything, Some(&young), Safety::Have(young.run.clone())),
            (&everything, Some(&old), Safety::Take),
            (&everything, None, Safety::Take),
            (&one, Some(&young), Safety::NotNeeded),
            (&one, None, Safety::NotNeeded),
        ];
        for (request, newest_of_target, expected) in table {
            let world = HsmWorld { newest_of_target, ..world(&old, &[KeyHeld::Nothing]) };
            assert_eq!(plan_hsm(request, &world, NOW).safety, expected, "{request:?} {world:?}");
        }
    }

    #[test]
    fn the_digest_changes_when_the_world_moves() {
        let (backup, request) = (backup(AGE), request(Some(&["a"])));
        let digest = |held: &[KeyHeld]| plan_hsm(&request, &world(&backup, held), NOW).digest();
        assert_eq!(digest(&[KeyHeld::Nothing]), digest(&[KeyHeld::Nothing]));
        assert_ne!(digest(&[KeyHeld::Nothing]), digest(&[KeyHeld::Live]));
    }
}
