//! Holds: a person's decision, for a ticket, that something is kept until the hold is released.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::{
    acknowledged::Reason,
    actor::Actor,
    moment::day,
    object::{ObjectId, ObjectKind, ObjectName},
    run::RunId,
    source::{SourceKind, SourceName},
};

/// The version of the stored form that this program writes.
pub const HOLD_FORMAT: u32 = 1;

/// The most characters of a ticket.
const TICKET_LIMIT: usize = 64;

/// A ticket: 1 to 64 letters, digits, hyphens and underscores. It is a part of a blob's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ticket(String);

/// The text is not a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a ticket of 1 to {TICKET_LIMIT} letters, digits, hyphens and underscores")]
pub struct TicketError;

impl Ticket {
    /// The ticket of a hold whose own cannot be read.
    pub fn unreadable() -> Self {
        Self("unreadable".to_owned())
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let legal = (1..=TICKET_LIMIT).contains(&text.len()) && text.bytes().all(legal);
        if legal { Ok(Self(text.to_owned())) } else { Err(TicketError) }
    }
}

impl TryFrom<String> for Ticket {
    type Error = TicketError;

    fn try_from(text: String) -> Result<Self, TicketError> {
        text.parse()
    }
}

impl From<Ticket> for String {
    fn from(ticket: Ticket) -> Self {
        ticket.0
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a record says of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum HoldAct {
    /// It was set.
    Set,
    /// It was released.
    Released,
}

/// What a hold is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "on")]
pub enum HoldScope {
    /// Everything of the source.
    Source,
    /// Every backup of one object.
    Object {
        /// Its kind. A record has a `kind` of its own, which is the source's.
        #[serde(rename = "object_kind")]
        kind: ObjectKind,
        /// Its name.
        name: ObjectName,
    },
    /// What one run left.
    Run {
        /// The run.
        run: RunId,
    },
    /// What runs of this time left, both ends included.
    Span {
        /// From this time.
        #[serde(with = "time::serde::rfc3339")]
        from: OffsetDateTime,
        /// To this time.
        #[serde(with = "time::serde::rfc3339")]
        to: OffsetDateTime,
    },
}

impl fmt::Display for HoldScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("everything"),
            Self::Object { kind, name } => write!(f, "{kind} {name}"),
            Self::Run { run } => run.fmt(f),
            Self::Span { from, to } => write!(f, "{} to {}", day(*from), day(*to)),
        }
    }
}

/// A hold. Several holds on one thing count separately: it is kept until the last of them is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// [`HOLD_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The source.
    pub source: SourceName,
    /// What the source is.
    pub kind: SourceKind,
    /// What of it is held.
    #[serde(flatten)]
    pub scope: HoldScope,
    /// The ticket. One ticket may have several holds on a source.
    pub ticket: Ticket,
    /// Why.
    pub reason: Reason,
    /// The person.
    pub by: Actor,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Hold {
    /// The hold that stands for a record that cannot be read: it is not known what it holds, so it holds everything.
    pub fn unreadable(kind: SourceKind, source: &SourceName, ticket: Ticket, at: OffsetDateTime) -> Self {
        let reason = Reason::of_program("its record cannot be read");
        let (source, scope, by) = (source.clone(), HoldScope::Source, Actor::TERMINAL);
        Self { v: HOLD_FORMAT, source, kind, scope, ticket, reason, by, at }
    }

    /// Whether it holds a point as a whole. `times` are those of the point: a point is held where one of them is.
    pub fn holds_point(&self, run: &RunId, times: [OffsetDateTime; 2]) -> bool {
        match &self.scope {
            HoldScope::Source => true,
            // A backup of a whole HSM has every key.
            HoldScope::Object { .. } => self.kind == SourceKind::Hsm,
            HoldScope::Run { run: held } => held == run,
            HoldScope::Span { from, to } => times.iter().any(|at| (from..=to).contains(&at)),
        }
    }

    /// Whether it holds a blob that a run left. `object` is whose backup the blob is, if it is one.
    pub fn holds_blob(&self, run: &RunId, object: Option<&ObjectId>) -> bool {
        let times = [run.occurrence().unwrap_or(OffsetDateTime::UNIX_EPOCH); 2];
        self.holds_point(run, times) || object.is_some_and(|id| self.holds_object(id.kind, &id.name))
    }

    /// Whether it holds every backup of an object.
    pub fn holds_object(&self, kind: ObjectKind, name: &ObjectName) -> bool {
        match &self.scope {
            HoldScope::Object { kind: held, name: named } => *held == kind && named == name,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::NIGHT;

    #[test]
    fn a_hold_is_on_the_blobs_of_what_it_names() {
        let (night, other) = (RunId::nightly(NIGHT), RunId::nightly(NIGHT - time::Duration::DAY));
        let (db, tls) = (crate::domain::samples::secret("db"), crate::domain::samples::secret("tls"));
        let object = HoldScope::Object { kind: db.kind, name: db.name.clone() };
        let span = HoldScope::Span { from: NIGHT, to: NIGHT };
        // Of the night: the backup of `db`, that of `tls`, the manifest; then the manifest of another night.
        for (kind, scope, expected) in [
            (SourceKind::Vault, HoldScope::Source, [true; 4]),
            (SourceKind::Vault, object.clone(), [true, false, false, false]),
            (SourceKind::Hsm, object, [true; 4]),
            (SourceKind::Vault, HoldScope::Run { run: night.clone() }, [true, true, true, false]),
            (SourceKind::Vault, span, [true, true, true, false]),
        ] {
            let source: SourceName = "kv-prod".parse().unwrap();
            let hold = Hold { scope, ..Hold::unreadable(kind, &source, Ticket::unreadable(), NIGHT) };
            let of = [(&night, Some(&db)), (&night, Some(&tls)), (&night, None), (&other, None)];
            assert_eq!(of.map(|(run, object)| hold.holds_blob(run, object)), expected, "{hold:?}");
        }
    }

    #[test]
    fn a_hold_keeps_its_stored_form() {
        let db = crate::domain::samples::secret("db");
        let day = time::Duration::DAY;
        for (scope, stored) in [
            (HoldScope::Source, r#""on":"source""#),
            (
                HoldScope::Object { kind: db.kind, name: db.name },
                r#""on":"object","object_kind":"secret","name":"db""#,
            ),
            (HoldScope::Run { run: RunId::nightly(NIGHT) }, r#""on":"run","run":"20261122T020000Z-nightly""#),
            (
                HoldScope::Span { from: NIGHT - day, to: NIGHT },
                r#""on":"span","from":"2026-11-21T02:00:00Z","to":"2026-11-22T02:00:00Z""#,
            ),
        ] {
            let stored = format!(
                r#"{{"v":1,"source":"kv-prod","kind":"vault",{stored},"ticket":"unreadable","reason":"its record cannot be read","by":{{"via":"terminal"}},"at":"2026-11-22T02:00:00Z"}}"#
            );
            let source: SourceName = "kv-prod".parse().unwrap();
            let hold =
                Hold { scope, ..Hold::unreadable(SourceKind::Vault, &source, Ticket::unreadable(), NIGHT) };
            assert_eq!(serde_json::to_string(&hold).unwrap(), stored);
            assert_eq!(serde_json::from_str::<Hold>(&stored).unwrap(), hold);
        }
    }

    #[test]
    fn what_stands_for_an_unreadable_record_holds_everything_and_can_be_stored_itself() {
        let source: SourceName = "kv-prod".parse().unwrap();
        let hold = Hold::unreadable(SourceKind::Vault, &source, Ticket::unreadable(), NIGHT);
        assert!(hold.holds_point(&RunId::nightly(NIGHT), [NIGHT; 2]));
        let stored = serde_json::to_string(&hold).unwrap();
        assert_eq!(serde_json::from_str::<Hold>(&stored).unwrap(), hold);
    }

    #[test]
    fn a_span_holds_what_one_of_its_times_is_in_both_ends_included() {
        let (day, second) = (time::Duration::DAY, time::Duration::SECOND);
        let (from, to) = (NIGHT - day, NIGHT);
        let source: SourceName = "kv-prod".parse().unwrap();
        let span = Hold {
            scope: HoldScope::Span { from, to },
            ..Hold::unreadable(SourceKind::Vault, &source, Ticket::unreadable(), NIGHT)
        };
        let (before, after) = (from - second, to + second);
        for (times, expected) in [
            ([from, from], true),
            ([to, to], true),
            ([before, before], false),
            ([after, after], false),
            ([before, to], true),
            ([from, after], true),
            // Copied later: it was there in the span, and neither of its times says so.
            ([before, after], false),
        ] {
            assert_eq!(span.holds_point(&RunId::nightly(NIGHT), times), expected, "{times:?}");
        }
        assert!(!span.holds_object(ObjectKind::Secret, &"db".parse().unwrap()), "it is on points");
    }

    #[test]
    fn a_hold_is_on_an_object_of_its_kind_however_its_name_is_written() {
        let source: SourceName = "kv-prod".parse().unwrap();
        let scope = HoldScope::Object { kind: ObjectKind::Secret, name: "Db-Password".parse().unwrap() };
        let hold =
            Hold { scope, ..Hold::unreadable(SourceKind::Vault, &source, Ticket::unreadable(), NIGHT) };
        for (kind, name, expected) in [
            (ObjectKind::Secret, "Db-Password", true),
            (ObjectKind::Secret, "db-password", true),
            (ObjectKind::Key, "Db-Password", false),
            (ObjectKind::Secret, "db-password-2", false),
        ] {
            assert_eq!(hold.holds_object(kind, &name.parse().unwrap()), expected, "{kind} {name}");
        }
    }

    #[test]
    fn a_ticket_is_a_part_of_a_blobs_name() {
        for good in ["A", "INC-4711", "law_2", &"x".repeat(64)] {
            assert_eq!(good.parse::<Ticket>().unwrap().to_string(), good);
        }
        for bad in ["", "a/b", "a.b", "a b", "../x", "é", &"x".repeat(65)] {
            assert!(bad.parse::<Ticket>().is_err(), "{bad}");
            assert!(serde_json::from_value::<Ticket>(bad.into()).is_err(), "{bad}, stored");
        }
    }
}
