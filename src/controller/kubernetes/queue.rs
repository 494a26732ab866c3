//! When each object is due, what it last looked like, and how often it failed: the recorded between passes.
//!
//! It lives in this process only; everything that must survive a restart is in the object's status.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::runtime::controller::Action;
use tokio::time::Instant;

use crate::protocol::Requeue;

/// First delay after a failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest delay between tries.
const LONGEST_RETRY: Duration = Duration::from_mins(15);

/// What a reconcile depends on: while it stays the same and the object is not due, there is nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Generation of the object's spec.
    pub generation: Option<i64>,
    /// Whether the object is being deleted.
    pub deleting: bool,
    /// Annotations that ask for something.
    pub annotations: Vec<Option<String>>,
    /// Version of what the object depends on.
    pub dependencies: Vec<String>,
}

#[derive(Debug, Default)]
struct Entry {
    fingerprint: Fingerprint,
    due: Option<Instant>,
    written: Option<Written>,
    /// The version that a write without an answer may have replaced.
    doubted: Option<Written>,
    failures: u32,
    /// Whether it was woken since its last pass began.
    woken: bool,
}

/// A version that this process wrote, or wanted to replace.
#[derive(Clone, Copy, Debug)]
struct Written {
    version: u64,
    /// Whether a list began after it: what the list has is not older, whatever its version.
    before_list: bool,
}

/// The queue of all objects of one kind, by UID.
#[derive(Debug, Default)]
pub struct Queue {
    entries: Mutex<HashMap<String, Entry>>,
}

/// Whether an object is to be reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is to be reconciled now.
    Now,
    /// There is nothing to do before this much time has passed.
    Later(Duration),
    /// The object is older than what this process wrote: its newer form will come, and acting on this one could repeat a
    /// write that its status does not know of.
    Stale,
}

impl Entry {
    /// The object is due again after so long, or at once when it was woken meanwhile; how long that is.
    fn due_in(&mut self, wait: Duration) -> Duration {
        if std::mem::take(&mut self.woken) {
            self.due = None;
            return Duration::ZERO;
        }
        self.due = Some(Instant::now() + wait);
        wait
    }
}

impl Queue {
    /// Whether an object with this fingerprint and resource version is due. A changed fingerprint forgets failures.
    pub fn due(&self, uid: &str, version: Option<&str>, fingerprint: &Fingerprint) -> Due {
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        let version: Option<u64> = version.and_then(|version| version.parse().ok());
        if let (Some(version), Some(written)) = (version, entry.written)
            && version < written.version
        {
            return Due::Stale;
        }
        if entry.fingerprint != *fingerprint {
            let Entry { written, doubted, woken, .. } = *entry;
            *entry = Entry { fingerprint: fingerprint.clone(), written, doubted, woken, ..Entry::default() };
            return Due::Now;
        }
        match entry.due.map(|due| due.saturating_duration_since(Instant::now())) {
            Some(wait) if !wait.is_zero() => Due::Later(wait),
            _ => Due::Now,
        }
    }

    /// A pass begins, and has not looked at anything yet: whatever wakes the object from now on may be news to it.
    pub fn begins(&self, uid: &str) {
        if let Some(entry) = self.lock().get_mut(uid) {
            entry.woken = false;
        }
    }

    /// Makes an object due at once: now, or right after the pass that is under way.
    pub fn wake(&self, uid: &str) {
        if let Some(entry) = self.lock().get_mut(uid) {
            (entry.due, entry.woken) = (None, true);
        }
    }

    /// Remembers the version that a write of this process gave the object.
    pub fn wrote(&self, uid: &str, version: Option<&str>) {
        if let Some(version) = version.and_then(|version| version.parse().ok()) {
            let written = Written { version, before_list: false };
            self.lock().entry(uid.to_owned()).or_default().written = Some(written);
        }
    }

    /// Notes that an object of this version may have been replaced by a write of this process that had no answer.
    pub fn doubt(&self, uid: &str, version: Option<&str>) {
        if let Some(version) = version.and_then(|version| version.parse().ok()) {
            let doubted = Written { version, before_list: false };
            self.lock().entry(uid.to_owned()).or_default().doubted = Some(doubted);
        }
    }

    /// Whether an object of this version may have been replaced so, and its status may lack what was written last.
    pub fn doubts(&self, uid: &str, version: Option<&str>) -> bool {
        let version: Option<u64> = version.and_then(|version| version.parse().ok());
        let doubted = self.lock().get(uid).and_then(|entry| entry.doubted);
        version.zip(doubted).is_some_and(|(version, doubted)| version <= doubted.version)
    }

    /// The version that the API server has is known again: an older one waits for it.
    pub fn knows(&self, uid: &str, version: Option<&str>) {
        self.lock().entry(uid.to_owned()).or_default().doubted = None;
        self.wrote(uid, version);
    }

    /// A list of all objects begins: it will have whatever was written before now.
    pub fn list_began(&self) {
        for entry in self.lock().values_mut() {
            for version in [&mut entry.written, &mut entry.doubted].into_iter().flatten() {
                version.before_list = true;
            }
        }
    }

    /// The list is in the cache. Versions may have gone back in it, as when the cluster's data was restored from a backup:
    /// what was written before means nothing any more.
    pub fn list_done(&self) {
        for entry in self.lock().values_mut() {
            entry.written = entry.written.filter(|written| !written.before_list);
            entry.doubted = entry.doubted.filter(|doubted| !doubted.before_list);
        }
    }

    /// When the object is due again after a reconcile.
    pub fn requeue(&self, uid: &str, requeue: Requeue, sync_period: Duration) -> Action {
        match requeue {
            Requeue::AfterSyncPeriod => Action::requeue(self.after(uid, sync_period)),
            Requeue::Within(wait) => Action::requeue(self.after(uid, sync_period.min(wait))),
            Requeue::After(wait) => Action::requeue(self.after(uid, wait)),
            Requeue::Backoff(floor) => Action::requeue(self.retry(uid, floor)),
            Requeue::OnChange => match self.after(uid, Duration::from_hours(24)) {
                Duration::ZERO => Action::requeue(Duration::ZERO),
                _ => Action::await_change(),
            },
        }
    }

    /// The reconcile came to an end that holds: the object is due again after `period`, give or take a tenth.
    pub fn after(&self, uid: &str, period: Duration) -> Duration {
        let wait = jittered(period);
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        entry.failures = 0;
        entry.due_in(wait)
    }

    /// The reconcile failed: the object is due again after `floor` and an exponential delay.
    pub fn retry(&self, uid: &str, floor: Duration) -> Duration {
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        let wait = floor + jittered(backoff(entry.failures));
        entry.failures = entry.failures.saturating_add(1);
        entry.due_in(wait)
    }

    /// How often the object failed in a row.
    pub fn failures(&self, uid: &str) -> u32 {
        self.lock().get(uid).map_or(0, |entry| entry.failures)
    }

    /// Forgets every object but these.
    pub fn keep(&self, uids: &HashSet<String>) {
        self.lock().retain(|uid, _| uids.contains(uid));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn backoff(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_RETRY)
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

    fn generation(generation: i64) -> Fingerprint {
        Fingerprint { generation: Some(generation), ..Fingerprint::default() }
    }

    #[test]
    fn an_object_is_due_when_its_fingerprint_changes_or_its_time_has_come() {
        let queue = Queue::default();
        assert_eq!(queue.due("a", Some("5"), &generation(1)), Due::Now);
        queue.after("a", PERIOD);
        assert!(matches!(queue.due("a", Some("6"), &generation(1)), Due::Later(_)));
        assert_eq!(queue.due("a", Some("7"), &generation(2)), Due::Now);
        queue.after("a", Duration::ZERO);
        assert_eq!(queue.due("a", Some("7"), &generation(2)), Due::Now);
    }

    #[test]
    fn what_wakes_an_object_while_a_pass_is_under_way_makes_it_due_right_after_it() {
        let queue = Queue::default();
        let pass = |wakes: bool| {
            queue.begins("a");
            assert_eq!(queue.due("a", None, &generation(1)), Due::Now);
            if wakes {
                queue.wake("a");
            }
        };
        for requeue in [Requeue::AfterSyncPeriod, Requeue::Backoff(PERIOD), Requeue::OnChange] {
            pass(true);
            assert_eq!(queue.requeue("a", requeue, PERIOD), Action::requeue(Duration::ZERO));
            pass(false);
            assert_ne!(queue.requeue("a", requeue, PERIOD), Action::requeue(Duration::ZERO));
            assert!(matches!(queue.due("a", None, &generation(1)), Due::Later(_)));
            // What wakes it between two passes is over with the next one.
            queue.wake("a");
        }
        pass(false);
        assert!(queue.after("a", PERIOD) >= PERIOD * 9 / 10);
        // Another spec forgets when it was due, and not that it was woken.
        queue.wake("a");
        pass(true);
        assert_eq!(queue.due("a", None, &generation(2)), Due::Now);
        assert_eq!(queue.after("a", PERIOD), Duration::ZERO);
    }

    #[test]
    fn an_object_older_than_the_last_write_waits_for_its_newer_form() {
        let queue = Queue::default();
        queue.wrote("a", Some("9"));
        assert_eq!(queue.due("a", Some("8"), &generation(1)), Due::Stale);
        assert_eq!(queue.due("a", Some("9"), &generation(1)), Due::Now);
    }

    #[test]
    fn an_object_that_a_write_without_an_answer_may_have_replaced_is_doubted_until_it_is_read() {
        let queue = Queue::default();
        queue.doubt("a", Some("9"));
        assert!(
            queue.doubts("a", Some("9")) && !queue.doubts("a", Some("10")) && !queue.doubts("b", Some("9"))
        );
        assert_eq!(queue.due("a", Some("9"), &generation(2)), Due::Now);
        assert!(queue.doubts("a", Some("9")), "another spec tells nothing of the write");
        queue.knows("a", Some("11"));
        assert!(!queue.doubts("a", Some("9")));
        assert_eq!(queue.due("a", Some("9"), &generation(2)), Due::Stale, "it was carried out");
        queue.doubt("b", Some("9"));
        queue.knows("b", Some("9"));
        assert_eq!(queue.due("b", Some("9"), &generation(1)), Due::Now, "it was not");
        queue.doubt("b", Some("9"));
        queue.list_began();
        queue.list_done();
        assert!(!queue.doubts("b", Some("9")), "what was listed since has it");
    }

    #[test]
    fn after_a_list_only_what_was_written_meanwhile_holds_an_older_object_back() {
        let queue = Queue::default();
        queue.wrote("a", Some("900"));
        queue.wrote("b", Some("901"));
        queue.list_began();
        assert_eq!(queue.due("a", Some("8"), &generation(1)), Due::Stale, "the old cache is still in use");
        queue.wrote("b", Some("12"));
        queue.list_done();
        assert_eq!(queue.due("a", Some("8"), &generation(1)), Due::Now, "versions went back");
        assert_eq!(queue.due("b", Some("9"), &generation(1)), Due::Stale);
        assert_eq!(queue.due("b", Some("12"), &generation(1)), Due::Now);
    }

    #[test]
    fn delays_double_up_to_a_bound_and_a_change_forgets_them() {
        let queue = Queue::default();
        let waits: Vec<_> = (0..40).map(|_| queue.retry("a", Duration::ZERO)).collect();
        assert!(waits[1] > waits[0] && waits[5] > Duration::from_secs(25));
        assert!(waits[39] <= LONGEST_RETRY + LONGEST_RETRY / 10);
        assert_eq!(queue.failures("a"), 40);
        queue.due("a", None, &generation(2));
        assert_eq!(queue.failures("a"), 0);
        assert!(queue.retry("a", PERIOD) >= PERIOD * 9 / 10);
    }

    #[test]
    fn periods_are_spread_by_a_tenth() {
        for _ in 0..100 {
            let wait = jittered(PERIOD);
            assert!(wait >= PERIOD * 9 / 10 && wait <= PERIOD + PERIOD / 10);
        }
    }
}
