//! Reads the state, and decides what is to be told of it.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::drop_unset;
use crate::{
    app::App,
    domain::{
        digest::Digest,
        job::STANDS_STILL_AFTER,
        notice::{Asked, Night, Notice, Part, Restored, Severity, Subject, Told, Wrong},
        restore::Approvals,
        state::SourceState,
    },
    error::Result,
    query::{
        passes,
        restores::{self, Restore, Wanted},
        status,
    },
    restore::approve,
};

/// Restores that are read at once.
const PAGE: usize = 100;

/// Decides what is to be told of the state as of `now`, and puts it into the outbox.
///
/// # Errors
/// When a service refuses or does not answer: then nothing is decided.
pub(super) async fn decide(app: &App, part: Part, told: &mut Told, now: OffsetDateTime) -> Result<()> {
    let notices = match part {
        Part::Sources => sources(app, told, now).await?,
        Part::Restores => restores_and_plans(app, told, now).await?,
    };
    drop_unset(app, part, told);
    told.outbox.add(&notices, &app.config().notify.targets, now);
    told.at = Some(now);
    Ok(())
}

async fn sources(app: &App, told: &mut Told, now: OffsetDateTime) -> Result<Vec<Notice>> {
    let read = status::status(app, now).await?;
    let states = read.by_urgency();
    let subjects: Vec<Subject> = states.iter().copied().map(Into::into).collect();
    let mut notices: Vec<Notice> = told.after_a_pause(STANDS_STILL_AFTER, now).into_iter().collect();
    notices.extend(told.subjects(&subjects, now));
    notices.extend(told.weekly(&states, now));
    heartbeat(app, told, &states, now);
    Ok(notices)
}

/// Puts the call of the heartbeat into the outbox after a clean night. Passes run: this is one.
fn heartbeat(app: &App, told: &mut Told, states: &[&SourceState], now: OffsetDateTime) {
    let Some(target) = &app.config().notify.heartbeat else { return };
    let Some(night) = Night::newest(states, &app.config().schedules.timers(), now) else { return };
    if told.is_another(night) {
        told.outbox.end_beats();
    }
    if night.is_clean(states) && told.clean(night) {
        told.outbox.beat(target, night.of, now);
    }
}

async fn restores_and_plans(app: &App, told: &mut Told, now: OffsetDateTime) -> Result<Vec<Notice>> {
    let since = told.looks_back_to(now);
    let seen = restores_since(app, told, since).await?;
    let asked = asked_since(app, since).await?;
    let mut notices = told.restores(&seen, now);
    notices.extend(told.plans(&asked, now));
    if !app.role().backs_up() {
        notices.extend(told.subjects(&[passes_of_backups(app, now).await?], now));
    }
    Ok(notices)
}

/// The passes of the app that backs up: it cannot tell that its own stand still.
async fn passes_of_backups(app: &App, now: OffsetDateTime) -> Result<Subject> {
    let passes = passes::passes(app, now).await?;
    let wrong = passes.stands_still.then(|| Wrong {
        code: "passes-stand-still".to_owned(),
        occasion: None,
        severity: Severity::Error,
        text: passes::words(passes.last),
        advice: String::new(),
    });
    Ok(Subject { name: "passes of backups".to_owned(), wrong: wrong.into_iter().collect() })
}

/// The restores that began since a time, and those that were open when they were last seen.
async fn restores_since(app: &App, told: &Told, since: OffsetDateTime) -> Result<Vec<Restored>> {
    let wanted = Wanted { since: Some(since), ..Wanted::default() };
    let (mut found, mut after) = (BTreeMap::new(), None);
    loop {
        let page = restores::page(app, &wanted, after.as_ref(), PAGE).await?;
        found.extend(page.restores.iter().map(|restore| (restore.id().to_string(), seen(restore))));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let unseen: Vec<String> =
        told.open_restores().filter(|id| !found.contains_key(*id)).map(Into::into).collect();
    for id in unseen {
        let Ok(id) = id.parse() else { continue };
        if let Some(restore) = restores::one(app, &id).await? {
            found.insert(restore.id().to_string(), seen(&restore));
        }
    }
    Ok(found.into_values().collect())
}

fn seen(restore: &Restore) -> Restored {
    Restored {
        id: restore.id().to_string(),
        began: restore.began(),
        pair: (restore.source().to_string(), restore.target().to_string()),
        by: restore.by().to_string(),
        ended: restore.verdict(),
    }
}

/// The plans that were asked for since a time and that need an approval.
async fn asked_since(app: &App, since: OffsetDateTime) -> Result<Vec<Asked>> {
    if app.config().approvals == Approvals::None {
        return Ok(Vec::new());
    }
    let mut asked = Vec::new();
    for (plan, at) in app.jobs()?.planned_since(since).await? {
        asked.extend(asked_of(app, plan, at).await?);
    }
    Ok(asked)
}

async fn asked_of(app: &App, plan: Digest, at: OffsetDateTime) -> Result<Option<Asked>> {
    let Some(kept) = approve::find(app, &plan).await? else { return Ok(None) };
    let (source, target) = kept.plan.pair();
    let planners: Vec<_> = kept.planners.iter().map(ToString::to_string).collect();
    Ok(kept.needs_approval.then(|| Asked {
        plan,
        at,
        pair: (source.to_string(), target.to_string()),
        by: planners.join(" and "),
        approved: kept.approval.is_some(),
    }))
}
