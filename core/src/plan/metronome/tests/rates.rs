//! Rates as billing tells them, held against the overrides of the spec.

use super::*;
use crate::{
    plan::rates::{RateStanding, Rates},
    terms::metronome::Package,
};

const USD: &str = "2714e483-4ff1-48e4-9e25-ac732e8f24f2";

/// A row of `getContractRateSchedule`, as it is parsed: what is no whole number is text.
fn row(product: &str, list: &Value, billed: Option<&Value>) -> Value {
    let unit = json!({"id": USD, "name": "USD (cents)"});
    let rate = |price: &Value| json!({"rate_type": "FLAT", "price": price, "credit_type": unit});
    let mut row = json!({
        "product_id": product, "product_name": format!("Product {product}"), "product_tags": ["api", "eu"],
        "rate_card_id": "card", "entitled": true, "starting_at": "2026-01-01T00:00:00+00:00",
        "product_custom_fields": {}, "list_rate": rate(list),
    });
    if let Some(billed) = billed {
        row["override_rate"] = if billed.is_object() { billed.clone() } else { rate(billed) };
    }
    row
}

fn read(overrides: &Value, rows: &[Value]) -> Rates {
    read_of(&json!({"overrides": overrides}), None, rows)
}

fn read_of(terms: &Value, package: Option<&Package>, rows: &[Value]) -> Rates {
    let mut spec =
        json!({"customerId": "customer-1", "startingAt": "2026-01-01T00:00:00Z", "rateCardId": "card"});
    spec.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    let contract: Contract = serde_json::from_value(spec).unwrap();
    super::super::rates(&contract, package, rows, Timestamp(now()))
}

fn standing(overrides: &Value, billed: Option<&Value>) -> RateStanding {
    read(overrides, &[row("a", &json!(50), billed)]).rates[0].standing
}

fn multiplier(by: &str) -> Value {
    json!({"startingAt": "2026-01-01T00:00:00Z", "type": "MULTIPLIER", "multiplier": by, "productId": "a"})
}

#[test]
fn a_rate_is_explained_by_the_override_that_makes_it() {
    assert_eq!(standing(&json!([]), None), RateStanding::List);
    assert_eq!(standing(&json!([multiplier("0.8")]), Some(&json!(40))), RateStanding::AsSigned);
    assert_eq!(standing(&json!([multiplier("0.85")]), Some(&json!("42.5"))), RateStanding::AsSigned);
    let overwrite = json!([{"startingAt": "2026-01-01T00:00:00Z", "type": "OVERWRITE", "productId": "a",
        "overwriteRate": {"rateType": "FLAT", "price": "7.25"}}]);
    assert_eq!(standing(&overwrite, Some(&json!("7.250"))), RateStanding::AsSigned);
    assert_eq!(standing(&overwrite, Some(&json!("7.26"))), RateStanding::Unexplained);
    assert_eq!(standing(&json!([multiplier("1")]), None), RateStanding::AsSigned);
}

#[test]
fn what_the_spec_does_not_say_and_what_is_not_billed_as_it_says_is_shown_apart() {
    assert_eq!(standing(&json!([]), Some(&json!(40))), RateStanding::Unexplained);
    assert_eq!(standing(&json!([multiplier("0.8")]), None), RateStanding::Unexplained);
    let told = read(
        &json!([multiplier("0.8")]),
        &[
            row("a", &json!(50), Some(&json!(45))),
            row("b", &json!("0.5"), Some(&json!("0.4"))),
            row("c", &json!(3), None),
        ],
    );
    assert_eq!(
        told.lines(),
        [
            "not explained by the spec:",
            "  Product a: 0.45 USD instead of 0.50 USD from 2026-01-01",
            "    the spec says x 0.8 (/overrides/0, 0.40 USD)",
            "  Product b: 0.004 USD instead of 0.005 USD from 2026-01-01",
            "    the spec says nothing of it",
            "Product c: 0.03 USD, the list rate from 2026-01-01",
        ]
    );
}

#[test]
fn of_several_overrides_the_one_that_comes_first_by_the_documented_order_is_expected() {
    let two = json!([multiplier("0.9"), multiplier("0.8")]);
    assert_eq!(standing(&two, Some(&json!(40))), RateStanding::AsSigned);
    assert_eq!(standing(&two, Some(&json!(45))), RateStanding::AnotherOverride);
    assert_eq!(standing(&two, Some(&json!(36))), RateStanding::AsSigned, "both, one after another");
    assert_eq!(standing(&two, Some(&json!(35))), RateStanding::Unexplained);
    let mut ranked = json!({"multiplierOverridePrioritization": "EXPLICIT", "overrides": two});
    ranked["overrides"][0]["priority"] = json!("1");
    ranked["overrides"][1]["priority"] = json!("2");
    let of = |billed| read_of(&ranked, None, &[row("a", &json!(50), Some(&json!(billed)))]).rates[0].standing;
    assert_eq!((of(45), of(40)), (RateStanding::AsSigned, RateStanding::AnotherOverride));
    let mut overwritten = ranked.clone();
    overwritten["overrides"][1] = json!({"startingAt": "2026-01-01T00:00:00Z", "type": "OVERWRITE", "productId": "a",
        "overwriteRate": {"rateType": "FLAT", "price": "60"}});
    let of =
        |billed| read_of(&overwritten, None, &[row("a", &json!(50), Some(&json!(billed)))]).rates[0].standing;
    assert_eq!(of(60), RateStanding::AsSigned, "an overwrite goes first");
}

#[test]
fn an_override_bears_on_what_it_names_while_it_is_in_force() {
    let of = |members: Value| {
        let mut item = multiplier("0.8");
        item.as_object_mut().unwrap().remove("productId");
        item.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let mut rate = row("a", &json!(50), Some(&json!(40)));
        rate["pricing_group_values"] = json!({"region": "eu", "tier": "gold"});
        rate["billing_frequency"] = json!("MONTHLY");
        let told = read(&json!([item]), &[rate]);
        (told.rates[0].standing == RateStanding::AsSigned, told.idle.len())
    };
    let bears = (true, 0);
    assert_eq!(of(json!({})), bears);
    assert_eq!(of(json!({"applicableProductTags": ["eu", "us"]})), bears);
    assert_eq!(of(json!({"overrideSpecifiers": [{"productTags": ["eu", "api"]}]})), bears);
    assert_eq!(of(json!({"overrideSpecifiers": [{"pricingGroupValues": {"region": "eu"}}]})), bears);
    assert_eq!(of(json!({"overrideSpecifiers": [{"productId": "a", "billingFrequency": "MONTHLY"}]})), bears);
    let idle = (false, 1);
    assert_eq!(of(json!({"productId": "b"})), idle);
    assert_eq!(of(json!({"overrideSpecifiers": [{"productTags": ["eu", "us"]}]})), idle);
    assert_eq!(of(json!({"overrideSpecifiers": [{"pricingGroupValues": {"region": "us"}}]})), idle);
    assert_eq!(of(json!({"overrideSpecifiers": [{"productId": "a", "billingFrequency": "ANNUAL"}]})), idle);
    let elsewhere = (false, 0);
    assert_eq!(of(json!({"startingAt": "2026-07-01T00:00:00Z"})), elsewhere, "it is to come");
    assert_eq!(of(json!({"endingBefore": "2026-06-01T10:00:00Z"})), elsewhere, "it is over");
    assert_eq!(of(json!({"isCommitSpecific": true})), elsewhere);
    assert_eq!(
        of(json!({"overrideSpecifiers": [{"productId": "a", "presentationGroupValues": {"team": "x"}}]})),
        elsewhere,
        "no rate of its own"
    );
}

#[test]
fn prices_by_quantity_and_shares_are_compared_and_told() {
    let unit = json!({"id": USD, "name": "USD (cents)"});
    let tiers = |prices: [Value; 2]| {
        json!({"rate_type": "TIERED", "credit_type": unit, "tiers":
            [{"size": 1000, "price": prices[0]}, {"price": prices[1]}]})
    };
    let mut rate = row("a", &json!(50), None);
    rate["list_rate"] = tiers([json!(50), json!(40)]);
    rate["override_rate"] = tiers([json!(40), json!(32)]);
    let told = read(&json!([multiplier("0.8")]), &[rate]);
    assert_eq!(told.rates[0].standing, RateStanding::AsSigned);
    assert!(
        told.lines()[0].contains("1000 at 0.40, then 0.32 USD instead of 1000 at 0.50, then 0.40 USD"),
        "{:?}",
        told.lines()
    );
    let by_quantity = json!([{"startingAt": "2026-01-01T00:00:00Z", "type": "TIERED", "priority": "1", "productId": "a",
        "tiers": [{"size": "1000", "multiplier": "0.8"}, {"multiplier": "0.64"}]}]);
    assert_eq!(standing(&by_quantity, Some(&tiers([json!(40), json!(32)]))), RateStanding::AsSigned);
    assert_eq!(standing(&by_quantity, Some(&tiers([json!(40), json!(33)]))), RateStanding::Unexplained);
    let mut custom = row("a", &json!(50), Some(&json!({"rate_type": "CUSTOM", "custom_rate": {"x": 2}})));
    custom["list_rate"] = json!({"rate_type": "CUSTOM", "custom_rate": {"x": 1}});
    assert_eq!(read(&json!([multiplier("0.8")]), &[custom]).rates[0].standing, RateStanding::Open);
    let share = |price: &str| json!({"rate_type": "PERCENTAGE", "price": price});
    let mut of_spend = row("a", &json!(50), Some(&share("0.08")));
    of_spend["list_rate"] = share("0.1");
    let told = read(&json!([multiplier("0.8")]), &[of_spend]);
    assert!(told.lines()[0].contains("8 % instead of 10 %"), "{:?}", told.lines());
    assert_eq!(told.rates[0].standing, RateStanding::AsSigned);
}

#[test]
fn another_pricing_unit_is_another_rate() {
    let euros = json!({"rate_type": "FLAT", "price": "0.4", "credit_type": {"id": "eur", "name": "EUR"}});
    let cents = json!([{"startingAt": "2026-01-01T00:00:00Z", "type": "OVERWRITE", "productId": "a",
        "overwriteRate": {"rateType": "FLAT", "price": "0.4"}}]);
    assert_eq!(standing(&cents, Some(&euros)), RateStanding::Unexplained);
    let mut said = cents.clone();
    said[0]["overwriteRate"]["creditTypeId"] = json!("eur");
    assert_eq!(standing(&said, Some(&euros)), RateStanding::AsSigned);
}

#[test]
fn what_a_package_says_explains_a_rate_and_a_package_that_is_not_known_may() {
    let package: Package = serde_json::from_value(json!({"name": "Gold", "overrides": [{
        "type": "MULTIPLIER", "multiplier": "0.8", "overrideSpecifiers": [{"productId": "a"}],
        "startingAtOffset": {"unit": "MONTHS", "value": 1}, "duration": {"unit": "MONTHS", "value": 6}}]}))
    .unwrap();
    let rows = [row("a", &json!(50), Some(&json!(40)))];
    let told = read_of(&json!({}), Some(&package), &rows);
    assert_eq!((told.rates[0].standing, told.knows_package), (RateStanding::AsSigned, true));
    assert_eq!(told.rates[0].said[0].path, "/overrides/0 of the package");
    let late = json!({"startingAt": "2025-01-01T00:00:00Z"});
    assert_eq!(
        read_of(&late, Some(&package), &rows).rates[0].standing,
        RateStanding::Unexplained,
        "it is over"
    );
    let told = read_of(&json!({"packageId": "elsewhere"}), None, &rows);
    assert!(!told.knows_package && told.lines()[0].contains("perhaps by the package"), "{:?}", told.lines());
}
