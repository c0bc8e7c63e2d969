//! Trying containers and queues.

use futures::{TryStreamExt as _, pin_mut};
use url::Url;

use super::findings::{
    queues::QueueSeen,
    storage::{ContainerSeen, Use},
};
use super::{Context, each, tried, within};
use crate::{
    azure::{
        container::{Container, Listing, Metadata},
        error::{Asked, Operation, Service, ServiceError},
        queue::Queue,
    },
    catalogue,
    config::{Landing, poison_of, queues_of},
    domain::{
        cause::{Came, Cause},
        outcome::Failure,
        role::Role,
    },
};

/// The content of the probe blob.
const PROBE: &[u8] = b"Written by a preflight of keyvault-backup, to see whether it could be.\n";

/// Tries the configured containers.
pub(super) async fn containers(context: &Context<'_>) -> Vec<ContainerSeen> {
    let config = context.config;
    let landing = config.hsm.landing.as_ref().filter(|_| !config.hsm.hsms.is_empty());
    // Of the apps only the keeper has a right there.
    let second = config.second_container.as_ref().filter(|_| config.role == Role::Keeper);
    let all = [
        (Use::Backups, config.container.as_ref()),
        (Use::Second, second),
        (Use::Jobs, config.jobs_container.as_ref()),
        (Use::Landing, landing.map(Landing::container)),
    ];
    let configured = all.into_iter().filter_map(|(used, url)| Some((used, url?)));
    let made = configured
        .filter_map(|(used, url)| Some((used, url, Container::new(url, &context.connection).ok()?)));
    each(made, |(used, url, container)| one(context, used, url, container)).await
}

async fn one(context: &Context<'_>, used: Use, url: &Url, container: Container) -> ContainerSeen {
    let shown = within(container.protection()).await;
    let (account, name) = place(url);
    let mut seen = ContainerSeen {
        used,
        account,
        container: name,
        reached: shown.as_ref().err().cloned().unwrap_or(Came::Done),
        read: Came::Done,
        written: None,
        deleted: None,
        changed: None,
        protection: shown.unwrap_or_default(),
    };
    if seen.reached.cause().and_then(Cause::closed_name).is_some() {
        return seen;
    }
    seen.read = tried(first_page(&container, read_under(context, used))).await;
    if !is_probed(used, context.config.role) {
        return seen;
    }
    let probe = catalogue::probe(context.clock.now().date());
    let (written, is_there) = write(&container, &probe).await;
    if is_there {
        let protection = within(container.protection_of(&probe, seen.protection)).await;
        seen.protection = protection.unwrap_or(seen.protection);
        if used == Use::Second {
            let again = container.rewrite(&probe, "*", PROBE.to_vec(), Metadata::new());
            seen.changed = Some(Box::pin(tried(again)).await);
        }
        seen.deleted = Some(tried(container.delete(&probe)).await);
    }
    ContainerSeen { written: Some(written), ..seen }
}

/// Whether a probe is written and deleted. Not by the keeper among backups: it may delete them, so this would tell
/// nothing, and would take away the probe of the app that backs up. Nowhere by the app of the page, which writes nothing.
fn is_probed(used: Use, role: Role) -> bool {
    match used {
        Use::Backups => !matches!(role, Role::Keeper | Role::Page),
        Use::Jobs => role != Role::Page,
        Use::Landing => false,
        Use::Second => role == Role::Keeper,
    }
}

/// Writes the probe of a day. The second part says whether it is there now.
///
/// One that is there from an earlier preflight may be answered in the words of a missing right.
async fn write(container: &Container, probe: &str) -> (Came, bool) {
    let written = Box::pin(tried(container.create(probe, PROBE.to_vec(), Metadata::new()))).await;
    if !written.cause().is_some_and(Cause::is_missing_right) {
        return (written.clone(), written == Came::Done);
    }
    match within(container.metadata(probe)).await {
        Ok(Some(_)) => {
            let text = "the probe of today is there, and storage refuses another one like a missing right";
            (Came::Refused(Cause::Other, Failure::ours("ProbeIsThere", text)), true)
        }
        _ => (written, false),
    }
}

/// Where the program reads in a container: a right may end at a folder.
fn read_under<'a>(context: &'a Context<'_>, used: Use) -> &'a str {
    let landing = context.config.hsm.landing.as_ref().filter(|_| used == Use::Landing);
    landing.map_or("", Landing::prefix)
}

async fn first_page(container: &Container, prefix: &str) -> Result<(), ServiceError> {
    let pages = container.list(Listing { prefix, from: None, page: 1, metadata: false });
    pin_mut!(pages);
    pages.try_next().await.map(drop)
}

fn account(url: &Url) -> String {
    url.host_str().and_then(|host| host.split('.').next()).unwrap_or_default().to_owned()
}

/// The account and the name of a container.
pub(super) fn place(url: &Url) -> (String, String) {
    (account(url), url.path().trim_matches('/').to_owned())
}

/// Tries the queues that this app reads, if the settings name their account.
pub(super) async fn queues(context: &Context<'_>) -> Vec<QueueSeen> {
    let Some(service) = &context.config.queue_service else { return Vec::new() };
    each(queues_of(context.config.role), |name| queue(context, service, name)).await
}

async fn queue(context: &Context<'_>, service: &Url, name: &str) -> QueueSeen {
    let poison = poison_of(name);
    let (waiting, poisoned) = futures::join!(count(context, service, name), count(context, service, &poison));
    QueueSeen { account: account(service), name: name.to_owned(), waiting, poisoned }
}

async fn count(context: &Context<'_>, service: &Url, name: &str) -> Result<i64, Came> {
    let queue = Queue::new(service, name, &context.connection);
    let queue = queue.map_err(|error| {
        ServiceError::of(Asked::new(Service::Queue, Operation::Read, format!("use queue {name}")), &error)
    });
    match queue {
        Ok(queue) => within(queue.count()).await,
        Err(error) => Err(crate::azure::cause::refused(error)),
    }
}
