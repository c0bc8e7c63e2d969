//! Lists of a vault that are not as they should be, or hold what cannot be backed up.

use keyvault_backup_emulator::{CertificateSpec, FaultKind, Operation};
use serde_json::{Value, json};

use crate::world::{NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;
const RUN: &str = "20260110T020000Z-nightly";

/// Lets the vault answer for its secrets with this page, whichever is asked for.
fn secrets_are(world: &World, page: &Value) {
    let body = page.to_string();
    world.fault(
        Operation::ListSecrets,
        FaultKind::Body { status: 200, content_type: "application/json", body },
    );
}

/// An answer to every list of secrets that ends the planning, and is over by the next look.
async fn is_refused(page: &Value, text: &str) {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    world.azure.requests().clear();
    secrets_are(&world, page);
    let fired = world.fire(NIGHT + DAY).await;
    assert!(!fired.succeeded() && fired.body.contains(text), "{}", fired.body);
    assert!(world.azure.requests().total(Operation::ListSecrets) <= 2);
    world.azure.faults().clear();
    world.settle().await;
    let numbers = &world.newest("kv-a").summary["numbers"];
    assert_eq!(json!([numbers["listed"], numbers["unchanged"]]), json!([2, 2]));
}

#[tokio::test]
async fn a_list_without_a_value_is_not_that_of_an_empty_vault() {
    is_refused(&json!({}), "BadAnswer").await;
}

#[tokio::test]
async fn a_list_that_leads_back_to_itself_ends() {
    let link = "https://kv-a.vault.azure.net/secrets?api-version=2025-07-01&$skiptoken=again";
    is_refused(&json!({ "value": [], "nextLink": link }), "refers to one that was read before").await;
}

/// As recorded: the token of a managed storage account.
#[tokio::test]
async fn what_the_vault_manages_without_a_certificate_is_skipped_for_another_reason() {
    let mut world = World::new().await;
    world.vault.put_certificate("tls", CertificateSpec::default());
    let managed = |name: &str| {
        let id = format!("{}/secrets/{name}", world.vault.url());
        json!({ "id": id, "managed": true, "attributes": { "enabled": true } })
    };
    secrets_are(&world, &json!({ "value": [managed("account-token"), managed("TLS")] }));
    let summary = world.night(NIGHT).await;
    let numbers = &summary["numbers"];
    assert_eq!(
        json!([summary["verdict"], numbers["listed"], numbers["managed"], numbers["vault_managed"]]),
        json!(["Succeeded", 4, 2, 1])
    );
    assert_eq!(summary["protected"], 1);
    let shown = world.cli(&["show", RUN, "--vault", &world.vault.url()]).await;
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("account-token") && text.contains("1 managed by the vault"), "{text}");
}
