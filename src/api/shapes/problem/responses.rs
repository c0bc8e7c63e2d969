//! The problems of endpoints, for their description.

use utoipa::IntoResponses;

use super::ProblemBody;

/// The problems that every endpoint may answer with.
#[derive(IntoResponses)]
pub enum Problems {
    /// A parameter or the body cannot be used; the detail names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// No function key, or the wrong one (then the host answers, without a body); or nobody is signed in.
    #[response(
        status = 401,
        content_type = "application/problem+json",
        headers(("WWW-Authenticate" = String, description = "`Bearer`, when it is this program that answers"))
    )]
    NotAuthenticated(ProblemBody),
    /// The caller lacks the app role.
    #[response(status = 403, content_type = "application/problem+json")]
    MissingRole(ProblemBody),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The method is not served there.
    #[response(
        status = 405,
        content_type = "application/problem+json",
        headers(("Allow" = String, description = "The methods that are served"))
    )]
    MethodNotAllowed(ProblemBody),
    /// It cannot be done as things are.
    #[response(status = 409, content_type = "application/problem+json")]
    NotPossible(ProblemBody),
    /// Something stored is damaged or newer than this program, or this program has a defect.
    #[response(status = 500, content_type = "application/problem+json")]
    Broken(ProblemBody),
    /// An Azure service refused for good.
    #[response(status = 502, content_type = "application/problem+json")]
    ServiceRefused(ProblemBody),
    /// An Azure service does not answer, or it took too long.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "When to try again, in seconds"))
    )]
    ServiceUnavailable(ProblemBody),
}

/// The problem of a selection.
#[derive(IntoResponses)]
pub enum SelectionProblem {
    /// Nothing matches what is asked for. The detail names what there is: recovery points, the nearest names, or the
    /// sources of which there are backups.
    #[response(status = 422, content_type = "application/problem+json")]
    Nothing(ProblemBody),
}

/// The problem of endpoints that open jobs.
#[derive(IntoResponses)]
pub enum TooMany {
    /// The caller has as many open jobs as it may have.
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
