//! Rules of subscriptions.

use super::schedules::{check_duration, check_span};
use crate::{
    terms::metronome::{
        package::PackageSubscription,
        subscriptions::{
            CollectionSchedule, InvoiceBehavior, QuantityManagementMode, Subscription, SubscriptionTerms,
        },
    },
    validate::Violations,
};

/// How the quantity of a subscription is told; the API's default when it does not say.
pub(super) fn mode(terms: &SubscriptionTerms) -> QuantityManagementMode {
    terms.quantity_management_mode.unwrap_or(QuantityManagementMode::QuantityOnly)
}

pub(super) fn check_subscription(subscription: &Subscription, found: &mut Violations) {
    check_span(subscription.starting_at, subscription.ending_before, found);
    check_terms(&subscription.terms, subscription.seat_config.is_some(), found);
}

pub(super) fn check_package_subscription(subscription: &PackageSubscription, found: &mut Violations) {
    check_duration(subscription.duration.as_ref(), found);
    check_terms(&subscription.terms, subscription.seat_config.is_some(), found);
}

fn check_terms(terms: &SubscriptionTerms, has_seats: bool, found: &mut Violations) {
    let mode = mode(terms);
    let fields = [
        ("initialQuantity", terms.initial_quantity.is_some(), QuantityManagementMode::QuantityOnly),
        ("seatConfig", has_seats, QuantityManagementMode::SeatBased),
    ];
    for (field, is_given, of_mode) in fields {
        found.check(is_given == (mode == of_mode), field, || {
            let verb = if is_given { "must be left out" } else { "is required" };
            format!("{verb} when `quantityManagementMode` is `{mode}`")
        });
    }
    let at_once = terms.proration.invoice_behavior == Some(InvoiceBehavior::BillImmediately);
    let in_advance = terms.collection_schedule == CollectionSchedule::Advance;
    found.check(!at_once || in_advance, "proration.invoiceBehavior", || {
        "may be `BILL_IMMEDIATELY` only when `collectionSchedule` is `ADVANCE`".to_owned()
    });
}
