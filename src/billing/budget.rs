//! The request budget of one provider: so many requests a second, so many objects at once, and nothing while the API asks
//! for a pause.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use super::slots::Slots;

/// Longest pause that an API can ask for; a longer one is cut to it.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// Longest pause that a call waits for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Shared by every call of one provider; clones share it as well.
#[derive(Clone, Debug)]
pub struct Budget {
    rate: NonZeroU32,
    limiter: Arc<DefaultDirectRateLimiter>,
    paused_until: Arc<Mutex<Option<Instant>>>,
    slots: Slots,
}

impl Budget {
    /// A budget of so many requests a second, at least one, for so many objects at once; a burst may use one second's
    /// worth.
    #[must_use]
    pub fn new(requests_per_second: i32, at_once: u16) -> Self {
        let rate = rate(requests_per_second);
        let limiter = Arc::new(RateLimiter::direct(Quota::per_second(rate)));
        Self { rate, limiter, paused_until: Arc::default(), slots: Slots::new(at_once) }
    }

    /// The same budget at another rate: pauses and slots go on.
    #[must_use]
    pub fn at(&self, requests_per_second: i32) -> Self {
        let rate = rate(requests_per_second);
        if rate == self.rate {
            return self.clone();
        }
        let limiter = Arc::new(RateLimiter::direct(Quota::per_second(rate)));
        Self { rate, limiter, ..self.clone() }
    }

    /// How many objects of the provider are worked on at once.
    #[must_use]
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// The rest of a pause that is too long to wait for: the object says so, and comes back when it is over.
    pub async fn turn(&self) -> Result<(), Duration> {
        while let Some(until) = self.pause() {
            let rest = until.saturating_duration_since(Instant::now());
            if rest > LONGEST_WAIT {
                return Err(rest);
            }
            tokio::time::sleep_until(until).await;
        }
        self.limiter.until_ready().await;
        Ok(())
    }

    /// Holds every call back for at least this long.
    pub fn hold(&self, pause: Duration) {
        let now = Instant::now();
        let until = now.checked_add(pause.min(LONGEST_PAUSE)).unwrap_or(now);
        if let Ok(mut paused) = self.paused_until.lock() {
            *paused = Some(paused.map_or(until, |earlier| earlier.max(until)));
        }
    }

    /// Whether every call is held back now.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.pause().is_some()
    }

    fn pause(&self) -> Option<Instant> {
        let paused = self.paused_until.lock().ok().and_then(|paused| *paused);
        paused.filter(|until| *until > Instant::now())
    }
}

fn rate(requests_per_second: i32) -> NonZeroU32 {
    u32::try_from(requests_per_second).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_every_call_and_a_shorter_one_does_not_end_it() {
        let budget = Budget::new(1000, 1);
        budget.hold(Duration::from_millis(60));
        budget.hold(Duration::from_millis(1));
        let start = Instant::now();
        assert_eq!(budget.turn().await, Ok(()));
        assert!(start.elapsed() >= Duration::from_millis(60));
    }

    #[tokio::test]
    async fn a_long_pause_is_told_and_not_waited_for() {
        let budget = Budget::new(1000, 1);
        budget.hold(Duration::from_mins(2));
        assert!(budget.turn().await.is_err_and(|rest| rest > Duration::from_mins(1)));
    }

    #[tokio::test]
    async fn a_budget_of_nothing_is_a_budget_of_one() {
        assert_eq!(Budget::new(0, 1).turn().await, Ok(()));
    }

    #[tokio::test]
    async fn a_pause_survives_another_rate() {
        let (old, new) = {
            let old = Budget::new(1000, 1);
            (old.clone(), old.at(10))
        };
        old.hold(Duration::from_mins(2));
        assert!(new.is_paused() && new.turn().await.is_err());
        assert!(!Budget::new(10, 1).is_paused());
    }
}
