//! Chapter 1: the vault is filled, the host starts.

use std::path::Path;

use keyvault_backup_emulator::{
    CertificateSpec, Fault, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, RateLimit, SecretSpec,
    VaultHandle,
};
use time::Duration;

use super::{
    Result,
    stage::{Stage, first_night},
    story::{Story, count},
};

/// Secrets that are no certificate's.
const SECRETS: usize = 600;
/// Keys that are no certificate's.
const KEYS: usize = 250;
/// Certificates. Each has a key and a secret of its name.
const CERTIFICATES: usize = 150;
/// Every object of this number, and its multiples, is switched off.
const DISABLED_EVERY: usize = 20;
/// Every object of this number, and its multiples, has expired.
const EXPIRED_EVERY: usize = 50;
/// One more than Key Vault backs up.
const TOO_MANY_VERSIONS: usize = 501;
/// The vault's limit in this story; a real one's is 4,000 in ten seconds.
const REQUESTS_PER_SECOND: usize = 200;
/// Backups that are refused once although the vault is below its limit.
const THROTTLED: usize = 20;

/// The secret with too many versions.
pub(crate) const LEGACY: &str = "legacy-token";
/// The secret that may not be backed up.
pub(crate) const PAYROLL: &str = "payroll-password";

/// Objects that can be asked for: the certificates' keys and secrets come with them.
pub(crate) const OBJECTS: usize = SECRETS + KEYS + CERTIFICATES;

/// The name of a secret by its number.
pub(crate) fn secret(number: usize) -> String {
    match number {
        0 => LEGACY.to_owned(),
        1 => PAYROLL.to_owned(),
        _ => format!("app-{number:03}-password"),
    }
}

/// The name of a key by its number.
pub(crate) fn key(number: usize) -> String {
    format!("signing-{number:03}")
}

/// The name of a certificate by its number.
pub(crate) fn certificate(number: usize) -> String {
    format!("www-{number:03}")
}

/// Tells the chapter.
pub(crate) async fn tell(story: &mut Story, product: &Path) -> Result<Stage> {
    story.chapter("The scene")?;
    story.line("Program", &product.display().to_string())?;
    let stage = Stage::set(product.to_owned()).await?;
    fill(&stage.vault);
    story.line("Vault", &stage.vault.url())?;
    story.line(
        "",
        &format!("{SECRETS} secrets, {KEYS} keys, {CERTIFICATES} certificates with a key and a secret each"),
    )?;
    let every = |number| OBJECTS / number;
    story
        .line("", &format!("{} of them disabled, {} expired", every(DISABLED_EVERY), every(EXPIRED_EVERY)))?;
    story.line("Standby", &format!("{}, empty; everything goes there in the end", stage.standby.url()))?;
    trouble(&stage);
    story.line(
        "Trouble",
        &format!("{LEGACY} has {TOO_MANY_VERSIONS} versions; Key Vault backs up at most 500"),
    )?;
    story.line("", &format!("{PAYROLL} may not be backed up: no role assignment allows it"))?;
    story.line(
        "",
        &format!("the vault serves {REQUESTS_PER_SECOND} requests a second, refuses what is above (429),"),
    )?;
    story.line("", &format!("and {THROTTLED} more for no reason that a client can see"))?;
    story.line("Storage", &format!("{} (write-once), and a queue", stage.container()))?;
    let (functions, start_up) = (stage.host.functions().join(", "), stage.host.start_up());
    story.line(
        "Host",
        &format!("plays Azure Functions; the program answered after {} ms", start_up.as_millis()),
    )?;
    story.line("", &functions)?;
    Ok(stage)
}

fn fill(vault: &VaultHandle) {
    let expired = first_night() - Duration::days(2);
    let is_off = |number: usize| number % DISABLED_EVERY == 7;
    let is_over = |number: usize| number % EXPIRED_EVERY == 11;
    for number in 0..SECRETS {
        let mut spec = SecretSpec::new(format!("value {number}")).tag("team", "shop");
        spec.properties.enabled = !is_off(number);
        spec.properties.expires = is_over(number).then_some(expired);
        let versions = if number == 0 { TOO_MANY_VERSIONS } else { 1 };
        for _ in 0..versions {
            vault.put_secret(&secret(number), spec.clone());
        }
    }
    for number in 0..KEYS {
        let mut spec = if number % 2 == 0 { KeySpec::rsa(2048) } else { KeySpec::ec("P-256") };
        spec.properties.enabled = !is_off(number);
        spec.properties.expires = is_over(number).then_some(expired);
        vault.put_key(&key(number), spec);
    }
    for number in 0..CERTIFICATES {
        let mut spec = CertificateSpec::new(format!("CN={}.example.com", certificate(number)));
        spec.properties.enabled = !is_off(number);
        spec.properties.expires = is_over(number).then_some(expired);
        vault.put_certificate(&certificate(number), spec);
    }
}

fn trouble(stage: &Stage) {
    let backup = || Matcher::from(Operation::Backup);
    let faults = stage.azure.faults();
    faults.add(
        Fault::on(backup().kind(Kind::Secret).object(PAYROLL)).reply(FaultKind::Forbidden(Forbidden::ByRbac)),
    );
    let throttled = |retry_after| FaultKind::Throttled { retry_after };
    let refused = Fault::on(backup()).after(OBJECTS / 4).times(THROTTLED);
    faults.add(refused.reply(throttled(None)).reply(throttled(Some(1))));
    let limit = RateLimit { requests_per_second: REQUESTS_PER_SECOND, retry_after: None };
    stage.azure.knobs().set_rate_limit(limit);
}

/// How many objects the vault lists.
pub(crate) fn listed(vault: &VaultHandle) -> usize {
    [Kind::Secret, Kind::Key, Kind::Certificate].into_iter().map(|kind| vault.len(kind)).sum()
}

/// How many objects come with a certificate.
pub(crate) fn managed(vault: &VaultHandle) -> usize {
    2 * vault.len(Kind::Certificate)
}

/// The same as words.
pub(crate) fn managed_words(vault: &VaultHandle) -> String {
    format!("{} of certificates", count(managed(vault)))
}
