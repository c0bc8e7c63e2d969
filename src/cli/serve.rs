//! `serve`: the custom handler.

use std::{process::ExitCode, sync::Arc};

use tokio::net::TcpListener;
use tracing::{error, info, warn};

use crate::{
    app::App,
    config::{Config, Needs, environment},
    telemetry, triggers,
};

/// Answers the host until it stops this process.
///
/// If it cannot start, the process ends with a code that is not 0: the host does not restart a process that ended
/// with 0.
pub async fn run() -> ExitCode {
    telemetry::for_host(environment("RUST_LOG").as_deref());
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            error!(event = "start.failed", "keyvault-backup cannot start: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), String> {
    let port = environment("FUNCTIONS_CUSTOMHANDLER_PORT");
    let port =
        port.ok_or("FUNCTIONS_CUSTOMHANDLER_PORT is not set: `serve` is for the Azure Functions host")?;
    let port: u16 = port.trim().parse().map_err(|_| "FUNCTIONS_CUSTOMHANDLER_PORT is not a port")?;
    // Bound first: the host is waiting, and nothing below needs the network.
    let listener = TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.map_err(|error| format!("port {port} cannot be bound: {error}"))?;
    let config = Config::read(environment, Needs::Serve).map_err(|error| error.to_string())?;
    let app = App::build(&config).map_err(|error| error.to_string())?;
    if config.refuses_callers() {
        error!(
            event = "authentication.missing",
            "KEYVAULT_BACKUP_AUTHENTICATION requires the platform's authentication, which is not on: every HTTP call but \
             that for health is refused"
        );
    }
    for (setting, fault) in &config.notify.faults {
        warn!(event = "notify.unusable", "{setting}: {fault}; nothing is told there");
    }
    let stop = stop().map_err(|error| error.to_string())?;
    info!("keyvault-backup {} answers on port {port}", env!("CARGO_PKG_VERSION"));
    triggers::serve(listener, Arc::new(app), stop).await.map_err(|error| error.to_string())
}

/// Completes when a container runtime asks the process to end. The host itself never does.
#[cfg(unix)]
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        terminate.recv().await;
    })
}

/// Never completes: nothing but Unix has such a request.
#[cfg(not(unix))]
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}
