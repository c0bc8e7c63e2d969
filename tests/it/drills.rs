//! Drills: a sample of a source comes back in a vault made for it, and is gone from there afterwards.

use keyvault_backup_emulator::{
    Access, CertificateSpec, Delays, Fault, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation,
    SecretSpec, VaultHandle,
    host::{Firing, Host, Invocation},
};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    checks::events,
    retention::KEEPER,
    world::{BACKUPS, JOBS, NIGHT, PERSON, World},
};

/// The secret that declares a drill vault.
pub const MARKER: &str = "keyvault-backup-drill-vault";

const KINDS: [Kind; 3] = [Kind::Certificate, Kind::Key, Kind::Secret];

/// A world in which `kv-a` was backed up one night, and drills in `kv-drill`.
pub struct Drilling {
    pub world: World,
    pub keeper: Host,
    pub drill: VaultHandle,
}

impl Drilling {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With these settings besides.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let mut world = World::new().await;
        for number in 0..4 {
            world.vault.put_secret(&format!("secret-{number}"), SecretSpec::new("value"));
        }
        world.vault.put_key("signing", KeySpec::ec("P-256"));
        world.vault.put_certificate("tls", CertificateSpec::new("CN=example.org"));
        world.night(NIGHT).await;
        let drill = world.azure.vault("kv-drill");
        drill.put_secret(MARKER, SecretSpec::new("declared"));
        for vault in [&world.vault, &drill] {
            for (identity, sort) in [(KEEPER, "nothing"), ("", "nothing")] {
                vault.give(identity, Access::of(identity, sort));
            }
        }
        world.vault.give("", Access::of("backup", "source"));
        drill.give(KEEPER, Access::of("keeper", "drill"));
        world.set("KEYVAULT_BACKUP_DRILL_VAULTS", &format!("kv-a={}", drill.url()));
        world.set("KEYVAULT_BACKUP_DRILL_SAMPLE", "2");
        world.set("DRILL_SCHEDULE", "0 0 6 30 2 *");
        for (name, value) in settings {
            world.set(name, value);
        }
        let keeper = world.with_keeper("within=30 months=0").await;
        Self { world, keeper, drill }
    }

    /// The timer fires, an hour later.
    pub async fn fire(&self) -> Invocation {
        self.world.azure.clock().advance(std::time::Duration::from_secs(3600));
        self.keeper.fire("RestoreDrill", Firing::at(self.world.azure.clock().now())).await
    }

    /// One look of the keeper's `AdvanceJobs`, so many minutes later.
    pub async fn advance(&self, minutes: u64) -> Invocation {
        self.world.pass(minutes);
        self.keeper.fire("AdvanceJobs", Firing::at(self.world.azure.clock().now())).await
    }

    /// Looks until no drill is open.
    pub async fn settle(&self) {
        for _ in 0..60 {
            if self.open().is_empty() {
                return;
            }
            self.advance(5).await;
        }
        panic!("a drill is still open: {:?}", self.open());
    }

    /// The records of open drills.
    pub fn open(&self) -> Vec<String> {
        self.world.work.blobs(JOBS).into_iter().filter(|name| name.starts_with("drills/")).collect()
    }

    /// The drills of `kv-a` that are on record, the newest first.
    pub fn records(&self) -> Vec<Value> {
        let records = self.world.stored_below("drills/vaults/kv-a/");
        records.into_values().map(|bytes| serde_json::from_slice(&bytes).expect("JSON")).collect()
    }

    /// A drill to its end, and what it came to.
    pub async fn drilled(&self) -> Value {
        let before = self.records().len();
        self.fire().await;
        self.settle().await;
        let records = self.records();
        assert_eq!(records.len(), before + 1, "one drill, one record");
        records.into_iter().next().expect("a record")
    }

    /// Whether the drill vault holds the marker and nothing else, live or soft-deleted.
    pub fn is_clean(&self) -> bool {
        let live: Vec<_> = KINDS.into_iter().flat_map(|kind| self.drill.objects(kind)).collect();
        live == [MARKER] && KINDS.into_iter().all(|kind| self.drill.deleted(kind).is_empty())
    }

    /// What requests have asked of a vault, without reading.
    pub fn changes_in(&self, vault: &str) -> Vec<Operation> {
        let changes = |of: &Operation| {
            matches!(
                of,
                Operation::Restore
                    | Operation::DeleteObject
                    | Operation::Purge
                    | Operation::Recover
                    | Operation::SetSecret
            )
        };
        let host = format!("{vault}.vault.azure.net");
        let entries = self.world.azure.requests().entries();
        entries.into_iter().filter(|of| *of.host == *host).map(|of| of.operation).filter(changes).collect()
    }
}

fn outcome(record: &Value) -> (&str, &str) {
    (record["restore"].as_str().unwrap_or_default(), record["cleanup"].as_str().unwrap_or_default())
}

fn codes(record: &Value) -> Vec<&str> {
    record["why"]
        .as_array()
        .map(|why| why.iter().filter_map(|of| of["code"].as_str()).collect())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_sample_of_every_kind_is_restored_compared_timed_and_removed() {
    let drilling = Drilling::with(&[("KEYVAULT_BACKUP_DRILL_ALWAYS", "kv-a=secret/secret-3")]).await;
    let before = drilling.world.vault.snapshot();
    let record = drilling.drilled().await;
    assert_eq!(outcome(&record), ("Succeeded", "Done"), "{record}");
    let objects = record["objects"].as_array().expect("a list");
    assert_eq!(objects.len(), 5, "a certificate, a key, two secrets and one that always is: {record}");
    for of in objects {
        assert_eq!(of["result"], "restored");
        assert!(of["rto_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{of}");
    }
    assert!(objects.iter().any(|of| of["name"] == "secret-3"));
    assert_eq!(record["rpo_seconds"], json!(3600.0 + minutes_of_the_night(&record)));
    assert!(record["rto_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
    let whole = &record["whole"];
    assert_eq!(
        (&whole["secrets"], &whole["keys"], &whole["certificates"]),
        (&json!(4), &json!(1), &json!(1))
    );
    assert_eq!(whole["extrapolated"], true);
    assert!(record["not_proven"].as_array().is_some_and(|of| of.len() > 2));
    assert!(drilling.is_clean());
    assert_eq!(drilling.changes_in("kv-a"), []);
    assert_eq!(drilling.world.vault.snapshot().differences(&before), Vec::<String>::new());
}

/// How long the night took by the driven clock.
fn minutes_of_the_night(record: &Value) -> f64 {
    let started = record["started"].as_str().expect("a time");
    let started =
        time::OffsetDateTime::parse(started, &time::format_description::well_known::Rfc3339).expect("a time");
    (started - NIGHT - Duration::HOUR).as_seconds_f64()
}

#[tokio::test]
async fn a_vault_that_takes_its_time_is_cleaned_up_by_later_passes() {
    for delays in [Delays::realistic(), Delays::longest()] {
        let drilling = Drilling::new().await;
        drilling.world.azure.knobs().set_delays(delays);
        let record = drilling.drilled().await;
        assert_eq!(outcome(&record), ("Succeeded", "Done"), "{record}");
        drilling.world.pass(10);
        assert!(drilling.is_clean());
        let again = drilling.drilled().await;
        assert_eq!(outcome(&again), ("Succeeded", "Done"), "{again}");
    }
}

#[tokio::test]
async fn every_so_many_drills_another_kept_point_is_restored() {
    let mut drilling = Drilling::with(&[("KEYVAULT_BACKUP_DRILL_OLDER_EVERY", "2")]).await;
    drilling.world.vault.put_secret("later", SecretSpec::new("value"));
    drilling.world.night(NIGHT + Duration::DAY).await;
    let mut older = Vec::new();
    for _ in 0..3 {
        let record = drilling.drilled().await;
        assert_eq!(outcome(&record), ("Succeeded", "Done"), "{record}");
        older.push((
            record["point"]["at"].is_string(),
            record["whole"]["secrets"].as_u64().unwrap_or_default(),
        ));
    }
    assert_eq!(older, [(false, 5), (false, 5), (true, 4)], "the third is one of the first night");
}

#[tokio::test]
async fn a_vault_that_is_not_declared_empty_and_purgeable_is_never_touched() {
    type Spoil = fn(&VaultHandle);
    let spoils: [(&str, Spoil); 6] = [
        ("no-marker", |drill| assert!(drill.remove(Kind::Secret, MARKER))),
        ("no-marker", |drill| assert!(drill.update(Kind::Secret, MARKER, |of| of.enabled = false))),
        ("not-empty", |drill| drop(drill.put_key("of-somebody", KeySpec::ec("P-256")))),
        ("not-empty", |drill| drop(drill.put_certificate("tls", CertificateSpec::new("CN=example.com")))),
        ("not-empty", |drill| {
            drill.put_secret("secret-1", SecretSpec::new("of somebody"));
            drill.delete(Kind::Secret, "secret-1").expect("it is deleted");
        }),
        ("purge-protected", |drill| drill.configure(|options| options.purge_protection = true)),
    ];
    for (code, spoil) in spoils {
        let drilling = Drilling::new().await;
        spoil(&drilling.drill);
        let record = drilling.drilled().await;
        assert_eq!((outcome(&record), codes(&record)), (("Failed", "Done"), vec![code]), "{record}");
        assert_eq!(drilling.changes_in("kv-drill"), [], "{code}");
        assert!(record["rto_seconds"].is_null() && record["objects"].is_null(), "{record}");
    }
}

#[tokio::test]
async fn what_was_ever_a_source_is_never_drilled_in() {
    let drilling = Drilling::new().await;
    // A run of years ago, by another installation.
    drilling.world.backups.put_blob(
        BACKUPS,
        "vaults/kv-drill/runs/20200101T020000Z-nightly/plan.jsonl.gz",
        "",
        &[],
    );
    let record = drilling.drilled().await;
    assert_eq!((outcome(&record), codes(&record)), (("Failed", "Done"), vec!["is-a-source"]), "{record}");
    assert_eq!(drilling.changes_in("kv-drill"), []);
    assert_eq!(
        drilling.world.azure.requests().entries().iter().filter(|of| of.host.starts_with("kv-drill")).count(),
        0
    );
}

#[tokio::test]
async fn a_target_that_is_missed_fails_the_drill_and_says_by_how_much() {
    let drilling = Drilling::with(&[("KEYVAULT_BACKUP_DRILL_TARGETS", "kv-a=/30")]).await;
    let record = drilling.drilled().await;
    assert_eq!((outcome(&record), codes(&record)), (("Failed", "Done"), vec!["rpo-missed"]), "{record}");
    assert!(drilling.is_clean());
    let lines: Vec<_> = drilling.keeper.logs().into_iter().filter(|line| line.function_console).collect();
    assert_eq!(events(&lines, "drill.failed"), 1);
}

#[tokio::test]
async fn what_cannot_be_restored_fails_the_drill_and_the_rest_is_removed() {
    let drilling = Drilling::new().await;
    let refused = Matcher::from(Operation::Restore).object("signing");
    drilling.world.fault(refused, FaultKind::Status(400));
    let record = drilling.drilled().await;
    assert_eq!((outcome(&record), codes(&record)), (("Failed", "Done"), vec!["objects-failed"]), "{record}");
    assert!(drilling.is_clean());
}

#[tokio::test]
async fn a_backup_that_is_damaged_fails_the_drill() {
    let drilling = Drilling::new().await;
    let names = drilling.world.backups.blobs(BACKUPS);
    let key = names.iter().find(|name| name.ends_with("/key/signing/backup")).expect("a backup");
    drilling.world.backups.damage_blob(BACKUPS, key, |blob| blob.bytes = b"nothing".to_vec().into());
    let record = drilling.drilled().await;
    assert_eq!((outcome(&record), codes(&record)), (("Failed", "Done"), vec!["objects-failed"]), "{record}");
    assert!(drilling.is_clean());
}

#[tokio::test]
async fn a_vault_that_does_not_answer_ends_in_a_drill_that_timed_out_and_says_what_is_left() {
    let drilling = Drilling::new().await;
    drilling.world.fault(Operation::Purge, FaultKind::Forbidden(Forbidden::ByRbac));
    drilling.world.fault(Matcher::from(Operation::Restore).object("signing"), FaultKind::Status(503));
    let record = drilling.drilled().await;
    assert_eq!(outcome(&record), ("Failed", "Failed"), "{record}");
    let left = record["left"].as_array().expect("a list");
    assert!(!left.is_empty() && record["unclean"]["text"].is_string(), "{record}");
    // It blocks the next drill, until it can be removed; then the vault is clean again, and the drill takes place.
    let next = drilling.drilled().await;
    assert_eq!((outcome(&next), codes(&next)), (("TimedOut", "Failed"), vec!["left-behind"]), "{next}");
    drilling.world.azure.faults().clear();
    let last = drilling.drilled().await;
    assert_eq!(outcome(&last), ("Succeeded", "Done"), "{last}");
    assert!(drilling.is_clean());
}

#[tokio::test]
async fn a_vault_that_loses_its_marker_during_a_drill_is_left_as_it_is() {
    let drilling = Drilling::new().await;
    let drill = drilling.drill.clone();
    drilling.world.when(Operation::DeleteObject, move || assert!(drill.remove(Kind::Secret, MARKER)));
    drilling
        .world
        .azure
        .faults()
        .add(Fault::on(Operation::DeleteObject).times(1).reply(FaultKind::Status(501)));
    let record = drilling.drilled().await;
    assert_eq!(outcome(&record), ("Succeeded", "Failed"), "{record}");
    assert_eq!(record["unclean"]["code"], "no-marker");
    let changes = drilling.changes_in("kv-drill").len();
    let next = drilling.drilled().await;
    assert_eq!((outcome(&next), codes(&next)), (("Failed", "Failed"), vec!["no-marker"]), "{next}");
    assert_eq!(drilling.changes_in("kv-drill").len(), changes, "nothing is touched any more");
}

#[tokio::test]
async fn sources_that_share_a_drill_vault_never_meet_there() {
    let drilling = Drilling::new().await;
    let mut world = drilling.world;
    let other = world.azure.vault("kv-b");
    other.put_secret("secret-1", SecretSpec::new("another"));
    world.set("KEYVAULT_BACKUP_VAULTS", &format!("{} {}", world.vault.url(), other.url()));
    let url = drilling.drill.url();
    world.set("KEYVAULT_BACKUP_DRILL_VAULTS", &format!("kv-a={url} kv-b={url}"));
    world.restart_with_settings().await;
    world.night(NIGHT + Duration::DAY).await;
    let keeper = crate::retention::keeper_of(&world).await;
    world.azure.knobs().set_delays(Delays::realistic());
    let drilling = Drilling { world, keeper, drill: drilling.drill };
    let record = drilling.drilled().await;
    assert_eq!(outcome(&record), ("Succeeded", "Done"), "{record}");
    let of_other = drilling.world.stored_below("drills/vaults/kv-b/");
    let of_other: Value = serde_json::from_slice(of_other.values().next().expect("a record")).expect("JSON");
    assert_eq!(outcome(&of_other), ("Succeeded", "Done"), "{of_other}");
    assert!(drilling.is_clean());
}

#[tokio::test]
async fn a_person_drills_at_a_terminal_with_their_own_rights_and_it_is_on_the_trail() {
    let mut drilling = Drilling::new().await;
    drilling.drill.give(PERSON, Access::of("keeper", "drill"));
    drilling.world.today();
    let run = drilling.world.json(&["drill", "run", "--vault", "kv-a"]).await;
    assert_eq!(
        (&run["restore"], &run["cleanup"], &run["by"]["via"]),
        (&json!("Succeeded"), &json!("Done"), &json!("terminal"))
    );
    assert!(run["rtoSeconds"].is_f64() && run["whole"]["extrapolated"] == true, "{run}");
    assert!(drilling.is_clean());
    let id = run["id"].as_str().expect("a name");
    let shown = drilling.world.json(&["drill", "show", id]).await;
    assert_eq!(shown, run);
    let listed = drilling.world.json(&["drill", "list", "--vault", "kv-a"]).await;
    assert_eq!(
        (&listed["drills"][0]["id"], listed["drills"].as_array().map(Vec::len)),
        (&json!(id), Some(1))
    );
    let trail = drilling.world.json(&["audit", "list"]).await;
    let told =
        trail["records"].as_array().expect("a list").iter().find(|of| of["event"] == "drill-requested");
    assert_eq!(
        told.map(|of| (&of["drill"], &of["target"])),
        Some((&json!(id), &json!("kv-drill"))),
        "{trail}"
    );
    let answer = drilling.world.call("GET", "/api/status/drills?source=kv-a", &[], "").await;
    assert_eq!((answer.status, &answer.json()["drills"][0]), (200, &listed["drills"][0]));
    let without = drilling.world.cli(&["drill", "run", "--vault", "kv-b"]).await;
    assert_eq!(without.status.code(), Some(2));
}

#[tokio::test]
async fn status_says_when_a_source_was_drilled_and_what_is_wrong_with_that() {
    let mut drilling = Drilling::new().await;
    drilling.world.restart_with_settings().await;
    let status = |of: &Value| {
        let source = of["sources"].as_array().and_then(|of| of.first().cloned()).unwrap_or_default();
        let codes: Vec<String> = source["troubles"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|of| of["type"].as_str().map(str::to_owned))
            .filter(|of| of.starts_with("drill"))
            .collect();
        (source["drill"].clone(), codes)
    };
    drilling.world.today();
    let never = drilling.world.call("GET", "/api/status", &[], "").await.json();
    assert_eq!(status(&never), (json!("never"), vec!["drill-overdue".to_owned()]), "{never}");
    let record = drilling.drilled().await;
    assert_eq!(outcome(&record), ("Succeeded", "Done"), "{record}");
    let good = drilling.world.call("GET", "/api/status", &[], "").await.json();
    assert_eq!(status(&good), (record["started"].clone(), vec![]), "{good}");
    drilling.world.fault(Operation::Restore, FaultKind::Status(400));
    drilling.drilled().await;
    let failed = drilling.world.call("GET", "/api/status", &[], "").await.json();
    assert_eq!(status(&failed).1, ["drill-failed"], "{failed}");
}

#[tokio::test]
async fn without_a_drill_vault_nothing_is_drilled_and_nothing_is_asked() {
    let mut drilling = Drilling::new().await;
    drilling.world.set("KEYVAULT_BACKUP_DRILL_VAULTS", "");
    drilling.world.restart_with_settings().await;
    drilling.keeper = crate::retention::keeper_of(&drilling.world).await;
    let fired = drilling.fire().await;
    assert!(fired.succeeded() && drilling.records().is_empty() && drilling.open().is_empty(), "{fired:?}");
    drilling.world.today();
    let status = drilling.world.call("GET", "/api/status", &[], "").await.json();
    let codes = status["sources"][0]["troubles"].to_string();
    assert!(status["sources"][0]["drill"] == "never" && !codes.contains("drill"), "{status}");
}

#[tokio::test]
async fn preflight_of_the_keeper_says_whether_its_drill_vault_is_fit() {
    let mut drilling = Drilling::new().await;
    drilling.world.host_is(drilling.keeper.clone());
    let answer = drilling.world.call("GET", "/api/status/preflight", &[], "").await.json();
    assert_eq!(of_the_drill_vault(&answer), Vec::<String>::new(), "{answer}");
    drilling.drill.remove(Kind::Secret, MARKER);
    drilling.drill.give(KEEPER, Access::of("restore", "target"));
    // One preflight in two minutes, for each process.
    drilling.keeper.restart().await.expect("it starts again");
    let answer = drilling.world.call("GET", "/api/status/preflight", &[], "").await.json();
    let expected = ["cannot-drill", "drill-vault-undeclared"];
    assert_eq!(of_the_drill_vault(&answer), expected, "{answer}");
}

/// The names of the findings about the drill vault, in order.
fn of_the_drill_vault(answer: &Value) -> Vec<String> {
    let findings = answer["findings"].as_array().into_iter().flatten();
    let of = findings.filter(|of| of.to_string().contains("kv-drill"));
    let mut names: Vec<_> =
        of.filter_map(|of| Some(of["type"].as_str().or(of["name"].as_str())?.to_owned())).collect();
    names.sort();
    names
}
