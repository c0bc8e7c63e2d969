//! Starts of HSM operations that are refused: when they are sent again, and what is said of those that fail.

use std::time::Duration;

use keyvault_backup_emulator::{Fault, FaultKind, Operation, host::Firing};
use serde_json::{Value, json};

use crate::{hsm_restores::keys, hsm_world::HsmWorld};

const THROTTLED: FaultKind = FaultKind::Throttled { retry_after: Some(600) };

impl HsmWorld {
    /// When requests of an operation came, by the emulator's clock.
    fn came(&self, operation: Operation) -> Vec<time::OffsetDateTime> {
        let requests = self.world.azure.requests().entries();
        requests.iter().filter(|of| of.operation == operation && of.status != 401).map(|of| of.at).collect()
    }

    /// The second came as long after the first as it was asked to.
    fn assert_left_alone(&self, operation: Operation) {
        let came = self.came(operation);
        assert_eq!(came.len(), 2, "{operation:?} {came:?}");
        let pause = came[1] - came[0];
        assert!((600..=720).contains(&pause.whole_seconds()), "{operation:?} came again after {pause}");
    }

    fn throttle_once(&self, operation: Operation) {
        self.world.azure.faults().add(Fault::on(operation).times(1).reply(THROTTLED));
    }
}

#[tokio::test]
async fn a_backup_begins_when_the_hsm_wants_to_be_asked_again() {
    for operation in [Operation::CheckBackup, Operation::StartBackup] {
        let mut of = HsmWorld::new().await;
        of.throttle_once(operation);
        of.fire().await;
        of.settle().await;
        of.assert_left_alone(operation);
        assert_eq!((&of.records("hsm-a")[0]["verdict"], of.backups_started()), (&json!("Succeeded"), 1));
    }
}

#[tokio::test]
async fn a_restore_begins_when_the_hsm_wants_to_be_asked_again() {
    let everything = json!({ "hsm": "hsm-a", "everything": true });
    for (request, operation) in
        [(everything, Operation::StartRestore), (keys(&["signing"]), Operation::StartKeyRestore)]
    {
        let mut of = HsmWorld::backed_up().await;
        of.lose("signing");
        of.throttle_once(operation);
        let (_, report) = of.restored(request).await;
        assert_eq!(report["state"], "Succeeded", "{report}");
        of.assert_left_alone(operation);
    }
}

/// The terminal looks again every few seconds, the app every minute.
#[tokio::test]
async fn a_start_that_is_refused_is_not_sent_again_before_the_next_look() {
    for reply in [FaultKind::Throttled { retry_after: None }, FaultKind::Unauthorized] {
        let mut of = HsmWorld::backed_up().await;
        of.lose("signing");
        of.world.fault(Operation::StartKeyRestore, reply.clone());
        let plan = of.world.plan(keys(&["signing"])).await;
        of.begin(&plan).await;
        for _ in 0..3 {
            of.world.azure.clock().advance(Duration::from_secs(10));
            let now = of.world.azure.clock().now();
            of.world.host().await.fire("AdvanceJobs", Firing::at(now)).await;
        }
        let asked = of.world.azure.requests().count(|of| of.operation == Operation::StartKeyRestore);
        assert_eq!(asked, 1, "{reply:?}");
        of.minutes(2).await;
        assert!(of.world.azure.requests().count(|of| of.operation == Operation::StartKeyRestore) > asked);
    }
}

#[tokio::test]
async fn a_restore_of_keys_that_fails_says_so_in_the_log_and_in_its_record() {
    let mut of = HsmWorld::backed_up().await;
    of.lose("signing");
    let (_, report) = of.restored(keys(&["signing", "never"])).await;
    let failure = &report["hsm"]["failure"];
    assert_eq!(
        (&report["state"], &failure["code"]),
        (&json!("PartiallyFailed"), &json!("No key versions are updated"))
    );
    assert!(
        failure["text"].as_str().is_some_and(|text| text.contains("1 of 2 keys is not back whole: never")),
        "{failure}"
    );
    let logs = of.world.host().await.logs();
    let line = logs.iter().rfind(|line| line.text.contains("restore.ended")).expect("its end is logged");
    let line: Value = serde_json::from_str(&line.text).expect("it is JSON");
    assert_eq!(
        (&line["level"], &line["failure.code"]),
        (&json!("ERROR"), &json!("No key versions are updated")),
        "{line}"
    );
}
