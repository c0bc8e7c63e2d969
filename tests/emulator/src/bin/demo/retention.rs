//! Chapter 7: forty nights of a small vault with a keeper beside it, and an object that fails in all of them.

pub(crate) mod stage;

use std::{collections::BTreeSet, time::Instant};

use keyvault_backup_emulator::{CertificateSpec, KeySpec, Kind, SecretSpec, SnapshotObject};
use serde::Serialize;
use serde_json::Value;
use time::Duration;

use self::stage::{POLICY, Stage, VAULT};
use super::{
    Result,
    product::Tool,
    stage::{now, second_night},
    story::Story,
};

/// Nights in which [`FAILING`] fails. One in which it does not comes before them.
const NIGHTS: i64 = 40;

/// The secret that cannot be backed up any more.
const FAILING: &str = "billing-token";

/// How often it is rotated on the first day: Key Vault backs up at most 500 versions.
const ROTATIONS: usize = 500;

/// The secret that changes every day.
const ROTATED: &str = "session-key";

/// The chapter in numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Numbers {
    /// Recovery points that the nights left.
    points: usize,
    /// Those that the plan keeps in the end.
    kept: usize,
    /// Those that the keeper has recorded as let go.
    dropped: usize,
    /// Whether the last good backup of what failed in every night brought it back as it was.
    last_good_kept: bool,
}

impl Numbers {
    /// Whether the chapter ended as it should.
    pub(crate) fn is_good(&self) -> bool {
        self.last_good_kept && self.dropped > 0
    }

    /// The numbers as a sum.
    pub(crate) fn sum(&self) -> String {
        let Self { points, kept, dropped, last_good_kept } = self;
        let last = if *last_good_kept { "restored" } else { "LOST" };
        format!("{points:>6} = {kept:>9} + {dropped:>7}    the last good backup: {last}")
    }
}

/// Tells the chapter.
pub(crate) async fn tell(story: &mut Story, tool: &Tool) -> Result<Numbers> {
    story.chapter("Retention: forty nights, and a keeper that deletes")?;
    let first = second_night() - Duration::days(NIGHTS);
    let stage = Stage::set(tool, first - Duration::DAY).await?;
    fill(&stage);
    story.line("Vault", &format!("{}: 8 secrets, 2 keys, a certificate", stage.vault.url()))?;
    story.line("Keeper", "an app of its own, with the only identity that may delete backups")?;
    story.line("Policy", POLICY)?;
    let began = Instant::now();
    let (mut points, mut stored) = (BTreeSet::new(), BTreeSet::new());
    stage.night(first).await?;
    let last_good = object(&stage)?;
    fail(&stage);
    story.line(
        "Trouble",
        &format!("after the first night a script rotates {FAILING} {ROTATIONS} times; Key Vault"),
    )?;
    story.line("", "backs up at most 500 versions, so the first backup is the only one")?;
    for night in 1..=NIGHTS {
        points.extend(stage.manifests());
        stored.extend(stage.stored());
        let occurrence = first + Duration::days(night);
        stage.pass(occurrence - Duration::hours(22)).await?;
        stage.vault.put_secret(ROTATED, SecretSpec::new(format!("value of day {night}")));
        stage.night(occurrence).await?;
        fails_still(&stage, night).await?;
    }
    points.extend(stage.manifests());
    stored.extend(stage.stored());
    let seconds = began.elapsed().as_secs_f64();
    story.line(
        "Nights",
        &format!("the first one and {NIGHTS} more, with a pass after each  ({seconds:.1} s)"),
    )?;
    story.line(
        "Storage",
        &format!("{} backups were stored, {} are left", stored.len(), stage.stored().len()),
    )?;
    stage.tool.show(story, &["retention", "plan", "--vault", VAULT]).await?;
    story.print("")?;
    stage.pass(second_night() + Duration::hours(2)).await?;
    let plan = stage.tool.json(&["retention", "plan", "--vault", VAULT]).await?;
    let (kept, dropped) = (kept(&plan)?, stage.dropped());
    let is_sum = kept.is_disjoint(&dropped) && kept.union(&dropped).eq(&points);
    if !is_sum {
        return Err(format!("{points:?} are not those kept and let go: {kept:?} {dropped:?}").into());
    }
    tell_of_last_good(story, &stage, &dropped)?;
    let numbers = Numbers {
        points: points.len(),
        kept: kept.len(),
        dropped: dropped.len(),
        last_good_kept: restore(story, &stage, &last_good).await?,
    };
    Ok(numbers)
}

/// Says that the point of the first night has gone, and that the only backup has not.
fn tell_of_last_good(story: &Story, stage: &Stage, dropped: &BTreeSet<String>) -> Result<()> {
    let backups = stage.stored().into_iter().filter(|name| name.contains(&format!("/{FAILING}/")));
    let backups: Vec<_> = backups.collect();
    let [only] = backups.as_slice() else { return Err(format!("more than one backup: {backups:?}").into()) };
    let of_dropped = dropped.iter().find(|run| only.contains(run.as_str()));
    let run = of_dropped.ok_or(format!("the point of {only} has not gone: {dropped:?}"))?;
    story.line("Last good", &format!("the point of {run} has gone; its backup of"))?;
    story.line("", &format!("{FAILING} has not: no newer one takes its place"))?;
    Ok(())
}

fn fill(stage: &Stage) {
    let vault = &stage.vault;
    for name in [FAILING, ROTATED] {
        vault.put_secret(name, SecretSpec::new("the first value"));
    }
    for number in 0..6 {
        vault.put_secret(&format!("app-{number}-password"), SecretSpec::new("a value"));
    }
    for number in 0..2 {
        vault.put_key(&format!("signing-{number}"), KeySpec::ec("P-256"));
    }
    vault.put_certificate("www", CertificateSpec::new("CN=www.example.com"));
}

/// From now on the secret has more versions than Key Vault backs up.
fn fail(stage: &Stage) {
    for version in 1..=ROTATIONS {
        stage.vault.put_secret(FAILING, SecretSpec::new(format!("value {version}, never backed up")));
    }
}

/// The newest night must say that the object failed: otherwise this chapter would show nothing.
async fn fails_still(stage: &Stage, night: i64) -> Result<()> {
    let vault = stage.vault.url();
    let run = stage.manifests().pop_last().ok_or("no night left a manifest")?;
    let shown = stage.tool.json(&["show", &run, "--vault", &vault]).await?;
    let lines = shown["objects"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has_failed = lines.iter().any(|line| line["name"] == FAILING && line["fared"] == "failed");
    if has_failed { Ok(()) } else { Err(format!("{FAILING} did not fail in night {night}: {run}").into()) }
}

/// The runs whose points a plan keeps. One that still lets points go is not the plan after a pass.
fn kept(plan: &Value) -> Result<BTreeSet<String>> {
    let points = plan["sources"][0]["points"].as_array().ok_or("the plan has no points")?;
    let of = |point: &Value| {
        let run = point["run"].as_str().filter(|_| point["verdict"] == "keep");
        run.map(str::to_owned).ok_or(format!("a point may still go after the pass: {point}").into())
    };
    points.iter().map(of).collect()
}

fn object(stage: &Stage) -> Result<SnapshotObject> {
    let snapshot = stage.vault.snapshot();
    Ok(snapshot.get(Kind::Secret, FAILING).ok_or("the vault has lost an object")?.clone())
}

/// Loses the secret, restores it, and says whether it is as it was when its backup was taken.
async fn restore(story: &Story, stage: &Stage, last_good: &SnapshotObject) -> Result<bool> {
    stage.azure.clock().set(now());
    stage.vault.delete(Kind::Secret, FAILING)?;
    stage.vault.purge(Kind::Secret, FAILING)?;
    story.line("Lost", &format!("{FAILING} is deleted and purged, after forty nights without a backup"))?;
    let arguments = ["restore", "--vault", VAULT, "--secret", FAILING, "--yes"];
    stage.tool.show(story, &arguments).await?;
    story.print("")?;
    let is_back = object(stage).is_ok_and(|found| found == *last_good);
    let found = if is_back { "as it was in the first night" } else { "NOT as it was" };
    story.line("Compared", &format!("{FAILING}, each version, attribute and value: {found}"))?;
    Ok(is_back)
}
