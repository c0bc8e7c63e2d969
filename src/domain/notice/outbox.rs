//! What is still to be delivered, and when each delivery is tried.
//!
//! A post is claimed in the record before it is sent, and removed after it. A process that dies between the two leaves a
//! claim that ends; the post is then sent again. That is the one case in which a target gets a notice twice, and the
//! notice's id shows it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Notice, Target};
use crate::domain::digest::Fingerprint;

/// How long a process has for the posts that it claimed.
const CLAIM: Duration = Duration::minutes(5);

/// How long a post is tried.
const KEPT_FOR: Duration = Duration::days(3);

/// The wait after the first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::MINUTE;

/// The longest wait, also after a refusal.
const LONGEST_WAIT: Duration = Duration::HOUR;

/// With more new notices than this, a target gets them all in one message.
const SINGLE: usize = 5;

/// With so many posts waiting, a target gets further notices of one pass in one message.
const MOST_WAITING: usize = 20;

/// The most posts that one pass sends to one target.
const AT_ONCE: usize = 10;

/// Posts that are still to be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    posts: Vec<Post>,
    /// How many posts were ever given up.
    #[serde(default)]
    pub given_up: u64,
}

/// A message to one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Its name.
    pub id: Fingerprint,
    /// The [target](Target::id).
    pub target: Fingerprint,
    /// The target's host.
    pub host: String,
    /// What it tells. None for a call of the heartbeat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    #[serde(default)]
    failures: u32,
    #[serde(with = "time::serde::rfc3339")]
    next: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    claimed: Option<OffsetDateTime>,
    /// What came back at the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// What became of a claimed post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target took it.
    Sent,
    /// The target refuses it, in these words; waiting hardly changes that.
    Refused(String),
    /// It was not delivered, in these words; the target may have asked for a wait.
    Failed(String, Option<Duration>),
    /// It was not tried.
    NotTried,
}

/// What follows from a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is delivered.
    Sent,
    /// It is tried again at this time.
    Again(OffsetDateTime),
    /// It is given up.
    GivenUp,
}

/// The posts that wait for one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The host.
    pub host: String,
    /// How many there are.
    pub posts: usize,
    /// When the oldest was decided.
    pub since: OffsetDateTime,
    /// What came back at the last try; `None` if none was tried.
    pub failure: Option<String>,
}

impl Outbox {
    /// Adds a message for each notice to each target, or one with all of them.
    pub fn add(&mut self, notices: &[Notice], targets: &[Target], now: OffsetDateTime) {
        for target in targets {
            let waiting = self.posts.iter().filter(|post| post.target == target.id()).count();
            let each = if notices.len() > SINGLE || waiting >= MOST_WAITING { notices.len() } else { 1 };
            let posts = notices.chunks(each.max(1)).map(|notices| Post::new(target, notices.to_vec(), now));
            self.posts.extend(posts);
        }
    }

    /// Adds the call of the heartbeat for a night, in place of one for an earlier night.
    pub fn beat(&mut self, target: &Target, night: OffsetDateTime, now: OffsetDateTime) {
        self.end_beats();
        let fields = [b"heartbeat".as_slice(), &night.unix_timestamp().to_be_bytes()];
        self.posts.push(Post { id: Fingerprint::of_fields(fields), ..Post::new(target, Vec::new(), now) });
    }

    /// Drops a call of the heartbeat that was not delivered: another night has begun.
    pub fn end_beats(&mut self) {
        self.posts.retain(|post| !post.is_beat());
    }

    /// Drops the posts to targets that are no longer set, and returns their hosts.
    pub fn keep_for(&mut self, targets: &BTreeSet<Fingerprint>) -> BTreeSet<String> {
        let (kept, dropped): (Vec<_>, Vec<_>) =
            self.posts.drain(..).partition(|post| targets.contains(&post.target));
        self.posts = kept;
        dropped.into_iter().map(|post| post.host).collect()
    }

    /// Whether nothing is to be delivered.
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// Claims the posts that are due, in the order in which they were decided.
    pub fn claim(&mut self, now: OffsetDateTime) -> Vec<Post> {
        let mut of_target: BTreeMap<Fingerprint, usize> = BTreeMap::new();
        let due = self.posts.iter_mut().filter(|post| post.is_due(now));
        let claimed = due.filter(|post| {
            let count = of_target.entry(post.target).or_default();
            *count += 1;
            *count <= AT_ONCE
        });
        claimed
            .map(|post| {
                post.claimed = Some(now + CLAIM);
                post.clone()
            })
            .collect()
    }

    /// Records what became of a claimed post. `None` if it is no longer there.
    pub fn settle(&mut self, id: Fingerprint, outcome: &Outcome, now: OffsetDateTime) -> Option<Ending> {
        let at = self.posts.iter().position(|post| post.id == id)?;
        if let Some(next) = self.posts[at].after(outcome, now) {
            return Some(Ending::Again(next));
        }
        self.posts.remove(at);
        if *outcome == Outcome::Sent {
            return Some(Ending::Sent);
        }
        self.given_up += 1;
        Some(Ending::GivenUp)
    }

    /// The posts that wait, by host.
    pub fn waiting(&self) -> Vec<Waiting> {
        let mut hosts: BTreeMap<&str, Waiting> = BTreeMap::new();
        for post in &self.posts {
            let first = || Waiting { host: post.host.clone(), posts: 0, since: post.since, failure: None };
            let of = hosts.entry(&post.host).or_insert_with(first);
            of.posts += 1;
            of.since = of.since.min(post.since);
            of.failure = post.failure.clone().or(of.failure.take());
        }
        hosts.into_values().collect()
    }
}

impl Post {
    fn new(target: &Target, notices: Vec<Notice>, now: OffsetDateTime) -> Self {
        let id = target.id();
        let ids = notices.iter().map(|notice| notice.id.as_bytes().as_slice());
        Self {
            id: Fingerprint::of_fields([id.as_bytes().as_slice()].into_iter().chain(ids)),
            target: id,
            host: target.host().to_owned(),
            notices,
            since: now,
            failures: 0,
            next: now,
            claimed: None,
            failure: None,
        }
    }

    /// Whether it is a call of the heartbeat.
    pub fn is_beat(&self) -> bool {
        self.notices.is_empty()
    }

    fn is_due(&self, now: OffsetDateTime) -> bool {
        self.next <= now && self.claimed.is_none_or(|until| until <= now)
    }

    /// When it is tried again after an outcome. `None` if it is not.
    fn after(&mut self, outcome: &Outcome, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let (failure, wait) = match outcome {
            Outcome::Sent => return None,
            Outcome::NotTried => {
                self.claimed = None;
                self.next = now + FIRST_WAIT;
                return Some(self.next);
            }
            Outcome::Refused(failure) => (failure, LONGEST_WAIT),
            Outcome::Failed(failure, asked) => {
                let doubled = FIRST_WAIT * 2_i32.pow(self.failures.min(6));
                (failure, doubled.max(asked.unwrap_or_default()).min(LONGEST_WAIT))
            }
        };
        if now - self.since >= KEPT_FOR {
            return None;
        }
        self.claimed = None;
        self.failures = self.failures.saturating_add(1);
        self.failure = Some(failure.clone());
        self.next = now + wait;
        Some(self.next)
    }
}
