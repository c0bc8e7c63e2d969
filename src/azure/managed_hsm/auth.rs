//! The scope of the token that an HSM wants.

use azure_core::http::{RawResponse, Url, headers::WWW_AUTHENTICATE};

use super::error::{Error, Refusal};

/// The domains of HSMs, which are also the audiences of their tokens: the public cloud (recorded), US Government and
/// China (configuration of the official command line tool).
pub const AUDIENCES: [&str; 3] =
    ["managedhsm.azure.net", "managedhsm.usgovcloudapi.net", "managedhsm.azure.cn"];

/// The scope that an HSM asks for in answer to a request without a token.
///
/// A host could ask for a token for another service and use it there. So an HSM in a known cloud must ask for the
/// audience of that cloud, and any other host for a parent domain of its own, as the official clients demand.
pub(super) fn challenged_scope(host: &str, answer: &RawResponse) -> Result<String, Error> {
    let header = answer.headers().get_optional_str(&WWW_AUTHENTICATE).unwrap_or_default();
    let Some(audience) = audience(header) else { return Err(Error::Refused(Refusal::of(answer, &[]))) };
    let asked = Url::parse(audience).ok();
    let asked = asked.as_ref().filter(|url| url.scheme() == "https").and_then(Url::host_str);
    let own = asked.is_some_and(|asked| {
        let known = AUDIENCES.into_iter().find(|domain| lies_in(host, domain));
        known.map_or_else(|| lies_in(host, asked), |known| known == asked)
    });
    if own {
        Ok(format!("{}/.default", audience.trim_end_matches('/')))
    } else {
        Err(Error::ForeignChallenge(audience.chars().take(200).collect()))
    }
}

fn lies_in(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// The audience in `Bearer authorization="…", resource="…"`, or in the form with a `scope`.
fn audience(header: &str) -> Option<&str> {
    let (mut resource, mut scope) = (None, None);
    for parameter in header.split([',', ' ']) {
        let Some((name, value)) = parameter.trim().split_once('=') else { continue };
        let value = value.trim_matches('"');
        match name {
            "resource" => resource = Some(value),
            "scope" => scope = Some(value.strip_suffix("/.default").unwrap_or(value)),
            _ => {}
        }
    }
    resource.or(scope).filter(|audience| !audience.is_empty())
}

#[cfg(test)]
mod tests {
    use azure_core::http::{StatusCode, headers::Headers};

    use super::*;

    fn scope(host: &str, challenge: &str) -> Option<String> {
        let mut headers = Headers::new();
        headers.insert(WWW_AUTHENTICATE, challenge.to_owned());
        let answer = RawResponse::from_bytes(StatusCode::Unauthorized, headers, "");
        challenged_scope(host, &answer).ok()
    }

    #[test]
    fn both_forms_of_a_challenge_are_read() {
        let login = "authorization=\"https://login.microsoftonline.com/tenant\"";
        let public = Some("https://managedhsm.azure.net/.default".to_owned());
        for audience in
            ["resource=\"https://managedhsm.azure.net\"", "scope=\"https://managedhsm.azure.net/.default\""]
        {
            assert_eq!(scope("h.managedhsm.azure.net", &format!("Bearer {login}, {audience}")), public);
        }
    }

    #[test]
    fn a_token_for_another_service_is_not_requested() {
        let challenge = |audience: &str| format!("Bearer resource=\"{audience}\"");
        for (host, audience) in [
            ("h.managedhsm.azure.net", "https://vault.azure.net"),
            ("h.managedhsm.azure.net", "https://azure.net"),
            ("h.managedhsm.azure.net", "http://managedhsm.azure.net"),
            ("h.managedhsm.azure.cn", "https://managedhsm.azure.net"),
            ("evil.example", "https://managedhsm.azure.net"),
            ("h.managedhsm.azure.net", ""),
        ] {
            assert_eq!(scope(host, &challenge(audience)), None, "{host} {audience}");
        }
        assert!(scope("h.hsm.local", &challenge("https://hsm.local")).is_some());
    }
}
