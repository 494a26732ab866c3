//! The schedule of one kind's objects, by this process's clock: [`Schedule`] has the rules.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::runtime::controller::Action;
use tokio::time::Instant;

pub use crate::protocol::schedule::{Due, Fingerprint};
use crate::protocol::{Requeue, schedule::Schedule};

/// The queue of all objects of one kind, by UID.
#[derive(Debug)]
pub struct Queue {
    since: Instant,
    schedule: Mutex<Schedule>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { since: Instant::now(), schedule: Mutex::default() }
    }
}

impl Queue {
    /// See [`Schedule::due`].
    pub fn due(&self, uid: &str, version: Option<&str>, fingerprint: &Fingerprint) -> Due {
        self.lock().due(uid, version, fingerprint, self.now())
    }

    /// See [`Schedule::begins`].
    pub fn begins(&self, uid: &str) {
        self.lock().begins(uid);
    }

    /// See [`Schedule::wake`].
    pub fn wake(&self, uid: &str) {
        self.lock().wake(uid);
    }

    /// See [`Schedule::wrote`].
    pub fn wrote(&self, uid: &str, version: Option<&str>) {
        self.lock().wrote(uid, version);
    }

    /// See [`Schedule::doubt`].
    pub fn doubt(&self, uid: &str, version: Option<&str>) {
        self.lock().doubt(uid, version);
    }

    /// See [`Schedule::doubts`].
    pub fn doubts(&self, uid: &str, version: Option<&str>) -> bool {
        self.lock().doubts(uid, version)
    }

    /// See [`Schedule::knows`].
    pub fn knows(&self, uid: &str, version: Option<&str>) {
        self.lock().knows(uid, version);
    }

    /// See [`Schedule::list_began`].
    pub fn list_began(&self) {
        self.lock().list_began();
    }

    /// See [`Schedule::list_done`].
    pub fn list_done(&self) {
        self.lock().list_done();
    }

    /// When the object is due again after a reconcile.
    pub fn requeue(&self, uid: &str, requeue: Requeue, sync_period: Duration) -> Action {
        let wait = self.lock().requeue(uid, requeue, sync_period, self.now(), jittered);
        wait.map_or_else(Action::await_change, Action::requeue)
    }

    /// The reconcile came to an end that holds: the object is due again after `period`, give or take a tenth.
    pub fn after(&self, uid: &str, period: Duration) -> Duration {
        self.lock().after(uid, jittered(period), self.now())
    }

    /// The reconcile failed: the object is due again after `floor` and an exponential delay.
    pub fn retry(&self, uid: &str, floor: Duration) -> Duration {
        self.lock().retry(uid, floor, self.now(), jittered)
    }

    /// See [`Schedule::failures`].
    pub fn failures(&self, uid: &str) -> u32 {
        self.lock().failures(uid)
    }

    /// See [`Schedule::keep`].
    pub fn keep(&self, uids: &HashSet<String>) {
        self.lock().keep(uids);
    }

    fn now(&self) -> Duration {
        self.since.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A duration within a tenth of the one given, so that objects do not come due together.
fn jittered(period: Duration) -> Duration {
    let tenth = u64::try_from((period / 10).as_millis()).unwrap_or(u64::MAX);
    period
        .saturating_sub(period / 10)
        .saturating_add(Duration::from_millis(fastrand::u64(0..=tenth.saturating_mul(2))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_mins(10);

    #[test]
    fn periods_are_spread_by_a_tenth() {
        for _ in 0..100 {
            let wait = jittered(PERIOD);
            assert!(wait >= PERIOD * 9 / 10 && wait <= PERIOD + PERIOD / 10);
        }
    }

    #[test]
    fn what_only_a_change_makes_due_is_awaited_and_what_woke_it_meanwhile_is_that_change() {
        let queue = Queue::default();
        queue.due("a", None, &Fingerprint::default());
        assert_eq!(queue.requeue("a", Requeue::OnChange, PERIOD), Action::await_change());
        queue.wake("a");
        assert_eq!(queue.requeue("a", Requeue::OnChange, PERIOD), Action::requeue(Duration::ZERO));
    }
}
