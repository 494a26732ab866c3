//! Leadership by a `coordination.k8s.io` Lease: one writer at a time.
//!
//! A write may start only while the lease outlives the time that the write could take, so that a replica which lost
//! contact to the API server has stopped writing before another one starts.
//!
//! Each leadership has a number, the Lease's `leaseTransitions`. A process that was stopped (by the machine, not by
//! Kubernetes) between the question whether it may write and the write can't be kept from writing afterwards; but it
//! notices, and says so on the Lease, and the leader looks again at everything.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::coordination::v1::{Lease as LeaseObject, LeaseSpec};
use kube::{Api, Client, api::ObjectMeta};
use tokio::time::{Instant, sleep, timeout};

use super::{now, post_params, words::words};
use crate::billing::tenure::WriteGate;
use crate::clock;

/// Annotation of the Lease: who wrote to a billing API when it led no more, and when it noticed.
const LATE_WRITE: &str = "billing.countersign.dev/late-write";
/// Annotation of a Lease that was given up: what may still be carried out, or does not show yet, is not on record.
const UNSETTLED: &str = "billing.countersign.dev/unsettled";
/// How long a Lease lasts that was given up.
const GIVEN_UP_SECONDS: i32 = 1;
/// Longest that somebody else's lease is waited for: no operator can be told to hold one for longer.
const LONGEST: Duration = Duration::from_hours(1);
/// How often the lease is renewed anew when somebody else changes it at the same time.
const MAX_CONFLICTS: u32 = 5;

/// A lease that this process holds or wants to hold.
#[derive(Clone)]
pub struct Lease {
    api: Api<LeaseObject>,
    name: String,
    identity: String,
    duration: Duration,
    held: Arc<Mutex<Held>>,
    /// Held while the lease is renewed: what is compared must not change meanwhile.
    renewing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Held {
    until: Option<Instant>,
    /// Number of this leadership, or of the highest that was ever seen.
    fence: i32,
    /// Whether a write of this process was under way when the lease was lost.
    wrote_late: bool,
    /// What the lease last said of late writes.
    late: Option<String>,
}

/// How the lease came to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nobody held it, or whoever did gave it up when all its work was over and showed.
    Clean,
    /// Whoever held it may have been stopped in the middle of a write.
    FromSomebody,
}

/// Somebody else who holds the lease: who, what it looked like, and when it was first seen so.
struct Rival {
    holder: String,
    version: Option<String>,
    since: Instant,
    lasts: Duration,
}

impl Lease {
    /// A lease by name; `identity` must be unique among the processes that run at the same time.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: String, duration: Duration) -> Self {
        let api = Api::namespaced(client, namespace);
        Self {
            api,
            name: name.to_owned(),
            identity,
            duration,
            held: Arc::default(),
            renewing: Arc::default(),
        }
    }

    /// Opens for a write that may take so long only while the lease lasts longer.
    #[must_use]
    pub fn gate(&self) -> WriteGate {
        let held = Arc::clone(&self.held);
        Arc::new(move |takes| {
            let until = held.lock().ok().and_then(|held| held.until);
            until.is_some_and(|until| Instant::now() + takes < until)
        })
    }

    /// Number of this leadership: each one that follows has a higher one.
    #[must_use]
    pub fn fence(&self) -> i32 {
        self.with_held(|held| held.fence)
    }

    /// Waits until the lease is held.
    pub async fn acquire(&self) -> Taken {
        let mut rival = None;
        loop {
            match self.try_acquire(&mut rival).await {
                Ok(Some(taken)) => return taken,
                Ok(None) => {}
                Err(error) => tracing::warn!(error = words(&error), "the lease cannot be read or written"),
            }
            sleep(self.retry()).await;
        }
    }

    /// Renews the lease until it is lost: taken, changed or deleted by somebody else, or not renewed in time. `on_late`
    /// hears of an earlier leader that wrote when it led no more.
    pub async fn keep(&self, on_late: impl Fn()) {
        loop {
            sleep(self.retry()).await;
            match self.renew(None, &on_late).await {
                Ok(true) => {}
                Ok(false) => return self.with_held(|held| held.until = None),
                Err(error) => {
                    tracing::warn!(error = words(&error), "the lease cannot be renewed");
                    if !(self.gate())(Duration::ZERO) {
                        return;
                    }
                }
            }
        }
    }

    /// Makes the number of this leadership higher than another one that was found in a status: the Lease was deleted, and
    /// its count began anew. False unless the lease is held.
    pub async fn raise(&self, above: i32) -> bool {
        self.renew(Some(above), &|| {}).await.unwrap_or(false)
    }

    /// Notes that a write was under way when the lease was lost: the next leader hears of it.
    pub fn note_late_write(&self) {
        tracing::warn!(
            "a write was under way when the lease was lost; the next leader is told to look again"
        );
        self.with_held(|held| held.wrote_late = true);
    }

    /// Gives the lease up, so that another replica need not wait for its end. `is_settled` when nothing that this process did
    /// may come to light later.
    pub async fn release(&self, is_settled: bool) {
        let fence = self.with_held(|held| {
            held.until = None;
            held.fence
        });
        let Ok(Some(mut lease)) = self.get().await else { return };
        let Some(spec) = lease.spec.as_mut().filter(|spec| self.is_ours(spec, fence)) else { return };
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(GIVEN_UP_SECONDS);
        if !is_settled {
            let annotations = lease.metadata.annotations.get_or_insert_default();
            annotations.insert(UNSETTLED.to_owned(), "true".to_owned());
        }
        let released = self.put(&lease).await;
        tracing::info!(released = matches!(released, Ok(true)), "lease given up");
    }

    fn retry(&self) -> Duration {
        self.duration / 6
    }

    fn with_held<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        act(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_ours(&self, spec: &LeaseSpec, fence: i32) -> bool {
        spec.holder_identity.as_deref() == Some(&self.identity) && spec.lease_transitions == Some(fence)
    }

    async fn get(&self) -> Result<Option<LeaseObject>, kube::Error> {
        timeout(self.retry(), self.api.get_opt(&self.name)).await.map_err(too_slow)?
    }

    /// Writes the lease; false when somebody else was faster.
    async fn put(&self, lease: &LeaseObject) -> Result<bool, kube::Error> {
        let write = async {
            if lease.metadata.resource_version.is_none() {
                self.api.create(&post_params(), lease).await
            } else {
                self.api.replace(&self.name, &post_params(), lease).await
            }
        };
        match timeout(self.retry(), write).await.map_err(too_slow)? {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the lease; nothing while somebody else holds it.
    ///
    /// Whether a rival's lease has run out is judged by this process's own clock, from when it last saw it change; and also
    /// when the Lease was deleted or changed by hand, since the rival may not have noticed.
    async fn try_acquire(&self, rival: &mut Option<Rival>) -> Result<Option<Taken>, kube::Error> {
        let started = Instant::now();
        let current = self.get().await?;
        let was_there = current.is_some();
        let lease = current.unwrap_or_else(|| LeaseObject {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            spec: None,
        });
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().filter(|holder| !holder.is_empty());
        match holder {
            Some(holder) if holder != self.identity => {
                let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
                let lasts = seconds.map_or(self.duration, Duration::from_secs);
                let lasts = lasts.min(LONGEST).max(self.duration);
                let version = lease.metadata.resource_version.clone();
                let before = rival.take();
                if before.as_ref().is_none_or(|before| before.holder != holder) {
                    tracing::info!(holder, seconds = lasts.as_secs(), "somebody else holds the lease");
                }
                let seen = before.filter(|rival| rival.version == version);
                let since = seen.map_or(started, |rival| rival.since);
                *rival = Some(Rival { holder: holder.to_owned(), version, since, lasts });
            }
            None if spec.lease_duration_seconds == Some(GIVEN_UP_SECONDS) => *rival = None,
            Some(_) | None => {}
        }
        if rival.as_ref().is_some_and(|rival| rival.since.elapsed() < rival.lasts) {
            if was_there {
                self.tell_of_late_write(lease, rival).await?;
            }
            return Ok(None);
        }
        let late = annotation(&lease);
        let (fence, has_led, wrote_late) = self.with_held(|held| {
            let fence = held.fence.max(spec.lease_transitions.unwrap_or(0)).saturating_add(1);
            (fence, held.fence > 0, held.wrote_late)
        });
        let is_unsettled = lease.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(UNSETTLED));
        // Who led before and does not hold it lost it; that nobody holds it now may be a backup's word.
        let taken = if holder.is_some() || rival.is_some() || has_led || wrote_late || is_unsettled {
            Taken::FromSomebody
        } else {
            Taken::Clean
        };
        if !self.put(&self.claim(lease.metadata, Some(spec), fence)).await? {
            return Ok(None);
        }
        self.with_held(|held| {
            *held = Held { until: Some(started + self.duration), fence, wrote_late: false, late };
        });
        Ok(Some(taken))
    }

    /// Says on somebody else's lease that a write of this process may have come late.
    async fn tell_of_late_write(
        &self,
        mut lease: LeaseObject,
        rival: &mut Option<Rival>,
    ) -> Result<(), kube::Error> {
        if !self.with_held(|held| held.wrote_late) {
            return Ok(());
        }
        let what = format!("{} {}", self.identity, clock::now().timestamp_micros());
        lease.metadata.annotations.get_or_insert_default().insert(LATE_WRITE.to_owned(), what);
        if self.put(&lease).await? {
            self.with_held(|held| held.wrote_late = false);
            // This was no sign of life of the rival; it is looked at again from now on.
            *rival = None;
        }
        Ok(())
    }

    /// Renews the lease, with a number above another one if told so; false when it is held no more.
    async fn renew(&self, above: Option<i32>, on_late: &impl Fn()) -> Result<bool, kube::Error> {
        let _one_at_a_time = self.renewing.lock().await;
        for _ in 0..MAX_CONFLICTS {
            let (started, fence) = (Instant::now(), self.fence());
            if above.is_some_and(|above| above < fence) {
                return Ok(true);
            }
            let Some(lease) = self.get().await? else { return Ok(false) };
            let Some(spec) = lease.spec.clone().filter(|spec| self.is_ours(spec, fence)) else {
                return Ok(false);
            };
            let late = annotation(&lease);
            let raised = above.map_or(fence, |above| above.saturating_add(1));
            if self.put(&self.claim(lease.metadata, Some(spec), raised)).await? {
                let is_news = self.with_held(|held| {
                    let is_news = held.late != late;
                    let until = held.until.map(|_| started + self.duration);
                    *held = Held { until, fence: raised, wrote_late: held.wrote_late, late };
                    is_news
                });
                if is_news {
                    on_late();
                }
                return Ok(true);
            }
        }
        Err(kube::Error::Service("the lease changes all the time".into()))
    }

    fn claim(&self, mut metadata: ObjectMeta, before: Option<LeaseSpec>, fence: i32) -> LeaseObject {
        if let Some(annotations) = &mut metadata.annotations {
            annotations.remove(UNSETTLED);
        }
        let now = now();
        let before = before.unwrap_or_default();
        let renewed = before.holder_identity.as_deref() == Some(&self.identity);
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
            acquire_time: before.acquire_time.filter(|_| renewed).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(fence),
            ..LeaseSpec::default()
        };
        LeaseObject { metadata, spec: Some(spec) }
    }
}

fn annotation(lease: &LeaseObject) -> Option<String> {
    lease.metadata.annotations.as_ref()?.get(LATE_WRITE).cloned()
}

fn too_slow(error: tokio::time::error::Elapsed) -> kube::Error {
    kube::Error::Service(error.into())
}
