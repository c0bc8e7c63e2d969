//! Making the record of yesterday.

use time::OffsetDateTime;

use super::source;
use crate::{
    app::App,
    catalogue::Audit,
    clock::Clock,
    domain::{
        audit::Head,
        day::Day,
        evidence::{EVIDENCE_FORMAT, EventSeen, Evidence, TrailEvidence},
        record::count,
        source::SourceId,
    },
    error::Result,
};

/// The most events of each right that a record tells of.
const EVENTS: usize = 200;

/// The most sections of the trail whose newest records are named and logged.
const HEADS: usize = 500;

/// What was done about yesterday's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The day.
    pub day: Day,
    /// Whether its record was made just now. Otherwise it had one.
    pub is_new: bool,
}

/// Makes the record of yesterday, in UTC, if there is none, and logs the newest record of each section of the audit trail
/// that was written to yesterday or today. Safe to run twice: the first record stays.
///
/// A record costs a few requests for each source, and one more for each run with failures and each point that was let go.
///
/// # Errors
/// Those of storage: then there is no record, and the next try makes it. What cannot be read because it is damaged is
/// named in the record.
pub async fn record(app: &App, clock: &Clock) -> Result<Recorded> {
    let (catalogue, now) = (app.catalogue()?, clock.now());
    let day = Day::of(now).before();
    let heads = app.audit()?.heads(day).await?;
    log(&heads);
    if catalogue.has_evidence(day).await? {
        return Ok(Recorded { day, is_new: false });
    }
    let evidence = Box::pin(made(app, day, &heads, now)).await?;
    catalogue.create_evidence(&evidence).await?;
    tracing::info!(
        event = "evidence.recorded", evidence.day = %day, evidence.sources = evidence.sources.len(),
        "The record of {day} is made: {} sources", evidence.sources.len()
    );
    Ok(Recorded { day, is_new: true })
}

/// A reader who keeps the log elsewhere can hold the trail against these lines: `audit verify --expect`.
fn log(heads: &[Head]) {
    for head in heads.iter().take(HEADS) {
        let Head { section, number, sha256 } = head;
        tracing::info!(
            event = "audit.head", audit.section = %section, audit.number = number, audit.sha256 = %sha256,
            "The newest record of a section of the audit trail: {head}"
        );
    }
    if heads.len() > HEADS {
        let (all, more) = (heads.len(), heads.len() - HEADS);
        tracing::warn!(
            event = "audit.heads",
            audit.more = more,
            "The audit trail has {all} sections of yesterday and today; {more} were not logged"
        );
    }
}

async fn made(app: &App, day: Day, heads: &[Head], now: OffsetDateTime) -> Result<Evidence> {
    let catalogue = app.catalogue()?;
    let (trail, retention, acknowledged) = futures::try_join!(
        trail(app, day, heads),
        catalogue.retention_of_day(day),
        catalogue.all_acknowledged(None)
    )?;
    let mut evidence = Evidence {
        v: EVIDENCE_FORMAT,
        day,
        made: now,
        program: env!("PROGRAM_VERSION").to_owned(),
        sources: Vec::new(),
        trail,
        retention,
    };
    // Without a word of it a pass that cannot be read would look like no second place.
    let (second, unread) = match catalogue.last_second_pass_by(Some(day.end())).await {
        Err(error) if error.is_unreadable() => (None, Some("the last pass of copies".to_owned())),
        read => (read?, None),
    };
    for of in sources(app).await? {
        let acknowledged = acknowledged.get(&of.name).cloned().unwrap_or_default();
        let mut seen = Box::pin(source::of(app, &of, acknowledged, second.as_ref(), day)).await?;
        seen.unread.extend(unread.clone());
        evidence.sources.push(seen);
    }
    Ok(evidence)
}

/// Every source that is configured or has backups, in order.
async fn sources(app: &App) -> Result<Vec<SourceId>> {
    let hsms: Vec<_> = app.hsms().names().cloned().collect();
    // The keys of an HSM that are backed up one by one are a vault in the catalogue.
    let by_key = hsms.iter().filter(|hsm| !app.hsms().single_keys(hsm).is_empty()).cloned();
    let vaults = app.vaults().map(|vault| vault.source().name().clone()).chain(by_key).collect();
    let mut all = SourceId::all(vaults, hsms);
    all.extend(app.catalogue()?.sources().await?);
    all.sort();
    all.dedup();
    Ok(all)
}

async fn trail(app: &App, day: Day, heads: &[Head]) -> Result<TrailEvidence> {
    let found = app.audit()?.of_day(day, TrailEvidence::tells, EVENTS).await?;
    let heads: Vec<_> = heads.iter().filter(|head| Audit::began_on(head, day)).cloned().collect();
    Ok(TrailEvidence {
        records: found.records,
        events: found.read.iter().filter_map(EventSeen::of).collect(),
        more_events: found.more,
        more_heads: count(heads.len().saturating_sub(HEADS)),
        heads: heads.into_iter().take(HEADS).collect(),
        unread: found.unread,
    })
}
