//! The managed identity endpoint of App Service, Entra ID's exchange of federated tokens, and the tokens
//! that both issue.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hyper::StatusCode;
use parking_lot::RwLock;
use serde_json::json;
use uuid::Uuid;

use super::{call::Query, clock::real_now, reply::Reply};

const JSON: &str = "application/json; charset=utf-8";

/// The tenant of all identities, and of vaults which name no other.
pub(crate) const TENANT: &str = "11111111-aaaa-4aaa-8aaa-111111111111";
/// The client id of the system-assigned identity.
const SYSTEM_ASSIGNED: &str = "22222222-bbbb-4bbb-8bbb-222222222222";
/// How long a token is good for.
const LIFETIME: time::Duration = time::Duration::hours(24);

/// What a token stands for.
#[derive(Debug)]
pub(crate) struct Token {
    /// Without a slash at its end.
    pub(crate) audience: String,
    /// The client id asked for; for a system-assigned identity what it is called, which is nothing at first.
    pub(crate) caller: Arc<str>,
}

impl Token {
    /// The identity as Key Vault spells it in its errors.
    pub(crate) fn principal(&self) -> String {
        let appid = appid(&self.caller);
        format!("appid={appid};oid={appid};iss=https://sts.windows.net/{TENANT}/")
    }
}

/// The id that services show. What a system-assigned identity is called is only for tests.
fn appid(caller: &str) -> &str {
    if Uuid::parse_str(caller).is_ok() { caller } else { SYSTEM_ASSIGNED }
}

/// Issues tokens and knows those it issued.
#[derive(Debug)]
pub struct Identity {
    header: String,
    /// The headers of other processes, by what their system-assigned identities are called.
    others: RwLock<HashMap<String, String>>,
    tokens: RwLock<HashMap<String, Arc<Token>>>,
    /// The token of each audience and client id, so that asking twice gives the same one.
    issued: RwLock<HashMap<(String, String), String>>,
}

impl Identity {
    pub(crate) fn new() -> Self {
        Self {
            header: Uuid::new_v4().simple().to_string(),
            others: RwLock::default(),
            tokens: RwLock::default(),
            issued: RwLock::default(),
        }
    }

    /// The value of `IDENTITY_HEADER`.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The value of `IDENTITY_HEADER` for a process with a system-assigned identity of its own, which the log of requests
    /// and the rights in storage call by this name.
    pub fn header_of(&self, caller: &str) -> String {
        let mut others = self.others.write();
        let header = others.entry(caller.to_owned()).or_insert_with(|| Uuid::new_v4().simple().to_string());
        header.clone()
    }

    /// What the system-assigned identity is called whose process sends a header.
    fn called(&self, header: Option<&str>) -> Option<String> {
        let header = header?;
        if header == self.header {
            return Some(String::new());
        }
        let others = self.others.read();
        others.iter().find(|(_, known)| *known == header).map(|(caller, _)| caller.clone())
    }

    /// A token for an audience, as the endpoint would give it. For tests that call a service themselves.
    pub fn issue(&self, audience: &str, client_id: Option<&str>) -> String {
        let audience = audience.trim_end_matches('/').to_owned();
        let client_id = client_id.unwrap_or_default().to_owned();
        let mut issued = self.issued.write();
        let token =
            issued.entry((audience.clone(), client_id.clone())).or_insert_with(|| jwt(&audience, &client_id));
        self.tokens
            .write()
            .entry(token.clone())
            .or_insert_with(|| Arc::new(Token { audience, caller: client_id.into() }));
        token.clone()
    }

    /// Makes every token issued so far worthless. The next request with one of them is challenged.
    pub fn revoke_all(&self) {
        self.issued.write().clear();
        self.tokens.write().clear();
    }

    /// What is known about a bearer token.
    pub(crate) fn token(&self, token: &str) -> Option<Arc<Token>> {
        self.tokens.read().get(token).cloned()
    }

    /// Answers `GET /msi/token`.
    pub(crate) fn answer(&self, header: Option<&str>, query: &Query) -> Reply {
        let Some(own) = self.called(header) else {
            return refusal(StatusCode::UNAUTHORIZED, "The X-IDENTITY-HEADER header is missing or wrong.");
        };
        if query.get("api-version") != Some("2019-08-01") {
            return refusal(StatusCode::BAD_REQUEST, "The api-version is missing or not supported.");
        }
        let Some(resource) = query.get("resource").filter(|r| !r.is_empty()) else {
            return refusal(StatusCode::BAD_REQUEST, "The resource is missing.");
        };
        let client_id = query.get("client_id");
        let body = json!({
            "access_token": self.issue(resource, Some(client_id.unwrap_or(&own))),
            "expires_on": (real_now() + LIFETIME).unix_timestamp().to_string(),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": client_id.unwrap_or(SYSTEM_ASSIGNED),
        });
        Reply::new(StatusCode::OK).body(JSON, body.to_string())
    }
}

impl Identity {
    /// Answers `POST /{tenant}/oauth2/v2.0/token` of Entra ID, for a client that presents a federated token.
    ///
    /// Any assertion but an empty one is taken: who may present which is not emulated.
    pub(crate) fn exchange(&self, form: &[u8]) -> Reply {
        let form = Query::parse(std::str::from_utf8(form).ok());
        let scope = form.get("scope").and_then(|scope| scope.strip_suffix("/.default"));
        let assertion = form.get("client_assertion").filter(|assertion| !assertion.is_empty());
        let (Some(audience), Some(_), Some(client_id)) = (scope, assertion, form.get("client_id")) else {
            let body = json!({"error": "invalid_request", "error_description": "AADSTS900144: a parameter is missing."});
            return Reply::new(StatusCode::BAD_REQUEST).body(JSON, body.to_string());
        };
        let seconds = LIFETIME.whole_seconds();
        let body = json!({
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": self.issue(audience, Some(client_id)),
        });
        Reply::new(StatusCode::OK).body(JSON, body.to_string())
    }
}

fn refusal(status: StatusCode, message: &str) -> Reply {
    Reply::new(status).body(JSON, json!({"statusCode": status.as_u16(), "message": message}).to_string())
}

/// Something that clients which look into tokens can read. The signature is none.
fn jwt(audience: &str, client_id: &str) -> String {
    let appid = appid(client_id);
    let now = real_now();
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "emulator"});
    let claims = json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{TENANT}/"), "tid": TENANT, "appid": appid, "oid": appid, "sub": appid,
        "iat": now.unix_timestamp(), "nbf": now.unix_timestamp(), "exp": (now + LIFETIME).unix_timestamp(), "ver": "1.0",
        "uti": Uuid::new_v4().simple().to_string(),
    });
    let part = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{}", part(header), part(claims), BASE64_URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes()))
}
