//! Notices that are still to be delivered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{domain::notice::Waiting, query::notices::Undelivered};

/// Messages to webhooks that are still to be delivered. It is part of no `ok`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticesStatus {
    /// How many messages wait.
    undelivered: usize,
    /// Since when the oldest waits.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    since: Option<OffsetDateTime>,
    /// How many were ever given up, each after three days.
    given_up: u64,
    /// The targets for which messages wait.
    targets: Vec<NoticeTarget>,
}

/// A target of messages that wait. Its address is a secret and not told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeTarget {
    /// The host.
    #[schema(example = "hooks.slack.com")]
    host: String,
    /// How many messages wait.
    undelivered: usize,
    /// Since when the oldest waits.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// What came back at the last try. Absent before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "it answered 404 no_service")]
    last_failure: Option<String>,
}

impl From<Undelivered> for NoticesStatus {
    fn from(of: Undelivered) -> Self {
        let (undelivered, since, given_up) = (of.count(), of.since(), of.given_up);
        Self { undelivered, since, given_up, targets: of.waiting.into_iter().map(Into::into).collect() }
    }
}

impl From<Waiting> for NoticeTarget {
    fn from(of: Waiting) -> Self {
        Self { host: of.host, undelivered: of.posts, since: of.since, last_failure: of.failure }
    }
}
