//! What an edit was accepted for is never added again, whatever billing makes of it and whatever is lost.

use chrono::TimeDelta;

use super::{
    planner::{Fault, World, set_terms},
    *,
};
use crate::{
    api::{APPROVED_PLAN, REQUESTED_AT, contract::ManagementPolicy},
    protocol::{Goal, Outcome},
};

/// Applies a function to every text of a value that has one of these names.
fn each_text(value: &mut Value, names: &[&str], change: &dyn Fn(&str) -> String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if names.contains(&name.as_str()) => *text = change(text),
                    Value::Array(items) if names.contains(&name.as_str()) => {
                        for item in items {
                            if let Value::String(text) = item {
                                *text = change(text);
                            }
                        }
                    }
                    value => each_text(value, names, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, names, change)),
        _ => {}
    }
}

fn trimmed(told: &mut Value) {
    each_text(told, &["name", "description"], &|text| text.trim().to_owned());
}

fn in_lower_case(told: &mut Value) {
    each_text(told, &["applicable_product_tags", "product_tags"], &str::to_lowercase);
}

fn on_the_28th(told: &mut Value) {
    each_text(told, &["timestamp"], &|time| time.replace("-31T00", "-28T00").replace("-30T00", "-28T00"));
}

fn with_one_member_more(told: &mut Value) {
    for list in ["overrides", "add_overrides"] {
        for item in told[list].as_array_mut().into_iter().flatten() {
            if let Some(rate) = item.get_mut("overwrite_rate").and_then(Value::as_object_mut) {
                rate.entry("is_prorated").or_insert(json!(false));
            }
        }
    }
}

/// Items that are in force.
fn live(world: &World, list: &str) -> usize {
    let items = world.api.contract[list].as_array().cloned().unwrap_or_default();
    items.iter().filter(|item| item["archived_at"].is_null()).count()
}

/// A list, what is added to it, its name on the wire, and what the API makes of it.
type Case = (&'static str, Value, &'static str, fn(&mut Value));

fn cases() -> Vec<Case> {
    let commit = |members: Value| {
        let mut commit = fixture::plain()["commits"][0].clone();
        commit["key"] = json!("more");
        commit.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        commit
    };
    let charge = json!({"key": "more", "productId": fixture::PRODUCT, "name": "Support", "schedule": {"recurringSchedule": {
        "amountDistribution": "EACH", "frequency": "MONTHLY", "amount": "5", "startingAt": "2026-07-31T00:00:00Z",
        "endingBefore": "2026-12-31T00:00:00Z"}}});
    let rate = json!({"rateType": "FLAT", "price": "12"});
    let overwrite = json!({"startingAt": "2026-07-01T00:00:00Z", "type": "OVERWRITE", "productId": fixture::OTHER,
        "overwriteRate": rate});
    let mut recurring = fixture::recurring()["recurringCommits"][1].clone();
    recurring["name"] = json!("Monthly ");
    recurring["startingAt"] = json!("2026-07-01T00:00:00Z");
    vec![
        ("commits", commit(json!({"name": "Top-up "})), "commits", trimmed),
        ("commits", commit(json!({"applicableProductTags": ["API"]})), "commits", in_lower_case),
        ("scheduledCharges", charge, "scheduled_charges", on_the_28th),
        ("recurringCommits", recurring, "recurring_commits", trimmed),
        ("overrides", overwrite, "overrides", with_one_member_more),
    ]
}

#[test]
fn an_item_that_reads_back_otherwise_is_added_once_and_the_difference_is_named() {
    for (list, item, wire, alters) in cases() {
        let mut terms = fixture::plain();
        match terms[list].as_array_mut() {
            Some(items) => items.push(item),
            None => terms[list] = json!([item]),
        }
        for (fault, tells) in
            [(None, true), (None, false), (Some((1, Fault::Reply)), true), (Some((1, Fault::Request)), true)]
        {
            let mut world = World::new(&fixture::plain(), None, None);
            (world.alters, world.tells) = (alters, tells);
            world.settle();
            world.fault = fault;
            set_terms(&mut world, &terms);
            let expected = live(&world, wire) + 1;
            let mut last = None;
            for round in 0..12 {
                last = Some(world.pass(Goal::InForce).outcome);
                assert!(live(&world, wire) <= expected, "{list}, {fault:?}, {tells}, pass {round}: {last:?}");
                if round == 5 {
                    world.api.contract["name"] = json!("somebody's");
                }
                if round == 8 {
                    let annotations = world.contract.metadata.annotations.get_or_insert_default();
                    annotations.insert(REQUESTED_AT.to_owned(), "now".to_owned());
                }
            }
            assert_eq!(live(&world, wire), expected, "{list}, {fault:?}, {tells}: {last:?}");
            let status = world.contract.status.clone().unwrap();
            let conditions = json!(status.conditions).to_string();
            let is_settled = matches!(last, Some(Outcome::InSync { .. }));
            assert!(is_settled || conditions.contains(&format!("/{list}/")), "{list}: {conditions}");
        }
    }
}

#[test]
fn what_never_reads_back_as_written_stops_although_the_clock_of_the_api_is_ahead() {
    for ahead in [0, 2] {
        let mut world = World::new(&fixture::plain(), None, None);
        world.settle();
        (world.ahead, world.alters) = (TimeDelta::seconds(ahead), trimmed);
        set_terms(&mut world, &with(&fixture::plain(), "/name", json!("Acme 2027 ")));
        let sends = world.sends;
        let outcomes: Vec<_> = (0..12).map(|_| world.pass(Goal::InForce).outcome).collect();
        let stopped = "NonConverging";
        assert!(
            json!(world.contract.status.as_ref().unwrap().conditions).to_string().contains(stopped),
            "{outcomes:?}"
        );
        assert!(world.sends - sends <= 4, "{ahead} s ahead, {} edits", world.sends - sends);
    }
}

#[test]
fn what_a_lost_edit_added_is_taken_out_when_the_spec_goes_back() {
    let mut terms = fixture::plain();
    let mut more = terms["commits"][0].clone();
    more["key"] = json!("more");
    terms["commits"].as_array_mut().unwrap().push(more);
    let mut rate = fixture::plain()["overrides"][0].clone();
    rate["productId"] = json!(fixture::OTHER);
    terms["overrides"].as_array_mut().unwrap().push(rate);
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    world.fault = Some((1, Fault::Reply));
    set_terms(&mut world, &terms);
    assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::Unconfirmed { .. }));
    assert_eq!((live(&world, "commits"), live(&world, "overrides")), (2, 2));
    set_terms(&mut world, &fixture::plain());
    world.settle();
    assert_eq!((live(&world, "commits"), live(&world, "overrides")), (1, 1));
}

#[test]
fn an_edit_that_was_lost_and_undone_is_made_anew_with_another_key() {
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    world.fault = Some((1, Fault::Reply));
    set_terms(&mut world, &with(&fixture::plain(), "/name", json!("Acme 2027")));
    world.pass(Goal::InForce);
    world.api.contract["name"] = json!("Acme 2026");
    world.settle();
    assert_eq!(world.api.contract["name"], "Acme 2027");
    assert_eq!((world.api.edits.len(), world.sends), (2, 4), "create, lost, refused, anew");
}

#[test]
fn a_contract_from_a_package_is_approved_once_with_all_that_follows_its_create() {
    let faults =
        [(0, Fault::Reply), (1, Fault::Reply), (1, Fault::Request), (0, Fault::Killed), (1, Fault::Killed)];
    for fault in faults.map(Some).into_iter().chain([None]) {
        let mut world = World::new(&fixture::from_package(), None, fault);
        world.contract.spec.management_policy = ManagementPolicy::Plan;
        let Outcome::AwaitingApproval(plan) = world.pass(Goal::InForce).outcome else { panic!() };
        let annotations = world.contract.metadata.annotations.get_or_insert_default();
        annotations.insert(APPROVED_PLAN.to_owned(), plan.digest.to_string());
        let status = world.contract.status.clone();
        world.pass(Goal::InForce);
        if fault.is_some() {
            // The process is killed and remembers nothing of the pass.
            world.contract.status = status;
        } else {
            assert!(world.contract.status.as_ref().unwrap().contract_id.is_some());
        }
        world.settle();
        assert_eq!((world.creates, live(&world, "commits")), (1, 1), "{fault:?}");
        // Another change waits for another approval.
        set_terms(&mut world, &with(&fixture::from_package(), "/name", json!("Another")));
        assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::AwaitingApproval(_)));
    }
}

#[test]
fn an_approved_create_stands_for_what_follows_it_until_the_contract_was_in_force() {
    let desired = desired(&fixture::from_package());
    let approved = |recorded: &Recorded| {
        let asks = Policy { management: ManagementPolicy::Plan, ..Policy::default() };
        let decision = plan(&desired, None, recorded, &asks, now());
        let Decision::AwaitApproval(plan) = decision else { panic!("{decision:?}") };
        Policy { approved: Some(plan.digest.to_string()), ..asks }
    };
    let before = Recorded::default();
    // The customer comes on record with the contract.
    let made = Recorded { customer_id: Some("customer-1".into()), ..Recorded::default() };
    assert!(create::is_approved(&desired, &before, &approved(&before)));
    assert!(create::is_approved(&desired, &made, &approved(&before)));
    assert!(!create::is_approved(&desired, &before, &Policy::default()), "nobody was asked");
    for was in [
        Recorded { applied_spec: Some(desired.digest.clone()), ..made.clone() },
        Recorded { applied_plan: Some(desired.digest.clone()), ..made.clone() },
    ] {
        assert!(!create::is_approved(&desired, &was, &approved(&was)));
    }
}

#[test]
fn nothing_follows_a_create_that_takes_all() {
    for spec in fixture::all() {
        let desired = desired(&spec);
        let follows = follow::writes(&desired, &Recorded::default(), now());
        let takes_all = !desired.has_package() && spec != fixture::beside() && spec != fixture::paid_first();
        assert!(!takes_all || follows.is_empty(), "{spec}: {follows:#?}");
        let has_more = spec != fixture::by_alias() && !takes_all;
        assert_eq!(follows.is_empty(), !has_more, "{spec}");
        // So it is where another contract of the resource is on record, which is over.
        let before = Recorded {
            contract_id: Some("old".into()),
            customer_id: Some("customer-1".into()),
            ..Recorded::default()
        };
        assert_eq!(follow::writes(&desired, &before, now()), follows, "{spec}");
    }
}

#[test]
fn a_contract_from_a_package_with_an_item_like_its_own_goes_on_after_a_kill() {
    for at in 0..2 {
        let mut world = World::new(&fixture::from_package(), None, Some((at, Fault::Reply)));
        world.pass(Goal::InForce);
        let mut of_package = world.api.contract["commits"][0].clone();
        if of_package.is_null() {
            of_package = json!({"product": {"id": fixture::OTHER}, "type": "PREPAID", "priority": 100});
        }
        of_package["id"] = json!("of-the-package");
        of_package["name"] = json!("Included");
        let commits = world.api.contract["commits"].as_array_mut().unwrap();
        commits.insert(0, of_package);
        world.contract.status = None;
        world.settle();
        assert_eq!((world.creates, live(&world, "commits")), (1, 2), "killed at write {at}");
        assert_eq!(world.api.contract["commits"][0]["name"], "Included");
    }
}

#[test]
fn what_was_told_by_what_it_says_is_on_record_whatever_comes_of_the_next_write() {
    for fault in [Fault::Request, Fault::Reply] {
        let mut world = World::new(&fixture::plain(), None, None);
        world.settle();
        let recorded = world.contract.status.clone().unwrap().items;
        world.contract.status.as_mut().unwrap().items.clear();
        set_terms(&mut world, &with(&fixture::plain(), "/name", json!("Another")));
        world.fault = Some((world.sends, fault));
        let outcome = world.pass(Goal::InForce).outcome;
        assert!(matches!(outcome, Outcome::Unconfirmed { .. }), "{outcome:?}");
        let known = world.contract.status.clone().unwrap().items;
        for list in ["commits", "credits", "scheduledCharges"] {
            let of_list = |item: &&crate::api::contract::ItemId| item.key.starts_with(&format!("{list}/"));
            assert!(known.iter().any(|item| of_list(&item) && recorded.contains(item)), "{list}: {known:?}");
        }
    }
}

#[test]
fn what_the_reply_to_an_edit_says_it_has_added_is_on_record_though_no_read_shows_it_yet() {
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    world.behind = Some(world.api.contract.clone());
    let more = fixture::from_package()["commits"][0].clone();
    set_terms(&mut world, &with(&fixture::plain(), "/commits/-", more));
    let result = world.pass(Goal::InForce);
    let id = world.api.contract["commits"][1]["id"].as_str().unwrap();
    let is_known = result.items.iter().any(|item| item.key == "commits/extra" && item.id == id);
    assert!(is_known, "{:?}: {:?}", result.outcome, result.items);
}
