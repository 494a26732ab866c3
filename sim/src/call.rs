//! The way of every API request: one transaction, in which the request finds its caller and its fault, is carried out
//! by the API's handler, and leaves its journal entry. An answer goes out only after the commit.
//!
//! Knows no API: each brings an [`Api`] and handlers that take a [`Tx`] and a [`Caller`] and answer a [`Problem`] on
//! failure. Handlers check everything before they write anything.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use crate::auth::{self, Caller};
use crate::clock;
use crate::effects::{Effect, Refusal};
use crate::faults;
use crate::hostile::{self, Foreign};
use crate::journal::{self, Entry};
use crate::problem::{Problem, rendered};
use crate::state::Sim;
use crate::store::Tx;

/// The largest request body, in bytes.
const BODY_LIMIT: usize = 2 << 20;

/// How one API talks.
pub(crate) struct Api {
    /// The JSON body that reports a problem.
    pub(crate) problem: fn(&Problem, RequestId) -> serde_json::Value,
    /// The headers that every answer carries.
    pub(crate) headers: fn(&mut HeaderMap, RequestId),
}

/// Names a request in its answer and in the journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(pub(crate) Uuid);

/// On a response: the paths of fields that the request has and the call does not take, for the journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnknownFields(pub(crate) Vec<String>);

/// Mark on a response that must never be sent: the server closes the connection instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CloseConnection;

/// Middleware for an API's routes, its fallbacks included. A request that has arrived is carried through even when
/// its caller hangs up, as a real service would.
pub(crate) async fn carry_out(
    State((sim, api)): State<(Arc<Sim>, &'static Api)>,
    request: Request,
    next: Next,
) -> Response {
    let id = RequestId(Uuid::new_v4());
    let done = tokio::spawn(run(sim, id, request, next)).await;
    let response = match done {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => problem.into_response(),
        Err(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response(),
    };
    let mut response = rendered(response, |problem| (api.problem)(problem, id));
    if response.extensions().get::<Foreign>().is_none() {
        (api.headers)(response.headers_mut(), id);
    }
    response
}

async fn run(sim: Arc<Sim>, id: RequestId, request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let too_large =
        |_| Problem::bad_request(format!("request body exceeded maximum size of {BODY_LIMIT} bytes"));
    let body = to_bytes(body, BODY_LIMIT).await.map_err(too_large)?;

    let mut tx = sim.store.begin().await?;
    let effect = faults::take(&tx, &parts.method, parts.uri.path())?;
    if let Some(Effect::Late { delay_ms }) = effect {
        tx.commit()?;
        let request = Request::from_parts(parts, Body::from(body));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            let (parts, body) = request.into_parts();
            let done = async {
                let body = to_bytes(body, BODY_LIMIT).await.map_err(too_large)?;
                answered(&sim, sim.store.begin().await?, id, effect, (parts, body), next).await
            };
            if let Err(problem) = done.await {
                tracing::warn!(message = problem.message, "a late request failed");
            }
        });
        return Ok(closed());
    }
    if let Some(delay) = effect.as_ref().and_then(Effect::delay_before) {
        tx.commit()?;
        tokio::time::sleep(delay).await;
        tx = sim.store.begin().await?;
    }
    answered(&sim, tx, id, effect, (parts, body), next).await
}

/// Answers a request, whose time has come, under its fault.
async fn answered(
    sim: &Sim,
    mut tx: Tx,
    id: RequestId,
    effect: Option<Effect>,
    (parts, body): (Parts, Bytes),
    next: Next,
) -> Result<Response, Problem> {
    if effect == Some(Effect::StaleRead) {
        tx = tx.stale();
    }
    let caller = auth::identify(&tx, &sim.tokens, &parts.headers)?;
    let mut entry = Entry {
        seq: 0,
        time: clock::now(&tx)?,
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        route: parts.extensions.get::<MatchedPath>().map(|route| route.as_str().to_owned()),
        status: None,
        fault: effect.as_ref().map(Effect::kind),
        body: text(&body),
        unknown_fields: Vec::new(),
        token: caller.fingerprint().map(|fingerprint| fingerprint.short().to_owned()),
        request_id: id.0.to_string(),
    };
    let instead = effect.as_ref().and_then(instead);
    let idle = effect.as_ref().is_some_and(Effect::is_idle);
    let mut response = None;
    if !idle {
        let mut request = Request::from_parts(parts, Body::from(body));
        request.extensions_mut().insert(tx.clone());
        request.extensions_mut().insert(caller);
        response = Some(next.run(request).await);
    }
    let unknown = response.as_mut().and_then(|response| response.extensions_mut().remove::<UnknownFields>());
    entry.unknown_fields = unknown.unwrap_or_default().0;
    let response = instead.or(response);
    entry.status = response.as_ref().map(|response| response.status().as_u16());
    journal::record(&tx, entry)?;
    tx.commit()?;

    if let Some(delay) = effect.as_ref().and_then(Effect::delay_after) {
        tokio::time::sleep(delay).await;
    }
    Ok(match response {
        Some(response) if effect != Some(Effect::DropReply) => response,
        _ => closed(),
    })
}

fn text(body: &Bytes) -> Option<String> {
    (!body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned())
}

/// What a fault has answered instead of what the handler says.
fn instead(effect: &Effect) -> Option<Response> {
    match effect {
        Effect::Status { refusal, .. } => Some(problem(refusal).into_response()),
        Effect::Hostile { look, status, .. } => Some(hostile::answer(look, code(*status))),
        _ => None,
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn problem(refusal: &Refusal) -> Problem {
    let status = code(refusal.status);
    let message = refusal.message.as_deref().or(status.canonical_reason()).unwrap_or("refused by a fault");
    let seconds = refusal.retry_after_seconds.map(HeaderValue::from);
    let after = refusal.retry_after.as_deref().and_then(|after| HeaderValue::from_str(after).ok());
    let code = refusal.code.clone().map(Into::into);
    Problem { retry_after: after.or(seconds), code, ..Problem::new(status, message) }
}

fn closed() -> Response {
    let mut response = Response::default();
    response.extensions_mut().insert(CloseConnection);
    response
}

impl<S: Sync> FromRequestParts<S> for Tx {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let outside = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the route has no transaction");
        parts.extensions.get::<Self>().cloned().ok_or_else(outside)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self::Anonymous))
    }
}
