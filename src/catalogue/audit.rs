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

    /// Adds a record, after all others. Not safe to run twice: a second run adds a second record, which says
    /// the same.
    pub async fn append(&self, by: &Asker, event: Event, at: OffsetDateTime) -> Result<()> {
        let at = at.replace_nanosecond(0).unwrap_or(at);
        for _ in 0..TRIES {
            let newest = self.newest(at.date()).await?;
            let after = match &newest {
                Some((_, name)) => Some(self.link(name).await?),
                None => None,
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

    async fn link(&self, name: &str) -> Result<Link> {
        let bytes = self.container.read(name).await?.unwrap_or_default();
        Ok(Link { name: name.to_owned(), sha256: Digest::of(&bytes) })
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
