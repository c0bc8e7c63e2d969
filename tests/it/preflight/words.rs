//! What a service's words lead to: the cause, the words whole, and what to do.

use keyvault_backup_emulator::{FaultKind, Operation};
use serde_json::{Value, json};

use super::{healthy, only};
use crate::{hsm_world::HsmWorld, world::World};

/// An error as Key Vault writes it.
fn said(status: u16, code: &str, message: &str) -> FaultKind {
    let body = json!({ "error": { "code": code, "message": message } }).to_string();
    FaultKind::Body { status, content_type: "application/json", body }
}

fn texts(found: &Value) -> [&str; 2] {
    ["seen", "remedy"].map(|field| found[field].as_str().expect("a text"))
}

async fn refused(status: u16, code: &str, message: &str) -> (World, String) {
    let world = healthy().await;
    for operation in [Operation::ListSecrets, Operation::ListKeys, Operation::ListCertificates] {
        world.fault(operation, said(status, code, message));
    }
    (world, message.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[tokio::test]
async fn a_firewall_that_names_the_address_in_brackets_is_a_firewall() {
    for message in [
        "Client address (203.0.113.7) is not authorized and caller is not a trusted service.",
        "Client address is not authorized and caller is not a trusted service.\r\nClient address: 203.0.113.7\r\nCaller: x",
    ] {
        let (world, whole) = refused(403, "Forbidden", message).await;
        let found = only(&world, "network-closed").await;
        let [seen, remedy] = texts(&found);
        assert!(seen.contains(&whole) && remedy.ends_with("--ip-address 203.0.113.7"), "{found}");
    }
}

#[tokio::test]
async fn a_token_of_another_tenant_is_not_a_missing_one() {
    for message in [
        "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/a/, found https://sts.windows.net/b/.",
        "Issuer validation failed. Issuer did not match.",
    ] {
        let (world, whole) = refused(401, "Unauthorized", message).await;
        let found = only(&world, "other-tenant").await;
        let [seen, remedy] = texts(&found);
        assert!(seen.contains(&whole) && remedy.contains("az login --tenant"), "{found}");
    }
}

#[tokio::test]
async fn a_right_that_is_too_new_is_waited_for() {
    for hint in ["please observe propagation time.", "it may take up to ten minutes."] {
        let message = format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
             definitions were changed recently, {hint}"
        );
        let (world, whole) = refused(403, "Forbidden", &message).await;
        let found = only(&world, "cannot-list").await;
        let [seen, remedy] = texts(&found);
        assert!(seen.ends_with(&whole) && remedy.contains("wait and check again"), "{found}");
    }
}

#[tokio::test]
async fn an_hsm_that_keeps_the_address_out_wants_no_role() {
    for message in [
        "Client address (203.0.113.7) is not authorized and caller is not a trusted service.",
        "The caller is not a trusted service.",
    ] {
        let of = HsmWorld::new().await;
        for operation in [Operation::CheckBackup, Operation::CheckRestore] {
            of.world.fault(operation, said(403, "AccessDenied", message));
        }
        let report = super::preflight(&of.world).await.1;
        let names = super::names(&report);
        assert!(names.contains(&"network-closed") && !names.contains(&"hsm-role-missing"), "{report:#}");
    }
}
