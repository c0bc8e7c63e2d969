//! What a drill restores: looking at its vault, and drawing the sample.

use std::collections::BTreeMap;

use super::held::{Held, Step};
use crate::{
    app::App,
    azure::vault::VaultClient,
    catalogue::{Catalogue, ManifestRef},
    domain::{
        drill::{Counts, Drilled, MARKER, OpenDrill, Plan, Point, Seconds, Why, chosen, other_point},
        fate::Fate,
        manifest::Summary,
        object::{ObjectId, ObjectKind},
        record::count,
        restore::{self, OnConflict, OnDamaged, Request, RestorePlan, Selection, World, plan_restore},
        run::Scope,
        source::SourceName,
    },
    error::{Error, Result},
};

/// Looks at the drill vault, and records what the drill restores, or why it cannot take place. Changes nothing in the vault.
pub(super) async fn plan(app: &App, held: &mut Held<'_>) -> Result<Step> {
    let now = held.clock.now();
    match Box::pin(planned(app, held.of(), held.clock.now())).await {
        Ok(Ok(plan)) => {
            let drill = held.of_mut();
            drill.names = plan.objects.iter().map(|of| of.step.id()).collect();
            drill.plan = Some(plan);
        }
        Ok(Err(why)) => held.of_mut().refuse(why, now),
        Err(error) if error.is_unreadable() => {
            held.of_mut().refuse(Why::new("catalogue-unreadable", error.to_string()), now);
        }
        // Until the time of the drill is over, it may pass.
        Err(Error::Service(error)) if !error.asked.service.is_ours() && error.fate() == Fate::Fail => {
            held.of_mut().refuse((*error.failure).into(), now);
        }
        Err(error) => {
            tracing::warn!(drill.id = %held.of().id, "The drill cannot begin yet: {error}");
            return Ok(Step::Waits);
        }
    }
    held.save().await?;
    Ok(Step::Done)
}

async fn planned(app: &App, drill: &OpenDrill, now: time::OffsetDateTime) -> Result<Result<Plan, Why>> {
    let (catalogue, target) = (app.catalogue()?, app.drill_vault(&drill.target)?);
    if let Some(why) = is_source(app, catalogue, &drill.target).await? {
        return Ok(Err(why));
    }
    if let Err(unfit) = target.seen().await?.fit(&drill.names) {
        return Ok(Err(unfit.why()));
    }
    let settings = app.config().drills.clone();
    let Some(of) = settings.of.get(&drill.source) else {
        return Ok(Err(Why::new(
            "not-declared",
            "the settings declare no drill vault for the source any more",
        )));
    };
    let Some(point) = point(catalogue, drill, settings.older_every).await? else {
        let why = "no kept run covers the source, so there is nothing to restore";
        return Ok(Err(Why::new("nothing-to-drill", why)));
    };
    let whole = whole(app, target, drill, &point).await?;
    let counts = Counts::of(&whole.steps);
    let excluded: Vec<_> = whole.conflicts().filter(|of| !is_marker(&of.name)).collect();
    if let (true, Some(first)) = (whole.steps.is_empty(), excluded.first()) {
        let text = format!("nothing of the source restores into the drill vault: {}", first.reason.text());
        return Ok(Err(Why::new("nothing-to-drill", text)));
    }
    let (excluded, has) =
        (count(excluded.len()), |id: &ObjectId| whole.steps.iter().any(|step| step.id() == *id));
    let missing = of.always.iter().filter(|id| !has(id)).cloned().collect();
    let sample = chosen(whole.steps.clone(), drill.seed, settings.sample, &of.always);
    Ok(Ok(Plan {
        point,
        began: now,
        took: Seconds::default(),
        part: drill.parts,
        objects: sample.into_iter().map(Drilled::new).collect(),
        whole: counts,
        excluded,
        missing,
    }))
}

/// Why a vault is no place for a drill, whatever it holds: something of it was backed up once, whatever the settings say now, or
/// something may be restored into it.
async fn is_source(app: &App, catalogue: &Catalogue, vault: &SourceName) -> Result<Option<Why>> {
    if catalogue.knows(vault).await? || catalogue.knows_hsm(vault).await? || app.vault(vault).is_ok() {
        let text = format!(
            "{vault} is or was a source, of which the catalogue has backups: nothing was written there"
        );
        return Ok(Some(Why::new("is-a-source", text)));
    }
    Ok(None)
}

fn is_marker(name: &crate::domain::object::ObjectName) -> bool {
    name.folded() == MARKER
}

/// The recovery point that a drill restores: the newest one, or when it is the turn of another, one that is drawn.
async fn point(catalogue: &Catalogue, drill: &OpenDrill, older_every: u32) -> Result<Option<Point>> {
    let covers = |of: &Summary| of.scope == Scope::Vault && of.numbers.covers();
    let covering = |of: &ManifestRef| of.summary.clone().filter(covers);
    let is_turn = other_point(drill.number, older_every, drill.seed, 1).is_some();
    let enough = |found: &[ManifestRef]| !is_turn && found.iter().any(|of| covering(of).is_some());
    let found = catalogue.manifests(&drill.source, None, enough).await?;
    let mut points: Vec<Summary> = found.iter().filter_map(covering).collect();
    if points.is_empty() {
        return Ok(None);
    }
    let newest = points.remove(0);
    let older =
        other_point(drill.number, older_every, drill.seed, points.len()).map(|at| points.swap_remove(at));
    Ok(Some(match older {
        Some(Summary { run, planned, finished, .. }) => Point { run, taken: planned, at: Some(finished) },
        None => Point { run: newest.run, taken: newest.planned, at: None },
    }))
}

/// The plan of a restore of the whole source into its drill vault.
async fn whole(app: &App, target: &VaultClient, drill: &OpenDrill, point: &Point) -> Result<RestorePlan> {
    let request = request(&drill.source, target.source().name(), point);
    let catalogue = app.catalogue()?;
    let view = catalogue.view(&request.source, request.at).await?;
    let marker = MARKER.parse().map(|name| (ObjectId::new(ObjectKind::Secret, name), restore::Held::Managed));
    let held: BTreeMap<_, _> = marker.into_iter().collect();
    let (source, place, unusable) =
        (app.location(&request.source), app.location(&request.target), BTreeMap::new());
    let world = World { source: &source, target: &place, held: &held, unusable: &unusable };
    plan_restore(&request, catalogue.lines(&view).await?, &world)
}

/// The request that a drill stands for.
pub(super) fn request(source: &SourceName, target: &SourceName, point: &Point) -> Request {
    Request {
        source: source.clone(),
        target: target.clone(),
        at: point.at,
        first_version: false,
        selection: Selection::default(),
        on_conflict: OnConflict::Fail,
        on_damaged: OnDamaged::Fail,
        other_place: false,
    }
}
