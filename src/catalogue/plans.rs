//! Plans of runs, and their supplements for kinds that a plan had to leave out.

use super::{Catalogue, codec, layout};
use crate::{
    azure::container::{Metadata, Written},
    domain::{
        index::Index,
        object::ObjectKind,
        plan::{Plan, PlanHeader},
        run::RunId,
        source::SourceName,
        supplement::Supplement,
    },
    error::{Error, Result, damaged},
};

impl Catalogue {
    /// Stores a run's plan, unless the run has one, and returns the one stored. Safe to run twice.
    pub async fn create_plan(&self, plan: Plan) -> Result<Plan> {
        let PlanHeader { vault, run, .. } = &plan.header;
        let name = layout::plan(vault, run);
        let bytes = codec::write_plan(&plan).map_err(|error| damaged(&name, &error))?;
        match self.container.add(&name, bytes, Metadata::new()).await? {
            Written::Created => Ok(plan),
            Written::AlreadyThere => self.plan(vault, run).await?.ok_or_else(|| gone(&name)),
        }
    }

    /// Stores a run's supplement for a kind, unless the run has one, and returns the one stored. Safe to run twice.
    pub async fn create_supplement(&self, supplement: Supplement) -> Result<Supplement> {
        let header = &supplement.header;
        let name = layout::supplement(&header.vault, &header.run, header.kind);
        let bytes = codec::write_supplement(&supplement).map_err(|error| damaged(&name, &error))?;
        match self.container.add(&name, bytes, Metadata::new()).await? {
            Written::Created => Ok(supplement),
            Written::AlreadyThere => {
                self.supplement(&header.vault, &header.run, header.kind).await?.ok_or_else(|| gone(&name))
            }
        }
    }

    /// A run's plan, if it has one yet, with its supplements. Costs one request, and one more for each kind that the
    /// plan left out and that may yet be listed.
    ///
    /// # Errors
    /// Errors of storage, and a plan or supplement that cannot be read.
    pub async fn plan(&self, vault: &SourceName, run: &RunId) -> Result<Option<Plan>> {
        let Some(plan) = self.plan_alone(vault, run).await? else { return Ok(None) };
        let mut supplements = Vec::new();
        for kind in plan.header.open_kinds() {
            supplements.extend(self.supplement(vault, run, kind).await?);
        }
        Ok(Some(plan.with(supplements)))
    }

    /// A run's plan without its supplements.
    pub async fn plan_alone(&self, vault: &SourceName, run: &RunId) -> Result<Option<Plan>> {
        let name = layout::plan(vault, run);
        let bytes = self.container.read(&name).await?;
        bytes.map(|bytes| codec::read_plan(&name, bytes)).transpose()
    }

    async fn supplement(
        &self,
        vault: &SourceName,
        run: &RunId,
        kind: ObjectKind,
    ) -> Result<Option<Supplement>> {
        let name = layout::supplement(vault, run, kind);
        let bytes = self.container.read(&name).await?;
        bytes.map(|bytes| codec::read_supplement(&name, bytes)).transpose()
    }

    /// Whether a run has a plan, readable or not.
    pub async fn is_planned(&self, vault: &SourceName, run: &RunId) -> Result<bool> {
        Ok(self.container.metadata(&layout::plan(vault, run)).await?.is_some())
    }

    /// The index against which a stored plan was made. If it is damaged, it is empty, as when the run's manifest is
    /// made: every object then counts as new.
    pub async fn index_before(&self, header: &PlanHeader) -> Result<Index> {
        match self.read_index(header).await {
            Err(error @ Error::Damaged { .. }) => {
                let run = &header.run;
                tracing::error!(run.id = %run, "Run {run} continues without the index before it: {error}");
                Ok(Index::default())
            }
            index => index,
        }
    }

    async fn read_index(&self, header: &PlanHeader) -> Result<Index> {
        let mut index = Index::default();
        for line in self.before(header).await? {
            index.insert(&line?);
        }
        Ok(index)
    }
}

fn gone(name: &str) -> Error {
    Error::Refused(format!("blob {name} was deleted while it was read"))
}
