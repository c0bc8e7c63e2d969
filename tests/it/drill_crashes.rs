//! The keeper dies at any request of a drill. The drill vault is empty afterwards, and the source as it was.

use keyvault_backup_emulator::{Delays, FaultKind};

use crate::drills::Drilling;

/// Kills the keeper at its first request, at its second, and so on, a drill each, until a drill ends before it is killed.
async fn die_at_every_request(how: FaultKind, delays: Delays) -> usize {
    let drilling = Drilling::new().await;
    drilling.world.azure.knobs().set_delays(delays);
    let before = drilling.world.vault.snapshot();
    for at in 0_usize.. {
        let met = drilling.world.trap(at, how.clone());
        let died = tokio::select! {
            () = async { drilling.fire().await; drilling.settle().await } => false,
            () = met.notified() => true,
        };
        drilling.world.azure.faults().clear();
        if died {
            drilling.keeper.restart().await.expect("it starts again");
            drilling.advance(15).await;
            drilling.settle().await;
        }
        drilling.world.pass(10);
        assert!(drilling.is_clean(), "killed at request {at}");
        assert_eq!(drilling.changes_in("kv-a"), [], "killed at request {at}");
        assert_eq!(drilling.world.vault.snapshot().differences(&before), Vec::<String>::new());
        for record in drilling.records() {
            assert_eq!(
                (&record["restore"], &record["cleanup"]),
                (&"Succeeded".into(), &"Done".into()),
                "{at}: {record}"
            );
        }
        if !died {
            return at;
        }
    }
    unreachable!("a drill has an end")
}

#[tokio::test]
async fn a_kill_before_any_request_is_served_leaves_nothing_in_the_drill_vault() {
    assert!(die_at_every_request(FaultKind::Hang, Delays::default()).await > 40);
}

#[tokio::test]
async fn a_kill_after_any_request_was_served_leaves_nothing_in_the_drill_vault() {
    assert!(die_at_every_request(FaultKind::ResetAfter, Delays::default()).await > 40);
}

#[tokio::test]
async fn a_kill_while_the_vault_takes_its_time_leaves_nothing_in_the_drill_vault() {
    assert!(die_at_every_request(FaultKind::Hang, Delays::realistic()).await > 40);
}
