//! What the owners of the second place do there, with their own rights.

use super::{Applied, apply::source};
use crate::{
    app::App,
    clock::Clock,
    domain::{acknowledged::Reason, actor::Actor, audit::Event, source::SourceId},
    error::Result,
};

/// Lets go in the second place what the first has deleted, and deletes it, with the rights of a person. That is on the audit trail
/// of the second place before anything goes. Safe to run twice, and to kill anywhere: the next call goes on.
///
/// # Errors
/// Those of storage.
pub async fn apply(app: &App, of: &SourceId, reason: &Reason, by: &Actor, clock: &Clock) -> Result<Applied> {
    let at = clock.now();
    app.audit()?.append(by, Event::of_second(of, reason, at), at).await?;
    Box::pin(source(app, of, by, clock)).await
}
