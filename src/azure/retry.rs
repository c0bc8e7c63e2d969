//! Retries of a single request.

use std::time::Duration as StdDuration;

use async_trait::async_trait;
use azure_core::{
    http::{
        StatusCode,
        headers::{HeaderName, RETRY_AFTER},
        policies::{RetryHeaders, RetryPolicy},
    },
    time::Duration,
};

/// Retries of a request.
const RETRIES: u32 = 4;

/// The wait before the first retry, if the service asks for none. Key Vault's guidance is one second, doubled each
/// time (documentation, "Key Vault throttling guidance").
const FIRST_WAIT: Duration = Duration::milliseconds(500);

/// A few short retries for blips; the queue handles outages, by retrying minutes later.
///
/// 408, 429, 500, 502, 503, 504 and connections that fail or break are retried up to four times, with waits of about
/// 0.5, 1, 2 and 4 seconds. A `Retry-After` that asks for more is honoured up to the configured longest wait. If it
/// asks for more than that, the wait is cut, and the next try most likely gets the same answer. Every request of this
/// program may be sent twice: lists and backups only read, and writes are create-only or conditional.
#[derive(Debug)]
pub struct ShortRetry {
    longest: Duration,
    retries: u32,
    headers: RetryHeaders,
}

impl ShortRetry {
    /// Retries up to four times. `longest` bounds a single wait, whatever the service asks for.
    pub fn new(longest: StdDuration) -> Self {
        let retry_headers = vec![
            HeaderName::from_static("x-ms-retry-after-ms"),
            HeaderName::from_static("retry-after-ms"),
            RETRY_AFTER,
        ];
        let longest = Duration::try_from(longest).unwrap_or(Duration::MINUTE);
        Self { longest, retries: RETRIES, headers: RetryHeaders { retry_headers } }
    }

    /// Retries once, for callers that prefer a quick answer.
    pub fn once(longest: StdDuration) -> Self {
        Self { retries: 1, ..Self::new(longest) }
    }

    /// Never retries.
    pub fn none() -> Self {
        Self { retries: 0, ..Self::new(StdDuration::ZERO) }
    }

    /// The wait before retry `count`: between half and all of the doubled step.
    fn backoff(&self, count: u32) -> Duration {
        let step = FIRST_WAIT * 2_i32.saturating_pow(count.saturating_sub(1).min(16));
        let jitter = f64::from(fastrand::u32(50..=100)) / 100.0;
        (step * jitter).min(self.longest)
    }
}

#[async_trait]
impl RetryPolicy for ShortRetry {
    fn is_expired(&self, _since_start: Duration, retry_count: u32) -> bool {
        retry_count >= self.retries
    }

    fn retry_headers(&self) -> Option<&RetryHeaders> {
        Some(&self.headers)
    }

    fn retry_status_codes(&self) -> &[StatusCode] {
        &[]
    }

    fn sleep_duration(&self, retry_count: u32) -> Duration {
        self.backoff(retry_count)
    }

    async fn wait(&self, retry_count: u32, retry_after: Option<Duration>) {
        let wait = self.backoff(retry_count).max(retry_after.unwrap_or_default()).min(self.longest);
        tokio::time::sleep(wait.unsigned_abs()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_wait_is_longer_than_the_longest_whatever_the_service_asks_for() {
        let retry = ShortRetry::new(StdDuration::from_secs(30));
        for (asked, waited) in [(7, 7), (3600, 30)] {
            let start = tokio::time::Instant::now();
            retry.wait(1, Some(Duration::seconds(asked))).await;
            assert_eq!(start.elapsed().as_secs(), waited);
        }
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        let retry = ShortRetry::new(StdDuration::from_secs(3));
        for count in 1..40 {
            assert!(retry.backoff(count) <= Duration::seconds(3));
        }
        assert!(retry.backoff(2) > retry.backoff(1) / 2);
        assert!(!retry.is_expired(Duration::ZERO, 3) && retry.is_expired(Duration::ZERO, 4));
    }
}
