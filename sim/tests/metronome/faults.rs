//! Lost replies and late reads: a key makes a repeat harmless.

use serde_json::{Value, json};

use crate::support::{CUSTOMER, Simulator, of_customer, prepaid};

/// Repeats a call until it is answered by success or 409, as a caller who can't tell what happened would.
async fn insist(simulator: &Simulator, path: &str, body: &Value) {
    for _ in 0..50 {
        if let Ok(answer) = simulator.post_text(path, &body.to_string()).await {
            assert!(matches!(answer.status, 200 | 409), "{}", answer.text);
            return;
        }
    }
    panic!("no answer to {body}");
}

#[tokio::test]
async fn one_in_three_replies_lost_makes_no_contract_twice_and_no_edit_either() {
    let simulator = Simulator::start().await;
    for (path, seed) in [("/v1/contracts/create", 1), ("/v2/contracts/edit", 2)] {
        simulator.fault(json!({"kind": "drop_reply", "rate": 0.33, "seed": seed, "path": path})).await;
    }
    for index in 0..60 {
        let terms = of_customer(json!({"uniqueness_key": format!("contract {index}")}));
        insist(&simulator, "/v1/contracts/create", &terms).await;
    }
    let contracts = simulator.contracts().await;
    assert_eq!(contracts.len(), 60);
    for contract in &contracts {
        let id = contract["id"].as_str().unwrap();
        let verbs = json!({"customer_id": CUSTOMER, "contract_id": id, "add_commits": [prepaid()],
                           "uniqueness_key": format!("edit of {id}")});
        insist(&simulator, "/v2/contracts/edit", &verbs).await;
    }
    for contract in simulator.contracts().await {
        assert_eq!(contract["edits"], 1);
        assert_eq!(contract["contract"]["commits"].as_array().unwrap().len(), 1);
    }
    let lost = simulator.journal().await.into_iter().filter(|entry| entry["fault"] == "drop_reply").count();
    assert!(lost > 20, "{lost}");
}

#[tokio::test]
async fn a_stale_list_does_not_have_the_newest_contract() {
    let simulator = Simulator::start().await;
    let first = simulator.create(json!({})).await;
    simulator.create(json!({})).await;
    let body = json!({"customer_id": CUSTOMER});
    let listed = async || -> Vec<String> {
        let contracts = simulator.post("/v2/contracts/list", body.clone()).await.data();
        contracts.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    simulator.edit(&first, json!({"update_contract_name": "x"})).await.expect(200);
    simulator.fault(json!({"kind": "stale_read", "count": 1})).await;
    assert_eq!(listed().await, [first]);
    assert_eq!(listed().await.len(), 2);
}

#[tokio::test]
async fn a_stale_read_shows_the_contract_before_its_last_edit() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"name": "old"})).await;
    simulator.edit(&contract, json!({"update_contract_name": "new"})).await.expect(200);
    simulator.fault(json!({"kind": "stale_read", "count": 1})).await;
    assert_eq!(simulator.get(&contract).await["name"], "old");
    assert_eq!(simulator.get(&contract).await["name"], "new");
}
