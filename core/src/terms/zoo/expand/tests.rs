//! Expansion: who wins, every unit, and the edges of the calendar.

use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::{Value, json};

use super::*;

fn package(periods: Value, term: Value) -> Package {
    let mut package = json!({
        "name": "Enterprise 2026", "status": "active", "provider": "stripe", "billingCadence": "annual",
        "commitmentScope": "pooled", "rolloverPolicy": "none", "currency": "USD", "notes": "price sheet 2026",
        "items": [
            {"code": "licensed_api_credits", "displayName": "API credits", "kind": "usage_tiered", "unit": "minute",
             "rateTiers": [{"tierStartInclusive": 0, "unitPrice": "0.50"}]},
            {"code": "enterprise_support", "displayName": "Support", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": "18000.00"},
        ],
    });
    let field = if periods.is_array() { "periods" } else { "generatedPeriods" };
    package[field] = periods;
    package["term"] = term;
    serde_json::from_value(package).unwrap()
}

fn yearly() -> Package {
    package(json!({"every": years(1), "commitmentAmount": "120000.00"}), years(1))
}

fn years(value: i32) -> Value {
    json!({"unit": "YEARS", "value": value})
}

/// A contract that sets what it must, and `more`.
fn contract(start: &str, more: Value) -> PartialContract {
    let mut contract =
        json!({"organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "effectiveAt": start});
    let Value::Object(more) = more else { panic!("{more} is no object") };
    contract.as_object_mut().unwrap().extend(more);
    serde_json::from_value(contract).unwrap()
}

/// Start, end and amount of each period, dates only.
fn periods_of(contract: &Contract) -> Vec<(String, String, String)> {
    let date = |time: Timestamp| time.0.date_naive().to_string();
    let row = |period: &Period| {
        (date(period.period_start_at), date(period.period_end_at), period.commitment_amount.to_string())
    };
    contract.periods.iter().map(row).collect()
}

/// End of the term, and the ends of the periods, of a contract that starts at a date.
fn ends(package: &Package, start: &str) -> (String, Vec<String>) {
    let whole = expand(&contract(&format!("{start}T00:00:00Z"), json!({})), Some(package)).unwrap();
    let ends = periods_of(&whole).into_iter().map(|(_, end, _)| end).collect();
    (whole.term_end_at.0.date_naive().to_string(), ends)
}

#[test]
fn a_contract_is_a_customer_a_start_and_a_package() {
    let whole = expand(&contract("2026-03-01T00:00:00Z", json!({})), Some(&yearly())).unwrap();
    assert_eq!(
        serde_json::to_value(&whole).unwrap(),
        json!({
            "organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "name": "Enterprise 2026", "status": "active",
            "provider": "stripe", "billingCadence": "annual", "commitmentScope": "pooled", "rolloverPolicy": "none",
            "currency": "USD", "effectiveAt": "2026-03-01T00:00:00Z", "termEndAt": "2027-03-01T00:00:00Z",
            "notes": "price sheet 2026",
            "items": [
                {"code": "licensed_api_credits", "displayName": "API credits", "kind": "usage_tiered", "unit": "minute",
                 "active": true, "isCommitmentEligible": false,
                 "rateTiers": [{"tierStartInclusive": 0, "unitPrice": "0.50"}]},
                {"code": "enterprise_support", "displayName": "Support", "kind": "fixed_fee", "unit": "year",
                 "active": true, "isCommitmentEligible": false, "rateTiers": [], "fixedFeeAmount": "18000.00"},
            ],
            "periods": [{"periodIndex": 0, "periodStartAt": "2026-03-01T00:00:00Z", "periodEndAt": "2027-03-01T00:00:00Z",
                         "commitmentAmount": "120000.00"}],
        })
    );
}

#[test]
fn each_field_that_the_contract_sets_wins() {
    let own = json!({
        "name": "Acme", "status": "draft", "provider": "manual_invoice", "billingCadence": "manual",
        "commitmentScope": "per_item", "rolloverPolicy": "year1_to_year2_once", "currency": "EUR",
        "termEndAt": "2028-01-01T00:00:00Z", "notes": "negotiated", "discountDescription": "5 %",
        "externalCustomerId": "cus_1", "items": [],
        "periods": [{"periodIndex": 0, "periodStartAt": "2026-01-01T00:00:00Z", "periodEndAt": "2028-01-01T00:00:00Z",
                     "commitmentAmount": "7"}],
    });
    let own = contract("2026-01-01T00:00:00Z", own);
    let whole = expand(&own, Some(&yearly())).unwrap();
    assert_eq!(PartialContract::from(whole), own);
}

#[test]
fn lists_of_the_contract_replace_those_of_the_package() {
    let item = json!({"code": "fde", "displayName": "Engineer", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": "1"});
    let whole = expand(&contract("2026-01-01T00:00:00Z", json!({"items": [item]})), Some(&yearly())).unwrap();
    let codes: Vec<_> = whole.items.iter().map(|item| item.code.to_string()).collect();
    assert_eq!(codes, ["fde"]);
    assert_eq!(whole.currency, "USD");
}

#[test]
fn every_unit_makes_periods() {
    let each = |unit: &str, value: i32, term: Value| {
        package(json!({"every": {"unit": unit, "value": value}, "commitmentAmount": "1"}), term)
    };
    let weekly = each("WEEKS", 1, json!({"unit": "DAYS", "value": 21}));
    assert_eq!(ends(&weekly, "2026-02-20").1, ["2026-02-27", "2026-03-06", "2026-03-13"]);
    let daily = each("DAYS", 2, json!({"unit": "DAYS", "value": 4}));
    assert_eq!(ends(&daily, "2028-02-27").1, ["2028-02-29", "2028-03-02"]);
    let quarterly = each("MONTHS", 3, years(1));
    assert_eq!(ends(&quarterly, "2026-11-30").1, ["2027-02-28", "2027-05-30", "2027-08-30", "2027-11-30"]);
    let yearly = each("YEARS", 1, json!({"unit": "MONTHS", "value": 36}));
    assert_eq!(ends(&yearly, "2026-07-01").1, ["2027-07-01", "2028-07-01", "2029-07-01"]);
}

#[test]
fn periods_from_a_months_end_keep_to_months_ends() {
    let monthly = package(
        json!({"every": {"unit": "MONTHS", "value": 1}, "commitmentAmounts": ["1", "2", "3", "4"]}),
        json!({"unit": "MONTHS", "value": 4}),
    );
    let whole = expand(&contract("2028-01-31T12:00:00Z", json!({})), Some(&monthly)).unwrap();
    let rows = [
        ("2028-01-31", "2028-02-29", "1"),
        ("2028-02-29", "2028-03-31", "2"),
        ("2028-03-31", "2028-04-30", "3"),
        ("2028-04-30", "2028-05-31", "4"),
    ];
    assert_eq!(periods_of(&whole), rows.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    assert_eq!(whole.term_end_at.to_string(), "2028-05-31T12:00:00Z");
}

#[test]
fn a_contract_from_a_leap_day_ends_on_february_28() {
    let package = package(json!({"every": years(1), "commitmentAmount": "1"}), years(4));
    let (term_end, ends) = ends(&package, "2028-02-29");
    assert_eq!(ends, ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]);
    assert_eq!(term_end, "2032-02-29");
}

#[test]
fn listed_periods_start_where_the_one_before_ends_unless_they_say_where() {
    let ramp = json!([
        {"offset": {"unit": "MONTHS", "value": 1}, "duration": {"unit": "MONTHS", "value": 5}, "commitmentAmount": "10"},
        {"duration": {"unit": "MONTHS", "value": 6}, "commitmentAmount": "20.50"},
        {"offset": years(1), "duration": years(1), "commitmentAmount": "30"},
    ]);
    let whole = expand(&contract("2026-08-31T00:00:00Z", json!({})), Some(&package(ramp, years(2)))).unwrap();
    let rows = [
        ("2026-09-30", "2027-02-28", "10"),
        ("2027-02-28", "2027-08-31", "20.50"),
        ("2027-08-31", "2028-08-31", "30"),
    ];
    assert_eq!(periods_of(&whole), rows.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
}

#[test]
fn generated_periods_fill_a_term_that_the_contract_sets() {
    let two_years = contract("2026-01-01T00:00:00Z", json!({"termEndAt": "2028-01-01T00:00:00Z"}));
    let whole = expand(&two_years, Some(&yearly())).unwrap();
    assert_eq!(whole.periods.len(), 2);
    assert_eq!(whole.periods.last().unwrap().period_end_at, whole.term_end_at);
}

#[track_caller]
fn gap(contract: &PartialContract, package: &Package, field: &str, part: &str) {
    let gaps = expand(contract, Some(package)).unwrap_err();
    assert!(gaps.iter().any(|gap| gap.field == field && gap.message.contains(part)), "{gaps:?}");
}

#[test]
fn a_term_that_the_periods_do_not_fill_is_refused() {
    let odd = contract("2026-01-01T00:00:00Z", json!({"termEndAt": "2027-02-01T00:00:00Z"}));
    gap(&odd, &yearly(), "periods", "do not end at 2027-02-01T00:00:00Z");
    let reversed = contract("2026-01-01T00:00:00Z", json!({"termEndAt": "2025-01-01T00:00:00Z"}));
    gap(&reversed, &yearly(), "periods", "do not end at");
    let long = contract("2026-01-01T00:00:00Z", json!({"termEndAt": "2267-01-01T00:00:00Z"}));
    gap(&long, &yearly(), "periods", "more than 240");
}

#[test]
fn amounts_that_are_not_as_many_as_the_periods_are_refused() {
    let ramp = package(json!({"every": years(1), "commitmentAmounts": ["1", "2"]}), years(2));
    let longer = contract("2026-01-01T00:00:00Z", json!({"termEndAt": "2029-01-01T00:00:00Z"}));
    gap(&longer, &ramp, "periods", "2 amounts, but the term has 3 periods");
}

#[test]
fn a_time_after_the_year_9999_is_refused() {
    let late = contract("9999-06-01T00:00:00Z", json!({}));
    gap(&late, &yearly(), "termEndAt", "after the year 9999");
}

#[test]
fn everything_that_nobody_gives_is_named_at_once() {
    let gaps = expand(&contract("2026-01-01T00:00:00Z", json!({})), None).unwrap_err();
    assert_eq!(gaps.iter().map(|gap| gap.field).collect::<Vec<_>>(), REQUIRED);
    let mut bare = yearly();
    bare.terms = crate::terms::zoo::SharedTerms { currency: Some("USD".into()), ..Default::default() };
    let gaps = expand(&contract("2026-01-01T00:00:00Z", json!({"name": "Acme"})), Some(&bare)).unwrap_err();
    let fields: Vec<_> = gaps.iter().map(|gap| gap.field).collect();
    assert_eq!(
        fields,
        ["status", "provider", "billingCadence", "commitmentScope", "rolloverPolicy", "items"]
    );
    assert!(gaps.iter().all(|gap| gap.message.contains("in the package")));
}

#[test]
fn a_complete_contract_needs_no_package_and_stays_as_it_is() {
    let whole = expand(&contract("2026-01-01T00:00:00Z", json!({})), Some(&yearly())).unwrap();
    assert_eq!(expand(&PartialContract::from(whole.clone()), None), Ok(whole.clone()));
    assert_eq!(expand(&PartialContract::from(whole.clone()), Some(&yearly())), Ok(whole));
}

#[test]
fn the_digest_of_a_package_is_of_what_it_says() {
    let written =
        |amount: &str| package(json!({"every": years(1), "commitmentAmount": amount}), years(1)).digest();
    assert_eq!(written("1.50"), written("1.5"));
    assert_ne!(written("1.50"), written("1.51"));
    let several =
        |amounts: Value| package(json!({"every": years(1), "commitmentAmounts": amounts}), years(2)).digest();
    assert_eq!(several(json!(["1.0", "2"])), several(json!(["1", "2"])));
    assert_ne!(several(json!(["2", "1"])), several(json!(["1", "2"])));
}

fn any_length() -> impl Strategy<Value = (Value, u32, Value)> {
    let unit = prop_oneof![Just("DAYS"), Just("WEEKS"), Just("MONTHS"), Just("YEARS")];
    (unit, 1..4_u32, 1..25_u32).prop_map(|(unit, length, count)| {
        let every = json!({"unit": unit, "value": length});
        (every, count, json!({"unit": unit, "value": length * count}))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn generated_periods_cover_the_term_without_a_gap(
        second in 0..4_102_444_800_i64,
        (every, count, term) in any_length(),
    ) {
        let start = Timestamp(chrono::DateTime::from_timestamp(second, 0).unwrap());
        let package = package(json!({"every": every, "commitmentAmount": "1"}), term);
        let whole = expand(&contract(&start.to_string(), json!({})), Some(&package)).unwrap();
        prop_assert_eq!(u32::try_from(whole.periods.len()).unwrap(), count);
        let mut end = start;
        for period in &whole.periods {
            prop_assert_eq!(period.period_start_at, end);
            prop_assert!(period.period_end_at > end);
            end = period.period_end_at;
        }
        prop_assert_eq!(end, whole.term_end_at);
    }
}
