//! One HTTP client for one provider: token, budget, timeout, and what each kind of failure means.

use std::{fmt, num::IntErrorKind, time::Duration};

use chrono::{DateTime, Utc};

use reqwest::{
    Certificate, Client, RequestBuilder, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Host;

use super::{
    CallError,
    budget::{Budget, LONGEST_PAUSE},
    tenure::Tenure,
};
use crate::{
    metrics::Metrics,
    plan::{Call, CallKind, Method},
    status::bounded,
};

/// Largest reply that is read.
const MAX_REPLY: usize = 8 << 20;
/// Most characters of the API's own message that are passed on.
const MAX_MESSAGE: usize = 500;
/// Most bytes of the reason why there is no connection.
const MAX_CAUSE: usize = 200;
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
    /// What all calls of the provider share, also with the client before this one.
    pub budget: Budget,
    /// Certificates of private roots (PEM) that are trusted beside the public ones.
    pub ca_bundle: Option<String>,
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
    /// The private roots cannot be used.
    #[error("`caBundle` {0}")]
    CaBundle(String),
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
    tenure: Tenure,
    metrics: Metrics,
    numbers_requests: bool,
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
    let at_home = is_at_home(&url);
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

/// Whether nobody outside of this machine or of the cluster can listen. Only addresses are addresses:
/// `127.attacker.example` is somebody's name.
fn is_at_home(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => {
            let mut labels = name.rsplit('.');
            let is_service = matches!(
                (labels.next(), labels.next(), labels.next()),
                (Some("svc"), Some(_), _) | (Some("local"), Some("cluster"), Some("svc"))
            );
            is_service || name == "localhost"
        }
        None => false,
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
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
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
            base: endpoint.base.clone(),
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
        let pause = retry_after(response.headers(), Utc::now());
        let read = read_bounded(response).await;
        if status.is_success() {
            return read.map_err(CallError::Unknown);
        }
        let read = read.unwrap_or_default();
        if status == StatusCode::CONFLICT && read.trim().is_empty() {
            return Err(CallError::Conflict { message: NO_REASON.to_owned() });
        }
        let said = api_error(&read);
        let is_own = |said: &ApiError| {
            status != StatusCode::NOT_FOUND || !self.numbers_requests || said.request_id.is_some()
        };
        let Some(ApiError { message, code: named, .. }) = said.filter(is_own) else {
            return Err(foreign(status, pause, &self.budget));
        };
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
            StatusCode::CONFLICT => Err(CallError::Conflict { message }),
            StatusCode::NOT_FOUND => Err(CallError::NotFound { what: path.to_owned(), message }),
            _ if MAY_PASS.contains(&code) => Err(CallError::Unknown(format!("HTTP {code}: {message}"))),
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

/// Client errors that say nothing final about the request: timeouts, and refusals of the moment (wrong server, locked, too
/// early, upgrade, precondition, closed by the client).
const MAY_PASS: [u16; 7] = [408, 421, 423, 424, 425, 426, 499];

/// What stands for the words of an answer that has none.
const NO_REASON: &str = "no reason given";

/// What a 409 means for a write: where the API takes a key once, that the key was used; else something of the moment. The
/// API is known to say of a used key of an edit also 422, in its own words.
fn refused_key(call: &Call, error: CallError) -> CallError {
    let has_key = call.kind.is_taken_once();
    match error {
        // Another conflict of an edit, such as a setting that can be made once, would be answered the same way for ever.
        CallError::Conflict { message } if call.kind == CallKind::Edit && !is_of_key(&message) => {
            CallError::Rejected { status: 409, message }
        }
        CallError::Conflict { message } if has_key => CallError::KeyUsed { message },
        CallError::Conflict { message } => CallError::Unknown(format!("HTTP 409: {message}")),
        CallError::Rejected { status: 422, message }
            if has_key && message.to_lowercase().contains("uniqueness key already") =>
        {
            CallError::KeyUsed { message }
        }
        error => error,
    }
}

/// Whether a conflict may be that of a key: it says so, or says nothing.
fn is_of_key(message: &str) -> bool {
    let message = message.to_lowercase();
    ["uniqueness", "already been used", "idempotency"].iter().any(|word| message.contains(word))
        || message == NO_REASON
}

/// What an answer means that is not in the billing API's own form, such as a gateway's page: nothing is known of the
/// request, and least of all that something does not exist.
fn foreign(status: StatusCode, pause: Option<Duration>, budget: &Budget) -> CallError {
    let why = format!("HTTP {}, and the reply is not in the form of the billing API", status.as_u16());
    if status == StatusCode::TOO_MANY_REQUESTS {
        let pause = pause.unwrap_or(DEFAULT_PAUSE);
        budget.hold(pause);
        return CallError::Throttled { pause };
    }
    if let Some(pause) = pause {
        budget.hold(pause);
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            CallError::Credentials { status: status.as_u16(), message: NO_REASON.to_owned() }
        }
        _ if status.is_server_error() => CallError::Unknown(why),
        _ => CallError::Foreign(why),
    }
}

/// What a failed call means when something was to be changed: a stranger's answer does not say whether it was.
fn as_write(error: CallError) -> CallError {
    if let CallError::Foreign(why) = error { CallError::Unknown(why) } else { error }
}

/// What a failed call means when nothing was to be changed: that the outcome is not known does no harm.
fn as_read(error: CallError) -> CallError {
    match error {
        CallError::Unknown(why) => CallError::Unreachable(why),
        CallError::Conflict { message } => CallError::Unreachable(format!("HTTP 409: {message}")),
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
        format!("no connection: {}", cause(&error))
    } else {
        format!("the connection was lost: {}", cause(&error))
    };
    SendError { text, never_sent }
}

/// The innermost reason of an error: name not found, connection refused, certificate not trusted.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let printable = cause
        .to_string()
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect::<String>();
    let cure = if printable.ends_with("UnknownIssuer") {
        "; a private root belongs into the provider's `caBundle`"
    } else {
        ""
    };
    format!("{}{cure}", bounded(&printable, MAX_CAUSE))
}

/// The certificates of a bundle.
fn roots(bundle: Option<&str>) -> Result<Vec<Certificate>, EndpointError> {
    let Some(bundle) = bundle else { return Ok(Vec::new()) };
    let roots = Certificate::from_pem_bundle(bundle.as_bytes())
        .map_err(|_| EndpointError::CaBundle("is not in PEM form".to_owned()))?;
    if roots.is_empty() {
        let why = "has no certificate: write it as `-----BEGIN CERTIFICATE-----` and so on";
        return Err(EndpointError::CaBundle(why.to_owned()));
    }
    Ok(roots)
}

/// `Retry-After`, in seconds or as a date, within bounds.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.split_once('.').map_or(text, |(whole, _)| whole).parse::<u64>() {
        // A fraction is rounded up: the API asked for no less.
        Ok(seconds) => Duration::from_secs(seconds.saturating_add(u64::from(text.contains('.')))),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => LONGEST_PAUSE,
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(text).ok()?;
            until.signed_duration_since(now).to_std().unwrap_or_default()
        }
    };
    Some(pause.min(LONGEST_PAUSE))
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

/// What an API says of an error: Zoo has a message and the number of the request, Metronome's newer endpoints a code.
#[derive(Deserialize)]
struct ApiError {
    message: String,
    #[serde(default)]
    code: String,
    request_id: Option<String>,
}

/// The API's own words, in one line and bounded; nothing when the reply is not in the API's form, which is not passed on.
fn api_error(body: &str) -> Option<ApiError> {
    let said = serde_json::from_str::<ApiError>(body).ok()?;
    let printable = said.message.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    Some(ApiError { message: printable.take(MAX_MESSAGE).collect(), ..said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_travels_in_clear_text_at_home_only() {
        for url in [
            "http://127.0.0.1:8080",
            // Other spellings of the same address.
            "http://127.1",
            "http://0x7f.1",
            "http://2130706433",
            "http://[::1]:8080",
            "http://localhost",
            "http://sim.billing.svc",
            "http://sim.billing.svc.cluster.local",
            "https://api.zoo.dev",
        ] {
            assert!(base_url(url).is_ok(), "{url}");
        }
        for url in [
            "http://api.zoo.dev",
            "http://localhost.example.com",
            "ftp://localhost",
            "https://u:p@api.zoo.dev",
            "http://127.attacker.example",
            "http://svc.attacker.example",
            "http://localhost@attacker.example",
            "http://127.0.0.1@attacker.example",
            "http://127.0.0.1.attacker.example",
            "http://[::ffff:192.0.2.1]",
            "http://0.0.0.0",
            "http://2130706433.attacker.example",
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
    fn a_pause_is_taken_in_every_form_and_within_bounds() {
        let now = "2026-10-21T07:27:00Z".parse().unwrap();
        let pause = |text: &str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::try_from(text).unwrap())]), now)
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pause("90"), seconds(90));
        assert_eq!(pause("90.5"), seconds(91));
        assert_eq!(pause("Wed, 21 Oct 2026 07:28:00 GMT"), seconds(60));
        assert_eq!(pause("Wed, 21 Oct 2020 07:28:00 GMT"), seconds(0));
        assert_eq!(pause("18446744073709551615"), Some(LONGEST_PAUSE));
        assert_eq!(pause("99999999999999999999999"), Some(LONGEST_PAUSE));
        assert_eq!(pause("soon"), None);
    }

    #[test]
    fn a_conflict_is_a_used_key_only_where_the_api_takes_a_key_once() {
        let call = |kind| {
            let body = serde_json::json!({});
            Call::new(kind, "p", &body, crate::terms::Digest::of(&body)).unwrap()
        };
        let conflict = || CallError::Conflict { message: "busy".into() };
        let used = CallError::KeyUsed { message: "busy".into() };
        assert_eq!(refused_key(&call(CallKind::Create), conflict()), used);
        let refused = CallError::Rejected { status: 409, message: "busy".into() };
        assert_eq!(refused_key(&call(CallKind::Edit), conflict()), refused);
        for message in ["This uniqueness key has already been used.", NO_REASON] {
            let error = CallError::Conflict { message: message.into() };
            assert!(matches!(refused_key(&call(CallKind::Edit), error), CallError::KeyUsed { .. }));
        }
        assert!(matches!(refused_key(&call(CallKind::Replace), conflict()), CallError::Unknown(_)));
        let words = CallError::Rejected { status: 422, message: "Uniqueness key already exists".into() };
        assert!(matches!(refused_key(&call(CallKind::Edit), words), CallError::KeyUsed { .. }));
    }

    #[test]
    fn a_page_of_html_is_not_passed_on() {
        assert!(api_error("<html>secret</html>").is_none());
        let error = api_error(r#"{"message": "bad\nname", "request_id": "1"}"#).unwrap();
        assert_eq!(error.message, "bad name");
    }
}
