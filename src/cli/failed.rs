//! The error of a command, in words or as JSON.

use std::io;

use serde_json::json;

use super::output::{Format, note};
use crate::{
    config::ConfigError,
    domain::{object::NameError, outcome::Failure},
    error::Error,
};

/// The error of a command, for the last line on standard error. A command that fails so has printed no result.
#[derive(Debug)]
pub struct Failed(Failure);

impl Failed {
    /// An error in the program's own words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Failure::ours("Refused", text))
    }

    /// Prints it on standard error: in words for a person, as `{"error":{"code":…,"text":…}}` for a program.
    pub(super) fn tell(&self, format: Format) {
        let Self(failure) = self;
        if format.is_json() {
            note(json!({ "error": failure }));
        } else {
            note(format_args!("error: {}", failure.text));
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(Failure { text: error.to_string(), ..error.failure() })
    }
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        Self(Failure::ours("Settings", error.to_string()))
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// Parsed by clap through [`std::str::FromStr`].
impl From<NameError> for Failed {
    fn from(error: NameError) -> Self {
        Self::new(error.to_string())
    }
}
