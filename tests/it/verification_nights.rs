//! Many nights of retention, holds, faults and kills: where nothing is wrong, verification finds nothing.

use fastrand::Rng;
use keyvault_backup_emulator::{FaultKind, SecretSpec, host::Firing};
use serde_json::Value;
use time::Duration;

use crate::{
    faults::passing_faults,
    retention::{Kept, STEP},
    rounds_nights::Trap,
    world::NIGHT,
};

impl Kept {
    /// A pass of the keeper an hour later. In one of four its process dies.
    async fn rough_pass(&self, function: &str, dice: &mut Rng) {
        let now = self.now() + Duration::HOUR;
        self.world.at(now);
        if dice.u8(..4) > 0 {
            self.keeper.fire(function, Firing::at(now)).await;
            return;
        }
        let trap = Trap::after(&self.world, dice.usize(..80));
        tokio::select! {
            _ = self.keeper.fire(function, Firing::at(now)) => {}
            () = trap.met() => self.keeper.restart().await.expect("it starts again"),
        }
    }

    /// Once in twelve nights a person sets a hold on a secret, and releases it two nights later.
    async fn rough_hold(&self) {
        let secret = format!("secret-{}", self.nights / 12 % 6);
        let args = match self.nights % 12 {
            1 => vec!["hold", "set", "--secret", &secret],
            3 => vec!["hold", "release"],
            _ => return,
        };
        let ticket = ["--vault", "kv-a", "--ticket", "INC-1", "--reason", "an inquiry"];
        let output = self.world.cli(&[&args[..], &ticket].concat()).await;
        assert!(output.status.success(), "{output:?}");
    }

    async fn rough_night(&mut self, dice: &mut Rng) {
        // A refused token ends a pass of the keeper, and one call in twenty would end nearly all of them.
        let faults = passing_faults().into_iter().filter(|of| !matches!(of, FaultKind::Unauthorized));
        self.world.azure.faults().random(0.05, dice.u64(..), faults);
        self.nights += 1;
        self.world.vault.put_secret("secret-0", SecretSpec::new(format!("value of {}", self.nights)));
        self.world.fire_with_retries(NIGHT + Duration::days(STEP * (self.nights - 1))).await;
        self.world.settle().await;
        self.rough_pass("ApplyRetention", dice).await;
        self.rough_pass("VerifyBackups", dice).await;
        self.rough_pass("AdvanceJobs", dice).await;
        self.world.azure.faults().clear();
        self.rough_hold().await;
    }
}

async fn nights(count: usize, seed: u64) {
    let (mut kept, mut dice) = (Kept::with(6, "within=30 months=0").await, Rng::with_seed(seed));
    for _ in 0..count {
        kept.rough_night(&mut dice).await;
    }
    assert_eq!(kept.verify().await, [] as [Value; 0]);
    let records = kept.world.stored_below("verifications/vaults/kv-a/");
    assert!(records.len() > count / 2, "{} passes came to their end", records.len());
    for (name, record) in records {
        let record: Value = serde_json::from_slice(&record).expect("JSON");
        assert_eq!(record["findings"].as_array().map_or(0, Vec::len), 0, "{name}: {record}");
    }
    assert!(kept.backups_of("secret-5").len() < count, "retention has deleted some");
}

#[tokio::test]
async fn retention_holds_faults_and_kills_make_no_findings() {
    nights(12, 1).await;
}

#[tokio::test]
#[ignore = "takes minutes: cargo test --test it -- --ignored sixty_nights"]
async fn sixty_nights_of_retention_holds_faults_and_kills_make_no_findings() {
    nights(60, 2).await;
}
