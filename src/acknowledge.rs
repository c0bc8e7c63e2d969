//! Acknowledging losses and accepting failures: decisions of a person at a terminal, with that person's own rights.
//!
//! No function and no route calls the writers here, and no app may add a record of this kind: a runbook's key cannot
//! silence an alert. Each decision is on the audit trail before it counts. Everything is safe to run twice: a second
//! record of one decision says the same.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::{
    app::App,
    azure::container::Written,
    clock::Clock,
    domain::{
        acknowledged::{
            ACKNOWLEDGED_FORMAT, Acceptance, AcceptanceRecord, Acknowledgement, Reason, Standing, check_until,
        },
        actor::Actor,
        first::first_of,
        loss::Loss,
        manifest::Line,
        object::ObjectId,
        observed_location::Moved,
        run::RunId,
        source::SourceName,
    },
    error::{Error, Result},
    query::vaults,
};

/// Tries to find a free second for a decision about an object.
const TRIES: usize = 8;

/// Failing objects that are named to a person who named an object that does not fail.
const NAMED: usize = 10;

/// An acknowledgement, and the findings that it covers.
#[derive(Clone, Debug, Serialize)]
pub struct Acknowledging {
    /// The record.
    #[serde(flatten)]
    pub record: Acknowledgement,
    /// The losses that the run found and that are still open; none if they have passed since.
    pub losses: Vec<Loss>,
    /// The move of the vault, if the run found one and it is still open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Box<Moved>>,
    /// Whether the run was acknowledged before. Then the record is the earlier one.
    pub already: bool,
}

/// Acknowledges the losses and the move that a run found: from then on they no longer count against the source.
///
/// # Errors
/// When the run has no open loss or move; the text names the runs that have one.
pub async fn loss(
    app: &App,
    source: &SourceName,
    run: &RunId,
    reason: Reason,
    by: &Actor,
    clock: &Clock,
) -> Result<Acknowledging> {
    let catalogue = app.catalogue()?;
    let newest = vaults::newest(app, source).await?.last;
    let (losses, moved) = newest.map_or_else(Default::default, |newest| (newest.losses, newest.moved));
    let known = catalogue.acknowledged(source).await?;
    let of_run: Vec<_> = losses.iter().filter(|loss| loss.run == *run).cloned().collect();
    let moved_then = moved.clone().filter(|moved| moved.run == *run);
    let acknowledging = |record, already| Acknowledging {
        record,
        losses: of_run.clone(),
        moved: moved_then.clone(),
        already,
    };
    if let Some(record) = known.loss(run) {
        return Ok(acknowledging(record.clone(), true));
    }
    if of_run.is_empty() && moved_then.is_none() {
        let runs = losses.iter().map(|loss| &loss.run).chain(moved.iter().map(|moved| &moved.run));
        return Err(nothing_open(source, run, runs.filter(|run| known.loss(run).is_none())));
    }
    let (source, run, at) = (source.clone(), run.clone(), clock.now());
    let record = Acknowledgement { v: ACKNOWLEDGED_FORMAT, source, run, reason, by: by.clone(), at };
    app.audit()?.append(by, (&record).into(), at).await?;
    if catalogue.create_acknowledgement(&record).await? == Written::Created {
        return Ok(acknowledging(record, false));
    }
    // Another person was first.
    let known = catalogue.acknowledged(&record.source).await?;
    let record = known.loss(&record.run).cloned().unwrap_or(record);
    Ok(acknowledging(record, true))
}

fn nothing_open<'a>(source: &SourceName, run: &RunId, open: impl Iterator<Item = &'a RunId>) -> Error {
    let mut open: Vec<_> = open.map(RunId::as_str).collect();
    open.dedup();
    let there = if open.is_empty() {
        format!("as of the newest run, every loss and move of {source} is acknowledged")
    } else {
        format!("losses or moves that are not acknowledged were found by {}", open.join(", "))
    };
    Error::Refused(format!("there is nothing to acknowledge of run {run} of {source}: {there}"))
}

/// Accepts an object's current failure until a time.
///
/// # Errors
/// When the object does not fail, or the time has passed or is too far away; the text names the objects that fail.
pub async fn accept(
    app: &App,
    source: &SourceName,
    id: &ObjectId,
    reason: Reason,
    until: OffsetDateTime,
    by: &Actor,
    clock: &Clock,
) -> Result<AcceptanceRecord> {
    let bad = |error| Error::Refused(format!("nothing can be accepted until {until}: {error}"));
    check_until(until, clock.now()).map_err(bad)?;
    let code = failing_code(app, source, id).await?;
    decide(app, source, id, Acceptance::Accepted { code, reason, until }, by, clock).await
}

/// Withdraws the acceptance of an object's failure: it counts as failing again.
///
/// # Errors
/// When no failure of it is accepted.
pub async fn withdraw(
    app: &App,
    source: &SourceName,
    id: &ObjectId,
    by: &Actor,
    clock: &Clock,
) -> Result<AcceptanceRecord> {
    let known = app.catalogue()?.acknowledged(source).await?;
    if known.acceptance(id).and_then(AcceptanceRecord::accepted).is_none() {
        return Err(Error::Refused(format!(
            "nothing is accepted of {id} of {source}; `accept list` shows what is"
        )));
    }
    decide(app, source, id, Acceptance::Withdrawn, by, clock).await
}

/// The newest decision about each object, with its current standing; of one source, or of all.
pub async fn list(
    app: &App,
    only: Option<&SourceName>,
    now: OffsetDateTime,
) -> Result<Vec<(AcceptanceRecord, Standing)>> {
    let catalogue = app.catalogue()?;
    let mut listed = Vec::new();
    for (source, known) in catalogue.all_acknowledged(only).await? {
        let records = known.acceptances;
        let counts = records.iter().any(|of| of.accepted().is_some_and(|accepted| now < accepted.until));
        let lines = if counts {
            lines_of(app, &source, |id| records.iter().any(|of| of.id() == *id)).await?
        } else {
            Vec::new()
        };
        for record in records {
            let line = lines.iter().find(|line| line.id() == record.id());
            let standing = record.standing(line, now);
            listed.push((record, standing));
        }
    }
    Ok(listed)
}

async fn decide(
    app: &App,
    source: &SourceName,
    id: &ObjectId,
    acceptance: Acceptance,
    by: &Actor,
    clock: &Clock,
) -> Result<AcceptanceRecord> {
    let known = app.catalogue()?.acknowledged(source).await?;
    let now = clock.now();
    // The newest record counts, so this one must be the newest, even if another clock was ahead.
    let after = known.acceptance(id).map_or(now, |newest| now.max(newest.at + Duration::SECOND));
    let mut record = AcceptanceRecord {
        v: ACKNOWLEDGED_FORMAT,
        source: source.clone(),
        kind: id.kind,
        name: id.name.clone(),
        acceptance,
        by: by.clone(),
        at: after,
    };
    for _ in 0..TRIES {
        app.audit()?.append(by, (&record).into(), record.at).await?;
        if app.catalogue()?.create_acceptance(&record).await? == Written::Created {
            return Ok(record);
        }
        record.at += Duration::SECOND;
    }
    Err(Error::Busy(format!("other decisions about {id} of {source} are recorded at this moment; try again")))
}

/// The code of the failure that the newest run recorded for an object.
async fn failing_code(app: &App, source: &SourceName, id: &ObjectId) -> Result<String> {
    let lines = lines_of(app, source, |_| true).await?;
    let line = lines.iter().find(|line| line.id() == *id);
    let failure = line.filter(|line| line.is_failing()).and_then(|line| line.failure.as_ref());
    if let Some(failure) = failure {
        return Ok(failure.code.clone());
    }
    let failing: Vec<_> =
        lines.iter().filter(|line| line.is_failing()).map(|line| line.id().to_string()).collect();
    let why = match line {
        _ if lines.is_empty() => {
            return Err(Error::Refused(format!(
                "the catalogue knows no object of {source}, so there is nothing to accept; check that its URL and \
                 KEYVAULT_BACKUP_CONTAINER are right"
            )));
        }
        Some(_) => "does not fail",
        None => "is not in the catalogue",
    };
    Err(Error::Refused(format!("{id} of {source} {why}, so there is nothing to accept; {}", named(&failing))))
}

fn named(failing: &[String]) -> String {
    if failing.is_empty() {
        return "nothing fails there".to_owned();
    }
    format!("what fails there: {}", first_of(failing, NAMED))
}

/// The newest index lines of the wanted objects.
async fn lines_of(app: &App, source: &SourceName, wanted: impl Fn(&ObjectId) -> bool) -> Result<Vec<Line>> {
    let view = app.catalogue()?.view(source, None).await?;
    let mut lines = Vec::new();
    for line in app.catalogue()?.lines(&view).await? {
        let line = line?;
        if wanted(&line.id()) {
            lines.push(line);
        }
    }
    Ok(lines)
}
