//! Making certificates over REST.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        answer::ok,
        bundle::identifier,
        error, material,
        object::{Kind, Object},
        spec::{CertificateSpec, Properties},
        vault::Vault,
        write::{WireProperties, time},
    },
    Making, subject_of,
};
use crate::azure::{World, call::Call, reply::Reply};

#[derive(Deserialize)]
struct Body {
    policy: Option<Policy>,
    #[serde(default)]
    attributes: WireProperties,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Policy {
    x509_props: Subject,
    issuer: Issuer,
    #[serde(default)]
    secret_props: SecretProperties,
}

#[derive(Deserialize)]
struct Subject {
    subject: Option<String>,
}

#[derive(Deserialize)]
struct Issuer {
    name: String,
}

#[derive(Default, Deserialize)]
struct SecretProperties {
    #[serde(rename = "contentType")]
    content_type: Option<String>,
}

/// `POST /certificates/{name}/create`.
pub(crate) fn create(world: &World, vault: &Vault, call: &Call) -> Reply {
    let name = &call.route.name;
    let Ok(body) = serde_json::from_slice::<Body>(&call.body) else { return error::bad_value() };
    let Some((spec, issuer)) = what(vault, name, body) else { return error::bad_subject() };
    let takes = world.knobs.delays().creation;
    match vault.begin_certificate(name, spec, &issuer, call.now, takes) {
        Ok(()) => begun(vault, call),
        Err(hindrance) => hindrance.reply(vault, name),
    }
}

/// What is to be made, and who signs it. Without a policy it is what was made before.
fn what(vault: &Vault, name: &str, body: Body) -> Option<(CertificateSpec, String)> {
    let properties = Properties {
        enabled: body.attributes.enabled.unwrap_or(true),
        not_before: time(body.attributes.nbf),
        expires: time(body.attributes.exp),
        tags: body.tags,
        ..Properties::default()
    };
    let Some(policy) = body.policy else {
        let store = vault.store.read();
        let object = store.get(Kind::Certificate, name)?;
        let (subject, content_type) = subject_of(&object.newest().material)?;
        let issuer = object.making.as_ref().map_or("Self", |making| &making.issuer).to_owned();
        let (subject, content_type) = (subject.to_owned(), content_type.to_owned());
        return Some((CertificateSpec { subject, content_type, properties }, issuer));
    };
    let subject = policy.x509_props.subject.filter(|subject| subject.contains('='))?;
    let content_type = policy.secret_props.content_type;
    let content_type = content_type.unwrap_or_else(|| CertificateSpec::default().content_type);
    Some((CertificateSpec { subject, content_type, properties }, policy.issuer.name))
}

fn begun(vault: &Vault, call: &Call) -> Reply {
    let store = vault.store.read();
    let object = store.get(Kind::Certificate, &call.route.name);
    let Some((object, making)) = object.and_then(|object| Some((object, object.making.as_ref()?))) else {
        return error::pending_not_found(&call.route.name);
    };
    let version = call.query.get("api-version").unwrap_or_default();
    let place =
        format!("{}?api-version={version}&request_id={}", pending_id(vault, &object.name), making.request);
    let shown = operation(vault, object, making);
    Reply { status: StatusCode::ACCEPTED, ..ok(&shown) }.header("location", &place)
}

/// `GET /certificates/{name}/pending`.
pub(crate) fn get(vault: &Vault, call: &Call) -> Reply {
    with(vault, call, |_| {})
}

/// `PATCH /certificates/{name}/pending`, which asks for nothing but to cancel it.
pub(crate) fn cancel(vault: &Vault, call: &Call) -> Reply {
    let asked = serde_json::from_slice::<Value>(&call.body).unwrap_or_default();
    if asked["cancellation_requested"] != true {
        return error::bad_value();
    }
    with(vault, call, |making| making.cancelled |= !making.done)
}

/// `DELETE /certificates/{name}/pending`. A certificate that is not there yet goes with it.
pub(crate) fn delete(vault: &Vault, call: &Call) -> Reply {
    let reply = with(vault, call, |_| {});
    if reply.status == StatusCode::OK {
        vault.store.write().forget_making(&call.route.name);
    }
    reply
}

fn with(vault: &Vault, call: &Call, change: impl FnOnce(&mut Making)) -> Reply {
    let mut store = vault.store.write();
    let object = store.get_mut(Kind::Certificate, &call.route.name);
    let making = object.and_then(|object| {
        change(object.making.as_mut()?);
        Some((&*object, object.making.as_ref()?))
    });
    match making {
        Some((object, making)) => ok(&operation(vault, object, making)),
        None => error::pending_not_found(&call.route.name),
    }
}

/// The address of what is being made.
pub(crate) fn pending_id(vault: &Vault, name: &str) -> String {
    format!("{}/pending", identifier(vault, Kind::Certificate, name, None))
}

/// The making as it was recorded: details while it goes on, the certificate when it is done.
fn operation(vault: &Vault, object: &Object, making: &Making) -> Value {
    let mut shown = json!({
        "id": pending_id(vault, &object.name),
        "issuer": {"name": making.issuer},
        "csr": material::request(&making.request),
        "cancellation_requested": making.cancelled,
        "status": if making.done { "completed" } else { "inProgress" },
        "request_id": making.request,
    });
    if making.done {
        shown["target"] = identifier(vault, Kind::Certificate, &object.name, None).into();
    } else {
        shown["status_details"] = "Pending certificate created. Certificate request is in progress. This may take some time based on \
                                   the issuer provider. Please check again later."
            .into();
    }
    shown
}
