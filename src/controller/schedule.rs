//! When each object is due, what it last looked like, and how often it failed: the recorded between passes.
//!
//! It lives in this process only; everything that must survive a restart is in the object's status.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::terms::Digest;

/// First delay after a failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest delay between tries.
const LONGEST_RETRY: Duration = Duration::from_mins(15);

/// What a new pass depends on: while it stays the same and the object is not due, there is nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trigger {
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
    trigger: Trigger,
    due: Option<Instant>,
    written: Option<u64>,
    failures: u32,
    unsettled: Option<(Digest, u32)>,
}

/// The schedule of all objects of one kind, by UID.
#[derive(Debug, Default)]
pub struct Schedule {
    entries: Mutex<HashMap<String, Entry>>,
}

/// Whether there is something to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Now,
    /// Not before this much time has passed.
    Later(Duration),
    /// The object is older than what this process wrote; its newer form will come.
    Stale,
}

impl Schedule {
    /// Whether an object with this trigger and resource version has its turn. A changed trigger forgets failures.
    pub fn turn(&self, uid: &str, version: Option<&str>, trigger: &Trigger) -> Turn {
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        let version: Option<u64> = version.and_then(|version| version.parse().ok());
        if let (Some(version), Some(written)) = (version, entry.written)
            && version < written
        {
            return Turn::Stale;
        }
        if entry.trigger != *trigger {
            *entry = Entry { trigger: trigger.clone(), written: entry.written, ..Entry::default() };
            return Turn::Now;
        }
        match entry.due.map(|due| due.saturating_duration_since(Instant::now())) {
            Some(wait) if !wait.is_zero() => Turn::Later(wait),
            _ => Turn::Now,
        }
    }

    /// Makes an object due at once.
    pub fn wake(&self, uid: &str) {
        if let Some(entry) = self.lock().get_mut(uid) {
            entry.due = None;
        }
    }

    /// Remembers the version that a write of this process gave the object.
    pub fn wrote(&self, uid: &str, version: Option<&str>) {
        if let Some(version) = version.and_then(|version| version.parse().ok()) {
            self.lock().entry(uid.to_owned()).or_default().written = Some(version);
        }
    }

    /// The pass came to an end that holds: the object is due again after `period`, give or take a tenth.
    pub fn settle(&self, uid: &str, period: Duration) -> Duration {
        let wait = jittered(period);
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        entry.failures = 0;
        entry.due = Some(Instant::now() + wait);
        wait
    }

    /// The pass failed: the object is due again after `floor` and an exponential delay.
    pub fn retry(&self, uid: &str, floor: Duration) -> Duration {
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        let wait = floor + jittered(backoff(entry.failures));
        entry.failures = entry.failures.saturating_add(1);
        entry.due = Some(Instant::now() + wait);
        wait
    }

    /// How often the object failed in a row.
    pub fn failures(&self, uid: &str) -> u32 {
        self.lock().get(uid).map_or(0, |entry| entry.failures)
    }

    /// Counts how often in a row a write left the same difference.
    pub fn unsettled(&self, uid: &str, difference: &Digest) -> u32 {
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_default();
        let before =
            entry.unsettled.take().filter(|(digest, _)| digest == difference).map_or(0, |(_, rounds)| rounds);
        entry.unsettled = Some((difference.clone(), before + 1));
        before + 1
    }

    /// How often in a row a write has left this difference up to now.
    pub fn rounds(&self, uid: &str, difference: &Digest) -> u32 {
        let entries = self.lock();
        let unsettled = entries.get(uid).and_then(|entry| entry.unsettled.as_ref());
        unsettled.filter(|(digest, _)| digest == difference).map_or(0, |(_, rounds)| *rounds)
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

    fn generation(generation: i64) -> Trigger {
        Trigger { generation: Some(generation), ..Trigger::default() }
    }

    #[test]
    fn an_object_has_its_turn_when_its_trigger_changes_or_it_is_due() {
        let schedule = Schedule::default();
        assert_eq!(schedule.turn("a", Some("5"), &generation(1)), Turn::Now);
        schedule.settle("a", PERIOD);
        assert!(matches!(schedule.turn("a", Some("6"), &generation(1)), Turn::Later(_)));
        assert_eq!(schedule.turn("a", Some("7"), &generation(2)), Turn::Now);
        schedule.settle("a", Duration::ZERO);
        assert_eq!(schedule.turn("a", Some("7"), &generation(2)), Turn::Now);
    }

    #[test]
    fn an_object_older_than_the_last_write_waits_for_its_newer_form() {
        let schedule = Schedule::default();
        schedule.wrote("a", Some("9"));
        assert_eq!(schedule.turn("a", Some("8"), &generation(1)), Turn::Stale);
        assert_eq!(schedule.turn("a", Some("9"), &generation(1)), Turn::Now);
    }

    #[test]
    fn delays_double_up_to_a_bound_and_a_change_forgets_them() {
        let schedule = Schedule::default();
        let waits: Vec<_> = (0..40).map(|_| schedule.retry("a", Duration::ZERO)).collect();
        assert!(waits[1] > waits[0] && waits[5] > Duration::from_secs(25));
        assert!(waits[39] <= LONGEST_RETRY + LONGEST_RETRY / 10);
        assert_eq!(schedule.failures("a"), 40);
        schedule.turn("a", None, &generation(2));
        assert_eq!(schedule.failures("a"), 0);
        assert!(schedule.retry("a", PERIOD) >= PERIOD * 9 / 10);
    }

    #[test]
    fn periods_are_spread_by_a_tenth() {
        for _ in 0..100 {
            let wait = jittered(PERIOD);
            assert!(wait >= PERIOD * 9 / 10 && wait <= PERIOD + PERIOD / 10);
        }
    }

    #[test]
    fn rounds_count_while_the_difference_stays_the_same() {
        let schedule = Schedule::default();
        let (one, two) = (Digest::of(&1.into()), Digest::of(&2.into()));
        assert_eq!(
            [&one, &one, &two, &two, &one].map(|digest| schedule.unsettled("a", digest)),
            [1, 2, 1, 2, 1]
        );
        assert_eq!([&one, &two].map(|digest| schedule.rounds("a", digest)), [1, 0]);
    }
}
