//! The offset of the services' clocks from ours.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use azure_core::{
    http::{
        Context, Request,
        headers::HeaderName,
        policies::{Policy, PolicyResult},
    },
    time::parse_rfc7231,
};
use parking_lot::Mutex;
use time::Duration;

use crate::clock::Clock;

const DATE: HeaderName = HeaderName::from_static("date");

/// Compares the time in every answer with ours. Shared by the clients of one preflight.
#[derive(Debug)]
pub struct Dates {
    clock: Clock,
    ahead: Mutex<BTreeMap<String, Duration>>,
}

impl Dates {
    /// Compares with this clock.
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { clock, ahead: Mutex::default() })
    }

    /// How far each host's clock is ahead of ours, as of its newest answer.
    pub fn ahead(&self) -> Vec<(String, Duration)> {
        self.ahead.lock().iter().map(|(host, by)| (host.clone(), *by)).collect()
    }
}

#[async_trait]
impl Policy for Dates {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some((first, rest)) = next.split_first() else {
            return Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Other, "no transport"));
        };
        let answer = first.send(ctx, request, rest).await?;
        let date = answer.headers().get_optional_string(&DATE).and_then(|date| parse_rfc7231(&date).ok());
        if let (Some(date), Some(host)) = (date, request.url().host_str()) {
            self.ahead.lock().insert(host.to_owned(), date - self.clock.now());
        }
        Ok(answer)
    }
}
