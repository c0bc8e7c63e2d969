//! Verification of the whole audit trail.

use std::collections::HashSet;

use futures::{StreamExt as _, TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use super::{Audit, layout};
use crate::{
    azure::{
        container::{Item, Listing},
        error::ServiceError,
    },
    domain::{
        audit::{Fault, Head, Link, Met, Record, check},
        digest::Digest,
    },
    error::Result,
};

/// Records that are read concurrently.
const AT_ONCE: usize = 16;

/// The result of verifying the trail.
#[derive(Debug, Default)]
pub struct Checked {
    /// The number of records.
    pub records: u32,
    /// The sections, oldest first.
    pub sections: Vec<CheckedSection>,
    /// The faults, each with the name of the record at which it shows.
    pub faults: Vec<(String, Fault)>,
    digests: HashSet<Digest>,
}

impl Checked {
    /// Whether there is a record with this digest.
    pub fn has(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }

    /// What the trail says to what a section once had.
    pub fn met(&self, head: &Head) -> Met {
        let section = self.sections.iter().find(|section| section.name == head.section);
        head.met(section.map_or(&[], |section| &section.digests))
    }
}

/// A section of the trail as verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedSection {
    /// Its name. The trail of older programs counts as one section.
    pub name: String,
    /// The number of its records.
    pub records: u32,
    /// The time of its first readable record.
    pub first: Option<OffsetDateTime>,
    /// The time of its last readable record.
    pub last: Option<OffsetDateTime>,
    /// Its newest record.
    pub head: Link,
    /// The number of each record and the digest of its bytes. The records of older programs are numbered as they come.
    digests: Vec<(u32, Digest)>,
}

impl CheckedSection {
    /// The number of its newest record.
    pub fn number(&self) -> u32 {
        self.digests.last().map_or(0, |(number, _)| *number)
    }
}

/// The state of a verification while it goes through the names.
#[derive(Default)]
struct Pass {
    checked: Checked,
    /// The records that sections name of other sections, each with the record that names it.
    named: Vec<(String, Link)>,
}

impl Audit {
    /// Checks every record against the one before it in its section, and each section against those that name it.
    /// Passes each readable record to `see`.
    pub async fn verify(&self, mut see: impl FnMut(&str, Record)) -> Result<Checked> {
        let pages =
            self.container.list(Listing { prefix: layout::AUDIT, from: None, page: 5000, metadata: false });
        let names = pages
            .map_ok(|page| futures::stream::iter(page.into_iter().map(Ok::<_, ServiceError>)))
            .try_flatten();
        let records = names
            .map_ok(|Item { name, .. }| async move {
                let bytes = self.container.read(&name).await?;
                Ok::<_, ServiceError>((name, bytes.unwrap_or_default()))
            })
            .try_buffered(AT_ONCE);
        pin_mut!(records);
        let mut pass = Pass::default();
        while let Some(record) = records.next().await {
            let (name, bytes) = record?;
            pass.take(&name, &bytes, &mut see);
        }
        let Pass { mut checked, named } = pass;
        for (by, link) in named {
            if checked.has(&link.sha256) {
                continue;
            }
            let fault = self.named(link).await?;
            checked.faults.extend(fault.map(|fault| (by, fault)));
        }
        checked.sections.sort_by_key(|section| (section.first, section.name.clone()));
        Ok(checked)
    }

    /// The fault of a named record that the listing did not show. It may have been written meanwhile.
    async fn named(&self, Link { name, sha256 }: Link) -> Result<Option<Fault>> {
        Ok(match self.container.read(&name).await? {
            None => Some(Fault::SectionMissing { name }),
            Some(bytes) if Digest::of(&bytes) == sha256 => None,
            Some(_) => Some(Fault::SectionChanged { name }),
        })
    }
}

impl Pass {
    fn take(&mut self, name: &str, bytes: &[u8], see: &mut impl FnMut(&str, Record)) {
        self.checked.records += 1;
        let (section, number, written) = match layout::parse_audit(name) {
            Some(parsed) => (parsed.section, Some(parsed.number), Some(parsed.sha256)),
            None if layout::is_old_audit(name) => (layout::AUDIT.trim_end_matches('/'), None, None),
            None => return self.checked.faults.push((name.to_owned(), Fault::Misnamed)),
        };
        // Names are sorted, so the records of a section are adjacent.
        let newest = self.checked.sections.last_mut().filter(|of| of.name == section);
        let (head, fault) = check(name, written, bytes, newest.as_ref().map(|of| &of.head));
        self.checked.faults.extend(fault.map(|fault| (name.to_owned(), fault)));
        let found = Digest::of(bytes);
        self.checked.digests.insert(found);
        let record = Record::read(bytes).ok();
        let at = record.as_ref().map(|record| record.at);
        match newest {
            Some(of) => {
                (of.records, of.last, of.head) = (of.records + 1, at.or(of.last), head);
                of.first = of.first.or(at);
                of.digests.push((number.unwrap_or(of.records), found));
            }
            None => self.checked.sections.push(CheckedSection {
                name: section.to_owned(),
                records: 1,
                first: at,
                last: at,
                head,
                digests: vec![(number.unwrap_or(1), found)],
            }),
        }
        if let Some(record) = record {
            self.named.extend(record.seen.iter().map(|link| (name.to_owned(), link.clone())));
            see(name, record);
        }
    }
}
