//! When each object is due: `src/controller/kubernetes/queue.rs`, in virtual time and without its jitter.

use std::collections::BTreeMap;

use countersign_core::protocol::Requeue;

use crate::time::{HOUR, MINUTE, SECOND};

const FIRST_RETRY: i64 = SECOND;
const LONGEST_RETRY: i64 = 15 * MINUTE;

/// What a reconcile depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) generation: Option<i64>,
    pub(crate) deleting: bool,
    pub(crate) annotations: Vec<Option<String>>,
    pub(crate) dependencies: Vec<String>,
}

#[derive(Debug, Default)]
struct Entry {
    fingerprint: Fingerprint,
    due: Option<i64>,
    written: Option<u64>,
    doubted: Option<u64>,
    failures: u32,
}

/// Whether an object is to be reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    Later,
    Stale,
}

/// The queue of all contracts, by UID.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<String, Entry>,
}

impl Queue {
    pub(crate) fn due(
        &mut self,
        uid: &str,
        version: Option<&str>,
        fingerprint: &Fingerprint,
        now: i64,
    ) -> Due {
        let entry = self.entries.entry(uid.to_owned()).or_default();
        let version: Option<u64> = version.and_then(|version| version.parse().ok());
        if version.zip(entry.written).is_some_and(|(version, written)| version < written) {
            return Due::Stale;
        }
        if entry.fingerprint != *fingerprint {
            let (written, doubted) = (entry.written, entry.doubted);
            *entry = Entry { fingerprint: fingerprint.clone(), written, doubted, ..Entry::default() };
            return Due::Now;
        }
        if entry.due.is_some_and(|due| due > now) { Due::Later } else { Due::Now }
    }

    /// When the first of its objects is due that has a time.
    pub(crate) fn next(&self, now: i64) -> Option<i64> {
        self.entries.values().filter_map(|entry| entry.due).filter(|due| *due > now).min()
    }

    /// Whether an object's time has come, whatever else has changed.
    pub(crate) fn has_come(&self, uid: &str, now: i64) -> bool {
        let due = self.entries.get(uid).and_then(|entry| entry.due);
        due.is_none_or(|due| due <= now)
    }

    pub(crate) fn wrote(&mut self, uid: &str, version: Option<&str>) {
        if let Some(version) = version.and_then(|version| version.parse().ok()) {
            self.entries.entry(uid.to_owned()).or_default().written = Some(version);
        }
    }

    /// Notes that an object of this version may have been replaced: no answer came.
    pub(crate) fn doubt(&mut self, uid: &str, version: Option<&str>) {
        if let Some(version) = version.and_then(|version| version.parse().ok()) {
            self.entries.entry(uid.to_owned()).or_default().doubted = Some(version);
        }
    }

    /// Whether an object of this version may have been replaced without an answer.
    pub(crate) fn doubts(&self, uid: &str, version: Option<&str>) -> bool {
        let version: Option<u64> = version.and_then(|version| version.parse().ok());
        let doubted = self.entries.get(uid).and_then(|entry| entry.doubted);
        version.zip(doubted).is_some_and(|(version, doubted)| version <= doubted)
    }

    /// What the API server has is known again; an older version is waited out.
    pub(crate) fn knows(&mut self, uid: &str, version: Option<&str>) {
        self.entries.entry(uid.to_owned()).or_default().doubted = None;
        self.wrote(uid, version);
    }

    /// All is listed anew: versions from before mean nothing.
    pub(crate) fn listed(&mut self) {
        for entry in self.entries.values_mut() {
            (entry.written, entry.doubted) = (None, None);
        }
    }

    pub(crate) fn requeue(&mut self, uid: &str, requeue: Requeue, sync_period: i64, now: i64) {
        let milliseconds =
            |wait: std::time::Duration| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
        match requeue {
            Requeue::AfterSyncPeriod => self.after(uid, sync_period, now),
            Requeue::Within(wait) => self.after(uid, sync_period.min(milliseconds(wait)), now),
            Requeue::After(wait) => self.after(uid, milliseconds(wait), now),
            Requeue::Backoff(floor) => self.retry(uid, milliseconds(floor), now),
            Requeue::OnChange => self.after(uid, 24 * HOUR, now),
        }
    }

    pub(crate) fn after(&mut self, uid: &str, wait: i64, now: i64) {
        let entry = self.entries.entry(uid.to_owned()).or_default();
        entry.failures = 0;
        entry.due = Some(now + wait);
    }

    pub(crate) fn retry(&mut self, uid: &str, floor: i64, now: i64) {
        let entry = self.entries.entry(uid.to_owned()).or_default();
        let backoff = FIRST_RETRY.saturating_mul(2_i64.saturating_pow(entry.failures)).min(LONGEST_RETRY);
        entry.failures = entry.failures.saturating_add(1);
        entry.due = Some(now + floor + backoff);
    }

    pub(crate) fn failures(&self, uid: &str) -> u32 {
        self.entries.get(uid).map_or(0, |entry| entry.failures)
    }
}
