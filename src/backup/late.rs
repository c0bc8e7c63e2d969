//! Listing again the kinds that a run's plan left out: see [`lists`](crate::domain::lists).

use futures::{TryStreamExt as _, pin_mut};
use time::{Duration, OffsetDateTime};
use tracing::{info, warn};

use crate::{
    app::App,
    azure::vault::VaultClient,
    clock::Clock,
    domain::{
        job::{BackupJob, LeftOut},
        object::ObjectKind,
        outcome::Failure,
        plan::ListedLate,
        plan::{Plan, PlanHeader},
        planned::Planned,
        planner::Planner,
        supplement::Supplement,
    },
    error::{Error, Result},
};

/// How long after a round is due a failure of our own storage holds it up, as for the deliveries of a message. After
/// that, the round continues without the kind.
const STORED_WITHIN: Duration = Duration::minutes(5);

/// Begins a round: lists the kinds that the plan left out and that are due in it, and returns the plan with the
/// supplements. Records in `job` which kinds are still left out.
///
/// Safe to run twice, concurrently or later: a supplement is stored create-only before any of its messages is sent, and
/// the first one counts.
///
/// # Errors
/// When a supplement cannot be made or stored, as long as trying the round again in a minute may help.
pub async fn list_again(app: &App, plan: Plan, job: &mut BackupJob, clock: &Clock) -> Result<Plan> {
    let round = job.round().number + 1;
    let kinds: Vec<ObjectKind> = plan.header.listed_in(round).collect();
    if kinds.is_empty() {
        return Ok(plan);
    }
    let due = job.next_round().unwrap_or(job.progressed);
    let (mut plan, mut newest) = (plan, None);
    for kind in kinds {
        let late = ListedLate { kind, round, at: clock.now() };
        let failure = match supplement(app, &plan.header, late).await {
            Ok(supplement) => {
                told(&supplement);
                plan = plan.with(vec![supplement]);
                continue;
            }
            Err(NotListed::Ours(error)) if clock.now() - due < STORED_WITHIN => return Err(error),
            Err(NotListed::Ours(error)) => {
                warn!(
                    vault.name = %plan.header.vault, run.id = %plan.header.run,
                    "The round continues without the {kind}s: {error}"
                );
                error.failure()
            }
            Err(NotListed::Vault(failure)) => failure,
        };
        if plan.header.listed_in(round + 1).any(|of| of == kind) {
            newest = Some(failure);
        }
    }
    note(job, &plan.header, newest, clock.now());
    job.note_supplements(&plan.header);
    Ok(plan)
}

/// Sets in a run's record which kinds its next round lists again. `newest` is the reason of the last failure; without
/// one, the plan's reason is recorded.
pub fn note(job: &mut BackupJob, header: &PlanHeader, newest: Option<Failure>, now: OffsetDateTime) {
    let kinds: Vec<ObjectKind> = header.listed_in(job.round().number + 2).collect();
    let planned = header.unlisted.iter().find(|of| kinds.contains(&of.kind)).map(|of| of.failure.clone());
    job.left_out = newest.or(planned).and_then(|failure| LeftOut::new(kinds, failure, now));
}

fn told(supplement: &Supplement) {
    let Supplement { header, objects } = supplement;
    // Another process may have recorded first that the kind is left out.
    if !supplement.is_listed() {
        return;
    }
    let (vault, run, kind, round) = (&header.vault, &header.run, header.kind, header.round);
    let count = objects.len();
    info!(
        event = "run.listed_late", vault.name = %vault, run.id = %run, object.kind = %kind, run.round = round,
        plan.objects = count, "Round {round} of run {run} of vault {vault} listed the {kind}s: {count} in all"
    );
}

/// Why there is no supplement.
enum NotListed {
    /// The vault does not list the kind, or is no longer configured.
    Vault(Failure),
    /// Our own storage failed.
    Ours(Error),
}

impl From<Error> for NotListed {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Lists a kind and stores what it finds as a supplement, planned against the index that the run's plan was made
/// against.
async fn supplement(app: &App, header: &PlanHeader, late: ListedLate) -> Result<Supplement, NotListed> {
    let vault = app.vault(&header.vault).map_err(|error| NotListed::Vault(error.failure()))?;
    let objects = list(app, vault, header, late.kind).await?;
    let supplement = Supplement::listed(header, late, objects);
    Ok(app.catalogue()?.create_supplement(supplement).await?)
}

/// Lists a kind to its last page. Reads the index only once there is a first page: most attempts fail before it.
async fn list(
    app: &App,
    vault: &VaultClient,
    header: &PlanHeader,
    kind: ObjectKind,
) -> Result<Vec<Planned>, NotListed> {
    let pages = vault.list(kind).map_err(|error| {
        warn!(
            vault.name = %header.vault, run.id = %header.run,
            "A kind of object cannot be listed and is not backed up now: {error}"
        );
        NotListed::Vault(*error.failure)
    });
    pin_mut!(pages);
    let mut page = pages.try_next().await?;
    let index = app.catalogue()?.index_before(header).await?;
    let mut planner = Planner::new(&index, header.is_full_pass());
    while let Some(listed) = page {
        for listed in listed {
            planner.add(listed);
        }
        page = pages.try_next().await?;
    }
    Ok(planner.finish_kind())
}

/// Settles the kinds that a run's plan left open, before its manifest is made: they are left out for good, even if
/// another process is still listing one. A kind that was listed meanwhile has its supplement, which is returned
/// instead.
///
/// Safe to run twice: the first supplement of a kind stays.
pub async fn settle(
    app: &App,
    header: &PlanHeader,
    job: Option<&BackupJob>,
    clock: &Clock,
) -> Result<Vec<Supplement>> {
    let (round, at) = (job.map_or(1, |job| job.round().number), clock.now());
    let mut settled = Vec::new();
    for unlisted in header.unlisted.iter().filter(|of| of.rounds > 0) {
        let failure = unlisted.failure.clone().after(unlisted.listed(round));
        let late = ListedLate { kind: unlisted.kind, round, at };
        let left_out = Supplement::left_out(header, late, failure);
        settled.push(app.catalogue()?.create_supplement(left_out).await?);
    }
    Ok(settled)
}
