//! Stored backups, as they are answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    location::{Elsewhere, Location},
    object::{Clear, Form, Kind},
    page::TakenToken,
    source::Reach,
};
use crate::{
    catalogue::Point,
    domain::{
        entry::Entry,
        hsm::HsmBackup,
        location::Apart,
        nothing::Points,
        source::{SourceId, SourceKind},
        verification::Readings,
    },
};

/// One stored backup of one object.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// The source of the object.
    #[schema(example = "kv-prod")]
    source: String,
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    taken: OffsetDateTime,
    /// The run that took it.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// Its size.
    bytes: u64,
    /// The SHA-256 of the stored bytes.
    sha256: String,
    /// How many versions of the object it holds.
    versions: u32,
    /// The newest of them.
    newest_version: String,
    /// Whether the newest version was enabled.
    enabled: bool,
    /// When the newest version expires.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    expires: Option<OffsetDateTime>,
    /// Whether its form was known.
    form: Form,
    /// The part that is not secret, for a backup of an unknown form.
    #[serde(skip_serializing_if = "Option::is_none")]
    clear: Option<Clear>,
    /// When the object disappeared from its vault.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    gone: Option<OffsetDateTime>,
    /// The location of the vault at the backup, as far as it was known.
    #[serde(rename = "place", skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
    /// The fact in which the vault's location differs now, if one is known: the backup does not restore there.
    #[serde(skip_serializing_if = "Option::is_none")]
    elsewhere: Option<Elsewhere>,
    /// When the last verification began that read its bytes and found them to be what was stored. Absent if that is not known, if
    /// a finding about the backup is open, and in answers about runs.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    verified: Option<OffsetDateTime>,
    /// In a history, `true` where retention let older backups go before the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<bool>,
}

impl Backup {
    /// A backup as it is answered. `gone` is when the object disappeared; `apart` says how the vault's location differs
    /// now.
    pub fn new(entry: &Entry, gone: Option<OffsetDateTime>, apart: Option<Apart>) -> Self {
        Self {
            source: entry.vault.to_string(),
            kind: entry.kind.into(),
            name: entry.name.to_string(),
            taken: entry.taken,
            run: entry.run.to_string(),
            bytes: entry.bytes,
            sha256: entry.sha256.to_string(),
            versions: entry.versions,
            newest_version: entry.newest.to_string(),
            enabled: entry.enabled,
            expires: entry.expires,
            form: Form::of(entry.form.unknown()),
            clear: entry.form.unknown().map(Into::into),
            gone,
            location: (!entry.location.is_unknown()).then(|| (&*entry.location).into()),
            elsewhere: apart.map(Into::into),
            verified: None,
            gap: None,
        }
    }

    /// The same backup, of which is known when it was last read and found to be what was stored.
    #[must_use]
    pub fn verified(self, verified: Option<OffsetDateTime>) -> Self {
        Self { verified, ..self }
    }
}

/// A page of objects that have a backup.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backups {
    /// The newest backup of each object, ordered by source, kind and name.
    pub backups: Vec<Backup>,
    /// The newest good backup of each whole Managed HSM. On the first page only, and only without `kind` and `name`.
    pub hsms: Vec<Stored>,
    /// The range of times as of which each source can be restored. On the first page only. A source without a backup is
    /// not among them.
    pub sources: Vec<Restorable>,
    /// The token for the next page, if there is one.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A source that can be restored.
#[derive(Debug, Serialize, ToSchema)]
pub struct Restorable {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// What it is; the keys of an HSM that are backed up one by one count as a vault's.
    #[schema(value_type = String, pattern = "^(vault|hsm)$", example = "vault")]
    kind: SourceKind,
    #[serde(flatten)]
    reach: Reach,
}

impl Restorable {
    /// A source with the range of its recovery points.
    pub fn new((source, points): (SourceId, Points)) -> Self {
        Self { source: source.name.to_string(), kind: source.kind, reach: Some(points).into() }
    }
}

/// The backups of one object.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// The range of times as of which the object's source can be restored.
    #[serde(flatten)]
    reach: Reach,
    /// The points that the object can be restored to, newest first.
    pub backups: Vec<Backup>,
    /// The token for the next page, if there is one.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl History {
    /// At most `limit` of the points, newest first, that are older than `after`.
    pub fn new(
        points: &[Point],
        (reach, readings): (Option<Points>, &Readings),
        after: Option<TakenToken>,
        limit: usize,
    ) -> Self {
        let newest = points.first().map(|point| point.entry.taken);
        let shown = |of: &Point| {
            let verified = readings.last_good(&of.entry, Some(of.entry.taken) == newest);
            let backup = Backup::new(&of.entry, None, of.apart).verified(verified);
            Backup { gap: of.gap.then_some(true), ..backup }
        };
        let older = |point: &&Point| after.is_none_or(|TakenToken(after)| point.entry.taken < after);
        let mut rest = points.iter().filter(older);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let last = page.last().map(|point| TakenToken(point.entry.taken).text());
        Self {
            reach: reach.into(),
            after: rest.next().and(last),
            backups: page.into_iter().map(shown).collect(),
        }
    }
}

/// A backup of a whole HSM that can be restored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HsmBackup)]
pub struct Stored {
    /// The HSM.
    #[schema(example = "hsm-prod")]
    source: String,
    /// The run that took it.
    #[schema(example = "20261122T010000Z-nightly")]
    run: String,
    /// The time of the state that it holds.
    #[serde(with = "time::serde::rfc3339")]
    taken: OffsetDateTime,
    /// The folder in the container.
    #[schema(example = "mhsm-hsm-prod-2026112201000042")]
    folder: String,
    /// How many blobs it holds.
    blobs: u32,
    /// How large they are.
    bytes: u64,
}

impl Stored {
    /// A backup that has a folder.
    pub fn new(backup: &HsmBackup) -> Option<Self> {
        let folder = backup.folder.as_ref()?;
        Some(Self {
            source: backup.hsm.to_string(),
            run: backup.run.to_string(),
            taken: backup.taken(),
            folder: folder.path.clone(),
            blobs: folder.blobs,
            bytes: folder.bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::{
        location::Fact,
        samples::{NIGHT, entry, hsm_backup, secret},
    };

    /// A history with a backup of each of these days, newest first.
    fn history(days: &[i64]) -> Vec<Point> {
        let point = |ago: &i64| Point {
            entry: entry(&secret("db"), NIGHT - Duration::days(*ago)),
            apart: None,
            gap: *ago == 3,
        };
        days.iter().map(point).collect()
    }

    #[test]
    fn pages_of_a_history_have_each_backup_once() {
        let points = history(&[0, 1, 3, 7, 9]);
        for limit in 1..7 {
            let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = History::new(&points, (None, &Readings::default()), after, limit);
                pages += 1;
                assert!(page.backups.len() <= limit && pages <= points.len(), "page {pages} of {limit}");
                seen.extend(page.backups.iter().map(|backup| (backup.taken, backup.gap)));
                let Some(token) = page.after else { break };
                after = Some(token.parse().unwrap());
            }
            let all: Vec<_> = points.iter().map(|of| (of.entry.taken, of.gap.then_some(true))).collect();
            assert_eq!((seen, pages), (all, 5_usize.div_ceil(limit)), "{limit}");
        }
        let past = TakenToken(NIGHT - Duration::days(9));
        let page = History::new(&points, (None, &Readings::default()), Some(past), 2);
        assert!(page.backups.is_empty() && page.after.is_none(), "nothing is older than the last one");
    }

    #[test]
    fn a_backup_says_where_it_was_taken_only_if_that_is_known() {
        let mut of = entry(&secret("db"), NIGHT);
        let shown = |of: &Entry| serde_json::to_value(Backup::new(of, None, None)).unwrap();
        let keys = ["place", "elsewhere", "gone", "gap", "expires", "clear"];
        assert!(keys.iter().all(|key| shown(&of).get(key).is_none()), "{}", shown(&of));
        of.location.tenant = Fact::new("contoso");
        of.expires = Some(NIGHT);
        let known = shown(&of);
        assert!(known["place"].is_object() && known["expires"] == "2026-11-22T02:00:00Z", "{known}");
    }

    #[test]
    fn a_backup_of_a_whole_hsm_without_a_folder_is_not_offered() {
        let backup = HsmBackup { started: Some(NIGHT + Duration::MINUTE), ..hsm_backup(NIGHT) };
        let shown = serde_json::to_value(Stored::new(&backup).unwrap()).unwrap();
        assert_eq!((&shown["source"], &shown["folder"]), (&"hsm-a".into(), &"f".into()), "{shown}");
        assert_eq!(Stored::new(&backup).unwrap().taken, backup.taken());
        assert!(Stored::new(&HsmBackup { folder: None, ..backup }).is_none());
    }
}
