//! A queue in the hands of a test or of the Functions host.

use std::{sync::Arc, time::Duration};

use super::{
    account::Account,
    queue::{Queue, QueueMessage},
};
use crate::azure::World;

/// A queue, used without REST. If it is deleted meanwhile it is made again.
#[derive(Clone)]
pub struct QueueHandle {
    pub(crate) world: Arc<World>,
    pub(crate) account: Arc<Account>,
    pub(crate) name: String,
}

impl QueueHandle {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a message which becomes visible after a while. Without `life` it lives seven days. Gives its id.
    pub fn send(&self, text: &str, visibility: Duration, life: Option<Duration>) -> String {
        let now = self.world.clock.now();
        self.with(|queue| {
            queue.send(text, visibility, Some(life.unwrap_or(super::queue::DEFAULT_LIFE)), now).id
        })
    }

    /// Takes up to `max` visible messages and hides them for a while.
    pub fn receive(&self, max: usize, visibility: Duration) -> Vec<QueueMessage> {
        let now = self.world.clock.now();
        self.with(|queue| queue.receive(max, visibility, now))
    }

    /// Deletes a message. False if it is gone or the receipt is void.
    pub fn delete(&self, id: &str, receipt: &str) -> bool {
        let now = self.world.clock.now();
        self.with(|queue| queue.delete(id, receipt, now).is_ok())
    }

    /// Hides a message for a while. Gives its new receipt, or `None` if it is gone or the receipt is void.
    pub fn update(&self, id: &str, receipt: &str, visibility: Duration) -> Option<String> {
        let now = self.world.clock.now();
        self.with(|queue| {
            queue.update(id, receipt, visibility, None, now).ok().map(|message| message.pop_receipt)
        })
    }

    /// All messages, visible or not.
    pub fn peek_all(&self) -> Vec<QueueMessage> {
        let now = self.world.clock.now();
        self.with(|queue| queue.all(now).cloned().collect())
    }

    /// Drops all messages.
    pub fn clear(&self) {
        self.with(Queue::clear);
    }

    /// How many messages there are, visible or not.
    pub fn len(&self) -> usize {
        let now = self.world.clock.now();
        self.with(|queue| queue.all(now).count())
    }

    /// Whether there is no message, visible or not.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages could be received now.
    pub fn visible_len(&self) -> usize {
        let now = self.world.clock.now();
        self.with(|queue| queue.all(now).filter(|message| message.next_visible <= now).count())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        work(self.account.queues.lock().entry(self.name.clone()).or_default())
    }
}
