//! A vault with a limit of its own.

use keyvault_backup_emulator::{Operation, RateLimit, Service};

use crate::world::{NIGHT, World};

impl World {
    fn refused(&self) -> usize {
        self.azure.requests().count(|entry| entry.service == Service::Vault && entry.status == 429)
    }
}

#[tokio::test]
async fn a_vault_that_is_called_below_its_limit_never_refuses() {
    let mut world = World::with_secrets(60).await;
    world.azure.knobs().set_rate_limit(RateLimit { requests_per_second: 60, retry_after: None });
    world.set("KEYVAULT_BACKUP_VAULT_RATE", "40");
    assert_eq!(world.night(NIGHT).await["verdict"], "Succeeded");
    assert_eq!(world.refused(), 0);
}

#[tokio::test]
async fn a_slow_vault_is_found_out_and_loses_nothing() {
    let mut world = World::with_secrets(30).await;
    world.azure.knobs().set_rate_limit(RateLimit { requests_per_second: 12, retry_after: Some(1) });
    assert_eq!(world.night(NIGHT).await["verdict"], "Succeeded");
    world.assert_protected("kv-a");
    assert!(world.refused() > 0, "the limit was met");
    let served = world.azure.requests().total_with_status(Operation::Backup, 200);
    assert_eq!(served, 30, "nothing was backed up twice");
}
