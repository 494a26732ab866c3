//! An object's turn: work that waits for a billing API takes a slot of its provider, and waits for that beside everybody else.

use std::sync::Arc;

use kube::{
    Resource,
    runtime::{
        controller::Action,
        reflector::{ObjectRef, Store},
    },
};

use crate::{
    billing::slots::{Slot, Slots},
    controller::{Context, Guarded},
};

/// What a pass over an object came to.
pub enum Pass {
    /// It is over; this is when to look again.
    Done(Action),
    /// It goes on from the start, with what is in the cache then, once it has one of these slots.
    Needs(Slots),
}

/// The slot of a reconcile, if it has one.
#[derive(Default)]
pub struct Turn(Option<Slot>);

impl Turn {
    /// Whether the reconcile has one of these slots.
    #[must_use]
    pub fn has(&self, slots: &Slots) -> bool {
        self.0.as_ref().is_some_and(|slot| slot.is_of(slots))
    }

    /// Waits for one of these slots, and gives the object as it is by then: it may have changed meanwhile. Nothing when it
    /// is gone, or the process stops.
    pub async fn take<K>(
        &mut self,
        slots: &Slots,
        object: &Guarded<K>,
        cache: &Store<Guarded<K>>,
        context: &Context,
    ) -> Option<Arc<Guarded<K>>>
    where
        K: Resource<DynamicType = ()> + Clone + 'static,
    {
        // First given back: whoever waits holds nothing.
        self.0 = None;
        self.0 = context.tenure.read(slots.take()).await.flatten();
        self.0.as_ref().and_then(|_| cache.get(&ObjectRef::from_obj(object)))
    }
}
