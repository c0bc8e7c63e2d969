//! Random histories of a vault, held against a model.
//!
//! The model is small: after each night, an object that exists has an entry whose blob holds its present
//! state; one that is gone keeps its last; one that did not change since its backup was not backed up again.

use std::collections::BTreeMap;

use keyvault_backup_emulator::{
    CertificateSpec, FaultKind, KeySpec, Kind, SecretSpec,
    host::{Firing, TimerStatus},
};
use proptest::{prelude::*, test_runner::Config};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    checks::backed_up_by_name,
    world::{BACKUPS, NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;
const HOUR: time::Duration = time::Duration::HOUR;

/// Names differ by kind, since a certificate takes the key and the secret of its name.
const NAMES: [(Kind, &str); 6] = [
    (Kind::Secret, "alpha"),
    (Kind::Secret, "Beta"),
    (Kind::Secret, "beta-2"),
    (Kind::Key, "gamma"),
    (Kind::Certificate, "delta"),
    (Kind::Key, "epsilon"),
];

#[derive(Clone, Debug)]
enum Step {
    /// A new object, or a new version of one.
    Put(usize),
    /// A change of the newest version's attributes.
    Tag(usize),
    Delete(usize),
    /// The timer, and all that follows.
    Night,
    /// The same, but the handler dies at some request.
    NightWithKill {
        at: usize,
        after: bool,
    },
    /// Somebody fires the timer between two nights.
    ByHand,
}

fn step() -> impl Strategy<Value = Step> {
    let object = 0..NAMES.len();
    prop_oneof![
        4 => object.clone().prop_map(Step::Put),
        1 => object.clone().prop_map(Step::Tag),
        2 => object.prop_map(Step::Delete),
        3 => Just(Step::Night),
        2 => (0..45_usize, any::<bool>()).prop_map(|(at, after)| Step::NightWithKill { at, after }),
        1 => Just(Step::ByHand),
    ]
}

/// Objects, each with the run of its backup.
type Runs = BTreeMap<(Kind, String), String>;

/// What the last backup of an object must hold, and when the object last changed.
#[derive(Default)]
struct Model {
    /// Every object that was ever backed up, with the run of its newest backup.
    backed_up: Runs,
    /// Objects that changed since.
    changed: Vec<(Kind, String)>,
    /// When everything was last backed up.
    full: Option<OffsetDateTime>,
    /// What a restore as of a time must select: every object that was there, with the run of its backup.
    moments: Vec<(OffsetDateTime, Runs)>,
}

impl Model {
    /// Holds the newest manifest against the model, and moves the model on.
    fn check(&mut self, world: &World, night: OffsetDateTime) {
        world.assert_protected("kv-a");
        let manifest = world.newest("kv-a");
        let run = manifest.header["run"].as_str().expect("a name").to_owned();
        let full = self.full.is_none_or(|full| night - full >= DAY * 7 - HOUR);
        if full {
            self.full = Some(night);
        }
        let present = backed_up_by_name(&world.vault);
        for (kind, name) in &present {
            let object = (*kind, name.clone());
            let due = full || self.changed.contains(&object) || !self.backed_up.contains_key(&object);
            let fared = if due { "backed-up" } else { "unchanged" };
            assert_eq!(manifest.fared(kind.noun(), name), fared, "{kind:?} {name} in {run}");
            if due {
                self.backed_up.insert(object, run.clone());
            }
        }
        for (object, last) in &self.backed_up {
            let line = manifest.line(object.0.noun(), &object.1);
            assert_eq!(line["entry"]["run"], Value::from(last.as_str()), "{object:?} in {run}");
            assert_eq!(line["fared"] == "gone", !present.contains(object), "{object:?} in {run}");
        }
        self.changed.clear();
        let there = self.backed_up.iter().filter(|(object, _)| present.contains(object));
        let there = there.map(|(object, run)| (object.clone(), run.clone())).collect();
        self.moments.push((world.azure.clock().now(), there));
    }
}

fn put(world: &World, model: &mut Model, object: usize) {
    let (kind, name) = NAMES[object];
    match kind {
        Kind::Secret => world.vault.put_secret(name, SecretSpec::new("value")),
        Kind::Key => world.vault.put_key(name, KeySpec::ec("P-256")),
        Kind::Certificate => world.vault.put_certificate(name, CertificateSpec::default()),
    };
    model.changed.push((kind, name.to_owned()));
}

async fn take(world: &mut World, model: &mut Model, step: &Step, now: &mut OffsetDateTime) {
    *now += HOUR;
    world.at(*now);
    match *step {
        Step::Put(object) => put(world, model, object),
        Step::Tag(object) => {
            let (kind, name) = NAMES[object];
            let tag = now.unix_timestamp().to_string();
            if world.vault.update(kind, name, |of| drop(of.tags.insert("changed".into(), tag))) {
                model.changed.push((kind, name.to_owned()));
            }
        }
        Step::Delete(object) => {
            let (kind, name) = NAMES[object];
            world.vault.remove(kind, name);
        }
        Step::Night => {
            *now = next_night(*now);
            world.night(*now).await;
            model.check(world, *now);
        }
        Step::NightWithKill { at, after } => {
            *now = next_night(*now);
            let how = if after { FaultKind::ResetAfter } else { FaultKind::Hang };
            world.night_with_a_kill(*now, at, how).await;
            model.check(world, *now);
        }
        Step::ByHand => {
            let firing = Firing::at(*now).status(TimerStatus::ByHand { next: next_night(*now) });
            let fired = world.host().await.fire("NightlyVaultBackup", firing).await;
            assert!(fired.succeeded(), "{fired:?}");
            world.settle().await;
            model.check(world, *now);
        }
    }
    // Later than whatever the step took.
    *now = world.azure.clock().now().max(*now);
}

/// Two o'clock, at least an hour from now.
fn next_night(now: OffsetDateTime) -> OffsetDateTime {
    let tonight = now.replace_time(NIGHT.time());
    if tonight >= now + HOUR { tonight } else { tonight + DAY }
}

async fn live(steps: &[Step]) {
    let mut world = World::new().await;
    let (mut model, mut now) = (Model::default(), NIGHT - DAY);
    for object in 0..3 {
        put(&world, &mut model, object);
    }
    for step in steps {
        take(&mut world, &mut model, step, &mut now).await;
    }
    take(&mut world, &mut model, &Step::Night, &mut now).await;
    a_restore_selects_what_was_there(&world, &model).await;
    the_blobs_alone_give_the_same_manifests(&world).await;
}

/// For any time after a night and before the next one, a restore into an empty vault plans that night's state, and is refused
/// where there is nothing to restore.
async fn a_restore_selects_what_was_there(world: &World, model: &Model) {
    let (url, empty) = (world.vault.url(), world.azure.vault("kv-empty").url());
    for (at, expected) in &model.moments {
        let at = at.format(&Rfc3339).expect("it can be written");
        let args = [
            "restore",
            "--vault",
            &url,
            "--into",
            &empty,
            "--all",
            "--at",
            &at,
            "--what-if",
            "--output",
            "json",
        ];
        let output = world.cli(&args).await;
        if expected.is_empty() {
            let refused = String::from_utf8_lossy(&output.stderr);
            assert!(refused.contains("nothing-selected"), "{at}: {output:?}");
            continue;
        }
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let steps = shown["steps"].as_array().expect("a list").iter();
        let text = |step: &Value, key: &str| step[key].as_str().expect("text").to_owned();
        let planned: BTreeMap<_, _> =
            steps.map(|step| ((text(step, "kind"), text(step, "name")), text(step, "run"))).collect();
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|((kind, name), run)| ((kind.noun().to_owned(), name.clone()), run.clone()))
            .collect();
        assert_eq!(planned, expected, "{at}");
    }
}

/// Every manifest is lost, and comes back as it was, to the byte.
async fn the_blobs_alone_give_the_same_manifests(world: &World) {
    let names = world.manifests("kv-a");
    let stored = |name: &String| {
        let blob = world.backups.blob(BACKUPS, name).expect("it is stored");
        (blob.bytes.clone(), blob.metadata)
    };
    let before: Vec<_> = names.iter().map(stored).collect();
    for name in &names {
        world.backups.delete_blob(BACKUPS, name);
    }
    let rebuilt = world.cli(&["rebuild", "--vault", &world.vault.url()]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    assert_eq!(world.manifests("kv-a"), names);
    assert!(names.iter().map(stored).eq(before), "a manifest is not what it was");
}

proptest! {
    #![proptest_config(Config { cases: 24, failure_persistence: None, max_shrink_iters: 60, ..Config::default() })]

    #[test]
    fn the_catalogue_follows_the_vault(steps in proptest::collection::vec(step(), 4..16)) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(live(&steps));
    }
}
