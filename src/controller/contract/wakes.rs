//! Wakes contracts: makes them due and lets their controller look at once.

use std::sync::Arc;

use kube::{
    Resource,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    api::BillingContract,
    controller::{Guarded, kubernetes::queue::Queue},
};

type Reference = ObjectRef<Guarded<BillingContract>>;

/// A handle that wakes contracts.
#[derive(Clone)]
pub struct Wakes {
    queue: Arc<Queue>,
    due: UnboundedSender<Reference>,
}

impl Wakes {
    /// A handle, and the contracts that it wakes.
    #[must_use]
    pub fn new(queue: Arc<Queue>) -> (Self, UnboundedReceiver<Reference>) {
        let (due, receiver) = unbounded_channel();
        (Self { queue, due }, receiver)
    }

    /// Wakes one contract of a cache.
    pub fn wake(&self, reference: Reference, store: &Store<Guarded<BillingContract>>) {
        if let Some(uid) = store.get(&reference).and_then(|found| found.meta().uid.clone()) {
            self.queue.wake(&uid);
        }
        if self.due.send(reference).is_err() {
            tracing::debug!("stopping; nobody looks at contracts any more");
        }
    }

    /// Wakes every contract of a cache.
    pub fn wake_all(&self, store: &Store<Guarded<BillingContract>>) {
        for contract in store.state() {
            self.wake(ObjectRef::from_obj(contract.as_ref()), store);
        }
    }
}
