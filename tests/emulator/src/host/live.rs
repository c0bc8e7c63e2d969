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
/// The pause after the first empty poll of a queue; it doubles up to `maxPollingInterval`.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Someone is watching: no pause is longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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
        let longest = self.settings.queues.max_polling_interval.min(LONGEST_PAUSE);
        let Trigger::Queue { .. } = &function.trigger else { return };
        let mut pause = FIRST_PAUSE;
        loop {
            let idle = self.pump(function).await.delivered == 0;
            pause = if idle { (pause * 2).min(longest) } else { FIRST_PAUSE };
            sleep(pause).await;
        }
    }
}
