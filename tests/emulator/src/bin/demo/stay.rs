//! Chapter 4, on request: everything stays up to be played with.

use super::{
    Result,
    stage::{Stage, now},
    story::Story,
};

/// Prints how to call what is up, and lets the host work by the clock until Ctrl-C.
pub(crate) async fn tell(story: &mut Story, stage: &Stage) -> Result<()> {
    stage.azure.clock().set(now());
    let app = stage.host.listen(0).await?;
    let vault = stage.vault.url();
    story.chapter("Everything stays up until Ctrl-C")?;
    story.line("", "Timers fire and queues are polled by the clock. In another terminal:")?;
    story.print("")?;
    for (name, value) in &stage.tool.env {
        story.print(format_args!("export {name}='{value}'"))?;
    }
    story.print(format_args!("export APP='http://{app}'"))?;
    for (name, function) in [("BACKUPS_KEY", "Backups"), ("STATUS_KEY", "Status")] {
        story.print(format_args!("export {name}='{}'", stage.host.key(function)))?;
    }
    story.print(format_args!("export PATH=\"{}:$PATH\"", folder(stage)))?;
    story.print(format_args!(
        "
# the command line tool
keyvault-backup list objects --vault {vault} --kind certificate
keyvault-backup list history --vault {vault} --secret payroll-password
keyvault-backup backup --vault {vault} --everything

# the HTTP API
curl -s -H \"x-functions-key: $STATUS_KEY\" \"$APP/api/status\"
curl -s -H \"x-functions-key: $BACKUPS_KEY\" \"$APP/api/backups?name=app-*&limit=2\"

# the vault itself, through the proxy
token=$(curl -s -H \"X-IDENTITY-HEADER: $IDENTITY_HEADER\" \\
  \"$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://vault.azure.net\" |
  sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
curl -s --cacert \"$SSL_CERT_FILE\" -H \"Authorization: Bearer $token\" \\
  '{vault}/secrets?api-version=2025-07-01&maxresults=2'
curl -s --cacert \"$SSL_CERT_FILE\" -H \"Authorization: Bearer $token\" -X PUT \\
  -H 'Content-Type: application/json' -d '{{\"value\":\"rotated\"}}' \\
  '{vault}/secrets/app-100-password?api-version=2025-07-01'"
    ))?;
    stage.host.run(tokio::signal::ctrl_c()).await;
    Ok(())
}

fn folder(stage: &Stage) -> String {
    stage.tool.path.parent().map(|folder| folder.display().to_string()).unwrap_or_default()
}
