//! Errors, and the removal of secrets from texts.

use std::{fmt, time::Duration};

use azure_core::http::{
    RawResponse,
    headers::{HeaderName, RETRY_AFTER},
};
use serde_json::Value;

use super::storage::SasToken;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// The service's refusal of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The service's code; the status if it gave none.
    pub code: String,
    /// The service's text, without signatures.
    pub message: String,
    /// The service's id of the request, for a support case. Some answers have it only in the message.
    pub request_id: Option<String>,
    /// How long the HSM asks to wait before the next request.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}

impl Refusal {
    pub(super) fn of(answer: &RawResponse, secret: &[SasToken]) -> Self {
        let status = u16::from(answer.status());
        let body: Value = serde_json::from_slice(answer.body().as_ref()).unwrap_or_default();
        let text = |name: &str| {
            let text = body["error"][name].as_str().filter(|text| !text.is_empty());
            text.map(|text| scrub(text, secret))
        };
        let silent = || format!("the service answered {status} without an explanation");
        Self {
            status,
            code: text("code").unwrap_or_else(|| status.to_string()),
            message: text("message").unwrap_or_else(silent),
            request_id: request_id(answer),
            retry_after: retry_after(answer),
        }
    }
}

pub(super) fn retry_after(answer: &RawResponse) -> Option<Duration> {
    let seconds = answer.headers().get_optional_str(&RETRY_AFTER)?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

pub(super) fn request_id(answer: &RawResponse) -> Option<String> {
    answer.headers().get_optional_string(&REQUEST_ID)
}

/// The error of a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service refused.
    #[error("the HSM refused: {0}")]
    Refused(Refusal),
    /// No answer, or half of one.
    #[error("the HSM did not answer")]
    NoAnswer(#[source] azure_core::Error),
    /// The credential gave no token.
    #[error("no token for the HSM")]
    NoToken(#[source] azure_core::Error),
    /// The HSM asks for a token that is not meant for it, and could misuse it.
    #[error("the HSM asks for a token for `{0}`, which is not its own audience")]
    ForeignChallenge(String),
    /// An answer that makes no sense.
    #[error("the answer makes no sense: {text}")]
    BadAnswer {
        /// The fault in the answer.
        text: String,
        /// The service's id of the request.
        request_id: Option<String>,
    },
    /// The request is impossible and was not sent.
    #[error("not sent: {0}")]
    NotSent(String),
}

impl Error {
    /// The service's refusal, if the error is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// The error of a start. Its variants say whether a job may be running all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The start was sent, and no readable answer came back. **The job may be running.**
    #[error("the start was sent, but its answer was lost")]
    AnswerLost(#[source] Error),
    /// `409`: another job is running, or has just ended. After a lost answer, it may be the intended one.
    #[error("the HSM is busy: {0}")]
    Conflict(Refusal),
    /// Any other refusal. See [`StartError::may_have_begun`].
    #[error("the HSM refused: {0}")]
    Refused(Refusal),
    /// The start was not sent: no connection, no token, or an impossible request. It began no job.
    #[error("the start was not sent")]
    NotSent(#[source] Error),
}

impl StartError {
    /// Whether this start may have begun a job: the answer was lost, or may come from a proxy between here and the HSM.
    pub fn may_have_begun(&self) -> bool {
        match self {
            Self::AnswerLost(_) => true,
            Self::Refused(refusal) => matches!(refusal.status, 408 | 500..),
            Self::Conflict(_) | Self::NotSent(_) => false,
        }
    }
}

impl From<Error> for StartError {
    /// Converts an error that occurs before the start is sent.
    fn from(error: Error) -> Self {
        Self::NotSent(error)
    }
}

/// The replacement of a secret in a text.
const REDACTED: &str = "REDACTED";

/// Removes signatures from a text: known ones, and anything that looks like one.
pub(super) fn scrub(text: &str, secret: &[SasToken]) -> String {
    let mut text = text.to_owned();
    // Whole tokens before signatures: a token without its signature would no longer match.
    let mut secrets: Vec<_> = secret.iter().flat_map(SasToken::secrets).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        text = text.replace(&secret, REDACTED);
    }
    for marker in ["sig=", "sig%3d"] {
        text = without_values(&text, marker);
    }
    text
}

fn without_values(text: &str, marker: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let (mut clear, mut from) = (String::with_capacity(text.len()), 0);
    while let Some(found) = lower[from..].find(marker) {
        let value = from + found + marker.len();
        let end = |c: char| c.is_whitespace() || "&\"'<>,;)]}\\".contains(c);
        clear += &text[from..value];
        clear += REDACTED;
        from = text[value..].find(end).map_or(text.len(), |length| value + length);
    }
    clear + &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_cleared_in_every_form() {
        let sas = SasToken::new("?sv=1&sig=c2VjcmV0c2VjcmV0%3D");
        for text in [
            "the token '?sv=1&sig=c2VjcmV0c2VjcmV0%3D' is bad",
            "https://a/b?SIG=c2VjcmV0c2VjcmV0%3d&sv=1",
            "sv%3D1%26sig%3Dc2VjcmV0c2VjcmV0%253D",
            "the signature c2VjcmV0c2VjcmV0= did not match",
        ] {
            let clear = scrub(text, std::slice::from_ref(&sas));
            assert!(!clear.contains("c2Vj") && clear.contains(REDACTED), "{clear}");
        }
        let clear = scrub("a?sig=abc&se=2 b?sig=def", &[]);
        assert_eq!(clear, "a?sig=REDACTED&se=2 b?sig=REDACTED");
    }

    #[test]
    fn a_token_is_cleared_whole_beside_another_with_its_signature() {
        let tokens =
            ["?sv=1&sp=w&sig=c2VjcmV0c2VjcmV0", "?sv=1&sp=r&sig=c2VjcmV0c2VjcmV0"].map(SasToken::new);
        assert_eq!(scrub("bad sv=1&sp=r&sig=c2VjcmV0c2VjcmV0", &tokens), "bad REDACTED");
    }

    #[test]
    fn other_texts_stay() {
        let text = "Another backup operation is in progress (Activity ID: ü)";
        assert_eq!(scrub(text, &[SasToken::new("")]), text);
    }
}
