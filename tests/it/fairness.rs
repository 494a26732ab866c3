//! Waiting for one billing API costs nobody else anything.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    World, kstatus,
    sim::{Sim, TOKEN},
    terms::{ORG, PRICE, acme, contract, organization, provider, secret, with},
    world::reason,
};

/// More than are worked on at once for one provider.
const MANY: usize = 80;

/// The contracts of a slow tenant, whose provider is `zoo`.
async fn many(world: &World) -> Vec<String> {
    let organizations: Vec<_> = (0..MANY).map(organization).collect();
    world.sim.register_all(&organizations).await;
    let contracts: Vec<Value> =
        organizations.iter().enumerate().map(|(n, id)| contract(&format!("c{n}"), id)).collect();
    world.create_all(&contracts).await;
    (0..MANY).map(|n| format!("c{n}")).collect()
}

/// Another tenant with an account of its own; its contract is in sync.
async fn other_tenant(world: &World) -> Sim {
    let sim = Sim::start();
    sim.admit(TOKEN).await;
    sim.register(ORG).await;
    world.apply(&with(provider(&sim.url), "/metadata/name", json!("other"))).await;
    world.apply(&of_other_tenant("0.50")).await;
    world.until_ready("other").await;
    sim
}

fn of_other_tenant(price: &str) -> Value {
    let contract = with(acme(), "/metadata/name", json!("other"));
    with(with(contract, "/spec/providerRef", json!({"name": "other"})), PRICE, json!(price))
}

#[tokio::test]
async fn an_api_that_never_answers_leaves_other_tenants_as_fast_as_alone() {
    let mut world = World::start().await;
    let other = other_tenant(&world).await;
    world.sim.fault(json!({"kind": "delay", "path": "/orgs/", "delay_ms": 600_000})).await;
    let slow = many(&world).await;
    world.sim.until_faults_met(20).await;

    for price in ["0.41", "0.42", "0.43"] {
        let started = Instant::now();
        world.apply(&of_other_tenant(price)).await;
        world.until_ready("other").await;
        println!("{:?}", started.elapsed());
    }
    assert_eq!(other.calls(ORG).await.puts, 4);
    for contract in world.get_all(&slow).await {
        assert_ne!(kstatus::status_of(&contract, "Ready"), Some("True"), "it was blocked meanwhile");
    }
    // Nor does the slow API keep anybody from stopping.
    let started = Instant::now();
    world.stop_operator().await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_tenant_at_one_request_a_second_leaves_others_as_fast_as_alone() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&with(provider(&world.sim.url), "/spec/requestsPerSecond", json!(1))).await;
    world.start_operator().await;
    let other = other_tenant(&world).await;
    world.sim.fault(json!({"kind": "delay", "path": "/orgs/", "delay_ms": 1})).await;
    let slow = many(&world).await;
    world.sim.until_faults_met(3).await;
    for price in ["0.41", "0.42", "0.43"] {
        world.apply(&of_other_tenant(price)).await;
        world.until_ready("other").await;
    }
    assert_eq!(other.calls(ORG).await.puts, 4);
    let contracts = world.get_all(&slow).await;
    let waiting = contracts.iter().filter(|contract| kstatus::status_of(contract, "Ready") != Some("True"));
    assert!(waiting.count() > MANY / 2, "most of the slow tenant's contracts still wait");
}

#[tokio::test]
async fn what_waits_for_its_turn_is_written_as_its_spec_is_then() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&with(provider(&world.sim.url), "/spec/requestsPerSecond", json!(2))).await;
    world.start_operator().await;
    world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Current).await;
    world.sim.fault(json!({"kind": "delay", "path": "/orgs/", "delay_ms": 3000, "count": 32})).await;
    many(&world).await;
    world.sim.until_faults_met(3).await;
    // All slots are taken; this one waits, changes, and is created once, as it is then.
    world.apply(&acme()).await;
    sleep(Duration::from_millis(300)).await;
    world.apply(&with(acme(), PRICE, json!("0.44"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    assert!(world.sim.written(ORG).await[0].contains("0.44"));
}

#[tokio::test]
async fn a_contract_behind_a_hanging_api_can_be_released() {
    let world = World::start().await;
    world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Current).await;
    world.sim.fault(json!({"kind": "delay", "path": "/orgs/", "delay_ms": 600_000})).await;
    world.apply(&with(acme(), "/spec/deletionPolicy", json!("End"))).await;
    many(&world).await;
    world.sim.until_faults_met(10).await;
    world.delete("acme").await;
    world.annotate("acme", "billing.countersign.dev/release", "true").await;
    world.until_gone("acme", 1).await;
}

#[tokio::test]
async fn an_operator_that_is_told_to_stop_gives_up_reads_and_looks_a_write_up_later() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "delay", "method": "GET", "path": "/orgs/", "delay_ms": 600_000})).await;
    world.ask("acme").await;
    world.sim.until_faults_met(1).await;
    let started = Instant::now();
    world.stop_operator().await;
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    let contract = world.get("acme").await;
    assert_eq!(reason(&contract), "InSync", "what was given up says nothing about the contract");
    assert!(world.lease().await["spec"]["holderIdentity"].is_null());

    world.sim.heal().await;
    world.sim.fault(json!({"kind": "delay_reply", "method": "PUT", "delay_ms": 600_000})).await;
    world.start_operator().await;
    world.apply(&with(acme(), PRICE, json!("0.41"))).await;
    while world.sim.calls(ORG).await.puts < 2 {
        sleep(Duration::from_millis(20)).await;
    }
    let started = Instant::now();
    world.stop_operator().await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let contract = world.get("acme").await;
    assert!(contract["status"]["unconfirmedWrite"].is_object(), "{contract}");
    world.sim.heal().await;
    world.start_operator().await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}
