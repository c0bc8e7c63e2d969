//! `cargo emulator`: Azure on loopback, for a terminal.
//!
//! Prints what to set in another terminal, so that `az`, an SDK or this project's binary talks to it, and
//! runs until Ctrl-C.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Parser;
use keyvault_backup_emulator::{Azure, AzureOptions, CertificateSpec, KeySpec, RateLimit, SecretSpec};

/// Key Vault, Managed HSM, Blob and Queue storage and managed identities, on loopback.
#[derive(Debug, Parser)]
struct Arguments {
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
    #[arg(long, default_value = "sample")]
    vault: String,
    /// Number of secrets in the sample vault. It has a tenth of that in keys and in certificates, and at
    /// least one.
    #[arg(long, default_value_t = 30)]
    objects: usize,
    /// Name of the sample Managed HSM. It has one key, and an identity that may use the container `hsm`.
    #[arg(long, default_value = "samplehsm")]
    hsm: String,
    /// Seconds that starts of HSM jobs ask to wait before the first poll.
    #[arg(long, default_value_t = 10)]
    hsm_retry_after: u32,
    /// Storage account, with the containers `vaults`, `catalogue` and `hsm`.
    #[arg(long, default_value = "samplebackups")]
    account: String,
    /// Requests a second that each vault serves [default: as many as come].
    #[arg(long)]
    rate_limit: Option<usize>,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
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
    fill(&azure, &arguments);
    explain(&azure, &arguments)?;
    tokio::signal::ctrl_c().await
}

fn fill(azure: &Azure, arguments: &Arguments) {
    let vault = azure.vault(&arguments.vault);
    for n in 0..arguments.objects {
        vault.put_secret(&format!("secret-{n:05}"), SecretSpec::new(format!("value {n}")));
    }
    for n in 0..(arguments.objects / 10).max(1) {
        vault.put_key(&format!("key-{n:05}"), KeySpec::rsa(2048));
        vault.put_certificate(&format!("certificate-{n:05}"), CertificateSpec::default());
    }
    let storage = azure.storage(&arguments.account);
    storage.create_container("vaults");
    storage.create_container("catalogue");
    storage.create_container("hsm");
    let hsm = azure.hsm(&arguments.hsm);
    hsm.put_key("key-00000", KeySpec::rsa(2048));
    hsm.attach_identity(true);
    hsm.grant(&format!("{}/hsm", storage.blob_url()));
    hsm.set_retry_after(arguments.hsm_retry_after);
}

fn explain(azure: &Azure, arguments: &Arguments) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (name, value) in azure.env() {
        writeln!(out, "export {name}={value}")?;
    }
    let storage = azure.storage(&arguments.account);
    writeln!(
        out,
        "\n# Paste the lines above into another terminal. Whatever runs there meets the emulator instead of Azure:"
    )?;
    writeln!(out, "#   {}  ({} secrets)", azure.vault(&arguments.vault).url(), arguments.objects)?;
    writeln!(out, "#   {}  (containers vaults, catalogue and hsm)", storage.blob_url())?;
    writeln!(
        out,
        "#   {}  (an HSM with one key, which may back itself up into hsm)",
        azure.hsm(&arguments.hsm).url()
    )?;
    writeln!(out, "#   {}", storage.queue_url())?;
    writeln!(
        out,
        "# Other vaults, HSMs and accounts come into being when they are first used. Everything is gone after Ctrl-C."
    )?;
    let url = azure.vault(&arguments.vault).url();
    writeln!(
        out,
        "# To see the challenge: curl -i --cacert \"$SSL_CERT_FILE\" '{url}/secrets?api-version=7.4'"
    )?;
    out.flush()
}
