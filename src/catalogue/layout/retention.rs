//! Names of what retention did, and of what people decided about it.

use time::OffsetDateTime;

use super::{countdown, manifests};
use crate::domain::{
    forgotten::Forget,
    retention::{Act, HoldAct, Ticket},
    run::{RunId, counted_down},
    source::{SourceKind, SourceName},
};

/// The prefix of what retention did about the points of a source.
pub(in crate::catalogue) fn marks(kind: SourceKind, source: &SourceName) -> String {
    format!("retention/{}/{source}/points/", kind.folder())
}

/// The name of a mark. Its number orders the marks of a point, and of two writers of one number the first wins.
pub(in crate::catalogue) fn mark(kind: SourceKind, source: &SourceName, run: &RunId, number: u32) -> String {
    format!("{}{run}/{number:04}", marks(kind, source))
}

/// The run and the number of a blob under [`marks`].
pub(in crate::catalogue) fn parse_mark(prefix: &str, name: &str) -> Option<(RunId, u32)> {
    let (run, number) = name.strip_prefix(prefix)?.split_once('/')?;
    Some((run.parse().ok()?, number.parse().ok()?))
}

/// The record of a hold, or of its release.
pub(in crate::catalogue) fn hold(
    kind: SourceKind,
    source: &SourceName,
    ticket: &Ticket,
    number: u32,
    act: HoldAct,
) -> String {
    format!("{}{ticket}/{number:04}.{act}", holds(kind, source))
}

/// The ticket, the number and the act of a blob under [`holds`].
pub(in crate::catalogue) fn parse_hold(prefix: &str, name: &str) -> Option<(Ticket, u32, HoldAct)> {
    let (ticket, rest) = name.strip_prefix(prefix)?.split_once('/')?;
    let (number, act) = rest.split_once('.')?;
    Some((ticket.parse().ok()?, number.parse().ok()?, act.parse().ok()?))
}

/// The prefix of the records of retention's passes.
pub(in crate::catalogue) const PASSES: &str = "retention/passes/";

/// The record of a pass that ended at a time.
pub(in crate::catalogue) fn pass(at: OffsetDateTime) -> String {
    format!("{PASSES}{}", countdown(at))
}

/// When the pass of a record ended.
pub(in crate::catalogue) fn pass_time(name: &str) -> Option<OffsetDateTime> {
    counted_down(name.strip_prefix(PASSES)?)
}

/// The second copy of a manifest.
pub(in crate::catalogue) fn copy(vault: &SourceName, manifest: &str) -> Option<String> {
    let own = manifest.strip_prefix(&manifests(vault))?;
    Some(format!("{}{own}", copies(vault)))
}

/// The prefix of the second copies of a vault's manifests.
pub(in crate::catalogue) fn copies(vault: &SourceName) -> String {
    format!("retention/copies/{vault}/")
}

/// The prefix of what people decided about the retention of a source.
pub(in crate::catalogue) fn people(kind: SourceKind, source: &SourceName) -> String {
    format!("retention/people/{}/{source}/", kind.folder())
}

/// The name of a decision of a person, sorted by its time. That of a decision to forget has all that it says.
pub(in crate::catalogue) fn person(
    kind: SourceKind,
    source: &SourceName,
    at: OffsetDateTime,
    act: &Act,
) -> String {
    let prefix = people(kind, source);
    match act {
        Act::Forget { kind, name } => format!("{prefix}{}.forget-{kind}-{}", countdown(at), name.folded()),
        _ => format!("{prefix}{}.{}", countdown(at), act.name()),
    }
}

/// The decision to forget of a blob under [`people`].
pub(in crate::catalogue) fn parse_forget(prefix: &str, name: &str) -> Option<Forget> {
    let (at, object) = name.strip_prefix(prefix)?.split_once(".forget-")?;
    forget_of(at, object)
}

/// The name, beside the manifests of a vault, of a decision to forget: there a night sees it without a request more.
pub(in crate::catalogue) fn forgotten(vault: &SourceName, of: &Forget) -> String {
    format!("{}{FORGOTTEN}", forget(&manifests(vault), of))
}

/// The decision to forget of a blob among the manifests of a vault.
pub(in crate::catalogue) fn parse_forgotten(prefix: &str, name: &str) -> Option<Forget> {
    let (at, object) = name.strip_prefix(prefix)?.strip_suffix(FORGOTTEN)?.split_once('-')?;
    forget_of(at, object)
}

const FORGOTTEN: &str = ".forgotten";

/// The prefix of the records that nothing of what was to be forgotten is left.
pub(in crate::catalogue) fn forgets_done(vault: &SourceName) -> String {
    format!("retention/{}/{vault}/forgotten/", SourceKind::Vault.folder())
}

/// The record that nothing is left of what was to be forgotten.
pub(in crate::catalogue) fn forget_done(vault: &SourceName, of: &Forget) -> String {
    forget(&forgets_done(vault), of)
}

fn forget(prefix: &str, of: &Forget) -> String {
    format!("{prefix}{}-{}-{}", countdown(of.at), of.kind, of.name.folded())
}

fn forget_of(at: &str, object: &str) -> Option<Forget> {
    let (kind, name) = object.split_once('-')?;
    Some(Forget { kind: kind.parse().ok()?, name: name.parse().ok()?, at: counted_down(at)? })
}

/// The prefix of the holds on a source.
pub(in crate::catalogue) fn holds(kind: SourceKind, source: &SourceName) -> String {
    format!("{HOLDS}{}/{source}/", kind.folder())
}

/// The prefix of the holds on sources of a kind.
pub(in crate::catalogue) fn holds_of(kind: SourceKind) -> String {
    format!("{HOLDS}{}/", kind.folder())
}

/// The prefix of all holds.
const HOLDS: &str = "holds/";

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{super::manifest, *};

    #[test]
    fn marks_have_names_that_stay() {
        let (source, run): (SourceName, RunId) =
            ("kv-prod".parse().unwrap(), "20261122T020000Z-nightly".parse().unwrap());
        let name = mark(SourceKind::Vault, &source, &run, 1);
        assert_eq!(name, "retention/vaults/kv-prod/points/20261122T020000Z-nightly/0001");
        let prefix = marks(SourceKind::Vault, &source);
        assert_eq!(parse_mark(&prefix, &name), Some((run.clone(), 1)));
        assert_eq!(parse_mark(&prefix, &format!("{prefix}{run}/x")), None);
        let ticket: Ticket = "INC-4711".parse().unwrap();
        let name = hold(SourceKind::Hsm, &source, &ticket, 2, HoldAct::Released);
        assert_eq!(name, "holds/hsms/kv-prod/INC-4711/0002.released");
        let prefix = holds(SourceKind::Hsm, &source);
        assert_eq!(parse_hold(&prefix, &name), Some((ticket, 2, HoldAct::Released)));
        let manifest = manifest(&source, datetime!(2026-11-22 02:00 UTC), &run);
        assert_eq!(
            copy(&source, &manifest).as_deref(),
            Some("retention/copies/kv-prod/98204687199-20261122T020000Z-nightly.jsonl.gz")
        );
        let of = Forget {
            kind: "secret".parse().unwrap(),
            name: "Db-Password".parse().unwrap(),
            at: datetime!(2026-11-22 02:00 UTC),
        };
        let act = Act::Forget { kind: of.kind, name: of.name.clone() };
        let name = person(SourceKind::Vault, &source, of.at, &act);
        assert_eq!(name, "retention/people/vaults/kv-prod/98204687199.forget-secret-db-password");
        assert_eq!(parse_forget(&people(SourceKind::Vault, &source), &name), Some(of.clone()));
        let name = forgotten(&source, &of);
        assert_eq!(name, "vaults/kv-prod/manifests/98204687199-secret-db-password.forgotten");
        assert_eq!(parse_forgotten(&manifests(&source), &name), Some(of.clone()));
        assert_eq!(
            forget_done(&source, &of),
            "retention/vaults/kv-prod/forgotten/98204687199-secret-db-password"
        );
        assert!(marks(SourceKind::Hsm, &source).starts_with("retention/hsms/kv-prod/"));
    }
}
