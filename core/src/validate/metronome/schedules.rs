//! Rules of schedules.

use crate::{
    terms::{
        Decimal, Timestamp,
        calendar::RelativeTime,
        metronome::{
            Id,
            package::PackageChargeSchedule,
            schedules::{AccessSchedule, AccessType, RecurringSchedule, RelativeSegment, Schedule, Segment},
        },
    },
    validate::Violations,
};

/// Something that ends must end after its start.
pub(super) fn check_span(start: Option<Timestamp>, end: Option<Timestamp>, found: &mut Violations) {
    if let (Some(start), Some(end)) = (start, end) {
        found.check(start < end, "endingBefore", || {
            format!("must be after `startingAt` ({start}), not {end}")
        });
    }
}

/// Something that lasts must last.
pub(super) fn check_duration(duration: Option<&RelativeTime>, found: &mut Violations) {
    found.check(duration.is_none_or(|duration| duration.value > 0), "duration.value", || {
        "must be at least 1: nothing happens in no time".to_owned()
    });
}

pub(super) fn check_segments(schedule: &AccessSchedule<Segment>, found: &mut Violations) {
    for (index, segment) in schedule.schedule_items.iter().enumerate() {
        found.within(&format!("scheduleItems[{index}]"), |found| {
            check_span(Some(segment.starting_at), Some(segment.ending_before), found);
        });
    }
}

pub(super) fn check_relative_segments(schedule: &AccessSchedule<RelativeSegment>, found: &mut Violations) {
    for (index, segment) in schedule.schedule_items.iter().enumerate() {
        found.within(&format!("scheduleItems[{index}]"), |found| {
            check_duration(Some(&segment.duration), found);
        });
    }
}

/// A schedule has either items or a recurrence; one that makes no invoice may have neither.
pub(super) fn check_schedule(schedule: &Schedule, found: &mut Violations) {
    match (&schedule.recurring_schedule, schedule.schedule_items.is_empty()) {
        (Some(recurring), true) => {
            found.within("recurringSchedule", |found| check_recurring(recurring, found));
        }
        (Some(_), false) => found.check(false, "recurringSchedule", || {
            "must be left out where `scheduleItems` are listed: a schedule is one or the other".to_owned()
        }),
        (None, true) => found.check(schedule.do_not_invoice == Some(true), "scheduleItems", || {
            "is required, unless there is a `recurringSchedule`".to_owned()
        }),
        (None, false) => {}
    }
    for (index, item) in schedule.schedule_items.iter().enumerate() {
        found.within(&format!("scheduleItems[{index}]"), |found| {
            check_amount(item.amount, item.unit_price, item.quantity, found);
        });
    }
}

fn check_recurring(recurring: &RecurringSchedule, found: &mut Violations) {
    check_span(Some(recurring.starting_at), Some(recurring.ending_before), found);
    check_amount(recurring.amount, recurring.unit_price, recurring.quantity, found);
}

/// An amount is given as such, or as price times quantity.
fn check_amount(
    amount: Option<Decimal>,
    unit_price: Option<Decimal>,
    quantity: Option<Decimal>,
    found: &mut Violations,
) {
    let (field, cure) = match (amount, unit_price, quantity) {
        (Some(_), None, None) | (None, Some(_), Some(_)) => return,
        (Some(_), ..) => {
            ("amount", "must be left out where `unitPrice` or `quantity` is given: write one or the other")
        }
        (None, Some(_), None) => ("quantity", "is required with `unitPrice`"),
        (None, None, Some(_)) => ("unitPrice", "is required with `quantity`"),
        (None, None, None) => ("amount", "is required, unless there are `unitPrice` and `quantity`"),
    };
    found.check(false, field, || cure.to_owned());
}

/// Only the invoice schedule of a commit can be kept from making invoices.
pub(super) fn check_charge_schedule(schedule: &Schedule, found: &mut Violations) {
    found.within("schedule", |found| {
        found.check(schedule.do_not_invoice.is_none(), "doNotInvoice", || {
            "must be left out: only the `invoiceSchedule` of a commit takes it".to_owned()
        });
        check_schedule(schedule, found);
    });
}

/// What a schedule holds altogether.
pub(super) struct Total<'a> {
    items: usize,
    /// Pricing unit and sum; nothing where they cannot be told.
    sum: Option<(Option<&'a Id>, Decimal)>,
}

impl<'a> Total<'a> {
    fn new(unit: Option<&'a Id>, amounts: impl ExactSizeIterator<Item = Option<Decimal>>) -> Self {
        let items = amounts.len();
        let mut amounts = amounts;
        let sum = amounts.try_fold(Decimal::ZERO, |sum, amount| sum.checked_add(amount?));
        Self { items, sum: sum.map(|sum| (unit, sum)) }
    }

    /// Of what may be used. A schedule of units instead of money sums up to nothing that an invoice could match.
    pub(super) fn of_access<T>(schedule: &'a AccessSchedule<T>, amount: impl Fn(&T) -> Decimal) -> Self {
        let is_money = schedule.access_type != Some(AccessType::Quantity);
        let amounts = schedule.schedule_items.iter().map(|item| is_money.then(|| amount(item)));
        Self::new(schedule.credit_type_id.as_ref(), amounts)
    }

    /// Of what is invoiced.
    pub(super) fn of_schedule(schedule: &'a Schedule) -> Self {
        let amounts = schedule.schedule_items.iter().map(|item| {
            let product = || item.unit_price?.checked_mul(item.quantity?);
            item.amount.or_else(product)
        });
        Self::new(schedule.credit_type_id.as_ref(), amounts)
    }

    /// Of what is invoiced by a package.
    pub(super) fn of_package_schedule(schedule: &'a PackageChargeSchedule) -> Self {
        let amounts = schedule.schedule_items.iter().map(|item| item.unit_price.checked_mul(item.quantity));
        Self::new(schedule.credit_type_id.as_ref(), amounts)
    }
}

/// A postpaid commit is one amount, invoiced once.
pub(super) fn check_postpaid(
    access: Option<&Total<'_>>,
    invoice: Option<&Total<'_>>,
    found: &mut Violations,
) {
    found.check(invoice.is_some(), "invoiceSchedule", || {
        "is required when `type` is `POSTPAID`: its one item says when the true-up is invoiced".to_owned()
    });
    for (schedule, field) in
        [(access, "accessSchedule.scheduleItems"), (invoice, "invoiceSchedule.scheduleItems")]
    {
        if let Some(Total { items, .. }) = schedule {
            found.check(*items == 1, field, || {
                format!("must have exactly one item when `type` is `POSTPAID`, not {items}")
            });
        }
    }
    let sums = (access.and_then(|total| total.sum), invoice.and_then(|total| total.sum));
    if let (Some((unit, access)), Some((other, invoice))) = sums {
        found.check(unit != other || access == invoice, "invoiceSchedule.scheduleItems", || {
            format!("must sum up to the amount of the `accessSchedule` ({access}), not {invoice}")
        });
    }
}
