//! Chapter 6: a Managed HSM: a night, a key that is lost, and everything in it replaced.

use std::time::Duration;

use keyvault_backup_emulator::{KeySpec, Snapshot, host::Firing};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Result,
    stage::{HSM, Stage},
    story::{Story, count},
};

/// Looks, a minute apart, before a job hangs.
const LOOKS: usize = 120;

/// The chapter in numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Numbers {
    /// How the night's backup ended.
    backup: String,
    /// Starts that the night sent to the HSM.
    starts_sent: usize,
    /// How the restore of a key ended.
    selective_restore: String,
    /// How the restore of everything ended.
    full_restore: String,
    /// Whether the HSM holds what it held that night.
    equal: bool,
}

/// Tells the chapter.
pub(crate) async fn tell(story: &mut Story, stage: &Stage) -> Result<Numbers> {
    story.chapter("A Managed HSM: a night, a lost key, a restore of everything")?;
    let hsm = &stage.hsm;
    for number in 0..20 {
        hsm.put_key(&format!("hsm-key-{number:02}"), KeySpec::rsa(2048));
    }
    hsm.add_role_assignment("Crypto User for the shop");
    // Those of the two nights come to their end first.
    settle(stage).await?;
    let before = (hsm.keys(), hsm.role_assignments());
    let starts_before = hsm.starts_sent().backups;
    let night = stage.host.fire("NightlyHsmBackup", Firing::at(stage.azure.clock().now())).await;
    if !night.succeeded() {
        return Err(format!("NightlyHsmBackup failed: {}", night.body).into());
    }
    settle(stage).await?;
    let starts_sent = hsm.starts_sent().backups - starts_before;
    let record = stage.tool.json(&["hsm", "status", "--hsm", &hsm.url()]).await?["runs"][0].take();
    let (backup, folder) = (text(&record["state"]), text(&record["hsm"]["folder"]));
    story.line("Night", &format!("{backup}: {starts_sent} start sent, the folder {folder} was seen"))?;

    hsm.delete_key("hsm-key-07")?;
    hsm.purge_key("hsm-key-07")?;
    story.line("Lost", "hsm-key-07 is deleted and purged: the HSM cannot recover it")?;
    let selective = restore(story, stage, &json!({ "hsm": HSM, "keys": ["hsm-key-07"] })).await?;
    let selective_restore = text(&selective["state"]);

    for number in 0..5 {
        hsm.delete_key(&format!("hsm-key-{number:02}"))?;
    }
    hsm.put_key("intruder", KeySpec::ec("P-256"));
    hsm.add_role_assignment("Administrator for a stranger");
    story.line("Wrecked", "5 keys are deleted, a key and a role assignment are a stranger's")?;
    let full = restore(story, stage, &json!({ "hsm": HSM, "everything": true })).await?;
    let full_restore = text(&full["state"]);
    let first = full["hsm"]["safetyBackup"].as_str().map_or_else(
        || "the night's backup is young enough to go ahead without another one".to_owned(),
        |run| format!("the HSM was backed up first, in run {run}"),
    );
    story.line("", &first)?;
    let equal = compare(story, stage, &before)?;
    Ok(Numbers { backup, starts_sent, selective_restore, full_restore, equal })
}

/// Plans a restore, carries it out, and follows it to its end.
async fn restore(story: &Story, stage: &Stage, wish: &Value) -> Result<Value> {
    story.line("Plan", &format!("POST /api/restores/plan {wish}"))?;
    let plan = stage.call("POST", "/api/restores/plan", &[], &wish.to_string()).await?.json();
    if let Some(warning) = plan["warning"].as_str() {
        warning.split_inclusive(". ").try_for_each(|sentence| story.line("", sentence.trim_end()))?;
    }
    let body = json!({ "plan": plan["digest"], "confirm": HSM }).to_string();
    let started = stage.call("POST", "/api/restores", &[], &body).await?.json();
    settle(stage).await?;
    let path = format!("/api/restores/{}", text(&started["id"]));
    let report = stage.call("GET", &path, &[], "").await?.json();
    let keys = report["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let keys: Vec<_> =
        keys.iter().map(|key| format!("{} {}", text(&key["name"]), text(&key["outcome"]))).collect();
    story.line("Result", format!("{}  {}", text(&report["state"]), keys.join(", ")).trim_end())?;
    Ok(report)
}

fn compare(story: &Story, stage: &Stage, before: &(Snapshot, Vec<String>)) -> Result<bool> {
    let differences = stage.hsm.keys().differences(&before.0);
    let equal = differences.is_empty() && stage.hsm.role_assignments() == before.1;
    let found = if equal { "equal" } else { "NOT EQUAL" };
    let compared = count(before.0.objects.len());
    story
        .line("Compared", &format!("{compared} keys with each version, and the role assignments: {found}"))?;
    Ok(equal)
}

/// Looks once a minute until no job of an HSM is open.
async fn settle(stage: &Stage) -> Result<()> {
    for _ in 0..LOOKS {
        stage.azure.clock().advance(Duration::from_secs(60));
        let look = stage.host.fire("AdvanceJobs", Firing::at(stage.azure.clock().now())).await;
        if !look.succeeded() {
            return Err(format!("AdvanceJobs failed: {}", look.body).into());
        }
        if !stage.hsm_is_at_work() {
            return Ok(());
        }
    }
    Err("a job of the HSM is still open after two hours".into())
}

impl Numbers {
    /// Whether the chapter ended as it should.
    pub(crate) fn is_good(&self) -> bool {
        let ended = [&self.backup, &self.selective_restore, &self.full_restore];
        ended.iter().all(|state| *state == "Succeeded") && self.starts_sent == 1 && self.equal
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
