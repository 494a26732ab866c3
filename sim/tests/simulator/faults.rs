//! Faults: what they do, whom they hit, and when they are over.

use std::time::{Duration, Instant};

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{CONTRACT, ORG, Simulator, contract_with};

#[tokio::test]
async fn a_dropped_reply_leaves_the_change() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"drop_reply","method":"PUT","count":1}"#).await;
    simulator.get(ORG).await.unwrap().expect(404);
    simulator.put(ORG, CONTRACT).await.unwrap_err();
    simulator.get(ORG).await.unwrap().expect(200);
    let entry = &simulator.journal("method=PUT").await[0];
    assert_eq!((&entry["status"], &entry["fault"]), (&json!(200), &json!("drop_reply")));
    assert_eq!(entry["body"], CONTRACT);
}

#[tokio::test]
async fn a_dropped_request_changes_nothing() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"drop_request","count":1}"#).await;
    simulator.put(ORG, CONTRACT).await.unwrap_err();
    simulator.get(ORG).await.unwrap().expect(404);
    let entry = &simulator.journal("method=PUT").await[0];
    assert_eq!((&entry["status"], &entry["fault"]), (&Value::Null, &json!("drop_request")));
}

#[tokio::test]
async fn a_status_is_answered_in_the_apis_words_and_changes_nothing() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"status","status":429,"retry_after_seconds":7,"count":2}"#).await;
    let limited = simulator.put(ORG, CONTRACT).await.unwrap().expect(429);
    assert_eq!(limited.headers[header::RETRY_AFTER], "7");
    assert_eq!(limited.message(), "Too Many Requests");
    assert!(limited.json()["request_id"].is_string());
    simulator.get(ORG).await.unwrap().expect(429);
    simulator.get(ORG).await.unwrap().expect(404);
    assert_eq!(simulator.control(Method::GET, "/faults", "").await.json(), json!({"faults": []}));
}

#[tokio::test]
async fn a_delayed_request_is_carried_out_although_its_caller_has_hung_up() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"delay","delay_ms":400,"count":1}"#).await;
    let put = tokio::time::timeout(Duration::from_millis(100), simulator.put(ORG, CONTRACT)).await;
    assert!(put.is_err());
    simulator.get(ORG).await.unwrap().expect(404);
    let patience = Instant::now() + Duration::from_secs(20);
    while simulator.get(ORG).await.unwrap().status != 200 {
        assert!(Instant::now() < patience, "the request was never carried out");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let entry = &simulator.journal("method=PUT").await[0];
    assert_eq!((&entry["status"], &entry["fault"]), (&json!(200), &json!("delay")));
}

#[tokio::test]
async fn a_delayed_reply_comes_after_the_change() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"delay_reply","delay_ms":600,"method":"PUT","count":1}"#).await;
    let start = Instant::now();
    let (put, early) = tokio::join!(simulator.put(ORG, CONTRACT), async {
        let mut early = simulator.get(ORG).await.unwrap();
        while early.status != 200 && start.elapsed() < Duration::from_millis(500) {
            early = simulator.get(ORG).await.unwrap();
        }
        early
    });
    put.unwrap().expect(200);
    assert!(start.elapsed() >= Duration::from_millis(600));
    early.expect(200);
}

#[tokio::test]
async fn a_stale_read_answers_what_was_true_before_the_last_write() {
    let simulator = Simulator::start().await;
    simulator.put(ORG, &contract_with("name", "\"first\"")).await.unwrap().expect(200);
    simulator.fault(r#"{"kind":"stale_read","method":"GET","count":1}"#).await;
    simulator.get(ORG).await.unwrap().expect(404);
    assert_eq!(simulator.get(ORG).await.unwrap().expect(200).json()["name"], "first");
    simulator.put(ORG, &contract_with("name", "\"second\"")).await.unwrap().expect(200);
    simulator.fault(r#"{"kind":"stale_read","method":"GET","count":1}"#).await;
    assert_eq!(simulator.get(ORG).await.unwrap().expect(200).json()["name"], "first");
    assert_eq!(simulator.get(ORG).await.unwrap().expect(200).json()["name"], "second");
}

#[tokio::test]
async fn a_fault_hits_only_what_it_names_and_ends_when_removed() {
    let simulator = Simulator::start().await;
    let path = format!("/orgs/{}*/billing/contract", &ORG[..8]);
    let fault = json!({"kind": "status", "status": 500, "method": "put", "path": path}).to_string();
    let id = simulator.fault(&fault).await;
    simulator.get(ORG).await.unwrap().expect(404);
    for _ in 0..3 {
        simulator.put(ORG, CONTRACT).await.unwrap().expect(500);
    }
    simulator.put("00000000-0000-4000-8000-000000000000", CONTRACT).await.unwrap().expect(404);
    let listed = simulator.control(Method::GET, "/faults", "").await.expect(200).json();
    assert_eq!((&listed["faults"][0]["id"], &listed["faults"][0]["hits"]), (&json!(id), &json!(3)));
    simulator.control(Method::DELETE, &format!("/faults/{id}"), "").await.expect(204);
    simulator.control(Method::DELETE, &format!("/faults/{id}"), "").await.expect(404);
    simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
}

#[tokio::test]
async fn a_rate_hits_the_same_requests_for_the_same_seed() {
    let simulator = Simulator::start().await;
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let fault = json!({"kind": "status", "status": 503, "rate": 0.5, "seed": seed}).to_string();
        simulator.fault(&fault).await;
        let mut statuses = Vec::new();
        for _ in 0..32 {
            statuses.push(simulator.get(ORG).await.unwrap().status.as_u16());
        }
        simulator.control(Method::DELETE, "/faults", "").await.expect(204);
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert!(runs[0].contains(&503) && runs[0].contains(&404));
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused() {
    let simulator = Simulator::start().await;
    for fault in
        [r#"{"kind":"explode"}"#, r#"{"kind":"delay"}"#, r#"{"kind":"drop_reply","colour":"red"}"#, "{"]
    {
        simulator.control(Method::POST, "/faults", fault).await.expect(400);
    }
    assert_eq!(simulator.control(Method::GET, "/faults", "").await.json(), json!({"faults": []}));
}
