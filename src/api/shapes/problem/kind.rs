//! The kinds of problem.

use axum::http::StatusCode;
use strum::VariantArray;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use crate::api::shapes::wait::LATER;

/// The kinds of problem. Their names are part of the API and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum ProblemKind {
    /// A parameter in the path or the query is invalid.
    InvalidParameter,
    /// The body is invalid.
    InvalidBody,
    /// The settings cannot be used. At a terminal only: the app does not start with such settings.
    InvalidSettings,
    /// Authentication is required, and the platform's is not on.
    AuthenticationMissing,
    /// The platform's authentication identifies no caller.
    NotAuthenticated,
    /// The caller lacks the app role.
    MissingRole,
    /// The settings do not allow to restore that source into that target.
    PairNotAllowed,
    /// The app does not serve this, by its role.
    OtherApp,
    /// The API has no such path.
    UnknownPath,
    /// The source is not configured.
    UnknownSource,
    /// The run, job, restore or object does not exist.
    NotFound,
    /// The path is not served with that method.
    MethodNotAllowed,
    /// No plan is kept under the digest.
    UnknownPlan,
    /// The plan would be different now.
    PlanMoved,
    /// The plan needs the approval of a second person.
    ApprovalNeeded,
    /// The caller cannot approve the plan.
    ApprovalRefused,
    /// Another restore is running on the target.
    TargetTaken,
    /// Everything in an HSM would be replaced, and the caller has not confirmed its name.
    ConfirmationNeeded,
    /// The idempotency key stands for another restore.
    KeyReused,
    /// The request cannot be carried out in the present state.
    NotPossible,
    /// The caller has as many open jobs as allowed.
    TooManyOpen,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// The selection matches nothing.
    NothingSelected,
    /// A stored blob is damaged.
    DamagedCatalogue,
    /// A stored blob was written by a newer program.
    NewerFormat,
    /// This program has a defect.
    Defect,
    /// A service refused, and will refuse again.
    ServiceRefused,
    /// A service refused or did not answer; this may pass.
    ServiceUnavailable,
    /// The request exceeded this program's own deadline.
    TookTooLong,
}

/// The facts that all problems of a kind share.
pub(super) struct Facts {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) status: StatusCode,
    pub(super) next: &'static str,
}

/// The schema of `type`: the name of every kind.
pub(super) fn schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "The name of the kind of problem, which docs/problems.md explains. Stable: programs may compare it. A later \
             version may have more of them.",
        ))
        .enum_values(Some(ProblemKind::VARIANTS.iter().map(|kind| kind.urn())))
        .build()
}

impl ProblemKind {
    /// The name as the API has it.
    pub fn urn(self) -> String {
        format!("urn:keyvault-backup:problem:{}", self.facts().name)
    }

    #[rustfmt::skip]
    pub(super) const fn facts(self) -> Facts {
        let (status, name, title, next) = match self {
            Self::InvalidParameter => (StatusCode::BAD_REQUEST, "invalid-parameter", "A parameter cannot be used",
                "Correct the parameter; /api/status/openapi.json describes them all."),
            Self::InvalidBody => (StatusCode::BAD_REQUEST, "invalid-body", "The body cannot be used",
                "Correct the body; /api/status/openapi.json describes it."),
            Self::InvalidSettings => (StatusCode::INTERNAL_SERVER_ERROR, "invalid-settings", "The settings cannot be used",
                "Correct the settings that the detail names."),
            Self::AuthenticationMissing => (StatusCode::SERVICE_UNAVAILABLE, "authentication-missing", "No caller can be authenticated",
                "Turn on the app's authentication with Microsoft Entra ID: deploy infra/ with `authentication`."),
            Self::NotAuthenticated => (StatusCode::UNAUTHORIZED, "not-authenticated", "The caller is not signed in",
                "Send an access token of this app from Microsoft Entra ID in the Authorization header."),
            Self::MissingRole => (StatusCode::FORBIDDEN, "missing-role", "An app role is missing",
                "Ask an administrator of this app in Microsoft Entra ID for the role, then get a new token."),
            Self::PairNotAllowed => (StatusCode::FORBIDDEN, "pair-not-allowed", "That source may not be restored into that target",
                "Restore into a target that is allowed, or have the pair added to KEYVAULT_BACKUP_RESTORE_PAIRS."),
            Self::OtherApp => (StatusCode::FORBIDDEN, "other-app", "This app does not serve that",
                "Send the request to the app whose role serves it."),
            Self::UnknownPath => (StatusCode::NOT_FOUND, "unknown-path", "There is no such path",
                "Check the path; /api/status/openapi.json lists them all."),
            Self::UnknownSource => (StatusCode::NOT_FOUND, "unknown-source", "No such source is configured",
                "Check the name. To add a vault, put its URL into the setting KEYVAULT_BACKUP_VAULTS and restart the app."),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing",
                "Check the names; GET /api/backups and GET /api/backups/runs list what there is."),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The path is not served with this method",
                "Use a method that the header Allow names."),
            Self::UnknownPlan => (StatusCode::NOT_FOUND, "unknown-plan", "There is no such plan",
                "Plan first with POST /api/restores/plan, then send the digest that it answers."),
            Self::PlanMoved => (StatusCode::CONFLICT, "plan-moved", "The plan would not be the same now",
                "Read the new plan, which is in this answer; if it is what you want, send its digest."),
            Self::ApprovalNeeded => (StatusCode::CONFLICT, "approval-needed", "The plan needs the approval of a second person",
                "Have a person with the role Restore.Approver, who neither planned nor carries it out, approve it; then send it again."),
            Self::ApprovalRefused => (StatusCode::CONFLICT, "approval-refused", "You cannot approve this plan",
                "Have a person approve it who neither planned nor carries it out, where an approval is needed."),
            Self::TargetTaken => (StatusCode::CONFLICT, "target-taken", "Another restore is running on the target",
                "Wait until that restore has ended, then plan again."),
            Self::ConfirmationNeeded => (StatusCode::CONFLICT, "confirmation-needed", "Everything in the HSM would be replaced",
                "Send the HSM's name in `confirm`, beside the plan's digest."),
            Self::KeyReused => (StatusCode::CONFLICT, "idempotency-key-reused", "The key stands for another restore",
                "Use a new Idempotency-Key for every restore, and the same one only to repeat a request."),
            Self::NotPossible => (StatusCode::CONFLICT, "not-possible", "It cannot be done as things are",
                "Do what the detail asks for, then try again."),
            Self::TooManyOpen => (StatusCode::TOO_MANY_REQUESTS, "too-many-open", "You have as many open jobs as allowed",
                "Wait until one of them has ended, then ask again."),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large",
                "Ask for fewer objects in one request."),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body is not JSON",
                "Send JSON, with the header Content-Type: application/json."),
            Self::NothingSelected => (StatusCode::UNPROCESSABLE_ENTITY, "nothing-selected", "Nothing matches what is asked for",
                "Correct the request; the detail names what there is."),
            Self::DamagedCatalogue => (StatusCode::INTERNAL_SERVER_ERROR, "damaged-catalogue", "Something stored is damaged",
                "If it is a manifest, ask for an earlier time with `at`; the next nightly run continues from the one before. In any case find out who changed the blob that is named."),
            Self::NewerFormat => (StatusCode::INTERNAL_SERVER_ERROR, "newer-format", "A newer version stored this",
                "Deploy the newer version of keyvault-backup."),
            Self::Defect => (StatusCode::INTERNAL_SERVER_ERROR, "defect", "A defect in this program",
                "Find the invocation in the app's log and report what it says."),
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

    /// The seconds until another request may help. `None` for a problem that does not pass by itself.
    pub(super) fn wait(self) -> Option<u32> {
        match self.status() {
            _ if self == Self::TargetTaken => Some(LATER),
            StatusCode::SERVICE_UNAVAILABLE => Some(LATER),
            // Jobs are reconciled every minute.
            StatusCode::TOO_MANY_REQUESTS => Some(60),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_section_for_each_kind_and_no_other() {
        let page = include_str!("../../../../docs/problems.md");
        let found: Vec<_> = page
            .split("\n## ")
            .skip(1)
            .map(|section| {
                section.lines().filter(|line| !line.is_empty()).take(2).collect::<Vec<_>>().join(": ")
            })
            .collect();
        let expected = ProblemKind::VARIANTS.iter().map(|kind| {
            let Facts { name, title, status, .. } = kind.facts();
            format!("{name}: {title}, HTTP {}.", status.as_u16())
        });
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
    #[test]
    fn a_problem_that_passes_by_itself_says_when() {
        for &kind in ProblemKind::VARIANTS {
            let expected = match kind {
                ProblemKind::TooManyOpen => Some(60),
                ProblemKind::TargetTaken
                | ProblemKind::AuthenticationMissing
                | ProblemKind::ServiceUnavailable
                | ProblemKind::TookTooLong => Some(LATER),
                _ => None,
            };
            assert_eq!(kind.wait(), expected, "{kind:?}");
        }
    }

    #[test]
    fn each_kind_has_a_name_of_its_own_and_advice_in_a_sentence() {
        let names: std::collections::BTreeSet<_> =
            ProblemKind::VARIANTS.iter().map(|kind| kind.urn()).collect();
        assert_eq!(names.len(), ProblemKind::VARIANTS.len());
        for kind in ProblemKind::VARIANTS {
            let Facts { name, title, next, status } = kind.facts();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
            assert!(title.starts_with(|c: char| c.is_uppercase()) && !title.ends_with('.'), "{title}");
            assert!(next.starts_with(|c: char| c.is_uppercase()) && next.ends_with('.'), "{next}");
            assert!(status.is_client_error() || status.is_server_error(), "{name}");
        }
    }
}
