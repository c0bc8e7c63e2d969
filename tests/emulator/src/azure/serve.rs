//! From a request to its answer: read, challenge, throttle, fault, answer, log.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, DATE, HeaderName, HeaderValue},
};
use uuid::Uuid;

mod identity;

pub(crate) use identity::identity;

use super::{
    World,
    call::{Call, Query},
    faults::{FaultKind, Subject},
    hosts::{Host, Target},
    hsm,
    identity::Token,
    keyvault, known,
    operation::{Operation, Service},
    reply::{Reply, ReplyBody},
    requests::Entry,
    route::Route,
    storage,
    timestamp::http_date,
};

/// What becomes of a request: an answer, or a cut connection.
type Outcome = Result<Reply, Cut>;

/// The connection is to be cut instead of answered.
struct Cut;

/// Counts a request as outstanding while it lives, even if the client goes away.
struct Outstanding<'a>(&'a World);

impl<'a> Outstanding<'a> {
    fn new(world: &'a World) -> Self {
        world.outstanding.fetch_add(1, Ordering::Relaxed);
        Self(world)
    }
}

impl Drop for Outstanding<'_> {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves one request of a service behind the proxy. An error cuts the connection.
pub(crate) async fn service(
    world: Arc<World>,
    host: Arc<Host>,
    request: Request<Incoming>,
) -> io::Result<Response<ReplyBody>> {
    let _outstanding = Outstanding::new(&world);
    let started = Instant::now();
    let call = read(&world, host, request).await?;
    if call.host.service == Service::Blob {
        world.settle_hsms(call.now);
    }
    let object = call.route.object();
    let fault = world.faults.pick(&subject(&call, &object), call.now);
    let played = fault.as_ref().map(FaultKind::name);
    let outcome = process(&world, &call, fault).await;
    let status = outcome.as_ref().map_or(0, |reply| reply.status.as_u16());
    world.requests.push(Entry {
        at: call.now,
        service: call.host.service,
        host: Arc::clone(&call.host.name),
        method: call.method.as_str().to_owned(),
        path: call.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        operation: call.route.operation,
        object,
        caller: call.token.as_ref().map_or_else(|| "".into(), |token| Arc::clone(&token.caller)),
        status,
        duration: started.elapsed(),
        fault: played,
    });
    finish(&world, outcome)
}

fn finish(world: &World, outcome: Outcome) -> io::Result<Response<ReplyBody>> {
    let mut reply = outcome.map_err(|Cut| io::Error::from(io::ErrorKind::ConnectionAborted))?;
    if let Ok(date) = HeaderValue::from_str(&http_date(world.clock.now())) {
        reply.headers.entry(DATE).or_insert(date);
    }
    Ok(reply.into_response())
}

async fn read(world: &World, host: Arc<Host>, request: Request<Incoming>) -> io::Result<Call> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let query = Query::parse(parts.uri.query());
    let mut route = Route::of(host.service, &parts.method, parts.uri.path(), &query);
    if route.operation == Operation::Restore {
        let name = match &host.target {
            Target::Hsm(hsm) => keyvault::own_restored_name(&hsm.keys, &body),
            _ => keyvault::restored_name(&body),
        };
        route.name = name.unwrap_or_default();
    }
    if route.operation == Operation::PutBlob && parts.headers.contains_key("x-ms-copy-source") {
        route.operation = Operation::PutBlobFromUrl;
    }
    let bearer = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let token = bearer.and_then(|bearer| world.identity.token(bearer)).filter(|token| good(&host, token));
    Ok(Call {
        host,
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body,
        query,
        route,
        token,
        now: world.clock.now(),
        request_id: Uuid::new_v4().to_string(),
    })
}

/// Whether a token is meant for a host.
fn good(host: &Host, token: &Token) -> bool {
    match host.service {
        Service::Vault => token.audience == host.cloud.vault_audience(),
        Service::Hsm => token.audience == host.cloud.hsm_audience(),
        Service::Identity => true,
        Service::Blob | Service::Queue => {
            token.audience == "https://storage.azure.com"
                || token.audience.strip_prefix("https://") == Some(&*host.name)
        }
    }
}

fn subject<'a>(call: &'a Call, object: &'a str) -> Subject<'a> {
    Subject {
        service: call.host.service,
        host: &call.host.name,
        operation: call.route.operation,
        kind: call.route.kind,
        object,
        caller: call.token.as_ref().map_or("", |token| &token.caller),
        authorized: call.token.is_some(),
        method: call.method.as_str(),
        path: call.uri.path_and_query().map_or("", |path| path.as_str()),
        headers: &call.headers,
    }
}

async fn process(world: &World, call: &Call, fault: Option<FaultKind>) -> Outcome {
    let latency = world.knobs.latency(call.host.service);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut reply = match fault {
        Some(FaultKind::Raw { status, headers, body }) => return Ok(raw(status, &headers, body)),
        Some(FaultKind::CorruptBackup) => {
            let mut reply = answer(world, call);
            if call.route.operation == Operation::Backup && reply.status == StatusCode::OK {
                keyvault::damage_backup(&mut reply);
            }
            reply
        }
        Some(FaultKind::Unauthorized) => challenge(call),
        Some(FaultKind::Throttled { retry_after }) => throttled(call, retry_after),
        Some(FaultKind::Forbidden(reason)) => match &call.host.target {
            Target::Vault(vault) => keyvault::forbidden(vault, call, reason),
            Target::Hsm(_) => hsm::forbidden(call),
            _ => storage::refused(call, reason),
        },
        Some(FaultKind::NotFound) => match (&call.host.target, call.route.kind) {
            (Target::Vault(_), Some(kind)) => keyvault::not_found(kind, &call.route.name),
            (Target::Hsm(_), _) => hsm::not_found(call),
            _ => storage::not_found(call),
        },
        Some(fault) => play(fault, || answer(world, call), |status| status_reply(call, status)).await?,
        None => answer(world, call),
    };
    decorate(call, &mut reply);
    Ok(reply)
}

/// Plays the faults that are the same for all services.
async fn play(
    fault: FaultKind,
    answer: impl FnOnce() -> Reply,
    status_reply: impl Fn(StatusCode) -> Reply,
) -> Outcome {
    match fault {
        FaultKind::ResetBefore => Err(Cut),
        FaultKind::ResetAfter => {
            answer();
            Err(Cut)
        }
        FaultKind::TruncatedBody => Ok(Reply { cut: true, ..answer() }),
        FaultKind::Slow(duration) => {
            tokio::time::sleep(duration).await;
            Ok(answer())
        }
        FaultKind::Held(until) => {
            until.notified().await;
            Ok(answer())
        }
        FaultKind::Hang => std::future::pending().await,
        FaultKind::Body { status, content_type, body } => {
            Ok(Reply::new(to_status(status)).body(content_type, body))
        }
        FaultKind::Raw { status, headers, body } => Ok(raw(status, &headers, body)),
        FaultKind::Status(status) => Ok(status_reply(to_status(status))),
        FaultKind::Conflict => Ok(status_reply(StatusCode::CONFLICT)),
        FaultKind::Throttled { retry_after } => {
            let reply = status_reply(StatusCode::TOO_MANY_REQUESTS);
            Ok(match retry_after {
                Some(seconds) => reply.header("retry-after", &seconds.to_string()),
                None => reply,
            })
        }
        FaultKind::Unauthorized => Ok(status_reply(StatusCode::UNAUTHORIZED)),
        FaultKind::Forbidden(_) => Ok(status_reply(StatusCode::FORBIDDEN)),
        FaultKind::NotFound => Ok(status_reply(StatusCode::NOT_FOUND)),
        FaultKind::CorruptBackup => Ok(answer()),
    }
}

fn raw(status: u16, headers: &[(String, String)], body: Bytes) -> Reply {
    let mut reply = Reply { body, ..Reply::new(to_status(status)) };
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            reply.headers.append(name, value);
        }
    }
    reply
}

fn to_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn answer(world: &World, call: &Call) -> Reply {
    // A fault such as `Slow` may stand in place of the challenge. It must not let the request in.
    let is_login = matches!(call.host.target, Target::Login);
    if call.token.is_none() && !is_login {
        return challenge(call);
    }
    let (service, route) = (call.host.service, &call.route);
    if let Some(what) = known::unknown(service, route.operation, &call.headers, &call.query) {
        return unknown(call, &what);
    }
    if is_login {
        let is_exchange = call.method == Method::POST && call.uri.path().ends_with("/oauth2/v2.0/token");
        let refused = || unknown(call, &format!("the route {}", Route::words(call)));
        return if is_exchange { world.identity.exchange(&call.body) } else { refused() };
    }
    match &call.host.target {
        Target::Vault(vault) => {
            keyvault::rate_limited(world, vault, call).unwrap_or_else(|| keyvault::answer(world, vault, call))
        }
        Target::Blob(account) => storage::answer_blob(world, account, call),
        Target::Queue(account) => storage::answer_queue(account, call),
        Target::Hsm(hsm) => hsm::answer(world, hsm, call),
        Target::Login => status_reply(call, StatusCode::NOT_IMPLEMENTED),
    }
}

/// What the emulator does not know, in the shape of the service that was asked.
fn unknown(call: &Call, what: &str) -> Reply {
    match call.host.service {
        Service::Vault | Service::Identity => keyvault::unknown(what),
        Service::Hsm => hsm::unknown(call, what),
        Service::Blob | Service::Queue => storage::unknown(call, what),
    }
}

fn challenge(call: &Call) -> Reply {
    let present = call.headers.contains_key(AUTHORIZATION);
    match &call.host.target {
        // No recording has a token for somebody else. The code is remembered, the words are ours.
        Target::Vault(vault) if present => {
            keyvault::challenge(vault, "AKV10022: Invalid audience, issuer or signature of the token.")
        }
        Target::Vault(vault) => {
            keyvault::challenge(vault, "AKV10000: Request is missing a Bearer or PoP token.")
        }
        Target::Hsm(hsm) => hsm::challenge(hsm, call),
        Target::Login => status_reply(call, StatusCode::NOT_IMPLEMENTED),
        Target::Blob(_) | Target::Queue(_) => storage::challenge(call, present),
    }
}

fn throttled(call: &Call, retry_after: Option<u32>) -> Reply {
    match call.host.service {
        Service::Vault | Service::Hsm | Service::Identity => keyvault::throttled(retry_after),
        Service::Blob | Service::Queue => storage::busy(call, retry_after),
    }
}

fn status_reply(call: &Call, status: StatusCode) -> Reply {
    match call.host.service {
        Service::Vault | Service::Identity => keyvault::status_reply(status),
        Service::Hsm => hsm::status_reply(call, status),
        Service::Blob | Service::Queue => storage::status_reply(call, status),
    }
}

fn decorate(call: &Call, reply: &mut Reply) {
    match &call.host.target {
        Target::Vault(vault) => keyvault::decorate(vault, call, reply),
        Target::Hsm(hsm) => hsm::decorate(hsm, call, reply),
        Target::Login => {}
        Target::Blob(_) | Target::Queue(_) => storage::decorate(call, reply),
    }
}
