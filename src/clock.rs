//! What time of day it is, for all that acts. What decides is told it.

use std::cell::Cell;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

thread_local! {
    static FOLLOWED: Cell<Option<(DateTime<Utc>, Instant)>> = const { Cell::new(None) };
}

/// The time of day: the machine's, unless this thread follows tokio's clock.
#[must_use]
pub fn now() -> DateTime<Utc> {
    match FOLLOWED.get() {
        None => Utc::now(),
        Some((began, since)) => {
            let passed = TimeDelta::from_std(since.elapsed()).unwrap_or(TimeDelta::MAX);
            began.checked_add_signed(passed).unwrap_or(DateTime::<Utc>::MAX_UTC)
        }
    }
}

/// From now on, on this thread, it is `began` and goes on with tokio's clock, which a simulation makes jump. For simulations
/// only: what runs on several threads would have several times of day.
pub fn follow_tokio(began: DateTime<Utc>) {
    FOLLOWED.set(Some((began, Instant::now())));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_time_of_day_goes_with_tokios_clock_where_it_is_followed() {
        tokio::time::pause();
        let began = DateTime::UNIX_EPOCH;
        follow_tokio(began);
        tokio::time::sleep(Duration::from_hours(5)).await;
        assert_eq!((now() - began).num_hours(), 5);
        FOLLOWED.set(None);
        assert!((now() - Utc::now()).num_minutes().abs() < 1);
    }
}
