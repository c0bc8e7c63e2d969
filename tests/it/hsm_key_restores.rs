//! Restores of keys out of a Managed HSM's backup.

use keyvault_backup_emulator::{Fault, FaultKind, Forbidden, KeySpec, Matcher, Operation};
use serde_json::json;

use crate::{api::problem, hsm_restores::keys, hsm_world::HsmWorld};

#[tokio::test]
async fn a_purged_key_comes_back() {
    let mut of = HsmWorld::backed_up().await;
    let before = of.state();
    of.lose("signing");
    let (plan, report) = of.restored(keys(&["signing"])).await;
    assert_eq!(
        (&plan["keys"][0]["held"], &plan["safetyBackup"]["state"]),
        (&json!("nothing"), &json!("notNeeded"))
    );
    let key = &report["keys"][0];
    assert_eq!((&report["state"], &key["outcome"]), (&json!("Succeeded"), &json!("restored")), "{report}");
    assert!(key["restored"].as_u64().is_some_and(|count| count > 0));
    of.assert_restored(&before);
}

#[tokio::test]
async fn keys_that_are_there_are_said_in_the_plan_and_count_as_failed() {
    let mut of = HsmWorld::new().await;
    for key in ["gone", "deleted", "live"] {
        of.hsm.put_key(key, KeySpec::rsa(2048));
    }
    of.fire().await;
    of.settle().await;
    of.world.today();
    of.lose("gone");
    of.hsm.delete_key("deleted").expect("it is deleted");
    let (plan, report) = of.restored(keys(&["gone", "deleted", "live", "never"])).await;
    let held: Vec<_> =
        plan["keys"].as_array().expect("a list").iter().map(|key| key["held"].clone()).collect();
    assert_eq!(held, ["softDeleted", "nothing", "live", "nothing"], "deleted, gone, live, never");
    let outcome = |name: &str| {
        let keys = report["keys"].as_array().expect("a list");
        keys.iter().find(|key| key["name"] == name).expect("it was asked for").clone()
    };
    assert_eq!(
        (&report["state"], &outcome("gone")["outcome"]),
        (&json!("PartiallyFailed"), &json!("restored"))
    );
    for (name, code) in
        [("deleted", "NameTaken"), ("live", "NameTaken"), ("never", "No key versions are updated")]
    {
        assert_eq!(outcome(name)["failure"]["code"], code, "{report}");
    }
    assert_eq!(of.hsm.starts_sent().key_restores, 2);
}

#[tokio::test]
async fn a_plan_of_keys_that_are_all_there_cannot_be_carried_out() {
    let mut of = HsmWorld::backed_up().await;
    let plan = of.world.plan(keys(&["signing"])).await;
    assert_eq!(
        (&plan["obstacle"]["name"], &plan["keys"][0]["restored"]),
        (&json!("no-key-is-free"), &json!(false))
    );
    problem(&of.begin(&plan).await, 409, "not-possible");
    assert_eq!(of.hsm.starts_sent().key_restores, 0);
}

#[tokio::test]
async fn success_that_overwrites_nothing_is_none() {
    let mut of = HsmWorld::backed_up().await;
    of.lose("signing");
    let plan = of.world.plan(keys(&["signing"])).await;
    let hsm = of.hsm.clone();
    of.world.when(Operation::StartKeyRestore, move || drop(hsm.put_key("signing", KeySpec::rsa(2048))));
    let begun = of.begin(&plan).await;
    let report = of.followed(&begun).await;
    let key = &report["keys"][0];
    assert_eq!((&report["state"], &key["outcome"]), (&json!("Failed"), &json!("notOverwritten")), "{report}");
    assert_eq!((&key["restored"], &key["notOverwritten"]), (&json!(0), &json!(2)));
}

#[tokio::test]
async fn an_identity_that_may_not_look_at_keys_may_restore_them() {
    let mut of = HsmWorld::backed_up().await;
    of.lose("signing");
    let forbidden = || FaultKind::Forbidden(Forbidden::ByRbac);
    for operation in [Operation::ListDeleted, Operation::ListVersions] {
        of.world.fault(Matcher::from(operation).host("hsm-a"), forbidden());
    }
    let (plan, report) = of.restored(keys(&["signing"])).await;
    assert_eq!((&plan["keys"][0]["held"], &report["state"]), (&json!("unknown"), &json!("Succeeded")));
}

/// What was asked in vain about one key is not held against the start of the next.
#[tokio::test]
async fn a_key_after_one_of_which_nothing_was_heard_has_its_own_time_to_begin() {
    let mut of = HsmWorld::new().await;
    of.hsm.put_key("second", KeySpec::rsa(2048));
    of.fire().await;
    of.settle().await;
    of.world.today();
    for key in ["signing", "second"] {
        of.lose(key);
    }
    let forbidden = FaultKind::Forbidden(Forbidden::ByRbac);
    let faults = of.world.azure.faults();
    faults.add(Fault::on(Operation::RestoreStatus).times(30).reply(FaultKind::NotFound));
    faults.add(Fault::on(Operation::StartKeyRestore).after(1).times(5).reply(forbidden));
    let (_, report) = of.restored(keys(&["signing", "second"])).await;
    let outcomes = report["keys"].as_array().expect("a list").iter().map(|key| &key["outcome"]);
    let outcomes: Vec<_> = outcomes.collect();
    assert_eq!(outcomes, ["failed", "restored"], "{report}");
}

#[tokio::test]
async fn single_keys_are_restored_like_those_of_a_vault() {
    let mut of = HsmWorld::new().await;
    of.world.set("KEYVAULT_BACKUP_HSM_KEYS", "hsm-a/signing");
    of.fire().await;
    of.world.settle().await;
    of.settle().await;
    of.world.today();
    let before = of.state();
    let listed = of.world.ok("/api/backups?source=hsm-a&kind=key").await;
    assert_eq!(listed["backups"][0]["name"], "signing");
    of.lose("signing");
    let request = json!({ "source": "hsm-a", "objects": [{ "kind": "key", "name": "signing" }] });
    let plan = of.world.plan(request).await;
    let done = of.world.begin(&plan).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("Succeeded")), "{}", done.text());
    of.assert_restored(&before);
}
