//! The record of a day, with everything that it can have.

use serde_json::{Value, json};

use super::thaw;
use crate::world::World;

#[tokio::test]
async fn the_record_of_a_day_is_read() {
    let mut world = World::new().await;
    thaw(&world, "v1-evidence");
    let report = world.ok("/api/status/evidence?from=2026-01-10&to=2026-01-10").await;
    let rows = |name: &str| report[name].as_array().map_or(0, Vec::len);
    let names =
        ["sources", "failures", "accepted", "events", "policies", "holds", "letGo", "coverage", "heads"];
    assert_eq!(names.map(rows), [2, 5, 1, 2, 2, 1, 1, 2, 1], "{report}");
    let at = |pointer: &str| report.pointer(pointer).unwrap_or(&Value::Null).clone();
    for (pointer, expected) in [
        ("/unnamed", json!(7)),
        ("/days/0/made", json!("2026-01-11T04:00:07Z")),
        ("/days/0/retentionApplied", json!("2026-01-10T04:00:12Z")),
        ("/days/0/trailRecords", json!(5)),
        ("/sources/0/worstGapSeconds", json!(90_000)),
        ("/sources/0/protected", json!(8)),
        ("/sources/0/verification/read", json!(2)),
        ("/sources/0/runs/partiallyFailed", json!(1)),
        ("/sources/1/kind", json!("hsm")),
        ("/sources/1/uncoveredDays", json!(1)),
        ("/accepted/0/reason", json!("Schlüssel zieht um")),
        ("/events/1/by/name", json!("Ada")),
        ("/holds/0/ticket", json!("INC-4711")),
        ("/letGo/0/runs/0", json!("20251201T020000Z-nightly")),
        ("/coverage/0/numbers/gone", json!(1)),
        ("/coverage/0/unread/0", json!("the summary of run 20260109T020000Z-nightly")),
        ("/policies/1/policy", Value::Null),
    ] {
        assert_eq!(at(pointer), expected, "{pointer} in {report}");
    }
    let became: Vec<_> =
        report["failures"].as_array().expect("a list").iter().map(|of| &of["became"]).collect();
    for expected in ["open", "accepted", "gone", "backed-up"] {
        assert!(became.iter().any(|became| *became == expected), "{expected} in {became:?}");
    }
}
