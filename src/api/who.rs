//! Identifies the caller and checks its rights.
//!
//! The host checks function keys before a request gets here, and there is one HTTP function, so one key, for
//! each right. When the platform's own authentication is on, app roles are needed too. Its header counts only
//! then: when it is off, any client can send it.

use std::{collections::BTreeSet, convert::Infallible};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Uri, request::Parts},
    middleware::Next,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tracing::warn;

use super::shapes::problem::{Problem, ProblemKind};
use crate::domain::actor::{Actor, Principal};

/// The header in which the platform names the signed-in caller.
pub const PRINCIPAL_HEADER: &str = "x-ms-client-principal";

/// The header with the function key. It wins over the query parameter `code`.
pub const KEY_HEADER: &str = "x-functions-key";

const OBJECT_ID: [&str; 2] = ["http://schemas.microsoft.com/identity/claims/objectidentifier", "oid"];

/// What a caller may do. No right implies another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Read what is backed up and how runs went.
    Read,
    /// Start backups.
    Write,
    /// Plan and start restores.
    Restore,
    /// Approve plans of restores.
    Approve,
    /// Read a plan that was made, as those who plan and those who approve may.
    SeePlan,
}

impl Right {
    /// Every right that has an app role of its own.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Restore, Self::Approve];

    /// The app roles of which each gives it when the platform's authentication is on.
    pub const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["Backup.Read"],
            Self::Write => &["Backup.Write"],
            Self::Restore => &["Restore.Operator"],
            Self::Approve => &["Restore.Approver"],
            Self::SeePlan => &["Restore.Approver", "Restore.Operator"],
        }
    }
}

/// The caller's app roles, as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Roles {
    /// The platform's authentication is off: only the function key counts, which the host has checked.
    KeyAlone,
    /// The roles that the platform reports.
    Given(BTreeSet<String>),
    /// The platform's authentication is on and identifies no caller, for this reason.
    Unidentified(&'static str),
}

/// The caller of a request.
#[derive(Clone, Debug)]
pub struct Who {
    actor: Actor,
    roles: Roles,
}

impl Who {
    /// Reads a request. `platform_auth` is whether the platform's authentication is on.
    pub fn of(headers: &HeaderMap, uri: &Uri, platform_auth: bool) -> Self {
        let key = key(headers, uri);
        let (principal, roles) = if platform_auth {
            match principal(headers) {
                Ok((principal, roles)) => (Some(principal), Roles::Given(roles)),
                Err(reason) => (None, Roles::Unidentified(reason)),
            }
        } else {
            if headers.contains_key(PRINCIPAL_HEADER) {
                warn!(
                    "The header {PRINCIPAL_HEADER} is ignored: the platform's authentication is off, so any client can send it"
                );
            }
            (None, Roles::KeyAlone)
        };
        Self { actor: Actor::http(key.as_deref(), principal), roles }
    }

    /// The caller as records name it, if it has the right.
    ///
    /// # Errors
    /// 401 when a sign-in is needed and missing, 403 when the role is missing.
    pub fn may(&self, right: Right) -> Result<Actor, Problem> {
        let give = right.roles();
        match &self.roles {
            Roles::Given(roles) if !give.iter().any(|role| roles.contains(*role)) => {
                let detail = format!(
                    "{} does not have the app role {}, which this needs.",
                    self.actor,
                    give.join(" or ")
                );
                Err(Problem::new(ProblemKind::MissingRole, detail))
            }
            Roles::Unidentified(reason) => Err(Problem::new(ProblemKind::NotAuthenticated, *reason)),
            Roles::KeyAlone | Roles::Given(_) => Ok(self.actor.clone()),
        }
    }

    /// The caller, for the log.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    /// Reads the extension that the router's outermost layer sets. Without it the caller is unidentified.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let unidentified = || Self {
            actor: Actor::http(None, None),
            roles: Roles::Unidentified("The caller was not identified."),
        };
        Ok(parts.extensions.get().cloned().unwrap_or_else(unidentified))
    }
}

/// Refuses callers without the right before anything else of the request is read. The actor is then an
/// [`axum::Extension`] of the request.
pub async fn require(
    State(right): State<Right>,
    who: Who,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    request.extensions_mut().insert(who.may(right)?);
    Ok(next.run(request).await)
}

fn key(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    if let Some(key) = headers.get(KEY_HEADER) {
        return key.to_str().ok().map(str::to_owned);
    }
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("code")).map(|(_, key)| key.into_owned())
}

#[derive(Deserialize)]
struct Claims {
    auth_typ: String,
    #[serde(default)]
    name_typ: String,
    #[serde(default)]
    role_typ: String,
    #[serde(rename = "claims")]
    all: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    typ: String,
    val: String,
}

fn principal(headers: &HeaderMap) -> Result<(Principal, BTreeSet<String>), &'static str> {
    const MALFORMED: &str =
        "The platform's authentication is on, but the principal that it sent cannot be read.";
    let mut values = headers.get_all(PRINCIPAL_HEADER).iter();
    let value =
        values.next().ok_or("The platform's authentication is on, and the caller is not signed in.")?;
    if values.next().is_some() {
        return Err(MALFORMED);
    }
    let bytes = STANDARD.decode(value.as_bytes()).map_err(|_| MALFORMED)?;
    let read: Claims = serde_json::from_slice(&bytes).map_err(|_| MALFORMED)?;
    if read.auth_typ != "aad" {
        return Err("The caller is signed in with something other than Microsoft Entra ID.");
    }
    let first = |typ: &str| read.all.iter().find(|claim| claim.typ == typ).map(|claim| text(&claim.val));
    let id = OBJECT_ID.into_iter().find_map(first).filter(|id| !id.is_empty());
    let id = id.ok_or("The caller's token does not say who it is: there is no object id.")?;
    let name = first(&read.name_typ).or_else(|| first("name"));
    let role = |claim: &Claim| claim.typ == "roles" || (claim.typ == read.role_typ && !claim.typ.is_empty());
    let roles = read.all.iter().filter(|claim| role(claim)).map(|claim| claim.val.clone()).collect();
    Ok((Principal { id, name }, roles))
}

/// A claim as records and log lines hold it: at most 200 characters of visible ASCII.
fn text(claim: &str) -> String {
    let visible = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    claim.chars().take(200).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    fn who(principal: Option<&str>, platform_auth: bool) -> Who {
        let mut headers = HeaderMap::new();
        headers.insert(KEY_HEADER, HeaderValue::from_static("the-key"));
        if let Some(principal) = principal {
            headers.insert(PRINCIPAL_HEADER, principal.parse().unwrap());
        }
        Who::of(&headers, &Uri::from_static("/api/backups?code=other"), platform_auth)
    }

    fn signed_in(claims: &Value) -> String {
        STANDARD.encode(
            json!({ "auth_typ": "aad", "role_typ": "role", "name_typ": "upn", "claims": claims }).to_string(),
        )
    }

    fn status(who: &Who, right: Right) -> u16 {
        who.may(right)
            .err()
            .map_or(200, |problem| axum::response::IntoResponse::into_response(problem).status().as_u16())
    }

    #[test]
    fn a_role_gives_its_right_and_no_other() {
        for (typ, right) in [
            ("roles", Right::Read),
            ("role", Right::Write),
            ("roles", Right::Restore),
            ("roles", Right::Approve),
        ] {
            let claims = json!([{ "typ": "oid", "val": "42" }, { "typ": typ, "val": right.roles()[0] }]);
            let who = who(Some(&signed_in(&claims)), true);
            for other in Right::ALL {
                assert_eq!(status(&who, other), if other == right { 200 } else { 403 });
            }
            let sees = matches!(right, Right::Restore | Right::Approve);
            assert_eq!(status(&who, Right::SeePlan), if sees { 200 } else { 403 }, "{right:?}");
            assert_eq!(who.actor().to_string(), "42");
        }
    }

    #[test]
    fn what_the_platform_did_not_send_counts_for_nothing() {
        let forged = signed_in(&json!([{ "typ": "oid", "val": "boss" }]));
        let who = who(Some(&forged), false);
        assert_eq!(
            who.may(Right::Write).unwrap(),
            Actor::http(Some("the-key"), None),
            "the header's key wins"
        );
    }

    #[test]
    fn an_unreadable_principal_is_no_caller() {
        let foreign = STANDARD.encode(r#"{"auth_typ":"github","claims":[{"typ":"oid","val":"1"}]}"#);
        let nameless = signed_in(&json!([{ "typ": "roles", "val": "Backup.Read" }]));
        for bad in [None, Some("%"), Some("bm8="), Some(foreign.as_str()), Some(nameless.as_str())] {
            assert_eq!(status(&who(bad, true), Right::Read), 401, "{bad:?}");
        }
    }
}
