//! Whose a contract is and stays: what others do, where its account moves, what policies leave alone, what ends with a
//! resource and what does not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    World, kstatus, metronome,
    sim::{Calls, Sim, TOKEN},
    terms::{self, ORG, PRICE, acme, contract, organization, provider, wire, with, without},
    world::{message, reason},
};

const EXISTING: &str = "8b7a6958-4736-4251-9e4d-3c2b1a0f9aaa";

fn managed_by(policy: &str, spec: Value) -> Value {
    with(spec, "/spec/managementPolicy", json!(policy))
}

fn deleted_by(policy: &str, spec: Value) -> Value {
    with(spec, "/spec/deletionPolicy", json!(policy))
}

fn named(name: &str, spec: Value) -> Value {
    with(spec, "/metadata/name", json!(name))
}

fn by(provider: &str, spec: Value) -> Value {
    with(spec, "/spec/providerRef/name", json!(provider))
}

#[tokio::test]
async fn an_account_whose_address_is_spelled_otherwise_is_the_same_and_its_price_never_flips() {
    let mut world = World::bare().await;
    world.options.allowed_hosts.push("localhost".to_owned());
    world.apply(&terms::secret(TOKEN)).await;
    let url = world.sim.url.replace("127.0.0.1", "localhost");
    world.apply(&named("zoo", provider(&url))).await;
    world.apply(&named("slash", provider(&format!("{url}/")))).await;
    world.apply(&named("capitals", provider(&url.replace("localhost", "LocalHost")))).await;
    world.start_operator().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    for other in ["slash", "capitals"] {
        let dearer = with(contract(other, ORG), PRICE, json!("0.99"));
        world.apply(&by(other, dearer)).await;
        let why = world.until_stalled(other, "DuplicateClaim").await;
        assert!(why.contains(&format!("{}/acme", world.namespace)), "{why}");
    }
    for name in ["acme", "slash", "capitals"] {
        world.reconcile(name).await;
    }
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn whose_token_expires_holds_its_contract_all_the_same() {
    let world = World::start().await;
    world.sim.admit("of-another-team").await;
    world.apply(&metronome::secret("of-another-team")).await;
    let theirs = named("theirs", provider(&world.sim.url));
    world.apply(&with(theirs, "/spec/tokenSecretRef/name", json!("metronome-token"))).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let younger = by("theirs", with(contract("younger", ORG), PRICE, json!("0.99")));
    world.apply(&younger).await;
    world.until_stalled("younger", "DuplicateClaim").await;
    world.sim.revoke(TOKEN).await;
    world.ask("acme").await;
    world.until_waiting("acme", "ProviderNotReady").await;
    // The younger one looks again by itself after half a minute at the latest.
    let until = Instant::now() + Duration::from_secs(35);
    while Instant::now() < until {
        assert_eq!(reason(&world.reconcile("younger").await), "DuplicateClaim");
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn what_a_resource_adopts_goes_on_when_the_one_that_held_it_is_deleted() {
    let world = World::metronome().await;
    let old = deleted_by("End", metronome::bare("old", metronome::CUSTOMER));
    let old = without(old, "/spec/metronome/endingBefore");
    world.apply(&old).await;
    let id = world.until_ready("old").await["status"]["contractId"].clone();
    let new = with(old, "/spec/adopt", json!({"contractId": id, "mode": "Override"}));
    world.apply(&named("new", with(new, "/spec/metronome/name", json!("new")))).await;
    // Of two, the one that has it on record holds it, and nothing flips.
    let why = world.until_stalled("new", "DuplicateClaim").await;
    assert!(why.contains(&format!("{}/old", world.namespace)), "{why}");
    assert_eq!(world.sim.all_writes().await, metronome::traffic([(metronome::CREATE, 1)]));
    let started = Instant::now();
    world.delete("old").await;
    world.until_gone("old", 1).await;
    assert_eq!(world.until_ready("new").await["status"]["contractId"], id);
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "woken, and not found by chance: {:?}",
        started.elapsed()
    );
    let held = world.sim.only(metronome::CUSTOMER).await;
    assert_eq!(
        (&held["contract"]["ending_before"], &held["contract"]["name"]),
        (&Value::Null, &json!("new"))
    );
}

#[tokio::test]
async fn whoever_waits_for_a_holder_goes_on_as_soon_as_it_goes() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.apply(&contract("next", ORG)).await;
    world.until_stalled("next", "DuplicateClaim").await;
    let started = Instant::now();
    world.delete("acme").await;
    world.until_ready("next").await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_provider_that_moves_to_another_account_has_every_contract_looked_at_as_new_and_says_so() {
    let mut world = World::start().await;
    let states = ["active", "scheduled", "closed"];
    let other = Sim::start();
    other.admit(TOKEN).await;
    for (n, state) in states.iter().enumerate() {
        let id = organization(n);
        world.sim.register(&id).await;
        other.register(&id).await;
        world.apply(&with(contract(state, &id), "/spec/zoo/status", json!(state))).await;
        world.until_ready(state).await;
    }
    let waiting = organization(9);
    other.register(&waiting).await;
    world.sim.register(&waiting).await;
    world.apply(&managed_by("Plan", contract("planned", &waiting))).await;
    let plan = world.until("planned", |contract| reason(contract) == "AwaitingApproval").await;
    world.stop_operator().await;
    let digest = plan["status"]["plan"]["digest"].as_str().unwrap();
    world.annotate("planned", "billing.countersign.dev/approved-plan", digest).await;
    world.apply(&provider(&other.url)).await;
    world.start_operator().await;
    for (n, state) in states.iter().enumerate() {
        world.until_event(state, "now and was").await;
        let ready = world.until_ready(state).await;
        let made = other.contract(&organization(n)).await;
        assert_eq!((&ready["status"]["contractId"], &made["status"]), (&made["contract_id"], &json!(state)));
    }
    let anew = |contract: &Value| {
        reason(contract) == "AwaitingApproval" && contract["status"]["plan"]["digest"] != digest
    };
    world.until("planned", anew).await;
    assert_eq!(other.calls(&waiting).await.puts, 0, "the approval was of the other account");
}

#[tokio::test]
async fn a_contract_that_is_only_observed_is_left_when_its_resource_goes() {
    let world = World::start().await;
    let cancels = deleted_by("Cancel", acme());
    world.apply(&cancels).await;
    world.until_ready("acme").await;
    world.apply(&managed_by("Observe", cancels)).await;
    world.until_ready("acme").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "active");
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn what_is_observed_and_not_there_is_not_in_billing_and_not_ready() {
    let world = World::start().await;
    world.apply(&managed_by("Observe", acme())).await;
    let contract = world.until("acme", |contract| reason(contract) == "NotInBilling").await;
    assert_eq!(kstatus::status_of(&contract, "Ready"), Some("False"), "{contract:#}");
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 1, puts: 0 });
}

#[tokio::test]
async fn somebody_else_s_active_contract_is_untouched_when_a_scheduled_one_ends() {
    let world = World::start().await;
    let scheduled = with(deleted_by("End", acme()), "/spec/zoo/status", json!("scheduled"));
    world.apply(&scheduled).await;
    world.until_ready("acme").await;
    let theirs = wire(&with(acme(), PRICE, json!("0.60")));
    world.sim.seed(ORG, EXISTING, &theirs).await;
    world.delete("acme").await;
    let deleted = |contract: &Value| !contract["metadata"]["deletionTimestamp"].is_null();
    let asked = world.until("acme", deleted).await;
    drop(asked);
    let give_up = Instant::now() + Duration::from_secs(10);
    while Instant::now() < give_up && !is_gone(&world, "acme").await {
        sleep(Duration::from_millis(200)).await;
    }
    let billed = world.sim.contracts(ORG).await;
    let foreign = billed.iter().find(|contract| contract["contract_id"] == EXISTING).unwrap();
    assert_eq!((&foreign["status"], &foreign["writes"]), (&json!("active"), &json!(1)), "{billed:#?}");
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

async fn is_gone(world: &World, name: &str) -> bool {
    world.api("billing.countersign.dev/v1alpha1", "BillingContract").get_opt(name).await.unwrap().is_none()
}

#[tokio::test]
async fn a_contract_ends_though_its_spec_is_wrong_by_now_and_its_end_is_told() {
    let mut world = World::metronome().await;
    let spec = deleted_by("End", metronome::acme());
    world.apply(&spec).await;
    world.until_ready("acme").await;
    world.apply(&with(spec, "/spec/metronome/endingBefore", json!("2035-01-01T00:30:00Z"))).await;
    world.until_stalled("acme", "InvalidSpec").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    let end = world.sim.terms(metronome::CUSTOMER).await["ending_before"].as_str().unwrap().to_owned();
    assert!(!end.starts_with("203"), "{end}");
    // It is the most recorded write of all: an event, a line of the log, a metric.
    let events = world.events("acme").await;
    let ended = events.iter().find(|event| event.reason == "Ended").unwrap_or_else(|| panic!("{events:#?}"));
    assert!(ended.text.contains("ends at the next full hour"), "{}", ended.text);
    let log = world.log();
    let told = log.lines().any(|line| line.contains("acme") && line.contains("Ended"));
    assert!(told, "{log}");
    let counted = world.operator().metric("countersign_reconciles_total", "outcome=\"ended\"").await;
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn what_was_billed_is_not_said_to_be_changed_once_its_term_is_over_and_nothing_is_shown() {
    let world = World::start().await;
    let over = with(acme(), "/spec/zoo/termEndAt", json!("2026-02-01T00:00:00Z"));
    let over = with(over, "/spec/zoo/periods/0/periodEndAt", json!("2026-02-01T00:00:00Z"));
    world.apply(&over).await;
    world.until_ready("acme").await;
    world.sim.change(ORG, |body| body["status"] = json!("closed")).await;
    world.reconcile("acme").await;
    world.apply(&with(over, "/spec/zoo/periods/0/commitmentAmount", json!("999999"))).await;
    let why = world.until_stalled("acme", "TermOver").await;
    assert!(why.contains("can't be changed"), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn a_resource_that_was_refused_ends_nothing_of_whoever_holds_the_contract() {
    let world = World::metronome().await;
    let key = json!({"uniquenessKey": "the-one"});
    let bare = |name: &str| metronome::plus(metronome::bare(name, metronome::CUSTOMER), &key);
    world.apply(&bare("older")).await;
    let id = world.until_ready("older").await["status"]["contractId"].clone();
    // Refused as a duplicate, as one that would change what cannot be changed, and never looked at.
    world.apply(&deleted_by("Cancel", bare("younger"))).await;
    world.until_stalled("younger", "DuplicateClaim").await;
    world.apply(&with(deleted_by("Cancel", bare("asleep")), "/spec/suspend", json!(true))).await;
    world.until("asleep", |contract| reason(contract) == "Suspended").await;
    world.delete("younger").await;
    world.until_gone("younger", 1).await;
    world.annotate("asleep", "billing.countersign.dev/release", "true").await;
    world.delete("asleep").await;
    world.until_gone("asleep", 1).await;

    // Somebody else's, by the same key, that began at another time.
    let theirs = json!({"starting_at": "2025-01-01T00:00:00Z", "uniqueness_key": "theirs"});
    let customer = metronome::customer(1);
    world.sim.seed_customers(std::slice::from_ref(&customer)).await;
    world.sim.seed_terms(&customer, EXISTING, &theirs).await;
    let other = metronome::plus(metronome::bare("other", &customer), &json!({"uniquenessKey": "theirs"}));
    world.apply(&deleted_by("Cancel", other)).await;
    world.until_stalled("other", "ImmutableField").await;
    world.delete("other").await;
    world.until_gone("other", 1).await;
    assert_eq!(world.sim.all_writes().await, metronome::traffic([(metronome::CREATE, 1)]));
    let held = world.sim.only(metronome::CUSTOMER).await;
    assert_eq!((&held["id"], &held["state"]), (&id, &json!("active")));
}

#[tokio::test]
async fn an_approved_plan_is_another_one_once_the_policies_are_others() {
    let world = World::start().await;
    world.apply(&managed_by("Plan", acme())).await;
    let digest = world
        .until("acme", |contract| reason(contract) == "AwaitingApproval")
        .await["status"]["plan"]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let annotations = json!({"billing.countersign.dev/approved-plan": digest});
    let approved = with(managed_by("Plan", acme()), "/metadata/annotations", annotations);
    for (place, value) in
        [("/spec/ignoreDrift", json!(["/items/fde/fixedFeeAmount"])), ("/spec/driftPolicy", json!("Report"))]
    {
        world.apply(&with(approved.clone(), place, value)).await;
        let generation = world.get("acme").await["metadata"]["generation"].clone();
        let looked_at = |contract: &Value| contract["status"]["observedGeneration"] == generation;
        let contract = world.until("acme", looked_at).await;
        assert_eq!(reason(&contract), "AwaitingApproval", "{place}: {}", message(&contract));
        assert_ne!(contract["status"]["plan"]["digest"], digest.as_str(), "{place}");
        assert_eq!(world.sim.calls(ORG).await.puts, 0, "{place}");
    }
    world.apply(&approved).await;
    world.until_ready("acme").await;
}
