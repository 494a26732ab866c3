//! Zoo's endpoint: answers, refusals, and which contract is meant.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{CONTRACT, ORG, Simulator, TOKEN, contract_path, contract_with, send};

const CHOSEN: &str = "11111111-2222-4333-8444-555555555555";

#[tokio::test]
async fn every_digit_of_an_amount_comes_back() {
    let simulator = Simulator::start().await;
    let put = simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
    let get = simulator.get(ORG).await.unwrap().expect(200);
    assert_eq!(put.text, get.text);
    let amounts = [
        r#""unit_price":0.50}"#,
        r#""unit_price":0.4200000000000000001}"#,
        r#""fixed_fee_amount":1.50e4}"#,
        r#""commitment_amount":9007199254740993.01,"#,
        r#""rollover_in_amount":10.00,"#,
    ];
    for amount in amounts {
        assert!(get.text.contains(amount), "{amount} in {}", get.text);
    }
}

#[tokio::test]
async fn what_the_request_left_out_is_filled_in() {
    let simulator = Simulator::start().await;
    let view = simulator.put(ORG, CONTRACT).await.unwrap().expect(200).json();
    assert_eq!(view["notes"], Value::Null);
    assert_eq!(view["discount_description"], Value::Null);
    assert_eq!(view["external_customer_id"], "cus_123");
    let item = &view["items"][0];
    assert_eq!((&item["active"], &item["is_commitment_eligible"]), (&json!(true), &json!(false)));
    assert_eq!(view["items"][1]["rate_tiers"], json!([]));
    assert_eq!(item["rate_tiers"][1]["tier_end_exclusive"], Value::Null);
    let period = &view["periods"][0];
    assert_eq!(period["status"], "open");
    assert_eq!((&period["rollover_in_amount"], &period["rollover_out_amount"]), (&json!(0), &json!(0)));
    assert_ne!(view["account_id"], ORG);
    for id in
        [&view["contract_id"], &view["account_id"], &item["id"], &item["rate_tiers"][0]["id"], &period["id"]]
    {
        assert_eq!(id.as_str().unwrap().len(), 36);
    }
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let simulator = Simulator::start().await;
    let refused = simulator.get(ORG).await.unwrap().expect(404);
    let answered = simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
    for answer in [&refused, &answered] {
        assert!(answer.headers.contains_key("x-api-call-id"));
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    }
    assert_eq!(refused.json()["request_id"], refused.headers["x-request-id"].to_str().unwrap());
    assert_eq!(
        simulator.journal("").await[1]["request_id"],
        answered.headers["x-request-id"].to_str().unwrap()
    );
}

#[tokio::test]
async fn a_caller_must_be_a_known_admin() {
    let simulator = Simulator::start().await;
    for (token, role) in [("m", "member"), ("a", "admin")] {
        let registration = json!({"token": token, "role": role}).to_string();
        simulator.control(Method::POST, "/tokens", &registration).await.expect(204);
    }
    let get = async |token: Option<&str>| {
        let request = simulator.request(Method::GET, &contract_path(ORG));
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        send(request).await.unwrap().status.as_u16()
    };
    assert_eq!(get(None).await, 401);
    assert_eq!(get(Some("x")).await, 401);
    assert_eq!(get(Some("m")).await, 403);
    assert_eq!(get(Some("a")).await, 404);
    simulator.control(Method::DELETE, "/tokens/a", "").await.expect(204);
    assert_eq!(get(Some("a")).await, 401);
    simulator.control(Method::DELETE, "/tokens/a", "").await.expect(404);
}

#[tokio::test]
async fn a_wrong_path_or_method_is_refused() {
    let simulator = Simulator::start().await;
    let bad = simulator.get("acme").await.unwrap().expect(400);
    assert!(bad.message().starts_with("bad parameter in URL path"), "{}", bad.text);
    let unknown = simulator.put("00000000-0000-4000-8000-000000000000", CONTRACT).await.unwrap().expect(404);
    assert!(unknown.message().contains("not found"), "{}", unknown.text);

    let delete = send(simulator.request(Method::DELETE, &contract_path(ORG))).await.unwrap().expect(405);
    let allowed = delete.headers[header::ALLOW].to_str().unwrap();
    assert!(allowed.contains("GET") && allowed.contains("PUT"), "{allowed}");
    assert_eq!(delete.message(), "Method Not Allowed");
    send(simulator.request(Method::OPTIONS, &contract_path(ORG))).await.unwrap().expect(204);
    assert_eq!(
        send(simulator.request(Method::GET, "/orgs")).await.unwrap().expect(404).message(),
        "Not Found"
    );
}

#[tokio::test]
async fn an_ill_typed_body_is_refused_with_its_path_and_stores_nothing() {
    let simulator = Simulator::start().await;
    let wrong = [
        ("{".to_owned(), "EOF while parsing"),
        (String::new(), "EOF while parsing"),
        (contract_with("name", "7"), "name: invalid type: integer `7`, expected a string"),
        (contract_with("name", "null"), "name: invalid type: null"),
        (contract_with("status", "\"cancelled\""), "status: unknown variant `cancelled`"),
        (contract_with("effective_at", "\"yesterday\""), "effective_at: "),
        (CONTRACT.replace("\"currency\": \"USD\",", ""), "missing field `currency`"),
        (CONTRACT.replace("\"active\": false", "\"active\": null"), "items[1].active: invalid type: null"),
        (
            CONTRACT.replace("0.50", "\"0.50\""),
            "items[0].rate_tiers[0].unit_price: invalid type: string \"0.50\"",
        ),
        (CONTRACT.replace("0.50", "null"), "items[0].rate_tiers[0].unit_price: invalid type: null"),
        (
            CONTRACT.replace("100000,", "1.5,"),
            "items[0].rate_tiers[0].tier_end_exclusive: invalid type: floating",
        ),
        (CONTRACT.replace("_index\": 1", "_index\": 4294967296"), "periods[1].period_index: invalid value"),
    ];
    for (body, expected) in wrong {
        let answer = simulator.put(ORG, &body).await.unwrap().expect(400);
        assert!(answer.message().starts_with("unable to parse JSON body: "), "{}", answer.text);
        assert!(answer.message().contains(expected), "{expected} in {}", answer.text);
    }
    let put = simulator.request(Method::PUT, &contract_path(ORG)).bearer_auth(TOKEN).body(CONTRACT);
    let typed = send(put.header(header::CONTENT_TYPE, "text/yaml")).await.unwrap().expect(400);
    assert!(typed.message().contains("application/json"), "{}", typed.text);
    simulator.get(ORG).await.unwrap().expect(404);
    assert_eq!(simulator.contracts().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_refused_with_its_path() {
    let simulator = Simulator::start().await;
    let wrong = [
        (contract_with("currency", "\"usd\""), "currency"),
        (contract_with("term_end_at", "\"2026-01-01T00:00:00Z\""), "term_end_at"),
        (
            CONTRACT.replace("_inclusive\": 0", "_inclusive\": -1"),
            "items[0].rate_tiers[0].tier_start_inclusive",
        ),
        (CONTRACT.replace("1.50e4", "-1.50e4"), "items[1].fixed_fee_amount"),
        (CONTRACT.replace("_index\": 1", "_index\": -1"), "periods[1].period_index"),
        (CONTRACT.replace("9007199254740993.01", "-0.01"), "periods[0].commitment_amount"),
    ];
    for (body, path) in wrong {
        let answer = simulator.put(ORG, &body).await.unwrap().expect(422);
        assert!(answer.message().starts_with(&format!("{path}: ")), "{path} in {}", answer.text);
    }
}

#[tokio::test]
async fn unknown_fields_are_dropped_in_silence() {
    let simulator = Simulator::start().await;
    let body = CONTRACT.replacen('{', "{\"disount_description\": \"10 % off\",", 1);
    let answer = simulator.put(ORG, &body).await.unwrap().expect(200);
    assert!(!answer.text.contains("disount"));
    assert_eq!(answer.json()["discount_description"], Value::Null);
}

#[tokio::test]
async fn a_replace_keeps_the_contract_and_renews_its_rows() {
    let simulator = Simulator::start().await;
    let first = simulator.put(ORG, CONTRACT).await.unwrap().expect(200).json();
    let second = simulator.put(ORG, &contract_with("name", "\"Renamed\"")).await.unwrap().expect(200).json();
    assert_eq!(
        (&first["contract_id"], &first["account_id"]),
        (&second["contract_id"], &second["account_id"])
    );
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    assert_eq!(second["name"], "Renamed");
    let contracts = simulator.contracts().await;
    assert_eq!((contracts.len(), &contracts[0]["writes"]), (1, &json!(2)));
}

#[tokio::test]
async fn a_replace_gives_a_new_id_when_so_set() {
    let simulator = Simulator::start().await;
    simulator.control(Method::PUT, "/settings", r#"{"zoo_replace":"new_id"}"#).await.expect(200);
    let first = simulator.put(ORG, CONTRACT).await.unwrap().expect(200).json();
    let second = simulator.put(ORG, CONTRACT).await.unwrap().expect(200).json();
    assert_ne!(first["contract_id"], second["contract_id"]);
    assert_eq!(simulator.get(ORG).await.unwrap().expect(200).json(), second);
    assert_eq!(simulator.contracts().await.len(), 1);
}

#[tokio::test]
async fn get_shows_the_active_contract_or_the_latest_draft_and_nothing_else() {
    let simulator = Simulator::start().await;
    for status in ["scheduled", "closed", "canceled"] {
        let body = contract_with("status", &format!("\"{status}\""));
        assert_eq!(simulator.put(ORG, &body).await.unwrap().expect(200).json()["status"], status);
        simulator.get(ORG).await.unwrap().expect(404);
    }
    let path = format!("/zoo/orgs/{ORG}/contracts/{CHOSEN}");
    simulator.control(Method::PUT, &path, &contract_with("status", "\"draft\"")).await.expect(200);
    assert_eq!(simulator.get(ORG).await.unwrap().expect(200).json()["contract_id"], CHOSEN);

    let active =
        simulator.control(Method::PUT, &path.replace("1111", "9999"), CONTRACT).await.expect(200).json();
    simulator.control(Method::PUT, &path, &contract_with("status", "\"draft\"")).await.expect(200);
    assert_eq!(simulator.get(ORG).await.unwrap().expect(200).json(), active);

    let listed =
        simulator.control(Method::GET, &format!("/zoo/orgs/{ORG}/contracts"), "").await.expect(200).json();
    let statuses: Vec<_> =
        listed["contracts"].as_array().unwrap().iter().map(|contract| &contract["status"]).collect();
    assert_eq!(statuses, ["canceled", "active", "draft"]);
}

#[tokio::test]
async fn an_unknown_organization_appears_with_its_first_put_when_so_set() {
    let simulator = Simulator::start().await;
    simulator.control(Method::PUT, "/settings", r#"{"zoo_unknown_orgs":"accept"}"#).await.expect(200);
    simulator.get(CHOSEN).await.unwrap().expect(404);
    let view = simulator.put(CHOSEN, CONTRACT).await.unwrap().expect(200).json();
    assert_eq!(simulator.get(CHOSEN).await.unwrap().expect(200).json(), view);
}

#[tokio::test]
async fn a_contract_can_be_retold_in_other_words() {
    let simulator = Simulator::start().await;
    simulator.control(Method::PUT, "/settings", r#"{"zoo_view":"retold"}"#).await.expect(200);
    let put = simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
    assert_eq!(simulator.get(ORG).await.unwrap().expect(200).text, put.text);
    assert!(put.text.contains("\"unit_price\":0.500}"), "{}", put.text);
    assert!(put.text.contains("\"commitment_amount\":0.0,"), "{}", put.text);
    let view = put.json();
    assert_eq!(view["effective_at"], "2026-01-01T00:00:00+00:00");
    assert_eq!(view["periods"][0]["period_index"], 1);
    assert_eq!(view.get("notes"), None);
}
