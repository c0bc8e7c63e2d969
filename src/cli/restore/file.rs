//! `restore --file`: one blob from a file.

use std::path::Path;

use super::{
    super::{
        Done, Exit, Failed, app_for,
        file::read,
        output::{self, Column, Table},
        report::form_unknown,
    },
    Ask, Format, confirmed,
};
use crate::{
    api::shapes::terminal::FileRestore,
    azure::vault::VaultClient,
    config::Needs,
    domain::{
        blob::BackupBlob,
        digest::Digest,
        form::Clear,
        object::{ObjectKind, ObjectName},
        source::Source,
    },
};

/// Restores the blob in a file into a vault or an HSM. Its name is inside the blob, where only the service can read it.
pub(super) async fn run(path: &Path, vault: &Source, wanted: &[ObjectKind], ask: Ask) -> Done {
    let Ask { what_if, yes, format } = ask;
    let blob = read(path)?;
    let holds: &[ObjectKind] = if vault.is_hsm() { &[ObjectKind::Key] } else { &ObjectKind::ALL };
    let asked = holds.iter().copied().filter(|kind| wanted.is_empty() || wanted.contains(kind));
    // The service marks blobs of keys and of certificates alike, and a blob of an unknown form may be of any kind.
    let kinds: Vec<_> = asked.filter(|kind| blob.judge(*kind).is_ok()).collect();
    if kinds.is_empty() {
        let wanted = if wanted.is_empty() { holds } else { wanted };
        return Err(Failed::new(
            format!("{} is not a whole backup of a {}", path.display(), named(wanted)),
            "name another file with --file, or another kind with --kind",
        ));
    }
    let sha256 = blob.digest();
    let unknown = unknown_form(&blob, &kinds);
    if let Some(clear) = unknown.as_ref().filter(|_| !format.is_json()) {
        output::note(form_unknown(clear));
    }
    let planned = FileRestore::planned(vault.name(), &kinds, &sha256, unknown.as_ref());
    let either = named(&kinds);
    if what_if {
        return said(vault, &either, None, &sha256, &planned, format);
    }
    if !yes && !confirmed(&format!("Restore the {either} of {} into {vault}?", path.display()))? {
        return Ok(Exit::None);
    }
    let app = app_for(vault, Needs::Vaults)?;
    let (kind, name) = restored(app.vault(vault.name())?, &kinds, &blob).await?;
    let done = FileRestore::planned(vault.name(), &[kind], &sha256, unknown.as_ref()).restored(name.as_ref());
    said(vault, kind.as_str(), name.as_ref(), &sha256, &done, format)
}

/// The readable part of a blob whose form is unknown for every one of these kinds.
fn unknown_form(blob: &BackupBlob, kinds: &[ObjectKind]) -> Option<Clear> {
    let judged = kinds.iter().map(|kind| blob.judge(*kind).ok()?.unknown().cloned());
    judged.collect::<Option<Vec<_>>>()?.pop()
}

fn named(kinds: &[ObjectKind]) -> String {
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// Restores a blob as the first of these kinds that the service accepts. A refusal of one kind changes nothing, and may
/// be for lack of a right that exists for the next kind, so the next one is tried. It is not tried after a name that is
/// taken, which shows that the service could read the blob, or after an unknown outcome.
async fn restored(
    vault: &VaultClient,
    kinds: &[ObjectKind],
    blob: &BackupBlob,
) -> Result<(ObjectKind, Option<ObjectName>), Failed> {
    let (mut said, mut is_taken, mut is_known) = (Vec::new(), false, true);
    for &kind in kinds {
        let error = match vault.restore_unnamed(kind, blob.clone()).await {
            Ok(name) => return Ok((kind, name)),
            Err(error) => error,
        };
        said.push(error.to_string());
        (is_taken, is_known) = (error.failure.status == Some(409), error.is_refusal());
        if is_taken || !is_known {
            break;
        }
    }
    let hint = if !is_known {
        "it is not known whether the blob was restored; check the vault before you restore it again"
    } else if is_taken {
        "a name that is taken, live or soft-deleted, has to be free before a restore"
    } else if kinds.len() > 1 {
        "name the kind with --kind to try only that one"
    } else {
        "nothing was restored; run `keyvault-backup preflight`, which names a right that is missing"
    };
    Err(Failed::new(said.join("\n"), hint))
}

fn said(
    vault: &Source,
    kind: &str,
    name: Option<&ObjectName>,
    sha256: &Digest,
    file: &FileRestore,
    format: Format,
) -> Done {
    if format.is_json() {
        output::json(file)?;
        return Ok(Exit::All);
    }
    let done = if file.is_restored() { "restored" } else { "would be restored" };
    let named = name.map(|name| format!(" {name}")).unwrap_or_default();
    let subject = [Column::name("target"), Column::name("kind"), Column::name("name")];
    let mut table = Table::new(&subject, &[Column::name("SHA-256"), Column::name("outcome")]);
    let name = name.map(ObjectName::as_str);
    table.push([vault.into(), kind.into(), name.into(), sha256.into(), done.into()]);
    output::one(format, format_args!("{kind}{named} {done} into {vault}"), &table)?;
    Ok(Exit::All)
}
