//! Every field of a package: created by the operator, read back without a difference, and noticed when it changes.

use std::collections::BTreeSet;

use countersign::{
    api::ContractPackage,
    plan::metronome::{
        UniquenessKey,
        package::{Desired, ObservedPackage},
    },
    terms::json::parse_exact,
    validate,
};
use serde_json::{Value, json};

use super::{
    fixture,
    metronome::{CREATE_PACKAGE, KIND},
};
use crate::support::{
    World,
    metronome::traffic,
    world::{message, reason},
};

const FIELDS: &str = include_str!("../../../core/src/terms/metronome/fields/package.txt");

/// What no reply tells in the words of the request: names within one request, and what the API says otherwise or keeps
/// to itself.
const NOT_TOLD: [&str; 14] = [
    "commits[].temporary_id",
    "overrides[].override_specifiers[].any_commit_or_credit_ids",
    "overrides[].override_specifiers[].commit_ids",
    "overrides[].override_specifiers[].recurring_commit_ids",
    "rate_card_alias",
    "recurring_commits[].subscription_config.subscription_id",
    "recurring_commits[].temporary_id",
    "recurring_credits[].subscription_config.subscription_id",
    "recurring_credits[].temporary_id",
    "subscriptions[].seat_config.initial_unassigned_seats",
    "subscriptions[].temporary_id",
    "usage_statement_schedule.invoice_generation_starting_at_offset",
    "usage_statement_schedule.invoice_generation_starting_at_offset.unit",
    "usage_statement_schedule.invoice_generation_starting_at_offset.value",
];

/// Every way in which the simulator tells packages.
fn ways() -> Vec<Value> {
    let mut ways = Vec::new();
    for view in ["as_sent", "retold"] {
        for values in ["number", "text"] {
            for keys in ["prefixed", "plain"] {
                ways.push(json!({"metronome_view": view, "metronome_offset_values": values, "metronome_package_keys": keys}));
            }
        }
    }
    ways
}

/// Fields of the request with their kinds.
fn listed() -> impl Iterator<Item = (&'static str, &'static str)> {
    FIELDS.lines().map(|line| {
        let mut parts = line.split(' ');
        (parts.next().unwrap().trim_end_matches('*'), parts.next().unwrap())
    })
}

/// Pointers to everything of a value that is no object and no list.
fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(value, &format!("{pointer}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| leaves(item, &format!("{pointer}/{index}"), found));
        }
        _ => found.push(pointer.to_owned()),
    }
}

/// A pointer into a reply as one into a request.
fn as_sent(pointer: &str) -> String {
    let renamed = [
        ("/product/id", "/product_id"),
        ("/credit_type/id", "/credit_type_id"),
        ("/override_tiers/", "/tiers/"),
    ];
    renamed.iter().fold(pointer.to_owned(), |pointer, (told, sent)| pointer.replace(told, sent))
}

/// The fields of the request that a pointer into one goes through.
fn fields_at(pointer: &str) -> impl Iterator<Item = &'static str> {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        if part.parse::<usize>().is_ok() {
            path.push_str("[]");
        } else {
            path.extend([if path.is_empty() { "" } else { "." }, part]);
        }
    }
    listed().map(|(field, _)| field).filter(move |field| {
        path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

/// Another value for a place of a reply.
fn other(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.as_i64().unwrap() + 1),
        Value::String(time) if time.contains("T00:00:00") => json!(time.replacen("20", "21", 1)),
        Value::String(text) if text.starts_with(|first: char| first.is_ascii_digit()) => {
            json!(format!("7{text}"))
        }
        Value::String(text) => {
            json!(text.strip_prefix('-').map_or_else(|| format!("{text}7"), str::to_owned))
        }
        _ => panic!("{value}"),
    }
}

/// A path as the spec names its members, without positions and with those of the spec's names that are on the way.
fn plain(path: &str) -> String {
    let parts = path.split('/').filter(|part| part.parse::<usize>().is_err());
    let camel = |part: &str| {
        let mut words = part.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |camel, word| camel + &word[..1].to_uppercase() + &word[1..])
    };
    parts.map(camel).collect::<Vec<_>>().join("/")
}

/// Whether a package is seen to say something else, at the place, once a place of its reply has another value.
fn is_noticed(desired: &Desired, reply: &Value, pointer: &str) -> bool {
    let mut changed = reply.clone();
    let value = changed.pointer_mut(pointer).unwrap();
    *value = other(value);
    if !desired.has_made(&changed) {
        return pointer == "/uniqueness_key";
    }
    let view = ObservedPackage::read(&changed).unwrap_or_else(|why| panic!("{pointer}: {why}"));
    if pointer.starts_with("/aliases/") {
        return !desired.alias_differences(&view).is_empty();
    }
    let place = plain(&as_sent(pointer));
    let is_item = pointer.split('/').nth(2).is_some_and(|part| part.parse::<usize>().is_ok());
    desired.differences(&view).iter().any(|change| {
        let path = plain(&change.path);
        let is_near = place.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_near && (!is_item || path.matches('/').count() > 1)
    })
}

/// What the operator compares with a package of the namespace.
fn desired(world: &World, package: &Value) -> Desired {
    let package: ContractPackage = serde_json::from_value(package.clone()).unwrap();
    let name = package.metadata.name.as_deref().unwrap();
    let terms = package.spec.metronome.as_deref().unwrap();
    let valid = validate::metronome::package(terms).unwrap();
    let key = UniquenessKey::derive("countersign", &world.namespace, name);
    Desired::new(&valid, &package.spec.aliases, key).unwrap()
}

#[tokio::test]
async fn every_field_is_created_and_read_back_without_a_difference_and_noticed_when_it_changes() {
    let world = World::metronome().await;
    world.sim.register_fields(&fixture::CUSTOM_FIELDS).await;
    let packages = fixture::all();
    let mut made = Vec::new();
    let mut written = BTreeSet::new();
    for package in &packages {
        let name = package["metadata"]["name"].as_str().unwrap();
        world.apply(package).await;
        let seen = world.until_package_is(name, "Published").await;
        let sent: Value = serde_json::from_str(world.sim.sent(CREATE_PACKAGE).await.last().unwrap()).unwrap();
        let mut pointers = Vec::new();
        leaves(&sent, "", &mut pointers);
        written.extend(pointers.iter().flat_map(|pointer| fields_at(pointer)));
        made.push((name, desired(&world, package), seen["status"]["packageId"].clone(), sent));
    }
    let total = listed().count();
    let missing: Vec<_> = listed().filter(|(field, _)| !written.contains(field)).collect();
    assert_eq!((missing, total), (Vec::new(), 319), "no package has the field");

    for way in ways() {
        world.sim.set(way.clone()).await;
        let mut noticed = BTreeSet::new();
        for (name, desired, id, sent) in &made {
            let seen = world.reconcile_object(KIND, name).await;
            assert_eq!(reason(&seen), "Published", "{name}, {way}: {}", message(&seen));
            assert!(!message(&seen).contains("differ"), "{name}, {way}: {}", message(&seen));
            let reply = world.sim.call("/v1/packages/get", &json!({"package_id": id})).await;
            let reply = parse_exact(&reply["data"].to_string()).unwrap();
            let mut pointers = Vec::new();
            leaves(&reply, "", &mut pointers);
            for pointer in pointers {
                let place = as_sent(&pointer);
                let is_noticed = is_noticed(desired, &reply, &pointer);
                let is_sent = way["metronome_view"] == "as_sent" && sent.pointer(&place).is_some();
                assert!(is_noticed || !is_sent, "{name}, {way}: {pointer} changes unnoticed");
                noticed.extend(fields_at(&place).filter(|_| is_noticed));
            }
        }
        let unnoticed: Vec<_> =
            listed().map(|(field, _)| field).filter(|field| !noticed.contains(field)).collect();
        let (unnoticed, expected) = (BTreeSet::from_iter(unnoticed), BTreeSet::from(NOT_TOLD));
        assert_eq!(unnoticed, expected, "{way}");
        println!(
            "{} of {total} fields of a package created and read back without a difference, {} noticed when they change: {way}",
            written.len(),
            noticed.len(),
        );
    }
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, packages.len())]));
}
