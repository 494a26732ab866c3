//! When each object is due, what it last looked like, and how often it failed: what is known between passes.
//!
//! Pure: the time is a reading of whatever clock its driver has, which never goes back. Everything that must survive a restart
//! is in the object's status.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::Requeue;

/// First delay after a failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest delay between tries.
const LONGEST_RETRY: Duration = Duration::from_mins(15);
/// When an object is looked at again that only a change could make due.
const UNASKED: Duration = Duration::from_hours(24);

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
    due: Option<Duration>,
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

impl Written {
    fn of(version: Option<&str>) -> Option<Self> {
        Some(Self { version: number(version)?, before_list: false })
    }
}

/// A version as a number. Those of one object are compared only among themselves.
fn number(version: Option<&str>) -> Option<u64> {
    version.and_then(|version| version.parse().ok())
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

/// When all objects of one kind are due, by UID.
#[derive(Debug, Default)]
pub struct Schedule {
    entries: HashMap<String, Entry>,
}

impl Entry {
    /// The object is due again after so long, or at once when it was woken meanwhile; how long that is.
    fn due_in(&mut self, wait: Duration, now: Duration) -> Duration {
        if std::mem::take(&mut self.woken) {
            self.due = None;
            return Duration::ZERO;
        }
        self.due = Some(now.saturating_add(wait));
        wait
    }
}

impl Schedule {
    fn entry(&mut self, uid: &str) -> &mut Entry {
        self.entries.entry(uid.to_owned()).or_default()
    }

    /// Whether an object with this fingerprint and resource version is due. A changed fingerprint forgets failures.
    pub fn due(&mut self, uid: &str, version: Option<&str>, fingerprint: &Fingerprint, now: Duration) -> Due {
        let entry = self.entry(uid);
        if let (Some(version), Some(written)) = (number(version), entry.written)
            && version < written.version
        {
            return Due::Stale;
        }
        if entry.fingerprint != *fingerprint {
            let Entry { written, doubted, woken, .. } = *entry;
            *entry = Entry { fingerprint: fingerprint.clone(), written, doubted, woken, ..Entry::default() };
            return Due::Now;
        }
        match entry.due.map(|due| due.saturating_sub(now)) {
            Some(wait) if !wait.is_zero() => Due::Later(wait),
            _ => Due::Now,
        }
    }

    /// Whether an object's time has come, whatever else may make it due.
    #[must_use]
    pub fn has_come(&self, uid: &str, now: Duration) -> bool {
        self.entries.get(uid).and_then(|entry| entry.due).is_none_or(|due| due <= now)
    }

    /// When the next object is due by its time.
    #[must_use]
    pub fn next(&self, now: Duration) -> Option<Duration> {
        self.entries.values().filter_map(|entry| entry.due).filter(|due| *due > now).min()
    }

    /// A pass begins, and has not looked at anything yet: whatever wakes the object from now on may be news to it.
    pub fn begins(&mut self, uid: &str) {
        if let Some(entry) = self.entries.get_mut(uid) {
            entry.woken = false;
        }
    }

    /// Makes an object due at once: now, or right after the pass that is under way.
    pub fn wake(&mut self, uid: &str) {
        if let Some(entry) = self.entries.get_mut(uid) {
            (entry.due, entry.woken) = (None, true);
        }
    }

    /// Remembers the version that a write of this process gave the object.
    pub fn wrote(&mut self, uid: &str, version: Option<&str>) {
        if let Some(written) = Written::of(version) {
            self.entry(uid).written = Some(written);
        }
    }

    /// Notes that an object of this version may have been replaced by a write of this process that had no answer.
    pub fn doubt(&mut self, uid: &str, version: Option<&str>) {
        if let Some(doubted) = Written::of(version) {
            self.entry(uid).doubted = Some(doubted);
        }
    }

    /// Whether an object of this version may have been replaced so, and its status may lack what was written last.
    #[must_use]
    pub fn doubts(&self, uid: &str, version: Option<&str>) -> bool {
        let doubted = self.entries.get(uid).and_then(|entry| entry.doubted);
        number(version).zip(doubted).is_some_and(|(version, doubted)| version <= doubted.version)
    }

    /// The version that the API server has is known again: an older one waits for it.
    pub fn knows(&mut self, uid: &str, version: Option<&str>) {
        self.entry(uid).doubted = None;
        self.wrote(uid, version);
    }

    /// A list of all objects begins: it will have whatever was written before now.
    pub fn list_began(&mut self) {
        for entry in self.entries.values_mut() {
            for version in [&mut entry.written, &mut entry.doubted].into_iter().flatten() {
                version.before_list = true;
            }
        }
    }

    /// The list is in the cache. Versions may have gone back in it, as when the cluster's data was restored from a backup:
    /// what was written before means nothing any more.
    pub fn list_done(&mut self) {
        for entry in self.entries.values_mut() {
            entry.written = entry.written.filter(|written| !written.before_list);
            entry.doubted = entry.doubted.filter(|doubted| !doubted.before_list);
        }
    }

    /// In how long the object is due again after a reconcile; nothing where only a change makes it due. `spread` keeps objects
    /// from coming due together.
    pub fn requeue(
        &mut self,
        uid: &str,
        requeue: Requeue,
        sync_period: Duration,
        now: Duration,
        spread: impl Fn(Duration) -> Duration,
    ) -> Option<Duration> {
        let after = |schedule: &mut Self, wait| schedule.after(uid, spread(wait), now);
        match requeue {
            Requeue::AfterSyncPeriod => Some(after(self, sync_period)),
            Requeue::Within(wait) => Some(after(self, sync_period.min(wait))),
            Requeue::After(wait) => Some(after(self, wait)),
            Requeue::Backoff(floor) => Some(self.retry(uid, floor, now, spread)),
            Requeue::OnChange => Some(after(self, UNASKED)).filter(Duration::is_zero),
        }
    }

    /// The reconcile came to an end that holds: the object is due again after `wait`.
    pub fn after(&mut self, uid: &str, wait: Duration, now: Duration) -> Duration {
        let entry = self.entry(uid);
        entry.failures = 0;
        entry.due_in(wait, now)
    }

    /// The reconcile failed: the object is due again after `floor` and an exponential delay.
    pub fn retry(
        &mut self,
        uid: &str,
        floor: Duration,
        now: Duration,
        spread: impl Fn(Duration) -> Duration,
    ) -> Duration {
        let entry = self.entry(uid);
        let wait = floor.saturating_add(spread(backoff(entry.failures)));
        entry.failures = entry.failures.saturating_add(1);
        entry.due_in(wait, now)
    }

    /// How often the object failed in a row.
    #[must_use]
    pub fn failures(&self, uid: &str) -> u32 {
        self.entries.get(uid).map_or(0, |entry| entry.failures)
    }

    /// Forgets every object but these.
    pub fn keep(&mut self, uids: &HashSet<String>) {
        self.entries.retain(|uid, _| uids.contains(uid));
    }
}

fn backoff(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_mins(10);
    const NOW: Duration = Duration::from_hours(1);

    fn generation(generation: i64) -> Fingerprint {
        Fingerprint { generation: Some(generation), ..Fingerprint::default() }
    }

    fn as_it_is(wait: Duration) -> Duration {
        wait
    }

    #[test]
    fn an_object_is_due_when_its_fingerprint_changes_or_its_time_has_come() {
        let mut schedule = Schedule::default();
        assert!(schedule.has_come("a", NOW) && schedule.next(NOW).is_none());
        assert_eq!(schedule.due("a", Some("5"), &generation(1), NOW), Due::Now);
        schedule.after("a", PERIOD, NOW);
        assert_eq!(schedule.due("a", Some("6"), &generation(1), NOW), Due::Later(PERIOD));
        assert!(!schedule.has_come("a", NOW) && schedule.next(NOW) == Some(NOW + PERIOD));
        assert_eq!(schedule.due("a", Some("7"), &generation(2), NOW), Due::Now);
        schedule.after("a", PERIOD, NOW);
        assert_eq!(schedule.due("a", Some("7"), &generation(2), NOW + PERIOD), Due::Now);
        assert!(schedule.has_come("a", NOW + PERIOD) && schedule.next(NOW + PERIOD).is_none());
    }

    #[test]
    fn what_wakes_an_object_while_a_pass_is_under_way_makes_it_due_right_after_it() {
        let mut schedule = Schedule::default();
        let pass = |schedule: &mut Schedule, wakes: bool| {
            schedule.begins("a");
            assert_eq!(schedule.due("a", None, &generation(1), NOW), Due::Now);
            if wakes {
                schedule.wake("a");
            }
        };
        for (requeue, wait) in [
            (Requeue::AfterSyncPeriod, Some(PERIOD)),
            (Requeue::Within(PERIOD / 2), Some(PERIOD / 2)),
            (Requeue::After(PERIOD * 2), Some(PERIOD * 2)),
            (Requeue::Backoff(PERIOD), Some(PERIOD + FIRST_RETRY)),
            (Requeue::OnChange, None),
        ] {
            pass(&mut schedule, true);
            assert_eq!(schedule.requeue("a", requeue, PERIOD, NOW, as_it_is), Some(Duration::ZERO));
            pass(&mut schedule, false);
            schedule.after("a", Duration::ZERO, NOW);
            assert_eq!(schedule.requeue("a", requeue, PERIOD, NOW, as_it_is), wait);
            assert!(matches!(schedule.due("a", None, &generation(1), NOW), Due::Later(_)));
            // What wakes it between two passes is over with the next one.
            schedule.wake("a");
        }
        pass(&mut schedule, false);
        assert_eq!(schedule.after("a", PERIOD, NOW), PERIOD);
        // Another spec forgets when it was due, and not that it was woken.
        schedule.wake("a");
        pass(&mut schedule, true);
        assert_eq!(schedule.due("a", None, &generation(2), NOW), Due::Now);
        assert_eq!(schedule.after("a", PERIOD, NOW), Duration::ZERO);
    }

    #[test]
    fn an_object_older_than_the_last_write_waits_for_its_newer_form() {
        let mut schedule = Schedule::default();
        schedule.wrote("a", Some("9"));
        assert_eq!(schedule.due("a", Some("8"), &generation(1), NOW), Due::Stale);
        assert_eq!(schedule.due("a", Some("9"), &generation(1), NOW), Due::Now);
    }

    #[test]
    fn an_object_that_a_write_without_an_answer_may_have_replaced_is_doubted_until_it_is_read() {
        let mut schedule = Schedule::default();
        schedule.doubt("a", Some("9"));
        assert!(
            schedule.doubts("a", Some("9"))
                && !schedule.doubts("a", Some("10"))
                && !schedule.doubts("b", Some("9"))
        );
        assert_eq!(schedule.due("a", Some("9"), &generation(2), NOW), Due::Now);
        assert!(schedule.doubts("a", Some("9")), "another spec tells nothing of the write");
        schedule.knows("a", Some("11"));
        assert!(!schedule.doubts("a", Some("9")));
        assert_eq!(schedule.due("a", Some("9"), &generation(2), NOW), Due::Stale, "it was carried out");
        schedule.doubt("b", Some("9"));
        schedule.knows("b", Some("9"));
        assert_eq!(schedule.due("b", Some("9"), &generation(1), NOW), Due::Now, "it was not");
        schedule.doubt("b", Some("9"));
        schedule.list_began();
        schedule.list_done();
        assert!(!schedule.doubts("b", Some("9")), "what was listed since has it");
    }

    #[test]
    fn after_a_list_only_what_was_written_meanwhile_holds_an_older_object_back() {
        let mut schedule = Schedule::default();
        schedule.wrote("a", Some("900"));
        schedule.wrote("b", Some("901"));
        schedule.list_began();
        let stale = "the old cache is still in use";
        assert_eq!(schedule.due("a", Some("8"), &generation(1), NOW), Due::Stale, "{stale}");
        schedule.wrote("b", Some("12"));
        schedule.list_done();
        assert_eq!(schedule.due("a", Some("8"), &generation(1), NOW), Due::Now, "versions went back");
        assert_eq!(schedule.due("b", Some("9"), &generation(1), NOW), Due::Stale);
        assert_eq!(schedule.due("b", Some("12"), &generation(1), NOW), Due::Now);
    }

    #[test]
    fn delays_double_up_to_a_bound_and_a_change_forgets_them() {
        let mut schedule = Schedule::default();
        let waits: Vec<_> = (0..40).map(|_| schedule.retry("a", Duration::ZERO, NOW, as_it_is)).collect();
        assert_eq!((waits[0], waits[5], waits[39]), (FIRST_RETRY, FIRST_RETRY * 32, LONGEST_RETRY));
        assert_eq!(schedule.failures("a"), 40);
        schedule.due("a", None, &generation(2), NOW);
        assert_eq!(schedule.failures("a"), 0);
        assert_eq!(schedule.retry("a", PERIOD, NOW, as_it_is), PERIOD + FIRST_RETRY);
        schedule.keep(&HashSet::new());
        assert_eq!(schedule.failures("a"), 0);
    }
}
