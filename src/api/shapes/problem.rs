//! Problems: the answers that are not a success (RFC 9457).
//!
//! A new problem is a variant of [`ProblemKind`], its row in `ProblemKind::facts` and its section in `docs/problems.md`. A
//! handler makes one with
//! [`Problem::new`], or lets `?` turn an [`Error`] into one. No problem repeats a body, a key or a panic.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

use super::plan::AnyPlan;
use crate::{
    azure::error::{Asked, Meaning, ServiceError},
    domain::{nothing::Nothing, outcome::Failure, restore::Barred},
    error::Error,
    preflight::findings::remedy::create_container_at,
};

mod kind;
mod responses;

use self::kind::Facts;
pub use self::{
    kind::ProblemKind,
    responses::{BodyProblems, Problems, SelectionProblem, TooMany},
};

/// The media type of every problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A service's refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAnswer {
    /// The service's error code.
    #[schema(example = "ServerBusy")]
    code: String,
    /// The service's request id, for a support case.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The service's HTTP status.
    #[schema(example = 503)]
    status: u16,
}

impl ServiceAnswer {
    fn of(failure: &Failure) -> Option<Box<Self>> {
        let status = failure.status?;
        let Failure { code, request_id, .. } = failure.clone();
        Some(Box::new(Self { code, request_id, status }))
    }
}

/// A problem: why a request was not carried out, and what to do next.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    next: Option<String>,
    service: Option<Box<ServiceAnswer>>,
    plan: Option<Box<AnyPlan>>,
    cause: Option<String>,
}

/// Why a request was not carried out, and what to do next.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "urn:keyvault-backup:problem:unknown-source",
    "title": "No such source is configured",
    "status": 404,
    "detail": "kv-test is not a vault of this app.",
    "next": "Check the name. To add a vault, put its URL into the setting KEYVAULT_BACKUP_VAULTS and restart the app."
}))]
pub struct ProblemBody {
    #[serde(rename = "type")]
    #[schema(schema_with = kind::schema)]
    kind: String,
    /// The kind of problem, in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened.
    detail: String,
    /// What to do next.
    next: String,
    /// The refusal of an Azure service, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Box<ServiceAnswer>>,
    /// The plan as it would be now, with `plan-moved`; the plan of an HSM, with `not-possible`.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Box<AnyPlan>>,
}

impl From<Problem> for ProblemBody {
    fn from(problem: Problem) -> Self {
        let Facts { title, status, next, .. } = problem.kind.facts();
        Self {
            kind: problem.kind.urn(),
            title,
            status: status.as_u16(),
            detail: problem.detail,
            next: problem.next.unwrap_or_else(|| next.into()),
            service: problem.service,
            plan: problem.plan,
        }
    }
}

/// The error's text for the log, which the caller does not get. Travels with the response.
#[derive(Clone, Debug)]
pub(in crate::api) struct Cause(pub(in crate::api) String);

impl Problem {
    /// A problem of a kind. `detail` is one or more sentences about what happened.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), next: None, service: None, plan: None, cause: None }
    }

    /// Replaces the kind's advice on what to do next.
    #[must_use]
    pub fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// Adds the plan as it would be now.
    #[must_use]
    pub fn with_plan(self, plan: AnyPlan) -> Self {
        Self { plan: Some(Box::new(plan)), ..self }
    }

    /// The problem of an invalid parameter. `fault` continues the sentence that starts with its name.
    pub fn parameter(name: &str, fault: &str) -> Self {
        Self::new(ProblemKind::InvalidParameter, format!("`{name}`: {fault}."))
    }

    /// The problem of a selection that matches nothing, with what exists instead.
    pub fn nothing(kind: ProblemKind, nothing: &Nothing) -> Self {
        Self::new(kind, nothing.to_string()).next(nothing.next())
    }

    /// The problem of an error, for a person at a terminal, who gets its whole text.
    pub fn at_terminal(error: &Error, detail: String, next: String) -> Self {
        Self::new(kind_of(error), detail).next(next).because(error)
    }

    /// What happened.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What to do next.
    pub fn next_step(&self) -> &str {
        self.next.as_deref().unwrap_or(self.kind.facts().next)
    }

    /// Adds the service's refusal for the caller, and the error's text for the log.
    #[must_use]
    pub fn because(self, error: &Error) -> Self {
        let service = error.service().and_then(|error| ServiceAnswer::of(&error.failure));
        Self { service, cause: Some(error.to_string()), ..self }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if let Error::Nothing(nothing) = &error {
            return Self::nothing(ProblemKind::NothingSelected, nothing);
        }
        let next = match &error {
            Error::TooMany(met) => Some(format!(
                "Wait until one of them has ended, then ask again. To let every caller have more, raise the setting {} and \
                 restart the app.",
                met.setting()
            )),
            other => other.service().and_then(|of| of.missing.as_deref()).map(make),
        };
        Self { next, ..Self::new(kind_of(&error), detail(&error)).because(&error) }
    }
}

/// What to do about a container that does not exist.
fn make(address: &Url) -> String {
    let make = create_container_at(address);
    format!(
        "Correct the setting that names the container, or create it: `{make}`. With the app's settings at a terminal, \
         `keyvault-backup preflight --fix` makes the containers of backups and jobs."
    )
}

/// The kind of problem that an error is.
fn kind_of(error: &Error) -> ProblemKind {
    match error {
        Error::Service(of) if of.meaning.refuses() => ProblemKind::ServiceRefused,
        Error::Service(_) | Error::Busy(_) | Error::NotBegun { .. } => ProblemKind::ServiceUnavailable,
        Error::Damaged { .. } => ProblemKind::DamagedCatalogue,
        Error::TooNew { .. } => ProblemKind::NewerFormat,
        Error::Refused(_) | Error::BackupGone { .. } => ProblemKind::NotPossible,
        Error::Nothing(_) => ProblemKind::NothingSelected,
        Error::Barred(Barred::Pair { .. }) => ProblemKind::PairNotAllowed,
        Error::Barred(Barred::NotApproved { .. }) => ProblemKind::ApprovalNeeded,
        Error::Barred(Barred::NotApprovable { .. }) => ProblemKind::ApprovalRefused,
        Error::TooMany(_) => ProblemKind::TooManyOpen,
        Error::Deadline { .. } => ProblemKind::TookTooLong,
    }
}

fn detail(error: &Error) -> String {
    match error {
        Error::Service(ServiceError { asked: Asked { what, .. }, failure, meaning, .. }) => {
            match (failure.status, meaning) {
                (Some(_), _) => format!("Failed to {what}: {}: {}", failure.code, failure.text),
                // Without an answer the text is the client library's, and names addresses.
                (None, Meaning::NoToken) => format!("Failed to {what}: the app's identity got no token."),
                (None, _) => format!("Failed to {what}: there was no usable answer."),
            }
        }
        Error::NotBegun { text, because, .. } => format!("{}: {}", capital(text), detail(because)),
        ours => format!("{ours}."),
    }
}

/// A text as the start of a sentence.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + rest.as_str())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, wait, cause) = (self.kind.status(), self.kind.wait(), self.cause.clone());
        let body = serde_json::to_vec(&ProblemBody::from(self)).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = wait {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use strum::VariantArray as _;

    use super::*;
    use crate::{
        azure::error::{Operation, Service},
        domain::{
            actor::Actor,
            bound::AtBound,
            nothing::{Known, There},
            right::Right,
        },
    };

    fn service(meaning: Meaning, status: Option<u16>) -> Error {
        let failure = Failure {
            status,
            request_id: Some("r-1".into()),
            ..Failure::ours("ServerBusy", "Try https://x later")
        };
        ServiceError::new(Asked::new(Service::Vault, Operation::List, "list kv-prod"), meaning, failure)
            .into()
    }

    fn at_bound(right: Right) -> Error {
        Error::TooMany(Box::new(AtBound { by: Actor::TERMINAL, right, open: 5, most: 5 }))
    }

    fn nothing() -> Error {
        let (source, there) = ("vault kv-prod".into(), There::default());
        Nothing { source, wanted: String::new(), at: None, known: Known::NoPoint, there }.into()
    }

    fn not_begun(because: Error) -> Error {
        Error::NotBegun { text: "run x has not begun".into(), surely: true, because: Box::new(because) }
    }

    fn body(problem: Problem) -> Value {
        serde_json::to_value(ProblemBody::from(problem)).unwrap()
    }

    #[test]
    fn each_error_is_one_kind_of_problem() {
        let refused = || Error::Refused("it is not possible".into());
        let deadline = Error::Deadline { what: "it".into(), seconds: 9 };
        for (error, kind) in [
            (Error::Damaged { blob: "x".into(), text: "y".into() }, ProblemKind::DamagedCatalogue),
            (Error::TooNew { what: "x".into(), found: 3, known: 2 }, ProblemKind::NewerFormat),
            (refused(), ProblemKind::NotPossible),
            (Error::BackupGone { backup: "x".into() }, ProblemKind::NotPossible),
            (nothing(), ProblemKind::NothingSelected),
            (at_bound(Right::Backup), ProblemKind::TooManyOpen),
            (deadline, ProblemKind::TookTooLong),
            (Error::Busy("x".into()), ProblemKind::ServiceUnavailable),
            // What was not begun may be begun later, whatever the reason.
            (not_begun(refused()), ProblemKind::ServiceUnavailable),
            (service(Meaning::Unauthorized, Some(401)), ProblemKind::ServiceUnavailable),
        ] {
            let text = error.to_string();
            assert_eq!(Problem::from(error).kind, kind, "{text}");
        }
        for &meaning in Meaning::VARIANTS {
            let kind =
                if meaning.refuses() { ProblemKind::ServiceRefused } else { ProblemKind::ServiceUnavailable };
            assert_eq!(Problem::from(service(meaning, Some(400))).kind, kind, "{meaning:?}");
        }
    }

    #[test]
    fn a_service_speaks_for_itself_only_where_it_answered() {
        for (meaning, status, detail) in [
            (Meaning::Unavailable, Some(503), "Failed to list kv-prod: ServerBusy: Try https://x later"),
            (Meaning::NoToken, Some(400), "Failed to list kv-prod: ServerBusy: Try https://x later"),
            // Without an answer the text is a library's, with addresses.
            (Meaning::NoToken, None, "Failed to list kv-prod: the app's identity got no token."),
            (Meaning::Network, None, "Failed to list kv-prod: there was no usable answer."),
        ] {
            let problem = Problem::from(service(meaning, status));
            assert_eq!(problem.detail(), detail);
            let said = json!({ "code": "ServerBusy", "requestId": "r-1", "status": status });
            assert_eq!(body(problem).get("service"), status.map(|_| &said), "{meaning:?} {status:?}");
        }
        let deep = Problem::from(not_begun(service(Meaning::Network, None)));
        assert_eq!(deep.detail(), "Run x has not begun: Failed to list kv-prod: there was no usable answer.");
    }

    #[test]
    fn a_bound_names_the_setting_that_raises_it() {
        for (right, setting) in [
            (Right::Backup, "KEYVAULT_BACKUP_MOST_OPEN_BACKUPS"),
            (Right::Restore, "KEYVAULT_BACKUP_MOST_OPEN_RESTORES"),
        ] {
            let problem = Problem::from(at_bound(right));
            assert!(problem.next_step().contains(setting), "{}", problem.next_step());
        }
    }

    #[test]
    fn the_advice_is_the_kinds_own_unless_there_is_better() {
        let plain = Problem::new(ProblemKind::NotFound, "It is not there.");
        assert_eq!(plain.next_step(), ProblemKind::NotFound.facts().next);
        assert_eq!(body(plain.clone())["next"], ProblemKind::NotFound.facts().next);
        assert_eq!(body(plain.next("Look elsewhere."))["next"], "Look elsewhere.");
        let nothing = Problem::from(nothing());
        assert!(nothing.next_step().starts_with("Check its newest run"), "{}", nothing.next_step());
        assert_eq!(Problem::parameter("limit", "expected a number").detail(), "`limit`: expected a number.");
    }

    #[test]
    fn a_problem_has_what_it_knows_and_no_more() {
        let body = body(Problem::new(ProblemKind::UnknownSource, "kv-x is not a vault of this app."));
        let expected = json!({
            "type": "urn:keyvault-backup:problem:unknown-source", "title": "No such source is configured", "status": 404,
            "detail": "kv-x is not a vault of this app.", "next": ProblemKind::UnknownSource.facts().next,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn the_headers_say_when_to_come_back_and_how_to_sign_in() {
        for &kind in ProblemKind::VARIANTS {
            let response = Problem::new(kind, "x").into_response();
            assert_eq!(
                (response.status(), &response.headers()[CONTENT_TYPE]),
                (kind.status(), &HeaderValue::from_static(PROBLEM_JSON))
            );
            let waits =
                response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            assert_eq!(waits, kind.wait(), "{kind:?}");
            let challenges = response.headers().contains_key(WWW_AUTHENTICATE);
            assert_eq!(challenges, kind == ProblemKind::NotAuthenticated, "{kind:?}");
            assert!(response.extensions().get::<Cause>().is_none());
        }
        let response = Problem::from(service(Meaning::Network, None)).into_response();
        let Cause(cause) = response.extensions().get::<Cause>().unwrap();
        assert!(cause.contains("Try https://x later"), "{cause}");
    }

    #[test]
    fn a_sentence_starts_with_a_capital() {
        for (text, expected) in [("run x", "Run x"), ("", ""), ("A", "A"), ("é", "é"), ("1st", "1st")] {
            assert_eq!(capital(text), expected);
        }
    }
}
