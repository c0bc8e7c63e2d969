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

/// Compares the folder of every kept backup of an HSM with what its record says: one listing each, and one read more of what is
/// not as recorded.
pub(super) async fn folders(app: &App, scope: &Scope, verification: &mut Verification) -> Result<()> {
    let backups = app.catalogue()?.offered_hsm_backups(&scope.source.name).await?;
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
    Ok(())
}

fn of(scope: &Scope, backup: &HsmBackup, path: &str, contents: &Contents) -> Finding {
    finding(scope, Fault::Folder, path.to_owned(), backup.run.clone(), None, contents.text())
}
