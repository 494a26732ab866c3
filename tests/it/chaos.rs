//! Everything fails at once, for minutes; then every contract and every invoice is counted. `make chaos` runs it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    World, kstatus,
    metronome::{self, customer},
    operator::{Operator, Options},
    plane::Plane,
    terms::{self, PRICE, organization, with},
};

/// How many contracts of each billing API.
const EACH: usize = 150;
/// How long everything may take to come to rest once nothing fails any more.
const PATIENCE: Duration = Duration::from_mins(10);

/// What fails, beside every third answer of the billing APIs.
#[derive(Clone, Copy, Debug)]
enum Disaster {
    OperatorKilled,
    /// For longer than its Lease, while another takes over.
    OperatorPaused,
    ApiServerKilled,
    EtcdKilled,
    BillingKilled,
}

/// In an order in which each meets another's consequences.
const DISASTERS: [Disaster; 10] = [
    Disaster::OperatorKilled,
    Disaster::ApiServerKilled,
    Disaster::OperatorPaused,
    Disaster::BillingKilled,
    Disaster::OperatorKilled,
    Disaster::EtcdKilled,
    Disaster::BillingKilled,
    Disaster::OperatorPaused,
    Disaster::ApiServerKilled,
    Disaster::OperatorKilled,
];

/// What a contract of Metronome comes to in invoices, in cents: its commit, and its set-up fee.
const INVOICED: i64 = 12_000_000 + 99_900;
/// The price that every contract of Zoo has in the end.
const LAST_PRICE: f64 = 0.49;

#[tokio::test]
#[ignore = "takes minutes: make chaos"]
async fn whatever_fails_together_every_contract_and_every_invoice_is_there_once() {
    let plane = Plane::of_its_own("chaos");
    let mut world = World::of_both_on(&plane).await;
    world.options.lease_seconds = 6;
    let organizations: Vec<_> = (0..EACH).map(organization).collect();
    let customers: Vec<_> = (0..EACH).map(customer).collect();
    world.sim.register_all(&organizations).await;
    world.sim.seed_customers(&customers).await;
    world.sim.fault(json!({"kind": "drop_reply", "rate": 0.3333, "seed": 7})).await;

    let mut made = Vec::new();
    for n in 0..EACH {
        made.push(terms::contract(&format!("zoo-{n}"), &organizations[n]));
        made.push(metronome::contract(&format!("metronome-{n}"), &customers[n]));
    }
    tokio::join!(from_git(&world, &made), befall(&world, &plane));
    // A contract that is not on record when its spec changes may have to ask whose it is: docs/promises.md.
    let operator = Operator::start(&world.options).await;
    at_rest(&world, &made).await;
    operator.kill();
    plane.back_up();

    let changed: Vec<_> = made.iter().cloned().map(renegotiated).collect();
    tokio::join!(from_git(&world, &changed), befall(&world, &plane));
    plane.restore();
    // Git has what was restored away, and more, and brings it while things fail on.
    let grown: Vec<_> = changed.into_iter().map(grown).collect();
    tokio::join!(from_git(&world, &grown), befall(&world, &plane));

    world.sim.heal().await;
    let operator = Operator::start(&world.options).await;
    at_rest(&world, &grown).await;
    assert!(operator.stop().await.success());
    count(&world, &organizations, &customers).await;

    // Whoever looks again with no memory of it all finds nothing to do.
    world.sim.forget_journal().await;
    world.start_operator().await;
    world.until_counted("countersign_reconciles_total", u64::try_from(2 * EACH).unwrap()).await;
    world.stop_operator().await;
    assert_eq!(world.sim.all_writes().await, BTreeMap::new());
    assert_eq!(world.sim.requests().await.iter().filter(|request| request.method == "PUT").count(), 0);
}

/// Applies everything, as Flux does: again and again while the API server is away.
async fn from_git(world: &World, objects: &[Value]) {
    stream::iter(objects).for_each_concurrent(8, async |object| world.persist(object).await).await;
}

/// Lets one disaster after the other happen, with an operator at work in between.
async fn befall(world: &World, plane: &Plane) {
    let mut operator = Operator::start(&world.options).await;
    // Moments that differ from disaster to disaster, and are the same every time.
    let pauses = [700, 150, 2_100, 1_300, 400, 3_100, 900];
    for (disaster, pause) in DISASTERS.into_iter().zip(pauses.into_iter().cycle()) {
        sleep(Duration::from_millis(pause)).await;
        match disaster {
            Disaster::OperatorKilled => {
                operator.kill();
                operator = Operator::start(&world.options).await;
            }
            Disaster::OperatorPaused => {
                operator.signal("STOP");
                let other = Options { identity: "another".to_owned(), ..world.options.clone() };
                let successor = Operator::start(&other).await;
                sleep(Duration::from_secs(9)).await;
                operator.signal("CONT");
                sleep(Duration::from_secs(2)).await;
                operator.kill();
                operator = successor;
            }
            Disaster::ApiServerKilled => plane.kill("kube-apiserver"),
            Disaster::EtcdKilled => plane.kill("etcd"),
            Disaster::BillingKilled => world.sim.restart(),
        }
    }
    sleep(Duration::from_secs(5)).await;
    operator.kill();
}

/// Another price with Zoo, another name and amount with Metronome.
fn renegotiated(contract: Value) -> Value {
    if contract["spec"].get("zoo").is_some() {
        return with(contract, PRICE, json!(LAST_PRICE.to_string()));
    }
    let contract = with(contract, "/spec/metronome/name", json!("Renegotiated"));
    let amount = "/spec/metronome/commits/0/accessSchedule/scheduleItems/0/amount";
    with(contract, amount, json!("13000000"))
}

/// With Metronome, one more commit that costs nothing.
fn grown(mut contract: Value) -> Value {
    if let Some(commits) = contract.pointer_mut("/spec/metronome/commits").and_then(Value::as_array_mut) {
        let mut free = with(with(commits[0].clone(), "/key", json!("free")), "/name", json!("Free"));
        free.as_object_mut().unwrap().remove("invoiceSchedule");
        commits.push(free);
    }
    contract
}

/// Waits until every contract is as its spec says. One that failed often in a row waits for minutes, so a look is asked for.
async fn at_rest(world: &World, contracts: &[Value]) {
    let give_up = Instant::now() + PATIENCE;
    for contract in contracts {
        let name = contract["metadata"]["name"].as_str().unwrap();
        let mut asked = Instant::now();
        loop {
            let seen = world.get(name).await;
            if kstatus::compute(&seen) == kstatus::Standing::Current {
                break;
            }
            assert!(Instant::now() < give_up, "{name}: {:#}", seen["status"]);
            if asked.elapsed() > Duration::from_secs(5) {
                world.ask(name).await;
                asked = Instant::now();
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Counts what is billed.
async fn count(world: &World, organizations: &[String], customers: &[String]) {
    for organization in organizations {
        let billed = world.sim.contract(organization).await;
        assert_eq!(billed["items"][0]["rate_tiers"][0]["unit_price"], LAST_PRICE, "{organization}");
    }
    let held = world.sim.all_held().await;
    assert_eq!(held.len(), customers.len(), "one contract a customer");
    let mut invoices = 0;
    for customer in customers {
        let held = world.sim.only(customer).await;
        let commits = held["contract"]["commits"].as_array().unwrap();
        assert_eq!(commits.iter().filter(|commit| commit["archived_at"].is_null()).count(), 2, "{customer}");
        assert_eq!(held["contract"]["name"], "Renegotiated", "{customer}");
        let id = held["id"].as_str().unwrap();
        let drawn = world.sim.invoices(id).await;
        let total: i64 = drawn.iter().map(|invoice| invoice["total"].as_i64().unwrap()).sum();
        assert_eq!(total, INVOICED, "{customer}: {drawn:#?}");
        invoices += drawn.len();
    }
    println!("{} contracts of each API; {invoices} invoices, each once", customers.len());
}
