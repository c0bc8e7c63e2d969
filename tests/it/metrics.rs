//! The status as numbers: in a form that readers understand, never other than the status, silent about what is not known.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{hsm_world::HsmWorld, world::World};

/// The samples of a text by name and labels. Anything but the text form of OpenMetrics is an error.
pub struct Numbers {
    families: BTreeSet<String>,
    samples: BTreeMap<String, i64>,
}

impl Numbers {
    /// Reads a text.
    pub fn of(text: &str) -> Self {
        let (mut families, mut samples) = (BTreeSet::new(), BTreeMap::new());
        let mut family = String::new();
        let body = text.strip_suffix("# EOF\n").expect("its end");
        for line in body.lines() {
            if let Some(about) = line.strip_prefix("# ") {
                let [what, name, rest] = about.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                    panic!("{line}")
                };
                match what {
                    "TYPE" => {
                        assert_eq!(rest, "gauge", "{line}");
                        name.clone_into(&mut family);
                        assert!(families.insert(family.clone()), "{family} stands in two places");
                    }
                    "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                    "HELP" => assert!(rest.ends_with('.') && !rest.contains(['\\', '"']), "{line}"),
                    _ => panic!("{line}"),
                }
                assert_eq!(name, family, "{line}");
                continue;
            }
            let (series, value) = line.rsplit_once(' ').expect("a value");
            assert_eq!(series.split('{').next(), Some(&*family), "{line}");
            assert!(
                samples.insert(series.to_owned(), value.parse().expect("a number")).is_none(),
                "{line} twice"
            );
        }
        Self { families, samples }
    }

    /// A sample by name and labels.
    pub fn get(&self, series: &str) -> Option<i64> {
        let family = series.split('{').next().expect("a name");
        assert!(self.families.contains(family), "{family} is unknown");
        self.samples.get(series).copied()
    }

    /// A number of `kv-a`.
    fn kv_a(&self, name: &str) -> Option<i64> {
        self.get(&format!("keyvault_backup_{name}{{source=\"kv-a\",kind=\"vault\"}}"))
    }
}

/// What the API answers now.
async fn numbers(world: &mut World) -> Numbers {
    let answer = world.get("/api/status/metrics").await;
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(form)), "{}", answer.text());
    Numbers::of(&answer.text())
}

fn seconds(of: &Value) -> Option<i64> {
    of.as_str().map(|at| OffsetDateTime::parse(at, &Rfc3339).expect("a time").unix_timestamp())
}

#[tokio::test]
async fn the_numbers_are_those_of_the_status() {
    let mut world = World::with_secrets(3).await;
    let today = world.today();
    world.fault(Matcher::from(Operation::Backup).object("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.night(today - time::Duration::hours(10)).await;
    let (of, numbers) = (world.ok("/api/status").await["sources"][0].take(), numbers(&mut world).await);
    for (name, path) in [
        ("protected_objects", "/objects/protected"),
        ("failing_objects", "/objects/failing"),
        ("never_backed_up_objects", "/objects/neverBackedUp"),
        ("gone_objects", "/objects/gone"),
        ("most_versions", "/objects/mostVersions"),
        ("last_run_listed_objects", "/lastRun/numbers/listed"),
    ] {
        let told = of.pointer(path).and_then(Value::as_i64);
        assert!(told.is_some() && numbers.kv_a(name) == told, "{name} is not {told:?}: {of}");
    }
    for (name, path) in [
        ("last_success_timestamp_seconds", "/newestSuccess/asOf"),
        ("earliest_restorable_timestamp_seconds", "/earliestRestorable"),
        ("oldest_backup_timestamp_seconds", "/objects/oldestBackup"),
        ("last_failure_timestamp_seconds", "/lastRun/finished"),
        ("last_run_timestamp_seconds", "/lastRun/finished"),
    ] {
        let told = of.pointer(path).and_then(seconds);
        assert!(told.is_some() && numbers.kv_a(name) == told, "{name} is not {told:?}: {of}");
    }
    let of_run = |result: &str| {
        let labels = format!("source=\"kv-a\",kind=\"vault\",result=\"{result}\"");
        numbers.get(&format!("keyvault_backup_last_run_objects{{{labels}}}")).expect("a number")
    };
    assert_eq!(["backed_up", "skipped", "failed"].map(of_run), [2, 0, 1]);
    assert_eq!((numbers.get("keyvault_backup_ok"), numbers.kv_a("source_ok")), (Some(0), Some(0)));
    assert_eq!(numbers.kv_a("last_verification_timestamp_seconds"), None, "there was none");
}

#[tokio::test]
async fn a_source_that_was_never_backed_up_has_numbers_and_no_time() {
    let mut world = World::with_secrets(1).await;
    let numbers = numbers(&mut world).await;
    let never = "keyvault_backup_source_trouble{source=\"kv-a\",kind=\"vault\",trouble=\"never-backed-up\"}";
    assert_eq!((numbers.get(never), numbers.kv_a("source_ever_covered")), (Some(1), Some(0)));
    assert_eq!(numbers.get("keyvault_backup_sources{kind=\"vault\"}"), Some(1));
    for name in ["last_success", "last_failure", "last_run", "earliest_restorable", "oldest_backup"] {
        assert_eq!(numbers.kv_a(&format!("{name}_timestamp_seconds")), None, "{name}");
    }
}

#[tokio::test]
async fn an_hsm_has_no_objects_and_its_own_kind() {
    let mut world = HsmWorld::new().await;
    assert!(world.fire().await.succeeded());
    world.settle().await;
    let numbers = numbers(&mut world.world).await;
    let hsm = |name: &str| numbers.get(&format!("keyvault_backup_{name}{{source=\"hsm-a\",kind=\"hsm\"}}"));
    assert_eq!((hsm("source_ever_covered"), hsm("protected_objects")), (Some(1), None));
    assert!(hsm("last_run_duration_seconds").is_some() && hsm("last_success_timestamp_seconds").is_some());
}

#[tokio::test]
async fn a_terminal_prints_them_or_replaces_a_file() {
    let mut world = World::with_secrets(1).await;
    let today = world.today();
    world.night(today).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keyvault.prom");
    fs::write(&file, "earlier").expect("a file");
    let printed = world.cli(&["metrics"]).await;
    let written = world.cli(&["metrics", "--output", file.to_str().expect("text")]).await;
    assert!(written.status.success() && written.stdout.is_empty(), "{written:?}");
    let text = fs::read_to_string(&file).expect("a file");
    let (printed, written) = (Numbers::of(&String::from_utf8_lossy(&printed.stdout)), Numbers::of(&text));
    assert_eq!(printed.kv_a("protected_objects"), Some(1));
    assert_eq!(printed.families, written.families);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    // Other readers of the form read it in `.ci/metrics`.
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("metrics.prom"), text).expect("a file");
}

#[tokio::test]
async fn rules_and_dashboard_ask_for_nothing_else_and_every_trouble_has_a_rule() {
    let mut world = World::with_secrets(1).await;
    let numbers = numbers(&mut world).await;
    let infra = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra");
    let read = |file: &str| fs::read_to_string(infra.join(file)).expect(file);
    let rules = read("prometheus/rules.yml");
    for text in [&rules, &read("prometheus/rules.test.yml"), &read("grafana/dashboard.json")] {
        let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: BTreeSet<_> = names.filter(|word| word.starts_with("keyvault_backup_")).collect();
        let unknown: Vec<_> = names.iter().filter(|name| !numbers.families.contains(**name)).collect();
        assert!(names.len() > 5 && unknown.is_empty(), "{unknown:?}");
    }
    let troubles: Vec<_> =
        numbers.samples.keys().filter_map(|series| series.split("trouble=").nth(1)).collect();
    let silent: Vec<_> = troubles
        .iter()
        .filter(|of| !rules.contains(&format!("trouble={}", of.trim_end_matches('}'))))
        .collect();
    assert!(troubles.len() > 5 && silent.is_empty(), "no rule for {silent:?}");
}
