//! Operations whose state the service no longer reports. Silence is no evidence of failure, so the job is given up only
//! after its possible result was inspected.

use super::{
    ends::{self, BackupEnd, key_or_job_failed},
    folders::{self, Listed},
    next::{Next, stop},
};
use crate::{
    app::App,
    azure::error::{Meaning, ServiceError},
    clock::Clock,
    domain::{
        hsm::{Fit, Seen, Task},
        object::{ObjectId, ObjectKind, ObjectName},
        outcome::Failure,
    },
    error::Result,
    jobs::StoredHsmJob,
};

/// Inspects the operation's result, and ends the job if that is conclusive. By then the service has been polled for
/// half an hour if it `refuses` to answer, and otherwise for twelve hours.
pub(super) async fn inspect(
    app: &App,
    stored: StoredHsmJob,
    error: &ServiceError,
    refuses: bool,
    clock: &Clock,
) -> Result<Next> {
    match (stored.job.leaves(), &stored.job.task) {
        (Some(fit), _) => folder(app, stored, fit, error, refuses, clock).await,
        (None, Task::RestoreKeys { keys, outcomes, .. }) => {
            let found = match keys.get(outcomes.len()).cloned() {
                Some(key) => match held(app, &stored, key).await {
                    // A busy HSM may be busy with this operation.
                    None => return stop(app, stored).await,
                    found => found,
                },
                None => None,
            };
            let failure = told(error, refuses, found.as_deref());
            key_or_job_failed(app, stored, failure, clock).await
        }
        (None, _) => key_or_job_failed(app, stored, told(error, refuses, None), clock).await,
    }
}

/// Inspects the folder of a backup. A complete folder is the result, whatever the service says of the operation; while
/// it grows, the job waits.
async fn folder(
    app: &App,
    mut stored: StoredHsmJob,
    fit: Fit,
    error: &ServiceError,
    refuses: bool,
    clock: &Clock,
) -> Result<Next> {
    let last = format!("{}: {}", error.failure.code, error.failure.text);
    let found = match folders::unknown(app, &stored.job.hsm, fit).await {
        Ok(found) => found,
        // Until the limit for jobs of which nothing is heard at all.
        Err(unread) if !stored.job.is_unheard(false) => {
            stored.job.waiting = Some(format!(
                "its state is not known: {last}; and its folder cannot be searched for: {unread}"
            ));
            return stop(app, stored).await;
        }
        Err(unread) => {
            let text = format!("its folder cannot be searched for either: {unread}");
            return key_or_job_failed(app, stored, told(error, refuses, Some(&text)), clock).await;
        }
    };
    let Some(Listed { folder, inventory }) = found else {
        let text = "the container holds no folder that such a backup could have left";
        return key_or_job_failed(app, stored, told(error, refuses, Some(text)), clock).await;
    };
    let seen = Seen::again(stored.job.seen.take(), folder);
    if seen.is_whole() {
        let end = BackupEnd::found(
            seen,
            inventory,
            &format!("the HSM does not say how the operation ended ({last})"),
        );
        return ends::backup(app, stored, end, clock).await;
    }
    stored.job.seen = Some(seen);
    stop(app, stored).await
}

/// A sentence about what the HSM holds under the name of a key that was being restored; `None` while the HSM is busy.
async fn held(app: &App, stored: &StoredHsmJob, key: ObjectName) -> Option<String> {
    let name = key.to_string();
    let id = ObjectId::new(ObjectKind::Key, key);
    let unseen =
        |error: &dyn std::fmt::Display| format!("whether the HSM holds key {name} is not known: {error}");
    let client = match app.hsms().keys(&stored.job.hsm) {
        Ok(client) => client,
        Err(error) => return Some(unseen(&error)),
    };
    Some(match client.versions(&id).await {
        Ok(versions) if versions.is_empty() => format!("the HSM holds no key {name}"),
        Ok(versions) => {
            let (count, s) = (versions.len(), if versions.len() == 1 { "" } else { "s" });
            format!("the HSM holds a key {name} now, with {count} version{s}; compare them before it is used")
        }
        Err(error) if error.meaning == Meaning::NotFound => format!("the HSM holds no key {name}"),
        Err(error) if error.meaning == Meaning::Busy => return None,
        Err(error) => unseen(&error),
    })
}

/// The failure of a job that is given up, with the findings of the inspection.
fn told(error: &ServiceError, refuses: bool, found: Option<&str>) -> Failure {
    let Failure { code, text, .. } = &*error.failure;
    let found = found.map(|found| format!("; {found}")).unwrap_or_default();
    if refuses {
        let text =
            format!("how it ended is not known; it may have been carried out{found}. Last answer: {text}");
        return Failure { text, ..*error.failure.clone() }.bounded();
    }
    let text =
        format!("the state of the operation was not known for twelve hours{found}. Last: {code}: {text}");
    Failure::ours("Unheard", text)
}
