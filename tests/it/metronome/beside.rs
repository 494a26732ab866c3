//! Commits and credits of the customer: made once beside the contract, whatever is lost; changed in place, ended, put back.

use serde_json::{Value, json};

use crate::support::{
    World,
    metronome::{CREATE, CUSTOMER, END, GET, PRODUCT, acme, traffic, writes},
    terms::{with, without},
};

const CREATE_COMMIT: &str = "/v1/contracts/customerCommits/create";
const CREATE_CREDIT: &str = "/v1/contracts/customerCredits/create";
const LIST_COMMITS: &str = "/v1/contracts/customerCommits/list";
const LIST_CREDITS: &str = "/v1/contracts/customerCredits/list";
const EDIT_COMMIT: &str = "/v2/contracts/commits/edit";
const END_COMMIT: &str = "/v1/contracts/customerCommits/updateEndDate";
const END_CREDIT: &str = "/v1/contracts/customerCredits/updateEndDate";

/// A contract with a commit and a credit of its customer beside it.
fn shared() -> Value {
    let year =
        |amount: &str| json!([{"amount": amount, "startingAt": "2026-01-01T00:00:00Z", "endingBefore": END}]);
    let spec = with(
        acme(),
        "/spec/metronome/customerCommits",
        json!([{
            "key": "pool", "productId": PRODUCT, "type": "PREPAID", "priority": "10", "name": "Pool",
            "accessSchedule": {"scheduleItems": year("5000000")},
            "invoiceSchedule": {"scheduleItems": [
                {"timestamp": "2026-01-01T00:00:00Z", "amount": "2500000"},
                {"timestamp": "2035-01-01T00:00:00Z", "amount": "2500000"}]},
        }]),
    );
    let credit = json!([{"key": "gift", "productId": PRODUCT, "priority": "5", "accessSchedule": {"scheduleItems": year("100.50")}}]);
    with(spec, "/spec/metronome/customerCredits", credit)
}

/// What the customer has beside its contract.
async fn beside(world: &World, list: &str) -> Vec<Value> {
    world.sim.only(CUSTOMER).await["beside"][list].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn what_is_beside_a_contract_is_made_once_and_known_by_its_id() {
    let mut world = World::metronome().await;
    world.apply(&shared()).await;
    let contract = world.until_ready("acme").await;
    let id = beside(&world, "commits").await[0]["id"].clone();
    let items = contract["status"]["items"].as_array().unwrap();
    assert!(items.contains(&json!({"key": "customerCommits/pool", "id": id})), "{items:#?}");
    let held = world.sim.only(CUSTOMER).await;
    assert_eq!(held["beside"]["commits"][0]["invoice_contract"]["id"], held["id"]);
    assert_eq!(
        writes(world.sim.traffic(CUSTOMER).await),
        traffic([(CREATE, 1), (CREATE_COMMIT, 1), (CREATE_CREDIT, 1)])
    );
    world.sim.forget_journal().await;
    world.second_look(1).await;
    assert_eq!(
        world.sim.traffic(CUSTOMER).await,
        traffic([(GET, 1), (LIST_COMMITS, 1), (LIST_CREDITS, 1)]),
        "in sync it costs a read of each list, and nothing is written"
    );
}

#[tokio::test]
async fn a_lost_reply_makes_nothing_beside_a_contract_twice() {
    for keys in ["plain", "prefixed"] {
        let world = World::metronome().await;
        world.sim.set(json!({"metronome_contract_keys": keys})).await;
        for path in [CREATE_COMMIT, CREATE_CREDIT] {
            world.sim.fault(json!({"kind": "drop_reply", "path": path, "count": 1})).await;
        }
        world.apply(&shared()).await;
        world.until_ready("acme").await;
        assert_eq!(
            (beside(&world, "commits").await.len(), beside(&world, "credits").await.len()),
            (1, 1),
            "{keys}"
        );
        assert_eq!(world.sim.held(CUSTOMER).await.len(), 1);
    }
}

#[tokio::test]
async fn a_cluster_that_is_rebuilt_finds_what_is_beside_its_contracts_without_a_write() {
    let world = World::metronome().await;
    world.apply(&shared()).await;
    world.until_ready("acme").await;
    world.delete("acme").await;
    world.sim.forget_journal().await;
    world.apply(&shared()).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([]));
    let items = contract["status"]["items"].to_string();
    assert!(items.contains("customerCommits/pool") && items.contains("customerCredits/gift"), "{items}");
}

#[tokio::test]
async fn what_leaves_the_spec_is_ended_goes_on_when_it_comes_back_and_is_billed_once() {
    let world = World::metronome().await;
    world.apply(&shared()).await;
    world.until_ready("acme").await;
    let renamed = with(shared(), "/spec/metronome/customerCommits/0/name", json!("Shared pool"));
    world.apply(&renamed).await;
    world.until_ready("acme").await;
    assert_eq!(beside(&world, "commits").await[0]["name"], "Shared pool");
    let left = without(
        without(renamed.clone(), "/spec/metronome/customerCommits"),
        "/spec/metronome/customerCredits",
    );
    world.apply(&left).await;
    world.until_ready("acme").await;
    let ended = beside(&world, "commits").await;
    let invoices =
        |commits: &[Value]| commits[0]["invoice_schedule"]["schedule_items"].as_array().unwrap().len();
    assert_eq!(invoices(&ended), 1, "what is past stays, what is to come goes: {ended:#?}");
    world.apply(&renamed).await;
    world.until_ready("acme").await;
    let back = beside(&world, "commits").await;
    assert_eq!((back.len(), invoices(&back)), (1, 2));
    assert_eq!(
        back[0]["access_schedule"]["schedule_items"][0]["ending_before"].as_str().map(|end| &end[..4]),
        Some(&END[..4])
    );
    assert_eq!(
        writes(world.sim.traffic(CUSTOMER).await),
        traffic([
            (CREATE, 1),
            (CREATE_COMMIT, 1),
            (CREATE_CREDIT, 1),
            (EDIT_COMMIT, 2),
            (END_COMMIT, 1),
            (END_CREDIT, 1),
            ("/v2/contracts/credits/edit", 1)
        ])
    );
}

#[tokio::test]
async fn a_contract_that_is_deleted_ends_what_is_beside_it() {
    let world = World::metronome().await;
    world.apply(&with(shared(), "/spec/deletionPolicy", json!("End"))).await;
    world.until_ready("acme").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    for list in ["commits", "credits"] {
        let all = beside(&world, list).await;
        let end = all[0]["access_schedule"]["schedule_items"][0]["ending_before"].as_str().unwrap();
        assert_ne!(end[..4], END[..4], "{all:#?}");
    }
}
