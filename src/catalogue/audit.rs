//! The audit trail, in the container of the backups, where what is written stays.

use futures::{StreamExt as _, TryStreamExt as _, pin_mut};
use time::{Date, Duration, OffsetDateTime};

use super::layout;
use crate::{
    azure::{
        container::{Container, Listing, Metadata, Written},
        error::ServiceError,
    },
    domain::{
        asker::Asker,
        audit::{AUDIT_FORMAT, Event, Fault, Link, Place, Record, check},
        digest::Digest,
    },
    error::{Error, Result},
};

/// Days that are looked at for the newest record before all are.
const RECENT: Duration = Duration::days(45);

/// Others that may take the next place first before this gives up.
const TRIES: u32 = 32;

/// Records that are read at once.
const AT_ONCE: usize = 16;

/// The trail. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    container: Container,
}

/// What a check of the trail found.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many records there are.
    pub records: u32,
    /// What is wrong, with the name of the record at which it shows.
    pub faults: Vec<(String, Fault)>,
}

impl Audit {
    /// The trail in a container, which may be empty.
    pub fn new(container: Container) -> Self {
        Self { container }
    }

    /// Adds a record, after all others, unless the trail tells of the event already. Safe to run twice.
    ///
    /// What the trail tells is looked up from its newest record back to the time at which the run or restore was asked
    /// for: one or two records, unless a restore took long.
    pub async fn append(&self, by: &Asker, event: Event, at: OffsetDateTime) -> Result<()> {
        let at = at.replace_nanosecond(0).unwrap_or(at);
        for _ in 0..TRIES {
            let newest = self.newest(at.date()).await?;
            let after = match &newest {
                None => None,
                Some((_, name)) => match self.told(name, &event).await? {
                    Some(link) => Some(link),
                    None => return Ok(()),
                },
            };
            let place = Place::after(newest.map(|(place, _)| place), at.date());
            let record = Record { v: AUDIT_FORMAT, at, by: by.clone(), event: event.clone(), after };
            let bytes = serde_json::to_vec(&record).map_err(|error| Error::Refused(error.to_string()))?;
            if self.container.create(&layout::audit(place), bytes, Metadata::new()).await? == Written::Created
            {
                return Ok(());
            }
        }
        Err(Error::Busy("others write to the audit trail all the time".into()))
    }

    /// The link to the newest record, or `None` when the trail tells of the event. A record that cannot be read ends the
    /// search: a record too many says nothing wrong.
    async fn told(&self, newest: &str, event: &Event) -> Result<Option<Link>> {
        let (mut link, mut name) = (None, newest.to_owned());
        loop {
            let bytes = self.container.read(&name).await?.unwrap_or_default();
            let link = link.get_or_insert_with(|| Link { name: name.clone(), sha256: Digest::of(&bytes) });
            match Record::read(&bytes) {
                Ok(record) if record.event.is_that_of(event) => return Ok(None),
                Ok(Record { at, after: Some(before), .. }) if event.may_be_told_at(at) => name = before.name,
                _ => return Ok(Some(link.clone())),
            }
        }
    }

    async fn newest(&self, today: Date) -> Result<Option<(Place, String)>> {
        let recent = today.checked_sub(RECENT).map(|day| layout::audit(Place { day, number: 0 }));
        match self.last(recent.as_deref()).await? {
            None => self.last(None).await,
            found => Ok(found),
        }
    }

    async fn last(&self, from: Option<&str>) -> Result<Option<(Place, String)>> {
        let pages = self.container.list(Listing { prefix: layout::AUDIT, from, page: 5000, metadata: false });
        pin_mut!(pages);
        let mut last = None;
        while let Some(page) = pages.try_next().await? {
            last = page
                .into_iter()
                .filter_map(|item| Some((layout::parse_audit(&item.name)?, item.name)))
                .next_back()
                .or(last);
        }
        Ok(last)
    }

    /// Checks every record against the one before it, and hands each that can be read to `see`.
    pub async fn verify(&self, mut see: impl FnMut(&str, Record)) -> Result<Checked> {
        let pages =
            self.container.list(Listing { prefix: layout::AUDIT, from: None, page: 5000, metadata: false });
        let names = pages
            .map_ok(|page| futures::stream::iter(page.into_iter().map(Ok::<_, ServiceError>)))
            .try_flatten();
        let records = names
            .map_ok(|item| async move {
                let bytes = self.container.read(&item.name).await?;
                Ok::<_, ServiceError>((item.name, bytes.unwrap_or_default()))
            })
            .try_buffered(AT_ONCE);
        pin_mut!(records);
        let (mut checked, mut before) = (Checked::default(), None);
        while let Some(record) = records.next().await {
            let (name, bytes) = record?;
            let (link, fault) = check(&name, &bytes, before.as_ref());
            checked.records += 1;
            checked.faults.extend(fault.map(|fault| (name.clone(), fault)));
            before = Some(link);
            if let Ok(record) = Record::read(&bytes) {
                see(&name, record);
            }
        }
        Ok(checked)
    }
}
