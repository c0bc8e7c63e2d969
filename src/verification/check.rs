//! Looking at one source, without writing anything but progress.

use super::{
    hsm, manifests,
    presence::Presence,
    reading,
    scope::{Progress, Scope},
};
use crate::{
    app::App,
    catalogue::Catalogue,
    clock::Clock,
    domain::{
        record::count,
        source::SourceKind,
        verification::{Counts, Finding, ReadSoFar, VERIFICATION_FORMAT, Verification},
    },
    error::Result,
};

/// Verifies a source: what is named and not there, what is not what was stored, what was written again.
///
/// `read` is what an earlier try has read. `progress` hears how far it is.
///
/// # Errors
/// Those of storage, of `progress`, and an index that a newer program wrote. What cannot be read because it is damaged is a
/// finding.
pub async fn source(
    app: &App,
    scope: &Scope,
    read: ReadSoFar,
    progress: &mut dyn Progress,
    clock: &Clock,
) -> Result<Verification> {
    let mut verification = Verification {
        v: VERIFICATION_FORMAT,
        kind: scope.source.kind,
        source: scope.source.name.clone(),
        started: scope.started,
        ended: scope.started,
        choice: scope.choice,
        counts: Counts::default(),
        findings: Vec::new(),
    };
    match scope.source.kind {
        SourceKind::Vault => vault(app, scope, read, progress, &mut verification).await?,
        SourceKind::Hsm => hsm::folders(app, scope, &mut verification).await?,
    }
    for finding in &mut verification.findings {
        if let Some(known) = scope.suspects.iter().find(|known| finding.is_again(known)) {
            finding.since = known.since;
        }
    }
    verification.ended = clock.now();
    Ok(verification)
}

async fn vault(
    app: &App,
    scope: &Scope,
    mut read: ReadSoFar,
    progress: &mut dyn Progress,
    verification: &mut Verification,
) -> Result<()> {
    let catalogue = app.catalogue()?;
    let presence = Presence::of(catalogue, scope).await?;
    reading::all(catalogue, scope, &presence, &mut read, progress).await?;
    let compared = manifests::compare(catalogue, scope, &presence).await?;
    let mut counts = presence.counts();
    (counts.read, counts.bytes) = (read.backups, read.bytes);
    counts.unverified += read.unverified + compared.unverified;
    (counts.manifests, counts.strays) = (compared.manifests, compared.strays);
    let findings = presence.findings.into_iter().chain(read.findings).chain(compared.findings);
    verification.findings = without_known(catalogue, scope, one_each(findings)).await?;
    let missing = |finding: &&Finding| finding.newest && finding.is_gone();
    counts.missing = count(verification.findings.iter().filter(missing).count());
    verification.counts = counts;
    Ok(())
}

/// The findings without those about older backups of which it is on record that they were gone before the first pass.
pub(super) async fn without_known(
    catalogue: &Catalogue,
    scope: &Scope,
    mut findings: Vec<Finding>,
) -> Result<Vec<Finding>> {
    let is_older = |of: &Finding| of.is_gone() && !of.newest;
    if findings.iter().any(is_older) {
        let before = catalogue.deleted_before(&scope.source.name).await?;
        findings.retain(|of| !is_older(of) || !before.contains(&of.blob));
    }
    Ok(findings)
}

/// The first finding about each blob, in the order of names: what its versions or its bytes show says more than that it is not
/// as a manifest says.
fn one_each(findings: impl Iterator<Item = Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = findings.collect();
    findings.sort_by(|a, b| a.blob.cmp(&b.blob));
    findings.dedup_by(|later, first| later.blob == first.blob);
    findings
}
