//! `/api/status/evidence`: what the daily evidence records of a period say.

use axum::{
    extract::State,
    http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use utoipa::IntoParams;

use super::{
    input::Parameters,
    shapes::{
        evidence::EvidenceReport,
        field::{optional, required},
        named::Named,
        problem::{Problem, ProblemKind, Problems},
    },
};
use crate::{
    app::SharedApp,
    clock::Clock,
    domain::{day::Day, evidence},
    evidence as make,
};

/// The period, the sources and the format of a report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EvidenceQuery {
    /// The first day, in UTC.
    #[serde(deserialize_with = "required")]
    #[param(value_type = String, format = Date, example = "2026-11-01")]
    from: Day,
    /// The last day: before today, and at most 400 days in all.
    #[serde(deserialize_with = "required")]
    #[param(value_type = String, format = Date, example = "2026-11-21")]
    to: Day,
    /// Only this vault or Managed HSM, by its name or its URL, configured or not.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$", example = "kv-prod")]
    source: Option<Named>,
    /// `json`; `html` for a page made for print; `csv` for a line for each source on each day.
    #[serde(default, deserialize_with = "format")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^(json|html|csv)$", default = "json")]
    format: Format,
}

/// The format of a report.
#[derive(Clone, Copy, Debug, Default, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Html,
    Csv,
}

fn format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Format, D::Error> {
    let expected = |_| D::Error::custom("expected one of json, html, csv");
    String::deserialize(deserializer)?.parse().map_err(expected)
}

/// What the daily evidence records of a period say.
///
/// The report is made from these records alone: a past period gives the same bytes each time. A day without a record is
/// a gap.
#[utoipa::path(
    get,
    path = "/status/evidence",
    tag = "status",
    operation_id = "getEvidence",
    params(EvidenceQuery),
    responses(
        (status = 200, description = "The report; `gaps` has the days without a record", content(
            (EvidenceReport = "application/json"),
            (String = "text/html"),
            (String = "text/csv"),
        )),
        Problems
    )
)]
pub async fn report(
    State(app): State<SharedApp>,
    Parameters(query): Parameters<EvidenceQuery>,
) -> Result<Response, Problem> {
    let today = Day::of(Clock::system().now());
    let EvidenceQuery { from, to, source, format } = query;
    let wrong = |error: evidence::PeriodError| Problem::parameter("to", &error.to_string());
    evidence::period(from, to, today).map_err(wrong)?;
    let wanted = source.iter().map(|named| named.name().clone()).collect();
    let report = make::report::report(&app, (from, to), wanted, today).await?;
    let (media_type, text) = match format {
        Format::Html => ("text/html; charset=utf-8", make::html(&report)),
        Format::Csv => ("text/csv; charset=utf-8", make::csv(&report)),
        Format::Json => {
            let text = EvidenceReport::from(&report).text();
            let failed = |_| Problem::new(ProblemKind::Defect, "The report cannot be written.");
            ("application/json", text.map_err(failed)?)
        }
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    Ok(([(CONTENT_TYPE, media_type), (CONTENT_SECURITY_POLICY, policy)], text).into_response())
}
