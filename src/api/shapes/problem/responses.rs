//! The problems that endpoints answer with, for the API's description.

use utoipa::IntoResponses;

use super::ProblemBody;

/// The problems of every endpoint.
#[derive(IntoResponses)]
pub enum Problems {
    /// A parameter or the body is invalid; the detail names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// The function key is missing or wrong, which the host answers, or the caller is not signed in, which the platform's
    /// authentication answers. Neither sends a problem; the body, if there is one, is not for programs. Only where that
    /// authentication lets requests without a sign-in pass does this program answer, with the problem `not-authenticated`.
    #[response(
        status = 401,
        headers(("WWW-Authenticate" = String, description = "`Bearer`, where the caller is not signed in"))
    )]
    NotAuthenticated,
    /// The caller lacks the app role.
    #[response(status = 403, content_type = "application/problem+json")]
    MissingRole(ProblemBody),
    /// The resource does not exist.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The path is not served with this method.
    #[response(
        status = 405,
        content_type = "application/problem+json",
        headers(("Allow" = String, description = "The methods that are served"))
    )]
    MethodNotAllowed(ProblemBody),
    /// The request cannot be carried out in the present state.
    #[response(
        status = 409,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "With `target-taken`: when to try again, in seconds"))
    )]
    NotPossible(ProblemBody),
    /// A stored blob is damaged or newer than this program, or this program has a defect.
    #[response(status = 500, content_type = "application/problem+json")]
    Broken(ProblemBody),
    /// An Azure service refused, and will refuse again.
    #[response(status = 502, content_type = "application/problem+json")]
    ServiceRefused(ProblemBody),
    /// An Azure service does not answer, or the request took too long.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "When to try again, in seconds"))
    )]
    ServiceUnavailable(ProblemBody),
}

/// The problem of endpoints that take a selection.
#[derive(IntoResponses)]
pub enum SelectionProblem {
    /// The selection matches nothing. The detail names what exists: recovery points, the nearest names, or the sources
    /// that have backups.
    #[response(status = 422, content_type = "application/problem+json")]
    Nothing(ProblemBody),
}

/// The problem of endpoints that open jobs.
#[derive(IntoResponses)]
pub enum TooMany {
    /// The caller has as many open jobs as allowed.
    #[response(
        status = 429,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "When to try again, in seconds"))
    )]
    TooMany(ProblemBody),
}

/// The problems of endpoints with a body.
#[derive(IntoResponses)]
pub enum BodyProblems {
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(ProblemBody),
}
