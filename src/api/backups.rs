//! `/api/backups`: what is backed up.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    input::{Parameters, Segments, known, parse, source},
    shapes::{
        backup::{Backup, Backups, History, Restorable, Stored},
        field::{Limit, Moment, optional},
        named::Named,
        object::Kind,
        page::{TakenToken, Token},
        problem::{Problem, ProblemKind, Problems},
    },
};
use crate::{
    app::SharedApp,
    domain::{filter::NameFilter, manifest::Line, object::ObjectId, source::SourceName},
    query::objects::{self, Wanted},
};

/// Which objects, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BackupsQuery {
    /// Only objects of this source, by its name or its URL.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$", example = "kv-prod")]
    source: Option<Named>,
    /// Only objects of this kind.
    #[serde(default)]
    #[param(inline, nullable = false)]
    kind: Option<Kind>,
    /// Only names that match as a whole: `*` stands for any characters, and case does not matter.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^[A-Za-z0-9*-]{1,127}$", example = "db-*")]
    name: Option<NameFilter>,
    /// As the backups were at this time.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, format = DateTime, example = "2026-11-22T10:00:00Z")]
    at: Option<Moment>,
    /// The maximum number of objects.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<Limit>,
    /// The value of `continue` in the previous answer: returns the objects after those. Keep the filters unchanged.
    #[serde(default, rename = "continue", deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^1~[A-Za-z][A-Za-z0-9-]{2,23}~(certificate|key|secret)~[A-Za-z0-9-]{1,127}$")]
    after: Option<Token>,
}

/// The newest backup of every object.
///
/// Sorted by source, kind and name, in pages. With `at`, the newest that there was then. Objects that have disappeared from
/// their vault are among them.
#[utoipa::path(
    get,
    path = "/backups",
    tag = "backups",
    operation_id = "listBackups",
    params(BackupsQuery),
    responses((status = 200, description = "One page, and where the next one begins", body = Backups), Problems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Parameters(query): Parameters<BackupsQuery>,
) -> Result<Json<Backups>, Problem> {
    let wanted = Wanted {
        vault: query.source.as_ref().map(|named| known(&app, named)).transpose()?,
        kind: query.kind.map(Into::into),
        name: query.name,
        at: query.at.map(|Moment(at)| at),
    };
    let (Limit(limit), after) = (query.limit.unwrap_or(Limit::DEFAULT), query.after.map(|Token(mark)| mark));
    let page = objects::page(&app, &wanted, after.as_ref(), limit).await?;
    let readings = &page.readings;
    let backup = |(vault, line, apart): (SourceName, Line, _)| {
        let entry = line.entry?;
        let verified = readings.get(&vault).and_then(|read| read.last_good(&entry, wanted.at.is_none()));
        Some(Backup::new(&entry, line.gone, apart).verified(verified))
    };
    Ok(Json(Backups {
        backups: page.lines.into_iter().filter_map(backup).collect(),
        hsms: page.hsms.iter().filter_map(Stored::new).collect(),
        sources: page.reaches.into_iter().map(Restorable::new).collect(),
        after: page.next.map(|mark| Token(mark).text()),
    }))
}

/// The part of an object's backups to return.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// The maximum number of backups.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<Limit>,
    /// The value of `continue` in the previous answer: returns the backups after those.
    #[serde(default, rename = "continue", deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^1~[0-9]{1,19}$")]
    after: Option<TakenToken>,
}

/// Every backup of one object.
///
/// Newest first, in pages. It can be restored to each of them.
#[utoipa::path(
    get,
    path = "/backups/{source}/{kind}/{name}",
    tag = "backups",
    operation_id = "getBackups",
    params(
        ("source" = String, Path, description = "The source", pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$", example = "kv-prod"),
        ("kind" = inline(Kind), Path, description = "The object's kind", example = "secret"),
        ("name" = String, Path, description = "The object's name", pattern = "^[A-Za-z0-9-]{1,127}$", example = "db-password"),
        HistoryQuery
    ),
    responses((status = 200, description = "At least one on the first page", body = History), Problems)
)]
pub async fn history(
    State(app): State<SharedApp>,
    Segments((vault, kind, name)): Segments<(String, String, String)>,
    Parameters(query): Parameters<HistoryQuery>,
) -> Result<Json<History>, Problem> {
    let vault = source(&app, "source", &vault)?;
    let id = ObjectId::new(parse("kind", &kind)?, parse("name", &name)?);
    match objects::history(&app, &vault, &id).await? {
        objects::History::Points { backups, reach, readings } => {
            let Limit(limit) = query.limit.unwrap_or(Limit::DEFAULT);
            Ok(Json(History::new(&backups, (reach, &readings), query.after, limit)))
        }
        objects::History::Nothing(nothing) => Err(Problem::nothing(ProblemKind::NotFound, &nothing)),
        objects::History::NoBackup => {
            Err(Problem::new(ProblemKind::NotFound, format!("There is no backup of {id} of {vault}.")))
        }
    }
}
