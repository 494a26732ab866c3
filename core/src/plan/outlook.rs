//! What a contract says of time and money as it stands, without a change: its term, what is due when, and its prices.
//!
//! The amounts are those that plans speak of, from the same functions.

use super::{
    owed::{Due, FixedKind},
    zoo,
};
use crate::{
    api::{BillingContractSpec, ContractPackageSpec, contract::Amount},
    plan::{OpenCause, Unit, metronome},
    terms::{Decimal, Timestamp},
    validate::{self, Terms, Violation},
};

/// What a contract says of time and money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The contract's own name, where it has one.
    pub title: Option<String>,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends, exclusive; open-ended without.
    pub end: Option<Timestamp>,
    /// Whether it is billed at all: a draft and a canceled contract are not.
    pub is_billed: bool,
    /// Fixed money, each time that it is due.
    pub dues: Vec<Due>,
    /// Why there is more that has no sum beforehand; each cause once.
    pub open: Vec<OpenCause>,
    /// Prices and fees, item by item.
    pub prices: Vec<Price>,
}

impl Outlook {
    /// What the contract commits to over its whole term, in each unit.
    #[must_use]
    pub fn committed(&self) -> Vec<Amount> {
        let mut sums: Vec<(&Unit, Option<Decimal>)> = Vec::new();
        for due in self.dues.iter().filter(|due| due.kind == FixedKind::Commitment) {
            let amount = due.amount.and_then(|amount| due.unit.in_label(amount));
            match sums.iter_mut().find(|(unit, _)| *unit == &due.unit) {
                Some((_, sum)) => *sum = sum.zip(amount).and_then(|(sum, more)| sum.checked_add(more)),
                None => sums.push((&due.unit, amount)),
            }
        }
        sums.into_iter().map(|(unit, amount)| Amount::new(amount, unit.label())).collect()
    }
}

/// What something costs for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// What is priced: the code of an item, or what an override applies to.
    pub item: String,
    /// Which of its prices: `from 100000`, `fee`, `factor`; empty where it has one.
    pub part: String,
    /// What it is counted in; nothing for factors and shares.
    pub unit: Option<Unit>,
    /// The price, in units of the label.
    pub value: Decimal,
    /// From when on.
    pub since: Timestamp,
    /// Until when, exclusive.
    pub until: Option<Timestamp>,
}

/// What a contract says, with what its package gives.
///
/// # Errors
/// Every violation, where what it says cannot be.
pub fn outlook(
    contract: &BillingContractSpec,
    package: Option<&ContractPackageSpec>,
) -> Result<Outlook, Vec<Violation>> {
    let unreadable = |error: &dyn ToString| vec![Violation::new("spec", error.to_string())];
    match validate::contract(contract, package)? {
        Terms::Zoo(terms) => {
            let desired = zoo::Desired::new(*terms).map_err(|error| unreadable(&error))?;
            zoo::outlook(desired.terms()).ok_or_else(|| unreadable(&"has no start"))
        }
        Terms::Metronome(terms) => {
            let written = serde_json::to_value(*terms).map_err(|error| unreadable(&error))?;
            let has_package = contract.package_ref.is_some();
            metronome::outlook(&written, has_package).ok_or_else(|| unreadable(&"has no start"))
        }
        #[cfg(feature = "fake")]
        Terms::Fake(_) => Err(unreadable(&"says nothing of a term")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(api: &str, terms: &Value) -> BillingContractSpec {
        serde_json::from_value(json!({"providerRef": {"name": "a"}, api: terms})).unwrap()
    }

    fn zoo(status: &str) -> BillingContractSpec {
        spec(
            "zoo",
            &json!({
                "organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "name": "Acme 2026", "status": status,
                "provider": "stripe", "billingCadence": "annual", "commitmentScope": "pooled", "rolloverPolicy": "none",
                "currency": "EUR", "effectiveAt": "2026-01-01T00:00:00Z", "termEndAt": "2028-01-01T00:00:00Z",
                "items": [
                    {"code": "licensed_api_credits", "displayName": "API", "kind": "usage_tiered", "unit": "minute",
                     "rateTiers": [{"tierStartInclusive": 0, "tierEndExclusive": 1000, "unitPrice": "0.50"},
                                   {"tierStartInclusive": 1000, "unitPrice": "0.42"}]},
                    {"code": "fde", "displayName": "Engineer", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": "9"},
                ],
                "periods": [
                    {"periodIndex": 0, "periodStartAt": "2026-01-01T00:00:00Z", "periodEndAt": "2027-01-01T00:00:00Z",
                     "commitmentAmount": "120"},
                    {"periodIndex": 1, "periodStartAt": "2027-01-01T00:00:00Z", "periodEndAt": "2028-01-01T00:00:00Z",
                     "commitmentAmount": "130.5"},
                ],
            }),
        )
    }

    fn dues(outlook: &Outlook) -> Vec<(FixedKind, String, String)> {
        let due = |due: &Due| {
            let amount = due.unit.in_label(due.amount.unwrap()).unwrap();
            (
                due.kind,
                due.time.unwrap().to_string()[..7].to_owned(),
                format!("{amount} {}", due.unit.label()),
            )
        };
        outlook.dues.iter().map(due).collect()
    }

    #[test]
    fn a_contract_of_zoo_commits_by_period_and_has_a_price_for_each_tier() {
        let found = outlook(&zoo("active"), None).unwrap();
        assert_eq!((found.title.as_deref(), found.is_billed), (Some("Acme 2026"), true));
        assert_eq!(found.end, "2028-01-01T00:00:00Z".parse().ok());
        let (commitment, fee) = (FixedKind::Commitment, FixedKind::Fee);
        let text = |kind, month: &str, sum: &str| (kind, month.to_owned(), sum.to_owned());
        assert_eq!(
            dues(&found),
            [
                text(commitment, "2026-01", "120 EUR"),
                text(commitment, "2027-01", "130.5 EUR"),
                text(fee, "2026-01", "9 EUR"),
                text(fee, "2027-01", "9 EUR"),
            ]
        );
        let prices: Vec<_> = found
            .prices
            .iter()
            .map(|price| format!("{} {} {}", price.item, price.part, price.value))
            .collect();
        assert_eq!(
            prices,
            ["fde fee 9", "licensed_api_credits from 0 0.5", "licensed_api_credits from 1000 0.42"]
        );
    }

    #[test]
    fn a_draft_and_a_canceled_contract_are_not_billed() {
        for (status, is_billed) in
            [("draft", false), ("canceled", false), ("scheduled", true), ("closed", true)]
        {
            assert_eq!(outlook(&zoo(status), None).unwrap().is_billed, is_billed, "{status}");
        }
    }

    #[test]
    fn a_contract_of_metronome_is_told_in_dollars_and_its_overrides_by_what_they_apply_to() {
        let (product, card) = ("0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a105", "list-2026");
        let found = outlook(
            &spec(
                "metronome",
                &json!({
                    "customerId": "5d3ff5b0-9c1e-4b7a-8f5e-1f2a3b4c5d03", "name": "Bluth 2026", "rateCardAlias": card,
                    "startingAt": "2026-01-01T00:00:00Z", "multiplierOverridePrioritization": "EXPLICIT",
                    "commits": [{"key": "a", "type": "PREPAID", "name": "A", "productId": product, "priority": "1",
                        "accessSchedule": {"scheduleItems": [{"amount": "100", "startingAt": "2026-01-01T00:00:00Z",
                                                              "endingBefore": "2027-01-01T00:00:00Z"}]},
                        "invoiceSchedule": {"scheduleItems": [{"timestamp": "2026-03-01T00:00:00Z", "amount": "12345"}]}}],
                    "overrides": [
                        {"type": "MULTIPLIER", "multiplier": "0.8", "priority": "1", "startingAt": "2026-01-01T00:00:00Z",
                         "overrideSpecifiers": [{"productTags": ["api"]}]},
                        {"type": "OVERWRITE", "startingAt": "2026-07-01T00:00:00Z",
                         "overrideSpecifiers": [{"productId": product}], "overwriteRate": {"rateType": "FLAT", "price": "1.25"}},
                    ],
                }),
            ),
            None,
        )
        .unwrap();
        assert_eq!(dues(&found), [(FixedKind::Commitment, "2026-03".to_owned(), "123.45 USD".to_owned())]);
        assert_eq!((found.end, found.open), (None, vec![OpenCause::RateCard]));
        let prices: Vec<_> = found
            .prices
            .iter()
            .map(|price| {
                let unit = price.unit.as_ref().map(Unit::label);
                format!("{} {} {} {unit:?} {}", price.item, price.part, price.value, price.since)
            })
            .collect();
        assert_eq!(
            prices,
            [
                "api factor 0.8 None 2026-01-01T00:00:00Z".to_owned(),
                format!("{product}  0.0125 Some(\"USD\") 2026-07-01T00:00:00Z"),
            ]
        );
    }

    #[test]
    fn what_cannot_be_is_said_with_its_place() {
        let mut wrong = zoo("active");
        wrong.zoo.as_mut().unwrap().term_end_at = "2020-01-01T00:00:00Z".parse().ok();
        assert!(!outlook(&wrong, None).unwrap_err().is_empty());
    }
}
