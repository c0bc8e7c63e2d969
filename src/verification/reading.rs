//! Reading backups again, whole.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use tokio::time::Instant;

use super::{
    presence::{Presence, Turn, finding},
    scope::{Progress, Scope},
};
use crate::{
    catalogue::Catalogue,
    domain::verification::{Address, Finding, ReadSoFar, Stored, fault_of},
    error::{Error, Result},
};

/// Backups that are read concurrently. Each is held whole.
const AT_ONCE: usize = 4;

/// Backups between two records of the progress.
const CHUNK: usize = 64;

/// The least time for a chunk: reading takes no more of the account than backups and restores leave.
const PACE: Duration = Duration::from_millis(640);

/// Reads every backup whose turn it is, from where `read` is, and notes the progress after each chunk.
pub(super) async fn all(
    catalogue: &Catalogue,
    scope: &Scope,
    presence: &Presence,
    read: &mut ReadSoFar,
    progress: &mut dyn Progress,
) -> Result<()> {
    let vault = &scope.source.name;
    let name = |turn: &Turn| Catalogue::name_of_backup(vault, &turn.run, &turn.id);
    let done = read.up_to.clone();
    let from = done.map_or(0, |done| presence.turns.partition_point(|turn| name(turn) <= done));
    let of = presence.turns.len();
    for chunk in presence.turns[from..].chunks(CHUNK) {
        let begun = Instant::now();
        let each: Vec<_> = chunk.iter().map(|turn| one(catalogue, scope, presence, turn)).collect();
        let results: Vec<Looked> = stream::iter(each).buffered(AT_ONCE).try_collect().await?;
        for looked in results {
            match looked {
                Looked::Gone => {}
                Looked::TooNew => read.unverified += 1,
                Looked::Read { bytes, finding } => {
                    read.backups += 1;
                    read.bytes += bytes;
                    read.findings.extend(finding);
                }
            }
        }
        read.up_to = chunk.last().map(name);
        progress.note(read, of).await?;
        if chunk.len() == CHUNK {
            tokio::time::sleep_until(begun + PACE).await;
        }
    }
    Ok(())
}

/// What reading a backup showed.
enum Looked {
    /// It is not there any more. Whether it should be is for the comparison with the index.
    Gone,
    /// A newer program wrote it.
    TooNew,
    /// It was read.
    Read { bytes: u64, finding: Option<Finding> },
}

/// Reads a backup. One that is not what was stored is read once more: a connection may have been at fault.
///
/// Boxed, because the compiler cannot prove in a stream of these futures that they are `Send`.
fn one<'a>(
    catalogue: &'a Catalogue,
    scope: &'a Scope,
    presence: &'a Presence,
    turn: &'a Turn,
) -> BoxFuture<'a, Result<Looked>> {
    Box::pin(look(catalogue, scope, presence, turn))
}

async fn look(catalogue: &Catalogue, scope: &Scope, presence: &Presence, turn: &Turn) -> Result<Looked> {
    let Turn { run, id } = turn;
    let vault = &scope.source.name;
    let expected = presence.named.get(Address::of(run, id));
    let mut fault = None;
    let mut bytes = 0;
    for _ in 0..2 {
        let (blob, entry) = match catalogue.backup_with_entry(vault, run, id).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Looked::Gone),
            Err(Error::TooNew { .. }) => return Ok(Looked::TooNew),
            Err(error) => return Err(error),
        };
        bytes += blob.len() as u64;
        let stored = Stored { blob: &blob, entry: entry.as_ref().map_err(String::as_str) };
        fault = fault_of(&stored, run, id, expected.as_ref());
        if fault.is_none() {
            break;
        }
    }
    let finding = fault.map(|(fault, text)| {
        let name = Catalogue::name_of_backup(vault, run, id);
        Finding {
            newest: expected.is_some(),
            ..finding(scope, fault, name, run.clone(), Some(id.clone()), text)
        }
    });
    Ok(Looked::Read { bytes, finding })
}
