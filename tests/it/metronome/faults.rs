//! A billing API that loses replies and requests, answers late, or not at all.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    metronome::{
        CREATE, CUSTOMER, EDIT, GET, LIST, acme, contract, customer, provider, secret, traffic, writes,
    },
    sim::TOKEN,
    terms::with,
};

/// How many contracts are put through it.
const CONTRACTS: usize = 200;

fn losing(path: &str) -> Value {
    json!({"kind": "drop_reply", "path": path, "rate": 0.3333, "seed": 7})
}

#[tokio::test]
async fn a_lost_reply_does_not_create_a_second_contract() {
    let world = World::metronome().await;
    world.sim.fault(json!({"kind": "drop_reply", "path": CREATE, "count": 1})).await;
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["contractId"], world.sim.only(CUSTOMER).await["id"]);
    assert!(contract["status"]["unconfirmedWrite"].is_null());
    assert_eq!(world.sim.traffic(CUSTOMER).await, traffic([(LIST, 2), (CREATE, 1), (GET, 1)]));
}

#[tokio::test]
async fn a_lost_reply_of_an_edit_does_not_make_it_twice() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "drop_reply", "path": EDIT, "count": 1})).await;
    let mut spec = acme();
    let more = with(spec["spec"]["metronome"]["commits"][0].clone(), "/key", json!("more"));
    spec["spec"]["metronome"]["commits"].as_array_mut().unwrap().push(with(more, "/name", json!("More")));
    world.apply(&spec).await;
    world.until_ready("acme").await;
    let held = world.sim.only(CUSTOMER).await;
    assert_eq!(held["contract"]["commits"].as_array().unwrap().len(), 2);
    assert_eq!(held["edits"], 1);
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1), (EDIT, 1)]));
}

#[tokio::test]
async fn a_create_whose_reply_was_lost_is_found_again_by_an_operator_that_remembers_nothing() {
    let mut world = World::metronome().await;
    world.sim.set(json!({"metronome_contract_keys": "prefixed"})).await;
    world.sim.fault(json!({"kind": "drop_reply", "path": CREATE, "count": 1})).await;
    world.apply(&acme()).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    world.take_operator().kill();
    world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2027"))).await;
    world.start_operator().await;
    world.until_ready("acme").await;
    let held = world.sim.only(CUSTOMER).await;
    assert_eq!(held["contract"]["name"], "Acme 2027");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1), (EDIT, 1)]));
}

#[tokio::test]
async fn a_list_that_lags_behind_does_not_lead_to_a_second_contract() {
    let world = World::metronome().await;
    world.sim.set(json!({"metronome_list_lag_ms": 3000})).await;
    world.sim.fault(json!({"kind": "drop_reply", "path": CREATE, "count": 1})).await;
    world.apply(&acme()).await;
    let ready = world.until_ready("acme").await;
    assert_eq!(ready["status"]["contractId"], world.sim.only(CUSTOMER).await["id"]);
    let creates = world.sim.sent(CREATE).await.len();
    assert!(creates <= 2, "{creates}: what the API refused by its key is not sent again");
}

#[tokio::test]
async fn a_key_that_another_customer_s_contract_has_is_named_and_sent_once() {
    let mut world = World::metronome().await;
    world.sim.seed_customers(&[customer(1)]).await;
    let key = format!("countersign/{}/acme", world.namespace);
    let theirs = json!({"starting_at": "2026-01-01T00:00:00Z", "uniqueness_key": key});
    world.sim.seed_terms(&customer(1), "their-contract", &theirs).await;
    world.apply(&acme()).await;
    let why = world.until_stalled("acme", "UniquenessKeyTaken").await;
    assert!(why.contains("spec.metronome.uniquenessKey"), "{why}");
    assert_eq!(world.sim.sent(CREATE).await.len(), 1);
    world.second_look(1).await;
    assert_eq!(world.sim.sent(CREATE).await.len(), 1);

    world.start_operator().await;
    world.apply(&with(acme(), "/spec/metronome/uniquenessKey", json!("acme-again"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.only(CUSTOMER).await["uniqueness_key"], "acme-again");
}

#[tokio::test]
async fn a_lost_create_is_the_resources_though_the_providers_prefix_has_changed() {
    let world = World::metronome().await;
    world.sim.fault(json!({"kind": "drop_reply", "path": CREATE})).await;
    world.apply(&acme()).await;
    world.sim.until_faults_met(1).await;
    world.sim.heal().await;
    world.sim.fault(json!({"kind": "status", "status": 500, "path": LIST})).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    let prefix = "/spec/metronome/uniquenessKeyPrefix";
    world.apply(&with(provider(&world.sim.url), prefix, json!("another"))).await;
    while world.get_object("BillingProvider", "metronome").await["status"]["observedGeneration"] != 2 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.sim.heal().await;
    world.ask("acme").await;
    let ready = world.until_ready("acme").await;
    assert_eq!(ready["status"]["contractId"], world.sim.only(CUSTOMER).await["id"]);
}

#[tokio::test]
async fn what_a_lost_create_made_ends_with_its_resource_though_git_names_another_customer_and_key_by_then() {
    let world = World::metronome().await;
    world.sim.seed_customers(&[customer(1)]).await;
    world.sim.fault(json!({"kind": "drop_reply", "path": CREATE})).await;
    let cancels = with(acme(), "/spec/deletionPolicy", json!("Cancel"));
    world.apply(&cancels).await;
    world.sim.until_faults_met(1).await;
    world.sim.heal().await;
    world.sim.fault(json!({"kind": "status", "status": 500, "path": LIST})).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    let moved = with(cancels, "/spec/metronome/customerId", json!(customer(1)));
    world.apply(&with(moved, "/spec/metronome/uniquenessKey", json!("another"))).await;
    world.sim.heal().await;
    world.ask("acme").await;
    world.until_stalled("acme", "ImmutableField").await;
    world.delete("acme").await;
    world.until_object_gone("BillingContract", "acme").await;
    assert!(world.sim.only(CUSTOMER).await["contract"]["archived_at"].is_string());
    assert_eq!(world.sim.held(&customer(1)).await, [Value::Null; 0]);
    assert_eq!(world.sim.sent(CREATE).await.len(), 1);
}

#[tokio::test]
async fn a_request_that_was_lost_on_its_way_is_sent_again() {
    let world = World::metronome().await;
    world.sim.fault(json!({"kind": "drop_request", "path": CREATE, "count": 2})).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "drop_request", "path": EDIT, "count": 2})).await;
    world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2027"))).await;
    world.until_ready("acme").await;
    let held = world.sim.only(CUSTOMER).await;
    assert_eq!((&held["contract"]["name"], &held["edits"]), (&json!("Acme 2027"), &json!(1)));
}

#[tokio::test]
async fn an_answer_after_the_timeout_is_looked_up() {
    let mut world = World::metronome_bare().await;
    world.apply(&secret(TOKEN)).await;
    let provider = provider(&world.sim.url);
    world.apply(&with(provider, "/spec/requestTimeoutSeconds", json!(1))).await;
    world.start_operator().await;
    world.sim.fault(json!({"kind": "delay_reply", "path": CREATE, "delay_ms": 5000, "count": 1})).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([(CREATE, 1)]));
    assert_eq!(world.sim.held(CUSTOMER).await.len(), 1);
}

#[tokio::test]
async fn errors_of_the_server_pass() {
    let world = World::metronome().await;
    for (path, status) in [(LIST, 500), (CREATE, 503), (GET, 502)] {
        world.sim.fault(json!({"kind": "status", "status": status, "path": path, "count": 1})).await;
    }
    world.apply(&acme()).await;
    world.until_waiting("acme", "BillingUnreachable").await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "status", "status": 500, "path": EDIT, "count": 2})).await;
    world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2027"))).await;
    world.until_ready("acme").await;
    let held = world.sim.only(CUSTOMER).await;
    assert_eq!((&held["contract"]["name"], &held["edits"]), (&json!("Acme 2027"), &json!(1)));
}

#[tokio::test]
async fn a_short_pause_that_the_billing_api_asks_for_is_kept_and_ends_by_itself() {
    let world = World::metronome().await;
    for path in [LIST, CREATE] {
        world
            .sim
            .fault(
                json!({"kind": "status", "status": 429, "retry_after_seconds": 1, "path": path, "count": 2}),
            )
            .await;
    }
    world.sim.seed_customers(&(0..5).map(customer).collect::<Vec<_>>()).await;
    for n in 0..5 {
        world.apply(&contract(&format!("c{n}"), &customer(n))).await;
    }
    for n in 0..5 {
        world.until_ready(&format!("c{n}")).await;
        assert_eq!(world.sim.held(&customer(n)).await.len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_of_an_edit_is_passed_on_and_not_sent_again() {
    let mut world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.forget_journal().await;
    world.sim.fault(json!({"kind": "status", "status": 422, "path": EDIT})).await;
    world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2027"))).await;
    let why = world.until_stalled("acme", "Rejected").await;
    assert!(why.contains("HTTP 422"), "{why}");
    world.second_look(1).await;
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([(EDIT, 1)]));
}

#[tokio::test]
async fn stale_reads_do_not_make_a_change_twice() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let mut spec = with(acme(), "/spec/metronome/name", json!("Acme 2027"));
    world.apply(&spec).await;
    world.until_ready("acme").await;
    // The history of edits, which is `/v2/contracts/getEditHistory`, is up to date.
    world.sim.fault(json!({"kind": "stale_read", "path": "/v2/*/get", "count": 4})).await;
    let more = with(spec["spec"]["metronome"]["commits"][0].clone(), "/key", json!("more"));
    spec["spec"]["metronome"]["commits"].as_array_mut().unwrap().push(with(more, "/name", json!("More")));
    world.apply(&spec).await;
    world.until_ready("acme").await;
    let held = world.sim.only(CUSTOMER).await;
    assert_eq!(held["contract"]["commits"].as_array().unwrap().len(), 2, "{held:#}");
    assert_eq!(held["contract"]["name"], "Acme 2027");
}

/// The contract with every kind of edit made to it at once: items changed, added, archived and removed, an end date, a
/// filter and a custom field, which are calls of their own.
fn renegotiated(n: usize) -> Value {
    let spec = contract(&format!("c{n}"), &customer(n));
    let spec = with(spec, "/spec/metronome/name", json!("Renegotiated"));
    let spec = with(spec, "/spec/metronome/endingBefore", json!("2035-01-01T00:00:00Z"));
    let spec = with(spec, "/spec/metronome/overrides/0/multiplier", json!("0.75"));
    let spec = with(
        spec,
        "/spec/metronome/commits/0/accessSchedule/scheduleItems/0/amount",
        json!(format!("{}", 13_000_000 + n)),
    );
    let mut spec = with(spec, "/spec/metronome/customFields", json!({"team": "sales"}));
    let terms = &mut spec["spec"]["metronome"];
    let added = with(terms["commits"][0].clone(), "/key", json!("extra"));
    terms["commits"].as_array_mut().unwrap().push(with(added, "/name", json!("Extra")));
    let charge = with(terms["scheduledCharges"][0].clone(), "/key", json!("training"));
    let due = "/schedule/scheduleItems/0/timestamp";
    let charge = with(with(charge, "/name", json!("Training")), due, json!("2034-01-01T00:00:00Z"));
    terms["scheduledCharges"] = json!([charge]);
    spec
}

#[tokio::test]
async fn of_two_hundred_contracts_with_every_third_reply_lost_none_has_anything_twice() {
    let mut world = World::metronome().await;
    let customers: Vec<_> = (0..CONTRACTS).map(customer).collect();
    world.sim.seed_customers(&customers).await;
    world.sim.register_fields(&[("contract", "team")]).await;
    for path in [CREATE, EDIT, "/v1/customFields/setValues"] {
        world.sim.fault(losing(path)).await;
    }
    let created: Vec<Value> =
        customers.iter().enumerate().map(|(n, id)| contract(&format!("c{n}"), id)).collect();
    world.apply_all(&created).await;
    all_ready(&world).await;
    check(&world, &created).await;

    let changed: Vec<Value> = (0..CONTRACTS).map(renegotiated).collect();
    world.apply_all(&changed).await;
    all_ready(&world).await;
    check(&world, &changed).await;
    let summary = world.sim.all_writes().await;
    let lost = world.sim.requests().await.iter().filter(|request| request.fault.is_some()).count();
    println!("{CONTRACTS} contracts created and changed; {lost} replies lost; sent: {summary:?}");
    assert!(lost > CONTRACTS / 2, "{lost}");
    world.sim.forget_journal().await;
    world.second_look(CONTRACTS.try_into().unwrap()).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

async fn all_ready(world: &World) {
    for n in 0..CONTRACTS {
        world.until_ready(&format!("c{n}")).await;
    }
}

/// Each customer has one contract, with as many items of each list as its spec has.
async fn check(world: &World, specs: &[Value]) {
    let held = world.sim.all_held().await;
    assert_eq!(held.len(), specs.len());
    let by_customer: BTreeMap<_, _> =
        held.iter().map(|held| (held["customer_id"].as_str().unwrap(), held)).collect();
    for (n, spec) in specs.iter().enumerate() {
        let (name, spec) = (format!("c{n}"), &spec["spec"]["metronome"]);
        let held = by_customer[spec["customerId"].as_str().unwrap()];
        let terms = &held["contract"];
        for (list, written) in [
            ("commits", "commits"),
            ("credits", "credits"),
            ("scheduled_charges", "scheduledCharges"),
            ("overrides", "overrides"),
        ] {
            let live = terms[list].as_array().unwrap().iter().filter(|item| item["archived_at"].is_null());
            assert_eq!(live.count(), spec[written].as_array().unwrap().len(), "{name}: {list}: {terms:#}");
        }
        assert_eq!(terms["name"], spec["name"]);
        let object = world.get(&name).await;
        assert_eq!(object["status"]["contractId"], held["id"]);
        assert!(kstatus::condition(&object, "Stalled").is_none());
    }
}
