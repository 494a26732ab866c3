//! What people do to items besides changing them: they move, exchange their keys, go and come back.

use super::{
    billed::{BILLED, one_of_each},
    planner::{Fault, World, set_terms},
    *,
};
use crate::protocol::{Goal, Outcome};

/// The same with a second one of each, for another product.
fn two_of_each() -> Value {
    let mut spec = one_of_each();
    for list in
        ["commits", "credits", "recurringCommits", "recurringCredits", "scheduledCharges", "subscriptions"]
    {
        let mut item = spec[list][0].clone();
        item["key"] = json!("second");
        if item["name"].is_string() {
            item["name"] = json!("Second");
        }
        if list == "subscriptions" {
            item["subscriptionRate"]["productId"] = json!(fixture::OTHER);
        } else {
            item["productId"] = json!(fixture::OTHER);
        }
        for place in ["/accessSchedule", "/invoiceSchedule", "/schedule"] {
            if let Some(amount) = item.pointer_mut(&format!("{place}/scheduleItems/0/amount")) {
                *amount = json!("7");
            }
        }
        spec[list].as_array_mut().unwrap().push(item);
    }
    spec
}

fn world(terms: &Value) -> World {
    let mut world = World::new(terms, None, None);
    world.settle();
    world
}

fn take(spec: &mut Value, list: &str) -> Value {
    spec[list].as_array_mut().unwrap().remove(0)
}

fn put(spec: &mut Value, list: &str, item: Value) {
    match spec[list].as_array_mut() {
        Some(items) => items.push(item),
        None => spec[list] = json!([item]),
    }
}

/// Contracts before and after an item has moved to another list.
fn moved() -> Vec<(&'static str, Value, Value)> {
    let beside = |from: &str, to: &str| {
        let mut spec = one_of_each();
        let mut item = take(&mut spec, from);
        item["priority"] = json!("1");
        if to == "customerCommits" {
            item["invoiceContractId"] = json!("contract-1");
        }
        put(&mut spec, to, item);
        spec
    };
    let mut to_charge = one_of_each();
    let commit = take(&mut to_charge, "commits");
    let charge = json!({"key": "launch", "productId": commit["productId"], "name": "Launch", "schedule": commit["invoiceSchedule"]});
    put(&mut to_charge, "scheduledCharges", charge);
    let mut to_credit = one_of_each();
    let mut credit = take(&mut to_credit, "recurringCommits");
    credit["key"] = json!("another");
    credit.as_object_mut().unwrap().remove("invoiceAmount");
    credit["prorationRounding"].as_object_mut().unwrap().remove("invoice");
    put(&mut to_credit, "recurringCredits", credit);
    let mut to_commit = one_of_each();
    take(&mut to_commit, "recurringCommits");
    let mut commit = to_commit["commits"][0].clone();
    commit["key"] = json!("all-at-once");
    put(&mut to_commit, "commits", commit);
    vec![
        ("customerCommits", one_of_each(), beside("commits", "customerCommits")),
        ("customerCredits", one_of_each(), beside("credits", "customerCredits")),
        ("commits", beside("commits", "customerCommits"), one_of_each()),
        ("credits", beside("credits", "customerCredits"), one_of_each()),
        ("scheduledCharges", one_of_each(), to_charge),
        ("recurringCredits", one_of_each(), to_credit),
        ("commits", one_of_each(), to_commit),
    ]
}

#[test]
fn an_item_that_moves_to_another_list_is_not_billed_for_the_past_again() {
    for (list, before, after) in moved() {
        let mut world = world(&before);
        let sends = world.sends;
        set_terms(&mut world, &after);
        let Outcome::Refused { refusal, .. } = world.pass(Goal::InForce).outcome else { panic!("{list}") };
        assert_eq!(refusal.reason, "BackdatedItem", "{list}: {}", refusal.message);
        assert!(refusal.message.contains(&format!("/{list}/")), "{list}: {}", refusal.message);
        assert_eq!(world.sends, sends, "{list}");
        // Nor in two steps.
        if list != "commits" && list != "credits" {
            let mut between = before.clone();
            for list in BILLED {
                let has = |spec: &Value, key: &Value| {
                    spec[list].as_array().into_iter().flatten().any(|item| item["key"] == *key)
                };
                let items = between[list].as_array_mut().unwrap();
                items.retain(|item| has(&after, &item["key"]));
            }
            set_terms(&mut world, &between);
            world.settle();
            set_terms(&mut world, &after);
            let outcome = world.pass(Goal::InForce).outcome;
            let Outcome::Refused { refusal, .. } = outcome else { panic!("{list}: {outcome:?}") };
            assert_eq!(refusal.reason, "BackdatedItem", "{list}: {}", refusal.message);
        }
    }
}

#[test]
fn items_that_exchange_their_keys_are_left_as_they_are() {
    for list in BILLED {
        let mut world = world(&two_of_each());
        let (contract, sends) = (world.api.contract.clone(), world.sends);
        let key = two_of_each()[list][0]["key"].clone();
        let exchanged = with(&two_of_each(), &format!("/{list}/0/key"), json!("second"));
        let exchanged = with(&exchanged, &format!("/{list}/1/key"), key);
        for terms in [&exchanged, &two_of_each(), &exchanged] {
            set_terms(&mut world, terms);
            let outcome = world.pass(Goal::InForce).outcome;
            assert!(matches!(outcome, Outcome::InSync { .. }), "{list}: {outcome:?}");
        }
        assert_eq!((&world.api.contract, world.sends), (&contract, sends), "{list}");
        // From then on each goes by its new key.
        if list == "commits" || list == "subscriptions" {
            let named = with(&exchanged, &format!("/{list}/0/name"), json!("Named anew"));
            set_terms(&mut world, &named);
            world.settle();
            assert_eq!(world.api.contract[list][0]["name"], "Named anew", "{list}");
        }
    }
}

#[test]
fn an_item_that_takes_the_key_of_one_that_goes_stays_itself() {
    for list in BILLED {
        let mut world = world(&two_of_each());
        let mut taken = two_of_each();
        let first = take(&mut taken, list);
        taken[list][0]["key"] = first["key"].clone();
        set_terms(&mut world, &taken);
        world.settle();
        let last = world.api.edits.last().unwrap();
        assert_eq!(world.api.edits.len(), 1, "{list}");
        let verbs: Vec<_> = last.as_object().unwrap().keys().filter(|name| name.contains('_')).collect();
        let of_items = verbs.iter().filter(|verb| !verb.ends_with("_id") && **verb != "uniqueness_key");
        assert_eq!(of_items.count(), 1, "one goes, and nothing is done to the other: {list}: {last}");
    }
}

#[test]
fn one_of_three_that_exchange_their_keys_and_differs_is_told_by_its_key() {
    let mut spec = two_of_each();
    let mut third = spec["commits"][1].clone();
    third["key"] = json!("third");
    third["name"] = json!("Third");
    put(&mut spec, "commits", third);
    let mut world = world(&spec);
    // first -> second, second -> third, and the one that gets the first key is changed as well.
    let keys = ["second", "third", "launch"];
    let mut turned = spec.clone();
    for (item, key) in turned["commits"].as_array_mut().unwrap().iter_mut().zip(keys) {
        item["key"] = json!(key);
    }
    turned["commits"][2]["description"] = json!("changed");
    set_terms(&mut world, &turned);
    world.settle();
    let commits = world.api.contract["commits"].as_array().unwrap();
    assert!(commits.iter().all(|commit| commit["archived_at"].is_null()) && commits.len() == 3);
}

#[test]
fn what_goes_and_comes_back_again_and_again_is_never_added_with_its_past() {
    for list in BILLED {
        let without = with(&one_of_each(), &format!("/{list}"), Value::Null);
        let mut world = world(&one_of_each());
        for terms in [&without, &one_of_each(), &without, &one_of_each()] {
            set_terms(&mut world, terms);
            for _ in 0..3 {
                world.pass(Goal::InForce);
            }
        }
        let added = world.api.edits.iter().any(|edit| edit.to_string().contains("\"add_"));
        assert!(!added, "{list}: {:?}", world.api.edits);
    }
}

#[test]
fn another_unit_is_another_amount_and_is_refused_by_name() {
    for place in [
        "/commits/0/accessSchedule/creditTypeId",
        "/commits/0/invoiceSchedule/creditTypeId",
        "/credits/0/accessSchedule/creditTypeId",
        "/recurringCommits/0/accessAmount/creditTypeId",
        "/recurringCommits/0/invoiceAmount/creditTypeId",
        "/scheduledCharges/0/schedule/creditTypeId",
    ] {
        let mut world = world(&one_of_each());
        let sends = world.sends;
        set_terms(&mut world, &with(&one_of_each(), place, json!("0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a1e9")));
        let Outcome::Refused { refusal, .. } = world.pass(Goal::InForce).outcome else { panic!("{place}") };
        assert!(refusal.message.contains("/creditTypeId: "), "{}", refusal.message);
        assert_eq!(world.sends, sends, "{place}");
    }
}

/// Says of commits and credits that they were made along with the contract, unless they say something else.
fn timed(told: &mut Value) {
    for list in ["commits", "credits", "overrides", "subscriptions"] {
        for item in told[list].as_array_mut().into_iter().flatten() {
            let item = item.as_object_mut().unwrap();
            item.entry("created_at").or_insert(json!("2026-01-01T00:00:02Z"));
        }
    }
}

#[test]
fn a_contract_that_was_made_and_not_recorded_is_known_again_though_git_has_changed_if_nobody_has_edited_it() {
    let changed = |spec: &Value| {
        let spec = with(spec, "/commits/0/accessSchedule/scheduleItems/0/amount", json!("150000"));
        with(&spec, "/name", json!("Acme 2027"))
    };
    let spec = fixture::plain();
    let unrecorded = |alters: fn(&mut Value)| {
        let mut world = World::new(&spec, None, Some((0, Fault::Reply)));
        world.alters = alters;
        world.pass(Goal::InForce);
        world.contract.status = None;
        set_terms(&mut world, &changed(&spec));
        world
    };
    let mut world = unrecorded(timed);
    world.settle();
    assert_eq!((world.creates, world.api.edits.len()), (1, 1));
    assert_eq!(world.api.contract["commits"].as_array().map(Vec::len), Some(1));
    // Somebody has edited it, an item is younger than the contract, or nothing tells: what is whose cannot be told.
    let edit = |world: &mut World| {
        world.api.history.push(json!({"id": "by hand", "timestamp": "2026-05-01T00:00:00Z"}));
    };
    let younger =
        |world: &mut World| world.api.contract["commits"][0]["created_at"] = json!("2026-05-01T00:00:00Z");
    let untimed = |world: &mut World| world.alters = |_| {};
    let cases: [fn(&mut World); 3] = [edit, younger, untimed];
    for case in cases {
        let mut world = unrecorded(timed);
        case(&mut world);
        let Outcome::Refused { refusal, .. } = world.pass(Goal::InForce).outcome else { panic!() };
        assert_eq!(refusal.reason, "AmbiguousItem", "{}", refusal.message);
        assert_eq!(world.api.edits.len(), 0);
    }
}

#[test]
fn what_a_create_made_and_git_dropped_before_it_was_recorded_is_taken_out_where_it_tells_when_it_was_made() {
    let mut spec = one_of_each();
    spec["overrides"] = fixture::plain()["overrides"].clone();
    let dropped = |list: &str, alters: fn(&mut Value)| {
        let mut world = World::new(&spec, None, Some((0, Fault::Reply)));
        world.alters = alters;
        world.pass(Goal::InForce);
        world.contract.status = None;
        set_terms(&mut world, &with(&spec, &format!("/{list}"), Value::Null));
        world
    };
    for (list, gone) in [
        ("commits", "archived_at"),
        ("credits", "archived_at"),
        ("overrides", ""),
        ("subscriptions", "ending_before"),
    ] {
        let mut world = dropped(list, timed);
        world.settle();
        let left = world.api.contract[list].as_array().unwrap();
        assert!(left.iter().all(|item| item[gone].is_string()), "{list}: {left:?}");
        // The same without times: it may be somebody else's, and is told.
        let mut world = dropped(list, |_| {});
        assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::Drifted { .. }), "{list}");
        assert_eq!(world.api.edits.len(), 0, "{list}");
    }
    // What the user gave the key of may have been made by anybody.
    let mut world = dropped("commits", timed);
    let given = with(&spec, "/uniquenessKey", json!("test/billing/acme"));
    set_terms(&mut world, &with(&given, "/commits", Value::Null));
    assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::Drifted { .. }));
}

#[test]
fn what_others_added_while_a_create_was_not_on_record_is_not_taken_for_what_git_adds() {
    let commit = |key: &str, amount: &str| {
        let mut commit = fixture::plain()["commits"][0].clone();
        commit["key"] = json!(key);
        commit["accessSchedule"]["scheduleItems"][0]["amount"] = json!(amount);
        commit
    };
    let spec = |commits: &[Value]| with(&fixture::plain(), "/commits", json!(commits));
    for is_edited in [true, false] {
        let mut world = World::new(&spec(&[commit("a", "1000")]), None, Some((0, Fault::Reply)));
        world.pass(Goal::InForce);
        // Nobody looks for two days, and somebody adds a commit in the console.
        world.now += TimeDelta::days(2);
        let mut theirs = world.api.contract["commits"][0].clone();
        theirs["id"] = json!("theirs");
        theirs["access_schedule"]["schedule_items"][0]["amount"] = json!(5_000_000);
        if is_edited {
            world.api.contract["commits"].as_array_mut().unwrap().push(theirs.clone());
            world
                .api
                .history
                .push(json!({"id": "by hand", "timestamp": "2026-06-02T00:00:00Z", "add_commits": [theirs]}));
        }
        set_terms(&mut world, &spec(&[commit("a", "1000"), commit("b", "20")]));
        if !is_edited {
            world.settle();
            assert_eq!(world.api.contract["commits"].as_array().map(Vec::len), Some(2));
            continue;
        }
        for _ in 0..3 {
            let outcome = world.pass(Goal::InForce).outcome;
            let Outcome::Refused { refusal, .. } = outcome else { panic!("{outcome:?}") };
            assert_eq!(refusal.reason, "AmbiguousItem", "{}", refusal.message);
        }
        let amount = &world.api.contract["commits"][1]["access_schedule"]["schedule_items"][0]["amount"];
        assert_eq!((amount, world.api.edits.len()), (&json!(5_000_000), 0));
    }
}
