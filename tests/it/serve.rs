//! How the handler starts and stops.

use std::{net::TcpListener, process::Stdio, time::Duration};

use crate::world::World;

async fn start(env: &[(String, String)], port: u16) -> std::process::Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_keyvault-backup"));
    command.env_clear().envs(env.iter().cloned()).env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    output.expect("it ends").expect("it starts")
}

#[tokio::test]
async fn without_settings_it_ends_with_a_code_that_the_host_restarts_and_names_them() {
    let output = start(&[], 0).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    for name in ["VAULTS", "CONTAINER", "JOBS_CONTAINER", "QUEUE__queueServiceUri"] {
        assert!(text.contains(&format!("KEYVAULT_BACKUP_{name}: is not set")), "{text}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let world = World::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let output = start(&world.env, port).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("port {port} cannot be bound")));
}

#[tokio::test]
async fn it_answers_before_it_has_called_anybody() {
    let mut world = World::with_secrets(1).await;
    let host = world.host().await;
    assert!(host.start_up() < Duration::from_secs(5), "{:?}", host.start_up());
    assert!(world.azure.requests().entries().is_empty(), "not even for a token");
}

#[tokio::test]
async fn it_listens_on_one_address_of_the_loopback_alone() {
    let mut world = World::new().await;
    let port = world.handler_port().await;
    let reached = async |address: &str| tokio::net::TcpStream::connect((address, port)).await.is_ok();
    assert!(reached("127.0.0.1").await);
    // Whoever listens on all addresses listens on this one, too.
    assert!(!reached("127.0.0.2").await);
}

#[tokio::test]
async fn asked_to_end_it_finishes_and_ends_well() {
    let mut world = World::new().await;
    let pid = world.host().await.pid().expect("it runs").to_string();
    let sent = tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await;
    assert!(sent.expect("kill runs").success());
    let gone = || !std::path::Path::new(&format!("/proc/{pid}/exe")).exists();
    for _ in 0..200 {
        if gone() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it still runs");
}
