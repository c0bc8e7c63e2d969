//! What went wrong, in words or as JSON.

use std::io;

use serde_json::json;

use super::output::Format;
use crate::{
    config::ConfigError,
    domain::{object::NameError, outcome::Failure},
    error::Error,
};

/// What went wrong, for the last line on standard error. A command that ends so has printed no result.
#[derive(Debug)]
pub struct Failed(Failure);

impl Failed {
    /// What went wrong, in the program's own words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Failure::ours("Refused", text))
    }

    /// Tells of it on standard error: to a person in words, to a program as `{"error":{"code":…,"text":…}}`.
    pub(super) fn tell(&self, format: Format) {
        let Self(failure) = self;
        match format {
            Format::Table => eprintln!("error: {}", failure.text),
            Format::Json => eprintln!("{}", json!({ "error": failure })),
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
