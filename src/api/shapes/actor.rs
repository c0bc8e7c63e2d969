//! The actor of a request, as it is answered.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::actor::{Actor, Via};

/// The actor that requested a run or a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct By {
    /// `schedule`, `http` or `terminal`.
    #[schema(example = "http")]
    via: &'static str,
    /// The start of the SHA-256 of the caller's function key.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The object id in Microsoft Entra ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl From<&Actor> for By {
    fn from(actor: &Actor) -> Self {
        let via = match actor.via {
            Via::Timer => "schedule",
            Via::Http => "http",
            Via::Terminal => "terminal",
        };
        let principal = actor.principal.clone();
        let name = principal.as_ref().and_then(|principal| principal.name.clone());
        Self { via, key: actor.key.map(|key| key.to_string()), id: principal.map(|of| of.id), name }
    }
}
