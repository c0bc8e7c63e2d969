//! Chapter 9, on request: everything stays up to be played with.

use super::{
    Result,
    product::repository,
    stage::{Stage, VAULT, now},
    story::Story,
};

/// Prints how to call what is up, and lets the host work by the clock until Ctrl-C.
pub(crate) async fn tell(story: &mut Story, stage: &Stage) -> Result<()> {
    stage.azure.clock().set(now());
    let app = stage.host.listen(0).await?;
    story.chapter("Everything stays up until Ctrl-C")?;
    story.line("", "Timers fire and queues are polled by the clock. In another terminal:")?;
    story.print("")?;
    for (name, value) in &stage.tool.env {
        story.print(format_args!("export {name}='{value}'"))?;
    }
    story.print(format_args!("export PATH=\"{}:$PATH\"", folder(stage)))?;
    story.print(format_args!("export APP='http://{app}'"))?;
    for (name, function) in
        [("BACKUPS_KEY", "Backups"), ("STATUS_KEY", "Status"), ("RESTORES_KEY", "Restores")]
    {
        story.print(format_args!("export {name}='{}'", stage.host.key(function)))?;
    }
    story.print(tool(&stage.vault.url()))?;
    story.print(vault(&stage.vault.url()))?;
    story.print(restore(&repository().display().to_string()))?;
    stage.host.run(tokio::signal::ctrl_c()).await;
    Ok(())
}

fn tool(vault: &str) -> String {
    format!(
        "
# the command line tool
keyvault-backup list objects --vault {vault} --kind certificate
keyvault-backup list history --vault {vault} --secret payroll-password
keyvault-backup backup --vault {vault} --everything
keyvault-backup audit list

# the HTTP API
curl -s -H \"x-functions-key: $STATUS_KEY\" \"$APP/api/status\"
curl -s -H \"x-functions-key: $BACKUPS_KEY\" \"$APP/api/backups?name=app-*&limit=2\""
    )
}

fn vault(vault: &str) -> String {
    format!(
        "
# the vault itself, through the proxy: rotate a secret, delete two others
token=$(curl -s -H \"X-IDENTITY-HEADER: $IDENTITY_HEADER\" \\
  \"$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://vault.azure.net\" |
  sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')
vault() {{ curl -s --cacert \"$SSL_CERT_FILE\" -H \"Authorization: Bearer $token\" \"$@\"; echo; }}
vault '{vault}/secrets?api-version=2025-07-01&maxresults=2'
vault -X PUT -H 'Content-Type: application/json' -d '{{\"value\":\"rotated\"}}' \\
  '{vault}/secrets/app-100-password?api-version=2025-07-01'
vault -X DELETE '{vault}/secrets/app-101-password?api-version=2025-07-01'
vault -X DELETE '{vault}/secrets/app-102-password?api-version=2025-07-01'"
    )
}

fn restore(repository: &str) -> String {
    format!(
        "
# a restore over HTTP: plan, read the plan, carry it out by its digest, follow
restores() {{ curl -s -H \"x-functions-key: $RESTORES_KEY\" -H 'Content-Type: application/json' \"$@\"; echo; }}
restores \"$APP/api/restores/plan\" -d '{{\"source\":\"{VAULT}\",\"onConflict\":\"purgeDeleted\",
  \"objects\":[{{\"kind\":\"secret\",\"name\":\"app-101-password\"}}]}}' | tee plan.json
digest=$(sed 's/.*\"digest\":\"\\([0-9a-f]*\\)\".*/\\1/' plan.json)
restores \"$APP/api/restores\" -H 'Idempotency-Key: try-1' -d \"{{\\\"plan\\\":\\\"$digest\\\"}}\" | tee restore.json
id=$(sed 's/.*\"id\":\"\\([^\"]*\\)\".*/\\1/' restore.json)
restores \"$APP/api/restores/$id\"

# the same as a runbook: shows the plan, asks, follows to the end
export KEYVAULT_BACKUP_URL=\"$APP\" KEYVAULT_BACKUP_KEY=\"$RESTORES_KEY\"
'{repository}/docs/runbooks/restore.sh' --source {VAULT} --secret app-102-password \\
  --on-conflict recoverDeleted"
    )
}

fn folder(stage: &Stage) -> String {
    stage.tool.path.parent().map(|folder| folder.display().to_string()).unwrap_or_default()
}
