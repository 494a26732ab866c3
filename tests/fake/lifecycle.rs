//! Deletion, suspension, approval, claims, and what the API server itself refuses.

use serde_json::{Value, json};

use crate::{
    api::Calls,
    fixture::{CUSTOMER, FakeWorld, PRICE, acme, contract},
    support::{kstatus, terms::with, world::reason},
};

fn deleted_by(policy: &str) -> Value {
    with(acme(), "/spec/deletionPolicy", json!(policy))
}

#[tokio::test]
async fn deleting_ends_the_contract_as_the_policy_says() {
    let world = FakeWorld::start().await;
    world.apply(&deleted_by("End")).await;
    let first = world.until_ready("acme").await;
    assert_eq!(first["metadata"]["finalizers"], json!(["billing.countersign.dev/end-contract"]));
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    let billed = world.api.contract(CUSTOMER);
    assert_eq!(billed["ended"], true);
    assert_eq!(billed["terms"]["name"], "Acme 2026", "nothing else changes");
    assert_eq!(world.api.calls(CUSTOMER).puts, 2);

    // What has ended is not shown any more, and another contract takes its place.
    world.apply(&acme()).await;
    let second = world.until_ready("acme").await;
    assert_ne!(first["status"]["contractId"], second["status"]["contractId"]);
}

#[tokio::test]
async fn a_resource_that_never_held_the_contract_does_not_end_it() {
    let world = FakeWorld::start().await;
    world.api.set(CUSTOMER, "Typed by hand", "0.60");
    world.apply(&deleted_by("Cancel")).await;
    let why = world.until_stalled("acme", "ContractExists").await;
    assert!(why.contains("the customer has a contract already"), "{why}");
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.api.contract(CUSTOMER)["ended"], false);
    assert_eq!(world.api.calls(CUSTOMER).puts, 0);
}

#[tokio::test]
async fn adoption_by_override_changes_the_contract_to_what_the_spec_says() {
    let world = FakeWorld::start().await;
    world.api.set(CUSTOMER, "Typed by hand", "0.60");
    world.apply(&with(acme(), "/spec/adopt", json!({"contractId": "fake-1", "mode": "Override"}))).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["contractId"], "fake-1");
    assert_eq!(world.api.contract(CUSTOMER)["terms"]["name"], "Acme 2026");
    assert_eq!(world.api.calls(CUSTOMER).puts, 1);
}

#[tokio::test]
async fn a_suspended_contract_is_never_looked_at() {
    let mut world = FakeWorld::start().await;
    world.apply(&with(acme(), "/spec/suspend", json!(true))).await;
    let contract = world.until("acme", |contract| contract["status"]["observedGeneration"] == 1).await;
    assert_eq!(reason(&contract), "Suspended");
    world.stop_operator().await;
    assert_eq!(world.api.calls(CUSTOMER), Calls::default());
}

#[tokio::test]
async fn a_plan_waits_for_its_approval_and_no_other_plan_passes_by_it() {
    let world = FakeWorld::start().await;
    let managed = with(acme(), "/spec/managementPolicy", json!("Plan"));
    world.apply(&managed).await;
    world.until_waiting("acme", "AwaitingApproval").await;
    let first = world.get("acme").await["status"]["plan"].clone();
    assert_eq!(first["changes"], 1);
    assert_eq!(world.api.calls(CUSTOMER).puts, 0);

    world.apply(&with(managed, PRICE, json!("0.49"))).await;
    let is_another = |contract: &Value| contract["status"]["plan"]["digest"] != first["digest"];
    let contract = world.until("acme", is_another).await;
    world.annotate("acme", "billing.countersign.dev/approved-plan", first["digest"].as_str().unwrap()).await;
    world.reconcile("acme").await;
    assert_eq!(world.api.calls(CUSTOMER).puts, 0);

    let second = contract["status"]["plan"]["digest"].as_str().unwrap().to_owned();
    world.annotate("acme", "billing.countersign.dev/approved-plan", &second).await;
    world.until("acme", |contract| kstatus::status_of(contract, "Ready") == Some("True")).await;
    assert_eq!(world.api.calls(CUSTOMER).puts, 1);
    assert!(world.api.written()[0].contains(r#""price":0.49}"#));
}

#[tokio::test]
async fn of_two_resources_for_one_customer_the_older_holds_the_contract() {
    let world = FakeWorld::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.apply(&with(contract("other", CUSTOMER), PRICE, json!("9"))).await;
    let why = world.until_stalled("other", "DuplicateClaim").await;
    assert!(why.contains(&format!("{}/acme claims the same contract", world.namespace)), "{why}");
    assert_eq!(world.api.calls(CUSTOMER).puts, 1);

    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    world.until_stalled("other", "ContractExists").await;
    assert_eq!(world.api.calls(CUSTOMER).puts, 1, "what is gone has left its contract as it is");
}

#[tokio::test]
async fn terms_of_another_billing_api_than_the_providers_are_refused() {
    let world = FakeWorld::start().await;
    let zoo = crate::support::terms::acme();
    world.apply(&with(zoo, "/spec/providerRef", json!({"name": "fake"}))).await;
    let why = world.until_stalled("acme", "InvalidSpec").await;
    assert!(why.contains("`spec.fake`"), "{why}");
}

#[tokio::test]
async fn the_api_server_refuses_two_billing_apis_a_change_of_it_and_wrong_terms() {
    let world = FakeWorld::start().await;
    let zoo = crate::support::terms::acme()["spec"]["zoo"].take();
    let why = world.try_apply(&with(acme(), "/spec/zoo", zoo.clone())).await.unwrap_err();
    assert!(why.contains("exactly one of `spec.zoo` and `spec.metronome` and `spec.fake`"), "{why}");
    for (pointer, value, part) in [
        (PRICE, json!(0.5), "string"),
        (PRICE, json!("-1"), "should match"),
        ("/spec/fake/customerId", json!("Acme Corp"), "should match"),
        ("/spec/fake/discount", json!("10%"), "field not declared in schema"),
    ] {
        let why = world.try_apply(&with(acme(), pointer, value)).await.unwrap_err();
        assert!(why.contains(part), "{pointer}: {why}");
    }
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let moved = crate::support::terms::with(
        crate::support::terms::acme(),
        "/spec/providerRef",
        json!({"name": "fake"}),
    );
    let why = world.try_apply(&moved).await.unwrap_err();
    assert!(why.contains("the billing API must not change"), "{why}");
}
