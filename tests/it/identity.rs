//! The three identities, each as its surroundings offer it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use keyvault_backup_emulator::{Rights, Service};
use serde_json::json;

use crate::world::{JOBS, World};

const CLIENT: &str = "6f2b1c9e-0000-4000-8000-000000000001";

async fn backs_up(world: &World, caller: &str) {
    world.backups.give(caller, Rights::of("person", "backups"));
    world.work.give(caller, Rights::of("person", "host").in_container(JOBS));
    let output = world.cli(&["backup", "--vault", &world.vault.url()]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn callers(world: &World) -> Vec<String> {
    let entries = world.azure.requests().entries();
    let mut callers: Vec<_> = entries
        .iter()
        .filter(|entry| entry.service == Service::Vault && entry.status == 200)
        .map(|entry| entry.caller.to_string())
        .collect();
    callers.dedup();
    callers
}

#[tokio::test]
async fn a_user_assigned_identity_is_asked_for_by_its_client_id() {
    let mut world = World::with_secrets(1).await;
    world.set("KEYVAULT_BACKUP_CLIENT_ID", CLIENT);
    backs_up(&world, CLIENT).await;
    assert_eq!(callers(&world), [CLIENT]);
}

#[tokio::test]
async fn a_federated_token_is_exchanged() {
    let mut world = World::with_secrets(1).await;
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    fs::write(&token, "a.federated.token").expect("it is written");
    world.env.retain(|(name, _)| !name.starts_with("IDENTITY_"));
    world.set("AZURE_FEDERATED_TOKEN_FILE", token.to_str().expect("a path"));
    world.set("AZURE_TENANT_ID", "11111111-aaaa-4aaa-8aaa-111111111111");
    world.set("AZURE_CLIENT_ID", CLIENT);
    backs_up(&world, CLIENT).await;
    assert_eq!(callers(&world), [CLIENT]);
}

#[tokio::test]
async fn whoever_is_signed_in_to_az_is_used_on_a_laptop() {
    let mut world = World::with_secrets(1).await;
    let identity = world.azure.identity();
    let token = |audience| {
        let token = identity.issue(audience, Some("someone"));
        json!({ "accessToken": token, "expires_on": 4_000_000_000_u32, "tokenType": "Bearer" })
    };
    let (vault, storage) = (token("https://vault.azure.net"), token("https://storage.azure.com"));
    let folder = tempfile::tempdir().expect("a folder");
    let az = folder.path().join("az");
    let script =
        format!("#!/bin/sh\ncase \"$*\" in *vault*) echo '{vault}' ;; *) echo '{storage}' ;; esac\n");
    fs::write(&az, script).expect("it is written");
    fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).expect("it can be run");
    world.env.retain(|(name, _)| !name.starts_with("IDENTITY_"));
    world.set("PATH", &format!("{}:/usr/bin:/bin", folder.path().display()));
    backs_up(&world, "someone").await;
    assert_eq!(callers(&world), ["someone"]);
}
