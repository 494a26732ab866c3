//! Rules of commits and credits, once and recurring.

use super::{
    payment::check_gate,
    references::{Kind, References},
    schedules::{
        Total, check_duration, check_postpaid, check_relative_segments, check_schedule, check_segments,
        check_span,
    },
};
use crate::{
    terms::{
        Decimal,
        metronome::{
            commits::{Balance, BalanceHierarchy, ChildAccessType, Commit, CommitType, Credit},
            customer::{CustomerCommit, CustomerCredit},
            package::{PackageCommit, PackageCredit, PackageRecurringCommit, PackageRecurringCredit},
            recurring::{Allocation, RecurrenceFrequency, RecurringCommit, RecurringCredit, RecurringGrant},
            subscriptions::QuantityManagementMode,
        },
    },
    validate::Violations,
};

pub(super) fn check_commit(commit: &Commit, found: &mut Violations) {
    check_balance(&commit.balance, found);
    check_hierarchy(commit.hierarchy_configuration.as_ref(), found);
    found.check(commit.access_schedule.is_some() || commit.amount.is_some(), "accessSchedule", || {
        "is required: it says when how much may be used".to_owned()
    });
    if let Some(schedule) = &commit.access_schedule {
        found.within("accessSchedule", |found| check_segments(schedule, found));
    }
    if let Some(schedule) = &commit.invoice_schedule {
        found.within("invoiceSchedule", |found| check_schedule(schedule, found));
    }
    if let Some(gate) = &commit.payment_gate_config {
        found.within("paymentGateConfig", |found| check_gate(gate, |stripe| &stripe.stripe, found));
    }
    if commit.r#type == CommitType::Postpaid {
        let access = commit.access_schedule.as_ref();
        let access = access.map(|schedule| Total::of_access(schedule, |segment| segment.amount));
        check_postpaid(
            access.as_ref(),
            commit.invoice_schedule.as_ref().map(Total::of_schedule).as_ref(),
            found,
        );
    }
}

pub(super) fn check_credit(credit: &Credit, found: &mut Violations) {
    check_balance(&credit.balance, found);
    check_hierarchy(credit.hierarchy_configuration.as_ref(), found);
    found.within("accessSchedule", |found| check_segments(&credit.access_schedule, found));
}

pub(super) fn check_customer_commit(commit: &CustomerCommit, found: &mut Violations) {
    check_balance(&commit.terms.balance, found);
    found.within("accessSchedule", |found| check_segments(&commit.access_schedule, found));
    if let Some(schedule) = &commit.invoice_schedule {
        found.within("invoiceSchedule", |found| check_schedule(schedule, found));
    }
    if commit.r#type == CommitType::Postpaid {
        let access = Total::of_access(&commit.access_schedule, |segment| segment.amount);
        let invoice = commit.invoice_schedule.as_ref().map(Total::of_schedule);
        check_postpaid(Some(&access), invoice.as_ref(), found);
    }
}

pub(super) fn check_customer_credit(credit: &CustomerCredit, found: &mut Violations) {
    check_balance(&credit.terms.balance, found);
    found.within("accessSchedule", |found| check_segments(&credit.access_schedule, found));
}

pub(super) fn check_package_commit(commit: &PackageCommit, found: &mut Violations) {
    check_balance(&commit.balance, found);
    found.within("accessSchedule", |found| check_relative_segments(&commit.access_schedule, found));
    if commit.r#type == CommitType::Postpaid {
        let access = Total::of_access(&commit.access_schedule, |segment| segment.amount);
        let invoice = commit.invoice_schedule.as_ref();
        let invoice = invoice.map(|invoice| Total::of_package_schedule(&invoice.schedule));
        check_postpaid(Some(&access), invoice.as_ref(), found);
    }
}

pub(super) fn check_package_credit(credit: &PackageCredit, found: &mut Violations) {
    check_balance(&credit.balance, found);
    found.within("accessSchedule", |found| check_relative_segments(&credit.access_schedule, found));
}

pub(super) fn check_recurring_commit(
    commit: &RecurringCommit,
    references: &References<'_>,
    found: &mut Violations,
) {
    check_grant(&commit.grant, references, found);
    check_hierarchy(commit.hierarchy_configuration.as_ref(), found);
    check_span(Some(commit.starting_at), commit.ending_before, found);
}

pub(super) fn check_recurring_credit(
    credit: &RecurringCredit,
    references: &References<'_>,
    found: &mut Violations,
) {
    check_grant(&credit.grant, references, found);
    check_hierarchy(credit.hierarchy_configuration.as_ref(), found);
    check_span(Some(credit.starting_at), credit.ending_before, found);
}

pub(super) fn check_package_recurring_commit(
    commit: &PackageRecurringCommit,
    references: &References<'_>,
    found: &mut Violations,
) {
    check_grant(&commit.grant, references, found);
    check_duration(commit.duration.as_ref(), found);
}

pub(super) fn check_package_recurring_credit(
    credit: &PackageRecurringCredit,
    references: &References<'_>,
    found: &mut Violations,
) {
    check_grant(&credit.grant, references, found);
    check_duration(credit.duration.as_ref(), found);
}

/// A contract may have one daily template of each kind.
pub(super) fn check_daily<'a>(
    list: &str,
    grants: impl Iterator<Item = &'a RecurringGrant>,
    found: &mut Violations,
) {
    let daily = grants.filter(|grant| grant.recurrence_frequency == Some(RecurrenceFrequency::Daily)).count();
    found.check(daily <= 1, list, || {
        format!("may have one item with `recurrenceFrequency` `DAILY`, not {daily}: the API takes no more")
    });
}

/// The usage that draws a balance down is named in one way.
pub(super) fn check_balance(balance: &Balance, found: &mut Violations) {
    let by_product =
        !balance.applicable_product_ids.is_empty() || !balance.applicable_product_tags.is_empty();
    found.check(!by_product || balance.specifiers.is_empty(), "specifiers", || {
        "must be left out where `applicableProductIds` or `applicableProductTags` are given: write one or the other"
            .to_owned()
    });
}

fn check_hierarchy(hierarchy: Option<&BalanceHierarchy>, found: &mut Violations) {
    let Some(access) = hierarchy.map(|hierarchy| &hierarchy.child_access) else { return };
    let by_id = access.r#type == ChildAccessType::ContractIds;
    found.check(
        by_id != access.contract_ids.is_empty(),
        "hierarchyConfiguration.childAccess.contractIds",
        || {
            let kind = access.r#type;
            if by_id {
                format!("is required when `type` is `{kind}`")
            } else {
                format!("must be left out when `type` is `{kind}`; only `CONTRACT_IDS` takes it")
            }
        },
    );
}

fn check_grant(grant: &RecurringGrant, references: &References<'_>, found: &mut Violations) {
    check_balance(&grant.balance, found);
    let subscription = grant.subscription_config.as_ref();
    found.check(
        grant.access_amount.quantity.is_some() || subscription.is_some(),
        "accessAmount.quantity",
        || "is required, unless a `subscriptionConfig` gives the quantity".to_owned(),
    );
    found.check(grant.commit_duration.value > Decimal::ZERO, "commitDuration.value", || {
        "must be at least 1: a balance of no time cannot be used".to_owned()
    });
    let Some(subscription) = subscription else { return };
    let id = &subscription.subscription_id;
    let is_subscription = |kind| matches!(kind, Kind::Subscription(_));
    references.check(id, is_subscription, "a subscription", "subscriptionConfig.subscriptionId", found);
    match references.find(id) {
        Some(Kind::Subscription(QuantityManagementMode::SeatBased)) => {
            let is_daily = grant.recurrence_frequency == Some(RecurrenceFrequency::Daily);
            found.check(!is_daily, "recurrenceFrequency", || {
                format!("must not be `DAILY`: the subscription {id:?} has seats")
            });
        }
        Some(Kind::Subscription(QuantityManagementMode::QuantityOnly)) => {
            let is_individual = subscription.allocation == Some(Allocation::Individual);
            found.check(!is_individual, "subscriptionConfig.allocation", || {
                format!("must be `POOLED`: the subscription {id:?} is not `SEAT_BASED`, so no seat can have its own")
            });
        }
        _ => {}
    }
}
