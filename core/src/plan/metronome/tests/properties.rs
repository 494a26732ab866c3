//! What holds for every pair of specs: a plan leads from one to the other, once, and leaves alone what is not the spec's.

use proptest::{prelude::*, sample::Index, test_runner::RngSeed};

use super::{
    planner::{Fault, World, set_terms},
    *,
};
use crate::{
    protocol::{Goal, Outcome},
    terms::Decimal,
};

/// Lists to which somebody else adds an item.
const LISTS_OF_OTHERS: [&str; 4] = ["commits", "credits", "scheduled_charges", "overrides"];
/// Places of [`fixture::plain`] that hold an amount or a factor.
const AMOUNTS: [&str; 5] = [
    "/commits/0/accessSchedule/scheduleItems/0/amount",
    "/commits/0/invoiceSchedule/scheduleItems/0/amount",
    "/credits/0/accessSchedule/scheduleItems/0/amount",
    "/overrides/0/multiplier",
    "/scheduledCharges/0/schedule/scheduleItems/0/amount",
];

/// A spec with some places changed and some items left out, as far as that is valid.
fn mutated(spec: &Value, changes: &[(Index, Index)], gone: &[(Index, Index)]) -> Value {
    let mut spec = spec.clone();
    let try_to = |spec: &mut Value, pointer: &str, value: Value| {
        let other = with(spec, pointer, value);
        if fields::meant(&other).is_ok() {
            *spec = other;
        }
    };
    for (place, choice) in changes {
        let leaves = fields::leaves_of(&spec);
        let leaf = place.get(&leaves);
        let others = fields::others(&leaf.shape, spec.pointer(&leaf.pointer).unwrap());
        try_to(&mut spec, &leaf.pointer, choice.get(&others).clone());
    }
    for (list, item) in gone {
        let lists: Vec<_> = spec.as_object().unwrap().iter().filter(|(_, value)| value.is_array()).collect();
        if lists.is_empty() {
            break;
        }
        let (name, items) = *list.get(&lists);
        let count = items.as_array().unwrap().len();
        if count > 0 {
            let pointer = format!("/{name}/{}", item.index(count));
            try_to(&mut spec, &pointer, Value::Null);
        }
    }
    spec
}

/// Puts into the contract what neither the spec nor the record has; returns it.
fn add_things_of_others(api: &mut Api) -> Vec<(&'static str, Value)> {
    api.contract["custom_fields"]["theirs"] = json!("stays");
    let mut added = Vec::new();
    for list in LISTS_OF_OTHERS {
        let Some(items) = api.contract[list].as_array_mut() else { continue };
        let Some(mut item) = items.first().cloned() else { continue };
        item["id"] = json!(format!("{list}-of-others"));
        items.push(item.clone());
        added.push((list, item));
    }
    added
}

/// A spec with optional fields taken out, as far as that is valid.
fn without_fields(spec: &Value, gone: &[(Index, Index)]) -> Value {
    gone.iter().fold(spec.clone(), |spec, (place, _)| {
        let leaves = fields::leaves_of(&spec);
        let left = with(&spec, &place.get(&leaves).pointer, Value::Null);
        if fields::meant(&left).is_ok() { left } else { spec }
    })
}

/// How often each product is billed at each moment before now, or by something that recurs since before now. `items` has the
/// lists in spec or wire spelling.
fn billed_in_the_past(items: &Value, now: DateTime<Utc>) -> BTreeMap<(String, String), usize> {
    let mut billed = BTreeMap::new();
    let text = |value: &Value, names: [&str; 2]| {
        names.iter().find_map(|name| value.pointer(name)?.as_str()).unwrap_or_default().to_lowercase()
    };
    let time = |text: &str| text.parse::<DateTime<Utc>>().ok();
    let mut note = |product: String, start: &str| {
        if let Some(start) = time(start).filter(|start| *start < now) {
            *billed.entry((product, start.to_rfc3339())).or_default() += 1;
        }
    };
    for (list, schedule) in [
        ("commits", "invoice_schedule"),
        ("commits", "invoiceSchedule"),
        ("scheduled_charges", "schedule"),
        ("scheduledCharges", "schedule"),
    ] {
        for item in items[list].as_array().into_iter().flatten() {
            let product = text(item, ["/product/id", "/productId"]);
            let parts = super::super::schedule::items(&item[schedule]);
            let told = item[schedule]["schedule_items"].as_array().cloned();
            for part in told.unwrap_or(parts) {
                note(format!("part {product}"), part["timestamp"].as_str().unwrap_or_default());
            }
        }
    }
    for lists in [["recurring_commits", "recurringCommits"], ["subscriptions", "subscriptions"]] {
        for item in lists.iter().find_map(|list| items[*list].as_array()).into_iter().flatten() {
            let product = text(item, ["/product/id", "/productId"]);
            let rate = item.get("subscription_rate").or(item.get("subscriptionRate"));
            let product = if product.is_empty() {
                rate.map(|rate| text(rate, ["/product/id", "/productId"]))
            } else {
                Some(product)
            };
            let start = text(item, ["/starting_at", "/startingAt"]).to_uppercase();
            let start = if start.is_empty() { "2026-01-01T00:00:00Z".to_owned() } else { start };
            note(format!("{} {}", lists[0], product.unwrap_or_default()), &start);
        }
    }
    billed
}

/// Digits of an amount, at most 28 of them.
fn amount() -> impl Strategy<Value = String> {
    (prop::collection::vec(0..=9_u8, 1..=28), any::<Index>()).prop_map(|(digits, point)| {
        let digits: String = digits.into_iter().map(|digit| char::from(b'0' + digit)).collect();
        let (whole, fraction) = digits.split_at(point.index(digits.len()) + 1);
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    })
}

fn indices(most: usize) -> impl Strategy<Value = Vec<(Index, Index)>> {
    prop::collection::vec(any::<(Index, Index)>(), 0..=most)
}

// The same cases every time, so that a failure is of the change at hand. More: PROPTEST_CASES=10000 PROPTEST_RNG_SEED=2.
proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_plan_settles_and_leaves_alone_what_is_not_the_specs(
        fixture in any::<Index>(), before in indices(3), changes in indices(4), gone in indices(2),
    ) {
        let spec = mutated(fixture.get(&fixture::all()), &before, &[]);
        let mut bench = Bench::default();
        bench.settle_for(&fields::meant(&spec).unwrap());
        let others = add_things_of_others(&mut bench.api);
        let edits = bench.api.edits.len();
        let desired = fields::meant(&mutated(&spec, &changes, &gone)).unwrap();
        match bench.decide_for(&desired) {
            Decision::Write(plan) => {
                bench.carry_out(&plan);
                let after = bench.decide_for(&desired);
                prop_assert!(!matches!(after, Decision::Write(_) | Decision::Refuse(_)), "{}: {after:?}", plan.summary());
                bench.remember(&desired);
                let later = bench.decide_for(&desired);
                prop_assert!(!matches!(later, Decision::Write(_) | Decision::Refuse(_)), "{}: {later:?}", plan.summary());
            }
            Decision::Refuse(refusal) => {
                let known = ["ImmutableField", "BackdatedItem"].contains(&refusal.reason.as_str());
                prop_assert!(known, "{}", refusal.message);
            }
            Decision::InSync | Decision::Report(_) => {}
            Decision::AwaitApproval(plan) => prop_assert!(false, "{}", plan.summary()),
            Decision::Wait(refusal) => prop_assert!(false, "{}", refusal.message),
            Decision::Deny(..) => prop_assert!(false, "denied"),
        }
        for (list, item) in others {
            // Setting an earlier end cuts short what others made as well.
            let mut alone = json!({list: [item]});
            api::end::cut(&mut alone, &bench.api.contract["ending_before"]);
            let kept = alone[list].as_array().unwrap().iter().all(|item| {
                bench.api.contract[list].as_array().unwrap().contains(item)
            });
            prop_assert!(kept, "{list} of others were touched: {:?}", &bench.api.edits[edits..]);
        }
        prop_assert_eq!(&bench.api.contract["custom_fields"]["theirs"], "stays");
    }

    #[test]
    fn amounts_of_up_to_28_digits_arrive_digit_by_digit(
        place in prop::sample::select(&AMOUNTS[..]), first in amount(), second in amount(),
    ) {
        let mut bench = Bench::default();
        let [first, second] = [first, second].map(|digits| {
            (with(&fixture::plain(), place, json!(digits)), digits)
        });
        let arrives = |bench: &mut Bench, (spec, digits): &(Value, String)| {
            let Ok(desired) = fields::meant(spec) else { return false };
            let plans = bench.settle_for(&desired);
            plans.first().is_some_and(|plan| {
                let body = &plan.calls[0].body;
                [',', '}'].iter().any(|end| body.contains(&format!(":{digits}{end}")))
            })
        };
        prop_assert!(arrives(&mut bench, &first), "{} was not created", first.1);
        let [before, after] = [&first.1, &second.1].map(|digits| digits.parse::<Decimal>().unwrap());
        prop_assert!(after.agrees_with(before) || arrives(&mut bench, &second), "{} was not written", second.1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_past_is_billed_again_whatever_changes_leaves_comes_back_or_is_lost(
        fixture in any::<Index>(),
        steps in prop::collection::vec((indices(2), indices(1), indices(3), 0..8_u8, 0..3_usize), 1..5),
    ) {
        let first = fixture.get(&fixture::all()).clone();
        let mut world = World::new(&first, None, None);
        world.settle();
        let (mut spec, mut specs, mut statuses) = (first.clone(), vec![first.clone()], vec![world.contract.status.clone()]);
        for (changes, gone, fields, fate, at) in &steps {
            spec = match fate {
                0 => first.clone(),
                1 => specs[specs.len() / 2].clone(),
                _ => without_fields(&mutated(&spec, changes, gone), fields),
            };
            specs.push(spec.clone());
            set_terms(&mut world, &spec);
            match fate {
                2 => world.contract.status = None,
                3 => world.contract.status = statuses[statuses.len() / 2].clone(),
                4 => world.fault = Some((world.sends + at, Fault::Reply)),
                5 => world.fault = Some((world.sends + at, Fault::Request)),
                _ => {}
            }
            let mut outcomes = Vec::new();
            for _ in 0..5 {
                outcomes.push(world.pass(Goal::InForce).outcome);
            }
            statuses.push(world.contract.status.clone());
            let found = billed_in_the_past(&world.api.contract, world.now);
            let wanted: Vec<_> = specs.iter().map(|spec| billed_in_the_past(spec, world.now)).collect();
            for (what, count) in &found {
                let most = wanted.iter().filter_map(|wanted| wanted.get(what)).max().copied().unwrap_or_default();
                prop_assert!(*count <= most, "{what:?} is billed {count} times, and wanted {most} times: {outcomes:#?} {:#?}", world.api.edits);
            }
            let last = outcomes.last().unwrap();
            let rests = match last {
                Outcome::InSync { .. } | Outcome::Drifted { .. } => true,
                Outcome::Refused { refusal, .. } => {
                    ["ImmutableField", "BackdatedItem", "AmbiguousItem"].contains(&refusal.reason.as_str())
                }
                _ => false,
            };
            prop_assert!(rests, "{outcomes:#?}");
        }
    }
}
