//! Many objects that were gone at once.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::object::Kind;
use crate::domain::loss;

/// What is known of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Everything is gone, and nothing is there.
    Emptied,
    /// Nothing is left of what was there, and other objects are there: the vault was made anew under its name.
    Replaced,
    /// A large part of the source or of a kind is gone.
    Part,
}

/// Many objects that were gone at once. It stays until they are back or somebody has acknowledged the run that saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// The run that saw it.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// When that run was planned.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// The kind of object; the whole source where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    /// What is known of it.
    how: How,
    /// How many objects the run before had.
    of: u32,
    /// How many of them were gone.
    gone: u32,
    /// How many of those are gone as of this run.
    still_gone: u32,
    /// How many have another object under their name.
    replaced: u32,
}

impl From<&loss::Loss> for Loss {
    fn from(loss: &loss::Loss) -> Self {
        Self {
            run: loss.run.to_string(),
            since: loss.since,
            kind: loss.kind.map(Into::into),
            how: match loss.how {
                loss::How::Emptied => How::Emptied,
                loss::How::Replaced => How::Replaced,
                loss::How::Part => How::Part,
            },
            of: loss.of,
            gone: loss.gone,
            still_gone: loss.still_gone,
            replaced: loss.replaced,
        }
    }
}
