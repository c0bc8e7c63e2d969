//! Plans that look at the folder which they name.

use keyvault_backup_emulator::{Fault, FaultKind, Matcher, Operation};
use serde_json::json;

use crate::{
    api::problem,
    hsm_restores::keys,
    hsm_world::{HsmWorld, LANDING, everything},
};

#[tokio::test]
async fn a_plan_says_what_the_folder_holds_and_what_is_missing_refuses_to_replace() {
    let mut of = HsmWorld::backed_up().await;
    let plan = of.world.plan(everything()).await;
    let whole = &plan["contents"];
    assert_eq!((&whole["state"], whole["blobs"].as_u64()), (&json!("asRecorded"), Some(2)), "{plan}");
    assert!(plan["obstacle"].is_null());
    let (head, chunk) = (of.landing.blobs(LANDING)[0].clone(), of.landing.blobs(LANDING)[1].clone());
    of.landing.delete_blob(LANDING, &chunk);
    let moved = of.begin(&plan).await;
    problem(&moved, 409, "plan-moved");
    let plan = of.world.plan(everything()).await;
    assert_eq!(plan["obstacle"]["name"], "folder-incomplete");
    assert!(plan["contents"]["why"].as_str().is_some_and(|why| why.contains("1 blob of")), "{plan}");
    problem(&of.begin(&plan).await, 409, "not-possible");
    of.lose("signing");
    let plan = of.world.plan(keys(&["signing"])).await;
    assert_eq!((&plan["contents"]["state"], plan["obstacle"].is_null()), (&json!("incomplete"), true));
    of.landing.delete_blob(LANDING, &head);
    for request in [everything(), keys(&["signing"])] {
        assert_eq!(of.world.plan(request).await["obstacle"]["name"], "folder-gone");
    }
    let url = of.hsm.url();
    let said = of.world.cli(&["hsm", "restore", "--hsm", &url, "--what-if"]).await;
    assert!(
        said.status.code() == Some(2) && String::from_utf8_lossy(&said.stdout).contains("holds nothing"),
        "{said:?}"
    );
    assert_eq!(of.hsm.starts_sent().restores, 0);
}

#[tokio::test]
async fn a_folder_that_grew_or_cannot_be_looked_at_is_a_warning() {
    let mut of = HsmWorld::backed_up().await;
    let folder = of.landing.blobs(LANDING)[0].split('/').next().expect("a folder").to_owned();
    of.landing.put_blob(LANDING, &format!("{folder}/more"), "sealed", &[]);
    let plan = of.world.plan(everything()).await;
    assert_eq!((&plan["contents"]["state"], plan["obstacle"].is_null()), (&json!("changed"), true), "{plan}");
    let of_the_landing = Matcher::any().operation(Operation::ListBlobs).object(LANDING);
    of.world.azure.faults().add(Fault::on(of_the_landing).reply(FaultKind::Status(403)));
    let plan = of.world.plan(everything()).await;
    assert_eq!((&plan["contents"]["state"], plan["obstacle"].is_null()), (&json!("notSeen"), true), "{plan}");
}
