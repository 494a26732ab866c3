//! Deletion, suspension, approval, and looks on request.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    sim::{Calls, TOKEN},
    terms::{ORG, PRICE, acme, with},
    world::reason,
};

const FINALIZER: &str = "billing.countersign.dev/end-contract";

fn deleted_by(policy: &str) -> Value {
    with(acme(), "/spec/deletionPolicy", json!(policy))
}

fn managed_by(policy: &str) -> Value {
    with(acme(), "/spec/managementPolicy", json!(policy))
}

#[tokio::test]
async fn deleting_ends_or_cancels_the_contract_as_the_policy_says() {
    for (policy, state) in [("End", "closed"), ("Cancel", "canceled")] {
        let world = World::start().await;
        world.apply(&deleted_by(policy)).await;
        let contract = world.until_ready("acme").await;
        assert_eq!(contract["metadata"]["finalizers"], json!([FINALIZER]));
        world.delete("acme").await;
        world.until_gone("acme", 1).await;
        let billed = world.sim.contract(ORG).await;
        assert_eq!(billed["status"], state);
        assert_eq!(billed["name"], "Acme 2026 enterprise", "nothing else changes");
        assert_eq!(world.sim.calls(ORG).await.puts, 2);
    }
}

#[tokio::test]
async fn a_scheduled_contract_is_ended_although_it_cannot_be_read() {
    let world = World::start().await;
    world.apply(&with(deleted_by("Cancel"), "/spec/zoo/status", json!("scheduled"))).await;
    world.until_ready("acme").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "canceled");
}

#[tokio::test]
async fn a_contract_whose_first_reply_was_lost_is_still_ended() {
    let mut world = World::start().await;
    world.sim.fault(json!({"kind": "drop_reply", "method": "PUT", "count": 1})).await;
    world.sim.fault(json!({"kind": "status", "status": 503, "method": "GET", "path": format!("/orgs/{ORG}"), "count": 1})).await;
    world.apply(&deleted_by("Cancel")).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    world.take_operator().kill();
    world.delete("acme").await;
    world.start_operator().await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "canceled");
}

#[tokio::test]
async fn a_resource_that_never_held_the_contract_does_not_end_it() {
    let world = World::start().await;
    let existing = "8b7a6958-4736-4251-9e4d-3c2b1a0f9aaa";
    let body = crate::support::terms::wire(&with(acme(), PRICE, json!("0.60")));
    world.sim.seed(ORG, existing, &body).await;
    world.apply(&deleted_by("Cancel")).await;
    world.until_stalled("acme", "ContractExists").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "active");
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
}

#[tokio::test]
async fn a_deletion_that_cannot_end_the_contract_waits_and_can_be_released() {
    let world = World::start().await;
    world.apply(&deleted_by("End")).await;
    world.until_ready("acme").await;
    world.sim.revoke(TOKEN).await;
    world.delete("acme").await;
    let contract = world
        .until("acme", |contract| {
            !contract["metadata"]["deletionTimestamp"].is_null()
                && kstatus::status_of(contract, "Ready") == Some("False")
        })
        .await;
    let why = crate::support::world::message(&contract);
    assert!(why.contains("billing.countersign.dev/release=true"), "{why}");
    world.annotate("acme", "billing.countersign.dev/release", "true").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "active");
}

#[tokio::test]
async fn a_deletion_goes_on_once_the_token_is_good_again() {
    let world = World::start().await;
    world.apply(&deleted_by("End")).await;
    world.until_ready("acme").await;
    world.sim.revoke(TOKEN).await;
    world.delete("acme").await;
    world.until("acme", |contract| kstatus::status_of(contract, "Ready") == Some("False")).await;
    let fresh = "another-token-of-an-administrator";
    world.sim.admit(fresh).await;
    world.apply(&crate::support::terms::secret(fresh)).await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "closed");
}

#[tokio::test]
async fn the_finalizer_goes_when_the_policy_becomes_orphan() {
    let world = World::start().await;
    world.apply(&deleted_by("End")).await;
    world.until_ready("acme").await;
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    assert!(contract["metadata"]["finalizers"].is_null());
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "active");
}

#[tokio::test]
async fn a_finalizer_that_somebody_takes_away_is_back_without_a_look_at_billing() {
    let world = World::start().await;
    world.apply(&deleted_by("End")).await;
    let before = world.until_ready("acme").await["metadata"]["resourceVersion"].clone();
    let calls = world.sim.calls(ORG).await;
    world.patch("BillingContract", "acme", json!({"metadata": {"finalizers": null}})).await;
    let is_back = |contract: &Value| {
        let metadata = &contract["metadata"];
        metadata["finalizers"] == json!([FINALIZER]) && metadata["resourceVersion"] != before
    };
    world.until("acme", is_back).await;
    assert_eq!(world.sim.calls(ORG).await, calls);
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "closed");
}

#[tokio::test]
async fn a_suspended_contract_is_left_alone_until_it_is_resumed() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let calls = world.sim.calls(ORG).await;
    let suspended = with(with(acme(), PRICE, json!("0.49")), "/spec/suspend", json!(true));
    world.apply(&suspended).await;
    let contract = world.until("acme", |contract| contract["status"]["observedGeneration"] == 2).await;
    assert_eq!(
        (kstatus::status_of(&contract, "Ready"), reason(&contract).as_str()),
        (Some("Unknown"), "Suspended")
    );
    assert_ne!(kstatus::compute(&contract), kstatus::Standing::Current, "nobody compared the new price");
    world.second_look(1).await;
    assert_eq!(world.sim.calls(ORG).await, calls, "not even read");

    world.start_operator().await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn a_suspended_contract_that_is_deleted_says_what_it_waits_for_and_how_to_let_it_go() {
    let world = World::start().await;
    world.apply(&deleted_by("Cancel")).await;
    world.until_ready("acme").await;
    world.apply(&with(deleted_by("Cancel"), "/spec/suspend", json!(true))).await;
    world.until("acme", |contract| reason(contract) == "Suspended").await;
    world.delete("acme").await;
    let is_told = |contract: &Value| {
        let why = crate::support::world::message(contract);
        why.contains("take `spec.suspend` away") && why.contains("billing.countersign.dev/release=true")
    };
    world.until("acme", is_told).await;
    world.annotate("acme", "billing.countersign.dev/release", "true").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "active");
}

#[tokio::test]
async fn contracts_end_although_their_provider_and_its_secret_went_first() {
    let world = World::start().await;
    world.apply(&deleted_by("End")).await;
    world.until_ready("acme").await;
    let secret = crate::support::terms::secret(TOKEN);
    world.delete_object("Secret", secret["metadata"]["name"].as_str().unwrap()).await;
    world.until("acme", |contract| reason(contract) == "ProviderNotReady").await;
    world.delete_object("BillingProvider", "zoo").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "closed");
}

#[tokio::test]
async fn a_contract_that_is_suspended_from_the_start_is_never_looked_at() {
    let mut world = World::start().await;
    world.apply(&with(acme(), "/spec/suspend", json!(true))).await;
    let contract = world.until("acme", |contract| contract["status"]["observedGeneration"] == 1).await;
    assert_eq!(reason(&contract), "Suspended");
    world.stop_operator().await;
    assert_eq!(world.sim.calls(ORG).await, Calls::default());
}

#[tokio::test]
async fn a_plan_waits_for_its_approval_and_no_other_plan_passes_by_it() {
    let world = World::start().await;
    world.apply(&managed_by("Plan")).await;
    world.until_waiting("acme", "AwaitingApproval").await;
    let first = world.get("acme").await["status"]["plan"].clone();
    assert_eq!(first["changes"], 1);
    assert!(first["summary"].as_str().unwrap().contains("120000 USD"), "{first}");
    assert_eq!(world.sim.calls(ORG).await.puts, 0);

    // The approval is of this plan: another one needs its own.
    world.apply(&with(managed_by("Plan"), PRICE, json!("0.49"))).await;
    let contract =
        world.until("acme", |contract| contract["status"]["plan"]["digest"] != first["digest"]).await;
    world.annotate("acme", "billing.countersign.dev/approved-plan", first["digest"].as_str().unwrap()).await;
    world.reconcile("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 0);

    let second = contract["status"]["plan"]["digest"].as_str().unwrap().to_owned();
    world.annotate("acme", "billing.countersign.dev/approved-plan", &second).await;
    let contract =
        world.until("acme", |contract| kstatus::status_of(contract, "Ready") == Some("True")).await;
    assert!(contract["status"]["plan"].is_null());
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn an_observed_contract_is_compared_and_never_written() {
    let mut world = World::start().await;
    let body = crate::support::terms::wire(&with(acme(), PRICE, json!("0.60")));
    world.sim.seed(ORG, "8b7a6958-4736-4251-9e4d-3c2b1a0f9aaa", &body).await;
    let adopting = with(
        managed_by("Observe"),
        "/spec/adopt",
        json!({"contractId": "8b7a6958-4736-4251-9e4d-3c2b1a0f9aaa", "mode": "Override"}),
    );
    world.apply(&adopting).await;
    let contract =
        world.until("acme", |contract| kstatus::status_of(contract, "Drifted") == Some("True")).await;
    assert_eq!(
        contract["status"]["drift"],
        json!(["/items/licensed_api_credits/rateTiers/0/unitPrice: billing says 0.6, Git says 0.5 USD"])
    );
    world.second_look(1).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
}

#[tokio::test]
async fn a_look_on_request_is_one_read_and_one_note_that_it_was_taken() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.reconcile("acme").await;
    world.stop_operator().await;
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 2, puts: 1 });
    // Created, its status, the request, its acknowledgement.
    assert_eq!(world.versions("acme").await.len(), 4);
    assert_eq!(world.events("acme").await.len(), 1);
}
