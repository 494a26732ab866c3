//! A process: the operator as it is shipped, which can be killed at any moment, and stand still.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use countersign::{
    controller::{Options, run},
    metrics::Metrics,
    protocol::destination::AllowedHosts,
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    billing::{Billing, HOSTS},
    server::Server,
    version::{self, Version},
};

/// How long its Lease lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(45);

/// Whether a process stands still, and who wakes it.
#[derive(Default)]
struct Still {
    is_still: bool,
    waker: Option<Waker>,
}

/// One that is started, killed, stopped and let go on.
pub(crate) struct Operator {
    who: usize,
    task: Option<JoinHandle<()>>,
    still: Arc<Mutex<Still>>,
    /// How often it was started.
    starts: u64,
}

impl Operator {
    pub(crate) fn new(who: usize) -> Self {
        Self { who, task: None, still: Arc::default(), starts: 0 }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.task.is_some()
    }

    /// Starts it, as one of a version, unless it runs.
    pub(crate) fn start(&mut self, version: Version, server: &Server, billing: &Billing) {
        if self.is_running() {
            return;
        }
        self.starts += 1;
        // Each process has another name, as each pod has.
        let identity = format!("operator-{}-{}", self.who, self.starts);
        let options = Options {
            namespace: None,
            own_namespace: "countersign-system".to_owned(),
            concurrency: 8,
            lease_duration: LEASE,
            allowed_hosts: HOSTS.iter().filter_map(|host| host.parse::<AllowedHosts>().ok()).collect(),
            leader_election: true,
            carrier: Some(billing.carrier(self.who, version, &identity)),
            identity,
        };
        let (ready, _) = watch::channel(false);
        let client = version::client(server, self.who, version);
        let process = run(client, options, Metrics::default(), ready, std::future::pending());
        self.still = Arc::default();
        let still = Arc::clone(&self.still);
        self.task = Some(tokio::spawn(Process { inner: Box::pin(process), still }));
    }

    /// Kills it, as `kill -9` does: what it has sent goes its way.
    pub(crate) fn kill(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// Lets it stand still, or go on.
    pub(crate) fn stand_still(&self, is_still: bool) {
        let mut still = self.still.lock().unwrap_or_else(PoisonError::into_inner);
        still.is_still = is_still;
        if let Some(waker) = still.waker.take() {
            waker.wake();
        }
    }
}

struct Process {
    inner: Pin<Box<dyn Future<Output = ()> + Send>>,
    still: Arc<Mutex<Still>>,
}

impl Future for Process {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        {
            let mut still = self.still.lock().unwrap_or_else(PoisonError::into_inner);
            if still.is_still {
                still.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.inner.as_mut().poll(context)
    }
}
