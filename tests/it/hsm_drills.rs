//! Drills of a Managed HSM, by a person at a terminal.

use std::{
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::future::join_all;
use keyvault_backup_emulator::{Fault, FaultKind, Forbidden, HsmHandle, KeySpec, Matcher, Operation};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    hsm_world::{HsmWorld, LANDING},
    world::{BACKUPS, JOBS},
};

const MARKER: &str = "keyvault-backup-drill-hsm";

const DRILL: [&str; 6] = ["drill", "run", "--hsm", "hsm-a", "--into", "hsm-drill"];

const CONFIRM: [&str; 2] = ["--confirm", "hsm-drill"];

/// An HSM that was backed up, and a drill HSM of its security domain with the marker, at the real time, which the tool goes by.
struct Drilling {
    of: HsmWorld,
    drill: HsmHandle,
}

impl Drilling {
    async fn new() -> Self {
        let mut of = HsmWorld::with(&["hsm-a"]).await;
        of.hsm.add_role_assignment("Crypto User for the shop");
        let drill = of.world.azure.hsm("hsm-drill");
        drill.attach_identity(true);
        drill.grant(&format!("{}/{LANDING}", of.landing.blob_url()));
        drill.set_security_domain(&of.hsm.security_domain());
        drill.put_key(MARKER, KeySpec::rsa(2048));
        for hsm in [&of.hsm, &drill] {
            hsm.set_operation_polls(0);
        }
        of.world.set("KEYVAULT_BACKUP_HSM_DOMAINS", "hsm-a=hsm-drill");
        of.world.set("KEYVAULT_BACKUP_DRILL_HSMS", &format!("hsm-a={}", drill.url()));
        of.world.today();
        of.world.azure.faults().add(Fault::on(Operation::CheckBackup).reply(FaultKind::Status(400)));
        let backup = of.world.cli(&["hsm", "backup", "--hsm", "hsm-a", "--wait"]).await;
        assert!(backup.status.success(), "{backup:?}");
        Self { of, drill }
    }

    async fn run(&self, more: &[&str]) -> Output {
        self.of.world.cli(&[&DRILL[..], more].concat()).await
    }

    /// The records of drills, newest first.
    fn records(&self) -> Vec<Value> {
        let blobs = self.of.world.backups.blobs(BACKUPS).into_iter();
        let names = blobs.filter(|name| name.starts_with("drills/hsms/hsm-a/"));
        let read = |name: String| self.of.world.backups.blob(BACKUPS, &name).expect("it is stored").bytes;
        names.map(|name| serde_json::from_slice(&read(name)).expect("it is JSON")).collect()
    }

    fn open(&self) -> usize {
        self.of.world.work.blobs(JOBS).iter().filter(|name| name.starts_with("hsm-drills/")).count()
    }

    fn names(&self) -> Vec<String> {
        self.drill.keys().objects.into_keys().map(|(_, name)| name).collect()
    }
}

fn said(of: &Output) -> String {
    String::from_utf8_lossy(&of.stderr).into_owned() + &String::from_utf8_lossy(&of.stdout)
}

#[tokio::test]
async fn a_backup_is_restored_into_the_drill_hsm_and_what_that_proves_is_on_record() {
    let drilling = Drilling::new().await;
    let done = drilling.run(&CONFIRM).await;
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(drilling.drill.keys(), drilling.of.hsm.keys());
    let [record] = &drilling.records()[..] else { panic!("{:?}", drilling.records()) };
    assert_eq!((&record["restore"], &record["cleanup"]), (&json!("Succeeded"), &json!("Kept")), "{record}");
    assert_eq!(
        (&record["hsm"]["holds"], &record["hsm"]["check"]["said"]),
        (&json!(["signing"]), &json!("possible"))
    );
    let now = record["hsm"]["now"].as_str().expect("a text");
    assert!(now.contains("holds the keys of hsm-a") && now.contains("to empty it"), "{now}");
    assert!(record["rto_seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{record}");
    assert!(record["not_proven"].as_array().is_some_and(|of| of.len() == 3), "{record}");
    let trail = drilling.of.world.json(&["audit", "list"]).await;
    let events = trail["records"].as_array().expect("a list").iter();
    assert!(events.map(|of| &of["event"]).any(|event| event == "drill-requested"), "{trail}");
    assert_eq!(drilling.open(), 0);
}

#[tokio::test]
async fn the_next_drill_wipes_what_the_last_one_left_and_nothing_else() {
    let drilling = Drilling::new().await;
    assert!(drilling.run(&CONFIRM).await.status.success());
    drilling.of.hsm.put_key("newer", KeySpec::ec("P-256"));
    let again = drilling.run(&CONFIRM).await;
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!((drilling.records().len(), drilling.names()), (2, vec!["signing".to_owned()]));
    drilling.drill.put_key("somebodys", KeySpec::ec("P-256"));
    let refused = drilling.run(&CONFIRM).await;
    assert!(!refused.status.success() && said(&refused).contains("somebodys"), "{}", said(&refused));
    assert_eq!((drilling.records().len(), drilling.names().len()), (2, 2));
}

/// Makes a drill HSM unfit in one of several ways, and returns words of the refusal.
async fn unfit(drilling: &mut Drilling, case: usize) -> &'static str {
    let forget = |of: &mut HsmWorld, name: &str| of.world.env.retain(|(known, _)| !known.ends_with(name));
    match case {
        0 => {
            drilling.drill.delete_key(MARKER).expect("it is deleted");
            drilling.drill.purge_key(MARKER).expect("it is purged");
            MARKER
        }
        1 => {
            drilling.drill.put_key("other", KeySpec::rsa(2048));
            "other"
        }
        2 => {
            forget(&mut drilling.of, "HSM_DOMAINS");
            "security domain"
        }
        3 => {
            forget(&mut drilling.of, "DRILL_HSMS");
            "is not declared"
        }
        4 => {
            let backup = drilling.of.world.cli(&["hsm", "backup", "--hsm", "hsm-drill", "--wait"]).await;
            assert!(backup.status.success(), "{}", said(&backup));
            "is or was a source"
        }
        _ => {
            let refused = FaultKind::Forbidden(Forbidden::ByRbac);
            drilling.of.world.fault(Matcher::from(Operation::ListKeys), refused);
            "cannot be listed"
        }
    }
}

#[tokio::test]
async fn what_is_not_declared_marked_and_empty_is_not_wiped() {
    let cases = (0..6).map(|case| async move {
        let mut drilling = Drilling::new().await;
        let expected = unfit(&mut drilling, case).await;
        let before = (drilling.drill.keys(), drilling.drill.starts_sent().restores);
        let refused = drilling.run(&CONFIRM).await;
        assert!(!refused.status.success() && said(&refused).contains(expected), "{case}: {}", said(&refused));
        assert_eq!((drilling.drill.keys(), drilling.drill.starts_sent().restores), before, "{case}");
        assert_eq!((drilling.open(), drilling.records().len()), (0, 0), "{case}");
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_drill_hsm_is_named_twice_and_a_person_agrees() {
    let drilling = Drilling::new().await;
    for args in [
        &["--into", "hsm-b"][..],
        &["--into", "hsm-drill"],
        &[],
        &["--into", "hsm-drill", "--confirm", "hsm-a"],
    ] {
        let args = [&["drill", "run", "--hsm", "hsm-a"], args].concat();
        assert!(!drilling.of.world.cli(&args).await.status.success(), "{args:?}");
    }
    assert_eq!((drilling.names(), drilling.drill.starts_sent().restores), (vec![MARKER.to_owned()], 0));
}

#[tokio::test]
async fn what_the_service_refuses_before_is_not_begun_and_what_it_refuses_then_is_a_failed_drill() {
    let drilling = Drilling::new().await;
    drilling.of.world.azure.faults().add(Fault::on(Operation::CheckRestore).reply(FaultKind::Status(400)));
    let refused = drilling.run(&CONFIRM).await;
    assert!(!refused.status.success() && drilling.records().is_empty(), "{}", said(&refused));
    drilling.of.world.azure.faults().clear();
    drilling.drill.set_security_domain("another");
    let failed = drilling.run(&CONFIRM).await;
    let [record] = &drilling.records()[..] else { panic!("{}", said(&failed)) };
    let now = record["hsm"]["now"].as_str().expect("a text");
    assert!(record["restore"] == "Failed" && now.contains("may hold"), "{record}");
    assert_eq!(
        (drilling.names(), drilling.open(), failed.status.code()),
        (vec![MARKER.to_owned()], 0, Some(2))
    );
}

/// The requests between which the records of a drill say something else: before and after each of these a terminal dies.
#[tokio::test]
async fn a_terminal_that_dies_is_followed_by_one_that_ends_the_drill() {
    let cases = [
        (Operation::PutBlob, "hsm-drills/hsm-drill", 0, "NotBegun"),
        (Operation::PutBlob, "hsm-plans/", 0, "NotBegun"),
        (Operation::PutBlob, "hsm-drills/hsm-drill", 1, ""),
        (Operation::PutBlob, "drills/hsms/hsm-a/", 0, ""),
        (Operation::DeleteBlob, "hsm-drills/hsm-drill", 0, ""),
    ];
    let deaths =
        cases.into_iter().flat_map(|case| [(case, FaultKind::Hang), (case, FaultKind::Held(Arc::default()))]);
    let deaths = deaths.map(|((operation, name, skip, expected), how)| async move {
        let drilling = Drilling::new().await;
        let met = Arc::new(Notify::new());
        let (notify, seen) = (Arc::clone(&met), AtomicUsize::new(0));
        let matcher = Matcher::from(operation).custom(move |request| {
            let is_it = request.object.contains(name) && seen.fetch_add(1, Ordering::Relaxed) == skip;
            if is_it {
                notify.notify_one();
            }
            is_it
        });
        drilling.of.world.azure.faults().add(Fault::on(matcher).reply(how));
        tokio::select! {
            done = drilling.run(&CONFIRM) => panic!("{operation:?} {name} {skip}: {}", said(&done)),
            () = met.notified() => drilling.of.world.azure.faults().clear(),
        }
        let done = drilling.run(&CONFIRM).await;
        let records = drilling.records();
        assert_eq!((records.len(), drilling.open()), (1, 0), "{operation:?} {name} {skip}: {}", said(&done));
        if records[0]["restore"] != "Succeeded" {
            assert_eq!(records[0]["why"][0]["code"], expected, "{operation:?} {name} {skip}: {}", records[0]);
            assert_eq!(drilling.names(), [MARKER]);
        }
        assert!(drilling.drill.starts_sent().restores <= 1, "{operation:?} {name} {skip}");
    });
    join_all(deaths).await;
}

#[tokio::test]
async fn without_a_drill_hsm_the_record_says_what_was_proven_and_what_not() {
    let mut drilling = Drilling::new().await;
    drilling.of.world.env.retain(|(name, _)| !name.ends_with("DRILL_HSMS"));
    let before = drilling.of.state();
    let looked = drilling.of.world.cli(&["drill", "run", "--hsm", "hsm-a"]).await;
    assert!(looked.status.success(), "{}", said(&looked));
    let [record] = &drilling.records()[..] else { panic!("{:?}", drilling.records()) };
    assert_eq!((&record["restore"], record.get("rto_seconds")), (&json!("NotRestored"), None), "{record}");
    let proven = record["hsm"]["proven"].to_string();
    assert!(proven.contains("what the backup left") && proven.contains("could be restored"), "{proven}");
    assert!(
        record["not_proven"][0].as_str().is_some_and(|of| of.contains("nothing was restored")),
        "{record}"
    );
    assert_eq!(drilling.of.state(), before);

    for name in drilling.of.landing.blobs(LANDING) {
        assert!(drilling.of.landing.delete_blob(LANDING, &name));
    }
    let looked = drilling.of.world.cli(&["drill", "run", "--hsm", "hsm-a"]).await;
    assert_eq!(looked.status.code(), Some(1), "{}", said(&looked));
    let codes: Vec<_> = drilling.records().iter().map(|of| of["why"][0]["code"].clone()).collect();
    assert!(codes.len() == 2 && codes.contains(&json!("folder")), "{codes:?}");
}
