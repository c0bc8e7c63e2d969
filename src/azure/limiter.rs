//! The pace at which one vault is called.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::http::{
    Context, Request, StatusCode,
    policies::{Policy, PolicyResult},
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// The default ceiling, in requests per second.
///
/// A vault allows 4,000 transactions in ten seconds for secrets and for most keys (documentation, "Azure
/// Key Vault service limits"); the rest is left to the vault's other users. Large RSA keys and HSM keys
/// have lower limits, which the limiter finds by itself.
pub const DEFAULT_CEILING: u32 = 390;

/// The initial pace, as a share of the ceiling.
const START: f64 = 0.5;

/// The slowest pace, in requests per second.
const FLOOR: f64 = 1.0;

/// The burst allowed after a pause, in seconds' worth of requests.
const BURST: f64 = 0.02;

/// The shortest time between two cuts: all requests in flight when the vault answers 429 have one cause.
const CUT_EVERY: Duration = Duration::from_secs(1);

/// Growth per second after the first 429, as a share of the pace.
const RECOVERY: f64 = 0.01;

/// An adaptive pace, shared by everything in the process that calls one vault.
///
/// It starts at half the ceiling and doubles each second, up to the ceiling, until the vault answers 429 for the first
/// time. On a 429 it drops to slightly less than the vault served in the last second, but to no less than half; pauses
/// all requests for a moment, and from then on recovers slowly. Several instances that share a vault each find their
/// share this way. Retries and challenges go through it like first tries.
#[derive(Debug)]
pub struct Limiter {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pace: f64,
    ceiling: f64,
    /// When the next request may go.
    next: Instant,
    /// Up to when the pace's growth is accounted for.
    grown: Instant,
    doubling: bool,
    cut: Option<Instant>,
    served: Served,
}

/// Requests served in the current window of about a second.
#[derive(Debug)]
struct Served {
    since: Instant,
    count: u32,
    last: Option<f64>,
}

impl Limiter {
    /// A limiter that never exceeds `ceiling` requests per second.
    pub fn new(ceiling: u32) -> Arc<Self> {
        let now = Instant::now();
        let ceiling = f64::from(ceiling.max(1));
        let state = State {
            pace: (ceiling * START).max(FLOOR),
            ceiling,
            next: now,
            grown: now,
            doubling: true,
            cut: None,
            served: Served { since: now, count: 0, last: None },
        };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// A limiter with a fixed pace, in requests per second.
    pub fn steady(pace: f64) -> Arc<Self> {
        let limiter = Self::new(1);
        let mut state = limiter.state.lock();
        (state.pace, state.ceiling, state.doubling) = (pace, pace, false);
        drop(state);
        limiter
    }

    /// Waits for this caller's turn.
    pub async fn turn(&self) {
        let now = Instant::now();
        let at = self.state.lock().take_turn(now);
        if at > now {
            sleep_until(at).await;
        }
    }

    /// The current pace, in requests per second.
    pub fn pace(&self) -> f64 {
        self.state.lock().pace
    }

    fn answered(&self, status: StatusCode) {
        let mut state = self.state.lock();
        if status == StatusCode::TooManyRequests {
            state.throttled(Instant::now());
        } else {
            state.served.count(Instant::now());
        }
    }
}

impl State {
    fn take_turn(&mut self, now: Instant) -> Instant {
        self.grow(now);
        let earliest = now.checked_sub(Duration::from_secs_f64(BURST)).unwrap_or(now);
        let turn = self.next.max(earliest);
        self.next = turn + Duration::from_secs_f64(1.0 / self.pace);
        turn
    }

    fn grow(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.grown).as_secs_f64();
        if elapsed < 0.05 {
            return;
        }
        let factor = if self.doubling { 2.0_f64.powf(elapsed) } else { 1.0 + RECOVERY * elapsed };
        self.pace = (self.pace * factor).min(self.ceiling);
        self.grown = now;
    }

    fn throttled(&mut self, now: Instant) {
        if self.cut.is_some_and(|cut| now.saturating_duration_since(cut) < CUT_EVERY) {
            return;
        }
        let served = self.served.pace(now).unwrap_or(self.pace);
        // Not below half: after an idle time few requests were served because few were sent.
        self.pace = (served * 0.95).clamp(self.pace * 0.5, self.pace * 0.9).max(FLOOR);
        self.doubling = false;
        self.cut = Some(now);
        self.grown = now;
        self.next = self.next.max(now + CUT_EVERY / 4);
    }
}

impl Served {
    fn count(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        if elapsed >= 1.0 {
            self.last = Some(f64::from(self.count) / elapsed);
            (self.since, self.count) = (now, 0);
        }
        self.count += 1;
    }

    /// Requests served per second, if enough time has passed to tell.
    fn pace(&self, now: Instant) -> Option<f64> {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        if elapsed >= 0.3 { Some(f64::from(self.count) / elapsed) } else { self.last }
    }
}

/// Sends requests at a limiter's pace and reports the answers to it.
#[derive(Debug)]
pub struct Paced(pub Arc<Limiter>);

#[async_trait]
impl Policy for Paced {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some((first, rest)) = next.split_first() else {
            return Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Other, "no transport"));
        };
        self.0.turn().await;
        let answer = first.send(ctx, request, rest).await;
        if let Ok(answer) = &answer {
            self.0.answered(answer.status());
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vault that serves `limit` requests in any second, called as fast as the limiter lets us.
    async fn drive(limiter: &Limiter, limit: usize, seconds: u64) -> (usize, usize) {
        let mut window = std::collections::VecDeque::new();
        let (mut served, mut refused) = (0, 0);
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            limiter.turn().await;
            let now = Instant::now();
            while window
                .front()
                .is_some_and(|&at| now.saturating_duration_since(at) >= Duration::from_secs(1))
            {
                window.pop_front();
            }
            if window.len() < limit {
                window.push_back(now);
                served += 1;
                limiter.answered(StatusCode::Ok);
            } else {
                refused += 1;
                limiter.answered(StatusCode::TooManyRequests);
            }
        }
        (served, refused)
    }

    #[tokio::test(start_paused = true)]
    async fn a_vault_at_its_documented_limit_is_used_and_never_says_no() {
        let (served, refused) = drive(&Limiter::new(DEFAULT_CEILING), 400, 30).await;
        assert!(served >= 400 * 30 * 95 / 100, "{served}");
        assert_eq!(refused, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slower_vault_is_found_and_kept_busy() {
        for limit in [25, 50, 100, 200] {
            let limiter = Limiter::new(DEFAULT_CEILING);
            drive(&limiter, limit, 10).await;
            let (served, refused) = drive(&limiter, limit, 60).await;
            assert!(served >= limit * 60 * 85 / 100, "limit {limit}: served {served}");
            assert!(refused * 100 <= (served + refused) * 4, "limit {limit}: refused {refused} of {served}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_after_an_idle_time_does_not_stop_everything() {
        let limiter = Limiter::new(DEFAULT_CEILING);
        drive(&limiter, 4000, 1).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        limiter.answered(StatusCode::TooManyRequests);
        assert!(limiter.pace() > 90.0, "{}", limiter.pace());
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_recovers_when_the_vault_does() {
        let limiter = Limiter::new(DEFAULT_CEILING);
        drive(&limiter, 40, 10).await;
        assert!(limiter.pace() < 50.0, "{}", limiter.pace());
        drive(&limiter, 4000, 300).await;
        assert!(limiter.pace() > 380.0, "{}", limiter.pace());
    }
}
