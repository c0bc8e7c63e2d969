//! Requests to stop.

use futures::{Stream, stream};

/// A stream with an item for each Ctrl-C and, on Unix, for each request to terminate. The first one stops a command in
/// order, the second one at once.
pub fn interrupts() -> impl Stream<Item = ()> {
    stream::unfold((), |()| async { asked().await.map(|()| ((), ())) })
}

#[cfg(unix)]
async fn asked() -> Option<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).ok()?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.ok(),
        terminated = terminate.recv() => terminated,
    }
}

#[cfg(not(unix))]
async fn asked() -> Option<()> {
    tokio::signal::ctrl_c().await.ok()
}
