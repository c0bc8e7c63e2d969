//! What is stored of kinds that could not be listed at once: a supplement of a kind that came late, one of a kind that was
//! left out for good, the manifest that says so, and an open run that lists a kind again.

use keyvault_backup_emulator::{FaultKind, Forbidden, Operation, SecretSpec};
use serde_json::json;

use super::{DAY, thaw, write_samples};
use crate::{
    checks::assert_rebuilt,
    world::{JOBS, NIGHT, World},
};

const MINUTE: time::Duration = time::Duration::MINUTE;
const REFUSED: FaultKind = FaultKind::Forbidden(Forbidden::ByRbac);

/// Writes the samples: a run whose keys came late and whose certificates did not come, and the next one, which is open.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_lists() {
    let mut world = World::with_each_kind(1).await;
    for list in [Operation::ListKeys, Operation::ListCertificates] {
        world.fault(list, REFUSED);
    }
    world.fire(NIGHT).await;
    world.until(NIGHT + MINUTE * 20).await;
    world.azure.faults().clear();
    world.fault(Operation::ListCertificates, REFUSED);
    world.settle().await;
    world.fire(NIGHT + DAY).await;
    world.minutes(5).await;
    write_samples(&world, &[]);
}

#[tokio::test]
async fn a_run_whose_kinds_came_late_or_not_is_made_again_and_built_upon() {
    let mut world = World::with_each_kind(1).await;
    world.vault.put_secret("late", SecretSpec::new("value"));
    thaw(&world, "v2-lists");
    let closed = world.newest("kv-a");
    let (late, unlisted) = (&closed.header["listed_late"][0], &closed.header["unlisted"][0]);
    assert_eq!(json!([late["kind"], late["round"], unlisted["kind"]]), json!(["key", 2, "certificate"]));
    let record = world.open_records().remove(0);
    let record = world.work.blob(JOBS, &record).expect("it is stored").metadata;
    let record = record.iter().find(|(name, _)| name.as_str() == "job").expect("a record").1.clone();
    let record: serde_json::Value = serde_json::from_str(&record).expect("it is JSON");
    assert_eq!(record["left_out"]["kinds"], json!(["certificate"]));
    // The open one lists the certificates in its next round.
    world.at(NIGHT + DAY + MINUTE * 6);
    world.settle().await;
    let header = world.newest("kv-a").header;
    assert_eq!(json!([header["listed_late"][0]["kind"], header["unlisted"]]), json!(["certificate", null]));
    assert_rebuilt(&world).await;
}
