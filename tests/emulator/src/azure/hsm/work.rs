//! What jobs do when they end.

use time::OffsetDateTime;

use super::{
    access::Need,
    device::{Hsm, State},
    folder::Image,
    job::{Done, Failure, HsmOperationKind, Job},
};
use crate::azure::{
    World,
    keyvault::{Kind, object_of},
};

/// Ends the job at a place in the list.
pub(crate) fn finish(world: &World, hsm: &Hsm, state: &mut State, at: usize, now: OffsetDateTime) {
    let image = state.jobs[at].image.take();
    let job = &state.jobs[at];
    let (kind, result) = (job.kind, run(world, hsm, state, job, image, now));
    let result = result.map(|(done, roles)| {
        state.roles = roles.unwrap_or_else(|| std::mem::take(&mut state.roles));
        done
    });
    match (kind, result.is_ok()) {
        (HsmOperationKind::Backup, true) => state.newest_backup = Some(now),
        (kind, true) if kind.is_restore() => state.restored_until = Some(now + state.cooldown),
        _ => {}
    }
    state.jobs[at].ended = Some((now, result));
}

/// What was done, and the role assignments that a restore brings.
type Outcome = Result<(Done, Option<Vec<String>>), Failure>;

fn run(
    world: &World,
    hsm: &Hsm,
    state: &State,
    job: &Job,
    image: Option<Image>,
    now: OffsetDateTime,
) -> Outcome {
    let need = if job.kind.family() == "backup" { Need::Write } else { Need::Read };
    let place = job.storage.reach(world, state, need, now)?;
    let folder = job.folder.as_deref().unwrap_or_default();
    let read = || Image::read(hsm, &place, folder).ok_or(Failure::silent("Invalid backup provided"));
    match job.kind {
        HsmOperationKind::Backup => {
            let folder = image.and_then(|image| image.write(hsm, &place, job.started));
            let folder = folder.ok_or(Failure::silent("ResourceNotFound"))?;
            let folder_uri = format!("{}/{folder}", job.storage.uri.trim_end_matches('/'));
            Ok((Done { folder_uri: Some(folder_uri), details: None }, None))
        }
        HsmOperationKind::Restore => Ok((Done::default(), Some(read()?.replace(hsm)))),
        HsmOperationKind::KeyRestore => {
            let (restored, in_the_way) = restore_key(hsm, &read()?, job.key.as_deref().unwrap_or_default())?;
            let details = format!(
                "Number of successful key versions restored: {restored}, Number of key versions could not overwrite: \
                 {in_the_way}"
            );
            Ok((Done { folder_uri: None, details: Some(details) }, None))
        }
        // A check was recorded to be content with a folder that cannot be one.
        HsmOperationKind::BackupCheck | HsmOperationKind::RestoreCheck => Ok((Done::default(), None)),
    }
}

/// Restores a key if its name is free, and counts what it did: one more than there are versions, because a key
/// with one version was recorded to count as two.
///
/// That a deleted key is in the way is documented, in that it has to be purged. A key which the backup does not
/// have was recorded to fail the job; the message of that error was not kept, and is ours.
fn restore_key(hsm: &Hsm, image: &Image, name: &str) -> Result<(usize, usize), Failure> {
    let missing = "The given key or its versions NOT found";
    let Some(key) = image.key(name) else {
        return Err(Failure::said(missing, "No key versions are updated", missing));
    };
    let count = key.versions.len() + 1;
    let mut store = hsm.keys.store.write();
    if store.get(Kind::Key, name).is_some() || store.departed(Kind::Key, name).is_some() {
        return Ok((0, count));
    }
    Ok(match object_of(&key.name, false, key.versions.clone()) {
        Some(object) => {
            store.insert(Kind::Key, object);
            (count, 0)
        }
        None => (0, 0),
    })
}
