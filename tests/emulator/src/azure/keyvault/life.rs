//! The other half of an object's life: deleted, recovered, purged, restored.
//!
//! What takes time at the service takes the time that [`Delays`] say, on the emulator's clock. What a client
//! meets meanwhile:
//!
//! | state | live | deleted | set, create | recover | purge | restore |
//! |---|---|---|---|---|---|---|
//! | being deleted | 404 | 404 | 409 | 409 | 409 | 409 |
//! | deleted | 404 | 200 | 409 | 200 | 204 | 409 * |
//! | being recovered | 404 | 404 * | 409 | 400 | 409 * | 409 * |
//! | purged, name not free yet | 404 | 404 | 409 * | 404 * | 404 * | 409 |
//!
//! What has a star is inferred. The rest was recorded, but for two answers known from reports: to setting what
//! is being recovered, and to reading what was just purged.
//!
//! A certificate takes its key and its secret along on every step. That they show among the deleted keys and
//! secrets meanwhile is inferred from the documented member `managed` of such items; that nothing is done to
//! them alone was recorded for deletion.

use time::{Duration, OffsetDateTime};

use super::{
    backup::{BackedUp, BackedUpVersion, BackupError},
    bundle::identifier,
    object::{Kind, Object, Store, Version},
    vault::Vault,
};
use crate::azure::knobs::Delays;

pub(crate) mod bin;
mod refusal;
pub(crate) mod rest;

use bin::{Departed, Stage};
pub use refusal::Refusal;

/// The kinds that go with one, itself first.
pub(crate) fn company(kind: Kind) -> &'static [Kind] {
    match kind {
        Kind::Secret => &[Kind::Secret],
        Kind::Key => &[Kind::Key],
        Kind::Certificate => &[Kind::Certificate, Kind::Key, Kind::Secret],
    }
}

/// A deleted object which may be recovered or purged.
fn deleted<'a>(store: &'a Store, kind: Kind, name: &str) -> Result<&'a Departed, Refusal> {
    if store.get(kind, name).is_some() {
        return Err(Refusal::Live);
    }
    let departed = store.departed(kind, name).ok_or(Refusal::NotFound)?;
    match departed.stage {
        Stage::Purged => Err(Refusal::NotFound),
        Stage::Deleted if departed.object.managed => Err(Refusal::Managed),
        Stage::Deleted => Ok(departed),
        stage => Err(stage.into()),
    }
}

fn is_taken(store: &Store, kind: Kind, name: &str) -> bool {
    company(kind).iter().any(|&kind| store.get(kind, name).is_some() || store.departed(kind, name).is_some())
}

impl Vault {
    /// Does what time has done since the last request.
    pub(crate) fn settle(&self, now: OffsetDateTime) {
        let due = self.store.read().is_due(now);
        if due {
            self.store.write().settle(now);
        }
    }

    /// Deletes an object.
    pub(crate) fn delete(
        &self,
        kind: Kind,
        name: &str,
        now: OffsetDateTime,
        delays: Delays,
    ) -> Result<Departed, Refusal> {
        let days = Duration::days(self.options.read().recoverable_days.into());
        let mut store = self.store.write();
        let object = store.get(kind, name).ok_or(Refusal::NotFound)?;
        if object.managed {
            return Err(Refusal::Managed);
        }
        let departed = Departed {
            object: object.clone(),
            stage: Stage::Deleting,
            until: now + delays.deletion,
            deleted_at: now,
            purge_at: now + days,
        };
        for &kind in company(kind) {
            if let Some(object) = store.remove(kind, name) {
                store.depart(kind, Departed { object, ..departed.clone() }, now);
            }
        }
        Ok(departed)
    }

    /// Recovers a deleted object.
    pub(crate) fn recover(
        &self,
        kind: Kind,
        name: &str,
        now: OffsetDateTime,
        delays: Delays,
    ) -> Result<Object, Refusal> {
        let mut store = self.store.write();
        let object = match deleted(&store, kind, name) {
            // Recorded, eleven seconds after the first time: what is on its way counts as live.
            Err(Refusal::BeingRecovered) => return Err(Refusal::Live),
            found => found?.object.clone(),
        };
        store.move_on(company(kind), name, Stage::Recovering, now + delays.recovery, now);
        Ok(object)
    }

    /// Purges a deleted object.
    pub(crate) fn purge(
        &self,
        kind: Kind,
        name: &str,
        now: OffsetDateTime,
        delays: Delays,
    ) -> Result<(), Refusal> {
        let mut store = self.store.write();
        deleted(&store, kind, name)?;
        if self.options.read().purge_protection {
            return Err(Refusal::PurgeProtected);
        }
        store.move_on(company(kind), name, Stage::Purged, now + delays.purge, now);
        Ok(())
    }

    /// Restores a backup under the name it was taken of, with the ids, attributes and tags of its versions. A
    /// kind refuses blobs of the others.
    pub(crate) fn restore(&self, blob: &[u8], expected: Option<Kind>) -> Result<(Kind, Object), Refusal> {
        let mut state = self.open(blob)?;
        if self.options.read().oldest_current {
            state.make_oldest_current();
        }
        if let Some(expected) = expected.filter(|expected| *expected != state.kind) {
            return Err(wrong_kind(expected, state.kind).into());
        }
        let newest = state.versions.last().ok_or(BackupError::Corrupt)?;
        let mut store = self.store.write();
        if is_taken(&store, state.kind, &state.name) {
            let id = identifier(self, state.kind, &state.name, Some(&newest.id));
            return Err(Refusal::NameTaken { id });
        }
        let BackedUp { kind, name, versions, managed, .. } = state;
        let restored = object_of(&name, false, versions).ok_or(BackupError::Corrupt)?;
        for twin in managed {
            if let Some(object) = object_of(&name, true, twin.versions) {
                store.insert(twin.kind, object);
            }
        }
        store.insert(kind, restored.clone());
        Ok((kind, restored))
    }
}

/// No recording has a blob of the wrong kind. The magic string tells secrets from the others; where it does
/// not, the content does not fit.
fn wrong_kind(expected: Kind, given: Kind) -> BackupError {
    if (expected == Kind::Secret) == (given == Kind::Secret) {
        BackupError::Corrupt
    } else {
        BackupError::Version
    }
}

/// An object made of what a backup has of it. A backup without a version makes none.
pub(crate) fn object_of(name: &str, managed: bool, versions: Vec<BackedUpVersion>) -> Option<Object> {
    let mut versions = versions.into_iter().map(|BackedUpVersion { id, attributes, material }| Version {
        id,
        attributes,
        material,
    });
    let mut object = Object::new(name, managed, versions.next()?);
    versions.for_each(|version| object.push(version));
    Some(object)
}
