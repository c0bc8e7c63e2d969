//! The state of an object in words.

use crate::{
    cli::output,
    domain::{
        location::{Apart, Location},
        manifest::{Line, ObjectStatus},
        versions::VERSIONS_WARNING,
    },
};

/// The state of an object in words, besides its newest backup.
pub(super) fn state(line: &Line, location: &Location) -> String {
    let why = why(line);
    let why = if line.status == ObjectStatus::Failed { format!("failed: {why}") } else { why };
    let apart = line.entry.as_ref().and_then(|entry| entry.location.apart(location)).map(Apart::text);
    [why.as_str(), apart.unwrap_or_default()]
        .iter()
        .filter(|text| !text.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join("; ")
}

/// The reason for an object's status, and a warning if the form of its backup is unknown. Empty if neither needs words.
pub fn why(line: &Line) -> String {
    let unknown = line.entry.as_ref().and_then(|entry| entry.form.unknown());
    let unknown = unknown.map(|clear| format!("its backup has a form that is not known ({clear})"));
    let said = [Some(why_so(line)), unknown].into_iter().flatten().filter(|said| !said.is_empty());
    said.collect::<Vec<_>>().join("; ")
}

fn why_so(line: &Line) -> String {
    let failure = line.failure.as_ref();
    let near = line.entry.as_ref().is_some_and(|entry| entry.versions >= VERSIONS_WARNING);
    match line.status {
        ObjectStatus::BackedUp | ObjectStatus::Unchanged if near => {
            "near the limit of 500 versions".to_owned()
        }
        ObjectStatus::BackedUp | ObjectStatus::Unchanged => String::new(),
        ObjectStatus::Managed => format!("belongs to a certificate{}", earlier(line)),
        ObjectStatus::VaultManaged => {
            format!(
                "managed by the vault, not by a certificate; Key Vault does not back it up{}",
                earlier(line)
            )
        }
        ObjectStatus::Disappeared => "deleted while the vault was backed up".to_owned(),
        ObjectStatus::Failed => {
            failure.map_or_else(String::new, |of| format!("{}: {}", of.code, output::one_line(&of.text)))
        }
        ObjectStatus::Gone => "gone from the vault".to_owned(),
        ObjectStatus::Carried => "not listed in the newest run".to_owned(),
        ObjectStatus::Former => {
            format!("not listed in the newest run, and managed when it last was{}", earlier(line))
        }
    }
}

/// A hint at the backups of an earlier object of the name, if there are any.
fn earlier(line: &Line) -> &'static str {
    if line.former.is_some() { "; an earlier object of that name has backups, see its history" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        entry::Entry,
        form::{Clear, Form},
        location::Fact,
        outcome::Failure,
        samples::{NIGHT, line, secret},
    };

    fn of(status: ObjectStatus) -> Line {
        line(&secret("db"), status, NIGHT)
    }

    fn with(line: Line, change: impl FnOnce(Entry) -> Entry) -> Line {
        Line { entry: line.entry.map(change), ..line }
    }

    fn with_former(line: Line) -> Line {
        Line { former: line.entry.clone().map(Box::new), ..line }
    }

    #[test]
    fn only_what_a_person_has_to_know_needs_words() {
        let failed = Failure::ours("Forbidden", "no\nright");
        let failed = Line { failure: Some(failed), ..of(ObjectStatus::Failed) };
        let many = |status, versions| with(of(status), |entry| Entry { versions, ..entry });
        for (line, expected) in [
            (of(ObjectStatus::BackedUp), ""),
            (of(ObjectStatus::Unchanged), ""),
            (many(ObjectStatus::BackedUp, VERSIONS_WARNING - 1), ""),
            (many(ObjectStatus::BackedUp, VERSIONS_WARNING), "near the limit of 500 versions"),
            (many(ObjectStatus::Unchanged, VERSIONS_WARNING), "near the limit of 500 versions"),
            // What is gone cannot get more versions.
            (many(ObjectStatus::Gone, VERSIONS_WARNING), "gone from the vault"),
            (of(ObjectStatus::Disappeared), "deleted while the vault was backed up"),
            (of(ObjectStatus::Carried), "not listed in the newest run"),
            (failed, "Forbidden: no right"),
            (of(ObjectStatus::Failed), ""),
            (of(ObjectStatus::Managed), "belongs to a certificate"),
            (
                with_former(of(ObjectStatus::Managed)),
                "belongs to a certificate; an earlier object of that name has backups, see its history",
            ),
            (
                of(ObjectStatus::VaultManaged),
                "managed by the vault, not by a certificate; Key Vault does not back it up",
            ),
            (
                with_former(of(ObjectStatus::Former)),
                "not listed in the newest run, and managed when it last was; an earlier object of that name has backups, see its history",
            ),
        ] {
            assert_eq!(why(&line), expected, "{:?}", line.status);
        }
    }

    #[test]
    fn an_unknown_form_and_another_place_stand_beside_the_reason() {
        let form = Form::Unknown(Clear { tag: None, header: vec!["kid".into()] });
        let unknown = with(of(ObjectStatus::Gone), |entry| Entry { form, ..entry });
        let told = "gone from the vault; its backup has a form that is not known (no tag that names a form, header name kid)";
        assert_eq!(why(&unknown), told);
        let place = |tenant: &str| Location { tenant: Fact::new(tenant), ..Location::default() };
        let moved = with(unknown, |entry| Entry { location: Box::new(place("a")), ..entry });
        for (now, expected) in [
            (place("a"), told.to_owned()),
            (Location::default(), told.to_owned()),
            (place("b"), format!("{told}; taken in another tenant")),
        ] {
            assert_eq!(state(&moved, &now), expected);
        }
    }

    #[test]
    fn the_state_says_failed_and_then_why() {
        let failure = Some(Failure::ours("Forbidden", "no right"));
        let failed = Line { failure, ..of(ObjectStatus::Failed) };
        assert_eq!(state(&failed, &Location::default()), "failed: Forbidden: no right");
        assert_eq!(state(&of(ObjectStatus::BackedUp), &Location::default()), "");
    }
}
