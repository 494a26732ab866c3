//! Questions about a Zoo contract.

use super::{check_ends, check_length, currency};
use crate::{
    plan::start_of_year,
    terms::{
        Decimal,
        zoo::{Contract, ContractStatus, Item, ItemKind},
    },
    validate::{Violation, Violations},
};

/// What deserves a question, in the order of the fields.
pub(super) fn contract(contract: &Contract) -> Vec<Violation> {
    let mut found = Violations::below("spec.zoo");
    if matches!(contract.status, ContractStatus::Closed | ContractStatus::Canceled) {
        return found.list;
    }
    currency::check(&contract.currency, &mut found);
    check_length(contract.effective_at, contract.term_end_at, "termEndAt", &mut found);
    let term = (contract.effective_at, Some(contract.term_end_at));
    check_ends(term.0, term.1, ["effectiveAt", "termEndAt"], &mut found);
    found.check(!contract.items.is_empty(), "items", || {
        format!(
            "is empty, and the contract is {}: nothing is sold, and use of nothing is billed",
            contract.status
        )
    });
    for item in &contract.items {
        found.within(&format!("items[{}]", item.code), |found| check_item(item, found));
    }
    check_periods(contract, &mut found);
    found.list
}

fn check_item(item: &Item, found: &mut Violations) {
    if !item.active {
        return;
    }
    if item.kind == ItemKind::FixedFee {
        found.check(item.fixed_fee_amount != Some(Decimal::ZERO), "fixedFeeAmount", || {
            "is 0: the item is free; is that meant?".to_owned()
        });
        return;
    }
    // An allowance that is free, with a price above it, is common; free from some quantity on is not.
    let free =
        |index: &usize| item.rate_tiers.get(*index).is_some_and(|tier| tier.unit_price == Decimal::ZERO);
    for (index, pair) in item.rate_tiers.windows(2).enumerate() {
        let [before, tier] = pair else { continue };
        let (was, is) = (before.unit_price, tier.unit_price);
        let path = format!("rateTiers[{}].unitPrice", index + 1);
        found.check(was == Decimal::ZERO || is <= was, &path, || {
            format!("is {is}, more than {was} in the tier before: who uses more pays more for each; is that meant?")
        });
    }
    let last = item.rate_tiers.len().saturating_sub(1);
    found.check(!free(&last), &format!("rateTiers[{last}].unitPrice"), || match last {
        0 => "is 0: the item is free; is that meant?".to_owned(),
        _ => "is 0: all use above the tiers before is free; is that meant?".to_owned(),
    });
}

fn check_periods(contract: &Contract, found: &mut Violations) {
    let (start, end) = (contract.effective_at, contract.term_end_at);
    let Some(last) = contract.periods.last() else {
        return found.check(false, "periods", || {
            "is empty: the customer commits to nothing; is that meant?".to_owned()
        });
    };
    let is_long = start_of_year(start, 2).is_some_and(|third| third <= end);
    if last.period_end_at < end {
        let (until, count) = (last.period_end_at, contract.periods.len());
        found.check(false, "periods", || {
            let only = if count == 1 { "the only period ends" } else { "the last period ends" };
            format!("{only} at {until}, and the term at {end}: in between the customer commits to nothing")
        });
    } else if is_long && contract.periods.len() == 1 {
        found.check(false, "periods", || {
            format!("has one period for a term from {start} to {end}: is there none for each year?")
        });
    }
    let is_free = contract.periods.iter().all(|period| period.commitment_amount == Decimal::ZERO);
    found.check(!is_free, "periods", || "commits to 0 in each: is that meant?".to_owned());
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(pointer: &str, value: Value) -> Vec<String> {
        let mut terms = json!({
            "organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "name": "Acme", "status": "active", "provider": "stripe",
            "billingCadence": "annual", "commitmentScope": "pooled", "rolloverPolicy": "none", "currency": "USD",
            "effectiveAt": "2026-01-01T00:00:00Z", "termEndAt": "2028-01-01T00:00:00Z",
            "items": [
                {"code": "licensed_api_credits", "displayName": "API", "kind": "usage_tiered", "unit": "minute",
                 "rateTiers": [{"tierStartInclusive": 0, "tierEndExclusive": 100, "unitPrice": "0"}, {"tierStartInclusive": 100, "unitPrice": "0.42"}]},
                {"code": "fde", "displayName": "Engineer", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": "185000"}],
            "periods": [
                {"periodIndex": 0, "periodStartAt": "2026-01-01T00:00:00Z", "periodEndAt": "2027-01-01T00:00:00Z", "commitmentAmount": "10"},
                {"periodIndex": 1, "periodStartAt": "2027-01-01T00:00:00Z", "periodEndAt": "2028-01-01T00:00:00Z", "commitmentAmount": "20"}],
        });
        *terms.pointer_mut(pointer).unwrap() = value;
        contract(&serde_json::from_value(terms).unwrap()).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn question(pointer: &str, value: Value, part: &str) {
        let found = asked(pointer, value);
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{part:?} is not the one question of {found:#?}"
        );
    }

    #[test]
    fn a_contract_as_people_write_it_deserves_no_question() {
        assert_eq!(asked("/name", json!("Acme 2026")), [""; 0]);
    }

    #[test]
    fn a_term_that_is_not_covered_by_commitments_deserves_a_question() {
        let first = json!({"periodIndex": 0, "periodStartAt": "2026-01-01T00:00:00Z", "periodEndAt": "2027-01-01T00:00:00Z", "commitmentAmount": "10"});
        question("/periods", json!([]), "`spec.zoo.periods` is empty");
        question("/periods", json!([first]), "the only period ends at 2027-01-01");
        let mut whole = first;
        whole["periodEndAt"] = json!("2028-01-01T00:00:00Z");
        question("/periods", json!([whole]), "one period for a term");
        question("/termEndAt", json!("2028-06-01T00:00:00Z"), "the last period ends at 2028-01-01");
    }

    #[test]
    fn an_active_contract_that_sells_nothing_or_for_nothing_deserves_a_question() {
        question("/items", json!([]), "`spec.zoo.items` is empty");
        question("/items/1/fixedFeeAmount", json!("0.00"), "`spec.zoo.items[fde].fixedFeeAmount` is 0");
        question("/items/0/rateTiers/1/unitPrice", json!("0"), "rateTiers[1].unitPrice` is 0: all use above");
        assert_eq!(asked("/status", json!("closed")), [""; 0]);
    }

    #[test]
    fn a_price_that_rises_with_use_deserves_a_question_and_a_free_allowance_does_not() {
        let tiers = |first: &str, second: &str| {
            json!([{"tierStartInclusive": 0, "tierEndExclusive": 100, "unitPrice": first},
                   {"tierStartInclusive": 100, "unitPrice": second}])
        };
        question(
            "/items/0/rateTiers",
            tiers("0.42", "4.2"),
            "rateTiers[1].unitPrice` is 4.2, more than 0.42",
        );
        for (first, second) in [("0", "0.42"), ("0.42", "0.42"), ("0.42", "0.4")] {
            assert_eq!(asked("/items/0/rateTiers", tiers(first, second)), [""; 0], "{first}, {second}");
        }
    }

    #[test]
    fn an_end_that_was_meant_to_be_part_of_the_term_and_an_early_start_deserve_a_question() {
        for end in
            ["2027-12-31T00:00:00Z", "2027-12-31T23:59:59Z", "2027-12-31T23:59:00Z", "2027-12-31T23:00:00Z"]
        {
            let found = asked("/termEndAt", json!(end));
            let question = found.iter().find(|asked| asked.contains("should it be 2028-01-01T00:00:00Z?"));
            assert!(question.is_some_and(|asked| asked.contains(end)), "{end}: {found:#?}");
        }
        for end in ["2027-12-30T00:00:00Z", "2028-01-01T00:00:00Z", "2028-01-01T00:00:01Z"] {
            let found = asked("/termEndAt", json!(end));
            assert!(!found.iter().any(|asked| asked.contains("should it be")), "{end}: {found:#?}");
        }
        let found = asked("/effectiveAt", json!("0206-01-01T00:00:00Z"));
        assert!(found.iter().any(|asked| asked.contains("in the year 206: is that meant?")), "{found:#?}");
    }

    #[test]
    fn a_misspelt_year_or_currency_deserves_a_question() {
        let found = asked("/termEndAt", json!("2207-01-01T00:00:00Z"));
        assert!(
            found[0].contains("`spec.zoo.termEndAt` is 2207-01-01T00:00:00Z, 180 years after the start"),
            "{found:#?}"
        );
        question("/currency", json!("XYZ"), "`spec.zoo.currency` is XYZ");
    }
}
