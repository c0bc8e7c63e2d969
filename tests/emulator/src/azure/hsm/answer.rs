//! Requests to an HSM, answered.

use hyper::{Method, StatusCode, header::AUTHORIZATION};

use super::{
    device::Hsm,
    error::{restoring, translate, unknown},
    job::HsmOperationKind,
    start,
};
use crate::azure::{
    World,
    call::Call,
    keyvault::{self, JSON, Kind},
    operation::Operation,
    reply::Reply,
    route::Route,
};

const BUILD: &str = "1.0.20260320-2-76f00f12-develop";

/// Answers a request that carries a good token.
pub(crate) fn answer(world: &World, hsm: &Hsm, call: &Call) -> Reply {
    hsm.settle(world, call.now);
    let operation = call.route.operation;
    // "All data plane commands (except check restore status) are disabled" (documentation).
    if operation != Operation::RestoreStatus && hsm.state.lock().is_restoring(call.now) {
        return restoring(call);
    }
    let start = |kind| start::start(world, hsm, call, kind);
    match operation {
        Operation::StartBackup => start(HsmOperationKind::Backup),
        Operation::StartRestore => start(HsmOperationKind::Restore),
        Operation::StartKeyRestore => start(HsmOperationKind::KeyRestore),
        Operation::CheckBackup => start(HsmOperationKind::BackupCheck),
        Operation::CheckRestore => start(HsmOperationKind::RestoreCheck),
        Operation::BackupStatus | Operation::RestoreStatus => start::status(world, hsm, call),
        _ if call.route.kind == Some(Kind::Key) => translate(call, keyvault::answer(world, &hsm.keys, call)),
        _ => unknown(call, &format!("the route {}", Route::words(call))),
    }
}

/// The 401 that tells a client where to get a token and for whom. It says `OK` to a `GET` (recorded).
pub(crate) fn challenge(hsm: &Hsm, call: &Call) -> Reply {
    let tenant = hsm.keys.options.read().tenant.clone();
    let (authority, resource) = (hsm.keys.cloud.authority(), hsm.keys.cloud.hsm_audience());
    let header = format!("Bearer authorization=\"{authority}/{tenant}\", resource=\"{resource}\"");
    let body =
        if call.method == Method::GET && !call.headers.contains_key(AUTHORIZATION) { "OK" } else { "" };
    Reply::new(StatusCode::UNAUTHORIZED).body(JSON, body).header("www-authenticate", &header)
}

fn is_administration(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::StartBackup
            | Operation::StartRestore
            | Operation::StartKeyRestore
            | Operation::CheckBackup
            | Operation::CheckRestore
            | Operation::BackupStatus
            | Operation::RestoreStatus
    )
}

/// Adds the headers that answers of an HSM have.
pub(crate) fn decorate(hsm: &Hsm, call: &Call, reply: &mut Reply) {
    for (name, value) in [
        ("content-type", JSON),
        ("cache-control", "no-cache"),
        ("content-security-policy", "default-src 'self'"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-ms-server-latency", "1"),
    ] {
        reply.set_static(name, value);
    }
    reply.set("x-ms-request-id", &call.request_id);
    if call.method == Method::GET {
        reply.set_static("x-ms-build-version", BUILD);
    }
    let administration = is_administration(call.route.operation) && reply.status != StatusCode::UNAUTHORIZED;
    if administration {
        reply.set_static("server", "Kestrel");
        reply.set_static("api-supported-versions", "20180927, 20211111");
    }
    if administration || reply.status.is_success() {
        reply.set("x-ms-keyvault-region", &hsm.keys.options.read().region);
        let network = "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=Ipv4;";
        reply.set_static("x-ms-keyvault-network-info", network);
    }
}
