//! What time the simulated world has: the machine's, or one set by a test. Knows no API.

use chrono::{DateTime, SubsecRound, Utc};

use crate::store::{Collection, StoreError, Tx};

/// Decimal places of a second that timestamps keep, as databases do.
pub(crate) const MICROSECONDS: u16 = 6;

const CLOCK: Collection<DateTime<Utc>> = Collection::new("clock");
const ONLY: &str = "now";

/// The time now, to the microsecond.
///
/// # Errors
/// When the store can't be read.
pub(crate) fn now(tx: &Tx) -> Result<DateTime<Utc>, StoreError> {
    Ok(fixed(tx)?.unwrap_or_else(Utc::now).trunc_subsecs(MICROSECONDS))
}

/// The time a test has set, if one has.
///
/// # Errors
/// When the store can't be read.
pub(crate) fn fixed(tx: &Tx) -> Result<Option<DateTime<Utc>>, StoreError> {
    tx.get(&CLOCK, ONLY)
}

/// Stops the clock at `now`, or lets it follow the machine's again.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn set(tx: &Tx, now: Option<DateTime<Utc>>) -> Result<(), StoreError> {
    match now {
        Some(now) => tx.put(&CLOCK, ONLY, &now),
        None => tx.remove(&CLOCK, ONLY).map(drop),
    }
}
