//! The audit trail, in the backup container, whose blobs cannot be changed.

mod day;
mod verify;

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};
use time::{Date, Duration, OffsetDateTime};
use tokio::sync::Mutex;
use uuid::Uuid;

pub use self::{
    day::DayTrail,
    verify::{Checked, CheckedSection},
};
use super::layout;
use crate::{
    azure::container::{Container, Item, Listing, Metadata, Written as Added},
    domain::{
        actor::Actor,
        audit::{AUDIT_FORMAT, Event, Link, Record, Section},
        digest::Digest,
        right::Right,
    },
    error::{Error, Result, damaged},
};

/// How far back a new section lists its predecessors, tried in this order. After that it lists all of them.
const LOOKS_BACK: [Duration; 2] = [Duration::DAY, Duration::days(45)];

/// The most earlier sections that a new section names.
const NAMED: usize = 64;

/// This process's writer of the audit trail. Each process has one.
pub struct Audit {
    container: Container,
    at_terminal: bool,
    /// The open section of each right. Taken out while a record is written: if the outcome of the write is unknown, the
    /// section ends there.
    written: [Mutex<Option<Written>>; Right::ALL.len()],
}

/// A section that this process writes.
struct Written {
    section: Section,
    /// The sections before it, until its first record names them.
    seen: Vec<Link>,
    records: u32,
    newest: Option<Link>,
}

impl Audit {
    /// The trail in a container, which may be empty. Sends nothing. Actions at a terminal go to sections of their own.
    pub fn new(container: Container, at_terminal: bool) -> Self {
        Self { container, at_terminal, written: Default::default() }
    }

    /// Adds a record. One request, and a few more for the first record of a right in this process or on a day.
    ///
    /// Two calls write two records. A caller that may have recorded the event before checks [`Audit::tells_of`] first.
    pub async fn append(&self, by: &Actor, event: Event, at: OffsetDateTime) -> Result<()> {
        let right = if self.at_terminal { Right::Terminal } else { event.right() };
        let mut slot = self.written[right as usize].lock().await;
        let mut written = match slot.take().filter(|written| written.section.takes(at.date())) {
            Some(written) => written,
            None => self.begin(right, at.date()).await?,
        };
        let seen = std::mem::take(&mut written.seen);
        let record =
            Record { v: AUDIT_FORMAT, at, by: by.clone(), event, after: written.newest.take(), seen };
        written.records += 1;
        written.newest = Some(self.write(&written.section, written.records, &record).await?);
        *slot = Some(written);
        Ok(())
    }

    /// Adds the record of an event that several processes may report in the same words: one record, in a section of its
    /// own. Safe to run twice, concurrently or later.
    ///
    /// The section names no earlier ones, so that every process writes the same bytes. The next section of its right
    /// names it.
    pub async fn append_once(&self, by: &Actor, event: Event, at: OffsetDateTime) -> Result<()> {
        let section = Section::of(&event, at.date());
        let record = Record { v: AUDIT_FORMAT, at, by: by.clone(), event, after: None, seen: Vec::new() };
        self.write(&section, 1, &record).await.map(drop)
    }

    async fn write(&self, section: &Section, number: u32, record: &Record) -> Result<Link> {
        let bytes = serde_json::to_vec(record).map_err(|error| Error::Refused(error.to_string()))?;
        let sha256 = Digest::of(&bytes);
        let name = layout::audit(section, number, &record.event, &sha256);
        match self.container.add(&name, bytes, Metadata::new()).await? {
            // Perhaps by another process, or by a try whose answer was lost.
            Added::Created => Ok(Link { name, sha256 }),
            Added::AlreadyThere => Err(damaged(
                &name,
                &"it is not the record whose digest its name has, which cannot be written",
            )),
        }
    }

    /// A new section, which names its predecessors.
    async fn begin(&self, right: Right, day: Date) -> Result<Written> {
        let section = Section { right, day, writer: Uuid::new_v4().as_u64_pair().1 };
        Ok(Written { section, seen: self.newest(right, day).await?, records: 0, newest: None })
    }

    /// The newest record of each of the last sections of a right. If there is no section yet, the newest record of
    /// older programs.
    async fn newest(&self, right: Right, day: Date) -> Result<Vec<Link>> {
        let prefix = layout::audit_of(right);
        let days = LOOKS_BACK.iter().filter_map(|back| day.checked_sub(*back)).map(Some).chain([None]);
        for day in days {
            let from = day.map(|day| layout::audit_from(right, day));
            let mut newest = BTreeMap::new();
            self.each(&prefix, from.as_deref(), |item| {
                if let Some(name) = layout::parse_audit(&item.name) {
                    let link = Link { name: item.name.clone(), sha256: name.sha256 };
                    newest.insert(name.section.to_owned(), (item.modified, link));
                }
            })
            .await?;
            if !newest.is_empty() {
                let mut newest: Vec<_> = newest.into_values().collect();
                newest.sort_by(|(a, _), (b, _)| b.cmp(a));
                return Ok(newest.into_iter().take(NAMED).map(|(_, link)| link).collect());
            }
        }
        self.newest_old(day).await
    }

    async fn newest_old(&self, day: Date) -> Result<Vec<Link>> {
        for day in [day.checked_sub(LOOKS_BACK[1]), None] {
            let (from, mut newest) = (day.map(layout::old_audit_from), None);
            self.each(layout::OLD_AUDIT, from.as_deref(), |item| {
                if layout::is_old_audit(&item.name) {
                    newest = Some(item.name);
                }
            })
            .await?;
            if let Some(name) = newest {
                let bytes = self.container.read(&name).await?.unwrap_or_default();
                return Ok(vec![Link { name, sha256: Digest::of(&bytes) }]);
            }
        }
        Ok(Vec::new())
    }

    /// Whether the trail has a record of an event. Lists the names of the records since the earliest time of the event;
    /// records of older programs are read.
    pub async fn tells_of(&self, event: &Event) -> Result<bool> {
        let since = event.earliest().date();
        let tells = |item: Item| layout::parse_audit(&item.name).is_some_and(|name| name.tells_of(event));
        for right in [event.right(), Right::Terminal] {
            let (prefix, from) = (layout::audit_of(right), layout::audit_from(right, since));
            if self.any(&prefix, Some(&from), tells).await? {
                return Ok(true);
            }
        }
        let mut old = Vec::new();
        self.each(layout::OLD_AUDIT, Some(&layout::old_audit_from(since)), |item| old.push(item.name))
            .await?;
        for name in old.iter().rev() {
            let bytes = self.container.read(name).await?.unwrap_or_default();
            if Record::read(&bytes).is_ok_and(|record| record.event.is_that_of(event)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn each(&self, prefix: &str, from: Option<&str>, mut see: impl FnMut(Item)) -> Result<()> {
        let seen = self.any(prefix, from, |item| {
            see(item);
            false
        });
        seen.await.map(drop)
    }

    /// Whether there is such a blob. Lists no further than to the first one.
    async fn any(&self, prefix: &str, from: Option<&str>, mut is: impl FnMut(Item) -> bool) -> Result<bool> {
        let pages = self.container.list(Listing { prefix, from, page: 5000, metadata: false });
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            // An older service may ignore where a listing starts.
            let wanted = |item: &Item| from.is_none_or(|from| item.name.as_str() >= from);
            if page.into_iter().filter(wanted).any(&mut is) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
