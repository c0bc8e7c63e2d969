//! What was stored first, of a backup that was written again or deleted in storage.

use super::{presence::named, scope::Scope};
use crate::{
    app::App,
    catalogue::Catalogue,
    domain::{
        source::{SourceKind, SourceName},
        verification::{Address, Fault, Finding, Named, Stored, fault_of},
    },
    error::{Error, Result},
};

/// Whether what was stored first is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstVersion {
    /// It is.
    Whole,
    /// It is not, or that cannot be said; and why.
    NotWhole(String),
}

/// Reads the first versions of the backups that findings of a source are about, as far as they were written again or deleted. In
/// the order of the findings; `None` for one about something else.
///
/// A first version is held against the entry that lies with it and, for the newest backup of an object, against the index.
///
/// # Errors
/// Those of storage.
pub async fn versions(app: &App, scope: &Scope, findings: &[Finding]) -> Result<Vec<Option<FirstVersion>>> {
    let (catalogue, source) = (app.catalogue()?, &scope.source);
    let mut found = Vec::with_capacity(findings.len());
    if source.kind == SourceKind::Hsm || !findings.iter().any(is_about_versions) {
        return Ok(vec![None; findings.len()]);
    }
    let named = match named(catalogue, &catalogue.view(&source.name, None).await?).await {
        // That is a finding of its own.
        Err(error) if error.is_unreadable() => Named::default(),
        named => named?,
    };
    for finding in findings {
        found.push(if is_about_versions(finding) {
            one(catalogue, &source.name, finding, &named).await?
        } else {
            None
        });
    }
    Ok(found)
}

fn is_about_versions(finding: &Finding) -> bool {
    matches!(finding.fault, Fault::Rewritten | Fault::Deleted) && finding.object().is_some()
}

async fn one(
    catalogue: &Catalogue,
    vault: &SourceName,
    finding: &Finding,
    named: &Named,
) -> Result<Option<FirstVersion>> {
    let Some(id) = finding.object() else { return Ok(None) };
    let (blob, entry) = match catalogue.first_backup_with_entry(vault, &finding.run, &id).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Some(FirstVersion::NotWhole("it is not there any more".to_owned()))),
        Err(error @ Error::TooNew { .. }) => return Ok(Some(FirstVersion::NotWhole(error.to_string()))),
        Err(error) => return Err(error),
    };
    let expected = named.get(Address::of(&finding.run, &id));
    let stored = Stored { blob: &blob, entry: entry.as_ref().map_err(String::as_str) };
    let fault = fault_of(&stored, &finding.run, &id, expected.as_ref());
    Ok(Some(fault.map_or(FirstVersion::Whole, |(_, text)| FirstVersion::NotWhole(text))))
}
