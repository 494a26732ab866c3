//! Whose contract it is: adoption, rebuilt clusters, two resources that mean one contract.

use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::{Value, json};

use crate::support::{
    World, kstatus, metronome,
    sim::{Calls, Sim, TOKEN},
    terms::{self, ORG, PRICE, acme, contract, wire, with},
    world::{message, reason},
};

const EXISTING: &str = "8b7a6958-4736-4251-9e4d-3c2b1a0f9aaa";

/// The contract as somebody typed it in by hand, with another price.
fn typed_by_hand() -> Value {
    wire(&with(acme(), PRICE, json!("0.60")))
}

fn adopting(id: &str, mode: &str) -> Value {
    with(acme(), "/spec/adopt", json!({"contractId": id, "mode": mode}))
}

#[tokio::test]
async fn an_existing_contract_is_refused_without_adopt_and_untouched() {
    let mut world = World::start().await;
    world.sim.seed(ORG, EXISTING, &typed_by_hand()).await;
    world.apply(&acme()).await;
    let why = world.until_stalled("acme", "ContractExists").await;
    for part in [EXISTING, "mode: Override", "unitPrice: 0.6 -> 0.5"] {
        assert!(why.contains(part), "{why}");
    }
    world.second_look(1).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
    let events = world.events("acme").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].type_.as_str(), events[0].reason.as_str()), ("Warning", "ContractExists"));
}

#[tokio::test]
async fn an_existing_contract_that_says_the_same_is_taken_over_without_a_write() {
    let mut world = World::start().await;
    world.sim.seed(ORG, EXISTING, &wire(&acme())).await;
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["contractId"], EXISTING);
    world.stop_operator().await;
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 1, puts: 0 });
    let events = world.events("acme").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].reason, "Found");
}

#[tokio::test]
async fn adoption_by_match_takes_what_agrees_and_refuses_what_differs() {
    let world = World::start().await;
    world.sim.seed(ORG, EXISTING, &typed_by_hand()).await;
    world.apply(&adopting(EXISTING, "Match")).await;
    let why = world.until_stalled("acme", "AdoptionMismatch").await;
    assert!(why.contains("unitPrice: 0.6 -> 0.5"), "{why}");

    world.apply(&with(adopting(EXISTING, "Match"), PRICE, json!("0.60"))).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["contractId"], EXISTING);
    assert_eq!(world.sim.calls(ORG).await.puts, 0);

    // From then on it is managed like any other.
    world.apply(&with(adopting(EXISTING, "Match"), PRICE, json!("0.55"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn adoption_by_override_changes_the_contract_to_what_the_spec_says() {
    let world = World::start().await;
    world.sim.seed(ORG, EXISTING, &typed_by_hand()).await;
    world.apply(&adopting(EXISTING, "Override")).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["contractId"], EXISTING);
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    assert!(world.sim.written(ORG).await[0].contains(r#""unit_price":0.50}"#));
}

#[tokio::test]
async fn adoption_of_another_contract_than_the_one_there_is_refused() {
    let world = World::start().await;
    world.apply(&adopting(EXISTING, "Override")).await;
    let why = world.until_stalled("acme", "AdoptionTargetNotFound").await;
    assert!(why.contains("shows no such contract"), "{why}");
    let other = "7a9b1c3d-5e2f-4064-8b8c-1d3e5f7a9c02";
    world.sim.seed(ORG, other, &typed_by_hand()).await;
    world.reconcile("acme").await;
    let why = world.until_stalled("acme", "AdoptionTargetNotFound").await;
    assert!(why.contains(EXISTING) && why.contains(other), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
}

#[tokio::test]
async fn a_contract_that_somebody_replaced_by_another_is_not_overwritten() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.change(ORG, |body| body["status"] = json!("canceled")).await;
    world.sim.seed(ORG, EXISTING, &typed_by_hand()).await;
    world.ask("acme").await;
    let why = world.until_stalled("acme", "ReplacedOutside").await;
    assert!(why.contains(EXISTING), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn a_rebuilt_cluster_finds_its_contracts_and_writes_nothing() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    let before = world.until_ready("acme").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    world.stop_operator().await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1, "Orphan leaves the contract as it is");

    world.apply(&acme()).await;
    world.start_operator().await;
    let after = world.until_ready("acme").await;
    assert_ne!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert_eq!(before["status"]["contractId"], after["status"]["contractId"]);
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn of_two_that_claim_one_organization_the_older_holds_it_and_the_younger_takes_over_when_it_goes() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let younger = with(contract("younger", ORG), PRICE, json!("0.10"));
    world.apply(&younger).await;
    let why = world.until_stalled("younger", "DuplicateClaim").await;
    assert!(why.contains(&format!("{}/acme", world.namespace)), "{why}");
    assert!(world.sim.written(ORG).await.iter().all(|body| !body.contains("0.10")));
    assert_eq!(kstatus::status_of(&world.get("acme").await, "Ready"), Some("True"));

    // The contract now says what neither resource was told to leave: whoever comes next must match or adopt it.
    world.apply(&contract("younger", ORG)).await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    world.until_ready("younger").await;
    world.stop_operator().await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn two_created_at_once_come_to_one_holder_and_one_write() {
    let mut world = World::bare().await;
    world.connect().await;
    world.apply(&contract("a", ORG)).await;
    world.apply(&with(contract("b", ORG), PRICE, json!("0.10"))).await;
    world.start_operator().await;
    let is_decided = |contract: &Value| kstatus::compute(contract) != kstatus::Standing::InProgress;
    let (a, b) = (world.until("a", is_decided).await, world.until("b", is_decided).await);
    let ready = [&a, &b].map(|contract| kstatus::compute(contract) == kstatus::Standing::Current);
    assert_eq!(ready.iter().filter(|ready| **ready).count(), 1, "{a:#} {b:#}");
    world.second_look(2).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn a_contract_cannot_move_to_another_organization() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let moved = contract("acme", "00000000-0000-4000-8000-000000000001");
    let refusal = world.try_apply(&moved).await.unwrap_err();
    assert!(refusal.contains("`organizationId` must not change"), "{refusal}");
}

#[tokio::test]
async fn a_held_contract_that_is_not_shown_is_looked_for_and_not_written_anew() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.change(ORG, |body| body["notes"] = json!("theirs")).await;
    let not_found = |count| json!({"kind": "status", "status": 404, "method": "GET", "path": format!("/orgs/{ORG}"), "count": count});
    // Once: nobody notices.
    world.sim.fault(not_found(1)).await;
    world.reconcile("acme").await;
    let puts = world.sim.calls(ORG).await.puts;
    // Several times, with a change in Git that waits for it.
    world.sim.fault(not_found(3)).await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    let why = world.until_waiting("acme", "HeldContractMissing").await;
    assert!(why.contains("approved-plan="), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, puts);
    world.until_ready("acme").await;
    let billed = world.sim.contract(ORG).await;
    assert_eq!(billed["notes"], "theirs", "{billed:#}");
    assert_eq!(world.sim.calls(ORG).await.puts, puts + 1);
}

#[tokio::test]
async fn a_renamed_resource_finds_the_same_contract_whichever_of_the_two_comes_first() {
    for deletes_first in [true, false] {
        let world = World::start().await;
        world.apply(&acme()).await;
        let id = world.until_ready("acme").await["status"]["contractId"].clone();
        if deletes_first {
            world.delete("acme").await;
        }
        world.apply(&contract("renamed", ORG)).await;
        if !deletes_first {
            world.delete("acme").await;
        }
        assert_eq!(world.until_ready("renamed").await["status"]["contractId"], id);
        assert_eq!(world.sim.calls(ORG).await.puts, 1);
    }
}

#[tokio::test]
async fn objects_deleted_with_their_dependents_orphaned_leave_the_billing_api_alone() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let api = world.api("billing.countersign.dev/v1alpha1", "BillingContract");
    let orphan =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
    api.delete("acme", &orphan).await.unwrap();
    world.until_gone("acme", 1).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

/// A world whose simulator can be reached by two names, each with a provider of its own: `zoo` and `metronome` by its
/// address, `zoo-by-name` and `metronome-by-name` by the name of this machine.
async fn with_two_addresses() -> World {
    let mut world = World::bare().await;
    world.sim.seed_catalog().await;
    world.options.allowed_hosts.push("localhost".to_owned());
    world.connect().await;
    world.connect_metronome().await;
    let by_name = world.sim.url.replace("127.0.0.1", "localhost");
    assert_ne!(by_name, world.sim.url);
    for provider in [terms::provider(&by_name), metronome::provider(&by_name)] {
        let name = format!("{}-by-name", provider["metadata"]["name"].as_str().unwrap());
        world.apply(&with(provider, "/metadata/name", json!(name))).await;
    }
    world.start_operator().await;
    world
}

#[tokio::test]
async fn a_contract_is_written_by_one_resource_though_its_account_has_two_addresses() {
    let world = with_two_addresses().await;
    world.apply(&acme()).await;
    let id = world.until_ready("acme").await["status"]["contractId"].as_str().unwrap().to_owned();
    let second = with(contract("second", ORG), "/spec/providerRef/name", json!("zoo-by-name"));
    let second = with(second, "/spec/deletionPolicy", json!("Cancel"));
    // Other terms are not its own, and neither are they when it says that it takes them over.
    let other = with(second.clone(), PRICE, json!("0.49"));
    world.apply(&other).await;
    world.until_stalled("second", "ContractExists").await;
    let adopt = json!({"contractId": id, "mode": "Override"});
    world.apply(&with(other.clone(), "/spec/adopt", adopt)).await;
    let why = world.until_stalled("second", "DuplicateClaim").await;
    assert!(why.contains("/acme claims the same contract"), "{why}");
    // The same terms are found, as nothing is written for them; from then on both have one contract on record.
    world.delete("second").await;
    world.until_gone("second", 1).await;
    world.apply(&second).await;
    world.until("second", |contract| contract["status"]["contractId"] == id.as_str()).await;
    world.apply(&other).await;
    let why = world.until_stalled("second", "DuplicateClaim").await;
    assert!(why.contains("/acme claims the same contract"), "{why}");
    world.delete("second").await;
    world.until_gone("second", 2).await;
    let billed = world.sim.contract(ORG).await;
    assert_eq!((&billed["status"], world.sim.calls(ORG).await.puts), (&json!("active"), 1));
}

#[tokio::test]
async fn a_customers_contract_is_made_and_edited_by_one_resource_though_its_account_has_two_addresses() {
    let world = with_two_addresses().await;
    world.apply(&metronome::acme()).await;
    let id = world.until_ready("acme").await["status"]["contractId"].clone();
    let second = metronome::contract("second", metronome::CUSTOMER);
    let second = with(second, "/spec/providerRef/name", json!("metronome-by-name"));
    let second = with(second, "/spec/metronome/name", json!("Another name"));
    world.apply(&second).await;
    let why = world.until_stalled("second", "DuplicateClaim").await;
    assert!(why.contains(&format!("{}/acme holds it", world.namespace)), "{why}");
    world.apply(&with(second, "/spec/adopt", json!({"contractId": id, "mode": "Override"}))).await;
    let why = world.until_stalled("second", "DuplicateClaim").await;
    assert!(why.contains("/acme holds the same contract"), "{why}");
    assert_eq!(world.sim.all_writes().await, metronome::traffic([(metronome::CREATE, 1)]));
}

#[tokio::test]
async fn a_deleted_contract_whose_provider_means_another_account_stays_and_says_where_its_contract_is() {
    let mut world = World::start().await;
    world.apply(&with(acme(), "/spec/deletionPolicy", json!("Cancel"))).await;
    let id = world.until_ready("acme").await["status"]["contractId"].as_str().unwrap().to_owned();
    let other = Sim::start();
    other.admit(TOKEN).await;
    other.register(ORG).await;
    world.stop_operator().await;
    world.apply(&terms::provider(&other.url)).await;
    world.delete("acme").await;
    world.start_operator().await;
    let said = |contract: &Value| reason(contract) == "AccountChanged";
    let why = message(&world.until("acme", said).await);
    for part in
        [id.as_str(), world.sim.url.as_str(), other.url.as_str(), "billing.countersign.dev/release=true"]
    {
        assert!(why.contains(part), "{why}");
    }
    assert_eq!((world.sim.calls(ORG).await.puts, other.calls(ORG).await.puts), (1, 0));
    world.apply(&terms::provider(&world.sim.url)).await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "canceled");
    assert_eq!(other.contracts(ORG).await.len(), 0);
}
