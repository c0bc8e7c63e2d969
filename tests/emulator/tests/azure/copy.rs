//! Put Blob From URL.

use keyvault_backup_emulator::{Azure, Rights, StorageHandle};
use reqwest::Method;

use crate::client::{Answer, Http, STORAGE, answer};

struct Stage {
    from: StorageHandle,
    to: StorageHandle,
    http: Http,
    token: String,
    azure: Azure,
}

impl Stage {
    /// Two accounts; the caller may read in the one and add in the other.
    async fn new() -> Self {
        let azure = Azure::start().await.unwrap();
        let (from, to) = (azure.storage("landing"), azure.storage("backups"));
        from.put_blob("hsm-backups", "f/b", "content", &[("k", "v")]);
        to.create_container("backups");
        from.give("", Rights::of("keeper", "landing"));
        to.give("", Rights::of("keeper", "backups"));
        let http = Http::new(&azure).await;
        let token = azure.identity().issue(STORAGE, None);
        Self { from, to, http, token, azure }
    }

    /// Copies a blob to a name, with more headers.
    async fn copy(&self, blob: &str, name: &str, headers: &[(&str, &str)]) -> Answer {
        let url = format!("{}/backups/{name}", self.to.blob_url());
        let mut request = self.http.request(Method::PUT, &url).header("x-ms-blob-type", "BlockBlob").body("");
        request = request.header("x-ms-copy-source", format!("{}/hsm-backups/{blob}", self.from.blob_url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    }

    async fn status(&self, blob: &str, name: &str, more: &[(&str, &str)]) -> (u16, String) {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("x-ms-copy-source-authorization", bearer.as_str())];
        headers.extend(more);
        let answer = self.copy(blob, name, &headers).await;
        let code = answer.header("x-ms-error-code").to_owned();
        (
            answer.status.as_u16(),
            [code.as_str(), answer.header("x-ms-copy-source-error-code")].join(" ").trim().to_owned(),
        )
    }
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_copy_has_the_bytes_and_the_sum_of_its_source() {
    let stage = Stage::new().await;
    let source = stage.from.blob("hsm-backups", "f/b").unwrap();
    let sum = "mgNkuembtIDdJeHwKEyFVQ==";
    let etag = source.etag.clone();
    let checks =
        [("x-ms-source-content-md5", sum), ("x-ms-source-if-match", etag.as_str()), ("if-none-match", "*")];
    assert_eq!(stage.status("f/b", "hsm-copies/b", &checks).await, is(201, ""));
    let copy = stage.to.blob("backups", "hsm-copies/b").unwrap();
    assert_eq!((copy.bytes, copy.content_md5), (source.bytes, source.content_md5));
    assert!(copy.metadata.is_empty());
    assert_eq!(stage.status("f/b", "hsm-copies/b", &checks).await, is(409, "BlobAlreadyExists"));
    assert_eq!(
        stage.status("f/b", "hsm-copies/b", &[]).await,
        is(409, "BlobAlreadyExists"),
        "it may only add"
    );
}

#[tokio::test]
async fn each_side_has_rights_and_conditions_of_its_own() {
    let stage = Stage::new().await;
    for (blob, name, more, expected) in [
        ("f/b", "vaults/b", vec![], is(403, "AuthorizationPermissionMismatch")),
        ("f/c", "hsm-copies/b", vec![], is(404, "CannotVerifyCopySource BlobNotFound")),
        ("f/b", "hsm-copies/b", vec![("x-ms-source-if-match", "\"0x1\"")], is(412, "SourceConditionNotMet")),
        (
            "f/b",
            "hsm-copies/b",
            vec![("x-ms-source-content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")],
            is(400, "Md5Mismatch"),
        ),
    ] {
        assert_eq!(stage.status(blob, name, &more).await, expected, "{blob} {name} {more:?}");
    }
    let unread = stage.copy("f/b", "hsm-copies/b", &[]).await;
    assert_eq!((unread.status.as_u16(), unread.code().as_str()), (401, "CannotVerifyCopySource"));
    let stranger = format!("Bearer {}", stage.azure.identity().issue(STORAGE, Some("stranger")));
    let unread = stage.copy("f/b", "hsm-copies/b", &[("x-ms-copy-source-authorization", &stranger)]).await;
    assert_eq!(unread.header("x-ms-copy-source-error-code"), "AuthorizationPermissionMismatch");
    stage.from.close_to_copies(true);
    let closed = stage.status("f/b", "hsm-copies/b", &[]).await;
    assert_eq!(closed, is(403, "CannotVerifyCopySource AuthorizationFailure"));
    let url = format!("{}/hsm-backups/f/b", stage.from.blob_url());
    assert_eq!(stage.http.get(&url).await.text, "content", "a caller with a way in of its own reads");
    assert!(stage.to.blobs("backups").is_empty(), "nothing was put");
}
