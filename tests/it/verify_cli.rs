//! `verify`, at a terminal: with read rights alone, and offline for a file.

use keyvault_backup_emulator::{Keeping, KeySpec, Kind, Rights};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    hsm_world::HsmWorld,
    retention::Kept,
    world::{BACKUPS, PERSON, World},
};

impl World {
    /// A vault of so many secrets, backed up at the real time.
    async fn of_last_night(secrets: usize) -> Self {
        let mut world = Self::with_secrets(secrets).await;
        world.vault.put_key("signing", KeySpec::ec("P-256"));
        let night = world.today() - Duration::hours(8);
        world.night(night).await;
        world.today();
        world
    }

    /// A laptop of a person who may read the container of backups, and has no setting but its address.
    fn laptop(&mut self) {
        self.backups.take_rights(PERSON);
        self.work.take_rights(PERSON);
        self.backups.give(PERSON, Rights::of("restore", "landing").in_container(BACKUPS));
        let others = ["VAULTS", "JOBS_CONTAINER", "QUEUE", "HSMS", "HSM_CONTAINER"];
        self.env.retain(|(name, _)| {
            let own = name.strip_prefix("KEYVAULT_BACKUP_").unwrap_or_default();
            !others.iter().any(|other| own.starts_with(other))
        });
    }

    /// Runs `verify` for its exit code and its JSON.
    async fn found_by_verify(&self, args: &[&str]) -> (Option<i32>, Value) {
        let output = self.cli(&[&["verify"], args, &["-o", "json"]].concat()).await;
        let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (output.status.code(), value)
    }

    fn blob_of(&self, secret: &str) -> String {
        let tail = format!("/objects/secret/{secret}/backup");
        self.backups.blobs(BACKUPS).into_iter().rfind(|name| name.ends_with(&tail)).expect("it is stored")
    }
}

#[tokio::test]
async fn with_read_rights_alone_a_sound_vault_is_sound_and_nothing_is_recorded() {
    let mut world = World::of_last_night(4).await;
    world.laptop();
    let before = world.backups.blobs(BACKUPS);
    let (code, report) = world.found_by_verify(&["--all"]).await;
    let source = &report["sources"][0];
    assert_eq!((code, &source["state"]), (Some(0), &json!("sound")), "{report}");
    assert_eq!((&source["counts"]["named"], &source["counts"]["read"]), (&json!(5), &json!(5)), "{report}");
    let (code, report) = world.found_by_verify(&[]).await;
    let counts = &report["sources"][0]["counts"];
    assert_eq!((code, &counts["stored"]), (Some(0), &json!(5)), "{report}");
    assert!(counts["read"].as_u64() < Some(5), "today's part: {report}");
    assert_eq!(world.backups.blobs(BACKUPS), before);
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_named() {
    let mut world = World::of_last_night(4).await;
    let blob = world.blob_of("secret-1");
    assert!(world.backups.flip_bit(BACKUPS, &blob));
    world.laptop();
    let (code, report) = world.found_by_verify(&["--all", "--source", "kv-a"]).await;
    let finding = &report["sources"][0]["findings"][0];
    assert_eq!((code, &report["sources"][0]["state"]), (Some(1), &json!("findings")), "{report}");
    let found = (&finding["fault"], &finding["kind"], &finding["name"], &finding["blob"], &finding["newest"]);
    let expected = (&json!("damaged"), &json!("secret"), &json!("secret-1"), &json!(blob), &json!(true));
    assert_eq!(found, expected, "{report}");
    let said = world.cli(&["verify", "--all"]).await;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("vault kv-a has 1 finding") && said.contains("secret secret-1"), "{said}");
}

#[tokio::test]
async fn a_sample_reads_a_part_and_says_nothing_if_it_has_none() {
    let world = World::of_last_night(60).await;
    let (code, report) = world.found_by_verify(&["--sample", "50%"]).await;
    let read = report["sources"][0]["counts"]["read"].as_u64().unwrap_or_default();
    assert!(code == Some(0) && (10..50).contains(&read), "{report}");
    let (code, report) = world.found_by_verify(&["--sample", "100%"]).await;
    assert_eq!((code, &report["sources"][0]["counts"]["read"]), (Some(0), &json!(61)), "{report}");
    let small = World::of_last_night(1).await;
    let (code, report) = small.found_by_verify(&["--sample", "0.01%"]).await;
    assert_eq!((code, &report["sources"][0]["state"]), (Some(2), &json!("notVerified")), "{report}");
    for refused in ["0%", "5", "101%"] {
        let output = small.cli(&["verify", "--sample", refused]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("0.01% to 100%"), "{said}");
    }
}

#[tokio::test]
async fn nothing_is_said_of_an_empty_set() {
    let mut world = World::new().await;
    let (code, report) = world.found_by_verify(&["--all"]).await;
    assert_eq!((code, &report), (Some(2), &json!({ "sources": [] })));
    let night = world.today() - Duration::hours(8);
    world.night(night).await;
    let (code, report) = world.found_by_verify(&["--all"]).await;
    assert_eq!((code, &report["sources"][0]["state"]), (Some(2), &json!("notVerified")), "{report}");
    let unknown = world.cli(&["verify", "--source", "kv-x"]).await;
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(unknown.status.code() == Some(2) && said.contains("has no source kv-x"), "{said}");
}

#[tokio::test]
async fn what_was_stored_first_is_whole_although_it_was_written_again_or_deleted() {
    let kept = Kept::verified(4).await;
    let (world, storage) = (&kept.world, &kept.world.backups);
    let [forged, deleted, lost] = ["secret-1", "secret-2", "secret-3"].map(|of| world.blob_of(of));
    storage.put_blob(BACKUPS, &forged, "forged", &[]);
    storage.delete_blob(BACKUPS, &deleted);
    storage.flip_bit(BACKUPS, &lost);
    storage.put_blob(BACKUPS, &lost, "forged too", &[]);
    for args in [&["--all"][..], &["--all", "--first-version"]] {
        let (code, report) = world.found_by_verify(args).await;
        let findings = report["sources"][0]["findings"].as_array().expect("findings").clone();
        let of = |blob: &str| findings.iter().find(|of| of["blob"] == *blob).unwrap_or(&Value::Null).clone();
        assert_eq!((code, findings.len()), (Some(1), 3), "{report}");
        let faults = [&forged, &deleted, &lost].map(|blob| of(blob)["fault"].clone());
        assert_eq!(faults, ["rewritten", "deleted", "rewritten"], "{report}");
        let whole = [&forged, &deleted, &lost].map(|blob| of(blob)["firstVersion"]["whole"].as_bool());
        let expected = if args.len() > 1 { [Some(true), Some(true), Some(false)] } else { [None; 3] };
        assert_eq!(whole, expected, "{report}");
    }
}

#[tokio::test]
async fn what_was_stored_first_is_restored_if_it_is_asked_for_and_whole() {
    let mut world = World::of_last_night(3).await;
    world.backups.keep(Keeping { versions: true, deleted_days: None });
    let [forged, lost] = ["secret-1", "secret-2"].map(|of| world.blob_of(of));
    world.backups.flip_bit(BACKUPS, &lost);
    for blob in [&forged, &lost] {
        world.backups.put_blob(BACKUPS, blob, "forged", &[]);
    }
    let before = world.vault.snapshot();
    for secret in ["secret-1", "secret-2"] {
        world.vault.remove(Kind::Secret, secret);
    }
    let restore = ["restore", "--vault", "kv-a", "--secret", "secret-1", "--secret", "secret-2"];
    let plan = world.json(&[&restore[..], &["--what-if"]].concat()).await;
    assert_eq!((&plan["restores"], &plan["firstVersion"]), (&json!(0), &json!(false)), "{plan}");
    let first = [&restore[..], &["--first-version"]].concat();
    let plan = world.json(&[&first[..], &["--what-if"]].concat()).await;
    assert_eq!((&plan["restores"], &plan["inTheWay"]), (&json!(1), &json!(1)), "{plan}");
    assert_eq!((&plan["firstVersion"], &plan["left"][0]["name"]), (&json!(true), &json!("secret-2")));
    let shown = world.cli(&[&first[..], &["--what-if"]].concat()).await;
    assert!(String::from_utf8_lossy(&shown.stdout).contains("from what was stored first"), "{shown:?}");
    let done = world.json(&[&first[..], &["--yes"]].concat()).await;
    assert_eq!(done["objects"][0]["outcome"], "restored", "{done}");
    let after = world.vault.snapshot();
    assert_eq!(after.get(Kind::Secret, "secret-1"), before.get(Kind::Secret, "secret-1"));
    let asked = json!({ "source": "kv-a", "everything": true, "firstVersion": true });
    assert_eq!(world.plan(asked).await["firstVersion"], true);
}

#[tokio::test]
async fn folders_of_hsms_are_verified_where_their_container_is_set_and_may_be_read() {
    let mut of = HsmWorld::backed_up().await;
    of.world.today();
    let state = |report: &Value| report["sources"][0]["state"].as_str().unwrap_or_default().to_owned();
    let (code, report) = of.world.found_by_verify(&["--source", "hsm-a"]).await;
    assert_eq!((code, &*state(&report)), (Some(0), "sound"), "{report}");
    of.landing.take_rights(PERSON);
    of.landing.give(PERSON, Rights::of("restore", "landing").in_container("another"));
    let (code, report) = of.world.found_by_verify(&["--source", "hsm-a"]).await;
    assert_eq!((code, &*state(&report)), (Some(2), "notVerified"), "{report}");
    of.world.laptop();
    let (code, report) = of.world.found_by_verify(&["--source", "hsm-a"]).await;
    let why = report["sources"][0]["why"].as_str().unwrap_or_default();
    assert!(code == Some(2) && why.contains("KEYVAULT_BACKUP_HSM_CONTAINER is not set"), "{report}");
}

#[tokio::test]
async fn a_file_is_judged_without_any_setting() {
    let mut world = World::of_last_night(1).await;
    let [secret, key] = ["secret/secret-0", "key/signing"].map(|of| {
        let tail = format!("/objects/{of}/backup");
        let name = world.backups.blobs(BACKUPS).into_iter().find(|name| name.ends_with(&tail));
        world.backups.blob(BACKUPS, &name.expect("it is stored")).expect("it is stored").bytes
    });
    world.env.clear();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("blob").display().to_string();
    for (bytes, kind, code, field, expected) in [
        (&secret[..], None, 0, "kinds", json!(["secret"])),
        (&key[..], None, 0, "kinds", json!(["certificate", "key"])),
        (&key[..], Some("key"), 0, "kinds", json!(["key"])),
        (&secret[..], Some("key"), 1, "fault", json!("the backup blob is not that of a key")),
        (&secret[..60], None, 1, "form", Value::Null),
        (&[][..], None, 1, "fault", json!("the backup blob is empty")),
        (&b"of another form"[..], None, 2, "form", json!("unknown")),
    ] {
        std::fs::write(&path, bytes).expect("it is written");
        let kind: Vec<_> = kind.into_iter().flat_map(|kind| ["--kind", kind]).collect();
        let (exit, report) = world.found_by_verify(&[&["--file", &path], &kind[..]].concat()).await;
        assert_eq!((exit, &report[field]), (Some(code), &expected), "{report}");
        assert_eq!(report["bytes"], bytes.len(), "{report}");
    }
    let gone = world.cli(&["verify", "--file", "nowhere"]).await;
    assert_eq!(gone.status.code(), Some(2), "{gone:?}");
}
