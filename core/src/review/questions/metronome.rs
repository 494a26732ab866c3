//! Questions about a Metronome contract.

use super::{check_ends, check_length};
use crate::{
    plan::money_numbers,
    terms::{Decimal, metronome::Contract},
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
    let terms = serde_json::to_value(contract).unwrap_or_default();
    for (pointer, amount) in money_numbers(&terms) {
        if amount == Decimal::ZERO {
            let path = path::of_pointer("spec.metronome", &terms, &pointer);
            found.list.push(Violation::new(path, "is 0; is that meant?"));
        }
    }
    found.list
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
}
