//! Versions, soft delete, conditions, checksums and blocks.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use keyvault_backup_emulator::{Azure, Keeping, StorageHandle};
use reqwest::{Method, StatusCode};

use crate::client::{Answer, Http, answer};

struct Stage {
    azure: Azure,
    storage: StorageHandle,
    http: Http,
}

impl Stage {
    async fn new(keeping: Keeping) -> Self {
        let azure = Azure::start().await.unwrap();
        let storage = azure.storage("acct");
        storage.create_container("c");
        storage.keep(keeping);
        let http = Http::new(&azure).await;
        Self { azure, storage, http }
    }

    /// Sends a request about the blob `b`, with headers one a line.
    async fn ask(&self, request: &str, headers: &str, body: impl Into<Vec<u8>>) -> Answer {
        let (method, query) = request.split_once(' ').unwrap_or((request, ""));
        let url = format!("{}/c/b{query}", self.storage.blob_url());
        let mut request = self.http.request(method.parse::<Method>().unwrap(), &url).body(body.into());
        if method == "PUT" && query.is_empty() {
            request = request.header("x-ms-blob-type", "BlockBlob");
        }
        for (name, value) in headers.lines().filter_map(|line| line.split_once(": ")) {
            request = request.header(name.trim(), value);
        }
        answer(request).await
    }

    async fn put(&self, body: &str) -> Answer {
        let put = self.ask("PUT", "", body).await;
        assert_eq!(put.status, StatusCode::CREATED, "{}", put.text);
        put
    }

    async fn list(&self, include: &str) -> String {
        let url = format!("{}/c?restype=container&comp=list&include={include}", self.storage.blob_url());
        let page = self.http.get(&url).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        page.text
    }
}

const VERSIONS: Keeping = Keeping { versions: true, deleted_days: None };

#[tokio::test]
async fn each_write_is_a_version_that_can_be_read_and_deleted_alone() {
    let stage = Stage::new(VERSIONS).await;
    let first = stage.put("one").await.header("x-ms-version-id").to_owned();
    let second = stage.put("two").await.header("x-ms-version-id").to_owned();
    assert!(first < second);
    let read = stage.ask(&format!("GET ?versionid={first}"), "", "").await;
    assert_eq!((read.text.as_str(), read.header("x-ms-is-current-version")), ("one", ""));
    let current = stage.ask("HEAD", "", "").await;
    assert_eq!(
        (current.header("x-ms-version-id"), current.header("x-ms-is-current-version")),
        (second.as_str(), "true")
    );
    let listed = stage.list("Versions").await;
    let at = |id: &str| listed.find(&format!("<VersionId>{id}</VersionId>")).unwrap();
    assert!(at(&first) < at(&second));
    assert_eq!(listed.matches("<IsCurrentVersion>true</IsCurrentVersion>").count(), 1);
    assert_eq!(stage.list("").await.matches("<Blob>").count(), 1);

    let root = stage.ask(&format!("DELETE ?versionid={second}"), "", "").await;
    assert_eq!((root.status, root.code().as_str()), (StatusCode::FORBIDDEN, "OperationNotAllowedOnRootBlob"));
    let deleted = stage.ask(&format!("DELETE ?versionid={first}"), "", "").await;
    assert_eq!(
        (deleted.status, deleted.header("x-ms-delete-type-permanent")),
        (StatusCode::ACCEPTED, "true")
    );
    assert_eq!(stage.ask(&format!("GET ?versionid={first}"), "", "").await.code(), "BlobNotFound");
    assert_eq!(stage.ask("GET", "", "").await.text, "two");

    stage.ask("DELETE", "", "").await;
    assert_eq!(stage.ask("GET", "", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.ask(&format!("GET ?versionid={second}"), "", "").await.text, "two");
    assert_eq!(stage.storage.versions("c", "b").len(), 1);
    assert!(stage.storage.blobs("c").is_empty());
}

#[tokio::test]
async fn versions_are_listed_in_pages() {
    let stage = Stage::new(VERSIONS).await;
    for name in ["a", "b", "c"] {
        for content in ["one", "two", "three"] {
            stage.storage.put_blob("c", name, content, &[]);
        }
    }
    stage.azure.knobs().set_blob_page_size(2);
    let (mut found, mut marker) = (Vec::new(), String::new());
    loop {
        let page = stage.list(&format!("versions&marker={marker}")).await;
        let ids = page.split("<VersionId>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        found.extend(ids);
        match page.split("<NextMarker>").nth(1) {
            Some(next) => marker = next.split('<').next().unwrap().to_owned(),
            None => break,
        }
    }
    let expected = ["a", "b", "c"].map(|name| stage.storage.versions("c", name)).concat();
    assert_eq!(found, expected.into_iter().map(|blob| blob.version.unwrap()).collect::<Vec<_>>());
    assert_eq!(found.len(), 9);
}

#[tokio::test]
async fn what_was_deleted_comes_back_until_its_days_are_over() {
    let stage = Stage::new(Keeping { versions: false, deleted_days: Some(7) }).await;
    stage.put("one").await;
    let deleted = stage.ask("DELETE", "", "").await;
    assert_eq!(deleted.header("x-ms-delete-type-permanent"), "false");
    assert_eq!(stage.list("").await.matches("<Blob>").count(), 0);
    let listed = stage.list("metadata,DELETED").await;
    assert!(listed.contains("<Deleted>true</Deleted>") && listed.contains("<DeletedTime>"), "{listed}");
    assert!(listed.contains("<RemainingRetentionDays>6</RemainingRetentionDays>"), "{listed}");
    assert_eq!(stage.ask("GET", "", "").await.code(), "BlobNotFound");
    for _ in 0..2 {
        assert_eq!(stage.ask("PUT ?comp=undelete", "", "").await.status, StatusCode::OK);
        assert_eq!(stage.ask("GET", "", "").await.text, "one");
    }
    stage.ask("DELETE", "", "").await;
    stage.azure.clock().advance(Duration::from_secs(7 * 24 * 3600));
    assert!(!stage.list("deleted").await.contains("<Blob>"));
    assert_eq!(stage.ask("PUT ?comp=undelete", "", "").await.code(), "BlobNotFound");
}

#[tokio::test]
async fn a_deleted_version_comes_back_as_an_older_one() {
    let stage = Stage::new(Keeping { versions: true, deleted_days: Some(7) }).await;
    let first = stage.put("one").await.header("x-ms-version-id").to_owned();
    stage.put("two").await;
    let deleted = stage.ask(&format!("DELETE ?versionid={first}"), "", "").await;
    assert_eq!(deleted.header("x-ms-delete-type-permanent"), "false");
    assert_eq!(stage.list("versions").await.matches("<Blob>").count(), 1);
    assert_eq!(stage.list("versions,deleted").await.matches("<Deleted>").count(), 1);
    assert_eq!(stage.ask(&format!("GET ?versionid={first}"), "", "").await.code(), "BlobNotFound");
    stage.ask("PUT ?comp=undelete", "", "").await;
    assert_eq!(stage.ask(&format!("GET ?versionid={first}"), "", "").await.text, "one");
    assert_eq!(stage.ask("GET", "", "").await.text, "two");
}

#[tokio::test]
async fn conditions_are_looked_at() {
    let stage = Stage::new(Keeping::default()).await;
    let put = stage.put("one").await;
    let (tag, date) = (put.header("etag").to_owned(), put.header("last-modified").to_owned());
    let early = "Mon, 06 Nov 2023 12:49:59 GMT";
    for (request, headers, status, code) in [
        ("GET", format!("if-none-match: {tag}"), 304, "ConditionNotMet"),
        ("GET", format!("if-modified-since: {date}"), 304, "ConditionNotMet"),
        ("GET", format!("if-modified-since: {early}"), 200, ""),
        ("GET", format!("if-modified-since: {early}\nif-none-match: {tag}"), 200, ""),
        ("GET", format!("if-unmodified-since: {early}"), 412, "ConditionNotMet"),
        ("GET", "if-match: \"0x1\"".to_owned(), 412, "ConditionNotMet"),
        ("GET", "if-none-match: *".to_owned(), 400, "UnsatisfiableCondition"),
        ("GET", "if-modified-since: yesterday".to_owned(), 400, "InvalidHeaderValue"),
        ("PUT", format!("if-modified-since: {date}"), 412, "ConditionNotMet"),
        ("PUT", format!("if-unmodified-since: {early}"), 412, "ConditionNotMet"),
        ("PUT", "if-none-match: *".to_owned(), 409, "BlobAlreadyExists"),
        ("PUT", format!("if-match: {tag}\nif-none-match: *"), 400, "MultipleConditionHeadersNotSupported"),
        ("PUT ?comp=metadata", format!("if-unmodified-since: {early}"), 412, "ConditionNotMet"),
        ("DELETE", format!("if-unmodified-since: {early}"), 412, "ConditionNotMet"),
        ("DELETE", format!("if-none-match: {tag}"), 412, "ConditionNotMet"),
        ("DELETE", format!("if-unmodified-since: {date}"), 202, ""),
    ] {
        let answer = stage.ask(request, &headers, "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-ms-error-code")),
            (status, code),
            "{request} {headers}: {}",
            answer.text
        );
    }
}

/// `123456789` and its sum.
const SUM: u64 = 0xAE8B_1486_0A79_9888;

#[tokio::test]
async fn sums_are_held_against_the_content() {
    let stage = Stage::new(Keeping::default()).await;
    let (right, wrong) = (BASE64_STANDARD.encode(SUM.to_le_bytes()), BASE64_STANDARD.encode([1; 8]));
    let put = stage.ask("PUT", &format!("x-ms-content-crc64: {right}"), "123456789").await;
    assert_eq!((put.status, put.header("x-ms-content-crc64")), (StatusCode::CREATED, right.as_str()));
    let md5 = "content-md5: JfnnlDI7RTiF9RgfG2JNCw==";
    for (request, headers, code) in [
        ("PUT", format!("x-ms-content-crc64: {wrong}"), "Crc64Mismatch"),
        ("PUT", "x-ms-content-crc64: no".to_owned(), "InvalidHeaderValue"),
        ("PUT", format!("{md5}\nx-ms-content-crc64: {right}"), "InvalidHeaderValue"),
        ("PUT ?comp=block&blockid=MQ==", format!("x-ms-content-crc64: {wrong}"), "Crc64Mismatch"),
        ("PUT ?comp=blocklist", format!("x-ms-content-crc64: {wrong}"), "Crc64Mismatch"),
    ] {
        assert_eq!(stage.ask(request, &headers, "123456789").await.code(), code, "{request} {headers}");
    }
    let range = stage.ask("GET", "x-ms-range: bytes=0-\nx-ms-range-get-content-crc64: true", "").await;
    assert_eq!(range.header("x-ms-content-crc64"), right);
    let [md5, crc64] = ["x-ms-range-get-content-md5: true", "x-ms-range-get-content-crc64: true"];
    for headers in [md5, crc64, &format!("x-ms-range: bytes=0-\n{md5}\n{crc64}")] {
        let refused = stage.ask("GET", headers, "").await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::BAD_REQUEST, "InvalidHeaderValue"),
            "{headers}"
        );
    }
}

#[tokio::test]
async fn content_comes_out_of_its_frame() {
    let stage = Stage::new(Keeping::default()).await;
    let mut body = vec![1];
    body.extend(48_u64.to_le_bytes());
    body.extend([1, 0, 1, 0, 1, 0]);
    body.extend(9_u64.to_le_bytes());
    body.extend(b"123456789");
    body.extend(SUM.to_le_bytes());
    body.extend(SUM.to_le_bytes());
    let headers = "x-ms-structured-body: XSM/1.0; properties=crc64\nx-ms-structured-content-length: 9";
    let put = stage.ask("PUT", headers, body.clone()).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text);
    assert_eq!(stage.ask("GET", "", "").await.text, "123456789");
    body[25] ^= 1;
    assert_eq!(stage.ask("PUT", headers, body).await.code(), "Crc64Mismatch");
}

#[tokio::test]
async fn a_block_list_takes_from_where_it_says() {
    let stage = Stage::new(Keeping::default()).await;
    let block =
        async |id: &str, body: &str| stage.ask(&format!("PUT ?comp=block&blockid={id}"), "", body).await;
    let commit = async |list: &str| {
        stage.ask("PUT ?comp=blocklist", "", format!("<BlockList>{list}</BlockList>")).await
    };
    block("MQ==", "one ").await;
    block("Mg==", "two").await;
    assert_eq!(block("MTIzNA==", "x").await.code(), "InvalidBlobOrBlock");
    assert_eq!(
        commit("<Latest>MQ==</Latest><Uncommitted>Mg==</Uncommitted>").await.status,
        StatusCode::CREATED
    );
    block("Mg==", "three").await;
    let listed = stage.ask("GET ?comp=blocklist&blocklisttype=all", "", "").await.text;
    assert!(
        listed.contains("<CommittedBlocks><Block><Name>MQ==</Name><Size>4</Size></Block><Block><Name>Mg=="),
        "{listed}"
    );
    assert!(
        listed.contains(
            "<UncommittedBlocks><Block><Name>Mg==</Name><Size>5</Size></Block></UncommittedBlocks>"
        )
    );
    assert_eq!(commit("<Uncommitted>MQ==</Uncommitted>").await.code(), "InvalidBlockList");
    assert_eq!(
        commit("<Committed>MQ==</Committed><Committed>Mg==</Committed>").await.status,
        StatusCode::CREATED
    );
    assert_eq!(stage.ask("GET", "", "").await.text, "one two");
}

const SOON: &str = "Fri, 01 Jan 2100 00:00:00 GMT";
const LATER: &str = "Mon, 01 Mar 2100 00:00:00 GMT";

#[tokio::test]
async fn what_a_policy_protects_stays_until_its_date_and_only_longer() {
    let stage = Stage::new(VERSIONS).await;
    let version = stage.put("one").await.header("x-ms-version-id").to_owned();
    let at = format!("?comp=immutabilityPolicies&versionid={version}");
    let set = async |until: &str, mode: &str| {
        let headers =
            format!("x-ms-immutability-policy-until-date: {until}\nx-ms-immutability-policy-mode: {mode}");
        stage.ask(&format!("PUT {at}"), &headers, "").await.status.as_u16()
    };
    assert_eq!(set(SOON, "Unlocked").await, 200);
    assert_eq!(stage.ask(&format!("DELETE {at}"), "", "").await.status, StatusCode::OK);
    assert_eq!((set(SOON, "Locked").await, set(LATER, "Locked").await), (200, 200));
    assert_eq!((set(SOON, "Locked").await, set(LATER, "Unlocked").await), (409, 409));
    stage.put("two").await;
    for request in [format!("DELETE {at}"), format!("DELETE ?versionid={version}")] {
        assert_eq!(stage.ask(&request, "", "").await.code(), "BlobImmutableDueToPolicy", "{request}");
    }
    let listed = stage.list("versions,immutabilitypolicy").await;
    assert!(listed.contains(&format!("<ImmutabilityPolicyUntilDate>{LATER}</ImmutabilityPolicyUntilDate>")));
    assert!(listed.contains("<ImmutabilityPolicyMode>locked</ImmutabilityPolicyMode>"), "{listed}");
    let shown = stage.ask(&format!("HEAD ?versionid={version}"), "", "").await;
    assert_eq!(shown.header("x-ms-immutability-policy-until-date"), LATER);
    let mut until = None;
    for blob in stage.storage.versions("c", "b") {
        until = until.or(blob.policy.map(|policy| policy.until));
    }
    stage.azure.clock().set(until.unwrap());
    let gone = stage.ask(&format!("DELETE ?versionid={version}"), "", "").await;
    assert_eq!(gone.status, StatusCode::ACCEPTED, "{}", gone.text);
}

#[tokio::test]
async fn what_is_under_a_legal_hold_stays_until_it_is_taken_off() {
    let stage = Stage::new(VERSIONS).await;
    assert_eq!(stage.ask("PUT", "x-ms-legal-hold: true", "one").await.status, StatusCode::CREATED);
    assert!(stage.list("legalhold").await.contains("<LegalHold>true</LegalHold>"));
    assert!(!stage.list("").await.contains("LegalHold"));
    for request in ["DELETE", "PUT ?comp=metadata"] {
        assert_eq!(stage.ask(request, "", "").await.code(), "BlobImmutableDueToLegalHold", "{request}");
    }
    stage.put("two").await;
    assert_eq!(stage.storage.versions("c", "b").len(), 2, "the old version is still there");
    let old = stage.storage.versions("c", "b")[0].version.clone().unwrap();
    let delete = format!("DELETE ?versionid={old}");
    assert_eq!(stage.ask(&delete, "", "").await.status, StatusCode::CONFLICT);
    let off = stage.ask(&format!("PUT ?comp=legalhold&versionid={old}"), "x-ms-legal-hold: false", "").await;
    assert_eq!(off.status, StatusCode::OK);
    assert_eq!(stage.ask(&delete, "", "").await.status, StatusCode::ACCEPTED);
}
