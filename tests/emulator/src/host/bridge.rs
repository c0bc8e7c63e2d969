//! The emulated Azure as the host's surroundings: the only place where the two halves meet.

use std::time::Duration;

use time::{OffsetDateTime, macros::datetime};

use super::{HostClock, QueueMessage, Queues};
use crate::{
    azure::Azure,
    azure::storage::{self, StorageHandle},
};

/// What a message that never expires shows.
pub(super) const NO_EXPIRY: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

/// A host on this clock and a product that asks this Azure for the time agree.
impl HostClock for Azure {
    fn now(&self) -> OffsetDateTime {
        self.clock().now()
    }

    fn advance(&self, by: Duration) {
        self.clock().advance(by);
    }
}

/// The account's queues, without REST. Looking at a queue does not create it; sending does.
impl Queues for StorageHandle {
    fn receive(&self, queue: &str, max: usize, visibility: Duration) -> Vec<QueueMessage> {
        if !has(self, queue) {
            return Vec::new();
        }
        self.queue(queue).receive(max, visibility).into_iter().map(QueueMessage::from).collect()
    }

    fn delete(&self, queue: &str, id: &str, pop_receipt: &str) -> bool {
        has(self, queue) && self.queue(queue).delete(id, pop_receipt)
    }

    fn update(&self, queue: &str, id: &str, pop_receipt: &str, visibility: Duration) -> Option<String> {
        if has(self, queue) { self.queue(queue).update(id, pop_receipt, visibility) } else { None }
    }

    fn send(&self, queue: &str, text: &str) {
        self.queue(queue).send(text, Duration::ZERO, None);
    }

    fn len(&self, queue: &str) -> usize {
        if has(self, queue) { self.queue(queue).len() } else { 0 }
    }

    fn visible(&self, queue: &str) -> usize {
        if has(self, queue) { self.queue(queue).visible_len() } else { 0 }
    }
}

fn has(account: &StorageHandle, queue: &str) -> bool {
    account.has_queue(queue)
}

impl From<storage::QueueMessage> for QueueMessage {
    fn from(message: storage::QueueMessage) -> Self {
        Self {
            id: message.id,
            pop_receipt: message.pop_receipt,
            dequeue_count: message.dequeue_count,
            insertion: message.insertion,
            expiration: message.expiration.unwrap_or(NO_EXPIRY),
            next_visible: message.next_visible,
            text: message.text,
        }
    }
}
