//! What is written, to whom, and how often.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    sim::Calls,
    terms::{ORG, PRICE, acme, contract, organization, with, without},
    world::message,
};

#[tokio::test]
async fn a_new_contract_costs_one_get_one_put_one_status_write_and_one_event() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    world.stop_operator().await;

    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 1, puts: 1 });
    assert_eq!(world.versions("acme").await.len(), 2, "as created, and with its status");
    let events = world.events("acme").await;
    assert_eq!(events.len(), 1, "{events:?}");
    // Its terms are sound, and deserve a question.
    assert_eq!((events[0].type_.as_str(), events[0].reason.as_str()), ("Warning", "Applied"));
    assert!(events[0].text.contains("committed: 120000 USD"), "{events:?}");

    let billed = world.sim.contract(ORG).await;
    let status = &contract["status"];
    assert_eq!(status["contractId"], billed["contract_id"]);
    assert_eq!(status["accountId"], billed["account_id"]);
    assert_eq!(status["customerId"], ORG);
    assert_eq!(status["state"], "active");
    assert_eq!(status["term"], json!({"startDate": "2026-01-01", "endDate": "2036-01-01"}));
    assert_eq!(status["committedValue"], json!([{"amount": "120000", "currency": "USD"}]));
    assert!(contract["metadata"]["finalizers"].is_null(), "nothing can be stuck");
}

#[tokio::test]
async fn an_unchanged_contract_is_read_and_not_written_again() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let before = world.get("acme").await;
    world.second_look(1).await;

    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 2, puts: 1 });
    assert_eq!(world.get("acme").await, before);
    assert_eq!(world.events("acme").await.len(), 1);
}

#[tokio::test]
async fn a_price_change_is_one_write_with_the_digits_of_the_spec() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.apply(&with(acme(), PRICE, json!("0.4950"))).await;
    world.until_ready("acme").await;
    world.stop_operator().await;

    let written = world.sim.written(ORG).await;
    assert_eq!(written.len(), 2);
    assert!(written[0].contains(r#""unit_price":0.50}"#), "{}", written[0]);
    assert!(written[0].contains(r#""fixed_fee_amount":250000.00,"#), "{}", written[0]);
    assert!(written[1].contains(r#""unit_price":0.4950}"#), "{}", written[1]);
    let events = world.events("acme").await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[1].text.contains("unitPrice: 0.5 -> 0.495"), "{events:?}");
}

#[tokio::test]
async fn money_of_28_digits_arrives_digit_by_digit_and_is_not_written_twice() {
    let mut world = World::start().await;
    let digits = "1.234567890123456789012345678";
    world.apply(&with(acme(), PRICE, json!(digits))).await;
    world.until_ready("acme").await;
    world.second_look(1).await;
    let written = world.sim.written(ORG).await;
    assert_eq!(written.len(), 1);
    assert!(written[0].contains(&format!(r#""unit_price":{digits}}}"#)), "{}", written[0]);
}

#[tokio::test]
async fn drift_is_corrected() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.change(ORG, |body| body["name"] = json!("Typed by hand")).await;
    let contract = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&contract, "Ready"), Some("True"));
    assert_eq!(world.sim.contract(ORG).await["name"], "Acme 2026 enterprise");
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn drift_is_only_reported_when_the_policy_says_so() {
    let world = World::start().await;
    let reporting = with(acme(), "/spec/driftPolicy", json!("Report"));
    world.apply(&reporting).await;
    world.until_ready("acme").await;
    world.sim.change(ORG, |body| body["name"] = json!("Typed by hand")).await;
    let contract = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&contract, "Ready"), Some("True"));
    assert_eq!(kstatus::status_of(&contract, "Drifted"), Some("True"));
    assert_eq!(
        contract["status"]["drift"],
        json!(["/name: billing says Typed by hand, Git says Acme 2026 enterprise"])
    );
    assert_eq!(world.sim.calls(ORG).await.puts, 1);

    // A change of the spec is no drift: it is carried out.
    world.apply(&with(reporting, PRICE, json!("0.49"))).await;
    let contract = world.until("acme", |contract| contract["status"]["drift"].is_null()).await;
    assert_eq!(kstatus::status_of(&contract, "Drifted"), Some("False"));
    assert_eq!(world.sim.contract(ORG).await["name"], "Acme 2026 enterprise");
}

#[tokio::test]
async fn ignored_places_are_left_as_the_billing_api_has_them() {
    let world = World::start().await;
    let ignoring = with(acme(), "/spec/ignoreDrift", json!(["/items/fde/fixedFeeAmount"]));
    world.apply(&ignoring).await;
    world.until_ready("acme").await;
    world.sim.change(ORG, |body| body["items"][1]["fixed_fee_amount"] = json!(7)).await;
    world.reconcile("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);

    world.apply(&with(ignoring, PRICE, json!("0.49"))).await;
    world.until_ready("acme").await;
    let written = world.sim.written(ORG).await;
    assert_eq!(written.len(), 2);
    assert!(written[1].contains(r#""fixed_fee_amount":7,"#), "{}", written[1]);
}

#[tokio::test]
async fn a_closed_period_is_not_reopened_and_what_the_spec_leaves_out_survives_a_change() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let close = |body: &mut Value| {
        body["notes"] = json!("theirs");
        body["external_customer_id"] = json!("cus_1");
        body["periods"][0]["status"] = json!("closed");
        body["periods"][0]["rollover_out_amount"] = json!(7.5);
    };
    world.sim.change(ORG, close).await;
    world.reconcile("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1, "what the spec leaves out is no drift");

    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.until_ready("acme").await;
    let billed = world.sim.contract(ORG).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
    assert_eq!((&billed["notes"], &billed["external_customer_id"]), (&json!("theirs"), &json!("cus_1")));
    assert_eq!(billed["periods"][0]["status"], "closed");
    assert_eq!(billed["periods"][0]["rollover_out_amount"], 7.5);

    // What a closed period says is read-only.
    world.apply(&with(acme(), "/spec/zoo/periods/0/commitmentAmount", json!("1"))).await;
    let why = world.until_stalled("acme", "PeriodClosed").await;
    assert!(why.contains("/periods/0/commitmentAmount: 120000 -> 1"), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn an_active_contract_is_not_replaced_by_a_draft() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.apply(&with(acme(), "/spec/zoo/status", json!("draft"))).await;
    let why = world.until_stalled("acme", "ActiveNotReplaced").await;
    assert!(why.contains("would take it out of force"), "{why}");
    assert_eq!(world.sim.contract(ORG).await["status"], "active");
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn contracts_in_states_that_cannot_be_read_are_written_once() {
    let mut world = World::start().await;
    let states = ["scheduled", "closed", "canceled"];
    for (n, state) in states.into_iter().enumerate() {
        world.sim.register(&organization(n)).await;
        world.apply(&with(contract(state, &organization(n)), "/spec/zoo/status", json!(state))).await;
        let contract = world.until_ready(state).await;
        assert_eq!(contract["status"]["state"], state);
        assert!(message(&contract).contains("does not show"), "{}", message(&contract));
    }
    world.second_look(3).await;
    for (n, state) in states.into_iter().enumerate() {
        assert_eq!(world.sim.calls(&organization(n)).await, Calls { gets: 2, puts: 1 }, "{state}");
        assert_eq!(world.versions(state).await.len(), 2, "{state}: as created, and with its status");
        assert_eq!(world.events(state).await.len(), 1, "{state}");
    }
}

#[tokio::test]
async fn the_same_contract_in_other_words_is_no_drift() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let before = world.get("acme").await;
    world.sim.set(json!({"zoo_view": "retold"})).await;
    world.second_look(1).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    assert_eq!(world.get("acme").await, before);
}

#[tokio::test]
async fn an_api_that_gives_a_replaced_contract_a_new_id_is_followed() {
    let mut world = World::start().await;
    world.sim.set(json!({"zoo_replace": "new_id"})).await;
    world.apply(&acme()).await;
    let first = world.until_ready("acme").await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    let second = world.until_ready("acme").await;
    assert_ne!(first["status"]["contractId"], second["status"]["contractId"]);
    assert_eq!(second["status"]["contractId"], world.sim.contract(ORG).await["contract_id"]);
    world.second_look(1).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn what_leaves_the_spec_is_taken_out_of_billing_or_refused_by_name() {
    let world = World::start().await;
    let spec = with(acme(), "/spec/zoo/notes", json!("ours"));
    let spec = with(spec, "/spec/zoo/discountDescription", json!("10 %"));
    let spec = with(spec, "/spec/zoo/periods/0/rolloverInAmount", json!("500"));
    world.apply(&spec).await;
    let contract = world.until_ready("acme").await;
    assert!(contract["status"]["setFields"].to_string().contains("rolloverInAmount=500"), "{contract:#}");

    let spec = without(spec, "/spec/zoo/notes");
    world.apply(&spec).await;
    world.until_ready("acme").await;
    let billed = world.sim.contract(ORG).await;
    assert_eq!(billed.get("notes").unwrap_or(&Value::Null), &Value::Null);
    assert_eq!(billed["discount_description"], "10 %");
    assert_eq!(world.sim.calls(ORG).await.puts, 2);

    // What somebody writes there from now on is theirs, and survives our changes.
    world.sim.change(ORG, |terms| terms["notes"] = json!("theirs")).await;
    let spec = with(spec, "/spec/zoo/name", json!("Acme renamed"));
    world.apply(&spec).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.contract(ORG).await["notes"], "theirs");

    world.apply(&without(spec.clone(), "/spec/zoo/periods/0/rolloverInAmount")).await;
    let why = world.until_stalled("acme", "ImmutableField").await;
    assert!(why.contains("/periods/0/rolloverInAmount: - 500"), "{why}");
    assert!(why.contains("`spec.ignoreDrift`"), "{why}");
    world.apply(&spec).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 3);
}
