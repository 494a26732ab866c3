//! Each rule, by a change to terms that are sound.

mod balances;
mod billing;
mod overrides;

use serde_json::{Value, json};

use super::{contract, package};
use crate::{
    terms::metronome::{Contract, Package},
    validate::Violation,
};

const PRODUCT: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a101";

fn sound_contract() -> Value {
    let span = json!({"startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2027-01-01T00:00:00Z"});
    let segment = |amount: &str| {
        let mut segment = span.clone();
        segment["amount"] = amount.into();
        json!({"scheduleItems": [segment]})
    };
    json!({
        "customerId": "8a3b5a52-5c0f-4e70-9d3c-0c1a4ea6a100",
        "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2027-01-01T00:00:00Z",
        "rateCardAlias": "standard", "uniquenessKey": "billing/acme-2026", "netPaymentTermsDays": "30",
        "multiplierOverridePrioritization": "EXPLICIT",
        "customFields": {"owner": "finance"},
        "commits": [
            {"key": "prepaid", "productId": PRODUCT, "type": "PREPAID", "temporaryId": "tmp-prepaid",
             "accessSchedule": segment("12000000"),
             "invoiceSchedule": {"recurringSchedule": {
                 "amountDistribution": "DIVIDED", "frequency": "QUARTERLY", "amount": "12000000",
                 "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2027-01-01T00:00:00Z"}},
             "applicableProductTags": ["api"], "rolloverFraction": "0.25", "priority": "100",
             "hierarchyConfiguration": {"childAccess": {"type": "CONTRACT_IDS", "contractIds": [PRODUCT]}}},
            {"key": "true-up", "productId": PRODUCT, "type": "POSTPAID", "accessSchedule": segment("500.00"),
             "invoiceSchedule": {"scheduleItems": [
                 {"timestamp": "2027-01-01T00:00:00Z", "unitPrice": "250", "quantity": "2"}]}},
        ],
        "credits": [{"key": "welcome", "productId": PRODUCT, "accessSchedule": segment("1000")}],
        "recurringCommits": [
            {"key": "monthly", "productId": PRODUCT, "priority": "50", "startingAt": "2026-01-01T00:00:00Z",
             "accessAmount": {"unitPrice": "100", "quantity": "10"}, "commitDuration": {"value": "1"},
             "temporaryId": "tmp-monthly"}],
        "recurringCredits": [
            {"key": "seat-credit", "productId": PRODUCT, "priority": "10", "startingAt": "2026-01-01T00:00:00Z",
             "accessAmount": {"unitPrice": "100"}, "commitDuration": {"value": "1", "unit": "PERIODS"},
             "recurrenceFrequency": "MONTHLY",
             "subscriptionConfig": {"subscriptionId": "tmp-seats", "allocation": "INDIVIDUAL",
                                    "applySeatIncreaseConfig": {"isProrated": true}}}],
        "scheduledCharges": [
            {"key": "setup", "productId": PRODUCT,
             "schedule": {"scheduleItems": [{"timestamp": "2026-01-01T00:00:00Z", "amount": "99900"}]}}],
        "subscriptions": [
            {"key": "seats", "collectionSchedule": "ADVANCE", "quantityManagementMode": "SEAT_BASED",
             "temporaryId": "tmp-seats", "proration": {"invoiceBehavior": "BILL_IMMEDIATELY"},
             "subscriptionRate": {"billingFrequency": "MONTHLY", "productId": PRODUCT},
             "seatConfig": {"initialSeatIds": ["anna"], "seatGroupKey": "seat_id"}},
            {"key": "platform", "collectionSchedule": "ARREARS", "initialQuantity": "1", "proration": {},
             "temporaryId": "tmp-platform",
             "subscriptionRate": {"billingFrequency": "ANNUAL", "productId": PRODUCT}}],
        "overrides": [
            {"startingAt": "2026-01-01T00:00:00Z", "type": "MULTIPLIER", "multiplier": "0.8", "priority": "1",
             "isCommitSpecific": true, "target": "COMMIT_RATE",
             "overrideSpecifiers": [{"productId": PRODUCT, "commitIds": ["tmp-prepaid"]}]},
            {"startingAt": "2026-01-01T00:00:00Z", "type": "OVERWRITE", "productId": PRODUCT,
             "overwriteRate": {"rateType": "TIERED", "tiers": [{"price": "3", "size": "100"}, {"price": "2"}]}},
            {"startingAt": "2026-01-01T00:00:00Z", "entitled": false, "applicableProductTags": ["beta"]},
            {"startingAt": "2026-01-01T00:00:00Z", "type": "TIERED", "priority": "2", "productId": PRODUCT,
             "tiers": [{"multiplier": "0.9", "size": "10"}, {"multiplier": "0.8"}]}],
        "spendTrackers": [
            {"alias": "purchases", "creditTypeId": "usd", "resetFrequency": "BILLING_PERIOD",
             "applicableSpendSpecifiers": [{"sources": ["MANUAL"], "spendType": "COMMIT_PURCHASE"}]}],
        "prepaidBalanceThresholdConfiguration": {
            "isEnabled": true, "thresholdAmount": "1000", "rechargeToAmount": "5000",
            "commit": {"productId": PRODUCT, "duration": {"unit": "MONTHS", "value": 6}},
            "paymentGateConfig": {"paymentGateType": "STRIPE", "taxType": "PRECALCULATED",
                                  "stripeConfig": {"paymentType": "INVOICE", "invoiceMetadata": {"a": "b"}},
                                  "precalculatedTaxConfig": {"taxAmount": "10"}},
            "discountConfiguration": {"paymentFraction": "0.85",
                                      "cap": {"amount": "100000", "spendTrackerAlias": "purchases"}}},
        "billingProviderConfiguration": {"billingProvider": "stripe", "deliveryMethod": "direct_to_billing_provider"},
        "usageStatementSchedule": {"frequency": "MONTHLY", "day": "CUSTOM_DATE",
                                   "billingAnchorDate": "2025-12-10T00:00:00Z"},
        "resellerRoyalties": [
            {"fraction": "0.03", "netsuiteResellerId": "7", "resellerType": "AWS", "awsOptions": {},
             "startingAt": "2026-01-01T00:00:00Z", "applicableProductTags": ["api"]}],
        "transition": {"type": "RENEWAL", "fromContractRef": {"name": "acme-2025"}},
    })
}

fn sound_package() -> Value {
    let start = json!({"unit": "DAYS", "value": 0});
    let year = json!({"unit": "YEARS", "value": 1});
    json!({
        "name": "Pro 2026", "aliases": [{"name": "pro"}], "rateCardAlias": "standard", "duration": year,
        "billingProvider": "stripe", "deliveryMethod": "direct_to_billing_provider",
        "commits": [
            {"productId": PRODUCT, "type": "POSTPAID", "temporaryId": "tmp-true-up",
             "accessSchedule": {"scheduleItems": [{"amount": "500", "startingAtOffset": start, "duration": year}]},
             "invoiceSchedule": {"scheduleItems": [{"dateOffset": year, "unitPrice": "250", "quantity": "2"}]}}],
        "recurringCredits": [
            {"productId": PRODUCT, "priority": "10", "startingAtOffset": start, "duration": year,
             "accessAmount": {"unitPrice": "100", "quantity": "1"}, "commitDuration": {"value": "1"}}],
        "subscriptions": [
            {"collectionSchedule": "ADVANCE", "initialQuantity": "1", "proration": {}, "temporaryId": "tmp-platform",
             "subscriptionRate": {"billingFrequency": "ANNUAL", "productId": PRODUCT}}],
        "overrides": [
            {"startingAtOffset": start, "type": "MULTIPLIER", "multiplier": "0.8",
             "isCommitSpecific": true,
             "overrideSpecifiers": [{"productId": PRODUCT, "anyCommitOrCreditIds": ["tmp-true-up"]}]}],
        "extraFields": {"billing_anchor_date": "contract_start_date"},
    })
}

/// Sets what a JSON pointer points to; null takes it away.
fn set(terms: &mut Value, pointer: &str, value: Value) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match terms.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}")) {
        Value::Object(parent) if value.is_null() => {
            parent.remove(member).unwrap_or_else(|| panic!("{pointer}"));
        }
        Value::Object(parent) => {
            parent.insert(member.to_owned(), value);
        }
        parent => parent[member.parse::<usize>().unwrap()] = value,
    }
}

fn of_contract(terms: Value) -> Vec<Violation> {
    contract(&serde_json::from_value::<Contract>(terms).unwrap()).err().unwrap_or_default()
}

fn of_package(terms: Value) -> Vec<Violation> {
    package(&serde_json::from_value::<Package>(terms).unwrap()).err().unwrap_or_default()
}

#[track_caller]
fn one(found: &[Violation], path: &str, part: &str) {
    let text: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{text:#?}");
    assert_eq!(found[0].path, format!("spec.metronome.{path}"), "{text:#?}");
    assert!(found[0].message.contains(part), "{text:#?}");
}

/// One change to the sound contract breaks exactly one rule, at `path`.
#[track_caller]
fn refused(changes: &[(&str, Value)], path: &str, part: &str) {
    let mut terms = sound_contract();
    for (pointer, value) in changes {
        set(&mut terms, pointer, value.clone());
    }
    one(&of_contract(terms), path, part);
}

#[track_caller]
fn refused_in_package(changes: &[(&str, Value)], path: &str, part: &str) {
    let mut terms = sound_package();
    for (pointer, value) in changes {
        set(&mut terms, pointer, value.clone());
    }
    one(&of_package(terms), path, part);
}

#[test]
fn sound_terms_pass() {
    assert_eq!(of_contract(sound_contract()), []);
    assert_eq!(of_package(sound_package()), []);
}

#[test]
fn every_violation_is_found_at_once() {
    let mut terms = sound_contract();
    set(&mut terms, "/rateCardId", json!(PRODUCT));
    set(&mut terms, "/commits/0/accessSchedule/scheduleItems/0/amount", json!("-1"));
    set(&mut terms, "/overrides/0/priority", json!("0"));
    assert_eq!(of_contract(terms).len(), 3);
}

#[test]
fn times_are_full_hours_wherever_they_stand() {
    refused(&[("/endingBefore", json!("2027-01-01T00:30:00Z"))], "endingBefore", "full hour");
    let item = "commits[true-up].invoiceSchedule.scheduleItems[0].timestamp";
    refused(
        &[("/commits/1/invoiceSchedule/scheduleItems/0/timestamp", json!("2027-01-01T00:00:00.5Z"))],
        item,
        "full hour",
    );
}

#[test]
fn text_lists_maps_and_numbers_stay_within_their_bounds() {
    refused(
        &[("/customFields/owner", json!("x".repeat(201)))],
        "customFields[owner]",
        "at most 200 characters",
    );
    refused(&[("/uniquenessKey", json!(""))], "uniquenessKey", "at least 1 characters");
    refused(&[("/uniquenessKey", json!("k".repeat(129)))], "uniquenessKey", "at most 128");
    refused(&[("/credits/0/key", json!("Welcome"))], "credits[Welcome].key", "lower-case");
    refused(
        &[("/commits/0/accessSchedule/scheduleItems", json!([]))],
        "commits[prepaid].accessSchedule.scheduleItems",
        "at least 1 items",
    );
    let fields: Value = (0..101).map(|n| (format!("f{n}"), json!("x"))).collect();
    refused(&[("/customFields", fields)], "customFields", "at most 100 members");
    refused_in_package(&[("/duration/value", json!(100_001))], "duration.value", "from 0 to 100000");
}

#[test]
fn decimals_stay_within_their_range() {
    refused(&[("/netPaymentTermsDays", json!("-1"))], "netPaymentTermsDays", "whole number");
    refused(&[("/netPaymentTermsDays", json!("30.5"))], "netPaymentTermsDays", "whole number");
    refused(
        &[("/commits/0/rolloverFraction", json!("1.01"))],
        "commits[prepaid].rolloverFraction",
        "from 0 to 1",
    );
    refused(&[("/overrides/0/multiplier", json!("-0.1"))], "overrides[0].multiplier", "0 or more");
    refused(&[("/resellerRoyalties/0/fraction", json!("3"))], "resellerRoyalties[0].fraction", "from 0 to 1");
}

#[test]
fn keys_aliases_and_sets_have_no_repetitions() {
    refused(&[("/commits/1/key", json!("prepaid"))], "commits[prepaid]", "once");
    refused(
        &[("/commits/0/applicableProductTags", json!(["api", "api"]))],
        "commits[prepaid].applicableProductTags[1]",
        "once",
    );
    let tracker = sound_contract()["spendTrackers"][0].clone();
    refused(&[("/spendTrackers", json!([tracker, tracker]))], "spendTrackers[purchases]", "once");
    refused_in_package(&[("/aliases", json!([{"name": "pro"}, {"name": "pro"}]))], "aliases[pro]", "once");
}

#[test]
fn the_customer_is_named_in_one_way() {
    refused(&[("/customerAlias", json!("acme"))], "customerId", "left out");
    refused(&[("/customerId", json!(null))], "customerId", "required");
    let mut by_alias = sound_contract();
    set(&mut by_alias, "/customerId", json!(null));
    set(&mut by_alias, "/customerAlias", json!("acme"));
    assert_eq!(of_contract(by_alias), []);
}

#[test]
fn the_rate_card_and_the_renewed_contract_are_named_in_one_way() {
    refused(&[("/rateCardId", json!(PRODUCT))], "rateCardAlias", "one or the other");
    refused(&[("/transition/fromContractId", json!(PRODUCT))], "transition.fromContractId", "left out");
    refused(&[("/transition/fromContractRef", json!(null))], "transition.fromContractId", "required");
    refused_in_package(&[("/rateCardId", json!(PRODUCT))], "rateCardAlias", "one or the other");
}

#[test]
fn a_contract_from_a_package_leaves_to_it_what_no_edit_can_change() {
    let mut terms = sound_contract();
    set(&mut terms, "/packageAlias", json!("pro"));
    let paths: Vec<_> = of_contract(terms.clone()).into_iter().map(|violation| violation.path).collect();
    let fields = ["rateCardAlias", "usageStatementSchedule", "multiplierOverridePrioritization"];
    assert_eq!(paths, fields.map(|field| format!("spec.metronome.{field}")));
    for field in fields {
        set(&mut terms, &format!("/{field}"), json!(null));
    }
    assert_eq!(of_contract(terms.clone()), []);
    set(&mut terms, "/packageId", json!(PRODUCT));
    one(&of_contract(terms), "packageAlias", "one or the other");
}

#[test]
fn what_ends_ends_after_its_start() {
    let early = json!("2026-01-01T00:00:00Z");
    refused(&[("/endingBefore", early.clone())], "endingBefore", "after `startingAt`");
    let segment = "accessSchedule.scheduleItems[0].endingBefore";
    let pointer = "/accessSchedule/scheduleItems/0/endingBefore";
    refused(
        &[(&format!("/commits/0{pointer}"), early.clone())],
        &format!("commits[prepaid].{segment}"),
        "after",
    );
    refused(
        &[(&format!("/credits/0{pointer}"), early.clone())],
        &format!("credits[welcome].{segment}"),
        "after",
    );
    for (pointer, path) in [
        ("/recurringCommits/0", "recurringCommits[monthly]"),
        ("/recurringCredits/0", "recurringCredits[seat-credit]"),
        ("/overrides/1", "overrides[1]"),
        ("/resellerRoyalties/0", "resellerRoyalties[0]"),
        (
            "/commits/0/invoiceSchedule/recurringSchedule",
            "commits[prepaid].invoiceSchedule.recurringSchedule",
        ),
    ] {
        refused(
            &[(&format!("{pointer}/endingBefore"), early.clone())],
            &format!("{path}.endingBefore"),
            "after",
        );
    }
    refused(
        &[("/subscriptions/1/startingAt", early.clone()), ("/subscriptions/1/endingBefore", early.clone())],
        "subscriptions[platform].endingBefore",
        "after",
    );
    refused_in_package(
        &[("/aliases/0/startingAt", early.clone()), ("/aliases/0/endingBefore", early)],
        "aliases[pro].endingBefore",
        "after",
    );
}

#[test]
fn what_lasts_lasts() {
    for (pointer, path) in [
        ("/duration", "duration"),
        (
            "/commits/0/accessSchedule/scheduleItems/0/duration",
            "commits[0].accessSchedule.scheduleItems[0].duration",
        ),
        ("/recurringCredits/0/duration", "recurringCredits[0].duration"),
    ] {
        refused_in_package(
            &[(&format!("{pointer}/value"), json!(0))],
            &format!("{path}.value"),
            "at least 1",
        );
    }
    for (pointer, path) in [("/subscriptions/0", "subscriptions[0]"), ("/overrides/0", "overrides[0]")] {
        let nothing = json!({"unit": "DAYS", "value": 0});
        refused_in_package(
            &[(&format!("{pointer}/duration"), nothing)],
            &format!("{path}.duration.value"),
            "at least 1",
        );
    }
    let duration = "prepaidBalanceThresholdConfiguration.commit.duration.value";
    refused(
        &[("/prepaidBalanceThresholdConfiguration/commit/duration/value", json!(0))],
        duration,
        "at least 1",
    );
    let value = "/recurringCommits/0/commitDuration/value";
    refused(&[(value, json!("0"))], "recurringCommits[monthly].commitDuration.value", "at least 1");
}

#[test]
fn an_amount_is_given_as_such_or_as_price_times_quantity() {
    let item = "/scheduledCharges/0/schedule/scheduleItems/0";
    let path = "scheduledCharges[setup].schedule.scheduleItems[0]";
    refused(&[(&format!("{item}/quantity"), json!("2"))], &format!("{path}.amount"), "one or the other");
    refused(&[(&format!("{item}/amount"), json!(null))], &format!("{path}.amount"), "required");
    let without = (format!("{item}/amount"), json!(null));
    let with = |field: &str, value: &str| (format!("{item}/{field}"), json!(value));
    for (given, missing) in [("quantity", "unitPrice"), ("unitPrice", "quantity")] {
        let given = with(given, "2");
        let changes = [(without.0.as_str(), without.1.clone()), (given.0.as_str(), given.1.clone())];
        refused(&changes, &format!("{path}.{missing}"), "required with");
    }
    let recurring = "/commits/0/invoiceSchedule/recurringSchedule/amount";
    refused(
        &[(recurring, json!(null))],
        "commits[prepaid].invoiceSchedule.recurringSchedule.amount",
        "required",
    );
}

#[test]
fn a_schedule_has_items_or_a_recurrence() {
    let item = json!([{"timestamp": "2026-01-01T00:00:00Z", "amount": "1"}]);
    let path = "commits[prepaid].invoiceSchedule";
    let pointer = "/commits/0/invoiceSchedule";
    refused(
        &[(&format!("{pointer}/scheduleItems"), item)],
        &format!("{path}.recurringSchedule"),
        "one or the other",
    );
    refused(
        &[(&format!("{pointer}/recurringSchedule"), json!(null))],
        &format!("{path}.scheduleItems"),
        "required",
    );
    let mut silent = sound_contract();
    set(&mut silent, pointer, json!({"doNotInvoice": true}));
    assert_eq!(of_contract(silent), []);
    refused(
        &[("/scheduledCharges/0/schedule/doNotInvoice", json!(true))],
        "scheduledCharges[setup].schedule.doNotInvoice",
        "only the `invoiceSchedule`",
    );
}
