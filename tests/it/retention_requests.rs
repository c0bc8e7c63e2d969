//! What retention costs the app that backs up: nothing.

use std::collections::HashMap;

use keyvault_backup_emulator::{Operation, SecretSpec};
use time::Duration;

use crate::{
    retention::{Kept, STEP},
    world::{NIGHT, World},
};

/// How many requests of each kind a night made.
type Requests = HashMap<(String, Operation), usize>;

impl World {
    /// A night of which the requests are counted, by account and operation.
    async fn counted_night(&mut self, number: i64) -> Requests {
        self.vault.put_secret("secret-0", SecretSpec::new(format!("value of {number}")));
        let mark = self.azure.requests().mark();
        self.night(NIGHT + Duration::days(STEP * number)).await;
        let mut counted = Requests::new();
        for entry in self.azure.requests().since(mark) {
            *counted.entry((entry.host.to_string(), entry.operation)).or_default() += 1;
        }
        counted
    }
}

#[tokio::test]
async fn a_night_costs_the_same_requests_with_a_keeper_as_without() {
    let mut alone = World::with_secrets(3).await;
    alone.set("KEYVAULT_BACKUP_INTERVAL_HOURS", "300");
    let mut kept = Kept::with(3, "within=30 months=0").await;
    let mut nights = Vec::new();
    for number in 0..12 {
        let (without, with) = (alone.counted_night(number).await, kept.world.counted_night(number).await);
        assert_eq!(with, without, "night {number}");
        kept.pass().await;
        nights.push(with);
    }
    assert!(kept.points() < 12, "points were let go meanwhile: {}", kept.points());
    let total = |night: &Requests| night.values().sum::<usize>();
    assert!(nights.iter().all(|night| total(night) > 10), "{nights:?}");
}
