//! The kinds of problem.

use axum::http::StatusCode;

/// The kinds of problem. Their names are part of the API and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// A parameter in the path or the query.
    InvalidParameter,
    /// The body.
    InvalidBody,
    /// The platform's authentication names nobody.
    NotAuthenticated,
    /// Somebody without the role.
    MissingRole,
    /// Nothing is served there.
    UnknownPath,
    /// A source that is not configured.
    UnknownSource,
    /// A thing that is not there.
    NotFound,
    /// A method that is not served there.
    MethodNotAllowed,
    /// A plan that is not kept.
    UnknownPlan,
    /// A plan that would not be the same now.
    PlanMoved,
    /// Another restore has the target.
    TargetTaken,
    /// Everything in an HSM would be replaced, and the caller has not named it.
    ConfirmationNeeded,
    /// An idempotency key that stands for something else.
    KeyReused,
    /// Asked for something that cannot be done as things are.
    NotPossible,
    /// The caller has as many open jobs as it may have.
    TooManyOpen,
    /// More bytes than are read.
    BodyTooLarge,
    /// A body that is not JSON.
    UnsupportedMediaType,
    /// A selection that matches nothing.
    NothingSelected,
    /// Something stored is not what was written.
    DamagedCatalogue,
    /// Something stored by a newer program.
    NewerFormat,
    /// A defect in this program.
    Defect,
    /// A service refused for good.
    ServiceRefused,
    /// A service refused or was silent; it may pass.
    ServiceUnavailable,
    /// Our own limit.
    TookTooLong,
}

/// What is the same in all problems of a kind.
pub(super) struct Facts {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) status: StatusCode,
    pub(super) next: &'static str,
}

impl ProblemKind {
    #[rustfmt::skip]
    pub(super) const fn facts(self) -> Facts {
        let (status, name, title, next) = match self {
            Self::InvalidParameter => (StatusCode::BAD_REQUEST, "invalid-parameter", "A parameter cannot be used",
                "Correct the parameter; /api/status/openapi.json describes them all."),
            Self::InvalidBody => (StatusCode::BAD_REQUEST, "invalid-body", "The body cannot be used",
                "Correct the body; /api/status/openapi.json describes it."),
            Self::NotAuthenticated => (StatusCode::UNAUTHORIZED, "not-authenticated", "Nobody is signed in",
                "Send an access token of this app from Microsoft Entra ID in the Authorization header."),
            Self::MissingRole => (StatusCode::FORBIDDEN, "missing-role", "An app role is missing",
                "Ask whoever administers this app in Microsoft Entra ID for the role, then get a new token."),
            Self::UnknownPath => (StatusCode::NOT_FOUND, "unknown-path", "Nothing is served there",
                "Look the path up in /api/status/openapi.json."),
            Self::UnknownSource => (StatusCode::NOT_FOUND, "unknown-source", "No such source is configured",
                "Check the name. To add a vault, put its URL into the setting KEYVAULT_BACKUP_VAULTS and restart the app."),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing",
                "Check the names; GET /api/backups and GET /api/backups/runs list what there is."),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not served there",
                "Use a method that the header Allow names."),
            Self::UnknownPlan => (StatusCode::NOT_FOUND, "unknown-plan", "There is no such plan",
                "Plan first with POST /api/restores/plan, then send the digest that it answers."),
            Self::PlanMoved => (StatusCode::CONFLICT, "plan-moved", "The plan would not be the same now",
                "Read the new plan, which is in this answer; if it is what you want, send its digest."),
            Self::TargetTaken => (StatusCode::CONFLICT, "target-taken", "Another restore is at work on the vault",
                "Wait until that restore has ended, then plan again."),
            Self::ConfirmationNeeded => (StatusCode::CONFLICT, "confirmation-needed", "Everything in the HSM would be replaced",
                "Send the HSM's name in `confirm`, beside the plan's digest."),
            Self::KeyReused => (StatusCode::CONFLICT, "idempotency-key-reused", "The key stands for another restore",
                "Use a new Idempotency-Key for every restore, and the same one only to repeat a request."),
            Self::NotPossible => (StatusCode::CONFLICT, "not-possible", "It cannot be done as things are",
                "Do what the detail asks for, then try again."),
            Self::TooManyOpen => (StatusCode::TOO_MANY_REQUESTS, "too-many-open", "You have as many open jobs as you may have",
                "Wait until one of them has ended, then ask again."),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large",
                "Ask for fewer objects in one request."),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body is not JSON",
                "Send JSON, with the header Content-Type: application/json."),
            Self::NothingSelected => (StatusCode::UNPROCESSABLE_ENTITY, "nothing-selected", "Nothing matches what is asked for",
                "Correct what is asked for; the detail names what there is."),
            Self::DamagedCatalogue => (StatusCode::INTERNAL_SERVER_ERROR, "damaged-catalogue", "Something stored is damaged",
                "If it is a manifest, ask for an earlier time with `at`; the next nightly run goes on from the one before. In any case find out who changed the blob that is named."),
            Self::NewerFormat => (StatusCode::INTERNAL_SERVER_ERROR, "newer-format", "A newer version stored this",
                "Deploy the newer version of keyvault-backup."),
            Self::Defect => (StatusCode::INTERNAL_SERVER_ERROR, "defect", "A defect in this program",
                "Look for the invocation in the app's log and report what it says."),
            Self::ServiceRefused => (StatusCode::BAD_GATEWAY, "service-refused", "An Azure service refused",
                "Read what the service says; most often the app's identity lacks a role or a firewall is in the way."),
            Self::ServiceUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "service-unavailable", "An Azure service does not answer",
                "Wait as long as the header Retry-After says, then try again."),
            Self::TookTooLong => (StatusCode::SERVICE_UNAVAILABLE, "took-too-long", "It took too long",
                "Wait as long as the header Retry-After says, then try again, asking for less if you can."),
        };
        Facts { name, title, status, next }
    }

    /// The HTTP status of every problem of this kind.
    pub const fn status(self) -> StatusCode {
        self.facts().status
    }
}
