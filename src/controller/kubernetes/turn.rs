//! An object's turn: work that waits for a billing API takes a slot of its provider, and waits for that beside everybody else.

use kube::runtime::controller::Action;

use crate::{
    billing::slots::{Slot, Slots},
    controller::Context,
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

    /// Waits for one of these slots; false when the process stops meanwhile.
    pub async fn take(&mut self, slots: &Slots, context: &Context) -> bool {
        // First given back: whoever waits holds nothing.
        self.0 = None;
        self.0 = context.tenure.read(slots.take()).await.flatten();
        self.0.is_some()
    }
}
