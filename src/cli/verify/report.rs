//! What `verify` prints, and its exit code.

use crate::{
    api::shapes::terminal::{VerifiedSource, VerifyReport},
    cli::{
        Done, Exit, Failed,
        output::{self, Column, Format, Table, bytes, count},
    },
    domain::{
        source::{SourceId, SourceKind},
        verification::{Finding, Soundness, Verification},
    },
    verification::first::FirstVersion,
};

/// What became of one source.
pub(super) struct Looked {
    /// The source.
    pub of: SourceId,
    /// What was found, or why it could not be looked at.
    pub result: Result<Verified, String>,
}

/// What was found of a source.
pub(super) struct Verified {
    /// What a pass found.
    pub found: Verification,
    /// What was stored first of each finding; empty if that was not asked for.
    pub first: Vec<Option<FirstVersion>>,
}

/// Prints the findings of each source and what can be said of it.
pub(super) fn print(looked: &[Looked], all: bool, format: Format) -> Done {
    if format.is_json() {
        let source = |of: &Looked| match &of.result {
            Ok(of) => VerifiedSource::new(&of.found, &of.first),
            Err(why) => VerifiedSource::not_verified(&of.of, why),
        };
        output::json(&VerifyReport { sources: looked.iter().map(source).collect() })?;
        return Ok(exit(looked));
    }
    let mut every = table();
    for Looked { of, result } in looked {
        say(of, result, format)?;
        let Ok(verified) = result else { continue };
        let mut own = table();
        rows(verified, if format.is_for_people() { &mut own } else { &mut every });
        if format.is_for_people() {
            own.print(format)?;
        }
    }
    if !format.is_for_people() {
        every.print(format)?;
    } else if looked.is_empty() {
        output::aside(format, "The catalogue has no source, so nothing was verified.")?;
    } else if !all && looked.iter().any(has_unread) {
        output::aside(format, "`--all` reads the bytes of every stored backup.")?;
    }
    Ok(exit(looked))
}

/// Whether the bytes of some backups were not read.
fn has_unread(of: &Looked) -> bool {
    let unread = |of: &Verified| of.found.counts.read < of.found.counts.stored;
    of.of.kind == SourceKind::Vault && of.result.as_ref().is_ok_and(unread)
}

fn exit(looked: &[Looked]) -> Exit {
    let soundness = |of: &Looked| of.result.as_ref().ok().map(|of| of.found.soundness());
    let is_nothing = |of: &Looked| matches!(soundness(of), None | Some(Soundness::Nothing(_)));
    if looked.iter().all(is_nothing) {
        Exit::None
    } else if looked.iter().all(|of| soundness(of) == Some(Soundness::Sound)) {
        Exit::All
    } else {
        Exit::Part
    }
}

/// Says what can be said of a source as a whole. With values for a program only what has no row: on standard error.
fn say(of: &SourceId, result: &Result<Verified, String>, format: Format) -> Result<(), Failed> {
    let found = match result {
        Ok(of) => &of.found,
        Err(why) => return not_verified(of, why, format),
    };
    let verdict = match found.soundness() {
        Soundness::Nothing(why) => return not_verified(of, why.text(), format),
        Soundness::Sound => "is sound".to_owned(),
        Soundness::Wrong => format!("has {}", count(found.findings.len(), "finding")),
        Soundness::Incomplete => "shows nothing wrong, and was not verified as a whole".to_owned(),
    };
    let unverified = match found.counts.unverified {
        0 => String::new(),
        many => format!(
            " {} could not be verified: a newer program wrote it, or this identity may not read it.",
            count(many, "record")
        ),
    };
    output::aside(format, format_args!("{of} {verdict}: {}.{unverified}", numbers(found)))?;
    Ok(())
}

fn not_verified(of: &SourceId, why: &str, format: Format) -> Result<(), Failed> {
    let text = format!("{of} was not verified: {why}.");
    if format.is_for_people() {
        output::aside(format, text)?;
    } else {
        output::note(text);
    }
    Ok(())
}

fn numbers(found: &Verification) -> String {
    let of = &found.counts;
    let there = of.named.saturating_sub(of.missing);
    match found.kind {
        SourceKind::Vault => format!(
            "{there} of {} newest backups are there; {} of {} stored backups read ({}); {} compared",
            of.named,
            of.read,
            of.stored,
            bytes(of.bytes),
            count(of.manifests, "manifest")
        ),
        SourceKind::Hsm => {
            format!("{there} of {} folders are there, with {}", of.named, count(of.stored, "blob"))
        }
    }
}

fn table() -> Table {
    Table::new(
        &[Column::name("source").wide(), Column::name("object")],
        &[
            Column::name("run"),
            Column::label("fault"),
            Column::name("backup").if_any(),
            Column::prose("what was seen"),
            Column::name("since").wide(),
            Column::name("blob").wide(),
        ],
    )
}

fn rows(of: &Verified, table: &mut Table) {
    for (at, finding) in of.found.findings.iter().enumerate() {
        let first = of.first.get(at).and_then(Option::as_ref);
        let subject = finding.object().map_or_else(|| finding.blob.clone(), |id| id.to_string());
        table.push([
            of.found.source.as_str().into(),
            subject.into(),
            finding.run.as_str().into(),
            finding.fault.name().into(),
            finding.newest.then_some("newest").into(),
            seen(finding, first).into(),
            finding.since.into(),
            finding.blob.clone().into(),
        ]);
    }
}

fn seen(finding: &Finding, first: Option<&FirstVersion>) -> String {
    let text = &finding.text;
    match first {
        None => text.clone(),
        Some(FirstVersion::Whole) => format!("{text}. What was stored first is whole"),
        Some(FirstVersion::NotWhole(why)) => format!("{text}. What was stored first is not whole: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        samples::NIGHT,
        verification::{Choice, Counts, VERIFICATION_FORMAT},
    };

    fn looked(result: Result<Counts, String>) -> Looked {
        let of = SourceId { kind: SourceKind::Vault, name: "kv-a".parse().unwrap() };
        let found = |counts| Verification {
            v: VERIFICATION_FORMAT,
            kind: of.kind,
            source: of.name.clone(),
            started: NIGHT,
            ended: NIGHT,
            choice: Choice::All,
            counts,
            findings: Vec::new(),
        };
        let result = result.map(|counts| Verified { found: found(counts), first: Vec::new() });
        Looked { of, result }
    }

    #[test]
    fn the_exit_code_is_good_only_if_every_source_is_sound() {
        let of = |named, unverified| looked(Ok(Counts { named, unverified, ..Counts::default() }));
        let (sound, empty, partly) = (|| of(2, 0), || of(0, 0), || of(2, 1));
        let out_of_reach = || looked(Err("the storage is out of reach".to_owned()));
        for (sources, expected) in [
            (vec![], Exit::None),
            (vec![sound()], Exit::All),
            (vec![sound(), sound()], Exit::All),
            (vec![empty()], Exit::None),
            (vec![empty(), out_of_reach()], Exit::None),
            (vec![sound(), empty()], Exit::Part),
            (vec![sound(), out_of_reach()], Exit::Part),
            (vec![partly()], Exit::Part),
        ] {
            assert_eq!(exit(&sources), expected, "{}", sources.len());
        }
    }
}
