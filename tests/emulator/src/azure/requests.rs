//! The log of all requests, and its counters.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use time::OffsetDateTime;

use super::operation::{Operation, Service};

/// How many entries are kept. Counters know of the older ones, too.
const CAPACITY: usize = 100_000;

/// One request and how it ended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it arrived, by the emulator's clock.
    pub at: OffsetDateTime,
    /// The service.
    pub service: Service,
    /// The full host name.
    pub host: Arc<str>,
    /// The HTTP method.
    pub method: String,
    /// The path and the query as sent. A query of the emulated services carries no secret.
    pub path: String,
    /// What it asked for.
    pub operation: Operation,
    /// The name of the vault object, `container/blob`, or the queue. Empty when the request names none.
    pub object: String,
    /// The client id of the identity whose token it carried. Empty for the system-assigned one, and without a
    /// token.
    pub caller: Arc<str>,
    /// The status answered, or 0 when the connection was cut instead.
    pub status: u16,
    /// How long it took.
    pub duration: Duration,
    /// The fault that was played, if any.
    pub fault: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    /// The sequence number of the first entry that is kept.
    first: u64,
    totals: HashMap<(Operation, u16), u64>,
}

/// All requests since the start or the last [`RequestLog::clear`]; the newest 100,000 in full, the others as
/// counters.
#[derive(Debug, Default)]
pub struct RequestLog {
    inner: Mutex<Inner>,
}

impl RequestLog {
    pub(crate) fn push(&self, entry: Entry) {
        let mut inner = self.inner.lock();
        *inner.totals.entry((entry.operation, entry.status)).or_default() += 1;
        if inner.entries.len() == CAPACITY {
            inner.entries.pop_front();
            inner.first += 1;
        }
        inner.entries.push_back(entry);
    }

    /// How many of the kept entries satisfy the filter.
    pub fn count(&self, filter: impl Fn(&Entry) -> bool) -> usize {
        self.inner.lock().entries.iter().filter(|e| filter(e)).count()
    }

    /// How many requests for an operation were answered at all, whatever the answer. Challenges count.
    pub fn total(&self, operation: Operation) -> u64 {
        self.inner.lock().totals.iter().filter(|((o, _), _)| *o == operation).map(|(_, n)| n).sum()
    }

    /// How many requests for an operation were answered with a status. Status 0 counts cut connections.
    pub fn total_with_status(&self, operation: Operation, status: u16) -> u64 {
        self.inner.lock().totals.get(&(operation, status)).copied().unwrap_or_default()
    }

    /// All kept entries, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.inner.lock().entries.iter().cloned().collect()
    }

    /// Where the log stands now. Give it to [`RequestLog::since`] later.
    pub fn mark(&self) -> u64 {
        let inner = self.inner.lock();
        inner.first + inner.entries.len() as u64
    }

    /// The kept entries which came after a mark, oldest first.
    pub fn since(&self, mark: u64) -> Vec<Entry> {
        let inner = self.inner.lock();
        let skip = usize::try_from(mark.saturating_sub(inner.first)).unwrap_or(usize::MAX);
        inner.entries.iter().skip(skip).cloned().collect()
    }

    /// Forgets all entries and counters.
    pub fn clear(&self) {
        let mut inner = self.inner.lock();
        inner.first += inner.entries.len() as u64;
        inner.entries.clear();
        inner.totals.clear();
    }
}
