//! Chapter 8: a stored backup is damaged by hand; the keeper finds it, and the app that backs up replaces it.

use keyvault_backup_emulator::SecretSpec;
use serde::Serialize;
use serde_json::Value;
use time::Duration;

use super::{
    Result,
    product::Tool,
    retention::stage::{Stage, VAULT},
    stage::{now, second_night},
    story::Story,
};

/// The secret whose backup is damaged.
const DAMAGED: &str = "db-password";

/// How long after a night the keeper verifies.
const LATER: Duration = Duration::minutes(30);

/// The chapter in numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Numbers {
    /// Stored backups that were damaged.
    damaged: usize,
    /// Those that the keeper found.
    found: usize,
    /// Those whose objects had a whole newest backup in the end.
    replaced: usize,
}

impl Numbers {
    /// Whether the chapter ended as it should.
    pub(crate) fn is_good(&self) -> bool {
        self.damaged == self.found && self.found == self.replaced
    }

    /// The numbers in a line.
    pub(crate) fn sum(&self) -> String {
        let Self { damaged, found, replaced } = self;
        format!("{damaged:>6} = {found:>9} = {replaced:>7}")
    }
}

/// Tells the chapter.
pub(crate) async fn tell(story: &mut Story, tool: &Tool) -> Result<Numbers> {
    story.chapter("Verification: a stored backup is damaged, found and replaced")?;
    let days = [2, 1, 0].map(|ago| second_night() - Duration::days(ago));
    let stage = Stage::set(tool, days[0] - Duration::DAY).await?;
    for name in [DAMAGED, "api-token", "mail-password", "session-key"] {
        stage.vault.put_secret(name, SecretSpec::new("a value"));
    }
    stage.night(days[0]).await?;
    let sound = stage.verify(days[0] + LATER).await?;
    story.line("Vault", &format!("{}: 4 secrets, and a first night", stage.vault.url()))?;
    story.line("Verified", &said(&sound))?;
    let blob = newest(&stage)?;
    if !stage.damage(&blob) {
        return Err(format!("{blob} is not stored").into());
    }
    story.line("Damage", &format!("one bit of the backup of {DAMAGED} is flipped in storage, by hand"))?;
    stage.night(days[1]).await?;
    story.line("Night 2", "nothing has changed in the vault, so nothing is backed up")?;
    let found = stage.verify(days[1] + LATER).await?;
    story.line("Verified", &said(&found))?;
    show(story, &stage).await?;
    stage.settle().await?;
    let replacement = newest(&stage)?;
    story.line("Replaced", "the same night the app that backs up reads what the keeper found, and")?;
    story.line("", &format!("backs it up again, in run {}", run_of(&replacement)?))?;
    stage.night(days[2]).await?;
    let after = stage.verify(days[2] + LATER).await?;
    story.line("Verified", &said(&after))?;
    story.line("", "the damaged one is an older backup of db-password now")?;
    let is_replaced = replacement != blob && names(&after, true).is_empty();
    Ok(Numbers { damaged: 1, found: names(&found, true).len(), replaced: is_replaced.into() })
}

/// What a person sees at a terminal at that time.
async fn show(story: &Story, stage: &Stage) -> Result<()> {
    let then = stage.azure.clock().now();
    // The tool goes by the real time.
    stage.azure.clock().set(now());
    stage.tool.show(story, &["verify", "--source", VAULT, "--all"]).await?;
    story.print("")?;
    stage.azure.clock().set(then);
    Ok(())
}

/// The newest backup of the secret.
fn newest(stage: &Stage) -> Result<String> {
    let tail = format!("/secret/{DAMAGED}/backup");
    let newest = stage.stored().into_iter().rfind(|name| name.ends_with(&tail));
    newest.map(|name| format!("vaults/{name}")).ok_or_else(|| format!("{DAMAGED} has no backup").into())
}

/// The run that took a backup.
fn run_of(backup: &str) -> Result<&str> {
    let run = backup.split('/').nth(3);
    run.ok_or_else(|| format!("{backup} is not of a run").into())
}

/// The objects of a record's findings, of all or of the newest backups alone.
fn names(record: &Value, newest: bool) -> Vec<&str> {
    let findings = record["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = findings.iter().filter(|of| !newest || of["newest"] == true);
    of.filter_map(|of| of["name"].as_str()).collect()
}

/// What the keeper recorded.
fn said(record: &Value) -> String {
    let read = &record["counts"]["read"];
    let wrong = match (names(record, false).as_slice(), names(record, true).as_slice()) {
        ([], _) => "nothing is wrong".to_owned(),
        (_, []) => "no newest one is wrong".to_owned(),
        (_, newest) => format!("that of {} is damaged", newest.join(", ")),
    };
    format!("the keeper reads all {read} backups: {wrong}")
}
