//! Lists of a vault that are not as they should be.

use keyvault_backup_emulator::{FaultKind, Operation};
use serde_json::{Value, json};

use crate::world::{NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;

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
