//! What a plan would do, and what came of a run.

use std::{collections::BTreeMap, io};

use serde::Serialize;
use serde_json::json;

use super::output::{self, Format};
use crate::domain::{
    manifest::Summary,
    object::ObjectId,
    outcome::Failure,
    plan::{Decision, Plan, PlanHeader, Unlisted},
    planned::PlannedObjects,
    run::{Numbers, RunId},
};

/// The objects that were not backed up, and why.
pub type Failures = Vec<(ObjectId, Failure)>;

/// Prints what a run would do.
///
/// # Errors
/// When standard output is closed.
pub fn print_plan(plan: &Plan, format: Format) -> io::Result<()> {
    if format == Format::Json {
        #[derive(Serialize)]
        struct Planned<'a> {
            plan: &'a PlanHeader,
            objects: &'a PlannedObjects,
        }
        return output::json(&Planned { plan: &plan.header, objects: &plan.objects });
    }
    let mut counts = BTreeMap::<&str, usize>::new();
    let mut table = output::table(&["kind", "name", "would be", "newest backup"]);
    for planned in &plan.objects {
        *counts.entry(words(planned.decision)).or_default() += 1;
        let previous = planned.previous.as_ref().map_or("none", RunId::as_str);
        table.add_row([
            planned.id.kind.as_str(),
            planned.id.name.as_str(),
            words(planned.decision),
            previous,
        ]);
    }
    output::print(&table)?;
    for unlisted in &plan.header.unlisted {
        output::line(unlisted_line(unlisted))?;
    }
    let counts: Vec<_> = counts.iter().map(|(words, count)| format!("{count} {words}")).collect();
    output::line(format_args!("{} objects: {}. Nothing was done.", plan.objects.len(), counts.join(", ")))
}

fn words(decision: Decision) -> &'static str {
    match decision {
        Decision::New => "backed up: new",
        Decision::Changed => "backed up: changed",
        Decision::Unsettled => "backed up: changed shortly before its last backup",
        Decision::Missed => "backed up: the last run could not",
        Decision::FullPass => "backed up: everything is due",
        Decision::Asked => "backed up: asked for",
        Decision::Unchanged => "skipped: unchanged",
        Decision::Managed => "skipped: belongs to a certificate",
        Decision::VaultManaged => "skipped: managed by the vault, and not backed up by Key Vault",
    }
}

/// Prints what came of a run.
///
/// # Errors
/// When standard output is closed.
pub fn print_summary(plan: &Plan, summary: &Summary, failures: &Failures, format: Format) -> io::Result<()> {
    if format == Format::Json {
        let failures: Vec<_> = failures
            .iter()
            .map(|(id, failure)| json!({ "kind": id.kind, "name": id.name, "failure": failure }))
            .collect();
        return output::json(&json!({
            "vault": plan.header.vault,
            "run": summary.run,
            "verdict": summary.verdict,
            "numbers": summary.numbers,
            "unlisted": plan.header.unlisted,
            "failures": failures,
        }));
    }
    if !failures.is_empty() {
        let mut table = output::table(&["kind", "name", "code", "why"]);
        for (id, failure) in failures {
            table.add_row([
                id.kind.as_str(),
                id.name.as_str(),
                &failure.code,
                &output::one_line(&failure.text),
            ]);
        }
        output::print(&table)?;
    }
    for unlisted in &plan.header.unlisted {
        output::line(unlisted_line(unlisted))?;
    }
    output::line(summary_line(summary))
}

/// A kind of object that could not be listed, in one line.
pub fn unlisted_line(unlisted: &Unlisted) -> String {
    let failure = &unlisted.failure;
    format!(
        "The {}s could not be listed: {}: {}",
        unlisted.kind,
        failure.code,
        output::one_line(&failure.text)
    )
}

/// A run in one line, and what it warns of in another.
pub fn summary_line(summary: &Summary) -> String {
    let numbers = &summary.numbers;
    let mut line = format!(
        "{} {}: {} listed = {} backed up ({}) + {} skipped{} + {} failed",
        summary.run,
        summary.verdict,
        numbers.listed,
        numbers.backed_up,
        output::bytes(numbers.bytes),
        numbers.skipped(),
        reasons(numbers),
        numbers.failed,
    );
    if numbers.near_version_limit > 0 {
        let near = numbers.near_version_limit;
        line += "\n";
        line += &plural(near, "object has", "objects have");
        line += " 400 versions or more; above 500 Key Vault does not back them up";
    }
    line
}

fn reasons(numbers: &Numbers) -> String {
    let reasons = [
        (numbers.unchanged, "unchanged"),
        (numbers.managed, "of certificates"),
        (numbers.vault_managed, "managed by the vault and not backed up by Key Vault"),
        (numbers.disappeared, "disappeared"),
    ];
    let reasons = reasons.iter().filter(|(count, _)| *count > 0);
    let reasons: Vec<_> = reasons.map(|(count, reason)| format!("{count} {reason}")).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) }
}

fn plural(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
