//! The clouds of Azure, and the domains of their services.

/// The domains of one cloud. A service's host is a name and a dot before its domain.
///
/// Sources: the recorded traffic for the public cloud, the configuration of the official command line tool for the others.
#[derive(Clone, Copy, Debug)]
pub struct Cloud {
    /// Key Vault.
    pub vault: &'static str,
    /// Managed HSM; also the audience of its tokens, of which the client has a list of its own since it stands alone.
    pub hsm: &'static str,
    /// Blob storage.
    pub blob: &'static str,
    /// Queue storage.
    pub queue: &'static str,
}

/// Every cloud that this program knows, the public one first. To support another one, add it here.
pub const CLOUDS: [Cloud; 3] = [
    Cloud {
        vault: "vault.azure.net",
        hsm: "managedhsm.azure.net",
        blob: "blob.core.windows.net",
        queue: "queue.core.windows.net",
    },
    Cloud {
        vault: "vault.usgovcloudapi.net",
        hsm: "managedhsm.usgovcloudapi.net",
        blob: "blob.core.usgovcloudapi.net",
        queue: "queue.core.usgovcloudapi.net",
    },
    Cloud {
        vault: "vault.azure.cn",
        hsm: "managedhsm.azure.cn",
        blob: "blob.core.chinacloudapi.cn",
        queue: "queue.core.chinacloudapi.cn",
    },
];

/// The name of a host in one of the domains of a service, such as `kv-prod` of `kv-prod.vault.azure.net`. It may have dots.
pub fn name_in(host: &str, service: impl Fn(&Cloud) -> &'static str) -> Option<&str> {
    CLOUDS
        .iter()
        .find_map(|cloud| host.strip_suffix(service(cloud))?.strip_suffix('.'))
        .filter(|name| !name.is_empty())
}

/// The cloud that a host of any service is in.
pub fn cloud_of(host: &str) -> Option<&'static Cloud> {
    CLOUDS.iter().find(|cloud| {
        let domains = [cloud.vault, cloud.hsm, cloud.blob, cloud.queue];
        domains.iter().any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_name_in_a_domain_of_its_service_alone() {
        let vault = |host| name_in(host, |cloud| cloud.vault);
        assert_eq!(vault("kv-prod.vault.azure.cn"), Some("kv-prod"));
        for host in [
            "vault.azure.net",
            ".vault.azure.net",
            "kv.managedhsm.azure.net",
            "kvvault.azure.net",
            "kv.vault.azure.net.evil",
        ] {
            assert_eq!(vault(host), None, "{host}");
        }
    }

    #[test]
    fn a_host_of_any_service_is_in_one_cloud() {
        for (index, cloud) in CLOUDS.iter().enumerate() {
            for domain in [cloud.vault, cloud.hsm, cloud.blob, cloud.queue] {
                let found = cloud_of(&format!("a.{domain}")).map(|of| of.vault);
                assert_eq!(found, Some(CLOUDS[index].vault), "{domain}");
                assert!(cloud_of(domain).is_none() && cloud_of(&format!("a{domain}")).is_none(), "{domain}");
            }
        }
    }
}
