//! The chain of records, and how a break in it is detected.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use time::Date;

use super::{Event, Record};
use crate::domain::{
    digest::{Digest, Hash},
    right::Right,
};

/// A section of the trail: what one process wrote by one right, without a break, beginning on one day; or the only
/// record of an event that any process may record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The right.
    pub right: Right,
    /// The day, in UTC.
    pub day: Date,
    /// A random number drawn for this section alone, or one derived from its event.
    pub writer: u64,
}

impl Section {
    /// The section of an event that any process may record. All processes derive the same one.
    pub fn of(event: &Event, day: Date) -> Self {
        let subject = event.subject_text();
        let writer: Hash<8> = Hash::of_fields([event.name().as_bytes(), subject.as_bytes()]);
        Self { right: event.right(), day, writer: u64::from_be_bytes(*writer.as_bytes()) }
    }

    /// Whether a record of `day` belongs to it. Days never go back: a process whose clock is late writes to the day
    /// before.
    pub fn takes(&self, day: Date) -> bool {
        day <= self.day
    }
}

/// A reference to another record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// The digest of its bytes.
    pub sha256: Digest,
}

/// What is wrong with the trail, at one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its name is not the name of a record.
    Misnamed,
    /// It cannot be read.
    Unreadable,
    /// A newer program wrote it, and this one cannot read it.
    TooNew {
        /// Its format.
        found: u64,
    },
    /// It was changed: its digest is not the one in its name.
    Altered,
    /// The previous record is gone.
    Missing {
        /// Its name.
        name: String,
    },
    /// The previous record was changed.
    Changed {
        /// Its name.
        name: String,
    },
    /// A record stands before it that it does not name.
    Inserted {
        /// That record's name.
        name: String,
    },
    /// It names the newest record that another section had when its own began, and that record is gone.
    SectionMissing {
        /// The other section's record.
        name: String,
    },
    /// It names the newest record that another section had when its own began, and that record was changed.
    SectionChanged {
        /// The other section's record.
        name: String,
    },
}

/// Checks a record against the previous one of its section, and returns what the next one is checked against. `written`
/// is the digest in the record's name; names on the trail of older programs have none.
pub fn check(
    name: &str,
    written: Option<Digest>,
    bytes: &[u8],
    before: Option<&Link>,
) -> (Link, Option<Fault>) {
    let found = Digest::of(bytes);
    let link = Link { name: name.to_owned(), sha256: written.unwrap_or(found) };
    let fault = match Record::read(bytes) {
        Err(fault) => Some(fault),
        Ok(_) if link.sha256 != found => Some(Fault::Altered),
        Ok(record) => follows(record.after, before),
    };
    (link, fault)
}

fn follows(after: Option<Link>, before: Option<&Link>) -> Option<Fault> {
    match (after, before) {
        (None, None) => None,
        (Some(after), None) => Some(Fault::Missing { name: after.name }),
        (None, Some(before)) => Some(Fault::Inserted { name: before.name.clone() }),
        (Some(after), Some(before)) => match after.name.cmp(&before.name) {
            Ordering::Less => Some(Fault::Inserted { name: before.name.clone() }),
            Ordering::Equal => (after.sha256 != before.sha256).then_some(Fault::Changed { name: after.name }),
            Ordering::Greater => Some(Fault::Missing { name: after.name }),
        },
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;
    use crate::domain::{
        actor::Actor,
        audit::{AUDIT_FORMAT, Event},
        restore::RestoreId,
        run::RunId,
    };

    const AT: time::OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    type Chain = Vec<(String, Vec<u8>)>;

    fn chain(records: u32) -> Chain {
        let mut chain = Chain::new();
        for number in 1..=records {
            let after =
                chain.last().map(|(name, bytes)| Link { name: name.clone(), sha256: Digest::of(bytes) });
            let event = Event::BackupRequested {
                vault: "kv-prod".parse().unwrap(),
                run: RunId::manual(AT, 7),
                objects: number,
            };
            let seen = Vec::new();
            let record = Record { v: AUDIT_FORMAT, at: AT, by: Actor::TIMER, event, after, seen };
            chain.push((format!("{number:08}"), serde_json::to_vec(&record).unwrap()));
        }
        chain
    }

    fn without(mut chain: Chain, record: usize) -> Chain {
        chain.remove(record);
        chain
    }

    fn with(mut chain: Chain, record: usize, from: &str, to: &str) -> Chain {
        let text = String::from_utf8(chain[record].1.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        chain[record].1 = text.replace(from, to).into_bytes();
        chain
    }

    /// `written` has the digests of a section's names.
    fn faults(chain: &Chain, written: Option<&Chain>) -> Vec<Fault> {
        let (mut before, mut faults) = (None, Vec::new());
        for (number, (name, bytes)) in chain.iter().enumerate() {
            let written = written.map(|written| Digest::of(&written[number].1));
            let (link, fault) = check(name, written, bytes, before.as_ref());
            before = Some(link);
            faults.extend(fault);
        }
        faults
    }

    #[test]
    fn whoever_tells_of_an_event_tells_of_it_in_the_same_section() {
        let id = |salt| RestoreId::new(AT, salt);
        let abandoned =
            |salt| Event::RestoreAbandoned { restore: id(salt), target: "kv-prod".parse().unwrap() };
        let asked =
            Event::BackupRequested { vault: "kv-prod".parse().unwrap(), run: id(7).into(), objects: 0 };
        let of = |event: &Event| Section::of(event, AT.date());
        assert_eq!(of(&abandoned(7)), of(&abandoned(7)));
        assert_ne!(of(&abandoned(7)), of(&abandoned(8)));
        assert_eq!((of(&asked).right, of(&abandoned(7)).right), (Right::Backup, Right::Restore));
        assert_ne!(of(&asked).writer, of(&abandoned(7)).writer, "another event of that name");
    }

    #[test]
    fn what_is_missing_changed_or_inserted_shows() {
        let name = || "00000002".to_owned();
        let changed = with(chain(4), 1, "\"objects\":2", "\"objects\":9");
        let mut inserted = chain(4);
        inserted.insert(2, ("00000002x".into(), inserted[2].1.clone()));
        let mut broken = chain(4);
        broken[3].1 = b"{}".to_vec();
        let mut two_firsts = chain(2);
        two_firsts.push(("00000003".into(), chain(1).remove(0).1));
        let table = [
            (chain(4), vec![]),
            (without(chain(4), 1), vec![Fault::Missing { name: name() }]),
            (without(chain(2), 0), vec![Fault::Missing { name: "00000001".into() }]),
            (changed, vec![Fault::Changed { name: name() }]),
            (inserted, vec![Fault::Inserted { name: "00000002x".into() }]),
            (broken, vec![Fault::Unreadable]),
            (with(chain(4), 3, "\"v\":2", "\"v\":3"), vec![Fault::TooNew { found: 3 }]),
            (two_firsts, vec![Fault::Inserted { name: name() }]),
        ];
        for (chain, expected) in table {
            assert_eq!(faults(&chain, None), expected);
        }
    }

    #[test]
    fn in_a_section_a_change_shows_at_the_record_itself_and_once() {
        let changed = |records| with(chain(records), 1, "\"objects\":2", "\"objects\":9");
        assert_eq!(faults(&chain(4), Some(&chain(4))), []);
        assert_eq!(faults(&changed(2), Some(&chain(2))), [Fault::Altered], "also at the newest");
        assert_eq!(faults(&changed(4), Some(&chain(4))), [Fault::Altered]);
    }

    #[test]
    fn days_never_go_back() {
        let section = Section { right: Right::Backup, day: date!(2026 - 11 - 22), writer: 7 };
        assert!(section.takes(date!(2026 - 11 - 21)) && section.takes(date!(2026 - 11 - 22)));
        assert!(!section.takes(date!(2026 - 11 - 23)));
    }
}
