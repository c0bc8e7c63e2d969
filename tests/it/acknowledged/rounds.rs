//! What fails as a person accepted holds up no run.

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, SecretSpec};
use serde_json::json;
use time::Duration;

use super::{DAY, now};
use crate::world::World;

impl World {
    /// Rotates secrets and refuses their backups from now on.
    fn refuse_backups(&self, names: &[&str]) {
        for name in names {
            self.vault.put_secret(name, SecretSpec::new("rotated"));
            let backup = Matcher::from(Operation::Backup).object(*name);
            self.fault(backup, FaultKind::Forbidden(Forbidden::ByRbac));
        }
    }

    /// A night so many days from now: how long it took, and how often each of these was asked for.
    async fn refused_night(&mut self, days: i32, names: [&str; 2]) -> (Duration, [usize; 2]) {
        let (mark, night) = (self.azure.requests().mark(), now() + DAY * days);
        self.night(night).await;
        let asked = self.azure.requests().since(mark);
        let backups = asked.iter().filter(|entry| entry.operation == Operation::Backup);
        let of = names.map(|name| backups.clone().filter(|entry| entry.object == name).count());
        (self.azure.clock().now() - night, of)
    }
}

#[tokio::test]
async fn an_accepted_failure_that_may_pass_holds_nothing_up() {
    let mut world = World::with_secrets(3).await;
    world.today();
    world.refuse_backups(&["secret-0"]);
    let names = ["secret-0", "secret-1"];
    assert_eq!(world.refused_night(1, names).await.1, [6, 1]);
    assert_eq!(world.accept("secret-0").await["code"], "Forbidden/ForbiddenByRbac");

    let (took, asked) = world.refused_night(2, names).await;
    assert!(took < Duration::minutes(10), "{took}");
    assert_eq!(asked, [1, 0]);
    let numbers = world.newest("kv-a").summary["numbers"].take();
    assert_eq!((&numbers["failed"], &numbers["accepted"]), (&json!(1), &json!(1)));

    world.refuse_backups(&["secret-1"]);
    let (took, asked) = world.refused_night(3, names).await;
    assert!(took > Duration::hours(7), "another one is waited for: {took}");
    assert_eq!(asked, [1, 6]);
}
