//! Drills of a Managed HSM: a backup of everything, restored into an HSM that is there for it.
//!
//! A full restore wipes its target and puts the source's local roles there, so no app does it. Nothing is removed afterwards: the
//! drill HSM holds the source's keys under the source's roles until a person empties it, and the record of the drill says which.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    Came, CleanedUp, DRILL_FORMAT, Drill, DrillId, Point, Rehearsed, Seconds, Seed, Targets, Why,
    judge::missed,
};
use crate::domain::{
    actor::Actor,
    hsm::HsmEnd,
    object::ObjectName,
    restore::RestoreId,
    run::{RunId, Verdict},
    source::{SourceKind, SourceName},
};

/// The version of the stored form that this program writes.
pub const OPEN_HSM_DRILL_FORMAT: u32 = 1;

/// The name of the key that says that an HSM is there for drills. A restore wipes it; from then on the record of the drill says
/// what the HSM holds.
pub const HSM_MARKER: &str = "keyvault-backup-drill-hsm";

/// What no drill of an HSM proves.
const NOT_PROVEN: [&str; 3] = [
    "key material: it never leaves an HSM",
    "that a key can be used, its versions, rotation and release policy: only names are listed",
    "that the security domain and a quorum of its keys are at hand: people attest that",
];

/// What is not proven where nothing was restored.
const NOT_RESTORED: [&str; 3] = [
    "that an HSM restores the backup: nothing was restored, because the HSM has no drill HSM",
    "which keys are in the backup: only an HSM can read it",
    "that the security domain and a quorum of its keys are at hand: people attest that",
];

/// What the service's own check before a restore said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "said")]
pub enum ServiceCheck {
    /// It can be restored.
    Possible,
    /// It cannot.
    NotPossible {
        /// Why.
        why: Why,
    },
    /// The service has no such check, or did not answer.
    NotAsked {
        /// Why.
        why: Why,
    },
}

/// The record of a drill of an HSM that is under way. There is at most one for each drill HSM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenHsmDrill {
    /// [`OPEN_HSM_DRILL_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The drill.
    pub id: DrillId,
    /// The HSM whose backup is restored.
    pub source: SourceName,
    /// The drill HSM.
    pub target: SourceName,
    /// Who asked for it.
    pub by: Actor,
    /// How many drills of the source there were before.
    pub number: u32,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The backup.
    pub point: Point,
    /// Its folder.
    pub folder: String,
    /// What the service's own check said.
    pub check: ServiceCheck,
    /// Whether the drill HSM held the marker when it began.
    pub marked: bool,
    /// The restore, once it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreId>,
}

/// What only the drill of an HSM has on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmDrilled {
    /// The folder of the backup.
    pub folder: String,
    /// What the service's own check said.
    pub check: ServiceCheck,
    /// The restore; `None` where nothing was restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreId>,
    /// The keys that the drill HSM holds since; `None` if they could not be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Vec<ObjectName>>,
    /// What the drill HSM is now, and how to empty it; `None` where nothing was restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// What was proven without a restore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proven: Vec<String>,
}

/// Judges whether a drill HSM may be wiped, by the keys that it holds: nothing but the marker, or nothing but what the `last` drill
/// into it put there.
///
/// # Errors
/// Why it may not.
pub fn fit_hsm(hsm: &SourceName, keys: &[ObjectName], last: Option<&[ObjectName]>) -> Result<(), Why> {
    let is_known = |key: &ObjectName| is_marker(key) || last.is_some_and(|last| last.contains(key));
    if let Some(other) = keys.iter().find(|key| !is_known(key)) {
        let text = format!(
            "HSM {hsm} holds key {other}, which no drill put there: it is not wiped. A drill HSM holds nothing but the key \
             {HSM_MARKER}, or what the last drill left"
        );
        return Err(Why::new("not-empty", text));
    }
    if last.is_none() && !keys.iter().any(is_marker) {
        let text =
            format!("HSM {hsm} does not have the key {HSM_MARKER}, which marks an HSM as one for drills");
        return Err(Why::new("no-marker", text));
    }
    Ok(())
}

fn took(seconds: Seconds) -> String {
    format!("the restore took {seconds}")
}

/// Whether a key is the marker.
pub fn is_marker(key: &ObjectName) -> bool {
    key.folded() == HSM_MARKER
}

impl OpenHsmDrill {
    /// The record of a drill that begins. `number` is how many drills of the source there were before, `salt` distinguishes this one
    /// from others, `marked` says whether the drill HSM holds the marker.
    pub fn begin(
        (source, target): (SourceName, SourceName),
        (point, folder): (Point, String),
        (check, marked): (ServiceCheck, bool),
        by: Actor,
        (number, salt): (u32, u32),
        now: OffsetDateTime,
    ) -> Self {
        Self {
            v: OPEN_HSM_DRILL_FORMAT,
            id: DrillId::new(now, salt),
            source,
            target,
            by,
            number,
            started: now,
            point,
            folder,
            check,
            marked,
            restore: None,
        }
    }

    /// What the drill came to: `end` is how its restore ended, `holds` the keys that the drill HSM holds since, or why they cannot
    /// be listed.
    pub fn came(
        &self,
        end: &HsmEnd,
        holds: Result<Vec<ObjectName>, String>,
        targets: Targets,
        now: OffsetDateTime,
    ) -> Drill {
        let (rto, rpo) =
            (Seconds::from(end.at - self.started), Seconds::from(self.started - self.point.taken));
        let why = self.why(end, holds.as_ref().ok().map(Vec::as_slice), targets, (rto, rpo));
        let restore = if why.is_empty() { Rehearsed::Succeeded } else { Rehearsed::Failed };
        let mut not_proven: Vec<String> = NOT_PROVEN.map(str::to_owned).into();
        if let Err(why) = &holds {
            not_proven.push(format!("which keys it has since: they could not be listed, {why}"));
        }
        let rto_seconds = (end.verdict == Verdict::Succeeded).then_some(rto);
        let came = Came { restore, why, rto_seconds, rpo_seconds: Some(rpo), whole: None, targets };
        self.record(came, holds.ok(), not_proven, now)
    }

    fn why(
        &self,
        end: &HsmEnd,
        holds: Option<&[ObjectName]>,
        targets: Targets,
        (rto, rpo): (Seconds, Seconds),
    ) -> Vec<Why> {
        if end.verdict != Verdict::Succeeded {
            let none = || Why::new("restore-failed", "the restore failed, and its record does not say why");
            return vec![end.failure.clone().map_or_else(none, Into::into)];
        }
        let target = &self.target;
        let empty = holds.is_some_and(<[_]>::is_empty).then(|| {
            Why::new("nothing-restored", format!("the service says Succeeded, and HSM {target} holds no key"))
        });
        let marker = (self.marked && holds.is_some_and(|holds| holds.iter().any(is_marker))).then(|| {
            let text = format!("the service says Succeeded, and HSM {target} still has the key {HSM_MARKER}");
            Why::new("not-replaced", text)
        });
        empty.into_iter().chain(marker).chain(missed(targets, Some(rpo), Some(rto), took)).collect()
    }

    fn record(
        &self,
        came: Came,
        holds: Option<Vec<ObjectName>>,
        not_proven: Vec<String>,
        now: OffsetDateTime,
    ) -> Drill {
        let (folder, check, restore) = (self.folder.clone(), self.check.clone(), self.restore.clone());
        Drill {
            v: DRILL_FORMAT,
            id: self.id.clone(),
            kind: SourceKind::Hsm,
            source: self.source.clone(),
            target: self.target.clone(),
            by: self.by.clone(),
            number: self.number,
            seed: Seed::of(self.id.as_str().as_bytes()),
            started: self.started,
            ended: now,
            cleanup: CleanedUp::Kept,
            unclean: None,
            left: Vec::new(),
            point: Some(self.point.clone()),
            parts: 1,
            objects: Vec::new(),
            excluded: 0,
            not_proven,
            hsm: Some(Box::new(HsmDrilled {
                folder,
                check,
                restore,
                holds,
                now: self.now(came.restore),
                proven: Vec::new(),
            })),
            came,
        }
    }

    fn now(&self, restore: Rehearsed) -> Option<String> {
        let Self { source, target, .. } = self;
        self.restore.as_ref()?;
        let may = if restore == Rehearsed::Succeeded { "holds" } else { "may hold" };
        Some(format!(
            "HSM {target} {may} the keys of {source}, under the local roles of {source}: guard it as {source} itself. The next \
             drill wipes it; to empty it before, delete and purge its keys."
        ))
    }

    /// The record of a look at a backup of an HSM without a drill HSM: what was proven without a restore.
    pub fn looked(&self, proven: Vec<String>, mut why: Vec<Why>, now: OffsetDateTime) -> Drill {
        if let ServiceCheck::NotPossible { why: said } = &self.check {
            why.push(said.clone());
        }
        let rpo_seconds = Some(Seconds::from(self.started - self.point.taken));
        let restore = Rehearsed::NotRestored;
        let targets = Targets::default();
        let came = Came { restore, why, rto_seconds: None, rpo_seconds, whole: None, targets };
        let mut record = self.record(came, None, NOT_RESTORED.map(str::to_owned).into(), now);
        record.cleanup = CleanedUp::Done;
        if let Some(hsm) = &mut record.hsm {
            hsm.proven = proven;
        }
        record
    }

    /// The run whose backup is restored.
    pub fn run(&self) -> &RunId {
        &self.point.run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{outcome::Failure, samples::NIGHT};

    fn keys(names: &[&str]) -> Vec<ObjectName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn an_hsm_is_wiped_that_holds_the_marker_or_what_the_last_drill_left_and_nothing_else() {
        let hsm = "hsm-drill".parse().unwrap();
        for (holds, last, expected) in [
            (&[HSM_MARKER][..], None, Ok(())),
            (&["Keyvault-Backup-Drill-HSM"], None, Ok(())),
            (&[], None, Err("no-marker")),
            (&["a"], None, Err("not-empty")),
            (&["a", HSM_MARKER], None, Err("not-empty")),
            (&["a"], Some(&["a", "b"][..]), Ok(())),
            (&["a", HSM_MARKER], Some(&["a"]), Ok(())),
            (&[], Some(&["a"]), Ok(())),
            (&["a", "c"], Some(&["a", "b"]), Err("not-empty")),
        ] {
            let last = last.map(keys);
            let judged = fit_hsm(&hsm, &keys(holds), last.as_deref()).map_err(|why| why.code);
            assert_eq!(judged, expected.map_err(str::to_owned), "{holds:?} {last:?}");
        }
    }

    fn open(marked: bool) -> OpenHsmDrill {
        let pair = ("hsm-a".parse().unwrap(), "hsm-drill".parse().unwrap());
        let point = Point { run: RunId::nightly(NIGHT), taken: NIGHT, at: None };
        let about = (ServiceCheck::Possible, marked);
        let started = NIGHT + time::Duration::HOUR;
        OpenHsmDrill::begin(pair, (point, "folder".into()), about, Actor::TERMINAL, (0, 7), started)
    }

    #[test]
    fn a_drill_succeeds_when_the_service_says_so_and_what_is_there_does_not_deny_it() {
        let (failure, marker) = (Failure::ours("Conflict", "busy"), HSM_MARKER);
        for (failed, marked, holds, expected) in [
            (None, true, Ok(&["a"][..]), &[][..]),
            (None, false, Ok(&["a", marker]), &[]),
            (None, true, Ok(&["a", marker]), &["not-replaced"]),
            (None, true, Ok(&[]), &["nothing-restored"]),
            (None, true, Err("Forbidden"), &[]),
            (Some(failure), true, Ok(&[marker]), &["Conflict"]),
        ] {
            let verdict = if failed.is_some() { Verdict::Failed } else { Verdict::Succeeded };
            let at = NIGHT + time::Duration::hours(2);
            let end = HsmEnd { at, verdict, failure: failed };
            let holds = holds.map(keys).map_err(str::to_owned);
            let drill = open(marked).came(&end, holds.clone(), Targets::default(), at);
            let codes: Vec<_> = drill.came.why.iter().map(|why| why.code.as_str()).collect();
            assert_eq!(codes, expected, "{holds:?}");
            let succeeded = expected.is_empty();
            assert_eq!(drill.came.restore == Rehearsed::Succeeded, succeeded);
            assert_eq!(drill.came.rto_seconds.is_some(), verdict == Verdict::Succeeded);
            assert_eq!(drill.came.rpo_seconds, Some(Seconds::from(3600.0)));
            assert_eq!(
                (drill.cleanup, drill.not_proven.len()),
                (CleanedUp::Kept, 3 + usize::from(holds.is_err()))
            );
        }
    }

    #[test]
    fn a_target_is_held_against_what_was_measured() {
        let at = NIGHT + time::Duration::hours(2);
        let end = HsmEnd { at, verdict: Verdict::Succeeded, failure: None };
        for (rto, rpo, expected) in [
            (Some(3600), Some(3600), &[][..]),
            (Some(3599), None, &["rto-missed"]),
            (None, Some(3599), &["rpo-missed"]),
        ] {
            let targets = Targets { rto_seconds: rto, rpo_seconds: rpo };
            let drill = open(true).came(&end, Ok(keys(&["a"])), targets, at);
            let codes: Vec<_> = drill.came.why.iter().map(|why| why.code.as_str()).collect();
            assert_eq!(codes, expected, "{drill:?}");
        }
    }

    #[test]
    fn a_look_restores_nothing_and_fails_only_for_what_it_saw() {
        let look = |check, why: Vec<Why>| {
            let of = OpenHsmDrill { check, ..open(false) };
            of.looked(vec!["the folder".to_owned()], why, NIGHT).summary()
        };
        let why = || Why::new("x", "y");
        let well = look(ServiceCheck::NotAsked { why: why() }, Vec::new());
        assert_eq!(
            (well.came.restore, well.is_bad(), well.took_place()),
            (Rehearsed::NotRestored, false, false)
        );
        assert!(look(ServiceCheck::NotPossible { why: why() }, Vec::new()).is_bad());
        assert!(look(ServiceCheck::Possible, vec![why()]).is_bad());
    }

    #[test]
    fn the_record_of_an_open_drill_keeps_its_form() {
        let stored = concat!(
            r#"{"v":1,"id":"20261122T030000Z-drill-00000007","source":"hsm-a","target":"hsm-drill","by":{"via":"terminal"},"number":0,"#,
            r#""started":"2026-11-22T03:00:00Z","point":{"run":"20261122T020000Z-nightly","taken":"2026-11-22T02:00:00Z"},"#,
            r#""folder":"folder","check":{"said":"possible"},"marked":true}"#
        );
        assert_eq!(serde_json::to_string(&open(true)).unwrap(), stored);
        assert_eq!(serde_json::from_str::<OpenHsmDrill>(stored).unwrap(), open(true));
    }
}
