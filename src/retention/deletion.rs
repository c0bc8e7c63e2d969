//! Deleting the blobs that a record names, in the versions that it names.

use time::OffsetDateTime;

use super::applied::Applied;
use crate::{
    azure::{
        container::{Container, Version, Written},
        error::Meaning,
    },
    domain::{
        moment::day,
        retention::{DroppedBlob, Store, Unproved},
        run::RunId,
    },
    error::{Error, Result},
};

/// A blob of a record, and its container.
pub(super) type Placed<'a> = (&'a Container, &'a DroppedBlob);

/// The entry for a version of a blob in the catalogue's container.
pub(super) fn dropped(version: &Version, successor: Option<RunId>) -> DroppedBlob {
    DroppedBlob {
        store: Store::Backups,
        name: version.name.clone(),
        version: version.id.clone(),
        etag: version.etag.clone(),
        bytes: version.bytes,
        successor,
    }
}

/// Why storage refuses to delete a version now.
pub(super) fn bound_until(version: &Version, now: OffsetDateTime) -> Option<Unproved> {
    if version.legal_hold {
        return Some(Unproved::Held("of the storage".to_owned()));
    }
    let until = version.immutable_until.filter(|until| *until > now)?;
    Some(Unproved::Immutable(day(until)))
}

/// Why storage would refuse to delete one of these blobs.
pub(super) async fn first_bound(blobs: &[Placed<'_>], now: OffsetDateTime) -> Result<Option<String>> {
    for (container, blob) in blobs {
        for version in container.versions_of(&blob.name).await? {
            if let Some(why) = bound_until(&version, now) {
                return Ok(Some(format!("has {}, {why}", blob.name)));
            }
        }
    }
    Ok(None)
}

/// What became of a blob that was to be deleted.
pub(super) enum Deleted {
    /// It is deleted now.
    Now,
    /// It was gone.
    Gone,
    /// It stays; why.
    Stays(String),
}

/// Deletes blobs in their order, and returns why one of them stays, if one does. One that `waits` is deleted only if
/// none before it stays.
pub(super) async fn delete_all(
    blobs: &[Placed<'_>],
    waits: fn(&str) -> bool,
    now: OffsetDateTime,
    applied: &mut Applied,
) -> Result<Option<String>> {
    let mut stays = None;
    for (container, blob) in blobs {
        if stays.is_some() && waits(&blob.name) {
            break;
        }
        match delete(container, blob, now).await? {
            Deleted::Gone => {}
            Deleted::Now => {
                applied.blobs += 1;
                applied.bytes += blob.bytes;
            }
            Deleted::Stays(why) => stays = Some(why),
        }
    }
    Ok(stays)
}

/// Deletes a blob in the version that was recorded. One that was written again since stays as it is.
async fn delete(container: &Container, blob: &DroppedBlob, now: OffsetDateTime) -> Result<Deleted> {
    let versions = container.versions_of(&blob.name).await?;
    let is_recorded = |version: &&Version| match &blob.version {
        Some(_) => version.id == blob.version,
        None => version.etag == blob.etag,
    };
    let Some(version) = versions.iter().find(is_recorded) else { return Ok(Deleted::Gone) };
    if versions.len() > 1 {
        return Ok(Deleted::Stays(format!("{} was written again in storage", blob.name)));
    }
    delete_version(container, version, now).await
}

/// Deletes a version, unless storage keeps it.
pub(super) async fn delete_version(
    container: &Container,
    version: &Version,
    now: OffsetDateTime,
) -> Result<Deleted> {
    if let Some(why) = bound_until(version, now) {
        return Ok(Deleted::Stays(format!("{}, {why}", version.name)));
    }
    match container.delete_version(version).await {
        // Storage knows reasons that a listing does not show: a policy of the container, a lease, a newer state.
        Err(error) if error.meaning == Meaning::Exists || error.failure.code.starts_with("BlobImmutable") => {
            Ok(Deleted::Stays(error.to_string()))
        }
        deleted => Ok(deleted.map(|()| Deleted::Now)?),
    }
}

/// Refuses to go on beside another pass.
pub(super) fn taken(written: Written, run: &RunId) -> Result<()> {
    match written {
        Written::Created => Ok(()),
        Written::AlreadyThere => Err(Error::Busy(format!("another pass of retention is at work on {run}"))),
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 04:00 UTC);

    #[test]
    fn storage_binds_a_version_until_its_time_is_over_and_a_legal_hold_binds_it_always() {
        let second = Duration::SECOND;
        let until = |at| Some(Unproved::Immutable(day(at)));
        let held = Some(Unproved::Held("of the storage".to_owned()));
        for (legal_hold, immutable_until, expected) in [
            (false, None, None),
            (false, Some(NOW), None),
            (false, Some(NOW + second), until(NOW)),
            (false, Some(NOW + Duration::days(9)), until(NOW + Duration::days(9))),
            (true, None, held.clone()),
            (true, Some(NOW - second), held.clone()),
            (true, Some(NOW + second), held),
        ] {
            let version = Version {
                name: "b".into(),
                id: None,
                is_current: true,
                bytes: 1,
                etag: String::new(),
                written: None,
                immutable_until,
                legal_hold,
            };
            assert_eq!(bound_until(&version, NOW), expected, "{version:?}");
        }
    }
}
