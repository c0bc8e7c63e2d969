//! Requests to stop.

use std::pin::pin;

use futures::{Stream, StreamExt as _, future, future::Either, stream};

use super::{Done, Exit, Failed, output::Format};

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

/// Ends at the first request to stop.
pub async fn interrupted() {
    if pin!(interrupts()).next().await.is_none() {
        // Requests cannot be heard, so there will be none.
        future::pending::<()>().await;
    }
}

/// The end of a command that only reads. If it is told to stop before, it says so, and stops.
///
/// # Errors
/// Those of the command.
pub async fn or_nothing_changed(command: impl Future<Output = Done>, format: Format) -> Done {
    match future::select(pin!(command), pin!(interrupted())).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => {
            let next = "it only reads, so nothing has changed; run it again when you like";
            Ok(stopped("interrupted: the command did not come to its end", next, format))
        }
    }
}

/// Says what a command that was told to stop has left, and what to do. Returns its exit code.
pub fn stopped(what: &str, next: &str, format: Format) -> Exit {
    Failed::new(what, next).tell(format);
    Exit::Interrupted
}
