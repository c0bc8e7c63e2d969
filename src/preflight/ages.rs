//! The age of the newest backups, from the catalogue alone.

use time::OffsetDateTime;
use tokio::time::timeout;

use super::findings::rest::{AgeSeen, Unread};
use super::{Context, TRY, each};
use crate::{
    domain::{
        acknowledged::AcceptanceRecord, manifest::Line, role::Role, source::Source, versions::OVER_THE_LIMIT,
    },
    error::{Error, Result},
    query::{runs, vaults},
};

/// Failing objects that are searched for those with too many versions.
const MOST_FAILING: usize = 1000;

/// Reads the age of every source's newest backup. A restore app may have vaults that are not backed up, so it reads
/// none.
pub(super) async fn observe(context: &Context<'_>) -> Vec<Result<AgeSeen, Unread>> {
    if context.config.role == Role::Restore {
        return Vec::new();
    }
    let vaults = each(&context.config.vaults, |url| bounded(url.name().as_str(), vault(context, url)));
    let hsms = each(&context.config.hsm.hsms, |url| bounded(url.name().as_str(), hsm(context, url)));
    let (mut all, hsms) = futures::join!(vaults, hsms);
    all.extend(hsms);
    all
}

async fn bounded(source: &str, age: impl Future<Output = Result<AgeSeen>>) -> Result<AgeSeen, Unread> {
    match timeout(TRY, age).await {
        Ok(Ok(age)) => Ok(age),
        Ok(Err(Error::Service(error))) => {
            Err((source.to_owned(), format!("{}: {}", error.asked.what, error.failure.code)))
        }
        Ok(Err(error)) => Err((source.to_owned(), error.to_string())),
        Err(_) => Err((source.to_owned(), format!("no answer within {} s", TRY.as_secs()))),
    }
}

async fn vault(context: &Context<'_>, url: &Source) -> Result<AgeSeen> {
    let mut known = vaults::known(context.app, url.name(), MOST_FAILING, context.clock.now()).await?;
    // Open jobs that cannot be read are a finding of their own.
    let open = runs::open_jobs(context.app).await.unwrap_or_default();
    known.newest.held = vaults::held(&open, url.name());
    let over = known
        .failing
        .iter()
        .filter(|line| line.failure.as_ref().is_some_and(|failure| failure.text.contains(OVER_THE_LIMIT)));
    let over: Vec<_> = over.map(|line| line.id().to_string()).collect();
    let open = known.losses.iter().filter(|(_, acknowledged)| acknowledged.is_none());
    let losses = open.map(|(loss, _)| (loss.run.to_string(), loss.to_string())).collect();
    let moved = known.moved.filter(|(_, acknowledged)| acknowledged.is_none());
    let moved = moved.map(|(moved, _)| (moved.run.to_string(), moved.to_string()));
    let accepted: Vec<_> = known.accepted.into_iter().filter_map(accepted).collect();
    let said = |id: &String| over.contains(id) || accepted.iter().any(|(of, _)| of == id);
    let many = known.many_versions.into_iter().map(|(id, count)| (id.to_string(), count));
    let many = many.filter(|(id, _)| !said(id)).collect();
    Ok(AgeSeen {
        source: url.name().to_string(),
        vault: Some(url.to_string()),
        newest: known.newest.covered(),
        versions: many,
        over,
        losses,
        moved,
        accepted,
        unknown_forms: known.unknown_forms.into_iter().map(|(id, clear)| (id.to_string(), clear)).collect(),
    })
}

fn accepted((line, record): (Line, AcceptanceRecord)) -> Option<(String, OffsetDateTime)> {
    record.accepted().map(|of| (line.id().to_string(), of.until))
}

async fn hsm(context: &Context<'_>, url: &Source) -> Result<AgeSeen> {
    let newest = context.app.catalogue()?.newest_hsm_backup(url.name(), None).await?;
    Ok(AgeSeen {
        source: url.name().to_string(),
        vault: None,
        newest: newest.map(|backup| backup.opened),
        versions: Vec::new(),
        over: Vec::new(),
        losses: Vec::new(),
        moved: None,
        accepted: Vec::new(),
        unknown_forms: Vec::new(),
    })
}
