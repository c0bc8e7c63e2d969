//! Rights of identities in storage.

use keyvault_backup_emulator::{Azure, Keeping, Rights, StorageHandle, Taken};
use reqwest::Method;

use crate::client::{Answer, Http, answer};

struct Stage {
    _azure: Azure,
    storage: StorageHandle,
    http: Http,
}

impl Stage {
    /// An account with versions, whose only caller has these rights.
    async fn of(rights: Rights) -> Self {
        let azure = Azure::start().await.unwrap();
        let storage = azure.storage("acct");
        storage.create_container("c");
        storage.keep(Keeping { versions: true, deleted_days: Some(7) });
        storage.give("", rights.in_container("c"));
        let http = Http::new(&azure).await;
        Self { _azure: azure, storage, http }
    }

    /// Sends a request, such as `PUT vaults/x?comp=metadata`, and returns its status.
    async fn ask(&self, request: &str) -> Answer {
        let (method, target) = request.split_once(' ').unwrap();
        let url = format!("{}/c/{target}", self.storage.blob_url());
        let mut request = self.http.request(method.parse::<Method>().unwrap(), &url).body("<BlockList/>");
        if method == "PUT" && !target.contains('?') {
            request = request.header("x-ms-blob-type", "BlockBlob");
        }
        if target.contains("legalhold") {
            request = request.header("x-ms-legal-hold", "true");
        }
        answer(request).await
    }

    async fn status(&self, request: &str) -> u16 {
        self.ask(request).await.status.as_u16()
    }
}

#[tokio::test]
async fn each_request_needs_its_own_right() {
    let block = "PUT vaults/x?comp=block&blockid=MQ==";
    let requests = [
        "GET vaults/x",
        "HEAD vaults/x",
        "PUT vaults/new",
        "PUT vaults/x",
        block,
        "PUT vaults/x?comp=blocklist",
        "PUT vaults/x?comp=metadata",
        "PUT vaults/x?comp=legalhold",
        "DELETE vaults/x",
        "PUT vaults/x?comp=undelete",
    ];
    for (identity, account, expected) in [
        ("backup", "backups", [200, 200, 201, 409, 403, 403, 403, 403, 403, 403]),
        ("restore", "backups", [200, 200, 403, 403, 403, 403, 403, 403, 403, 403]),
        ("keeper", "backups", [200, 200, 403, 403, 403, 403, 403, 403, 202, 403]),
        ("backup", "landing", [200, 200, 403, 403, 403, 403, 403, 403, 403, 403]),
        ("hsm", "landing", [200, 200, 201, 201, 201, 201, 200, 403, 202, 200]),
    ] {
        let stage = Stage::of(Rights::of(identity, account)).await;
        stage.storage.put_blob("c", "vaults/x", "kept", &[]);
        let mut found = Vec::new();
        for request in requests {
            found.push(stage.status(request).await);
        }
        assert_eq!(found, expected, "{identity} in {account}");
    }
}

#[tokio::test]
async fn a_version_goes_with_a_right_of_its_own() {
    for (identity, blob, version) in [("hsm", 202, 403), ("keeper", 202, 202), ("backup", 403, 403)] {
        let account = if identity == "hsm" { "landing" } else { "backups" };
        let stage = Stage::of(Rights::of(identity, account)).await;
        for bytes in ["one", "two"] {
            stage.storage.put_blob("c", "vaults/x", bytes, &[]);
        }
        let old = stage.storage.versions("c", "vaults/x")[0].version.clone().unwrap();
        assert_eq!(stage.status(&format!("DELETE vaults/x?versionid={old}")).await, version, "{identity}");
        assert_eq!(stage.status("DELETE vaults/x").await, blob, "{identity}");
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_answered_as_the_test_says() {
    let stage = Stage::of(Rights::of("backup", "backups")).await;
    assert_eq!(stage.status("PUT vaults/x").await, 201);
    for (taken, code) in
        [(Taken::Conflict, "BlobAlreadyExists"), (Taken::Forbidden, "AuthorizationPermissionMismatch")]
    {
        stage.storage.set_taken(taken);
        assert_eq!(stage.ask("PUT vaults/x").await.code(), code);
        assert_eq!(stage.ask("PUT elsewhere").await.code(), "AuthorizationPermissionMismatch");
    }
    assert_eq!(stage.storage.versions("c", "vaults/x").len(), 1);
}

#[tokio::test]
async fn where_anybody_has_rights_nobody_else_has_any() {
    let stage = Stage::of(Rights::of("person", "backups")).await;
    assert_eq!(stage.status("PUT x").await, 201);
    stage.storage.take_rights("");
    assert_eq!((stage.status("GET x").await, stage.status("PUT y").await), (403, 403));
}
