//! The app's address: HTTP over a socket, for `curl` and the like.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Weak},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header::CONTENT_LENGTH},
    response::{IntoResponse, Response},
};
use tokio::net::TcpListener;

use super::{Host, HostError, HttpAnswer, Inner};

/// The host's limit of a request.
const MAX_BODY: usize = 104_857_600;

impl Host {
    /// Also answers HTTP on `127.0.0.1:port` (0: any free port) until the host is dropped. Returns the address.
    ///
    /// A body that comes without a length never reaches a function, as with the real host.
    pub async fn listen(&self, port: u16) -> Result<SocketAddr, HostError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(HostError::Local)?;
        let address = listener.local_addr().map_err(HostError::Local)?;
        // Weak: an open door must not keep the host alive.
        let router = Router::new().fallback(answer).with_state(Arc::downgrade(&self.inner));
        let serve = async move {
            let served: io::Result<()> = axum::serve(listener, router).await;
            drop(served);
        };
        self.inner.tasks.lock().spawn(serve);
        Ok(address)
    }
}

async fn answer(State(host): State<Weak<Inner>>, request: Request<Body>) -> Response {
    let Some(host) = host.upgrade() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let (head, body) = request.into_parts();
    let with_length = head.headers.contains_key(CONTENT_LENGTH);
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body = if with_length { body.to_vec() } else { Vec::new() };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let answer = host.http(head.method.as_str(), path, pairs(&head.headers), body).await;
    response(answer)
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn response(answer: HttpAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    response.headers_mut().clear();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
