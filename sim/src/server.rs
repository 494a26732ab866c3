//! The server: its routes put together, and its connections.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::middleware;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::call::{Api, CloseConnection, carry_out};
use crate::state::Sim;
use crate::store::StoreError;
use crate::{control, metronome, zoo};

/// How long requests under way may take once the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// What to serve, and where. Holds secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Options {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder that keeps everything, made when missing.
    pub data: PathBuf,
    /// Admin tokens, besides those registered through `/_sim/tokens`.
    pub tokens: Vec<String>,
}

/// Why the server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder is no good.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address is no good.
    #[error("listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
}

/// A running server. Dropping it ends it as well, but does not wait for the end as [`Server::stop`] does.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Opens the store and starts to serve; the server is ready when this returns.
    ///
    /// # Errors
    /// When the data folder can't be opened or the address not be listened on.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let sim = Arc::new(Sim::open(&options.data, &options.tokens)?);
        let refused = |error| StartError::Listen(options.listen, error);
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, router(&sim), stopped));
        Ok(Self { address, stop, task })
    }

    /// Where it listens, as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more connections, waits a moment for the requests under way, and closes the store.
    pub async fn stop(self) {
        // Either the server hears it or it has already ended.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// All routes. A path that no API has is answered by Zoo, whose paths have no prefix; an API with one answers
/// whatever is under it.
pub(crate) fn router(sim: &Arc<Sim>) -> Router {
    let api = |routes: Router, api: &'static Api| {
        routes.layer(middleware::from_fn_with_state((Arc::clone(sim), api), carry_out))
    };
    Router::new()
        .nest("/_sim/", control::router(sim))
        .merge(api(metronome::router(), &metronome::API))
        .merge(api(zoo::router(), &zoo::API))
}

async fn serve(listener: TcpListener, app: Router, mut stopped: oneshot::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, app.clone(), graceful.watcher()));
                }
                // Out of file descriptors, most likely: others need time to close theirs.
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            _ = &mut stopped => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("stopped with requests under way");
    }
}

/// Serves one connection to its end.
async fn converse(stream: TcpStream, app: Router, watcher: Watcher) {
    // Small answers must not wait for more to come.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |request: Request<Incoming>| answer(app.clone(), request.map(Body::new)));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Closing the connection was asked for: hyper does so when a service fails.
#[derive(Debug, thiserror::Error)]
#[error("closed by a fault")]
pub(crate) struct ClosedByFault;

pub(crate) async fn answer(app: Router, request: Request<Body>) -> Result<Response<Body>, ClosedByFault> {
    let Ok(response): Result<_, Infallible> = app.oneshot(request).await;
    match response.extensions().get::<CloseConnection>() {
        Some(CloseConnection) => Err(ClosedByFault),
        None => Ok(response),
    }
}
