//! House rules of Metronome contracts and packages, as far as the API's documentation and users tell of them, so that a
//! mistake is found before anything is sent.

mod balances;
mod billing;
mod contract;
mod overrides;
mod package;
mod payment;
mod references;
mod schedules;
mod subscriptions;
mod thresholds;
mod values;

#[cfg(test)]
mod tests;

pub use contract::{contract, contract_from_package};
pub use package::package;

use super::Violations;
use crate::terms::text::ItemKey;

/// Where the terms are in the resource.
const ROOT: &str = "spec.metronome";

/// Checks each item of a list whose items go by their keys.
fn keyed<T>(
    list: &str,
    items: &[T],
    key: impl Fn(&T) -> &ItemKey,
    check: impl Fn(&T, &mut Violations),
    found: &mut Violations,
) {
    for item in items {
        found.within(&format!("{list}[{}]", key(item)), |found| check(item, found));
    }
}

/// Checks each item of a list whose items go by their position.
fn indexed<T>(list: &str, items: &[T], check: impl Fn(&T, &mut Violations), found: &mut Violations) {
    for (index, item) in items.iter().enumerate() {
        found.within(&format!("{list}[{index}]"), |found| check(item, found));
    }
}

/// The rate card is named in one way.
fn check_rate_card(by_id: bool, by_alias: bool, found: &mut Violations) {
    found.check(!by_id || !by_alias, "rateCardAlias", || {
        "must be left out where `rateCardId` is given: write one or the other".to_owned()
    });
}
