//! The outcome of a planned object that has no new backup.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    object::{ObjectId, ObjectKind, ObjectName},
    record::cut,
};

/// The version of the stored form that this program writes.
pub const OUTCOME_FORMAT: u32 = 1;

/// The most characters of a service's text.
const TEXT_LIMIT: usize = 1000;

/// The most bytes of it in a record, which has 8 KiB and escapes what is not ASCII.
const TEXT_BYTES: usize = 5000;

/// Room for what [`Failure::after`] adds to a text.
const ADDED: usize = 100;

/// The most bytes of a code or a request id in a record. Real ones have about forty.
const CODE_BYTES: usize = 200;

/// Why an object could not be backed up, in the words of the service that refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The service's error code, or one of this program if the service gave none.
    pub code: String,
    /// The service's text, cut to a thousand characters, or fewer if they take too many bytes.
    pub text: String,
    /// The HTTP status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The service's request id, for a support case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Failure {
    /// A failure that this program found itself.
    pub fn ours(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), status: None, request_id: None }.bounded()
    }

    /// Adds how often the object was tried, within what a record can hold.
    #[must_use]
    pub fn after(self, tried: Option<String>) -> Self {
        let Some(tried) = tried else { return self };
        let kept = cut(self.text.chars().take(TEXT_LIMIT - ADDED).collect(), TEXT_BYTES - ADDED);
        Self { text: format!("{kept} ({tried})"), ..self }.bounded()
    }

    /// Cuts the texts to what a record can hold.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let whole = self.text.len();
        if let Some((end, _)) = self.text.char_indices().nth(TEXT_LIMIT) {
            self.text.truncate(end);
        }
        self.text = cut(self.text, TEXT_BYTES);
        // Do not cut within a word, if there are words.
        let end = self.text.rfind(char::is_whitespace).filter(|_| self.text.len() < whole);
        if let Some(end) = end.filter(|end| *end > self.text.len() / 2) {
            self.text.truncate(end);
        }
        self.code = cut(self.code, CODE_BYTES);
        self.request_id = self.request_id.map(|id| cut(id, CODE_BYTES));
        self
    }
}

/// The kinds of outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    /// Not backed up, and something is wrong.
    Failed,
    /// Deleted between listing and backup: nothing to back up, nothing wrong.
    Disappeared,
}

/// The record of a planned object that got no backup. Written once for each run and object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// [`OUTCOME_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// The kind of outcome.
    pub outcome: OutcomeKind,
    /// What the service said.
    pub failure: Failure,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Outcome {
    /// The record of `failure`, or of the object's disappearance.
    pub fn new(id: &ObjectId, outcome: OutcomeKind, failure: Failure, at: OffsetDateTime) -> Self {
        Self {
            v: OUTCOME_FORMAT,
            kind: id.kind,
            name: id.name.clone(),
            outcome,
            failure: failure.bounded(),
            at,
        }
    }

    /// The object that the record is about.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::{RECORD_LIMIT, record};

    #[test]
    fn whatever_a_service_says_fits_into_a_record() {
        let id = ObjectId::new(ObjectKind::Certificate, "n".repeat(127).parse().unwrap());
        for c in ['x', '"', '\u{1}', 'ü', '鍵', '🔑'] {
            let text = c.to_string().repeat(10_000);
            let said = Failure {
                code: text.clone(),
                text: text.clone(),
                status: Some(400),
                request_id: Some(text.clone()),
            };
            let outcome = Outcome::new(&id, OutcomeKind::Failed, said, OffsetDateTime::UNIX_EPOCH);
            assert!(record(&outcome).unwrap().len() <= RECORD_LIMIT, "{c}");
            assert!(text.starts_with(&outcome.failure.text) && outcome.failure.text.len() > 400, "{c}");
        }
    }

    #[test]
    fn texts_are_cut_to_a_thousand_characters_and_codes_to_what_codes_have() {
        let said = |length: usize| Failure::ours(&"c".repeat(length), "t".repeat(length));
        assert_eq!((said(200).code.len(), said(201).code.len()), (200, 200));
        assert_eq!((said(1000).text.len(), said(1001).text.len()), (1000, 1000));
        let words = Failure::ours("c", "propagation ".repeat(100)).text;
        assert!(words.len() <= 1000 && words.ends_with("propagation"), "no word is cut: {words}");
        assert_eq!(
            said(3),
            Failure { code: "ccc".into(), text: "ttt".into(), status: None, request_id: None }
        );
    }

    #[test]
    fn a_record_speaks_of_its_object_and_its_time() {
        let id = ObjectId::new(ObjectKind::Key, "signing".parse().unwrap());
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::SECOND;
        let outcome = Outcome::new(&id, OutcomeKind::Disappeared, Failure::ours("NotFound", ""), at);
        assert_eq!((outcome.id(), outcome.at.unix_timestamp_nanos()), (id, 1_000_000_000));
    }
}
