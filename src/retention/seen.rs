//! Whether newer backups are in storage, whole and alone.

use std::collections::HashMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    catalogue::Catalogue,
    domain::{object::ObjectId, run::RunId, source::SourceName, verification::Address},
    error::Result,
};

/// Backups that are looked at concurrently.
const AT_ONCE: usize = 16;

/// What one pass has seen of newer backups. An index line is no evidence that a backup is there.
pub(super) struct Seen<'a> {
    catalogue: &'a Catalogue,
    vault: &'a SourceName,
    /// About thirty bytes for each.
    whole: HashMap<Address, bool>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, vault: &'a SourceName) -> Self {
        Self { catalogue, vault, whole: HashMap::new() }
    }

    /// The first of these backups that is not there, has another size, or was written again. One request each, and none
    /// for what this pass has seen before.
    pub(super) async fn first_unseen(
        &mut self,
        wanted: Vec<(ObjectId, RunId, u64)>,
    ) -> Result<Option<(ObjectId, RunId)>> {
        let new = wanted.iter().filter(|(id, run, _)| !self.whole.contains_key(&Address::of(run, id)));
        let (catalogue, vault) = (self.catalogue, self.vault);
        let look = |(id, run, bytes): (ObjectId, RunId, u64)| async move {
            let versions = catalogue.versions_of_backup(vault, &run, &id).await?;
            let is_whole = matches!(versions.as_slice(), [one] if one.is_current && one.bytes == bytes);
            Ok::<_, crate::error::Error>((Address::of(&run, &id), is_whole))
        };
        let new: Vec<_> = new.cloned().collect();
        // Each future is made when its turn comes: thousands at once would be the most of what a pass holds.
        let new: Vec<_> = stream::iter(new).map(look).buffer_unordered(AT_ONCE).try_collect().await?;
        self.whole.extend(new);
        let unseen = wanted
            .into_iter()
            .map(|(id, run, _)| (id, run))
            .find(|(id, run)| self.whole.get(&Address::of(run, id)) != Some(&true));
        Ok(unseen)
    }
}
