//! A restore's plan and its outcomes, as text or JSON.

use std::io;

use serde_json::json;

use super::super::output::{self, Format, age, moment};
use crate::{
    clock::Clock,
    domain::{
        object::ObjectId,
        restore::{Action, Left, Reason, RestoreId, RestoreNumbers, RestorePlan, StepResult},
    },
};

/// Prints a plan.
pub(super) fn plan(plan: &RestorePlan, format: Format) -> io::Result<()> {
    if format == Format::Json {
        return output::json(&json!({ "digest": plan.digest(), "plan": plan }));
    }
    let now = Clock::system().now();
    if !plan.steps.is_empty() {
        let mut table = output::table(&["kind", "name", "would be", "from", "age", "#versions"]);
        for step in &plan.steps {
            table.add_row([
                step.kind.to_string(),
                step.name.to_string(),
                words(step.action).to_owned(),
                moment(step.taken),
                age(now - step.taken),
                step.versions.to_string(),
            ]);
        }
        output::print(&table)?;
    }
    if !plan.left.is_empty() {
        let mut table = output::table(&["kind", "name", "is not restored because"]);
        for left in &plan.left {
            table.add_row([left.kind.as_str(), left.name.as_str(), left.reason.text()]);
        }
        output::print(&table)?;
    }
    let request = &plan.request;
    let (conflicts, skipped) =
        (plan.conflicts().count(), plan.left.iter().filter(|left| left.skipped).count());
    output::line(format_args!(
        "{} into {}: {} to restore, {skipped} skipped, {conflicts} in the way",
        request.source,
        request.target,
        plan.steps.len()
    ))
}

fn words(action: Action) -> &'static str {
    match action {
        Action::Restore => "restored",
        Action::Recover => "recovered as it was deleted; the backup is not used",
        Action::PurgeAndRestore => "purged for good, then restored",
    }
}

/// Prints what came of a plan.
pub(super) fn outcomes(
    plan: &RestorePlan,
    id: Option<&RestoreId>,
    numbers: RestoreNumbers,
    outcomes: &[(ObjectId, StepResult)],
    format: Format,
) -> io::Result<()> {
    if format == Format::Json {
        let objects: Vec<_> = outcomes
            .iter()
            .map(|(id, result)| {
                let (word, why) = outcome(result);
                json!({ "kind": id.kind, "name": id.name, "outcome": word, "why": why })
            })
            .collect();
        return output::json(&json!({
            "restore": id, "verdict": numbers.verdict(),
            "source": plan.request.source, "target": plan.request.target,
            "planned": numbers.planned, "restored": numbers.restored, "failed": numbers.failed,
            "skipped": numbers.skipped, "objects": objects, "left": left_json(&plan.left),
        }));
    }
    if outcomes.iter().any(|(_, result)| !result.succeeded()) {
        let mut table = output::table(&["kind", "name", "outcome", "why"]);
        for (id, result) in outcomes.iter().filter(|(_, result)| !result.succeeded()) {
            let (word, why) = outcome(result);
            table.add_row([id.kind.as_str(), id.name.as_str(), word, &why]);
        }
        output::print(&table)?;
    }
    let RestoreNumbers { restored, skipped, failed, .. } = numbers;
    output::line(format_args!("{restored} restored and compared, {skipped} skipped, {failed} not restored"))
}

fn left_json(left: &[Left]) -> Vec<serde_json::Value> {
    let why = |reason: Reason| reason.text();
    left.iter()
        .map(|left| json!({ "kind": left.kind, "name": left.name, "reason": left.reason, "why": why(left.reason), "skipped": left.skipped }))
        .collect()
}

fn outcome(result: &StepResult) -> (&'static str, String) {
    match result {
        StepResult::Restored => ("restored", String::new()),
        StepResult::AlreadyThere => ("already there", String::new()),
        StepResult::Recovered => ("recovered", String::new()),
        StepResult::Differs => {
            ("restored, differs", "its versions are not those that were recorded at its backup".to_owned())
        }
        StepResult::Failed(failure) => {
            ("failed", format!("{}: {}", failure.code, output::one_line(&failure.text)))
        }
    }
}
