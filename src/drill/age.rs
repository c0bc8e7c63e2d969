//! Telling the log, once a day, how old the newest drill of each source is.

use crate::{
    app::App,
    clock::Clock,
    domain::{source::SourceKind, state::DrilledAt},
    error::Result,
    query::drills::known,
};

/// Says of each source that has a drill vault or a drill HSM whether its newest drill is recent. An alert waits for that.
///
/// # Errors
/// Those of storage. A record that cannot be read says nothing.
pub async fn tell(app: &App, clock: &Clock) -> Result<()> {
    let drills = &app.config().drills;
    let (vaults, hsms) = (drills.of.keys(), drills.hsms.keys());
    let each = vaults.map(|of| (SourceKind::Vault, of)).chain(hsms.map(|of| (SourceKind::Hsm, of)));
    for (kind, source) in each {
        let known = known(app, kind, source).await?;
        match known.at() {
            DrilledAt::At(at) if known.interval.is_some_and(|interval| clock.now() - at <= interval) => {
                tracing::info!(
                    event = "drill.recent", source.name = %source, "The newest drill of {source} is of {at}"
                );
            }
            at => {
                let at = at.time_or_word().map_or_else(str::to_owned, |at| at.to_string());
                tracing::warn!(
                    event = "drill.overdue", source.name = %source,
                    "{source} is overdue for a drill: its newest one is of: {at}"
                );
            }
        }
    }
    Ok(())
}
