//! A vault's location, as its own answers show it.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        Context, Request, StatusCode, Url,
        headers::WWW_AUTHENTICATE,
        policies::{Policy, PolicyResult},
    },
};
use parking_lot::Mutex;

use super::{REGION, VaultClient};
use crate::domain::location::{Fact, Regions};

/// Records tenant and regions from answers, without a request of its own: every client's first request is answered with
/// a challenge, and so is one with a token of a tenant that is no longer the vault's.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    tenant: Option<Fact>,
    regions: Regions,
}

#[async_trait]
impl Policy for Seen {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some((first, rest)) = next.split_first() else {
            return Err(Error::with_message(ErrorKind::Other, "no transport"));
        };
        let answer = first.send(ctx, request, rest).await?;
        let headers = answer.headers();
        if answer.status() == StatusCode::Unauthorized {
            let tenant = headers.get_optional_str(&WWW_AUTHENTICATE).and_then(challenged_tenant);
            let mut told = self.0.lock();
            told.tenant = tenant.or(told.tenant.take());
        } else if let Some(region) = headers.get_optional_str(&REGION).and_then(Fact::new) {
            self.0.lock().regions.name(region);
        }
        Ok(answer)
    }
}

impl VaultClient {
    /// The tenant that the vault has named, if it was called at all.
    ///
    /// A vault accepts only tokens of its own tenant. As long as it accepts those of this process, the tenant is
    /// current.
    pub fn tenant(&self) -> Option<Fact> {
        self.seen.0.lock().tenant.clone()
    }

    /// The regions that answers have named since [`VaultClient::forget_regions`].
    pub fn regions(&self) -> Regions {
        self.seen.0.lock().regions.clone()
    }

    /// Forgets the regions that have answered.
    pub fn forget_regions(&self) {
        self.seen.0.lock().regions = Regions::default();
    }
}

/// The tenant in `Bearer authorization="https://login.microsoftonline.com/TENANT", …`, also as `authorization_uri` and
/// with more behind the tenant.
fn challenged_tenant(challenge: &str) -> Option<Fact> {
    let parameters = challenge.split([',', ' ']).filter_map(|parameter| parameter.trim().split_once('='));
    let login = parameters
        .filter(|(name, _)| {
            name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("authorization_uri")
        })
        .find_map(|(_, value)| Url::parse(value.trim_matches('"')).ok())?;
    let tenant = login.path_segments()?.next().filter(|_| login.scheme() == "https")?;
    let named = tenant.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    let shared = ["common", "organizations", "consumers"].iter().any(|all| tenant.eq_ignore_ascii_case(all));
    Fact::new(tenant).filter(|_| named && !shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_the_tenant() {
        let resource = "resource=\"https://vault.azure.net\"";
        for (authorization, expected) in [
            ("authorization=\"https://login.microsoftonline.com/AB-12\"", Some("ab-12")),
            ("authorization=https://login.windows.net/contoso.example", Some("contoso.example")),
            ("authorization_uri=\"https://login.chinacloudapi.cn/ab-12/oauth2/authorize\"", Some("ab-12")),
            ("authorization=\"https://login.microsoftonline.com/common\"", None),
            ("authorization=\"https://login.microsoftonline.com/\"", None),
            ("authorization=\"http://login.microsoftonline.com/ab-12\"", None),
            ("authorization=\"https://login.microsoftonline.com/a%20b\"", None),
            ("authorization=\"ab-12\"", None),
            ("scope=\"https://login.microsoftonline.com/ab-12\"", None),
        ] {
            let tenant = challenged_tenant(&format!("Bearer {authorization}, {resource}"));
            assert_eq!(tenant.as_ref().map(Fact::as_str), expected, "{authorization}");
        }
    }
}
