//! Bounds that a provider sets to what is written without anybody's approval.

use super::*;
use crate::support::{sim::TOKEN, terms};

/// A provider with these guardrails, and an operator.
async fn guarded(guardrails: Value) -> World {
    let mut world = World::bare().await;
    world.apply(&terms::secret(TOKEN)).await;
    world.apply(&with(terms::provider(&world.sim.url), "/spec/guardrails", guardrails)).await;
    world.start_operator().await;
    world
}

async fn approve(world: &World, name: &str) {
    let digest = world.get(name).await["status"]["plan"]["digest"].as_str().unwrap().to_owned();
    world.annotate(name, "billing.countersign.dev/approved-plan", &digest).await;
}

#[tokio::test]
async fn more_than_may_be_committed_waits_whatever_the_policy_and_less_passes() {
    const COMMITMENT: &str = "/spec/zoo/periods/0/commitmentAmount";
    let world = guarded(json!({"maxCommitted": "100000"})).await;
    world.apply(&acme()).await;
    let why = world.until_waiting("acme", "AwaitingApproval").await;
    assert!(why.starts_with("The plan commits the customer to 120000 USD"), "{why}");
    assert!(why.contains("guardrail maxCommitted of 100000"), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
    approve(&world, "acme").await;
    world.until_ready("acme").await;
    world.apply(&with(acme(), COMMITMENT, json!("110000"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2, "what becomes less needs nobody");
}

#[tokio::test]
async fn a_price_that_moves_too_far_waits() {
    let world = guarded(json!({"maxPriceChangePercent": "20"})).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.apply(&with(acme(), PRICE, json!("0.55"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
    world.apply(&with(acme(), PRICE, json!("5.5"))).await;
    let why = world.until_waiting("acme", "AwaitingApproval").await;
    for words in ["from 0.55 to 5.5", "by 900 percent", "maxPriceChangePercent of 20"] {
        assert!(why.contains(words), "{words}: {why}");
    }
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn no_more_contracts_are_changed_in_an_hour_than_may_be_also_after_a_restart() {
    let mut world = guarded(json!({"maxContractsPerHour": 2})).await;
    let organizations: Vec<_> = (0..3).map(terms::organization).collect();
    world.sim.register_all(&organizations).await;
    for (name, organization) in ["first", "second", "third"].iter().zip(&organizations) {
        world.apply(&terms::contract(name, organization)).await;
        if *name != "third" {
            world.until_ready(name).await;
        }
    }
    let why = world.until_waiting("third", "AwaitingApproval").await;
    for words in ["2 other contracts were changed", "maxContractsPerHour of 2"] {
        assert!(why.contains(words), "{words}: {why}");
    }
    world.second_look(3).await;
    assert_eq!(world.sim.calls(&organizations[2]).await.puts, 0);
    world.start_operator().await;
    // What was changed within the hour may go on, and whoever approves lets another pass.
    world.apply(&with(terms::contract("first", &organizations[0]), PRICE, json!("0.49"))).await;
    world.until_ready("first").await;
    approve(&world, "third").await;
    world.until_ready("third").await;
    assert_eq!(world.sim.calls(&organizations[2]).await.puts, 1);
}
