//! A create whose reply did not come, and another customer by the next look: what was sent for the former one is looked for
//! there, and held like any contract of the resource's.

use super::{metronome::*, *};
use crate::{
    plan::{Before, Holder, Holders, Sought, metronome::ContractPlanner},
    terms::metronome::Contract,
};

const FORMER: &str = "Contracts { customer_id: CustomerId(\"customer-1\") }";
const NEW: &str = "Contracts { customer_id: CustomerId(\"customer-2\") }";
const ALIAS: &str = "CustomerByAlias {";

/// The customer has no contract.
fn nothing_of(customer: &'static str) -> Row {
    read(customer, json!([]))
}

/// The former customer has what was sent for it.
fn made(members: Value) -> Row {
    read(FORMER, json!([told(members)]))
}

/// The new customer's contract is made, with this key.
fn made_for_the_new_one() -> [Row; 5] {
    let members = json!({"id": "c-2", "customer_id": "customer-2"});
    [taken(CREATE, json!({"id": "c-2"})), found(members), nothing_beside(), nothing_beside(), done("applied")]
}

fn terms(bench: &mut Bench<ContractPlanner>) -> &mut Contract {
    bench.contract.spec.metronome.as_deref_mut().unwrap()
}

fn move_to(bench: &mut Bench<ContractPlanner>, customer: &str) {
    terms(bench).customer_id = Some(customer.to_owned().into());
    bench.change();
}

/// A resource whose create for the former customer was sent, and which names another one by now. Each way in which nobody came
/// to hear of it.
fn moved(members: &Value) -> [Bench<ContractPlanner>; 2] {
    let sent = || [nothing_of(FORMER), failed(CREATE, unknown())];
    let mut lost = bench(members.clone());
    lost.pass(&[&sent()[..], &[done("unconfirmed")]].concat());
    let mut killed = bench(members.clone());
    killed.killed(&sent());
    let mut both = [lost, killed];
    for bench in &mut both {
        move_to(bench, "customer-2");
    }
    both
}

#[test]
fn what_a_lost_create_made_for_a_former_customer_is_held_and_nothing_is_made_for_the_new_one() {
    // A create that sets nothing is on record all the same.
    for members in [json!({}), json!({"name": null})] {
        for mut bench in moved(&members) {
            let result = bench.pass(&[made(members.clone()), done("refused ImmutableField")]);
            let Outcome::Refused { refusal, .. } = result.outcome else { panic!() };
            for part in ["contract c-1", "customer-1 -> customer-2"] {
                assert!(refusal.message.contains(part), "{}", refusal.message);
            }
            let status = bench.status();
            assert_eq!(
                (status.contract_id.as_deref(), status.customer_id.as_deref()),
                (Some("c-1"), Some("customer-1"))
            );
            // From now on it is one that is held: no read is needed to say so.
            bench.later(600);
            bench.pass(&[done("refused ImmutableField")]);
            // The customer is restored, as the refusal says.
            move_to(&mut bench, "customer-1");
            let looked =
                [found(members.clone()), nothing_beside(), nothing_beside(), read("Edits(", json!([]))];
            bench.pass(&[&looked[..], &[done("in_sync")]].concat());
            assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
        }
    }
}

#[test]
fn what_a_lost_create_made_for_a_former_customer_is_found_under_any_key_and_by_any_name() {
    for mut bench in moved(&json!({})) {
        terms(&mut bench).uniqueness_key = Some("another".into());
        bench.pass(&[made(json!({})), done("refused ImmutableField")]);
    }
    for mut bench in moved(&json!({})) {
        (terms(&mut bench).customer_id, terms(&mut bench).customer_alias) =
            (None, Some("acme".to_owned().into()));
        bench.pass(&[read(ALIAS, json!("customer-2")), made(json!({})), done("refused ImmutableField")]);
    }
    // The alias means another customer by now.
    let mut bench = bench(json!({"customerId": null, "customerAlias": "acme"}));
    bench.killed(&[read(ALIAS, json!("customer-1")), nothing_of(FORMER), failed(CREATE, unknown())]);
    bench.pass(&[read(ALIAS, json!("customer-2")), made(json!({})), done("refused ImmutableField")]);
}

#[test]
fn what_used_the_key_of_a_create_is_looked_for_among_the_former_customers_contracts_too() {
    // It was delivered twice on its way, and the list is behind.
    let mut bench = bench(json!({}));
    bench.pass(&[nothing_of(FORMER), failed(CREATE, key_used()), nothing_of(FORMER), done("unconfirmed")]);
    move_to(&mut bench, "customer-2");
    bench.later(29);
    bench.pass(&[nothing_of(FORMER), done("waiting OtherContractHeld")]);
    bench.pass(&[made(json!({})), done("refused ImmutableField")]);
    assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
}

#[test]
fn what_may_still_be_made_for_a_former_customer_is_waited_for_until_it_would_show() {
    for (mut bench, until) in moved(&json!({})).into_iter().zip([60, 120]) {
        let waits = || [nothing_of(FORMER), done("waiting OtherContractHeld")];
        bench.pass(&waits());
        bench.later(until - 1);
        bench.pass(&waits());
        bench.later(1);
        let made = [&[nothing_of(FORMER), nothing_of(NEW)][..], &made_for_the_new_one()].concat();
        let result = bench.pass(&made);
        assert_eq!(result.customer_id.as_deref(), Some("customer-2"));
        assert_eq!(bench.contract_id().as_deref(), Some("c-2"));
    }
}

#[test]
fn it_is_waited_for_before_a_contract_of_the_new_customer_is_taken_over() {
    for mut bench in moved(&json!({})) {
        bench.contract.spec.adopt =
            serde_json::from_value(json!({"contractId": "c-9", "mode": "Override"})).unwrap();
        bench.pass(&[nothing_of(FORMER), done("waiting OtherContractHeld")]);
        bench.pass(&[made(json!({})), done("refused ImmutableField")]);
    }
}

#[test]
fn what_others_have_of_the_former_customer_or_somebody_archived_keeps_nothing_from_being_made() {
    let archived = json!({"archived_at": "2026-06-01T10:31:00Z"});
    let theirs = json!({"uniqueness_key": "test/billing/other"});
    for members in [archived, theirs] {
        for mut bench in moved(&json!({})) {
            bench.later(120);
            let rows = [&[made(members.clone()), nothing_of(NEW)][..], &made_for_the_new_one()].concat();
            bench.pass(&rows);
        }
    }
    // Another resource has taken over what was made.
    for mut bench in moved(&json!({})) {
        bench.later(120);
        bench.holders = Box::new(|_| {
            Holders::new(|sought: Sought<'_>| match sought.before {
                Before::Taking => Holder::Resource("billing/other".into()),
                _ => Holder::Nobody,
            })
        });
        let rows = [&[made(json!({})), nothing_of(NEW)][..], &made_for_the_new_one()].concat();
        bench.pass(&rows);
    }
}

#[test]
fn what_a_lost_create_made_for_a_former_customer_ends_with_its_resource() {
    let ends = || {
        let archived = json!({"archived_at": "2026-06-01T10:31:00Z"});
        let beside = [nothing_beside(), nothing_beside(), read("Invoices(", json!([]))];
        let archive = [taken("Other v1/contracts/archive", json!({"id": "c-1"})), made(archived)];
        [&[made(json!({}))][..], &beside, &archive].concat()
    };
    for mut bench in moved(&json!({})) {
        bench.goal = ending(DeletionPolicy::Cancel);
        let result = bench.pass(&[&ends()[..], &[nothing_of(NEW), done("ended")]].concat());
        assert!(bench.sent[0].body.contains("\"customer_id\":\"customer-1\""), "{}", bench.sent[0].body);
        assert!(!crate::protocol::deletion::may_go(&result), "another try of it may still come");
    }
    // A spec that cannot be planned changes nothing about it.
    for mut bench in moved(&json!({})) {
        terms(&mut bench).ending_before = Some("2025-01-01T00:00:00Z".parse().unwrap());
        bench.goal = ending(DeletionPolicy::Cancel);
        bench.pass(&[&ends()[..], &[done("ended")]].concat());
    }
    // What another owner has stamped since is that owner's.
    for mut bench in moved(&json!({})) {
        bench.planner =
            Box::new(|contract| ContractPlanner::new(contract, None, None, &account(Some("prod"))).unwrap());
        bench.goal = ending(DeletionPolicy::Cancel);
        let theirs = made(json!({"custom_fields": {"countersign_cluster": "staging"}}));
        bench.pass(&[theirs, nothing_of(NEW), done("ended")]);
        assert_eq!(bench.sent, []);
    }
}
