//! What a test can do to the simulated world, under `/_sim/`: no token, no faults, no journal. The routes of each
//! API's own data are in that API's module.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::{self, Role};
use crate::problem::{Problem, rendered};
use crate::settings::Settings;
use crate::state::Sim;
use crate::{clock, faults, journal, json, metronome, settings, zoo};

/// What can be asked of the simulator.
pub const HELP: &str = include_str!("help.txt");

/// The routes.
pub(crate) fn router(sim: &Arc<Sim>) -> Router {
    Router::new()
        .route("/", get(async || HELP))
        .route("/tokens", post(register_token))
        .route("/tokens/{token}", delete(revoke_token))
        .route("/settings", get(get_settings).put(put_settings))
        .route("/clock", get(get_clock).put(put_clock))
        .route("/journal", get(get_journal).delete(clear_journal))
        .route("/journal/summary", get(get_summary))
        .route("/faults", get(get_faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/reset", post(reset))
        .nest("/zoo", zoo::control_router())
        .nest("/metronome", metronome::control_router())
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "see GET /_sim/"))
        .fallback(async || Problem::not_found("no such control; see GET /_sim/"))
        .with_state(Arc::clone(sim))
        .layer(middleware::map_response(async |response: Response| {
            rendered(response, |problem| serde_json::json!({"message": problem.message}))
        }))
}

/// Reads the body of a control request.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    json::parse(body).map_err(Problem::bad_request)
}

/// Reads a body that may be left out.
pub(crate) fn or_empty<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() { Ok(T::default()) } else { read(body) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    token: String,
    role: Role,
}

async fn register_token(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<StatusCode, Problem> {
    let Registration { token, role } = read(&body)?;
    let tx = sim.store.begin().await?;
    auth::register(&tx, &token, role)?;
    tx.commit()?;
    Ok(StatusCode::NO_CONTENT)
}

async fn revoke_token(State(sim): State<Arc<Sim>>, Path(token): Path<String>) -> Result<StatusCode, Problem> {
    let tx = sim.store.begin().await?;
    let known = auth::revoke(&tx, &token)?;
    tx.commit()?;
    found(known, "the token is not registered, or was given on the command line")
}

async fn get_settings(State(sim): State<Arc<Sim>>) -> Result<Json<Settings>, Problem> {
    Ok(Json(settings::get(&sim.store.begin().await?)?))
}

/// Settings that are left out stay as they are.
async fn put_settings(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<Json<Settings>, Problem> {
    let changes: Map<String, Value> = read(&body)?;
    let tx = sim.store.begin().await?;
    let settings = settings::get(&tx)?.with(changes).map_err(Problem::bad_request)?;
    settings::set(&tx, &settings)?;
    tx.commit()?;
    Ok(Json(settings))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    now: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct ClockView {
    /// The time that was set; null when the clock is the machine's.
    now: Option<DateTime<Utc>>,
    /// The time that requests see.
    time: DateTime<Utc>,
}

async fn get_clock(State(sim): State<Arc<Sim>>) -> Result<Json<ClockView>, Problem> {
    let tx = sim.store.begin().await?;
    Ok(Json(ClockView { now: clock::fixed(&tx)?, time: clock::now(&tx)? }))
}

async fn put_clock(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<Json<ClockView>, Problem> {
    let Clock { now } = read(&body)?;
    let tx = sim.store.begin().await?;
    clock::set(&tx, now)?;
    let view = ClockView { now, time: clock::now(&tx)? };
    tx.commit()?;
    Ok(Json(view))
}

async fn get_journal(
    State(sim): State<Arc<Sim>>,
    filter: Result<Query<journal::Filter>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(filter) = filter.map_err(|wrong| Problem::bad_request(wrong.body_text()))?;
    let entries = journal::entries(&sim.store.begin().await?, &filter)?;
    Ok(Json(serde_json::json!({"entries": entries})))
}

async fn get_summary(State(sim): State<Arc<Sim>>) -> Result<Json<Value>, Problem> {
    let counts = journal::summary(&sim.store.begin().await?)?;
    Ok(Json(serde_json::json!({"counts": counts})))
}

async fn clear_journal(State(sim): State<Arc<Sim>>) -> Result<StatusCode, Problem> {
    let tx = sim.store.begin().await?;
    journal::clear(&tx)?;
    tx.commit()?;
    Ok(StatusCode::NO_CONTENT)
}

async fn get_faults(State(sim): State<Arc<Sim>>) -> Result<Json<Value>, Problem> {
    let faults = faults::all(&sim.store.begin().await?)?;
    Ok(Json(serde_json::json!({"faults": faults})))
}

async fn add_fault(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<Json<Value>, Problem> {
    let request = read(&body)?;
    let tx = sim.store.begin().await?;
    let id = faults::add(&tx, request)?.map_err(Problem::bad_request)?;
    tx.commit()?;
    Ok(Json(serde_json::json!({"id": id})))
}

async fn clear_faults(State(sim): State<Arc<Sim>>) -> Result<StatusCode, Problem> {
    let tx = sim.store.begin().await?;
    faults::clear(&tx)?;
    tx.commit()?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_fault(State(sim): State<Arc<Sim>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let id = id.parse().map_err(|_| Problem::bad_request("a fault's id is a number"))?;
    let tx = sim.store.begin().await?;
    let known = faults::remove(&tx, id)?;
    tx.commit()?;
    found(known, "the fault is not, or no longer, in force")
}

async fn reset(State(sim): State<Arc<Sim>>) -> Result<StatusCode, Problem> {
    let tx = sim.store.begin().await?;
    tx.clear()?;
    tx.commit()?;
    Ok(StatusCode::NO_CONTENT)
}

fn found(known: bool, otherwise: &str) -> Result<StatusCode, Problem> {
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found(otherwise)) }
}
