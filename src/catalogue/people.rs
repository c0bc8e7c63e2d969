//! What people decided about retention, and their holds. No app may add one.

use std::collections::BTreeSet;

use futures::{TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use super::{Catalogue, layout, metadata};
use crate::{
    azure::container::{Listing, Written},
    domain::{
        retention::{DECISION_FORMAT, Decision, HOLD_FORMAT, Hold, HoldAct, Ticket},
        run::countdown,
        source::{SourceKind, SourceName},
    },
    error::{Error, Result},
    stored::read_metadata,
};

/// Names per listing request.
const PAGE: u16 = 500;

const DECISION: &str = "decision";

const HOLD: &str = "hold";

impl Catalogue {
    /// Records a hold under the next free number of its ticket.
    ///
    /// Not safe to run twice: two calls set two holds.
    pub async fn create_hold(&self, hold: &Hold) -> Result<u32> {
        for number in self.next_hold(hold).await?.. {
            let name = layout::hold(hold.kind, &hold.source, &hold.ticket, number, HoldAct::Set);
            let metadata = metadata(&name, HOLD, hold)?;
            if self.container.add(&name, Vec::new(), metadata).await? == Written::Created {
                return Ok(number);
            }
        }
        Err(Error::Busy(format!("hold {} has no free number", hold.ticket)))
    }

    async fn next_hold(&self, hold: &Hold) -> Result<u32> {
        let known = self.all_holds(hold.kind, &hold.source).await?;
        let numbers = known.iter().filter(|(of, ..)| of.ticket == hold.ticket).map(|(_, number, _)| *number);
        Ok(numbers.max().unwrap_or(0) + 1)
    }

    /// Records that a hold is released, with a record that says who released it and why. Safe to run twice.
    pub async fn release_hold(&self, number: u32, release: &Hold) -> Result<Written> {
        let name = layout::hold(release.kind, &release.source, &release.ticket, number, HoldAct::Released);
        let metadata = metadata(&name, HOLD, release)?;
        Ok(self.container.add(&name, Vec::new(), metadata).await?)
    }

    /// The holds on a source that are not released.
    pub async fn holds(&self, kind: SourceKind, source: &SourceName) -> Result<Vec<Hold>> {
        let all = self.all_holds(kind, source).await?;
        Ok(all.into_iter().filter(|(_, _, released)| !released).map(|(hold, ..)| hold).collect())
    }

    /// Every hold that was ever set on a source, its number, and whether it is released. One that cannot be read holds
    /// the whole source.
    pub async fn all_holds(&self, kind: SourceKind, source: &SourceName) -> Result<Vec<(Hold, u32, bool)>> {
        let prefix = layout::holds(kind, source);
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: PAGE, metadata: true });
        pin_mut!(pages);
        let mut found: Vec<(Hold, u32, bool)> = Vec::new();
        let mut released = BTreeSet::new();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                match layout::parse_hold(&prefix, &item.name) {
                    Some((ticket, number, HoldAct::Released)) => drop(released.insert((ticket, number))),
                    Some((ticket, number, HoldAct::Set)) => {
                        let record = read_metadata::<Hold>(&item.name, &item.metadata, HOLD, HOLD_FORMAT);
                        let own = |of: &Hold| of.source == *source && of.kind == kind && of.ticket == ticket;
                        let record = record.ok().flatten().filter(own);
                        let at = item.modified.unwrap_or(OffsetDateTime::UNIX_EPOCH);
                        let hold = record.unwrap_or_else(|| Hold::unreadable(kind, source, ticket, at));
                        found.push((hold, number, false));
                    }
                    None => {
                        tracing::error!(blob.name = %item.name, "A hold cannot be read, and holds the whole source");
                        let at = item.modified.unwrap_or(OffsetDateTime::UNIX_EPOCH);
                        found.push((Hold::unreadable(kind, source, Ticket::unreadable(), at), 0, false));
                    }
                }
            }
        }
        for (hold, number, is_released) in &mut found {
            *is_released = released.contains(&(hold.ticket.clone(), *number));
        }
        Ok(found)
    }

    /// The sources on which there is or was a hold. One request each.
    pub async fn held_sources(&self, kind: SourceKind) -> Result<Vec<SourceName>> {
        self.rooms(&layout::holds_of(kind)).await
    }

    /// Records a decision of a person about the retention of a source, unless there is the same act of that second.
    pub async fn create_decision(&self, of: &Decision) -> Result<Written> {
        let name = layout::person(of.kind, &of.source, of.at, &of.act);
        Ok(self.container.add(&name, Vec::new(), metadata(&name, DECISION, of)?).await?)
    }

    /// What people decided about the retention of a source, newest first. A record that cannot be read, or that a newer
    /// program wrote, lets nothing go: neither it nor the older ones count, and a log line names it.
    pub async fn decisions(&self, kind: SourceKind, source: &SourceName) -> Result<Vec<Decision>> {
        let prefix = layout::people(kind, source);
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
