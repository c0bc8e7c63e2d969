//! Starting jobs, and asking about them.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::{
    access::{MALFORMED, Storage},
    device::{Hsm, State},
    error::{conflict, refusal, unknown},
    folder::Image,
    job::{Due, HsmOperationKind, Job},
    work,
};
use crate::azure::{
    World,
    call::Call,
    keyvault::{JSON, ok},
    operation::Operation,
    reply::Reply,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStorage {
    storage_resource_uri: String,
    token: Option<String>,
    use_managed_identity: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRestore {
    sas_token_parameters: WireStorage,
    folder_to_restore: Option<String>,
    folder: Option<String>,
}

impl WireStorage {
    /// Managed identities came with 7.5; before that the member means nothing, and there is no token.
    fn storage(self, version: &str) -> Storage {
        let identity = self.use_managed_identity == Some(true) && is_at_least(version, "7.5");
        let sas = (!identity).then(|| self.token.unwrap_or_default());
        Storage { uri: self.storage_resource_uri, sas }
    }
}

/// Versions are numbers until 7.6, and dates after it. A preview of a version has what the version has.
fn is_at_least(version: &str, other: &str) -> bool {
    let is_date = |version: &str| version.starts_with("20");
    (is_date(version), version) >= (is_date(other), other)
}

/// Takes a job on.
pub(crate) fn start(world: &World, hsm: &Hsm, call: &Call, kind: HsmOperationKind) -> Reply {
    let version = call.query.get("api-version").unwrap_or_default().to_owned();
    if version.is_empty() || (kind.is_check() && !is_at_least(&version, "7.6")) {
        // Not recorded. The words are ours.
        let message = "The api-version is missing or does not have this operation";
        return refusal(StatusCode::BAD_REQUEST, "BadParameter", message);
    }
    let Some((storage, folder)) = read(call, kind, &version) else {
        return refusal(StatusCode::BAD_REQUEST, "BadRequest", "The request body is not valid"); // ours
    };
    if kind.is_restore() && storage.names_folders() {
        // Clients name the container, and its folders with that of the backup.
        return unknown(call, "folders in the address of the container of a restore");
    }
    // A check says so in the job (recorded).
    if !kind.is_check() && !storage.is_well_formed() {
        return refusal(StatusCode::BAD_REQUEST, "BadRequest", MALFORMED);
    }
    let mut state = hsm.state.lock();
    if let Some(reply) = hindrance(&state, call, kind) {
        return reply;
    }
    let job = Job {
        id: uuid::Uuid::new_v4().simple().to_string(),
        kind,
        version,
        storage,
        folder,
        key: (kind == HsmOperationKind::KeyRestore).then(|| call.route.name.clone()),
        image: (kind == HsmOperationKind::Backup).then(|| Image::of(hsm, &state.roles)),
        started: call.now,
        due: state.due(kind.is_check(), call.now),
        ended: None,
    };
    let reply = accepted(hsm, &job, state.retry_after);
    state.jobs.push(job);
    drop(state);
    hsm.settle(world, call.now);
    reply
}

fn read(call: &Call, kind: HsmOperationKind, version: &str) -> Option<(Storage, Option<String>)> {
    if kind.family() == "backup" {
        let storage: WireStorage = serde_json::from_slice(&call.body).ok()?;
        return Some((storage.storage(version), None));
    }
    let body: WireRestore = serde_json::from_slice(&call.body).ok()?;
    let folder = if kind == HsmOperationKind::KeyRestore { body.folder } else { body.folder_to_restore };
    Some((body.sas_token_parameters.storage(version), Some(folder?)))
}

/// What stands in the way of a job.
fn hindrance(state: &State, call: &Call, kind: HsmOperationKind) -> Option<Reply> {
    if !kind.is_check() && state.running().is_some() {
        // Known from a report. A restore in its way is refused earlier, with other words.
        return Some(conflict("Another backup operation is in progress"));
    }
    let recent = state.recent_backup.filter(|_| kind == HsmOperationKind::Restore)?;
    if state.newest_backup.is_some_and(|at| call.now - at <= recent) {
        return None;
    }
    // Documented, with two meanings of the half hour; nobody has shown the words, so they are ours.
    let message = "A full backup of this HSM within the last 30 minutes is required before a full restore";
    Some(refusal(StatusCode::BAD_REQUEST, "BadRequest", message))
}

fn accepted(hsm: &Hsm, job: &Job, retry_after: Option<u32>) -> Reply {
    let pending = format!("{}/{}/{}/pending", hsm.keys.url(), job.kind.family(), job.id);
    let reply = Reply::new(StatusCode::ACCEPTED)
        .body(JSON, job.to_json().to_string())
        .header("azure-asyncoperation", &pending);
    match retry_after {
        Some(seconds) => reply.header("retry-after", &seconds.to_string()),
        None => reply,
    }
}

/// Answers a poll. With or without a service version, as recorded.
pub(crate) fn status(world: &World, hsm: &Hsm, call: &Call) -> Reply {
    let family = if call.route.operation == Operation::BackupStatus { "backup" } else { "restore" };
    let mut state = hsm.state.lock();
    let asked = |job: &Job| job.id == call.route.name && job.kind.family() == family;
    let Some(at) = state.jobs.iter().position(asked) else {
        return refusal(StatusCode::NOT_FOUND, "NotFound", "The given jobId is not found"); // recorded
    };
    match state.jobs[at].due {
        Due::Polls(0) if state.jobs[at].ended.is_none() => work::finish(world, hsm, &mut state, at, call.now),
        Due::Polls(left) => state.jobs[at].due = Due::Polls(left.saturating_sub(1)),
        Due::At(_) => {}
    }
    let shown: Value = state.jobs[at].to_json();
    ok(&shown)
}
