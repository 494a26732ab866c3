//! When each object is due: the operator's own schedule, in virtual time and without its jitter.

use std::time::Duration;

use countersign_core::protocol::{Requeue, schedule::Schedule};

pub(crate) use countersign_core::protocol::schedule::{Due, Fingerprint};

/// The queue of all contracts, by UID; times are milliseconds of the simulation.
#[derive(Debug, Default)]
pub(crate) struct Queue(Schedule);

impl Queue {
    /// A pass begins, or not yet.
    pub(crate) fn due(
        &mut self,
        uid: &str,
        version: Option<&str>,
        fingerprint: &Fingerprint,
        now: i64,
    ) -> Due {
        self.0.begins(uid);
        self.0.due(uid, version, fingerprint, duration(now))
    }

    /// When the first of its objects is due that has a time.
    pub(crate) fn next(&self, now: i64) -> Option<i64> {
        self.0.next(duration(now)).map(milliseconds)
    }

    pub(crate) fn has_come(&self, uid: &str, now: i64) -> bool {
        self.0.has_come(uid, duration(now))
    }

    pub(crate) fn wrote(&mut self, uid: &str, version: Option<&str>) {
        self.0.wrote(uid, version);
    }

    pub(crate) fn doubt(&mut self, uid: &str, version: Option<&str>) {
        self.0.doubt(uid, version);
    }

    pub(crate) fn doubts(&self, uid: &str, version: Option<&str>) -> bool {
        self.0.doubts(uid, version)
    }

    pub(crate) fn knows(&mut self, uid: &str, version: Option<&str>) {
        self.0.knows(uid, version);
    }

    /// All is listed anew, at once.
    pub(crate) fn listed(&mut self) {
        self.0.list_began();
        self.0.list_done();
    }

    pub(crate) fn requeue(&mut self, uid: &str, requeue: Requeue, sync_period: i64, now: i64) {
        self.0.requeue(uid, requeue, duration(sync_period), duration(now), |wait| wait);
    }

    pub(crate) fn after(&mut self, uid: &str, wait: i64, now: i64) {
        self.0.after(uid, duration(wait), duration(now));
    }

    pub(crate) fn retry(&mut self, uid: &str, floor: i64, now: i64) {
        self.0.retry(uid, duration(floor), duration(now), |wait| wait);
    }

    pub(crate) fn failures(&self, uid: &str) -> u32 {
        self.0.failures(uid)
    }
}

fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
