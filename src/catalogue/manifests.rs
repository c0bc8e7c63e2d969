//! Making manifests: when a run closes, and again in memory if the stored one is damaged or gone.

use azure_core::Bytes;
use futures::{FutureExt as _, TryStreamExt as _, future::BoxFuture, pin_mut};

use super::{
    Catalogue, Lines, ManifestReader,
    codec::{self, ManifestWriter},
    layout, metadata, view,
};
use crate::{
    azure::container::Written,
    domain::{
        manifest::{ObjectResult, Summary},
        merge::Merge,
        plan::{Plan, PlanHeader},
    },
    error::{Error, Result, damaged},
};

/// What the entries of a run say of the versions of their blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Versions {
    /// They are as listed now.
    Listed,
    /// They are not known.
    NotKnown,
}

impl Catalogue {
    /// Closes a run whose planned objects all have a result, by writing its manifest.
    ///
    /// Safe to run twice, also concurrently: the manifest is a function of what is stored.
    pub async fn close(&self, plan: &Plan) -> Result<Summary> {
        let header = &plan.header;
        let name = layout::manifest(&header.vault, header.planned, &header.run);
        let (bytes, summary) = self.make(plan, &name).await?;
        let metadata = metadata(&name, "summary", &summary)?;
        match self.container.add(&name, bytes, metadata).await? {
            Written::Created => Ok(summary),
            Written::AlreadyThere => Ok(self.summary(&name).await?.unwrap_or(summary)),
        }
    }

    async fn summary(&self, name: &str) -> Result<Option<Summary>> {
        let metadata = self.container.metadata(name).await?;
        Ok(metadata.as_ref().and_then(view::summary_of))
    }

    /// Whether a run's stored manifest is the one that would be made now. Which versions blobs have is for a verification to say:
    /// those of a copy of the container are others.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the stored manifest is damaged, and errors of storage.
    pub async fn check_manifest(&self, plan: &Plan) -> Result<bool> {
        let header = &plan.header;
        let name = layout::manifest(&header.vault, header.planned, &header.run);
        let Some(stored) = self.container.read(&name).await? else { return Ok(false) };
        codec::check(&name, stored.clone())?;
        // A manifest with a copy may be a change of one that is gone on purpose.
        if let Some((copy, bytes)) = self.copy_of(&name).await? {
            return codec::same_manifest(&copy, stored, bytes);
        }
        let (bytes, _) = self.make(plan, &name).await?;
        codec::same_manifest(&name, stored, bytes.into())
    }

    /// Opens a manifest by its blob name. If it is damaged or gone, it is read from its second copy, or rebuilt in memory
    /// as long as its run's plan can be read, and the log names the blob.
    ///
    /// # Errors
    /// [`Error::Damaged`], always before the first line is read.
    pub async fn manifest(&self, name: &str) -> Result<ManifestReader> {
        let stored = match self.container.read(name).await? {
            Some(bytes) => ManifestReader::new(name, bytes),
            None => Err(damaged(name, &"it is gone; `rebuild` makes it again")),
        };
        match stored {
            Err(damage @ Error::Damaged { .. }) => {
                ManifestReader::new(name, self.instead(name, damage).await?)
            }
            stored => stored,
        }
    }

    /// Opens a manifest as it is stored. Nothing else is read in its place.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it cannot be read, before the first line is.
    pub async fn stored_manifest(&self, name: &str) -> Result<ManifestReader> {
        let bytes = self.container.read(name).await?.ok_or_else(|| damaged(name, &"it is gone"))?;
        ManifestReader::new(name, bytes)
    }

    /// The bytes of a manifest, as [`Catalogue::manifest`] reads them.
    pub(super) async fn manifest_bytes(&self, name: &str) -> Result<Bytes> {
        let Some(bytes) = self.container.read(name).await? else {
            return self.instead(name, damaged(name, &"it is gone")).await;
        };
        match codec::check(name, bytes.clone()) {
            Err(damage @ Error::Damaged { .. }) => self.instead(name, damage).await,
            checked => checked.map(|()| bytes),
        }
    }

    /// What is read instead of a manifest that cannot be read because of `damage`.
    async fn instead(&self, name: &str, damage: Error) -> Result<Bytes> {
        if let Some((copy, bytes)) = self.copy_of(name).await?
            && codec::check(&copy, bytes.clone()).is_ok()
        {
            tracing::error!(blob.name = name, "{damage}; its copy was read instead");
            return Ok(bytes);
        }
        self.made_again(name, damage).await
    }

    /// The name and the bytes of a manifest's second copy, if there is one.
    async fn copy_of(&self, name: &str) -> Result<Option<(String, Bytes)>> {
        let vault = layout::parse_manifest_name(name).map(|(vault, _)| vault);
        let Some(copy) = vault.and_then(|vault| layout::copy(&vault, name)) else { return Ok(None) };
        Ok(self.container.read(&copy).await?.map(|bytes| (copy, bytes)))
    }

    /// Writes the manifest of a run again from its second copy; `None` if there is no whole one. Safe to run twice.
    pub async fn close_from_copy(&self, header: &PlanHeader) -> Result<Option<Summary>> {
        let name = layout::manifest(&header.vault, header.planned, &header.run);
        let Some((copy, bytes)) = self.copy_of(&name).await? else { return Ok(None) };
        let mut lines = ManifestReader::new(&copy, bytes.clone())?;
        lines.by_ref().try_for_each(|line| line.map(drop))?;
        let Some(summary) = lines.summary().cloned() else { return Ok(None) };
        self.container.add(&name, bytes.to_vec(), metadata(&name, "summary", &summary)?).await?;
        Ok(Some(summary))
    }

    /// Rebuilds a manifest that cannot be read because of `damage`, from its run's plan, its blobs, and the index
    /// before it.
    ///
    /// That index may need rebuilding in turn, so the future refers to itself and is boxed.
    fn made_again<'a>(&'a self, name: &'a str, damage: Error) -> BoxFuture<'a, Result<Bytes>> {
        async move {
            let Some((vault, run)) = layout::parse_manifest_name(name) else { return Err(damage) };
            let plan = match self.plan(&vault, &run).await {
                Ok(Some(plan)) if layout::manifest(&vault, plan.header.planned, &run) == name => plan,
                Ok(_) | Err(Error::Damaged { .. }) => return Err(damage),
                Err(error) => return Err(error),
            };
            let before = self.before(&plan.header).await?;
            // Which versions were listed when the run closed is not known any more.
            let (bytes, _) = self.merge(&plan, before, name, Versions::NotKnown).await?;
            tracing::error!(
                blob.name = name, vault.name = %vault, run.id = %run,
                "{damage}; its run's plan and blobs were read instead"
            );
            Ok(Bytes::from(bytes))
        }
        .boxed()
    }

    /// Makes a manifest. If the index before it cannot be read, the run closes without it: objects that should have been
    /// carried forward are then recorded as lost, and the next run backs them up again.
    async fn make(&self, plan: &Plan, name: &str) -> Result<(Vec<u8>, Summary)> {
        let run = &plan.header.run;
        let merged = match self.before(&plan.header).await {
            Ok(before) => self.merge(plan, before, name, Versions::Listed).await,
            Err(error) => Err(error),
        };
        match merged {
            Err(error @ Error::Damaged { .. }) => {
                tracing::error!(run.id = %run, "Run {run} closes without the index before it: {error}");
                self.merge(plan, Box::new(std::iter::empty()), name, Versions::Listed).await
            }
            merged => merged,
        }
    }

    async fn merge(
        &self,
        plan: &Plan,
        before: Lines,
        name: &str,
        versions: Versions,
    ) -> Result<(Vec<u8>, Summary)> {
        let failed = |error: std::io::Error| damaged(name, &error);
        let header = &plan.header;
        let mut merge = Merge::new(plan, before);
        let mut out = ManifestWriter::new(header).map_err(failed)?;
        let results = self.results(&header.vault, &header.run);
        pin_mut!(results);
        let mut last = None;
        while let Some(page) = results.try_next().await? {
            for mut result in page {
                if let (ObjectResult::Entry(entry), Versions::NotKnown) = (&mut result, versions) {
                    entry.stored = None;
                }
                let id = result.id();
                // A backup counts for more than the failure that an earlier delivery recorded.
                if last.as_ref() == Some(&id) {
                    continue;
                }
                while let Some(line) = merge.before(Some(&id))? {
                    out.push(line).map_err(failed)?;
                }
                out.push(merge.with(result)?).map_err(failed)?;
                last = Some(id);
            }
        }
        while let Some(line) = merge.before(None)? {
            out.push(line).map_err(failed)?;
        }
        let summary = merge.finish();
        Ok((out.finish(&summary).map_err(failed)?, summary))
    }
}
