//! A restore into a vault by its name, open or ended, with the outcome of each object.

use super::{
    super::{
        Done, Exit,
        output::{self, Column, Format, Table, one_line},
    },
    report::{how, outcome},
};
use crate::{
    api::shapes::restore::RestoreReport,
    domain::restore::RestoreJob,
    restore::follow::{Followed, Progress},
};

/// Prints a restore. A person gets the objects that need attention, or `all` of them; a program gets every object.
pub(in crate::cli) fn print(found: Followed, all: bool, format: Format) -> Done {
    let exit = found.job.ended.as_ref().map_or(Exit::All, |ended| ended.verdict.into());
    if format.is_json() {
        output::json(&RestoreReport::new(found, None, usize::MAX))?;
        return Ok(exit);
    }
    objects(&found, all || !format.is_for_people()).print(format)?;
    output::aside(format, summary(&found.job))?;
    Ok(exit)
}

fn objects(found: &Followed, all: bool) -> Table {
    let subject = [Column::label("outcome"), Column::name("kind"), Column::name("name")];
    let mut table = Table::new(&subject, &[Column::prose("why")]);
    for (id, progress) in found.steps.iter().filter(|(_, progress)| all || needs_attention(progress)) {
        let (word, why) = words(progress);
        table.push([word.into(), id.kind.as_str().into(), id.name.as_str().into(), why.into()]);
    }
    for object in found.excluded.iter().filter(|object| all || !object.skipped) {
        let why = object.why(found.at);
        table.push([
            how(object).into(),
            object.kind.as_str().into(),
            object.name.as_str().into(),
            why.into(),
        ]);
    }
    table
}

fn needs_attention(progress: &Progress) -> bool {
    !matches!(progress, Progress::Ended(result) if result.succeeded())
}

fn words(progress: &Progress) -> (&'static str, String) {
    match progress {
        Progress::Pending => ("pending", String::new()),
        Progress::Waiting(None) => ("waiting", "the vault is busy with the name".to_owned()),
        Progress::Waiting(Some(refused)) => {
            ("waiting", format!("{}: {}", refused.code, one_line(&refused.text)))
        }
        Progress::Ended(result) => outcome(result),
    }
}

fn summary(RestoreJob { id, source, target, ended, numbers, .. }: &RestoreJob) -> String {
    let state = ended.as_ref().map_or_else(|| "is still open".to_owned(), |of| of.verdict.to_string());
    let of = numbers;
    let pending = of.planned.saturating_sub(of.restored + of.skipped + of.failed + of.never_backed_up);
    let pending = if pending > 0 { format!(", {pending} pending") } else { String::new() };
    let never = match of.never_backed_up {
        0 => String::new(),
        never => format!(", {never} never backed up"),
    };
    format!(
        "{id} {state}, from {source} into {target}: {} planned = {} restored + {} skipped + {} not restored{never}{pending}",
        of.planned, of.restored, of.skipped, of.failed
    )
}
