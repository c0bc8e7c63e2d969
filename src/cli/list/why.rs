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
