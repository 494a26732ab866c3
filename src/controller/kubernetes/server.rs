//! `/healthz`, `/readyz` and `/metrics` over HTTP.

use std::{collections::VecDeque, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use kube::runtime::reflector::Store;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

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

/// How long a request may take from the first byte to the last of the answer.
const LONGEST: Duration = Duration::from_secs(10);
/// Most connections at once; the oldest makes room for a new one.
const MAX_CONNECTIONS: usize = 64;

/// Serves until the process ends. A connection has one request and little time, so that nobody can take up the port, and
/// with it the probes by which the kubelet knows that the process lives.
pub async fn serve(listener: TcpListener, probes: Probes) {
    serve_within(LONGEST, listener, probes).await;
}

async fn serve_within(longest: Duration, listener: TcpListener, probes: Probes) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probes);
    let mut connections = VecDeque::<JoinHandle<()>>::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Too many open files, or a connection that is gone already: neither is the end.
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= MAX_CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(longest)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        connections.push_back(tokio::spawn(async move {
            // Whatever became of it, the next one is served.
            drop(timeout(longest, connection).await);
        }));
    }
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    async fn server(longest: Duration) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let probes = Probes { metrics: Metrics::default(), ready: watch::channel(true).1 };
        tokio::spawn(serve_within(longest, listener, probes));
        address
    }

    async fn asked(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        // It ends, as a connection has one request.
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn half_a_request_is_cut_off_after_a_while() {
        let address = server(Duration::from_millis(100)).await;
        let mut half_open = TcpStream::connect(address).await.unwrap();
        half_open.write_all(b"GET /metrics HTTP/1.1\r\nHo").await.unwrap();
        let ended = timeout(LONGEST / 2, half_open.read(&mut [0; 1])).await.unwrap();
        assert_eq!(ended.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn half_a_request_keeps_nobody_out() {
        let address = server(LONGEST).await;
        let mut half_open = Vec::new();
        for _ in 0..MAX_CONNECTIONS * 3 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHo").await.unwrap();
            half_open.push(stream);
        }
        assert!(asked(address).await.starts_with("HTTP/1.1 200"));
        let mut cut_off = 0;
        for stream in &mut half_open {
            let ended = timeout(Duration::from_millis(20), stream.read(&mut [0; 1])).await;
            cut_off += usize::from(ended.is_ok());
        }
        assert!(cut_off >= MAX_CONNECTIONS * 2, "{cut_off}");
    }
}
