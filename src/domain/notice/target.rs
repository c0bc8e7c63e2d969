//! Where notices go: the address of a webhook, which is a secret, and the form that it takes.

use std::fmt;

use url::{Host, Url};

use crate::domain::digest::Fingerprint;

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Form {
    /// A workflow of Microsoft Teams: a message with one Adaptive Card.
    Teams,
    /// An incoming webhook of Slack.
    Slack,
    /// JSON with all fields of the notices.
    Json,
}

/// A webhook. Its address alone is enough to post there, so only its host is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    form: Form,
}

/// Why an address cannot be used. It does not repeat the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The platform did not put the secret in place of the reference.
    #[error("it is a Key Vault reference that the platform did not resolve")]
    Reference,
    /// It is no address.
    #[error("it is no address of the form https://HOST/PATH")]
    Form,
    /// It would be sent in the clear.
    #[error("only https is allowed, but for the machine itself")]
    Scheme,
    /// It has a user name or a password.
    #[error("a user name or a password in it is not allowed")]
    User,
}

/// Hosts of Teams workflows, and of the connectors before them, by the ends of their names.
const TEAMS: [&str; 3] = [".logic.azure.com", ".environment.api.powerplatform.com", ".webhook.office.com"];

impl Target {
    /// Reads an address, perhaps with a form in front: `teams+https://…`, `slack+https://…`, `json+https://…`.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        if text.starts_with('@') {
            return Err(Unusable::Reference);
        }
        let (form, address) = [("teams+", Form::Teams), ("slack+", Form::Slack), ("json+", Form::Json)]
            .into_iter()
            .find_map(|(prefix, form)| Some((Some(form), text.strip_prefix(prefix)?)))
            .unwrap_or((None, text));
        let mut url = Url::parse(address).map_err(|_| Unusable::Form)?;
        let is_here = match url.host().ok_or(Unusable::Form)? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_here => {}
            _ => return Err(Unusable::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Unusable::User);
        }
        url.set_fragment(None);
        let form = form.unwrap_or_else(|| form_of(url.host_str().unwrap_or_default()));
        Ok(Self { url, form })
    }

    /// The whole address: for sending alone.
    pub fn address(&self) -> &Url {
        &self.url
    }

    /// Its host, which may be shown.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The form that it takes.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Names it in records without revealing it.
    pub fn id(&self) -> Fingerprint {
        Fingerprint::of(self.url.as_str().as_bytes())
    }
}

fn form_of(host: &str) -> Form {
    if host == "hooks.slack.com" || host == "hooks.slack-gov.com" {
        Form::Slack
    } else if TEAMS.iter().any(|end| host.ends_with(end)) {
        Form::Teams
    } else {
        Form::Json
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}, {:?})", self.host(), self.form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_or_the_host_decides_the_form() {
        for (text, host, form) in [
            ("https://hooks.slack.com/services/T/B/x", "hooks.slack.com", Form::Slack),
            (
                "https://prod-1.westeurope.logic.azure.com:443/w?sig=x",
                "prod-1.westeurope.logic.azure.com",
                Form::Teams,
            ),
            (
                "https://a.1.environment.api.powerplatform.com/x",
                "a.1.environment.api.powerplatform.com",
                Form::Teams,
            ),
            ("https://contoso.webhook.office.com/x", "contoso.webhook.office.com", Form::Teams),
            ("https://hooks.slack.com.evil.example/x", "hooks.slack.com.evil.example", Form::Json),
            ("https://evil-logic.azure.com/x", "evil-logic.azure.com", Form::Json),
            ("teams+https://relay.example/x", "relay.example", Form::Teams),
            ("slack+https://relay.example/x", "relay.example", Form::Slack),
            ("json+https://hooks.slack.com/x", "hooks.slack.com", Form::Json),
            ("json+http://127.0.0.1:8080/x", "127.0.0.1", Form::Json),
            ("http://localhost/x", "localhost", Form::Json),
            ("http://[::1]/x", "[::1]", Form::Json),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.host(), target.form()), (host, form), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_over_tls_is_refused() {
        for (text, why) in [
            ("http://example.com/x", Unusable::Scheme),
            ("http://localhost.example/x", Unusable::Scheme),
            ("ftp://example.com/x", Unusable::Scheme),
            ("https://user:word@example.com/x", Unusable::User),
            ("example.com/x", Unusable::Form),
            ("mail:x", Unusable::Form),
            ("", Unusable::Form),
            ("@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/x)", Unusable::Reference),
        ] {
            assert_eq!(Target::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn nothing_but_the_host_is_shown() {
        let target =
            Target::parse("https://hooks.slack.com/services/T0/B0/hidden?sig=hidden#hidden").unwrap();
        let shown = format!("{target} {target:?} {:#?} {}", Some(&target), target.id());
        assert!(!shown.contains("hidden") && !shown.contains("services"), "{shown}");
        assert!(!target.address().as_str().contains('#'));
    }
}
