//! A report of a preflight as people read it, and as a table for programs.

use std::fmt::Write as _;

use crate::{
    cli::output::{self, Cell, Column, Table, wrapped},
    preflight::findings::{
        Report,
        group::{Group, Subject},
    },
    preflight::fix::Fix,
};

/// What was made of what was missing, a line each.
pub(super) fn fixes(fixes: &[Fix], width: Option<usize>) -> String {
    let line = |Fix { subject, made, seen }: &Fix| match made {
        true => wrapped(&format!("made container {subject}"), width, ""),
        false => wrapped(&format!("could not make container {subject}: {seen}"), width, ""),
    };
    fixes.iter().map(line).collect()
}

/// The page: each finding with its subjects, the advice and the commands, then the checks without a result, and the
/// numbers. Prose is wrapped at `width`; names and commands are never broken.
pub(super) fn text(groups: &[Group], hidden: usize, report: &Report, width: Option<usize>) -> String {
    let mut page = String::new();
    for group in groups {
        page.push_str(&block(group, width));
        page.push('\n');
    }
    if !report.unknown.is_empty() {
        page.push_str("not known\n");
        let lines = report.unknown.iter().map(|of| format!("{}, {}: {}", of.subject, of.what, of.seen));
        page.extend(lines.map(|line| wrapped(&line, width, "  ")));
        page.push('\n');
    }
    let (shown, hidden, unknown, well) = (groups.len(), hidden, report.unknown.len(), report.well.len());
    let below = if hidden > 0 { format!(", {hidden} less severe not shown") } else { String::new() };
    let sum = format!("{}{below}, {unknown} not known, {well} well", output::count(shown, "finding"));
    page + &wrapped(&sum, width, "")
}

fn block(group: &Group, width: Option<usize>) -> String {
    let mut text = wrapped(&format!("{} {}: {}", group.severity, group.name, group.why), width, "");
    for (subjects, seen) in alike(&group.subjects) {
        // The words of a service name the subject that it speaks of.
        let of = if subjects.len() > 1 && seen.contains(subjects[0]) {
            said_of(subjects[0])
        } else {
            String::new()
        };
        text.push_str(&wrapped(&format!("{}: {seen}{of}", named(&subjects)), width, "  "));
    }
    text.push_str(&wrapped(&group.remedy.advice, width, "  "));
    for command in &group.remedy.commands {
        // It is copied, so it is one line, however long.
        let _ = writeln!(text, "    {command}");
    }
    text
}

/// The most subjects that are named.
const NAMED: usize = 20;

/// Names, of which the last ones are only counted.
fn named(subjects: &[&str]) -> String {
    let shown = subjects[..subjects.len().min(NAMED)].join(", ");
    match subjects.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn said_of(subject: &str) -> String {
    format!(" (said of {subject})")
}

/// The subjects by what was seen of them, in the words for the first: the words for the others differ in names alone.
fn alike(subjects: &[Subject]) -> Vec<(Vec<&str>, &str)> {
    let mut alike: Vec<(Vec<&str>, String, &str)> = Vec::new();
    for Subject { subject, seen, .. } in subjects {
        let plain = nameless(subject, seen);
        match alike.iter_mut().find(|(_, other, _)| *other == plain) {
            Some((subjects, ..)) => subjects.push(subject),
            None => alike.push((vec![subject], plain, seen)),
        }
    }
    alike.into_iter().map(|(subjects, _, seen)| (subjects, seen)).collect()
}

/// A text without the name of what it is about, and without the names that a check makes up.
fn nameless(subject: &str, text: &str) -> String {
    let text = text.replace(subject, "*");
    let made_up = |word: &str| word.len() >= 32 && word.bytes().all(|letter| letter.is_ascii_hexdigit());
    let words = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .filter(|word| !made_up(word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric())))
        .collect()
}

/// A row for each subject of a finding, and then for each check that gave no result, as severity `unknown`.
pub(super) fn table(groups: &[Group], report: &Report) -> Table {
    let subject = [Column::label("severity"), Column::prose("finding"), Column::prose("of")];
    let details = ["seen", "why", "commands", "advice"].map(Column::prose);
    let mut table = Table::new(&subject, &details);
    for of in groups {
        for Subject { subject, seen, commands } in &of.subjects {
            let [severity, commands] = [of.severity.to_string(), commands.join("; ")].map(Cell::from);
            let [subject, seen, advice] =
                [subject, seen, &of.remedy.advice].map(|text| Cell::from(text.as_str()));
            table.push([severity, of.name.into(), subject, seen, of.why.into(), commands, advice]);
        }
    }
    for of in &report.unknown {
        let [what, subject, seen] = [&of.what, &of.subject, &of.seen].map(|text| Cell::from(text.as_str()));
        let nothing = || Cell::Nothing;
        table.push(["unknown".into(), what, subject, seen, nothing(), nothing(), nothing()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::findings::{Check, Severity, remedy::Remedy};

    const GRANT: &str = "az role assignment create --assignee-object-id WHO --role 'Key Vault Backup Operator' --scope SCOPE-OF-";

    /// A vault's name of 24 letters, the most that it may have.
    fn vault(last: &str) -> String {
        format!("kv-payments-production-{last}")
    }

    fn report() -> (Vec<Group>, Report) {
        let seen = |of: &str| {
            format!("the identity cannot back up {of}: ForbiddenByRbac: Caller is not authorized to act.")
        };
        let subject = |(last, of): (&str, &str)| Subject {
            subject: vault(last),
            seen: seen(of),
            commands: vec![format!("{GRANT}{}", vault(last))],
        };
        let subjects = [("a", "keys"), ("b", "keys"), ("c", "keys and secrets"), ("d", "keys")].map(subject);
        let remedy = Remedy::run(["a", "b", "c", "d"].map(|last| format!("{GRANT}{}", vault(last))));
        let rights = Group {
            name: "cannot-back-up",
            severity: Severity::Error,
            why: "Objects of these kinds are not protected.",
            subjects: subjects.into(),
            remedy: remedy.and(
                "If that was done within the last ten minutes, wait and check again: rights take that long.",
            ),
        };
        let setting = Group {
            name: "source-twice",
            severity: Severity::Warning,
            subjects: vec![Subject {
                subject: "one".into(),
                seen: "it is there twice".into(),
                commands: Vec::new(),
            }],
            remedy: Remedy::advice("Use an app for each."),
            ..rights.clone()
        };
        let check = |what: &str| Check {
            subject: "store/jobs".into(),
            what: what.into(),
            seen: "no answer within 25 s".into(),
        };
        let report = Report { unknown: vec![check("read")], well: vec![check("write")], ..Report::default() };
        (vec![rights, setting], report)
    }

    #[test]
    fn what_must_be_copied_is_whole_at_any_width() {
        let (groups, report) = report();
        for (name, width) in [("80", Some(80)), ("120", Some(120)), ("log", None)] {
            insta::assert_snapshot!(name, text(&groups, 3, &report, width));
        }
        for width in 40..=140 {
            let page = text(&groups, 0, &report, Some(width));
            for command in &groups[0].remedy.commands {
                assert!(page.lines().any(|line| line.trim_start() == command), "{page}");
            }
            let is_long = |line: &&str| line.chars().count() > width && !line.starts_with("    az");
            assert_eq!(page.lines().find(is_long), None, "{page}");
        }
    }

    #[test]
    fn programs_get_a_row_for_each_subject() {
        let (groups, report) = report();
        let text = table(&groups, &report).text(output::Format::Tsv, None);
        let rows: Vec<Vec<_>> = text.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(rows[0], ["severity", "finding", "of", "seen", "why", "commands", "advice"]);
        let firsts: Vec<_> = rows[1..].iter().map(|row| (row[0], row[2])).collect();
        let [a, b, c, d] = ["a", "b", "c", "d"].map(vault);
        let vaults = [&a, &b, &c, &d].map(|vault| ("error", vault.as_str()));
        assert_eq!(firsts, [&vaults[..], &[("warning", "one"), ("unknown", "store/jobs")]].concat());
        let commands: Vec<_> = rows[1..].iter().map(|row| row[5]).collect();
        let own = [&a, &b, &c, &d].map(|vault| format!("{GRANT}{vault}"));
        assert_eq!(commands[..4], own, "those of the subject alone");
        assert_eq!(commands[4..], ["", ""]);
    }

    #[test]
    fn what_differs_in_names_alone_is_said_once() {
        let seen = |vault: &str, id: char| {
            format!("Forbidden: '/vaults/{vault}/secrets/preflight-{}' is closed.", id.to_string().repeat(32))
        };
        let subject =
            |(name, seen): (&str, String)| Subject { subject: name.to_owned(), seen, commands: Vec::new() };
        let subjects =
            [("kv-a", seen("kv-a", 'a')), ("kv-b", seen("kv-b", 'b')), ("kv-c", seen("kv-x", 'c'))];
        let subjects = subjects.map(subject);
        let found = alike(&subjects);
        assert_eq!(
            found,
            [(vec!["kv-a", "kv-b"], &*seen("kv-a", 'a')), (vec!["kv-c"], &*seen("kv-x", 'c')),]
        );
    }

    #[test]
    fn of_many_subjects_the_last_are_counted() {
        let names: Vec<_> = (1..=23).map(|number| format!("kv-{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert!(named(&names[..20]).ends_with(", kv-20"), "{}", named(&names[..20]));
        assert!(named(&names).ends_with(", kv-20 and 3 more"), "{}", named(&names));
    }
}
