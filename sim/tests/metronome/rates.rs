//! Rates, balances and quantities: what a contract costs, what is left, how many there are.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, Simulator, Y2026, Y2027, prepaid};

async fn with_rates() -> Simulator {
    let simulator = Simulator::start().await;
    let rates = json!([
        {"product_id": "seats", "rate_type": "SUBSCRIPTION", "price": 1000, "is_prorated": true,
         "billing_frequency": "MONTHLY", "starting_at": Y2026},
        {"product_id": "calls", "product_tags": ["api"], "rate_type": "FLAT", "price": 0.30, "starting_at": Y2026},
    ]);
    simulator.control(Method::PUT, "/metronome/rate-cards/card", json!({"name": "Card"})).await;
    simulator.control(Method::PUT, "/metronome/rate-cards/card/rates", rates).await;
    simulator
}

fn asking(contract: &str, mut more: Value) -> Value {
    more["customer_id"] = CUSTOMER.into();
    more["contract_id"] = contract.into();
    more
}

#[tokio::test]
async fn the_rate_schedule_tells_the_rate_that_overrides_make() {
    let simulator = with_rates().await;
    let overrides = json!([
        {"starting_at": Y2026, "ending_before": Y2027, "applicable_product_tags": ["api"], "multiplier": 0.5},
        {"starting_at": Y2026, "product_id": "calls", "multiplier": 0.9},
        {"starting_at": Y2027, "product_id": "calls", "type": "OVERWRITE",
         "overwrite_rate": {"rate_type": "FLAT", "price": 7}},
    ]);
    let contract = simulator.create(json!({"rate_card_id": "card", "overrides": overrides})).await;
    let schedule = async |more: Value| -> Vec<Value> {
        let path = "/v1/contracts/getContractRateSchedule";
        simulator.post(path, asking(&contract, more)).await.data().as_array().unwrap().clone()
    };
    let rows = schedule(json!({})).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].get("override_rate"), None);
    assert_eq!(
        (&rows[1]["list_rate"]["price"], &rows[1]["override_rate"]["price"]),
        (&json!(0.30), &json!(0.15))
    );
    assert_eq!(rows[1]["ending_before"], "2027-01-01T00:00:00+00:00");
    let later = schedule(json!({"at": Y2027, "selectors": [{"product_id": "calls"}]})).await;
    let [row] = &later[..] else { panic!("one row") };
    assert_eq!(row["override_rate"]["price"], 7);
}

#[tokio::test]
async fn a_subscription_costs_what_its_rate_says_and_its_quantities_are_told() {
    let simulator = with_rates().await;
    let seats = json!({"collection_schedule": "ADVANCE", "starting_at": Y2026, "initial_quantity": 3,
        "proration": {}, "subscription_rate": {"product_id": "seats", "billing_frequency": "MONTHLY"}});
    let contract = simulator.create(json!({"rate_card_id": "card", "subscriptions": [seats]})).await;
    let id = simulator.get(&contract).await["subscriptions"][0]["id"].clone();
    let update = json!({"subscription_id": id, "quantity_updates": [
        {"starting_at": "2026-02-15T00:00:00Z", "quantity": 5}]});
    simulator.edit(&contract, json!({"update_subscriptions": [update]})).await.expect(200);
    let totals: Vec<_> = simulator.invoices(&contract).await.iter().map(|it| it["total"].clone()).collect();
    assert_eq!(totals, [3000, 3000, 5000]);
    let path = "/v1/contracts/getSubscriptionQuantityHistory";
    let data = simulator.post(path, asking(&contract, json!({"subscription_id": id}))).await.data();
    let history = data["history"].as_array().unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!(history[1]["data"][0], json!({"quantity": 5, "total": 5000, "unit_price": 1000}));
    let unknown = asking(&contract, json!({"subscription_id": "nothing"}));
    simulator.post(path, unknown).await.expect(404);
}

#[tokio::test]
async fn the_net_balance_is_what_all_balances_of_a_unit_have_left_now() {
    let simulator = Simulator::start().await;
    let mut credit = prepaid();
    credit.as_object_mut().unwrap().retain(|name, _| name == "product_id" || name == "access_schedule");
    let mut euros = prepaid();
    euros["access_schedule"]["credit_type_id"] = "EUR".into();
    simulator.create(json!({"commits": [prepaid(), euros], "credits": [credit]})).await;
    simulator.create(json!({"commits": [prepaid()]})).await;
    let net = async |mut more: Value| -> Value {
        more["customer_id"] = CUSTOMER.into();
        simulator.post("/v1/contracts/customerBalances/getNetBalance", more).await.data()["balance"].take()
    };
    assert_eq!(net(json!({})).await, 300);
    assert_eq!(net(json!({"credit_type_id": "EUR"})).await, 100);
    assert_eq!(net(json!({"filters": [{"balance_types": ["CREDIT"]}]})).await, 100);
    assert_eq!(net(json!({"access_type": "QUANTITY"})).await, 0);
}
