//! Blob and Queue storage.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use keyvault_backup_emulator::{Azure, StorageHandle};
use md5::{Digest, Md5};
use reqwest::{Method, StatusCode};

use crate::client::{Answer, Http, answer};

async fn start() -> (Azure, StorageHandle, Http) {
    let azure = Azure::start().await.unwrap();
    let storage = azure.storage("acct");
    storage.create_container("c");
    let http = Http::new(&azure).await;
    (azure, storage, http)
}

async fn put(http: &Http, url: &str, body: &'static str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http.request(Method::PUT, url).body(body);
    if !url.contains("comp=") {
        request = request.header("x-ms-blob-type", "BlockBlob");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request).await
}

/// The text of each element with a name.
fn texts<'a>(xml: &'a str, tag: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
}

#[tokio::test]
async fn storage_wants_a_token_of_its_own() {
    let (azure, storage, http) = start().await;
    let url = format!("{}/c/b", storage.blob_url());
    let nobody = answer(http.client.get(&url)).await;
    assert_eq!(
        (nobody.status, nobody.code().as_str()),
        (StatusCode::UNAUTHORIZED, "NoAuthenticationInformation")
    );
    let vault = azure.identity().issue("https://vault.azure.net", None);
    let wrong = answer(http.client.get(&url).bearer_auth(vault)).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::UNAUTHORIZED, "InvalidAuthenticationInfo")
    );
}

#[tokio::test]
async fn a_blob_is_created_once() {
    let (_azure, storage, http) = start().await;
    let url = format!("{}/c/run%2F1", storage.blob_url());
    let digest = BASE64_STANDARD.encode(Md5::digest("hello"));
    let first = put(
        &http,
        &url,
        "hello",
        &[("if-none-match", "*"), ("x-ms-meta-kind", "secret"), ("content-md5", &digest)],
    )
    .await;
    assert_eq!((first.status, first.header("content-md5")), (StatusCode::CREATED, digest.as_str()));
    let second = put(&http, &url, "other", &[("if-none-match", "*")]).await;
    assert_eq!((second.status, second.code().as_str()), (StatusCode::CONFLICT, "BlobAlreadyExists"));
    let stale = put(&http, &url, "other", &[("if-match", "\"0x1\"")]).await;
    assert_eq!((stale.status, stale.code().as_str()), (StatusCode::PRECONDITION_FAILED, "ConditionNotMet"));
    let damaged = put(&http, &format!("{url}x"), "hullo", &[("content-md5", &digest)]).await;
    assert_eq!((damaged.status, damaged.code().as_str()), (StatusCode::BAD_REQUEST, "Md5Mismatch"));

    let read = http.get(&url.replace("%2F", "/")).await;
    assert_eq!(
        (read.text.as_str(), read.header("x-ms-meta-kind"), read.header("etag")),
        ("hello", "secret", first.header("etag"))
    );
    let range = answer(http.request(Method::GET, &url).header("range", "bytes=1-3")).await;
    assert_eq!(
        (range.status, range.text.as_str(), range.header("content-range")),
        (StatusCode::PARTIAL_CONTENT, "ell", "bytes 1-3/5")
    );
    assert_eq!(range.header("x-ms-blob-content-md5"), digest);
    let outside = answer(http.request(Method::GET, &url).header("range", "bytes=5-9")).await;
    assert_eq!(outside.code(), "InvalidRange");
    let head = answer(http.request(Method::HEAD, &url)).await;
    assert_eq!((head.header("content-length"), head.header("x-ms-blob-type")), ("5", "BlockBlob"));
    let missing = answer(http.request(Method::HEAD, &format!("{url}9"))).await;
    assert_eq!((missing.status, missing.header("x-ms-error-code")), (StatusCode::NOT_FOUND, "BlobNotFound"));

    let matched = put(&http, &url, "other", &[("if-match", first.header("etag"))]).await;
    assert_eq!(matched.status, StatusCode::CREATED);
    assert_eq!(storage.blob("c", "run/1").unwrap().bytes, "other");
    assert_eq!(http.get(&format!("{}/none/b", storage.blob_url())).await.code(), "ContainerNotFound");
}

#[tokio::test]
async fn metadata_has_rules() {
    let (_azure, storage, http) = start().await;
    let url = format!("{}/c/b", storage.blob_url());
    assert_eq!(put(&http, &url, "", &[("x-ms-meta-a-b", "x")]).await.code(), "InvalidMetadata");
    let long = "x".repeat(8 * 1024);
    assert_eq!(put(&http, &url, "", &[("x-ms-meta-a", &long)]).await.code(), "MetadataTooLarge");
    assert_eq!(put(&http, &url, "", &[("x-ms-meta-a", &long[1..])]).await.status, StatusCode::CREATED);
    assert_eq!(storage.blob("c", "b").unwrap().meta("A").unwrap().len(), 8 * 1024 - 1);
}

#[tokio::test]
async fn blobs_are_listed_in_pages() {
    let (_azure, storage, http) = start().await;
    for n in 0..12 {
        storage.put_blob("c", &format!("a/{n:02}"), "x", &[("n", "<&>")]);
    }
    storage.put_blob("c", "b/1", "y", &[]);
    let url = format!("{}/c?restype=container&comp=list", storage.blob_url());
    let mut names = Vec::new();
    let mut marker = String::new();
    loop {
        let page =
            http.get(&format!("{url}&prefix=a/&maxresults=5&include=metadata&marker={marker}")).await.text;
        names.extend(texts(&page, "Name").into_iter().map(str::to_owned));
        assert!(page.contains("<Metadata><n>&lt;&amp;&gt;</n></Metadata>"));
        match texts(&page, "NextMarker").first() {
            Some(next) => marker = (*next).to_owned(),
            None => break,
        }
    }
    assert_eq!(names, storage.blobs("c")[..12]);
    let from = http.get(&format!("{url}&startFrom=a/11")).await.text;
    assert_eq!(texts(&from, "Name"), ["a/11", "b/1"]);
    let folders = http.get(&format!("{url}&delimiter=/")).await.text;
    assert_eq!(texts(&folders, "Name"), ["a/", "b/"]);
}

#[tokio::test]
async fn blocks_become_a_blob() {
    let (_azure, storage, http) = start().await;
    let url = format!("{}/c/big", storage.blob_url());
    for (id, body) in [("MQ==", "one "), ("Mg==", "two")] {
        assert_eq!(
            put(&http, &format!("{url}?comp=block&blockid={id}"), body, &[]).await.status,
            StatusCode::CREATED
        );
    }
    assert!(storage.blobs("c").is_empty());
    let list = "<?xml version=\"1.0\"?><BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>";
    let done =
        put(&http, &format!("{url}?comp=blocklist"), list, &[("x-ms-meta-a", "b"), ("if-none-match", "*")])
            .await;
    assert_eq!(done.status, StatusCode::CREATED);
    assert_eq!(storage.blob("c", "big").unwrap().bytes, "one two");
    let gone = "<BlockList><Uncommitted>MQ==</Uncommitted></BlockList>";
    assert_eq!(put(&http, &format!("{url}?comp=blocklist"), gone, &[]).await.code(), "InvalidBlockList");
}

#[tokio::test]
async fn an_append_only_container_gives_nothing_up() {
    let (_azure, storage, http) = start().await;
    storage.set_append_only("c", true);
    let url = format!("{}/c/b", storage.blob_url());
    assert_eq!(put(&http, &url, "one", &[]).await.status, StatusCode::CREATED);
    assert_eq!(put(&http, &url, "two", &[]).await.code(), "BlobImmutableDueToPolicy");
    let delete = answer(http.request(Method::DELETE, &url)).await;
    assert_eq!(
        (delete.status, delete.code().as_str()),
        (StatusCode::FORBIDDEN, "AuthorizationPermissionMismatch")
    );
    assert!(storage.flip_bit("c", "b"));
    assert_eq!(http.get(&url).await.text, "ooe");
}

#[tokio::test]
async fn messages_hide_come_back_and_expire() {
    let (azure, storage, http) = start().await;
    let queue = storage.queue("q");
    let url = format!("{}/q/messages", storage.queue_url());
    let body = "<QueueMessage><MessageText>a &lt; b</MessageText></QueueMessage>";
    let sent =
        answer(http.request(Method::POST, &format!("{url}?messagettl=3600&visibilitytimeout=10")).body(body))
            .await;
    assert_eq!(sent.status, StatusCode::CREATED);
    assert!(texts(&http.get(&url).await.text, "MessageId").is_empty());
    azure.clock().advance(Duration::from_secs(10));
    assert!(
        http.get(&format!("{url}?peekonly=true")).await.text.contains("<MessageText>a &lt; b</MessageText>")
    );
    let received = http.get(&format!("{url}?numofmessages=32&visibilitytimeout=60")).await.text;
    assert_eq!(texts(&received, "DequeueCount"), ["1"]);
    let (id, receipt) =
        (texts(&received, "MessageId")[0], texts(&received, "PopReceipt")[0].replace('+', "%2B"));
    assert_eq!((queue.len(), queue.visible_len()), (1, 0));

    let update = answer(
        http.request(Method::PUT, &format!("{url}/{id}?popreceipt={receipt}&visibilitytimeout=5")).body(""),
    )
    .await;
    assert_eq!(update.status, StatusCode::NO_CONTENT);
    let stale = answer(http.request(Method::DELETE, &format!("{url}/{id}?popreceipt={receipt}"))).await;
    assert_eq!(stale.code(), "PopReceiptMismatch");
    let fresh = update.header("x-ms-popreceipt").replace('+', "%2B");
    azure.clock().advance(Duration::from_secs(5));
    assert_eq!(queue.visible_len(), 1);
    let deleted = answer(http.request(Method::DELETE, &format!("{url}/{id}?popreceipt={fresh}"))).await;
    assert_eq!((deleted.status, queue.len()), (StatusCode::NO_CONTENT, 0));

    queue.send("gone soon", Duration::ZERO, Some(Duration::from_secs(60)));
    let count = http.get(&format!("{}/q?comp=metadata", storage.queue_url())).await;
    assert_eq!(count.header("x-ms-approximate-messages-count"), "1");
    azure.clock().advance(Duration::from_secs(60));
    assert!(queue.receive(1, Duration::from_secs(1)).is_empty());
    let large =
        format!("<QueueMessage><MessageText>{}</MessageText></QueueMessage>", "x".repeat(64 * 1024 + 1));
    assert_eq!(answer(http.request(Method::POST, &url).body(large)).await.code(), "RequestBodyTooLarge");
    assert_eq!(http.get(&url.replace("/q/", "/none/")).await.code(), "QueueNotFound");
}
