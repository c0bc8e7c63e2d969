//! `restore --file`: one blob from a file.

use std::{fs, path::Path};

use serde_json::json;

use super::{
    super::{Done, Exit, Failed, app_for, output},
    Format, confirmed,
};
use crate::{
    azure::vault::VaultClient,
    config::Needs,
    domain::{
        blob::BackupBlob,
        object::{ObjectKind, ObjectName, VaultUrl},
    },
};

/// Restores the blob of a file into a vault. Its name is inside the blob, where only the service can read it.
pub(super) async fn run(path: &Path, vault: &VaultUrl, what_if: bool, yes: bool, format: Format) -> Done {
    let bytes = fs::read(path).map_err(|error| Failed(format!("{}: {error}", path.display())))?;
    let blob = BackupBlob::from(bytes);
    let kinds = kinds_of(&blob);
    if kinds.is_empty() {
        let path = path.display();
        return Err(Failed(format!("{path} is not a whole backup of a secret, a key or a certificate")));
    }
    let sha256 = blob.digest().to_string();
    let either = kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    if what_if {
        return said(vault, &either, None, &sha256, "would be restored", format);
    }
    if !yes && !confirmed(&format!("Restore the {either} of {} into {vault}?", path.display()))? {
        return Ok(Exit::None);
    }
    let app = app_for(vault, Needs::Vaults)?;
    let (kind, name) = restored(app.vault(vault.name())?, &kinds, &blob).await?;
    said(vault, kind.as_str(), name.map(|name| name.to_string()), &sha256, "restored", format)
}

/// The kinds that it can be a backup of: the service marks those of keys and of certificates alike.
fn kinds_of(blob: &BackupBlob) -> Vec<ObjectKind> {
    ObjectKind::ALL.into_iter().filter(|kind| blob.inspect(*kind).is_ok()).collect()
}

/// Restores it as the first of these kinds that the service takes it for. A refusal of the bytes changes nothing, so
/// the next one is tried after it and after no other failure.
async fn restored(
    vault: &VaultClient,
    kinds: &[ObjectKind],
    blob: &BackupBlob,
) -> Result<(ObjectKind, Option<ObjectName>), Failed> {
    let (&kind, others) = kinds.split_first().ok_or_else(|| Failed("it is no backup".to_owned()))?;
    match vault.restore_unnamed(kind, blob.clone()).await {
        Ok(name) => Ok((kind, name)),
        Err(error) if error.failure.status == Some(400) && !others.is_empty() => {
            Box::pin(restored(vault, others, blob)).await
        }
        Err(error) => Err(Failed(format!(
            "{error}\na name that is taken, live or soft-deleted, has to be free before a restore"
        ))),
    }
}

fn said(
    vault: &VaultUrl,
    kind: &str,
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
