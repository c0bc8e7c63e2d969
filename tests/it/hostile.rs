//! What strangers may send: messages, envelopes, settings, names, stored lines. A hundred thousand of them
//! against the functions that read them, some dozens through the real binary.

mod restores;

use std::time::Duration;

use fastrand::Rng;
use keyvault_backup::{
    config::{Config, Needs},
    domain::{
        blob::BackupBlob,
        entry::Entry,
        job::BackupJob,
        manifest::{Line, Summary},
        message::{MESSAGE_FORMAT, Message},
        object::{ObjectKind, ObjectName},
        outcome::Outcome,
        plan::PlanHeader,
        planned::Planned,
        run::RunId,
        source::{Source, SourceName},
    },
    triggers::{envelope::Invocation, functions::decode},
};
use keyvault_backup_emulator::Service;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::{BACKUPS, NIGHT, World};

const MESSAGE: &str = r#"{"version":1,"vault":"kv-a","run":"20260110T020000Z-nightly","planned":1768010400,"kind":"secret","object":"db-password","previous":"20260109T020000Z-nightly"}"#;

const ENVELOPE: &str = r#"{"Data":{"message":"\"{\\\"version\\\":1}\"","timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"0001-01-01T00:00:00+00:00","Next":"2026-08-22T02:00:00+00:00"},"IsPastDue":false}},"Metadata":{"DequeueCount":"1","sys":{"MethodName":"f","UtcNow":"2026-08-22T02:00:06.2205399Z"}}}"#;

const RECORDS: [&str; 6] = [
    r#"{"v":1,"vault":"kv-a","kind":"secret","name":"s","run":"20260110T020000Z-nightly","taken":"2026-01-10T02:00:01Z","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","bytes":4000,"kid":"k","alg":"a","enc":"e","versions":1,"newest":"0123","version_ids":"00112233445566778899aabbccddeeff","version_states":"00112233445566778899aabbccddeeff","fingerprint":"00112233445566778899aabbccddeeff","enabled":true}"#,
    r#"{"v":1,"kind":"key","name":"k","outcome":"failed","failure":{"code":"Forbidden","text":"no","status":403},"at":"2026-01-10T02:00:01Z"}"#,
    r#"{"v":1,"vault":"kv-a","run":"20260110T020000Z-nightly","opened":"2026-01-10T02:00:00Z","sent":true,"answered":0,"progressed":"2026-01-10T02:00:00Z"}"#,
    r#"{"kind":"secret","name":"s","fared":"failed","failure":{"code":"c","text":"t"}}"#,
    r#"{"v":1,"run":"20260110T020000Z-nightly","scope":"vault","verdict":"Succeeded","numbers":{"listed":0,"backed_up":0,"unchanged":0,"managed":0,"disappeared":0,"failed":0,"bytes":0,"near_version_limit":0},"planned":"2026-01-10T02:00:00Z","finished":"2026-01-10T02:00:00Z","full_pass":"2026-01-10T02:00:00Z","protected":0,"lines":0}"#,
    r#"{"v":1,"vault":"kv-a","run":"20260110T020000Z-nightly","scope":"vault","planned":"2026-01-10T02:00:00Z","full_pass":"2026-01-10T02:00:00Z"}"#,
];

const SETTINGS: [(&str, &str); 8] = [
    ("KEYVAULT_BACKUP_VAULTS", "https://kv-a.vault.azure.net, https://kv-b.vault.azure.net/"),
    ("KEYVAULT_BACKUP_CONTAINER", "https://backups.blob.core.windows.net/vaults"),
    ("KEYVAULT_BACKUP_JOBS_CONTAINER", "https://host.blob.core.windows.net/backup-jobs"),
    ("KEYVAULT_BACKUP_QUEUE__queueServiceUri", "https://host.queue.core.windows.net"),
    ("KEYVAULT_BACKUP_FULL_PASS_DAYS", "7"),
    ("KEYVAULT_BACKUP_VAULT_RATE", "390"),
    ("KEYVAULT_BACKUP_IDENTITY", "managed"),
    ("KEYVAULT_BACKUP_API_VERSION", "2025-07-01"),
];

/// Pieces that have broken readers before.
fn piece(rng: &mut Rng) -> Vec<u8> {
    const PIECES: [&str; 24] = [
        "../../x",
        "..",
        "/",
        "\\",
        "%2F",
        "\0",
        "\\u0000",
        "\\ud800",
        "\u{202e}",
        "null",
        "true",
        "[]",
        "{}",
        "-1",
        "1e999",
        "18446744073709551616",
        "0x10",
        "\"",
        ",",
        "\"version\":2,",
        "\"v\":99,",
        "'; DROP TABLE runs;--",
        "https://evil.example",
        "99999999T999999Z-nightly",
    ];
    match rng.u8(..12) {
        0 => "A".repeat(rng.usize(1..20_000)).into(),
        1 => ["[", "{\"a\":"][rng.usize(..2)].repeat(rng.usize(1..2_000)).into(),
        2 => std::iter::repeat_with(|| rng.u8(..)).take(8).collect(),
        _ => PIECES[rng.usize(..PIECES.len())].into(),
    }
}

/// A thing that was sound, with a few changes.
fn broken(rng: &mut Rng, sound: &str) -> Vec<u8> {
    let mut bytes = sound.as_bytes().to_vec();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=bytes.len());
        let end = rng.usize(at..=bytes.len().min(at + 40));
        match rng.u8(..5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..end, piece(rng))),
            2 => drop(bytes.splice(at..at, piece(rng))),
            3 => drop(bytes.drain(at..end)),
            _ if at < bytes.len() => bytes[at] = rng.u8(..),
            _ => {}
        }
    }
    bytes
}

fn broken_text(rng: &mut Rng, sound: &str) -> String {
    String::from_utf8_lossy(&broken(rng, sound)).into_owned()
}

/// A text for a person, which does not repeat what was sent at any length.
fn assert_bounded(text: &str, sent: usize) {
    assert!(!text.is_empty() && text.len() < 700, "{} bytes for {sent}: {text}", text.len());
    assert!(!text.contains(['\0', '\u{1b}']), "{text:?}");
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && text.len() <= 127
}

#[test]
fn broken_messages() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..30_000 {
        let text = broken_text(&mut rng, MESSAGE);
        match decode(&text, MESSAGE_FORMAT) {
            Ok(Message { vault, run, object, previous, version, .. }) => {
                assert!(
                    is_name(vault.as_str()) && is_name(run.as_str()) && is_name(object.as_str()),
                    "{text}"
                );
                assert!(previous.is_none_or(|run| is_name(run.as_str())) && version <= 1, "{text}");
            }
            Err(error) => assert_bounded(&error.to_string(), text.len()),
        }
    }
}

#[test]
fn broken_envelopes() {
    let mut rng = Rng::with_seed(2);
    for _ in 0..20_000 {
        let body = broken(&mut rng, ENVELOPE);
        match Invocation::read(&body) {
            Ok(invocation) => {
                for error in [
                    invocation.text("message").err(),
                    invocation.timer("timer").err(),
                    invocation.text("nothing").err(),
                ] {
                    assert_bounded(&error.map_or("none".to_owned(), |error| error.to_string()), body.len());
                }
            }
            Err(error) => assert_bounded(&error.to_string(), body.len()),
        }
    }
}

#[test]
fn broken_names() {
    let mut rng = Rng::with_seed(3);
    for _ in 0..20_000 {
        let name = broken_text(&mut rng, "db-password");
        match name.parse::<ObjectName>() {
            Ok(_) => assert!(is_name(&name)),
            Err(error) => assert_bounded(&error.to_string(), name.len()),
        }
        let name = broken_text(&mut rng, "kv-prod");
        match name.parse::<SourceName>() {
            Ok(_) => assert!(is_name(&name)),
            Err(error) => assert_bounded(&error.to_string(), name.len()),
        }
        let url = broken_text(&mut rng, "https://kv-prod.vault.azure.net");
        match url.parse::<Source>() {
            Ok(parsed) => assert!(is_name(parsed.host().split('.').next().unwrap_or_default()), "{url}"),
            Err(error) => assert_bounded(&error.to_string(), url.len()),
        }
        let run = broken_text(&mut rng, "20260110T020000Z-nightly");
        match run.parse::<RunId>() {
            Ok(parsed) => assert!(is_name(&run) && parsed.occurrence().is_some(), "{run}"),
            Err(error) => assert_bounded(&error.to_string(), run.len()),
        }
        if let Err(error) = broken_text(&mut rng, "secret").parse::<ObjectKind>() {
            assert_bounded(&error.to_string(), 0);
        }
    }
}

#[test]
fn broken_settings() {
    let mut rng = Rng::with_seed(4);
    for _ in 0..10_000 {
        let broken_one = rng.usize(..SETTINGS.len());
        let value = broken_text(&mut rng, SETTINGS[broken_one].1);
        let lookup = |name: &str| {
            let (at, (_, sound)) = SETTINGS.iter().enumerate().find(|(_, (known, _))| *known == name)?;
            Some(if at == broken_one { value.clone() } else { (*sound).to_owned() })
        };
        if let Err(error) = Config::read(lookup, Needs::Serve) {
            assert!(error.0.iter().all(|fault| fault.starts_with(SETTINGS[broken_one].0)), "{error}");
            for fault in &error.0 {
                assert_bounded(fault, value.len());
            }
        }
    }
}

#[test]
fn broken_records() {
    let mut rng = Rng::with_seed(5);
    for turn in 0..20_000 {
        let bytes = broken(&mut rng, RECORDS[turn % RECORDS.len()]);
        drop(serde_json::from_slice::<Entry>(&bytes));
        drop(serde_json::from_slice::<Outcome>(&bytes));
        drop(serde_json::from_slice::<BackupJob>(&bytes));
        drop(serde_json::from_slice::<Line>(&bytes));
        drop(serde_json::from_slice::<Summary>(&bytes));
        drop(serde_json::from_slice::<PlanHeader>(&bytes));
        drop(serde_json::from_slice::<Planned>(&bytes));
    }
}

#[test]
fn broken_blobs() {
    let header = "eyJraWQiOiJrIiwiYWxnIjoiUlNBLU9BRVAtMjU2IiwiZW5jIjoiQTI1NkNCQy1IUzUxMiJ9";
    let jwe =
        format!("{header}.{}.{}.{}.{}", "A".repeat(342), "A".repeat(22), "A".repeat(64), "A".repeat(43));
    let sound = format!(")AzureKeyVaultSecretBackupV1.microsoft.com{jwe}");
    BackupBlob::from(sound.clone().into_bytes()).judge(ObjectKind::Secret).expect("it is sound");
    let mut rng = Rng::with_seed(6);
    for _ in 0..10_000 {
        let blob = BackupBlob::from(broken(&mut rng, &sound));
        for kind in ObjectKind::ALL {
            match blob.judge(kind) {
                Err(fault) => assert_bounded(&fault.to_string(), blob.len()),
                Ok(form) => {
                    let shown = form.unknown().map(ToString::to_string).unwrap_or_default();
                    assert!(shown.len() < 500 && shown.is_ascii(), "{shown}");
                }
            }
        }
    }
}

/// Messages that must not be worked on.
fn bad_messages() -> Vec<String> {
    let good: Value = serde_json::from_str(MESSAGE).expect("it is JSON");
    let with = |field: &str, value: Value| {
        let mut message = good.clone();
        message[field] = value;
        message.to_string()
    };
    let mut bad = vec![
        String::new(),
        "not JSON".into(),
        "null".into(),
        "[]".into(),
        "\"text\"".into(),
        MESSAGE[..60].into(),
        "{".repeat(2000),
        "x".repeat(40_000),
        "\u{feff}{}".into(),
        with("version", json!(2)),
        with("version", json!("1")),
        with("vault", json!("kv-unknown")),
        with("vault", json!("evil.example/")),
        with("run", json!("../../x")),
        with("run", json!("20260110T020000Z-../x")),
        with("object", json!("a/b")),
        with("object", json!("x".repeat(128))),
        with("object", json!("")),
        with("kind", json!("Secret")),
        with("kind", json!("y".repeat(30_000))),
        with("planned", json!(i64::MAX)),
        with("planned", json!("tomorrow")),
        with("previous", json!("../../y")),
    ];
    bad.extend(["version", "vault", "run", "planned", "kind", "object"].map(|field| {
        let mut message = good.clone();
        message.as_object_mut().expect("it is an object").remove(field);
        message.to_string()
    }));
    bad
}

#[tokio::test]
async fn bad_messages_fail_loudly_and_lie_unchanged_in_the_poison_queue() {
    let mut world = World::with_secrets(1).await;
    let host = world.host().await;
    let pid = host.pid();
    let queue = world.work.queue("backup-objects");
    let bad = bad_messages();
    for message in &bad {
        queue.send(&base64(message), Duration::ZERO, None);
    }
    for _ in 0..5 {
        host.pump("BackUpObject").await;
        world.azure.clock().advance(Duration::from_secs(61));
    }
    let mut poisoned = world.poisoned();
    let mut sent: Vec<_> = bad.iter().map(|message| base64(message)).collect();
    poisoned.sort();
    sent.sort();
    assert_eq!(poisoned, sent);
    for delivery in host.invocations() {
        assert!(!delivery.succeeded() && delivery.status == Some(500), "{delivery:?}");
        let answer: Value = serde_json::from_str(&delivery.body).expect("each answer is JSON");
        assert_bounded(answer["Logs"][0].as_str().expect("it says why"), 0);
    }
    assert_eq!(
        world.azure.requests().count(|entry| entry.service != Service::Identity),
        0,
        "nobody was called"
    );
    assert!(world.backups.blobs(BACKUPS).is_empty());
    assert_eq!((host.pid(), host.errors()), (pid, 0), "the process lives");
    assert_eq!(world.night(NIGHT + time::Duration::DAY).await["verdict"], "Succeeded");
}

fn base64(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

impl World {
    /// The port on which the handler answers.
    pub async fn handler_port(&mut self) -> u16 {
        let host = self.host().await;
        loop {
            let lines = host.logs();
            let port = lines
                .iter()
                .find_map(|line| line.text.split_once("answers on port ")?.1.split('"').next()?.parse().ok());
            match port {
                Some(port) => return port,
                None => tokio::task::yield_now().await,
            }
        }
    }
}

/// Sends bytes and reads what comes back until the handler closes, has answered, or says nothing for long.
async fn raw(port: u16, head: &str, body: &[u8]) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("the handler listens");
    socket.write_all(head.as_bytes()).await.expect("it reads");
    // It may answer and close before it has read all.
    drop(socket.write_all(body).await);
    let mut answer = Vec::new();
    let read = async {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = socket.read(&mut chunk).await {
            answer.extend_from_slice(&chunk[..count]);
            if chunk[..count].ends_with(b"}") || answer.ends_with(b"\r\n\r\n") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn bad_requests_are_answered_at_once() {
    let mut world = World::with_secrets(1).await;
    let port = world.handler_port().await;
    let request = |function: &str, media: &str, length: usize| {
        format!(
            "POST /{function} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let json = "application/json";
    let deep = "[".repeat(100_000);
    let huge = format!(r#"{{"Data":{{"message":"{}"}}}}"#, "x".repeat(5 * 1024 * 1024));
    for (function, media, body, status) in [
        ("BackUpObject", json, &b""[..], "500"),
        ("BackUpObject", json, b"{}", "500"),
        ("BackUpObject", json, b"null", "500"),
        ("BackUpObject", json, b"\xff\xfe\xfd", "500"),
        ("BackUpObject", json, deep.as_bytes(), "500"),
        ("BackUpObject", json, huge.as_bytes(), "500"),
        ("BackUpObject", "text/plain", b"hello", "500"),
        ("BackUpObject", "", b"{\"Data\":{\"message\":7}}", "500"),
        ("NightlyVaultBackup", json, b"{\"Data\":{\"timer\":7}}", "500"),
        ("NightlyVaultBackup", json, b"{\"Data\":[]}", "500"),
        ("AdvanceJobs", json, b"{", "500"),
        ("RestoreEverything", json, b"{}", "404"),
        ("%00", json, b"{}", "404"),
        ("a/b/c", json, b"{}", "404"),
    ] {
        let answer = raw(port, &request(function, media, body.len()), body).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{function} {} bytes: {answer}",
            body.len()
        );
        assert!(answer.contains("\"Logs\":[") && answer.len() < 1500, "{answer}");
    }
    let chunked = "POST /BackUpObject HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    assert!(raw(port, chunked, b"2\r\n{}\r\n0\r\n\r\n").await.starts_with("HTTP/1.1 500"));
    assert!(raw(port, "BREW / HTTP/9\r\n\r\n", b"").await.starts_with("HTTP/1.1 4"));
    assert_eq!(world.night(NIGHT).await["verdict"], "Succeeded", "it works on as if nothing had been");
}
