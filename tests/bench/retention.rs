//! What retention costs: the plan and a pass, over years of nights.

pub mod catalogue;

use std::{collections::BTreeSet, fs, process::Stdio};

use keyvault_backup_emulator::host::Firing;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::{process::Command, time::sleep};

use self::catalogue::{Index, PARTS, VAULT, keep_versions};
use crate::{
    Result,
    memory::{LOOK, mebibytes},
    size::Size,
    stage::{CONTAINER, PRODUCT, Since, Stage, Storage, UNLIMITED},
    table::{Table, Target},
};

/// A tick of the kernel's clock of CPU time.
const TICKS: f64 = 100.0;

const DAY: time::Duration = time::Duration::DAY;

/// How long ago the last night was.
const HOURS: time::Duration = time::Duration::hours(3);

/// The default policy, which a command line has to be told.
const DEFAULT: &str = "within=35 months=12";

/// Measures the first plan, in which nearly every point may go, and what a later night costs: its plan and its passes.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let [nights, objects] = size.retention;
    let stage = Stage::with_secrets(objects).await?;
    let now = stage.azure.clock().now();
    let first = stage.storage(Some(UNLIMITED));
    stage.end_backup(stage.start_backup(&first)?).await?;
    let years = stage.storage(None);
    write(&stage, &first, &years, nights, now)?;
    let what = format!("{nights} nights of {objects} objects");
    let (plan, cost) = plan(&stage, &keeping(&years, &format!("within={nights} months=0"))).await?;
    let goes = plan["dropped"].as_u64();
    cost.tell(table, &format!("plan of {what}, all within the policy"), goes == Some(0))?;
    let (plan, cost) = self::plan(&stage, &keeping(&years, DEFAULT)).await?;
    let points = Points::of(&plan)?;
    let goes = points.may_go.len();
    cost.tell(table, &format!("first plan of {what}, {goes} points may go"), goes > 0)?;

    let steady = stage.storage(None);
    let due = thin(&stage, &points, [&years, &steady], now)?;
    let left = points.kept.len() + due;
    let what = format!("{left} points of {objects} objects, {due} of them due");
    let steady = keeping(&steady, DEFAULT);
    let (plan, cost) = self::plan(&stage, &steady).await?;
    let goes = plan["dropped"].as_u64();
    cost.tell(table, &format!("later plan: {what}"), goes == u64::try_from(due).ok())?;
    let cost = pass(&stage, &steady, now).await?;
    cost.tell(table, "the pass that lets them go", true)?;
    let mut gone: BTreeSet<String> = steady.account.blobs(CONTAINER).into_iter().collect();
    let cost = pass(&stage, &steady, now + DAY * 3).await?;
    for left in steady.account.blobs(CONTAINER) {
        gone.remove(&left);
    }
    let gone = gone.len();
    cost.tell(table, &format!("the pass three days later, with {gone} blobs deleted"), gone > 0)
}

/// Writes so many nights, the last of them a few hours ago.
fn write(stage: &Stage, first: &Storage, years: &Storage, nights: usize, now: OffsetDateTime) -> Result<()> {
    keep_versions(&years.account);
    let mut index = Index::of(&first.account)?;
    for night in 0..nights {
        let at = now - HOURS - DAY * i32::try_from(nights - 1 - night)?;
        stage.azure.clock().set(at);
        index.night(night, at, &years.account)?;
    }
    stage.azure.clock().set(now);
    Ok(())
}

/// A storage with the settings of a keeper.
fn keeping(storage: &Storage, policy: &str) -> Storage {
    let settings = [
        ("KEYVAULT_BACKUP_RETENTION", policy),
        ("RETENTION_SCHEDULE", "0 0 4 * * *"),
        // No night comes between the passes.
        ("KEYVAULT_BACKUP_INTERVAL_HOURS", "168"),
    ];
    let mut env = storage.env.clone();
    env.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Storage { env, account: storage.account.clone() }
}

/// The points of a first plan, newest first.
struct Points {
    kept: Vec<String>,
    may_go: Vec<String>,
}

impl Points {
    fn of(plan: &Value) -> Result<Self> {
        let points = plan["points"].as_array().ok_or("the plan has no points")?;
        let may_go = |point: &&Value| point["verdict"] == "drop" || point["code"] == "more-than-half";
        let (may_go, kept): (Vec<_>, Vec<_>) = points.iter().partition(may_go);
        let runs = |points: Vec<&Value>| -> Result<Vec<String>> {
            let run = |point: &Value| Ok(point["run"].as_str().ok_or("a point without a run")?.to_owned());
            points.into_iter().map(run).collect()
        };
        Ok(Self { kept: runs(kept)?, may_go: runs(may_go)? })
    }

    /// Those that become due on the first night of a month: the one before the days in which everything is kept, and the
    /// first one of the month before those that are counted.
    fn due(&self) -> Vec<&String> {
        let oldest = self.kept.last();
        let older = |run: &&String| oldest.is_some_and(|oldest| *run < oldest);
        let month = |run: &String| run.get(..6).map(str::to_owned);
        let before = self.may_go.iter().find(older).and_then(month);
        let of_month = self.may_go.iter().rfind(|run| before.is_some() && month(run) == before);
        self.may_go.first().into_iter().chain(of_month).collect()
    }
}

/// Writes what is left of the nights where retention has gone on from the first one: the points that are kept, those that
/// become due now, and the backups that these name. Returns how many become due.
fn thin(stage: &Stage, points: &Points, [from, to]: [&Storage; 2], now: OffsetDateTime) -> Result<usize> {
    keep_versions(&to.account);
    let stored = from.account.blobs(CONTAINER);
    let mut all: Vec<&String> = points.kept.iter().chain(&points.may_go).collect();
    all.sort();
    let (due, manifests) = (points.due(), format!("vaults/{VAULT}/manifests/"));
    let stays = |run: &String| points.kept.contains(run) || due.contains(&run);
    for (night, run) in all.iter().enumerate() {
        // A backup of a night is the newest one until its part changes again.
        let is_named = (night..all.len().min(night + PARTS)).any(|later| stays(all[later]));
        let (mut names, backups) = (Vec::new(), format!("vaults/{VAULT}/runs/{run}/"));
        if is_named {
            names.extend(below(&stored, &backups));
        }
        if stays(run) {
            names.extend(below(&stored, &manifests).filter(|name| name.contains(run.as_str())));
        }
        stage.azure.clock().set(now - HOURS - DAY * i32::try_from(all.len() - 1 - night)?);
        for name in names {
            let blob = from.account.blob(CONTAINER, name).ok_or("a blob is gone")?;
            let metadata: Vec<_> =
                blob.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            to.account.put_blob(CONTAINER, name, blob.bytes, &metadata);
        }
    }
    stage.azure.clock().set(now);
    Ok(due.len())
}

/// Those of the sorted names that begin so.
fn below<'a>(names: &'a [String], prefix: &'a str) -> impl Iterator<Item = &'a String> {
    let from = names.partition_point(|name| name.as_str() < prefix);
    names[from..].iter().take_while(move |name| name.starts_with(prefix))
}

/// What something cost.
pub struct Cost {
    requests: u64,
    seconds: f64,
    cpu: f64,
    peak: f64,
}

impl Cost {
    /// Adds its row, with the peak of memory as the figure.
    pub fn tell(&self, table: &mut Table, what: &str, is_right: bool) -> Result<()> {
        let Self { requests, seconds, cpu, peak } = self;
        let measured = format!("{requests} requests, {seconds:.1} s, {cpu:.1} s of CPU time");
        table.figure(what, measured, *peak, " MiB", Target::Most(64.0));
        if is_right { Ok(()) } else { Err(format!("{what}: it is not as it should be").into()) }
    }
}

/// Waits for something that a process does, and looks at the process meanwhile.
pub async fn watched<T>(stage: &Stage, pid: u32, work: impl Future<Output = Result<T>>) -> Result<(T, Cost)> {
    let (since, before) = (Since::now(stage), cpu(pid).unwrap_or_default());
    let mark = stage.azure.requests().mark();
    let (mut peak, mut spent) = (0.0, 0.0);
    let mut work = Box::pin(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done?,
            () = sleep(LOOK) => {
                peak = mebibytes(pid, "VmHWM").unwrap_or(peak);
                spent = cpu(pid).unwrap_or(spent);
            }
        }
    };
    let requests = stage.azure.requests().mark() - mark;
    let seconds = since.elapsed().as_secs_f64();
    Ok((done, Cost { requests, seconds, cpu: (spent - before).max(0.0), peak }))
}

/// The seconds of CPU time that a process has used.
fn cpu(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may have spaces: the state is the first field, user time the twelfth, system time the next.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let ticks = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / TICKS)
}

/// The plan of the vault, from the command line.
async fn plan(stage: &Stage, storage: &Storage) -> Result<(Value, Cost)> {
    let mut command = Command::new(PRODUCT);
    command.args(["retention", "plan", "--vault", VAULT, "--output", "json"]);
    command.env_clear().envs(storage.env.iter().cloned());
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let pid = command.id().ok_or("the plan has ended")?;
    let end = async move {
        let output = command.wait_with_output().await?;
        let mut plan: Value = serde_json::from_slice(&output.stdout)?;
        let source = plan["sources"][0].take();
        if source.is_null() { Err(plan.to_string().into()) } else { Ok(source) }
    };
    watched(stage, pid, end).await
}

/// A pass of the keeper, in a process that has done nothing before.
async fn pass(stage: &Stage, storage: &Storage, at: OffsetDateTime) -> Result<Cost> {
    stage.azure.clock().set(at);
    let mut env = storage.env.clone();
    env.push(("KEYVAULT_BACKUP_ROLE".to_owned(), "keeper".to_owned()));
    let host = stage.host(&Storage { env, account: storage.account.clone() }).await?;
    let pid = host.pid().ok_or("the keeper has ended")?;
    let fire = async {
        let fired = host.fire("ApplyRetention", Firing::at(at)).await;
        if fired.succeeded() { Ok(()) } else { Err(format!("the pass failed: {}", fired.body).into()) }
    };
    Ok(watched(stage, pid, fire).await?.1)
}
