//! What people decided about retention, and their holds. No app may add one.

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};
use time::{OffsetDateTime, macros::datetime};

use super::{Catalogue, layout, metadata};
use crate::{
    azure::container::{Listing, Written},
    domain::{
        retention::{DECISION_FORMAT, Decision, HOLD_FORMAT, Hold, HoldAct, Ticket},
        run::countdown,
        second::Place,
        source::{SourceKind, SourceName},
    },
    error::{Error, Result},
    stored::read_metadata,
};

/// Names per listing request.
const PAGE: u16 = 500;

const DECISION: &str = "decision";

const HOLD: &str = "hold";

/// When a release was stored of which storage does not say when: later than any time that is asked for.
const NEVER: OffsetDateTime = datetime!(2070-01-01 0:00 UTC);

/// A hold as it is stored.
#[derive(Clone, Debug)]
pub struct StoredHold {
    /// The hold.
    pub hold: Hold,
    /// Its number under its ticket.
    pub number: u32,
    /// When its release was stored, if it is released.
    pub released: Option<OffsetDateTime>,
    /// Whether it was copied from the first place, where alone it is released.
    pub is_copy: bool,
}

impl Catalogue {
    /// Records a hold under the next free number of its ticket.
    ///
    /// Not safe to run twice: two calls set two holds.
    pub async fn create_hold(&self, hold: &Hold) -> Result<u32> {
        for number in self.next_hold(hold).await?.. {
            let name = self.own(&layout::hold(hold.kind, &hold.source, &hold.ticket, number, HoldAct::Set));
            let metadata = metadata(&name, HOLD, hold)?;
            if self.container.add(&name, Vec::new(), metadata).await? == Written::Created {
                return Ok(number);
            }
        }
        Err(Error::Busy(format!("hold {} has no free number", hold.ticket)))
    }

    async fn next_hold(&self, hold: &Hold) -> Result<u32> {
        let known = self.own_holds(hold.kind, &hold.source).await?;
        let numbers = known.iter().filter(|of| of.hold.ticket == hold.ticket).map(|of| of.number);
        Ok(numbers.max().unwrap_or(0) + 1)
    }

    /// Records that a hold of this place is released, with a record that says who released it and why. Safe to run twice.
    pub async fn release_hold(&self, number: u32, release: &Hold) -> Result<Written> {
        let name = self.own(&layout::hold(
            release.kind,
            &release.source,
            &release.ticket,
            number,
            HoldAct::Released,
        ));
        let metadata = metadata(&name, HOLD, release)?;
        Ok(self.container.add(&name, Vec::new(), metadata).await?)
    }

    /// The holds on a source that are not released.
    pub async fn holds(&self, kind: SourceKind, source: &SourceName) -> Result<Vec<Hold>> {
        let all = self.all_holds(kind, source).await?;
        Ok(all.into_iter().filter(|of| of.released.is_none()).map(|of| of.hold).collect())
    }

    /// The holds on a source that bind the owners of the second place: their own, and those of the first place, of which a release
    /// counts only if it had arrived by a time.
    pub async fn holds_in_second(
        &self,
        kind: SourceKind,
        source: &SourceName,
        arrived: OffsetDateTime,
    ) -> Result<Vec<Hold>> {
        let binds = |of: &StoredHold| match of.released {
            None => true,
            Some(released) => of.is_copy && released > arrived,
        };
        Ok(self.all_holds(kind, source).await?.into_iter().filter(binds).map(|of| of.hold).collect())
    }

    /// Every hold that was ever set on a source. In the second place those that were copied from the first come first. One that
    /// cannot be read holds the whole source.
    pub async fn all_holds(&self, kind: SourceKind, source: &SourceName) -> Result<Vec<StoredHold>> {
        let mut all = Vec::new();
        if self.place == Place::Second {
            all = self.holds_under((kind, source), layout::holds(kind, source)).await?;
            for of in &mut all {
                of.is_copy = true;
            }
        }
        all.extend(self.own_holds(kind, source).await?);
        Ok(all)
    }

    /// The same, of those that were set in this place.
    pub async fn own_holds(&self, kind: SourceKind, source: &SourceName) -> Result<Vec<StoredHold>> {
        self.holds_under((kind, source), self.own(&layout::holds(kind, source))).await
    }

    async fn holds_under(
        &self,
        (kind, source): (SourceKind, &SourceName),
        prefix: String,
    ) -> Result<Vec<StoredHold>> {
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: PAGE, metadata: true });
        pin_mut!(pages);
        let mut found: Vec<StoredHold> = Vec::new();
        let mut released = BTreeMap::new();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                let at = item.modified.unwrap_or(OffsetDateTime::UNIX_EPOCH);
                let (hold, number) = match layout::parse_hold(&prefix, &item.name) {
                    Some((ticket, number, HoldAct::Released)) => {
                        released.insert((ticket, number), item.modified.unwrap_or(NEVER));
                        continue;
                    }
                    Some((ticket, number, HoldAct::Set)) => {
                        let record = read_metadata::<Hold>(&item.name, &item.metadata, HOLD, HOLD_FORMAT);
                        let own = |of: &Hold| of.source == *source && of.kind == kind && of.ticket == ticket;
                        let record = record.ok().flatten().filter(own);
                        (record.unwrap_or_else(|| Hold::unreadable(kind, source, ticket, at)), number)
                    }
                    None => {
                        tracing::error!(blob.name = %item.name, "A hold cannot be read, and holds the whole source");
                        (Hold::unreadable(kind, source, Ticket::unreadable(), at), 0)
                    }
                };
                found.push(StoredHold { hold, number, released: None, is_copy: false });
            }
        }
        for of in &mut found {
            of.released = released.get(&(of.hold.ticket.clone(), of.number)).copied();
        }
        Ok(found)
    }

    /// The sources on which there is or was a hold. One request each.
    pub async fn held_sources(&self, kind: SourceKind) -> Result<Vec<SourceName>> {
        let mut sources = self.rooms(&layout::holds_of(kind)).await?;
        if self.place == Place::Second {
            sources.extend(self.rooms(&self.own(&layout::holds_of(kind))).await?);
            sources.sort();
            sources.dedup();
        }
        Ok(sources)
    }

    /// Records a decision of a person about the retention of a source, unless there is the same act of that second.
    pub async fn create_decision(&self, of: &Decision) -> Result<Written> {
        let name = self.own(&layout::person(of.kind, &of.source, of.at, &of.act));
        Ok(self.container.add(&name, Vec::new(), metadata(&name, DECISION, of)?).await?)
    }

    /// What people decided about the retention of a source, newest first. In the second place, what its owners decided. A record that cannot be read, or that a newer
    /// program wrote, lets nothing go: neither it nor the older ones count, and a log line names it.
    pub async fn decisions(&self, kind: SourceKind, source: &SourceName) -> Result<Vec<Decision>> {
        let prefix = self.own(&layout::people(kind, source));
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: PAGE, metadata: true });
        pin_mut!(pages);
        let mut found = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                match read_metadata::<Decision>(&item.name, &item.metadata, DECISION, DECISION_FORMAT) {
                    Ok(Some(of)) if of.source == *source && of.kind == kind => found.push(of),
                    Ok(_) => {
                        let name = &item.name;
                        tracing::error!(blob.name = %name, "Blob {name} does not carry its own record, and does not count");
                        return Ok(later_than(&prefix, name, found));
                    }
                    Err(error) => {
                        tracing::error!(blob.name = %item.name, "A record does not count: {error}");
                        return Ok(later_than(&prefix, &item.name, found));
                    }
                }
            }
        }
        Ok(found)
    }
}

/// The decisions that are later than a record that cannot be read. Names say the second alone, and storage lists those of
/// one second by what they decide.
fn later_than(prefix: &str, name: &str, mut found: Vec<Decision>) -> Vec<Decision> {
    let second = name.strip_prefix(prefix).and_then(|rest| rest.split('.').next()).unwrap_or_default();
    found.retain(|of| countdown(of.at) != second);
    found
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::{actor::Actor, retention::Act, samples::NIGHT};

    #[test]
    fn of_the_second_of_a_record_that_cannot_be_read_nothing_counts() {
        let source: SourceName = "kv-prod".parse().unwrap();
        let of = |at| Decision {
            v: DECISION_FORMAT,
            source: source.clone(),
            kind: SourceKind::Vault,
            act: Act::Release,
            reason: "closed".parse().unwrap(),
            by: Actor::TERMINAL,
            at,
        };
        let (later, same) = (of(NIGHT + Duration::SECOND), of(NIGHT));
        let prefix = layout::people(SourceKind::Vault, &source);
        let name = layout::person(SourceKind::Vault, &source, NIGHT, &Act::Withdraw);
        assert_eq!(later_than(&prefix, &name, vec![later.clone(), same]), [later]);
    }
}
