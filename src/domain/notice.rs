//! Notices: what is told to a chat or a program outside, once for each change of state.
//!
//! [`Told`] is the record of what was told. From it and from the present state follow new notices and the new record,
//! which is stored before anything is sent: so of two processes one tells, and what was decided is not lost with the
//! process. Nothing is judged here: that a source is not well, and why, is what [`super::state`] says.

mod form;
mod night;
mod outbox;
mod restores;
mod summary;
mod target;
#[cfg(test)]
mod tests;
mod told;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::{
    form::body,
    night::Night,
    outbox::{Ending, Outbox, Outcome, Post, Waiting},
    restores::{Asked, Restored},
    target::{Form, Target, Unusable},
    told::{NOTICES_FORMAT, Part, SETTLE, Subject, Told, Wrong},
};
use super::digest::Fingerprint;

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Something is not protected.
    Error,
    /// Something is weaker than it should be.
    Warning,
    /// Good to know.
    Info,
    /// What was wrong is well again, or something ended well.
    Good,
}

/// The most characters of a title.
const TITLE: usize = 150;

/// The most characters of a text.
const TEXT: usize = 1500;

/// One thing that is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Names this change of state: a receiver that gets it twice may drop one.
    pub id: Fingerprint,
    /// When the change was seen.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What sort of change it is: the code of a trouble, or one of the other stable names in `docs/notifications.md`.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// The source, as in `vault kv-prod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// One line.
    pub title: String,
    /// What is known.
    pub text: String,
    /// What to do; empty if there is nothing to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

impl Notice {
    /// A notice of a change that was seen at a time. `key` distinguishes it from other changes seen at that time.
    fn new(
        code: &str,
        key: &[&str],
        at: OffsetDateTime,
        severity: Severity,
        title: &str,
        text: &str,
    ) -> Self {
        let at_text = super::moment::second(at);
        let fields = [code, &at_text].into_iter().chain(key.iter().copied()).map(str::as_bytes);
        Self {
            id: Fingerprint::of_fields(fields),
            at,
            code: code.to_owned(),
            severity,
            source: None,
            title: plain(title, TITLE),
            text: plain(text, TEXT),
            advice: String::new(),
        }
    }

    /// A notice that tests a target. It tells of no change.
    pub fn test(at: OffsetDateTime) -> Self {
        let text = "This is a test. Notices of this installation arrive here.";
        Self::new("test", &[], at, Severity::Info, "keyvault-backup: a test", text)
    }

    fn of(self, source: &str) -> Self {
        Self { source: Some(plain(source, TITLE)), ..self }
    }

    fn advising(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }
}

/// A text without control characters, but for line ends, and not longer than `most` characters.
fn plain(text: &str, most: usize) -> String {
    let is_harmless = |c: &char| *c == '\n' || !(c.is_control() || is_direction(*c));
    let mut plain: String = text.chars().filter(is_harmless).take(most + 1).collect();
    if plain.chars().count() > most {
        plain = plain.chars().take(most.saturating_sub(1)).collect();
        plain.push('…');
    }
    plain
}

/// Whether a character changes the direction in which the text around it is shown.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
