//! Trying Managed HSMs. Their own checks change nothing.

use std::time::{Duration, Instant};

use azure_core::http::Url;

use super::findings::hsm_seen::{Ended, HsmSeen};
use super::{Context, each, known, storage::place, tried, within};
use crate::{
    azure::{
        cause,
        hsm::HsmClient,
        managed_hsm::{OperationState, OperationStatus},
        vault::{VaultClient, restore::RestorePace},
    },
    config::Landing,
    domain::{
        cause::{Came, Cause},
        object::{ObjectId, ObjectKind, ObjectName},
        outcome::Failure,
        source::Source,
    },
};

/// How long a check is followed.
const FOLLOW: Duration = Duration::from_secs(60);

/// The wait between two polls of a check.
const BETWEEN: Duration = Duration::from_secs(3);

/// A folder that no backup made.
const NO_FOLDER: &str = "preflight";

/// Tries every configured HSM.
pub(super) async fn observe(context: &Context<'_>) -> Vec<HsmSeen> {
    each(&context.config.hsm.hsms, |url| one(context, url)).await
}

async fn one(context: &Context<'_>, url: &Source) -> HsmSeen {
    let container = context.config.hsm.landing.as_ref().map(Landing::container);
    let host = container.and_then(Url::host_str).unwrap_or_default();
    let mut seen = HsmSeen {
        name: url.name().clone(),
        account: host.split('.').next().unwrap_or_default().to_owned(),
        container: container.map_or_else(String::new, |url| url.path().trim_matches('/').to_owned()),
        backup: not_asked(),
        ended: None,
        restore: not_asked(),
        key: None,
        records: context.config.container.as_ref().map(place),
        grants: None,
    };
    if let Ok(catalogue) = context.app.catalogue() {
        seen.grants = Some(known(catalogue.restore_grants(url.name())).await);
    }
    let hsms = context.app.hsms();
    // Where backups are: a token may be for that prefix alone.
    let from = hsms.landing().and_then(|landing| hsms.source(&format!("{}{NO_FOLDER}", landing.prefix())));
    let (Ok(address), Ok(to), Ok(from)) = (Url::parse(&url.to_string()), hsms.destination(), from) else {
        return seen;
    };
    let client = match HsmClient::new(&address, &context.connection, context.config.hsm.secrets()) {
        Ok(client) => client,
        Err(error) => return HsmSeen { backup: cause::refused(error), ..seen },
    };
    let (backup, restore, key) =
        futures::join!(within(client.prebackup(&to)), tried(client.prerestore(&from)), key(context, url));
    (seen.restore, seen.key) = (restore, key);
    match backup {
        Ok(started) => {
            seen.ended = Some(follow(&client, &started.job_id).await);
            seen.backup = Came::Done;
        }
        Err(came) => seen.backup = came,
    }
    seen
}

fn not_asked() -> Came {
    Came::Refused(Cause::Other, Failure::ours("NotSent", "no container is configured"))
}

async fn follow(client: &HsmClient, job: &str) -> Ended {
    let began = Instant::now();
    loop {
        let status = match within(client.backup_status(job)).await {
            Ok(status) => status,
            Err(came) => return Ended::Lost(came),
        };
        match status.status {
            OperationState::Succeeded => return Ended::Well,
            ref state if state.has_ended() => return Ended::Failed(said(&status)),
            _ if began.elapsed() >= FOLLOW => return Ended::Running(FOLLOW.as_secs()),
            _ => tokio::time::sleep(BETWEEN).await,
        }
    }
}

fn said(status: &OperationStatus) -> String {
    let error = status.error.as_ref();
    let parts = [
        status.status_details.as_deref(),
        error.and_then(|error| error.code.as_deref()),
        error.and_then(|error| error.inner_code.as_deref()),
        error.and_then(|error| error.message.as_deref()),
    ];
    let said = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    if said.is_empty() { "it does not say why".to_owned() } else { said }
}

/// Backs up the first of an HSM's single keys, and drops the backup.
async fn key(context: &Context<'_>, url: &Source) -> Option<Came> {
    let key = context.app.hsms().single_keys(url.name()).into_iter().next()?;
    Some(back_up(context, url, key).await)
}

async fn back_up(context: &Context<'_>, url: &Source, key: ObjectName) -> Came {
    let pace = RestorePace::new(context.config.restores);
    match VaultClient::new(url, &context.connection, context.config.vault_rate, pace) {
        Ok(client) => tried(client.backup(&ObjectId::new(ObjectKind::Key, key))).await,
        Err(_) => not_asked(),
    }
}
