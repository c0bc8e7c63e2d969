//! The envelope that the host sends with an invocation.
//!
//! The host encodes strings and numbers twice: a queue message `T` arrives as a JSON string that holds
//! the JSON string of `T`, and a delivery count as `"1"`. Objects arrive as they are. Payloads as the
//! documentation shows them, with single encoding, are read too.

use serde::Deserialize;
use serde_json::{Map, Value, error::Category};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::clock::Clock;

/// Why an envelope cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not the JSON object that the host sends.
    #[error("the envelope is not one of the Functions host: {fault} at line {line}, column {column}")]
    Shape {
        /// The fault.
        fault: &'static str,
        /// The line of the fault.
        line: usize,
        /// The position in the line, in bytes.
        column: usize,
    },
    /// The binding's data is missing.
    #[error("the envelope has no data named `{0}`; functions/*/function.json and the program do not agree")]
    Missing(&'static str),
    /// The binding's data has another type.
    #[error("the envelope's data `{0}` is not what this trigger sends")]
    Type(&'static str),
}

impl From<serde_json::Error> for EnvelopeError {
    /// Leaves out the error's own text, which may repeat a part of the envelope.
    fn from(error: serde_json::Error) -> Self {
        let fault = match error.classify() {
            Category::Io | Category::Syntax => "it is not JSON",
            Category::Eof => "it ends early",
            Category::Data => "its data or metadata is not an object",
        };
        Self::Shape { fault, line: error.line(), column: error.column() }
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "Data", default)]
    data: Map<String, Value>,
    #[serde(rename = "Metadata", default)]
    metadata: Map<String, Value>,
}

/// One invocation, decoded.
#[derive(Debug)]
pub struct Invocation {
    data: Map<String, Value>,
    /// Runs from the time at which the host sent the invocation.
    pub clock: Clock,
    /// The number of this delivery of a queue message, from 1.
    pub delivery: u32,
}

/// The data of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The occurrence that the firing serves; the next one, if a person fired the timer by hand.
    pub next: Option<OffsetDateTime>,
}

impl Invocation {
    /// Decodes an envelope.
    ///
    /// # Errors
    /// When it is not an envelope. The text does not repeat any of it: it may hold anything.
    pub fn read(body: &[u8]) -> Result<Self, EnvelopeError> {
        let raw: Raw = serde_json::from_slice(body)?;
        let sent = raw.metadata.get("sys").and_then(|sys| sys.get("UtcNow")).and_then(moment);
        let delivery = raw.metadata.get("DequeueCount").and_then(number).unwrap_or(1);
        Ok(Self { data: raw.data, clock: sent.map_or_else(Clock::system, Clock::set), delivery })
    }

    /// The text of a queue message.
    ///
    /// # Errors
    /// When there is none by this binding's name.
    pub fn text(&self, binding: &'static str) -> Result<String, EnvelopeError> {
        match self.data.get(binding).ok_or(EnvelopeError::Missing(binding))? {
            Value::String(text) => Ok(match serde_json::from_str(text) {
                Ok(Value::String(inner)) => inner,
                _ => text.clone(),
            }),
            _ => Err(EnvelopeError::Type(binding)),
        }
    }

    /// The data of a timer. Every part of it may be missing.
    ///
    /// # Errors
    /// When there is none by this binding's name.
    pub fn timer(&self, binding: &'static str) -> Result<Timer, EnvelopeError> {
        let timer = self.data.get(binding).ok_or(EnvelopeError::Missing(binding))?;
        let parsed = timer.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let timer = parsed.as_ref().unwrap_or(timer).as_object().ok_or(EnvelopeError::Type(binding))?;
        let next = timer.get("ScheduleStatus").and_then(|status| status.get("Next")).and_then(moment);
        Ok(Timer { next: next.filter(|next| next.year() > 1) })
    }
}

fn moment(value: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()
}

/// A number, or a string that holds one.
fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => text.trim_matches('"').parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_message_is_decoded_twice() {
        let body = br#"{"Data":{"message":"\"{\\\"version\\\":1}\""},"Metadata":{"DequeueCount":"3","sys":{"UtcNow":"2026-08-22T02:00:06.2205399Z"}}}"#;
        let invocation = Invocation::read(body).unwrap();
        assert_eq!(invocation.text("message").unwrap(), r#"{"version":1}"#);
        assert_eq!(invocation.delivery, 3);
        assert_eq!(invocation.clock.now().date(), datetime!(2026-08-22 0:00 UTC).date());
    }

    #[test]
    fn a_message_as_the_documentation_shows_it_is_read_too() {
        let body = br#"{"Data":{"message":"{\"version\":1}"}}"#;
        assert_eq!(Invocation::read(body).unwrap().text("message").unwrap(), r#"{"version":1}"#);
    }

    #[test]
    fn a_timer_says_which_occurrence_it_serves() {
        let body = br#"{"Data":{"timer":{"ScheduleStatus":{"Last":"0001-01-01T00:00:00+00:00","Next":"2026-08-22T04:00:00+02:00"},"IsPastDue":true}}}"#;
        let timer = Invocation::read(body).unwrap().timer("timer").unwrap();
        assert_eq!(timer, Timer { next: Some(datetime!(2026-08-22 02:00 UTC)) });
        let timer = Invocation::read(br#"{"Data":{"timer":{"ScheduleStatus":null}}}"#)
            .unwrap()
            .timer("timer")
            .unwrap();
        assert_eq!(timer, Timer { next: None });
    }
}
