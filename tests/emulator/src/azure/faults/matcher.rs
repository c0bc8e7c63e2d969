//! Which requests a fault is for.

use std::fmt;

use hyper::HeaderMap;

use super::super::{
    keyvault::Kind,
    operation::{Operation, Service},
};

/// A request as matchers see it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The service.
    pub service: Service,
    /// The full host name.
    pub host: &'a str,
    /// What it asks for.
    pub operation: Operation,
    /// The kind of vault object.
    pub kind: Option<Kind>,
    /// The name of the vault object, `container/blob`, or the queue.
    pub object: &'a str,
    /// The client id of the caller; empty for the system-assigned identity.
    pub caller: &'a str,
    /// Whether the request carries a good token, or needs none.
    pub authorized: bool,
    /// The HTTP method.
    pub method: &'a str,
    /// The path and the query.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
}

type Custom = Box<dyn Fn(&Subject<'_>) -> bool + Send + Sync>;

/// Describes requests. Everything that is set must apply.
#[derive(Default)]
pub struct Matcher {
    service: Option<Service>,
    host: Option<String>,
    operation: Option<Operation>,
    kind: Option<Kind>,
    object: Option<String>,
    caller: Option<String>,
    custom: Option<Custom>,
}

impl Matcher {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests for an operation.
    #[must_use]
    pub fn operation(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Requests to a service.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Requests to a vault, an HSM or an account, by its short name or its full host name.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Requests for a kind of vault objects.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Requests for an object: a name in a vault, `container/blob`, or a queue.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Requests with a token of the identity with this client id.
    #[must_use]
    pub fn caller(mut self, client_id: impl Into<String>) -> Self {
        self.caller = Some(client_id.into());
        self
    }

    /// Requests for which a closure says yes, as those before it do.
    #[must_use]
    pub fn custom(mut self, custom: impl Fn(&Subject<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.custom = Some(match self.custom.take() {
            Some(before) => Box::new(move |subject| before(subject) && custom(subject)),
            None => Box::new(custom),
        });
        self
    }

    pub(crate) fn matches(&self, subject: &Subject<'_>) -> bool {
        let short = subject.host.split('.').next();
        self.operation.is_none_or(|operation| operation == subject.operation)
            && self.service.is_none_or(|service| service == subject.service)
            && self.kind.is_none_or(|kind| Some(kind) == subject.kind)
            && self.host.as_deref().is_none_or(|host| host == subject.host || Some(host) == short)
            && self.object.as_deref().is_none_or(|object| object.eq_ignore_ascii_case(subject.object))
            && self.caller.as_deref().is_none_or(|caller| caller == subject.caller)
            && self.custom.as_ref().is_none_or(|custom| custom(subject))
    }
}

impl From<Operation> for Matcher {
    fn from(operation: Operation) -> Self {
        Self::any().operation(operation)
    }
}

impl From<Service> for Matcher {
    fn from(service: Service) -> Self {
        Self::any().service(service)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher")
            .field("service", &self.service)
            .field("host", &self.host)
            .field("operation", &self.operation)
            .field("kind", &self.kind)
            .field("object", &self.object)
            .field("caller", &self.caller)
            .field("custom", &self.custom.is_some())
            .finish()
    }
}
