//! Deleting and purging what a drill restored.

use std::collections::BTreeMap;

use super::held::{BEAT_EVERY, Held, Step};
use crate::{
    app::App,
    azure::{error::Meaning, vault::VaultClient},
    domain::{
        drill::{Seen, Unfit, Why},
        object::ObjectId,
    },
    error::{Error, Result},
};

/// One pass of cleaning up: each name on record is deleted and purged, as far as the vault does it now. Waits while it is not
/// through.
///
/// A vault that is busy with a deletion answers 409, and a name that it no longer has 404, to a purge as to a delete; so a name is
/// gone when the vault lists it no longer, and does not know it when it is asked to purge it, by a request that no deletion of this
/// pass can have outrun.
pub(super) async fn clean_up(app: &App, held: &mut Held<'_>) -> Result<Step> {
    let target = app.drill_vault(&held.of().target)?;
    let names = held.of().names.clone();
    match Box::pin(pass(target, &names, held)).await {
        Ok(Ok(pending)) => {
            let drill = held.of_mut();
            drill.unclean = pending.values().find_map(Clone::clone);
            drill.names = names.into_iter().filter(|id| pending.contains_key(id)).collect();
        }
        Ok(Err(why)) => {
            let now = held.clock.now();
            let drill = held.of_mut();
            (drill.given_up, drill.unclean) = (true, Some(why.clone()));
            // What an earlier drill left keeps this one from taking place.
            if drill.verdict.is_none() {
                drill.refuse(why, now);
            }
        }
        Err(Error::Service(error)) if !error.asked.service.is_ours() => {
            held.of_mut().unclean = Some((*error.failure).into());
        }
        Err(error) => return Err(error),
    }
    let waits = !held.of().names.is_empty() && !held.of().given_up;
    if waits {
        return Ok(Step::Waits);
    }
    held.save().await?;
    Ok(Step::Done)
}

/// The names that are not known to be gone after a pass, each with what the vault said last.
type Pending = BTreeMap<ObjectId, Option<Why>>;

/// `Err` within the result if the vault may not be touched.
async fn pass(target: &VaultClient, names: &[ObjectId], held: &mut Held<'_>) -> Result<Result<Pending, Why>> {
    let seen = target.seen().await?;
    if !seen.marker {
        return Ok(Err(Unfit::NoMarker.why()));
    }
    let mut pending = Pending::new();
    for id in names {
        // Another process that took the drill over may have begun the next one, of which this name may be a part.
        if held.since() >= BEAT_EVERY {
            held.save().await?;
        }
        if let Removed::Not(why) = remove(target, &seen, id).await {
            pending.insert(id.clone(), why);
        }
    }
    let seen = target.seen().await?;
    for id in names.iter().filter(|id| seen.live.contains(id) || seen.deleted.contains(id)) {
        pending.entry(id.clone()).or_default();
    }
    Ok(Ok(pending))
}

/// What became of a name.
enum Removed {
    /// The vault purges it, or does not know it.
    Yes,
    /// It may still be there.
    Not(Option<Why>),
}

async fn remove(target: &VaultClient, seen: &Seen, id: &ObjectId) -> Removed {
    let mut deleted = false;
    if seen.live.contains(id) {
        match target.delete(id).await {
            Ok(()) => deleted = true,
            Err(error) if error.meaning == Meaning::NotFound => {}
            Err(error) => return Removed::Not(Some((*error.failure).into())),
        }
    }
    match target.purge(id).await {
        Ok(()) => Removed::Yes,
        // It may be on its way to the soft-deleted objects.
        Err(error) if error.meaning == Meaning::NotFound && deleted => Removed::Not(None),
        Err(error) if error.meaning == Meaning::NotFound => Removed::Yes,
        Err(error) => Removed::Not(Some((*error.failure).into())),
    }
}
