//! Single rules of planning, on contracts that are settled.

use super::*;
use crate::api::contract::DriftPolicy;

fn id<'v>(bench: &'v Bench, list: &str, index: usize) -> &'v Value {
    &bench.api.contract[list][index]["id"]
}

fn remove(spec: &Value, pointer: &str) -> Value {
    with(spec, pointer, Value::Null)
}

/// One more commit of the contract, as the API tells one that the spec does not have.
fn another_commit(bench: &mut Bench, members: &Value) {
    let mut commit = bench.api.contract["commits"][0].clone();
    commit["id"] = json!("commit-of-others");
    commit.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    bench.api.contract["commits"].as_array_mut().unwrap().push(commit);
}

#[test]
fn items_may_be_listed_in_any_order() {
    let mut spec = fixture::dated();
    spec["commits"].as_array_mut().unwrap().reverse();
    let mut bench = Bench::default();
    bench.settle_for(&fields::meant(&spec).unwrap());
    let launch = id(&bench, "commits", 0).clone();
    assert_eq!(bench.recorded.items.get("commits/launch").map(String::as_str), launch.as_str());
    spec["commits"].as_array_mut().unwrap().reverse();
    assert_eq!(bench.decide_for(&fields::meant(&spec).unwrap()), Decision::InSync);
    set(&mut spec, "/commits/0/name", json!("Launch 2"));
    let plan = written(bench.decide_for(&fields::meant(&spec).unwrap()));
    assert_eq!(edit_of(&plan), json!({"update_commits": [{"commit_id": launch, "name": "Launch 2"}]}));
}

#[test]
fn a_threshold_that_the_api_turned_off_is_reported_and_stays_off() {
    let spec = fixture::watched();
    let mut bench = Bench::created(&spec);
    bench.api.contract["spend_threshold_configuration"]["is_enabled"] = json!(false);
    let found = reported(bench.decide(&spec));
    assert_eq!(found, ["/spendThresholdConfiguration/isEnabled: false -> true"]);
    let off = with(&spec, "/spendThresholdConfiguration/isEnabled", json!(false));
    bench.settle(&off);
    let plans = bench.settle(&spec);
    let on = json!({"update_spend_threshold_configuration": {"is_enabled": true}});
    assert_eq!(edit_of(&plans[0]), on, "it was the spec that turned it off and on");
}

#[test]
fn a_threshold_that_comes_into_the_spec_is_added_as_a_whole() {
    for name in ["spendThresholdConfiguration", "prepaidBalanceThresholdConfiguration"] {
        let mut bench = Bench::created(&fixture::plain());
        let threshold = fixture::gated()[name].clone();
        let plans = bench.settle(&with(&fixture::plain(), &format!("/{name}"), threshold));
        let mut added = json!({"is_enabled": false, "threshold_amount": "1", "commit": {"product_id": fixture::OTHER},
            "payment_gate_config": {"payment_gate_type": "EXTERNAL"}});
        let verb = if name.starts_with("spend") {
            "add_spend_threshold_configuration"
        } else {
            added["recharge_to_amount"] = json!("3");
            "add_prepaid_balance_threshold_configuration"
        };
        assert_eq!(numbers_as_text(&edit_of(&plans[0])), json!({verb: added}));
        assert_eq!(plans.len(), 1);
    }
}

#[test]
fn where_revenue_goes_is_set_on_a_contract_that_has_none_and_never_moved() {
    let configuration = json!({"provider": "netsuite", "deliveryMethod": "direct_to_billing_provider"});
    let spec = with(&fixture::plain(), "/revenueSystemConfiguration", configuration);
    let mut bench = Bench::created(&fixture::plain());
    let plans = bench.settle(&spec);
    let update = json!({"schedule": {"effective_at": "START_OF_CURRENT_PERIOD"}, "revenue_system_configuration":
        {"provider": "netsuite", "delivery_method": "direct_to_billing_provider"}});
    assert_eq!(edit_of(&plans[0]), json!({"add_revenue_system_configuration_update": update}));
    let elsewhere =
        with(&spec, "/revenueSystemConfiguration", json!({"revenueSystemConfigurationId": "other"}));
    assert_eq!(refused(bench.decide(&elsewhere)).reason, "ImmutableField");
}

#[test]
fn a_spend_tracker_that_somebody_else_made_is_reported_and_one_of_ours_is_replaced_to_change_it() {
    let spec = fixture::watched();
    let mut bench = Bench::created(&spec);
    let mut other = bench.api.contract["spend_trackers"][0].clone();
    other["alias"] = json!("of-others");
    bench.api.contract["spend_trackers"].as_array_mut().unwrap().push(other);
    let found = reported(bench.decide(&spec));
    assert!(found.len() == 1 && found[0].starts_with("/spendTrackers/of-others: - "), "{found:?}");
    let changed = with(&spec, "/spendTrackers/1/applicableSpendSpecifiers/0/sources", json!(["MANUAL"]));
    // Its alias is free again only once it is archived.
    let edits: Vec<_> = written(bench.decide(&changed)).calls.iter().map(body).collect();
    assert_eq!(edits[0]["archive_spend_trackers"], json!(["recharges"]), "{edits:?}");
    assert_eq!(edits[1]["add_spend_trackers"][0]["alias"], "recharges", "{edits:?}");
}

#[test]
fn a_subscription_that_becomes_seat_based_is_switched_and_given_its_seats() {
    let mut bench = Bench::created(&fixture::recurring());
    let mut spec = with(&fixture::recurring(), "/subscriptions/0/initialQuantity", Value::Null);
    set(&mut spec, "/subscriptions/0/quantityManagementMode", json!("SEAT_BASED"));
    let seats = json!({"seatGroupKey": "seat_id", "initialSeatIds": ["anna", "ben"]});
    set(&mut spec, "/subscriptions/0/seatConfig", seats);
    let subscription = id(&bench, "subscriptions", 0).clone();
    let plans = bench.settle(&spec);
    let mode = json!({"subscription_id": subscription, "quantity_management_mode_update": {
        "quantity_management_mode": "SEAT_BASED", "seat_config": {"seat_group_key": "seat_id"}}});
    assert_eq!(edit_of(&plans[0]), json!({"update_subscriptions": [mode]}));
    let given = edit_of(&plans[1])["update_subscriptions"][0]["seat_updates"]["add_seat_ids"][0].clone();
    assert_eq!(given["seat_ids"], json!(["anna", "ben"]));
}

#[test]
fn what_an_application_made_of_a_quantity_is_reported_until_the_spec_has_a_new_one() {
    let spec = fixture::recurring();
    let mut bench = Bench::created(&spec);
    bench.api.contract["subscriptions"][0]["quantity_schedule"] =
        json!([{"quantity": 25, "starting_at": "2026-03-01T00:00:00Z"}]);
    assert_eq!(reported(bench.decide(&spec)), ["/subscriptions/platform/initialQuantity: 25 -> 10"]);
    let more = with(&spec, "/subscriptions/0/initialQuantity", json!("30"));
    let plan = written(bench.decide(&more));
    let update = json!([{"quantity": "30", "starting_at": "2026-06-01T11:00:00Z"}]);
    let subscription = id(&bench, "subscriptions", 0);
    let update = json!([{"subscription_id": subscription, "quantity_updates": update}]);
    assert_eq!(numbers_as_text(&edit_of(&plan)["update_subscriptions"]), update);
}

/// The same with numbers as text, whichever way the parser keeps them.
fn numbers_as_text(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.to_string()),
        Value::Array(items) => items.iter().map(numbers_as_text).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), numbers_as_text(value))).collect()
        }
        value => value.clone(),
    }
}

#[test]
fn commits_that_the_api_makes_by_itself_are_no_drift() {
    for members in [
        json!({"recurring_commit_id": "recurring-1"}),
        json!({"rolled_over_from": {"contract_id": "contract-0", "commit_id": "commit-0"}}),
        json!({"archived_at": "2026-05-01T00:00:00Z"}),
        json!({"contract": {"id": "contract-2"}}),
    ] {
        let mut bench = Bench::created(&fixture::plain());
        another_commit(&mut bench, &members);
        assert_eq!(bench.decide(&fixture::plain()), Decision::InSync, "{members}");
    }
    let mut bench = Bench::created(&fixture::gated());
    another_commit(
        &mut bench,
        &json!({"name": "Recharge", "product": {"id": fixture::OTHER, "name": "Recharges"}}),
    );
    assert_eq!(bench.decide(&fixture::gated()), Decision::InSync, "a commit of a threshold");
}

#[test]
fn an_item_that_somebody_else_made_is_reported_and_left_alone() {
    let mut bench = Bench::created(&fixture::plain());
    another_commit(&mut bench, &json!({"name": "By hand"}));
    let found = reported(bench.decide(&fixture::plain()));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("/commits/commit-of-others: - By hand"), "{found:?}");
    let renamed = with(&fixture::plain(), "/name", json!("Acme 2027"));
    let plan = written(bench.decide(&renamed));
    assert_eq!(edit_of(&plan), json!({"update_contract_name": "Acme 2027"}));
}

#[test]
fn what_leaves_the_spec_is_cleared_if_the_spec_had_put_it_there() {
    let mut bench = Bench::created(&fixture::plain());
    let mut spec = fixture::plain();
    for name in ["/name", "/netPaymentTermsDays", "/endingBefore"] {
        spec = remove(&spec, name);
    }
    let plan = written(bench.decide(&spec));
    let cleared = json!({
        "update_contract_end_date": null, "update_contract_name": null, "update_net_payment_terms_days": null,
    });
    assert_eq!(edit_of(&plan), cleared);
    assert_eq!(bench.settle(&spec).len(), 1);
    bench.api.contract["name"] = json!("a name that somebody gave");
    assert_eq!(bench.decide(&spec), Decision::InSync, "what the spec leaves out is the API's");
}

#[test]
fn an_override_is_replaced_by_one_edit() {
    let bench = Bench::created(&fixture::plain());
    let spec = with(&fixture::plain(), "/overrides/0/multiplier", json!("0.75"));
    let edit = edit_of(&written(bench.decide(&spec)));
    assert_eq!(edit["remove_overrides"], json!([{"id": id(&bench, "overrides", 0)}]));
    assert_eq!(numbers_as_text(&edit["add_overrides"][0]["multiplier"]), json!("0.75"));
    assert_eq!(edit.as_object().unwrap().len(), 2);
    let none = edit_of(&written(bench.decide(&remove(&fixture::plain(), "/overrides"))));
    assert_eq!(none, json!({"remove_overrides": [{"id": id(&bench, "overrides", 0)}]}));
}

#[test]
fn an_item_is_known_by_its_record_however_much_it_changes() {
    let bench = Bench::created(&fixture::plain());
    let mut spec = with(&fixture::plain(), "/commits/0/productId", json!(fixture::OTHER));
    set(&mut spec, "/commits/0/name", json!("Another"));
    let edit = edit_of(&written(bench.decide(&spec)));
    let update =
        json!({"commit_id": id(&bench, "commits", 0), "name": "Another", "product_id": fixture::OTHER});
    assert_eq!(edit, json!({"update_commits": [update]}));
}

#[test]
fn an_item_is_known_by_its_stamp_after_a_rebuild() {
    let stamped = |spec: &Value| {
        let stamp = Stamp { fields: map([("owner", "prod/billing/acme")]), notes: BTreeMap::new() };
        desired_as(spec, Resolved { stamp: Some(stamp), ..resolved() })
    };
    let mut bench = Bench::default();
    bench.settle_for(&stamped(&fixture::plain()));
    assert_eq!(bench.api.contract["commits"][0]["custom_fields"], json!({ITEM_KEY: "launch"}));
    bench.forget();
    let spec = with(&fixture::plain(), "/commits/0/productId", json!(fixture::OTHER));
    let edit = edit_of(&written(bench.decide_for(&stamped(&spec))));
    let update = json!({"commit_id": id(&bench, "commits", 0), "product_id": fixture::OTHER});
    assert_eq!(edit, json!({"update_commits": [update]}));
}

#[test]
fn a_new_key_for_the_same_item_writes_nothing() {
    let mut bench = Bench::created(&fixture::plain());
    let spec = with(&fixture::plain(), "/commits/0/key", json!("start"));
    assert!(bench.settle(&spec).is_empty());
    assert!(bench.recorded.items.contains_key("commits/start"));
    assert!(!bench.recorded.items.contains_key("commits/launch"));
}

#[test]
fn an_item_that_could_be_two_is_refused_and_nothing_is_written() {
    let mut spec = fixture::plain();
    let commit = |key: &str, amount: &str| {
        let mut commit = fixture::plain()["commits"][0].clone();
        commit["key"] = json!(key);
        commit["accessSchedule"]["scheduleItems"][0]["amount"] = json!(amount);
        commit
    };
    spec["commits"] = json!([commit("a", "100"), commit("b", "200")]);
    let mut bench = Bench::created(&spec);
    bench.forget();
    assert_eq!(bench.decide(&spec), Decision::InSync);
    spec["commits"] = json!([commit("a", "150"), commit("b", "160")]);
    let refusal = refused(bench.decide(&spec));
    assert_eq!(refusal.reason, "AmbiguousItem");
    assert!(refusal.message.contains("`commits[a]` could be the commit"), "{}", refusal.message);
}

#[test]
fn items_that_leave_the_spec_are_archived_removed_or_ended_as_the_api_can() {
    let spec = fixture::narrow();
    let bench = Bench::created(&spec);
    let edit = |list: &str| edit_of(&written(bench.decide(&remove(&spec, list))));
    let gone = |list: &str| json!([{"id": id(&bench, list, 0)}]);
    assert_eq!(edit("/commits"), json!({"archive_commits": gone("commits")}));
    assert_eq!(edit("/credits"), json!({"archive_credits": gone("credits")}));
    assert_eq!(edit("/scheduledCharges"), json!({"archive_scheduled_charges": gone("scheduled_charges")}));
    let ended = json!([{"ending_before": "2026-06-01T11:00:00Z", "recurring_commit_id": id(&bench, "recurring_commits", 0)}]);
    assert_eq!(edit("/recurringCommits"), json!({"update_recurring_commits": ended}));
}

#[test]
fn a_charge_that_the_api_cannot_change_is_archived_and_added_again() {
    let due = "/scheduledCharges/0/schedule/scheduleItems/0/timestamp";
    let spec = with(&fixture::plain(), due, json!("2026-09-01T00:00:00Z"));
    let mut bench = Bench::created(&spec);
    let spec = with(&spec, "/scheduledCharges/0/name", json!("Onboarding"));
    let edit = edit_of(&written(bench.decide(&spec)));
    assert_eq!(edit["archive_scheduled_charges"], json!([{"id": id(&bench, "scheduled_charges", 0)}]));
    assert_eq!(edit["add_scheduled_charges"][0]["name"], "Onboarding");
    assert_eq!(bench.settle(&spec).len(), 1);
}

#[test]
fn a_contract_whose_end_moves_is_edited_once() {
    let bench = Bench::created(&fixture::plain());
    let spec = with(&fixture::plain(), "/endingBefore", json!("2027-06-01T00:00:00Z"));
    let edit = edit_of(&written(bench.decide(&spec)));
    assert_eq!(edit, json!({"update_contract_end_date": "2027-06-01T00:00:00Z"}));
}

#[test]
fn a_usage_filter_without_a_date_applies_from_the_next_full_hour() {
    let filter = |values: Value| {
        with(&fixture::plain(), "/usageFilter", json!({"groupKey": "project", "groupValues": values}))
    };
    let mut bench = Bench::created(&filter(json!(["a"])));
    let plans = bench.settle(&filter(json!(["b", "a"])));
    assert_eq!((plans.len(), paths(&plans[0])), (1, vec!["v1/contracts/setUsageFilter"]));
    let sent = body(&plans[0].calls[0]);
    assert_eq!(sent["starting_at"], "2026-06-01T11:00:00Z");
    assert_eq!(sent["group_values"], json!(["b", "a"]));
}

#[test]
fn filters_of_usage_go_through_the_call_that_takes_them() {
    let mut bench = Bench::created(&fixture::recurring());
    let spec = with(&fixture::recurring(), "/commits/0/specifiers/1/productTags", json!(["gamma"]));
    let plans = bench.settle(&spec);
    assert_eq!((plans.len(), paths(&plans[0])), (1, vec!["v2/contracts/commits/edit"]));
    let sent = body(&plans[0].calls[0]);
    assert_eq!(sent["commit_id"].as_str(), bench.recorded.items.get("commits/yearly").map(String::as_str));
    assert_eq!(sent["specifiers"][1], json!({"product_tags": ["gamma"]}));
    let credit = with(&fixture::recurring(), "/credits/0/specifiers/1/productTags", json!(["gamma"]));
    let plan = written(Bench::created(&fixture::recurring()).decide(&credit));
    assert_eq!(paths(&plan), ["v2/contracts/credits/edit"]);
}

#[test]
fn custom_fields_of_the_spec_are_set_and_deleted_and_those_of_others_stay() {
    let settle = |bench: &mut Bench, spec: &Value| bench.settle_for(&fields::meant(spec).unwrap());
    let mut bench = Bench::default();
    settle(&mut bench, &fixture::dated());
    bench.api.contract["custom_fields"]["theirs"] = json!("x");
    for (place, list) in [("/customFields", None), ("/commits/0/customFields", Some("commits"))] {
        let spec = with(&fixture::dated(), place, json!({"region": "eu"}));
        let plans = settle(&mut bench, &spec);
        assert_eq!(paths(&plans[0]), ["v1/customFields/setValues", "v1/customFields/deleteValues"]);
        assert_eq!(body(&plans[0].calls[1])["keys"], json!(["team"]));
        let found = list.map_or(&bench.api.contract, |list| &bench.api.contract[list][0]);
        assert_eq!(found["custom_fields"]["region"], "eu");
        settle(&mut bench, &fixture::dated());
    }
    assert_eq!(bench.api.contract["custom_fields"], json!({"team": "sales", "theirs": "x"}));
}

#[test]
fn ignored_places_are_neither_written_nor_reported() {
    let mut bench = Bench::created(&fixture::plain());
    bench.policy.ignore = vec!["/name".into(), "/commits/launch/name".into(), "/rateCardId".into()];
    bench.api.contract["name"] = json!("theirs");
    bench.api.contract["commits"][0]["name"] = json!("theirs");
    bench.api.contract["rate_card_id"] = json!("card-2");
    assert_eq!(bench.decide(&fixture::plain()), Decision::InSync);
    bench.policy.ignore.pop();
    assert_eq!(refused(bench.decide(&fixture::plain())).reason, "ImmutableField");
}

#[test]
fn drift_is_only_reported_where_the_policy_says_so() {
    let mut bench = Bench::created(&fixture::plain());
    bench.api.contract["name"] = json!("theirs");
    assert_eq!(written(bench.decide(&fixture::plain())).changes.len(), 1);
    bench.policy.drift = DriftPolicy::Report;
    assert_eq!(reported(bench.decide(&fixture::plain())), ["/name: theirs -> Acme 2026"]);
    let spec = with(&fixture::plain(), "/name", json!("Acme 2027"));
    assert_eq!(edit_of(&written(bench.decide(&spec))), json!({"update_contract_name": "Acme 2027"}));
}

#[test]
fn edits_that_follow_one_edit_have_one_key_so_that_one_of_them_is_taken() {
    let mut bench = Bench::created(&fixture::plain());
    let key = |bench: &Bench, name: &str| {
        let plan = written(bench.decide(&with(&fixture::plain(), "/name", json!(name))));
        body(&plan.calls[0])["uniqueness_key"].as_str().unwrap().to_owned()
    };
    let first = key(&bench, "b");
    assert_eq!(key(&bench, "b"), first);
    assert_eq!(key(&bench, "c"), first, "planned in the place of the other, it must not be taken as well");
    bench.settle(&with(&fixture::plain(), "/name", json!("b")));
    bench.settle(&fixture::plain());
    assert_ne!(key(&bench, "b"), first, "the same change after another edit is another edit");
}

#[test]
fn what_a_create_from_a_package_does_not_take_follows_as_an_edit() {
    let plans = Bench::default().settle(&fixture::from_package());
    assert_eq!(plans.iter().map(paths).collect::<Vec<_>>(), [["v1/contracts/create"], [EDIT_CONTRACT]]);
    let sent = body(&plans[0].calls[0]);
    let names: Vec<_> = sent.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["custom_fields", "customer_id", "package_id", "starting_at", "uniqueness_key"]);
    let edit = edit_of(&plans[1]);
    assert_eq!(edit["update_contract_name"], "Acme 2026");
    assert_eq!(edit["add_commits"][0]["product_id"], fixture::OTHER);
    assert_eq!(edit.as_object().unwrap().len(), 2);
}

#[test]
fn items_of_a_package_are_neither_changed_nor_reported() {
    let spec = fixture::from_package();
    let mut bench = Bench::created(&spec);
    another_commit(
        &mut bench,
        &json!({"name": "of the package", "product": {"id": fixture::PRODUCT, "name": "A product"}}),
    );
    assert_eq!(bench.decide(&spec), Decision::InSync);
    bench.forget();
    assert_eq!(bench.decide(&spec), Decision::InSync);
}

#[test]
fn what_others_add_to_a_contract_from_a_package_is_reported_where_it_tells_that_it_came_later() {
    let spec = fixture::from_package();
    let mut bench = Bench::created(&spec);
    let made_at: DateTime<Utc> = bench.api.contract["created_at"].as_str().unwrap().parse().unwrap();
    let commit = |name: &str, seconds: i64| {
        let time = (made_at + chrono::TimeDelta::seconds(seconds)).to_rfc3339();
        json!({"id": name, "name": name, "created_at": time, "product": {"id": fixture::PRODUCT, "name": "A product"}})
    };
    another_commit(&mut bench, &commit("of the package", 1));
    assert_eq!(bench.decide(&spec), Decision::InSync);
    another_commit(&mut bench, &commit("by hand", 3600));
    let told = reported(bench.decide(&spec)).join("\n");
    assert!(told.contains("by hand") && !told.contains("of the package"), "{told}");
    // Whoever has lost the record reports no more than that, and changes nothing.
    bench.forget();
    let told = reported(bench.decide(&spec)).join("\n");
    assert!(told.contains("by hand") && !told.contains("of the package"), "{told}");
}

#[test]
fn amounts_are_exact_to_the_last_of_28_digits() {
    let amount = "/commits/0/accessSchedule/scheduleItems/0/amount";
    let first = "1234567890123456789012345.678";
    let spec = with(&fixture::plain(), amount, json!(first));
    let mut bench = Bench::default();
    let plans = bench.settle(&spec);
    assert!(plans[0].calls[0].body.contains(&format!(":{first},")), "{}", plans[0].calls[0].body);
    let second = "1234567890123456789012345.679";
    let plans = bench.settle(&with(&spec, amount, json!(second)));
    assert!(plans[0].calls[0].body.contains(&format!(":{second},")), "{}", plans[0].calls[0].body);
    let told = &bench.api.contract["commits"][0]["access_schedule"]["schedule_items"][0]["amount"];
    assert_eq!(numbers_as_text(told), json!(second));
}

#[test]
fn a_reply_that_leaves_items_out_writes_nothing() {
    let mut bench = Bench::created(&fixture::plain());
    bench.api.contract["has_more"] = json!({"commits": true});
    let spec = with(&fixture::plain(), "/name", json!("b"));
    assert_eq!(refused(bench.decide(&spec)).reason, "IncompleteReply");
}

#[test]
fn an_archived_contract_is_refused_with_the_way_out() {
    let mut bench = Bench::created(&fixture::plain());
    bench.api.contract["archived_at"] = json!("2026-05-01T00:00:00Z");
    let refusal = refused(bench.decide(&fixture::plain()));
    assert_eq!(refusal.reason, "ContractArchived");
    assert!(refusal.message.contains("uniquenessKey"), "{}", refusal.message);
}

#[test]
fn a_usage_filter_that_begins_before_the_one_in_force_is_refused() {
    let filter = |start: &str| {
        let filter = json!({"groupKey": "project", "groupValues": ["a"], "startingAt": start});
        with(&fixture::plain(), "/usageFilter", filter)
    };
    let bench = Bench::created(&filter("2026-03-01T00:00:00Z"));
    let refusal = refused(bench.decide(&filter("2026-02-01T00:00:00Z")));
    assert_eq!(refusal.reason, "ImmutableField");
    assert!(refusal.message.contains("/usageFilter/startingAt"), "{}", refusal.message);
    written(bench.decide(&filter("2026-04-01T00:00:00Z")));
}

#[test]
fn an_item_that_has_not_begun_is_not_ended_and_does_not_hold_up_the_rest() {
    let mut late = fixture::recurring()["recurringCommits"][1].clone();
    late["key"] = json!("late");
    late["startingAt"] = json!("2026-09-01T00:00:00Z");
    let mut bench = Bench::created(&with(&fixture::plain(), "/recurringCommits", json!([late])));
    let renamed = with(&fixture::plain(), "/name", json!("b"));
    let plan = written(bench.decide(&renamed));
    assert_eq!(edit_of(&plan), json!({"update_contract_name": "b"}));
    bench.carry_out(&plan);
    let refusal = refused(bench.decide(&renamed));
    assert_eq!(refusal.reason, "ImmutableField");
    assert!(refusal.message.contains("/recurringCommits/late"), "{}", refusal.message);
    bench.remember(&desired(&renamed));
    bench.api.contract["recurring_commits"][0]["starting_at"] = json!("2026-06-01T10:00:00Z");
    let ended = edit_of(&written(bench.decide(&renamed)));
    assert_eq!(ended["update_recurring_commits"][0]["ending_before"], "2026-06-01T11:00:00Z");
}

#[test]
fn a_quantity_that_is_planned_for_later_is_reported_and_not_taken_for_the_one_in_force() {
    let (quantity, first) = ("/subscriptions/0/initialQuantity", fixture::recurring());
    let mut bench = Bench::created(&with(&first, quantity, json!("10")));
    let planned = json!({"quantity": 20, "starting_at": "2030-01-01T00:00:00Z"});
    bench.api.contract["subscriptions"][0]["quantity_schedule"].as_array_mut().unwrap().push(planned);
    let shown = "/subscriptions/platform/quantityUpdates/2030-01-01T00:00:00Z: - 20";
    assert_eq!(reported(bench.decide(&with(&first, quantity, json!("10")))), [shown]);
    let plan = written(bench.decide(&with(&first, quantity, json!("20"))));
    let updates = &edit_of(&plan)["update_subscriptions"][0]["quantity_updates"];
    let expected = json!([{"quantity": "20", "starting_at": "2026-06-01T11:00:00Z"}]);
    assert_eq!(numbers_as_text(updates), expected);
    bench.carry_out(&plan);
    assert_eq!(bench.decide(&with(&first, quantity, json!("20"))), Decision::InSync);
}

#[test]
fn an_ignored_custom_field_is_named_by_its_key_as_json_pointers_escape_it() {
    let key = "a/b~c";
    for place in ["", "/commits/0"] {
        let spec = with(&fixture::plain(), &format!("{place}/customFields"), json!({key: "x"}));
        let mut bench = Bench::created(&spec);
        let told = if place.is_empty() {
            &mut bench.api.contract["custom_fields"]
        } else {
            &mut bench.api.contract["commits"][0]["custom_fields"]
        };
        told[key] = json!("y");
        let thing = if place.is_empty() { "" } else { "/commits/launch" };
        for (pointer, is_ignored) in
            [("customFields/a~1b~0c", true), ("customFields", true), ("customFields/a", false)]
        {
            bench.policy.ignore = vec![format!("{thing}/{pointer}")];
            let decision = bench.decide(&spec);
            assert_eq!(decision == Decision::InSync, is_ignored, "{pointer}: {decision:?}");
        }
        let plan = written(bench.decide(&spec));
        assert!(
            plan.summary().contains(&format!("{thing}/customFields/a~1b~0c: y -> x")),
            "{}",
            plan.summary()
        );
        bench.settle(&spec);
        // What leaves the spec is taken out under its own name.
        bench.policy.ignore.clear();
        let plans = bench.settle(&with(&spec, &format!("{place}/customFields"), Value::Null));
        assert_eq!(body(&plans[0].calls[0])["keys"], json!([key]));
    }
}
