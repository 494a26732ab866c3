//! Kubernetes: what is watched, what runs when, and who may write. What is to be done is the protocol's to say.
//!
//! - [`contract`], [`package`], [`provider`]: a folder a kind, with its reconcile and what others look up of it;
//! - [`approval`]: what people say of contracts' plans; it is only looked up;
//! - [`grounds`]: whether what a reconcile rests on still is so, before it writes;
//! - [`kubernetes`]: what every kind needs of the API server;
//! - [`guarded`]: resources as far as this version can read them;
//! - [`context`]: what the reconciles share; [`run`](mod@run): how they are wired.

pub mod approval;
pub mod context;
pub mod contract;
pub mod grounds;
pub mod guarded;
pub mod kubernetes;
pub mod package;
pub mod provider;
pub mod run;

use std::{fmt::Debug, future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;

use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use serde::de::DeserializeOwned;

pub use self::{context::Context, guarded::Guarded, run::run};
use self::{
    guarded::Invalid,
    kubernetes::{queue::Queue, words::words},
};
use crate::{api::BillingContract, billing::carrier::Carrier, protocol::destination::AllowedHosts};

/// Longest that a call to the API server may take.
const API_TIMEOUT: Duration = Duration::from_secs(15);

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The only namespace whose resources are handled; every namespace when left out.
    pub namespace: Option<String>,
    /// The operator's own namespace: of its Lease, and of the Secrets of cluster providers.
    pub own_namespace: String,
    /// Unique among the processes that run at the same time.
    pub identity: String,
    /// Objects of one provider that are worked on at once.
    pub concurrency: u16,
    /// How long the lease lasts without being renewed.
    pub lease_duration: Duration,
    /// Where tokens may be sent, besides the public addresses of the billing APIs.
    pub allowed_hosts: AllowedHosts,
    /// Whether to wait for a lease; without it, two operators could write at once.
    pub leader_election: bool,
    /// What takes requests to billing APIs, where it is not the network.
    pub carrier: Option<Carrier>,
}

/// Names one object, once and for all of its versions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectId {
    /// UID: another object of the same name has another.
    pub uid: String,
    /// Namespace; empty for what has none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// Names an object that the API server delivered, which has all three.
    pub fn of(object: &impl ResourceExt) -> Self {
        Self {
            uid: object.uid().unwrap_or_default(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        }
    }
}

/// A kind that has a controller.
pub trait Handled:
    Resource<DynamicType = ()> + ResourceExt + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
    /// Its label in metrics.
    const LABEL: &'static str;

    /// When its objects are due.
    fn queue(context: &Context) -> &Queue;

    /// Hears that an object is gone; without a finalizer nothing else says so.
    fn gone(_context: &Context, _namespace: Option<String>, _name: &str) {}
}

/// Why a reconcile could not be finished; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not do what it was asked.
    #[error("the API server: {}", words(.0.as_ref()))]
    Kubernetes(#[from] Box<kube::Error>),
    /// The API server did not answer in time.
    #[error("the API server did not answer in time")]
    Timeout,
    /// Another replica leads, or none.
    #[error("this replica does not lead")]
    NotLeader,
    /// The reconcile broke off: a fault of this program, which is the object's alone.
    #[error("a fault of this program: {0}")]
    BrokeOff(String),
    /// Somebody else wrote the object's status since it was read.
    #[error("the status was written by somebody else meanwhile")]
    Overtaken,
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

impl Error {
    /// Whether the API server answered with a status of this kind.
    fn is(&self, kind: impl FnOnce(&kube::core::Status) -> bool) -> bool {
        matches!(self, Self::Kubernetes(error) if matches!(error.as_ref(), kube::Error::Api(status) if kind(status)))
    }
}

/// A call to the API server, bounded in time.
///
/// # Errors
/// The call's own, or that it took too long.
pub async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    Ok(tokio::time::timeout(API_TIMEOUT, call).await.map_err(|_| Error::Timeout)??)
}

/// What a reconcile comes to. One that panics is its object's error, and nobody else's: neither the process nor other objects
/// stop for it.
///
/// # Errors
/// The reconcile's own, or that it broke off.
async fn unbroken<T>(reconcile: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    AssertUnwindSafe(reconcile).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Error::BrokeOff(crate::status::bounded(text.unwrap_or("it says nothing of itself"), 500)))
    })
}

/// The contracts of a cache that fit.
fn contracts_of(
    store: &Store<Guarded<BillingContract>>,
    fits: impl Fn(&BillingContract) -> bool,
) -> Vec<ObjectRef<Guarded<BillingContract>>> {
    let cached = store.state();
    let fitting = cached.iter().filter(|contract| decoded(contract).is_ok_and(&fits));
    fitting.map(|contract| ObjectRef::from_obj(contract.as_ref())).collect()
}

/// The decoded object, or what is to be reported on it.
///
/// # Errors
/// The reason why it could not be decoded.
pub fn decoded<K>(guarded: &Guarded<K>) -> Result<&K, &Invalid<K>> {
    guarded.decoded()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_objects_panic_is_that_objects_error() {
        let broken = unbroken(async {
            tokio::task::yield_now().await;
            if Duration::ZERO.is_zero() {
                std::panic::panic_any("an odd number".to_owned());
            }
            Ok(())
        });
        let why = broken.await.unwrap_err().to_string();
        assert_eq!(why, "a fault of this program: an odd number");
        assert!(matches!(unbroken(async { Ok(1) }).await, Ok(1)));
        assert!(matches!(unbroken::<()>(async { Err(Error::NotLeader) }).await, Err(Error::NotLeader)));
    }
}
