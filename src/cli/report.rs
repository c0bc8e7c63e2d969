//! Reports of a plan and of a run, as text or JSON.

use std::{collections::BTreeMap, fmt::Write as _, io};

use time::Duration;

use super::output::{self, Column, Format, Table};
use crate::api::shapes::terminal::{BackupPlan, RunReport};
use crate::domain::{
    form::Clear,
    manifest::Summary,
    object::ObjectId,
    outcome::Failure,
    plan::{Plan, Unlisted},
    planned::Decision,
    run::{Numbers, RunId},
};

pub use crate::domain::progress::{kinds, tried_again};

/// The objects that were not backed up, and why.
pub type Failures = Vec<(ObjectId, Failure)>;

/// Prints a plan.
///
/// # Errors
/// When standard output is closed.
pub fn print_plan(plan: &Plan, format: Format) -> io::Result<()> {
    if format.is_json() {
        return output::json(&BackupPlan::from(plan));
    }
    let mut counts = BTreeMap::<&str, usize>::new();
    let details = [Column::prose("would be"), Column::name("newest backup")];
    let mut table = Table::new(&[Column::name("kind"), Column::name("name")], &details);
    for planned in &plan.objects {
        *counts.entry(words(planned.decision)).or_default() += 1;
        let previous = planned.previous.as_ref().map_or("none", RunId::as_str);
        let (kind, name) = (planned.kind.as_str(), planned.name.as_str());
        table.push([kind.into(), name.into(), words(planned.decision).into(), previous.into()]);
    }
    table.print(format)?;
    for unlisted in &plan.header.unlisted {
        output::aside(format, unlisted_line(unlisted))?;
    }
    let counts: Vec<_> = counts.iter().map(|(words, count)| format!("{count} {words}")).collect();
    let objects = output::count(plan.objects.len(), "object");
    output::aside(format, format_args!("{objects}: {}. Nothing was done.", counts.join(", ")))
}

fn words(decision: Decision) -> &'static str {
    match decision {
        Decision::New => "backed up: new",
        Decision::Changed => "backed up: changed",
        Decision::Unsettled => "backed up: changed shortly before its last backup",
        Decision::Missed => "backed up: the last run could not, or not in a form that is known",
        Decision::FullPass => "backed up: everything is due",
        Decision::Asked => "backed up: asked for",
        Decision::Unchanged => "skipped: unchanged",
        Decision::Managed => "skipped: belongs to a certificate",
        Decision::VaultManaged => "skipped: managed by the vault, and not backed up by Key Vault",
    }
}

/// Prints the result of a run.
///
/// # Errors
/// When standard output is closed.
pub fn print_summary(plan: &Plan, summary: &Summary, failures: &Failures, format: Format) -> io::Result<()> {
    if format.is_json() {
        return output::json(&RunReport::of_failures(&plan.header, summary, failures));
    }
    let mut table = Table::new(
        &[Column::name("kind"), Column::name("name")],
        &[Column::name("code"), Column::prose("why")],
    );
    for (id, failure) in failures {
        let (kind, name) = (id.kind.as_str(), id.name.as_str());
        table.push([kind.into(), name.into(), failure.code.as_str().into(), failure.text.as_str().into()]);
    }
    table.print(format)?;
    for unlisted in &plan.header.unlisted {
        output::aside(format, unlisted_line(unlisted))?;
    }
    output::aside(format, summary_line(summary))
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

/// A run in one line, and its warnings in further lines.
pub fn summary_line(summary: &Summary) -> String {
    let numbers = &summary.numbers;
    let mut line = format!(
        "{} {}: {} listed = {} backed up ({}) + {} skipped{} + {}",
        summary.run,
        summary.verdict,
        numbers.listed,
        numbers.backed_up,
        output::bytes(numbers.bytes),
        numbers.skipped(),
        reasons(numbers),
        failed(numbers, " failed"),
    );
    line += &late(summary.late);
    if numbers.gone + numbers.returned > 0 {
        let _ = write!(line, "; {} gone, {} returned", numbers.gone, numbers.returned);
    }
    for loss in &summary.losses {
        let _ =
            write!(line, "\nNot well until the objects are back or run {} is acknowledged: {loss}", loss.run);
    }
    if let Some(moved) = &summary.moved {
        let _ = write!(line, "\nNot well until run {} is acknowledged: {moved}", moved.run);
    }
    if let Some(clear) = &summary.unknown_form {
        let count = numbers.unknown_form;
        let have = plural(count, "object has its newest backup", "objects have their newest backup");
        let _ = write!(line, "\n{have} in a form that this program does not know. {}", form_unknown(clear));
    }
    if numbers.near_version_limit > 0 {
        let near = numbers.near_version_limit;
        line += "\n";
        line += &plural(near, "object has", "objects have");
        line += " 400 versions or more; above 500 Key Vault does not back them up";
    }
    line
}

/// A warning about a backup in an unknown form, with what to do.
pub fn form_unknown(clear: &Clear) -> String {
    format!(
        "The form of the backup is not known ({clear}): only the service can tell whether it is whole. Install the newest \
         version; to be sure, restore it into a vault for tests"
    )
}

/// How late a run began, to follow a time or a name; empty if it was not late.
pub fn late(seconds: Option<u32>) -> String {
    let words = |seconds: u32| format!(", late by {}", output::age(Duration::seconds(seconds.into())));
    seconds.map(words).unwrap_or_default()
}

/// How late a run began, for a column.
pub fn lateness(seconds: Option<u32>) -> output::Cell {
    seconds.map(|seconds| Duration::seconds(seconds.into())).into()
}

/// The number of failed objects, and of accepted ones among them.
pub fn failed(numbers: &Numbers, word: &str) -> String {
    let accepted = numbers.accepted;
    let accepted = if accepted > 0 { format!(" ({accepted} accepted)") } else { String::new() };
    format!("{}{word}{accepted}", numbers.failed)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{
        form::Clear,
        loss::{How, Loss},
        object::ObjectKind,
        samples::NIGHT,
    };

    fn summary(numbers: &Numbers) -> Summary {
        let read = json!({
            "v": 2, "run": "20261122T020000Z-nightly", "scope": "vault", "verdict": numbers.verdict(), "numbers": numbers,
            "planned": "2026-11-22T02:00:00Z", "finished": "2026-11-22T02:10:00Z", "full_pass": "2026-11-22T02:00:00Z",
            "protected": 3, "lines": 3,
        });
        serde_json::from_value(read).unwrap()
    }

    fn three() -> Numbers {
        Numbers { listed: 3, backed_up: 3, bytes: 2048, ..Numbers::default() }
    }

    #[test]
    fn a_run_is_told_by_numbers_that_add_up() {
        for (numbers, expected) in [
            (three(), "Succeeded: 3 listed = 3 backed up (2.00 KiB) + 0 skipped + 0 failed"),
            (
                Numbers { listed: 5, unchanged: 1, managed: 1, ..three() },
                "Succeeded: 5 listed = 3 backed up (2.00 KiB) + 2 skipped (1 unchanged, 1 of certificates) + 0 failed",
            ),
            (
                Numbers { listed: 6, vault_managed: 2, disappeared: 1, ..three() },
                "Succeeded: 6 listed = 3 backed up (2.00 KiB) + 3 skipped (2 managed by the vault and not backed up by Key Vault, 1 disappeared) + 0 failed",
            ),
            (
                Numbers { listed: 5, failed: 2, accepted: 1, ..three() },
                "PartiallyFailed: 5 listed = 3 backed up (2.00 KiB) + 0 skipped + 2 failed (1 accepted)",
            ),
            (
                Numbers { gone: 4, ..three() },
                "Succeeded: 3 listed = 3 backed up (2.00 KiB) + 0 skipped + 0 failed; 4 gone, 0 returned",
            ),
            (
                Numbers { returned: 1, ..three() },
                "Succeeded: 3 listed = 3 backed up (2.00 KiB) + 0 skipped + 0 failed; 0 gone, 1 returned",
            ),
        ] {
            let line = summary_line(&summary(&numbers));
            assert_eq!(line.strip_prefix("20261122T020000Z-nightly "), Some(expected));
        }
    }

    #[test]
    fn warnings_stand_on_lines_of_their_own_and_agree_with_their_number() {
        for (count, versions, forms) in [
            (1, "1 object has 400 versions or more", "1 object has its newest backup in a form"),
            (2, "2 objects have 400 versions or more", "2 objects have their newest backup in a form"),
        ] {
            let numbers = Numbers { near_version_limit: count, unknown_form: count, ..three() };
            let unknown_form = Some(Box::new(Clear { tag: Some("V9".into()), header: vec!["kid".into()] }));
            let told = summary_line(&Summary { unknown_form, ..summary(&numbers) });
            let lines: Vec<_> = told.lines().collect();
            assert_eq!(lines.len(), 3, "{told}");
            assert!(lines[1].starts_with(forms) && lines[1].contains("(tag V9, header name kid)"), "{told}");
            assert!(lines[2].starts_with(versions), "{told}");
        }
    }

    #[test]
    fn an_open_loss_names_the_run_to_acknowledge() {
        let run: RunId = "20261121T020000Z-nightly".parse().unwrap();
        let loss = Loss {
            run,
            since: NIGHT,
            kind: None,
            how: How::Part,
            of: 10,
            gone: 6,
            still_gone: 5,
            replaced: 0,
        };
        let told = summary_line(&Summary {
            losses: vec![loss.clone(), loss.clone()],
            late: Some(7200),
            ..summary(&three())
        });
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        assert!(lines[0].ends_with("0 failed, late by 2 hours"), "{told}");
        for line in &lines[1..] {
            assert_eq!(
                *line,
                format!(
                    "Not well until the objects are back or run 20261121T020000Z-nightly is acknowledged: {loss}"
                )
            );
        }
    }

    #[test]
    fn lateness_is_told_only_where_there_is_some() {
        for (seconds, expected) in
            [(None, ""), (Some(7199), ", late by 119 minutes"), (Some(7200), ", late by 2 hours")]
        {
            assert_eq!(late(seconds), expected);
        }
        assert!(matches!(lateness(None), output::Cell::Nothing));
        assert!(matches!(lateness(Some(60)), output::Cell::Age(age) if age == Duration::MINUTE));
    }

    #[test]
    fn a_kind_that_is_not_listed_stays_on_one_line() {
        let unlisted = Unlisted::for_good(ObjectKind::Certificate, Failure::ours("Forbidden", "one\r\ntwo"));
        assert_eq!(unlisted_line(&unlisted), "The certificates could not be listed: Forbidden: one two");
    }

    #[test]
    fn each_decision_is_backed_up_or_skipped_as_it_says() {
        use Decision::{Asked, Changed, FullPass, Managed, Missed, New, Unchanged, Unsettled, VaultManaged};
        for decision in [New, Changed, Unsettled, Missed, FullPass, Asked, Unchanged, Managed, VaultManaged] {
            let backed_up = words(decision).starts_with("backed up: ");
            assert_eq!(backed_up, decision.backs_up(), "{decision:?}");
            assert_eq!(words(decision).starts_with("skipped: "), !backed_up, "{decision:?}");
        }
    }
}
