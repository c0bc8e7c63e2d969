//! The record of a pass over the second place, with everything that it can have.

use serde_json::json;

use super::thaw;
use crate::world::World;

#[tokio::test]
async fn the_record_of_a_pass_over_the_second_place_is_read() {
    let mut world = World::new().await;
    thaw(&world, "v1-second");
    world.at(crate::world::NIGHT);
    let status = world.ok("/api/status").await;
    let source = &status["sources"][0];
    assert_eq!(source["secondPlaceBehindSince"], json!("2026-01-08T02:00:10Z"), "{status}");
    let texts: Vec<_> = source["troubles"].as_array().expect("a list").iter().map(|of| &of["text"]).collect();
    assert!(
        texts.contains(&&json!("the second place lacks newer backups of it since 2026-01-08 02:00Z")),
        "{texts:?}"
    );
}
