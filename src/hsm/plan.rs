//! Planning a restore of an HSM.

use futures::{TryStreamExt as _, pin_mut};

use super::{brought_back, folders};
use crate::{
    app::App,
    azure::error::{Meaning, ServiceError},
    clock::Clock,
    domain::{
        hsm::{HsmBackup, HsmObstacle, HsmPlan, HsmRequest, HsmWorld, KeyHeld, What, plan_hsm},
        object::{ObjectId, ObjectKind, ObjectName},
        source::SourceName,
    },
    error::Result,
    query::nothing,
};

/// Makes the plan of a restore. Reads only.
///
/// # Errors
/// [`Error::Nothing`](crate::error::Error::Nothing) when no backup that can be restored matches the request. Also when the
/// catalogue or the target cannot be read. If the target refuses to list its keys, the plan
/// marks them as unknown.
pub async fn plan(app: &App, request: &HsmRequest, clock: &Clock) -> Result<HsmPlan> {
    let catalogue = app.catalogue()?;
    app.hsms().get(&request.target)?;
    let backup = match &request.run {
        Some(run) => catalogue.offered_hsm_backup(&request.source, run).await?.filter(HsmBackup::is_good),
        None => catalogue.newest_hsm_backup(&request.source, request.at).await?,
    };
    let newest_of_target = catalogue.newest_hsm_backup(&request.target, None).await?;
    let held = match &request.what {
        What::All => Vec::new(),
        What::Keys(keys) => held(app, &request.target, keys).await?,
    };
    let (folder, contents) = match &backup {
        Some(backup) if request.restored => brought_back::contents(app, backup).await?.unzip(),
        Some(backup) => (None, folders::contents(app, backup).await?),
        None => (None, None),
    };
    let world = HsmWorld {
        backup: backup.as_ref(),
        newest_of_target: newest_of_target.as_ref(),
        safety_age: app.hsms().backup_age(),
        same_domain: app.hsms().share_domain(&request.source, &request.target),
        brought_back: folder,
        contents,
        held: &held,
    };
    let plan = plan_hsm(request, &world, clock.now());
    if plan.obstacle == Some(HsmObstacle::NoBackup) {
        let HsmRequest { source, run, at, .. } = request;
        return Err(nothing::of_hsm(app, source, run.as_ref(), *at).await?.into());
    }
    Ok(plan)
}

/// The state of each key's name in an HSM.
async fn held(app: &App, hsm: &SourceName, keys: &[ObjectName]) -> Result<Vec<KeyHeld>> {
    let client = app.hsms().keys(hsm)?;
    let (mut deleted, mut deleted_known) = (Vec::new(), true);
    let pages = client.list_deleted(ObjectKind::Key);
    pin_mut!(pages);
    loop {
        match pages.try_next().await {
            Ok(Some(page)) => deleted.extend(page.into_iter().map(|of| of.id.name)),
            Ok(None) => break,
            Err(error) if may_not_read(&error) => {
                deleted_known = false;
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let mut held = Vec::with_capacity(keys.len());
    for key in keys {
        held.push(if deleted.contains(key) {
            KeyHeld::SoftDeleted
        } else {
            match client.versions(&ObjectId::new(ObjectKind::Key, key.clone())).await {
                Ok(versions) if !versions.is_empty() => KeyHeld::Live,
                Err(error) if may_not_read(&error) => KeyHeld::Unknown,
                Err(error) if error.meaning != Meaning::NotFound => return Err(error.into()),
                _ if deleted_known => KeyHeld::Nothing,
                _ => KeyHeld::Unknown,
            }
        });
    }
    Ok(held)
}

fn may_not_read(error: &ServiceError) -> bool {
    matches!(error.meaning, Meaning::Denied | Meaning::Forbidden)
}
