//! A restore's plan and its outcomes, as text or JSON.

use std::io;

use serde::Serialize;

use super::super::output::{self, Format, age, moment};
use crate::{
    clock::Clock,
    domain::{
        digest::Digest,
        object::{ObjectId, ObjectKind, ObjectName, VaultName},
        restore::{Action, Left, RestoreId, RestoreNumbers, RestorePlan, StepResult},
        run::Verdict,
    },
};

/// Prints a plan.
pub(super) fn plan(plan: &RestorePlan, format: Format) -> io::Result<()> {
    if format == Format::Json {
        #[derive(Serialize)]
        struct Planned<'a> {
            digest: Digest,
            plan: &'a RestorePlan,
        }
        return output::json(&Planned { digest: plan.digest(), plan });
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
        return output::json(&Report {
            restore: id,
            verdict: numbers.verdict(),
            source: &plan.request.source,
            target: &plan.request.target,
            numbers,
            objects: outcomes.iter().map(Ended::from).collect(),
            left: plan.left.iter().map(NotRestored::from).collect(),
        });
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

/// What came of a plan, as JSON. Borrowed: a tree of values would take more memory than the restore did.
#[derive(Serialize)]
struct Report<'a> {
    restore: Option<&'a RestoreId>,
    verdict: Verdict,
    source: &'a VaultName,
    target: &'a VaultName,
    #[serde(flatten)]
    numbers: RestoreNumbers,
    objects: Vec<Ended<'a>>,
    left: Vec<NotRestored<'a>>,
}

#[derive(Serialize)]
struct Ended<'a> {
    kind: ObjectKind,
    name: &'a ObjectName,
    outcome: &'static str,
    why: String,
}

impl<'a> From<&'a (ObjectId, StepResult)> for Ended<'a> {
    fn from((id, result): &'a (ObjectId, StepResult)) -> Self {
        let (outcome, why) = outcome(result);
        Self { kind: id.kind, name: &id.name, outcome, why }
    }
}

#[derive(Serialize)]
struct NotRestored<'a> {
    #[serde(flatten)]
    left: &'a Left,
    why: &'static str,
}

impl<'a> From<&'a Left> for NotRestored<'a> {
    fn from(left: &'a Left) -> Self {
        Self { left, why: left.reason.text() }
    }
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
