//! What `cargo emulator` starts: a vault, an HSM and two accounts with something in them, and the variables that lead a
//! program to them. The names are those of the commands in the project's README.

use std::{fmt::Write as _, io, path::PathBuf};

use clap::Parser;

use crate::{Azure, AzureOptions, CertificateSpec, Keeping, KeySpec, RateLimit, SecretSpec};

/// Key Vault, Managed HSM, Blob and Queue storage and managed identities, on loopback.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// Port of the HTTPS proxy; 0 takes a free one.
    #[arg(long, default_value_t = 8899)]
    port: u16,
    /// Port of the identity endpoint; 0 takes a free one.
    #[arg(long, default_value_t = 8898)]
    identity_port: u16,
    /// Where to write the certificate of the emulator's CA [default: a temporary file].
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Name of the sample vault.
    #[arg(long, default_value = "kv-prod")]
    vault: String,
    /// Number of secrets in the sample vault, the first of which is `db-password`. It has a tenth of that in keys and
    /// in certificates, and at least one.
    #[arg(long, default_value_t = 30)]
    objects: usize,
    /// Name of the sample Managed HSM. It has one key, and an identity that may use the container `hsm`.
    #[arg(long, default_value = "hsm-prod")]
    hsm: String,
    /// Seconds that starts of HSM jobs ask to wait before the first poll.
    #[arg(long, default_value_t = 10)]
    hsm_retry_after: u32,
    /// Seconds that HSM jobs take.
    #[arg(long, default_value_t = 11)]
    hsm_seconds: u64,
    /// Storage account for backups, with the containers `vaults` and `hsm`.
    #[arg(long, default_value = "mybackups")]
    account: String,
    /// Storage account for open runs, with the container `backup-jobs` and the queues.
    #[arg(long, default_value = "mywork")]
    work_account: String,
    /// Keep a version of each blob that is written.
    #[arg(long)]
    versions: bool,
    /// Days for which deleted blobs can be brought back [default: none].
    #[arg(long)]
    deleted_days: Option<u16>,
    /// Requests a second that each vault serves [default: as many as come].
    #[arg(long)]
    rate_limit: Option<usize>,
}

/// Starts what is asked for, with something in it.
///
/// # Errors
/// Where a port is taken, by its name.
pub async fn start(arguments: &Arguments) -> io::Result<Azure> {
    let azure = Azure::start_with(AzureOptions {
        proxy_port: arguments.port,
        identity_port: arguments.identity_port,
        ca_pem: arguments.ca.clone(),
        create_on_demand: true,
    })
    .await?;
    if let Some(requests_per_second) = arguments.rate_limit {
        azure.knobs().set_rate_limit(RateLimit { requests_per_second, retry_after: None });
    }
    fill(&azure, arguments);
    Ok(azure)
}

fn fill(azure: &Azure, arguments: &Arguments) {
    let vault = azure.vault(&arguments.vault);
    for n in 0..arguments.objects {
        let name = if n == 0 { "db-password".to_owned() } else { format!("secret-{n:05}") };
        vault.put_secret(&name, SecretSpec::new(format!("value {n}")));
    }
    for n in 0..(arguments.objects / 10).max(1) {
        vault.put_key(&format!("key-{n:05}"), KeySpec::rsa(2048));
        vault.put_certificate(&format!("certificate-{n:05}"), CertificateSpec::default());
    }
    let (backups, work) = (azure.storage(&arguments.account), azure.storage(&arguments.work_account));
    for account in [&backups, &work] {
        account.keep(Keeping { versions: arguments.versions, deleted_days: arguments.deleted_days });
    }
    backups.create_container("vaults");
    backups.create_container("hsm");
    work.create_container("backup-jobs");
    for queue in ["backup-objects", "restore-objects"] {
        work.create_queue(queue);
    }
    let hsm = azure.hsm(&arguments.hsm);
    hsm.put_key("key-00000", KeySpec::rsa(2048));
    hsm.attach_identity(true);
    hsm.grant(&format!("{}/hsm", backups.blob_url()));
    hsm.set_retry_after(arguments.hsm_retry_after);
    hsm.set_operation_seconds(arguments.hsm_seconds);
}

/// What the program needs to work on what is here.
fn settings(azure: &Azure, arguments: &Arguments) -> Vec<(&'static str, String)> {
    let (backups, work) = (azure.storage(&arguments.account), azure.storage(&arguments.work_account));
    vec![
        ("KEYVAULT_BACKUP_VAULTS", azure.vault(&arguments.vault).url()),
        ("KEYVAULT_BACKUP_CONTAINER", format!("{}/vaults", backups.blob_url())),
        ("KEYVAULT_BACKUP_JOBS_CONTAINER", format!("{}/backup-jobs", work.blob_url())),
        ("KEYVAULT_BACKUP_QUEUE__queueServiceUri", work.queue_url()),
        ("KEYVAULT_BACKUP_HSMS", azure.hsm(&arguments.hsm).url()),
        ("KEYVAULT_BACKUP_HSM_CONTAINER", format!("{}/hsm", backups.blob_url())),
    ]
}

/// What the program prints: the variables as a shell takes them, and what they lead to.
pub fn explain(azure: &Azure, arguments: &Arguments) -> String {
    let mut out = String::new();
    let settings = settings(azure, arguments).into_iter().map(|(name, value)| (name.to_owned(), value));
    for (name, value) in azure.env().into_iter().chain(settings) {
        let _ = writeln!(out, "export {name}={value}");
    }
    let (vault, hsm) = (azure.vault(&arguments.vault).url(), azure.hsm(&arguments.hsm).url());
    let (backups, work) = (azure.storage(&arguments.account), azure.storage(&arguments.work_account));
    let (objects, backups, jobs, queues) =
        (arguments.objects, backups.blob_url(), work.blob_url(), work.queue_url());
    let _ = write!(
        out,
        "
# Paste the lines above into another terminal. Whatever runs there meets the emulator instead of Azure:
#   {vault}  (secrets: {objects})
#   {backups}  (containers vaults and hsm)
#   {hsm}  (an HSM with one key, which may back itself up into hsm)
#   {jobs}  (container backup-jobs)
#   {queues}  (queues backup-objects and restore-objects)
# Other vaults, HSMs and accounts come into being when they are first used. Everything is gone after Ctrl-C.
# To see the challenge: curl -i --cacert \"$SSL_CERT_FILE\" '{vault}/secrets?api-version=7.4'
"
    );
    out
}
