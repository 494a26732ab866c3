//! The server as kube's client meets it: each request has its fate.

use std::{io, time::Duration};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::client::Body;
use serde_json::Value;
use tokio::time::sleep;

use super::{
    Server,
    read::{get, list, shown},
    refusal::Refusal,
    request::{Call, Verb},
    state::State,
    watch::Watch,
    weather::{Fate, Outcome},
    write::Written,
};

/// The body of an answer.
pub(crate) type Answer = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

/// Serves one request, as its fate is.
pub(super) async fn serve(
    server: Server,
    who: usize,
    request: Request<Body>,
) -> io::Result<Response<Answer>> {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await.map_err(io::Error::other)?;
    let call = match Call::read(&server.0.kinds, &parts, &body) {
        Ok(call) => call,
        Err(refusal) => {
            server.with(|state| state.unserved.push(format!("{} {}: {refusal:?}", parts.method, parts.uri)));
            return Ok(refused(&refusal));
        }
    };
    let fate = server.with(|state| {
        if state.weathers.of(who).away {
            state.weathers.count("connection refused");
            return None;
        }
        Some(state.weathers.fate(server.0.seed, who, &call))
    });
    let Some(fate) = fate else { return Err(io::ErrorKind::ConnectionRefused.into()) };
    let (outcome, back, breaks_after) = (fate.outcome, fate.back, fate.breaks_after);
    if outcome == Outcome::RequestLost {
        return Err(lost(breaks_after).await);
    }
    let late = if let Outcome::Late(late) = outcome { late } else { Duration::ZERO };
    let there = fate.there + late;
    let answer = if there.is_zero() {
        answer(&server, who, call, fate)?
    } else {
        // What is on its way arrives, whether or not anybody waits for it any more.
        let arrives = async move {
            sleep(there).await;
            answer(&server, who, call, fate)
        };
        tokio::spawn(arrives).await.map_err(io::Error::other)??
    };
    if outcome == Outcome::ReplyLost {
        return Err(lost(breaks_after).await);
    }
    if !back.is_zero() {
        sleep(back).await;
    }
    Ok(answer)
}

/// Nothing comes any more; at most the connection breaks.
async fn lost(breaks_after: Option<Duration>) -> io::Error {
    match breaks_after {
        Some(after) => sleep(after).await,
        None => std::future::pending().await,
    }
    io::ErrorKind::TimedOut.into()
}

/// Carries a request out, if that is its fate, and answers it.
fn answer(server: &Server, who: usize, call: Call, fate: Fate) -> io::Result<Response<Answer>> {
    server.with(|state| {
        if state.weathers.of(who).away {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let refusal = match fate.outcome {
            Outcome::Conflict => Refusal::modified(&call.kind, &call.id()),
            Outcome::TooMany => Refusal::too_many(),
            Outcome::Internal => Refusal::internal(),
            Outcome::Unavailable => Refusal::unavailable(),
            _ => {
                return Ok(
                    carry_out(server, state, who, call, fate).unwrap_or_else(|refusal| refused(&refusal))
                );
            }
        };
        Ok(refused(&refusal))
    })
}

fn carry_out(
    server: &Server,
    state: &mut State,
    who: usize,
    call: Call,
    mut fate: Fate,
) -> Result<Response<Answer>, Refusal> {
    let verb = call.verb;
    let value = match verb {
        Verb::Get => get(state, &call)?,
        Verb::List => {
            let (list, is_older) = list(state, &call, fate.is_stale.then_some(&mut fate.rng))?;
            if is_older && !call.query.contains_key("continue") {
                state.weathers.count("list of an older state");
            }
            list
        }
        Verb::Watch => return watch(server, state, who, call, fate),
        Verb::Create | Verb::Update | Verb::Patch | Verb::Delete => {
            let is_partial = call.is_partial;
            let (kind, id) = (&call.kind, created(&call)?);
            let written = server.write(state, Some(who), verb, (kind, &id), call.part, call.body);
            if fate.compacts {
                state.weathers.count("compaction");
                state.compact();
            }
            if fate.outcome == Outcome::FailedAfter {
                return Err(Refusal::internal());
            }
            match written? {
                Written::Object(object) => shown(&object, is_partial),
                Written::Removed(object) => removed(kind, &object),
            }
        }
    };
    Ok(answered(if verb == Verb::Create { StatusCode::CREATED } else { StatusCode::OK }, &value))
}

/// The object that a call is about; one that is created says itself how it is called.
fn created(call: &Call) -> Result<super::Id, Refusal> {
    let mut id = call.id();
    if call.verb == Verb::Create {
        let name =
            call.body.pointer("/metadata/name").and_then(Value::as_str).filter(|name| !name.is_empty());
        let why = "metadata.name: Required value: name or generateName is required";
        name.ok_or_else(|| Refusal::invalid(&call.kind, &id, why))?.clone_into(&mut id.name);
    }
    Ok(id)
}

fn removed(kind: &super::kinds::Kind, object: &super::object::Object) -> Value {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success",
        "details": {
            "name": object.text("name"), "group": kind.group, "kind": kind.plural, "uid": object.text("uid"),
        },
    })
}

fn watch(
    server: &Server,
    state: &mut State,
    who: usize,
    call: Call,
    mut fate: Fate,
) -> Result<Response<Answer>, Refusal> {
    let asked = call.number("resourceVersion")?.unwrap_or_default();
    let by_status = fate.rng.bool();
    let forgotten = state.forgotten(&call.kind.plural);
    let is_forgotten = asked > 0 && asked < forgotten;
    let mut watch = Watch::open(server, state, who, call, fate.rng)?;
    if is_forgotten || fate.outcome == Outcome::WatchGone {
        let refusal = Refusal::expired(asked, forgotten.max(asked.saturating_add(1)));
        if by_status {
            return Err(refusal);
        }
        watch.tell_gone(&refusal);
    }
    let mut response = Response::new(StreamBody::new(watch.body()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn refused(refusal: &Refusal) -> Response<Answer> {
    let code = StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answered(code, &refusal.status());
    if code == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn answered(code: StatusCode, value: &Value) -> Response<Answer> {
    let bytes = Bytes::from(value.to_string());
    let mut response = Response::new(StreamBody::new(stream::iter([Ok(Frame::data(bytes))]).boxed()));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
