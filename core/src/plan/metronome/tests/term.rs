//! The contract's end cuts what is wanted.

use super::*;

const END: &str = "2026-08-01T00:00:00Z";

/// A contract for a year with something due and something that goes on in every part of it.
fn spec() -> Value {
    let mut spec = fixture::plain();
    let recurring = |distribution: &str, amount: &str| {
        json!({"recurringSchedule": {"amountDistribution": distribution, "frequency": "QUARTERLY", "amount": amount,
            "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2027-01-01T00:00:00Z"}})
    };
    let charge = |key: &str, schedule: Value| json!({"key": key, "productId": fixture::PRODUCT, "name": key, "schedule": schedule});
    spec["scheduledCharges"] = json!([
        charge("each", recurring("EACH", "2000")),
        charge("parts", recurring("DIVIDED", "1001")),
        charge("late", json!({"scheduleItems": [{"timestamp": "2026-10-01T00:00:00Z", "amount": "7"}]})),
    ]);
    let late = json!({"timestamp": "2026-09-01T00:00:00Z", "amount": "200000"});
    set(&mut spec, "/commits/0/invoiceSchedule/scheduleItems/-", late);
    for list in ["recurringCommits", "recurringCredits", "subscriptions"] {
        let mut item = fixture::recurring()[list][0].clone();
        for name in ["subscriptionConfig", "temporaryId"] {
            item.as_object_mut().unwrap().remove(name);
        }
        let mut late = item.clone();
        late["key"] = json!("late");
        late["startingAt"] = json!("2026-10-01T00:00:00Z");
        spec[list] = json!([item, late]);
    }
    spec["overrides"][0]["endingBefore"] = json!("2026-12-01T00:00:00Z");
    spec
}

#[test]
fn nothing_after_the_end_is_sent_with_a_new_contract() {
    let bench = Bench::created(&with(&spec(), "/endingBefore", json!(END)));
    let text = bench.api.contract.to_string();
    for late in ["2026-09-01", "2026-10-01", "2026-12-01", "2027-01-01"] {
        assert!(!text.contains(late), "{late}: {:#}", bench.api.contract);
    }
    let charges = bench.api.contract["scheduled_charges"].as_array().unwrap();
    assert_eq!(charges.len(), 2, "what begins after the end is no charge");
    let parts = charges[1]["schedule"]["schedule_items"].as_array().unwrap();
    let amounts: Vec<_> = parts.iter().map(|item| item["amount"].to_string().replace('"', "")).collect();
    assert_eq!(amounts, ["250.25"; 3], "what is divided keeps its parts");
}

#[test]
fn an_earlier_end_is_one_edit_and_what_it_cuts_off_is_never_put_back() {
    let mut bench = Bench::created(&spec());
    let shorter = with(&spec(), "/endingBefore", json!(END));
    let plan = written(bench.decide(&shorter));
    assert_eq!(edit_of(&plan), json!({"update_contract_end_date": END}));
    assert!(plan.summary().contains("fees"), "what is not due any more is shown: {}", plan.summary());
    bench.carry_out(&plan);
    assert_eq!(bench.decide(&shorter), Decision::InSync);
    bench.remember(&desired(&shorter));
    assert_eq!(bench.decide(&shorter), Decision::InSync);
}

#[test]
fn what_billing_keeps_after_the_end_is_taken_out() {
    let mut bench = Bench::created(&spec());
    let shorter = with(&spec(), "/endingBefore", json!(END));
    bench.api.keeps_after_end = true;
    bench.carry_out(&written(bench.decide(&shorter)));
    let edit = edit_of(&written(bench.decide(&shorter)));
    let removed = &edit["update_commits"][0]["invoice_schedule"]["remove_schedule_items"];
    assert_eq!(removed.as_array().map(Vec::len), Some(1), "{edit:#}");
    assert_eq!(edit["update_scheduled_charges"].as_array().map(Vec::len), Some(2), "{edit:#}");
    assert_eq!(edit["update_subscriptions"][0]["ending_before"], END);
    assert_eq!(bench.settle(&shorter).len(), 1);
}

#[test]
fn an_end_that_the_spec_does_not_say_cuts_as_well() {
    let open = with(&spec(), "/endingBefore", Value::Null);
    let mut bench = Bench::created(&open);
    bench.api.contract["ending_before"] = json!(END);
    api::end::cut(&mut bench.api.contract, &json!(END));
    assert_eq!(bench.decide(&open), Decision::InSync);
}

#[test]
fn a_later_end_brings_back_what_is_still_to_come() {
    let shorter = with(&spec(), "/endingBefore", json!(END));
    let mut bench = Bench::created(&shorter);
    let edit = edit_of(&written(bench.decide(&spec())));
    assert_eq!(edit["update_contract_end_date"], "2027-01-01T00:00:00Z");
    assert_eq!(edit["add_scheduled_charges"].as_array().map(Vec::len), Some(1), "{edit:#}");
    bench.settle(&spec());
}

#[test]
fn a_minimum_is_still_billed_when_the_contract_ends() {
    let mut spec = fixture::plain();
    let end = spec["endingBefore"].clone();
    spec["commits"][0]["type"] = json!("POSTPAID");
    spec["commits"][0]["invoiceSchedule"] =
        json!({"scheduleItems": [{"timestamp": end, "amount": "120000"}]});
    let mut bench = Bench::default();
    let plans = bench.settle(&spec);
    assert_eq!(plans.len(), 1);
    let invoiced = &bench.api.contract["commits"][0]["invoice_schedule"]["schedule_items"];
    assert_eq!(invoiced.as_array().map(Vec::len), Some(1), "{invoiced}");
    assert!(bench.settle(&spec).is_empty());
}

#[test]
fn an_override_that_ended_with_its_contract_goes_on_with_it() {
    let open = with(&fixture::plain(), "/overrides/0/endingBefore", Value::Null);
    let mut bench = Bench::created(&open);
    let shorter = with(&open, "/endingBefore", json!(END));
    bench.settle(&shorter);
    // Whether the API ends what has no end of its own is not known.
    bench.api.contract["overrides"][0]["ending_before"] = json!(END);
    assert_eq!(bench.decide(&shorter), Decision::InSync);
    for longer in [open.clone(), with(&open, "/endingBefore", json!("2026-10-01T00:00:00Z"))] {
        let mut bench = bench.clone();
        let plan = written(bench.decide(&longer));
        let edit = edit_of(&plan);
        assert_eq!(edit["remove_overrides"].as_array().map(Vec::len), Some(1), "{edit:#}");
        assert_eq!(edit["add_overrides"][0].get("ending_before"), None, "{edit:#}");
        assert!(plan.summary().contains("/endingBefore: - 2026-08-01"), "{}", plan.summary());
        bench.settle(&longer);
        let overrides = bench.api.contract["overrides"].as_array().unwrap();
        assert!(overrides.len() == 1 && overrides[0]["ending_before"].is_null(), "{overrides:?}");
    }
}
