//! Rules of thresholds.

use super::{balances::check_balance, payment::check_gate, schedules::check_duration};
use crate::{
    terms::metronome::{
        Name,
        thresholds::{PrepaidBalanceThreshold, SpendThreshold, SpendTracker, ThresholdTerms},
    },
    validate::Violations,
};

/// Checks both thresholds; `trackers` are those they may refer to, nothing when a package may have more.
pub(super) fn check_thresholds(
    spend: Option<&SpendThreshold>,
    prepaid: Option<&PrepaidBalanceThreshold>,
    trackers: Option<&[SpendTracker]>,
    found: &mut Violations,
) {
    let is_tracker =
        |alias: &Name| trackers.is_none_or(|trackers| trackers.iter().any(|tracker| tracker.alias == *alias));
    if let Some(spend) = spend {
        found.within("spendThresholdConfiguration", |found| check_terms(&spend.terms, is_tracker, found));
    }
    if let Some(prepaid) = prepaid {
        found.within("prepaidBalanceThresholdConfiguration", |found| {
            check_terms(&prepaid.terms, is_tracker, found);
            let (threshold, target) = (prepaid.terms.threshold_amount, prepaid.recharge_to_amount);
            found.check(target > threshold, "rechargeToAmount", || {
                format!("must be more than `thresholdAmount` ({threshold}), not {target}")
            });
            found.within("commit", |found| {
                check_balance(&prepaid.commit.balance, found);
                check_duration(prepaid.commit.duration.as_ref(), found);
            });
        });
    }
}

fn check_terms(terms: &ThresholdTerms, is_tracker: impl Fn(&Name) -> bool, found: &mut Violations) {
    found.within("paymentGateConfig", |found| check_gate(&terms.payment_gate_config, |stripe| stripe, found));
    if let Some(cap) = terms.discount_configuration.as_ref().and_then(|discount| discount.cap.as_ref()) {
        let alias = &cap.spend_tracker_alias;
        found.check(is_tracker(alias), "discountConfiguration.cap.spendTrackerAlias", || {
            format!("must be the `alias` of one of the `spendTrackers`, but none is called {alias:?}")
        });
    }
}
