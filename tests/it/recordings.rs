//! The product's vault client against what the service was recorded to answer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use futures::TryStreamExt as _;
use keyvault_backup::{
    azure::{error::ServiceError, vault::VaultClient},
    domain::{
        blob::{BackupBlob, BlobFault},
        fate::Fate,
        form::Form,
        object::{ObjectId, ObjectKind},
        versions::{Attributes, Listed},
    },
};
use keyvault_backup_emulator::{Azure, Fault, FaultKind, Matcher, SecretSpec, VaultHandle};
use keyvault_backup_needs::needs;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{recorded::Exchange, wire::Wire};

/// A vault which answers as recorded, and the product's client of it.
struct Stage {
    azure: Azure,
    vault: VaultHandle,
    wire: Wire,
    client: VaultClient,
}

impl Stage {
    async fn new() -> Self {
        let azure = Azure::start().await.expect("the emulator starts");
        let vault = azure.vault("replay");
        let (wire, client) = Wire::to_vault(&azure, &vault);
        Self { azure, vault, wire, client }
    }

    /// The recorded answer, as if this vault gave it.
    fn answer(&self, exchange: &Exchange) -> FaultKind {
        let framing = ["content-length", "transfer-encoding", "content-encoding", "connection"];
        let headers = exchange.headers.clone().into_iter().filter(|(name, _)| !framing.contains(&&**name));
        // Only links to the next page carry the port.
        let port = |host: &str| format!("https://{host}:443/");
        let host = exchange.url.host_str().unwrap_or_default();
        let body = exchange.body.replace(&port(host), &port(&self.vault.url()[8..]));
        FaultKind::Raw { status: exchange.status, headers: headers.collect(), body: body.into() }
    }

    /// Gives these answers and no others from now on, each as often as it is asked for.
    fn play(&self, exchange: &Exchange) {
        self.azure.faults().clear();
        self.azure.faults().add(Fault::on(Matcher::any()).reply(self.answer(exchange)));
    }

    async fn list(&self, kind: ObjectKind) -> Result<Vec<Vec<Listed>>, ServiceError> {
        self.client.list(kind).try_collect().await
    }
}

fn id(exchange: &Exchange) -> ObjectId {
    // Some recorded names are illegal, to see what the service says; the answer is what counts here.
    let name = exchange.name().parse().or_else(|_| "stand-in".parse()).expect("it is a name");
    ObjectId::new(exchange.kind().unwrap_or(ObjectKind::Secret), name)
}

/// The items of a recorded page.
fn items(exchange: &Exchange) -> Vec<Value> {
    exchange.json().expect("a page is JSON")["value"].as_array().expect("a page has items").clone()
}

/// The last part of an item's identifier.
fn last(item: &Value) -> &str {
    let id = item["id"].as_str().or(item["kid"].as_str()).expect("an item has an identifier");
    id.rsplit('/').next().unwrap_or_default()
}

fn attributes(item: &Value) -> Attributes {
    let of = &item["attributes"];
    let moment = |name: &str| {
        of[name].as_i64().map(|at| OffsetDateTime::from_unix_timestamp(at).expect("it is a time"))
    };
    let text = |name: &str| item[name].as_str().map(str::to_owned);
    let tags = item["tags"].as_object().into_iter().flatten();
    Attributes {
        enabled: of["enabled"] == true,
        created: moment("created"),
        updated: moment("updated"),
        not_before: moment("nbf"),
        expires: moment("exp"),
        content_type: text("contentType"),
        tags: tags.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().into())).collect(),
        thumbprint: text("x5t").map(|x5t| BASE64URL.decode(x5t).expect("it is base64url")),
        exportable: of["exportable"] == true,
    }
}

/// The recorded pages of a list: the first one, and those that its links lead to.
fn pages<'a>(first: &'a Exchange, all: &'a [Exchange]) -> Vec<&'a Exchange> {
    let mut pages = vec![first];
    while let Some(link) = pages.last().and_then(|page| Some(page.json()?["nextLink"].as_str()?.to_owned())) {
        let token = link.rsplit("$skiptoken=").next().unwrap_or_default();
        let next = all.iter().find(|page| page.url.as_str().contains(token) && page.status == 200);
        pages.push(next.expect("the next page was recorded too"));
    }
    pages
}

#[needs(recordings)]
#[tokio::test]
async fn lists_are_read_to_their_last_page() {
    let all = Exchange::of_vaults();
    let stage = Stage::new().await;
    let first =
        |page: &&Exchange| page.is_list() && page.status == 200 && !page.url.as_str().contains("skiptoken");
    let (mut lists, mut objects) = (0, 0);
    for list in all.iter().filter(first) {
        let recorded = pages(list, &all);
        stage.azure.faults().clear();
        for page in recorded.iter().rev() {
            let path = page.url[url::Position::BeforePath..].split('?').next().unwrap_or_default().to_owned();
            let token = page.url.as_str().split_once("$skiptoken=").map(|(_, token)| token.to_owned());
            let asked = move |asked: &str| match &token {
                Some(token) => asked.contains(token),
                None => asked.starts_with(&path) && !asked.contains("skiptoken"),
            };
            let matcher = Matcher::any().custom(move |subject| asked(subject.path));
            stage.azure.faults().add(Fault::on(matcher).reply(stage.answer(page)));
        }
        let kind = id(list).kind;
        let read = stage.list(kind).await.expect("the list is read");
        let expected: Vec<Vec<_>> = recorded
            .iter()
            .map(|page| {
                let listed = |item: &Value| Listed {
                    id: ObjectId::new(kind, last(item).parse().expect("it is a name")),
                    managed: item["managed"] == true,
                    fingerprint: attributes(item).fingerprint(),
                };
                items(page).iter().map(listed).collect()
            })
            .collect();
        assert_eq!(read, expected, "{}", list.file.display());
        (lists, objects) = (lists + 1, objects + read.concat().len());
    }
    assert!(lists > 0 && objects > 25, "{lists} lists with {objects} objects");
    eprintln!("replayed: {lists} lists with {objects} objects");
}

#[needs(recordings)]
#[tokio::test]
async fn a_page_that_leads_to_another_host_is_not_followed() {
    let all = Exchange::of_vaults();
    let stage = Stage::new().await;
    let mut page = all
        .into_iter()
        .find(|page| page.is_list() && page.json().is_some_and(|json| json["nextLink"].is_string()));
    let page = page.as_mut().expect("a page with a link was recorded");
    page.url.set_host(Some("nobody.example")).expect("it is a host"); // the body keeps the recorded one
    stage.play(page);
    let error = stage.list(id(page).kind).await.expect_err("the link is refused");
    assert!(error.failure.text.contains("not one of the configured hosts"), "{error}");
    assert_eq!(error.fate(), Fate::Fail);
}

#[needs(recordings)]
#[tokio::test]
async fn versions_are_read_with_their_attributes() {
    let all = Exchange::of_vaults();
    let stage = Stage::new().await;
    let mut seen = Vec::new();
    for page in all.iter().filter(|page| page.is_versions() && page.status == 200) {
        stage.play(page);
        let read = stage.client.versions(&id(page)).await.expect("the versions are read");
        let expected = items(page);
        let expected: Vec<_> = expected
            .iter()
            .map(|item| (last(item).parse().expect("it is a version"), attributes(item)))
            .collect();
        assert_eq!(read, expected, "{}", page.file.display());
        seen.push(read.len());
    }
    assert!(seen.contains(&0) && seen.iter().any(|count| *count > 1), "{seen:?}");
    eprintln!("replayed: {} lists of versions with {} versions", seen.len(), seen.iter().sum::<usize>());
}

#[needs(recordings)]
#[tokio::test]
async fn every_recorded_backup_is_read_and_recognised() {
    let all = Exchange::of_vaults();
    let stage = Stage::new().await;
    let mut seen = std::collections::BTreeMap::new();
    let whole = |backup: &&Exchange| backup.is_backup() && backup.status == 200 && !backup.is_cut();
    for backup in all.iter().filter(whole) {
        stage.play(backup);
        let id = id(backup);
        let handed = stage.client.backup(&id).await.expect("the backup is read");
        let blob = handed.blob;
        assert_eq!(handed.region.as_deref(), backup.header("x-ms-keyvault-region"));
        let recorded = backup.json().expect("it is JSON");
        let Ok(Form::Known(facts)) = blob.judge(id.kind) else { panic!("its form is known") };
        assert!(facts.alg.starts_with("RSA-OAEP") && facts.enc.contains("CBC-HS"), "{facts:?}");
        for other in ObjectKind::ALL {
            let fits = (other == ObjectKind::Secret) == (id.kind == ObjectKind::Secret);
            assert_eq!(blob.judge(other).err(), (!fits).then_some(BlobFault::Kind(other)));
        }
        assert_eq!(recorded["value"], BASE64URL.encode(blob.into_bytes()));
        *seen.entry(id.kind).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    eprintln!("replayed: backups {seen:?}");
}

/// The service's own judgement of blobs, from the restores that it was recorded to do.
#[needs(recordings)]
#[test]
fn blobs_are_judged_as_the_service_judges_them() {
    let all = Exchange::of_vaults();
    let (mut good, mut bad) = (std::collections::BTreeSet::new(), 0);
    for restore in all.iter().filter(|restore| restore.is_restore() && !restore.request.contains('…')) {
        let Ok(body) = serde_json::from_str::<Value>(&restore.request) else { continue };
        let Some(value) = body["value"].as_str() else { continue };
        let kind = id(restore).kind;
        let judged = BASE64URL.decode(value).ok().map(|bytes| BackupBlob::from(bytes).judge(kind));
        let refused = restore.body.contains("Malformed backup blob");
        assert_eq!(
            matches!(judged, Some(Ok(Form::Known(_)))),
            !refused,
            "{}: {judged:?}",
            restore.file.display()
        );
        if refused {
            bad += 1;
        } else {
            good.insert(value.to_owned());
        }
    }
    assert!(good.len() > 10 && bad > 1, "{} good, {bad} bad", good.len());
    eprintln!("judged: {} distinct blobs that the service took, {bad} that it refused", good.len());
}

#[needs(recordings)]
#[test]
fn a_backup_of_a_managed_hsm_can_only_be_one_of_a_key() {
    let all = Exchange::all();
    let mut seen = 0;
    for backup in all.iter().filter(|of| of.of_hsm() && of.is_backup() && of.status == 200) {
        let value = backup.json().expect("it is JSON")["value"].clone();
        // Long texts are cut; what is left of the start tells enough.
        let start: String = value.as_str().unwrap_or_default().chars().take_while(|c| *c != '…').collect();
        let start = BASE64URL.decode(&start[..start.len() / 4 * 4]).expect("it is base64url");
        assert!(start.starts_with(b"ey"), "it starts with a JWE");
        let blob = BackupBlob::from(start);
        for kind in [ObjectKind::Secret, ObjectKind::Certificate] {
            assert!(matches!(blob.judge(kind), Ok(Form::Unknown(_))), "nobody knows such a form of theirs");
        }
        assert!(!matches!(blob.judge(ObjectKind::Key), Ok(Form::Unknown(_))), "an HSM's key has no tag");
        seen += 1;
    }
    assert!(seen > 0);
    eprintln!("judged: {seen} backups of Managed HSM keys");
}

#[needs(recordings)]
#[tokio::test]
async fn a_challenge_is_answered_with_a_token_for_the_vault_that_sent_it() {
    let all = Exchange::all();
    let (mut answered, mut refused) = (0, 0);
    for challenge in all.iter().filter(|exchange| exchange.is_challenge()) {
        // A client learns the scope once, so each challenge needs a new one.
        let stage = Stage::new().await;
        stage.vault.put_secret("challenged", SecretSpec::new("value"));
        stage.azure.faults().add(Fault::on_challenge(Matcher::any()).reply(stage.answer(challenge)));
        let listed = stage.list(ObjectKind::Secret).await;
        let header = challenge.header("www-authenticate").unwrap_or_default();
        if header.contains("\"https://vault.azure.net\"") {
            assert_eq!(listed.expect(header).concat().len(), 1);
            assert_eq!(stage.wire.scopes(), ["https://vault.azure.net/.default"]);
            answered += 1;
        } else {
            let error = listed.expect_err(header);
            assert!(stage.wire.scopes().is_empty(), "no token leaves: {error}");
            refused += 1;
        }
    }
    assert!(answered > 0 && refused > 0);
    eprintln!("replayed: {answered} challenges of vaults, {refused} of Managed HSMs");
}

/// Whatever was asked: an error has one form, and the product reads it in one place.
#[needs(recordings)]
#[tokio::test]
async fn errors_are_reported_in_the_words_of_the_service() {
    let all = Exchange::of_vaults();
    let stage = Stage::new().await;
    let mut seen = std::collections::BTreeMap::new();
    for error in all.iter().filter(|exchange| exchange.status >= 400 && !exchange.is_challenge()) {
        stage.play(error);
        let id = id(error);
        let reported = if error.is_list() {
            stage.list(id.kind).await.expect_err("it is an error")
        } else if error.is_versions() {
            stage.client.versions(&id).await.expect_err("it is an error")
        } else {
            stage.client.backup(&id).await.expect_err("it is an error")
        };
        let failure = &reported.failure;
        assert_eq!(failure.status, Some(error.status));
        assert_eq!(failure.request_id.as_deref(), error.header("x-ms-request-id"));
        if let Some(json) = error.json() {
            let recorded = &json["error"];
            let codes = [&recorded["code"], &recorded["innererror"]["code"]];
            let codes: Vec<_> = codes.into_iter().filter_map(Value::as_str).collect();
            assert_eq!(failure.code, codes.join("/"), "{}", error.body);
            assert_eq!(Some(failure.text.as_str()), recorded["message"].as_str());
        } else {
            assert_eq!(failure.code, error.status.to_string(), "{failure:?}");
        }
        assert_eq!(reported.fate() == Fate::Retry, matches!(error.status, 409 | 500..), "{failure:?}");
        *seen.entry(error.status).or_insert(0) += 1;
    }
    assert!([400, 403, 404, 405, 409, 500].iter().all(|status| seen.contains_key(status)), "{seen:?}");
    eprintln!("replayed: errors by status {seen:?}");
}
