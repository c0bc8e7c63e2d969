//! Findings of one cause as one, so that thirty vaults without a role are told once.

use super::{Finding, Severity, remedy::Remedy};

/// Findings of one cause: they have name, severity, reason and advice in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The problem, as one of the names in `docs/preflight.md`.
    pub name: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// What it concerns. Never empty.
    pub subjects: Vec<Subject>,
    /// How to fix it for all of them: each command once, and where commands differ, one for each subject.
    pub remedy: Remedy,
}

/// A subject of a group, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The vault, HSM, container, queue or setting concerned.
    pub subject: String,
    /// The observation.
    pub seen: String,
    /// The commands that fix it for this subject.
    pub commands: Vec<String>,
}

/// Groups findings by their cause. Groups and subjects have the order of the findings.
pub fn grouped(findings: &[Finding]) -> Vec<Group> {
    let mut groups: Vec<(Group, Vec<&Remedy>)> = Vec::new();
    for found in findings {
        let subject = Subject {
            subject: found.subject.clone(),
            seen: found.seen.clone(),
            commands: found.remedy.commands.clone(),
        };
        if let Some((group, remedies)) = groups.iter_mut().find(|(group, _)| is_of(found, group)) {
            group.subjects.push(subject);
            remedies.push(&found.remedy);
        } else {
            let Finding { name, severity, why, ref remedy, .. } = *found;
            let group = Group { name, severity, why, subjects: vec![subject], remedy: remedy.clone() };
            groups.push((group, vec![remedy]));
        }
    }
    let merged = groups.into_iter().map(|(group, remedies)| {
        let commands = steps(&remedies);
        Group { remedy: Remedy { commands, ..group.remedy }, ..group }
    });
    merged.collect()
}

fn is_of(found: &Finding, group: &Group) -> bool {
    (found.name, found.severity, found.why, &found.remedy.advice)
        == (group.name, group.severity, group.why, &group.remedy.advice)
}

/// The commands of several remedies, each once: the first of every remedy, then the second of every remedy, and so on.
fn steps(remedies: &[&Remedy]) -> Vec<String> {
    let most = remedies.iter().map(|remedy| remedy.commands.len()).max().unwrap_or_default();
    let all = (0..most).flat_map(|step| remedies.iter().filter_map(move |remedy| remedy.commands.get(step)));
    let mut commands: Vec<String> = Vec::new();
    for command in all {
        if !commands.contains(command) {
            commands.push(command.clone());
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::{super::samples::finding, *};

    fn found(name: &'static str, subject: &str, commands: &[&str], advice: &str) -> Finding {
        let commands = commands.iter().map(|command| (*command).to_owned()).collect();
        let remedy = Remedy { commands, advice: advice.to_owned() };
        Finding { seen: format!("seen of {subject}"), remedy, ..finding(name, Severity::Error, subject) }
    }

    /// Each group as `name subject subject: command; command`.
    fn told(findings: &[Finding]) -> Vec<String> {
        let line = |group: &Group| {
            let subjects: Vec<_> = group.subjects.iter().map(|of| of.subject.as_str()).collect();
            format!("{} {}: {}", group.name, subjects.join(" "), group.remedy.commands.join("; "))
        };
        grouped(findings).iter().map(line).collect()
    }

    #[test]
    fn findings_of_one_cause_are_one() {
        let one = |subject| found("a", subject, &["find", subject, "delete"], "Wait.");
        let warning = Finding { severity: Severity::Warning, ..one("w") };
        let why = Finding { why: "another reason", ..one("y") };
        let table = [
            (vec![], vec![]),
            (vec![one("x")], vec!["a x: find; x; delete"]),
            (vec![one("x"), one("y"), one("z")], vec!["a x y z: find; x; y; z; delete"]),
            (vec![one("x"), found("b", "x", &[], ""), one("y")], vec!["a x y: find; x; y; delete", "b x: "]),
            (vec![one("x"), warning], vec!["a x: find; x; delete", "a w: find; w; delete"]),
            (vec![one("x"), why], vec!["a x: find; x; delete", "a y: find; y; delete"]),
            (
                vec![one("x"), found("a", "y", &["open"], "Approve.")],
                vec!["a x: find; x; delete", "a y: open"],
            ),
            (vec![one("x"), found("a", "y", &["find"], "Wait.")], vec!["a x y: find; x; delete"]),
        ];
        for (findings, expected) in table {
            assert_eq!(told(&findings), expected);
        }
    }

    #[test]
    fn each_subject_keeps_what_was_seen_of_it() {
        let vaults = ["kv-a", "kv-b"].map(|vault| found("a", vault, &[vault], "Wait."));
        let groups = grouped(&vaults);
        let seen: Vec<_> = groups[0].subjects.iter().map(|of| of.seen.as_str()).collect();
        assert_eq!((groups.len(), seen), (1, vec!["seen of kv-a", "seen of kv-b"]));
        assert_eq!(groups[0].remedy, Remedy::run(["kv-a".into(), "kv-b".into()]).and("Wait."));
    }
}
