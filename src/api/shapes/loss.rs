//! Losses, as they are answered: many objects that disappeared at once.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::object::Kind;
use crate::domain::loss;

/// The kind of loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Everything is gone, and the source is empty.
    Emptied,
    /// None of the former objects is left, and others are there: the vault was recreated under its name.
    Replaced,
    /// A large part of the source or of a kind is gone.
    Part,
}

/// Many objects that disappeared at once. Reported until they are back or a person acknowledges the run that found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// The run that found it.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// When that run was planned.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// The kind of object; absent when the loss concerns the whole source.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    /// The kind of loss.
    how: How,
    /// How many objects the previous run had.
    of: u32,
    /// How many of them were gone.
    gone: u32,
    /// How many of those are still gone as of this run.
    still_gone: u32,
    /// How many were replaced by another object of the same name.
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
