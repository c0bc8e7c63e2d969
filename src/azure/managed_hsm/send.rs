//! Sends requests through two pipelines, one of which never retries.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use azure_core::{
    credentials::TokenCredential,
    error::ErrorKind,
    http::{
        ClientOptions, Context, Method, Pipeline, PipelineSendOptions, RawResponse, Request, RetryOptions,
        StatusCode, Url,
        headers::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName},
    },
};
use serde_json::Value;

use super::{
    ManagedHsmClientOptions,
    auth::challenged_scope,
    error::{Error, Refusal, StartError, request_id, retry_after},
    status::{OperationStatus, Started},
    storage::{SasToken, StorageAuth},
    version::ServiceVersion,
    wire::{is_job_id, pending_path},
};

const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const JSON: &str = "application/json";

/// An id that no job has, so that asking about it has no effect. An HSM answers such a request even during a restore
/// (documentation, "Full backup and restore").
const NO_JOB: &str = "00000000000000000000000000000000";

/// Sends the requests of one client.
pub(super) struct Sender {
    endpoint: Url,
    host: String,
    version: ServiceVersion,
    credential: Arc<dyn TokenCredential>,
    /// Tokens that must not be in any text that is returned.
    secrets: Vec<SasToken>,
    /// The scope of tokens, once the HSM has named it.
    scope: OnceLock<String>,
    /// Retries as the client options say.
    repeatable: Pipeline,
    /// Sends a request once.
    once: Pipeline,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}

impl Sender {
    pub(super) fn new(
        endpoint: Url,
        credential: Arc<dyn TokenCredential>,
        options: ManagedHsmClientOptions,
    ) -> Result<Self, Error> {
        let ManagedHsmClientOptions { client_options: options, api_version: version, secrets } = options;
        let bare = endpoint.path() == "/" && endpoint.query().is_none() && endpoint.fragment().is_none();
        let anonymous = endpoint.username().is_empty() && endpoint.password().is_none();
        let host = endpoint.host_str().map(str::to_owned);
        let Some(host) = host.filter(|_| bare && anonymous && endpoint.scheme() == "https") else {
            return Err(Error::NotSent("the endpoint is not the https address of a host".to_owned()));
        };
        let pipeline = |options| {
            let (name, version) = (option_env!("CARGO_PKG_NAME"), option_env!("CARGO_PKG_VERSION"));
            Pipeline::new(name, version, options, Vec::new(), Vec::new(), None)
        };
        let once = pipeline(ClientOptions { retry: RetryOptions::none(), ..options.clone() });
        let repeatable = pipeline(options);
        Ok(Self { endpoint, host, version, credential, secrets, scope: OnceLock::new(), repeatable, once })
    }

    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Sends a start, once. A `401` refuses it before it begins: it is then sent once more, but only with another token
    /// than the refused one.
    pub(super) async fn start(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        auth: &StorageAuth,
    ) -> Result<Started, StartError> {
        let secrets = self.secrets_with(auth);
        let token = self.token().await?;
        let mut request = self.request(method, path, Some(body))?;
        request.insert_header(AUTHORIZATION, token.clone());
        let mut answer = self.send_start(&mut request).await?;
        if answer.status() == StatusCode::Unauthorized
            && let Some(other) = self.token().await.ok().filter(|other| *other != token)
        {
            request.insert_header(AUTHORIZATION, other);
            answer = self.send_start(&mut request).await?;
        }
        if answer.status().is_success() {
            return started(&answer, &secrets).map_err(StartError::AnswerLost);
        }
        let refusal = Refusal::of(&answer, &secrets);
        Err(if refusal.status == 409 { StartError::Conflict(refusal) } else { StartError::Refused(refusal) })
    }

    async fn send_start(&self, request: &mut Request) -> Result<RawResponse, StartError> {
        send(&self.once, request).await.map_err(|error| {
            // Without a connection it was not sent.
            if *error.kind() == ErrorKind::Connection {
                StartError::NotSent(Error::NoAnswer(error))
            } else {
                StartError::AnswerLost(Error::NoAnswer(error))
            }
        })
    }

    /// Sends the start of a check, which may be sent again.
    pub(super) async fn check(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        auth: &StorageAuth,
    ) -> Result<Started, Error> {
        let secrets = self.secrets_with(auth);
        let answer = self.repeat(self.request(method, path, Some(body))?, &secrets).await?;
        started(&answer, &secrets)
    }

    /// Reads the status of a job.
    pub(super) async fn poll(&self, kind: &str, job_id: &str) -> Result<OperationStatus, Error> {
        let request = self.request(Method::Get, &pending_path(kind, job_id)?, None)?;
        let answer = self.repeat(request, &self.secrets).await?;
        let bad = |text: &str| bad_answer(text, &answer);
        let body: Value =
            serde_json::from_slice(answer.body().as_ref()).map_err(|_| bad("it is not JSON"))?;
        OperationStatus::read(&body, Some(job_id), &self.secrets).map_err(bad)
    }

    /// Sends a repeatable request: as often as the retry policy says, and once more with a new token after a `401`.
    ///
    /// The credential caches the tokens. If it returns the refused one again, the request is refused again.
    async fn repeat(&self, mut request: Request, secrets: &[SasToken]) -> Result<RawResponse, Error> {
        let mut answer = self.authorized(&mut request).await?;
        if answer.status() == StatusCode::Unauthorized {
            answer = self.authorized(&mut request).await?;
        }
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(Error::Refused(Refusal::of(&answer, secrets)))
        }
    }

    async fn authorized(&self, request: &mut Request) -> Result<RawResponse, Error> {
        let token = self.token().await?;
        request.insert_header(AUTHORIZATION, token);
        send(&self.repeatable, request).await.map_err(Error::NoAnswer)
    }

    /// Does the part that precedes every request, to check that it works.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        self.token().await.map(drop)
    }

    /// All tokens to remove from a text. A job may repeat the token it was started with, which need not be this
    /// request's.
    fn secrets_with(&self, auth: &StorageAuth) -> Vec<SasToken> {
        self.secrets.iter().chain(auth.sas()).cloned().collect()
    }

    /// The value of an `Authorization` header.
    async fn token(&self) -> Result<String, Error> {
        let scope = match self.scope.get() {
            Some(scope) => scope,
            None => self.learn().await?,
        };
        let token = self.credential.get_token(&[scope], None).await.map_err(Error::NoToken)?;
        Ok(format!("Bearer {}", token.token.secret()))
    }

    /// Learns which token the HSM wants, with a request that has no token, no body and no effect.
    async fn learn(&self) -> Result<&str, Error> {
        let mut request = self.request(Method::Get, &pending_path("restore", NO_JOB)?, None)?;
        let answer = send(&self.repeatable, &mut request).await.map_err(Error::NoAnswer)?;
        let scope = challenged_scope(&self.host, &answer)?;
        Ok(self.scope.get_or_init(|| scope))
    }

    fn request(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Request, Error> {
        let url = self.endpoint.join(path);
        let mut url = url.map_err(|_| Error::NotSent("the request has no address".to_owned()))?;
        url.query_pairs_mut().append_pair("api-version", self.version.as_str());
        let mut request = Request::new(url, method);
        request.insert_header(ACCEPT, JSON);
        if let Some(body) = body {
            request.insert_header(CONTENT_TYPE, JSON);
            request.set_body(body);
        }
        Ok(request)
    }
}

/// Sends a request and returns any answer: its status is judged here, not in the pipeline.
async fn send(pipeline: &Pipeline, request: &mut Request) -> azure_core::Result<RawResponse> {
    let options = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
    pipeline.send(&Context::new(), request, Some(options)).await
}

/// The started job. Its id is in the body, and in an address in a header.
fn started(answer: &RawResponse, secrets: &[SasToken]) -> Result<Started, Error> {
    let address = answer.headers().get_optional_str(&ASYNC_OPERATION).and_then(|url| Url::parse(url).ok());
    let mut parts = address.iter().filter_map(Url::path_segments).flatten().rev();
    let named = parts.next().filter(|part| *part == "pending").and_then(|_| parts.next());
    let named = named.filter(|id| is_job_id(id));
    let body: Option<Value> = serde_json::from_slice(answer.body().as_ref()).ok();
    let id = body.as_ref().and_then(|body| body["jobId"].as_str()).filter(|id| is_job_id(id)).or(named);
    let id = id.ok_or_else(|| bad_answer("the job that was started has no id", answer))?;
    let status = body.as_ref().and_then(|body| OperationStatus::read(body, Some(id), secrets).ok());
    Ok(Started { job_id: id.to_owned(), status, retry_after: retry_after(answer) })
}

fn bad_answer(text: &str, answer: &RawResponse) -> Error {
    Error::BadAnswer { text: text.to_owned(), request_id: request_id(answer) }
}
