//! Leadership by a `coordination.k8s.io` Lease: one writer at a time.
//!
//! A write may start only while the lease outlives the time that the write could take, so that a replica which lost
//! contact to the API server has stopped writing before another one starts.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::Utc;
use k8s_openapi::{
    api::coordination::v1::{Lease as LeaseObject, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff,
};
use kube::{Api, Client, api::ObjectMeta};
use tokio::time::{Instant, sleep, timeout};

use super::{post_params, words::words};
use crate::billing::WriteGate;

/// A lease that this process holds or wants to hold.
#[derive(Clone)]
pub struct Lease {
    api: Api<LeaseObject>,
    name: String,
    identity: String,
    duration: Duration,
    held_until: Arc<Mutex<Option<Instant>>>,
}

/// What somebody else's lease looked like, and when it was first seen so.
struct Rival {
    version: Option<String>,
    since: Instant,
}

impl Lease {
    /// A lease by name; `identity` must be unique among the processes that run at the same time.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: String, duration: Duration) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, name: name.to_owned(), identity, duration, held_until: Arc::default() }
    }

    /// Opens for a write that may take so long only while the lease lasts longer.
    #[must_use]
    pub fn gate(&self) -> WriteGate {
        let held_until = Arc::clone(&self.held_until);
        Arc::new(move |takes| {
            let until = held_until.lock().ok().and_then(|until| *until);
            until.is_some_and(|until| Instant::now() + takes < until)
        })
    }

    /// Waits until the lease is held.
    pub async fn acquire(&self) {
        let mut rival = None;
        loop {
            match self.try_acquire(&mut rival).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(error = words(&error), "the lease cannot be read or written"),
            }
            sleep(self.retry()).await;
        }
    }

    /// Renews the lease until it is lost.
    pub async fn keep(&self) {
        let mut rival = None;
        loop {
            sleep(self.retry()).await;
            match self.try_acquire(&mut rival).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(error = words(&error), "the lease cannot be renewed");
                    if !(self.gate())(Duration::ZERO) {
                        return;
                    }
                }
            }
        }
    }

    /// Gives the lease up, so that another replica need not wait for its end.
    pub async fn release(&self) {
        self.hold(None);
        let Ok(Ok(mut lease)) = timeout(self.retry(), self.api.get(&self.name)).await else { return };
        let Some(spec) =
            lease.spec.as_mut().filter(|spec| spec.holder_identity.as_deref() == Some(&self.identity))
        else {
            return;
        };
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        let released = timeout(self.retry(), self.api.replace(&self.name, &post_params(), &lease)).await;
        tracing::info!(released = matches!(released, Ok(Ok(_))), "lease given up");
    }

    fn retry(&self) -> Duration {
        self.duration / 6
    }

    fn hold(&self, until: Option<Instant>) {
        if let Ok(mut held) = self.held_until.lock() {
            *held = until;
        }
    }

    /// Takes or renews the lease; false while somebody else holds it.
    ///
    /// Whether a rival's lease has run out is judged by this process's own clock, from when it last saw it change.
    async fn try_acquire(&self, rival: &mut Option<Rival>) -> Result<bool, kube::Error> {
        let started = Instant::now();
        let bounded = |error: tokio::time::error::Elapsed| kube::Error::Service(error.into());
        let current = timeout(self.retry(), self.api.get_opt(&self.name)).await.map_err(bounded)??;
        let wanted = match current {
            None => self.claim(ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() }, None),
            Some(lease) => {
                let spec = lease.spec.unwrap_or_default();
                let holder = spec.holder_identity.as_deref().filter(|holder| !holder.is_empty());
                if holder.is_some_and(|holder| holder != self.identity) {
                    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
                    let lasts = seconds.map_or(self.duration, Duration::from_secs);
                    let version = lease.metadata.resource_version.clone();
                    let seen = rival.take().filter(|rival| rival.version == version);
                    let since = seen.map_or(started, |rival| rival.since);
                    *rival = Some(Rival { version, since });
                    if since.elapsed() < lasts {
                        return Ok(false);
                    }
                }
                self.claim(lease.metadata, Some(spec))
            }
        };
        let write = async {
            if wanted.metadata.resource_version.is_none() {
                self.api.create(&post_params(), &wanted).await
            } else {
                self.api.replace(&self.name, &post_params(), &wanted).await
            }
        };
        match timeout(self.retry(), write).await.map_err(bounded)? {
            Ok(_) => {
                self.hold(Some(started + self.duration));
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                Ok((self.gate())(Duration::ZERO))
            }
            Err(error) => Err(error),
        }
    }

    fn claim(&self, metadata: ObjectMeta, before: Option<LeaseSpec>) -> LeaseObject {
        let now = jiff::Timestamp::from_microsecond(Utc::now().timestamp_micros())
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let before = before.unwrap_or_default();
        let renewed = before.holder_identity.as_deref() == Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or(0);
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
            acquire_time: if renewed { before.acquire_time } else { Some(MicroTime(now)) },
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(if renewed { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        };
        LeaseObject { metadata, spec: Some(spec) }
    }
}
