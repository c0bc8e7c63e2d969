//! Making containers that do not exist. It is all that a preflight may change for good.

use super::{Context, storage::place, within};
use crate::{
    app::App,
    azure::{
        container::{Container, Written},
        dates::Dates,
    },
    clock::Clock,
    domain::cause::{Came, Cause},
    preflight::findings::cause::words,
};

/// A container that was missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The container, `ACCOUNT/CONTAINER`.
    pub subject: String,
    /// Whether it was made.
    pub made: bool,
    /// What the service answered.
    pub seen: String,
}

/// Makes the containers of backups and of jobs, as far as the service says that they do not exist, with the caller's
/// identity and without public access. Safe to run twice.
///
/// The container for HSMs is left out: it has to be in an account that HSMs may use.
pub async fn make_missing(app: &App, clock: &Clock) -> Vec<Fix> {
    let config = app.config();
    let connection = app.connection().for_preflight(Dates::new(*clock));
    let context = Context { app, config, connection, clock };
    let mut fixes = Vec::new();
    for url in [&config.container, &config.jobs_container].into_iter().flatten() {
        let Ok(container) = Container::new(url, &context.connection) else { continue };
        let (account, name) = place(url);
        fixes.extend(make(&container, format!("{account}/{name}")).await);
    }
    fixes
}

/// Makes a container unless it is there, or is not known to be missing.
async fn make(container: &Container, subject: String) -> Option<Fix> {
    let missing = within(container.protection()).await.err().and_then(|came| came.cause());
    if missing != Some(Cause::NotFound) {
        return None;
    }
    let (made, seen) = match within(container.make()).await {
        Ok(Written::Created) => (true, "it was made".to_owned()),
        // Another process made it meanwhile.
        Ok(Written::AlreadyThere) | Err(Came::Done) => return None,
        Err(Came::Refused(_, failure)) => (false, words(&failure)),
        Err(Came::Late(seconds)) => (false, format!("no answer within {seconds} s")),
    };
    Some(Fix { subject, made, seen })
}
