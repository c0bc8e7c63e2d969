//! `restore --file`: one blob from a file.

use std::{fs, path::Path};

use serde_json::json;

use super::{
    super::{Done, Exit, Failed, app_for, output},
    Format, confirmed,
};
use crate::{
    config::Needs,
    domain::{
        blob::BackupBlob,
        object::{ObjectKind, VaultUrl},
    },
};

/// Restores the blob of a file into a vault. Its name is inside the blob, where only the service can read it.
pub(super) async fn run(path: &Path, vault: &VaultUrl, what_if: bool, yes: bool, format: Format) -> Done {
    let bytes = fs::read(path).map_err(|error| Failed(format!("{}: {error}", path.display())))?;
    let blob = BackupBlob::from(bytes);
    let kind = kind_of(&blob).ok_or_else(|| {
        Failed(format!("{} is not a whole backup of a secret, a key or a certificate", path.display()))
    })?;
    let sha256 = blob.digest();
    if what_if {
        return said(vault, kind, None, &sha256.to_string(), "would be restored", format);
    }
    if !yes && !confirmed(&format!("Restore the {kind} of {} into {vault}?", path.display()))? {
        return Ok(Exit::None);
    }
    let app = app_for(vault, Needs::Vaults)?;
    let restored = app.vault(vault.name())?.restore_unnamed(kind, blob).await;
    let name = restored.map_err(|error| {
        Failed(format!(
            "{error}\na name that is taken, live or soft-deleted, has to be free before a restore"
        ))
    })?;
    said(vault, kind, name.as_ref().map(ToString::to_string), &sha256.to_string(), "restored", format)
}

fn kind_of(blob: &BackupBlob) -> Option<ObjectKind> {
    ObjectKind::ALL.into_iter().find(|kind| blob.inspect(*kind).is_ok())
}

fn said(
    vault: &VaultUrl,
    kind: ObjectKind,
    name: Option<String>,
    sha256: &str,
    done: &str,
    format: Format,
) -> Done {
    if format == Format::Json {
        output::json(&json!({
            "target": vault.name(), "kind": kind, "name": name, "sha256": sha256, "outcome": done,
        }))?;
    } else {
        let name = name.map(|name| format!(" {name}")).unwrap_or_default();
        output::line(format_args!("{kind}{name} {done} into {vault}"))?;
    }
    Ok(Exit::All)
}
