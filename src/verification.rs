//! Verification: reading again what is stored, and recording what was found.
//!
//! [`check`](mod@check) looks at one source and writes nothing, so that a person with the right to read may do it from anywhere. The
//! keeper does it every night with [`all`]: it records how far it has read, so that another process goes on where one
//! stopped, and records what it found. What follows from a finding is decided where it matters: by the app that backs
//! up, by retention, by plans of restores.

pub mod check;
pub mod first;
mod hsm;
mod manifests;
mod presence;
mod reading;
mod scope;

use async_trait::async_trait;
use time::Duration;

pub use self::scope::{Progress, Scope};
use crate::{
    app::App,
    azure::container::Written,
    catalogue::Catalogue,
    clock::Clock,
    domain::{
        source::SourceId,
        verification::{Choice, Days, Finding, OpenVerification, ReadSoFar, Verification},
    },
    error::{Error, Result},
    jobs::{Jobs, StoredVerification},
};

/// Tries to find a free second for a record.
const TRIES: usize = 8;

/// Verifies every source, one after the other, and records what was found. An error in one does not hold up the others.
///
/// Safe to run twice, and to kill anywhere: the next firing, or [`go_on`], continues.
///
/// # Errors
/// When the sources cannot be listed.
pub async fn all(app: &App, clock: &Clock) -> Result<Vec<(SourceId, Result<Verification>)>> {
    let mut done = Vec::new();
    for of in app.catalogue()?.sources().await? {
        let verified = Box::pin(source(app, &of, clock)).await;
        log_error(&of, &verified);
        done.push((of, verified));
    }
    Ok(done)
}

/// Goes on with the verifications on which no process seems to be at work. One request if there is none.
///
/// # Errors
/// When the open verifications cannot be listed.
pub async fn go_on(app: &App, clock: &Clock) -> Result<Vec<(SourceId, Result<Verification>)>> {
    let mut done = Vec::new();
    for open in app.jobs()?.open_verifications().await? {
        if open.of.is_left(clock.now()) {
            let of = SourceId { kind: open.of.kind, name: open.of.source.clone() };
            let verified = Box::pin(carry_on(app, open, clock)).await;
            log_error(&of, &verified);
            done.push((of, verified));
        }
    }
    Ok(done)
}

fn log_error(of: &SourceId, verified: &Result<Verification>) {
    let (kind, name) = (of.kind.name(), &of.name);
    match verified {
        Ok(_) => {}
        // What another process is at work on has not failed.
        Err(error @ Error::Busy(_)) => tracing::info!(
            event = "verification.busy", source.name = %name, source.kind = kind, "{error}"
        ),
        Err(error) => tracing::error!(
            event = "verification.failed", source.name = %name, source.kind = kind,
            "The verification of {of} stopped: {error}. It goes on with the next pass"
        ),
    }
}

/// Begins the verification of a source, or goes on with it.
async fn source(app: &App, of: &SourceId, clock: &Clock) -> Result<Verification> {
    let (jobs, now) = (app.jobs()?, clock.now());
    if let Some(open) = jobs.verification_of(of.kind, &of.name).await? {
        return if open.of.is_left(now) { carry_on(app, open, clock).await } else { Err(busy(of)) };
    }
    let last = app.catalogue()?.last_verification(of.kind, &of.name).await;
    let last = match last {
        // What cannot be read says nothing about when a part had its turn.
        Err(error) if error.is_unreadable() => None,
        last => last?,
    };
    let days = Days::since(last.map(|last| last.started.date()), now.date());
    let choice = Choice::Turn { within: app.config().verify_within, days };
    let begun = OpenVerification::begin(of.kind, of.name.clone(), choice, now);
    match jobs.open_verification(&begun).await? {
        Some(open) if open.of == begun => carry_on(app, open, clock).await,
        _ => Err(busy(of)),
    }
}

fn busy(of: &SourceId) -> Error {
    Error::Busy(format!("another process verifies {of}"))
}

/// Goes on with a verification to its end, and records what was found.
async fn carry_on(app: &App, mut open: StoredVerification, clock: &Clock) -> Result<Verification> {
    let (catalogue, jobs) = (app.catalogue()?, app.jobs()?);
    let source = SourceId { kind: open.of.kind, name: open.of.source.clone() };
    let scope = Scope::of(catalogue, source, open.of.choice, open.of.started).await?;
    let read = open.of.read.clone();
    let mut kept = OnRecord { jobs, open: &mut open, clock };
    let mut verification = Box::pin(check::source(app, &scope, read, &mut kept, clock)).await?;
    if scope.first {
        put_on_record(catalogue, &scope, &mut verification).await?;
    }
    catalogue.create_verification(&verification).await?;
    jobs.close_verification(&open.of).await?;
    log(&scope.source, &verification, &scope.suspects);
    Ok(verification)
}

/// Records what a person found in the second place, for its owners. Of two records of one second the later one moves on: neither is
/// lost.
///
/// # Errors
/// Those of storage.
pub async fn record(app: &App, mut found: Verification) -> Result<Verification> {
    for _ in 0..TRIES {
        if app.catalogue()?.create_verification(&found).await? == Written::Created {
            return Ok(found);
        }
        found.ended += Duration::SECOND;
    }
    Err(Error::Busy(format!("other verifications of {} end at this moment; try again", found.source)))
}

/// Puts the older backups on record that are gone in the first pass over a vault, once, and takes the findings about those on
/// record away: earlier versions of this program had a rule of storage delete by age, of which there is no other record.
async fn put_on_record(catalogue: &Catalogue, scope: &Scope, verification: &mut Verification) -> Result<()> {
    let gone = verification.findings.iter().filter(|of| of.is_gone() && !of.newest);
    let names: Vec<&str> = gone.map(|of| of.blob.as_str()).collect();
    catalogue.create_deleted_before(&verification.source, &names, verification.started).await?;
    let findings = std::mem::take(&mut verification.findings);
    verification.findings = check::without_known(catalogue, scope, findings).await?;
    Ok(())
}

/// The progress in the record of an open verification.
struct OnRecord<'a> {
    jobs: &'a Jobs,
    open: &'a mut StoredVerification,
    clock: &'a Clock,
}

#[async_trait]
impl Progress for OnRecord<'_> {
    async fn note(&mut self, read: &ReadSoFar, _of: usize) -> Result<()> {
        self.open.of.at = self.clock.now();
        self.open.of.read = read.clone();
        let saved = self.jobs.save_verification(self.open).await?;
        let taken_over = || Error::Busy(format!("another process goes on with {}", self.open.of.source));
        *self.open = saved.ok_or_else(taken_over)?;
        Ok(())
    }
}

fn log(of: &SourceId, verification: &Verification, earlier: &[Finding]) {
    let counts = &verification.counts;
    for finding in &verification.findings {
        // An older backup that stays damaged is told of once; a newest one every night.
        if finding.newest || !earlier.iter().any(|known| finding.is_again(known)) {
            tell(of, finding);
        }
    }
    match verification.counts.why_nothing(verification.kind) {
        None => tracing::info!(
            event = "verification.ended", source.name = %of.name, source.kind = of.kind.name(), backups.named = counts.named,
            backups.missing = counts.missing, backups.read = counts.read, bytes.read = counts.bytes,
            findings.open = verification.findings.len(),
            "Verified {of}: {} of {} newest backups are there, {} backups read, {} findings",
            counts.named - counts.missing, counts.named, counts.read, verification.findings.len()
        ),
        Some(why) => tracing::warn!(
            event = "verification.empty", source.name = %of.name, source.kind = of.kind.name(),
            "Nothing of {of} was verified: {}", why.text()
        ),
    }
}

fn tell(of: &SourceId, finding: &Finding) {
    let source = &of.name;
    let object = finding.object().map(|id| id.to_string()).unwrap_or_default();
    tracing::error!(
        event = "backup.damaged", source.name = %source, source.kind = of.kind.name(), run.id = %finding.run, object.id = object,
        finding.fault = finding.fault.name(), finding.newest = finding.newest, blob.name = finding.blob,
        "{source}: {}: {}", finding.blob, finding.text
    );
}
