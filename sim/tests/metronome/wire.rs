//! Bodies: exact digits, malformed JSON, unknown fields and what the journal says of them.

use serde_json::json;

use crate::support::{CUSTOMER, Simulator, Y2026, Y2027, of_customer, prepaid};

#[tokio::test]
async fn every_digit_of_an_amount_comes_back() {
    let simulator = Simulator::start().await;
    for amount in ["79228162514264337593543950335", "0.0000000000000000000000000001", "1.10", "0", "-0.0"] {
        let body = format!(
            r#"{{"customer_id":"{CUSTOMER}","starting_at":"{Y2026}","scheduled_charges":[{{"product_id":"p",
               "schedule":{{"schedule_items":[{{"timestamp":"{Y2026}","amount":{amount}}}]}}}}]}}"#
        );
        let created = simulator.post_text("/v1/contracts/create", &body).await.unwrap().expect(200);
        for field in ["amount", "unit_price"] {
            let exact = format!(r#""{field}":{amount},"#);
            assert!(
                created.text.contains(&exact) || created.text.contains(&exact.replace(',', "}")),
                "{amount}"
            );
        }
    }
}

#[tokio::test]
async fn a_price_times_a_quantity_is_exact() {
    let simulator = Simulator::start().await;
    let body = format!(
        r#"{{"customer_id":"{CUSTOMER}","starting_at":"{Y2026}","scheduled_charges":[{{"product_id":"p","schedule":
           {{"schedule_items":[{{"timestamp":"{Y2026}","unit_price":0.1,"quantity":12345678901234567890}}]}}}}]}}"#
    );
    let created = simulator.post_text("/v1/contracts/create", &body).await.unwrap().expect(200);
    assert!(created.text.contains(r#""amount":1234567890123456789,"#), "{}", created.text);
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let simulator = Simulator::start().await;
    let deep = format!(r#"{{"commits":{}{}}}"#, "[".repeat(1000), "]".repeat(1000));
    for body in ["{", "[]", "1", "{} {}", "{\"customer_id\": tru}", &deep] {
        simulator.post_text("/v1/contracts/create", body).await.unwrap().expect(400);
    }
}

#[tokio::test]
async fn the_journal_names_every_field_that_the_call_does_not_take() {
    let simulator = Simulator::start().await;
    let mut commit = prepaid();
    commit["access_schedule"]["schedule_items"][0]["ammount"] = 5.into();
    let created = simulator.create(json!({"commits": [commit], "unique_key": "k"})).await;
    assert!(!simulator.get(&created).await.to_string().contains("ammount"));
    simulator.edit(&created, json!({"update_name": "x"})).await.expect(400);
    simulator.post("/v1/packages/list?page=2", json!({})).await.expect(200);

    let unknown: Vec<_> =
        simulator.journal().await.into_iter().map(|it| it["unknown_fields"].clone()).collect();
    let expected = [
        json!(["commits[0].access_schedule.schedule_items[0].ammount", "unique_key"]),
        json!([]),
        json!(["update_name"]),
        json!(["?page"]),
    ];
    assert_eq!(unknown, expected);
}

#[tokio::test]
async fn every_thing_wrong_is_told_with_its_path() {
    let simulator = Simulator::start().await;
    let mut commit = prepaid();
    commit["type"] = "GIFT".into();
    commit["invoice_schedule"]["schedule_items"][0]["timestamp"] = "2026-01-01T00:00:01Z".into();
    let terms =
        of_customer(json!({"commits": [commit], "name": null, "ending_before": Y2027, "priority": 1}));
    let refusal = simulator.post("/v1/contracts/create", terms).await.refusal(400);
    for wrong in [
        "commits[0].type: `GIFT` must be one of PREPAID, POSTPAID",
        "commits[0].invoice_schedule.schedule_items[0].timestamp: 2026-01-01T00:00:01Z must be on an hour boundary",
        "name: must not be null",
    ] {
        assert!(refusal.contains(wrong), "{wrong}: {refusal}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_in_metronomes_words() {
    let simulator = Simulator::start().await;
    assert_eq!(simulator.post("/v1/contracts/amend", json!({})).await.refusal(404), "Not Found");
    assert_eq!(simulator.post("/v1/services", json!({})).await.refusal(405), "Method Not Allowed");
}

#[tokio::test]
async fn texts_tags_and_rates_are_told_as_sent_or_as_the_settings_say() {
    let simulator = Simulator::start().await;
    let mut commit = prepaid();
    commit["name"] = "Top-up ".into();
    commit["applicable_product_tags"] = json!(["Gold"]);
    let rate = json!({"starting_at": Y2026, "applicable_product_tags": ["Gold"], "type": "OVERWRITE",
        "overwrite_rate": {"rate_type": "FLAT", "price": 5}});
    let terms = json!({"name": " Acme ", "commits": [commit], "overrides": [rate]});
    let contract = simulator.create(terms).await;
    let told = async || {
        let contract = simulator.get(&contract).await;
        let (commit, r#override) = (&contract["commits"][0], &contract["overrides"][0]);
        json!([
            contract["name"],
            commit["name"],
            commit["applicable_product_tags"],
            r#override["applicable_product_tags"],
            r#override["overwrite_rate"].get("is_prorated")
        ])
    };
    assert_eq!(told().await, json!([" Acme ", "Top-up ", ["Gold"], ["Gold"], null]));
    simulator
        .settings(json!({"metronome_texts": "trimmed", "metronome_tags": "lower_case",
            "metronome_override_rates": "filled"}))
        .await;
    assert_eq!(told().await, json!(["Acme", "Top-up", ["gold"], ["gold"], false]));
    let edited = simulator.edit(&contract, json!({"add_commits": [commit]})).await.data();
    assert_eq!(edited["edit"]["add_commits"][0]["name"], "Top-up");
}

#[tokio::test]
async fn other_words_for_the_same_mean_the_same() {
    let simulator = Simulator::start().await;
    let contract = simulator.create(json!({"name": "A", "commits": [prepaid(), prepaid()]})).await;
    let plain = simulator.get(&contract).await;
    simulator.settings(json!({"metronome_view": "retold"})).await;
    let retold = simulator.get(&contract).await;
    assert_eq!(retold["commits"][0]["id"], plain["commits"][1]["id"]);
    assert_eq!(retold["commits"][0]["type"], "prepaid");
    assert_eq!(retold["starting_at"], "2026-01-01T00:00:00Z");
    assert_eq!(retold["commits"][0]["priority"].to_string(), "100.0");
    assert!(retold["commits"][0].as_object().unwrap().contains_key("description"));
}
