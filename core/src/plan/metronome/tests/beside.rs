//! Commits and credits of the customer: made once, found again, changed in place, ended and put back, whatever is lost.

use chrono::TimeDelta;

use super::{
    planner::{Fault, World},
    *,
};
use crate::{
    api::{
        APPROVED_PLAN,
        contract::{DeletionPolicy, ManagementPolicy},
    },
    plan::Ending,
    protocol::{Goal, Outcome},
};

const EDIT: &str = "v2/contracts/commits/edit";
const END: &str = "v1/contracts/customerCommits/updateEndDate";
const CREATE: &str = "v1/contracts/customerCommits/create";

fn commit(key: &str, amount: &str) -> Value {
    json!({"key": key, "productId": fixture::PRODUCT, "type": "PREPAID", "priority": "1", "name": key,
        "accessSchedule": {"scheduleItems": [
            {"amount": amount, "startingAt": "2026-07-01T00:00:00Z", "endingBefore": "2027-07-01T00:00:00Z"}]},
        "invoiceSchedule": {"scheduleItems": [
            {"timestamp": "2026-07-01T00:00:00Z", "amount": amount},
            {"timestamp": "2026-10-01T00:00:00Z", "amount": amount}]}})
}

/// One that may be used already.
fn begun(key: &str, amount: &str) -> Value {
    let mut commit = commit(key, amount);
    commit["accessSchedule"]["scheduleItems"][0]["startingAt"] = json!("2026-06-01T00:00:00Z");
    commit
}

fn spec(commits: &[Value]) -> Value {
    let mut spec = with(&fixture::plain(), "/customerCommits", json!(commits));
    if commits.is_empty() {
        spec.as_object_mut().unwrap().remove("customerCommits");
    }
    spec
}

fn told(bench: &Bench) -> Vec<Value> {
    bench.api.balances(Balances::Commits).as_array().unwrap().clone()
}

#[test]
fn a_new_contract_is_made_first_and_what_is_beside_it_is_billed_on_it() {
    let mut bench = Bench::default();
    let plans = bench.settle(&spec(&[commit("pool", "1000")]));
    let calls: Vec<_> = plans.iter().map(paths).collect();
    assert_eq!(calls, [vec![CREATE_CONTRACT], vec![CREATE]]);
    assert!(plans[0].calls[0].body.find("customer_commits").is_none(), "{}", plans[0].calls[0].body);
    let shown = json!(plans[0].changes).to_string();
    assert!(shown.contains("customerCommits"), "the plan of the create shows what follows: {shown}");
    assert!(
        plans[0].summary().contains("20 USD") || plans[0].summary().contains("20.00"),
        "{}",
        plans[0].summary()
    );
    let sent = body(&plans[1].calls[0]);
    assert_eq!(sent["invoice_contract_id"], bench.api.contract["id"]);
    assert_eq!(sent["customer_id"], "customer-1");
    assert_eq!(bench.recorded.items["customerCommits/pool"], told(&bench)[0]["id"].as_str().unwrap());
}

#[test]
fn what_is_beside_a_contract_is_found_again_without_its_record_by_key_or_by_what_it_says() {
    for hides_keys in [false, true] {
        let mut bench = Bench::created(&spec(&[commit("a", "1000"), commit("b", "2000")]));
        bench.api.hides_keys = hides_keys;
        let items = bench.recorded.items.clone();
        bench.forget();
        assert_eq!(bench.decide(&spec(&[commit("a", "1000"), commit("b", "2000")])), Decision::InSync);
        bench.remember(&desired(&spec(&[commit("a", "1000"), commit("b", "2000")])));
        assert_eq!(bench.recorded.items, items, "{hides_keys}");
    }
}

#[test]
fn by_its_key_an_item_is_found_whatever_it_says_by_now() {
    let mut bench = Bench::created(&spec(&[commit("a", "1000"), commit("b", "2000")]));
    bench.api.contract["beside_commits"][0]["name"] = json!("by hand");
    bench.forget();
    let plan = written(bench.decide(&spec(&[commit("a", "1000"), commit("b", "2000")])));
    assert_eq!(paths(&plan), [EDIT]);
    let id = &told(&bench)[0]["id"];
    assert_eq!(body(&plan.calls[0]), json!({"commit_id": id, "customer_id": "customer-1", "name": "a"}));
}

#[test]
fn what_other_resources_have_made_for_the_customer_is_neither_taken_nor_reported() {
    let ours = spec(&[commit("a", "1000")]);
    let mut bench = Bench::created(&spec(&[]));
    let theirs =
        desired_as(&ours, Resolved { key: UniquenessKey::derive("test", "billing", "other"), ..resolved() });
    let mut api = bench.clone();
    api.recorded = Recorded { contract_id: bench.recorded.contract_id.clone(), ..Recorded::default() };
    let plan = written(api.decide_for(&theirs));
    bench.api.call(plan.calls.iter().find(|call| call.path == CREATE).unwrap());
    assert_eq!(told(&bench).len(), 1);
    assert_eq!(
        paths(&written(bench.decide(&ours))),
        [CREATE],
        "an equal one of another resource is not this one's"
    );
    bench.settle(&ours);
    assert_eq!(told(&bench).len(), 2);
    assert_eq!(bench.decide(&ours), Decision::InSync);
    let plan = written(bench.decide(&spec(&[])));
    assert_eq!(body(&plan.calls[0])["commit_id"], told(&bench)[1]["id"], "and only its own is taken out");
}

#[test]
fn what_people_made_for_the_customer_is_taken_for_the_specs_only_where_it_says_the_same_or_is_asked_about() {
    let mut bench = Bench::created(&spec(&[commit("a", "1000")]));
    let mut by_hand = told(&bench)[0].clone();
    by_hand["id"] = json!("by-hand");
    by_hand.as_object_mut().unwrap().remove("uniqueness_key");
    by_hand["name"] = json!("by hand");
    bench.api.contract["beside_commits"].as_array_mut().unwrap().push(by_hand);
    assert_eq!(bench.decide(&spec(&[commit("a", "1000")])), Decision::InSync, "nor is it reported");
    let both = spec(&[commit("a", "1000"), commit("b", "1000")]);
    assert_eq!(paths(&written(bench.decide(&both))), [CREATE], "the record says that it is not the spec's");
    bench.forget();
    let refusal = refused(bench.decide(&both));
    assert_eq!(refusal.reason, "AmbiguousItem", "{}", refusal.message);
    assert!(refusal.message.contains("by-hand or a new one"), "{}", refusal.message);
}

#[test]
fn an_item_that_leaves_the_spec_is_ended_and_goes_on_when_it_comes_back() {
    let mut bench = Bench::created(&spec(&[begun("pool", "1000")]));
    let plan = written(bench.decide(&spec(&[])));
    assert_eq!(paths(&plan), [END]);
    let sent = body(&plan.calls[0]);
    assert_eq!(sent["access_ending_before"], "2026-06-01T11:00:00Z");
    assert_eq!(sent["invoices_ending_before"], "2026-06-01T11:00:00Z");
    assert!(plan.summary().contains("-20"), "its two invoices are gone: {}", plan.summary());
    bench.settle(&spec(&[]));
    assert!(!bench.recorded.items.contains_key("customerCommits/pool"));
    assert_eq!(bench.decide(&spec(&[])), Decision::InSync);
    let back = written(bench.decide(&spec(&[begun("pool", "1000")])));
    assert_eq!(paths(&back), [EDIT], "it is the same one, found by its key");
    bench.settle(&spec(&[begun("pool", "1000")]));
    assert_eq!(told(&bench).len(), 1);
    assert_eq!(told(&bench)[0]["invoice_schedule"]["schedule_items"].as_array().unwrap().len(), 2);
}

#[test]
fn an_item_that_has_not_begun_is_emptied_instead_of_ended_before_its_start() {
    let mut bench = Bench::created(&spec(&[commit("pool", "1000")]));
    let plan = written(bench.decide(&spec(&[])));
    assert_eq!(paths(&plan), [EDIT]);
    bench.settle(&spec(&[]));
    let item = &told(&bench)[0];
    for schedule in ["access_schedule", "invoice_schedule"] {
        for part in item[schedule]["schedule_items"].as_array().unwrap() {
            assert_eq!(part["amount"], 0, "{item}");
        }
    }
    bench.settle(&spec(&[commit("pool", "1000")]));
    assert_eq!(told(&bench).len(), 1);
    assert_eq!(told(&bench)[0]["access_schedule"]["schedule_items"][0]["amount"], 1000);
}

/// One that the API does not end.
fn postpaid() -> Value {
    let mut postpaid = begun("pool", "1000");
    postpaid["type"] = json!("POSTPAID");
    postpaid["invoiceSchedule"] =
        json!({"scheduleItems": [{"timestamp": "2027-07-01T00:00:00Z", "amount": "1000"}]});
    postpaid
}

#[test]
fn a_postpaid_commit_that_has_begun_is_not_ended_and_says_so() {
    let bench = Bench::created(&spec(&[postpaid()]));
    let refusal = refused(bench.decide(&spec(&[])));
    assert!(refusal.message.contains("/customerCommits/pool"), "{}", refusal.message);
    assert!(refusal.message.contains("POSTPAID"), "{}", refusal.message);
}

#[test]
fn what_is_beside_the_contract_is_no_item_of_it_though_billing_may_show_it_in_both_places() {
    let mut bench = Bench::created(&spec(&[commit("pool", "1000")]));
    let shown = bench.api.contract["beside_commits"][0].clone();
    bench.api.contract["commits"].as_array_mut().unwrap().insert(0, shown);
    assert_eq!(bench.decide(&spec(&[commit("pool", "1000")])), Decision::InSync);
    let amount = "/commits/0/accessSchedule/scheduleItems/0/amount";
    let edit =
        edit_of(&written(bench.decide(&with(&spec(&[commit("pool", "1000")]), amount, json!("130000")))));
    let own = bench.api.contract["commits"][1]["id"].clone();
    assert_eq!(edit["update_commits"][0]["commit_id"], own);
}

#[test]
fn the_past_is_not_billed_again_by_another_key_or_a_change_of_the_schedule() {
    let mut past = begun("pool", "1000");
    past["invoiceSchedule"]["scheduleItems"][0]["timestamp"] = json!("2026-05-01T00:00:00Z");
    let mut bench = Bench::created(&spec(std::slice::from_ref(&past)));
    let mut renamed = past.clone();
    renamed["key"] = json!("other");
    bench.settle(&spec(&[]));
    assert_eq!(refused(bench.decide(&spec(&[renamed]))).reason, "BackdatedItem");
    bench.settle(&spec(std::slice::from_ref(&past)));
    let mut more = past;
    let earlier = json!({"timestamp": "2026-04-01T00:00:00Z", "amount": "5"});
    more["invoiceSchedule"]["scheduleItems"].as_array_mut().unwrap().push(earlier);
    assert_eq!(refused(bench.decide(&spec(&[more]))).reason, "BackdatedItem");
}

#[test]
fn the_key_of_an_item_that_somebody_archived_is_not_used_again() {
    let mut bench = Bench::created(&spec(&[commit("pool", "1000")]));
    bench.api.contract["beside_commits"][0]["archived_at"] = json!("2026-06-01T00:00:00Z");
    let refusal = refused(bench.decide(&spec(&[commit("pool", "1000")])));
    assert!(refusal.message.contains("another `key`"), "{}", refusal.message);
    let plan = written(bench.decide(&spec(&[commit("pool-2", "1000")])));
    assert_eq!(paths(&plan), [CREATE]);
}

#[test]
fn what_was_made_and_is_not_shown_yet_is_waited_for_and_not_made_again() {
    let mut past = begun("pool", "1000");
    past["invoiceSchedule"]["scheduleItems"][0]["timestamp"] = json!("2026-05-01T00:00:00Z");
    let mut bench = Bench::created(&spec(std::slice::from_ref(&past)));
    let made = bench.api.contract["beside_commits"].take();
    bench.api.contract["beside_commits"] = json!([]);
    match bench.decide(&spec(std::slice::from_ref(&past))) {
        Decision::Wait(why) => assert!(why.message.contains("/customerCommits/pool"), "{}", why.message),
        other => panic!("{other:?}"),
    }
    bench.api.contract["beside_commits"] = made;
    assert_eq!(bench.decide(&spec(&[past])), Decision::InSync);
}

#[test]
fn what_the_end_of_the_contract_cuts_leaves_what_is_beside_it_alone() {
    let mut bench = Bench::created(&spec(&[begun("pool", "1000")]));
    let shorter = with(&spec(&[begun("pool", "1000")]), "/endingBefore", json!("2026-08-01T00:00:00Z"));
    let plan = written(bench.decide(&shorter));
    assert!(!json!(plan.changes).to_string().contains("customerCommits"), "{}", plan.summary());
    bench.settle(&shorter);
    assert_eq!(bench.decide(&shorter), Decision::InSync);
}

#[test]
fn what_a_lost_reply_has_made_is_taken_out_when_the_spec_goes_back() {
    for (fault, made) in [(Fault::Reply, 1), (Fault::Request, 0)] {
        let mut world = World::new(&spec(&[]), None, None);
        world.settle();
        world.fault = Some((world.sends, fault));
        world.contract.spec.metronome = serde_json::from_value(spec(&[begun("pool", "1000")])).unwrap();
        world.contract.metadata.generation = Some(2);
        assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::Unconfirmed { .. }));
        world.contract.spec.metronome = serde_json::from_value(spec(&[])).unwrap();
        world.contract.metadata.generation = Some(3);
        world.settle();
        let told = world.api.balances(Balances::Commits);
        let items = told.as_array().unwrap();
        assert_eq!(items.len(), made, "{fault:?}");
        for item in items {
            let ends = &item["access_schedule"]["schedule_items"][0]["ending_before"];
            assert_eq!(*ends, "2026-06-01T11:00:00Z", "{fault:?}: it is ours, and is ended");
        }
    }
}

#[test]
fn what_was_made_beside_a_contract_and_left_the_spec_before_it_was_recorded_is_taken_out() {
    // Of the spec that asks for it nothing was reported at all, or that it waits for what follows.
    for is_reported in [false, true] {
        let mut world = World::new(&spec(&[]), None, None);
        world.settle();
        world.contract.spec.metronome = serde_json::from_value(spec(&[begun("pool", "1000")])).unwrap();
        world.contract.metadata.generation = Some(2);
        let mut status = world.contract.status.clone().unwrap();
        if is_reported {
            status.observed_generation = Some(2);
            status.conditions.retain(|condition| condition.type_ != "Ready");
        }
        world.settle();
        world.contract.status = Some(status);
        world.contract.spec.metronome = serde_json::from_value(spec(&[])).unwrap();
        world.contract.metadata.generation = Some(3);
        world.settle();
        let told = world.api.balances(Balances::Commits);
        let ends = &told[0]["access_schedule"]["schedule_items"][0]["ending_before"];
        assert_eq!(*ends, "2026-06-01T11:00:00Z", "{is_reported}: it is ours, and is ended");
    }
}

#[test]
fn what_was_made_for_a_spec_that_went_is_not_forgotten_while_its_end_waits_or_is_only_reported() {
    for policy in [ManagementPolicy::Plan, ManagementPolicy::Observe] {
        let mut world = World::new(&spec(&[begun("pool", "1000")]), None, None);
        world.settle();
        // The process was killed before it could say so, and the spec moved on twice.
        world.contract.status = None;
        world.contract.spec.metronome = serde_json::from_value(spec(&[])).unwrap();
        world.contract.spec.management_policy = policy;
        world.contract.metadata.generation = Some(3);
        for look in 0..4 {
            let outcome = world.pass(Goal::InForce).outcome;
            let is_told = matches!(outcome, Outcome::AwaitingApproval(_) | Outcome::Drifted { .. });
            assert!(is_told, "{policy:?}, look {look}: {outcome:?}");
        }
        world.contract.spec.management_policy = ManagementPolicy::Apply;
        world.contract.metadata.generation = Some(4);
        world.settle();
        let told = world.api.balances(Balances::Commits);
        let ends = &told[0]["access_schedule"]["schedule_items"][0]["ending_before"];
        assert_eq!(*ends, "2026-06-01T11:00:00Z", "{policy:?}: it is ended in the end");
    }
}

#[test]
fn what_billing_makes_otherwise_of_an_approved_create_waits_for_an_approval_of_its_own() {
    for trims in [false, true] {
        let terms = with(&spec(&[commit("pool", "1000")]), "/name", json!("Acme "));
        let mut world = World::new(&terms, None, None);
        world.contract.spec.management_policy = ManagementPolicy::Plan;
        if trims {
            world.alters = |told| told["name"] = json!("Acme");
        }
        let Outcome::AwaitingApproval(plan) = world.pass(Goal::InForce).outcome else { panic!() };
        let annotations = world.contract.metadata.annotations.get_or_insert_default();
        annotations.insert(APPROVED_PLAN.to_owned(), plan.digest.to_string());
        let outcome = world.pass(Goal::InForce).outcome;
        assert_eq!(world.sends, if trims { 1 } else { 2 }, "{outcome:?}");
        assert_eq!(matches!(outcome, Outcome::AwaitingApproval(_)), trims, "{outcome:?}");
    }
}

#[test]
fn what_has_no_key_of_its_own_is_not_sent_again_before_a_read_must_show_the_first() {
    let mut world = World::new(&spec(&[commit("pool", "1000")]), None, None);
    world.settle();
    world.fault = Some((world.sends, Fault::Request));
    let mut more = commit("pool", "1000");
    let later = json!({"timestamp": "2026-12-01T00:00:00Z", "amount": "5"});
    more["invoiceSchedule"]["scheduleItems"].as_array_mut().unwrap().push(later);
    world.contract.spec.metronome = serde_json::from_value(spec(&[more])).unwrap();
    world.contract.metadata.generation = Some(2);
    assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::Unconfirmed { .. }));
    let sends = world.sends;
    world.now -= TimeDelta::seconds(50);
    assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::NotInForce { .. }));
    assert_eq!(world.sends, sends, "it may be on its way");
    world.settle();
    assert_eq!(world.sends, sends + 1);
    let told = world.api.balances(Balances::Commits);
    assert_eq!(told[0]["invoice_schedule"]["schedule_items"].as_array().unwrap().len(), 3);
}

#[test]
fn a_contract_that_is_deleted_takes_what_is_beside_it_along_and_an_orphan_does_not() {
    for (policy, ends) in
        [(DeletionPolicy::Orphan, false), (DeletionPolicy::End, true), (DeletionPolicy::Cancel, true)]
    {
        let mut world = World::new(&spec(&[begun("pool", "1000")]), None, None);
        world.settle();
        let goal = Goal::Ended(Ending { policy, end_at: None, void_invoices: false });
        let outcomes: Vec<_> = (0..2).map(|_| world.pass(goal).outcome).collect();
        assert!(matches!(outcomes[1], Outcome::Ended { .. }), "{outcomes:?}");
        let told = world.api.balances(Balances::Commits);
        let end = told[0]["access_schedule"]["schedule_items"][0]["ending_before"].as_str().unwrap();
        assert_eq!(end.starts_with("2026-06-01"), ends, "{policy:?}: {end}");
    }
}

#[test]
fn a_contract_does_not_end_without_a_postpaid_commit_beside_it_that_cannot() {
    for policy in [DeletionPolicy::End, DeletionPolicy::Cancel] {
        let mut world = World::new(&spec(&[postpaid()]), None, None);
        world.settle();
        let sends = world.sends;
        let goal = Goal::Ended(Ending { policy, end_at: None, void_invoices: false });
        let Outcome::Refused { refusal, .. } = world.pass(goal).outcome else { panic!() };
        assert_eq!(refusal.reason, "ImmutableField");
        for part in ["POSTPAID", "/customerCommits/", "`spec.deletionPolicy: Orphan`"] {
            assert!(refusal.message.contains(part), "{part} in {}", refusal.message);
        }
        assert_eq!(world.sends, sends, "all of it ends or none");
    }
}

#[test]
fn a_contract_without_such_items_reads_no_list_of_them() {
    let bench = Bench::created(&fixture::plain());
    assert_eq!(balances::needed(Some(&desired(&fixture::plain())), &bench.recorded).count(), 0);
    let with_items = desired(&spec(&[commit("pool", "1000")]));
    let kinds: Vec<_> = balances::needed(Some(&with_items), &bench.recorded).collect();
    assert_eq!(kinds, [Balances::Commits], "and of credits none, where only commits are said");
    let lacking = Recorded { may_lack_a_spec: true, ..bench.recorded.clone() };
    assert_eq!(balances::needed(Some(&with_items), &lacking).count(), 2, "whatever came and went meanwhile");
}

#[test]
fn a_gated_commit_is_added_after_the_create_and_what_waits_for_its_id_with_it() {
    let mut bench = Bench::default();
    let plans = bench.settle(&fixture::paid_first());
    assert_eq!(plans.len(), 2);
    let created = body(&plans[0].calls[0]);
    assert_eq!(created["commits"].as_array().unwrap().len(), 1, "{created}");
    assert_eq!(created.get("overrides"), Some(&json!([])), "{created}");
    let edit = edit_of(&plans[1]);
    assert_eq!(edit["add_commits"][0]["payment_gate_config"]["stripe_config"]["on_session_payment"], true);
    assert_eq!(edit["add_overrides"].as_array().unwrap().len(), 1);
}

#[test]
fn a_payment_gate_cannot_be_put_on_a_commit_that_is_there() {
    let ungated = with(&fixture::paid_first(), "/commits/1/paymentGateConfig", Value::Null);
    let bench = Bench::created(&ungated);
    let refusal = refused(bench.decide(&fixture::paid_first()));
    assert!(refusal.message.contains("/commits/gated/paymentGateConfig"), "{}", refusal.message);
}

#[test]
fn a_weekly_schedule_is_sent_as_its_items_and_read_back_the_same() {
    let mut spec = fixture::plain();
    spec["commits"][0]["invoiceSchedule"] = json!({"recurringSchedule": {"amountDistribution": "EACH", "amount": "100",
        "frequency": "WEEKLY", "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2026-02-01T00:00:00Z"}});
    let mut bench = Bench::default();
    let plans = bench.settle(&spec);
    let schedule = body(&plans[0].calls[0])["commits"][0]["invoice_schedule"].clone();
    assert_eq!(schedule.get("recurring_schedule"), None);
    let times: Vec<_> =
        schedule["schedule_items"].as_array().unwrap().iter().map(|item| &item["timestamp"]).collect();
    assert_eq!(times.len(), 5);
    assert_eq!(*times[4], "2026-01-29T00:00:00Z");
    bench.forget();
    assert_eq!(bench.decide(&spec), Decision::InSync);
}

#[test]
fn only_overrides_for_a_commit_that_is_paid_first_wait_with_it() {
    let open = json!({"startingAt": "2026-01-01T00:00:00Z", "type": "MULTIPLIER", "multiplier": "0.9",
        "isCommitSpecific": true, "overrideSpecifiers": [{"productId": fixture::OTHER, "commitIds": ["tmp-open"]}]});
    let named = with(&fixture::paid_first(), "/commits/0/temporaryId", json!("tmp-open"));
    let spec = with(&named, "/overrides/-", open);
    let plan = written(Bench::default().decide(&spec));
    let body: Value = serde_json::from_str(&plan.calls[0].body).unwrap();
    let multipliers: Vec<_> =
        body["overrides"].as_array().unwrap().iter().map(|item| &item["multiplier"]).collect();
    assert_eq!(multipliers, [&json!(0.9)], "{body}");
}
