//! What the trail has of a day, and the newest record of each of its sections.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Audit, layout};
use crate::{
    domain::{
        audit::{Head, Record},
        day::Day,
        right::Right,
    },
    error::Result,
};

/// Records that are read concurrently.
const AT_ONCE: usize = 16;

/// What the sections of a day have.
#[derive(Debug, Default)]
pub struct DayTrail {
    /// How many records there are.
    pub records: u32,
    /// Those that were read.
    pub read: Vec<Record>,
    /// How many more would have been.
    pub more: u32,
    /// How many could not be read.
    pub unread: u32,
}

impl Audit {
    /// The newest record of each section that began on a day or after it, in the order of their names. One request for
    /// each right and each 5,000 records.
    ///
    /// A section is written on the day on which it began, and on no later one.
    pub async fn heads(&self, since: Day) -> Result<Vec<Head>> {
        let mut heads = BTreeMap::new();
        for right in Right::ALL {
            let (prefix, from) = (layout::audit_of(right), layout::audit_from(right, since.date()));
            self.each(&prefix, Some(&from), |item| {
                if let Some(name) = layout::parse_audit(&item.name) {
                    // Names come in the order of numbers.
                    heads.insert(name.section.to_owned(), (name.number, name.sha256));
                }
            })
            .await?;
        }
        let head = |(section, (number, sha256))| Head { section, number, sha256 };
        Ok(heads.into_iter().map(head).collect())
    }

    /// Whether the section of a head began on a day, by the section's name.
    pub fn began_on(head: &Head, day: Day) -> bool {
        layout::section_day(&head.section) == Some(day.date())
    }

    /// The records of the sections of a day, in the order of rights and names. Those of `wanted` events are read, at most
    /// so many of each right: a flood by one right crowds out no other.
    pub async fn of_day(&self, day: Day, wanted: impl Fn(&str) -> bool, most: usize) -> Result<DayTrail> {
        let (mut found, mut names) = (DayTrail::default(), Vec::new());
        for right in Right::ALL {
            let from = layout::audit_from(right, day.date());
            let mut of_right = Vec::new();
            self.each(&from, None, |item| {
                found.records += 1;
                if !layout::parse_audit(&item.name).is_some_and(|name| wanted(name.event)) {
                    return;
                }
                if of_right.len() < most { of_right.push(item.name) } else { found.more += 1 }
            })
            .await?;
            names.extend(of_right);
        }
        let read = |name: String| async move {
            let bytes = self.container.read(&name).await?.unwrap_or_default();
            Ok::<_, crate::error::Error>(Record::read(&bytes))
        };
        let records: Vec<_> = stream::iter(names).map(read).buffered(AT_ONCE).try_collect().await?;
        for record in records {
            match record {
                Ok(record) => found.read.push(record),
                Err(_) => found.unread += 1,
            }
        }
        Ok(found)
    }
}
