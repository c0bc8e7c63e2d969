//! Chapter 4: three objects are deleted and purged, and come back over HTTP.

use keyvault_backup_emulator::Kind;
use serde_json::json;

use super::{
    Result,
    restore::{self, Numbers},
    scene::{certificate, key, secret},
    stage::{Stage, VAULT, now},
    story::Story,
};

/// Tells the chapter.
pub(crate) async fn tell(story: &mut Story, stage: &Stage) -> Result<Numbers> {
    story.chapter("Lost: deleted, purged, restored")?;
    stage.azure.clock().set(now());
    let before = stage.vault.snapshot();
    let lost = [(Kind::Secret, secret(42)), (Kind::Key, key(7)), (Kind::Certificate, certificate(12))];
    for (kind, name) in &lost {
        stage.vault.delete(*kind, name)?;
        stage.vault.purge(*kind, name)?;
    }
    let names = lost.each_ref().map(|(_, name)| name.as_str());
    story.line(
        "Lost",
        &format!("{} are deleted and purged: the vault cannot recover them", names.join(", ")),
    )?;
    let objects = lost.map(|(kind, name)| json!({ "kind": kind.noun(), "name": name }));
    let wish = json!({ "source": VAULT, "objects": objects });
    let numbers = restore::play(story, stage, &wish, "demo-lost").await?;
    let differences = stage.vault.snapshot().differences(&before);
    let compared = before.objects.len();
    restore::compared(story, compared, "the vault as it was before the loss", &differences)?;
    Ok(Numbers { equal: differences.is_empty(), ..numbers })
}
