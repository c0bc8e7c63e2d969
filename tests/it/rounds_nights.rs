//! Many nights of outages, refusals, kills and duplicates: whatever the vault would have given is backed up.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use fastrand::Rng;
use keyvault_backup_emulator::{
    FaultKind, Forbidden, KeySpec, Matcher, Operation, SecretSpec, Service, host::Firing,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

use crate::world::{NIGHT, World};

/// Secrets, and a key.
const OBJECTS: usize = 5;

const LISTS: [Operation; 3] = [Operation::ListSecrets, Operation::ListKeys, Operation::ListCertificates];

/// Requests for the backup of an object, at most: in nine rounds a first message and a copy of it, each with five
/// deliveries.
const BOUND: usize = 9 * 2 * 5;

/// A request that hangs, so that its process can be killed in the middle of it.
pub struct Trap {
    is_armed: Arc<AtomicBool>,
    met: Arc<Notify>,
}

impl Trap {
    /// The request after so many others.
    pub fn after(world: &World, others: usize) -> Self {
        let trap = Self { is_armed: Arc::new(AtomicBool::new(true)), met: Arc::new(Notify::new()) };
        let (is_armed, met, left) =
            (Arc::clone(&trap.is_armed), Arc::clone(&trap.met), AtomicUsize::new(others));
        let matcher = Matcher::any().custom(move |_| {
            let it_is = is_armed.load(Ordering::SeqCst) && left.fetch_sub(1, Ordering::SeqCst) == 0;
            if it_is {
                met.notify_one();
            }
            it_is
        });
        world.fault(matcher, FaultKind::Hang);
        trap
    }

    /// Waits until the request comes.
    pub async fn met(&self) {
        self.met.notified().await;
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.is_armed.store(false, Ordering::SeqCst);
    }
}

impl World {
    /// Lets things go wrong for a while, and says until when: the last round comes later.
    fn trouble(&self, dice: &mut Rng, night: OffsetDateTime) -> OffsetDateTime {
        let refused = || FaultKind::Forbidden(Forbidden::ByRbac);
        match dice.u8(0..8) {
            0 => self.fault(Operation::Backup, FaultKind::Status(501)),
            1 => self.fault(Service::Vault, refused()),
            2 => self.azure.faults().random_for(
                Service::Vault,
                0.3,
                dice.u64(..),
                [refused(), FaultKind::Status(501)],
            ),
            3 => self.azure.faults().random_for(Service::Blob, 0.2, dice.u64(..), [refused()]),
            4 => self.fault(Operation::SendMessage, refused()),
            5 => self.fault(LISTS[dice.usize(0..3)], refused()),
            6 => self.fault(LISTS[dice.usize(0..3)], FaultKind::Status(501)),
            _ => {}
        }
        night + Duration::minutes(dice.i64(1..3 * 60))
    }

    /// One minute, in which the handler may die and messages may come twice.
    async fn rough_minute(&mut self, dice: &mut Rng) {
        let host = self.host().await;
        if dice.u8(..100) < 5 {
            for message in self.messages() {
                host.deliver("BackUpObject", &message, 1).await;
            }
        }
        if dice.u8(..100) >= 3 {
            return self.minutes(1).await;
        }
        let trap = Trap::after(self, dice.usize(0..20));
        tokio::select! {
            () = self.minutes(3) => {}
            () = trap.met() => host.restart().await.expect("it starts again"),
        }
    }

    async fn rough_night(&mut self, night: OffsetDateTime, dice: &mut Rng) {
        self.at(night);
        self.vault.put_key("key", KeySpec::ec("P-256"));
        for number in 1..OBJECTS {
            self.vault.put_secret(&format!("secret-{number}"), SecretSpec::new(format!("of {night}")));
        }
        let (mark, over) = (self.azure.requests().mark(), self.trouble(dice, night));
        let mut troubled = true;
        while self.manifests("kv-a").first().is_none_or(|name| !name.contains(&stamp(night))) {
            let now = self.azure.clock().now();
            assert!(now - night < Duration::hours(20), "the run of {night} is still open");
            if troubled && now >= over {
                self.azure.faults().clear();
                troubled = false;
            }
            if self.open_runs() == 0 {
                let firing = Firing::at(night).past_due(true);
                self.host().await.fire("NightlyVaultBackup", firing).await;
            }
            if now - night > Duration::minutes(25) {
                self.azure.clock().advance(std::time::Duration::from_secs(4 * 60));
            }
            self.rough_minute(dice).await;
        }
        self.azure.faults().clear();
        self.settle().await;
        let summary = self.newest("kv-a").summary;
        assert_eq!(
            (&summary["verdict"], &summary["numbers"]["failed"]),
            (&json!("Succeeded"), &json!(0)),
            "{night}"
        );
        let asked = self.azure.requests().since(mark);
        let asked = asked.iter().filter(|entry| entry.operation == Operation::Backup).count();
        assert!(asked <= OBJECTS * BOUND, "{night}: {asked}");
    }
}

fn stamp(night: OffsetDateTime) -> String {
    format!("{}{:02}{:02}T", night.year(), u8::from(night.month()), night.day())
}

async fn nights(count: i32, seed: u64) {
    let mut world = World::with_secrets(0).await;
    let mut dice = Rng::with_seed(seed);
    for days in 0..count {
        world.rough_night(NIGHT + Duration::DAY * days, &mut dice).await;
    }
    world.assert_protected("kv-a");
    assert_eq!(world.open_runs(), 0);
}

#[tokio::test]
async fn ten_nights_of_trouble_lose_nothing() {
    nights(10, 1).await;
}

#[tokio::test]
#[ignore = "takes minutes: cargo test --test it -- --ignored sixty_nights"]
async fn sixty_nights_of_trouble_lose_nothing() {
    nights(60, 2).await;
}
