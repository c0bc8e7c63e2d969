//! What people decide about retention, at a terminal and with their own rights: releases, consents, holds.
//!
//! No function and no route calls the writers here, and no app may add a record of this kind. Each decision is on the
//! audit trail before it counts.

use time::{Duration, OffsetDateTime};

use super::standstill::is_configured;
use crate::{
    app::App,
    azure::container::Written,
    clock::Clock,
    domain::{
        acknowledged::Reason,
        actor::Actor,
        audit::Event,
        record::count,
        retention::{Act, DECISION_FORMAT, Decision, HOLD_FORMAT, Hold, HoldScope, Ticket},
        second::Place,
        source::{SourceId, SourceKind},
    },
    error::{Error, Result},
};

/// Tries to find a free second for a decision.
const TRIES: usize = 8;

/// Records that so many points of a source may go although they are more than half. It counts for a day.
///
/// # Errors
/// Those of storage.
pub async fn consent(
    app: &App,
    of: &SourceId,
    points: usize,
    reason: Reason,
    by: &Actor,
    clock: &Clock,
) -> Result<Decision> {
    decide(app, of, Act::Consent { points: count(points) }, reason, by, clock).await
}

/// Records a decision about a source.
///
/// # Errors
/// Those of storage, and when the catalogue does not have the source.
pub async fn decide(
    app: &App,
    of: &SourceId,
    act: Act,
    reason: Reason,
    by: &Actor,
    clock: &Clock,
) -> Result<Decision> {
    refuse_unknown(app, of).await?;
    if act == Act::Release && is_configured(app, of) && app.config().place == Place::First {
        return Err(Error::Refused(format!(
            "the {of} is configured, so there is nothing to release: its policy applies already"
        )));
    }
    let at =
        if act.is_about_release() { after_the_last_word(app, of, clock.now()).await? } else { clock.now() };
    record(app, of, (act, reason), by, at).await
}

/// Records a decision as of a time, or of a second soon after it that has none of its kind.
pub(super) async fn record(
    app: &App,
    of: &SourceId,
    (act, reason): (Act, Reason),
    by: &Actor,
    at: OffsetDateTime,
) -> Result<Decision> {
    let (source, kind) = (of.name.clone(), of.kind);
    let mut decision = Decision { v: DECISION_FORMAT, source, kind, act, reason, by: by.clone(), at };
    for _ in 0..TRIES {
        app.audit()?.append(by, Event::from(&decision), decision.at).await?;
        if app.catalogue()?.create_decision(&decision).await? == Written::Created {
            return Ok(decision);
        }
        decision.at += Duration::SECOND;
    }
    Err(Error::Busy(format!("other decisions about {} are recorded at this moment; try again", of.name)))
}

/// The time of a release or its withdrawal: now, and later than those before. They are told apart by their times: of two in
/// one second the one that keeps would count.
async fn after_the_last_word(app: &App, of: &SourceId, now: OffsetDateTime) -> Result<OffsetDateTime> {
    let before = app.catalogue()?.decisions(of.kind, &of.name).await?;
    let words = before.iter().filter(|of| of.act.is_about_release());
    Ok(words.map(|of| of.at + Duration::SECOND).max().map_or(now, |next| next.max(now)))
}

async fn refuse_unknown(app: &App, of: &SourceId) -> Result<()> {
    let catalogue = app.catalogue()?;
    let known = match of.kind {
        SourceKind::Vault => catalogue.knows(&of.name).await?,
        SourceKind::Hsm => catalogue.knows_hsm(&of.name).await?,
    };
    if known {
        return Ok(());
    }
    Err(Error::Refused(format!("the catalogue has no {of}, so there is nothing to decide")))
}

/// Sets a hold and returns its number under its ticket.
///
/// Not safe to run twice: two calls set two holds, and what they hold is kept until both are released.
///
/// # Errors
/// Those of storage, and when the catalogue does not have the source.
pub async fn hold(
    app: &App,
    of: &SourceId,
    (scope, ticket, reason): (HoldScope, Ticket, Reason),
    by: &Actor,
    at: OffsetDateTime,
) -> Result<(Hold, u32)> {
    refuse_unknown(app, of).await?;
    let (source, kind, by) = (of.name.clone(), of.kind, by.clone());
    let hold = Hold { v: HOLD_FORMAT, source, kind, scope, ticket, reason, by, at };
    app.audit()?.append(&hold.by, Event::of_hold(&hold, false), at).await?;
    let number = app.catalogue()?.create_hold(&hold).await?;
    Ok((hold, number))
}

/// Releases the holds of a ticket on a source, or one of them, and returns those that were released now. Safe to run
/// twice.
///
/// # Errors
/// When there is no such hold, and those of storage.
pub async fn release(
    app: &App,
    of: &SourceId,
    (ticket, number): (&Ticket, Option<u32>),
    reason: Reason,
    by: &Actor,
    at: OffsetDateTime,
) -> Result<Vec<(Hold, u32)>> {
    let catalogue = app.catalogue()?;
    let all = catalogue.own_holds(of.kind, &of.name).await?;
    let wanted = all.into_iter().filter(|own| {
        own.hold.ticket == *ticket
            && number.is_none_or(|number| number == own.number)
            && own.released.is_none()
    });
    let wanted: Vec<_> = wanted.map(|own| (own.hold, own.number)).collect();
    if wanted.is_empty() {
        return Err(Error::Refused(format!(
            "there is no hold {ticket} on {} that is not released; `hold list` shows what there is",
            of.name
        )));
    }
    for (hold, number) in &wanted {
        let release = Hold { reason: reason.clone(), by: by.clone(), at, ..hold.clone() };
        app.audit()?.append(by, Event::of_hold(&release, true), at).await?;
        catalogue.release_hold(*number, &release).await?;
    }
    Ok(wanted)
}

/// The holds on one source, or on every source that the catalogue has: each with its number, and whether it is
/// released.
///
/// # Errors
/// Those of storage.
pub async fn holds(app: &App, only: Option<&SourceId>) -> Result<Vec<(Hold, u32, bool)>> {
    let catalogue = app.catalogue()?;
    let mut all = Vec::new();
    let sources = if let Some(only) = only {
        vec![only.clone()]
    } else {
        let (vaults, hsms) = futures::try_join!(
            catalogue.held_sources(SourceKind::Vault),
            catalogue.held_sources(SourceKind::Hsm)
        )?;
        SourceId::all(vaults, hsms)
    };
    for source in sources {
        let holds = catalogue.all_holds(source.kind, &source.name).await?;
        all.extend(holds.into_iter().map(|of| (of.hold, of.number, of.released.is_some())));
    }
    Ok(all)
}
