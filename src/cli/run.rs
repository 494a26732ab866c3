//! `countersign run`: the operator.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};
use kube::{Client, Config, config::Kubeconfig};
use tokio::{net::TcpListener, signal, sync::watch};
use tracing_subscriber::EnvFilter;

use super::{Failure, cluster};
use crate::{
    controller::{self, Options, kubernetes::server},
    metrics::Metrics,
    protocol::destination::AllowedHosts,
};

/// Runs the operator.
#[derive(Debug, Args)]
pub struct Run {
    /// The only namespace whose resources are handled; every namespace when left out.
    #[arg(long, env = "COUNTERSIGN_NAMESPACE")]
    namespace: Option<String>,
    /// The operator's own namespace, of its Lease and of the Secrets of cluster providers.
    #[arg(long, env = "POD_NAMESPACE", default_value = "countersign-system")]
    own_namespace: String,
    /// Name of this process among those that run at the same time; a random one when left out.
    #[arg(long, env = "POD_NAME")]
    identity: Option<String>,
    /// Contracts of one provider that are worked on at once.
    #[arg(long, env = "COUNTERSIGN_CONCURRENCY", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// How long the lease lasts without being renewed, in seconds. Billing requests are bounded to two thirds of it.
    #[arg(long, env = "COUNTERSIGN_LEASE_SECONDS", default_value_t = 45, value_parser = clap::value_parser!(u64).range(6..=3600))]
    lease_seconds: u64,
    /// Runs without a lease. Never run two operators so: they would write at the same time.
    #[arg(long)]
    no_leader_election: bool,
    /// Hosts that tokens may be sent to besides the public ones of the billing APIs, as `host`, `host:port` or
    /// `https://host:port`. Where this is set, annotations of Secrets can't allow others.
    #[arg(long, env = "COUNTERSIGN_ALLOWED_HOSTS", value_delimiter = ',')]
    allowed_hosts: Vec<AllowedHosts>,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "COUNTERSIGN_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// How logs are written. What is logged is set by `RUST_LOG`, such as `info,countersign=debug`.
    #[arg(long, env = "COUNTERSIGN_LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Run {
    pub(super) async fn run(self) -> Result<(), Failure> {
        start_logs(self.log_format);
        let mut config = Config::infer().await.map_err(|error| {
            format!("no cluster to talk to: {error}. Run inside a cluster, or point KUBECONFIG at one")
        })?;
        if !Kubeconfig::read().is_ok_and(|kubeconfig| cluster::names_a_proxy(&kubeconfig, None)) {
            // `HTTPS_PROXY` is for billing APIs: the API server is reached directly, as inside of a cluster.
            config.proxy_url = None;
        }
        config.default_retry = false;
        let client = Client::try_from(config)?;
        let options = Options {
            namespace: self.namespace,
            own_namespace: self.own_namespace,
            identity: self.identity.unwrap_or_else(|| format!("countersign-{}", uuid::Uuid::new_v4())),
            concurrency: self.concurrency,
            allowed_hosts: self.allowed_hosts.into_iter().collect(),
            lease_duration: Duration::from_secs(self.lease_seconds),
            carrier: None,
            leader_election: !self.no_leader_election,
        };
        let metrics = Metrics::default();
        let (ready, readiness) = watch::channel(false);
        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            format!("cannot listen on {}: {error}; choose another address with --listen", self.listen)
        })?;
        tracing::info!(listen = %listener.local_addr()?, version = env!("CARGO_PKG_VERSION"), "starting");
        let probes = server::Probes { metrics: metrics.clone(), ready: readiness };
        tokio::select! {
            () = server::serve(listener, probes) => {}
            () = controller::run(client, options, metrics, ready, terminated()) => {}
        }
        tracing::info!("stopped");
        Ok(())
    }
}

fn start_logs(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,kube_runtime::controller=warn"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Human => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}

/// Ends with the first SIGTERM or SIGINT.
async fn terminated() {
    let interrupted = async { signal::ctrl_c().await.is_ok() };
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminated) => terminated.recv().await.is_some(),
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be caught");
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        _ = interrupted => {}
        _ = terminated => {}
    }
    tracing::info!("stopping");
}
