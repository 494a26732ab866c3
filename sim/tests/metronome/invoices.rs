//! Invoices: what is billed, how often, and what of it is final.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, Simulator, Y2026, Y2027, prepaid};

fn monthly() -> Value {
    json!({
        "product_id": "p",
        "starting_at": Y2026,
        "recurrence_frequency": "MONTHLY",
        "priority": 1,
        "commit_duration": {"value": 1},
        "access_amount": {"unit_price": 1000, "quantity": 1, "credit_type_id": "USD"},
        "invoice_amount": {"unit_price": 1000, "quantity": 1, "credit_type_id": "USD"},
    })
}

fn seats() -> Value {
    json!({
        "collection_schedule": "ADVANCE",
        "starting_at": Y2026,
        "initial_quantity": 10,
        "proration": {"is_prorated": false},
        "subscription_rate": {"product_id": "p", "billing_frequency": "MONTHLY"},
    })
}

/// Marks all of the contract's invoices, or those with `keys`.
async fn mark(simulator: &Simulator, contract: &str, state: &str, keys: Value) {
    let body = json!({"state": state, "items": keys});
    simulator.control(Method::POST, &format!("/metronome/contracts/{contract}/invoices"), body).await;
}

fn statuses(invoices: &[Value]) -> Vec<&str> {
    invoices.iter().map(|invoice| invoice["status"].as_str().unwrap()).collect()
}

fn dates(invoices: &[Value]) -> Vec<String> {
    invoices.iter().map(|invoice| invoice["issued_at"].as_str().unwrap()[..10].to_owned()).collect()
}

#[tokio::test]
async fn a_recurring_commit_that_is_removed_and_added_again_from_the_past_is_billed_twice() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"recurring_commits": [monthly()]})).await;
    assert_eq!(dates(&simulator.invoices(&contract).await), ["2026-01-01", "2026-02-01", "2026-03-01"]);
    let id = simulator.get(&contract).await["recurring_commits"][0]["id"].clone();
    let end = json!({"recurring_commit_id": id, "ending_before": "2026-03-15T12:00:00Z"});
    simulator.edit(&contract, json!({"update_recurring_commits": [end]})).await.expect(200);
    assert_eq!(simulator.invoices(&contract).await.len(), 3);
    simulator.edit(&contract, json!({"add_recurring_commits": [monthly()]})).await.expect(200);
    let invoices = simulator.invoices(&contract).await;
    assert_eq!(invoices.len(), 6);
    assert!(invoices.iter().all(|invoice| invoice["total"] == 1000), "{invoices:?}");
}

#[tokio::test]
async fn a_recurring_commit_whose_end_is_taken_back_is_billed_once() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"recurring_commits": [monthly()]})).await;
    let id = simulator.get(&contract).await["recurring_commits"][0]["id"].clone();
    for end in [json!("2026-03-15T12:00:00Z"), Value::Null] {
        let update = json!({"recurring_commit_id": id, "ending_before": end});
        simulator.edit(&contract, json!({"update_recurring_commits": [update]})).await.expect(200);
    }
    assert_eq!(simulator.invoices(&contract).await.len(), 3);
    simulator.clock("2026-04-02T00:00:00Z").await;
    assert_eq!(simulator.invoices(&contract).await.len(), 4);
}

#[tokio::test]
async fn a_subscription_is_billed_for_each_period_and_again_when_it_is_added_again() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"subscriptions": [seats()]})).await;
    let invoices = simulator.invoices(&contract).await;
    assert_eq!(dates(&invoices), ["2026-01-01", "2026-02-01", "2026-03-01"]);
    assert_eq!(invoices[0]["type"], "USAGE");
    let line = &invoices[0]["line_items"][0];
    assert_eq!((&line["type"], &line["quantity"]), (&json!("subscription"), &json!(10)));
    let id = line["subscription_id"].clone();
    let end = json!({"subscription_id": id, "ending_before": "2026-03-15T12:00:00Z"});
    simulator.edit(&contract, json!({"update_subscriptions": [end]})).await.expect(200);
    simulator.edit(&contract, json!({"add_subscriptions": [seats()]})).await.expect(200);
    assert_eq!(simulator.invoices(&contract).await.len(), 6);
}

#[tokio::test]
async fn a_split_schedule_is_billed_at_its_dates_and_later_ones_are_drafts_where_they_are_shown() {
    let simulator = Simulator::start().await;
    let schedule = json!({"recurring_schedule": {"amount_distribution": "EACH", "amount": 7,
        "frequency": "MONTHLY", "starting_at": Y2026, "ending_before": "2026-07-01T00:00:00Z"}});
    let charges = [
        json!({"product_id": "p", "schedule": schedule}),
        json!({"product_id": "p", "schedule":
        {"do_not_invoice": true, "schedule_items": [{"timestamp": Y2026, "amount": 1}]}}),
    ];
    let contract = simulator.create(json!({"scheduled_charges": charges})).await;
    assert_eq!(simulator.invoices(&contract).await.len(), 3);
    simulator.settings(json!({"metronome_future_invoices": "draft", "metronome_finality": "due"})).await;
    let invoices = simulator.invoices(&contract).await;
    assert_eq!(statuses(&invoices), ["FINALIZED", "FINALIZED", "FINALIZED", "DRAFT", "DRAFT", "DRAFT"]);
    let path = format!("/v1/customers/{CUSTOMER}/invoices?status=DRAFT&sort=date_desc&limit=1");
    let page = simulator.read(&path).await.expect(200).json();
    assert_eq!(page["data"][0]["id"], invoices[5]["id"]);
    assert!(page["next_page"].is_string());
}

#[tokio::test]
async fn a_final_invoice_stays_as_it_was_whatever_is_edited() {
    let simulator = Simulator::start().await;
    simulator.settings(json!({"metronome_finality": "due"})).await;
    let contract = simulator.create(json!({"commits": [prepaid()], "subscriptions": [seats()]})).await;
    let before = simulator.invoices(&contract).await;
    assert_eq!(statuses(&before), ["FINALIZED"; 4]);
    let told = simulator.get(&contract).await;
    let (commit, item) =
        (&told["commits"][0]["id"], &told["commits"][0]["invoice_schedule"]["schedule_items"][0]);
    assert!(before.iter().any(|invoice| invoice["id"] == item["invoice_id"]));
    let end =
        json!({"subscription_id": told["subscriptions"][0]["id"], "ending_before": "2026-02-01T00:00:00Z"});
    let change = json!({"commit_id": commit, "invoice_schedule":
        {"update_schedule_items": [{"id": item["id"], "amount": 5}]}});
    simulator.edit(&contract, json!({"update_subscriptions": [end]})).await.expect(200);
    assert!(
        simulator
            .edit(&contract, json!({"update_commits": [change]}))
            .await
            .refusal(400)
            .contains("finalized")
    );
    simulator.edit(&contract, json!({"archive_commits": [{"id": commit}]})).await.expect(400);
    assert_eq!(simulator.invoices(&contract).await, before);
}

#[tokio::test]
async fn a_voided_invoice_that_is_regenerated_follows_the_contract() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"commits": [prepaid()]})).await;
    mark(&simulator, &contract, "finalized", Value::Null).await;
    let id = simulator.invoices(&contract).await[0]["id"].clone();
    simulator.post("/v1/invoices/regenerate", json!({"id": id})).await.expect(400);
    simulator.post("/v1/invoices/void", json!({"id": id})).await.expect(200);
    assert_eq!(statuses(&simulator.invoices(&contract).await), ["VOID"]);
    let new = simulator.post("/v1/invoices/regenerate", json!({"id": id})).await.data()["id"].clone();
    assert_ne!(new, id);
    let told = simulator.get(&contract).await["commits"][0].clone();
    let row = &told["invoice_schedule"]["schedule_items"][0]["id"];
    let change = json!({"commit_id": told["id"], "invoice_schedule":
        {"update_schedule_items": [{"id": row, "amount": 5}]}});
    simulator.edit(&contract, json!({"update_commits": [change]})).await.expect(200);
    let invoices = simulator.invoices(&contract).await;
    let of = |id: &Value| invoices.iter().find(|invoice| invoice["id"] == *id).unwrap();
    assert_eq!((&of(&id)["status"], &of(&id)["total"]), (&json!("VOID"), &json!(100)));
    assert_eq!((&of(&new)["status"], &of(&new)["total"]), (&json!("DRAFT"), &json!(5)));
    let path = format!("/v1/customers/{CUSTOMER}/invoices/{}", new.as_str().unwrap());
    assert_eq!(simulator.read(&path).await.data(), *of(&new));
}

#[tokio::test]
async fn invoices_of_one_date_are_one_where_they_are_grouped() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"commits": [prepaid(), prepaid()]})).await;
    assert_eq!(simulator.invoices(&contract).await.len(), 2);
    simulator.settings(json!({"metronome_invoice_grouping": "by_date"})).await;
    let [invoice] = &simulator.invoices(&contract).await[..] else { panic!("one invoice") };
    assert_eq!((&invoice["total"], invoice["line_items"].as_array().unwrap().len()), (&json!(200), 2));
}

#[tokio::test]
async fn drafts_go_with_the_contract_and_a_minted_commit_with_a_final_invoice_can_not_be_archived() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"recurring_commits": [monthly()], "ending_before": Y2027})).await;
    let commits = simulator.get(&contract).await["commits"].clone();
    let row = &commits[0]["invoice_schedule"]["schedule_items"][0]["id"];
    mark(&simulator, &contract, "finalized", json!([row])).await;
    simulator.edit(&contract, json!({"archive_commits": [{"id": commits[0]["id"]}]})).await.expect(400);
    simulator.edit(&contract, json!({"archive_commits": [{"id": commits[1]["id"]}]})).await.expect(200);
    assert_eq!(statuses(&simulator.invoices(&contract).await), ["FINALIZED", "DRAFT"]);
    let body = json!({"customer_id": CUSTOMER, "contract_id": contract, "void_invoices": true});
    simulator.post("/v1/contracts/archive", body).await.expect(200);
    assert_eq!(statuses(&simulator.invoices(&contract).await), ["VOID"]);
}
