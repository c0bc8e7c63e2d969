//! What the product asks of Blob and Queue storage: on the emulator's, and the same on Azurite, over HTTPS
//! and with a bearer token.

mod asked;
mod stage;

use std::{collections::BTreeMap, time::Duration};

use asked::conditions_and_sums_decide;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures::{TryStreamExt as _, future::join_all};
use keyvault_backup::{
    azure::{
        container::{Container, Item, Listing, Metadata, Written},
        error::Meaning,
        vault::{VaultClient, restore::RestorePace},
    },
    catalogue::Catalogue,
    domain::{
        actor::Actor,
        entry::{Entry, Taken},
        index::Index,
        job::BackupJob,
        location::Location,
        manifest::ObjectStatus,
        object::{ObjectId, ObjectKind},
        outcome::{Failure, Outcome, OutcomeKind},
        plan::{Plan, PlanHeader},
        planner::plan_objects,
        restore::Pace,
        run::{RunId, Scope, Verdict},
        source::SourceName,
        versions::{Current, VersionsSeen},
    },
    jobs::Jobs,
};
use keyvault_backup_emulator::{KeySpec, SecretSpec};
use keyvault_backup_needs::needs;
use serde_json::{Value, json};
use stage::Stage;

use crate::world::{JOBS, NIGHT};

macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod emulated {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&mut super::Stage::emulated().await).await;
            })*
        }

        /// One test, because it takes one Azurite.
        #[needs(azurite)]
        #[tokio::test]
        async fn the_same_on_azurite() {
            let mut stage = Stage::azurite().await;
            $(
                eprintln!("on Azurite: {}", stringify!($case));
                $case(&mut stage).await;
            )*
            assert_eq!(stage.answered_by_the_emulator(), 0, "all of it went to Azurite");
        }
    };
}

on_both![
    nobody_is_let_in_without_a_token,
    one_of_many_writers_wins,
    a_blob_that_is_there_is_left_alone,
    metadata_comes_back_as_it_was,
    a_blob_is_replaced_only_in_the_state_that_was_read,
    a_listing_has_an_order_and_pages,
    what_is_missing_is_no_error,
    a_large_blob_comes_back_whole,
    conditions_and_sums_decide,
    a_message_arrives_in_base64,
    of_two_records_that_say_the_same_one_opens_the_run,
    a_run_from_its_plan_to_its_manifest,
    a_night_through_the_host,
    a_vault_from_the_terminal,
];

fn metadata(value: &str) -> Metadata {
    [("entry".to_owned(), value.to_owned())].into()
}

async fn listed(container: &Container, prefix: &str, page: u16) -> Vec<Vec<Item>> {
    container
        .list(Listing { prefix, from: None, page, metadata: true })
        .try_collect()
        .await
        .expect("it is listed")
}

async fn nobody_is_let_in_without_a_token(stage: &mut Stage) {
    let url = format!("{}/{JOBS}?restype=container&comp=list", stage.world.work.blob_url());
    let request = stage.wire().http.get(url).header("x-ms-version", "2025-11-05");
    let answer = stage.wire().http.execute(request.build().expect("it is a request")).await;
    let status = answer.expect("storage answers").status().as_u16();
    assert!([401, 403].contains(&status), "{status}");
}

async fn one_of_many_writers_wins(stage: &mut Stage) {
    let container = stage.container("race").await;
    let writers = (0..16_u8).map(|writer| {
        let container = container.clone();
        async move {
            let written = container.create("blob", vec![writer; 100], metadata(&writer.to_string())).await;
            (writer, written.expect("it is written or there"))
        }
    });
    let written = join_all(writers).await;
    let winners: Vec<_> = written.iter().filter(|(_, written)| *written == Written::Created).collect();
    let [(winner, _)] = winners[..] else { panic!("{written:?}") };
    let stored = container.read("blob").await.expect("it is read").expect("it is there");
    assert_eq!(stored, vec![*winner; 100]);
    let stored = container.metadata("blob").await.expect("it is read");
    assert_eq!(stored, Some(metadata(&winner.to_string())), "bytes and metadata are of one write");
}

async fn of_two_records_that_say_the_same_one_opens_the_run(stage: &mut Stage) {
    let jobs = Jobs::new(stage.jobs());
    let (vault, run) = ("kv-a".parse().expect("a name"), RunId::manual(NIGHT, 7));
    let job = BackupJob::open(vault, run, Actor::TERMINAL, NIGHT);
    let opened = [jobs.open_backup_run(&job).await, jobs.open_backup_run(&job).await]
        .map(|opened| opened.expect("it is answered"));
    assert_eq!(opened, [Written::Created, Written::AlreadyThere]);
    jobs.close(&job.vault, &job.run).await.expect("it is closed");
}

async fn a_blob_that_is_there_is_left_alone(stage: &mut Stage) {
    let container = stage.container("there").await;
    for (bytes, expected) in [("first", Written::Created), ("second", Written::AlreadyThere)] {
        let written = container.create("blob", bytes.into(), metadata(bytes)).await.expect("it is answered");
        assert_eq!(written, expected);
    }
    assert_eq!(container.read("blob").await.expect("it is read").as_deref(), Some(&b"first"[..]));
    assert_eq!(container.metadata("blob").await.expect("it is read"), Some(metadata("first")));
}

/// A record as the catalogue writes it: JSON in ASCII, close to the 8 KiB that metadata may have.
async fn metadata_comes_back_as_it_was(stage: &mut Stage) {
    let container = stage.container("metadata").await;
    let escaped = r#"{"name":"Schl\u00fcssel \ud83d\udd11 \"x\" <a&b>\r\n","more":""#;
    let value = format!("{escaped}{}\"}}", "m".repeat(8000 - escaped.len()));
    container.create("blob", Vec::new(), metadata(&value)).await.expect("it is written");
    assert_eq!(container.metadata("blob").await.expect("it is read"), Some(metadata(&value)));
    let listed = listed(&container, "", 10).await.concat();
    assert_eq!(listed[0].metadata, metadata(&value));
}

async fn a_blob_is_replaced_only_in_the_state_that_was_read(stage: &mut Stage) {
    let container = stage.container("replace").await;
    container.create("blob", Vec::new(), metadata("1")).await.expect("it is written");
    let etag = listed(&container, "", 10).await.concat()[0].etag.clone().expect("it has a tag");
    container.replace("blob", &etag, metadata("2")).await.expect("it is replaced");
    let late = container.replace("blob", &etag, metadata("3")).await.expect_err("somebody was faster");
    assert_eq!(late.meaning, Meaning::Exists, "{late}");
    assert_eq!(container.metadata("blob").await.expect("it is read"), Some(metadata("2")));
}

async fn a_listing_has_an_order_and_pages(stage: &mut Stage) {
    let container = stage.container("list").await;
    let names = ["p/a-/b", "p/a-b/b", "p/a/b", "p/a/o", "p/a0/b", "p/ab/b"];
    for name in names.iter().rev().chain(&["o", "p.", "q/a"]) {
        container.create(name, vec![1; 3], metadata(name)).await.expect("it is written");
    }
    let pages = listed(&container, "p/", 4).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2]);
    let items = pages.concat();
    assert_eq!(items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), names);
    assert!(items.iter().all(|item| item.metadata == metadata(&item.name) && item.bytes == 3), "{items:?}");
    assert!(listed(&container, "nothing/", 4).await.concat().is_empty());
}

async fn what_is_missing_is_no_error(stage: &mut Stage) {
    let container = stage.container("missing").await;
    assert_eq!(container.read("no").await.expect("it is answered"), None);
    assert_eq!(container.metadata("no").await.expect("it is answered"), None);
    container.delete("no").await.expect("it counts as deleted");
    container.create("yes", vec![1], Metadata::new()).await.expect("it is written");
    container.delete("yes").await.expect("it is deleted");
    assert_eq!(container.read("yes").await.expect("it is answered"), None);
}

async fn a_large_blob_comes_back_whole(stage: &mut Stage) {
    let container = stage.container("large").await;
    let bytes: Vec<u8> = (0..9 * 1024 * 1024_u32).map(|at| at.to_be_bytes()[2]).collect();
    for expected in [Written::Created, Written::AlreadyThere] {
        let written = container.create("blob", bytes.clone(), metadata("large")).await;
        assert_eq!(written.expect("it is written or there"), expected);
    }
    let stored = container.read("blob").await.expect("it is read").expect("it is there");
    assert!(stored == bytes, "{} bytes came back", stored.len());
    assert_eq!(container.metadata("blob").await.expect("it is read"), Some(metadata("large")));
}

async fn a_message_arrives_in_base64(stage: &mut Stage) {
    let queue = stage.queue("texts").await;
    let text = r#"{"name":"Schlüssel <a&b>"}"#;
    queue.send(text, Duration::from_secs(3600)).await.expect("it is sent");
    let taken = stage.take("texts").await;
    assert_eq!(taken.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), [BASE64.encode(text)]);
}

/// Backs up an object of the world's vault for a run.
async fn backed_up(stage: &Stage, catalogue: &Catalogue, run: &RunId, id: &ObjectId) -> Written {
    let url = stage.world.vault.url().parse().expect("it is a vault");
    let client = VaultClient::new(&url, &stage.wire().connection, 1000, RestorePace::new(Pace::of_all(300)))
        .expect("the client is built");
    let versions = client.versions(id).await.expect("it has versions");
    let blob = client.backup(id).await.expect("it is backed up").blob;
    let entry = Entry::from(Taken {
        vault: url.name(),
        id,
        run,
        blob: &blob,
        form: blob.judge(id.kind).expect("it is a backup"),
        region: None,
        location: Location::default(),
        seen: VersionsSeen::of(versions, &Current::Unknown).expect("it has versions"),
        read: NIGHT,
        taken: NIGHT,
        previous: None,
    });
    catalogue.create_backup(&entry, blob).await.expect("it is stored")
}

async fn a_run_from_its_plan_to_its_manifest(stage: &mut Stage) {
    stage.world.vault.put_secret("kept", SecretSpec::new("x").tag("wo", "Köln 🔑"));
    stage.world.vault.put_key("kept", KeySpec::rsa(2048));
    let container = stage.container("catalogue").await;
    let catalogue = Catalogue::new(container.clone());
    let vault: SourceName = "kv-a".parse().expect("it is a vault");
    let run = RunId::nightly(NIGHT);
    let id = |kind, name: &str| ObjectId::new(kind, name.parse().expect("it is a name"));
    let (secret, key) = (id(ObjectKind::Secret, "kept"), id(ObjectKind::Key, "kept"));
    let refused = id(ObjectKind::Secret, "refused");
    let plan = Plan {
        header: PlanHeader::new(vault.clone(), run.clone(), Scope::Vault, NIGHT),
        objects: plan_objects(vec![secret.clone(), key.clone(), refused.clone()], &Index::default()),
    };
    assert_eq!(catalogue.create_plan(plan.clone()).await.expect("it is stored"), plan);
    let other = Plan { objects: Vec::new(), ..plan.clone() };
    assert_eq!(catalogue.create_plan(other).await.expect("it is answered"), plan, "the first plan stays");

    for (id, written) in
        [(&secret, Written::Created), (&key, Written::Created), (&key, Written::AlreadyThere)]
    {
        assert_eq!(backed_up(stage, &catalogue, &run, id).await, written);
    }
    let failure = Failure::ours("Forbidden", "Caller: \"ü\"\r\n");
    let outcome = Outcome::new(&refused, OutcomeKind::Failed, failure, NIGHT);
    catalogue.create_outcome(&vault, &run, &outcome).await.expect("it is stored");
    let entry = catalogue.entry(&vault, &run, &secret).await.expect("it is read").expect("it is there");
    assert_eq!(entry.tags.known()["wo"], "Köln 🔑");

    let summary = catalogue.close(&plan).await.expect("it is closed");
    assert_eq!((summary.verdict, summary.numbers.backed_up), (Verdict::PartiallyFailed, 2));
    assert_eq!(catalogue.close(&plan).await.expect("it is closed"), summary);
    let view = catalogue.view(&vault, None).await.expect("it is read");
    let manifest = view.base.clone().expect("there is a manifest");
    assert_eq!(manifest.summary.as_ref(), Some(&summary));
    let lines = catalogue.lines(&view).await.expect("they are read").map(|line| line.expect("it is read"));
    let fared: BTreeMap<_, _> = lines.map(|line| (line.id(), line.status)).collect();
    assert_eq!(
        fared,
        [(key, ObjectStatus::BackedUp), (secret, ObjectStatus::BackedUp), (refused, ObjectStatus::Failed)]
            .into()
    );

    container.delete(&manifest.name).await.expect("it is lost");
    let manifests = catalogue.manifests(&vault, None, |_| false).await.expect("they are listed");
    assert!(manifests.is_empty(), "{manifests:?}");
    assert_eq!(catalogue.close(&plan).await.expect("it is made again"), summary);
    assert!(catalogue.check_manifest(&plan).await.expect("it is read"), "the same bytes");
    assert_eq!(catalogue.all_runs(&vault).await.expect("they are read"), [run]);
}

/// The summary of the vault's newest manifest.
async fn newest(stage: &Stage) -> Value {
    let vault = "kv-a".parse().expect("it is a vault");
    let view = stage.catalogue().view(&vault, None).await.expect("it is read");
    json!(view.base.expect("there is a manifest").summary.expect("it has a summary"))
}

async fn night(stage: &mut Stage, occurrence: time::OffsetDateTime) -> Value {
    let fired = stage.world.fire(occurrence).await;
    assert!(fired.succeeded(), "{fired:?}");
    let host = stage.world.host().await;
    for _ in 0..10 {
        stage.carry().await;
        host.pump("BackUpObject").await;
        stage.world.advance().await;
        if listed(&stage.jobs(), "backup-runs/", 10).await.concat().is_empty() {
            return newest(stage).await;
        }
    }
    panic!("the run is still open");
}

async fn a_night_through_the_host(stage: &mut Stage) {
    for number in 0..30 {
        stage.world.vault.put_secret(&format!("night-{number}"), SecretSpec::new("value"));
    }
    stage.world.vault.put_key("night", KeySpec::rsa(2048));
    let first = night(stage, NIGHT).await;
    let numbers = |summary: &Value| summary["numbers"].clone();
    assert_eq!((&first["verdict"], &numbers(&first)["failed"]), (&json!("Succeeded"), &json!(0)));
    assert_eq!(numbers(&first)["backed_up"], numbers(&first)["listed"]);
    assert!(numbers(&first)["listed"].as_u64() >= Some(31), "{first}");
    let second = night(stage, NIGHT + time::Duration::DAY).await;
    assert_eq!(numbers(&second)["unchanged"], numbers(&first)["listed"], "{second}");
}

async fn a_vault_from_the_terminal(stage: &mut Stage) {
    stage.world.today();
    stage.world.vault.put_secret("terminal", SecretSpec::new("value"));
    let vault = stage.world.vault.url();
    let commands: [&[&str]; 3] = [
        &["backup", "--vault", &vault],
        &["list", "runs", "--vault", &vault],
        &["rebuild", "--vault", &vault],
    ];
    for command in commands {
        let output = stage.world.cli(command).await;
        assert!(output.status.success(), "{command:?}: {output:?}");
    }
    assert_eq!(newest(stage).await["verdict"], "Succeeded");
}
