//! What recurs and goes: it is ended, once it has begun and while there is something to end.

use super::{
    billed::{RECURRING, one_of_each},
    planner::{World, set_terms},
    *,
};
use crate::{
    api::contract::ManagementPolicy,
    protocol::{Goal, Outcome},
};

const TO_COME: &str = "2026-09-01T00:00:00Z";

fn wire(list: &str) -> &'static str {
    lists::wire_name(&crate::terms::metronome::CONTRACT, list)
}

fn items<'w>(world: &'w World, list: &str) -> &'w Vec<Value> {
    world.api.contract[wire(list)].as_array().unwrap()
}

#[test]
fn what_goes_out_of_a_contract_that_is_over_is_not_written() {
    for list in RECURRING {
        for end in ["2026-05-01T00:00:00Z", "2026-06-01T11:00:00Z"] {
            let mut spec = with(&one_of_each(), "/endingBefore", json!(end));
            for other in RECURRING.into_iter().filter(|other| *other != list) {
                set(&mut spec, &format!("/{other}"), Value::Null);
            }
            let mut world = World::new(&spec, None, None);
            world.settle();
            let (before, sends) = (items(&world, list).clone(), world.sends);
            let without = with(&spec, &format!("/{list}"), Value::Null);
            set_terms(&mut world, &without);
            for _ in 0..3 {
                let outcome = world.pass(Goal::InForce).outcome;
                assert!(matches!(outcome, Outcome::InSync { .. }), "{list}, {end}: {outcome:?}");
            }
            assert_eq!((items(&world, list), world.sends), (&before, sends), "{list}, {end}");
            // A contract that goes on after all has no more of it.
            set_terms(&mut world, &with(&without, "/endingBefore", json!("2026-12-01T00:00:00Z")));
            world.settle();
            let until: DateTime<Utc> =
                items(&world, list)[0]["ending_before"].as_str().unwrap().parse().unwrap();
            let over: DateTime<Utc> = end.parse().unwrap();
            assert!(
                until == over || over > now() && until <= over + chrono::TimeDelta::hours(2),
                "{list}, {end}: {until}"
            );
        }
    }
}

#[test]
fn nothing_is_added_beside_the_like_that_goes_and_cannot_be_ended_yet() {
    for list in RECURRING {
        let start = format!("/{list}/0/startingAt");
        let spec = with(&one_of_each(), &start, json!(TO_COME));
        let mut world = World::new(&spec, None, None);
        world.settle();
        let renamed = with(&spec, &format!("/{list}/0/key"), json!("other"));
        let renamed = with(&renamed, &start, json!("2026-09-02T00:00:00Z"));
        let renamed = with(&renamed, "/name", json!("Renamed"));
        set_terms(&mut world, &renamed);
        for _ in 0..3 {
            let outcome = world.pass(Goal::InForce).outcome;
            let Outcome::Refused { refusal, .. } = outcome else { panic!("{list}: {outcome:?}") };
            assert_eq!(refusal.reason, "ImmutableField", "{list}");
            assert!(refusal.message.contains("not added beside"), "{}", refusal.message);
            assert!(refusal.message.contains(&format!("/{list}/other")), "{}", refusal.message);
        }
        assert_eq!(items(&world, list).len(), 1, "{list}");
        assert_eq!(world.api.contract["name"], "Renamed", "the rest of the change is written");
        // The way out that it names: the first one stays, and bills nothing.
        let mut both = renamed.clone();
        let mut first = spec[list][0].clone();
        match list {
            "subscriptions" => first["initialQuantity"] = json!("0"),
            _ => first["accessAmount"]["quantity"] = json!("0"),
        }
        if list == "recurringCommits" {
            first["invoiceAmount"]["quantity"] = json!("0");
        }
        both[list].as_array_mut().unwrap().push(first);
        set_terms(&mut world, &both);
        world.settle();
        assert_eq!(items(&world, list).len(), 2, "{list}");
    }
}

#[test]
fn what_comes_back_before_it_was_taken_out_is_still_known_with_its_quantity_and_its_gate() {
    let mut spec = one_of_each();
    spec["commits"] = fixture::paid_first()["commits"].clone();
    let mut world = World::new(&spec, None, None);
    world.settle();
    world.contract.spec.management_policy = ManagementPolicy::Plan;
    let mut without = with(&spec, "/commits", Value::Null);
    set(&mut without, "/subscriptions", Value::Null);
    set_terms(&mut world, &without);
    for _ in 0..2 {
        let outcome = world.pass(Goal::InForce).outcome;
        assert!(matches!(outcome, Outcome::AwaitingApproval { .. }), "{outcome:?}");
    }
    world.contract.spec.management_policy = ManagementPolicy::Apply;
    set_terms(&mut world, &spec);
    world.settle();
    let other = with(&spec, "/subscriptions/0/initialQuantity", json!("20"));
    set_terms(&mut world, &without);
    world.contract.spec.management_policy = ManagementPolicy::Plan;
    world.pass(Goal::InForce);
    world.contract.spec.management_policy = ManagementPolicy::Apply;
    set_terms(&mut world, &other);
    world.settle();
    let quantities = world.api.contract["subscriptions"][0]["quantity_schedule"].as_array().unwrap();
    assert_eq!(quantities.last().unwrap()["quantity"].to_string().trim_matches('"'), "20");
}

#[test]
fn a_subscription_that_had_ended_and_goes_on_has_the_seats_that_the_spec_says() {
    let mut spec = fixture::recurring();
    for list in ["recurringCommits", "recurringCredits", "overrides"] {
        set(&mut spec, &format!("/{list}"), Value::Null);
    }
    let mut world = World::new(&spec, None, None);
    world.settle();
    set_terms(&mut world, &with(&spec, "/subscriptions", Value::Null));
    world.settle();
    let back = with(&spec, "/subscriptions/1/seatConfig/initialSeatIds", json!(["carl"]));
    set_terms(&mut world, &back);
    world.settle();
    let seats = world.api.seats_of(world.api.contract["subscriptions"][1]["id"].as_str().unwrap());
    let taken = &seats.as_array().unwrap().last().unwrap()["assigned_seat_ids"];
    assert_eq!(*taken, json!(["carl"]));
}

#[test]
fn a_contract_that_was_over_and_goes_on_does_not_bill_the_periods_that_it_missed() {
    for list in RECURRING {
        for keeps in [true, false] {
            let mut spec = with(&one_of_each(), "/endingBefore", json!("2026-03-15T00:00:00Z"));
            for other in RECURRING.into_iter().filter(|other| *other != list) {
                set(&mut spec, &format!("/{other}"), Value::Null);
            }
            for other in ["commits", "credits", "scheduledCharges"] {
                set(&mut spec, &format!("/{other}"), Value::Null);
            }
            let mut world = World::new(&spec, None, None);
            world.settle();
            if !keeps {
                // Whether the API ends what is in a contract along with it is not known.
                let items = world.api.contract[wire(list)].as_array_mut().unwrap();
                items[0].as_object_mut().unwrap().remove("ending_before");
            }
            let longer = with(&spec, "/endingBefore", json!("2026-12-01T00:00:00Z"));
            set_terms(&mut world, &longer);
            let outcome = world.pass(Goal::InForce).outcome;
            let Outcome::Refused { refusal, .. } = outcome else { panic!("{list}, {keeps}: {outcome:?}") };
            assert_eq!(refusal.reason, "BackdatedItem", "{list}, {keeps}");
            assert!(refusal.message.contains(&format!("/{list}/")), "{}", refusal.message);
            set_terms(&mut world, &with(&longer, &format!("/{list}/0/backdate"), json!(true)));
            world.settle();
            // So may one that was over for less than a period.
            let over = with(&spec, "/endingBefore", json!("2026-06-01T00:00:00Z"));
            let over = with(&over, &format!("/{list}/0/startingAt"), json!("2026-01-15T00:00:00Z"));
            let mut world = World::new(&over, None, None);
            world.settle();
            set_terms(&mut world, &with(&over, "/endingBefore", json!("2026-12-01T00:00:00Z")));
            if list != "subscriptions" {
                world.settle();
            }
        }
    }
}
