//! A copy of an HSM's backup, brought back by a person and restored from.

use std::process::Output;

use keyvault_backup_emulator::{Entry, FaultKind, Forbidden, Matcher, Operation, Rights};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    hsm_copies::Copying,
    hsm_world::LANDING,
    world::{BACKUPS, PERSON},
};

const BACK: [&str; 4] = ["hsm", "copy-back", "--hsm", "hsm-a"];

/// An HSM whose backup was copied, a person who may add where HSMs restore from, and a disaster: the folder is gone.
async fn lost() -> Copying {
    let copying = Copying::new().await;
    assert!(copying.pass().await.succeeded());
    let rights = Rights::of("person", "landing").with("blobs/add/action");
    copying.of.landing.give(PERSON, rights);
    for name in copying.of.landing.blobs(LANDING) {
        assert!(copying.of.landing.delete_blob(LANDING, &name));
    }
    copying
}

impl Copying {
    async fn bring_back(&self) -> Output {
        self.of.world.cli(&[&BACK[..], &["-o", "json"]].concat()).await
    }

    /// The blobs under `restored/`, by their names below the folder.
    fn restored(&self) -> std::collections::BTreeMap<String, Vec<u8>> {
        let bytes = |name: &String| self.of.landing.blob(LANDING, name).expect("it is stored").bytes.to_vec();
        let names = self.of.landing.blobs(LANDING).into_iter();
        let names = names.filter(|name| name.starts_with("restored/"));
        names.map(|name| (name.splitn(3, '/').last().expect("a name").to_owned(), bytes(&name))).collect()
    }

    fn run(&self) -> String {
        self.of.records("hsm-a")[0]["run"].as_str().expect("a run").to_owned()
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[tokio::test]
async fn a_copy_is_brought_back_byte_for_byte_and_an_hsm_is_restored_from_it() {
    let mut lost = lost().await;
    let before = lost.of.state();
    let back = lost.bring_back().await;
    assert!(back.status.success(), "{back:?}");
    assert_eq!(lost.restored(), lost.copied());
    let (said, folder) = (json(&back), lost.records()[0]["folder"].as_str().expect("a folder").to_owned());
    assert_eq!(said["folder"], json!(format!("restored/{folder}")), "{said}");
    assert_eq!((&said["added"], &said["request"]["restored"]), (&said["blobs"], &json!(true)), "{said}");

    let trail = lost.of.world.json(&["audit", "list"]).await;
    let told = trail["records"].as_array().expect("a list");
    assert!(
        told.iter().any(|of| of["event"] == "hsm-copy-back" && of["run"] == lost.run().as_str()),
        "{trail}"
    );
    assert!(lost.of.world.cli(&["audit", "verify"]).await.status.success());

    let command = said["command"].as_str().expect("a command").to_owned();
    let words: Vec<_> = command.split_whitespace().skip(1).chain(["-o", "json"]).collect();
    let shown = json(&lost.of.world.cli(&words).await);
    assert_eq!(
        (&shown["folder"], &shown["contents"]["state"]),
        (&said["folder"], &json!("asRecorded")),
        "{shown}"
    );

    lost.of.wreck();
    let mut request = said["request"].clone();
    let (plan, report) = lost.of.restored(request.take()).await;
    assert_eq!(
        (&plan["folder"], &report["state"]),
        (&said["folder"], &json!("Succeeded")),
        "{plan} {report}"
    );
    assert_eq!(lost.of.state(), before);
}

#[tokio::test]
async fn single_keys_are_restored_from_a_copy() {
    let mut lost = lost().await;
    let key = lost.of.hsm.keys();
    assert!(lost.bring_back().await.status.success());
    lost.of.lose("signing");
    let request = json!({ "source": "hsm-a", "scope": "hsm", "run": lost.run(), "restored": true, "keys": ["signing"] });
    let (_, report) = lost.of.restored(request).await;
    assert_eq!(report["state"], "Succeeded", "{report}");
    assert_eq!(lost.of.hsm.keys(), key);
}

#[tokio::test]
async fn what_is_brought_back_is_taken_for_no_backup_and_is_not_let_go() {
    let mut lost = lost().await;
    assert!(lost.bring_back().await.status.success());
    let restored = lost.restored();
    // A night whose start is not answered searches for the folder that appears.
    let at = lost.of.world.azure.clock().now() + Duration::DAY;
    lost.of.world.at(at);
    lost.of.world.fault(Matcher::from(Operation::StartBackup), FaultKind::ResetAfter);
    lost.of.fire_now().await;
    lost.of.settle().await;
    let record = &lost.of.records("hsm-a")[0];
    let path = record["folder"]["path"].as_str().expect("a folder");
    assert!(path.starts_with("mhsm-hsm-a-") && record["found"] == true, "{record}");
    for days in [40, 50] {
        lost.of.world.at(at + Duration::days(days));
        let now = lost.of.world.azure.clock().now();
        let fired = lost.keeper.fire("ApplyRetention", keyvault_backup_emulator::host::Firing::at(now)).await;
        assert!(fired.succeeded(), "{fired:?}");
    }
    assert_eq!(lost.restored(), restored);
}

#[tokio::test]
async fn bringing_a_copy_back_twice_or_after_a_kill_changes_nothing_that_is_there() {
    let lost = lost().await;
    let mut died = 0;
    for at in 0..30 {
        let met = lost.of.world.trap(at, FaultKind::Hang);
        let output = tokio::select! {
            output = lost.bring_back() => Some(output),
            () = met.notified() => None,
        };
        lost.of.world.azure.faults().clear();
        died += usize::from(output.is_none());
        let copied = lost.copied();
        assert!(lost.restored().iter().all(|(name, bytes)| copied[name] == *bytes));
        if let Some(output) = output {
            assert!(output.status.success(), "{output:?}");
            break;
        }
    }
    assert!(died > 4, "{died}");
    assert_eq!(lost.restored(), lost.copied());
    let mark = lost.of.world.azure.requests().mark();
    let again = lost.bring_back().await;
    assert_eq!(json(&again)["added"], 0);
    let landing = |of: &Entry| of.host.starts_with("landing.") && of.method == "PUT";
    assert!(!lost.of.world.azure.requests().since(mark).iter().any(landing), "nothing is written again");
}

#[tokio::test]
async fn a_copy_that_cannot_be_brought_back_says_why() {
    type Change = fn(&Copying);
    let changes: [(&str, Change); 5] = [
        ("is not as it was recorded", |lost| {
            let copies = lost.of.world.stored_below("hsm-copies/hsm-a/blobs/");
            let name = copies.keys().next().expect("a copy");
            lost.of.world.backups.damage_blob(BACKUPS, name, |blob| blob.content_md5 = Some([7; 16]));
        }),
        ("copy of that backup of HSM hsm-a is on record", |lost| {
            let records = lost.of.world.stored_below("hsm-copies/hsm-a/records/");
            let name = records.keys().next().expect("a record");
            lost.of.world.backups.delete_blob(BACKUPS, name);
        }),
        ("is not the copy: backup has 4 bytes", |lost| {
            let folder = lost.records()[0]["folder"].as_str().expect("a folder").to_owned();
            lost.of.landing.put_blob(LANDING, &format!("restored/{folder}/backup"), "junk", &[]);
        }),
        ("AuthorizationPermissionMismatch", |lost| {
            lost.of.landing.take_rights(PERSON);
            lost.of.landing.give(PERSON, Rights::of("person", "landing"));
        }),
        ("AuthorizationFailure", |lost| {
            let writes = Matcher::from(Operation::PutBlobFromUrl).host("landing");
            lost.of.world.fault(writes, FaultKind::Forbidden(Forbidden::ByFirewall));
        }),
    ];
    for (says, change) in changes {
        let lost = lost().await;
        change(&lost);
        let output = lost.of.world.cli(&BACK).await;
        let said = String::from_utf8_lossy(&output.stderr);
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!output.status.success() && flat.contains(says), "{says}: {said}");
    }
}

#[tokio::test]
async fn a_restore_from_what_was_not_brought_back_is_refused() {
    let mut lost = lost().await;
    let request =
        json!({ "source": "hsm-a", "scope": "hsm", "run": lost.run(), "restored": true, "everything": true });
    let plan = lost.of.world.plan(request.clone()).await;
    assert_eq!(plan["obstacle"]["name"], "not-brought-back", "{plan}");
    assert!(lost.bring_back().await.status.success());
    let name = lost.of.landing.blobs(LANDING).pop().expect("a blob");
    lost.of.landing.delete_blob(LANDING, &name);
    let plan = lost.of.world.plan(request.clone()).await;
    assert_eq!(plan["obstacle"]["name"], "folder-incomplete", "{plan}");
    let mut unnamed = request;
    unnamed.as_object_mut().expect("an object").remove("run");
    let answer = lost.of.world.post("/api/restores/plan", unnamed).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}
