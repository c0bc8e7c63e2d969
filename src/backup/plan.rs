//! Listing a vault and deciding what to back up.

use futures::{StreamExt as _, stream::select_all};
use tracing::{info, warn};

use crate::{
    app::App,
    azure::{
        container::Written,
        error::{Meaning, ServiceError},
        vault::VaultClient,
    },
    clock::Clock,
    domain::{
        asker::Asker,
        job::BackupJob,
        object::{ObjectId, ObjectKind, VaultName},
        outcome::{Failure, Fate},
        plan::{PLAN_FORMAT, Plan, PlanHeader, Planner, Unlisted, full_pass_is_due, plan_objects},
        planned::PlannedObjects,
        run::{RunId, Scope},
        versions::Listed,
    },
    error::{Error, Result},
};

/// The plan of a whole vault's run: the stored one, or a new one, which is then the stored one.
///
/// Opens the run first, so that it is not forgotten if this process dies while listing.
///
/// # Errors
/// As [`make`]: then nothing is stored, and the run can be planned again.
pub async fn whole_vault(
    app: &App,
    vault: &VaultClient,
    run: &RunId,
    by: &Asker,
    clock: &Clock,
) -> Result<Plan> {
    let (name, catalogue) = (vault.url().name(), app.catalogue()?);
    let mut job = BackupJob::open(name.clone(), run.clone(), by.clone(), clock.now());
    if app.jobs()?.open(&job).await? == Written::AlreadyThere {
        if let Some(plan) = catalogue.plan(name, run).await? {
            return Ok(plan);
        }
        job = app.jobs()?.get(name, run).await?.map_or(job, |stored| stored.job);
    }
    let plan = make(app, vault, &job, clock).await?;
    let plan = catalogue.create_plan(plan).await?;
    let (objects, due) = (plan.objects.len(), plan.to_back_up().count());
    info!(
        vault.name = %name,
        run.id = %run,
        plan.objects = objects,
        plan.back_up = due,
        plan.full_pass = plan.header.is_full_pass(),
        "Planned run {run} of vault {name}: {objects} objects, {due} to back up"
    );
    Ok(plan)
}

/// Makes a plan for the run of a whole vault, whose record is `job`, and stores nothing.
///
/// A kind that the vault refuses to list is no error: it is part of the plan. So is one that fails in a way that
/// may pass, once the run has waited for it long enough, and one whose list makes no sense: if there is something
/// to back up of the other kinds, they go on without it.
///
/// # Errors
/// When listing meets something that may pass, such as throttling.
pub async fn make(app: &App, vault: &VaultClient, job: &BackupJob, clock: &Clock) -> Result<Plan> {
    let name = vault.url().name();
    // The time comes first: a change after it is the next run's.
    let planned = whole_second(clock);
    let basis = app.catalogue()?.basis(name).await?;
    let full = job.everything || full_pass_is_due(basis.full_pass, app.full_pass(), planned);
    let mut decisions = Planner::new(&basis.index, full);
    let waits = job.waits_for_lists(clock.now());
    let Lists { unlisted, passing } = list(vault, waits, |listed| decisions.add(listed)).await?;
    let objects = decisions.finish(&unlisted);
    let header = PlanHeader {
        v: PLAN_FORMAT,
        vault: name.clone(),
        run: job.run.clone(),
        by: job.by.clone(),
        scope: Scope::Vault,
        planned,
        full_pass: basis.full_pass.filter(|_| !full).unwrap_or(planned),
        base: basis.base,
        folds: basis.folds,
        unread: basis.unread,
        unlisted,
    };
    let plan = Plan { header, objects };
    match passing {
        Some(error) if plan.to_back_up().next().is_none() => Err(error.into()),
        _ => Ok(plan),
    }
}

/// Makes a plan for some objects of a vault and stores nothing.
pub async fn some_objects(
    app: &App,
    vault: &VaultName,
    run: &RunId,
    by: &Asker,
    clock: &Clock,
    objects: Vec<ObjectId>,
) -> Result<Plan> {
    let planned = whole_second(clock);
    let basis = app.catalogue()?.basis(vault).await?;
    let header = PlanHeader {
        v: PLAN_FORMAT,
        vault: vault.clone(),
        run: run.clone(),
        by: Some(by.clone()),
        scope: Scope::Objects,
        planned,
        full_pass: basis.full_pass.unwrap_or(time::OffsetDateTime::UNIX_EPOCH),
        base: None,
        folds: Vec::new(),
        unread: Vec::new(),
        unlisted: Vec::new(),
    };
    Ok(Plan { header, objects: plan_objects(objects, &basis.index) })
}

/// The plan of a run that could not be planned while it was open: every kind is on record as unlisted, with
/// the reason, and its entries are carried forward. It becomes the run's plan for good.
pub async fn unlisted(
    app: &App,
    vault: &VaultName,
    run: &RunId,
    by: Option<&Asker>,
    clock: &Clock,
) -> Result<Plan> {
    let planned = whole_second(clock);
    let reason = match app.vault(vault) {
        Ok(client) => list(client, true, drop).await.map_or_else(Some, |lists| lists.passing.map(Into::into)),
        Err(error) => Some(error),
    };
    let late = || Failure::ours("NotPlanned", "nothing planned the run while it was open");
    let failure = reason.as_ref().map_or_else(late, Error::failure);
    let basis = app.catalogue()?.basis(vault).await?;
    let header = PlanHeader {
        v: PLAN_FORMAT,
        vault: vault.clone(),
        run: run.clone(),
        by: by.cloned(),
        scope: Scope::Vault,
        planned,
        full_pass: basis.full_pass.unwrap_or(time::OffsetDateTime::UNIX_EPOCH),
        base: basis.base,
        folds: basis.folds,
        unread: basis.unread,
        unlisted: ObjectKind::ALL.map(|kind| Unlisted { kind, failure: failure.clone() }).into(),
    };
    app.catalogue()?.create_plan(Plan { header, objects: PlannedObjects::default() }).await
}

fn whole_second(clock: &Clock) -> time::OffsetDateTime {
    let now = clock.now();
    now.replace_nanosecond(0).unwrap_or(now)
}

/// What came of listing a vault.
#[derive(Default)]
struct Lists {
    /// The kinds that were not listed to their ends. Of those, some objects may have been found.
    unlisted: Vec<Unlisted>,
    /// Why one of them was not, if that may pass.
    passing: Option<ServiceError>,
}

/// Lists every kind at once, each to its last page.
///
/// # Errors
/// Those that may pass, if it `waits` for that. It never waits for an answer that came whole and makes no sense.
async fn list(vault: &VaultClient, waits: bool, mut found: impl FnMut(Listed)) -> Result<Lists> {
    let pages = ObjectKind::ALL.map(|kind| Box::pin(vault.list(kind).map(move |page| (kind, page))));
    let mut pages = select_all(pages);
    let mut lists = Lists::default();
    while let Some((kind, page)) = pages.next().await {
        match page {
            Ok(page) => page.into_iter().for_each(&mut found),
            Err(error) => {
                let passes = error.fate() == Fate::Retry;
                if passes && waits && error.meaning != Meaning::Nonsense {
                    return Err(error.into());
                }
                warn!(vault.name = %vault.url().name(), "A kind of object is not backed up: {error}");
                lists.unlisted.push(Unlisted { kind, failure: (*error.failure).clone() });
                lists.passing = lists.passing.or_else(|| passes.then_some(error));
            }
        }
    }
    lists.unlisted.sort_by_key(|unlisted| unlisted.kind);
    Ok(lists)
}
