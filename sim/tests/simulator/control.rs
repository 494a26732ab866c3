//! The control routes that the other files do not already use.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CONTRACT, ORG, Simulator, TOKEN};

#[tokio::test]
async fn the_journal_tells_what_was_asked_and_never_a_token() {
    let simulator = Simulator::start().await;
    simulator.get(ORG).await.unwrap().expect(404);
    simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
    simulator.get("acme").await.unwrap().expect(400);

    let all = simulator.journal("").await;
    assert_eq!(all.iter().map(|entry| &entry["seq"]).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(all[0]["body"], Value::Null);
    assert_eq!(all[1]["body"], CONTRACT);
    assert_eq!(all[1]["route"], "/orgs/{id}/billing/contract");
    let fingerprint = all[1]["token"].as_str().unwrap();
    assert_eq!(fingerprint.len(), 12);
    assert!(all.iter().all(|entry| !entry.to_string().contains(TOKEN)));

    assert_eq!(simulator.journal("after=1&method=GET").await, [all[2].clone()]);
    assert_eq!(simulator.journal("path_prefix=/orgs/acme").await, [all[2].clone()]);
    assert_eq!(simulator.journal("limit=1").await, [all[0].clone()]);
    simulator.control(Method::GET, "/journal?before=1", "").await.expect(400);
}

#[tokio::test]
async fn the_journal_is_summed_up_and_goes_on_after_it_was_cleared() {
    let simulator = Simulator::start().await;
    for _ in 0..3 {
        simulator.get(ORG).await.unwrap().expect(404);
    }
    let summary = simulator.control(Method::GET, "/journal/summary", "").await.expect(200).json();
    let route = "/orgs/{id}/billing/contract";
    let counted = json!([{"method": "GET", "route": route, "status": 404, "fault": null, "count": 3}]);
    assert_eq!(summary["counts"], counted);

    simulator.control(Method::DELETE, "/journal", "").await.expect(204);
    simulator.control(Method::DELETE, "/journal", "").await.expect(204);
    assert_eq!(simulator.journal("").await, Vec::<Value>::new());
    simulator.get(ORG).await.unwrap().expect(404);
    assert_eq!(simulator.journal("after=3").await[0]["seq"], 4);
}

#[tokio::test]
async fn the_clock_can_be_stopped_and_released() {
    let simulator = Simulator::start().await;
    let now = "2031-05-06T07:08:09Z";
    let clock =
        simulator.control(Method::PUT, "/clock", &json!({"now": now}).to_string()).await.expect(200).json();
    assert_eq!(clock, json!({"now": now, "time": now}));
    simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
    assert_eq!(simulator.contracts().await[0]["updated_at"], now);
    let clock = simulator.control(Method::PUT, "/clock", r#"{"now":null}"#).await.expect(200).json();
    assert_eq!(clock["now"], Value::Null);
    assert_ne!(clock["time"], now);
}

#[tokio::test]
async fn settings_that_are_left_out_stay() {
    let simulator = Simulator::start().await;
    simulator.control(Method::PUT, "/settings", r#"{"zoo_replace":"new_id"}"#).await.expect(200);
    simulator.control(Method::PUT, "/settings", r#"{"zoo_unknown_orgs":"accept"}"#).await.expect(200);
    simulator.control(Method::PUT, "/settings", r#"{"zoo_replace":"never"}"#).await.expect(400);
    simulator.control(Method::PUT, "/settings", r#"{"zoo":"new_id"}"#).await.expect(400);
    let settings = simulator.control(Method::GET, "/settings", "").await.expect(200).json();
    assert_eq!(
        (&settings["zoo_replace"], &settings["zoo_unknown_orgs"]),
        (&json!("new_id"), &json!("accept"))
    );
}

#[tokio::test]
async fn an_organization_can_be_given_its_account() {
    let simulator = Simulator::start().await;
    let account = "22222222-2222-4222-8222-222222222222";
    let registration = json!({"account_id": account}).to_string();
    simulator.control(Method::PUT, &format!("/zoo/orgs/{ORG}"), &registration).await.expect(204);
    assert_eq!(simulator.put(ORG, CONTRACT).await.unwrap().expect(200).json()["account_id"], account);
    // Registering once more changes neither the account nor the contracts.
    simulator.control(Method::PUT, &format!("/zoo/orgs/{ORG}"), "").await.expect(204);
    simulator.control(Method::POST, "/zoo/orgs", &json!({"ids": [ORG]}).to_string()).await.expect(204);
    assert_eq!(simulator.get(ORG).await.unwrap().expect(200).json()["account_id"], account);
}

#[tokio::test]
async fn a_reset_leaves_only_the_tokens_of_the_command_line() {
    let simulator = Simulator::start().await;
    simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
    simulator.control(Method::PUT, "/settings", r#"{"zoo_replace":"new_id"}"#).await.expect(200);
    simulator.fault(r#"{"kind":"drop_request"}"#).await;
    simulator.control(Method::POST, "/reset", "").await.expect(204);
    assert_eq!(simulator.contracts().await, Vec::<Value>::new());
    assert_eq!(simulator.journal("").await, Vec::<Value>::new());
    assert_eq!(simulator.control(Method::GET, "/settings", "").await.json()["zoo_replace"], "keep_id");
    let unknown = simulator.put(ORG, CONTRACT).await.unwrap().expect(404);
    assert!(unknown.message().contains("not found"), "{}", unknown.text);
    assert_eq!(simulator.journal("").await[0]["seq"], 1);
}

#[tokio::test]
async fn help_names_every_control() {
    let simulator = Simulator::start().await;
    let help = simulator.control(Method::GET, "/", "").await.expect(200).text;
    for control in ["tokens", "zoo/orgs", "settings", "clock", "journal", "faults", "reset"] {
        assert!(help.contains(&format!("/_sim/{control}")), "{control}");
    }
    let lost = simulator.control(Method::GET, "/nowhere", "").await.expect(404);
    assert!(lost.message().contains("/_sim/"), "{}", lost.text);
    simulator.control(Method::PATCH, "/faults", "").await.expect(405);
}
