//! Every field of the terms, by taking it out of the spec after it was in force: one edit clears it or sets what it means
//! to leave it out, or a refusal names it. None is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::terms::{Shape, metronome::CONTRACT, shape::Place};

/// Fields of which nothing is kept that could be in force: they name an item for others of the same request.
const LINKS: [&str; 4] = [
    "commits[].temporaryId",
    "recurringCommits[].temporaryId",
    "recurringCredits[].temporaryId",
    "subscriptions[].temporaryId",
];
/// Fields that have one value only, which they mean when they are left out as well.
const ONLY_DEFAULTS: [&str; 2] =
    ["recurringCommits[].commitDuration.unit", "recurringCredits[].commitDuration.unit"];
/// Fields that no contract may have, that stand for another one, which is looked up, or that no contract keeps.
const ELSEWHERE: [&str; 11] = [
    "commits[].backdate",
    "credits[].backdate",
    "customerCommits[].backdate",
    "customerCredits[].backdate",
    "discounts[].schedule.doNotInvoice",
    "recurringCommits[].backdate",
    "recurringCredits[].backdate",
    "scheduledCharges[].backdate",
    "scheduledCharges[].schedule.doNotInvoice",
    "subscriptions[].backdate",
    "transition.fromContractRef",
];

/// What becomes of a field that leaves the spec; the better one counts where a field stands in several contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It is taken out of billing: nothing is there any more.
    Cleared,
    /// It is set to what it means to leave it out.
    Defaulted,
    /// Planning refuses it by name.
    Refused,
    /// Validation refuses a spec without it, by name.
    Needed,
    /// Nothing becomes of it.
    Silent,
}

/// Every place of a spec that may be left out, with the field that it is: `commits[].priority`.
pub(super) fn places(
    shape: &Shape,
    value: &Value,
    pointer: &str,
    field: &str,
    found: &mut Vec<(String, String)>,
) {
    match (shape, value) {
        (Shape::Object(members), Value::Object(values)) => {
            for (name, value) in values {
                let member = &members[name];
                let field = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                let pointer = format!("{pointer}/{name}");
                if member.optional {
                    found.push((pointer.clone(), field.clone()));
                }
                if !(name == "key" && member.place == Place::SpecOnly) {
                    places(&member.shape, value, &pointer, &field, found);
                }
            }
        }
        (Shape::List { item, .. }, Value::Array(items)) if matches!(**item, Shape::Object(_)) => {
            for (index, value) in items.iter().enumerate() {
                places(item, value, &format!("{pointer}/{index}"), &format!("{field}[]"), found);
            }
        }
        (Shape::Map(values), Value::Object(members)) => {
            for (name, value) in members {
                found.push((format!("{pointer}/{name}"), format!("{field}.*")));
                places(values, value, &format!("{pointer}/{name}"), &format!("{field}.*"), found);
            }
        }
        _ => {}
    }
}

/// Every field of the terms that may be left out.
fn all_fields(shape: &Shape, field: &str, found: &mut BTreeSet<String>) {
    match shape {
        Shape::Object(members) => {
            for (name, member) in members {
                let field = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                if member.optional {
                    found.insert(field.clone());
                }
                all_fields(&member.shape, &field, found);
            }
        }
        Shape::List { item, .. } => all_fields(item, &format!("{field}[]"), found),
        Shape::Map(_) => drop(found.insert(format!("{field}.*"))),
        _ => {}
    }
}

/// Takes one place out of a spec whose contract is settled and on record.
fn leave(bench: &Bench, spec: &Value, place: &str) -> Fate {
    let name = place.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap();
    let left = match fields::meant(&with(spec, place, Value::Null)) {
        Ok(left) => left,
        Err(objection) => {
            let parent = place.rsplit('/').nth(1).unwrap();
            assert!(objection.contains(name) || objection.contains(parent), "{place}: {objection}");
            return Fate::Needed;
        }
    };
    match bench.decide_for(&left) {
        Decision::InSync => Fate::Silent,
        Decision::Refuse(refusal) => {
            assert_eq!(refusal.reason, "ImmutableField", "{place}: {}", refusal.message);
            let unseen =
                place.contains("/paymentGateConfig/") && refusal.message.contains("/paymentGateConfig");
            assert!(unseen || refusal.message.contains(name), "{place}: {}", refusal.message);
            assert!(refusal.message.contains("Ways out: "), "{place}: {}", refusal.message);
            Fate::Refused
        }
        Decision::Write(plan) => {
            let summary = plan.summary();
            let removes = plan.changes.iter().any(|change| change.to.is_none());
            let mut bench = bench.clone();
            bench.carry_out(&plan);
            assert_eq!(bench.decide_for(&left), Decision::InSync, "{place}: {summary}");
            bench.remember(&left);
            assert_eq!(bench.decide_for(&left), Decision::InSync, "{place}: {summary}");
            bench.forget();
            assert_eq!(bench.decide_for(&left), Decision::InSync, "{place}: a rebuilt cluster writes");
            if removes { Fate::Cleared } else { Fate::Defaulted }
        }
        other => panic!("{place}: {other:?}"),
    }
}

/// Takes every place out of a contract, one at a time.
fn leave_all(spec: &Value) -> BTreeMap<String, (Fate, String)> {
    let mut bench = Bench::default();
    bench.settle_for(&fields::meant(spec).unwrap());
    let mut all = Vec::new();
    places(&CONTRACT, spec, "", "", &mut all);
    let mut fates = BTreeMap::new();
    for (place, field) in all {
        let fate = leave(&bench, spec, &place);
        note(&mut fates, field, (fate, place));
    }
    fates
}

fn note(fates: &mut BTreeMap<String, (Fate, String)>, field: String, fate: (Fate, String)) {
    let best = fates.entry(field).or_insert_with(|| fate.clone());
    if fate.0 < best.0 {
        *best = fate;
    }
}

/// Takes a place out that said what it means to leave it out, once it says something else.
fn leave_another(spec: &Value, place: &str) -> Fate {
    let leaves = fields::leaves_of(spec);
    let Some(leaf) = leaves.iter().find(|leaf| leaf.pointer == place) else { return Fate::Silent };
    let others = fields::others(&leaf.shape, spec.pointer(place).unwrap());
    let fates = others.into_iter().filter_map(|other| {
        let spec = with(spec, place, other);
        let mut bench = Bench::default();
        bench.settle_for(&fields::meant(&spec).ok()?);
        Some(leave(&bench, &spec, place))
    });
    fates.min().unwrap_or(Fate::Silent)
}

#[test]
fn every_field_that_leaves_the_spec_is_cleared_defaulted_or_refused_by_name() {
    let specs = fixture::all();
    let mut fates: BTreeMap<String, (Fate, String)> = BTreeMap::new();
    std::thread::scope(|scope| {
        let leaving: Vec<_> = specs.iter().map(|spec| scope.spawn(|| leave_all(spec))).collect();
        for (field, fate) in leaving.into_iter().flat_map(|fates| fates.join().unwrap()) {
            note(&mut fates, field, fate);
        }
    });
    for (field, (fate, place)) in fates.iter_mut().filter(|(_, (fate, _))| *fate == Fate::Silent) {
        let spec = specs.iter().find(|spec| spec.pointer(place).is_some()).unwrap();
        *fate = leave_another(spec, place);
        assert_eq!(
            *fate == Fate::Silent,
            LINKS.contains(&field.as_str()) || ONLY_DEFAULTS.contains(&field.as_str()),
            "{field}: {place}"
        );
    }
    let mut all = BTreeSet::new();
    all_fields(&CONTRACT, "", &mut all);
    let missing: Vec<_> = all.iter().filter(|field| !fates.contains_key(*field)).collect();
    assert_eq!(missing, ELSEWHERE);
    let mut named: BTreeMap<Fate, Vec<&str>> = BTreeMap::new();
    for (field, (fate, _)) in &fates {
        named.entry(*fate).or_default().push(field);
    }
    println!("{} fields that may be left out, taken out one by one:", fates.len());
    for (fate, fields) in &named {
        println!("{fate:?}: {} ({})", fields.len(), fields.join(", "));
    }
}
