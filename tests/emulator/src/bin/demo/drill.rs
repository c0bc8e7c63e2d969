//! Chapter 9: the keeper rehearses a restore into a vault made for it, takes the time, and removes what it restored.

use keyvault_backup_emulator::{CertificateSpec, Delays, KeySpec, SecretSpec};
use serde::Serialize;
use serde_json::Value;
use time::Duration;

use super::{
    Result,
    product::Tool,
    retention::stage::{DRILL_VAULT, Stage, VAULT},
    stage::{now, second_night},
    story::Story,
};

/// The chapter in numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Numbers {
    /// How the restore ended.
    outcome: String,
    /// What came of removing what was restored.
    cleanup: String,
    /// How long the sample took.
    rto_seconds: f64,
    /// What a restore of the whole vault would take, extrapolated.
    whole_rto_seconds: f64,
    /// Objects that were restored, compared and removed.
    objects: usize,
}

impl Numbers {
    /// Whether the chapter ended as it should.
    pub(crate) fn is_good(&self) -> bool {
        self.outcome == "Succeeded" && self.cleanup == "Done" && self.objects > 0
    }

    /// The numbers in a line.
    pub(crate) fn sum(&self) -> String {
        let Self { outcome, rto_seconds, whole_rto_seconds, objects, .. } = self;
        format!(
            "{objects:>6} objects in {rto_seconds:.1} s, all would take {whole_rto_seconds:.1} s: {outcome}"
        )
    }
}

/// Tells the chapter.
pub(crate) async fn tell(story: &mut Story, tool: &Tool) -> Result<Numbers> {
    story.chapter("Drill: a restore is rehearsed, timed, and put on record")?;
    let night = second_night() - Duration::DAY;
    let stage = Stage::set(tool, night - Duration::DAY).await?;
    for number in 0..20 {
        stage.vault.put_secret(&format!("app-{number}-password"), SecretSpec::new("a value"));
    }
    for number in 0..4 {
        stage.vault.put_key(&format!("signing-{number}"), KeySpec::ec("P-256"));
    }
    stage.vault.put_certificate("www", CertificateSpec::new("CN=www.example.com"));
    stage.night(night).await?;
    story.line("Vault", &format!("{}: 20 secrets, 4 keys, a certificate, and a night", stage.vault.url()))?;
    story
        .line("Drill vault", &format!("{}: empty but for the secret that declares it", stage.drill.url()))?;
    stage.azure.knobs().set_delays(Delays::realistic());
    let record = stage.rehearse(night + Duration::hours(4)).await?;
    story.line("Keeper", "restores a sample of each kind there, and compares it with its backups;")?;
    story.line("", "then it deletes and purges these names, and no others")?;
    let numbers = numbers(&record)?;
    let then = stage.azure.clock().now();
    stage.azure.clock().set(now());
    stage.tool.show(story, &["drill", "list", "--vault", VAULT]).await?;
    story.print("")?;
    stage.azure.clock().set(then);
    story.line(
        "Time",
        &format!("{} objects took {:.1} s; all of {VAULT} would take", numbers.objects, numbers.rto_seconds),
    )?;
    story.line("", &format!("{:.1} s at the service's limits, extrapolated", numbers.whole_rto_seconds))?;
    let is_clean = stage.is_drill_vault_clean();
    let left = if is_clean { "holds nothing but its declaration" } else { "is NOT empty" };
    story.line("Afterwards", &format!("{DRILL_VAULT} {left}"))?;
    let cleanup = if is_clean { numbers.cleanup.clone() } else { "Failed".to_owned() };
    Ok(Numbers { cleanup, ..numbers })
}

fn numbers(record: &Value) -> Result<Numbers> {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    Ok(Numbers {
        outcome: text("restore"),
        cleanup: text("cleanup"),
        rto_seconds: record["rto_seconds"].as_f64().ok_or_else(|| format!("nothing was timed: {record}"))?,
        whole_rto_seconds: record["whole"]["rto_seconds"].as_f64().unwrap_or_default(),
        objects: record["objects"].as_array().map_or(0, Vec::len),
    })
}
