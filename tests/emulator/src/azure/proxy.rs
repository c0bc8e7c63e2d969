//! Listening: the proxy with its tunnels, and the identity endpoint.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    World,
    hosts::{Host, Refusal},
    serve,
};

/// The head of a `CONNECT` is a few hundred bytes.
const MAX_HEAD: usize = 16 * 1024;

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// Accepts connections for ever. Dropping the future ends them all.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    world: Arc<World>,
    serve: impl Fn(Arc<World>, TcpStream) -> F,
) -> Infallible
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Running out of file descriptors is the only common failure, and it passes.
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                connections.spawn(serve(Arc::clone(&world), stream));
            }
            // Reaps what has ended. How a client's connection ended is the client's business.
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Binds to a port of the loopback interface; 0 takes a free one. A refusal says for what the port was to be.
pub(crate) async fn bind(port: u16, what: &str) -> io::Result<TcpListener> {
    let bound = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await;
    bound.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => "another program has it".to_owned(),
            _ => error.to_string(),
        };
        io::Error::new(error.kind(), format!("{what} cannot listen on port {port} of 127.0.0.1: {why}"))
    })
}

/// Serves the identity endpoint over plain HTTP.
pub(crate) async fn identity(world: Arc<World>, stream: TcpStream) -> io::Result<()> {
    let service = service_fn(|request| serve::identity(Arc::clone(&world), request));
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

/// Opens a tunnel and serves the host at its other end.
pub(crate) async fn tunnel(world: Arc<World>, mut stream: TcpStream) -> io::Result<()> {
    let head = read_head(&mut stream).await?;
    let target = parse_connect(&head);
    if let Some(server) = target.and_then(|(host, _)| world.forward(host)) {
        return forward(stream, server).await;
    }
    let host = match target {
        Some((host, 443)) => Host::find(&world, host),
        _ => Err(Refusal::Foreign),
    };
    let host = match host {
        Ok(host) => Arc::new(host),
        Err(refusal) => return refuse(stream, &refusal).await,
    };
    stream.write_all(ESTABLISHED).await?;
    let stream = world.authority.acceptor(&host.name)?.accept(stream).await?;
    let service = service_fn(|request| serve::service(Arc::clone(&world), Arc::clone(&host), request));
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

/// Opens a tunnel to a server which serves the host in place of the emulator.
async fn forward(mut stream: TcpStream, server: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    stream.write_all(ESTABLISHED).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut server).await.map(drop)
}

/// A client sends nothing after the head before it has an answer, so reading on can not take bytes of the
/// tunnel.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    String::from_utf8(head).map_err(io::Error::other)
}

fn parse_connect(head: &str) -> Option<(&str, u16)> {
    let mut words = head.lines().next()?.split(' ');
    let (host, port) = (words.next()? == "CONNECT").then(|| words.next())??.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

async fn refuse(mut stream: TcpStream, refusal: &Refusal) -> io::Result<()> {
    let (status, text) = match refusal {
        Refusal::Foreign => {
            ("403 Forbidden", "The emulator opens tunnels to emulated Azure services only.\n")
        }
        Refusal::Unknown => (
            "502 Bad Gateway",
            "There is no such vault, HSM or storage account: its name does not resolve.\n",
        ),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await
}
