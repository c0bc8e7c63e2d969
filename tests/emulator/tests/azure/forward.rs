//! Hosts that somebody else serves.

use keyvault_backup_emulator::Azure;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[tokio::test]
async fn a_tunnel_leads_to_the_server_that_was_named() {
    let azure = Azure::start().await.unwrap();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    azure.forward("Backups.blob.core.windows.net", server.local_addr().unwrap());
    let mut client = TcpStream::connect(azure.proxy_url().trim_start_matches("http://")).await.unwrap();
    client.write_all(b"CONNECT backups.blob.core.windows.net:443 HTTP/1.1\r\n\r\n").await.unwrap();
    let (mut other, _) = server.accept().await.unwrap();
    other.write_all(b"hello").await.unwrap();
    drop(other);
    let mut seen = String::new();
    client.read_to_string(&mut seen).await.unwrap();
    assert!(seen.starts_with("HTTP/1.1 200 ") && seen.ends_with("\r\n\r\nhello"), "{seen}");
}

#[tokio::test]
async fn a_certificate_for_another_server_is_of_the_same_authority() {
    let azure = Azure::start().await.unwrap();
    let (chain, key) = azure.certificate(&["a.example".to_owned(), "b.example".to_owned()]).unwrap();
    assert!(chain.ends_with(&std::fs::read_to_string(azure.ca_pem_path()).unwrap()));
    assert!(key.contains("PRIVATE KEY"));
}
