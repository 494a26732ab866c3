//! Every field that a contract can have, changed alone in a contract of its own: the operator writes it by one edit, and
//! the simulator holds it; or it is refused by name, and nothing is written.

#[path = "../../../core/src/plan/metronome/tests/fixture.rs"]
mod fixture;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use chrono::{DateTime, TimeDelta, Utc};
use countersign::terms::{Shape, metronome::CONTRACT, shape::Place};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    kstatus::Standing,
    metronome::{Traffic, is_write, with_terms},
    terms::with,
};

const FIELDS: &str = include_str!("../../../core/src/terms/metronome/fields/contract.txt");

/// Billing configurations of every customer, so that a contract can change from one to another.
const CONFIGURATIONS: [(&str, &str, &str); 3] = [
    ("configuration-1", "stripe", "direct_to_billing_provider"),
    ("configuration-1x", "netsuite", "direct_to_billing_provider"),
    ("configuration-2", "stripe", "aws_sns"),
];

/// A place of a spec with a value, and the field of the request that it is.
#[derive(Clone, Debug)]
struct Leaf {
    pointer: String,
    field: String,
    /// Values that it could have instead.
    others: Vec<Value>,
}

fn leaves(shape: &Shape, value: &Value, pointer: &str, field: &str, found: &mut Vec<Leaf>) {
    match (shape, value) {
        (Shape::Object(_), Value::Object(values)) => {
            for (name, member) in shape.members() {
                let Some(value) = values.get(name).filter(|_| name != "key") else { continue };
                let wire = if member.place == Place::SpecOnly { name } else { &member.wire };
                let field = if field.is_empty() { wire.to_owned() } else { format!("{field}.{wire}") };
                leaves(&member.shape, value, &format!("{pointer}/{name}"), &field, found);
            }
        }
        (Shape::List { item, .. }, Value::Array(items)) if matches!(**item, Shape::Object(_)) => {
            for (index, value) in items.iter().enumerate() {
                leaves(item, value, &format!("{pointer}/{index}"), &format!("{field}[]"), found);
            }
        }
        _ => {
            let (pointer, field) = (pointer.to_owned(), field.to_owned());
            found.push(Leaf { pointer, field, others: others(shape, value) });
        }
    }
}

/// Other values for a place.
fn others(shape: &Shape, value: &Value) -> Vec<Value> {
    let words = |words: &[String]| words.iter().rev().map(|word| json!(word)).collect::<Vec<_>>();
    let all = match (shape, value) {
        (Shape::Enum(all), _) => words(all),
        (Shape::List { item, .. }, _) => match &**item {
            Shape::Enum(all) => words(all).into_iter().map(|word| json!([word])).collect(),
            _ => ["another", "tmp-second", "tmp-narrow", "tmp-monthly", fixture::OTHER]
                .map(|item| json!([item]))
                .to_vec(),
        },
        (Shape::Map(_), Value::Object(values)) => {
            vec![values.keys().map(|name| (name.clone(), json!("another"))).collect()]
        }
        (Shape::Any, _) => vec![json!({"curve": [1, 0.25]})],
        (Shape::Decimal, Value::String(digits)) => {
            let number: rust_decimal::Decimal = digits.parse().unwrap();
            let one = rust_decimal::Decimal::ONE;
            [number + one, number / rust_decimal::Decimal::TWO, number - one]
                .map(|number| json!(number.to_string()))
                .to_vec()
        }
        (Shape::Integer, _) => vec![json!(value.as_i64().unwrap() + 1)],
        (Shape::Time, Value::String(text)) => {
            let time: DateTime<Utc> = text.parse().unwrap();
            [1, -1]
                .map(|hours| json!((time + TimeDelta::hours(hours)).format("%Y-%m-%dT%H:%M:%SZ").to_string()))
                .to_vec()
        }
        (_, Value::Bool(flag)) => vec![json!(!flag)],
        (_, Value::String(text)) => {
            vec![json!(format!("{text}x")), json!("tmp-platform"), json!("recharges"), json!(fixture::OTHER)]
        }
        _ => panic!("{shape:?} {value}"),
    };
    all.into_iter().filter(|other| other != value).collect()
}

/// One field to be changed in one contract.
#[derive(Clone, Debug)]
struct Walk {
    name: String,
    customer: String,
    spec: Value,
    leaf: Leaf,
}

/// What became of a change.
#[derive(Clone, Debug)]
enum Fate {
    /// It came into force.
    InForce(Value),
    /// Planning refused it by name.
    Refused,
    /// Every other value was refused by the API server or by validation, by name.
    Invalid,
    /// Something else.
    Lost(String),
}

/// The fixtures with names of their own for what only one contract may have.
fn walks(revenue: &BTreeMap<String, String>) -> Vec<Walk> {
    let (mut walks, mut seen) = (Vec::new(), BTreeSet::new());
    for spec in fixture::all() {
        if spec.get("packageId").is_some() || spec.get("packageAlias").is_some() {
            continue;
        }
        let mut found = Vec::new();
        leaves(&CONTRACT, &spec, "", "", &mut found);
        for leaf in found {
            if !seen.insert(leaf.field.clone()) {
                continue;
            }
            let n = walks.len();
            let customer = customer(n);
            let replaced = |value: &Value| -> Value {
                let text = value
                    .to_string()
                    .replace("customer-1", &customer)
                    .replace("\"acme\"", &format!("\"alias-{n}\""))
                    .replace("\"acmex\"", "\"alias-x\"");
                let text = text
                    .replace("contract-0", &format!("renewed-{n}"))
                    .replace("acme-2026", &format!("key-{n}"));
                let revenue = revenue.get(&customer).map_or("revenue-1", String::as_str);
                serde_json::from_str(&text.replace("revenue-1", revenue)).unwrap()
            };
            let leaf = Leaf { others: leaf.others.iter().map(replaced).collect(), ..leaf };
            let name = format!("w{n}");
            walks.push(Walk { spec: with_terms(&name, replaced(&spec)), name, customer, leaf });
        }
    }
    walks
}

fn customer(n: usize) -> String {
    format!("walker-{n:04}")
}

/// Puts in what the fixtures refer to.
async fn seed(world: &World, count: usize) -> BTreeMap<String, String> {
    world.sim.set(json!({"metronome_unknown_ids": "accept"})).await;
    world.sim.seed_rate_card("card-1", "standard").await;
    world.sim.seed_customer("customer-0", json!({"name": "Parent"})).await;
    world.sim.seed_customer("walker-x", json!({"name": "Another", "ingest_aliases": ["alias-x"]})).await;
    let parent = json!({"starting_at": "2026-01-01T00:00:00Z",
        "hierarchy_configuration": {"parent_behavior": {"invoice_consolidation_type": "NONE"}}});
    world.sim.seed_terms("customer-0", "parent-1", &parent).await;
    for entity in [
        "contract",
        "commit",
        "contract_credit",
        "scheduled_charge",
        "subscription",
        "discount",
        "professional_service",
    ] {
        world.sim.register_fields(&[(entity, "team")]).await;
    }
    stream::iter(0..count)
        .for_each_concurrent(16, async |n| {
            let customer = customer(n);
            let body = json!({"name": "Acme", "ingest_aliases": [format!("alias-{n}")],
                "customer_revenue_system_configurations": [{"provider": "netsuite", "delivery_method": "direct_to_billing_provider"}]});
            world.sim.seed_customer(&customer, body).await;
            for (id, provider, method) in CONFIGURATIONS {
                let path = format!("/metronome/customers/{customer}/billing-configurations/{id}");
                let body = json!({"billing_provider": provider, "delivery_method": method});
                world.sim.control(reqwest::Method::PUT, &path, &body).await;
            }
            let renewed = json!({"starting_at": "2025-01-01T00:00:00Z"});
            world.sim.seed_terms(&customer, &format!("renewed-{n}"), &renewed).await;
        })
        .await;
    let customers = world.sim.control(reqwest::Method::GET, "/metronome/customers", &Value::Null).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let customers = customers["customers"].as_array().unwrap();
    customers
        .iter()
        .map(|it| (text(&it["id"]), text(&it["revenue_system_configurations"][0]["id"])))
        .collect()
}

/// How often the contract of a resource, or what is beside it, was edited.
async fn edits(world: &World, contract: &Value) -> u64 {
    let path = format!("/metronome/contracts/{}", contract["status"]["contractId"].as_str().unwrap());
    let held = world.sim.control(reqwest::Method::GET, &path, &Value::Null).await;
    held["edits"].as_u64().unwrap() + held["beside"]["edits"].as_u64().unwrap_or_default()
}

/// Changes one field until a value is taken or refused for good.
async fn change(world: &World, walk: &Walk) -> Fate {
    let Walk { name, leaf, spec, .. } = walk;
    let field = leaf.pointer.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap();
    for other in &leaf.others {
        let changed = with(spec.clone(), &format!("/spec/metronome{}", leaf.pointer), other.clone());
        let objection = match world.try_apply(&changed).await {
            Err(objection) => objection,
            Ok(applied) => {
                let generation = applied["metadata"]["generation"].clone();
                let decided = |contract: &Value| {
                    contract["status"]["observedGeneration"] == generation
                        && kstatus::compute(contract) != Standing::InProgress
                };
                let contract = world.until(name, decided).await;
                let message = crate::support::world::message(&contract);
                match crate::support::world::reason(&contract).as_str() {
                    // The parts of a recurring schedule may come to the same amounts, and the contract's end cuts what
                    // would go on longer.
                    "InSync"
                        if (leaf.pointer.contains("/recurringSchedule/")
                            || leaf.pointer.ends_with("/endingBefore"))
                            && edits(world, &contract).await == 0 =>
                    {
                        continue;
                    }
                    "InSync" => return Fate::InForce(other.clone()),
                    "ImmutableField" | "BackdatedItem" => {
                        let list = leaf.pointer.split('/').nth(1).unwrap();
                        let split = leaf.pointer.contains("/recurringSchedule/");
                        let named = message.contains(field) || (split && message.contains(list));
                        return if named { Fate::Refused } else { Fate::Lost(message) };
                    }
                    "InvalidSpec" => message,
                    reason => return Fate::Lost(format!("{reason}: {message}")),
                }
            }
        };
        if !objection.contains(field) && !objection.contains("variant") {
            return Fate::Lost(objection);
        }
    }
    Fate::Invalid
}

/// Every field of the API that has a value of its own.
fn single_values() -> BTreeSet<String> {
    FIELDS
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, kind)| !["object", "array<object>", "oneOf"].contains(kind))
        .map(|(path, _)| {
            path.trim_end_matches('*')
                .replace("(ALL)", "")
                .replace("(NONE)", "")
                .replace("(CONTRACT_IDS)", "")
        })
        .collect()
}

#[tokio::test]
async fn every_field_is_written_by_one_edit_or_refused_by_name_and_nothing_is_written() {
    let started = Instant::now();
    let mut world = World::metronome().await;
    let count = walks(&BTreeMap::new()).len();
    let walks = walks(&seed(&world, count).await);
    let specs: Vec<_> = walks.iter().map(|walk| walk.spec.clone()).collect();
    world.apply_all(&specs).await;
    for walk in &walks {
        world.until(&walk.name, |contract| kstatus::compute(contract) != Standing::InProgress).await;
    }
    let made = started.elapsed();
    let mut lost: Vec<String> = Vec::new();
    for walk in &walks {
        let contract = world.get(&walk.name).await;
        if kstatus::compute(&contract) != Standing::Current {
            lost.push(format!(
                "{}: not made: {}",
                walk.leaf.field,
                crate::support::world::message(&contract)
            ));
        }
    }
    assert!(lost.is_empty(), "{:#?}", lost.iter().take(5).collect::<Vec<_>>());

    let made_with = writes_by_customer(&world).await;
    let fates: Vec<_> =
        stream::iter(&walks).map(async |walk| change(&world, walk).await).buffered(16).collect().await;
    let changed = started.elapsed();
    let written = writes_by_customer(&world).await;
    world.second_look(walks.len().try_into().unwrap()).await;
    assert_eq!(writes_by_customer(&world).await, written, "a further look writes nothing");

    let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
    let held = world.sim.all_held().await;
    for (walk, fate) in walks.iter().zip(&fates) {
        let field = walk.leaf.field.as_str();
        let mut writes = written.get(&walk.customer).cloned().unwrap_or_default();
        for (path, before) in made_with.get(&walk.customer).into_iter().flatten() {
            if let Some(count) = writes.get_mut(path) {
                *count -= before;
            }
        }
        writes.retain(|_, count| *count > 0);
        let count: usize = writes.values().sum();
        let own = || held.iter().filter(|held| held["customer_id"] == walk.customer.as_str());
        let said = match fate {
            Fate::InForce(_) if count == 0 && field.ends_with(".temporary_id") => "links",
            Fate::InForce(_) if count == 0 => {
                lost.push(format!("{field}: nothing was written"));
                "lost"
            }
            Fate::InForce(_) if count > if field.starts_with("spend_trackers") { 2 } else { 1 } => {
                lost.push(format!("{field}: {writes:?}"));
                "lost"
            }
            Fate::InForce(value) => {
                let derived = walk.leaf.pointer.contains("/recurringSchedule/");
                if !derived
                    && !own().any(|held| says(&held["contract"], value) || says(&held["beside"], value))
                    && !is_link(value)
                    && !field.contains("seat")
                {
                    lost.push(format!("{field}: {value} is not held"));
                }
                "edited"
            }
            Fate::Refused | Fate::Invalid if count > 0 => {
                lost.push(format!("{field}: refused, and yet {writes:?}"));
                "lost"
            }
            Fate::Refused => "refused",
            Fate::Invalid => "invalid",
            Fate::Lost(why) => {
                lost.push(format!("{field} at {}: {why}", walk.leaf.pointer));
                "lost"
            }
        };
        let best = fields.entry(field).or_insert(said);
        *best = said.min(best);
    }
    let single = single_values();
    let covered = single.iter().filter(|field| fields.contains_key(field.as_str())).count();
    let tally = |fate: &str| fields.values().filter(|found| **found == fate).count();
    println!(
        "{covered} of {} fields with a value, in {} contracts: {} edited, {} refused, {} invalid otherwise, {} that only link",
        single.len(),
        walks.len(),
        tally("edited"),
        tally("refused"),
        tally("invalid"),
        tally("links"),
    );
    println!("made after {made:.1?}, changed after {changed:.1?}, checked after {:.1?}", started.elapsed());
    assert!(lost.is_empty(), "{} {lost:#?}", lost.len());
}

/// Whether a value is the name of another item of the same contract, which is held as its id.
fn is_link(value: &Value) -> bool {
    let first = value.as_array().and_then(|items| items.first()).unwrap_or(value);
    first.as_str().is_some_and(|text| text.starts_with("tmp-"))
}

/// Whether a contract has a value somewhere, however it spells it.
fn says(held: &Value, value: &Value) -> bool {
    match value {
        Value::Array(items) => return items.iter().all(|item| says(held, item)),
        Value::Object(members) => return members.values().all(|member| says(held, member)),
        _ => {}
    }
    match held {
        Value::Array(items) => items.iter().any(|item| says(item, value)),
        Value::Object(members) => members.values().any(|member| says(member, value)),
        held => plain(held) == plain(value),
    }
}

fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_lowercase);
    let number = || text.parse::<rust_decimal::Decimal>().ok().map(|number| number.normalize().to_string());
    let time = text.to_uppercase().parse::<DateTime<Utc>>().ok().map(|time| time.to_rfc3339());
    time.or_else(number).unwrap_or(text)
}

/// What was written, by customer.
async fn writes_by_customer(world: &World) -> BTreeMap<String, Traffic> {
    let mut written: BTreeMap<String, Traffic> = BTreeMap::new();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for held in world.sim.all_held().await {
        let customer = held["customer_id"].as_str().unwrap().to_owned();
        let all = ids(&held["contract"]).into_iter().chain(ids(&held["beside"]));
        owners.extend(all.map(|id| (id, customer.clone())));
    }
    for request in
        world.sim.requests().await.iter().filter(|request| is_write(&request.method, &request.path))
    {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let customer = body["customer_id"]
            .as_str()
            .or_else(|| owners.get(body["entity_id"].as_str()?).map(String::as_str));
        if let Some(customer) = customer {
            *written.entry(customer.to_owned()).or_default().entry(request.path.clone()).or_default() += 1;
        }
    }
    written
}

/// Every id in a contract.
fn ids(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(ids).collect(),
        Value::Object(members) => {
            let own = members.get("id").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(ids)).collect()
        }
        _ => Vec::new(),
    }
}
