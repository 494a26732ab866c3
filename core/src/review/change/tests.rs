//! What changes of files do.

use serde_json::{Value, json};

use super::*;
use crate::{api::BillingContract, plan::render};

fn zoo() -> Value {
    json!({
        "organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "name": "Acme 2026", "status": "active",
        "provider": "stripe", "billingCadence": "annual", "commitmentScope": "pooled", "rolloverPolicy": "none", "currency": "USD",
        "effectiveAt": "2026-01-01T00:00:00Z", "termEndAt": "2027-01-01T00:00:00Z",
        "items": [{"code": "fde", "displayName": "Engineer", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": "1000.50"}],
        "periods": [{"periodIndex": 0, "periodStartAt": "2026-01-01T00:00:00Z", "periodEndAt": "2027-01-01T00:00:00Z", "commitmentAmount": "500"}],
    })
}

fn metronome() -> Value {
    let schedule = json!({"scheduleItems": [{"amount": "100000", "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2027-01-01T00:00:00Z"}]});
    json!({
        "customerAlias": "acme", "startingAt": "2026-01-01T00:00:00Z", "rateCardAlias": "list-2026", "name": "Acme",
        "commits": [{"key": "annual", "type": "PREPAID", "productId": "p", "accessSchedule": schedule,
            "invoiceSchedule": {"recurringSchedule": {"amount": "25000", "amountDistribution": "EACH", "frequency": "QUARTERLY",
                "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2027-01-01T00:00:00Z"}}}],
        "subscriptions": [{"key": "seats", "collectionSchedule": "ADVANCE", "proration": {"invoiceBehavior": "BILL_IMMEDIATELY", "isProrated": true},
            "subscriptionRate": {"billingFrequency": "MONTHLY", "productId": "s"}, "initialQuantity": "5"}],
    })
}

fn resource(api: &str, terms: &Value, spec: &Value) -> BillingContract {
    let mut whole = json!({"providerRef": {"name": "p"}, api: terms});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": "acme", "namespace": "billing"}, "spec": whole,
    }))
    .unwrap()
}

fn effect(before: Option<&BillingContract>, after: Option<&BillingContract>) -> Effect {
    let side = |contract| Side { contract, package: None, account: None };
    let now = "2026-06-15T10:00:00Z".parse().unwrap();
    contract(before.map(side).as_ref(), after.map(side).as_ref(), now)
}

#[track_caller]
fn lines(effect: &Effect) -> String {
    match effect {
        Effect::Changes { plan, .. } => render::lines(plan),
        other => panic!("{other:#?}"),
    }
}

fn with(terms: &Value, pointer: &str, value: Value) -> Value {
    let mut terms = terms.clone();
    *terms.pointer_mut(pointer).unwrap() = value;
    terms
}

#[test]
fn files_that_say_the_same_change_nothing() {
    for (api, terms) in [("zoo", zoo()), ("metronome", metronome())] {
        let contract = resource(api, &terms, &json!({}));
        assert_eq!(effect(Some(&contract), Some(&contract)), Effect::Nothing, "{api}");
    }
}

#[test]
fn a_changed_amount_is_the_one_change() {
    let before = resource("zoo", &zoo(), &json!({}));
    let after = resource("zoo", &with(&zoo(), "/items/0/fixedFeeAmount", json!("1200")), &json!({}));
    let told = lines(&effect(Some(&before), Some(&after)));
    assert!(
        told.starts_with("items[fde].fixedFeeAmount: 1000.50 -> 1200 USD\n")
            || told.contains("1000.5 -> 1200"),
        "{told}"
    );
    assert!(told.contains("199.5"), "{told}");
    let before = resource("metronome", &metronome(), &json!({}));
    let changed = with(&metronome(), "/commits/0/accessSchedule/scheduleItems/0/amount", json!("120000"));
    let told = lines(&effect(Some(&before), Some(&resource("metronome", &changed, &json!({})))));
    assert!(
        told.contains("1000.00 -> 1200.00 USD") && told.lines().next().unwrap().contains("commits"),
        "{told}"
    );
}

#[test]
fn a_new_contract_is_made_and_one_that_adopts_is_open() {
    for (api, terms) in [("zoo", zoo()), ("metronome", metronome())] {
        let new = resource(api, &terms, &json!({}));
        let Effect::Changes { plan, waits: false, .. } = effect(None, Some(&new)) else { panic!("{api}") };
        assert!(plan.changes[0].is_new_contract());
        let adopting = resource(api, &terms, &json!({"adopt": {"contractId": "c"}}));
        assert!(matches!(effect(None, Some(&adopting)), Effect::Open(_)));
    }
}

#[test]
fn a_file_that_vanishes_ends_the_contract_as_its_policy_says() {
    for (api, terms) in [("zoo", zoo()), ("metronome", metronome())] {
        for (policy, word) in [("End", "closed"), ("Cancel", "cancel")] {
            let gone = resource(api, &terms, &json!({"deletionPolicy": policy}));
            let told = lines(&effect(Some(&gone), None));
            assert!(told.contains("contract acme"), "{api} {policy} {word}: {told}");
        }
        let orphan = resource(api, &terms, &json!({}));
        assert!(
            matches!(effect(Some(&orphan), None), Effect::Left { value, .. } if !value.is_empty()),
            "{api}"
        );
    }
}

#[test]
fn what_is_suspended_or_only_looked_at_is_left() {
    let before = resource("zoo", &zoo(), &json!({}));
    let changed = with(&zoo(), "/items/0/fixedFeeAmount", json!("1200"));
    for spec in [json!({"suspend": true}), json!({"managementPolicy": "Observe"})] {
        let effect = effect(Some(&before), Some(&resource("zoo", &changed, &spec)));
        assert!(matches!(&effect, Effect::Left { changes, .. } if changes.len() == 1), "{effect:#?}");
    }
    let after = resource("zoo", &changed, &json!({"managementPolicy": "Plan"}));
    assert!(matches!(effect(Some(&before), Some(&after)), Effect::Changes { waits: true, .. }));
}

#[test]
fn what_the_operator_refuses_is_refused() {
    let before = resource("zoo", &zoo(), &json!({}));
    let after = resource("zoo", &with(&zoo(), "/status", json!("draft")), &json!({}));
    let Effect::Refused(refusal) = effect(Some(&before), Some(&after)) else { panic!() };
    assert_eq!(refusal.reason.as_str(), "ActiveNotReplaced");
    let before = resource("metronome", &metronome(), &json!({}));
    let after = resource("metronome", &with(&metronome(), "/rateCardAlias", json!("other")), &json!({}));
    let Effect::Refused(refusal) = effect(Some(&before), Some(&after)) else { panic!() };
    assert_eq!(refusal.reason.as_str(), "ImmutableField");
}

#[test]
fn a_scheduled_contract_that_billing_does_not_show_is_known() {
    let scheduled =
        resource("zoo", &with(&zoo(), "/status", json!("scheduled")), &json!({"deletionPolicy": "Cancel"}));
    assert_eq!(effect(Some(&scheduled), Some(&scheduled)), Effect::Nothing);
    assert!(lines(&effect(Some(&scheduled), None)).contains("scheduled -> canceled"));
}
