//! `/healthz`, `/readyz` and `/metrics` over HTTP.

use std::io;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use kube::runtime::reflector::Store;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    api::{
        BillingContract,
        reasons::{READY, UNDECODABLE},
    },
    controller::{Guarded, decoded},
    metrics::Metrics,
};

/// The form in which metrics are rendered.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the endpoints speak of.
#[derive(Clone)]
pub struct Probes {
    /// Metrics.
    pub metrics: Metrics,
    /// Whether every cache is filled, or this replica stands by.
    pub ready: watch::Receiver<bool>,
}

/// Serves until the process ends.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, probes: Probes) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probes);
    axum::serve(listener, router).await
}

async fn metrics(State(probes): State<Probes>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], probes.metrics.render())
}

async fn ready(State(probes): State<Probes>) -> (StatusCode, &'static str) {
    if *probes.ready.borrow() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting")
    }
}

/// Counts the contracts of a cache by their Ready condition.
pub fn count_contracts(metrics: &Metrics, store: &Store<Guarded<BillingContract>>) {
    let standing = |contract: &BillingContract| {
        let conditions = contract.status.iter().flat_map(|status| &status.conditions);
        let ready = conditions.into_iter().find(|condition| condition.type_ == READY);
        ready.map_or_else(
            || ("Unknown".to_owned(), "NotSeen".to_owned()),
            |ready| (ready.status.clone(), ready.reason.clone()),
        )
    };
    let contracts = store.state();
    metrics.count_contracts(contracts.iter().map(|contract| match decoded(contract) {
        Ok(contract) => standing(contract),
        Err(_) => ("False".to_owned(), UNDECODABLE.as_str().to_owned()),
    }));
}
