//! Why a host does not run.

use std::{error::Error, fmt, io};

/// A host that could not be started, or has shut itself down.
#[derive(Debug)]
#[non_exhaustive]
pub enum HostError {
    /// `host.json` or a `function.json` is wrong, or names a setting that does not exist. The text names the file.
    Settings(String),
    /// The handler cannot be started, or failed three times. The text is what the host would log.
    Stopped(String),
    /// The player itself could not open a socket or build its client.
    Local(io::Error),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(text) => write!(f, "Wrong settings: {text}"),
            Self::Stopped(reason) => write!(f, "The host has shut down: {reason}"),
            Self::Local(_) => f.write_str("The player cannot use the network"),
        }
    }
}

impl Error for HostError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Local(source) => Some(source),
            Self::Settings(_) | Self::Stopped(_) => None,
        }
    }
}

impl From<reqwest::Error> for HostError {
    fn from(error: reqwest::Error) -> Self {
        Self::Local(io::Error::other(error))
    }
}
