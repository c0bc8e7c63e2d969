//! Tells outside what matters: notices to webhooks, and the heartbeat after a clean night.
//!
//! A pass reads the state every five minutes, decides what is new, and stores that with the outbox by compare-and-swap
//! before it sends anything: of two processes one decides. Then it claims what is due, again by compare-and-swap, sends
//! it, and records what became of it. A process that dies anywhere in this loses nothing, and sends a post twice only if
//! it dies between the answer of a target and the record of it.
//!
//! Nothing here fails a pass or changes a job: what cannot be told is logged and tried again.

mod observe;
mod send;

use std::collections::BTreeSet;

use time::{Duration, OffsetDateTime};

pub use self::send::{Answer, Sender};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        notice::{Ending, Notice, Outcome, Part, Post, Target, Told},
        role::Role,
    },
    error::{Error, Result},
    jobs::StoredNotices,
};

/// How often the state is read.
const EVERY: Duration = Duration::minutes(5);

/// How long reading the state may take. Sending has limits of its own and is not interrupted.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(120);

/// How often a result is recorded anew when another process wrote the record meanwhile.
const TRIES: usize = 5;

/// What a pass delivered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivered {
    /// Posts that targets took.
    pub sent: usize,
}

/// The parts that an app tells. A keeper's findings show in the state of sources.
fn parts(role: Role) -> impl Iterator<Item = Part> {
    let tells = [(Part::Sources, role.backs_up()), (Part::Restores, role.restores())];
    tells.into_iter().filter_map(|(part, tells)| tells.then_some(part))
}

/// Decides and delivers what is due. Without targets it costs nothing. Safe to run twice, and in two processes.
pub async fn pass(app: &App, clock: &Clock) -> Delivered {
    let mut delivered = Delivered::default();
    if app.config().notify.is_off() {
        return delivered;
    }
    let Ok(jobs) = app.jobs() else { return delivered };
    for part in parts(app.role()) {
        if !jobs.looks_at_notices(part, clock.now()) {
            continue;
        }
        match Box::pin(tell(app, part, clock, &mut delivered)).await {
            Ok(waits) => jobs.looked_at_notices(part, clock.now(), waits),
            Err(error) => tracing::warn!(
                event = "notify.failed",
                "The pass over notices of {} is repeated in a minute: {error}",
                part.as_str()
            ),
        }
    }
    delivered
}

/// Returns whether something is still to be delivered.
async fn tell(app: &App, part: Part, clock: &Clock, delivered: &mut Delivered) -> Result<bool> {
    let jobs = app.jobs()?;
    let now = clock.now();
    let mut stored = jobs.notices(part).await?;
    let mut read = Ok(());
    if stored.told.at.is_none_or(|at| !(at..at + EVERY).contains(&now)) {
        let mut decided = stored.clone();
        let late = |_| Error::Deadline { what: "reading the state".into(), seconds: WITHIN.as_secs() };
        let deciding = Box::pin(observe::decide(app, part, &mut decided.told, now));
        read = tokio::time::timeout(WITHIN, deciding).await.unwrap_or_else(|elapsed| Err(late(elapsed)));
        // What is due is delivered, although nothing new can be decided.
        if read.is_ok() {
            let Some(saved) = jobs.save_notices(part, decided).await? else { return Ok(true) };
            stored = saved;
        }
    }
    if !stored.told.outbox.is_empty() {
        let posts = stored.told.outbox.claim(now);
        if !posts.is_empty() {
            let Some(saved) = jobs.save_notices(part, stored).await? else { return Ok(true) };
            stored = deliver(app, part, saved, posts, clock, delivered).await?;
        }
    }
    read?;
    Ok(!stored.told.outbox.is_empty())
}

/// Sends claimed posts, target by target side by side, and records what became of them.
async fn deliver(
    app: &App,
    part: Part,
    mut stored: StoredNotices,
    posts: Vec<Post>,
    clock: &Clock,
    delivered: &mut Delivered,
) -> Result<StoredNotices> {
    let sender = Sender::new(app.config().notify.from.clone())?;
    let ids: BTreeSet<_> = posts.iter().map(|post| post.target).collect();
    let each = ids.into_iter().map(|id| {
        let of_target: Vec<&Post> = posts.iter().filter(|post| post.target == id).collect();
        let target = targets(app, part).find(|target| target.id() == id);
        let sender = &sender;
        async move { sender.all(target, &of_target).await }
    });
    let outcomes: Vec<(&Post, Outcome)> =
        futures::future::join_all(each).await.into_iter().flatten().collect();
    for _ in 0..TRIES {
        let now = clock.now();
        let settled: Vec<_> = outcomes
            .iter()
            .filter_map(|(post, outcome)| {
                Some((*post, outcome, stored.told.outbox.settle(post.id, outcome, now)?))
            })
            .collect();
        if let Some(saved) = app.jobs()?.save_notices(part, stored).await? {
            for (post, outcome, ending) in settled {
                log(post, outcome, ending, delivered);
            }
            return Ok(saved);
        }
        stored = app.jobs()?.notices(part).await?;
    }
    // The claims end, and the posts are sent again.
    Ok(stored)
}

/// The targets of a part, with the heartbeat's.
fn targets(app: &App, part: Part) -> impl Iterator<Item = &Target> {
    let notify = &app.config().notify;
    notify.targets.iter().chain(notify.heartbeat.as_ref().filter(|_| part == Part::Sources))
}

fn log(post: &Post, outcome: &Outcome, ending: Ending, delivered: &mut Delivered) {
    let what = if post.is_beat() { "The heartbeat" } else { "A message" };
    let (host, notices) = (&post.host, post.notices.len());
    let (Outcome::Failed(why, _) | Outcome::Refused(why)) = outcome else {
        if *outcome == Outcome::Sent {
            delivered.sent += 1;
            tracing::info!(event = "notify.sent", notify.host = host, notices, "{what} was sent to {host}");
        }
        return;
    };
    match ending {
        Ending::Again(at) => tracing::warn!(
            event = "notify.failed",
            notify.host = host,
            notices,
            "{what} could not be sent to {host} and is tried again at {at}: {why}"
        ),
        Ending::Sent | Ending::GivenUp => tracing::error!(
            event = "notify.given_up",
            notify.host = host,
            notices,
            "{what} to {host} is given up after three days: {why}"
        ),
    }
}

/// Drops what waits for targets that are no longer set.
fn drop_unset(app: &App, part: Part, told: &mut Told) {
    let known = targets(app, part).map(Target::id).collect();
    for host in told.outbox.keep_for(&known) {
        tracing::warn!(
            event = "notify.given_up",
            notify.host = host,
            "What waited for {host} is dropped: the settings no longer name that target"
        );
    }
}

/// Sends a test to every target, one after the other, and returns what came back from each. The heartbeat is not called:
/// it would say that a night was clean.
///
/// # Errors
/// When the system's certificate authorities cannot be read.
pub async fn test(
    targets: &[Target],
    from: Option<String>,
    now: OffsetDateTime,
) -> Result<Vec<(&Target, Answer)>> {
    let sender = Sender::new(from)?;
    let mut answers = Vec::new();
    for target in targets {
        answers.push((target, sender.notices(target, &[Notice::test(now)]).await));
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_app_tells_of_what_it_does() {
        for (role, tells) in [
            (Role::Backup, &[Part::Sources][..]),
            (Role::Restore, &[Part::Restores]),
            (Role::All, &[Part::Sources, Part::Restores]),
            (Role::Keeper, &[]),
        ] {
            assert!(parts(role).eq(tells.iter().copied()), "{role:?}");
        }
    }
}
