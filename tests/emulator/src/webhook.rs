//! A receiver of webhooks on loopback, which records what it gets and answers as it is told.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, task::JoinSet};

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// The path and the query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

#[derive(Debug)]
struct Inner {
    received: Mutex<Vec<Received>>,
    answer: Mutex<(u16, String)>,
}

/// A receiver of webhooks. Clones are the same receiver; when the last is dropped, it stops.
#[derive(Debug, Clone)]
pub struct Webhook {
    inner: Arc<Inner>,
    at: SocketAddr,
    _task: Arc<JoinSet<()>>,
}

impl Webhook {
    /// Starts it on a free port. It answers 200.
    pub async fn start() -> io::Result<Self> {
        let answer = Mutex::new((200, String::new()));
        let inner = Arc::new(Inner { received: Mutex::default(), answer });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let router = Router::new().fallback(receive).with_state(Arc::clone(&inner));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { inner, at, _task: Arc::new(tasks) })
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.at)
    }

    /// From now on it answers with this status and text.
    pub fn answers(&self, status: u16, text: &str) {
        *self.inner.answer.lock() = (status, text.to_owned());
    }

    /// What has arrived, in order, whatever it answered.
    pub fn received(&self) -> Vec<Received> {
        self.inner.received.lock().clone()
    }
}

async fn receive(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    inner.received.lock().push(Received { method, path, headers, body });
    let (status, text) = inner.answer.lock().clone();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("location", "/elsewhere")], text)
}
