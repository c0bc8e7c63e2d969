//! Backups of a form that the program does not know: they are kept, said, taken anew, restored, and never a reason to purge.

use std::io::Read as _;

use flate2::{
    Compression,
    bufread::{GzDecoder, GzEncoder},
};
use keyvault_backup_emulator::{BackupForm, CertificateSpec, KeySpec, Kind, SecretSpec, VaultHandle};
use serde_json::{Value, json};

use crate::{
    checks::{assert_adds_up, assert_rebuilt, events},
    preflight,
    world::{BACKUPS, NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;
const NAMED: &str = "AzureKeyVaultSecretBackupV2.microsoft.com";

/// A vault with an object of each kind, long settled, and one to restore into.
async fn stocked() -> World {
    let world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let made = NIGHT - DAY * 60;
    world.vault.put_secret("db", SecretSpec::new("one").created(made));
    world.vault.put_key("signing", KeySpec::ec("P-256").created(made));
    world.vault.put_certificate("tls", CertificateSpec::new("CN=example.org").created(made));
    world.at(NIGHT);
    world
}

fn hand_out(world: &World, form: BackupForm) {
    world.vault.configure(|options| options.backup_form = form);
}

/// A world after a night in which the vault handed out another form.
async fn of_another_form() -> World {
    let mut world = stocked().await;
    hand_out(&world, BackupForm::NextMagic);
    world.night(NIGHT).await;
    world
}

/// The service takes every object's newest backup back, in a vault that has nothing else.
fn assert_restorable(world: &World, into: &VaultHandle) -> u64 {
    let manifest = world.newest("kv-a");
    let entries: Vec<_> = manifest.lines.iter().filter(|line| line["fared"] != "managed").collect();
    for line in &entries {
        let (kind, name) = into.restore(&world.stored(&line["entry"])).expect("the service takes it back");
        assert_eq!(line["name"], name, "{line}");
        into.remove(kind, &name);
    }
    entries.len() as u64
}

#[tokio::test]
async fn over_thirty_nights_with_other_forms_in_the_middle_every_object_has_a_newest_backup_that_restores() {
    let mut world = stocked().await;
    let spare = world.azure.vault("kv-b");
    let mut before = 0;
    for night in 0..30 {
        match night {
            10 => hand_out(&world, BackupForm::NextMagic),
            17 => hand_out(&world, BackupForm::NextCipher),
            // As a program sees it that knows the form.
            25 => hand_out(&world, BackupForm::Recorded),
            _ => {}
        }
        if night % 4 == 3 {
            world.vault.put_secret("db", SecretSpec::new(format!("of night {night}")));
            world.vault.put_secret(&format!("new-{night}"), SecretSpec::new("new"));
        }
        let summary = world.night(NIGHT + DAY * night).await;
        assert_eq!(
            (&summary["verdict"], &summary["numbers"]["failed"]),
            (&json!("Succeeded"), &json!(0)),
            "{night}"
        );
        assert_adds_up(&summary);
        let number = |of: &str| summary["numbers"][of].as_u64().unwrap_or_default();
        let (objects, unknown) = (assert_restorable(&world, &spare), number("unknown_form"));
        assert!(number("backed_up") >= before, "what is of an unknown form stays due: {summary}");
        // A form shows in a backup alone: by the full pass of night 14 everything has the new one.
        let expected = match night {
            10..14 => unknown,
            14..25 => objects,
            _ => 0,
        };
        assert_eq!(unknown, expected, "{night}: {summary}");
        before = unknown;
    }
    assert_rebuilt(&world).await;
    let known = "2026-01-19T12:00:00Z";
    let args =
        ["restore", "--vault", &world.vault.url(), "--into", &spare.url(), "--all", "--at", known, "--yes"];
    let restored = world.cli(&args).await;
    assert_eq!(
        restored.status.code(),
        Some(0),
        "the last backups of a known form are within reach: {restored:?}"
    );
}

#[tokio::test]
async fn a_form_that_is_not_known_is_said_wherever_the_backup_is() {
    let mut world = of_another_form().await;
    let lines = world.handler_lines().await;
    assert_eq!((events(&lines, "backup.form_unknown"), events(&lines, "form.unknown")), (3, 1));
    let summary = world.newest("kv-a").summary;
    assert_eq!((&summary["verdict"], &summary["numbers"]["unknown_form"]), (&json!("Succeeded"), &json!(3)));

    let status = &world.ok("/api/status").await["sources"][0];
    let first = &status["unknownForms"]["objects"][2]["clear"];
    assert_eq!((&status["unknownForms"]["total"], &first["tag"]), (&json!(3), &json!(NAMED)), "{status}");
    let run = &world.ok("/api/backups/runs").await["runs"][0];
    assert_eq!(
        (&run["numbers"]["unknownForm"], &run["unknownForm"]["header"][3]),
        (&json!(3), &json!("ver"))
    );
    let listed = world.ok("/api/backups?kind=secret").await;
    assert_eq!(
        (&listed["backups"][0]["form"], &listed["backups"][0]["clear"]["tag"]),
        (&json!("unknown"), &json!(NAMED))
    );

    let url = world.vault.url();
    for args in [
        &["list", "objects"][..],
        &["list", "history", "--secret", "db"],
        &["show", "20260110T020000Z-nightly"],
    ] {
        let output = world.cli(&[args, &["--vault", &url]].concat()).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("not known") && text.contains("SecretBackupV2"), "{args:?}: {text}");
    }
}

#[tokio::test]
async fn preflight_warns_of_it_with_a_sample() {
    let mut world = stocked().await;
    hand_out(&world, BackupForm::NextCipher);
    preflight::prepare(&mut world).await;
    let (code, report) = preflight::preflight(&world).await;
    let found =
        report["findings"].as_array().expect("a list").iter().find(|of| of["name"] == "backup-form-unknown");
    let seen = found.and_then(|of| of["seen"].as_str()).unwrap_or_default();
    assert!(code == Some(1) && seen.contains("header names alg, enc, kid"), "{report}");
}

#[tokio::test]
async fn a_plan_marks_it_and_nothing_is_purged_in_favour_of_it() {
    let mut world = of_another_form().await;
    world.vault.delete(Kind::Secret, "db").expect("it is deleted");
    let ask = |conflict: &str| json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "db" }], "onConflict": conflict });
    let plan = world.post("/api/restores/plan", ask("purgeDeleted")).await.json();
    assert_eq!((&plan["steps"], &plan["left"][0]["reason"]), (&json!([]), &json!("unknown-form")), "{plan}");
    let url = world.vault.url();
    let args = ["restore", "--vault", &url, "--secret", "db", "--on-conflict", "purge-deleted", "--yes"];
    assert_eq!(world.cli(&args).await.status.code(), Some(2));
    assert_eq!(world.vault.deleted(Kind::Secret), ["db"], "nothing was purged");

    world.vault.purge(Kind::Secret, "db").expect("a person may");
    let plan = world.post("/api/restores/plan", ask("fail")).await.json();
    let step = &plan["steps"][0];
    assert_eq!((&step["form"], &step["clear"]["tag"]), (&json!("unknown"), &json!(NAMED)), "{plan}");
    let shown = world.cli(&["restore", "--vault", &url, "--secret", "db", "--what-if"]).await;
    assert!(String::from_utf8_lossy(&shown.stdout).contains("NOT KNOWN"), "{shown:?}");
    let restored = world.cli(&["restore", "--vault", &url, "--secret", "db", "--yes"]).await;
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert_eq!(world.vault.objects(Kind::Secret), ["db", "tls"]);
}

/// A plan of many steps goes by what entries say, and a newer program's call known what this one cannot judge.
#[tokio::test]
async fn a_step_judges_the_form_before_it_purges() {
    let mut world = World::with_secrets(65).await;
    hand_out(&world, BackupForm::NextMagic);
    world.night(NIGHT).await;
    call_known(&world);
    let names: Vec<_> = (0..65).map(|number| format!("secret-{number}")).collect();
    for name in &names {
        world.vault.delete(Kind::Secret, name).expect("it is deleted");
    }
    let objects: Vec<_> = names.iter().map(|name| json!({ "kind": "secret", "name": name })).collect();
    let asked = json!({ "source": "kv-a", "objects": objects, "onConflict": "purgeDeleted" });
    let report = world.restored(asked).await;
    assert_eq!((&report["state"], &report["numbers"]["failed"]), (&json!("Failed"), &json!(65)), "{report}");
    assert_eq!(report["objects"][0]["failure"]["code"], "UnknownForm", "{report}");
    assert_eq!(world.vault.deleted(Kind::Secret).len(), 65, "nothing was purged");
}

/// Has the newest manifest say of each backup that its form is known.
fn call_known(world: &World) {
    let name = world.manifests("kv-a").remove(0);
    let blob = world.backups.blob(BACKUPS, &name).expect("it is stored");
    let mut text = String::new();
    GzDecoder::new(blob.bytes.as_ref()).read_to_string(&mut text).expect("it is text");
    let unknown = r#""form":"unknown","#;
    assert!(text.contains(unknown), "{text}");
    let known = text.replace(unknown, "");
    let mut packed = GzEncoder::new(known.as_bytes(), Compression::fast());
    let mut bytes = Vec::new();
    packed.read_to_end(&mut bytes).expect("it is packed");
    let metadata: Vec<_> =
        blob.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    world.backups.put_blob(BACKUPS, &name, bytes, &metadata);
}

#[tokio::test]
async fn a_file_of_an_unknown_form_is_written_said_and_restored() {
    let world = stocked().await;
    hand_out(&world, BackupForm::NextMagic);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("blob").display().to_string();
    let url = world.vault.url();
    let saved = world.cli(&["backup", "--vault", &url, "--secret", "db", "--file", &path]).await;
    let said = String::from_utf8_lossy(&saved.stdout).into_owned();
    assert!(saved.status.success() && said.contains(NAMED), "{saved:?}");
    let spare = world.azure.vault("kv-b");
    let restored = world.cli(&["restore", "--vault", &spare.url(), "--file", &path, "--yes"]).await;
    let said = String::from_utf8_lossy(&restored.stderr).into_owned();
    assert!(restored.status.success() && said.contains(NAMED), "{restored:?}");
    assert_eq!(spare.objects(Kind::Secret), ["db"]);
}

#[tokio::test]
async fn a_backup_that_the_container_does_not_hold_any_more_is_gone_and_not_damaged() {
    let mut world = stocked().await;
    world.night(NIGHT).await;
    let blob = "vaults/kv-a/runs/20260110T020000Z-nightly/objects/secret/db/backup";
    world.backups.delete_blob(BACKUPS, blob);
    world.vault.remove(Kind::Secret, "db");
    let plan = world.plan(json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "db" }] })).await;
    let left = &plan["left"][0];
    assert_eq!(left["reason"], "backup-gone", "{plan}");
    let why = left["why"].as_str().expect("a text");
    assert!(why.contains("a rule about the age of blobs") && why.contains("choose another one (at"), "{why}");
    assert!(!why.contains("who changed"), "{why}");
    let args = ["restore", "--vault", &world.vault.url(), "--secret", "db", "--yes", "--output", "json"];
    let done: Value = serde_json::from_slice(&world.cli(&args).await.stdout).expect("it is JSON");
    assert_eq!(done["left"][0]["reason"], "backup-gone", "{done}");
}
