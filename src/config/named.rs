//! Sources that a person names by their address, or by their name alone.

use super::{environment, parts};
use crate::domain::{
    cloud::{CLOUDS, Cloud, cloud_of},
    object::NameError,
    source::{Source, SourceKind, SourceName},
};

/// The settings that name hosts of a cloud, first those of sources.
const SETTINGS: [&str; 5] = [
    VAULTS,
    HSMS,
    "KEYVAULT_BACKUP_CONTAINER",
    "KEYVAULT_BACKUP_JOBS_CONTAINER",
    "KEYVAULT_BACKUP_HSM_CONTAINER",
];
const VAULTS: &str = "KEYVAULT_BACKUP_VAULTS";
const HSMS: &str = "KEYVAULT_BACKUP_HSMS";

/// A vault by its URL, or by its name in the cloud of the settings.
///
/// # Errors
/// When it is neither.
pub fn vault(text: &str) -> Result<Source, NameError> {
    named(text, Source::vault, |_, _| SourceKind::Vault, environment)
}

/// A Managed HSM by its URL, or by its name in the cloud of the settings.
///
/// # Errors
/// When it is neither.
pub fn hsm(text: &str) -> Result<Source, NameError> {
    named(text, Source::hsm, |_, _| SourceKind::Hsm, environment)
}

/// A vault or a Managed HSM by its URL, or by its name in the cloud of the settings: an HSM if only
/// `KEYVAULT_BACKUP_HSMS` has the name.
///
/// # Errors
/// When it is neither.
pub fn source(text: &str) -> Result<Source, NameError> {
    named(text, str::parse, either, environment)
}

/// What a name is that may be of either kind, by the settings that have it.
fn either(in_vaults: bool, in_hsms: bool) -> SourceKind {
    if in_hsms && !in_vaults { SourceKind::Hsm } else { SourceKind::Vault }
}

fn named(
    text: &str,
    parse: impl Fn(&str) -> Result<Source, NameError>,
    kind: impl Fn(bool, bool) -> SourceKind,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Source, NameError> {
    if text.contains(['/', '.', ':']) {
        return parse(text);
    }
    let name: SourceName = text.parse()?;
    let has = |setting| {
        items(lookup(setting)).any(|item| item.parse::<Source>().is_ok_and(|of| *of.name() == name))
    };
    Ok(Source::new(kind(has(VAULTS), has(HSMS)), name, cloud(&lookup)))
}

/// The cloud of the first host in the settings; the public one if they name none.
fn cloud(lookup: impl Fn(&str) -> Option<String>) -> &'static Cloud {
    let hosts = SETTINGS.iter().flat_map(|setting| items(lookup(setting)));
    let mut clouds = hosts.filter_map(|item| cloud_of(url::Url::parse(&item).ok()?.host_str()?));
    clouds.next().unwrap_or(&CLOUDS[0])
}

fn items(setting: Option<String>) -> impl Iterator<Item = String> {
    let items: Vec<_> = parts(&setting.unwrap_or_default()).map(str::to_owned).collect();
    items.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_in_the_cloud_of_the_settings() {
        const CHINA: (&str, &str) = ("KEYVAULT_BACKUP_CONTAINER", "https://b.blob.core.chinacloudapi.cn/c");
        const HSM: (&str, &str) = (HSMS, "https://hsm-a.managedhsm.usgovcloudapi.net");
        for (text, settings, expected) in [
            ("kv-a", &[][..], Some("https://kv-a.vault.azure.net")),
            ("KV-a", &[CHINA], Some("https://kv-a.vault.azure.cn")),
            ("hsm-a", &[HSM, CHINA], Some("https://hsm-a.managedhsm.usgovcloudapi.net")),
            (
                "hsm-a",
                &[HSM, (VAULTS, "https://hsm-a.vault.azure.net")],
                Some("https://hsm-a.vault.azure.net"),
            ),
            ("https://kv-a.vault.azure.net", &[CHINA], Some("https://kv-a.vault.azure.net")),
            ("kv_a", &[], None),
            ("kv-a.vault.azure.net", &[], None),
        ] {
            let lookup = |name: &str| {
                settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
            };
            let found = named(text, str::parse, either, lookup);
            assert_eq!(found.ok().map(|of| of.to_string()).as_deref(), expected, "{text} {settings:?}");
        }
    }
}
