//! The fault script: which requests go wrong, and how.
//!
//! Rules are asked in the order they were added; the first that applies decides. A request without a good
//! token is challenged before any rule is asked, so that `times(1)` hits a call and not its challenge; only the
//! rules of [`Fault::on_challenge`] see such a request, and no other. The identity endpoint has rules like the
//! others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use time::OffsetDateTime;
use tokio::sync::Notify;

use super::operation::{Operation, Service};

mod matcher;

pub use matcher::{Matcher, Subject};

/// Why a vault says 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// No access policy allows it.
    ByPolicy,
    /// No role assignment allows it.
    ByRbac,
    /// The client's address is not let in.
    ByFirewall,
    /// The public network is switched off.
    ByConnection,
}

/// What goes wrong. Bodies and texts are those of the service that was called.
#[derive(Debug, Clone)]
pub enum FaultKind {
    /// 429, or 503 `ServerBusy` from storage.
    Throttled {
        /// Seconds to put into `Retry-After`.
        retry_after: Option<u32>,
    },
    /// 401 with a fresh challenge, as after a policy change.
    Unauthorized,
    /// 403. Storage and Managed HSMs know only one reason.
    Forbidden(Forbidden),
    /// 404, as if the object were not there.
    NotFound,
    /// 409: `Conflict` from a vault or a Managed HSM, `LeaseAlreadyPresent` from storage.
    Conflict,
    /// Some status.
    Status(u16),
    /// The connection dies before the request is processed.
    ResetBefore,
    /// The request is processed, then the connection dies before the answer.
    ResetAfter,
    /// The request is processed, half of the answer's body arrives, then the connection dies.
    TruncatedBody,
    /// The request is processed after a while.
    Slow(Duration),
    /// The request is processed when the test says so.
    Held(Arc<Notify>),
    /// The request is not processed and never answered.
    Hang,
    /// An answer made up by the test.
    Body {
        /// The status.
        status: u16,
        /// The content type.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// An answer to be given as it is: only the date is added if it has none.
    Raw {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
    /// A backup's answer is valid, but its blob is damaged in the middle. Other answers are left alone.
    CorruptBackup,
}

impl FaultKind {
    /// A short name for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "throttled",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Status(_) => "status",
            Self::ResetBefore => "reset before",
            Self::ResetAfter => "reset after",
            Self::TruncatedBody => "truncated body",
            Self::Slow(_) => "slow",
            Self::Held(_) => "held",
            Self::Hang => "hang",
            Self::Body { .. } => "body",
            Self::Raw { .. } => "raw",
            Self::CorruptBackup => "corrupt backup",
        }
    }
}

/// A rule of the script, which is played once [`Faults::add`] has it.
#[derive(Debug)]
pub struct Fault {
    matcher: Matcher,
    /// Matches to let pass first.
    after: usize,
    /// Matches to play it for.
    times: usize,
    seen: usize,
    chance: Option<(f64, StdRng)>,
    kinds: Vec<FaultKind>,
    /// Whether it is for requests without a good token.
    challenge: bool,
}

impl Fault {
    /// A rule for the requests that a matcher, or just an [`Operation`] or a [`Service`], describes.
    pub fn on(matcher: impl Into<Matcher>) -> Self {
        Self {
            matcher: matcher.into(),
            after: 0,
            times: usize::MAX,
            seen: 0,
            chance: None,
            kinds: Vec::new(),
            challenge: false,
        }
    }

    /// A rule for requests without a good token, played in place of the challenge.
    pub fn on_challenge(matcher: impl Into<Matcher>) -> Self {
        Self { challenge: true, ..Self::on(matcher) }
    }

    /// Plays it so many times, then no more. Without this it is played for ever.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.after = requests;
        self
    }

    /// What goes wrong. Several calls make several faults, played in turn.
    #[must_use]
    pub fn reply(mut self, kind: FaultKind) -> Self {
        self.kinds.push(kind);
        self
    }

    fn pick(&mut self, subject: &Subject<'_>) -> Option<FaultKind> {
        if self.kinds.is_empty() || self.challenge == subject.authorized || !self.matcher.matches(subject) {
            return None;
        }
        if let Some((probability, random)) = &mut self.chance {
            let hit = random.random_bool(*probability);
            return hit.then(|| self.kinds[random.random_range(0..self.kinds.len())].clone());
        }
        let turn = self.seen.checked_sub(self.after);
        self.seen += 1;
        let turn = turn.filter(|turn| *turn < self.times)?;
        Some(self.kinds[turn % self.kinds.len()].clone())
    }
}

/// A fault that was played.
#[derive(Debug, Clone)]
pub struct Fired {
    /// When, by the emulator's clock.
    pub at: OffsetDateTime,
    /// What went wrong.
    pub kind: FaultKind,
    /// The service that was called.
    pub service: Service,
    /// The host that was called.
    pub host: String,
    /// What the request asked for.
    pub operation: Operation,
    /// The object it named.
    pub object: String,
}

#[derive(Debug, Default)]
struct Script {
    rules: Vec<Fault>,
    fired: Vec<Fired>,
}

/// The fault script.
#[derive(Debug, Default)]
pub struct Faults {
    /// Spares requests the lock while there are no rules.
    armed: AtomicBool,
    script: Mutex<Script>,
}

impl Faults {
    /// Adds a rule at the end of the script.
    pub fn add(&self, fault: Fault) {
        self.script.lock().rules.push(fault);
        self.armed.store(true, Ordering::Release);
    }

    /// Lets each request fail with some probability, in one of several ways. The same seed plays the same
    /// sequence.
    pub fn random(&self, probability: f64, seed: u64, kinds: impl IntoIterator<Item = FaultKind>) {
        self.random_for(Matcher::any(), probability, seed, kinds);
    }

    /// Like [`Faults::random`] for the requests that a matcher describes.
    pub fn random_for(
        &self,
        matcher: impl Into<Matcher>,
        probability: f64,
        seed: u64,
        kinds: impl IntoIterator<Item = FaultKind>,
    ) {
        let mut fault = Fault::on(matcher);
        fault.chance = Some((probability.clamp(0.0, 1.0), StdRng::seed_from_u64(seed)));
        fault.kinds = kinds.into_iter().collect();
        self.add(fault);
    }

    /// Forgets all rules. The record of what was played stays.
    pub fn clear(&self) {
        self.armed.store(false, Ordering::Release);
        self.script.lock().rules.clear();
    }

    /// What was played so far, oldest first.
    pub fn fired(&self) -> Vec<Fired> {
        self.script.lock().fired.clone()
    }

    pub(crate) fn pick(&self, subject: &Subject<'_>, now: OffsetDateTime) -> Option<FaultKind> {
        if !self.armed.load(Ordering::Acquire) {
            return None;
        }
        let mut script = self.script.lock();
        let kind = script.rules.iter_mut().find_map(|rule| rule.pick(subject))?;
        script.fired.push(Fired {
            at: now,
            kind: kind.clone(),
            service: subject.service,
            host: subject.host.to_owned(),
            operation: subject.operation,
            object: subject.object.to_owned(),
        });
        Some(kind)
    }
}
