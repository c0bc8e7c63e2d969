//! The newest backup of every object, page by page.

use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{
        filter::NameFilter,
        location::Apart,
        manifest::Line,
        object::{ObjectId, ObjectKind, VaultName},
    },
    error::Result,
};

/// Which objects.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only this vault's.
    pub vault: Option<VaultName>,
    /// Only this kind.
    pub kind: Option<ObjectKind>,
    /// Only these names.
    pub name: Option<NameFilter>,
    /// As the backups were then.
    pub at: Option<OffsetDateTime>,
}

/// The last object of a page; the next page begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its vault.
    pub vault: VaultName,
    /// The object.
    pub id: ObjectId,
}

/// Some of the objects that have a backup, in the order of vaults and then of objects.
#[derive(Debug)]
pub struct Page {
    /// The objects, and in what their vault lies elsewhere now than at the backup.
    pub lines: Vec<(VaultName, Line, Option<Apart>)>,
    /// Where the next page begins, if there is one.
    pub next: Option<Mark>,
}

/// Finds up to `limit` objects after `after`. Pages that follow each other hold each object once, whatever
/// is backed up between them.
pub async fn page(app: &App, wanted: &Wanted, after: Option<&Mark>, limit: usize) -> Result<Page> {
    let takes = |line: &Line| {
        line.entry.is_some()
            && wanted.kind.is_none_or(|kind| kind == line.kind)
            && wanted.name.as_ref().is_none_or(|name| name.takes(&line.name))
    };
    let mut lines = Vec::new();
    for vault in app.sources() {
        let skipped = wanted.vault.as_ref().is_some_and(|wanted| wanted != vault)
            || after.is_some_and(|after| *vault < after.vault);
        if skipped {
            continue;
        }
        let after = after.filter(|after| after.vault == *vault).map(|after| &after.id);
        let view = app.catalogue()?.view(vault, wanted.at).await?;
        let location = app.catalogue()?.location(vault, &view).await?;
        for line in app.catalogue()?.lines(&view).await? {
            let line = line?;
            if !takes(&line) || after.is_some_and(|after| line.id() <= *after) {
                continue;
            }
            if lines.len() == limit {
                let mark =
                    |(vault, line, _): &(VaultName, Line, _)| Mark { vault: vault.clone(), id: line.id() };
                return Ok(Page { next: lines.last().map(mark), lines });
            }
            let apart = line.entry.as_ref().and_then(|entry| entry.location.apart(&location));
            lines.push((vault.clone(), line, apart));
        }
    }
    Ok(Page { lines, next: None })
}
