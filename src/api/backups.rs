//! `/api/backups`: what is backed up.

use std::str::FromStr;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{
    forms::{Clear, Form},
    hsms::Stored,
    input::{Limit, Moment, Nothing, Parameters, Segments, configured, optional, parse, source},
    locations::{Elsewhere, Location},
    openapi::Problems,
    problem::{Problem, ProblemKind},
    shapes::Kind,
};
use crate::{
    app::{App, SharedApp},
    domain::{
        entry::Entry,
        filter::NameFilter,
        location::Apart,
        manifest::Line,
        object::{ObjectId, VaultName},
        restore::Selection,
    },
    query::{
        nothing,
        objects::{self, Mark, Wanted},
    },
};

/// The form of [`Token`] that this program makes.
const TOKEN_FORM: &str = "1";

/// Which objects, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BackupsQuery {
    /// Only this source's.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$", example = "kv-prod")]
    source: Option<VaultName>,
    /// Only this kind.
    #[serde(default)]
    #[param(inline, nullable = false)]
    kind: Option<Kind>,
    /// Only names that contain this, or, if there is a `*` in it, that match it as a whole. Case does not matter.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^[A-Za-z0-9*-]{1,127}$", example = "db-*")]
    name: Option<NameFilter>,
    /// As the backups were at this time.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, format = DateTime, example = "2026-11-22T10:00:00Z")]
    at: Option<Moment>,
    /// How many at most.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<Limit>,
    /// From the answer before, as it came: the objects after those. Leave the filters as they were.
    #[serde(default, rename = "continue", deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^1~[A-Za-z][A-Za-z0-9-]{2,23}~(certificate|key|secret)~[A-Za-z0-9-]{1,127}$")]
    after: Option<Token>,
}

/// One stored backup of one object.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// The vault that gave it.
    #[schema(example = "kv-prod")]
    source: String,
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    taken: OffsetDateTime,
    /// The run that took it.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// Its size.
    bytes: u64,
    /// The SHA-256 of the stored bytes.
    sha256: String,
    /// How many versions of the object it holds.
    versions: u32,
    /// The newest of them.
    newest_version: String,
    /// Whether that one was enabled.
    enabled: bool,
    /// When that one expires.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    expires: Option<OffsetDateTime>,
    /// Whether its form was known.
    form: Form,
    /// What may be shown of it where its form was not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    clear: Option<Clear>,
    /// Since when the object is gone from its vault.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    gone: Option<OffsetDateTime>,
    /// Where its vault was then, as far as that was known.
    #[serde(rename = "place", skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
    /// In what its vault lies elsewhere now, if that is known: the backup does not restore there.
    #[serde(skip_serializing_if = "Option::is_none")]
    elsewhere: Option<Elsewhere>,
}

impl Backup {
    fn new(entry: &Entry, gone: Option<OffsetDateTime>, apart: Option<Apart>) -> Self {
        Self {
            source: entry.vault.to_string(),
            kind: entry.kind.into(),
            name: entry.name.to_string(),
            taken: entry.taken,
            run: entry.run.to_string(),
            bytes: entry.bytes,
            sha256: entry.sha256.to_string(),
            versions: entry.versions,
            newest_version: entry.newest.to_string(),
            enabled: entry.enabled,
            expires: entry.expires,
            form: Form::of(entry.form.unknown()),
            clear: entry.form.unknown().map(Into::into),
            gone,
            location: (!entry.location.is_unknown()).then(|| (&*entry.location).into()),
            elsewhere: apart.map(Into::into),
        }
    }
}

/// Some of the objects that have a backup.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the field's name is the API's")]
pub struct Backups {
    /// The newest backup of each, in the order of sources, kinds and names.
    backups: Vec<Backup>,
    /// The newest good backup of each whole Managed HSM. In the first part only, and only without `kind` and
    /// `name`.
    hsms: Vec<Stored>,
    /// There are more: ask for them with this.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// The backups of one object.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Each is a point the object can be restored to; the newest comes first.
    backups: Vec<Backup>,
}

/// The newest backup of every object.
#[utoipa::path(
    get,
    path = "/api/backups",
    tag = "backups",
    operation_id = "listBackups",
    params(BackupsQuery),
    responses((status = 200, description = "Some of them, and where to go on", body = Backups), Problems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Parameters(query): Parameters<BackupsQuery>,
) -> Result<Json<Backups>, Problem> {
    if let Some(name) = &query.source {
        configured(&app, name)?;
    }
    let wanted = Wanted {
        vault: query.source,
        kind: query.kind.map(Into::into),
        name: query.name,
        at: query.at.map(|Moment(at)| at),
    };
    let (Limit(limit), after) = (query.limit.unwrap_or(Limit::DEFAULT), query.after.map(|Token(mark)| mark));
    let hsms = if after.is_none() && wanted.kind.is_none() && wanted.name.is_none() {
        whole_hsms(&app, wanted.vault.as_ref(), wanted.at).await?
    } else {
        Vec::new()
    };
    let page = objects::page(&app, &wanted, after.as_ref(), limit).await?;
    let backup = |(_, line, apart): (VaultName, Line, _)| Some(Backup::new(&line.entry?, line.gone, apart));
    Ok(Json(Backups {
        backups: page.lines.into_iter().filter_map(backup).collect(),
        hsms,
        after: page.next.map(|mark| Token(mark).text()),
    }))
}

async fn whole_hsms(
    app: &App,
    only: Option<&VaultName>,
    at: Option<OffsetDateTime>,
) -> Result<Vec<Stored>, Problem> {
    let mut stored = Vec::new();
    for hsm in app.hsms().names().filter(|hsm| only.is_none_or(|only| only == hsm.as_vault())) {
        let newest = app.catalogue()?.newest_hsm_backup(hsm, at).await?;
        stored.extend(newest.as_ref().and_then(Stored::new));
    }
    Ok(stored)
}

/// Every backup of one object.
#[utoipa::path(
    get,
    path = "/api/backups/{source}/{kind}/{name}",
    tag = "backups",
    operation_id = "getBackups",
    params(
        ("source" = String, Path, description = "The source", pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$", example = "kv-prod"),
        ("kind" = inline(Kind), Path, description = "The object's kind", example = "secret"),
        ("name" = String, Path, description = "The object's name", pattern = "^[A-Za-z0-9-]{1,127}$", example = "db-password"),
    ),
    responses((status = 200, description = "At least one", body = History), Problems)
)]
pub async fn history(
    State(app): State<SharedApp>,
    Segments((vault, kind, name)): Segments<(String, String, String)>,
    _: Parameters<Nothing>,
) -> Result<Json<History>, Problem> {
    let vault = source(&app, "source", &vault)?;
    let id = ObjectId::new(parse("kind", &kind)?, parse("name", &name)?);
    let points = app.catalogue()?.history(&vault, &id).await?;
    if points.is_empty() {
        let selection = Selection { objects: vec![id.clone()], ..Selection::default() };
        return Err(match nothing::why(&app, &vault, None, &selection).await? {
            Some(nothing) => Problem::nothing(ProblemKind::NotFound, &nothing),
            None => Problem::new(ProblemKind::NotFound, format!("There is no backup of {id} of {vault}.")),
        });
    }
    Ok(Json(History { backups: points.iter().map(|of| Backup::new(&of.entry, None, of.apart)).collect() }))
}

/// Where a listing goes on.
#[derive(Debug)]
struct Token(Mark);

impl Token {
    fn text(&self) -> String {
        let Mark { vault, id } = &self.0;
        format!("{TOKEN_FORM}~{vault}~{}~{}", id.kind, id.name)
    }
}

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut parts = text.split('~');
            (parts.next()? == TOKEN_FORM).then_some(())?;
            let vault = parts.next()?.parse().ok()?;
            let id = ObjectId::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            parts.next().is_none().then_some(Self(Mark { vault, id }))
        };
        read().ok_or("expected `continue` of the answer before, as it came")
    }
}
