//! The state of each source, from the catalogue alone.

use time::OffsetDateTime;
use tokio::time::timeout;

use super::findings::sources::{SourceSeen, Unread};
use super::{Context, TRY, each};
use crate::{
    domain::{
        acknowledged::AcceptanceRecord, object::ObjectId, outcome::Failure, role::Role, source::Source,
        state::Known, versions::TOO_MANY_VERSIONS,
    },
    error::{Error, Result},
    query::{hsms, runs, second, vaults},
};

/// Failing objects that are searched for those with too many versions.
const MOST_FAILING: usize = 1000;

/// Reads the state of every source. A restore app may have vaults that are not backed up, so it reads none.
pub(super) async fn observe(context: &Context<'_>) -> Vec<Result<SourceSeen, Unread>> {
    if context.config.role == Role::Restore {
        return Vec::new();
    }
    let vaults = each(&context.config.vaults, |vault| bounded(vault, observe_vault(context, vault)));
    let hsms = each(&context.config.hsm.hsms, |hsm| bounded(hsm, observe_hsm(context, hsm)));
    let (mut all, hsms) = futures::join!(vaults, hsms);
    all.extend(hsms);
    all
}

async fn bounded(
    source: &Source,
    seen: impl Future<Output = Result<SourceSeen>>,
) -> Result<SourceSeen, Unread> {
    let unread = |why: String| Err((source.name().to_string(), why));
    match timeout(TRY, seen).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(Error::Service(error))) => unread(format!("{}: {}", error.asked.what, error.failure.code)),
        Ok(Err(error)) => unread(error.to_string()),
        Err(_) => unread(format!("no answer within {} s", TRY.as_secs())),
    }
}

async fn observe_vault(context: &Context<'_>, vault: &Source) -> Result<SourceSeen> {
    // Open jobs that cannot be read are a finding of their own.
    let open = runs::open_jobs(context.app).await.unwrap_or_default();
    let seen = vaults::one(context.app, vault.name(), &open, MOST_FAILING, context.clock.now()).await?;
    // Then its state says so.
    let known = seen.known.unwrap_or_default();
    let too_many = |failure: &Failure| failure.code == TOO_MANY_VERSIONS;
    let over = known.failing.iter().filter(|line| line.failure.as_ref().is_some_and(too_many));
    let over: Vec<_> = over.map(|line| line.id().to_string()).collect();
    let Known { accepted, many_versions, unknown_forms, .. } = known;
    let accepted: Vec<_> =
        accepted.into_iter().filter_map(|(line, record)| until(&line.id(), &record)).collect();
    let said = |id: &String| over.contains(id) || accepted.iter().any(|(of, _)| of == id);
    let many = many_versions.into_iter().map(|(id, count)| (id.to_string(), count));
    let versions = many.filter(|(id, _)| !said(id)).collect();
    Ok(SourceSeen {
        state: seen.state,
        url: vault.to_string(),
        versions,
        over,
        accepted,
        unknown_forms: unknown_forms.into_iter().map(|(id, clear)| (id.to_string(), clear)).collect(),
    })
}

fn until(id: &ObjectId, record: &AcceptanceRecord) -> Option<(String, OffsetDateTime)> {
    record.accepted().map(|of| (id.to_string(), of.until))
}

async fn observe_hsm(context: &Context<'_>, hsm: &Source) -> Result<SourceSeen> {
    let second = second::last_pass(context.app).await?;
    let state =
        hsms::state(context.app, hsm.name(), (&[], second.as_ref()), context.clock.now()).await?.state;
    Ok(SourceSeen {
        state,
        url: hsm.to_string(),
        versions: Vec::new(),
        over: Vec::new(),
        accepted: Vec::new(),
        unknown_forms: Vec::new(),
    })
}
