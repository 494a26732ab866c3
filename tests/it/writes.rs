//! What is written, to whom, and how often.

use serde_json::json;

use crate::support::{
    World,
    sim::Calls,
    terms::{ORG, PRICE, acme, with},
};

#[tokio::test]
async fn a_new_contract_costs_one_get_one_put_one_status_write_and_one_event() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    world.stop_operator().await;

    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 1, puts: 1 });
    assert_eq!(world.versions("acme").await.len(), 2, "as created, and with its status");
    let events = world.events("acme").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].type_.as_str(), events[0].reason.as_str()), ("Normal", "Applied"));
    assert!(events[0].text.contains("committed: 120000 USD"), "{events:?}");

    let billed = world.sim.contract(ORG).await;
    let status = &contract["status"];
    assert_eq!(status["contractId"], billed["contract_id"]);
    assert_eq!(status["accountId"], billed["account_id"]);
    assert_eq!(status["customerId"], ORG);
    assert_eq!(status["state"], "active");
    assert_eq!(status["term"], json!({"startDate": "2026-01-01", "endDate": "2036-01-01"}));
    assert_eq!(status["committedValue"], "120000 USD");
    assert!(contract["metadata"]["finalizers"].is_null(), "nothing can be stuck");
}

#[tokio::test]
async fn an_unchanged_contract_is_read_and_not_written_again() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let before = world.get("acme").await;
    world.second_look(1).await;

    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 2, puts: 1 });
    assert_eq!(world.get("acme").await, before);
    assert_eq!(world.events("acme").await.len(), 1);
}

#[tokio::test]
async fn a_price_change_is_one_write_with_the_digits_of_the_spec() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.apply(&with(acme(), PRICE, json!("0.4950"))).await;
    world.until_ready("acme").await;
    world.stop_operator().await;

    let written = world.sim.written(ORG).await;
    assert_eq!(written.len(), 2);
    assert!(written[0].contains(r#""unit_price":0.50}"#), "{}", written[0]);
    assert!(written[0].contains(r#""fixed_fee_amount":250000.00,"#), "{}", written[0]);
    assert!(written[1].contains(r#""unit_price":0.4950}"#), "{}", written[1]);
    let events = world.events("acme").await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[1].text.contains("unitPrice: 0.5 -> 0.495"), "{events:?}");
}
