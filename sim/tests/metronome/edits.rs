//! Edits: one at a time, each of them whole.

use reqwest::Method;
use serde_json::json;

use crate::support::{CUSTOMER, Simulator, of_customer, prepaid};

#[tokio::test]
async fn an_edit_with_a_used_key_changes_nothing() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({})).await;
    simulator
        .edit(&contract, json!({"update_contract_name": "one", "uniqueness_key": "k"}))
        .await
        .expect(200);
    simulator
        .edit(&contract, json!({"update_contract_name": "two", "uniqueness_key": "k"}))
        .await
        .expect(409);
    let other = simulator.create(json!({})).await;
    simulator.edit(&other, json!({"update_contract_name": "two", "uniqueness_key": "k"})).await.expect(409);
    assert_eq!(simulator.get(&contract).await["name"], "one");
    assert_eq!(simulator.get(&other).await.get("name"), None);
    // A contract's key and an edit's are different things.
    simulator.create(json!({"uniqueness_key": "k"})).await;
}

#[tokio::test]
async fn an_edit_with_a_used_key_is_unprocessable_where_the_settings_say_so() {
    let simulator = Simulator::start().await;
    simulator.settings(json!({"metronome_edit_key": "unprocessable"})).await;
    let contract = simulator.create(json!({"uniqueness_key": "c"})).await;
    let verbs = json!({"update_contract_name": "one", "uniqueness_key": "k"});
    simulator.edit(&contract, verbs.clone()).await.expect(200);
    assert_eq!(simulator.edit(&contract, verbs).await.refusal(422), "Uniqueness key already exists");
    simulator.post("/v1/contracts/create", of_customer(json!({"uniqueness_key": "c"}))).await.expect(409);
}

#[tokio::test]
async fn an_edit_that_fails_halfway_leaves_everything_as_it_was() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"name": "old", "commits": [prepaid()]})).await;
    let before = simulator.get(&contract).await;
    let commit = before["commits"][0]["id"].clone();
    for verbs in [
        json!({"update_commits": [{"commit_id": commit, "name": "x"}, {"commit_id": "nothing"}]}),
        json!({"archive_commits": [{"id": commit}], "update_commits": [{"commit_id": commit, "name": "x"}]}),
        json!({"add_commits": [prepaid()], "remove_overrides": [{"id": "nothing"}], "uniqueness_key": "k"}),
        json!({"update_contract_name": "x", "update_contract_end_date": "2025-01-01T00:00:00Z"}),
    ] {
        simulator.edit(&contract, verbs).await.expect(400);
    }
    assert_eq!(simulator.get(&contract).await, before);
    simulator.edit(&contract, json!({"update_contract_name": "x", "uniqueness_key": "k"})).await.expect(200);
}

#[tokio::test]
async fn an_override_is_replaced_in_one_edit() {
    let simulator = Simulator::start().await;
    let r#override =
        |multiplier: u8| json!({"starting_at": "2026-01-01T00:00:00Z", "multiplier": multiplier});
    let contract = simulator.create(json!({"overrides": [r#override(1)]})).await;
    let old = simulator.get(&contract).await["overrides"][0]["id"].clone();
    let verbs = json!({"remove_overrides": [{"id": old}], "add_overrides": [r#override(2)]});
    let edit = simulator.edit(&contract, verbs).await.data();
    let overrides = simulator.get(&contract).await["overrides"].take();
    assert_eq!(overrides.as_array().unwrap().len(), 1);
    assert_eq!(overrides[0]["id"], edit["edit"]["add_overrides"][0]["id"]);
    assert_eq!(overrides[0]["multiplier"], 2);
}

#[tokio::test]
async fn items_get_the_ids_that_a_test_has_chosen_in_order_and_each_once() {
    let simulator = Simulator::start().await;
    let ids = json!({"commits": ["c1", "c2", "c3"], "subscriptions": ["s1"]});
    simulator.control(Method::POST, "/metronome/next-ids", ids).await;
    let refused =
        of_customer(json!({"commits": [prepaid()], "overrides": [{"starting_at": "2026-01-01T00:00:00Z",
        "multiplier": 1, "override_specifiers": [{"commit_ids": ["x"]}]}]}));
    simulator.post("/v1/contracts/create", refused).await.expect(400);
    let seats = json!({"collection_schedule": "ADVANCE", "initial_quantity": 1, "proration": {},
        "subscription_rate": {"product_id": "p", "billing_frequency": "MONTHLY"}});
    let contract =
        simulator.create(json!({"commits": [prepaid(), prepaid()], "subscriptions": [seats]})).await;
    let edit = json!({"commit_id": "c1", "customer_id": CUSTOMER, "name": "x"});
    simulator.post("/v2/contracts/commits/edit", edit).await.expect(200);
    simulator.edit(&contract, json!({"add_commits": [prepaid(), prepaid()]})).await.expect(200);
    let told = simulator.get(&contract).await;
    let commits: Vec<_> =
        told["commits"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(commits[..3], ["c1", "c2", "c3"]);
    assert_eq!(commits[3].len(), 36);
    assert_eq!(told["subscriptions"][0]["id"], "s1");
}
