//! One restore over HTTP: planned, shown, carried out, followed, compared.

use std::{collections::BTreeMap, time::Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Result,
    night::{self, requests},
    stage::Stage,
    story::{Story, count, table},
};

/// A minute of the stage's clock between two looks; a restore that takes longer hangs.
const LOOKS: usize = 60;

/// Up to so many objects, each has its line.
const EACH_UP_TO: usize = 10;

/// Differences that are shown.
const SHOWN: usize = 5;

/// Restores in numbers.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Numbers {
    pub(crate) planned: u64,
    pub(crate) restored: u64,
    pub(crate) failed: u64,
    /// Objects that no restore can bring back, because no backup of them ever succeeded.
    pub(crate) never_backed_up: u64,
    /// Whether what was restored is the same, object by object, as the original.
    pub(crate) equal: bool,
    #[serde(skip)]
    pub(crate) seconds: f64,
}

impl Numbers {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            planned: self.planned + other.planned,
            restored: self.restored + other.restored,
            failed: self.failed + other.failed,
            never_backed_up: self.never_backed_up + other.never_backed_up,
            equal: self.equal && other.equal,
            seconds: self.seconds + other.seconds,
        }
    }

    /// The numbers as a sum.
    pub(crate) fn sum(&self) -> String {
        let Self { planned, restored, failed, never_backed_up, equal, seconds } = self;
        let [planned, restored, failed] = [planned, restored, failed].map(|number| count(*number));
        let equal = if *equal { "equal" } else { "NOT EQUAL" };
        let sum = format!("{planned:>6} = {restored:>9} + {failed:>6}    {equal}, in {seconds:.1} s");
        if *never_backed_up > 0 { format!("{sum}; {never_backed_up} never backed up") } else { sum }
    }
}

/// Plays a restore and tells of it. What is planned are the objects with a backup to restore; the plan also
/// names those that it leaves.
///
/// # Errors
/// When it does not end, ends otherwise than its plan foresaw, or its numbers do not add up.
pub(crate) async fn play(story: &Story, stage: &Stage, wish: &Value, key: &str) -> Result<Numbers> {
    let (mark, began) = (stage.azure.requests().mark(), Instant::now());
    story.line("Plan", "POST /api/restores/plan")?;
    for line in wish.to_string().replace("},{", "},\n{").lines() {
        story.line("", line)?;
    }
    let plan = stage.call("POST", "/api/restores/plan", &[], &wish.to_string()).await?.json();
    show(story, &plan)?;
    story.line("Carry out", &format!("POST /api/restores, Idempotency-Key: {key}"))?;
    let body = json!({ "plan": plan["digest"] }).to_string();
    let started = stage.call("POST", "/api/restores", &[("idempotency-key", key)], &body).await?;
    let ended = follow(story, stage, started.json()).await?;
    story.line("Requests", &requests(&stage.azure.requests().since(mark)))?;
    let numbers = numbers(&plan, &ended)?;
    let seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    let text = format!(
        "{}: {} restored, {} failed, {} never backed up  ({seconds:.1} s)",
        text(&ended["state"]),
        count(numbers.restored),
        count(numbers.failed),
        count(numbers.never_backed_up)
    );
    story.line("Result", &text)?;
    Ok(Numbers { seconds, ..numbers })
}

/// Works until a restore has ended, and returns it.
async fn follow(story: &Story, stage: &Stage, started: Value) -> Result<Value> {
    let path = format!("/api/restores/{}?limit=1000", text(&started["id"]));
    let mut progress = story.progress("Queue", stage.waiting());
    for _ in 0..LOOKS {
        night::minute(stage, "RestoreObject", &mut progress).await?;
        let report = stage.call("GET", &path, &[], "").await?.json();
        if report["state"] != "Running" {
            progress.end();
            return Ok(report);
        }
    }
    Err("the restore is still running after an hour".into())
}

fn show(story: &Story, plan: &Value) -> Result<()> {
    let (steps, left) = (list(&plan["steps"]), list(&plan["left"]));
    story.print("")?;
    if steps.len() <= EACH_UP_TO {
        let row = |step: &Value| {
            let versions = step["versions"].to_string();
            [text(&step["kind"]), text(&step["name"]), text(&step["run"]), age(step), versions]
        };
        story.print(table(["kind", "name", "from run", "age", "versions"], steps.iter().map(row)))?;
    } else {
        let row = |((kind, run), of): ((String, String), Vec<&Value>)| {
            [kind, count(of.len()), run, of.first().map(|step| age(step)).unwrap_or_default()]
        };
        story.print(table(["kind", "objects", "from run", "age"], by_run(steps).into_iter().map(row)))?;
    }
    if !left.is_empty() {
        let why = |of: &Value| text(&of["why"]).split(';').next().unwrap_or_default().to_owned();
        let row = |of: &Value| [text(&of["kind"]), text(&of["name"]), why(of)];
        story.print("")?;
        story.print(table(["kind", "name", "left out because"], left.iter().map(row)))?;
    }
    let digest = text(&plan["digest"]);
    story.print("")?;
    story.line(
        "",
        &format!("{} to restore, {} left out; digest {:.12}…", count(steps.len()), left.len(), digest),
    )?;
    Ok(())
}

/// The steps of a large plan by kind and run.
fn by_run(steps: &[Value]) -> BTreeMap<(String, String), Vec<&Value>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for step in steps {
        groups.entry((text(&step["kind"]), text(&step["run"]))).or_default().push(step);
    }
    groups
}

fn age(step: &Value) -> String {
    let seconds = step["ageSeconds"].as_i64().unwrap_or_default();
    match (seconds / 86_400, seconds / 3_600, seconds / 60) {
        (2.., ..) => format!("{} days", seconds / 86_400),
        (_, 2.., _) => format!("{} hours", seconds / 3_600),
        (.., minutes) => format!("{minutes} minutes"),
    }
}

fn numbers(plan: &Value, ended: &Value) -> Result<Numbers> {
    let of =
        |name: &str| ended["numbers"][name].as_u64().ok_or(format!("the restore says nothing of `{name}`"));
    let in_the_way = plan["inTheWay"].as_u64().unwrap_or_default();
    let planned = list(&plan["steps"]).len() as u64 + in_the_way;
    let (restored, failed, never_backed_up) = (of("restored")?, of("failed")?, of("neverBackedUp")?);
    if planned != restored + failed || of("pending")? != 0 {
        return Err(format!("the numbers do not add up: {planned} planned, {}", ended["numbers"]).into());
    }
    if failed == 0 && ended["state"] != plan["foreseen"] {
        return Err(format!("it ended {}, and its plan foresaw {}", ended["state"], plan["foreseen"]).into());
    }
    Ok(Numbers { planned, restored, failed, never_backed_up, equal: false, seconds: 0.0 })
}

/// Tells what a comparison of two vaults found.
pub(crate) fn compared(story: &Story, objects: usize, with: &str, differences: &[String]) -> Result<()> {
    let found = if differences.is_empty() { "equal" } else { "NOT EQUAL" };
    story.line(
        "Compared",
        &format!("{} objects, each version, attribute and value: {found}", count(objects)),
    )?;
    story.line("", &format!("with {with}"))?;
    for difference in differences.iter().take(SHOWN) {
        story.line("", difference)?;
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
