//! A queue.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use time::OffsetDateTime;
use uuid::Uuid;

use super::metadata::Metadata;

/// How long a message lives unless it is told otherwise.
pub(crate) const DEFAULT_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A message. A receipt is only there on a message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Its id.
    pub id: String,
    /// What deletes or updates it. Void once the message is received again.
    pub pop_receipt: String,
    /// How often it was received.
    pub dequeue_count: u32,
    /// When it was sent.
    pub insertion: OffsetDateTime,
    /// When it goes by itself. `None` is never.
    pub expiration: Option<OffsetDateTime>,
    /// When it can be received next.
    pub next_visible: OffsetDateTime,
    /// What it says, as sent: nothing is decoded.
    pub text: String,
}

impl QueueMessage {
    fn alive(&self, now: OffsetDateTime) -> bool {
        self.expiration.is_none_or(|at| at > now)
    }
}

/// Where a message stands: by the time it becomes visible, then by its age.
type Place = (OffsetDateTime, u64);

/// Why an update or a deletion is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotFound,
    Receipt,
}

/// A queue. Receiving costs the same whatever its length.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) metadata: Metadata,
    messages: BTreeMap<Place, QueueMessage>,
    places: HashMap<String, Place>,
    sent: u64,
}

impl Queue {
    /// Adds a message. `life` of `None` is for ever.
    pub(crate) fn send(
        &mut self,
        text: &str,
        visibility: Duration,
        life: Option<Duration>,
        now: OffsetDateTime,
    ) -> QueueMessage {
        self.sent += 1;
        let message = QueueMessage {
            id: Uuid::new_v4().to_string(),
            pop_receipt: receipt(),
            dequeue_count: 0,
            insertion: now,
            expiration: life.map(|life| now + life),
            next_visible: now + visibility,
            text: text.to_owned(),
        };
        self.insert((message.next_visible, self.sent), message.clone());
        message
    }

    /// Takes up to `max` visible messages and hides them for a while.
    pub(crate) fn receive(
        &mut self,
        max: usize,
        visibility: Duration,
        now: OffsetDateTime,
    ) -> Vec<QueueMessage> {
        let mut received = Vec::new();
        while received.len() < max {
            let Some(entry) = self.messages.first_entry().filter(|entry| entry.key().0 <= now) else { break };
            let ((_, age), mut message) = entry.remove_entry();
            self.places.remove(&message.id);
            if !message.alive(now) {
                continue;
            }
            message.dequeue_count += 1;
            message.pop_receipt = receipt();
            message.next_visible = now + visibility;
            received.push((age, message));
        }
        // Put back only now: a message that stays visible must not be received twice in one call.
        received
            .into_iter()
            .map(|(age, message)| {
                self.insert((message.next_visible, age), message.clone());
                message
            })
            .collect()
    }

    /// The messages that could be received, up to `max`, untouched.
    pub(crate) fn peek(&self, max: usize, now: OffsetDateTime) -> Vec<QueueMessage> {
        let visible = self.messages.iter().take_while(|((visible, _), _)| *visible <= now);
        visible.map(|(_, message)| message).filter(|message| message.alive(now)).take(max).cloned().collect()
    }

    /// Deletes a message whose receipt is good.
    pub(crate) fn delete(&mut self, id: &str, receipt: &str, now: OffsetDateTime) -> Result<(), Refusal> {
        let place = self.check(id, receipt, now)?;
        self.messages.remove(&place);
        self.places.remove(id);
        Ok(())
    }

    /// Hides a message for a while, with another text if one is given. Gives it with its new receipt.
    pub(crate) fn update(
        &mut self,
        id: &str,
        old: &str,
        visibility: Duration,
        text: Option<String>,
        now: OffsetDateTime,
    ) -> Result<QueueMessage, Refusal> {
        let place = self.check(id, old, now)?;
        let Some(mut message) = self.messages.remove(&place) else { return Err(Refusal::NotFound) };
        message.pop_receipt = receipt();
        message.next_visible = now + visibility;
        message.text = text.unwrap_or(message.text);
        self.insert((message.next_visible, place.1), message.clone());
        Ok(message)
    }

    /// Drops all messages.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.places.clear();
    }

    /// All living messages, visible or not.
    pub(crate) fn all(&self, now: OffsetDateTime) -> impl Iterator<Item = &QueueMessage> {
        self.messages.values().filter(move |message| message.alive(now))
    }

    fn insert(&mut self, place: Place, message: QueueMessage) {
        self.places.insert(message.id.clone(), place);
        self.messages.insert(place, message);
    }

    fn check(&self, id: &str, receipt: &str, now: OffsetDateTime) -> Result<Place, Refusal> {
        let place = *self.places.get(id).ok_or(Refusal::NotFound)?;
        match self.messages.get(&place) {
            Some(message) if !message.alive(now) => Err(Refusal::NotFound),
            Some(message) if message.pop_receipt == receipt => Ok(place),
            Some(_) => Err(Refusal::Receipt),
            None => Err(Refusal::NotFound),
        }
    }
}

fn receipt() -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(&Uuid::new_v4().as_bytes()[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_message_with_no_time_out_is_received_once_a_call() {
        let mut queue = Queue::default();
        let now = OffsetDateTime::UNIX_EPOCH;
        queue.send("a", Duration::ZERO, None, now);
        queue.send("b", Duration::ZERO, None, now);
        let received = queue.receive(32, Duration::ZERO, now);
        assert_eq!(received.iter().map(|m| m.text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(queue.receive(1, HOUR, now)[0].dequeue_count, 2);
    }

    #[test]
    fn a_receipt_is_void_after_the_next_receive() {
        let mut queue = Queue::default();
        let now = OffsetDateTime::UNIX_EPOCH;
        let id = queue.send("a", Duration::ZERO, Some(2 * HOUR), now).id;
        let first = queue.receive(1, HOUR, now).remove(0);
        assert!(queue.receive(1, HOUR, now).is_empty());
        let second = queue.receive(1, HOUR, now + HOUR).remove(0);
        assert_eq!(queue.delete(&id, &first.pop_receipt, now + HOUR), Err(Refusal::Receipt));
        assert_eq!(queue.delete(&id, &second.pop_receipt, now + 2 * HOUR), Err(Refusal::NotFound));
        assert_eq!(queue.delete(&id, &second.pop_receipt, now + HOUR), Ok(()));
    }
}
