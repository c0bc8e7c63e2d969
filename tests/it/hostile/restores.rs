//! Messages and records of restores that strangers may send or leave.

use std::time::Duration;

use fastrand::Rng;
use keyvault_backup::{
    domain::{
        audit::Record,
        restore::{RESTORE_FORMAT, RestoreId, RestoreJob, RestoreMessage, RestorePlan, StepOutcome, Waiting},
    },
    jobs::Claim,
    triggers::functions::decode,
};
use keyvault_backup_emulator::{Kind, Operation, Service};
use serde_json::{Value, json};

use super::{assert_bounded, base64, broken, broken_text, is_name};
use crate::{
    restore_crashes::{backed_up, wish},
    world::BACKUPS,
};

const MESSAGE: &str =
    r#"{"version":1,"restore":"20261122T101112Z-restore-0f3a9c41","kind":"secret","object":"db-password"}"#;

const RECORDS: [&str; 6] = [
    r#"{"v":1,"id":"20261122T101112Z-restore-0f3a9c41","plan":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","source":"kv-a","target":"kv-a","by":{"via":"http","key":"00112233"},"opened":"2026-11-22T10:11:12Z","numbers":{"planned":2,"restored":1,"skipped":0,"failed":0},"steps":2,"answered":1,"progressed":"2026-11-22T10:11:12Z","sent":true,"ended":{"at":"2026-11-22T10:12:12Z","verdict":"Succeeded"}}"#,
    r#"{"v":1,"kind":"key","name":"k","result":"failed","failure":{"code":"Forbidden","text":"no","status":403},"at":"2026-11-22T10:11:12Z"}"#,
    r#"{"v":1,"since":"2026-11-22T10:11:12Z"}"#,
    r#"{"v":1,"restore":"20261122T101112Z-restore-0f3a9c41","plan":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
    r#"{"v":1,"at":"2026-11-22T10:11:12Z","by":{"via":"terminal"},"event":"restore-ended","restore":"20261122T101112Z-restore-0f3a9c41","verdict":"Failed","numbers":{"planned":2,"restored":0,"skipped":0,"failed":2},"after":{"name":"audit/2026-11-22/00000001","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}"#,
    r#"{"v":1,"request":{"source":"kv-a","target":"kv-a","selection":{"objects":[]},"on_conflict":"fail"},"steps":[{"kind":"secret","name":"s","action":"purge-and-restore","run":"20260110T020000Z-nightly","taken":"2026-01-10T02:00:01Z","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","versions":1,"newest":"0123","version_states":"00112233445566778899aabbccddeeff"}],"left":[]}"#,
];

#[test]
fn broken_messages() {
    let mut rng = Rng::with_seed(7);
    for _ in 0..30_000 {
        let text = broken_text(&mut rng, MESSAGE);
        match decode::<RestoreMessage>(&text, RESTORE_FORMAT) {
            Ok(RestoreMessage { version, restore, object, .. }) => {
                assert!(is_name(restore.as_str()) && is_name(object.as_str()) && version <= 1, "{text}");
                assert!(restore.as_str().contains("-restore-"), "{text}");
            }
            Err(error) => assert_bounded(&error.to_string(), text.len()),
        }
    }
}

#[test]
fn broken_names_of_restores() {
    let mut rng = Rng::with_seed(8);
    for _ in 0..20_000 {
        let text = broken_text(&mut rng, "20261122T101112Z-restore-0f3a9c41");
        match text.parse::<RestoreId>() {
            Ok(id) => assert!(is_name(&text) && id.asked().year() > 1, "{text}"),
            Err(error) => assert_bounded(&error.to_string(), text.len()),
        }
    }
}

#[test]
fn broken_records() {
    let mut rng = Rng::with_seed(9);
    for turn in 0..20_000 {
        let bytes = broken(&mut rng, RECORDS[turn % RECORDS.len()]);
        drop(serde_json::from_slice::<RestoreJob>(&bytes));
        drop(serde_json::from_slice::<StepOutcome>(&bytes));
        drop(serde_json::from_slice::<Waiting>(&bytes));
        drop(serde_json::from_slice::<Claim>(&bytes));
        drop(serde_json::from_slice::<RestorePlan>(&bytes));
        drop(Record::read(&bytes));
    }
}

/// Messages that must not be worked on, and one that an open restore has no step for.
fn bad_messages(restore: &str) -> Vec<String> {
    let good: Value = serde_json::from_str(MESSAGE).expect("it is JSON");
    let with = |changes: &[(&str, Value)]| {
        let mut message = good.clone();
        for (field, value) in changes {
            message[*field] = value.clone();
        }
        message.to_string()
    };
    let ours = json!(restore);
    let mut bad = vec![
        String::new(),
        "null".into(),
        "[]".into(),
        MESSAGE[..50].into(),
        "{".repeat(2000),
        "x".repeat(40_000),
        good.to_string(),
        with(&[("version", json!(2)), ("restore", ours.clone())]),
        with(&[("version", json!("1")), ("restore", ours.clone())]),
        with(&[("restore", json!("20261122T101112Z-nightly"))]),
        with(&[("restore", json!("../../restores/x"))]),
        with(&[("restore", json!(format!("{restore}/..")))]),
        with(&[("restore", ours.clone()), ("object", json!("untouched"))]),
        with(&[("restore", ours.clone()), ("object", json!("db/../signing"))]),
        with(&[("restore", ours.clone()), ("object", json!("db")), ("kind", json!("certificate"))]),
        with(&[("restore", ours.clone()), ("object", json!("db")), ("kind", json!("y".repeat(30_000)))]),
    ];
    bad.extend(["version", "restore", "kind", "object"].map(|field| {
        let mut message = good.clone();
        message.as_object_mut().expect("it is an object").remove(field);
        message.to_string()
    }));
    bad
}

#[tokio::test]
async fn bad_messages_restore_and_purge_nothing_and_lie_unchanged_in_the_poison_queue() {
    let mut world = backed_up().await;
    world.wreck();
    let plan = world.plan(wish()).await;
    let started = world.begin_through_the_queue(&plan, "ticket").await;
    let queue = world.work.queue("restore-objects");
    queue.clear();
    let bad = bad_messages(started.json()["id"].as_str().expect("a name"));
    for message in &bad {
        queue.send(&base64(message), Duration::ZERO, None);
    }
    let (host, stored) = (world.host().await, world.backups.blobs(BACKUPS));
    let before = world.azure.requests().mark();
    for _ in 0..5 {
        host.pump("RestoreObject").await;
        world.azure.clock().advance(Duration::from_secs(61));
    }
    let poisoned = world.work.queue("restore-objects-poison").peek_all();
    let mut poisoned: Vec<_> = poisoned.into_iter().map(|message| message.text).collect();
    let mut sent: Vec<_> = bad.iter().map(|message| base64(message)).collect();
    poisoned.sort();
    sent.sort();
    assert_eq!(poisoned, sent);
    let made = world.azure.requests().since(before);
    assert!(!made.iter().any(|entry| entry.service == Service::Vault), "the vault was not called");
    assert!(!made.iter().any(|entry| entry.operation == Operation::PutBlob), "nothing was written");
    assert_eq!(
        (world.vault.deleted(Kind::Secret), world.backups.blobs(BACKUPS)),
        (vec!["db".to_owned()], stored)
    );
    assert_eq!(
        world.ended(&started).await["state"],
        "Succeeded",
        "the restore goes on as if nothing had been"
    );
}
