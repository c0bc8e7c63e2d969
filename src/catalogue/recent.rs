//! What one listing says of a vault's newest state.

use time::OffsetDateTime;

use super::{Catalogue, ManifestRef, View};
use crate::{
    domain::{manifest::Summary, run::CLOSES_WITHIN, source::SourceName},
    error::Result,
};

/// What one listing of a vault's newest manifests says.
#[derive(Debug)]
pub struct Recent {
    /// The manifests, newest first.
    pub manifests: Vec<ManifestRef>,
    /// The vault's current index.
    pub view: View,
    /// The newest recovery point.
    pub newest: Option<OffsetDateTime>,
}

impl Catalogue {
    /// The newest state of a vault, from a listing of its manifests that ends when it has all of that and `enough`. One
    /// request for each hundred manifests.
    pub async fn recent(
        &self,
        vault: &SourceName,
        mut enough: impl FnMut(&[ManifestRef]) -> bool,
    ) -> Result<Recent> {
        let (mut newest, mut is_enough) = (NewestPoint::default(), false);
        let listed = self.listed(vault, None, None, |found| {
            newest.see(found);
            is_enough = is_enough || enough(found);
            is_enough && newest.is_final && View::is_in(found)
        });
        let listed = listed.await?;
        let forgotten = self.forgotten_beside(vault, listed.forgotten).await?;
        let view = View::of(listed.manifests.clone(), forgotten, None);
        Ok(Recent { manifests: listed.manifests, view, newest: newest.at })
    }
}

/// The newest recovery point among manifests that are seen newest first.
///
/// A run closes within some hours of its planning, so none that was planned longer before the newest point can have
/// finished after it.
#[derive(Default)]
pub(super) struct NewestPoint {
    pub(super) at: Option<OffsetDateTime>,
    pub(super) is_final: bool,
}

impl NewestPoint {
    pub(super) fn see(&mut self, found: &[ManifestRef]) {
        let Some(last) = found.last().and_then(|last| last.summary.as_ref()) else { return };
        self.at = self.at.max(point(last));
        self.is_final |= self.at.is_some_and(|newest| last.planned + CLOSES_WITHIN < newest);
    }
}

/// When a run finished that left an object with a backup.
pub(super) fn point(summary: &Summary) -> Option<OffsetDateTime> {
    (summary.protected > 0).then_some(summary.finished)
}
