//! Plans, backups and restores of HSMs, as text or JSON.

use std::io;

use serde_json::json;

use crate::{
    cli::output::{self, Format, age, bytes, moment},
    clock::Clock,
    domain::{
        hsm::{HsmBackup, HsmJob, HsmPlan, KeyOutcome, KeyResult, Safety, Task},
        outcome::Failure,
        run::Verdict,
    },
};

/// Prints a plan.
pub(super) fn plan(plan: &HsmPlan, format: Format) -> io::Result<()> {
    if format == Format::Json {
        let warning = plan.replaces_everything().then_some(HsmPlan::REPLACES);
        let obstacle = plan.obstacle.map(|of| json!({ "name": of.name(), "why": of.text() }));
        return output::json(
            &json!({ "digest": plan.digest(), "plan": plan, "warning": warning, "obstacle": obstacle }),
        );
    }
    let (source, target) = (&plan.hsm.source, &plan.hsm.target);
    if let (Some(run), Some(folder), Some(taken)) = (&plan.run, &plan.folder, plan.taken) {
        let old = age(Clock::system().now() - taken);
        output::line(format_args!(
            "Backup {run} of HSM {source}, taken {} ({old}), folder {folder}",
            moment(taken)
        ))?;
    }
    if !plan.keys.is_empty() {
        let mut table = output::table(&["key", "would be", "because"]);
        for key in &plan.keys {
            let word = if key.held.is_free() { "restored" } else { "left" };
            table.add_row([key.key.as_str(), word, key.held.text()]);
        }
        output::print(&table)?;
    }
    if plan.replaces_everything() {
        output::line(format_args!("Into HSM {target}. {}", HsmPlan::REPLACES))?;
    }
    match &plan.safety {
        Safety::Have(run) => {
            output::line(format_args!("HSM {target} has a backup that is young enough, of run {run}."))?;
        }
        Safety::Take => output::line(format_args!("HSM {target} is backed up first."))?,
        Safety::NotNeeded => {}
    }
    plan.obstacle.map_or(Ok(()), |of| output::line(format_args!("Nothing can be restored: {}", of.text())))
}

/// Prints what came of a backup.
pub(super) fn backup(record: &HsmBackup, format: Format) -> io::Result<()> {
    if format == Format::Json {
        return output::json(record);
    }
    let HsmBackup { hsm, run, verdict, .. } = record;
    match (&record.folder, &record.failure) {
        (Some(folder), None) => output::line(format_args!(
            "{run} {verdict}: HSM {hsm} is in folder {} ({} blobs, {})",
            folder.path,
            folder.blobs,
            bytes(folder.bytes)
        )),
        (_, failure) => output::line(format_args!("{run} {verdict}: {}", failure_text(failure.as_ref()))),
    }
}

/// Prints how a restore ended.
pub(super) fn restore(job: &HsmJob, format: Format) -> io::Result<()> {
    let ended = job.ended.as_ref();
    if format == Format::Json {
        return output::json(&json!({
            "restore": job.id, "hsm": job.hsm, "verdict": ended.map(|of| of.verdict),
            "failure": ended.and_then(|of| of.failure.as_ref()), "task": job.task,
        }));
    }
    if let Task::RestoreKeys { outcomes, .. } = &job.task {
        let mut table = output::table(&["key", "outcome", "why"]);
        for KeyOutcome { key, result } in outcomes {
            let (word, why) = key_text(result);
            table.add_row([key.as_str(), word, &why]);
        }
        output::print(&table)?;
    }
    let verdict = ended.map_or_else(|| "goes on".to_owned(), |of| of.verdict.to_string());
    match ended.filter(|of| of.verdict != Verdict::Succeeded).and_then(|of| of.failure.as_ref()) {
        Some(failure) => output::line(format_args!("{} {verdict}: {}", job.id, failure_text(Some(failure)))),
        None => output::line(format_args!("{} {verdict}", job.id)),
    }
}

fn key_text(result: &KeyResult) -> (&'static str, String) {
    match result {
        KeyResult::Restored { counted } => ("restored", format!("the service counts {counted}")),
        KeyResult::NotOverwritten { restored, left } => (
            "not overwritten",
            format!(
                "the service counts {restored} restored and {left} that were there; delete and purge the key first"
            ),
        ),
        KeyResult::Failed { failure } => ("failed", failure_text(Some(failure))),
    }
}

/// A failure on one line.
pub(super) fn failure_text(failure: Option<&Failure>) -> String {
    failure.map_or_else(
        || "nobody said why".to_owned(),
        |of| format!("{}: {}", of.code, output::one_line(&of.text)),
    )
}
