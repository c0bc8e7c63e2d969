//! Queue triggers: the listener, its concurrency, redelivery and the poison queue.

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use time::OffsetDateTime;
use tokio::{task::JoinSet, time::timeout};
use uuid::Uuid;

use super::{
    Host, Inner, Invocation, Level,
    bridge::NO_EXPIRY,
    envelope,
    function::{Function, Trigger},
};

/// How long a message is hidden while it is worked on. Renewed at half time.
const LEASE: Duration = Duration::from_secs(10 * 60);

/// The queues of a storage account, as the listener uses them. A queue that does not exist is an empty one.
pub trait Queues: Send + Sync {
    /// Takes up to `max` visible messages, counts the delivery, and hides them for `visibility`.
    fn receive(&self, queue: &str, max: usize, visibility: Duration) -> Vec<QueueMessage>;
    /// Deletes a message. False when the receipt is no longer the newest: someone else has the message.
    fn delete(&self, queue: &str, id: &str, pop_receipt: &str) -> bool;
    /// Hides a message for `visibility` from now and returns the new receipt; none when the receipt is no longer the newest.
    fn update(&self, queue: &str, id: &str, pop_receipt: &str, visibility: Duration) -> Option<String>;
    /// Puts a message of exactly this text (base64, if that is the encoding), and creates the queue if it is missing.
    fn send(&self, queue: &str, text: &str);
    /// How many messages there are, visible or not.
    fn len(&self, queue: &str) -> usize;
    /// How many messages could be received now.
    fn visible(&self, queue: &str) -> usize;
}

/// A message as received.
#[derive(Clone, Debug)]
pub struct QueueMessage {
    /// The message's id.
    pub id: String,
    /// The proof of this delivery.
    pub pop_receipt: String,
    /// How often it was delivered, this time included.
    pub dequeue_count: u32,
    /// When it was sent.
    pub insertion: OffsetDateTime,
    /// When the service will drop it.
    pub expiration: OffsetDateTime,
    /// When it can be received again.
    pub next_visible: OffsetDateTime,
    /// The text as stored: base64, unless `messageEncoding` is `none`.
    pub text: String,
}

/// What one pass over a queue did. Deliveries, not messages: a message that failed twice counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PumpReport {
    /// Messages handed to the function.
    pub delivered: usize,
    /// Deliveries that succeeded; the message is deleted.
    pub succeeded: usize,
    /// Deliveries that failed or timed out.
    pub failed: usize,
    /// Messages moved to the poison queue: after their last delivery, or undelivered because they are not base64.
    pub poisoned: usize,
}

impl Host {
    /// Lets the listener of a queue function work until its queue has no visible message and nothing is in flight.
    ///
    /// A message that failed is hidden for `visibilityTimeout`: advance the clock and pump again to have it redelivered. With a
    /// `visibilityTimeout` of zero all deliveries up to the poison queue happen in one pass. Nothing is
    /// received while the handler is killed or the host has shut down, nor for an unknown or disabled function.
    pub async fn pump(&self, function: &str) -> PumpReport {
        match self.inner.function(function).filter(|function| !function.disabled) {
            Some(function) => {
                // Among the runtime's threads: the caller's own would be woken for each message.
                let (inner, function) = (Arc::clone(&self.inner), Arc::clone(function));
                let mut listener = JoinSet::new();
                listener.spawn(async move { inner.pump(&function).await });
                joined(&mut listener).await.unwrap_or_default()
            }
            None => PumpReport::default(),
        }
    }

    /// Delivers a message that is in no queue. `text` is the message's content, without any base64 layer.
    pub async fn deliver(&self, function: &str, text: &str, dequeue_count: u32) -> Invocation {
        let now = self.inner.clock.now();
        let message = QueueMessage {
            id: Uuid::new_v4().to_string(),
            pop_receipt: BASE64_STANDARD.encode(Uuid::new_v4().as_bytes()),
            dequeue_count,
            insertion: now,
            expiration: NO_EXPIRY,
            next_visible: now + LEASE,
            text: BASE64_STANDARD.encode(text),
        };
        match self.inner.function(function).filter(|function| !function.disabled) {
            Some(function) => {
                Arc::unwrap_or_clone(self.inner.deliver(function, &message, text.as_bytes()).await)
            }
            None => Invocation::impossible(function, "There is no enabled function of that name"),
        }
    }
}

impl Inner {
    /// Each message is worked on in a task of its own, on whatever thread is free, as the host does it.
    pub(super) async fn pump(self: &Arc<Self>, function: &Arc<Function>) -> PumpReport {
        let mut report = PumpReport::default();
        let Trigger::Queue { queue, .. } = &function.trigger else { return report };
        let settings = &self.settings.queues;
        let mut in_flight = JoinSet::new();
        loop {
            // A batch is fetched whenever few enough are left of the one before.
            if in_flight.len() <= settings.new_batch_threshold && self.supervisor.listens() {
                for message in self.queues.receive(queue, settings.batch_size, LEASE) {
                    in_flight.spawn(Arc::clone(self).process(Arc::clone(function), message));
                }
            }
            match joined(&mut in_flight).await {
                Some(one) => report.add(one),
                None => return report,
            }
        }
    }

    /// Runs the function on a message and settles it.
    async fn process(self: Arc<Self>, function: Arc<Function>, mut message: QueueMessage) -> PumpReport {
        let Trigger::Queue { queue, .. } = &function.trigger else { return PumpReport::default() };
        let Some(body) = self.decode(&message.text) else {
            self.logs.host(
                Level::Warning,
                format!(
                    "Message decoding has failed! Check MessageEncoding settings. MessageId={}.",
                    message.id
                ),
            );
            self.poison(queue, &message);
            return PumpReport { poisoned: 1, ..PumpReport::default() };
        };
        let mut receipt = message.pop_receipt.clone();
        let mut run = Box::pin(self.deliver(&function, &message, &body));
        let invocation = loop {
            match timeout(LEASE / 2, &mut run).await {
                Ok(invocation) => break invocation,
                Err(_) => {
                    if let Some(newer) = self.queues.update(queue, &message.id, &receipt, LEASE) {
                        receipt = newer;
                    }
                }
            }
        };
        drop(run);
        message.pop_receipt = receipt;
        let poisoned = self.settle(queue, &message, invocation.succeeded());
        PumpReport {
            delivered: 1,
            succeeded: invocation.succeeded().into(),
            failed: (!invocation.succeeded()).into(),
            poisoned: poisoned.into(),
        }
    }

    /// Whether the message went to the poison queue.
    fn settle(&self, queue: &str, message: &QueueMessage, succeeded: bool) -> bool {
        let settings = &self.settings.queues;
        if succeeded {
            self.queues.delete(queue, &message.id, &message.pop_receipt);
        } else if message.dequeue_count >= settings.max_dequeue_count {
            self.poison(queue, message);
            return true;
        } else {
            self.queues.update(queue, &message.id, &message.pop_receipt, settings.visibility_timeout);
        }
        false
    }

    fn poison(&self, queue: &str, message: &QueueMessage) {
        self.queues.send(&format!("{queue}-poison"), &message.text);
        self.queues.delete(queue, &message.id, &message.pop_receipt);
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        if self.settings.queues.base64 {
            BASE64_STANDARD.decode(text).ok()
        } else {
            Some(text.as_bytes().to_vec())
        }
    }

    async fn deliver(&self, function: &Function, message: &QueueMessage, body: &[u8]) -> Arc<Invocation> {
        let Trigger::Queue { binding, binary, .. } = &function.trigger else {
            return Arc::new(Invocation::impossible(&function.name, "The function has no queue trigger"));
        };
        let envelope = envelope::queue(&function.name, (binding, *binary), self.clock.now(), message, body);
        self.invoke(function, envelope).await
    }
}

/// The result of a task that ended, if there are any. A panic goes on here. Nobody cancels one of these tasks.
async fn joined(tasks: &mut JoinSet<PumpReport>) -> Option<PumpReport> {
    match tasks.join_next().await? {
        Ok(report) => Some(report),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

impl PumpReport {
    /// Adds another pass to this one.
    pub fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.poisoned += other.poisoned;
    }
}
