//! Chapter 3: a few things change, and only those are backed up.

use keyvault_backup_emulator::{CertificateSpec, Kind, SecretSpec};
use time::Duration;

use super::{
    Result,
    night::{self, Night},
    scene::{PAYROLL, certificate, key, secret},
    stage::{Stage, first_night, second_night},
    story::Story,
};

/// Tells the chapter.
pub(crate) async fn tell(story: &mut Story, stage: &Stage) -> Result<Night> {
    story.chapter("Night 2: only what changed")?;
    let changed = change(story, stage)?;
    let night = night::play(story, stage, second_night()).await?;
    let (run, vault) = (night::run_of(second_night())?, stage.vault.url());
    stage.tool.show(story, &["show", &run, "--vault", &vault]).await?;
    stage.tool.show(story, &["list", "runs", "--vault", &vault]).await?;
    let stored = stage.stored(&run);
    if stored != changed || night.failed != 1 {
        return Err(format!("expected to back up {changed:?}, but {stored:?} are stored: {night:?}").into());
    }
    Ok(night)
}

/// Changes the vault, during the day. Returns what that should make the night back up, in order.
fn change(story: &Story, stage: &Stage) -> Result<Vec<String>> {
    let (renewed, tagged, rotated, added, deleted) =
        (certificate(12), key(7), secret(42), "app-600-password", secret(99));
    stage.azure.clock().set(first_night() + Duration::hours(9));
    stage.azure.faults().clear();
    let vault = &stage.vault;
    vault.put_certificate(&renewed, CertificateSpec::new(format!("CN={renewed}.example.com")));
    let was_there = vault.update(Kind::Key, &tagged, |attributes| {
        attributes.tags.insert("owner".into(), "payments".into());
    });
    vault.put_secret(&rotated, SecretSpec::new("a new value").tag("team", "shop"));
    vault.put_secret(added, SecretSpec::new("a value").tag("team", "shop"));
    if !(was_there && vault.remove(Kind::Secret, &deleted)) {
        return Err("the vault has lost an object".into());
    }
    story.line("Changes", &format!("{renewed} is renewed, {tagged} gets a tag, {rotated} is rotated,"))?;
    story.line("", &format!("{added} is new, {deleted} is deleted,"))?;
    story.line("", &format!("and {PAYROLL} gets its role assignment"))?;
    let mut changed = vec![format!("certificate/{renewed}"), format!("key/{tagged}")];
    changed.extend([&rotated, added, PAYROLL].map(|name| format!("secret/{name}")));
    changed.sort();
    Ok(changed)
}
