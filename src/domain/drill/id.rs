//! The name of a drill.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::run::{RunId, RunIdError};

/// The name of a drill: when it began, and eight digits that distinguish it from others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "RunId", into = "RunId")]
pub struct DrillId(RunId);

/// The text is not the name of a drill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a drill: expected a name such as 20261206T061500Z-drill-0f3a9c41")]
pub struct DrillIdError;

impl DrillId {
    /// A drill that begins now.
    pub fn new(began: OffsetDateTime, salt: u32) -> Self {
        Self(RunId::drill(began, salt))
    }

    /// The time in the name.
    pub fn began(&self) -> OffsetDateTime {
        self.0.occurrence().unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<RunId> for DrillId {
    type Error = DrillIdError;

    fn try_from(id: RunId) -> Result<Self, DrillIdError> {
        let label = id.as_str().split_once('-').map(|(_, label)| label);
        if label.is_some_and(|label| label.starts_with("drill-")) { Ok(Self(id)) } else { Err(DrillIdError) }
    }
}

impl std::str::FromStr for DrillId {
    type Err = DrillIdError;

    fn from_str(text: &str) -> Result<Self, DrillIdError> {
        text.parse().map_err(|_: RunIdError| DrillIdError).and_then(|id: RunId| id.try_into())
    }
}

impl From<DrillId> for RunId {
    fn from(id: DrillId) -> Self {
        id.0
    }
}

impl fmt::Display for DrillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_restore_is_not_a_drill() {
        assert_eq!("20261122T101112Z-restore-0f3a9c41".parse::<DrillId>(), Err(DrillIdError));
        let began = datetime!(2026-12-06 06:15 UTC);
        let id = DrillId::new(began, 0x0f3a_9c41);
        assert_eq!(id.as_str(), "20261206T061500Z-drill-0f3a9c41");
        assert_eq!((id.began(), id.as_str().parse()), (began, Ok(id.clone())));
        assert_eq!((id.to_string(), RunId::from(id.clone()).as_str()), (id.as_str().to_owned(), id.as_str()));
    }
}
