//! Whose contract it is: rebuilt clusters, adoption, owner stamps, keys, aliases.

use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    metronome::{
        ALIAS, CREATE, CUSTOMER, EDIT, RATE_CARD, RATE_CARD_ALIAS, START, acme, bare, contract, customer,
        plus, provider, secret, stamping, traffic, writes,
    },
    sim::TOKEN,
    terms::{with, without},
    world::reason,
};

/// How many contracts a rebuilt cluster finds again.
const CONTRACTS: usize = 200;
const EXISTING: &str = "8b7a6958-4736-4251-9e4d-3c2b1a0f9aaa";

/// A contract as somebody typed it in by hand.
fn typed_by_hand() -> Value {
    json!({"starting_at": START, "name": "Typed by hand"})
}

/// A contract without items that adopts [`EXISTING`].
fn adopting(mode: &str) -> Value {
    let contract = without(bare("acme", CUSTOMER), "/spec/metronome/endingBefore");
    with(contract, "/spec/adopt", json!({"contractId": EXISTING, "mode": mode}))
}

#[tokio::test]
async fn a_rebuilt_cluster_finds_two_hundred_contracts_again_and_writes_nothing() {
    let mut world = World::metronome().await;
    world.sim.set(json!({"metronome_contract_keys": "prefixed", "metronome_view": "retold"})).await;
    let customers: Vec<_> = (0..CONTRACTS).map(customer).collect();
    world.sim.seed_customers(&customers).await;
    let specs: Vec<_> = customers.iter().enumerate().map(|(n, id)| contract(&format!("c{n}"), id)).collect();
    world.apply_all(&specs).await;
    let mut before = Vec::new();
    for n in 0..CONTRACTS {
        before.push(world.until_ready(&format!("c{n}")).await["status"]["contractId"].clone());
    }
    let api = world.api("billing.countersign.dev/v1alpha1", "BillingContract");
    api.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    for n in 0..CONTRACTS {
        world.until_gone(&format!("c{n}"), 1).await;
    }
    world.stop_operator().await;
    assert_eq!(
        world.sim.all_writes().await,
        traffic([(CREATE, CONTRACTS)]),
        "Orphan leaves them as they are"
    );

    world.sim.forget_journal().await;
    world.apply_all(&specs).await;
    world.start_operator().await;
    for (n, before) in before.iter().enumerate() {
        assert_eq!(world.until_ready(&format!("c{n}")).await["status"]["contractId"], *before);
    }
    world.second_look(CONTRACTS.try_into().unwrap()).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
    assert_eq!(world.sim.all_held().await.len(), CONTRACTS);
}

#[tokio::test]
async fn other_contracts_of_the_customer_are_no_concern_of_ours() {
    let world = World::metronome().await;
    for n in 0..45 {
        world.sim.seed_terms(CUSTOMER, &format!("theirs-{n}"), &typed_by_hand()).await;
    }
    world.apply(&acme()).await;
    let ready = world.until_ready("acme").await;
    assert!(!ready["status"]["contractId"].as_str().unwrap().starts_with("theirs"));
    assert_eq!(world.sim.held(CUSTOMER).await.len(), 46);
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
}

#[tokio::test]
async fn a_key_that_an_archived_contract_holds_is_named_and_nothing_is_written() {
    let mut world = World::metronome().await;
    let theirs = plus_key(&typed_by_hand(), &format!("countersign/{}/acme", world.namespace));
    world.sim.seed_terms(CUSTOMER, EXISTING, &theirs).await;
    let archive = json!({"customer_id": CUSTOMER, "contract_id": EXISTING, "void_invoices": false});
    world.sim.call("/v1/contracts/archive", &archive).await;
    world.sim.forget_journal().await;
    world.apply(&acme()).await;
    let why = world.until_stalled("acme", "UniquenessKeyTaken").await;
    assert!(why.contains(EXISTING) && why.contains("spec.metronome.uniquenessKey"), "{why}");
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
    assert_eq!(world.events("acme").await.len(), 1);
}

fn plus_key(body: &Value, key: &str) -> Value {
    let mut body = body.clone();
    body["uniqueness_key"] = json!(key);
    body
}

#[tokio::test]
async fn of_two_that_claim_one_key_the_older_holds_it() {
    let world = World::metronome().await;
    let key = json!({"uniquenessKey": "the-one"});
    world.apply(&plus(bare("older", CUSTOMER), &key)).await;
    world.until_ready("older").await;
    world.apply(&plus(bare("younger", CUSTOMER), &key)).await;
    let why = world.until_stalled("younger", "DuplicateClaim").await;
    assert!(why.contains(&format!("{}/older", world.namespace)), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
}

#[tokio::test]
async fn a_renamed_resource_stops_and_names_the_contract_that_nobody_holds_any_more() {
    let mut world = World::metronome().await;
    let with_terms = |name: &str| with(bare(name, CUSTOMER), "/spec/metronome/name", json!("Tyrell"));
    world.apply(&with_terms("tyrell-2026")).await;
    let id = world.until_ready("tyrell-2026").await["status"]["contractId"].as_str().unwrap().to_owned();
    world.delete("tyrell-2026").await;
    world.until_gone("tyrell-2026", 1).await;
    world.apply(&with_terms("tyrell")).await;
    let why = world.until_stalled("tyrell", "ContractUnclaimed").await;
    assert!(why.contains(&id) && why.contains("tyrell-2026"), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));

    // The old name comes back and holds it: the other is looked at again, and is no second one.
    world.apply(&with_terms("tyrell-2026")).await;
    world.until_ready("tyrell-2026").await;
    let why = world.until_stalled("tyrell", "DuplicateClaim").await;
    assert!(why.contains(&format!("{}/tyrell-2026", world.namespace)), "{why}");
    world.delete("tyrell-2026").await;
    world.until_stalled("tyrell", "ContractUnclaimed").await;
    world
        .apply(&with(with_terms("tyrell"), "/spec/adopt", json!({"contractId": id, "mode": "Override"})))
        .await;
    assert_eq!(world.until_ready("tyrell").await["status"]["contractId"], id.as_str());
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
}

#[tokio::test]
async fn a_contract_that_another_resource_has_adopted_is_not_taken_back_under_its_first_name() {
    let mut world = World::metronome().await;
    world.apply(&bare("tyrell-2026", CUSTOMER)).await;
    let id = world.until_ready("tyrell-2026").await["status"]["contractId"].clone();
    world.delete("tyrell-2026").await;
    world.until_gone("tyrell-2026", 1).await;
    let adopting =
        with(bare("tyrell", CUSTOMER), "/spec/adopt", json!({"contractId": id, "mode": "Override"}));
    world.apply(&adopting).await;
    assert_eq!(world.until_ready("tyrell").await["status"]["contractId"], id);
    // The first one comes back, and its key leads to the contract. It would write another name into it, and end it when it goes.
    let again = with(bare("tyrell-2026", CUSTOMER), "/spec/metronome/name", json!("Tyrell"));
    world.apply(&with(again, "/spec/deletionPolicy", json!("Cancel"))).await;
    let why = world.until_stalled("tyrell-2026", "DuplicateClaim").await;
    assert!(why.contains(&format!("{}/tyrell", world.namespace)), "{why}");
    world.delete("tyrell-2026").await;
    world.until_gone("tyrell-2026", 2).await;
    world.second_look(1).await;
    // The edit is that of the one that adopts it.
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1), (EDIT, 1)]));
    let held = world.sim.only(CUSTOMER).await;
    assert_eq!((&held["state"], &held["contract"]["name"]), (&json!("active"), &json!("tyrell")));
}

#[tokio::test]
async fn a_second_contract_of_a_customer_is_made_once_the_holder_of_the_first_had_time_to_go() {
    let world = World::metronome().await;
    world.apply(&bare("first", CUSTOMER)).await;
    world.until_ready("first").await;
    world.apply(&bare("second", CUSTOMER)).await;
    world.until_waiting("second", "OtherContractHeld").await;
    world.until_ready("second").await;
    assert_eq!(world.sim.held(CUSTOMER).await.len(), 2);
}

#[tokio::test]
async fn a_second_contract_that_bills_what_the_first_bills_is_made_only_by_a_key_that_says_so() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let renegotiated = with(contract("acme-new", CUSTOMER), "/spec/metronome/name", json!("Another name"));
    world.apply(&renegotiated).await;
    let why = world.until_stalled("acme-new", "DuplicateClaim").await;
    for part in [format!("{}/acme", world.namespace), "spec.metronome.uniquenessKey".to_owned()] {
        assert!(why.contains(&part), "{why}");
    }
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
    world.apply(&with(renegotiated, "/spec/metronome/uniquenessKey", json!("acme-extension"))).await;
    world.until_ready("acme-new").await;
    assert_eq!(world.sim.held(CUSTOMER).await.len(), 2);
}

#[tokio::test]
async fn what_a_killed_operator_may_have_made_is_waited_for_and_one_that_stopped_in_peace_leaves_nothing_to()
{
    let mut world = World::metronome().await;
    world.stop_operator().await;
    world.start_operator().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.take_operator().kill();
    let other = customer(1);
    world.sim.seed_customers(std::slice::from_ref(&other)).await;
    world.apply(&contract("globex", &other)).await;
    world.start_operator().await;
    let why = world.until_waiting("globex", "OtherContractHeld").await;
    assert!(why.contains("An operator before this one may have stopped in the middle of a create"), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
    // What is in force is looked after all the while.
    world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2027"))).await;
    world.until_ready("acme").await;
}

#[tokio::test]
async fn a_contract_that_was_made_right_before_a_kill_is_found_by_its_key_and_canceled() {
    let mut world = World::metronome().await;
    world.sim.fault(json!({"kind": "delay_reply", "path": CREATE, "delay_ms": 15000, "count": 1})).await;
    world.apply(&with(bare("acme", CUSTOMER), "/spec/deletionPolicy", json!("Cancel"))).await;
    while world.sim.held(CUSTOMER).await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.take_operator().kill();
    world.delete("acme").await;
    world.start_operator().await;
    world.until_gone("acme", 1).await;
    let held = world.sim.only(CUSTOMER).await;
    assert_eq!(held["state"], "archived", "{held:#}");
}

#[tokio::test]
async fn adoption_by_match_takes_what_agrees_and_refuses_what_differs() {
    let world = World::metronome().await;
    world.sim.seed_terms(CUSTOMER, EXISTING, &typed_by_hand()).await;
    world.apply(&adopting("Match")).await;
    let why = world.until_stalled("acme", "AdoptionMismatch").await;
    assert!(why.contains("name: Typed by hand -> acme"), "{why}");
    world.apply(&with(adopting("Match"), "/spec/metronome/name", json!("Typed by hand"))).await;
    assert_eq!(world.until_ready("acme").await["status"]["contractId"], EXISTING);
    assert_eq!(world.sim.all_writes().await, traffic([]));

    // From then on it is managed like any other.
    world.apply(&with(adopting("Match"), "/spec/metronome/name", json!("From Git"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.only(CUSTOMER).await["contract"]["name"], "From Git");
    assert_eq!(world.sim.all_writes().await, traffic([(EDIT, 1)]));
}

#[tokio::test]
async fn adoption_by_override_changes_the_contract_to_what_the_spec_says() {
    let world = World::metronome().await;
    world.sim.seed_terms(CUSTOMER, EXISTING, &typed_by_hand()).await;
    world.apply(&adopting("Override")).await;
    assert_eq!(world.until_ready("acme").await["status"]["contractId"], EXISTING);
    assert_eq!(world.sim.terms(CUSTOMER).await["name"], "acme");
    assert_eq!(world.sim.all_writes().await, traffic([(EDIT, 1)]));
}

#[tokio::test]
async fn adoption_of_a_contract_that_is_not_there_creates_none() {
    let world = World::metronome().await;
    world.apply(&adopting("Override")).await;
    let why = world.until_stalled("acme", "AdoptionTargetNotFound").await;
    assert!(why.contains(EXISTING), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

/// An account that stamps its contracts, and its operator.
async fn stamped_world() -> World {
    let mut world = World::metronome_bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&stamping(&world.sim.url, "prod-1")).await;
    world.start_operator().await;
    world
}

#[tokio::test]
async fn a_contract_says_who_owns_it() {
    let mut world = stamped_world().await;
    let revision = with(
        acme(),
        "/metadata/annotations",
        json!({"billing.countersign.dev/revision": "main@sha1:0a1b2c"}),
    );
    world.apply(&revision).await;
    world.until_ready("acme").await;
    let fields = world.sim.terms(CUSTOMER).await["custom_fields"].clone();
    let expected = json!({
        "countersign_cluster": "prod-1", "countersign_namespace": world.namespace, "countersign_name": "acme",
        "countersign_revision": "main@sha1:0a1b2c",
    });
    assert_eq!(fields, expected);
    let create = world.sim.sent(CREATE).await;
    assert!(create.len() == 1 && create[0].contains("countersign_cluster"), "stamped by the create itself");

    // The revision alone is no reason to write.
    world.sim.forget_journal().await;
    world.annotate("acme", "billing.countersign.dev/revision", "main@sha1:ffffff").await;
    world.reconcile("acme").await;
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

#[tokio::test]
async fn a_contract_of_another_owner_is_refused_until_it_is_adopted() {
    let world = stamped_world().await;
    let names = ["countersign_cluster", "countersign_namespace", "countersign_name", "countersign_revision"];
    world.sim.register_fields(&names.map(|name| ("contract", name))).await;
    let mut theirs = plus_key(&typed_by_hand(), &format!("countersign/{}/acme", world.namespace));
    theirs["custom_fields"] = json!({
        "countersign_cluster": "prod-2", "countersign_namespace": world.namespace, "countersign_name": "acme",
    });
    world.sim.seed_terms(CUSTOMER, EXISTING, &theirs).await;
    world.apply(&without(bare("acme", CUSTOMER), "/spec/metronome/endingBefore")).await;
    let why = world.until_stalled("acme", "OwnedElsewhere").await;
    assert!(why.contains("prod-2") && why.contains("countersign_cluster"), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([]));

    world.apply(&adopting("Override")).await;
    world.until_ready("acme").await;
    let terms = world.sim.terms(CUSTOMER).await;
    assert_eq!(
        (&terms["name"], &terms["custom_fields"]["countersign_cluster"]),
        (&json!("acme"), &json!("prod-1"))
    );
}

#[tokio::test]
async fn customers_and_rate_cards_are_found_by_their_aliases() {
    let mut world = World::metronome().await;
    let spec = without(without(acme(), "/spec/metronome/customerId"), "/spec/metronome/rateCardId");
    let spec = plus(spec, &json!({"customerAlias": ALIAS, "rateCardAlias": RATE_CARD_ALIAS}));
    world.apply(&spec).await;
    let ready = world.until_ready("acme").await;
    assert_eq!(ready["status"]["customerId"], CUSTOMER);
    assert_eq!(world.sim.terms(CUSTOMER).await["rate_card_id"], RATE_CARD);
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
}

#[tokio::test]
async fn an_unknown_customer_is_named_and_nothing_is_written() {
    let world = World::metronome().await;
    world.apply(&contract("by-id", &customer(9))).await;
    let why = world.until_stalled("by-id", "CustomerNotFound").await;
    assert!(why.contains(&customer(9)) && why.contains("customerId"), "{why}");
    let by_alias = without(bare("by-alias", CUSTOMER), "/spec/metronome/customerId");
    world.apply(&plus(by_alias, &json!({"customerAlias": "nobody"}))).await;
    let why = world.until_stalled("by-alias", "CustomerNotFound").await;
    assert!(why.contains("nobody"), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

#[tokio::test]
async fn a_wrong_token_costs_one_probe_and_a_right_one_is_picked_up() {
    let mut world = World::metronome_bare().await;
    world.apply(&secret("wrong")).await;
    world.apply(&provider(&world.sim.url)).await;
    world.start_operator().await;
    world.apply(&acme()).await;
    world.until_waiting("acme", "ProviderNotReady").await;
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([]));
    world.apply(&secret(TOKEN)).await;
    let ready = world.until_ready("acme").await;
    assert_eq!(kstatus::status_of(&ready, "Ready"), Some("True"));
}

#[tokio::test]
async fn a_contract_whose_suspended_holder_is_deleted_goes_at_once_to_the_one_that_adopts_it() {
    let world = World::metronome().await;
    let old = with(acme(), "/spec/deletionPolicy", json!("Cancel"));
    world.apply(&old).await;
    let id = world.until_ready("acme").await["status"]["contractId"].clone();
    world.apply(&with(old, "/spec/suspend", json!(true))).await;
    world.delete("acme").await;
    let waits = |contract: &Value| reason(contract) == "Suspended";
    world.until("acme", waits).await;
    let new = with(contract("new", CUSTOMER), "/spec/metronome/name", json!("Acme 2027"));
    let started = std::time::Instant::now();
    world.apply(&with(new, "/spec/adopt", json!({"contractId": id, "mode": "Override"}))).await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.until_ready("new").await["status"]["contractId"], id);
    // A second look by itself comes after half a minute.
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(world.sim.only(CUSTOMER).await["state"], "active");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1), (EDIT, 1)]));
}

#[tokio::test]
async fn two_that_call_one_customer_by_its_id_and_by_its_alias_make_one_contract() {
    let mut world = World::metronome_bare().await;
    world.connect_metronome().await;
    let other = customer(1);
    world
        .sim
        .seed_customer(&other, json!({"name": "Globex", "ingest_aliases": ["team@globex.example"]}))
        .await;
    // Of what is created in the same second, the first by name goes before.
    let pairs = [("a", "b", CUSTOMER, ALIAS), ("d", "c", other.as_str(), "team@globex.example")];
    for (by_alias, by_id, customer, alias) in pairs {
        let named = without(contract(by_alias, customer), "/spec/metronome/customerId");
        world.apply(&with(named, "/spec/metronome/customerAlias", json!(alias))).await;
        world.apply(&contract(by_id, customer)).await;
    }
    world.start_operator().await;
    for (by_alias, by_id, customer, _) in pairs {
        let is_decided = |contract: &Value| kstatus::compute(contract) != kstatus::Standing::InProgress;
        let both = [world.until(by_alias, is_decided).await, world.until(by_id, is_decided).await];
        let stands = both.each_ref().map(kstatus::compute);
        assert!(stands.contains(&kstatus::Standing::Current), "{both:#?}");
        let stopped = both.iter().find(|contract| kstatus::compute(contract) == kstatus::Standing::Failed);
        assert_eq!(reason(stopped.unwrap()), "DuplicateClaim");
        assert_eq!(world.sim.held(customer).await.len(), 1);
    }
}
