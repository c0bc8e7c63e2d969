//! The folders of an HSM's backups and the copies of these. Their bytes can be read only by an HSM.

use super::{presence::finding, scope::Scope};
use crate::{
    app::App,
    catalogue::Catalogue,
    domain::{
        hsm::{Contents, ContentsState, CopyEnd, HsmBackup, HsmCopy},
        second::Place,
        verification::{Fault, Finding, Verification},
    },
    error::Result,
    hsm::folders,
};

/// Compares the folder of every kept backup of an HSM with what its record says: one listing each, and one read more of what is
/// not as recorded.
pub(super) async fn folders(app: &App, scope: &Scope, verification: &mut Verification) -> Result<()> {
    let backups = app.catalogue()?.offered_hsm_backups(&scope.source.name).await?;
    // The second place has no folders, and each copy there stands for its backup.
    if app.config().place == Place::Second {
        return copies(app, scope, &backups, verification).await;
    }
    let newest = HsmBackup::newest_good(&backups, None).map(|newest| &newest.run);
    for backup in backups.iter().filter(|backup| backup.is_good()) {
        let (Some(folder), Some(contents)) = (&backup.folder, folders::contents(app, backup).await?) else {
            continue;
        };
        verification.counts.named += 1;
        verification.counts.stored += contents.blobs;
        match contents.state {
            ContentsState::AsRecorded | ContentsState::NotRecorded => {}
            ContentsState::NotSeen => verification.counts.unverified += 1,
            ContentsState::Gone | ContentsState::Incomplete | ContentsState::Changed => {
                let found = of(scope, backup, &folder.path, &contents);
                verification.counts.missing += u32::from(contents.state == ContentsState::Gone);
                verification.findings.push(Finding { newest: newest == Some(&backup.run), ..found });
            }
        }
    }
    copies(app, scope, &backups, verification).await
}

/// Compares every copy of a kept backup with what its record says: one listing each, and one read more of what is not as recorded.
///
/// In the first place a finding makes no backup due and takes none out of plans: the folder that was copied may be whole, and has a
/// finding of its own if it is not. In the second place the copy is all there is of a backup, and a finding is about that.
async fn copies(
    app: &App,
    scope: &Scope,
    backups: &[HsmBackup],
    verification: &mut Verification,
) -> Result<()> {
    let catalogue = app.catalogue()?;
    let copies = catalogue.hsm_copies(&scope.source.name).await?;
    let is_all_there_is = app.config().place == Place::Second;
    let is_copied =
        |backup: &&HsmBackup| copies.iter().any(|copy| copy.run == backup.run && copy.is_copied());
    let counted: Vec<_> = backups.iter().filter(is_copied).cloned().collect();
    let newest = HsmBackup::newest_good(&counted, None).map(|newest| &newest.run);
    for backup in backups {
        let of_backup = |copy: &&HsmCopy| copy.run == backup.run;
        let Some(CopyEnd::Copied { sum, .. }) = copies.iter().find(of_backup).map(|copy| &copy.end) else {
            continue;
        };
        let items = catalogue.copied_blobs(backup).await?;
        if is_all_there_is {
            verification.counts.named += 1;
            verification.counts.stored += u32::try_from(items.len()).unwrap_or(u32::MAX);
            verification.counts.missing += u32::from(items.is_empty());
        }
        if let Some(text) = folders::copy_differences(catalogue, backup, sum, items).await? {
            let blob = Catalogue::prefix_of_copy(backup);
            let fault = if is_all_there_is { Fault::Folder } else { Fault::Copy };
            let found = finding(scope, fault, blob, backup.run.clone(), None, text);
            let is_newest = is_all_there_is && newest == Some(&backup.run);
            verification.findings.push(Finding { newest: is_newest, ..found });
        }
    }
    Ok(())
}

fn of(scope: &Scope, backup: &HsmBackup, path: &str, contents: &Contents) -> Finding {
    finding(scope, Fault::Folder, path.to_owned(), backup.run.clone(), None, contents.text())
}
