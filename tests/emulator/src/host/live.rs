//! The host by the clock: timers fire when they are due, queues are polled.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures::{
    future::{Either, join_all, select},
    stream::{FuturesUnordered, StreamExt},
};
use tokio::time::sleep;

use super::{
    Firing, Host, Inner,
    function::{Function, Trigger},
    timer::Delay,
};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(200);
/// The pause after a poll that found a message, and the step by which pauses grow.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

impl Host {
    /// Works like the real host until `until` is done: fires each timer by its schedule, retries it by its policy, and polls each queue.
    ///
    /// A timer never overlaps itself; what it misses meanwhile is skipped. What is in flight at the end is abandoned: a message comes back
    /// when its lease is over.
    pub async fn run(&self, until: impl Future) {
        let functions = self.inner.functions.iter().filter(|function| !function.disabled);
        let timers: FuturesUnordered<_> =
            functions.clone().map(|function| self.inner.keep_time(function)).collect();
        let queues = functions.map(|function| self.inner.keep_polling(function));
        let work = pin!(async { tokio::join!(timers.collect::<Vec<()>>(), join_all(queues)) });
        match select(pin!(until), work).await {
            Either::Left((_, _)) => {}
            Either::Right((_, until)) => drop(until.await),
        }
    }
}

impl Inner {
    async fn keep_time(&self, function: &Function) {
        let Trigger::Timer { schedule, .. } = &function.trigger else { return };
        while let Some(occurrence) = schedule.after(self.clock.now()) {
            while self.clock.now() < occurrence {
                sleep(TICK).await;
            }
            self.fire(function, Firing::at(occurrence).retries(true), Delay::Sleep).await;
        }
    }

    async fn keep_polling(self: &Arc<Self>, function: &Arc<Function>) {
        let Trigger::Queue { .. } = &function.trigger else { return };
        let mut empty = 0;
        loop {
            empty = if self.pump(function).await.delivered == 0 { empty + 1 } else { 0 };
            sleep(pause(empty, self.settings.queues.max_polling_interval)).await;
        }
    }
}

/// The pause after so many polls in a row that found nothing: 100 ms, then twice that, and on to `longest`
/// (`maxPollingInterval`). The real listener varies what it adds by a fifth; this one does not.
fn pause(empty: u32, longest: Duration) -> Duration {
    let steps = empty.checked_sub(2).map_or(0, |doublings| 2_u32.saturating_pow(doublings));
    SHORTEST_PAUSE.saturating_add(SHORTEST_PAUSE.saturating_mul(steps)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_of_an_idle_queue_grow_rarer_up_to_the_longest_pause() {
        let pauses =
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, u32::MAX].map(|empty| pause(empty, Duration::from_secs(5)));
        let expected = [100, 100, 200, 300, 500, 900, 1700, 3300, 5000, 5000, 5000];
        assert_eq!(pauses.map(|pause| pause.as_millis()), expected);
    }
}
