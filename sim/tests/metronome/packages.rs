//! Packages: fixed once made, but for who holds an alias.

use reqwest::Method;
use serde_json::json;

use crate::support::{CUSTOMER, Simulator, Y2027, of_customer};

#[tokio::test]
async fn a_packages_key_is_taken_for_ever_and_apart_from_contracts_keys() {
    let simulator = Simulator::start().await;
    simulator.create(json!({"uniqueness_key": "k"})).await;
    let package =
        simulator.post("/v1/packages/create", json!({"name": "A", "uniqueness_key": "k"})).await.data();
    let id = json!({"package_id": package["id"]});
    simulator.post("/v1/packages/archive", id.clone()).await.expect(200);
    assert_eq!(simulator.post("/v1/packages/archive", id.clone()).await.refusal(422), "already archived");
    simulator.post("/v1/packages/create", json!({"name": "B", "uniqueness_key": "k"})).await.expect(409);
    assert_eq!(simulator.post("/v1/packages/get", id).await.data()["uniqueness_key"], "package:k");
}

#[tokio::test]
async fn contracts_from_one_package_have_items_of_their_own() {
    let simulator = Simulator::start().await;
    let schedule = json!({"schedule_items": [{
        "amount": 5,
        "starting_at_offset": {"unit": "DAYS", "value": 0},
        "duration": {"unit": "YEARS", "value": 1},
    }]});
    let credit = json!({"product_id": "p", "access_schedule": schedule, "custom_fields": {"tier": "gold"}});
    let keys = json!([{"entity": "package_credit", "key": "tier"}]);
    simulator.control(Method::POST, "/metronome/custom-field-keys", keys).await;
    let terms = json!({"name": "Gold", "credits": [credit]});
    simulator.control(Method::PUT, "/metronome/packages/gold", terms).await;
    let one = simulator.create(json!({"package_id": "gold"})).await;
    let two = simulator.create(json!({"package_id": "gold", "starting_at": Y2027})).await;
    let (one, two) = (simulator.get(&one).await, simulator.get(&two).await);
    assert_ne!(one["credits"][0]["id"], two["credits"][0]["id"]);
    assert_eq!(one["credits"][0]["custom_fields"]["tier"], "gold");
    let start = |contract: &serde_json::Value| {
        contract["credits"][0]["access_schedule"]["schedule_items"][0]["starting_at"].clone()
    };
    assert_eq!((start(&one), start(&two)), (one["starting_at"].clone(), two["starting_at"].clone()));
}

#[tokio::test]
async fn the_customer_needs_exactly_one_matching_billing_configuration() {
    let simulator = Simulator::start().await;
    let terms =
        json!({"name": "A", "billing_provider": "stripe", "delivery_method": "direct_to_billing_provider"});
    simulator.control(Method::PUT, "/metronome/packages/billed", terms).await;
    let create =
        async || simulator.post("/v1/contracts/create", of_customer(json!({"package_id": "billed"}))).await;
    assert!(create().await.refusal(400).contains("exactly one billing provider configuration"));
    let configure = async |name: &str, provider: &str| {
        let path = format!("/metronome/customers/{CUSTOMER}/billing-configurations/{name}");
        simulator.control(Method::PUT, &path, json!({"billing_provider": provider})).await;
    };
    configure("other", "netsuite").await;
    create().await.expect(400);
    configure("first", "stripe").await;
    create().await.expect(200);
    configure("second", "stripe").await;
    create().await.expect(400);
}
