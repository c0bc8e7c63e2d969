//! Planning: listing a vault and deciding what to back up.

use futures::{StreamExt as _, stream::select_all};
use tracing::{info, warn};

use super::observed_location;
use crate::{
    app::App,
    azure::{
        container::Written,
        error::{Meaning, ServiceError},
        vault::VaultClient,
    },
    catalogue::{Basis, Catalogue},
    clock::Clock,
    domain::{
        acknowledged::Acknowledged,
        actor::Actor,
        job::{BackupJob, Unplanned},
        lists::Trouble,
        object::{ObjectId, ObjectKind},
        outcome::Failure,
        plan::{Plan, PlanHeader, Unlisted},
        planner::{Planner, full_pass_is_due, plan_objects},
        run::{RunId, Scope},
        source::SourceName,
        versions::Listed,
    },
    error::{Error, Result},
};

/// Returns the stored plan of a whole vault's run, or makes and stores one.
///
/// Opens the run first, so that a later pass finds it if this process dies while listing.
///
/// # Errors
/// As [`make`]: then nothing is stored, and the run can be planned again.
pub async fn whole_vault(
    app: &App,
    vault: &VaultClient,
    run: &RunId,
    by: &Actor,
    clock: &Clock,
) -> Result<Plan> {
    let (name, catalogue) = (vault.source().name(), app.catalogue()?);
    let mut job = BackupJob::open(name.clone(), run.clone(), by.clone(), clock.now());
    if app.jobs()?.open_backup_run(&job).await? == Written::AlreadyThere {
        if let Some(plan) = catalogue.plan(name, run).await? {
            return Ok(plan);
        }
        job = app.jobs()?.backup_run(name, run).await?.map_or(job, |stored| stored.job);
    }
    let plan = match make(app, vault, &job, clock).await {
        Ok(plan) => catalogue.create_plan(plan).await?,
        Err(error) => {
            note(app, &job, &error, clock).await;
            return Err(error);
        }
    };
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

/// Opens a run: records it, so that `AdvanceJobs` ends it if this process does not.
pub async fn open(app: &App, job: &BackupJob) -> Result<()> {
    app.jobs()?.open_backup_run(job).await.map(drop)
}

/// Stores a plan, and returns the run's plan: another process may have stored one first.
pub async fn store(app: &App, plan: Plan) -> Result<Plan> {
    app.catalogue()?.create_plan(plan).await
}

/// Records in a run's job why it could not be planned: if it never is, its manifest gives this reason.
async fn note(app: &App, job: &BackupJob, error: &Error, clock: &Clock) {
    let noted = async {
        let stored = app.jobs()?.backup_run(&job.vault, &job.run).await?;
        let Some(mut stored) = stored else { return Ok(()) };
        stored.job.unplanned = Some(Unplanned { at: clock.now(), failure: error.failure() });
        app.jobs()?.save(&stored).await
    };
    if let Err(lost) = noted.await {
        warn!(
            vault.name = %job.vault, run.id = %job.run,
            "The reason why run {} is not planned could not be recorded: {lost}", job.run
        );
    }
}

/// Makes a plan for the run of a whole vault, whose record is `job`, and stores nothing.
///
/// A kind that the vault cannot list is no error: the plan names it as unlisted. So is a kind that fails transiently,
/// once the run has waited for it long enough: if one of the other kinds was listed to its end, they continue without
/// it, and later rounds list it again, see [`late`](super::late). A kind whose list makes no sense is waited for only
/// while the others have nothing to back up.
///
/// # Errors
/// When listing fails transiently, such as on throttling or on a right that is not granted yet.
pub async fn make(app: &App, vault: &VaultClient, job: &BackupJob, clock: &Clock) -> Result<Plan> {
    let name = vault.source().name();
    // Read the time first: a change after it belongs to the next run.
    let planned = clock.now();
    let basis = app.catalogue()?.basis(name).await?;
    let answered = answered_for(app, name, &basis).await?;
    let full = job.everything || full_pass_is_due(basis.full_pass, app.full_pass(), planned);
    // The vault's first answer names its location, before there is anything to decide.
    let begin = || {
        let compared = observed_location::compared(app, vault, &basis);
        let full = full || compared.everything_is_due();
        (Planner::new(&basis.index, full), full, compared)
    };
    vault.forget_regions();
    let mut deciding = None;
    let found = |listed| deciding.get_or_insert_with(begin).0.add(listed);
    let judge = |kind, error: &ServiceError| {
        let trouble = Trouble::new(error.fate(), error.meaning, &error.failure, kind, &basis.unlisted);
        (job.waits_for_lists(trouble, clock.now()), job.list_rounds(trouble))
    };
    let Lists { unlisted, mut passing } = list(vault, judge, found).await?;
    // If no kind was listed, nothing is known, and a transient failure is returned to the caller.
    let unknown = unlisted.len() == ObjectKind::ALL.len();
    if let Some(error) = passing.take_if(|of| unknown && job.waits_on(of.error.fate())) {
        return Err(error.error.into());
    }
    let (decisions, full, compared) = deciding.unwrap_or_else(begin);
    let objects = decisions.finish(&unlisted);
    let header = PlanHeader {
        by: job.by.clone(),
        late: job.run.late(job.opened),
        gone_share: Some(app.config().gone_share),
        keep_gone: keep_gone(app, name),
        full_pass: basis.full_pass.filter(|_| !full).unwrap_or(planned),
        unlisted,
        ..built_on(basis, &answered, name, &job.run, planned)
    };
    let plan = Plan { header: observed_location::recorded(header, compared, vault), objects };
    match passing {
        // Waiting holds nothing up.
        Some(of) if of.waits && plan.to_back_up().next().is_none() => Err(of.error.into()),
        _ => Ok(plan),
    }
}

/// Makes a plan for some objects of a vault and stores nothing.
pub async fn some_objects(
    app: &App,
    vault: &SourceName,
    run: &RunId,
    by: &Actor,
    clock: &Clock,
    objects: Vec<ObjectId>,
) -> Result<Plan> {
    let planned = clock.now();
    let basis = app.catalogue()?.basis(vault).await?;
    let answered = answered_for(app, vault, &basis).await?;
    let header = PlanHeader {
        by: Some(by.clone()),
        late: run.late(planned),
        accepted: answered.in_force(planned),
        full_pass: basis.full_pass.unwrap_or(time::OffsetDateTime::UNIX_EPOCH),
        ..PlanHeader::new(vault.clone(), run.clone(), Scope::Objects, planned)
    };
    Ok(Plan { header, objects: plan_objects(objects, &basis.index) })
}

/// Stores the plan of a run that could not be planned while it was open: every kind is unlisted, with the last recorded
/// reason, and its entries are carried forward. The plan is final. It makes no request to the vault: what kept the
/// vault from being listed must not keep the run from ending.
pub async fn unlisted(app: &App, job: &BackupJob, clock: &Clock) -> Result<Plan> {
    let planned = clock.now();
    let late = || Failure::ours("NotPlanned", "nothing planned the run while it was open");
    let noted = job.unplanned.as_ref().map(|unplanned| unplanned.failure.clone());
    let not_configured = app.vault(&job.vault).err().map(|error| error.failure());
    let failure = not_configured.or(noted).unwrap_or_else(late);
    let basis = app.catalogue()?.basis(&job.vault).await?;
    let answered = answered_for(app, &job.vault, &basis).await?;
    let header = PlanHeader {
        by: job.by.clone(),
        late: job.run.late(job.opened),
        keep_gone: keep_gone(app, &job.vault),
        full_pass: basis.full_pass.unwrap_or(time::OffsetDateTime::UNIX_EPOCH),
        unlisted: ObjectKind::ALL.map(|kind| Unlisted::for_good(kind, failure.clone())).into(),
        ..built_on(basis, &answered, &job.vault, &job.run, planned)
    };
    app.catalogue()?.create_plan(Plan { header, objects: Vec::new() }).await
}

/// For how many days the index of a vault keeps what is gone, where the policy says so. A policy with an error in it is
/// the keeper's trouble: what is gone is kept for the default time, and no backup waits.
fn keep_gone(app: &App, vault: &SourceName) -> Option<u32> {
    let policies = app.config().retention.as_ref()?.as_ref().ok()?;
    Some(policies.of(vault).gone)
}

/// The acknowledgements for a vault. Read only if something had failed, was lost or had moved as of the previous run,
/// so that an ordinary night makes no extra request.
async fn answered_for(app: &App, vault: &SourceName, basis: &Basis) -> Result<Acknowledged> {
    if basis.failing || !basis.losses.is_empty() || basis.moved.is_some() {
        app.catalogue()?.acknowledged(vault).await
    } else {
        Ok(Acknowledged::default())
    }
}

/// The header of a whole vault's plan that carries on what the catalogue knows.
fn built_on(
    basis: Basis,
    answered: &Acknowledged,
    vault: &SourceName,
    run: &RunId,
    planned: time::OffsetDateTime,
) -> PlanHeader {
    PlanHeader {
        accepted: answered.in_force(planned),
        acknowledged: answered.runs(&basis.losses),
        base: basis.base,
        folds: basis.folds,
        unread: basis.unread,
        forgotten: basis.forgotten.iter().collect(),
        losses: basis.losses,
        moved: basis.moved.filter(|moved| answered.loss(&moved.run).is_none()),
        observed_location: basis.observed_location.known(),
        ..PlanHeader::new(vault.clone(), run.clone(), Scope::Vault, planned)
    }
}

/// The result of listing a vault.
#[derive(Default)]
struct Lists {
    /// The kinds that were not listed to their ends. Some of their objects may have been found.
    unlisted: Vec<Unlisted>,
    /// The transient failure of one of them, if any.
    passing: Option<Passing>,
}

/// A transient failure to list a kind.
struct Passing {
    error: ServiceError,
    /// Whether planning waits for the kind.
    waits: bool,
}

/// Lists all kinds concurrently, each to its last page. `judge` says whether planning waits for a failed kind, and how
/// many rounds list it again.
///
/// # Errors
/// Failures that planning waits for, except answers that arrived whole and make no sense.
async fn list(
    vault: &VaultClient,
    judge: impl Fn(ObjectKind, &ServiceError) -> (bool, u32),
    mut found: impl FnMut(Listed),
) -> Result<Lists> {
    let pages = ObjectKind::ALL.map(|kind| Box::pin(vault.list(kind).map(move |page| (kind, page))));
    let mut pages = select_all(pages);
    let mut lists = Lists::default();
    while let Some((kind, page)) = pages.next().await {
        match page {
            Ok(page) => page.into_iter().for_each(&mut found),
            Err(error) => {
                let (waits, rounds) = judge(kind, &error);
                if waits && error.meaning != Meaning::Nonsense {
                    return Err(error.into());
                }
                warn!(
                    vault.name = %vault.source().name(),
                    "A kind of object cannot be listed and is not backed up now: {error}"
                );
                lists.unlisted.push(Unlisted { kind, failure: (*error.failure).clone(), rounds });
                let passing = error.fate().may_pass().then_some(Passing { error, waits });
                if lists.passing.as_ref().is_none_or(|of| !of.waits) {
                    lists.passing = passing.or(lists.passing);
                }
            }
        }
    }
    lists.unlisted.sort_by_key(|unlisted| unlisted.kind);
    Ok(lists)
}

/// The substitute plan of a run whose plan, or one of its supplements, is lost: the plan before the supplements. If
/// that is lost as well, the run keeps what its blobs say, as a run of some objects that did not list the rest.
pub(super) async fn what_is_left(catalogue: &Catalogue, vault: &SourceName, run: &RunId) -> Result<Plan> {
    match catalogue.plan_alone(vault, run).await {
        Ok(Some(plan)) => Ok(plan),
        Ok(None) | Err(Error::Damaged { .. }) => {
            Ok(Plan { header: without_plan(vault, run)?, objects: Vec::new() })
        }
        Err(error) => Err(error),
    }
}

fn without_plan(vault: &SourceName, run: &RunId) -> Result<PlanHeader> {
    let planned = run.occurrence().ok_or_else(|| Error::Refused(format!("{run} has no time")))?;
    let lost = Failure::ours("PlanLost", "the run's plan cannot be read; this is what its blobs say");
    Ok(PlanHeader {
        unlisted: ObjectKind::ALL.map(|kind| Unlisted::for_good(kind, lost.clone())).into(),
        ..PlanHeader::new(vault.clone(), run.clone(), Scope::Objects, planned)
    })
}
