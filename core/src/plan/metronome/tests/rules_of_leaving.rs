//! Rules of what leaves the spec, beside the walk over every field.

use super::*;
use crate::api::contract::ManagementPolicy;

/// A place taken out of a spec.
fn without(spec: &Value, places: &[&str]) -> Value {
    places.iter().fold(spec.clone(), |spec, place| with(&spec, place, Value::Null))
}

fn bench_of(spec: &Value) -> Bench {
    let mut bench = Bench::default();
    bench.settle_for(&fields::meant(spec).unwrap());
    bench
}

fn decide(bench: &Bench, spec: &Value) -> Decision {
    bench.decide_for(&fields::meant(spec).unwrap())
}

#[test]
fn an_override_that_no_longer_applies_to_commits_alone_is_replaced() {
    let mut spec = fixture::plain();
    spec["overrides"][0]["isCommitSpecific"] = json!(true);
    spec["overrides"][0]["target"] = json!("COMMIT_RATE");
    spec["overrides"][0]["priority"] = json!("3");
    let bench = bench_of(&spec);
    for places in [
        &["/overrides/0/isCommitSpecific", "/overrides/0/target"][..],
        &["/overrides/0/target"],
        &["/overrides/0/priority"],
    ] {
        let left = without(&spec, places);
        let edit = edit_of(&written(decide(&bench, &left)));
        assert_eq!(edit["remove_overrides"].as_array().unwrap().len(), 1, "{places:?}");
        assert_eq!(edit["add_overrides"].as_array().unwrap().len(), 1, "{places:?}");
        assert_eq!(bench.clone().settle(&left).len(), 1, "{places:?}");
    }
}

#[test]
fn a_contract_without_a_record_of_what_was_set_stays_as_it_is() {
    for spec in fixture::all() {
        let mut bench = bench_of(&spec);
        let set = std::mem::take(&mut bench.recorded.set);
        assert_eq!(decide(&bench, &spec), Decision::InSync);
        bench.remember(&fields::meant(&spec).unwrap());
        assert_eq!(bench.recorded.set, set, "one look records what was never recorded");
        bench.remember(&fields::meant(&spec).unwrap());
        assert_eq!(bench.recorded.set, set, "and the next look changes nothing");
    }
}

#[test]
fn what_the_spec_never_said_stays_the_apis() {
    let mut bench = bench_of(&fixture::plain());
    let commit = &mut bench.api.contract["commits"][0];
    commit["rollover_fraction"] = json!("0.5");
    commit["description"] = json!("by hand");
    commit["hierarchy_configuration"] = json!({"child_access": {"type": "ALL"}});
    assert_eq!(decide(&bench, &fixture::plain()), Decision::InSync);
    bench.remember(&fields::meant(&fixture::plain()).unwrap());
    assert_eq!(decide(&bench, &fixture::plain()), Decision::InSync);
}

#[test]
fn a_value_that_was_never_in_force_is_not_recorded() {
    let place = "/commits/0/rolloverFraction";
    let mut bench = bench_of(&fixture::plain());
    bench.api.contract["commits"][0]["rollover_fraction"] = json!("0.5");
    bench.policy.management = ManagementPolicy::Observe;
    let other = with(&fixture::plain(), place, json!("0.25"));
    assert_eq!(reported(decide(&bench, &other)), ["/commits/launch/rolloverFraction: 0.5 -> 0.25"]);
    bench.remember(&fields::meant(&other).unwrap());
    bench.policy.management = ManagementPolicy::Apply;
    assert_eq!(decide(&bench, &fixture::plain()), Decision::InSync, "what somebody else set is theirs");
}

#[test]
fn a_name_or_a_custom_field_that_was_never_in_force_is_not_recorded() {
    let mut bench = bench_of(&without(&fixture::plain(), &["/name"]));
    bench.api.contract["name"] = json!("theirs");
    bench.api.contract["custom_fields"] = json!({"team": "theirs"});
    bench.policy.management = ManagementPolicy::Observe;
    let other = with(&fixture::plain(), "/customFields", json!({"team": "sales"}));
    assert_eq!(reported(decide(&bench, &other)).len(), 2);
    bench.remember(&fields::meant(&other).unwrap());
    bench.policy.management = ManagementPolicy::Apply;
    assert_eq!(decide(&bench, &without(&fixture::plain(), &["/name"])), Decision::InSync);
}

#[test]
fn what_left_the_spec_is_still_known_after_a_pass_that_could_not_take_it_out() {
    let spec = with(&fixture::plain(), "/commits/0/rolloverFraction", json!("0.25"));
    let mut bench = bench_of(&spec);
    let left = fixture::plain();
    for _ in 0..2 {
        bench.remember(&fields::meant(&left).unwrap());
        let edit = edit_of(&written(decide(&bench, &left)));
        assert_eq!(edit["update_commits"][0]["rollover_fraction"], Value::Null);
    }
    bench.settle(&left);
    bench.api.contract["commits"][0]["rollover_fraction"] = json!("0.25");
    assert_eq!(decide(&bench, &left), Decision::InSync, "what somebody else sets later is theirs");
}

#[test]
fn what_leaves_an_item_that_gets_another_key_is_not_forgotten() {
    let spec = with(&fixture::plain(), "/commits/0/rolloverFraction", json!("0.25"));
    let bench = bench_of(&spec);
    let mut renamed = fixture::plain();
    renamed["commits"][0]["key"] = json!("start");
    let edit = edit_of(&written(decide(&bench, &renamed)));
    assert_eq!(edit["update_commits"][0].get("rollover_fraction"), Some(&Value::Null));
}

#[test]
fn what_leaves_the_spec_is_left_to_billing_where_the_spec_says_so() {
    let spec =
        with(&fixture::plain(), "/commits/0/hierarchyConfiguration", json!({"childAccess": {"type": "ALL"}}));
    let mut bench = bench_of(&spec);
    let refusal = refused(decide(&bench, &fixture::plain()));
    assert!(refusal.message.contains("/commits/launch/hierarchyConfiguration"), "{}", refusal.message);
    assert!(refusal.message.contains("`spec.ignoreDrift`"), "{}", refusal.message);
    bench.policy.ignore = vec!["/commits/launch/hierarchyConfiguration".into()];
    assert_eq!(decide(&bench, &fixture::plain()), Decision::InSync);
}

#[test]
fn a_commit_that_is_no_longer_invoiced_is_shown_with_what_it_costs_no_more() {
    let spec = fixture::plain();
    let mut bench = bench_of(&spec);
    let plan = written(decide(&bench, &without(&spec, &["/commits/0/invoiceSchedule"])));
    let summary = plan.summary();
    assert!(
        summary.contains("/commits/launch/invoiceSchedule/scheduleItems/2026-01-01T00:00:00Z: -"),
        "{summary}"
    );
    assert!(summary.contains("-1200 USD") || summary.contains("-1200.00"), "{summary}");
    let free = without(&spec, &["/commits/0/invoiceSchedule"]);
    assert_eq!(bench.settle(&free).len(), 1);
    let refusal = refused(decide(&bench, &spec));
    assert_eq!(refusal.reason, "BackdatedItem", "what was taken back in the past is not invoiced again");
}

#[test]
fn a_recurring_commit_without_an_invoice_costs_nothing_from_the_next_one_on() {
    let spec = fixture::recurring();
    let bench = bench_of(&spec);
    let plan = written(decide(&bench, &without(&spec, &["/recurringCommits/0/invoiceAmount"])));
    let sent = &edit_of(&plan)["update_recurring_commits"][0]["invoice_amount"];
    assert_eq!(sent.as_object().unwrap().len(), 1);
    assert_eq!(sent["unit_price"].to_string().trim_matches('"'), "0");
    let summary = plan.summary();
    assert!(
        summary.contains("/recurringCommits/monthly/invoiceAmount/unitPrice: 90 -> 0 0e3b5a52"),
        "{summary}"
    );
}

#[test]
fn an_end_that_has_passed_is_not_taken_back() {
    let end = "/recurringCommits/0/endingBefore";
    let spec = with(&fixture::narrow(), end, json!("2026-03-01T00:00:00Z"));
    let bench = bench_of(&spec);
    let refusal = refused(decide(&bench, &fixture::narrow()));
    assert_eq!(refusal.reason, "BackdatedItem");
    assert!(refusal.message.contains("/recurringCommits/monthly/endingBefore"), "{}", refusal.message);
    assert_eq!(refusal.reason, "BackdatedItem", "months have passed since");
    let later = with(&fixture::narrow(), end, json!("2026-09-01T00:00:00Z"));
    let edit = edit_of(&written(decide(&bench_of(&later), &fixture::narrow())));
    assert_eq!(edit["update_recurring_commits"][0].get("ending_before"), Some(&Value::Null));
}

#[test]
fn a_threshold_that_leaves_the_spec_is_turned_off_and_can_come_back() {
    let spec = fixture::watched();
    let mut bench = bench_of(&spec);
    let left = without(&spec, &["/spendThresholdConfiguration"]);
    let plan = written(decide(&bench, &left));
    assert_eq!(edit_of(&plan), json!({"update_spend_threshold_configuration": {"is_enabled": false}}));
    assert_eq!(plan.changes.len(), 1);
    bench.settle(&left);
    assert!(bench.settle(&left).is_empty());
    let plans = bench.settle(&spec);
    assert_eq!(edit_of(&plans[0]), json!({"update_spend_threshold_configuration": {"is_enabled": true}}));
}

#[test]
fn the_unit_of_an_amount_that_leaves_the_spec_is_a_difference_of_unit() {
    const EUR: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a1e0";
    for recorded in [true, false] {
        let mut spec = fixture::plain();
        for place in
            ["/commits/0/accessSchedule", "/commits/0/invoiceSchedule", "/scheduledCharges/0/schedule"]
        {
            set(&mut spec, &format!("{place}/creditTypeId"), json!(EUR));
        }
        // Still to come: what is in the past is not replaced, since it would be billed again.
        let due = "/scheduledCharges/0/schedule/scheduleItems/0/timestamp";
        set(&mut spec, due, json!("2026-09-01T00:00:00Z"));
        let mut bench = bench_of(&spec);
        if !recorded {
            bench.recorded.set = SetTerms::default();
        }
        let mut commit = without(
            &spec,
            &["/commits/0/accessSchedule/creditTypeId", "/commits/0/invoiceSchedule/creditTypeId"],
        );
        set(&mut commit, "/commits/0/invoiceSchedule/scheduleItems/0/amount", json!("110000"));
        let refusal = refused(decide(&bench, &commit));
        assert_eq!(refusal.reason, "ImmutableField");
        assert!(
            refusal.message.contains("/commits/launch/invoiceSchedule/creditTypeId"),
            "{}",
            refusal.message
        );
        let mut charge = without(&spec, &["/scheduledCharges/0/schedule/creditTypeId"]);
        set(&mut charge, "/scheduledCharges/0/schedule/scheduleItems/0/amount", json!("110000"));
        let plan = written(decide(&bench, &charge));
        let edit = edit_of(&plan);
        assert!(
            edit["archive_scheduled_charges"].is_array() && edit["add_scheduled_charges"].is_array(),
            "{edit:#}"
        );
        let summary = plan.summary();
        assert!(
            summary.contains("amount: 99900 A unit -> 1100.00 USD"),
            "euros before, dollars after: {summary}"
        );
    }
}

#[test]
fn a_threshold_that_is_counted_in_another_unit_shows_each_amount_in_its_own() {
    let spec = fixture::watched();
    let mut bench = bench_of(&spec);
    let left = without(&spec, &["/prepaidBalanceThresholdConfiguration/customCreditTypeId"]);
    let plan = written(decide(&bench, &left));
    let sent = &edit_of(&plan)["update_prepaid_balance_threshold_configuration"];
    assert_eq!(sent.get("custom_credit_type_id"), Some(&Value::Null));
    assert!(sent.get("threshold_amount").is_some() && sent.get("recharge_to_amount").is_some(), "{sent}");
    assert!(plan.summary().contains("-> 5000.00 USD"), "{}", plan.summary());
    assert_eq!(bench.settle(&left).len(), 1);
}

#[test]
fn a_filter_that_changes_without_its_old_date_applies_from_the_next_hour() {
    let filter = |filter: Value| with(&fixture::plain(), "/usageFilter", filter);
    let dated = json!({"groupKey": "project", "groupValues": ["a"], "startingAt": "2026-03-01T00:00:00Z"});
    let mut bench = bench_of(&filter(dated));
    let undated = filter(json!({"groupKey": "project", "groupValues": ["a"]}));
    assert!(refused(decide(&bench, &undated)).message.contains("/usageFilter/startingAt"));
    let other = filter(json!({"groupKey": "project", "groupValues": ["b"]}));
    assert_eq!(bench.settle(&other).len(), 1);
    assert!(bench.settle(&other).is_empty());
}
