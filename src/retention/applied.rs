//! What a pass of retention did.

use crate::domain::run::RunId;

/// What a pass did for one source.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The points that were let go in this pass.
    pub dropped: Vec<RunId>,
    /// The points of earlier passes that are offered again, and why.
    pub reinstated: Vec<(RunId, String)>,
    /// The points of earlier passes of which everything is deleted now.
    pub swept: Vec<RunId>,
    /// The points whose deletion still waits, and for what.
    pub waiting: Vec<(RunId, String)>,
    /// How many blobs were deleted.
    pub blobs: u64,
    /// Their size.
    pub bytes: u64,
    /// How many points would go if a person consented, where one must.
    pub needs_consent: Option<usize>,
}
