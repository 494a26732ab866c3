//! How much is worked on at once, for whom: whoever waits for a slow billing API waits in a row of its own.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many slots, handed out in the order in which they are asked for. Clones share them.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Semaphore>);

/// One slot; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    of: Slots,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// So many slots, at least one.
    #[must_use]
    pub fn new(at_once: u16) -> Self {
        Self(Arc::new(Semaphore::new(usize::from(at_once.max(1)))))
    }

    /// Waits for a free slot. Waiting holds nothing that anybody else needs.
    pub async fn take(&self) -> Option<Slot> {
        // Nobody closes the semaphore.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        Some(Slot { of: self.clone(), _permit: permit })
    }
}

impl Slot {
    /// Whether it is one of these.
    #[must_use]
    pub fn is_of(&self, slots: &Slots) -> bool {
        Arc::ptr_eq(&self.of.0, &slots.0)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn slots_go_round_in_the_order_in_which_they_were_asked_for() {
        let slots = Slots::new(1);
        let held = slots.take().await.unwrap();
        let (mut second, mut third) = (Box::pin(slots.take()), Box::pin(slots.take()));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(held);
        assert!((&mut third).now_or_never().is_none(), "the second asked first");
        let held = second.now_or_never().flatten().unwrap();
        assert!(held.is_of(&slots) && !held.is_of(&Slots::new(1)));
        drop(held);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn whoever_waits_for_one_provider_holds_no_slot_of_another() {
        let (hanging, other) = (Slots::new(2), Slots::new(2));
        let held = (hanging.take().await, hanging.take().await);
        let mut waiting = Box::pin(hanging.take());
        assert!((&mut waiting).now_or_never().is_none());
        assert!(other.take().now_or_never().flatten().is_some());
        drop(held);
    }
}
