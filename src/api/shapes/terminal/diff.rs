//! How a live source differs from a recovery point.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    api::shapes::{backup::Backup, object::Kind, run::UnlistedKind},
    domain::{
        diff::{self, Change},
        source::SourceName,
    },
    query::diff::{Diff, Point},
};

/// A live source, compared with a recovery point.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Differences {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// The run whose result it is compared with, if one run made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "20261122T020000Z-nightly")]
    run: Option<String>,
    /// The time as of which the backups are taken, if the command names one.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    at: Option<OffsetDateTime>,
    /// How many objects there are of each.
    numbers: DifferenceNumbers,
    /// Kinds that the source did not list: how their objects differ is not known, and no number counts them.
    unlisted: Vec<UnlistedKind>,
    /// The objects that differ, or, with `--all`, every object.
    objects: Vec<Difference>,
}

/// How many objects differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceNumbers {
    /// Objects without a backup in the recovery point.
    new: usize,
    /// Objects that differ from their backup.
    changed: usize,
    /// Objects that the source does not list.
    gone: usize,
    /// Objects of which a list shows nothing that differs from their backup.
    same: usize,
}

/// An object, and how it differs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// `new`, `changed`, `gone` or `same`.
    #[schema(example = "gone", pattern = "^(new|changed|gone|same)$")]
    change: &'static str,
    /// Its backup in the recovery point.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<Box<Backup>>,
}

impl Differences {
    /// A comparison, with the objects to show.
    pub fn new(source: &SourceName, point: &Point, diff: &Diff, shown: &[&diff::Difference]) -> Self {
        let number = |change| diff.objects.iter().filter(|of| of.change == change).count();
        Self {
            source: source.to_string(),
            run: diff.run.as_ref().map(ToString::to_string),
            at: if let Point::At(at) = point { Some(*at) } else { None },
            numbers: DifferenceNumbers {
                new: number(Change::New),
                changed: number(Change::Changed),
                gone: number(Change::Gone),
                same: number(Change::Same),
            },
            unlisted: diff.unlisted.iter().map(Into::into).collect(),
            objects: shown.iter().map(|of| (*of).into()).collect(),
        }
    }
}

impl From<&diff::Difference> for Difference {
    fn from(of: &diff::Difference) -> Self {
        Self {
            kind: of.id.kind.into(),
            name: of.id.name.to_string(),
            change: of.change.word(),
            backup: of.entry.as_ref().map(|entry| Box::new(Backup::new(entry, None, None))),
        }
    }
}
