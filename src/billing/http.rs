//! One HTTP client for one provider: token, budget, timeout, and what each kind of failure means.

use std::{fmt, time::Duration};

use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::{CallError, WriteGate, budget::Budget};
use crate::{
    metrics::Metrics,
    plan::{Call, Method},
};

/// Largest reply that is read.
const MAX_REPLY: usize = 8 << 20;
/// Most characters of the API's own message that are passed on.
const MAX_MESSAGE: usize = 500;
/// Pause after a 429 that names none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

/// How to reach a billing API.
#[derive(Clone)]
pub struct Endpoint {
    /// Base URL.
    pub base: Url,
    /// API token.
    pub token: SecretString,
    /// How long one request may take.
    pub timeout: Duration,
    /// Requests a second.
    pub requests_per_second: i32,
}

/// Why an endpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The URL is not acceptable.
    #[error("`baseUrl` {0}")]
    Url(String),
    /// The token cannot be sent.
    #[error("the token must be printable ASCII without spaces or line breaks inside")]
    Token,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}

/// A client of one billing API account.
pub struct Http {
    client: Client,
    base: Url,
    timeout: Duration,
    budget: Budget,
    gate: WriteGate,
    metrics: Metrics,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// Parses a base URL, which may be plain `http` only where nobody else can listen.
///
/// # Errors
/// When it is no such URL; the message says what is wrong.
pub fn base_url(text: &str) -> Result<Url, EndpointError> {
    let refuse = |message: String| Err(EndpointError::Url(message));
    let mut url =
        Url::parse(text).map_err(|error| EndpointError::Url(format!("{text:?} is no URL: {error}")))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let mut labels = host.rsplit('.');
    let in_cluster = matches!(
        (labels.next(), labels.next(), labels.next()),
        (Some("svc"), Some(_), _) | (Some("local"), Some("cluster"), Some("svc"))
    );
    let at_home = in_cluster || host == "localhost" || host == "[::1]" || host.starts_with("127.");
    match url.scheme() {
        "https" => {}
        "http" if at_home => {}
        "http" => return refuse(format!("{text:?} would send the token in clear text; use https")),
        scheme => return refuse(format!("{text:?} has the scheme {scheme}; use https")),
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return refuse("must be a plain address without user, query or fragment".to_owned());
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

impl Http {
    /// A client for an endpoint; every write asks the gate first.
    ///
    /// # Errors
    /// When the token or the client cannot be used.
    pub fn new(endpoint: &Endpoint, gate: WriteGate, metrics: Metrics) -> Result<Self, EndpointError> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", endpoint.token.expose_secret()))
            .map_err(|_| EndpointError::Token)?;
        bearer.set_sensitive(true);
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .timeout(endpoint.timeout)
            .connect_timeout(endpoint.timeout.min(Duration::from_secs(10)))
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| EndpointError::Client(error.without_url().to_string()))?;
        Ok(Self {
            client,
            base: endpoint.base.clone(),
            timeout: endpoint.timeout,
            budget: Budget::new(endpoint.requests_per_second),
            gate,
            metrics,
        })
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
        self.budget.turn().await.map_err(|pause| CallError::Throttled { pause })?;
        if !(self.gate)(self.timeout) {
            return Err(CallError::NotLeader);
        }
        let (method, name) = match call.method {
            Method::Put => (reqwest::Method::PUT, "PUT"),
            Method::Post => (reqwest::Method::POST, "POST"),
        };
        let build = |client: &Client, url| {
            client.request(method, url).header(CONTENT_TYPE, "application/json").body(call.body.clone())
        };
        self.call(&call.path, name, build).await
    }

    async fn send(
        &self,
        path: &str,
        method: &'static str,
        build: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<String, CallError> {
        self.budget.turn().await.map_err(|pause| CallError::Throttled { pause })?;
        self.call(path, method, build).await
    }

    async fn call(
        &self,
        path: &str,
        method: &'static str,
        build: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<String, CallError> {
        let url = self.base.join(path).map_err(|error| CallError::Unreachable(error.to_string()))?;
        let started = std::time::Instant::now();
        let result = self.exchange(build(&self.client, url), path).await;
        self.metrics.billing_call(method, result.as_ref().err(), started.elapsed());
        tracing::debug!(method, path, outcome = ?result.as_ref().map(String::len), "billing call");
        result
    }

    async fn exchange(&self, request: RequestBuilder, path: &str) -> Result<String, CallError> {
        let response = request.send().await.map_err(|error| {
            let why = error_chain(error);
            if why.never_sent { CallError::Unreachable(why.text) } else { CallError::Unknown(why.text) }
        })?;
        let status = response.status();
        let pause = retry_after(response.headers());
        let read = read_bounded(response).await;
        if status.is_success() {
            return read.map_err(CallError::Unknown);
        }
        let ApiError { message, code: named } = api_error(&read.unwrap_or_default());
        let code = status.as_u16();
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let pause = pause.unwrap_or(DEFAULT_PAUSE);
                self.budget.hold(pause);
                Err(CallError::Throttled { pause })
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(CallError::Credentials { status: code, message })
            }
            StatusCode::BAD_REQUEST if named.ends_with("NotFound") => {
                Err(CallError::NotFound { what: path.to_owned(), message })
            }
            StatusCode::CONFLICT => Err(CallError::KeyUsed { message }),
            StatusCode::NOT_FOUND => Err(CallError::NotFound { what: path.to_owned(), message }),
            StatusCode::REQUEST_TIMEOUT => Err(CallError::Unknown(format!("HTTP {code}"))),
            _ if status.is_client_error() => Err(CallError::Rejected { status: code, message }),
            _ => {
                if let Some(pause) = pause {
                    self.budget.hold(pause);
                }
                Err(CallError::Unknown(format!("HTTP {code}")))
            }
        }
    }
}

/// What a failed call means when nothing was to be changed: that the outcome is not known does no harm.
fn as_read(error: CallError) -> CallError {
    match error {
        CallError::Unknown(why) => CallError::Unreachable(why),
        error => error,
    }
}

struct SendError {
    text: String,
    never_sent: bool,
}

/// Says why a request failed, without its URL or any header.
fn error_chain(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let never_sent = error.is_connect() || error.is_builder();
    let text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if never_sent {
        "no connection".to_owned()
    } else {
        "the connection was lost".to_owned()
    };
    SendError { text, never_sent }
}

/// `Retry-After` in its form of seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
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

/// What an API says of an error: Zoo has a message, Metronome's newer endpoints a code as well.
#[derive(Deserialize)]
struct ApiError {
    message: String,
    #[serde(default)]
    code: String,
}

/// The API's own words, in one line and bounded; a reply in another form is not passed on.
fn api_error(body: &str) -> ApiError {
    let error = serde_json::from_str::<ApiError>(body);
    let ApiError { message, code } =
        error.unwrap_or_else(|_| ApiError { message: "no reason given".to_owned(), code: String::new() });
    let printable = message.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    ApiError { message: printable.take(MAX_MESSAGE).collect(), code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_travels_in_clear_text_at_home_only() {
        for url in
            ["http://127.0.0.1:8080", "http://localhost", "http://sim.billing.svc", "https://api.zoo.dev"]
        {
            assert!(base_url(url).is_ok(), "{url}");
        }
        for url in [
            "http://api.zoo.dev",
            "http://localhost.example.com",
            "ftp://localhost",
            "https://u:p@api.zoo.dev",
            "acme",
        ] {
            assert!(base_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_base_url_keeps_its_path() {
        let url = base_url("https://proxy.example.com/zoo").unwrap();
        assert_eq!(url.join("orgs/1").unwrap().as_str(), "https://proxy.example.com/zoo/orgs/1");
    }

    #[test]
    fn a_page_of_html_is_not_passed_on() {
        assert_eq!(api_error("<html>secret</html>").message, "no reason given");
        assert_eq!(api_error(r#"{"message": "bad\nname", "request_id": "1"}"#).message, "bad name");
    }
}
