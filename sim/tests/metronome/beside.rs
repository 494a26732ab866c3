//! Commits and credits of a customer: keys that are taken once, ends that only come earlier, invoices on a contract.

use serde_json::{Value, json};

use crate::support::{CUSTOMER, Simulator, Y2026, Y2027, prepaid};

/// A commit of the customer, billed on a contract.
fn commit(contract: &str, key: &str) -> Value {
    let mut commit = prepaid();
    commit["customer_id"] = CUSTOMER.into();
    commit["priority"] = 1.into();
    commit["invoice_contract_id"] = contract.into();
    commit["uniqueness_key"] = key.into();
    commit["invoice_schedule"]["schedule_items"] =
        json!([{"timestamp": Y2026, "amount": 60}, {"timestamp": "2026-07-01T00:00:00Z", "amount": 40}]);
    commit
}

async fn listed(simulator: &Simulator, more: Value) -> Vec<Value> {
    let mut query = json!({"customer_id": CUSTOMER});
    query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    simulator.post("/v1/contracts/customerCommits/list", query).await.data().as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_is_taken_once_and_what_it_made_is_billed_on_its_contract() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"commits": [prepaid()]})).await;
    let made = simulator.post("/v1/contracts/customerCommits/create", commit(&contract, "one")).await;
    let id = made.data()["id"].clone();
    let again = simulator.post("/v1/contracts/customerCommits/create", commit(&contract, "one")).await;
    assert_eq!(again.status, 409, "{}", again.text);
    let all = listed(&simulator, json!({})).await;
    assert_eq!((all.len(), &all[0]["id"], &all[0]["uniqueness_key"]), (1, &id, &json!("one")));
    assert_eq!(listed(&simulator, json!({"include_contract_commits": true})).await.len(), 2);
    assert_eq!(
        simulator.get(&contract).await["commits"].as_array().unwrap().len(),
        1,
        "it is none of the contract's"
    );
    let totals: Vec<_> =
        simulator.invoices(&contract).await.iter().map(|invoice| invoice["total"].clone()).collect();
    assert_eq!(totals.iter().filter(|total| **total == 60).count(), 1, "{totals:?}");
}

#[tokio::test]
async fn an_end_only_comes_earlier_and_only_of_what_is_prepaid() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({})).await;
    let made = simulator.post("/v1/contracts/customerCommits/create", commit(&contract, "one")).await;
    let id = made.data()["id"].clone();
    let end = |at: &str| json!({"customer_id": CUSTOMER, "commit_id": id, "access_ending_before": at, "invoices_ending_before": at});
    let path = "/v1/contracts/customerCommits/updateEndDate";
    assert_eq!(simulator.post(path, end("2028-01-01T00:00:00Z")).await.status, 400);
    assert_eq!(simulator.post(path, end(Y2026)).await.status, 400);
    assert_eq!(simulator.post(path, end("2026-04-01T00:00:00Z")).await.status, 200);
    let ended = &listed(&simulator, json!({})).await[0];
    assert_eq!(ended["access_schedule"]["schedule_items"][0]["ending_before"], "2026-04-01T00:00:00+00:00");
    assert_eq!(ended["invoice_schedule"]["schedule_items"].as_array().unwrap().len(), 1);
    let mut postpaid = commit(&contract, "two");
    postpaid["type"] = "POSTPAID".into();
    postpaid["invoice_schedule"] = json!({"schedule_items": [{"timestamp": Y2027, "amount": 100}]});
    let made = simulator.post("/v1/contracts/customerCommits/create", postpaid).await.data();
    let end = json!({"customer_id": CUSTOMER, "commit_id": made["id"], "access_ending_before": "2026-04-01T00:00:00Z"});
    assert_eq!(simulator.post(path, end).await.status, 400);
}

#[tokio::test]
async fn what_is_invoiced_names_the_contract_it_is_invoiced_on() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({})).await;
    let path = "/v1/contracts/customerCommits/create";
    let mut without = commit(&contract, "one");
    without.as_object_mut().unwrap().remove("invoice_contract_id");
    assert_eq!(simulator.post(path, without.clone()).await.status, 400);
    without.as_object_mut().unwrap().remove("invoice_schedule");
    assert_eq!(simulator.post(path, without).await.status, 200, "a free one is billed nowhere");
}
