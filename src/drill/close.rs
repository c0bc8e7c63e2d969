//! Telling the log what a drill came to.

use crate::domain::drill::{Drill, DrillSummary};

/// Tells it. A failure, and what may be left behind, is an error that an alert finds.
pub(super) fn log(of: &Drill) {
    let summary = of.summary();
    let DrillSummary { id, source, target, came, cleanup, objects, .. } = &summary;
    let (restore, took) = (came.restore, came.rto_seconds.map(f64::from).unwrap_or_default());
    let kind = of.kind.name();
    if summary.is_bad() {
        tracing::error!(
            event = "drill.failed", source.name = %source, source.kind = kind, drill.id = %id, vault.name = %target,
            drill.restore = %restore, drill.cleanup = %cleanup, drill.objects = objects,
            "Drill {id} of {source} in vault {target}: restore {restore}, cleanup {cleanup}: {}", summary.what_is_wrong()
        );
    } else {
        tracing::info!(
            event = "drill.ended", source.name = %source, source.kind = kind, drill.id = %id, vault.name = %target,
            drill.restore = %restore, drill.cleanup = %cleanup, drill.objects = objects, drill.rto_seconds = took,
            "Drill {id} of {source} in vault {target}: {objects} objects were restored, compared and removed; {took} s"
        );
    }
}
