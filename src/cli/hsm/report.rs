//! Plans, backups and restores of HSMs, as text or JSON.

use std::io;

use time::OffsetDateTime;

use crate::{
    api::shapes::{plan, restore::HsmRestoreReport, run::RunInSource},
    cli::output::{self, Cell, Column, Format, Stream, Table, age, bytes, moment},
    clock::Clock,
    domain::{
        hsm::{Contents, HsmBackup, HsmJob, HsmPlan, KeyOutcome, KeyResult, Safety, Task},
        outcome::Failure,
        progress::{progress, span},
        run::Verdict,
    },
    query::hsms::Run,
};

/// Prints a plan.
pub(super) fn plan(plan: &HsmPlan, format: Format) -> io::Result<()> {
    if format.is_json() {
        return output::json(&plan::HsmPlan::new(plan.digest(), plan, Clock::system().now()));
    }
    if format == Format::Tsv {
        return keys(plan).print(format);
    }
    show(plan, format, Stream::Out)
}

/// Shows a plan to a person.
pub(in crate::cli) fn show(plan: &HsmPlan, format: Format, to: Stream) -> io::Result<()> {
    to.print(&plan_text(plan, format, Clock::system().now(), to.width()))
}

fn plan_text(plan: &HsmPlan, format: Format, now: OffsetDateTime, width: Option<usize>) -> String {
    let (source, target) = (&plan.hsm.source, &plan.hsm.target);
    let backup = match (&plan.run, &plan.folder, plan.taken) {
        (Some(run), Some(folder), Some(taken)) => {
            let (at, old) = (moment(taken), age(now - taken));
            format!("Backup {run} of HSM {source}, taken {at} ({old}), folder {folder}")
        }
        _ => String::new(),
    };
    let contents = plan.contents.as_ref().map(Contents::text);
    let replaced = plan.replaces_everything().then(|| format!("Into HSM {target}. {}", HsmPlan::REPLACES));
    let safety = match &plan.safety {
        Safety::Have(run) => format!("HSM {target} has a backup that is young enough, of run {run}."),
        Safety::Take => format!("HSM {target} is backed up first."),
        Safety::NotNeeded => String::new(),
    };
    let obstacle = plan.obstacle.map(|of| format!("Nothing can be restored: {}", of.text()));
    let prose = |text: &str| output::wrapped(text, width, "");
    let after = [contents.as_deref(), replaced.as_deref(), Some(safety.as_str()), obstacle.as_deref()];
    prose(&backup)
        + &keys(plan).text(format, width)
        + &after.into_iter().flatten().map(prose).collect::<String>()
}

fn keys(plan: &HsmPlan) -> Table {
    let mut rows = Table::new(&[Column::label("action"), Column::name("key")], &[Column::prose("because")]);
    for key in &plan.keys {
        let action = if key.held.is_free() { "restore" } else { "IN THE WAY" };
        rows.push([action, key.key.as_str(), key.held.text()].map(Cell::from));
    }
    rows
}

/// Prints the result of a backup.
pub(in crate::cli) fn backup(record: &HsmBackup, format: Format) -> io::Result<()> {
    if format.is_json() {
        return output::json(&RunInSource::from(&Run::Ended(Box::new(record.clone()))));
    }
    let HsmBackup { hsm, run, verdict, folder, failure, .. } = record;
    let sentence = match (folder, failure) {
        (Some(folder), None) => format!(
            "{run} {verdict}: HSM {hsm} is in folder {} ({} blobs, {}).",
            folder.path,
            folder.blobs,
            bytes(folder.bytes)
        ),
        (_, failure) => format!("{run} {verdict}: {}", failure_text(failure.as_ref())),
    };
    let columns = [
        Column::name("verdict"),
        Column::name("folder"),
        Column::number("blobs"),
        Column::number("size"),
        Column::prose("why"),
    ];
    let mut table = Table::new(&[Column::name("source"), Column::name("run")], &columns);
    let [source, run, verdict] = [hsm.to_string(), run.to_string(), verdict.to_string()].map(Cell::from);
    let size = folder.as_ref().map_or(Cell::Nothing, |of| Cell::Bytes(of.bytes));
    let (path, blobs) =
        (folder.as_ref().map(|of| of.path.as_str()).into(), folder.as_ref().map(|of| of.blobs).into());
    table.push([
        source,
        run,
        verdict,
        path,
        blobs,
        size,
        failure.as_ref().map(|of| failure_text(Some(of))).into(),
    ]);
    output::one(format, sentence, &table)
}

/// Prints a backup that has not ended, for people or in lines.
pub(in crate::cli) fn open(job: &HsmJob, format: Format) -> io::Result<()> {
    let columns = [Column::name("opened"), Column::name("state"), Column::prose("why")];
    let mut table = Table::new(&[Column::name("source"), Column::name("run")], &columns);
    let [source, run] = [job.hsm.to_string(), job.id.to_string()].map(Cell::from);
    table.push([source, run, job.opened.into(), "open".into(), progress(job).into()]);
    output::one(
        format,
        format_args!("{} of HSM {} is still open: {}", job.id, job.hsm, progress(job)),
        &table,
    )
}

/// Prints the result of a restore.
pub(in crate::cli) fn restore(job: &HsmJob, format: Format) -> io::Result<()> {
    if format.is_json() {
        return output::json(&HsmRestoreReport::from(job));
    }
    outcomes(job).print(format)?;
    output::aside(format, ending(job))
}

fn outcomes(job: &HsmJob) -> Table {
    let mut rows = Table::new(&[Column::label("outcome"), Column::name("key")], &[Column::prose("why")]);
    if let Task::RestoreKeys { outcomes, .. } = &job.task {
        for KeyOutcome { key, result } in outcomes {
            let (word, why) = key_text(result);
            rows.push([word.into(), key.as_str().into(), why.into()]);
        }
    }
    rows
}

/// What was restored, from which backup, into what, for whom, how long it took, and why it failed.
fn ending(job: &HsmJob) -> String {
    let ended = job.ended.as_ref();
    let verdict = ended.map_or_else(|| "is still open".to_owned(), |of| of.verdict.to_string());
    let failure = ended.filter(|of| of.verdict != Verdict::Succeeded).and_then(|of| of.failure.as_ref());
    let why = match (failure, ended) {
        (Some(failure), _) => format!(" {}", failure_text(Some(failure))),
        (None, Some(_)) => String::new(),
        (None, None) => format!(" Now: {}.", progress(job)),
    };
    let time = ended.map_or_else(String::new, |of| format!(", took {}", span(of.at - job.opened)));
    format!(
        "{} {verdict}: {}. Requested by {} at {}{time}.{why}",
        job.id,
        restored(job),
        job.by,
        moment(job.opened)
    )
}

/// What a restore restores, from which backup and into what.
fn restored(job: &HsmJob) -> String {
    let (what, source, run, folder) = match &job.task {
        Task::Backup { .. } => return format!("a backup of HSM {}", job.hsm),
        Task::RestoreAll { source, run, folder, .. } => ("everything".to_owned(), source, run, folder),
        Task::RestoreKeys { source, run, folder, keys, .. } => {
            (output::count(keys.len(), "key"), source, run, folder)
        }
    };
    format!("{what} from backup {run} of HSM {source} (folder {folder}) into HSM {}", job.hsm)
}

fn key_text(result: &KeyResult) -> (&'static str, String) {
    let (word, said) = match result {
        KeyResult::Restored { counted } => return ("restored", format!("the service counts {counted}")),
        KeyResult::NotOverwritten { .. } => ("not overwritten", result.failure().map(|of| of.text)),
        KeyResult::Failed { failure } => ("failed", Some(failure_text(Some(failure)))),
    };
    (word, said.unwrap_or_default())
}

/// A failure on one line.
pub(super) fn failure_text(failure: Option<&Failure>) -> String {
    failure.map_or_else(
        || "no reason was given".to_owned(),
        |of| format!("{}: {}", of.code, output::one_line(&of.text)),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    /// The widths of a small terminal, of a large one, and of a job's log.
    const WIDTHS: [(&str, Option<usize>); 3] = [("80", Some(80)), ("120", Some(120)), ("log", None)];

    fn plan(what: &Value, safety: &Value, keys: &Value) -> HsmPlan {
        serde_json::from_value(json!({
            "v": 1, "hsm": { "source": "hsm-a", "target": "hsm-b", "what": what },
            "run": "20261121T010000Z-nightly", "folder": "mhsm-hsm-a-2026112101000012",
            "taken": "2026-11-21T01:04:00Z", "safety": safety, "keys": keys,
        }))
        .unwrap()
    }

    fn shown(plan: &HsmPlan, width: Option<usize>) -> String {
        plan_text(plan, Format::Table, datetime!(2026-11-22 02:00 UTC), width)
    }

    #[test]
    fn a_plan_of_keys_with_long_names_loses_nothing_at_any_width() {
        let name = |last: &str| format!("{:x<126}{last}", "payments-signing-");
        let [free, live] = [name("1"), name("2")];
        let held = json!([{ "key": free, "held": "nothing" }, { "key": live, "held": "live" }]);
        let planned = plan(&json!({ "keys": [free, live] }), &json!("not-needed"), &held);
        for (name, width) in WIDTHS {
            let text = shown(&planned, width);
            insta::assert_snapshot!(format!("keys-{name}"), text);
            for (key, action) in [(&free, "restore"), (&live, "IN THE WAY")] {
                let found = text.lines().find(|line| line.contains(key));
                assert!(found.is_some_and(|found| found.trim_start().starts_with(action)), "{key}: {text}");
            }
        }
    }

    #[test]
    fn what_is_replaced_is_said_in_lines_that_fit() {
        let text = shown(&plan(&json!("all"), &json!("take"), &json!([])), Some(80));
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        insta::assert_snapshot!("everything-80", text);
    }
}
