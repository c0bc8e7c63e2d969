//! Records of verifications, and what a verification reads.

use std::collections::HashSet;

use futures::{Stream, StreamExt as _, TryStreamExt as _, pin_mut, stream};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Catalogue, layout, metadata};
use crate::{
    azure::container::{Listing, Metadata, Version, Written},
    domain::{
        blob::BackupBlob,
        entry::{ENTRY_FORMAT, Entry},
        manifest::ObjectResult,
        object::ObjectId,
        run::RunId,
        second::Place,
        source::{SourceId, SourceKind, SourceName},
        stored_version::ContainerMark,
        verification::{
            Reading, Readings, Suspects, VERIFICATION_FORMAT, Verification, VerificationSummary, Verified,
        },
    },
    error::{Error, Result, damaged},
    stored::{self, read_metadata},
};

/// How many of the newest passes are asked which backups they read: with the default, two turns of each backup.
const READINGS: u16 = 56;

/// What a record says, if it can be read.
fn known<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(error) if error.is_unreadable() => Ok(None),
        read => read.map(Some),
    }
}

/// The metadata of a verification.
const SUMMARY: &str = "summary";

/// A blob of a vault as storage lists it, with all its versions.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Its versions, the oldest first.
    pub versions: Vec<Version>,
}

impl Sighting {
    /// The blob's name.
    pub fn name(&self) -> &str {
        self.versions.first().map_or("", |version| &version.name)
    }

    /// What the name stands for now; `None` if that was deleted.
    pub fn current(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.is_current)
    }
}

/// The bytes of a backup, and the entry that lies with them or why it cannot be read.
pub type BackupWithEntry = (BackupBlob, std::result::Result<Entry, String>);

fn with_entry(name: &str, bytes: &[u8], metadata: &Metadata) -> Result<BackupWithEntry> {
    let entry = match read_metadata::<Entry>(name, metadata, "entry", ENTRY_FORMAT) {
        Ok(Some(entry)) => Ok(entry),
        Ok(None) => Err("there is none".to_owned()),
        Err(error @ Error::TooNew { .. }) => return Err(error),
        Err(error) => Err(error.to_string()),
    };
    Ok((BackupBlob::from(bytes.to_vec()), entry))
}

impl Catalogue {
    /// Records a verification. Where it found something wrong with newest backups, a sign for the app that backs up comes after
    /// it. Safe to run twice.
    pub async fn create_verification(&self, of: &Verification) -> Result<Written> {
        let name = self.own(&layout::verification(of.kind, &of.source, of.ended));
        let bytes = serde_json::to_vec(of).map_err(|error| damaged(&name, &error))?;
        let written = self.container.add(&name, bytes, metadata(&name, SUMMARY, &of.summary())?).await?;
        // No app backs up what the second place lacks: the next pass of copies may bring it.
        if of.of_newest().next().is_some() && self.place == Place::First {
            let sign = layout::suspects(of.kind, &of.source, of.ended);
            self.container.add(&sign, Vec::new(), [].into()).await?;
        }
        Ok(written)
    }

    /// What the newest verification of a source in this place came to; `None` if there was none. One request. In the second place it
    /// is one of its owners: what was copied is about the blobs of the first.
    ///
    /// # Errors
    /// Also if it cannot be read: then it is not known what it found.
    pub async fn last_verification(
        &self,
        kind: SourceKind,
        source: &SourceName,
    ) -> Result<Option<VerificationSummary>> {
        self.last_verification_by(kind, source, None).await
    }

    /// [`Catalogue::last_verification`], of those that had ended by a time.
    ///
    /// # Errors
    /// Likewise.
    pub async fn last_verification_by(
        &self,
        kind: SourceKind,
        source: &SourceName,
        by: Option<OffsetDateTime>,
    ) -> Result<Option<VerificationSummary>> {
        let prefix = self.own(&layout::verifications(kind, source));
        let from = by.map_or_else(|| prefix.clone(), |by| self.own(&layout::verification(kind, source, by)));
        let Some(item) = self.first_from(&prefix, &from, true).await? else { return Ok(None) };
        let summary = read_metadata(&item.name, &item.metadata, SUMMARY, VERIFICATION_FORMAT)?;
        summary.map(Some).ok_or_else(|| damaged(&item.name, &"its record is gone"))
    }

    /// The verification of a source that ended at a time.
    ///
    /// # Errors
    /// Also if it cannot be read.
    pub async fn verification(
        &self,
        kind: SourceKind,
        source: &SourceName,
        ended: OffsetDateTime,
    ) -> Result<Verification> {
        let name = self.own(&layout::verification(kind, source, ended));
        let bytes = self.container.read(&name).await?.ok_or_else(|| damaged(&name, &"it is gone"))?;
        let read: Verification = stored::read(&name, &bytes, VERIFICATION_FORMAT)?;
        let is_own = read.kind == kind && read.source == *source;
        if is_own { Ok(read) } else { Err(damaged(&name, &"it is of another source")) }
    }

    /// The newest verification of a source; `None` if there was none. Two requests.
    pub async fn newest_verification(
        &self,
        kind: SourceKind,
        source: &SourceName,
    ) -> Result<Option<Verification>> {
        match self.last_verification(kind, source).await? {
            Some(last) => self.verification(kind, source, last.ended).await.map(Some),
            None => Ok(None),
        }
    }

    /// The backups of a source about which a finding is open. One request, and one more if there are any.
    pub async fn suspects(&self, kind: SourceKind, source: &SourceName) -> Result<Suspects> {
        Ok(self.verified(kind, source).await?.suspects)
    }

    /// What the last verification of a source says. One request, and one more if there are findings.
    pub async fn verified(&self, kind: SourceKind, source: &SourceName) -> Result<Verified> {
        let Some(last) = self.last_verification(kind, source).await? else { return Ok(Verified::default()) };
        let at = last.counts.why_nothing(kind).is_none().then_some(last.started);
        let suspects = match last.findings {
            0 => Suspects::default(),
            _ => Suspects::of(&self.verification(kind, source, last.ended).await?.findings),
        };
        Ok(Verified { at, suspects, unreadable: None })
    }

    /// As [`Catalogue::verified`], for those who tell of it. A record that cannot be read is part of what is told.
    pub async fn verified_or_why_not(&self, kind: SourceKind, source: &SourceName) -> Result<Verified> {
        match self.verified(kind, source).await {
            Err(error) if error.is_unreadable() => {
                Ok(Verified { unreadable: Some(error.to_string()), ..Verified::default() })
            }
            verified => verified,
        }
    }

    /// Which backups of a vault the newest passes read. One request, and one more for each pass with findings. Records that
    /// cannot be read say nothing, and if the newest one cannot be, nothing is known.
    pub async fn readings(&self, vault: &SourceName) -> Result<Readings> {
        let (kind, prefix) = (SourceKind::Vault, self.own(&layout::verifications(SourceKind::Vault, vault)));
        let listing = Listing { prefix: &prefix, from: None, page: READINGS, metadata: true };
        let pages = self.container.list(listing);
        pin_mut!(pages);
        let newest = pages.try_next().await?.unwrap_or_default();
        let (mut passes, mut open) = (Vec::new(), None);
        for item in newest {
            let summary = read_metadata(&item.name, &item.metadata, SUMMARY, VERIFICATION_FORMAT);
            let summary: Option<VerificationSummary> = known(summary)?.flatten();
            let suspects = match &summary {
                Some(summary) if summary.findings == 0 => Some(Suspects::default()),
                Some(summary) => {
                    let read = self.verification(kind, vault, summary.ended).await;
                    known(read)?.map(|read| Suspects::of(&read.findings))
                }
                None => None,
            };
            if open.is_none() {
                let Some(found) = suspects.clone() else { return Ok(Readings::default()) };
                open = Some(found);
            }
            passes.extend(summary.and_then(|summary| Reading::of(&summary, suspects)));
        }
        Ok(Readings::new(passes, open.unwrap_or_default()))
    }

    /// The newest verifications after a time that found something wrong with newest backups: when they ended, and of which
    /// source. One request for a hundred of them.
    pub async fn signs_of_suspects(&self, after: OffsetDateTime) -> Result<Vec<(OffsetDateTime, SourceId)>> {
        let listing = Listing { prefix: layout::SUSPECTS, from: None, page: 100, metadata: false };
        let pages = self.container.list(listing);
        pin_mut!(pages);
        let mut found: Vec<(OffsetDateTime, SourceId)> = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for (ended, source) in page.iter().filter_map(|item| layout::parse_suspects(&item.name)) {
                if ended <= after {
                    return Ok(found);
                }
                if !found.iter().any(|(_, of)| *of == source) {
                    found.push((ended, source));
                }
            }
        }
        Ok(found)
    }

    /// What tells this catalogue's container from others.
    pub fn container_mark(&self) -> ContainerMark {
        self.container.mark()
    }

    /// Everything that the runs of a vault left, in the order of names, with all versions of each blob.
    pub fn sightings(&self, vault: &SourceName) -> impl Stream<Item = Result<Sighting>> + use<> {
        let versions = self
            .container
            .versions(&layout::vault(vault))
            .map_ok(|page| stream::iter(page.into_iter().map(Ok::<_, crate::azure::error::ServiceError>)));
        let versions = versions.try_flatten();
        stream::unfold((Box::pin(versions), None::<Version>), |(mut versions, kept)| async move {
            let mut of: Vec<Version> = kept.into_iter().collect();
            loop {
                match versions.next().await {
                    Some(Ok(version)) if of.first().is_none_or(|first| first.name == version.name) => {
                        of.push(version);
                    }
                    Some(Ok(other)) => {
                        return Some((Ok(Sighting { versions: of }), (versions, Some(other))));
                    }
                    Some(Err(error)) => return Some((Err(Error::from(error)), (versions, None))),
                    None if of.is_empty() => return None,
                    None => return Some((Ok(Sighting { versions: of }), (versions, None))),
                }
            }
        })
    }

    /// The stored bytes of a backup and the entry that lies with them; `None` if it is not there. `Err` in the pair is why the
    /// entry cannot be read.
    ///
    /// # Errors
    /// Those of storage, and an entry that a newer program wrote.
    pub async fn backup_with_entry(
        &self,
        vault: &SourceName,
        run: &RunId,
        id: &ObjectId,
    ) -> Result<Option<BackupWithEntry>> {
        let name = layout::object(vault, run, id, layout::Leaf::Backup);
        let Some((bytes, metadata)) = self.container.read_with_metadata(&name).await? else {
            return Ok(None);
        };
        with_entry(&name, &bytes, &metadata).map(Some)
    }

    /// As [`Catalogue::backup_with_entry`], of what was stored first: the blob's first version, also of a blob that was deleted.
    /// It is the blob itself on an account without versioning. Two requests.
    ///
    /// # Errors
    /// As [`Catalogue::backup_with_entry`].
    pub async fn first_backup_with_entry(
        &self,
        vault: &SourceName,
        run: &RunId,
        id: &ObjectId,
    ) -> Result<Option<BackupWithEntry>> {
        let versions = self.versions_of_backup(vault, run, id).await?;
        // Their identifiers are times.
        let Some(first) = versions.into_iter().min_by(|a, b| a.id.cmp(&b.id)) else { return Ok(None) };
        let Some((bytes, metadata)) = self.container.read_version(&first).await? else { return Ok(None) };
        with_entry(&first.name, &bytes, &metadata).map(Some)
    }

    /// The entries that lie with the backups of a run, in order, page by page, with the versions in which the backups are
    /// listed. Those that cannot be read are left out: reading their backups finds them.
    pub fn entries_of_run(
        &self,
        vault: &SourceName,
        run: &RunId,
    ) -> impl Stream<Item = Result<Vec<Entry>>> + use<> {
        self.results(vault, run).map_ok(|page| {
            let entry = |result| match result {
                ObjectResult::Entry(entry) => Some(entry),
                ObjectResult::Outcome(_) => None,
            };
            page.into_iter().filter_map(entry).collect()
        })
    }

    /// Records what storage had deleted of a vault before its first verification. Safe to run twice: the first record stays.
    pub async fn create_deleted_before(
        &self,
        vault: &SourceName,
        names: &[&str],
        at: OffsetDateTime,
    ) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let name = self.own(&layout::deleted_before(vault));
        let record = DeletedBefore { v: 1, at, blobs: names.iter().map(|&name| name.to_owned()).collect() };
        let bytes = serde_json::to_vec(&record).map_err(|error| damaged(&name, &error))?;
        Ok(self.container.add(&name, bytes, [].into()).await.map(drop)?)
    }

    /// What storage had deleted of a vault before its first verification. A record that cannot be read explains nothing.
    pub async fn deleted_before(&self, vault: &SourceName) -> Result<HashSet<String>> {
        let name = self.own(&layout::deleted_before(vault));
        let Some(bytes) = self.container.read(&name).await? else { return Ok(HashSet::new()) };
        match stored::read::<DeletedBefore>(&name, &bytes, 1) {
            Err(error) if error.is_unreadable() => Ok(HashSet::new()),
            read => Ok(read?.blobs),
        }
    }
}

/// What storage had deleted before the first verification, by a rule of an earlier version that went by age alone.
#[derive(Serialize, Deserialize)]
struct DeletedBefore {
    v: u32,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    blobs: HashSet<String>,
}
