//! The past is never billed again: what begins before now is not added where the contract has or had the like, unless the
//! spec or somebody who approves says so.

use super::{
    billed::{BILLED, RECURRING, one_of_each},
    *,
};
use crate::api::contract::ManagementPolicy;

const PAST: &str = "2026-03-01T00:00:00Z";
const TO_COME: &str = "2026-09-01T00:00:00Z";

fn without(spec: &Value, list: &str) -> Value {
    with(spec, &format!("/{list}"), Value::Null)
}

/// The first item of a list with another key and name.
fn renewed(spec: &Value, list: &str) -> Value {
    let spec = with(spec, &format!("/{list}/0/key"), json!("another"));
    with(&spec, &format!("/{list}/0/name"), json!("Another"))
}

/// All times of an item moved.
fn moved(item: &Value, to: &str) -> Value {
    let mut item = item.clone();
    match &mut item {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                match name.as_str() {
                    "startingAt" | "timestamp" => *value = json!(to),
                    "endingBefore" => *value = json!("2026-12-01T00:00:00Z"),
                    _ => *value = moved(value, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = moved(item, to)),
        _ => {}
    }
    item
}

#[track_caller]
fn is_backdated(decision: Decision, list: &str) {
    let refusal = refused(decision);
    assert_eq!(refusal.reason, "BackdatedItem", "{list}: {}", refusal.message);
    assert!(refusal.message.contains(&format!("/{list}/")), "{}", refusal.message);
    assert!(refusal.message.contains("`backdate: true`"), "{}", refusal.message);
}

#[test]
fn what_was_ended_and_comes_back_goes_on_and_is_not_added_again() {
    for list in RECURRING {
        let mut bench = Bench::created(&one_of_each());
        bench.settle(&without(&one_of_each(), list));
        let edit = edit_of(&written(bench.decide(&one_of_each())));
        let writes = &lists::LISTS.iter().find(|of| of.name == list).unwrap().writes;
        let lists::Writes::Edit { update: verb, .. } = *writes else {
            panic!("{list} is beside the contract")
        };
        assert_eq!(edit[verb][0]["ending_before"], Value::Null, "{list}: {edit}");
        assert_eq!(edit.as_object().unwrap().len(), 1, "{list}: {edit}");
        assert_eq!(bench.settle(&one_of_each()).len(), 1);
        let end = with(&one_of_each(), &format!("/{list}/0/endingBefore"), json!(TO_COME));
        bench.settle(&without(&one_of_each(), list));
        let edit = edit_of(&written(bench.decide(&end)));
        assert_eq!(edit[verb][0]["ending_before"], TO_COME, "{list}: {edit}");
    }
}

#[test]
fn what_has_ended_does_not_go_on_over_a_period_that_it_missed() {
    for list in RECURRING {
        let mut bench = Bench::created(&one_of_each());
        bench.settle(&without(&one_of_each(), list));
        let name = bench
            .api
            .contract
            .as_object()
            .unwrap()
            .keys()
            .find(|name| name.replace('_', "") == list.to_lowercase());
        let name = name.unwrap().clone();
        bench.api.contract[name.as_str()][0]["ending_before"] = json!("2026-04-15T00:00:00Z");
        is_backdated(bench.decide(&one_of_each()), list);
        let said = with(&one_of_each(), &format!("/{list}/0/backdate"), json!(true));
        let plan = written(bench.decide(&said));
        assert!(plan.summary().contains("bills the past from 2026-05-01"), "{}", plan.summary());
        bench.api.contract[name.as_str()][0]["ending_before"] = json!("2026-06-01T09:00:00Z");
        assert_eq!(bench.settle(&one_of_each()).len(), 1, "no period has begun since");
    }
}

#[test]
fn a_period_is_missed_that_begins_after_the_end_by_its_own_count_and_before_now() {
    let commit = ("recurringCommits", "recurring_commits", "recurrenceFrequency");
    let subscription = ("subscriptions", "subscriptions", "quantityManagementMode");
    for ((list, name, member), value, start, end, missed) in [
        (commit, "DAILY", "2026-01-01", "2026-05-20", Some("2026-05-20")),
        (commit, "WEEKLY", "2026-01-01", "2026-05-20", Some("2026-05-21")),
        (commit, "MONTHLY", "2026-01-01", "2026-05-20", Some("2026-06-01")),
        (commit, "QUARTERLY", "2026-01-01", "2026-03-15", Some("2026-04-01")),
        (commit, "QUARTERLY", "2026-01-01", "2026-04-01", Some("2026-04-01")),
        (commit, "QUARTERLY", "2026-01-01", "2026-04-02", None),
        (commit, "ANNUAL", "2024-05-01", "2026-02-10", Some("2026-05-01")),
        (commit, "ANNUAL", "2026-01-01", "2026-04-02", None),
        // It counts from its own start, and not from the contract's; of a subscription it is not told from which.
        (commit, "MONTHLY", "2026-01-15", "2026-05-20", None),
        (subscription, "QUANTITY_ONLY", "2026-01-15", "2026-05-20", Some("2026-06-01")),
    ] {
        let spec = with(&one_of_each(), &format!("/{list}/0/{member}"), json!(value));
        let spec = with(&spec, &format!("/{list}/0/startingAt"), json!(format!("{start}T00:00:00Z")));
        let mut bench = Bench::created(&spec);
        bench.settle(&without(&spec, list));
        bench.api.contract[name][0]["ending_before"] = json!(format!("{end}T00:00:00Z"));
        let Some(missed) = missed else {
            assert_eq!(bench.settle(&spec).len(), 1, "{value} {start} {end}");
            continue;
        };
        is_backdated(bench.decide(&spec), list);
        let plan = written(bench.decide(&with(&spec, &format!("/{list}/0/backdate"), json!(true))));
        let said = format!("bills the past from {missed}T00:00:00Z on");
        assert!(plan.summary().contains(&said), "{value} {start} {end}: {}", plan.summary());
        // At the very moment at which it begins, it is not missed yet.
        let (desired, now) = (desired(&spec), format!("{missed}T00:00:00Z").parse().unwrap());
        written(super::plan(&desired, bench.seen(&desired).as_ref(), &bench.recorded, &bench.policy, now));
    }
}

#[test]
fn an_end_of_the_contract_that_was_set_and_is_put_back_lets_what_recurs_go_on() {
    let earlier = "2026-09-01T00:00:00Z";
    let items = ["recurring_commits", "recurring_credits", "subscriptions"];
    for end in [one_of_each()["endingBefore"].clone(), Value::Null] {
        let spec = with(&one_of_each(), "/endingBefore", end);
        let mut bench = Bench::created(&spec);
        // Where the spec has no end, whoever set one takes it back himself.
        let end = spec.get("endingBefore").map(|_| json!(earlier));
        bench.api.contract["ending_before"] = json!(end);
        for list in items {
            bench.api.contract[list][0]["ending_before"] = json!(earlier);
        }
        let edit = edit_of(&written(bench.decide(&spec)));
        for list in items {
            assert_eq!(edit[format!("update_{list}")][0]["ending_before"], Value::Null, "{edit}");
            assert!(edit[format!("update_{list}")][0].get("ending_before").is_some(), "{edit}");
        }
        assert_eq!(bench.settle(&spec).len(), 1);
        assert_eq!(bench.api.contract["ending_before"].is_null(), spec.get("endingBefore").is_none());
        // One that the spec ends is not extended beyond that.
        let ended = with(&spec, "/recurringCommits/0/endingBefore", json!("2026-12-01T00:00:00Z"));
        bench.settle(&ended);
        bench.api.contract["recurring_commits"][0]["ending_before"] = json!(earlier);
        let edit = edit_of(&written(bench.decide(&ended)));
        assert_eq!(edit["update_recurring_commits"][0]["ending_before"], "2026-12-01T00:00:00Z");
    }
}

#[test]
fn what_was_archived_or_ended_is_not_added_again_with_its_past() {
    for list in BILLED {
        for change in [renewed, |spec: &Value, _: &str| spec.clone()] {
            let spec = change(&one_of_each(), list);
            // The same goes on; a subscription can be renamed as well.
            if (RECURRING.contains(&list) && spec == one_of_each()) || list == "subscriptions" {
                continue;
            }
            let mut bench = Bench::created(&one_of_each());
            bench.settle(&without(&one_of_each(), list));
            is_backdated(bench.decide(&spec), list);
            bench.forget();
            bench.recorded.contract_id = bench.api.contract["id"].as_str().map(str::to_owned);
            let decision = bench.decide(&spec);
            assert!(matches!(decision, Decision::Refuse(_)), "{list}, with the record lost: {decision:?}");
        }
    }
}

#[test]
fn another_key_in_the_place_of_an_item_does_not_bill_its_past_again() {
    for list in BILLED {
        let bench = Bench::created(&one_of_each());
        let renewed = renewed(&one_of_each(), list);
        is_backdated(bench.decide(&renewed), list);
        let mut to_come = renewed.clone();
        to_come[list][0] = moved(&renewed[list][0], TO_COME);
        let edit = edit_of(&written(bench.decide(&to_come)));
        assert_eq!(edit.as_object().unwrap().len(), 2, "one goes and one comes: {list}: {edit}");
        // What begins at this very moment is not past, and a second later it is.
        let at = "2026-06-01T11:00:00Z";
        to_come[list][0] = moved(&renewed[list][0], at);
        let desired = desired(&to_come);
        let decide = |seconds| {
            let now = at.parse::<DateTime<Utc>>().unwrap() + chrono::TimeDelta::seconds(seconds);
            plan(&desired, bench.seen(&desired).as_ref(), &bench.recorded, &bench.policy, now)
        };
        written(decide(0));
        is_backdated(decide(1), list);
    }
}

#[test]
fn what_comes_into_another_list_is_the_same_where_it_is_of_the_same_product_and_amount() {
    for (product, amount, is_same) in [
        (fixture::PRODUCT, "120000", true),
        (fixture::PRODUCT, "7", false),
        (fixture::OTHER, "120000", false),
    ] {
        let charge = json!({"key": "fee", "productId": product, "name": "Fee",
            "schedule": {"scheduleItems": [{"timestamp": PAST, "amount": amount}]}});
        let spec = with(&without(&fixture::plain(), "commits"), "/scheduledCharges/-", charge);
        let decision = Bench::created(&fixture::plain()).decide(&spec);
        if is_same { is_backdated(decision, "scheduledCharges") } else { drop(written(decision)) }
    }
}

#[test]
fn the_past_is_billed_again_where_the_spec_says_so_or_a_plan_that_names_it_is_approved() {
    for list in BILLED {
        let mut bench = Bench::created(&one_of_each());
        let said = with(&renewed(&one_of_each(), list), &format!("/{list}/0/backdate"), json!(true));
        let plan = written(bench.decide(&said));
        assert!(plan.summary().contains("/backdate: + bills the past from 2026-01-01"), "{}", plan.summary());
        assert!(!plan.calls[0].body.contains("backdate"), "{}", plan.calls[0].body);
        bench.policy.management = ManagementPolicy::Plan;
        let Decision::AwaitApproval(plan) = bench.decide(&renewed(&one_of_each(), list)) else {
            panic!("{list}")
        };
        assert!(plan.changes.iter().any(|change| change.path == format!("/{list}/another/backdate")));
        bench.policy.approved = Some(plan.digest.to_string());
        written(bench.decide(&renewed(&one_of_each(), list)));
        bench.policy.management = ManagementPolicy::Observe;
        assert!(!reported(bench.decide(&renewed(&one_of_each(), list))).is_empty());
    }
}

#[test]
fn another_item_beside_one_that_stays_may_begin_in_the_past_unless_both_bill_every_period() {
    for list in BILLED {
        let mut spec = one_of_each();
        let more = renewed(&one_of_each(), list)[list][0].clone();
        spec[list].as_array_mut().unwrap().push(more);
        let mut bench = Bench::created(&one_of_each());
        if !RECURRING.contains(&list) {
            written(bench.decide(&spec));
            continue;
        }
        is_backdated(bench.decide(&spec), list);
        // So it is after a write, when what was in force is not what the spec says any more.
        bench.recorded.applied_spec = None;
        is_backdated(bench.decide(&spec), list);
    }
}

#[test]
fn what_recurs_by_the_hand_of_somebody_else_counts_as_well() {
    for (list, name) in RECURRING.iter().zip(["recurring_commits", "recurring_credits", "subscriptions"]) {
        let mut bench = Bench::created(&without(&one_of_each(), list));
        let mut other = Bench::created(&one_of_each()).api.contract[name][0].clone();
        other["id"] = json!("of-others");
        other["starting_at"] = json!("2026-02-01T00:00:00+00:00");
        bench.api.contract[name] = json!([other]);
        is_backdated(bench.decide(&one_of_each()), list);
    }
}

#[test]
fn a_part_of_a_schedule_is_not_added_to_the_past() {
    for (place, item) in [
        ("/commits/0/invoiceSchedule/scheduleItems/-", json!({"timestamp": PAST, "amount": "5"})),
        ("/scheduledCharges/0/schedule/scheduleItems/-", json!({"timestamp": PAST, "amount": "5"})),
        (
            "/credits/0/accessSchedule/scheduleItems/-",
            json!({"startingAt": PAST, "endingBefore": "2026-12-01T00:00:00Z", "amount": "5"}),
        ),
    ] {
        let bench = Bench::created(&fixture::plain());
        let list = place.split('/').nth(1).unwrap();
        let spec = with(&fixture::plain(), place, item.clone());
        is_backdated(bench.decide(&spec), list);
        written(bench.decide(&with(&spec, &format!("/{list}/0/backdate"), json!(true))));
        written(bench.decide(&with(&fixture::plain(), place, moved(&item, TO_COME))));
    }
    // Somebody took an invoice out of billing: it is not made once more.
    let mut bench = Bench::created(&fixture::plain());
    bench.api.contract["commits"][0]["invoice_schedule"]["schedule_items"] = json!([]);
    is_backdated(bench.decide(&fixture::plain()), "commits");
}

#[test]
fn a_part_of_a_schedule_that_is_still_to_come_is_not_moved_into_the_past() {
    for (list, place, item) in [
        ("commits", "invoiceSchedule", json!({"timestamp": TO_COME, "amount": "5"})),
        ("scheduledCharges", "schedule", json!({"timestamp": TO_COME, "amount": "5"})),
        (
            "credits",
            "accessSchedule",
            json!({"startingAt": TO_COME, "endingBefore": "2026-12-01T00:00:00Z", "amount": "5"}),
        ),
    ] {
        let place = format!("/{list}/0/{place}/scheduleItems/-");
        let bench = Bench::created(&with(&fixture::plain(), &place, item.clone()));
        let spec = with(&fixture::plain(), &place, moved(&item, PAST));
        is_backdated(bench.decide(&spec), list);
        let plan = written(bench.decide(&with(&spec, &format!("/{list}/0/backdate"), json!(true))));
        assert!(plan.summary().contains(&format!("bills the past from {PAST}")), "{}", plan.summary());
        written(bench.decide(&with(&fixture::plain(), &place, moved(&item, "2026-10-01T00:00:00Z"))));
    }
}

#[test]
fn a_charge_with_past_items_is_not_replaced_to_rename_it() {
    let spec = fixture::plain();
    let bench = Bench::created(&spec);
    let renamed = with(&spec, "/scheduledCharges/0/name", json!("Onboarding"));
    let refusal = refused(bench.decide(&renamed));
    assert_eq!(refusal.reason, "ImmutableField");
    for words in [
        "/scheduledCharges/setup/name: Set-up -> Onboarding",
        "another `key`",
        "`startingAt`",
        "still to come",
    ] {
        assert!(refusal.message.contains(words), "{}", refusal.message);
    }
    let plan = written(bench.decide(&with(&renamed, "/scheduledCharges/0/backdate", json!(true))));
    let lines = plan.changes.iter().map(Change::to_string).collect::<Vec<_>>().join("\n");
    for words in
        ["/scheduledCharges/setup: - ", "/scheduledCharges/setup: + ", "bills the past from 2026-01-01"]
    {
        assert!(lines.contains(words), "{lines}");
    }
}

#[test]
fn what_was_archived_counts_though_billing_does_not_show_it() {
    for list in ["commits", "credits", "scheduledCharges"] {
        let mut bench = Bench::created(&one_of_each());
        bench.carry_out(&written(bench.decide(&without(&one_of_each(), list))));
        let name = if list == "scheduledCharges" { "scheduled_charges" } else { list };
        bench.api.contract[name] = json!([]);
        for _ in 0..2 {
            bench.remember(&desired(&without(&one_of_each(), list)));
        }
        is_backdated(bench.decide(&one_of_each()), list);
        is_backdated(bench.decide(&renewed(&one_of_each(), list)), list);
    }
}

#[test]
fn what_bills_the_same_already_is_not_billed_again_though_it_is_taken_for_that_of_others() {
    // A create that was not recorded, a name that billing trims, and a backup of the cluster that lacks the commit.
    let spec = fixture::plain();
    let mut bench = Bench::created(&spec);
    bench.api.contract["commits"][0]["name"] = json!("Another name");
    bench.api.contract["commits"][0].as_object_mut().unwrap().remove("created_at");
    bench.forget();
    bench.remember(&desired(&without(&spec, "commits")));
    assert!(matches!(bench.decide(&without(&spec, "commits")), Decision::Report(_)));
    is_backdated(bench.decide(&spec), "commits");
    let said = with(&spec, "/commits/0/backdate", json!(true));
    assert_eq!(edit_of(&written(bench.decide(&said)))["add_commits"].as_array().map(Vec::len), Some(1));
    let another = with(&spec, "/commits/0/accessSchedule/scheduleItems/0/amount", json!("7"));
    assert_eq!(edit_of(&written(bench.decide(&another)))["add_commits"].as_array().map(Vec::len), Some(1));
}

#[test]
fn another_type_or_frequency_under_another_key_does_not_bill_the_past_again_and_the_advice_says_how() {
    for (list, member, value) in
        [("subscriptions", "subscriptionRate/billingFrequency", "ANNUAL"), ("commits", "type", "POSTPAID")]
    {
        let bench = Bench::created(&one_of_each());
        let place = format!("/{list}/0/{member}");
        // In place it is refused, with a way out that takes another key and a new start.
        assert_eq!(
            refused(bench.decide(&with(&one_of_each(), &place, json!(value)))).reason,
            "ImmutableField"
        );
        let spec = with(&renewed(&one_of_each(), list), &place, json!(value));
        is_backdated(bench.decide(&spec), list);
        let item = moved(&spec[list][0], TO_COME);
        let plan = written(bench.decide(&with(&spec, &format!("/{list}/0"), item)));
        assert!(!plan.summary().contains("bills the past"), "{list}: {}", plan.summary());
    }
}

#[test]
fn an_id_in_capitals_is_the_same_product_for_what_was_billed_and_the_same_unit_for_what_is_shown() {
    let upper = |spec: &Value, id: &str| -> Value {
        serde_json::from_str(&spec.to_string().replace(id, &id.to_uppercase())).unwrap()
    };
    let mut bench = Bench::created(&fixture::plain());
    // The charge becomes a commit: what it billed is billed by neither twice.
    let mut commit = fixture::plain()["commits"][0].clone();
    commit["key"] = json!("setup");
    for place in ["/accessSchedule/scheduleItems/0/amount", "/invoiceSchedule/scheduleItems/0/amount"] {
        set(&mut commit, place, json!("99900"));
    }
    let spec = with(&without(&fixture::plain(), "scheduledCharges"), "/commits", json!([commit]));
    is_backdated(bench.decide(&upper(&spec, fixture::PRODUCT)), "commits");
    let usd = crate::plan::USD_CENTS;
    let mut terms = fixture::plain();
    for schedule in ["accessSchedule", "invoiceSchedule"] {
        terms["commits"][0][schedule]["creditTypeId"] = json!(usd.to_uppercase());
        terms["commits"][0][schedule]["scheduleItems"][0]["amount"] = json!("130000");
    }
    let plan = written(bench.decide(&terms));
    assert!(plan.summary().contains("committed: 1200.00 -> 1300.00 USD"), "{}", plan.summary());
    assert!(plan.effect.fixed.iter().all(|fixed| fixed.unit.label() == "USD"), "{:?}", plan.effect.fixed);
    bench.settle(&terms);
}

/// An item of a list that gives, and bills where it can, an amount at each of some moments.
fn in_parts(list: &str, key: &str, parts: &[(&str, &str)]) -> Value {
    let access: Vec<_> = parts
        .iter()
        .map(|(at, amount)| json!({"startingAt": at, "endingBefore": "2027-01-01T00:00:00Z", "amount": amount}))
        .collect();
    let invoice: Vec<_> =
        parts.iter().map(|(at, amount)| json!({"timestamp": at, "amount": amount})).collect();
    let mut item = json!({"key": key, "productId": fixture::OTHER, "name": "Parts"});
    if list == "scheduledCharges" {
        item["schedule"] = json!({"scheduleItems": invoice});
        return item;
    }
    item["accessSchedule"] = json!({"scheduleItems": access});
    item["priority"] = json!("1");
    if list.ends_with("ommits") {
        item["type"] = json!("PREPAID");
        item["invoiceSchedule"] = json!({"scheduleItems": invoice});
    }
    item
}

#[test]
fn an_item_that_is_split_in_two_does_not_bill_its_past_again() {
    let (first, second) = ("2026-02-01T00:00:00Z", PAST);
    for list in ["commits", "credits", "scheduledCharges", "customerCommits", "customerCredits"] {
        let spec = |items: Value| with(&fixture::plain(), &format!("/{list}"), items);
        let of = |key: &str, parts: &[(&str, &str)]| in_parts(list, key, parts);
        let whole = of("a", &[(first, "200"), (second, "100"), (TO_COME, "100")]);
        let bench = Bench::created(&spec(json!([whole])));
        let by_time =
            spec(json!([of("a", &[(first, "200")]), of("b", &[(second, "100"), (TO_COME, "100")])]));
        let by_amount =
            [of("a", &[(first, "120"), (second, "100"), (TO_COME, "100")]), of("b", &[(first, "80")])];
        for two in [by_time, spec(json!(by_amount))] {
            is_backdated(bench.decide(&two), list);
            let position = two[list].as_array().unwrap().len() - 1;
            let meant = with(&two, &format!("/{list}/{position}/backdate"), json!(true));
            let plan = written(bench.decide(&meant));
            assert!(plan.changes.iter().any(|change| change.path.ends_with("/b/backdate")), "{list}");
        }
        // What is still to come moves without a word, and so does another item of the product come beside it.
        let later = spec(json!([of("a", &[(first, "200"), (second, "100")]), of("b", &[(TO_COME, "100")])]));
        bench.clone().settle(&later);
        let other = spec(json!([whole, of("b", &[("2026-04-01T00:00:00Z", "5")])]));
        bench.clone().settle(&other);
    }
}
