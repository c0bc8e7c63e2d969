//! The identity endpoint, which is not behind the proxy.

use std::{io, sync::Arc, time::Instant};

use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming};

use super::{Outcome, Outstanding, finish, play};
use crate::azure::{
    World,
    call::Query,
    faults::{FaultKind, Subject},
    keyvault, known,
    operation::{Operation, Service},
    reply::{Reply, ReplyBody},
    requests::Entry,
};

/// Serves one request for a token. An error cuts the connection.
pub(crate) async fn identity(
    world: Arc<World>,
    request: Request<Incoming>,
) -> io::Result<Response<ReplyBody>> {
    let _outstanding = Outstanding::new(&world);
    let started = Instant::now();
    let now = world.clock.now();
    let query = Query::parse(request.uri().query());
    let subject = Subject {
        service: Service::Identity,
        host: "identity",
        operation: Operation::Token,
        kind: None,
        object: query.get("resource").unwrap_or_default(),
        caller: query.get("client_id").unwrap_or_default(),
        authorized: true,
        method: request.method().as_str(),
        path: request.uri().path_and_query().map_or("", |path| path.as_str()),
        headers: request.headers(),
    };
    let fault = world.faults.pick(&subject, now);
    let played = fault.as_ref().map(FaultKind::name);
    tokio::time::sleep(world.knobs.latency(Service::Identity)).await;
    let outcome = process(&world, request.uri().path(), request.headers(), &query, fault).await;
    world.requests.push(Entry {
        at: now,
        service: subject.service,
        host: subject.host.into(),
        method: subject.method.to_owned(),
        path: subject.path.to_owned(),
        operation: subject.operation,
        object: subject.object.to_owned(),
        caller: subject.caller.into(),
        status: outcome.as_ref().map_or(0, |reply| reply.status.as_u16()),
        duration: started.elapsed(),
        fault: played,
    });
    finish(&world, outcome)
}

async fn process(
    world: &World,
    path: &str,
    headers: &HeaderMap,
    query: &Query,
    fault: Option<FaultKind>,
) -> Outcome {
    let header = headers.get("x-identity-header").and_then(|header| header.to_str().ok());
    let unknown = known::unknown(Service::Identity, Operation::Token, headers, query);
    let answer = || match path {
        _ if unknown.is_some() => keyvault::unknown(unknown.as_deref().unwrap_or_default()),
        "/msi/token" => world.identity.answer(header, query),
        _ => Reply::new(StatusCode::NOT_FOUND),
    };
    match fault {
        Some(fault) => play(fault, answer, |status| Reply::new(status).body("application/json", "{}")).await,
        None => Ok(answer()),
    }
}
