//! A restore's plan and its outcomes, as text or JSON.

use std::{io, time::Duration};

use time::OffsetDateTime;

use super::super::output::{self, Cell, Column, Format, Stream, Table};
use crate::{
    api::shapes::{plan::Plan, terminal::RestoreResult},
    clock::Clock,
    domain::{
        form::Clear,
        object::{ObjectId, ObjectKind, ObjectName},
        progress::span,
        restore::{
            Action, COVERED, Excluded, Reason, RestoreId, RestoreNumbers, RestorePlan, Step, StepResult,
        },
    },
};

/// The time from which a plan says how long it takes: less goes into reading and comparing, whatever the limits are.
const LONG: Duration = Duration::from_secs(30);

/// Prints a plan. Its steps take at least as long as `takes`.
pub(super) fn plan(plan: &RestorePlan, takes: Duration, format: Format) -> io::Result<()> {
    if format.is_json() {
        return output::json(&Plan::new(plan.digest(), plan.clone(), takes, Clock::system().now()));
    }
    if format == Format::Tsv {
        return tsv(plan).print(format);
    }
    show(plan, takes, format, Stream::Out)
}

/// Shows a plan to a person. Its steps take at least as long as `takes`.
pub(super) fn show(plan: &RestorePlan, takes: Duration, format: Format, to: Stream) -> io::Result<()> {
    to.print(&plan_text(plan, takes, format, Clock::system().now(), to.width()))
}

/// A plan as a person reads it before anything is destroyed: nothing is cut, and purges come last, next to the
/// question.
fn plan_text(
    plan: &RestorePlan,
    takes: Duration,
    format: Format,
    now: OffsetDateTime,
    width: Option<usize>,
) -> String {
    let (purges, others): (Vec<_>, Vec<_>) =
        plan.steps.iter().partition(|step| step.action == Action::PurgeAndRestore);
    let count = purges.len();
    let [others, purges] = [others, purges].map(|of| steps(&of, now));
    others.text(format, width)
        + &excluded(&plan.excluded, plan.request.at).text(format, width)
        + &purges.records(format, width)
        + &summary(plan, count, takes, width)
}

const SUBJECT: [Column; 3] = [Column::label("action"), Column::name("kind"), Column::name("name")];

/// The cells of the subject.
fn subject(action: &str, kind: ObjectKind, name: &ObjectName) -> [Cell; 3] {
    [action.into(), kind.as_str().into(), name.as_str().into()]
}

fn steps(of: &[&Step], now: OffsetDateTime) -> Table {
    let details = [
        Column::name("from"),
        Column::number("age"),
        Column::number("versions"),
        Column::name("run").wide(),
        Column::name("SHA-256").wide(),
        Column::prose("form").if_any(),
        Column::prose("INSTEAD OF").if_any(),
    ];
    let mut rows = Table::new(&SUBJECT, &details);
    for step in of {
        let [action, kind, name] = subject(words(step.action), step.kind, &step.name);
        let unknown = |clear: &Clear| format!("NOT KNOWN: {clear}; the service decides");
        let form = step.unknown_form.as_deref().map(unknown);
        let [from, age, versions] = [step.taken.into(), (now - step.taken).into(), step.versions.into()];
        let [run, digest] = [step.run.as_str().into(), (&step.sha256).into()];
        let instead = step
            .instead_of
            .as_ref()
            .map(|run| format!("the newer backup of {run}, which is damaged or gone"));
        rows.push([action, kind, name, from, age, versions, run, digest, form.into(), instead.into()]);
    }
    rows
}

fn excluded(of: &[Excluded], at: Option<OffsetDateTime>) -> Table {
    let mut rows = Table::new(&SUBJECT, &[Column::prose("because")]);
    for object in of {
        let [how, kind, name] = subject(how(object), object.kind, &object.name);
        rows.push([how, kind, name, object.why(at).into()]);
    }
    rows
}

pub(super) fn how(object: &Excluded) -> &'static str {
    match (object.reason, object.skipped) {
        (Reason::NeverBackedUp, _) => "NEVER BACKED UP",
        (_, true) => "skip",
        (_, false) => "IN THE WAY",
    }
}

/// Every object of a plan in one table, for a program.
fn tsv(plan: &RestorePlan) -> Table {
    let details =
        [Column::name("from"), Column::name("run"), Column::name("SHA-256"), Column::prose("because")];
    let mut rows = Table::new(&SUBJECT, &details);
    for step in &plan.steps {
        let [action, kind, name] = subject(words(step.action), step.kind, &step.name);
        let (run, digest) = (step.run.as_str().into(), (&step.sha256).into());
        rows.push([action, kind, name, step.taken.into(), run, digest, Cell::Nothing]);
    }
    for object in &plan.excluded {
        let [how, kind, name] = subject(how(object), object.kind, &object.name);
        let [from, run, digest] = [Cell::Nothing, Cell::Nothing, Cell::Nothing];
        rows.push([how, kind, name, from, run, digest, object.why(plan.request.at).into()]);
    }
    rows
}

fn summary(plan: &RestorePlan, purges: usize, takes: Duration, width: Option<usize>) -> String {
    let request = &plan.request;
    let numbers = RestoreNumbers::of(plan);
    let older = plan.steps.iter().filter(|step| step.instead_of.is_some()).count();
    let older = if older > 0 { format!(", {older} of them from an OLDER backup") } else { String::new() };
    let purges = if purges > 0 { format!(", {purges} of them purged for good first") } else { String::new() };
    let first = if request.first_version { ", from what was stored first" } else { "" };
    let takes = match time::Duration::try_from(takes) {
        Ok(long) if takes >= LONG => format!("; the limits of the vault make it take {} or more", span(long)),
        _ => String::new(),
    };
    let text = format!(
        "{} into {}{first}: {} to restore{older}{purges}, {}, {} in the way{}{takes}",
        request.source,
        request.target,
        plan.steps.len(),
        skipped(numbers),
        numbers.failed,
        never_backed_up(numbers)
    );
    output::wrapped(&text, width, "")
}

fn skipped(RestoreNumbers { skipped, already_there, .. }: RestoreNumbers) -> String {
    let there = if already_there > 0 { format!(" ({already_there} there already)") } else { String::new() };
    format!("{skipped} skipped{there}")
}

fn never_backed_up(RestoreNumbers { never_backed_up, .. }: RestoreNumbers) -> String {
    if never_backed_up > 0 { format!(", {never_backed_up} never backed up") } else { String::new() }
}

fn words(action: Action) -> &'static str {
    match action {
        Action::Restore => "restore",
        Action::Recover => "recover as deleted, not from the backup",
        Action::PurgeAndRestore => "PURGE for good, then restore",
    }
}

/// Prints the result of a restore.
pub(super) fn outcomes(
    plan: &RestorePlan,
    id: Option<&RestoreId>,
    numbers: RestoreNumbers,
    outcomes: &[(ObjectId, StepResult)],
    format: Format,
) -> io::Result<()> {
    if format.is_json() {
        return output::json(&RestoreResult::new(plan, id, numbers, outcomes));
    }
    // A program gets every object, a person those that need attention.
    let is_told = |result: &StepResult| format == Format::Tsv || !result.succeeded();
    ended(outcomes, is_told).print(format)?;
    output::beside(format, outcomes_text(numbers, outcomes, Stream::Out.width()).trim_end())
}

fn ended(outcomes: &[(ObjectId, StepResult)], is_told: impl Fn(&StepResult) -> bool) -> Table {
    let subject = [Column::label("outcome"), Column::name("kind"), Column::name("name")];
    let mut rows = Table::new(&subject, &[Column::prose("why")]);
    for (id, result) in outcomes.iter().filter(|(_, result)| is_told(result)) {
        let (word, why) = outcome(result);
        rows.push([word.into(), id.kind.as_str().into(), id.name.as_str().into(), why.into()]);
    }
    rows
}

fn outcomes_text(
    numbers: RestoreNumbers,
    outcomes: &[(ObjectId, StepResult)],
    width: Option<usize>,
) -> String {
    let recovered = outcomes.iter().filter(|(_, result)| *result == StepResult::Recovered).count();
    let compared = (numbers.restored as usize).saturating_sub(recovered);
    let recovered = if recovered > 0 { format!(", {recovered} recovered as deleted") } else { String::new() };
    let text = format!(
        "{}: {compared} restored and compared{recovered}, {}, {} not restored{}",
        numbers.verdict(),
        skipped(numbers),
        numbers.failed,
        never_backed_up(numbers)
    );
    let compared = outcomes.iter().any(|(_, result)| result.is_compared());
    let covered = if compared { output::wrapped(COVERED, width, "") } else { String::new() };
    output::wrapped(&text, width, "") + &covered
}

pub(super) fn outcome(result: &StepResult) -> (&'static str, String) {
    match result {
        StepResult::Restored => ("restored", String::new()),
        StepResult::AlreadyThere => ("already there", String::new()),
        StepResult::Recovered => ("recovered", String::new()),
        StepResult::Differs { .. } => ("restored, differs", result.difference().unwrap_or_default()),
        StepResult::Failed { failure } => {
            ("failed", format!("{}: {}", failure.code, output::one_line(&failure.text)))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;
    use crate::domain::outcome::Failure;

    /// The widths of a small terminal, of a large one, and of a job's log.
    const WIDTHS: [(&str, Option<usize>); 3] = [("80", Some(80)), ("120", Some(120)), ("log", None)];

    /// A name of 127 letters; the last of them tells it from others.
    fn long(last: &str) -> String {
        format!("{:x<1$}{last}", "payments-production-westeurope-", 127 - last.len())
    }

    fn step(kind: &str, name: &str, action: &str) -> Value {
        json!({
            "kind": kind, "name": name, "action": action, "run": "20261119T020000Z-nightly",
            "taken": "2026-11-19T02:00:00Z", "sha256": "ab".repeat(32), "versions": 12,
            "newest": "88a17b51813b4c35b3884695d0c014f8", "version_states": "6aac64f8c99edfe8e82dc40f4d4fc903",
        })
    }

    fn left(kind: &str, name: &str, reason: &str, skipped: bool) -> Value {
        json!({ "kind": kind, "name": name, "reason": reason, "skipped": skipped })
    }

    fn planned(steps: &[Value], excluded: &[Value]) -> RestorePlan {
        let selection = json!({ "objects": [], "kinds": [], "pattern": null, "tags": {} });
        let request = json!({ "source": "kv-a", "target": "kv-b", "selection": selection, "on_conflict": "purgeDeleted" });
        serde_json::from_value(json!({ "v": 1, "request": request, "steps": steps, "left": excluded }))
            .unwrap()
    }

    fn of_names(name: impl Fn(&str) -> String) -> RestorePlan {
        planned(
            &[
                step("certificate", &name("1"), "recover"),
                step("key", &name("2"), "restore"),
                step("secret", &name("3"), "purge-and-restore"),
                step("secret", &name("4"), "restore"),
                step("secret", &name("5"), "purge-and-restore"),
            ],
            &[
                left("secret", &name("6"), "already-there", true),
                left("secret", &name("7"), "live", false),
                left("secret", &name("8"), "never-backed-up", true),
            ],
        )
    }

    fn shown(plan: &RestorePlan, width: Option<usize>) -> String {
        plan_text(plan, Duration::from_secs(100), Format::Table, datetime!(2026-11-22 02:00 UTC), width)
    }

    #[test]
    fn a_plan_of_long_names_loses_nothing_at_any_width() {
        let plan = of_names(long);
        for (name, width) in WIDTHS {
            let text = shown(&plan, width);
            insta::assert_snapshot!(format!("long-names-{name}"), text);
            for (object, action) in plan.steps.iter().map(|step| (&step.name, words(step.action))) {
                let line = text.lines().find(|line| line.contains(object.as_str()));
                assert!(
                    line.is_some_and(|line| line.trim_start().starts_with(action)),
                    "{object} {action}: {text}"
                );
            }
        }
    }

    #[test]
    fn a_plan_of_short_names_is_a_table_where_it_fits() {
        for (name, width) in WIDTHS {
            insta::assert_snapshot!(
                format!("short-names-{name}"),
                shown(&of_names(|of| format!("db-{of}")), width)
            );
        }
    }

    #[test]
    fn prose_is_no_wider_than_the_terminal() {
        for width in 40..=120 {
            let text = shown(&of_names(|of| format!("db-{of}")), Some(width));
            let widest =
                text.lines().filter(|line| !line.contains("db-")).map(|line| line.chars().count()).max();
            assert!(widest.is_some_and(|widest| widest <= width), "{width}: {text}");
        }
    }

    #[test]
    fn what_did_not_come_back_is_named_in_full() {
        let failure = Failure::ours(
            "Forbidden",
            "The user, group or application does not have keys restore permission.",
        );
        let outcomes = [
            (ObjectId::new(ObjectKind::Key, long("1").parse().unwrap()), StepResult::Failed { failure }),
            (
                ObjectId::new(ObjectKind::Secret, long("2").parse().unwrap()),
                StepResult::Differs { difference: None },
            ),
            (ObjectId::new(ObjectKind::Secret, long("3").parse().unwrap()), StepResult::Restored),
        ];
        let numbers = RestoreNumbers::of(&of_names(long));
        for (name, width) in WIDTHS {
            let table = ended(&outcomes, |result| !result.succeeded()).text(Format::Table, width);
            let text = table + &outcomes_text(numbers, &outcomes, width);
            insta::assert_snapshot!(format!("outcomes-{name}"), text);
        }
    }
}
