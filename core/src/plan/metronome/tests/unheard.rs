//! What a write that nobody heard of has set of an item, when Git goes back before the next look: it is the spec's all the
//! same, and is taken out, or refused by name.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{
    super::{lists::LISTS, matching::has_ended, observed::ROYALTIES, tables::KEYLESS},
    leaving::places,
    planner::{Fault, World, set_terms},
    *,
};
use crate::{
    protocol::{Goal, Outcome},
    terms::{metronome::CONTRACT, shape::Spelling},
};

/// How many items of a list have in billing what a spec says at a place in one of them.
fn saying(world: &World, spec: &Value, place: &str) -> usize {
    let parts: Vec<_> = place.splitn(4, '/').skip(1).collect();
    let [list, index, rest] = parts[..] else { panic!("{place}") };
    let item = &spec[list][index.parse::<usize>().unwrap()];
    let item = lists::item_shape(list).canonical(item, Spelling::Spec).unwrap();
    let rest = format!("/{rest}");
    let said = |item: &Value| {
        item.pointer(&rest).map(|said| match said.get("scheduleItems") {
            Some(items) => json!(items.as_array().unwrap().len()),
            None => said.clone(),
        })
    };
    let wanted = said(&item);
    let observed = ObservedContract::read(&world.api.contract, world.now).unwrap();
    observed.items(list).filter(|item| said(item.terms) == wanted).count()
}

/// Every optional field of an item, by its place in one of the specs that have it.
fn of_items(specs: &[Value]) -> BTreeMap<String, (&Value, String)> {
    let mut found = BTreeMap::new();
    for spec in specs {
        let mut all = Vec::new();
        places(&CONTRACT, spec, "", "", &mut all);
        for (place, field) in all {
            let is_of_item = place.split('/').nth(2).is_some_and(|index| index.parse::<usize>().is_ok());
            let is_apart = field.contains("customFields") || APART.contains(&field.as_str());
            let without = with(spec, &place, Value::Null);
            if is_of_item && !is_apart && fields::meant(&without).is_ok() {
                found.entry(field).or_insert((spec, place));
            }
        }
    }
    found
}

/// Fields that bear on nothing, that no read tells, or that say what it means to leave them out.
const APART: [&str; 9] = [
    "commits[].amount",
    "commits[].temporaryId",
    "credits[].rateType",
    "overrides[].endingBefore",
    "resellerRoyalties[].endingBefore",
    "recurringCommits[].temporaryId",
    "recurringCredits[].temporaryId",
    "subscriptions[].temporaryId",
    "subscriptions[].initialQuantity",
];

/// How a write came to set a field.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// By a change of the item.
    Change,
    /// By adding the item.
    Add,
    /// By making the contract.
    Create,
}

/// A world in which nobody heard of the write that has set all that a spec says; nothing where there is no such write.
fn unheard(way: Way, fault: Fault, spec: &Value, without: &Value, list: &str) -> Option<World> {
    let before = match way {
        Way::Change => without.clone(),
        Way::Add => with(spec, &format!("/{list}"), Value::Null),
        Way::Create => spec.clone(),
    };
    fields::meant(&before).ok()?;
    let mut world = World::new(&before, None, None);
    if !matches!(way, Way::Create) {
        world.settle();
        set_terms(&mut world, spec);
    }
    world.fault = Some((world.sends, fault));
    let outcome = world.pass(Goal::InForce).outcome;
    let is_unread = matches!(&outcome, Outcome::Waiting { reason, .. } if *reason == "BillingUnreachable");
    (is_unread || matches!(outcome, Outcome::Unconfirmed { .. })).then_some(world)
}

/// What becomes of a field of an item that Git takes out before anybody heard of the write that set it, where it stays.
fn stays(spec: &Value, place: &str) -> Vec<String> {
    let without = with(spec, place, Value::Null);
    let mut plain = World::new(&without, None, None);
    plain.settle();
    let expected = saying(&plain, spec, place);
    let (list, name) = (place.split('/').nth(1).unwrap(), place.rsplit('/').next().unwrap());
    let mut found = Vec::new();
    for (way, fault) in [
        (Way::Change, Fault::Reply),
        (Way::Change, Fault::Killed),
        (Way::Change, Fault::Unread),
        (Way::Add, Fault::Reply),
        (Way::Add, Fault::Unread),
        (Way::Create, Fault::Killed),
        (Way::Create, Fault::Unread),
    ] {
        // What is below a field goes the way of the field.
        let is_below = place.split('/').count() > 4;
        if is_below && !matches!((way, fault), (Way::Change, Fault::Reply)) {
            continue;
        }
        let Some(mut world) = unheard(way, fault, spec, &without, list) else { continue };
        set_terms(&mut world, &without);
        world.now += TimeDelta::minutes(5);
        let outcome = (0..3).map(|_| world.pass(Goal::InForce).outcome).last().unwrap();
        let is_told = match &outcome {
            Outcome::InSync { .. } => saying(&world, spec, place) <= expected,
            Outcome::Refused { refusal, .. } => {
                refusal.reason == "ImmutableField" && refusal.message.contains(name)
            }
            // Which overrides a create made is not told by billing.
            Outcome::Drifted { .. } => list == "overrides" && matches!(way, Way::Create),
            _ => false,
        };
        if !is_told {
            let outcome = format!("{outcome:?}");
            found.push(format!("{place}, {way:?}, {fault:?}: {outcome:.200}"));
        }
    }
    found
}

#[test]
fn what_a_write_of_unknown_outcome_has_set_of_an_item_is_taken_out_or_named_when_git_goes_back() {
    let specs = fixture::all();
    let all: Vec<_> = of_items(&specs).into_values().collect();
    let half = all.len().div_ceil(2);
    let found: Vec<String> = std::thread::scope(|scope| {
        let stay = |all: &[(&Value, String)]| -> Vec<String> {
            all.iter().flat_map(|(spec, place)| stays(spec, place)).collect()
        };
        let halves: Vec<_> = all.chunks(half).map(|part| scope.spawn(move || stay(part))).collect();
        halves.into_iter().flat_map(|found| found.join().unwrap()).collect()
    });
    assert!(all.len() > 80, "{}", all.len());
    assert_eq!(found, Vec::<String>::new(), "{found:#?}");
}

/// How many items of a list bill something from now on, or may.
fn live(world: &World, list: &str) -> usize {
    let observed = ObservedContract::read(&world.api.contract, world.now).unwrap();
    observed.items(list).filter(|item| !has_ended(&observed, *item, world.now + TimeDelta::hours(2))).count()
}

#[test]
fn an_item_that_a_write_of_unknown_outcome_has_made_goes_when_git_goes_back() {
    let (mut tried, mut stays) = (0, Vec::new());
    let lists = || LISTS.iter().filter(|list| !list.is_beside()).map(|list| list.name).chain(KEYLESS);
    // A key that somebody has given may be another's, who has made the items.
    for spec in fixture::all().into_iter().filter(|spec| spec.get("uniquenessKey").is_none()) {
        for list in lists().filter(|list| *list != ROYALTIES) {
            let count = spec[list].as_array().map_or(0, Vec::len);
            for (index, way) in (0..count).flat_map(|index| [(index, Way::Add), (index, Way::Create)]) {
                let mut without = spec.clone();
                without[list].as_array_mut().unwrap().remove(index);
                if fields::meant(&without).is_err() {
                    continue;
                }
                for fault in Fault::UNSEEN {
                    let Some(mut world) = unheard(way, fault, &spec, &without, list) else { continue };
                    tried += 1;
                    set_terms(&mut world, &without);
                    world.now += TimeDelta::minutes(5);
                    let outcome = (0..3).map(|_| world.pass(Goal::InForce).outcome).last().unwrap();
                    let left = live(&world, list);
                    let is_told = match &outcome {
                        Outcome::InSync { .. } => left == count - 1,
                        Outcome::Refused { refusal, .. } => refusal.reason == "ImmutableField",
                        _ => false,
                    };
                    if !is_told {
                        stays.push(format!(
                            "{list}/{index}, {way:?}, {fault:?}: {left} of {count}: {outcome:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(tried > 100, "{tried}");
    assert_eq!(stays, Vec::<String>::new(), "{stays:#?}");
}

/// A contract with subscriptions, and changes of what applications change as they run.
fn quantities() -> (Value, Vec<(&'static str, Value)>) {
    let mut spec = fixture::recurring();
    for list in ["recurringCommits", "recurringCredits", "overrides"] {
        set(&mut spec, &format!("/{list}"), Value::Null);
    }
    let changes = vec![
        ("/subscriptions/0/initialQuantity", json!("20")),
        ("/subscriptions/1/seatConfig/initialSeatIds", json!(["anna", "ben", "carl"])),
        ("/subscriptions/1/seatConfig/initialUnassignedSeats", json!("9")),
    ];
    (spec, changes)
}

/// Quantities and seats that are in force.
fn in_force(world: &World) -> (Value, Value) {
    let subscriptions = &world.api.contract["subscriptions"];
    let last = subscriptions[0]["quantity_schedule"].as_array().unwrap().last().unwrap()["quantity"].clone();
    (last, world.api.seats_of(subscriptions[1]["id"].as_str().unwrap()))
}

#[test]
fn quantities_and_seats_that_a_write_of_unknown_outcome_has_set_go_back_with_git() {
    let (spec, changes) = quantities();
    for (place, to) in changes {
        for fault in Fault::UNSEEN {
            let mut world = World::new(&spec, None, None);
            world.settle();
            let before = in_force(&world);
            set_terms(&mut world, &with(&spec, place, to.clone()));
            world.fault = Some((world.sends, fault));
            world.pass(Goal::InForce);
            assert_ne!(in_force(&world), before, "{place}, {fault:?}");
            set_terms(&mut world, &spec);
            world.settle();
            assert_eq!(in_force(&world).0, before.0, "{place}, {fault:?}");
            let count = |seats: &Value| seats.as_array().unwrap().last().unwrap()["total_quantity"].clone();
            assert_eq!(count(&in_force(&world).1), count(&before.1), "{place}, {fault:?}");
            // What an application makes of it later is its own.
            let quantity = json!({"quantity": 30, "starting_at": "2026-06-01T11:00:00Z"});
            world.api.contract["subscriptions"][0]["quantity_schedule"]
                .as_array_mut()
                .unwrap()
                .push(quantity);
            let sends = world.sends;
            let outcome = world.pass(Goal::InForce).outcome;
            assert!(matches!(outcome, Outcome::Drifted { .. }), "{outcome:?}");
            assert_eq!(world.sends, sends, "{place}, {fault:?}");
        }
    }
}

#[test]
fn a_threshold_that_a_write_of_unknown_outcome_has_turned_off_is_on_again_with_git() {
    let spec = fixture::watched();
    for (name, wire) in [
        ("spendThresholdConfiguration", "spend_threshold_configuration"),
        ("prepaidBalanceThresholdConfiguration", "prepaid_balance_threshold_configuration"),
    ] {
        let off = with(&spec, &format!("/{name}/isEnabled"), json!(false));
        let gone = with(&spec, &format!("/{name}"), Value::Null);
        for (to, fault) in [&off, &gone].into_iter().flat_map(|to| Fault::UNSEEN.map(|fault| (to, fault))) {
            let mut world = World::new(&spec, None, None);
            world.settle();
            set_terms(&mut world, to);
            world.fault = Some((world.sends, fault));
            world.pass(Goal::InForce);
            assert_eq!(world.api.contract[wire]["is_enabled"], false);
            set_terms(&mut world, &spec);
            world.settle();
            assert_eq!(world.api.contract[wire]["is_enabled"], true, "{name}, {fault:?}");
            // One that the API turns off after a payment that failed stays off.
            world.api.contract[wire]["is_enabled"] = json!(false);
            assert!(
                matches!(world.pass(Goal::InForce).outcome, Outcome::Drifted { .. }),
                "{name}, {fault:?}"
            );
        }
    }
}
