//! What a contract owes on one side of a plan: fixed money, each time that it is due, and the year of the contract that a
//! time is in.
//!
//! Knows nothing of the other side, and so of changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::Unit;
use crate::terms::{
    Decimal, Timestamp,
    calendar::{RelativeTime, TimeUnit},
};

/// Why fixed money is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FixedKind {
    /// The customer commits to spend it.
    Commitment,
    /// A fee that does not draw a commitment down.
    Fee,
    /// A discount by amount, as the billing API has it.
    Discount,
}

/// Fixed money that is due at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Why.
    pub kind: FixedKind,
    /// What it is counted in.
    pub unit: Unit,
    /// When, if anything says so.
    pub time: Option<Timestamp>,
    /// How much; `None` beyond 28 digits.
    pub amount: Option<Decimal>,
}

/// What is owed on one side of a plan, and when the contract starts there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owed {
    /// Start of the contract.
    pub start: Option<Timestamp>,
    /// Everything that is due.
    pub dues: Vec<Due>,
}

/// The sum, `None` when it or a part of it is beyond 28 digits.
pub(super) fn add(sum: Option<Decimal>, more: Option<Decimal>) -> Option<Decimal> {
    sum?.checked_add(more?.normalized())
}

/// The year of a contract that a time is in: 1 from its start, 0 before it.
pub(super) fn year_of(start: Timestamp, time: Timestamp) -> u32 {
    let begun = |years: &u32| start_of_year(start, *years).is_some_and(|begin| begin <= time);
    let count = (0..10_000).take_while(begun).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The start of a year of a contract that starts at `start`; the first is 0. `None` after the year 9999.
#[must_use]
pub fn start_of_year(start: Timestamp, index: u32) -> Option<Timestamp> {
    let value = i32::try_from(index).ok()?;
    RelativeTime { unit: TimeUnit::Years, value }.span()?.after(start)
}
