//! A billing API that loses replies, fails and refuses.

use serde_json::json;

use crate::{
    api::{Calls, Fault},
    fixture::{CUSTOMER, FakeWorld, PRICE, acme, contract},
    support::terms::with,
};

#[tokio::test]
async fn a_lost_reply_does_not_create_a_second_contract_or_write() {
    let world = FakeWorld::start().await;
    world.api.fault(Fault::LoseReply);
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["contractId"], world.api.contract(CUSTOMER)["contract_id"]);
    assert!(contract["status"]["unconfirmedWrite"].is_null());
    assert_eq!(world.api.calls(CUSTOMER), Calls { gets: 2, puts: 1 });

    world.api.fault(Fault::LoseReply);
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.api.calls(CUSTOMER), Calls { gets: 4, puts: 2 });
}

#[tokio::test]
async fn a_write_whose_reply_was_lost_is_known_again_after_the_spec_has_moved_on() {
    let mut world = FakeWorld::start().await;
    world.api.fault(Fault::LoseReply);
    world.apply(&acme()).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    world.take_operator().kill();
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.start_operator().await;
    world.until_ready("acme").await;
    assert_eq!(world.api.calls(CUSTOMER).puts, 2);
}

#[tokio::test]
async fn an_error_of_the_server_passes() {
    let world = FakeWorld::start().await;
    world.api.fault(Fault::Fail);
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    assert_eq!(world.api.calls(CUSTOMER), Calls { gets: 2, puts: 2 });
}

#[tokio::test]
async fn a_refusal_of_the_billing_api_is_passed_on_and_not_sent_again() {
    let mut world = FakeWorld::start().await;
    world.api.fault(Fault::Refuse);
    world.apply(&acme()).await;
    let why = world.until_stalled("acme", "Rejected").await;
    assert!(why.contains("not at this price (HTTP 422)"), "{why}");
    world.second_look(1).await;
    assert_eq!(world.api.calls(CUSTOMER).puts, 1);
    assert_eq!(world.events("acme").await.len(), 1);
}

#[tokio::test]
async fn a_customer_that_does_not_exist_is_named_by_its_field() {
    let world = FakeWorld::start().await;
    world.apply(&contract("acme", "nobody-1")).await;
    let why = world.until_stalled("acme", "CustomerNotFound").await;
    assert!(why.contains("`spec.fake.customerId`"), "{why}");
}
