//! Questions about a Metronome contract.

use super::{check_ends, check_length};
use crate::{
    plan::{USD_CENTS, money_numbers},
    terms::{
        Decimal,
        metronome::{
            Contract, Id,
            commits::{Commit, CommitType},
            schedules::{AccessSchedule, Schedule, Segment},
        },
    },
    validate::{Violation, Violations, path},
};

/// What deserves a question: a term beyond all reason, nothing to bill, money that is 0.
pub(super) fn contract(contract: &Contract, has_package: bool) -> Vec<Violation> {
    let mut found = Violations::below("spec.metronome");
    if let Some(end) = contract.ending_before {
        check_length(contract.starting_at, end, "endingBefore", &mut found);
    }
    check_ends(contract.starting_at, contract.ending_before, ["startingAt", "endingBefore"], &mut found);
    let has_package = has_package || contract.package_id.is_some() || contract.package_alias.is_some();
    let has_prices = contract.rate_card_id.is_some() || contract.rate_card_alias.is_some();
    let has_charges = !contract.commits.is_empty()
        || !contract.recurring_commits.is_empty()
        || !contract.scheduled_charges.is_empty()
        || !contract.subscriptions.is_empty()
        || !contract.professional_services.is_empty();
    found.check(has_package || has_prices || has_charges, "rateCardId", || {
        "is left out, as are commits, charges and subscriptions: nothing is billed".to_owned()
    });
    check_schedules(contract, &mut found);
    let terms = serde_json::to_value(contract).unwrap_or_default();
    for (pointer, amount) in money_numbers(&terms) {
        if amount == Decimal::ZERO {
            let path = path::of_pointer("spec.metronome", &terms, &pointer);
            found.list.push(Violation::new(path, "is 0; is that meant?"));
        }
    }
    found.list
}

/// What is sold in advance, when, and what is paid for it.
fn check_schedules(contract: &Contract, found: &mut Violations) {
    for commit in &contract.commits {
        found.within(&format!("commits[{}]", commit.key), |found| {
            let is_paid = commit.r#type != CommitType::Prepaid || commit.invoice_schedule.is_some();
            found.check(is_paid || commit.amount.is_some(), "invoiceSchedule", || {
                "is left out, and the commit is PREPAID: the customer pays nothing for it; is that meant?"
                    .to_owned()
            });
            if let Some(access) = &commit.access_schedule {
                found.within("accessSchedule", |found| check_access(contract, access, found));
            }
            if let Some(invoices) = &commit.invoice_schedule {
                found.within("invoiceSchedule", |found| check_invoices(contract, invoices, found));
                check_paid(commit, invoices, found);
            }
        });
    }
    for credit in &contract.credits {
        let place = format!("credits[{}].accessSchedule", credit.key);
        found.within(&place, |found| check_access(contract, &credit.access_schedule, found));
    }
    for charge in &contract.scheduled_charges {
        let place = format!("scheduledCharges[{}].schedule", charge.key);
        found.within(&place, |found| check_invoices(contract, &charge.charge.schedule, found));
    }
}

/// Asks about what may be used only while the contract does not apply.
fn check_access(contract: &Contract, access: &AccessSchedule<Segment>, found: &mut Violations) {
    let is_usd = is_in_cents(access.credit_type_id.as_ref());
    for (index, item) in access.schedule_items.iter().enumerate() {
        let is_before = item.ending_before <= contract.starting_at;
        let is_after = contract.ending_before.is_some_and(|end| end <= item.starting_at);
        found.check(!is_before && !is_after, &format!("scheduleItems[{index}].startingAt"), || {
            format!(
                "is {}: what is sold can be used only outside of the contract's term; is that meant?",
                item.starting_at
            )
        });
        check_cents(is_usd, item.amount, &format!("scheduleItems[{index}].amount"), found);
    }
}

/// Asks about invoices that fall outside of the contract's term.
fn check_invoices(contract: &Contract, schedule: &Schedule, found: &mut Violations) {
    let is_usd = is_in_cents(schedule.credit_type_id.as_ref());
    for (index, item) in schedule.schedule_items.iter().enumerate() {
        // What is invoiced at the end is invoiced when the term is over.
        let is_within = contract.starting_at <= item.timestamp
            && contract.ending_before.is_none_or(|end| item.timestamp <= end);
        found.check(is_within, &format!("scheduleItems[{index}].timestamp"), || {
            format!("is {}, outside of the contract's term: is that meant?", item.timestamp)
        });
        if let Some(amount) = item.amount {
            check_cents(is_usd, amount, &format!("scheduleItems[{index}].amount"), found);
        }
    }
}

/// Asks about a commit that costs more than it is worth.
fn check_paid(commit: &Commit, invoices: &Schedule, found: &mut Violations) {
    let Some(access) = &commit.access_schedule else { return };
    let is_one_unit =
        is_in_cents(access.credit_type_id.as_ref()) && is_in_cents(invoices.credit_type_id.as_ref());
    let add = |sum: Option<Decimal>, amount: Option<Decimal>| sum?.checked_add(amount?);
    let zero = Some(Decimal::ZERO);
    let worth = access.schedule_items.iter().map(|item| Some(item.amount)).fold(zero, add);
    let paid =
        invoices.schedule_items.iter().map(|item| match (item.amount, item.quantity, item.unit_price) {
            (Some(amount), ..) => Some(amount),
            (None, Some(quantity), Some(price)) => quantity.checked_mul(price),
            _ => None,
        });
    let paid = paid.fold(zero, add);
    if let (true, Some(worth), Some(paid)) = (is_one_unit, worth, paid) {
        found.check(paid <= worth, "invoiceSchedule", || {
            format!("comes to {paid} cents for {worth} that may be used: the customer pays more than it gets; is that meant?")
        });
    }
}

/// Whether amounts of this unit are cents of US dollars, which is the unit where none is named.
fn is_in_cents(unit: Option<&Id>) -> bool {
    unit.is_none_or(|unit| unit.as_str() == USD_CENTS)
}

/// Asks about cents that are written as dollars are: with decimals.
fn check_cents(is_usd: bool, amount: Decimal, field: &str, found: &mut Violations) {
    found.check(!is_usd || amount.decimals() == 0, field, || {
        format!("is {amount}, and amounts of US dollars are in cents, of which these are parts: were dollars meant?")
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(terms: Value) -> Vec<String> {
        contract(&serde_json::from_value(terms).unwrap(), false).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_to_bill_money_of_zero_and_endless_terms_deserve_a_question() {
        let sound = json!({"customerId": "c", "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2029-01-01T00:00:00Z", "rateCardId": "r"});
        assert_eq!(asked(sound.clone()), [""; 0]);
        let mut long = sound.clone();
        long["endingBefore"] = json!("2062-01-01T00:00:00Z");
        assert!(asked(long)[0].contains("`spec.metronome.endingBefore` is 2062-01-01T00:00:00Z, 35 years"));
        let mut nothing = sound.clone();
        nothing.as_object_mut().unwrap().remove("rateCardId");
        assert!(asked(nothing)[0].contains("nothing is billed"));
        let mut free = sound;
        free["overrides"] = json!([{"productId": "p", "startingAt": "2026-01-01T00:00:00Z", "type": "OVERWRITE",
            "overwriteRate": {"rateType": "FLAT", "price": "0"}}]);
        assert_eq!(asked(free), ["`spec.metronome.overrides[0].overwriteRate.price` is 0; is that meant?"]);
    }

    #[test]
    fn a_commit_that_is_not_paid_for_or_at_another_time_or_in_dollars_deserves_a_question() {
        let schedule =
            |amount: &str, time: &str| json!({"scheduleItems": [{"timestamp": time, "amount": amount}]});
        let with = |access: &str, start: &str, end: &str, invoices: Value| {
            let mut commit = json!({"key": "annual", "type": "PREPAID", "productId": "p", "accessSchedule":
                {"scheduleItems": [{"amount": access, "startingAt": start, "endingBefore": end}]}});
            if !invoices.is_null() {
                commit["invoiceSchedule"] = invoices;
            }
            asked(
                json!({"customerId": "c", "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2027-01-01T00:00:00Z",
                "rateCardId": "r", "commits": [commit]}),
            )
        };
        let (start, end) = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        assert_eq!(with("2400", start, end, schedule("2400", end)), [""; 0]);
        assert_eq!(with("2400", start, end, schedule("2000", start)), [""; 0], "a discount");
        let one = |found: Vec<String>, part: &str| {
            assert!(found.len() == 1 && found[0].contains(part), "{part}: {found:#?}");
        };
        one(
            with("2400", start, end, Value::Null),
            "`spec.metronome.commits[annual].invoiceSchedule` is left out",
        );
        one(
            with("2400", start, end, schedule("24000", start)),
            "comes to 24000 cents for 2400 that may be used",
        );
        one(
            with("2400", start, end, schedule("2400", "2206-01-01T00:00:00Z")),
            "scheduleItems[0].timestamp` is 2206",
        );
        one(
            with("2400", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z", schedule("2400", start)),
            "outside of the contract's term",
        );
        one(
            with("24.00", start, end, schedule("24", start)),
            "accessSchedule.scheduleItems[0].amount` is 24.00, and amounts of US dollars are in cents",
        );
    }
}
