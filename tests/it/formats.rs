//! Everything that was ever stored or sent stays readable: frozen samples of each format, read by the
//! program as it is now.
//!
//! `tests/testdata/v1` is what a run left in its storage when format 1 was current: two containers as
//! folders, each blob with its metadata beside it, and messages; `v1-later` has what format 1 got later, see
//! [`later`]; `v1-acknowledged` has what people answered for, see [`acknowledged`]; `v1-former` has what form 2 of manifests
//! reads otherwise, see [`form_1`]; `v1-restore` is the same of restores, see [`restores`], `v1-hsm` of Managed HSMs, see
//! [`hsm`], and `v2-trail` of the audit trail, see [`trail`]; `v2-roles` has what tells which version is current, see
//! [`roles`], `v2-tags` tags that are too long for a record as they are, see [`tags`], `v2-late` what is stored of a night
//! that began late, see [`late`], `v1-evidence` the record of a day, see [`evidence`], `v1-notices` what was told, see `notify`,
//! `v1-second` how far the second place was, see [`second`], `v2-places` where a vault was, see [`places`], `v2-forms` backups of a form that is not
//! known, see [`forms`], `v2-lists` kinds that came late, see [`lists`], `v2-stored-versions` the versions of
//! blobs in manifests, see [`stored_versions`], `v2-folders` the blobs in an HSM's folder, see [`folders`], and `v2-copies` the copy of one, see [`copies`]. [`across`] goes to this program and back. They are never written again; a new
//! format gets a folder of its own (`cargo test --test it freeze -- --ignored` writes one).

mod acknowledged;
mod across;
mod copies;
mod evidence;
mod folders;
mod form_1;
mod forms;
mod hsm;
mod late;
mod later;
mod lists;
mod places;
mod restores;
mod retention;
mod roles;
mod second;
mod stored_versions;
mod tags;
mod trail;

use std::{
    fs,
    path::{Path, PathBuf},
};

use keyvault_backup_emulator::{
    CertificateSpec, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, Rights, SecretSpec,
};
use serde_json::{Value, json};

use crate::world::{BACKUPS, JOBS, NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;
const CLOSED: &str = "20260110T020000Z-nightly";
const OPEN: &str = "20260111T020000Z-nightly";
const METADATA: &str = ".metadata.json";

pub fn testdata(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata").join(version)
}

/// The vault that the samples speak of.
async fn sampled() -> World {
    let world = World::new().await;
    let made = NIGHT - DAY * 30;
    let secret = SecretSpec::new("a sample").content_type("text/plain").tag("team", "Schlüssel");
    world.vault.put_secret("db-Password", secret.created(made).expires(NIGHT + DAY * 300));
    world.vault.put_key("signing", KeySpec::ec("P-256").created(made));
    world.vault.put_certificate("tls", CertificateSpec::default().created(made));
    world.vault.put_secret("refused", SecretSpec::new("a sample").created(made));
    world.at(NIGHT);
    world
}

impl World {
    /// The host is an app of one role, with the rights that the templates give it and no others.
    pub fn only(&mut self, app: &str) {
        for storage in [&self.backups, &self.work] {
            storage.take_rights("");
        }
        self.backups.give("", Rights::of(app, "backups"));
        self.work.give("", Rights::of(app, "host"));
        self.set("KEYVAULT_BACKUP_ROLE", app);
    }
}

fn refuse(world: &World) {
    world
        .fault(Matcher::from(Operation::Backup).object("refused"), FaultKind::Forbidden(Forbidden::ByPolicy));
}

/// Writes the samples: a closed run with every way to fare, and an open one whose message is not answered.
#[tokio::test]
#[ignore = "writes the samples, once for each version of the formats"]
async fn freeze() {
    let mut world = sampled().await;
    world.vault.put_secret("short-lived", SecretSpec::new("a sample"));
    refuse(&world);
    let vault = world.vault.clone();
    world.when(Matcher::from(Operation::Backup).object("short-lived"), move || {
        vault.remove(Kind::Secret, "short-lived");
    });
    world.night(NIGHT).await;
    world.vault.put_key("new", KeySpec::ec("P-256"));
    world.fire(NIGHT + DAY).await;
    write_samples(&world, &world.messages());
}

/// Writes what stands in storage, and these messages, as new samples.
pub fn write_samples(world: &World, messages: &[String]) {
    let folder = testdata("new");
    let write = |path: PathBuf, bytes: &[u8]| {
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    };
    for (storage, container) in [(&world.backups, BACKUPS), (&world.work, JOBS)] {
        for name in storage.blobs(container) {
            let blob = storage.blob(container, &name).expect("it is stored");
            let path = folder.join(container).join(&name);
            let metadata: serde_json::Map<_, _> =
                blob.metadata.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let metadata = serde_json::to_vec_pretty(&metadata).expect("it is JSON");
            write(PathBuf::from(format!("{}{METADATA}", path.display())), &metadata);
            write(path, &blob.bytes);
        }
    }
    for (number, message) in messages.iter().enumerate() {
        write(folder.join(format!("messages/{number}.json")), message.as_bytes());
    }
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, mut found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    found.extend(folders.iter().flat_map(|folder| files(folder)));
    found.sort();
    found
}

/// Stores the samples of a version, and returns its messages. A file that is none of the known ones fails.
pub fn thaw(world: &World, version: &str) -> Vec<String> {
    let (folder, mut messages) = (testdata(version), Vec::new());
    for path in files(&folder) {
        let name = path.strip_prefix(&folder).expect("it lies there").to_str().expect("text").to_owned();
        let bytes = fs::read(&path).expect("a file");
        match name.split_once('/') {
            Some(_) if name.ends_with(METADATA) => {
                assert!(path.with_extension("").with_extension("").exists());
            }
            Some(("closed", _)) => {}
            Some(("messages", _)) => messages.push(String::from_utf8(bytes).expect("text")),
            Some((container @ (BACKUPS | JOBS), blob)) => {
                let storage = if container == BACKUPS { &world.backups } else { &world.work };
                let metadata = fs::read(format!("{}{METADATA}", path.display())).expect("its metadata");
                let metadata: std::collections::BTreeMap<String, String> =
                    serde_json::from_slice(&metadata).expect("it is JSON");
                let metadata: Vec<_> =
                    metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                storage.put_blob(container, blob, bytes, &metadata);
            }
            _ => panic!("no test reads {name}"),
        }
    }
    messages
}

#[test]
fn every_folder_of_samples_has_its_test() {
    let folders =
        fs::read_dir(testdata("")).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut folders: Vec<_> = folders.collect();
    folders.sort();
    let tested = [
        "v1",
        "v1-acknowledged",
        "v1-evidence",
        "v1-former",
        "v1-hsm",
        "v1-later",
        "v1-notices",
        "v1-restore",
        "v1-second",
        "v2-copies",
        "v2-folders",
        "v2-forms",
        "v2-late",
        "v2-lists",
        "v2-places",
        "v2-roles",
        "v2-stored-versions",
        "v2-tags",
        "v2-trail",
    ];
    assert_eq!(folders, tested, "add a test that reads the new folder");
    let v1 = ["plan.jsonl.gz", "-nightly.jsonl.gz", "/backup", "/outcome", "backup-jobs", "messages/"];
    let restore =
        ["restore-plans/", "restores/", "open-restores/", "restore-steps/", "/waiting", "restore-keys/"];
    let hsm = ["hsms/", "hsm-jobs/", "hsm-restores/", "hsm-targets/", "hsm-plans/", "audit/"];
    for (folder, samples) in [
        ("v1", &v1[..]),
        ("v1-restore", &restore),
        ("v1-restore", &["audit/", "messages/"]),
        ("v1-hsm", &hsm),
        ("v2-lists", &["plan-key", "plan-certificate"]),
        ("v2-trail", &["audit/2", "audit/backup/", "audit/restore/", "audit/terminal/"]),
    ] {
        let names: Vec<_> = files(&testdata(folder)).iter().map(|path| path.display().to_string()).collect();
        for sample in samples {
            assert!(names.iter().any(|name| name.contains(sample)), "there is no sample of {sample}");
        }
    }
}

#[tokio::test]
async fn format_1_is_read_by_the_command_line() {
    let world = sampled().await;
    thaw(&world, "v1");
    let vault = world.vault.url();
    let read = async |args: &[&str]| {
        let output = world.cli(&[args, &["--vault", &vault, "--output", "json"]].concat()).await;
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let shown = read(&["show", CLOSED, "--all"]).await;
    let fared = |name: &str| {
        let objects = shown["objects"].as_array().expect("a list");
        objects.iter().find(|line| line["name"] == name).expect("a line")["fared"].clone()
    };
    let names = ["db-Password", "signing", "refused", "short-lived"];
    assert_eq!(names.map(fared), ["backed-up", "backed-up", "failed", "disappeared"]);
    let history = read(&["list", "history", "--secret", "db-password"]).await;
    assert_eq!(history["backups"][0]["run"], CLOSED, "{history}");
    let rebuilt = read(&["rebuild"]).await;
    let state = |run| {
        let runs = rebuilt["runs"].as_array().expect("a list");
        runs.iter().find(|found| found["run"] == run).expect("the run is found")["manifest"].clone()
    };
    // Nobody worked on it for twenty hours.
    assert_eq!([state(CLOSED), state(OPEN)], ["sound", "written now: the run was open for too long"]);
}

#[tokio::test]
async fn a_run_that_was_begun_with_format_1_is_finished_and_built_upon() {
    let mut world = sampled().await;
    let messages = thaw(&world, "v1");
    refuse(&world);
    world.vault.put_key("new", KeySpec::ec("P-256"));
    world.at(NIGHT + DAY);
    for message in &messages {
        let done = world.host().await.deliver("BackUpObject", message, 5).await;
        assert!(done.succeeded(), "{done:?}");
    }
    world.settle().await;
    let manifest = world.newest("kv-a");
    assert_eq!(
        (&manifest.summary["run"], &manifest.summary["verdict"]),
        (&json!(OPEN), &json!("PartiallyFailed"))
    );
    assert_eq!(manifest.fared("key", "new"), "backed-up");
    assert_eq!(manifest.fared("secret", "db-Password"), "unchanged");
    crate::checks::open(&world.stored(&manifest.line("secret", "db-Password")["entry"]));

    // The fingerprints of format 1 still mean the same: what did not change is not backed up again.
    world.night(NIGHT + DAY * 2).await;
    let next = world.newest("kv-a");
    for (kind, name) in [("secret", "db-Password"), ("key", "signing")] {
        assert_eq!(next.fared(kind, name), "unchanged", "{kind} {name}");
    }
}
