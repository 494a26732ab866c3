//! Every field of a create, by changing it alone: one edit writes it and it holds, or a refusal names it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::terms::{Decimal, Shape, Timestamp, metronome::CONTRACT, shape::Place};

const FIELDS: &str = include_str!("../../../terms/metronome/fields/contract.txt");
/// Fields that only name an item for others of the same request: nothing is kept of them, so nothing changes with them.
const LINKS: [&str; 4] = [
    "commits[].temporary_id",
    "recurring_commits[].temporary_id",
    "recurring_credits[].temporary_id",
    "subscriptions[].temporary_id",
];

/// Fields that no contract may have, and where one would stand.
const FORBIDDEN: [(&str, &str); 2] = [
    ("discounts[].schedule.do_not_invoice", "/discounts/0/schedule/doNotInvoice"),
    ("scheduled_charges[].schedule.do_not_invoice", "/scheduledCharges/0/schedule/doNotInvoice"),
];

/// A place of a spec with a value, and the field of the request that it is.
pub(super) struct Leaf {
    pub pointer: String,
    field: String,
    pub shape: Shape,
}

/// Every place of a spec that has a value.
pub(super) fn leaves_of(spec: &Value) -> Vec<Leaf> {
    let mut found = Vec::new();
    leaves(&CONTRACT, spec, "", "", &mut found);
    found
}

fn leaves(shape: &Shape, value: &Value, pointer: &str, field: &str, found: &mut Vec<Leaf>) {
    match (shape, value) {
        (Shape::Object(members), Value::Object(values)) => {
            for (name, value) in values {
                let member = &members[name];
                if name == "key" && member.place == Place::SpecOnly {
                    continue;
                }
                let wire = if member.place == Place::SpecOnly { name } else { &member.wire };
                let field = if field.is_empty() { wire.clone() } else { format!("{field}.{wire}") };
                leaves(&member.shape, value, &format!("{pointer}/{name}"), &field, found);
            }
        }
        (Shape::List { item, .. }, Value::Array(items)) if matches!(**item, Shape::Object(_)) => {
            for (index, value) in items.iter().enumerate() {
                leaves(item, value, &format!("{pointer}/{index}"), &format!("{field}[]"), found);
            }
        }
        _ => found.push(Leaf { pointer: pointer.to_owned(), field: field.to_owned(), shape: shape.clone() }),
    }
}

/// Other values for a place.
pub(super) fn others(shape: &Shape, value: &Value) -> Vec<Value> {
    match (shape, value) {
        (Shape::Enum(words), _) => words
            .iter()
            .filter(|word| *word != value)
            .map(|word| json!(word))
            .chain([json!("NO_SUCH_WORD")])
            .collect(),
        (Shape::List { item, .. }, Value::Array(items)) => match &**item {
            Shape::Enum(words) => {
                words.iter().filter(|word| !items.contains(&json!(word))).map(|word| json!([word])).collect()
            }
            _ => [json!("another"), json!("tmp-second"), json!("tmp-monthly"), json!(fixture::OTHER)]
                .map(|item| json!([item]))
                .to_vec(),
        },
        (Shape::Map(_), Value::Object(values)) => {
            vec![values.keys().map(|name| (name.clone(), json!("another"))).collect()]
        }
        (Shape::Any, _) => vec![json!({"curve": [1, 0.25]})],
        (Shape::Decimal, Value::String(digits)) => {
            let number: rust_decimal::Decimal = digits.parse().unwrap();
            [
                number + rust_decimal::Decimal::ONE,
                number / rust_decimal::Decimal::TWO,
                number + rust_decimal::Decimal::NEGATIVE_ONE,
            ]
            .map(|number| json!(number.to_string()))
            .to_vec()
        }
        (Shape::Integer, _) => vec![json!(value.as_i64().unwrap() + 1)],
        (Shape::Time, Value::String(text)) => {
            let time: Timestamp = text.parse().unwrap();
            [time.0 + chrono::TimeDelta::hours(1), time.0 - chrono::TimeDelta::hours(1)]
                .map(|time| json!(Timestamp(time)))
                .to_vec()
        }
        (_, Value::Bool(flag)) => vec![json!(!flag)],
        (_, Value::String(text)) => {
            vec![json!(format!("{text}x")), json!("tmp-platform"), json!("recharges"), json!(fixture::OTHER)]
        }
        _ => panic!("{shape:?} {value}"),
    }
}

/// What a spec means for the API: names that are looked up are looked up here, as the controller does.
///
/// # Errors
/// What validation says.
pub(super) fn meant(spec: &Value) -> Result<Desired, String> {
    let contract: Contract = serde_json::from_value(spec.clone()).map_err(|error| error.to_string())?;
    let valid = validate::metronome::contract(&contract).map_err(|found| validate::summary(&found))?;
    let text = |name: &str| spec.get(name).and_then(Value::as_str);
    let by_alias = text("customerAlias").map(|alias| format!("customer-of-{alias}"));
    let customer_id = by_alias.or_else(|| text("customerId").map(str::to_owned)).unwrap_or_default();
    let key = text("uniquenessKey").map_or_else(|| resolved().key, UniquenessKey::given);
    Desired::new(valid, Resolved { customer_id: customer_id.into(), key, ..resolved() })
        .map_err(|error| error.to_string())
}

/// What becomes of a field that changes; the better one counts where a field stands in several contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// One edit, or one call of another kind, writes it.
    Edited,
    /// Planning refuses it by name.
    Refused,
    /// It is a name within one request.
    Link,
    /// Validation refuses every other value by name.
    Invalid,
}

/// How often the API says a value, whichever way it spells it.
fn said(api: &Api, value: &Value) -> usize {
    fn plain(api: &Api, value: &Value) -> String {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text = api.id_of(&text).unwrap_or(text);
        let time = text.parse::<Timestamp>().ok().map(|time| time.to_string());
        let number = || Decimal::from_wire(&text).ok().map(|number| number.normalized().to_string());
        time.or_else(number).unwrap_or_else(|| text.to_lowercase())
    }
    fn count(api: &Api, value: &Value, wanted: &str) -> usize {
        match value {
            Value::Array(items) => items.iter().map(|item| count(api, item, wanted)).sum(),
            Value::Object(members) => members.values().map(|member| count(api, member, wanted)).sum(),
            value => usize::from(plain(api, value) == wanted),
        }
    }
    let first = match value {
        Value::Array(items) => &items[0],
        Value::Object(members) => members.values().next().unwrap(),
        value => value,
    };
    let first = first.as_array().map_or(first, |items| &items[1]);
    let seats: Vec<_> = api.seats.values().map(|(taken, free)| json!([taken, free])).collect();
    count(api, &json!([api.contract, seats]), &plain(api, first))
}

/// Changes one place of a spec whose contract is settled.
fn change(bench: &Bench, spec: &Value, leaf: &Leaf) -> Fate {
    let (place, field) = (&leaf.pointer, leaf.field.rsplit('.').next().unwrap());
    let name = place.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap();
    let value = spec.pointer(place).unwrap();
    let others = others(&leaf.shape, value).into_iter().filter(|other| other != value);
    let mut objections = Vec::new();
    let mut valid = others.filter_map(|other| {
        let desired = meant(&with(spec, place, other.clone()));
        desired.map_err(|objection| objections.push(objection)).ok().map(|desired| (other, desired))
    });
    let decide = |(other, desired)| {
        let decision = bench.decide_for(&desired);
        (other, desired, decision)
    };
    let mut first = valid.next().map(decide);
    while let Some((_, _, Decision::InSync)) = &first
        && let Some(next) = valid.next()
    {
        first = Some(decide(next));
    }
    drop(valid);
    let Some((other, desired, decision)) = first else {
        assert!(!objections.is_empty(), "{place}: no other value was tried");
        for objection in objections {
            assert!(objection.contains(name) || objection.contains("variant"), "{place}: {objection}");
        }
        return Fate::Invalid;
    };
    match decision {
        Decision::InSync => {
            assert_eq!(field, "temporary_id", "{place}: nothing becomes of {other}");
            Fate::Link
        }
        Decision::Refuse(refusal) => {
            let known = ["ImmutableField", "BackdatedItem"].contains(&refusal.reason.as_str());
            assert!(known, "{place}: {}", refusal.message);
            let split = place.contains("/recurringSchedule/") && refusal.message.contains("/scheduleItems/");
            let list = place.split('/').nth(1).unwrap();
            assert!(refusal.message.contains(&format!("/{list}")), "{place}: {}", refusal.message);
            let named = [format!("/{name}"), format!("{name} ")];
            let named = named.iter().any(|name| refusal.message.contains(name));
            // Of what no reply tells, no part can be named.
            let unseen =
                place.contains("/paymentGateConfig/") && refusal.message.contains("/paymentGateConfig");
            assert!(split || named || unseen, "{place}: {}", refusal.message);
            Fate::Refused
        }
        Decision::Write(plan) => {
            let edits = plan.calls.iter().filter(|call| call.path == EDIT_CONTRACT).count();
            let allowed = if place.starts_with("/spendTrackers") { 2 } else { 1 };
            assert!(edits <= allowed && plan.calls.len() <= allowed, "{place}: {:?}", paths(&plan));
            let (before, mut bench) = (&bench.api, bench.clone());
            bench.carry_out(&plan);
            assert_eq!(bench.decide_for(&desired), Decision::InSync, "{place}: {}", plan.summary());
            // Parts of a recurring schedule: the API says what they come to.
            let is_split = place.contains("/recurringSchedule/")
                && !["quantity", "starting_at", "unit_price"].contains(&field);
            let more = said(&bench.api, &other) > said(before, &other);
            let less = said(&bench.api, value) < said(before, value);
            assert!(is_split || more || less, "{place}: {value} and not {other}");
            bench.forget();
            assert_eq!(bench.decide_for(&desired), Decision::InSync, "{place}: a rebuilt cluster writes");
            Fate::Edited
        }
        Decision::Report(changes) => panic!("{place}: {changes:?}"),
        Decision::AwaitApproval(plan) => panic!("{place}: {}", plan.summary()),
        Decision::Wait(refusal) => panic!("{place}: {}", refusal.message),
        Decision::Deny(..) => panic!("{place}: denied"),
    }
}

/// Changes every place of a contract, one at a time.
fn change_all(spec: &Value) -> BTreeMap<String, Fate> {
    let mut bench = Bench::default();
    bench.settle_for(&meant(spec).unwrap());
    let mut fates: BTreeMap<String, Fate> = BTreeMap::new();
    for leaf in leaves_of(spec) {
        if fates.get(&leaf.field) != Some(&Fate::Edited) {
            let fate = change(&bench, spec, &leaf);
            let best = fates.entry(leaf.field).or_insert(fate);
            *best = fate.min(*best);
        }
    }
    fates
}

/// What became of every field that some contract has.
fn fates() -> BTreeMap<String, Fate> {
    let specs = fixture::all();
    let mut fates: BTreeMap<String, Fate> = BTreeMap::new();
    std::thread::scope(|scope| {
        let changes: Vec<_> = specs.iter().map(|spec| scope.spawn(|| change_all(spec))).collect();
        for (field, fate) in changes.into_iter().flat_map(|changes| changes.join().unwrap()) {
            let best = fates.entry(field).or_insert(fate);
            *best = fate.min(*best);
        }
    });
    for (field, place) in FORBIDDEN {
        for flag in [true, false] {
            let objection = meant(&with(&fixture::sold(), place, json!(flag))).unwrap_err();
            assert!(objection.contains("doNotInvoice` must be left out"), "{objection}");
        }
        fates.insert(field.to_owned(), Fate::Invalid);
    }
    fates
}

#[test]
fn every_field_is_edited_or_refused_by_name() {
    let fates = fates();
    let mut counts: BTreeMap<Fate, usize> = BTreeMap::new();
    let mut lines = BTreeSet::new();
    for line in FIELDS.lines() {
        let (path, kind) = line.split_once(' ').unwrap();
        assert!(lines.insert(path), "{path} is listed twice");
        let path = path.trim_end_matches('*');
        let field = path.replace("(ALL)", "").replace("(NONE)", "").replace("(CONTRACT_IDS)", "");
        let is_container = ["object", "array<object>", "oneOf"].contains(&kind);
        let below = |found: &str| {
            let rest = found.strip_prefix(field.as_str()).filter(|_| is_container);
            rest.is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        let own = fates.iter().filter(|(found, _)| **found == field || below(found));
        let fate = own.map(|(_, fate)| *fate).min().unwrap_or_else(|| panic!("no contract has `{field}`"));
        assert_eq!(LINKS.contains(&field.as_str()), fate == Fate::Link, "{field}: {fate:?}");
        *counts.entry(fate).or_default() += 1;
    }
    let total: usize = counts.values().sum();
    let count = |fate| counts.get(&fate).copied().unwrap_or_default();
    println!(
        "{total} of {} fields: {} edited, {} refused ({} of them by validation), {} that only link items of one request",
        FIELDS.lines().count(),
        count(Fate::Edited),
        count(Fate::Refused) + count(Fate::Invalid),
        count(Fate::Invalid),
        count(Fate::Link),
    );
    assert_eq!((total, count(Fate::Link)), (491, LINKS.len()));
}
