//! One step of a restore.

use std::time::Duration;

use futures::{TryStreamExt as _, pin_mut};

use crate::{
    app::App,
    azure::{
        error::{Meaning, ServiceError},
        vault::VaultClient,
    },
    domain::{
        blob::BackupBlob,
        form::Form,
        object::{ObjectId, ObjectKind},
        outcome::Failure,
        record::count,
        restore::{Action, Difference, Reason, Request, RestorePlan, Step, StepResult, compare},
        source::SourceName,
        verification::{Stored, fault_of},
        versions::{Attributes, Current, VersionId},
    },
    error::{Error, Result},
};

/// The time limit for the last check of a step's object.
const LAST_CHECK: Duration = Duration::from_secs(30);

/// The result of one try of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It has ended.
    Ended(StepResult),
    /// The vault is busy with the name: being deleted, recovered or purged. Try again in a minute.
    Busy {
        /// Its answer.
        failure: Failure,
        /// Whether it has accepted the recovery: it will then show the deleted object under the name.
        recovering: bool,
    },
}

/// Tries a step once, without waiting for the vault.
///
/// Safe to run twice, concurrently or later. A backup is read and checked before anything is purged, and nothing is
/// purged when the object equals its backup. After the vault refuses a change, the object is read again: a concurrent
/// request may have made the same change first.
///
/// # Errors
/// Any failure that keeps the step from ending; its fate says whether another try may help.
pub async fn attempt(app: &App, plan: &RestorePlan, step: &Step) -> Result<Tried> {
    attempt_in(app, app.vault(&plan.request.target)?, &plan.request, step).await
}

/// [`attempt`] in a vault that is not one of the configured ones: a drill's.
///
/// # Errors
/// Likewise.
pub async fn attempt_in(app: &App, target: &VaultClient, request: &Request, step: &Step) -> Result<Tried> {
    if step.action == Action::Recover {
        return recover(app, target, step).await;
    }
    if step.action == Action::PurgeAndRestore
        && let Some(result) = inspect(target, step).await?.without_restoring()
    {
        return Ok(Tried::Ended(result));
    }
    let (blob, form) = checked(app, request, step).await?;
    if step.action == Action::PurgeAndRestore {
        // A large plan, or one of an older program, was not checked for this.
        if form.unknown().is_some() {
            let failure = Failure::ours("UnknownForm", Reason::UnknownForm.text());
            return Ok(Tried::Ended(StepResult::Failed { failure }));
        }
        if let Some(tried) = purge(target, step).await? {
            return Ok(tried);
        }
    }
    restore(app, target, step, blob).await
}

/// The result of a step that has failed for good: the state that the vault shows, if that is a result, or else the
/// failure. A request whose answer was lost, or a copy of the step's message, may have done what this try could not.
pub async fn last_check(app: &App, plan: &RestorePlan, step: &Step, failure: Failure) -> StepResult {
    match app.vault(&plan.request.target) {
        Ok(target) => last_check_in(target, step, failure).await,
        Err(_) => StepResult::Failed { failure },
    }
}

/// [`last_check`] in a vault that is not one of the configured ones: a drill's.
pub async fn last_check_in(target: &VaultClient, step: &Step, failure: Failure) -> StepResult {
    let inspection = async {
        match step.action {
            Action::Recover => Ok(recovered(&versions(target, &step.id()).await?, step)),
            Action::Restore | Action::PurgeAndRestore => {
                inspect(target, step).await.map(Found::without_restoring)
            }
        }
    };
    let seen: Option<Result<_>> = tokio::time::timeout(LAST_CHECK, inspection).await.ok();
    seen.and_then(Result::ok).flatten().unwrap_or(StepResult::Failed { failure })
}

fn busy(error: ServiceError) -> Tried {
    Tried::Busy { failure: *error.failure, recovering: false }
}

/// Whether the vault has evaluated the request and refused it. If not, the next try reads the object first.
fn is_answer(error: &ServiceError) -> bool {
    error.is_refusal() && error.meaning != Meaning::Throttled
}

async fn recover(app: &App, target: &VaultClient, step: &Step) -> Result<Tried> {
    let id = step.id();
    if let Some(result) = recovered(&versions(target, &id).await?, step) {
        let result = match other_kind(app, target, &id, false).await? {
            Some(reason) => StepResult::Failed { failure: Failure::ours("NameTaken", reason.text()) },
            None => result,
        };
        return Ok(Tried::Ended(result));
    }
    let refusal = match target.recover(&id).await {
        Ok(()) => None,
        Err(error) if is_answer(&error) => Some(error),
        Err(error) => return Err(error.into()),
    };
    if let Some(result) = recovered(&versions(target, &id).await?, step) {
        let result = if refusal.is_none() { StepResult::Recovered } else { result };
        return Ok(Tried::Ended(result));
    }
    match refusal {
        // It is neither live nor deleted, or was so a moment ago: another request recovers it.
        Some(error) if matches!(error.meaning, Meaning::Busy | Meaning::NotFound | Meaning::Exists) => {
            Ok(busy(error))
        }
        Some(error) => Err(error.into()),
        None => {
            let text = "it is being recovered, and the vault does not show it yet";
            Ok(Tried::Busy { failure: Failure::ours("BeingRecovered", text), recovering: true })
        }
    }
}

/// Purges the object that a step replaces. `None` when the name is free or will be soon.
async fn purge(target: &VaultClient, step: &Step) -> Result<Option<Tried>> {
    let id = step.id();
    let error = match target.purge(&id).await {
        Ok(()) => return Ok(None),
        // An earlier try purged it.
        Err(error) if error.meaning == Meaning::NotFound => return Ok(None),
        Err(error) if is_answer(&error) => error,
        Err(error) => return Err(error.into()),
    };
    let found = inspect(target, step).await?;
    let nothing = found == Found::Nothing;
    if let Some(result) = found.without_restoring() {
        return Ok(Some(Tried::Ended(result)));
    }
    match error.meaning {
        Meaning::Busy | Meaning::Exists => Ok(Some(busy(error))),
        _ if nothing && !is_deleted(target, &id).await? => Ok(None),
        _ => Err(error.into()),
    }
}

/// Whether the vault's list of deleted objects has it.
async fn is_deleted(target: &VaultClient, id: &ObjectId) -> Result<bool> {
    let pages = target.list_deleted(id.kind);
    pin_mut!(pages);
    while let Some(page) = pages.try_next().await? {
        if page.iter().any(|deleted| deleted.id == *id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The result of a recovery as the vault shows it, if it is not known whether the vault accepted the recovery. If the
/// version that was current at the backup is live, the deleted object is in use again; otherwise any other object may
/// have the name.
fn recovered(live: &[(VersionId, Attributes)], step: &Step) -> Option<StepResult> {
    if live.is_empty() {
        return None;
    }
    if live.iter().any(|(id, _)| *id == step.newest) {
        return Some(StepResult::Recovered);
    }
    let found = count(live.len());
    Some(StepResult::Differs { difference: Some(Difference::Versions { recorded: step.versions, found }) })
}

/// The backup that a step restores, checked, with its form.
///
/// # Errors
/// [`Error::BackupGone`] if it is missing, [`Error::Damaged`] if it is not what was recorded.
pub async fn checked(app: &App, request: &Request, step: &Step) -> Result<(BackupBlob, Form)> {
    let (id, source) = (step.id(), &request.source);
    let name = || format!("the backup of {id} in run {}", step.run);
    let damaged = |text: String| Error::Damaged { blob: name(), text };
    let blob = if request.first_version {
        first_version(app, source, step).await?
    } else {
        app.catalogue()?.backup(source, &step.run, &id).await?
    };
    let blob = blob.ok_or_else(|| Error::BackupGone { backup: name() })?;
    if blob.digest() != step.sha256 {
        return Err(damaged("its digest is not the one that was recorded".into()));
    }
    let form = blob.judge(id.kind).map_err(|fault| damaged(fault.to_string()))?;
    Ok((blob, form))
}

/// What was stored first of a backup, held against the entry that lies with it.
async fn first_version(app: &App, source: &SourceName, step: &Step) -> Result<Option<BackupBlob>> {
    let id = step.id();
    let found = app.catalogue()?.first_backup_with_entry(source, &step.run, &id).await?;
    let Some((blob, entry)) = found else { return Ok(None) };
    let stored = Stored { blob: &blob, entry: entry.as_ref().map_err(String::as_str) };
    match fault_of(&stored, &step.run, &id, None) {
        Some((_, text)) => Err(Error::Damaged {
            blob: format!("what was stored first of the backup of {id} in run {}", step.run),
            text,
        }),
        None => Ok(Some(blob)),
    }
}

async fn restore(app: &App, target: &VaultClient, step: &Step, blob: BackupBlob) -> Result<Tried> {
    let error = match target.restore(&step.id(), blob).await {
        Ok(current) => {
            let result = match inspect_again(target, step, current).await? {
                Found::AsRecorded => StepResult::Restored,
                Found::Differs(difference) => StepResult::Differs { difference: Some(difference) },
                Found::Nothing => {
                    let (recorded, found) = (step.versions, 0);
                    StepResult::Differs { difference: Some(Difference::Versions { recorded, found }) }
                }
            };
            return Ok(Tried::Ended(result));
        }
        Err(error) if is_answer(&error) => error,
        Err(error) => return Err(error.into()),
    };
    let taken = error.meaning == Meaning::Busy;
    let found = match inspect(target, step).await {
        Err(_) if !taken => return Err(error.into()),
        found => found?,
    };
    let nothing = found == Found::Nothing;
    if let Some(result) = found.without_restoring() {
        return Ok(Tried::Ended(result));
    }
    if !taken {
        return Err(error.into());
    }
    // The name is taken: by another object, or by a purge under way, whichever request began it.
    if let Some(reason) = other_kind(app, target, &step.id(), nothing).await? {
        let failure = Failure::ours("NameTaken", reason.text());
        return Ok(Tried::Ended(StepResult::Failed { failure }));
    }
    if nothing || step.action == Action::PurgeAndRestore { Ok(busy(error)) } else { Err(error.into()) }
}

/// The target's object under the name of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// The object as its backup recorded it.
    AsRecorded,
    /// The object in another state.
    Differs(Difference),
    /// No live object.
    Nothing,
}

impl Found {
    /// The result of a step whose object is in place although this try did not restore it. `None` if it is not in
    /// place.
    ///
    /// An object with all the versions of the backup was restored by an earlier try, whichever version is current.
    fn without_restoring(self) -> Option<StepResult> {
        match self {
            Self::AsRecorded => Some(StepResult::AlreadyThere),
            Self::Differs(of @ Difference::Current { .. }) => {
                Some(StepResult::Differs { difference: Some(of) })
            }
            Self::Differs(_) | Self::Nothing => None,
        }
    }
}

/// Reads and compares the object after the service's answer, which names the current version.
async fn inspect_again(target: &VaultClient, step: &Step, current: Option<VersionId>) -> Result<Found> {
    let Some(current) = current else { return inspect(target, step).await };
    let versions = versions(target, &step.id()).await?;
    Ok(found(step, versions, &Current::Named(current)))
}

/// Reads and compares the object without such an answer. If it matters which version is current, the vault's list says
/// so.
async fn inspect(target: &VaultClient, step: &Step) -> Result<Found> {
    let (id, unknown) = (step.id(), Current::Unknown);
    let versions = versions(target, &id).await?;
    let several = versions.len() > 1;
    match found(step, versions.clone(), &unknown) {
        Found::AsRecorded if several => Ok(match target.shown(&id).await? {
            Some(shown) => found(step, versions, &Current::Shown(shown)),
            None => Found::Nothing,
        }),
        found => Ok(found),
    }
}

fn found(step: &Step, versions: Vec<(VersionId, Attributes)>, current: &Current) -> Found {
    if versions.is_empty() {
        return Found::Nothing;
    }
    compare(step, versions, current).map_or(Found::AsRecorded, Found::Differs)
}

/// The object of another kind that has taken a name since the plan was made. `free` means that none of its own kind
/// has.
async fn other_kind(app: &App, target: &VaultClient, id: &ObjectId, free: bool) -> Result<Option<Reason>> {
    let others: &[_] = match id.kind {
        _ if app.is_hsm(target.source().name()) => &[],
        ObjectKind::Certificate if free => {
            &[(ObjectKind::Key, Reason::LiveKey), (ObjectKind::Secret, Reason::LiveSecret)]
        }
        ObjectKind::Certificate => &[],
        ObjectKind::Key | ObjectKind::Secret => &[(ObjectKind::Certificate, Reason::LiveCertificate)],
    };
    for (kind, reason) in others {
        if !versions(target, &ObjectId::new(*kind, id.name.clone())).await?.is_empty() {
            return Ok(Some(*reason));
        }
    }
    Ok(None)
}

/// The versions of a live object, or none if it is not live.
async fn versions(target: &VaultClient, id: &ObjectId) -> Result<Vec<(VersionId, Attributes)>> {
    match target.versions(id).await {
        Err(error) if matches!(error.meaning, Meaning::NotFound | Meaning::Busy) => Ok(Vec::new()),
        versions => Ok(versions?),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        azure::error::{Asked, Operation},
        domain::digest::{Digest, Fingerprint},
    };

    /// The identifier of a version.
    fn version(name: &str) -> VersionId {
        name.parse().unwrap()
    }

    /// A step of a backup with two versions, of which `newer` was current.
    fn step(action: Action) -> Step {
        let digits = Fingerprint::of(b"");
        let stored = json!({
            "kind": "secret", "name": "db", "action": action, "run": "20261122T020000Z-nightly",
            "taken": "2026-11-22T02:00:00Z", "sha256": Digest::of(b"blob"), "versions": 2, "newest": "newer",
            "version_states": digits,
        });
        serde_json::from_value(stored).unwrap()
    }

    fn live(names: &[&str]) -> Vec<(VersionId, Attributes)> {
        names.iter().map(|name| (version(name), Attributes::default())).collect()
    }

    fn versions_differ(found: u32) -> StepResult {
        StepResult::Differs { difference: Some(Difference::Versions { recorded: 2, found }) }
    }

    #[test]
    fn a_recovery_is_done_where_the_version_of_the_backup_is_live() {
        for (names, expected) in [
            (&[][..], None),
            (&["newer"], Some(StepResult::Recovered)),
            (&["older", "newer"], Some(StepResult::Recovered)),
            // Changed since the backup, and then deleted and recovered.
            (&["older", "newer", "newest"], Some(StepResult::Recovered)),
            (&["older"], Some(versions_differ(1))),
            (&["of-another-object", "and-its-second"], Some(versions_differ(2))),
        ] {
            let names: Vec<_> = names.iter().map(|name| name.replace('-', "")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            assert_eq!(recovered(&live(&names), &step(Action::Recover)), expected, "{names:?}");
        }
    }

    #[test]
    fn what_is_in_place_needs_no_restore_and_what_is_not_has_no_result_yet() {
        let current = Difference::Current { recorded: version("newer"), found: None };
        for (found, expected) in [
            (Found::AsRecorded, Some(StepResult::AlreadyThere)),
            // All its versions are there: an earlier try restored it.
            (Found::Differs(current.clone()), Some(StepResult::Differs { difference: Some(current) })),
            (Found::Differs(Difference::Versions { recorded: 2, found: 3 }), None),
            (Found::Differs(Difference::Attributes), None),
            (Found::Nothing, None),
        ] {
            assert_eq!(found.clone().without_restoring(), expected, "{found:?}");
        }
    }

    #[test]
    fn no_live_version_is_nothing_and_others_differ() {
        let step = step(Action::Restore);
        assert_eq!(found(&step, Vec::new(), &Current::Unknown), Found::Nothing);
        for names in [&["newer"][..], &["newer", "older", "third"]] {
            let found = found(&step, live(names), &Current::Unknown);
            assert!(matches!(found, Found::Differs(_)), "{names:?}: {found:?}");
        }
    }

    #[test]
    fn an_answer_is_what_the_vault_decided_about_the_request() {
        for (status, meaning, is_one) in [
            (Some(403), Meaning::Denied, true),
            (Some(404), Meaning::NotFound, true),
            (Some(409), Meaning::Busy, true),
            // Throttled, the vault has not evaluated the request at all.
            (Some(429), Meaning::Throttled, false),
            (Some(408), Meaning::Unavailable, false),
            (Some(503), Meaning::Unavailable, false),
            (None, Meaning::Network, false),
        ] {
            let failure = Failure { status, ..Failure::ours("Code", "text") };
            let error = ServiceError::new(Asked::vault(Operation::Restore, "restore it"), meaning, failure);
            assert_eq!(is_answer(&error), is_one, "{status:?} {meaning:?}");
        }
    }
}
