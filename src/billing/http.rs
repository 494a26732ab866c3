//! One HTTP client for one provider: token, budget, timeout. What its answers mean is told by [`answer`].

mod answer;

use std::{fmt, time::Duration};

use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use self::answer::{as_read, as_write, refused_key, retry_after};
use super::{
    CallError,
    budget::Budget,
    carrier::{Carrier, Unanswered},
    endpoint::{Endpoint, EndpointError, roots},
    tenure::Tenure,
};
use crate::{
    clock,
    metrics::Metrics,
    plan::{Call, Method},
    status::bounded,
    terms::text::seen,
};

/// Largest reply that is read.
const MAX_REPLY: usize = 8 << 20;
/// Most bytes of the reason why there is no connection.
const MAX_CAUSE: usize = 200;

/// A client of one billing API account.
pub struct Http {
    client: Client,
    /// Of every request.
    headers: HeaderMap,
    carrier: Option<Carrier>,
    base: Url,
    /// Kept to find it in what the API answers.
    token: SecretString,
    timeout: Duration,
    budget: Budget,
    tenure: Tenure,
    metrics: Metrics,
    numbers_requests: bool,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Http {
    /// A client for an endpoint; every write has to fit into the tenure.
    ///
    /// # Errors
    /// When the token or the client cannot be used.
    pub fn new(endpoint: &Endpoint, tenure: Tenure, metrics: Metrics) -> Result<Self, EndpointError> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", endpoint.token.expose_secret()))
            .map_err(|_| EndpointError::Token)?;
        bearer.set_sensitive(true);
        let mut builder = Client::builder()
            .tls_certs_merge(roots(endpoint.ca_bundle.as_deref())?)
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .timeout(endpoint.timeout)
            .connect_timeout(endpoint.timeout.min(Duration::from_secs(10)))
            // A redirect is an answer like any other: the token goes to no other host than this.
            .redirect(redirect::Policy::none());
        if endpoint.base.scheme() == "http" {
            // Clear text is for this machine and this cluster only, so no proxy may see it.
            builder = builder.no_proxy();
        }
        let client =
            builder.build().map_err(|error| EndpointError::Client(error.without_url().to_string()))?;
        Ok(Self {
            client,
            // Replies are read as they come: without the second, an API may send them packed in any way.
            headers: HeaderMap::from_iter([
                (AUTHORIZATION, bearer),
                (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            ]),
            carrier: endpoint.carrier.clone(),
            base: endpoint.base.clone(),
            token: endpoint.token.clone(),
            timeout: endpoint.timeout,
            budget: endpoint.budget.clone(),
            tenure,
            metrics,
            numbers_requests: false,
        })
    }

    /// The same for an API whose errors have the number of the request (`request_id`): without one, a 404 is somebody
    /// else's, and says nothing about what exists.
    #[must_use]
    pub fn numbering_requests(self) -> Self {
        Self { numbers_requests: true, ..self }
    }

    /// Reads.
    ///
    /// # Errors
    /// By what to do next; never [`CallError::Unknown`].
    pub async fn get(&self, path: &str) -> Result<String, CallError> {
        let result = self.send(path, "GET", Client::get).await;
        result.map_err(as_read)
    }

    /// Reads by `POST`, as Metronome has it.
    ///
    /// # Errors
    /// By what to do next; never [`CallError::Unknown`].
    pub async fn query(&self, path: &str, body: &Value) -> Result<String, CallError> {
        let result = self.send(path, "QUERY", |client, url| client.post(url).json(body)).await;
        result.map_err(as_read)
    }

    /// Carries out one write of a plan.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn write(&self, call: &Call) -> Result<String, CallError> {
        self.turn().await?;
        // Kept until the outcome is known.
        let Some(_under_way) = self.tenure.begin_write(self.timeout) else {
            return Err(CallError::NotLeader);
        };
        let (method, name) = match call.method {
            Method::Put => (reqwest::Method::PUT, "PUT"),
            Method::Post => (reqwest::Method::POST, "POST"),
        };
        let build = |client: &Client, url| {
            client.request(method, url).header(CONTENT_TYPE, "application/json").body(call.body.clone())
        };
        let reply = self.tenure.write(self.call(&call.path, name, build)).await;
        let given_up =
            || Err(CallError::Unknown("the operator had to stop before the answer came".to_owned()));
        reply.unwrap_or_else(given_up).map_err(|error| refused_key(call, as_write(error)))
    }

    async fn send(
        &self,
        path: &str,
        method: &'static str,
        build: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<String, CallError> {
        self.turn().await?;
        // What is not read now can be read by the next leader.
        self.tenure.read(self.call(path, method, build)).await.unwrap_or(Err(CallError::NotLeader))
    }

    async fn turn(&self) -> Result<(), CallError> {
        let turn = self.tenure.read(self.budget.turn()).await.ok_or(CallError::NotLeader)?;
        turn.map_err(|pause| CallError::Throttled { pause })
    }

    async fn call(
        &self,
        path: &str,
        method: &'static str,
        build: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<String, CallError> {
        let url = self.base.join(path).map_err(|error| CallError::Unreachable(error.to_string()))?;
        let started = std::time::Instant::now();
        let result = self.exchange(build(&self.client, url).headers(self.headers.clone()), path).await;
        self.metrics.billing_call(method, result.as_ref().err(), started.elapsed());
        tracing::debug!(method, path, outcome = ?result.as_ref().map(String::len), "billing call");
        result
    }

    async fn exchange(&self, request: RequestBuilder, path: &str) -> Result<String, CallError> {
        let response = match &self.carrier {
            None => request.send().await.map_err(unanswered),
            Some(carrier) => carrier.carry(request, self.timeout).await,
        };
        let response = response.map_err(|Unanswered { why, never_sent }| {
            if never_sent { CallError::Unreachable(why) } else { CallError::Unknown(why) }
        })?;
        let status = response.status();
        let pause = retry_after(response.headers(), clock::now());
        let read = read_bounded(response).await;
        if status.is_success() {
            return read.map_err(CallError::Unknown);
        }
        let read = read.unwrap_or_default();
        let token = self.token.expose_secret();
        let failure = answer::failure(status, pause, &read, self.numbers_requests, path, token);
        if let Some(pause) = failure.hold {
            self.budget.hold(pause);
        }
        Err(failure.error)
    }
}

/// Says why a request failed, without its URL or any header.
fn unanswered(error: reqwest::Error) -> Unanswered {
    let error = error.without_url();
    let never_sent = error.is_connect() || error.is_builder();
    if error.is_timeout() {
        return Unanswered { never_sent, ..Unanswered::in_time() };
    }
    let what = if never_sent { "no connection" } else { "the connection was lost" };
    Unanswered { why: format!("{what}: {}", cause(&error)), never_sent }
}

/// The innermost reason of an error: name not found, connection refused, certificate not trusted.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let printable = cause.to_string().chars().map(seen).collect::<String>();
    let cure = if printable.ends_with("UnknownIssuer") {
        "; a private root belongs into the provider's `caBundle`"
    } else {
        ""
    };
    format!("{}{cure}", bounded(&printable, MAX_CAUSE))
}

async fn read_bounded(mut response: Response) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| "the reply broke off".to_owned())? {
        if body.len() + chunk.len() > MAX_REPLY {
            return Err("the reply is too large".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| "the reply is not text".to_owned())
}
