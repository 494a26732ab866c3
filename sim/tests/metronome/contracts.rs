//! Contracts: what is kept, for how long, and under which key.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{CUSTOMER, Simulator, Y2026, Y2027, of_customer, prepaid};

#[tokio::test]
async fn contracts_and_their_keys_outlive_the_server() {
    let mut simulator = Simulator::start().await;
    let contract = simulator.create(json!({"uniqueness_key": "k", "commits": [prepaid()]})).await;
    let before = simulator.get(&contract).await;
    simulator.restart().await;
    assert_eq!(simulator.get(&contract).await, before);
    simulator.post("/v1/contracts/create", of_customer(json!({"uniqueness_key": "k"}))).await.expect(409);
}

#[tokio::test]
async fn of_many_creates_with_one_key_one_succeeds() {
    let simulator = Simulator::start().await;
    let terms = of_customer(json!({"uniqueness_key": "k"}));
    let simulator = Arc::new(simulator);
    let mut creates = JoinSet::new();
    for _ in 0..20 {
        let (simulator, terms) = (Arc::clone(&simulator), terms.clone());
        creates.spawn(async move { simulator.post("/v1/contracts/create", terms).await.status });
    }
    let statuses = creates.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 19, "{statuses:?}");
    assert_eq!(simulator.contracts().await.len(), 1);
}

#[tokio::test]
async fn a_refused_contract_leaves_nothing_behind() {
    let simulator = Simulator::start().await;
    let old = simulator.create(json!({})).await;
    let refused = [
        json!({"hierarchy_configuration": {"parent": {"contract_id": old, "customer_id": CUSTOMER}},
               "transition": {"type": "RENEWAL", "from_contract_id": "nothing"}}),
        json!({"transition": {"type": "RENEWAL", "from_contract_id": old}, "custom_fields": {"unknown": "v"}}),
        json!({"overrides": [{"starting_at": Y2026, "multiplier": 1, "override_specifiers": [{"commit_ids": ["x"]}]}]}),
    ];
    for terms in refused {
        let mut terms = of_customer(terms);
        terms["uniqueness_key"] = "k".into();
        simulator.post("/v1/contracts/create", terms).await.expect(400);
    }
    let [only] = &simulator.contracts().await[..] else { panic!("one contract") };
    assert_eq!(only["contract"]["transitions"], json!([]));
    assert_eq!(only["contract"].get("hierarchy_configuration"), None);
    simulator.create(json!({"uniqueness_key": "k"})).await;
}

#[tokio::test]
async fn states_follow_the_clock() {
    let simulator = Simulator::start().await;
    simulator.create(json!({"ending_before": "2026-02-01T00:00:00Z"})).await;
    simulator.create(json!({"starting_at": Y2027})).await;
    let archived = simulator.create(json!({})).await;
    let body = json!({"customer_id": CUSTOMER, "contract_id": archived, "void_invoices": false});
    simulator.post("/v1/contracts/archive", body).await.expect(200);
    let states: Vec<_> = simulator.contracts().await.iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["ended", "upcoming", "archived"]);
    simulator.control(Method::PUT, "/clock", json!({"now": Y2027})).await;
    assert_eq!(simulator.contracts().await[1]["state"], "active");
}

#[tokio::test]
async fn a_recurring_schedule_becomes_dated_items_that_add_up() {
    let simulator = Simulator::start().await;
    let schedule = |how: &str, amount: Value| {
        json!({"product_id": "p", "schedule": {"recurring_schedule": {"amount_distribution": how, "amount": amount,
               "frequency": "MONTHLY", "starting_at": "2026-01-31T00:00:00Z", "ending_before": "2026-04-30T00:00:00Z"}}})
    };
    let charges =
        [schedule("EACH", json!(7)), schedule("DIVIDED", json!(1)), schedule("DIVIDED_ROUNDED", json!(100))];
    let contract = simulator.create(json!({"scheduled_charges": charges})).await;
    let contract = simulator.get(&contract).await;
    let amounts = |charge: usize| -> Vec<String> {
        let items = contract["scheduled_charges"][charge]["schedule"]["schedule_items"].as_array().unwrap();
        items.iter().map(|item| item["amount"].to_string()).collect()
    };
    assert_eq!(amounts(0), ["7", "7", "7"]);
    assert_eq!(amounts(1), ["0.333333333333", "0.333333333333", "0.333333333334"]);
    assert_eq!(amounts(2), ["33", "33", "34"]);
    let times: Vec<_> = contract["scheduled_charges"][0]["schedule"]["schedule_items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["timestamp"].as_str().unwrap()[..10].to_owned())
        .collect();
    assert_eq!(times, ["2026-01-31", "2026-02-28", "2026-03-31"]);
}

/// A charge of 7 a month, from the last day of January on.
fn late_monthly() -> Value {
    json!({"product_id": "p", "schedule": {"recurring_schedule": {"amount_distribution": "EACH", "amount": 7,
        "frequency": "MONTHLY", "starting_at": "2026-01-31T00:00:00Z", "ending_before": "2026-06-01T00:00:00Z"}}})
}

fn dates(contract: &Value) -> Vec<String> {
    let items = contract["scheduled_charges"][0]["schedule"]["schedule_items"].as_array().unwrap();
    items.iter().map(|item| item["timestamp"].as_str().unwrap()[5..10].to_owned()).collect()
}

#[tokio::test]
async fn a_schedule_from_a_months_end_goes_on_as_the_settings_say() {
    let simulator = Simulator::start().await;
    for (ends, expected) in [
        ("from_start", ["01-31", "02-28", "03-31", "04-30", "05-31"]),
        ("carried", ["01-31", "02-28", "03-28", "04-28", "05-28"]),
        ("last_day", ["01-31", "02-28", "03-31", "04-30", "05-31"]),
    ] {
        simulator.settings(json!({"metronome_month_ends": ends})).await;
        let contract = simulator.create(json!({"scheduled_charges": [late_monthly()]})).await;
        assert_eq!(dates(&simulator.get(&contract).await), expected, "{ends}");
    }
}

#[tokio::test]
async fn an_end_drops_the_later_dates_of_a_split_schedule_and_a_test_sees_which() {
    let simulator = Simulator::start().await;
    let terms = json!({"scheduled_charges": [late_monthly()], "commits": [prepaid()]});
    let contract = simulator.create(terms).await;
    let end = json!({"update_contract_end_date": "2026-04-30T00:00:00Z"});
    simulator.edit(&contract, end).await.expect(200);
    assert_eq!(dates(&simulator.get(&contract).await), ["01-31", "02-28", "03-31"]);
    let dropped = simulator.contracts().await[0]["dropped"].clone();
    let of = |list: &str| -> Vec<Value> {
        dropped.as_array().unwrap().iter().filter(|it| it["list"] == list).cloned().collect()
    };
    let times: Vec<_> = of("scheduled_charges").iter().map(|it| it["dropped"]["timestamp"].clone()).collect();
    assert_eq!(times, ["2026-04-30T00:00:00+00:00", "2026-05-31T00:00:00+00:00"]);
    assert_eq!(of("commits")[0]["ended"], "2027-01-01T00:00:00+00:00");
    // A later end brings nothing back.
    simulator.edit(&contract, json!({"update_contract_end_date": null})).await.expect(200);
    assert_eq!(dates(&simulator.get(&contract).await), ["01-31", "02-28", "03-31"]);
}

#[tokio::test]
async fn what_is_added_after_the_end_is_kept_dropped_or_refused_as_the_settings_say() {
    let simulator = Simulator::start().await;
    let end = "2026-04-01T00:00:00Z";
    for (after, status, count) in [("keep", 200, 5), ("drop", 200, 3), ("reject", 400, 0)] {
        simulator.settings(json!({"metronome_after_end": after})).await;
        let terms = json!({"ending_before": end, "scheduled_charges": [late_monthly()]});
        let created = simulator.post("/v1/contracts/create", of_customer(terms)).await.expect(status);
        if status == 200 {
            let id = created.data()["id"].as_str().unwrap().to_owned();
            assert_eq!(dates(&simulator.get(&id).await).len(), count, "{after}");
        }
        let contract = simulator.create(json!({"ending_before": end})).await;
        let added = simulator
            .edit(&contract, json!({"add_scheduled_charges": [late_monthly()]}))
            .await
            .expect(status);
        if status == 200 {
            assert_eq!(dates(&simulator.get(&contract).await).len(), count, "{after}");
        } else {
            assert!(added.refusal(400).contains("scheduled_charges"));
        }
    }
}
