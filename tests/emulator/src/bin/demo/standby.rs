//! Chapter 5: the whole vault goes into an empty one, and the two are compared.

use keyvault_backup_emulator::{Kind, Snapshot};
use serde_json::{Value, json};

use super::{
    Result,
    night::run_of,
    restore::{self, Numbers},
    stage::{RESTORES, STANDBY, Stage, VAULT, second_night},
    story::{Story, count},
};

/// An object that has no backup.
struct Bare {
    kind: Kind,
    name: String,
    why: String,
}

/// Tells the chapter.
pub(crate) async fn tell(story: &mut Story, stage: &Stage) -> Result<Numbers> {
    story.chapter("Standby: the whole vault into an empty one")?;
    let there = stage.standby.snapshot().objects.len();
    story.line("Target", &format!("{}: {there} objects", stage.standby.url()))?;
    story.line(
        "Pace",
        &format!("set to {} restores of a kind in 10 s; Key Vault takes some 300 secrets,", count(RESTORES)),
    )?;
    story.line("", "10 keys and 10 certificates: a vault of this size takes minutes there")?;
    let wish = json!({ "source": VAULT, "target": STANDBY, "everything": true });
    let numbers = restore::play(story, stage, &wish, "demo-standby").await?;
    let bare = without_backup(stage).await?;
    for Bare { kind, name, why } in &bare {
        story.line("No backup", &format!("{} {name}: {why}", kind.noun()))?;
    }
    if bare.len() as u64 != numbers.never_backed_up {
        return Err(
            format!("{} have no backup, the restore says {}", bare.len(), numbers.never_backed_up).into()
        );
    }
    story.line(
        "",
        "No restore brings them back, so none of the whole vault ends Succeeded; the demo goes on",
    )?;
    story.line("", "knowingly: it compares the rest")?;
    let mut original = stage.vault.snapshot();
    original
        .objects
        .retain(|(kind, name), _| !bare.iter().any(|bare| bare.kind == *kind && bare.name == *name));
    let differences = stage.standby.snapshot().differences(&original);
    let what = format!("the original, less what has no backup ({})", bare.len());
    restore::compared(story, original.objects.len(), &what, &differences)?;
    Ok(Numbers { equal: equal(&original, &differences), ..numbers })
}

/// An empty original would be equal to an empty copy.
fn equal(original: &Snapshot, differences: &[String]) -> bool {
    !original.objects.is_empty() && differences.is_empty()
}

/// The objects of the vault that never had a backup, as the product accounts for them.
async fn without_backup(stage: &Stage) -> Result<Vec<Bare>> {
    let run = run_of(second_night())?;
    let shown = stage.tool.json(&["show", &run, "--vault", &stage.vault.url()]).await?;
    let objects = shown["objects"].as_array().ok_or("the run says nothing of its objects")?;
    Ok(objects.iter().filter(|line| line["backup"].is_null()).filter_map(bare).collect())
}

fn bare(line: &Value) -> Option<Bare> {
    let kind = Kind::ALL.into_iter().find(|kind| line["kind"] == kind.noun())?;
    let why = line["failure"]["text"].as_str()?.split([';', '.']).next().unwrap_or_default();
    Some(Bare { kind, name: line["name"].as_str()?.to_owned(), why: why.to_owned() })
}
