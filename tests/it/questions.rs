//! What is valid and deserves a question is asked where it is done: in the event of what is written, or waits.

use serde_json::{Value, json};

use crate::support::{
    World,
    terms::{PRICE, acme, with},
    world::Note,
};

const FEE: &str = "/spec/zoo/items/1/fixedFeeAmount";

/// The event of a contract that says something.
async fn said(world: &World, text: &str) -> Note {
    world.until_event("acme", text).await;
    world.events("acme").await.into_iter().find(|event| event.text.contains(text)).unwrap()
}

/// A contract of one year, about which there is nothing to ask.
fn sound() -> Value {
    let year = with(acme(), "/spec/zoo/termEndAt", json!("2027-01-01T00:00:00Z"));
    with(year, "/spec/zoo/periods/0/periodEndAt", json!("2027-01-01T00:00:00Z"))
}

#[tokio::test]
async fn what_is_written_and_deserves_a_question_is_asked_in_its_event() {
    let world = World::start().await;
    // One period for each of its years, or nothing to ask.
    let sound = sound();
    world.apply(&sound).await;
    world.until_ready("acme").await;
    let plain = said(&world, "new contract").await;
    assert_eq!(plain.type_, "Normal", "{plain:?}");
    let dear = with(sound, FEE, json!("2500000.00"));
    world.apply(&dear).await;
    world.until_ready("acme").await;
    let asked = said(&world, "is ten times what it was").await;
    assert_eq!((asked.type_.as_str(), asked.reason.as_str()), ("Warning", "Applied"));
    assert!(asked.text.starts_with("To be looked at: `/items/fde/fixedFeeAmount`"), "{}", asked.text);
    assert!(asked.text.contains("250000 -> 2500000 USD"), "what was done is told beside it: {}", asked.text);
    let free = with(dear, PRICE, json!("0"));
    world.apply(&free).await;
    world.until_ready("acme").await;
    said(&world, "is 0, and was 0.5: is that meant?").await;
    assert_eq!(world.events("acme").await.len(), 3, "one event a change");
    let log = world.log();
    assert!(log.contains("to be looked at") && !log.contains("2500000"), "logs have the places alone: {log}");
}

#[tokio::test]
async fn what_waits_for_approval_is_asked_about_before_it_is_written() {
    let world = World::start().await;
    let mut odd = with(sound(), "/spec/managementPolicy", json!("Plan"));
    odd["spec"]["zoo"]["periods"] = Value::Array(Vec::new());
    world.apply(&odd).await;
    world.until_waiting("acme", "AwaitingApproval").await;
    let asked = said(&world, "`spec.zoo.periods`").await;
    assert_eq!((asked.type_.as_str(), asked.reason.as_str()), ("Warning", "AwaitingApproval"), "{asked:?}");
}
