//! The JSON Schema of what the command line tool prints.

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{
    AcceptanceItem, Acceptances, AcknowledgedRun, Attested, BackupPlan, Differences, EvidenceWritten,
    FileBackup, FileRestore, FileVerified, HoldItem, Holds, HsmCheck, HsmCopiedBack, HsmStatuses, Jobs,
    LegalHolds, NotifyTest, Objects, Rebuilt, RestoreResult, RetentionApplied, RetentionDecided,
    RetentionForget, RunReport, Trail, TrailCheck, Vaults, VerifyReport,
};
use crate::api::shapes::{
    backup::History,
    backup_request::Started,
    drill::{DrillDetail, DrillList},
    plan::{HsmPlan, Plan},
    preflight::Preflight,
    problem::ProblemBody,
    restore::{HsmRestoreReport, Restore, RestoreReport},
    retention::RetentionPlan,
    run::{RunInSource, Runs},
    status::Status,
};

/// Each command, with the names of the shapes of its result. `error` is what any command prints on standard error.
const COMMANDS: [(&str, &[&str]); 39] = [
    ("error", &["Problem"]),
    ("status", &["Status"]),
    ("backup", &["RunReport"]),
    ("backup --what-if", &["BackupPlan"]),
    ("backup --file", &["FileBackup"]),
    ("list vaults", &["Vaults"]),
    ("list runs", &["Runs"]),
    ("list objects", &["Objects"]),
    ("list history", &["History"]),
    ("show", &["RunReport", "RunInSource", "RestoreReport", "HsmRestoreReport"]),
    ("diff", &["Differences"]),
    ("restore", &["RestoreResult"]),
    ("restore --what-if", &["RestorePlan"]),
    ("restore --file", &["FileRestore"]),
    ("hsm backup", &["Started", "RunInSource"]),
    ("hsm restore", &["HsmRestorePlan", "HsmRestoreReport"]),
    ("hsm status", &["HsmStatuses"]),
    ("hsm check", &["HsmCheck"]),
    ("hsm copy-back", &["HsmCopiedBack"]),
    ("hsm attest", &["Attested"]),
    ("jobs", &["Jobs"]),
    ("jobs abandon", &["Restore"]),
    ("preflight", &["Preflight"]),
    ("notify test", &["NotifyTest"]),
    ("retention plan", &["RetentionPlan"]),
    ("retention apply", &["RetentionPlan", "RetentionApplied"]),
    ("retention release", &["RetentionDecided"]),
    ("retention forget", &["RetentionForget"]),
    ("drill run", &["DrillDetail"]),
    ("drill list", &["DrillList"]),
    ("drill show", &["DrillDetail"]),
    ("hold", &["HoldItem", "Holds", "LegalHolds"]),
    ("acknowledge", &["AcknowledgedRun"]),
    ("accept", &["AcceptanceItem", "Acceptances"]),
    ("audit", &["Trail", "TrailCheck"]),
    ("evidence", &["EvidenceWritten"]),
    ("rebuild", &["Rebuilt"]),
    ("verify", &["VerifyReport"]),
    ("verify --file", &["FileVerified"]),
];

#[derive(OpenApi)]
#[openapi(components(schemas(
    AcceptanceItem,
    Acceptances,
    AcknowledgedRun,
    Attested,
    BackupPlan,
    Differences,
    DrillDetail,
    DrillList,
    EvidenceWritten,
    FileBackup,
    FileRestore,
    FileVerified,
    History,
    HoldItem,
    Holds,
    LegalHolds,
    HsmCheck,
    HsmCopiedBack,
    HsmPlan,
    HsmRestoreReport,
    HsmStatuses,
    Jobs,
    NotifyTest,
    Objects,
    Plan,
    Preflight,
    ProblemBody,
    Rebuilt,
    Restore,
    RestoreReport,
    RestoreResult,
    RetentionApplied,
    RetentionDecided,
    RetentionForget,
    RetentionPlan,
    RunInSource,
    RunReport,
    Runs,
    Started,
    Status,
    Trail,
    TrailCheck,
    Vaults,
    VerifyReport,
)))]
struct Shapes;

/// The schema: `$defs` has every shape, and `properties` says which of them each command prints.
///
/// # Errors
/// When a shape cannot be encoded.
pub fn schema() -> serde_json::Result<Value> {
    let shapes = serde_json::to_string(&Shapes::openapi().components)?;
    let mut shapes: Value = serde_json::from_str(&shapes.replace("#/components/schemas/", "#/$defs/"))?;
    let of = |names: &[&str]| {
        let refs: Vec<_> = names.iter().map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect();
        // One shape may have every field of another.
        json!({ "anyOf": refs })
    };
    let commands: Map<_, _> =
        COMMANDS.iter().map(|(command, names)| ((*command).to_owned(), of(names))).collect();
    Ok(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "keyvault-backup --output json",
        "description": "Each property is a command; its value is what the command prints. Times are RFC 3339 in UTC, spans are whole seconds, sizes are bytes.",
        "type": "object",
        "properties": commands,
        "$defs": shapes["schemas"].take(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_shape() {
        let schema = schema().unwrap();
        let text = schema.to_string();
        for reference in text.split("\"#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(schema["$defs"][reference].is_object(), "{reference}");
        }
    }
}
