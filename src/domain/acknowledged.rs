//! Losses that people acknowledged, and failures that they accepted for a time.
//!
//! Both are permanent records. A loss is acknowledged once, under the run that found it. An object's failure is
//! accepted until a date, and only for the reason that it had then. The newest record of an object counts, so an
//! acceptance is withdrawn by another record, never by a deletion.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{
    Date, Duration, OffsetDateTime, Time, format_description::BorrowedFormatItem,
    format_description::well_known::Rfc3339, macros::format_description,
};

use super::{
    actor::Actor,
    loss::Loss,
    manifest::Line,
    object::{ObjectId, ObjectKind, ObjectName},
    outcome::Failure,
    record::whole_second,
    run::RunId,
    source::SourceName,
};

/// The version of the stored forms that this program writes.
pub const ACKNOWLEDGED_FORMAT: u32 = 1;

/// The most characters of a reason. They take at most six of a record's eight kilobytes.
const REASON_LIMIT: usize = 500;

/// The longest time for which a failure can be accepted, in years. After that a person has to decide again.
const MOST_YEARS: i32 = 2;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A reason in a person's words: one line of 1 to 500 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

/// The text is not a reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one line of 1 to {REASON_LIMIT} characters that says why")]
pub struct ReasonError;

impl Reason {
    /// A reason that this program gives, for a record that stands for one which cannot be read.
    pub(super) fn of_program(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        let text = text.trim();
        let legal = (1..=REASON_LIMIT).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if legal { Ok(Self(text.to_owned())) } else { Err(ReasonError) }
    }
}

impl TryFrom<String> for Reason {
    type Error = ReasonError;

    fn try_from(text: String) -> Result<Self, ReasonError> {
        text.parse()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why the end of an acceptance is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UntilError {
    /// Neither a date nor a time.
    #[error("expected a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")]
    Form,
    /// Not in the future.
    #[error("it has passed; give a date in the future")]
    Past,
    /// Too far in the future.
    #[error("it is more than {MOST_YEARS} years away; give an earlier date, and accept it again then")]
    Far,
}

/// Parses the end of an acceptance. A date includes its whole day, in UTC.
///
/// # Errors
/// [`UntilError::Form`].
pub fn until(text: &str) -> Result<OffsetDateTime, UntilError> {
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(whole_second(time).to_offset(time::UtcOffset::UTC));
    }
    let day = Date::parse(text, DAY).ok().and_then(Date::next_day);
    day.map(|day| day.with_time(Time::MIDNIGHT).assume_utc()).ok_or(UntilError::Form)
}

/// Checks that a failure may be accepted until then.
///
/// # Errors
/// [`UntilError::Past`] and [`UntilError::Far`].
pub fn check_until(until: OffsetDateTime, now: OffsetDateTime) -> Result<(), UntilError> {
    let year = now.year() + MOST_YEARS;
    // Not every year has a 29 February. A date includes its whole day, so the limit is a day later.
    let most = now.replace_year(year).or_else(|_| (now - Duration::DAY).replace_year(year));
    match most {
        _ if until <= now => Err(UntilError::Past),
        Ok(most) if until <= most + Duration::DAY => Ok(()),
        _ => Err(UntilError::Far),
    }
}

/// A person's acknowledgement of a loss. As far as that loss goes, the source counts as well again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// [`ACKNOWLEDGED_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The source.
    pub source: SourceName,
    /// The run that found the loss.
    pub run: RunId,
    /// Why it is no trouble, or is none any more.
    pub reason: Reason,
    /// Who acknowledged it.
    pub by: Actor,
    /// When it was acknowledged.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A person's decision about a failing object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "decision")]
pub enum Acceptance {
    /// Its failure is accepted for a time.
    Accepted {
        /// The failure's code. A failure with another code counts again.
        code: String,
        /// Why.
        reason: Reason,
        /// When the acceptance ends. From then on the failure counts again.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
    /// An earlier acceptance is withdrawn.
    Withdrawn,
}

/// The record of a decision. An object may have several; the newest counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptanceRecord {
    /// [`ACKNOWLEDGED_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The source.
    pub source: SourceName,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// The decision.
    #[serde(flatten)]
    pub acceptance: Acceptance,
    /// Who decided.
    pub by: Actor,
    /// When it was decided.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl AcceptanceRecord {
    /// The object that it is about.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }

    /// The acceptance; `None` for a withdrawal.
    pub fn accepted(&self) -> Option<Accepted> {
        match &self.acceptance {
            Acceptance::Accepted { code, until, .. } => {
                Some(Accepted { kind: self.kind, name: self.name.clone(), code: code.clone(), until: *until })
            }
            Acceptance::Withdrawn => None,
        }
    }

    /// The standing of the decision. `line` is the object's line in the newest run, if it has one.
    pub fn standing(&self, line: Option<&Line>, now: OffsetDateTime) -> Standing {
        let failure = line.filter(|line| line.is_failing()).and_then(|line| line.failure.as_ref());
        match (self.accepted(), line, failure) {
            (None, ..) => Standing::Withdrawn,
            (Some(of), ..) if now >= of.until => Standing::Expired,
            (Some(of), Some(line), _) if of.covers(line, now) => Standing::InForce,
            (Some(_), _, Some(failure)) => Standing::OtherReason { now: failure.code.clone() },
            (Some(_), ..) => Standing::NotFailing,
        }
    }
}

/// The standing of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "standing")]
pub enum Standing {
    /// The object fails as accepted, which is no trouble.
    InForce,
    /// A person withdrew it.
    Withdrawn,
    /// It has expired.
    Expired,
    /// The object fails for another reason now, which counts as a failure.
    OtherReason {
        /// The code of that failure.
        now: String,
    },
    /// The object does not fail.
    NotFailing,
}

/// The part of an acceptance that decides whether a failure counts. A run's plan has those in force at that time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// The code of the failure.
    pub code: String,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

impl Accepted {
    /// Whether it is of a failure of an object, at that time: the object is the same, it fails for the accepted reason,
    /// and the acceptance has not expired. This is the only place that decides it.
    pub fn is_of(&self, id: &ObjectId, failure: &Failure, now: OffsetDateTime) -> bool {
        self.kind == id.kind && self.name == id.name && self.code == failure.code && now < self.until
    }

    /// Whether a line is a failure that a person accepted, at that time.
    pub fn covers(&self, line: &Line, now: OffsetDateTime) -> bool {
        line.is_failing() && line.failure.as_ref().is_some_and(|failure| self.is_of(&line.id(), failure, now))
    }
}

/// All acknowledgements and acceptances for one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Every loss that was acknowledged.
    pub losses: Vec<Acknowledgement>,
    /// The newest decision about each object.
    pub acceptances: Vec<AcceptanceRecord>,
}

impl Acknowledged {
    /// The acknowledgement of the loss that a run found.
    pub fn loss(&self, run: &RunId) -> Option<&Acknowledgement> {
        self.losses.iter().find(|of| of.run == *run)
    }

    /// The runs of these losses that were acknowledged, each once.
    pub fn runs(&self, losses: &[Loss]) -> Vec<RunId> {
        let mut runs: Vec<_> = losses.iter().map(|loss| loss.run.clone()).collect();
        runs.dedup();
        runs.retain(|run| self.loss(run).is_some());
        runs
    }

    /// The newest decision about an object.
    pub fn acceptance(&self, id: &ObjectId) -> Option<&AcceptanceRecord> {
        self.acceptances.iter().find(|of| of.id() == *id)
    }

    /// The decision that covers a line, if one does.
    pub fn covering(&self, line: &Line, now: OffsetDateTime) -> Option<&AcceptanceRecord> {
        let of = self.acceptance(&line.id())?;
        of.accepted().filter(|accepted| accepted.covers(line, now)).map(|_| of)
    }

    /// The acceptances that have not expired, in the order of objects.
    pub fn in_force(&self, now: OffsetDateTime) -> Vec<Accepted> {
        let all = self.acceptances.iter().filter_map(AcceptanceRecord::accepted);
        let mut found: Vec<_> = all.filter(|accepted| now < accepted.until).collect();
        found.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        found
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::{
        loss::How,
        manifest::ObjectStatus,
        record::{RECORD_LIMIT, record},
    };

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn line(kind: ObjectKind, name: &str, status: ObjectStatus, code: Option<&str>) -> Line {
        let id = ObjectId::new(kind, name.parse().unwrap());
        Line { failure: code.map(|code| Failure::ours(code, "")), ..Line::new(id, status, None) }
    }

    fn failing(name: &str, code: &str) -> Line {
        line(ObjectKind::Secret, name, ObjectStatus::Failed, Some(code))
    }

    fn record_of(acceptance: Acceptance) -> AcceptanceRecord {
        AcceptanceRecord {
            v: ACKNOWLEDGED_FORMAT,
            source: "kv-a".parse().unwrap(),
            kind: ObjectKind::Secret,
            name: "worn".parse().unwrap(),
            acceptance,
            by: Actor::TERMINAL,
            at: NOW,
        }
    }

    fn accepted(until: OffsetDateTime) -> AcceptanceRecord {
        let reason = "its users move in spring".parse().unwrap();
        record_of(Acceptance::Accepted { code: "TooManyVersions".into(), reason, until })
    }

    #[test]
    fn an_acceptance_covers_one_object_one_reason_and_one_time() {
        let later = NOW + Duration::SECOND;
        let (secret, key) = (ObjectKind::Secret, ObjectKind::Key);
        let same = Some("TooManyVersions");
        let cases = [
            (
                line(secret, "worn", ObjectStatus::Failed, same),
                accepted(later),
                Standing::InForce,
                "as accepted",
            ),
            (
                line(secret, "WORN", ObjectStatus::Failed, same),
                accepted(later),
                Standing::InForce,
                "another spelling",
            ),
            (
                line(secret, "worn", ObjectStatus::Failed, same),
                accepted(NOW),
                Standing::Expired,
                "the time has come",
            ),
            (
                failing("worn", "Forbidden"),
                accepted(later),
                Standing::OtherReason { now: "Forbidden".into() },
                "another reason",
            ),
            (
                line(secret, "worn", ObjectStatus::Failed, None),
                accepted(later),
                Standing::NotFailing,
                "no reason",
            ),
            (
                line(secret, "worn", ObjectStatus::BackedUp, None),
                accepted(later),
                Standing::NotFailing,
                "well",
            ),
            (
                line(secret, "worn", ObjectStatus::Disappeared, same),
                accepted(later),
                Standing::NotFailing,
                "deleted",
            ),
            (
                line(secret, "worn", ObjectStatus::Failed, same),
                record_of(Acceptance::Withdrawn),
                Standing::Withdrawn,
                "withdrawn",
            ),
        ];
        for (line, decided, standing, what) in cases {
            assert_eq!(decided.standing(Some(&line), NOW), standing, "{what}");
            let all = Acknowledged { losses: Vec::new(), acceptances: vec![decided.clone()] };
            let covering = all.covering(&line, NOW);
            assert_eq!(covering.is_some(), standing == Standing::InForce, "{what}");
        }
        let others = [
            line(key, "worn", ObjectStatus::Failed, same),
            line(secret, "other", ObjectStatus::Failed, same),
        ];
        let accepted = accepted(later);
        assert!(others.iter().all(|line| !accepted.accepted().unwrap().covers(line, NOW)));
        assert_eq!(accepted.standing(None, NOW), Standing::NotFailing);
    }

    #[test]
    fn a_plan_has_what_is_in_force_then() {
        let all = Acknowledged { losses: Vec::new(), acceptances: vec![accepted(NOW + Duration::SECOND)] };
        assert_eq!((all.in_force(NOW).len(), all.in_force(NOW + Duration::SECOND).len()), (1, 0));
    }

    #[test]
    fn a_plan_has_the_losses_that_were_acknowledged_and_are_open() {
        let loss = |days| {
            let since = NOW - Duration::days(days);
            Loss {
                run: RunId::nightly(since),
                since,
                kind: None,
                how: How::Part,
                of: 9,
                gone: 5,
                still_gone: 5,
                replaced: 0,
            }
        };
        let acknowledged = |days| Acknowledgement {
            v: ACKNOWLEDGED_FORMAT,
            source: "kv-a".parse().unwrap(),
            run: loss(days).run,
            reason: "moved".parse().unwrap(),
            by: Actor::TERMINAL,
            at: NOW,
        };
        let all = Acknowledged { losses: vec![acknowledged(3), acknowledged(1)], acceptances: Vec::new() };
        assert_eq!(all.runs(&[loss(2), loss(1), loss(1)]), [loss(1).run]);
    }

    #[test]
    fn an_end_is_a_date_or_a_time_within_two_years() {
        let until_then = |text: &str| until(text).and_then(|at| check_until(at, NOW).map(|()| at));
        assert_eq!(until_then("2027-01-31"), Ok(datetime!(2027-02-01 0:00 UTC)));
        assert_eq!(until_then("2026-11-22"), Ok(datetime!(2026-11-23 0:00 UTC)));
        assert_eq!(until_then("2027-01-31T12:00:00.5+02:00"), Ok(datetime!(2027-01-31 10:00 UTC)));
        assert_eq!(until_then("2026-11-22T10:00:00Z"), Err(UntilError::Past));
        assert_eq!(until_then("2026-11-21"), Err(UntilError::Past));
        assert!(until_then("2028-11-22").is_ok());
        assert_eq!(until_then("2028-11-24"), Err(UntilError::Far));
        let (leap_day, most) = (datetime!(2028-02-29 0:00 UTC), datetime!(2030-03-01 0:00 UTC));
        assert_eq!(check_until(most, leap_day), Ok(()));
        assert_eq!(check_until(most + Duration::SECOND, leap_day), Err(UntilError::Far));
        for bad in ["", "tomorrow", "2027-02-30", "31.01.2027", "2027-01-31 12:00"] {
            assert_eq!(until(bad), Err(UntilError::Form), "{bad}");
        }
    }

    #[test]
    fn a_reason_is_one_line_that_fits_into_a_record() {
        for bad in ["", "  ", "two\nlines", "a\ttab", &"x".repeat(501)] {
            assert_eq!(bad.parse::<Reason>(), Err(ReasonError), "{bad}");
            assert!(serde_json::from_value::<Reason>(bad.into()).is_err());
        }
        for c in ['x', '"', 'ü', '鍵', '🔑'] {
            let reason: Reason = c.to_string().repeat(500).parse().unwrap();
            let code = "\\".repeat(100);
            let mut of = record_of(Acceptance::Accepted { code, reason, until: NOW });
            of.name = "n".repeat(127).parse().unwrap();
            assert!(record(&of).unwrap().len() <= RECORD_LIMIT, "{c}");
        }
    }

    #[test]
    fn records_are_read_for_ever() {
        let sample = r#"{"v":1,"source":"kv-a","kind":"secret","name":"worn","decision":"accepted","code":"TooManyVersions","reason":"its users move in spring","until":"2027-02-01T00:00:00Z","by":{"via":"terminal"},"at":"2026-11-22T10:00:00Z"}"#;
        let of = accepted(datetime!(2027-02-01 0:00 UTC));
        assert_eq!((record(&of).unwrap().as_str(), serde_json::from_str(sample).ok()), (sample, Some(of)));
        let sample = r#"{"v":1,"source":"kv-a","kind":"secret","name":"worn","decision":"withdrawn","by":{"via":"terminal"},"at":"2026-11-22T10:00:00Z"}"#;
        let of = record_of(Acceptance::Withdrawn);
        assert_eq!((record(&of).unwrap().as_str(), serde_json::from_str(sample).ok()), (sample, Some(of)));
        let sample = r#"{"v":1,"source":"kv-a","run":"20261122T020000Z-nightly","reason":"moved to kv-b","by":{"via":"terminal"},"at":"2026-11-22T10:00:00Z"}"#;
        let of = Acknowledgement {
            v: ACKNOWLEDGED_FORMAT,
            source: "kv-a".parse().unwrap(),
            run: "20261122T020000Z-nightly".parse().unwrap(),
            reason: "moved to kv-b".parse().unwrap(),
            by: Actor::TERMINAL,
            at: NOW,
        };
        assert_eq!((record(&of).unwrap().as_str(), serde_json::from_str(sample).ok()), (sample, Some(of)));
    }
}
