//! Host names: which cloud, which service, which vault or account.

use std::sync::Arc;

use super::{World, hsm::Hsm, keyvault::Vault, operation::Service, storage::Account};

/// An Azure cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cloud {
    Public,
    Government,
    China,
}

impl Cloud {
    /// The audience of tokens for vaults.
    pub(crate) fn vault_audience(self) -> &'static str {
        match self {
            Self::Public => "https://vault.azure.net",
            Self::Government => "https://vault.usgovcloudapi.net",
            Self::China => "https://vault.azure.cn",
        }
    }

    /// The audience of tokens for Managed HSMs.
    pub(crate) fn hsm_audience(self) -> &'static str {
        match self {
            Self::Public => "https://managedhsm.azure.net",
            Self::Government => "https://managedhsm.usgovcloudapi.net",
            Self::China => "https://managedhsm.azure.cn",
        }
    }

    /// Where tokens come from, as challenges say it.
    pub(crate) fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::Government => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// The domain of a service, with its leading dot.
    pub(crate) fn suffix(self, service: Service) -> &'static str {
        SUFFIXES.iter().find(|(_, s, c)| *s == service && *c == self).map_or("", |(suffix, ..)| suffix)
    }
}

const SUFFIXES: [(&str, Service, Cloud); 12] = [
    (".vault.azure.net", Service::Vault, Cloud::Public),
    (".managedhsm.azure.net", Service::Hsm, Cloud::Public),
    (".blob.core.windows.net", Service::Blob, Cloud::Public),
    (".queue.core.windows.net", Service::Queue, Cloud::Public),
    (".vault.usgovcloudapi.net", Service::Vault, Cloud::Government),
    (".managedhsm.usgovcloudapi.net", Service::Hsm, Cloud::Government),
    (".blob.core.usgovcloudapi.net", Service::Blob, Cloud::Government),
    (".queue.core.usgovcloudapi.net", Service::Queue, Cloud::Government),
    (".vault.azure.cn", Service::Vault, Cloud::China),
    (".managedhsm.azure.cn", Service::Hsm, Cloud::China),
    (".blob.core.chinacloudapi.cn", Service::Blob, Cloud::China),
    (".queue.core.chinacloudapi.cn", Service::Queue, Cloud::China),
];

/// Splits a host name into the name of the resource, the service and the cloud.
pub(crate) fn parse(host: &str) -> Option<(&str, Service, Cloud)> {
    SUFFIXES.iter().find_map(|(suffix, service, cloud)| {
        let name = host.strip_suffix(suffix)?;
        (!name.is_empty() && !name.contains('.')).then_some((name, *service, *cloud))
    })
}

/// The hosts of Entra ID, which gives tokens to federated identities.
const LOGIN: [(&str, Cloud); 3] = [
    ("login.microsoftonline.com", Cloud::Public),
    ("login.microsoftonline.us", Cloud::Government),
    ("login.chinacloudapi.cn", Cloud::China),
];

/// What stands behind a host name.
pub(crate) enum Target {
    Login,
    Vault(Arc<Vault>),
    Hsm(Arc<Hsm>),
    Blob(Arc<Account>),
    Queue(Arc<Account>),
}

/// A host that a client is connected to. Looked up once for a connection, not for each request.
pub(crate) struct Host {
    pub(crate) name: Arc<str>,
    pub(crate) service: Service,
    pub(crate) cloud: Cloud,
    pub(crate) target: Target,
}

/// Why a tunnel is refused.
pub(crate) enum Refusal {
    /// Not a host of an emulated service.
    Foreign,
    /// An emulated service, but no such vault, HSM or account: in the real world the name does not resolve.
    Unknown,
}

impl Host {
    pub(crate) fn find(world: &World, host: &str) -> Result<Self, Refusal> {
        let host = host.to_ascii_lowercase();
        if let Some((_, cloud)) = LOGIN.iter().find(|(login, _)| *login == host) {
            let service = Service::Identity;
            return Ok(Self { name: host.into(), service, cloud: *cloud, target: Target::Login });
        }
        let (_, service, cloud) = parse(&host).ok_or(Refusal::Foreign)?;
        let target = match service {
            Service::Vault => Target::Vault(world.find_vault(&host).ok_or(Refusal::Unknown)?),
            Service::Blob => Target::Blob(world.find_account(&host).ok_or(Refusal::Unknown)?),
            Service::Queue => Target::Queue(world.find_account(&host).ok_or(Refusal::Unknown)?),
            Service::Hsm => Target::Hsm(world.find_hsm(&host).ok_or(Refusal::Unknown)?),
            Service::Identity => return Err(Refusal::Foreign),
        };
        Ok(Self { name: host.into(), service, cloud, target })
    }
}
