//! What is written, to whom, and how often.

use serde_json::json;

use crate::{
    api::Calls,
    fixture::{CUSTOMER, FakeWorld, NAME, PRICE, acme},
    support::{kstatus, terms::with},
};

#[tokio::test]
async fn a_new_contract_costs_one_get_one_put_one_status_write_and_one_event() {
    let mut world = FakeWorld::start().await;
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    world.stop_operator().await;

    assert_eq!(world.api.calls(CUSTOMER), Calls { gets: 1, puts: 1 });
    assert_eq!(world.versions("acme").await.len(), 2, "as created, and with its status");
    let events = world.events("acme").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].type_.as_str(), events[0].reason.as_str()), ("Normal", "Applied"));
    let billed = world.api.contract(CUSTOMER);
    assert_eq!(contract["status"]["contractId"], billed["contract_id"]);
    assert_eq!(contract["status"]["customerId"], CUSTOMER);
    assert_eq!(contract["status"]["state"], "active");
    assert!(contract["metadata"]["finalizers"].is_null(), "nothing can be stuck");
}

#[tokio::test]
async fn an_unchanged_contract_is_read_and_not_written_again() {
    let mut world = FakeWorld::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let before = world.get("acme").await;
    world.second_look(1).await;

    assert_eq!(world.api.calls(CUSTOMER), Calls { gets: 2, puts: 1 });
    assert_eq!(world.get("acme").await, before);
    assert_eq!(world.events("acme").await.len(), 1);
}

#[tokio::test]
async fn a_price_change_is_one_write_with_the_digits_of_the_spec() {
    let mut world = FakeWorld::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let digits = "1.234567890123456789012345670";
    world.apply(&with(acme(), PRICE, json!(digits))).await;
    world.until_ready("acme").await;
    world.second_look(1).await;

    let written = world.api.written();
    assert_eq!(written.len(), 2);
    assert!(written[0].contains(r#""price":0.50}"#), "{}", written[0]);
    assert!(written[1].contains(&format!(r#""price":{digits}}}"#)), "{}", written[1]);
    let events = world.events("acme").await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[1].text.contains("price: 0.5 -> 1.23456789012345678901234567"), "{events:?}");
}

#[tokio::test]
async fn a_contract_that_is_renamed_keeps_its_id() {
    let world = FakeWorld::start().await;
    world.apply(&acme()).await;
    let before = world.until_ready("acme").await;
    world.apply(&with(acme(), NAME, json!("Acme 2027"))).await;
    let after = world.until_ready("acme").await;
    assert_eq!(before["status"]["contractId"], after["status"]["contractId"]);
    assert_eq!(world.api.contract(CUSTOMER)["terms"]["name"], "Acme 2027");
    assert_eq!(world.api.calls(CUSTOMER).puts, 2);
}

#[tokio::test]
async fn a_resource_that_is_renamed_takes_its_contract_over_without_a_write() {
    let world = FakeWorld::start().await;
    world.apply(&acme()).await;
    let before = world.until_ready("acme").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    world.apply(&with(acme(), "/metadata/name", json!("acme-2026"))).await;
    let after = world.until_ready("acme-2026").await;
    assert_eq!(before["status"]["contractId"], after["status"]["contractId"]);
    assert_eq!(world.api.calls(CUSTOMER).puts, 1);
}

#[tokio::test]
async fn drift_is_corrected() {
    let world = FakeWorld::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.api.set(CUSTOMER, "Typed by hand", "7");
    let contract = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&contract, "Ready"), Some("True"));
    assert_eq!(world.api.contract(CUSTOMER)["terms"]["name"], "Acme 2026");
    assert_eq!(world.api.calls(CUSTOMER).puts, 2);
}

#[tokio::test]
async fn drift_is_only_reported_when_the_policy_says_so() {
    let world = FakeWorld::start().await;
    let reporting = with(acme(), "/spec/driftPolicy", json!("Report"));
    world.apply(&reporting).await;
    world.until_ready("acme").await;
    world.api.set(CUSTOMER, "Typed by hand", "0.50");
    let contract = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&contract, "Ready"), Some("True"));
    assert_eq!(kstatus::status_of(&contract, "Drifted"), Some("True"));
    assert_eq!(contract["status"]["drift"], json!(["/name: billing says Typed by hand, Git says Acme 2026"]));
    assert_eq!(world.api.calls(CUSTOMER).puts, 1);
}

#[tokio::test]
async fn ignored_places_are_left_as_the_billing_api_has_them() {
    let world = FakeWorld::start().await;
    let ignoring = with(acme(), "/spec/ignoreDrift", json!(["/price"]));
    world.apply(&ignoring).await;
    world.until_ready("acme").await;
    world.api.set(CUSTOMER, "Acme 2026", "0.75");
    world.reconcile("acme").await;
    assert_eq!(world.api.calls(CUSTOMER).puts, 1);

    world.apply(&with(ignoring, NAME, json!("Acme 2027"))).await;
    world.until_ready("acme").await;
    let written = world.api.written();
    assert_eq!(written.len(), 2);
    assert!(written[1].contains(r#""price":0.75}"#), "{}", written[1]);
}
