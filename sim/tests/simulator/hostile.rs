//! Answers that no API means to give, and requests that are carried out late.

use std::time::{Duration, Instant};

use reqwest::{Method, header};
use serde_json::json;

use crate::support::{CONTRACT, ORG, Simulator, TOKEN, contract_path};

#[tokio::test]
async fn a_gateways_404_is_html_without_the_apis_headers_and_changes_nothing() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"html","path":"/orgs/","count":1}"#).await;
    let page = simulator.put(ORG, CONTRACT).await.unwrap().expect(404);
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html");
    assert!(page.text.contains("<h1>404 Not Found</h1>"), "{}", page.text);
    assert!(!page.headers.contains_key("x-request-id"));
    simulator.get(ORG).await.unwrap().expect(404);
    let entry = &simulator.journal("method=PUT").await[0];
    assert_eq!((&entry["status"], &entry["fault"]), (&json!(404), &json!("html")));
}

#[tokio::test]
async fn a_write_can_be_carried_out_although_the_answer_says_otherwise() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"html","status":502,"method":"PUT","count":1,"carry_out":true}"#).await;
    simulator.put(ORG, CONTRACT).await.unwrap().expect(502);
    simulator.get(ORG).await.unwrap().expect(200);
}

#[tokio::test]
async fn a_404_in_the_apis_own_form_comes_once_with_the_words_that_were_asked_for() {
    let simulator = Simulator::start().await;
    simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
    let fault = r#"{"kind":"status","status":404,"count":1,"message":"no contract","code":"NotFound"}"#;
    simulator.fault(fault).await;
    let refused = simulator.get(ORG).await.unwrap().expect(404);
    assert_eq!(refused.message(), "no contract");
    assert_eq!(refused.json()["error_code"], "NotFound");
    assert!(refused.headers.contains_key("x-request-id"));
    simulator.get(ORG).await.unwrap().expect(200);
}

#[tokio::test]
async fn retry_after_is_whatever_text_was_asked_for() {
    let simulator = Simulator::start().await;
    for after in ["18446744073709551615", "Wed, 21 Oct 2026 07:28:00 GMT", "90.5", "-1", "soon"] {
        let fault = json!({"kind": "status", "status": 429, "retry_after": after, "count": 1}).to_string();
        simulator.fault(&fault).await;
        assert_eq!(simulator.get(ORG).await.unwrap().expect(429).headers[header::RETRY_AFTER], after);
    }
    let fault = json!({"kind": "status", "status": 429, "retry_after": "a\nb"}).to_string();
    simulator.control(Method::POST, "/faults", &fault).await.expect(400);
}

#[tokio::test]
async fn an_endless_body_goes_on_and_the_server_with_it() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"endless_body","count":1}"#).await;
    let mut response =
        simulator.request(Method::GET, &contract_path(ORG)).bearer_auth(TOKEN).send().await.unwrap();
    let mut read = 0;
    while read < 4 << 20 {
        read += response.chunk().await.unwrap().unwrap().len();
    }
    drop(response);
    simulator.get(ORG).await.unwrap().expect(404);
}

#[tokio::test]
async fn deep_json_has_as_many_levels_as_were_asked_for() {
    let simulator = Simulator::start().await;
    for (fault, levels) in
        [(r#"{"kind":"deep_json","count":1}"#, 10_000), (r#"{"kind":"deep_json","depth":3,"count":1}"#, 3)]
    {
        simulator.fault(fault).await;
        let text = simulator.get(ORG).await.unwrap().expect(200).text;
        assert_eq!(text.matches('[').count(), levels);
        assert_eq!(text.matches(']').count(), levels);
    }
    simulator.control(Method::POST, "/faults", r#"{"kind":"deep_json","depth":99999999}"#).await.expect(400);
}

#[tokio::test]
async fn huge_headers_are_sent() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"huge_headers","bytes":65536,"count":1}"#).await;
    let headers = simulator.get(ORG).await.unwrap().expect(200).headers;
    assert!(headers.values().map(header::HeaderValue::len).sum::<usize>() >= 65536);
    // More than this client reads: a failure of its own, not a hung connection.
    simulator.fault(r#"{"kind":"huge_headers","count":1}"#).await;
    simulator.get(ORG).await.unwrap_err();
    simulator.get(ORG).await.unwrap().expect(404);
}

#[tokio::test]
async fn a_late_request_is_carried_out_after_its_connection_was_closed() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"late","delay_ms":400,"method":"PUT","count":1}"#).await;
    let start = Instant::now();
    simulator.put(ORG, CONTRACT).await.unwrap_err();
    simulator.get(ORG).await.unwrap().expect(404);
    let patience = start + Duration::from_secs(20);
    while simulator.get(ORG).await.unwrap().status != 200 {
        assert!(Instant::now() < patience, "the request was never carried out");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(start.elapsed() >= Duration::from_millis(400));
    let entry = &simulator.journal("method=PUT").await[0];
    assert_eq!((&entry["status"], &entry["fault"]), (&json!(200), &json!("late")));
}

#[tokio::test]
async fn a_body_is_whatever_text_was_asked_for() {
    let simulator = Simulator::start().await;
    let long = "x".repeat(200);
    let body = json!({"data": {"id": long}}).to_string();
    simulator.fault(&json!({"kind": "body", "body": body, "count": 1}).to_string()).await;
    let told = simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
    assert_eq!(told.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(told.text, body);
    simulator.get(ORG).await.unwrap().expect(404);
    simulator.control(Method::POST, "/faults", r#"{"kind":"body"}"#).await.expect(400);
}

#[tokio::test]
async fn a_body_breaks_off_or_stands_still_after_the_change_was_made() {
    let simulator = Simulator::start().await;
    simulator.fault(r#"{"kind":"cut_body","method":"PUT","count":1,"carry_out":true}"#).await;
    assert!(simulator.put(ORG, CONTRACT).await.is_err());
    simulator.get(ORG).await.unwrap().expect(200);
    simulator.fault(r#"{"kind":"stalled_body","count":1}"#).await;
    let stalled = tokio::time::timeout(Duration::from_millis(300), simulator.get(ORG)).await;
    assert!(stalled.is_err());
    simulator.get(ORG).await.unwrap().expect(200);
}
