//! The name of a restore.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::run::{RunId, RunIdError};

/// The name of a restore: when it was requested, and eight digits that distinguish it from others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "RunId", into = "RunId")]
pub struct RestoreId(RunId);

/// The text is not the name of a restore.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a restore: expected a name such as 20261122T101112Z-restore-0f3a9c41")]
pub struct RestoreIdError;

impl RestoreId {
    /// A restore that is requested now.
    pub fn new(asked: OffsetDateTime, salt: u32) -> Self {
        Self(RunId::restore(asked, salt))
    }

    /// The time in the name.
    pub fn asked(&self) -> OffsetDateTime {
        self.0.occurrence().unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<RunId> for RestoreId {
    type Error = RestoreIdError;

    fn try_from(id: RunId) -> Result<Self, RestoreIdError> {
        let label = id.as_str().split_once('-').map(|(_, label)| label);
        if label.is_some_and(|label| label.starts_with("restore-")) {
            Ok(Self(id))
        } else {
            Err(RestoreIdError)
        }
    }
}

impl std::str::FromStr for RestoreId {
    type Err = RestoreIdError;

    fn from_str(text: &str) -> Result<Self, RestoreIdError> {
        text.parse().map_err(|_: RunIdError| RestoreIdError).and_then(|id: RunId| id.try_into())
    }
}

impl From<RestoreId> for RunId {
    fn from(id: RestoreId) -> Self {
        id.0
    }
}

impl fmt::Display for RestoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_run_is_not_a_restore() {
        assert_eq!("20261122T101112Z-nightly".parse::<RestoreId>(), Err(RestoreIdError));
        let start = datetime!(2026-11-22 10:11:12 UTC);
        let id = RestoreId::new(start, 0x0f3a_9c41);
        assert_eq!(id.as_str(), "20261122T101112Z-restore-0f3a9c41");
        assert_eq!((id.asked(), id.as_str().parse()), (start, Ok(id.clone())));
        assert_eq!((id.to_string(), RunId::from(id.clone()).as_str()), (id.as_str().to_owned(), id.as_str()));
    }
}
