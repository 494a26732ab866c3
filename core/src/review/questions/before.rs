//! Questions about a change: money that is ten times what it was, a tenth of it, or nothing any more.

use crate::{
    api::BillingContractSpec,
    plan::{Change, Unit, money_at, money_numbers},
    terms::Decimal,
    validate::{Violation, path},
};

/// What deserves a question in what a contract says now, given what it said before.
#[must_use]
pub fn changed(before: &BillingContractSpec, after: &BillingContractSpec) -> Vec<Violation> {
    let Some(api) = after.api().filter(|api| before.api() == Some(*api)) else { return Vec::new() };
    let terms = |spec: &BillingContractSpec| {
        let spec = serde_json::to_value(spec).unwrap_or_default();
        spec.get(api.field()).cloned().unwrap_or_default()
    };
    let (old, new) = (terms(before), terms(after));
    let (were, are) = (money_numbers(&old), money_numbers(&new));
    let asked = |(pointer, now): (&String, &Decimal)| {
        let was = *were.get(pointer)?;
        let message = doubt(was, *now)?;
        Some(Violation::new(path::of_pointer(&format!("spec.{}", api.field()), &new, pointer), message))
    };
    are.iter().filter_map(asked).collect()
}

/// What deserves a question in what a plan changes of money that is billed already.
#[must_use]
pub fn moved(changes: &[Change]) -> Vec<Violation> {
    let of_change = |change: &Change| {
        let were = money_at(&change.path, change.from.as_ref(), change.from_unit.as_ref());
        let are = money_at(&change.path, change.to.as_ref(), change.unit.as_ref());
        let asked = |(path, (unit, now)): (&String, &(Option<Unit>, Decimal))| {
            let (_, was) = were.get(path).filter(|(before, _)| before == unit)?;
            Some(Violation::new(path.as_str(), doubt(*was, *now)?))
        };
        are.iter().filter_map(asked).collect::<Vec<_>>()
    };
    changes.iter().flat_map(of_change).collect()
}

/// What is strange about a number of money that was another one before.
fn doubt(was: Decimal, now: Decimal) -> Option<String> {
    if was == Decimal::ZERO || was == now {
        return None;
    }
    if now == Decimal::ZERO {
        return Some(format!("is 0, and was {was}: is that meant?"));
    }
    let ten = Decimal::from(10);
    for (times, word) in [(1, "ten"), (2, "a hundred"), (3, "a thousand")] {
        let shifted = |mut amount: Decimal| {
            for _ in 0..times {
                amount = amount.checked_mul(ten)?;
            }
            Some(amount)
        };
        if shifted(was) == Some(now) {
            return Some(format!("is {word} times what it was ({was} -> {now}): one digit too many?"));
        }
        if shifted(now) == Some(was) {
            return Some(format!("was {word} times as much ({was} -> {now}): one digit too few?"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(fee: &str, price: &str) -> BillingContractSpec {
        let zoo: Value = json!({"organizationId": "o", "effectiveAt": "2026-01-01T00:00:00Z", "items": [
            {"code": "fde", "displayName": "E", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": fee},
            {"code": "licensed_api_credits", "displayName": "A", "kind": "usage_tiered", "unit": "file", "rateTiers": [{"tierStartInclusive": 0, "unitPrice": price}]}]});
        serde_json::from_value(json!({"providerRef": {"name": "p"}, "zoo": zoo})).unwrap()
    }

    fn asked(fee: &str, price: &str) -> Vec<String> {
        changed(&spec("185000", "0.42"), &spec(fee, price)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_plan_moves_deserves_the_same_question_as_a_change_of_files() {
        let asked = |changes: &[Change]| moved(changes).iter().map(ToString::to_string).collect::<Vec<_>>();
        let change = |path: &str, from: Value, to: Value| Change::new(path, Some(from), Some(to));
        let periods = |amount: &str| json!([{"periodIndex": 0, "commitmentAmount": amount}]);
        assert_eq!(
            asked(&[
                change("/items/fde/fixedFeeAmount", json!("185000"), json!("1850000")),
                change("/periods", periods("120000"), periods("0")),
                change("/name", json!("1"), json!("10")),
                Change::added("/items/x/fixedFeeAmount", json!("0")),
            ]),
            [
                "`/items/fde/fixedFeeAmount` is ten times what it was (185000 -> 1850000): one digit too many?",
                "`/periods/0/commitmentAmount` is 0, and was 120000: is that meant?",
            ]
        );
        // Another unit is another amount, which a plan shows as such.
        let mut euros = change("/items/fde/fixedFeeAmount", json!("10"), json!("100"));
        euros.unit = Some(Unit::Currency("EUR".into()));
        euros.from_unit = Some(Unit::Currency("USD".into()));
        assert_eq!(asked(&[euros]), [""; 0]);
    }

    #[test]
    fn a_digit_too_many_or_too_few_deserves_a_question() {
        assert_eq!(asked("185000.00", "0.50"), [""; 0]);
        assert_eq!(
            asked("1850000", "0.42"),
            [
                "`spec.zoo.items[fde].fixedFeeAmount` is ten times what it was (185000 -> 1850000): one digit too many?"
            ]
        );
        assert_eq!(
            asked("185000", "0.0042"),
            [
                "`spec.zoo.items[licensed_api_credits].rateTiers[0].unitPrice` was a hundred times as much (0.42 -> 0.0042): one digit too few?"
            ]
        );
        assert_eq!(
            asked("0", "0.42"),
            ["`spec.zoo.items[fde].fixedFeeAmount` is 0, and was 185000: is that meant?"]
        );
    }
}
