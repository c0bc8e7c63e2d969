//! Carrying out a plan: the records of what is dropped, and the deletion of what was dropped before.

use super::{
    applied::Applied,
    deletion::taken,
    folders, forget,
    going::{self, Going},
    policy,
    reading::Reading,
    sweep,
};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        actor::Actor,
        retention::{Drop, Verdict},
        source::{SourceId, SourceKind},
    },
    error::Result,
};

/// Applies the policy to every source: one after the other, and an error in one does not hold up the others.
///
/// # Errors
/// When the sources cannot be listed.
pub async fn all(app: &App, by: &Actor, clock: &Clock) -> Result<Vec<(SourceId, Result<Applied>)>> {
    let mut done = Vec::new();
    for of in app.catalogue()?.sources().await? {
        let applied = Box::pin(source(app, &of, by, clock)).await;
        match &applied {
            Ok(applied) => log(&of, applied),
            Err(error) => tracing::error!(
                event = "retention.failed", source.name = %of.name,
                "Retention of {of} stands still: {error}"
            ),
        }
        done.push((of, applied));
    }
    let is_applied = |applied: &Result<Applied>| applied.as_ref().is_ok_and(|of| of.needs_consent.is_none());
    if done.iter().all(|(_, applied)| is_applied(applied)) {
        app.catalogue()?.note_retention(clock.now()).await?;
    }
    Ok(done)
}

fn log(of: &SourceId, applied: &Applied) {
    let Applied { dropped, swept, blobs, bytes, needs_consent, .. } = applied;
    if needs_consent.is_none() {
        tracing::info!(
            event = "retention.applied", source.name = %of.name, points.dropped = dropped.len(),
            points.swept = swept.len(), blobs.deleted = blobs, bytes.deleted = bytes,
            "Retention of {of}: {} points let go, {} deleted", dropped.len(), swept.len()
        );
    }
    for (run, why) in applied.reinstated.iter().chain(&applied.waiting) {
        tracing::warn!(
            event = "retention.kept", source.name = %of.name, run.id = %run,
            "{run} of {of} was let go and is not deleted: {why}"
        );
    }
    if let Some(needs_consent) = needs_consent {
        tracing::error!(
            event = "retention.consent", source.name = %of.name, points.dropped = needs_consent,
            "Retention of {of} would let {needs_consent} points go, which are more than half; a person has to see the \
             plan and consent, with `keyvault-backup retention apply`"
        );
    }
}

/// Applies the policy to one source. Safe to run twice, and to kill anywhere: the next pass goes on.
///
/// # Errors
/// Those of storage, and of the settings.
pub async fn source(app: &App, of: &SourceId, by: &Actor, clock: &Clock) -> Result<Applied> {
    match of.kind {
        SourceKind::Vault => vault(app, of, by, clock).await,
        SourceKind::Hsm => folders::apply(app, of, by, clock).await,
    }
}

async fn vault(app: &App, of: &SourceId, by: &Actor, clock: &Clock) -> Result<Applied> {
    let policy = policy(app, &of.name)?;
    let mut applied = Applied::default();
    let reading = Reading::of(app, &of.name, policy, clock.now()).await?;
    forget::go_on(app, &reading, &mut applied).await?;
    sweep::pending(&reading, &mut applied).await?;
    // What was offered again just now is decided about anew.
    let reading = Reading::of(app, &of.name, policy, clock.now()).await?;
    drop_points(&reading, by, clock, &mut applied).await?;
    if reading.is_second() && !applied.dropped.is_empty() {
        let reading = Reading::of(app, &of.name, policy, clock.now()).await?;
        sweep::pending(&reading, &mut applied).await?;
    }
    Ok(applied)
}

/// Records what is dropped. The second copies of the manifests that are changes of what goes come first.
async fn drop_points(reading: &Reading<'_>, by: &Actor, clock: &Clock, applied: &mut Applied) -> Result<()> {
    let mut verdicts = reading.verdicts();
    if !verdicts.iter().any(Verdict::drops) {
        return Ok(());
    }
    let mut settled = reading.settle(&mut verdicts).await?;
    applied.needs_consent = reading.needs_consent(&verdicts);
    if applied.needs_consent.is_some() {
        return Ok(());
    }
    for at in &settled.copies {
        reading.catalogue.copy_manifest(reading.vault, &reading.manifests[*at].name).await?;
    }
    let mut backups = Going::default();
    for (at, verdict) in verdicts.iter().enumerate() {
        let Verdict::Drop(why) = verdict else { continue };
        let Ok(backups) = backups.next(reading, at, &settled.kept, &mut settled.seen).await? else {
            continue;
        };
        let (draft, point) = (going::draft(reading, at, backups).await?, &reading.candidates[at]);
        // Storage keeps a blob of it since a moment ago.
        if draft.bound.is_some() {
            continue;
        }
        let record = Drop::new(&reading.source(), point, (why, reading.policy()), by, clock.now());
        let number = reading.marks.next(&point.run);
        taken(reading.catalogue.create_drop(number, &record, &draft.blobs).await?, &point.run)?;
        applied.dropped.push(point.run.clone());
    }
    Ok(())
}
