//! The folders of an HSM's backups. Their bytes can be read only by an HSM.

use super::{presence::finding, scope::Scope};
use crate::{
    app::App,
    domain::{
        hsm::{Contents, ContentsState, HsmBackup},
        verification::{Fault, Finding, Verification},
    },
    error::Result,
    hsm::folders,
};

/// Compares the folder of every kept backup of an HSM with what its record says: one listing each.
pub(super) async fn folders(app: &App, scope: &Scope, verification: &mut Verification) -> Result<()> {
    let backups = app.catalogue()?.offered_hsm_backups(&scope.source.name).await?;
    let mut newest = true;
    for backup in backups.iter().filter(|backup| backup.is_good()) {
        let Some(folder) = &backup.folder else { continue };
        let contents = folders::contents(app, folder).await?;
        verification.counts.named += 1;
        verification.counts.stored += contents.blobs;
        match contents.state {
            ContentsState::AsRecorded | ContentsState::NotRecorded => {}
            ContentsState::NotSeen => verification.counts.unverified += 1,
            ContentsState::Gone | ContentsState::Incomplete | ContentsState::Changed => {
                let found = of(scope, backup, &folder.path, &contents);
                verification.counts.missing += u32::from(contents.state == ContentsState::Gone);
                verification.findings.push(Finding { newest, ..found });
            }
        }
        newest = false;
    }
    Ok(())
}

fn of(scope: &Scope, backup: &HsmBackup, path: &str, contents: &Contents) -> Finding {
    finding(scope, Fault::Folder, path.to_owned(), backup.run.clone(), None, contents.text())
}
