//! Timer triggers.

use std::sync::Arc;

use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};
use tokio::time::sleep;

use super::{
    Host, Inner, Invocation, Outcome, envelope,
    function::{Function, Trigger},
    settings::Retry,
};

/// What the host remembers of a timer when it fires it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerStatus {
    /// The usual case: the status blob says when the timer last ran and that it was to fire now.
    ///
    /// Sent as null all the same when `function.json` has `useMonitor: false` or the schedule is shorter than a minute.
    Monitor,
    /// `ScheduleStatus` is null, as when an operator fires a timer that has never run.
    NoMonitor,
    /// An operator fires it between two occurrences: `Next` is not now.
    ByHand {
        /// The next regular occurrence.
        next: OffsetDateTime,
    },
}

/// One firing of a timer.
#[derive(Clone, Copy, Debug)]
pub struct Firing {
    /// The occurrence that is served: `ScheduleStatus.Next`.
    pub occurrence: OffsetDateTime,
    /// Whether the host missed it and makes up for it at its start.
    pub past_due: bool,
    /// What is sent as `ScheduleStatus`.
    pub status: TimerStatus,
    /// Whether a failure is retried by the policy of `function.json` (or `host.json`). The clock is advanced by each delay.
    pub retries: bool,
}

impl Firing {
    /// On time, monitored, without retries.
    pub fn at(occurrence: OffsetDateTime) -> Self {
        Self { occurrence, past_due: false, status: TimerStatus::Monitor, retries: false }
    }

    /// Sets [`Firing::past_due`].
    #[must_use]
    pub fn past_due(self, past_due: bool) -> Self {
        Self { past_due, ..self }
    }

    /// Sets [`Firing::status`].
    #[must_use]
    pub fn status(self, status: TimerStatus) -> Self {
        Self { status, ..self }
    }

    /// Sets [`Firing::retries`].
    #[must_use]
    pub fn retries(self, retries: bool) -> Self {
        Self { retries, ..self }
    }
}

/// How the delay before a retry passes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Delay {
    Advance,
    Sleep,
}

impl Host {
    /// Fires a timer and returns its last attempt; each attempt is in [`Host::invocations`].
    ///
    /// Fails at once when there is no enabled timer function of that name.
    pub async fn fire(&self, function: &str, firing: Firing) -> Invocation {
        let inner = &self.inner;
        match inner.function(function).filter(|function| !function.disabled) {
            Some(found) => Arc::unwrap_or_clone(inner.fire(found, firing, Delay::Advance).await),
            None => Invocation::impossible(function, "There is no enabled function of that name"),
        }
    }
}

impl Inner {
    pub(super) async fn fire(&self, function: &Function, firing: Firing, delay: Delay) -> Arc<Invocation> {
        let Trigger::Timer { binding, .. } = &function.trigger else {
            return Arc::new(Invocation::impossible(&function.name, "The function is not a timer"));
        };
        let began = self.clock.now();
        let info = self.timer_info(function, firing);
        let policy = function.retry.as_ref().or(self.settings.retry.as_ref()).filter(|_| firing.retries);
        let mut retry = 0;
        let mut context = None;
        let last = loop {
            let body = envelope::timer(&function.name, binding, self.clock.now(), &info, context);
            let invocation = self.invoke(function, body).await;
            match policy {
                Some(policy) if !invocation.succeeded() && retry < policy.max => {
                    retry += 1;
                    match delay {
                        Delay::Advance => self.clock.advance(policy.delay(retry)),
                        Delay::Sleep => sleep(policy.delay(retry)).await,
                    }
                    context = Some(retry_context(retry, policy, &invocation));
                }
                Some(_) | None => break invocation,
            }
        };
        // Also after a failure: the next firing is the next occurrence.
        self.last_runs.lock().insert(function.name.clone(), began);
        last
    }

    fn timer_info(&self, function: &Function, firing: Firing) -> Value {
        const NEVER: OffsetDateTime = datetime!(0001-01-01 00:00 UTC);
        let Trigger::Timer { schedule, monitor, .. } = &function.trigger else { return Value::Null };
        let next = match firing.status {
            _ if !monitor || schedule.sub_minute() => None,
            TimerStatus::Monitor => Some(firing.occurrence),
            TimerStatus::NoMonitor => None,
            TimerStatus::ByHand { next } => Some(next),
        };
        let last = self.last_runs.lock().get(&function.name).copied();
        let status = next.map(|next| {
            json!({
                "Last": envelope::local(last.unwrap_or(NEVER)),
                "Next": envelope::local(next),
                // A first start writes the status before the first run.
                "LastUpdated": envelope::local(last.unwrap_or(self.started_at)),
            })
        });
        json!({
            "Schedule": { "AdjustForDST": schedule.adjusts_for_dst() },
            "ScheduleStatus": status,
            "IsPastDue": firing.past_due,
        })
    }
}

fn retry_context(retry: u32, policy: &Retry, failed: &Invocation) -> Value {
    let message = match &failed.outcome {
        Outcome::Failed(reason) => reason.as_str(),
        Outcome::TimedOut => "Timeout value exceeded by function",
        Outcome::Succeeded => "",
    };
    json!({
        "RetryCount": retry, "MaxRetryCount": policy.max, "Instance": null, "State": {},
        "Exception": { "ClassName": "Microsoft.Azure.WebJobs.Host.FunctionInvocationException", "Message": message },
    })
}
